/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stories for the sockets that exist when synfin starts, who has them, and what is still untold
 * when it ends.
 */
#ifndef SF_SEED_BPF_H
#define SF_SEED_BPF_H

#include "bpf/requests.bpf.h"

#define S_IFMT 0170000 /* include/uapi/linux/stat.h */
#define S_IFSOCK 0140000

/* Where a listener listens: what was begun before can only be told by it. */
struct listen_place {
	__u8 addr[16]; /* network byte order, IPv4 as v4-mapped */
	__u32 netns;
	__u16 port; /* host byte order */
	__u16 pad;
};

/*
 * Places to listen on that existed at attach; the value: not for IPv4. As
 * large as stories, in which each has had its place before: so it refuses
 * nothing that was not refused, and counted, there.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct listen_place);
	__type(value, __u8);
} listen_places SEC(".maps");

/* net.ipv4.ip_local_port_range of the namespace that is being seeded; 0: not known. */
__u16 seed_port_min = 0, seed_port_max = 0;

static __always_inline void listen_place_of(const __u8 addr[16], __u16 port, __u32 netns,
					    struct listen_place *ret)
{
	__builtin_memcpy(ret->addr, addr, sizeof(ret->addr));
	ret->netns = netns;
	ret->port = port;
	ret->pad = 0;
}

static __always_inline bool is_listened_on(const __u8 addr[16], __u16 port, __u32 netns)
{
	bool is_v4 = addr_is_v4(addr);
	struct listen_place place;
	const __u8 *is_v6_only;

	listen_place_of(addr, port, netns, &place);
	if (bpf_map_lookup_elem(&listen_places, &place))
		return true;
	if (is_v4) {
		v4_mapped(place.addr, 0);
		if (bpf_map_lookup_elem(&listen_places, &place))
			return true;
	}
	__builtin_memset(place.addr, 0, sizeof(place.addr));
	is_v6_only = bpf_map_lookup_elem(&listen_places, &place);
	return is_v6_only && !(is_v4 && *is_v6_only);
}

static __always_inline bool is_ephemeral(__u16 port)
{
	return seed_port_max && port >= seed_port_min && port <= seed_port_max;
}

/* Its other end is in the same namespace: an address that calls itself, or 127.0.0.0/8. */
static __always_inline bool is_to_itself(const struct sf_story *st)
{
	const __u64 *local = (const __u64 *)st->local_addr, *peer = (const __u64 *)st->peer_addr;

	return (local[0] == peer[0] && local[1] == peer[1]) ||
	       (addr_is_v4(st->peer_addr) && st->peer_addr[12] == 127);
}

/* Whose call it was, if nobody saw it begin; user/story/snapshot.c concludes the same, and more. */
static __always_inline void infer_role(struct sf_story *st, struct sock *sk)
{
	bool here, there;

	if (st->role != SF_ROLE_UNKNOWN || st->state == TCP_CLOSE)
		return;
	here = is_listened_on(st->local_addr, st->local_port, st->netns);
	there = is_to_itself(st) && is_listened_on(st->peer_addr, st->peer_port, st->netns);
	if (!BPF_CORE_READ(sk, sk_socket) && !(sk->__sk_common.skc_flags & SOCK_DEAD_BIT)) {
		st->role = SF_ROLE_SERVER;
		st->role_source = SF_ROLE_SRC_HANDSHAKE; /* it waits for accept() */
	} else if (here != there) {
		st->role = here ? SF_ROLE_SERVER : SF_ROLE_CLIENT;
		st->role_source = SF_ROLE_SRC_LISTENER;
		if (there)
			port_fill(st, BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks));
	} else if (!here && is_ephemeral(st->local_port) && !is_ephemeral(st->peer_port)) {
		st->role = SF_ROLE_CLIENT;
		st->role_source = SF_ROLE_SRC_PORT_RANGE;
		port_fill(st, BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks));
	}
}

