/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a connection opens: listen, connect, the handshake on both sides,
 * accept. Hook bodies; synfin.bpf.c wraps them per attach type.
 */
#ifndef SF_OPEN_BPF_H
#define SF_OPEN_BPF_H

#include "bpf/requests.bpf.h"
#include "bpf/task.bpf.h"

/*
 * A socket begins to listen or to dial: a new story, which keeps when it was
 * made and bound. What was bound stays bound after a failed connect(), so that
 * holds for a later life of the same socket, too.
 */
static __always_inline struct sf_story *story_open(const void *sk, __u64 cookie, __u64 now_ns)
{
	struct sf_story *st;
	__u64 socket_ns = 0, bind_ns = 0;

	if (config.want_steps) {
		st = story_get(sk);
		/* Where socket() was seen by a system call, the cookie was not yet made. */
		if (st && (st->cookie == cookie || !st->cookie)) {
			socket_ns = st->step_ns[SF_STEP_SOCKET];
			bind_ns = st->step_ns[SF_STEP_BIND];
		}
	}
	st = story_start(sk, now_ns);
	if (!st)
		return NULL;
	st->cookie = cookie;
	st->step_ns[SF_STEP_SOCKET] = socket_ns;
	st->step_ns[SF_STEP_BIND] = bind_ns;
	return st;
}

/*
 * socket() made it (tcp_v4_init_sock(), or the call's exit). It is no
 * connection yet: there is no end to tell.
 */
static __always_inline void on_socket(struct sock *sk, bool typed)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_start(sk, now_ns);

	if (!st) {
		count(SF_CNT_LOST_MAP);
		return;
	}
	st->state = TCP_CLOSE;
	st->cookie = cookie_of(sk, typed);
	st->flags |= SF_F_ENDED;
	step(st, SF_STEP_SOCKET, now_ns);
}

/* bind() succeeds or nearly so: inet_csk_get_port(), or the call's exit. */
static __always_inline void on_bind(struct sock *sk)
{
	struct sf_story *st = story_get(sk);

	/* listen() asks for a port, too, already in state LISTEN. */
	if (st && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE)
		st->step_ns[SF_STEP_BIND] = bpf_ktime_get_boot_ns();
}

/*
 * The socket keeps only what is left of what listen() asked for
 * (net/socket.c __sys_listen_socket() cuts it to somaxconn), so its argument is
 * read where it came in. Not there, as by io_uring: not known.
 */
static __always_inline void backlog_fill(struct sf_story *st, struct sock *sk)
{
	struct call_args args = {};

	st->backlog = sk->sk_max_ack_backlog;
	if (running_syscall(&args) != NR_LISTEN)
		return;
	st->backlog_asked = args.second;
	st->flags |= SF_F_BACKLOG_ASKED;
}

/* inet_csk_listen_start(), process context: whoever runs called listen(). */
static __always_inline bool on_listen(struct sock *sk, struct tcp_sock *tp, __u64 now_ns)
{
	struct sf_story *st = story_open(sk, cookie_of(sk, true), now_ns);

	if (!st)
		return false;
	st->role = SF_ROLE_LISTENER;
	st->role_source = SF_ROLE_SRC_LISTEN;
	st->state = TCP_LISTEN;
	backlog_fill(st, sk);
	st->drops_base = sk->sk_drops.counter;
	/* The port is taken after this state change (get_port() follows) unless bind() took it. */
	fill_tuple(st, sk, tp->inet_conn.icsk_inet.inet_sport, true);
	port_fill(st, BPF_CORE_READ_BITFIELD(sk, sk_userlocks));
	task_fill(&st->owner, SF_OWNER_SRC_LISTEN);
	step(st, SF_STEP_LISTEN, now_ns);
	emit(st, SF_EV_LISTEN, TCP_CLOSE, now_ns);
	return true;
}

