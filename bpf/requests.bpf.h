/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The server's handshake before there is a socket: requests, which have no
 * story of their own, and what a listener drops. Hook bodies; synfin.bpf.c
 * wraps them. A flood of SYNs is counted on the listener's story and told once
 * a second; only some of its handshakes are told one by one.
 */
#ifndef SF_REQUESTS_BPF_H
#define SF_REQUESTS_BPF_H

#include "bpf/stories.bpf.h"

#define NS_PER_S 1000000000ULL
#define MAX_TOLD_PER_S 50 /* failed handshakes told one by one, per CPU */

/* An empty story that is in no map; NULL only if the map is missing. */
static __always_inline struct sf_story *scratch_story(__u32 use, __u64 now_ns)
{
	struct sf_story *st = bpf_map_lookup_elem(&scratch, &use);

	if (!st)
		return NULL;
	__builtin_memset(st, 0, sizeof(*st));
	st->id = story_id(now_ns);
	return st;
}

/*
 * Tells what a listener has dropped since it was last told, if a second has
 * passed since, or if it is now or never.
 */
static __always_inline void tell_drops(struct sf_story *st, struct sock *listener, __u64 now_ns,
				       bool is_last)
{
	__u32 counted = BPF_CORE_READ(listener, sk_drops.counter) - st->drops_base;
	__u32 drops, backlog;

	if (st->syns_dropped > counted)
		st->syns_dropped = counted;
	drops = st->syns_dropped + st->acks_dropped + st->half_open_expired;
	if (drops == st->drops_told || (!is_last && now_ns - st->told_ns < NS_PER_S))
		return;
	st->drops_told = drops;
	st->told_ns = now_ns;
	st->accept_queue = BPF_CORE_READ(listener, sk_ack_backlog);
	backlog = BPF_CORE_READ(listener, sk_max_ack_backlog);
	if (st->backlog != backlog) /* listen() was called once more */
		st->flags &= ~SF_F_BACKLOG_ASKED;
	st->backlog = backlog;
	st->flags |= SF_F_QUEUE_KNOWN;
	emit(st, SF_EV_LISTEN_OVERFLOW, 0, now_ns);
}

static __always_inline struct syn_answer *answer_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&answers, &zero);
}

/* tcp_conn_request() is entered, in softirq or with it off: a listener looks at a SYN. */
static __always_inline void on_syn_asked(struct sock *listener)
{
	struct syn_answer *answer = answer_here();

	if (!answer)
		return;
	answer->listener = (__u64)listener;
	answer->drops = BPF_CORE_READ(listener, sk_drops.counter);
}

/*
 * It returns: 0 in any case. That it dropped the SYN only the socket's count
 * of drops tells (include/net/tcp.h tcp_listendrop()). Another CPU may drop one
 * of the same listener meanwhile: what is told is never more than the count
 * allows.
 */
static __always_inline void on_syn_answered(void)
{
	struct syn_answer *answer = answer_here();
	struct sock *listener;
	struct sf_story *st;

	if (!answer)
		return;
	listener = (struct sock *)answer->listener;
	if (!listener || BPF_CORE_READ(listener, sk_drops.counter) == answer->drops)
		return;
	st = story_get(listener);
	if (!st || st->role != SF_ROLE_LISTENER)
		return;
	__sync_fetch_and_add(&st->syns_dropped, 1);
	tell_drops(st, listener, bpf_ktime_get_boot_ns(), false);
}

/*
 * tcp_v4_syn_recv_sock(), tcp_v6_syn_recv_sock(): the ACK that completes a
 * handshake. With a full queue it drops it first of all: the client believes
 * that it is connected.
 */
static __always_inline void on_last_ack(struct sock *listener)
{
	struct sf_story *st;

	/* include/net/sock.h sk_acceptq_is_full(): a backlog of N admits N + 1 */
	if (BPF_CORE_READ(listener, sk_ack_backlog) <= BPF_CORE_READ(listener, sk_max_ack_backlog))
		return;
	st = story_get(listener);
	if (!st || st->role != SF_ROLE_LISTENER)
		return;
	__sync_fetch_and_add(&st->acks_dropped, 1);
	tell_drops(st, listener, bpf_ktime_get_boot_ns(), false);
}

/*
 * inet_csk_reqsk_queue_hash_add(): a SYN has arrived and begins a handshake.
 * Not for a SYN cookie, of which nothing is kept, nor for Fast Open.
 */
