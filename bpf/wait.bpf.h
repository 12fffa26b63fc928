/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes on when the socket is gone: a timewait socket, in TIME_WAIT or, of
 * a program that closed before the peer did, in FIN_WAIT2. It has no struct
 * sock; a story moves into one at its begin (inet_twsk_hashdance()), and ends
 * with it. Hook bodies; close_programs.bpf.h wraps them.
 */
#ifndef SF_WAIT_BPF_H
#define SF_WAIT_BPF_H

#include "bpf/stories.bpf.h"

/* include/net/sock.h enum sock_flags, 2.6.12 to 7.3 */
#define SOCK_DEAD_BIT (1UL << 0)
#define SOCK_DONE_BIT (1UL << 1)
#define SOCK_LINGER_BIT (1UL << 4)

#define CUT_NS 1000000000ULL /* from its segment to the end: microseconds, but in a slow guest */

#define RST_TIMEWAIT_SOCKET 9 /* enum sk_rst_reason, numbers as in v6.12 and later */

/* enum tcp_tw_status, include/net/tcp.h, 5.10 to 7.3: these two are followed by an end at once. */
#define TCP_TW_RST 1
#define TCP_TW_SYN 3 /* if there is a listener for it */

/* A segment that may cut the wait. */
enum wait_segment {
	WAIT_SEGMENT_NONE,
	WAIT_SEGMENT_RST,
	WAIT_SEGMENT_SYN,
	WAIT_SEGMENT_OTHER, /* in FIN_WAIT2, data or a FIN out of place: answered by a RST */
};

/* The segment that this CPU handles, or has handled last, for a timewait socket. */
struct wait_cut {
	__u64 tw;	/* 0 = none, or it cut nothing */
	__u64 answered; /* CLOCK_BOOTTIME when its verdict was known, or else when it came */
	__u64 segment;	/* enum wait_segment */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wait_cut);
} wait_cuts SEC(".maps");

static const struct sf_wait empty_wait;

static __always_inline bool wants(enum sf_event_kind kind)
{
	return config.want_kinds & (1U << kind);
}

static __always_inline void send_close(struct sf_story *st, int old, __u64 now_ns)
{
	if (st->flags & SF_F_ENDED)
		return;
	st->flags |= SF_F_ENDED;
	emit(st, end_kind(st), old, now_ns);
}

static __always_inline void on_fin_received(struct sf_story *st, struct tcp_sock *tp, int old,
					    __u64 now_ns, bool typed)
{
	if (st->step_ns[SF_STEP_FIN_RECEIVED])
		return;
	step(st, SF_STEP_FIN_RECEIVED, now_ns);
	st->flags |= SF_F_FIN_COUNTED;
	if (!st->closed_by)
		st->closed_by = SF_SIDE_PEER;
	fill_counters(st, tp, typed);
	emit(st, SF_EV_FIN_RECEIVED, old, now_ns);
}

/* FINs and their ACKs that change no state of their own: seen when the socket leaves state old. */
static __always_inline void settle_fins(struct sf_story *st, struct sock *sk, struct tcp_sock *tp,
					int old, __u64 now_ns, bool typed)
{
	/* The ACK that ends LAST_ACK or CLOSING is the one of our FIN: write_seq counts it. */
	if ((old == TCP_LAST_ACK || old == TCP_CLOSING) &&
	    RD(typed, tp, snd_una) == RD(typed, tp, write_seq))
		step_fin_acked(st, now_ns);
	/* tcp_fin() sets SOCK_DONE: the peer's FIN came in the same segment or on a held socket. */
	if (old == TCP_FIN_WAIT2 && !RD(typed, sk, sk_err) &&
	    (RD(typed, sk, __sk_common.skc_flags) & SOCK_DONE_BIT))
		on_fin_received(st, tp, old, now_ns, typed);
}

static __always_inline void wait_delete(const void *tw)
{
	__u64 key = (__u64)tw;

	bpf_map_delete_elem(&waits, &key);
}

/*
 * Another one is at its address: the kernel skipped the hooks of its end. An orphan's connection is
 * told now, and neither when nor why it ended.
 */