/* The running task dials. sport: network byte order, 0 if the port is not chosen yet. */
static __always_inline struct sf_story *story_dial(struct sock *sk, struct tcp_sock *tp,
						   __be16 sport, __u64 now_ns, bool typed)
{
	struct sf_story *st = story_open(sk, cookie_of(sk, typed), now_ns);

	if (!st)
		return NULL;
	st->state = TCP_SYN_SENT;
	/* A connection that is restored (TCP_REPAIR) may have been a server's, and sends no SYN. */
	if (!RD_BITS(typed, tp, repair)) {
		st->role = SF_ROLE_CLIENT;
		st->role_source = SF_ROLE_SRC_CONNECT;
	}
	fill_tuple(st, sk, sport, typed);
	port_fill(st, RD_BITS(typed, sk, sk_userlocks));
	/* MPTCP's further paths are dialed by a worker, for whichever program has the first. */
	if (!task_is_kernel())
		task_fill(&st->owner, SF_OWNER_SRC_CONNECT);
	return st;
}

/*
 * CLOSE -> SYN_SENT, in tcp_v4_connect() or tcp_v6_connect(), process
 * context: 289 of 289 times the running task was the caller. The local port
 * is not chosen yet unless bind() chose it.
 */
static __always_inline bool on_connect(struct sock *sk, struct tcp_sock *tp, __u64 now_ns)
{
	/* Not inet_sport: after a failed connect it still holds that one's port. */
	__be16 sport = bpf_htons(sk->__sk_common.skc_num);
	struct sf_story *st = story_dial(sk, tp, sport, now_ns, true);

	if (!st)
		return false;
	step(st, SF_STEP_CONNECT, now_ns);
	if (!config.has_tcp_connect)
		emit(st, SF_EV_CONNECT, TCP_CLOSE, now_ns);
	return true;
}

/* tcp_connect(), process context: addresses and ports are final, the SYN leaves next. */
static __always_inline void on_tcp_connect(struct sock *sk, bool typed)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct tcp_sock *tp = tcp_of(sk, typed);
	struct sf_story *st;
	__be16 sport;

	if (!tp)
		return;
	sport = RD(typed, tp, inet_conn.icsk_inet.inet_sport);
	st = story_get(sk);
	if (st && st->state == TCP_SYN_SENT) {
		if (st->step_ns[SF_STEP_SYN_SENT])
			return;
		fill_tuple(st, sk, sport, typed);
	} else {
		/* The state change was not seen (state_again_tp says why), or the map is full. */
		st = story_dial(sk, tp, sport, now_ns, typed);
		if (!st)
			return;
		step_derived(st, SF_STEP_CONNECT, now_ns);
	}
	step(st, SF_STEP_SYN_SENT, now_ns);
	emit(st, SF_EV_CONNECT, TCP_CLOSE, now_ns);
}

/*
 * The handshake's round trip as TCP measured it: the first sample, so
 * srtt_us is exactly eight times it (net/ipv4/tcp_input.c tcp_rtt_estimator()).
 * 0 when there is no sample, or one that a retransmission spoiled: then the
 * first segment is not the one that was answered.
 */
static __always_inline __u64 first_rtt_ns(struct tcp_sock *tp)
{
	__u32 rtt_us = tp->srtt_us >> 3;

	/*
	 * A whole number of milliseconds comes from the timestamp option: a syncookie's round trip,
	 * 4 ms grain.
	 */
	if (tp->total_retrans || rtt_us % 1000 == 0)
		return 0;
	return (__u64)rtt_us * 1000;
}

/* SYN_SENT -> ESTABLISHED, softirq: the SYN+ACK is being processed. */
static __always_inline void on_client_established(struct sf_story *st, struct sock *sk,
						  struct tcp_sock *tp, __u64 now_ns)
{
	__u64 rtt_ns = first_rtt_ns(tp);

