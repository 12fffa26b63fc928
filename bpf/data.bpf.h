/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is seen of data: its first byte each way, only if asked for, and probes
 * of a closed window. Everything else is counted by the kernel and read at the
 * end. Hook bodies; close_programs.bpf.h wraps them.
 */
#ifndef SF_DATA_BPF_H
#define SF_DATA_BPF_H

#include "bpf/stories.bpf.h"

/* A program's first byte given to TCP or taken from it. For sockets of all sorts. */
static __always_inline void on_first_byte(struct sock *sk, enum sf_step which, int bytes)
{
	struct sf_story *st;

	if (bytes <= 0)
		return;
	st = story_get(sk);
	if (st && !st->step_ns[which])
		step(st, which, bpf_ktime_get_boot_ns());
}

/* tcp_send_probe0(): the peer's window is closed, and its opening may have been lost. */
static __always_inline void on_probe(struct sock *sk)
{
	struct sf_story *st = story_get(sk);

	/* The timer also runs for a segment that this host itself dropped. */
	if (st && !BPF_CORE_READ((struct tcp_sock *)sk, snd_wnd))
		st->zero_window_probes++;
}

#endif
