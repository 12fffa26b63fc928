/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and this user allow, found out by asking and trying, never by a version number.
 */
#ifndef SF_KERNEL_CAPS_H
#define SF_KERNEL_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/plan.h"

#ifndef CAP_PERFMON /* since v5.8 */
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

#define SF_CAP(number) (1ULL << (number))

struct btf;

struct sf_caps {
	struct btf *btf;	       /* the kernel's types */
	bool can_attach[SF_ATTACH_NR]; /* a trial program was loaded and attached */
	int attach_err[SF_ATTACH_NR];  /* negative errno of the trial, 0 = worked */
	bool has_cookie_helper;	       /* bpf_get_socket_cookie() in tracing programs */
	bool has_task_regs;	       /* bpf_task_pt_regs() */
	bool has_retransmit_err;       /* the tracepoint tcp_retransmit_skb says if it failed */
};

/*
 * Are the capabilities there that tracing needs: CAP_BPF and CAP_PERFMON, or
 * CAP_SYS_ADMIN? 0, -EPERM if not, -EACCES if the kernel refuses bpf() all the
 * same, as it does to root of a user namespace; or another negative errno if it
 * cannot be told.
 */
int sf_caps_check_privilege(void);
/*
 * Gives up, for this thread and what it starts from now on, all capabilities but those of keep
 * (SF_CAP() of each), of which it may have none. still_works is called with these in force: where
 * it says -EPERM, what bpf() asks for is kept too, as each of its commands does on 5.10. Nor can a
 * program that is started get any. 0 or negative errno.
 */
int sf_caps_drop(uint64_t keep, int (*still_works)(const void *ctx), const void *ctx);
/*
 * Reads the kernel's BTF and makes the trials. 0; -ENOENT: the kernel has no BTF; other negative
 * errno.
 */
int sf_caps_read(struct sf_caps *ret);
void sf_caps_clear(struct sf_caps *caps);
/*
 * Why the kernel's BTF could not be read, if r is libbpf's -ESRCH, which hides it: -ENOENT if there
 * is none. Any other r is returned as it is.
 */
int sf_caps_btf_err(int r);
/* Does the kernel have what this alternative attaches to, in the shape it is written for? */
bool sf_caps_has_target(const struct sf_caps *caps, const struct sf_hook_alt *alt);

#endif