static __always_inline void seed_listener(struct sf_story *st, struct sock *sk)
{
	__u8 is_v6_only = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
	struct listen_place place;

	st->role = SF_ROLE_LISTENER;
	st->role_source = SF_ROLE_SRC_LISTEN;
	st->backlog = sk->sk_max_ack_backlog;
	st->drops_base = sk->sk_drops.counter;
	listen_place_of(st->local_addr, st->local_port, st->netns, &place);
	/* Without it the roles of its connections stay unknown. */
	if (bpf_map_update_elem(&listen_places, &place, &is_v6_only, BPF_ANY))
		count(SF_CNT_LOST_MAP);
}

/*
 * Every TCP socket of one network namespace, once, right after attaching:
 * a story for each that has none. Since 5.15 the socket is locked meanwhile;
 * before, its hash bucket is, which it cannot leave (net/ipv4/tcp_ipv4.c
 * bpf_iter_tcp_seq_show()). Listeners come first (tcp_seek_last_pos(), 5.10 to
 * 7.3), so what they spawned is known for theirs.
 */
SEC("?iter/tcp")
int seed_iter(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	struct sf_story *st;
	struct sock *sk;

	if (!skc)
		return 0;
	tp = (struct tcp_sock *)bpf_skc_to_tcp_sock(skc);
	if (!tp) /* a timewait socket or a request */
		return 0;
	sk = &tp->inet_conn.icsk_inet.sk;
	if (story_get(sk))
		return 0;
	st = nr_seeded < config.max_seeded ? story_start(sk, bpf_ktime_get_boot_ns()) : NULL;
	if (!st) {
		story_was_refused = true;
		count(SF_CNT_LOST_MAP);
		return 0;
	}
	nr_seeded++;
	st->flags |= SF_F_BEGIN_UNSEEN;
	story_fill_midlife(st, sk, tp, sk->__sk_common.skc_state, true);
	if (st->state == TCP_LISTEN)
		seed_listener(st, sk);
	else
		infer_role(st, sk);
	return 0;
}

/*
 * This task holds a descriptor of the socket: its owner, if no hook has told one meanwhile. Other
 * CPUs take an owner for known once it has a process id, so that comes last.
 */
static __always_inline void holder_fill(struct sf_story *st, struct task_struct *task)
{
	const struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct sf_task holder = { .source = SF_OWNER_SRC_FD_SCAN };
	__u32 tgid = BPF_CORE_READ(task, tgid);

	bpf_core_read_str(holder.comm, sizeof(holder.comm), &leader->comm);
	holder.uid = BPF_CORE_READ(task, cred, uid.val);
	/* kernel/bpf/helpers.c bpf_get_current_cgroup_id() */
	holder.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	if (st->owner.tgid)
		return;
	st->owner = holder;
	barrier();
	st->owner.tgid = tgid;
}

/*
 * Every descriptor of the host, once, when all stories are seeded: it gives an owner to those that
 * have none. Where a hook has seen a call, that holds. What is passed on or inherited meanwhile is
 * found with either, or with none and stays unknown. The walk goes up (kernel/bpf/task_iter.c
 * task_seq_get_next(), 5.10 to 7.3), so of several holders the lowest process id stands for all.
 * The file is held meanwhile, and with it the socket: the story is of no other. What holds a socket
 * without a descriptor, as io_uring may, and what waits for accept() is not found.
 */
SEC("?iter/task_file")
int holder_iter(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sf_story *st;
	struct sock *sk;

	if (!task || !file)
		return 0;
	/* Where private_data of another file points is not for us to read. */
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	sk = sock_of_file(file);
	st = sk ? story_get(sk) : NULL;
	if (st && !st->owner.tgid && (st->flags & (SF_F_BEGIN_UNSEEN | SF_F_BEGIN_LOST)))
		holder_fill(st, task);
	return 0;
}

/* Every story, once, at the end: what a listener dropped in its last second was not told yet. */
SEC("?iter/bpf_map_elem")
int untold_iter(struct bpf_iter__bpf_map_elem *ctx)
{
	struct sf_story *st = ctx->value;
	__u64 *sk = ctx->key;

	if (st && sk && st->role == SF_ROLE_LISTENER && st->state == TCP_LISTEN)
		tell_drops(st, (struct sock *)*sk, bpf_ktime_get_boot_ns(), true);
	return 0;
}

#endif