static __always_inline void on_syn(struct request_sock *req)
{
	__u64 key = (__u64)req, now_ns = bpf_ktime_get_boot_ns();

	if (bpf_map_update_elem(&requests, &key, &now_ns, BPF_ANY))
		count(SF_CNT_LOST_REQUEST);
}

/* When the SYN of this request arrived, which is over now. 0 = not seen, or taken before. */
static __always_inline __u64 take_syn_ns(const struct request_sock *req)
{
	__u64 key = (__u64)req, *found, syn_ns;

	found = bpf_map_lookup_elem(&requests, &key);
	if (!found)
		return 0;
	syn_ns = *found;
	bpf_map_delete_elem(&requests, &key);
	return syn_ns;
}

static __always_inline struct request_budget *budget_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&request_budgets, &zero);
}

/* May one more be told in this second? */
static __always_inline bool spend(struct request_budget *budget, __u64 now_ns)
{
	__u64 second = now_ns >> 30; /* near enough */

	if (budget->second != second) {
		budget->second = second;
		budget->nr_told = 0;
	}
	return budget->nr_told++ < MAX_TOLD_PER_S;
}

/* Times of the request's first SYN+ACK: CLOCK_MONOTONIC microseconds, here as CLOCK_BOOTTIME. */
static __always_inline void step_synack(struct sf_story *st, const struct tcp_request_sock *req)
{
	__u64 synack_us = BPF_CORE_READ(req, snt_synack), now_us = bpf_ktime_get_ns() / 1000;

	if (synack_us && now_us >= synack_us)
		step(st, SF_STEP_SYNACK_SENT,
		     bpf_ktime_get_boot_ns() - (now_us - synack_us) * 1000);
}

#define TCP_FLAGS_BYTE 13	/* RFC 9293 3.1 */
#define SEGMENT_NS 100000000ULL /* it is looked at for microseconds, but in a slow guest */

/*
 * tcp_check_req(listener, skb, req): a segment came for a handshake in progress, in softirq or
 * with it off. Untyped.
 */
static __always_inline void on_request_segment(const struct sk_buff *skb,
					       const struct request_sock *req)
{
	struct request_segment *segment;
	const unsigned char *header;
	__u8 flags = 0;
	__u32 zero = 0;

	segment = bpf_map_lookup_elem(&request_segments, &zero);
	if (!segment)
		return;
	header = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header);
	segment->req = 0;
	if (bpf_probe_read_kernel(&flags, sizeof(flags), header + TCP_FLAGS_BYTE))
		return;
	segment->is_rst = flags & TCPHDR_RST;
	segment->at_ns = bpf_ktime_get_boot_ns();
	segment->req = (__u64)req;
}

/* The segment under which this handshake ends, as far as the hook above tells, or NULL. */
static __always_inline struct request_segment *segment_of(const struct request_sock *req)
{
	struct request_segment *segment;
	__u32 zero = 0;

	segment = bpf_map_lookup_elem(&request_segments, &zero);
	if (!segment || segment->req != (__u64)req ||
	    bpf_ktime_get_boot_ns() - segment->at_ns > SEGMENT_NS)
		return NULL;
	return segment;
}

/*
 * Who sent the RST that ends this handshake: the peer, if that was the segment. Any other that ends
 * it is answered by one of ours: a SYN in the window, or an ACK for which the accept queue has no
 * room, with tcp_abort_on_overflow (net/ipv4/tcp_minisocks.c tcp_check_req(), embryonic_reset;
 * 5.10 to 6.18).
 */
static __always_inline __u8 take_rst_sender(const struct request_sock *req)
{
	struct request_segment *segment = segment_of(req);

	if (!segment)
		return SF_SIDE_NONE;
	segment->req = 0;
	return segment->is_rst ? SF_SIDE_PEER : SF_SIDE_LOCAL;
}

static __always_inline void fill_request_rst(struct sf_story *st, __u8 sender, __u64 now_ns)
{
	st->rst_sender = sender;
	st->rst_state = TCP_SYN_RECV;
	if (sender == SF_SIDE_PEER)
		step(st, SF_STEP_RST_RECEIVED, now_ns);
	if (sender != SF_SIDE_LOCAL)
		return;
	step(st, SF_STEP_RST_SENT, now_ns);
	st->flags |= SF_F_RST_BY_KNOWN;
}

