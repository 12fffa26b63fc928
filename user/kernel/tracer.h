/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel side, loaded and attached: picks hooks by trying, hands over the
 * raw records, reads the loss counters. Everything it made in the kernel
 * hangs on file descriptors of this process, so nothing survives it, SIGKILL
 * included: nothing is pinned.
 */
#ifndef SF_KERNEL_TRACER_H
#define SF_KERNEL_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/config.h"
#include "kernel/caps.h"
#include "kernel/plan.h"

struct sf_tracer;

/* What the kernel side should tell. */
struct sf_want {
	uint32_t kinds; /* 1 << enum sf_event_kind */
	uint32_t facts; /* SF_WANT_* */
};

struct sf_tracer_opts {
	enum sf_tier tier; /* the best that may be used */
	struct sf_cut cut; /* kernel-side filter */
	struct sf_want want;
	uint64_t ring_bytes;  /* power of two, at least a page */
	uint32_t max_stories; /* connections followed at once */
};

/* What was sent and lost so far, summed over the CPUs. */
struct sf_losses {
	uint64_t sent[SF_EV_NR];      /* per enum sf_event_kind */
	uint64_t lost_ring[SF_EV_NR]; /* no room in the ring: the reader was too slow */
	uint64_t lost_requests;	      /* handshakes whose SYN's time was not kept: table full */
	uint64_t lost_map;	      /* connections not followed: the story map was full */
	uint64_t waits_refused; /* timewait sockets not followed: no event is lost, but facts */
	/* steps not seen as the kernel skipped a program that was running (5.12 counts them) */
	uint64_t lost_nested;
	uint64_t sent_total;
	uint64_t lost_total; /* events: lost_ring, lost_map and lost_nested */
};

/* Called for each record: its bytes, unchecked. Negative to stop after this one. */
typedef int (*sf_record_fn)(void *ctx, void *data, size_t size);

/*
 * Loads and attaches. caps: borrowed for the call. On failure one line goes
 * to err (what is wrong, what would be right) and a negative errno is
 * returned: -EPERM no permission, -ENOENT or -EOPNOTSUPP the kernel lacks it.
 */
int sf_tracer_new(struct sf_tracer **ret, const struct sf_caps *caps,
		  const struct sf_tracer_opts *opts, sf_record_fn fn, void *ctx, char *err,
		  size_t err_size);
void sf_tracer_free(struct sf_tracer *tracer);
const struct sf_plan *sf_tracer_plan(const struct sf_tracer *tracer);
/*
 * When all is loaded and seeded: gives up the capabilities that it took, see sf_caps_drop(). What
 * is attached is read on. 0 or negative errno.
 */
int sf_tracer_drop_caps(const struct sf_tracer *tracer, uint64_t keep);
/* Readable (edge-triggered use only) when the ring has filled past its mark. */
int sf_tracer_wake_fd(const struct sf_tracer *tracer);
/*
 * Gives every socket that exists a story, so that what comes later without one
 * is known to be lost, and what was there before is known to be older; and those
 * the process that has them open. Call it once, after sf_tracer_new(). 0;
 * -EOPNOTSUPP: the kernel cannot walk its sockets; -EPERM: not all network
 * namespaces may be entered: sockets of the others are seen from their next step
 * on; -EXDEV: as sf_netns_each().
 */
int sf_tracer_seed(struct sf_tracer *tracer);
/*
 * The story so far of the socket at this address (struct sf_sock), as the kernel side holds it at
 * this moment: a step may be written meanwhile. 0, or -ENOENT: it has none.
 */
int sf_tracer_story(const struct sf_tracer *tracer, uint64_t sk, struct sf_story *ret);
/* Hands all records that are in the ring to fn. Number of records, or fn's negative value. */
int sf_tracer_consume(struct sf_tracer *tracer);
/*
 * Detaches all hooks, after what the kernel side keeps back to tell it less often has been told:
 * no record is made any more; those in the ring stay. */
void sf_tracer_detach(struct sf_tracer *tracer);
/*
 * When detached: hands fn a close event for each connection that has no socket any more and waits
 * for the peer's FIN. 0 or negative errno, fn's too.
 */
int sf_tracer_waiting(struct sf_tracer *tracer, sf_record_fn fn, void *ctx);
/* 0 or negative errno. */
int sf_tracer_losses(const struct sf_tracer *tracer, struct sf_losses *ret);

#endif
