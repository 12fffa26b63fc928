/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeping stories: find, begin, end one, and fill it from a socket or from
 * the running task. The phases (open, close) decide what happened when.
 */
#ifndef SF_STORIES_BPF_H
#define SF_STORIES_BPF_H

#include "bpf/compat.bpf.h"
#include "bpf/emit.bpf.h"
#include "bpf/task.bpf.h"

#define SOCK_BINDPORT_LOCK 8 /* include/net/sock.h, since 2.3 */
#define RCV_SHUTDOWN 1	     /* the same */
#define SEND_SHUTDOWN 2

/* include/uapi/asm-generic/errno*.h, and include/linux/errno.h for the last */
#define EPERM 1
#define EINTR 4
#define ENOMEM 12
#define EACCES 13
#define EINVAL 22
#define EPIPE 32
#define EADDRNOTAVAIL 99
#define ENETDOWN 100
#define ENETUNREACH 101
#define ECONNABORTED 103
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EINPROGRESS 115
#define EHOSTUNREACH 113
#define ENOBUFS 105
#define ERESTARTSYS 512

static const struct sf_story empty_story;

static __always_inline struct sf_story *story_get(const void *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&stories, &key);
}

/* Never established is failed, unless it may have been before we looked. */
static __always_inline __u8 end_kind(const struct sf_story *st)
{
	/* With Fast Open a server may accept, answer and close before the handshake ends. */
	if (st->step_ns[SF_STEP_ESTABLISHED] || st->step_ns[SF_STEP_ACCEPTED] ||
	    (st->flags & (SF_F_BEGIN_UNSEEN | SF_F_BEGIN_LOST)))
		return SF_EV_CLOSE;
	return SF_EV_FAILED;
}

/*
 * An earlier life of this socket whose end was not seen: a disconnected
 * socket that dials again, or one whose destruction was missed. It is over.
 */
static __always_inline void story_emit_unended(struct sf_story *st, __u64 now_ns)
{
	if ((st->flags & SF_F_ENDED) || st->role == SF_ROLE_LISTENER)
		return;
	if (!st->step_ns[SF_STEP_CLOSED]) {
		count(SF_CNT_LOST_STEP);
		st->flags |= SF_F_BEGIN_LOST | SF_F_END_UNSEEN;
	}
	emit(st, end_kind(st), 0, now_ns);
}

/* No two stories begin on one CPU within 64 ns: 46 bits of time, 18 left for others. */
static __always_inline __u64 story_id(__u64 now_ns)
{
	return ((now_ns >> 6) << 12) | (bpf_get_smp_processor_id() & 0xfff);
}

/*
 * Begins a story for a socket that is being born, over whatever an earlier
 * life of the same address left. Returns NULL when the map is full: the caller
 * counts it.
 */
static __always_inline struct sf_story *story_start(const void *sk, __u64 now_ns)
{
	__u64 key = (__u64)sk;
	struct sf_story *st = bpf_map_lookup_elem(&stories, &key);

	if (st) {
		story_emit_unended(st, now_ns);
		__builtin_memset(st, 0, sizeof(*st));
	} else {
		if (bpf_map_update_elem(&stories, &key, &empty_story, BPF_ANY)) {
			story_was_refused = true;
			return NULL;
		}
		st = bpf_map_lookup_elem(&stories, &key);
		if (!st)
			return NULL;
	}
	st->id = story_id(now_ns);
	return st;
}

static __always_inline void story_end(const void *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&stories, &key);
}

static __always_inline void step(struct sf_story *st, enum sf_step which, __u64 at_ns)
{
	if (!st->step_ns[which])
		st->step_ns[which] = at_ns;
}

/* A time that was computed from another; a time taken at its place wins over it. */
static __always_inline void step_derived(struct sf_story *st, enum sf_step which, __u64 at_ns)
{
	if (st->step_ns[which])
		return;
	st->step_ns[which] = at_ns;
	st->steps_derived |= 1ULL << which;
}

static __always_inline void step_exact(struct sf_story *st, enum sf_step which, __u64 at_ns)
{
	st->step_ns[which] = at_ns;
	st->steps_derived &= ~(1ULL << which);
}

/*
 * The running task. Call it only where the running task made the call (never
 * in softirq). The name is the thread group leader's: an SQPOLL thread calls
 * itself iou-sqp-PID.
 */