static __noinline void wait_unseen_end(const void *tw, struct sf_story *st)
{
	count(SF_CNT_LOST_STEP);
	if (!(st->flags & SF_F_ENDED)) {
		st->flags |= SF_F_BEGIN_LOST;
		st->state = TCP_CLOSE;
		st->cause = SF_CAUSE_NONE;
		send_close(st, TCP_FIN_WAIT2, bpf_ktime_get_boot_ns());
	}
	wait_delete(tw);
}

static __always_inline struct sf_wait *wait_at(const void *tw)
{
	__u64 key = (__u64)tw;

	return bpf_map_lookup_elem(&waits, &key);
}

/* The story that goes on in tw, or NULL. Its address is taken again, its ports are its own. */
static __always_inline struct sf_wait *wait_get(const struct inet_timewait_sock *tw)
{
	struct sf_wait *wait = wait_at(tw);

	if (!wait || (wait->story.local_port == BPF_CORE_READ(tw, __tw_common.skc_num) &&
		      wait->story.peer_port == bpf_ntohs(BPF_CORE_READ(tw, __tw_common.skc_dport))))
		return wait;
	wait_unseen_end(tw, &wait->story);
	return NULL;
}

/* Copies the story there. False: no room, counted. */
static __noinline bool wait_start(const void *tw, const struct sf_story *st, __u8 state)
{
	__u64 key = (__u64)tw;
	struct sf_wait *wait;

	if (bpf_map_update_elem(&waits, &key, &empty_wait, BPF_ANY)) {
		count(SF_CNT_WAIT_REFUSED);
		return false;
	}
	wait = bpf_map_lookup_elem(&waits, &key);
	if (!wait)
		return false;
	__builtin_memcpy(&wait->story, st, sizeof(*st));
	wait->story.state = state;
	return true;
}

/* tcp_time_wait(): a timewait socket is to take over. There may be none: tcp_max_tw_buckets. */
static __always_inline void on_time_wait(struct sock *sk)
{
	struct sf_story *st = story_get(sk);

	if (st && !st->has_wait)
		st->has_wait = SF_WAIT_ASKED;
}

/*
 * inet_twsk_hashdance(tw, sk): the timewait socket takes over and nobody can
 * find it yet. Softirq or process context; the socket goes to CLOSE next.
 */
static __always_inline void on_wait_begin(struct inet_timewait_sock *tw, struct sock *sk,
					  bool typed)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_get(sk);
	struct sf_wait *before = wait_at(tw);
	struct tcp_sock *tp;
	int state;

	if (before)
		wait_unseen_end(tw, &before->story);
	if (!st || (st->flags & SF_F_MUTED))
		return;
	tp = tcp_of(sk, typed);
	if (!tp)
		return;
	state = RD(typed, sk, __sk_common.skc_state);
	if (st->state != state)
		story_note_lost(st, state);
	st->has_wait = SF_WAIT_BEGUN;
	settle_fins(st, sk, tp, state, now_ns, typed);
	fill_counters(st, tp, typed);
	if (RD(typed, tw, tw_substate) == TCP_TIME_WAIT) {
		step(st, SF_STEP_TIME_WAIT, now_ns);
		step(st, SF_STEP_CLOSED, now_ns);
		if (wants(SF_EV_TIME_WAIT_END) && wait_start(tw, st, TCP_TIME_WAIT)) {
			struct sf_wait *wait = wait_at(tw);

			if (!wait)
				return;
			wait->story.cause = SF_CAUSE_FIN;
			wait->story.flags |= SF_F_ENDED;
		}
		return;
	}
	if (!wait_start(tw, st, TCP_FIN_WAIT2))
		return;
	/* The one that waits has its end to tell, not the socket's. */
	st->flags |= SF_F_ENDED;
}

/*
 * __inet_twsk_schedule(tw): after tcp_timewait_state_process() took the peer's
 * FIN, TIME_WAIT begins and its timer is set anew. The connection is over.
 */
