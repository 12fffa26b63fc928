/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only user of the ring. Sends an event with its story if it is wanted
 * and passes the kernel-side filter; counts what was sent and what was lost.
 */
#ifndef SF_EMIT_BPF_H
#define SF_EMIT_BPF_H

#include "bpf/compat.bpf.h"

enum cut_result {
	CUT_PASS,
	CUT_UNKNOWN, /* a fact it asks for is not known yet */
	CUT_NEVER,   /* contradicts a fact that will not change */
};

static __always_inline bool addr_in_cut(const __u8 addr[16])
{
	const __u64 *a = (const __u64 *)addr;
	const volatile __u64 *want = (const volatile __u64 *)config.cut.host_addr;
	const volatile __u64 *mask = (const volatile __u64 *)config.cut.host_mask;

	return (a[0] & mask[0]) == want[0] && (a[1] & mask[1]) == want[1];
}

static __always_inline bool addr_is_v4(const __u8 addr[16])
{
	const __u32 *a = (const __u32 *)addr;

	return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff);
}

static __always_inline enum cut_result cut_owner(const struct sf_story *st)
{
	enum cut_result other = CUT_NEVER;

	if (!config.cut.pid && !config.cut.has_comm)
		return CUT_PASS;
	if (!st->owner.tgid)
		return CUT_UNKNOWN;
	/* One of several that may hold it: who closes it may be another. */
	if (st->owner.source == SF_OWNER_SRC_FD_SCAN)
		other = CUT_UNKNOWN;
	if (config.cut.pid && st->owner.tgid != config.cut.pid)
		return other;
	if (config.cut.has_comm) {
		const __u64 *have = (const __u64 *)st->owner.comm;
		const volatile __u64 *want = (const volatile __u64 *)config.cut.comm;

		if (have[0] != want[0] || have[1] != want[1])
			return other;
	}
	return CUT_PASS;
}

/* Each port condition needs its port known: the kernel may choose it after the first event. */
static __always_inline enum cut_result cut_ports(const struct sf_story *st)
{
	__u16 local = st->local_port, peer = st->peer_port;

	if (config.cut.local_port && local != config.cut.local_port)
		return local ? CUT_NEVER : CUT_UNKNOWN;
	if (config.cut.peer_port && peer != config.cut.peer_port)
		return peer ? CUT_NEVER : CUT_UNKNOWN;
	if (config.cut.port && local != config.cut.port && peer != config.cut.port)
		return local && peer ? CUT_NEVER : CUT_UNKNOWN;
	return CUT_PASS;
}

static __always_inline enum cut_result cut_addrs(const struct sf_story *st)
{
	bool v4;

	if (!config.cut.family && !config.cut.has_host)
		return CUT_PASS;
	if (!(st->flags & SF_F_TUPLE_KNOWN))
		return CUT_UNKNOWN;
	v4 = st->family == AF_INET || (st->flags & SF_F_V4MAPPED);
	if (config.cut.family && v4 != (config.cut.family == AF_INET))
		return CUT_NEVER;
	if (config.cut.has_host && !addr_in_cut(st->local_addr) && !addr_in_cut(st->peer_addr))
		return CUT_NEVER;
	return CUT_PASS;
}

static __always_inline enum cut_result cut(const struct sf_story *st)
{
	enum cut_result owner, ports, addrs;

	if (config.cut.netns && st->netns != config.cut.netns)
		return CUT_NEVER;
	owner = cut_owner(st);
	ports = cut_ports(st);
	addrs = cut_addrs(st);
	if (owner == CUT_NEVER || ports == CUT_NEVER || addrs == CUT_NEVER)
		return CUT_NEVER;
	/* A role may still become "both". */
	if (config.cut.role_mask && !(config.cut.role_mask & (1U << (st->role & 7))))
		return CUT_UNKNOWN;
	if (owner == CUT_UNKNOWN || ports == CUT_UNKNOWN || addrs == CUT_UNKNOWN)
		return CUT_UNKNOWN;
	return CUT_PASS;
}

/*
 * Sends one event. now_ns: CLOCK_BOOTTIME. The reader consumes on a timer: a
 * wake-up costs more than ten times the rest (199 against 42 ns per event), so
 * it is woken only when the ring holds config.wake_bytes, looked at now and then.
 */
static __noinline void emit(struct sf_story *st, __u8 kind, __u8 state_prev, __u64 now_ns)
{
	struct sf_event *event;
	__u64 flags = BPF_RB_NO_WAKEUP;
	enum cut_result result;

	if (!(config.want_kinds & (1U << kind)) || (st->flags & SF_F_MUTED))
		return;
	result = cut(st);
	if (result == CUT_NEVER)
		st->flags |= SF_F_MUTED;
	if (result != CUT_PASS)
		return;

	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count(SF_CNT_LOST_RING + kind);
		return;
	}
	event->time_ns = now_ns;
	event->kind = kind;
	event->state_prev = state_prev;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	__builtin_memcpy(&event->story, st, sizeof(*st));
	if (!(count(SF_CNT_SENT + kind) % 32) &&
	    bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > config.wake_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(event, flags);
}

#endif