static __always_inline void task_fill(struct sf_task *task, __u8 source)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(current, group_leader);

	/*
	 * Up to its end only: before 5.17 old bytes stand behind the NUL, and names are compared
	 * whole.
	 */
	__builtin_memset(task->comm, 0, sizeof(task->comm));
	if (bpf_core_read_str(task->comm, sizeof(task->comm), &leader->comm) < 0)
		task->comm[0] = '\0';
	task->tgid = pid_tgid >> 32;
	task->tid = (__u32)pid_tgid;
	task->uid = (__u32)bpf_get_current_uid_gid();
	task->cgroup_id = bpf_get_current_cgroup_id();
	task->source = source;
}

/* A kernel thread acts on behalf of others (MPTCP's worker closes subflows). */
static __always_inline bool task_is_kernel(void)
{
	return RD_TASK(flags) & PF_KTHREAD;
}

/*
 * Does the running task close what is another's? So does who looks at it, as synfin and bpftool: a
 * file whose last descriptor goes while an iterator over descriptors is at it ends in that read()
 * (fs/file_table.c fput()).
 */
static __noinline bool task_is_stranger(void)
{
	return task_is_kernel() || running_syscall(NULL) == NR_READ;
}

static __always_inline void v4_mapped(__u8 to[16], __be32 addr)
{
	__u32 *words = (__u32 *)to;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = addr;
}

static __always_inline bool is_any(const __u8 addr[16])
{
	const __u64 *words = (const __u64 *)addr;

	return !words[0] && (!words[1] || words[1] == bpf_cpu_to_be64(0xffff00000000ULL));
}

/*
 * Who chose the local port. The lock is set by bind() to a port that is not 0 only (inet_bind()).
 */
static __always_inline void port_fill(struct sf_story *st, __u64 userlocks)
{
	st->flags |= SF_F_PORT_KNOWN;
	if (!(userlocks & SOCK_BINDPORT_LOCK))
		st->flags |= SF_F_PORT_EPHEMERAL;
}

#define COPY_V6(typed, to, sk, field)                               \
	do {                                                        \
		__u32 *words = (__u32 *)(to);                       \
                                                                    \
		words[0] = RD(typed, sk, field.in6_u.u6_addr32[0]); \
		words[1] = RD(typed, sk, field.in6_u.u6_addr32[1]); \
		words[2] = RD(typed, sk, field.in6_u.u6_addr32[2]); \
		words[3] = RD(typed, sk, field.in6_u.u6_addr32[3]); \
	} while (0)

/*
 * What the socket says of its two ends. sport: of inet_sock, as skc_num is
 * already 0 on the way to CLOSE (inet_put_port() runs first).
 */