static __always_inline void on_wait_schedule(struct inet_timewait_sock *tw, bool typed)
{
	struct sf_wait *wait = wait_get(tw);
	struct sf_story *st;
	__u64 now_ns;

	if (!wait || wait->story.state != TCP_FIN_WAIT2 ||
	    RD(typed, tw, tw_substate) != TCP_TIME_WAIT)
		return;
	now_ns = bpf_ktime_get_boot_ns();
	st = &wait->story;
	step(st, SF_STEP_FIN_RECEIVED, now_ns);
	step(st, SF_STEP_TIME_WAIT, now_ns);
	step(st, SF_STEP_CLOSED, now_ns);
	st->state = TCP_TIME_WAIT;
	st->cause = SF_CAUSE_FIN;
	emit(st, SF_EV_FIN_RECEIVED, TCP_FIN_WAIT2, now_ns);
	/* As of a socket that had the FIN before it closed. */
	st->state = TCP_CLOSE;
	send_close(st, TCP_FIN_WAIT2, now_ns);
	st->state = TCP_TIME_WAIT;
	if (!wants(SF_EV_TIME_WAIT_END))
		wait_delete(tw);
}

static __always_inline struct wait_cut *cut_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wait_cuts, &zero);
}

/* tcp_timewait_state_process(tw, skb, th): a segment came, in softirq. Untyped. */
static __always_inline void on_wait_segment(struct inet_timewait_sock *tw, struct sk_buff *skb,
					    struct tcphdr *th)
{
	struct wait_cut *cut = cut_here();
	__u8 header[14] = {};

	if (!cut)
		return;
	cut->tw = 0;
	/* RFC 9293 3.1: byte 12 has the header's length in words, byte 13 the flags. */
	if (!wait_get(tw) || bpf_probe_read_kernel(header, sizeof(header), th))
		return;
	if (header[13] & TCPHDR_RST)
		cut->segment = WAIT_SEGMENT_RST;
	else if (header[13] & TCPHDR_SYN)
		cut->segment = WAIT_SEGMENT_SYN;
	else if ((header[13] & TCPHDR_FIN) ||
		 BPF_CORE_READ(skb, len) > (__u32)(header[12] >> 4) * 4)
		cut->segment = WAIT_SEGMENT_OTHER;
	else
		return;
	cut->answered = bpf_ktime_get_boot_ns();
	cut->tw = (__u64)tw;
}

/*
 * It returns its verdict: most segments cut nothing. A RST that cuts has done so within, the others
 * do so next, in tcp_v4_rcv() or tcp_v6_rcv().
 */
static __always_inline void on_wait_answered(int status)
{
	struct wait_cut *cut = cut_here();

	if (!cut)
		return;
	if (status != TCP_TW_RST && status != TCP_TW_SYN)
		cut->tw = 0;
	cut->answered = bpf_ktime_get_boot_ns();
}

/*
 * The segment that ends this wait right now. A SYN for which there is no listener any more cuts
 * nothing either: what ends the wait later has no part in it.
 */
static __always_inline __u8 take_cut(const void *tw, __u64 now_ns)
{
	struct wait_cut *cut = cut_here();

	if (!cut || cut->tw != (__u64)tw)
		return WAIT_SEGMENT_NONE;
	cut->tw = 0;
	if (now_ns - cut->answered > CUT_NS)
		return WAIT_SEGMENT_NONE;
	return cut->segment;
}

/* A RST was sent for a timewait socket; the kernel tells since v6.11 or so. */
static __always_inline void wait_rst_sent(const void *tw, __u8 reason, __u64 now_ns)
{
	struct sf_wait *wait = wait_get(tw);

	if (!wait || wait->story.state != TCP_FIN_WAIT2)
		return;
	step(&wait->story, SF_STEP_RST_SENT, now_ns);
	wait->story.rst_reason = reason;
}