	fill_tuple(st, sk, tp->inet_conn.icsk_inet.inet_sport, true);
	fill_syn_retransmits(st, tp);
	forget_soft_error(st);
	/*
	 * Without a hook on tcp_connect() the state change stands 30 to 70 us before the packet;
	 * with TCP_FASTOPEN_CONNECT, whose SYN waits for data, any time.
	 */
	if (rtt_ns)
		step_derived(st, SF_STEP_SYN_SENT, now_ns - rtt_ns);
	else if (!BPF_CORE_READ_BITFIELD(tp, fastopen_connect))
		step_derived(st, SF_STEP_SYN_SENT, st->step_ns[SF_STEP_CONNECT]);
	step(st, SF_STEP_SYNACK_RECEIVED, now_ns);
	step(st, SF_STEP_ESTABLISHED, now_ns);
	fill_isn(st, tp, true);
	emit(st, SF_EV_ESTABLISHED, TCP_SYN_SENT, now_ns);
}

/* SYN_SENT -> SYN_RECV: a SYN came instead of a SYN+ACK, both ends dial (RFC 9293 3.5). */
static __always_inline void on_crossed_syn(struct sf_story *st, __u64 now_ns)
{
	forget_soft_error(st);
	step(st, SF_STEP_SYN_RECEIVED, now_ns);
	st->role = SF_ROLE_BOTH;
	st->role_source = SF_ROLE_SRC_HANDSHAKE;
	step_derived(st, SF_STEP_SYN_SENT, st->step_ns[SF_STEP_CONNECT]);
}

/*
 * LISTEN -> SYN_RECV: a child is born, when the last ACK of the handshake
 * arrives (or the SYN, with Fast Open). Up to 6.12 the socket still is a byte
 * copy of its listener here, cookie and addresses too: nothing is read.
 */
static __always_inline bool on_child(struct sock *sk, struct tcp_sock *tp, __u64 now_ns)
{
	struct sf_story *st = story_start(sk, now_ns);

	if (!st)
		return false;
	/*
	 * The clone still holds the listener's queue settings; they are wiped next
	 * (inet_csk_clone_lock()).
	 */
	if (tp && tp->inet_conn.icsk_accept_queue.rskq_defer_accept)
		st->flags |= SF_F_DEFER_ACCEPT;
	st->role = SF_ROLE_SERVER;
	st->role_source = SF_ROLE_SRC_HANDSHAKE;
	st->state = TCP_SYN_RECV;
	return true;
}

/* The listener that a connection came from; its socket(), bind() and listen() are steps of both. */
static __always_inline void note_listener(struct sf_story *st, const void *listener)
{
	const struct sf_story *parent = story_get(listener);

	if (!parent || parent->role != SF_ROLE_LISTENER || st->listener_id)
		return;
	st->listener_id = parent->id;
	st->step_ns[SF_STEP_SOCKET] = parent->step_ns[SF_STEP_SOCKET];
	st->step_ns[SF_STEP_BIND] = parent->step_ns[SF_STEP_BIND];
	st->step_ns[SF_STEP_LISTEN] = parent->step_ns[SF_STEP_LISTEN];
}

/*
 * inet_csk_complete_hashdance(listener, child, request), and for SYN cookies
 * and Fast Open inet_csk_reqsk_queue_add(listener, request, child): where the
 * request's times and the child meet. snt_synack: CLOCK_MONOTONIC
 * microseconds of the first SYN+ACK, never of a retransmitted one
 * (net/ipv4/tcp_output.c tcp_synack_options() callers; 5.10 to 7.3); a request
 * that was made from a cookie has none (syncookies.c cookie_v4_check()).
 */
static __always_inline void on_handshake(struct sock *listener, struct sock *child,
					 struct request_sock *req)
{
	const struct tcp_request_sock *treq = (struct tcp_request_sock *)req;
	__u64 syn_ns = take_syn_ns(req);
	struct sf_story *st = story_get(child);