static __always_inline void fill_tuple(struct sf_story *st, struct sock *sk, __be16 sport,
				       bool typed)
{
	st->family = RD(typed, sk, __sk_common.skc_family);
	if (st->family == AF_INET6 && bpf_core_field_exists(struct sock_common, skc_v6_daddr)) {
		COPY_V6(typed, st->peer_addr, sk, __sk_common.skc_v6_daddr);
		COPY_V6(typed, st->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
		if (addr_is_v4(st->peer_addr))
			st->flags |= SF_F_V4MAPPED;
	} else {
		v4_mapped(st->peer_addr, RD(typed, sk, __sk_common.skc_daddr));
		v4_mapped(st->local_addr, RD(typed, sk, __sk_common.skc_rcv_saddr));
	}
	st->local_port = bpf_ntohs(sport);
	st->peer_port = bpf_ntohs(RD(typed, sk, __sk_common.skc_dport));
	st->bound_if = RD(typed, sk, __sk_common.skc_bound_dev_if);
	if (!st->netns)
		st->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	st->flags |= SF_F_TUPLE_KNOWN;
}

/*
 * Initial sequence numbers, from counters that start at them.
 * bytes_acked counts from snd_una's first value: the ISN itself for a client,
 * ISN + 1 for a server's child (net/ipv4/tcp_output.c tcp_connect_init(),
 * tcp_minisocks.c tcp_create_openreq_child()). rcv_nxt starts at the peer's
 * ISN + 1 with bytes_received 0. Same code 5.10 to 7.3.
 */
static __always_inline void fill_isn(struct sf_story *st, struct tcp_sock *tp, bool typed)
{
	__u32 syn = st->role == SF_ROLE_SERVER ? 1 : 0;

	if (st->flags & SF_F_ISN_KNOWN)
		return;
	st->isn_local = RD(typed, tp, snd_una) - (__u32)RD(typed, tp, bytes_acked) - syn;
	st->isn_peer = RD(typed, tp, rcv_nxt) - (__u32)RD(typed, tp, bytes_received) - 1;
	st->flags |= SF_F_ISN_KNOWN;
}

/*
 * What is retransmitted is in total_retrans before it is handed on, and is refused by this host's
 * filters and queues at times (net/ipv4/tcp_output.c __tcp_retransmit_skb(), 5.10 to 7.3). What the
 * socket has at its first sight, from its request too, counts as sent.
 */
static __always_inline void fill_retransmits(struct sf_story *st, __u32 total)
{
	__u32 handshake = st->syn_retransmits + st->synack_retransmits;

	/* Where a step was not seen, what came with the handshake may not be known. */
	if (config.has_retransmits && !(st->flags & SF_F_BEGIN_LOST)) {
		__u32 sent = handshake + st->retransmits;

		st->retransmits_unsent = total > sent ? total - sent : 0;
	} else {
		st->retransmits = total > handshake ? total - handshake : 0;
		st->retransmits_unsent = 0;
	}
}

/* Our SYN is answered, or never will be. */
static __always_inline void fill_syn_retransmits(struct sf_story *st, const struct tcp_sock *tp)
{
	if (!config.has_retransmits)
		st->syn_retransmits = tp->total_retrans;
	fill_retransmits(st, tp->total_retrans);
}

/*
 * What the socket has counted. bytes_acked and bytes_received count our SYN and both FINs too:
 * taken off.
 */
static __always_inline void fill_counters(struct sf_story *st, struct tcp_sock *tp, bool typed)
{
	__u64 acked = RD(typed, tp, bytes_acked), received = RD(typed, tp, bytes_received);
	__u32 rcv_nxt = RD(typed, tp, rcv_nxt), copied = RD(typed, tp, copied_seq);

	if (st->role != SF_ROLE_SERVER && acked) {
		/* Nobody saw it begin: our SYN is in it, or it was no caller's. */
		if (st->role == SF_ROLE_UNKNOWN && !st->step_ns[SF_STEP_ESTABLISHED])
			st->flags |= SF_F_BYTES_UNSURE;
		else
			acked--;
	}
	if ((st->flags & SF_F_ACK_COUNTED) && acked)
		acked--;
	if (st->flags & SF_F_FIN_COUNTED) {
		if (received)
			received--;
		rcv_nxt--;
	}
	/* The data in the SYN was taken: known only after the state has changed. */
	if (RD_BITS(typed, tp, syn_data_acked))
		st->flags |= SF_F_FASTOPEN;
	st->bytes_sent = acked;
	st->bytes_received = received;
	st->unread_bytes = (__s32)(rcv_nxt - copied) > 0 ? rcv_nxt - copied : 0;
	st->segments_sent = RD(typed, tp, segs_out);
	st->segments_received = RD(typed, tp, segs_in);
	fill_retransmits(st, RD(typed, tp, total_retrans));
	st->srtt_us = RD(typed, tp, srtt_us) >> 3;
	st->rtt_min_us = RD(typed, tp, rtt_min.s[0].v);
}

static __always_inline __u8 cause_of_errno(__u16 err)
{
	switch (err) {
	case ECONNREFUSED:
		return SF_CAUSE_REFUSED;
	case ETIMEDOUT:
		return SF_CAUSE_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
		return SF_CAUSE_UNREACHABLE;
	case EPERM:
	case EACCES:
		return SF_CAUSE_DENIED;
	case ECONNABORTED: /* tcp_abort(): ss -K, sock_diag destroy */
		return SF_CAUSE_KILLED;
	case ECONNRESET:
	case EPIPE: /* tcp_reset() in CLOSE_WAIT; or the peer's RST after our orphaned FIN */
		return SF_CAUSE_RESET;
	default:
		return SF_CAUSE_ERROR;
	}
}

/*
 * An ICMP error that comes while a call has the socket ends nothing (net/ipv4/tcp_ipv4.c
 * tcp_v4_err(), 5.10 to 7.3). On this host, or one link away, it does so within connect(); a
 * program that does not block is told by SO_ERROR, which forgets it, and gives up.
 */
static __always_inline void note_soft_error(struct sf_story *st, int err)
{
	if (err <= 0)
		return;
	st->err = err;
	st->flags |= SF_F_ERR_SOFT;
}

/* The connection went on after all, or ends otherwise. */
static __always_inline void forget_soft_error(struct sf_story *st)
{
	if (!(st->flags & SF_F_ERR_SOFT))
		return;
	st->flags &= ~SF_F_ERR_SOFT;
	st->err = 0;
}

/* Who closed first, as far as a state in mid-life tells. */
static __always_inline __u8 closer_by_state(int state)
{
	switch (state) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		return SF_SIDE_LOCAL;
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
		return SF_SIDE_PEER;
	case TCP_CLOSING:
		return SF_SIDE_BOTH;
	default:
		return SF_SIDE_NONE;
	}
}