/* The wait of an orphan in FIN_WAIT2 ends, and the peer's FIN never came. */
static __noinline void orphan_end(struct sf_story *st, __u8 segment, __u64 now_ns)
{
	st->flags |= SF_F_ORPHAN;
	step(st, SF_STEP_CLOSED, now_ns);
	st->state = TCP_CLOSE;
	switch (st->wait_end) {
	case SF_WAIT_END_EXPIRED:
		st->cause = SF_CAUSE_TIMEOUT;
		break;
	case SF_WAIT_END_RESET:
		st->cause = SF_CAUSE_RESET;
		st->rst_state = TCP_FIN_WAIT2;
		if (segment == WAIT_SEGMENT_RST) {
			step(st, SF_STEP_RST_RECEIVED, now_ns);
			st->rst_sender = SF_SIDE_PEER;
		} else {
			step_derived(st, SF_STEP_RST_SENT, now_ns);
			st->rst_sender = SF_SIDE_LOCAL;
			st->flags |= SF_F_RST_BY_KNOWN;
			if (!st->rst_reason) {
				st->rst_reason = RST_TIMEWAIT_SOCKET;
				st->flags |= SF_F_RST_INFERRED;
			}
		}
		emit(st, SF_EV_RESET, TCP_FIN_WAIT2, now_ns);
		break;
	case SF_WAIT_END_KILLED:
		st->cause = SF_CAUSE_KILLED;
		break;
	}
	send_close(st, TCP_FIN_WAIT2, now_ns);
}

/* The wait is over, of whatever kind it was; story.wait_end is set. */
static __always_inline void wait_finish(const void *tw, struct sf_wait *wait, __u8 segment,
					__u64 now_ns)
{
	struct sf_story *st = &wait->story;

	if (st->state == TCP_FIN_WAIT2) {
		orphan_end(st, segment, now_ns);
	} else {
		step(st, SF_STEP_TIME_WAIT_END, now_ns);
		st->state = TCP_CLOSE;
		emit(st, SF_EV_TIME_WAIT_END, TCP_TIME_WAIT, now_ns);
	}
	wait_delete(tw);
}

/* tw_timer_handler(timer): its time is over. */
static __always_inline void on_wait_expired(struct timer_list *timer)
{
	const void *tw =
		(const void *)timer - bpf_core_field_offset(struct inet_timewait_sock, tw_timer);
	struct sf_wait *wait = wait_get(tw);

	if (!wait)
		return;
	wait->story.wait_end = SF_WAIT_END_EXPIRED;
	wait_finish(tw, wait, WAIT_SEGMENT_NONE, bpf_ktime_get_boot_ns());
}

/*
 * Why a wait was cut. A segment did it, or the running task: connect() from
 * the same port (__inet_check_established()); the end of the namespace, in a
 * kernel thread, or sock_diag destroy.
 */
static __always_inline __u8 cut_of(const struct sf_wait *wait, __u8 segment)
{
	if (segment == WAIT_SEGMENT_RST)
		return SF_WAIT_END_RESET;
	if (wait->story.state == TCP_FIN_WAIT2 && segment != WAIT_SEGMENT_NONE)
		return SF_WAIT_END_RESET;
	if (segment == WAIT_SEGMENT_SYN)
		return SF_WAIT_END_REUSED;
	if (task_is_kernel())
		return SF_WAIT_END_KILLED;
	return running_wait_end();
}

/* inet_twsk_kill(tw): every end comes here; that of expired ones was told before. */
static __always_inline void on_wait_kill(struct inet_timewait_sock *tw)
{
	struct sf_wait *wait = wait_get(tw);
	__u64 now_ns;
	__u8 segment;

	if (!wait)
		return;
	now_ns = bpf_ktime_get_boot_ns();
	segment = take_cut(tw, now_ns);
	wait->story.wait_end = cut_of(wait, segment);
	wait_finish(tw, wait, segment, now_ns);
}

/* ---- tracepoints only: the timer is all that is seen of a timewait socket ---- */

/* The last timewait socket that this CPU began, until its socket closes, which comes next. */
struct begun_wait {
	__u64 tw;	/* 0 = none */
	__u64 function; /* of its timer */
	__u64 net;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct begun_wait);
} begun_waits SEC(".maps");

