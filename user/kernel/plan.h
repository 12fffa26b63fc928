/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hooks to use: a table of what each is for, what is lost without it,
 * and its alternatives in order; and a pure function that picks. Whether an
 * alternative works is found out by others, by trying.
 */
#ifndef SF_KERNEL_PLAN_H
#define SF_KERNEL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum sf_attach {
	SF_ATTACH_NONE,
	SF_ATTACH_TP,	  /* typed tracepoint (tp_btf) */
	SF_ATTACH_FENTRY, /* fentry and fexit */
	SF_ATTACH_KPROBE,
	SF_ATTACH_ITER, /* walks what exists, when asked */
	SF_ATTACH_NR,
};

/* From most to least is known: each tier allows what the ones after it allow, too. */
enum sf_tier {
	SF_TIER_FULL,
	SF_TIER_KPROBE,
	SF_TIER_TRACEPOINTS,
	SF_TIER_NR,
};

enum sf_hook_id {
	/* Attached from the last to the first: these two run after the third. */
	SF_HOOK_STATE_LAST,
	SF_HOOK_STATE_AGAIN,
	SF_HOOK_STATE,
	SF_HOOK_DESTROY,
	SF_HOOK_RST_RECEIVED,
	SF_HOOK_RETRANSMIT,
	SF_HOOK_RST_SENT,
	SF_HOOK_CONNECT,
	SF_HOOK_HANDSHAKE,
	SF_HOOK_ACCEPT,
	SF_HOOK_ACCEPT_WAITING,
	SF_HOOK_CONNECT_END,
	SF_HOOK_QUEUE_ADD,
	SF_HOOK_SYN,
	SF_HOOK_SYN_ASKED,
	SF_HOOK_SYN_ANSWERED,
	SF_HOOK_LAST_ACK4,
	SF_HOOK_LAST_ACK6,
	SF_HOOK_REQUEST_RST,
	SF_HOOK_REQUEST_DROP,
	SF_HOOK_REQUEST_END4,
	SF_HOOK_REQUEST_END6,
	SF_HOOK_SOCKET4,
	SF_HOOK_SOCKET6,
	SF_HOOK_BIND,
	SF_HOOK_SEED,
	SF_HOOK_HOLDER,
	SF_HOOK_UNTOLD,
	SF_HOOK_CLOSE,
	SF_HOOK_SHUTDOWN,
	SF_HOOK_TIME_WAIT,
	SF_HOOK_WAIT_BEGIN,
	SF_HOOK_WAIT_FIN,
	SF_HOOK_WAIT_SEGMENT,
	SF_HOOK_WAIT_ANSWERED,
	SF_HOOK_WAIT_EXPIRED,
	SF_HOOK_WAIT_END,
	SF_HOOK_PROBE,
	SF_HOOK_FIRST_OUT,
	SF_HOOK_FIRST_IN,
	SF_HOOK_NR,
};

#define SF_HOOK_ALTS 5

/* What a command may want beyond the story of each connection: what costs more. */
#define SF_WANT_STEPS (1U << 0) /* socket() and bind() */
/* TIME_WAIT where only its timer shows it; follows from wanting the event of its end */
#define SF_WANT_TIME_WAIT_END (1U << 1)
#define SF_WANT_FIRST_BYTE (1U << 2) /* when programs first sent and read data */
#define SF_WANT_ALL (~0U)

struct sf_hook_alt {
	const char *prog;   /* in the BPF object; NULL ends the list */
	const char *target; /* kernel function or tracepoint */
	enum sf_attach attach;
	int nr_args;	 /* the function's argument count this program is for, 0 = any */
	uint32_t serves; /* SF_WANT_*: used only if one of them is wanted; 0 = always */
};

struct sf_hook {
	const char *name;
	const char *gives;
	const char *lost; /* what is not known without it */
	bool is_required;
	struct sf_hook_alt alts[SF_HOOK_ALTS];
};

/* What was found out of each alternative. */
struct sf_usable {
	bool alt[SF_HOOK_NR][SF_HOOK_ALTS];
};

#define SF_CHOICE_NONE -1     /* wanted, and the kernel allows none */
#define SF_CHOICE_UNWANTED -2 /* nobody wants what it gives */

struct sf_plan {
	/* Index of the alternative, or one of the next two. */
	int choice[SF_HOOK_NR];
};

extern const struct sf_hook sf_hooks[SF_HOOK_NR];
extern const char *const sf_tier_names[SF_TIER_NR + 1];
extern const char *const sf_attach_names[SF_ATTACH_NR];

/* May this tier use this way of attaching? */
bool sf_tier_allows(enum sf_tier tier, enum sf_attach attach);
/*
 * Takes of each hook the first usable alternative that the tier allows and that serves what is
 * wanted (SF_WANT_*). Pure. 0, or -ENOENT if a required hook has none.
 */
int sf_plan_build(enum sf_tier tier, uint32_t wanted, const struct sf_usable *usable,
		  struct sf_plan *ret);
/* Is the hook wanted, and has none that the kernel allows? */
bool sf_plan_misses(const struct sf_plan *plan, enum sf_hook_id hook);
/* The chosen alternative of a hook, NULL = none. */
const struct sf_hook_alt *sf_plan_alt(const struct sf_plan *plan, enum sf_hook_id hook);
/* Is this program the plan's choice for any hook? One may serve two. */
bool sf_plan_uses(const struct sf_plan *plan, const char *prog);
/* The tier that the plan amounts to, in the sense of what it attaches with. */
enum sf_tier sf_plan_tier(const struct sf_plan *plan);

#endif