/* Which FINs are in the byte counters of a socket in this state. */
static __always_inline void note_counted(struct sf_story *st, int state)
{
	__u8 closer = closer_by_state(state);

	if (closer == SF_SIDE_PEER || closer == SF_SIDE_BOTH)
		st->flags |= SF_F_FIN_COUNTED;
	if (state == TCP_FIN_WAIT2)
		st->flags |= SF_F_ACK_COUNTED;
}

/* The ACK of our FIN has arrived. */
static __always_inline void step_fin_acked(struct sf_story *st, __u64 now_ns)
{
	step(st, SF_STEP_FIN_ACKED, now_ns);
	st->flags |= SF_F_ACK_COUNTED;
}

/* A story of a socket in mid-life, from what the socket itself tells. */
static __always_inline void story_fill_midlife(struct sf_story *st, struct sock *sk,
					       struct tcp_sock *tp, int state, bool typed)
{
	st->state = state;
	st->closed_by = closer_by_state(state);
	note_counted(st, state);
	if (state == TCP_SYN_SENT) {
		st->role = SF_ROLE_CLIENT;
		st->role_source = SF_ROLE_SRC_HANDSHAKE;
	}
	if (state == TCP_SYN_SENT)
		st->syn_retransmits = RD(typed, tp, total_retrans);
	else
		st->retransmits = RD(typed, tp, total_retrans);
	st->cookie = cookie_of(sk, typed);
	fill_tuple(st, sk, RD(typed, tp, inet_conn.icsk_inet.inet_sport), typed);
}

/*
 * A socket that has no story although it lives. What existed at attach was
 * seeded, so its birth was lost: refused by the full map, which has counted
 * it, or not seen by any hook. Unless seeding is not over, or not allowed.
 */
static __always_inline struct sf_story *story_adopt(struct sock *sk, struct tcp_sock *tp, int state,
						    __u64 now_ns, bool typed)
{
	struct sf_story *st = story_start(sk, now_ns);

	if (!st)
		return NULL;
	if (is_seeded && !story_was_refused)
		count(SF_CNT_LOST_STEP);
	st->flags |= SF_F_BEGIN_LOST;
	story_fill_midlife(st, sk, tp, state, typed);
	return st;
}

/*
 * No hook saw the step to the state in which the socket now is. If it is still
 * the same socket, only that step is lost: what was known of it holds.
 */
static __always_inline void story_note_lost(struct sf_story *st, int state)
{
	count(SF_CNT_LOST_STEP);
	st->flags |= SF_F_BEGIN_LOST;
	st->state = state;
	if (!st->closed_by)
		st->closed_by = closer_by_state(state);
	note_counted(st, state);
}

/* As above, where the socket is to leave that state. False: it is another socket. */
static __always_inline bool story_resync(struct sf_story *st, struct sock *sk, struct tcp_sock *tp,
					 int state)
{
	if (!st->cookie || st->cookie != cookie_of(sk, true) || (st->flags & SF_F_ENDED))
		return false;
	story_note_lost(st, state);
	if (!(st->flags & SF_F_TUPLE_KNOWN) || st->role == SF_ROLE_CLIENT)
		fill_tuple(st, sk, tp->inet_conn.icsk_inet.inet_sport, true);
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV && st->role != SF_ROLE_UNKNOWN)
		fill_isn(st, tp, true);
	return true;
}

#endif