	if (!st)
		return;
	if (BPF_CORE_READ((struct inet_connection_sock *)listener,
			  icsk_accept_queue.rskq_defer_accept))
		st->flags |= SF_F_DEFER_ACCEPT;
	if (BPF_CORE_READ(treq, tfo_listener))
		st->flags |= SF_F_FASTOPEN;
	else if (!BPF_CORE_READ(treq, snt_synack))
		st->flags |= SF_F_SYNCOOKIE;
	/* The child's own lock bit is cleared: sk_clone_lock(). */
	port_fill(st, BPF_CORE_READ_BITFIELD_PROBED(listener, sk_userlocks));
	note_listener(st, listener);
	st->isn_peer = BPF_CORE_READ(treq, rcv_isn);
	st->isn_local = BPF_CORE_READ(treq, snt_isn);
	st->flags |= SF_F_ISN_KNOWN;
	step(st, SF_STEP_SYN_RECEIVED, syn_ns);
	step_synack(st, treq);
}

/* SYN_RECV -> ESTABLISHED on a child. */
static __always_inline void on_server_established(struct sf_story *st, struct sock *sk,
						  struct tcp_sock *tp, __u64 now_ns)
{
	__u64 rtt_ns = first_rtt_ns(tp);

	fill_tuple(st, sk, tp->inet_conn.icsk_inet.inet_sport, true);
	st->cookie = cookie_of(sk, true);
	/* Inherited from the request: tcp_create_openreq_child(). */
	st->synack_retransmits = tp->total_retrans - st->retransmits;
	/*
	 * Data that ends the handshake may come long after its ACK, which TCP_DEFER_ACCEPT drops;
	 * since 6.18 a child does not show that its listener has that (on_child()).
	 */
	if (rtt_ns && st->role == SF_ROLE_SERVER && !tp->data_segs_in)
		step_derived(st, SF_STEP_SYNACK_SENT, now_ns - rtt_ns);
	step(st, SF_STEP_ESTABLISHED, now_ns);
	/* The FIN leaves next, in softirq: net/ipv4/tcp_input.c tcp_rcv_state_process(), v6.9. */
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		st->flags |= SF_F_SHUT_EARLY;
	fill_isn(st, tp, true);
	emit(st, SF_EV_ESTABLISHED, TCP_SYN_RECV, now_ns);
}

/*
 * accept() returns this socket to the running task. Seen from a return of
 * inet_csk_accept(), from security_sock_graft(), or from the system call's
 * exit, whichever the kernel allows; the first one wins. listener: NULL where
 * it is not at hand.
 */
static __always_inline void on_accept(struct sock *sk, struct sock *listener, bool typed)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_get(sk);
	struct tcp_sock *tp;

	/* A socket that dialed was not accepted: the descriptor was reused meanwhile. */
	if (st && (st->step_ns[SF_STEP_ACCEPTED] || st->role_source == SF_ROLE_SRC_CONNECT))
		return;
	tp = tcp_of(sk, typed);
	if (!tp)
		return;
	if (!st) {
		st = story_adopt(sk, tp, RD(typed, sk, __sk_common.skc_state), now_ns, typed);
		if (!st)
			return;
	}
	if (!(st->flags & SF_F_TUPLE_KNOWN))
		fill_tuple(st, sk, RD(typed, tp, inet_conn.icsk_inet.inet_sport), typed);
	/* Set while a child of Fast Open waits for the handshake to end. */
	if (BPF_CORE_READ(tp, fastopen_rsk))
		st->flags |= SF_F_FASTOPEN;
	if (listener) {
		note_listener(st, listener);
		st->accept_queue = BPF_CORE_READ(listener, sk_ack_backlog);
		st->flags |= SF_F_QUEUE_KNOWN;
	}
	/* One that had ended in the queue is accepted all the same. */
	st->flags &= ~SF_F_NEVER_ACCEPTED;
	st->role = SF_ROLE_SERVER;
	st->role_source = SF_ROLE_SRC_ACCEPT;
	task_fill(&st->owner, SF_OWNER_SRC_ACCEPT);
	step(st, SF_STEP_ACCEPTED, now_ns);
	emit(st, SF_EV_ACCEPT, 0, now_ns);
}