/*
 * tw_timer_handler(), learned from the first timewait socket that was begun
 * for a connection that closes. Until then a timer may be any, and what it is
 * in is only taken for a timewait socket if its state is right; the addresses
 * decide. Not by kallsyms, all of which libbpf reads: 60 ms, or 2 s under QEMU.
 */
__u64 wait_timer_function = 0;

/* timer_start: of a timewait socket's timer if it begins, or begins anew. */
static __always_inline void on_wait_timer_start(struct timer_list *timer, __u64 function)
{
	struct inet_timewait_sock *tw =
		(void *)timer - bpf_core_field_offset(struct inet_timewait_sock, tw_timer);
	struct begun_wait *begun;
	__u32 zero = 0;

	if (wait_timer_function ? function != wait_timer_function :
				  BPF_CORE_READ(tw, __tw_common.skc_state) != TCP_TIME_WAIT)
		return;
	begun = bpf_map_lookup_elem(&begun_waits, &zero);
	if (!begun)
		return;
	begun->function = function;
	begun->net = (__u64)BPF_CORE_READ(tw, __tw_common.skc_net.net);
	begun->daddr = BPF_CORE_READ(tw, __tw_common.skc_daddr);
	begun->sport = BPF_CORE_READ(tw, tw_sport);
	begun->dport = BPF_CORE_READ(tw, __tw_common.skc_dport);
	begun->tw = (__u64)tw;
}

/*
 * ->CLOSE: if the timewait socket that was begun on this CPU last has this
 * socket's ports and addresses, it takes over. tcp_time_wait() has no other
 * step between the two; if the task was moved to another CPU there, the end of
 * TIME_WAIT is not told. Without a hook on the peer's FIN the end of an orphan
 * is told at once, as its begin.
 */
static __always_inline void wait_begin_by_timer(struct sf_story *st, struct sock *sk,
						struct tcp_sock *tp, __u64 now_ns)
{
	struct inet_timewait_sock *tw;
	struct begun_wait *begun;
	struct sf_wait *wait;
	__u32 zero = 0;
	__u8 substate;

	begun = bpf_map_lookup_elem(&begun_waits, &zero);
	if (!begun || !begun->tw || st->err ||
	    begun->net != (__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net) ||
	    begun->daddr != sk->__sk_common.skc_daddr ||
	    begun->sport != tp->inet_conn.icsk_inet.inet_sport ||
	    begun->dport != sk->__sk_common.skc_dport)
		return;
	tw = (struct inet_timewait_sock *)begun->tw;
	begun->tw = 0;
	wait_timer_function = begun->function;
	st->has_wait = SF_WAIT_BEGUN;
	substate = BPF_CORE_READ(tw, tw_substate);
	if (substate == TCP_TIME_WAIT)
		step(st, SF_STEP_TIME_WAIT, now_ns);
	if (!wait_start(tw, st, substate))
		return;
	wait = wait_at(tw);
	if (!wait)
		return;
	fill_counters(&wait->story, tp, true);
	wait->story.cause = SF_CAUSE_FIN;
	wait->story.flags |= SF_F_ENDED;
}

/*
 * timer_expire_entry. The peer's FIN came, at a time that is not known, if the
 * substate is TIME_WAIT now; else TIME_WAIT never was.
 */
static __always_inline void on_wait_timer_expire(struct timer_list *timer, __u64 function)
{
	struct inet_timewait_sock *tw =
		(void *)timer - bpf_core_field_offset(struct inet_timewait_sock, tw_timer);
	struct sf_wait *wait;

	if (function != wait_timer_function)
		return;
	wait = wait_get(tw);
	if (!wait)
		return;
	if (BPF_CORE_READ(tw, tw_substate) != TCP_TIME_WAIT) {
		wait_delete(tw);
		return;
	}
	wait->story.state = TCP_TIME_WAIT;
	wait->story.wait_end = SF_WAIT_END_EXPIRED;
	wait_finish(tw, wait, WAIT_SEGMENT_NONE, bpf_ktime_get_boot_ns());
}

#endif