/* A handshake that will not be completed any more. */
static __always_inline void half_open_failed(struct request_sock *req, __u64 syn_ns, __u8 cause,
					     __u32 use)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sock *listener = BPF_CORE_READ(req, __req_common.skc_listener);
	struct request_budget *budget = budget_here();
	struct sf_story *st, *parent = story_get(listener);

	if (parent && parent->role == SF_ROLE_LISTENER) {
		__sync_fetch_and_add(&parent->half_open_expired, 1);
		tell_drops(parent, listener, now_ns, false);
	}
	if (!budget || !spend(budget, now_ns))
		return;
	st = scratch_story(use, now_ns);
	if (!st)
		return;
	st->role = SF_ROLE_SERVER;
	st->role_source = SF_ROLE_SRC_HANDSHAKE;
	st->state = TCP_CLOSE;
	st->cause = cause;
	st->err = cause == SF_CAUSE_TIMEOUT ? ETIMEDOUT : 0;
	if (cause == SF_CAUSE_RESET)
		fill_request_rst(st, take_rst_sender(req), now_ns);
	st->cookie = BPF_CORE_READ(req, __req_common.skc_cookie.counter);
	/* A request begins with the same struct sock_common as a socket. */
	fill_tuple(st, (struct sock *)req, bpf_htons(BPF_CORE_READ(req, __req_common.skc_num)),
		   false);
	port_fill(st, BPF_CORE_READ_BITFIELD_PROBED(listener, sk_userlocks));
	st->synack_retransmits = BPF_CORE_READ_BITFIELD_PROBED(req, num_retrans);
	st->isn_peer = BPF_CORE_READ((struct tcp_request_sock *)req, rcv_isn);
	st->isn_local = BPF_CORE_READ((struct tcp_request_sock *)req, snt_isn);
	st->flags |= SF_F_ISN_KNOWN;
	if (parent)
		st->listener_id = parent->id;
	step(st, SF_STEP_SYN_RECEIVED, syn_ns);
	step_synack(st, (struct tcp_request_sock *)req);
	step(st, SF_STEP_CLOSED, now_ns);
	emit(st, SF_EV_FAILED, TCP_SYN_RECV, now_ns);
}

/*
 * MPTCP has taken this request's child, or refused it: one more path of a connection that it has
 * already, which nobody accepts (net/mptcp/subflow.c subflow_syn_recv_sock(), then
 * net/ipv4/tcp_minisocks.c tcp_check_req(); 5.10 to 6.18). That happens under its ACK: else
 * drop_req, which is set then only, may be what the request before left there (reqsk_alloc()).
 */
static __always_inline bool is_join(const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const struct tcp_request_sock *)req;
	const struct request_segment *segment = segment_of(req);

	return bpf_core_field_exists(treq->drop_req) && segment && !segment->is_rst &&
	       BPF_CORE_READ(treq, is_mptcp) && BPF_CORE_READ(treq, drop_req);
}

/*
 * inet_csk_reqsk_queue_drop(): a RST came or goes instead of the ACK, or the listener
 * has gone. The timer that ends a handshake does not come through here.
 */
static __always_inline void on_request_drop(struct request_sock *req)
{
	struct sock *listener = BPF_CORE_READ(req, __req_common.skc_listener);
	__u64 syn_ns = take_syn_ns(req);

	if (syn_ns && !is_join(req))
		half_open_failed(req, syn_ns,
				 BPF_CORE_READ(listener, __sk_common.skc_state) == TCP_LISTEN ?
					 SF_CAUSE_RESET :
					 SF_CAUSE_ABORT,
				 SCRATCH_REQUEST_DROPPED);
}

/*
 * tcp_v4_reqsk_destructor(), tcp_v6_reqsk_destructor(): every request's end. It
 * has a socket if the handshake was completed.
 */
static __always_inline void on_request_end(struct request_sock *req)
{
	struct sock *listener = BPF_CORE_READ(req, __req_common.skc_listener);
	__u64 syn_ns = take_syn_ns(req);

	/* The timer also ends it when its listener has closed (reqsk_timer_handler()). */
	if (syn_ns && !BPF_CORE_READ(req, sk) && !is_join(req))
		half_open_failed(req, syn_ns,
				 BPF_CORE_READ(listener, __sk_common.skc_state) == TCP_LISTEN ?
					 SF_CAUSE_TIMEOUT :
					 SF_CAUSE_ABORT,
				 SCRATCH_REQUEST_EXPIRED);
}

#endif