/* Where connect() was to go: a struct sockaddr_in or sockaddr_in6, as the program gave it. */
struct dialed {
	__u16 family;
	__be16 port;
	__be32 addr_v4; /* of IPv6: the flow label */
	__u32 addr_v6[4];
};

/* The errors with which connect() ends before there is a SYN or even a state. */
static __always_inline bool is_early_failure(__u16 err)
{
	switch (err) {
	case EPERM:
	case EACCES:
	case EINVAL: /* a blackhole route */
	case ENOMEM:
	case ENOBUFS:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return true;
	default:
		return false;
	}
}

static __always_inline void connect_failed_early(struct sock *sk, struct tcp_sock *tp,
						 const struct dialed *to, __u16 err)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = scratch_story(SCRATCH_CONNECT, now_ns);

	if (!st)
		return;
	st->role = SF_ROLE_CLIENT;
	st->role_source = SF_ROLE_SRC_CONNECT;
	st->state = TCP_CLOSE;
	st->cause = cause_of_errno(err);
	st->err = err;
	st->cookie = cookie_of(sk, false);
	fill_tuple(st, sk, BPF_CORE_READ(tp, inet_conn.icsk_inet.inet_sport), false);
	st->peer_port = bpf_ntohs(to->port);
	if (to->family == AF_INET) {
		v4_mapped(st->peer_addr, to->addr_v4);
	} else {
		__builtin_memcpy(st->peer_addr, to->addr_v6, sizeof(to->addr_v6));
		if (addr_is_v4(st->peer_addr))
			st->flags |= SF_F_V4MAPPED;
	}
	if (st->local_port)
		port_fill(st, BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks));
	if (!task_is_kernel())
		task_fill(&st->owner, SF_OWNER_SRC_CONNECT);
	step_derived(st, SF_STEP_CONNECT, now_ns);
	step(st, SF_STEP_CLOSED, now_ns);
	emit(st, SF_EV_FAILED, 0, now_ns);
}

/*
 * connect() returns -err to the running task. Most failures are told by the
 * state that the socket leaves; told here: those that have none, and that a
 * signal came first (then the connection goes on opening).
 */
static __always_inline void on_connect_end(struct sock *sk, const struct dialed *to, __u16 err)
{
	struct tcp_sock *tp = tcp_of(sk, false);
	struct sf_story *st = story_get(sk);

	if (!tp)
		return;
	if (st && (st->flags & SF_F_ERRNO_AWAITED)) {
		st->flags &= ~SF_F_ERRNO_AWAITED;
		st->flags |= SF_F_ENDED;
		st->err = err;
		st->cause = cause_of_errno(err);
		emit(st, SF_EV_FAILED, TCP_SYN_SENT, bpf_ktime_get_boot_ns());
		return;
	}
	if (err == EINPROGRESS) {
		if (st && st->state == TCP_SYN_SENT)
			note_soft_error(st, BPF_CORE_READ(sk, sk_err_soft));
		return;
	}
	if (err == EINTR || err == ERESTARTSYS) {
		if (st && st->state == TCP_SYN_SENT && (err == EINTR || restart_is_eintr()))
			st->flags |= SF_F_INTERRUPTED;
		return;
	}
	if (!is_early_failure(err) || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE ||
	    (to->family != AF_INET && to->family != AF_INET6))
		return;
	/* A state change has told it, once. */
	if (st && st->err == err && st->step_ns[SF_STEP_CLOSED]) {
		st->err = 0;
		return;
	}
	connect_failed_early(sk, tp, to, err);
}

#endif
