/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a connection closes: the FINs and who sent the first, resets, failures,
 * the end of the socket. Hook bodies; synfin.bpf.c wraps them.
 */
#ifndef SF_CLOSE_BPF_H
#define SF_CLOSE_BPF_H

#include "bpf/stories.bpf.h"
#include "bpf/wait.bpf.h"

/* enum sk_rst_reason where it is to be inferred; numbers as in v6.12 and later */
#define RST_ABORT_ON_DATA 8
#define RST_ABORT_ON_CLOSE 11
#define RST_ABORT_ON_LINGER 12
#define RST_TCP_STATE 14
#define RST_KEEPALIVE_TIMEOUT 15

/*
 * The running task closes or shuts down. Right in all 285 FINs measured but
 * for MPTCP's kernel worker, which is left out. It is also the owner if no
 * better one is known, or one of those that held it at the start.
 */
static __always_inline void closer_fill(struct sf_story *st)
{
	if (st->closer.tgid || task_is_stranger())
		return;
	task_fill(&st->closer, SF_OWNER_SRC_CLOSE);
	if (!st->owner.tgid || st->owner.source == SF_OWNER_SRC_FD_SCAN)
		st->owner = st->closer;
}

/* close() with SO_LINGER 0, which the kernel turns into tcp_disconnect(): __tcp_close(). */
static __always_inline bool lingers_not(struct sock *sk, bool typed)
{
	return (RD(typed, sk, __sk_common.skc_flags) & SOCK_LINGER_BIT) &&
	       !RD(typed, sk, sk_lingertime);
}

/* With which call the running task begins to close, where no hook on the call itself told. */
static __always_inline void call_fill(struct sf_story *st, struct sock *sk, __u64 now_ns)
{
	if (st->close_call)
		return;
	st->close_call = running_call();
	switch (st->close_call) {
	case SF_CALL_SHUTDOWN:
		step(st, SF_STEP_SHUTDOWN, now_ns);
		return;
	case SF_CALL_CLOSE:
		if (sk && lingers_not(sk, true))
			st->close_call = SF_CALL_LINGER;
		break;
	case SF_CALL_DISCONNECT:
		if (!sk) /* no FIN is sent by connect(): not what it seems */
			st->close_call = SF_CALL_NONE;
		return;
	case SF_CALL_NONE:
		return;
	}
	step(st, SF_STEP_CLOSE, now_ns);
}

/*
 * tcp_close(), process context: no descriptor is left. 540 of 540 times the
 * running task was the closer. Also runs for one that was reset long ago.
 */
static __always_inline void on_close_call(struct sock *sk, bool typed)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_get(sk);
	struct tcp_sock *tp;

	if (!st || st->role == SF_ROLE_LISTENER || st->step_ns[SF_STEP_CLOSED])
		return;
	step(st, SF_STEP_CLOSE, now_ns);
	if (!st->close_call && !task_is_stranger()) {
		st->close_call = dying_call();
		if (!st->close_call)
			st->close_call = lingers_not(sk, typed) ? SF_CALL_LINGER : SF_CALL_CLOSE;
	}
	closer_fill(st);
	/* From here on no data is welcome: on_rst_received(). */
	tp = tcp_of(sk, typed);
	if (tp)
		st->data_segs_at_close = (__u8)RD(typed, tp, data_segs_in);
}

/*
 * tcp_shutdown(), process context but for one case: since 94062790aedb, v6.9,
 * a shutdown() in SYN_RECV is made up for in softirq (SF_F_SHUT_EARLY). how: 2
 * or 3 if it ends our side.
 */
static __always_inline void on_shutdown_call(struct sock *sk, int how)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_get(sk);

	if (!st || !(how & SEND_SHUTDOWN) || st->role == SF_ROLE_LISTENER ||
	    (st->flags & SF_F_SHUT_EARLY) || st->step_ns[SF_STEP_CLOSED] ||
	    st->step_ns[SF_STEP_SHUTDOWN] || st->step_ns[SF_STEP_CLOSE])
		return;
	step(st, SF_STEP_SHUTDOWN, now_ns);
	if (!st->close_call && !task_is_stranger())
		st->close_call = SF_CALL_SHUTDOWN;
	closer_fill(st);
}

/*
 * ESTABLISHED -> FIN_WAIT1, CLOSE_WAIT -> LAST_ACK: close() or shutdown(), process context, unless
 * shutdown() came too early (on_shutdown_call()): then whoever runs is a stranger.
 */
static __always_inline void on_fin_sent(struct sf_story *st, struct tcp_sock *tp, int old,
					__u64 now_ns)
{
	/* Behind data that has not left yet, it leaves later than it is queued, which is now. */
	if (tp->write_seq != tp->snd_nxt)
		step_derived(st, SF_STEP_FIN_SENT, now_ns);
	else
		step(st, SF_STEP_FIN_SENT, now_ns);
	if (!st->closed_by)
		st->closed_by = SF_SIDE_LOCAL;
	if (!(st->flags & SF_F_SHUT_EARLY)) {
		call_fill(st, NULL, now_ns);
		closer_fill(st);
	}
	st->data_segs_at_close = (__u8)tp->data_segs_in;
	/* Also where nobody wants this event: what follows may be skipped by the kernel. */
	fill_counters(st, tp, true);
	emit(st, SF_EV_FIN_SENT, old, now_ns);
}

/*
 * No SYN ever left. sk_err is not set on these paths; connect() returns the
 * error next, if that is not a port that none is left of.
 */
static __always_inline void no_syn_left(struct sf_story *st, struct sock *sk, struct tcp_sock *tp,
					__u64 now_ns)
{
	__be16 sport = tp->inet_conn.icsk_inet.inet_sport;

	if (sport && BPF_CORE_READ_BITFIELD_PROBED(tp, fastopen_connect)) {
		/* TCP_FASTOPEN_CONNECT: connect() had succeeded, its SYN was to carry data. */
		fill_tuple(st, sk, sport, true);
		st->cause = SF_CAUSE_ABORT;
		call_fill(st, sk, now_ns);
		closer_fill(st);
	} else if (!st->local_port) {
		st->cause = SF_CAUSE_NO_PORT;
		st->err = EADDRNOTAVAIL;
	} else {
		st->cause = SF_CAUSE_ERROR;
		if (config.has_connect_end) {
			st->flags |= SF_F_ERRNO_AWAITED;
			st->flags &= ~SF_F_ENDED;
			return;
		}
	}
	emit(st, SF_EV_FAILED, TCP_SYN_SENT, now_ns);
}

/*
 * SYN_SENT -> CLOSE. sk_err is read here, as user space clears it. Without an
 * errno, either no SYN ever left (segs_out 0), or the program gave up.
 */
static __always_inline void connect_failed(struct sf_story *st, struct sock *sk,
					   struct tcp_sock *tp, __u64 now_ns)
{
	fill_syn_retransmits(st, tp);
	if (!tp->segs_out) {
		no_syn_left(st, sk, tp, now_ns);
		return;
	}
	step_derived(st, SF_STEP_SYN_SENT, st->step_ns[SF_STEP_CONNECT]);
	if (!st->err)
		note_soft_error(st, sk->sk_err_soft);
	st->cause = st->err ? cause_of_errno(st->err) : SF_CAUSE_ABORT;
	if (!st->err || (st->flags & SF_F_ERR_SOFT)) {
		call_fill(st, sk, now_ns);
		closer_fill(st);
	}
	emit(st, SF_EV_FAILED, TCP_SYN_SENT, now_ns);
}

/*
 * Why an opened connection is over. old: the state it left. Without errno,
 * leaving a state in which our FIN is acknowledged or answered is the normal
 * end; leaving another one means the program cut it (unread data, SO_LINGER 0,
 * disconnect) and a RST follows.
 */
static __always_inline __u8 cause_of_close(const struct sf_story *st, int old)
{
	if (st->step_ns[SF_STEP_RST_RECEIVED])
		return SF_CAUSE_RESET;
	if (st->err)
		return cause_of_errno(st->err);
	if (st->step_ns[SF_STEP_RST_SENT])
		return SF_CAUSE_RESET;
	/* FIN_WAIT2 is where our FIN was acknowledged, though the step to it was skipped. */
	if ((st->step_ns[SF_STEP_FIN_ACKED] && old != TCP_FIN_WAIT1) || old == TCP_FIN_WAIT2)
		return SF_CAUSE_FIN;
	return SF_CAUSE_ABORT;
}

/* A child that waits for accept() has no struct socket; it loses it only when its end began. */
static __always_inline bool is_queued_child(struct sock *sk, int old)
{
	return (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT || old == TCP_SYN_RECV) &&
	       !BPF_CORE_READ(sk, sk_socket);
}

/*
 * The connection ends and no FIN ends it: who cut it, and how. The error is
 * set before the state by all that is not a call of the program (tcp_reset(),
 * tcp_write_err(), tcp_abort()); so without one, and with a program that still
 * has the socket, this is that program's call.
 */
static __always_inline void on_cut(struct sf_story *st, struct sock *sk, int old, __u64 now_ns)
{
	bool is_orphan = sk->__sk_common.skc_flags & SOCK_DEAD_BIT;

	if (is_orphan)
		st->flags |= SF_F_ORPHAN;
	if (st->err == ECONNABORTED) {
		st->close_call = SF_CALL_ABORT;
	} else if (st->err == ETIMEDOUT && st->step_ns[SF_STEP_RST_SENT]) {
		/* Of all timers only keepalive's sends one: tcp_keepalive_timer(). */
		st->flags |= SF_F_RST_BY_KNOWN;
		if (!st->rst_reason) {
			st->rst_reason = RST_KEEPALIVE_TIMEOUT;
			st->flags |= SF_F_RST_INFERRED;
		}
	}
	if (st->err || is_orphan)
		return;
	st->flags |= SF_F_RST_BY_APP | SF_F_RST_BY_KNOWN;
	if (st->flags & SF_F_NEVER_ACCEPTED) {
		/* inet_csk_listen_stop(), by whoever closes the listener, or by ss -K of it. */
		st->close_call = SF_CALL_LISTENER;
		if (running_call() != SF_CALL_NONE)
			closer_fill(st);
		return;
	}
	call_fill(st, sk, now_ns);
	closer_fill(st);
}

/*
 * tcp_rcv_state_process() drops an orphan in FIN_WAIT2, and its caller sends the
 * RST when the socket is gone: data came after our close(), or TCP_LINGER2 is
 * negative and a FIN is not waited for at all.
 */
static __always_inline void orphan_cut(struct sf_story *st, __u8 reason, int old, __u64 now_ns)
{
	st->rst_sender = SF_SIDE_LOCAL;
	st->rst_state = old;
	st->rst_reason = reason;
	st->flags |= SF_F_RST_INFERRED | SF_F_RST_BY_KNOWN;
	step_derived(st, SF_STEP_RST_SENT, now_ns);
	st->cause = SF_CAUSE_RESET;
	emit(st, SF_EV_RESET, old, now_ns);
	send_close(st, old, now_ns);
}

/*
 * An orphan's FIN_WAIT2 that is still a socket, as its user had it locked when
 * our FIN was acknowledged: when its time is over a RST goes out
 * (tcp_keepalive_timer()), and no error is set.
 */
static __always_inline void orphan_timed_out(struct sf_story *st, int old, __u64 now_ns)
{
	st->cause = SF_CAUSE_TIMEOUT;
	st->flags |= SF_F_RST_BY_KNOWN;
	if (!st->rst_reason) {
		st->rst_reason = RST_TCP_STATE;
		st->flags |= SF_F_RST_INFERRED;
	}
	send_close(st, old, now_ns);
}

/*
 * The socket of an orphan in FIN_WAIT2 goes, without an error and the peer's
 * FIN: it is cut, or a timewait socket takes over, of which the hooks tell.
 */
static __always_inline void finish_orphan(struct sf_story *st, struct tcp_sock *tp, int old,
					  __u64 now_ns)
{
	bool has_data = (__u8)tp->data_segs_in != st->data_segs_at_close;

	if (st->step_ns[SF_STEP_RST_SENT] || tp->linger2 < 0 || config.has_wait_hooks)
		st->flags |= SF_F_ORPHAN;
	if (st->step_ns[SF_STEP_RST_SENT]) {
		orphan_timed_out(st, old, now_ns);
		return;
	}
	if (tp->linger2 < 0) {
		orphan_cut(st, RST_ABORT_ON_LINGER, old, now_ns);
		return;
	}
	if (config.has_wait_hooks && !st->has_wait && has_data) {
		orphan_cut(st, RST_ABORT_ON_DATA, old, now_ns);
		return;
	}
	/*
	 * With the hooks: no timewait socket was free, or we had no room to follow it, or the
	 * kernel skipped the hooks. Without, data may have cut it. How it ends nobody sees.
	 */
	if (config.has_wait_hooks || (!st->has_wait && has_data))
		st->cause = SF_CAUSE_NONE;
	/* A RST after all (tcp_check_oom()), or the socket's end, sends the close. */
	st->rst_state = old;
}

/* The close of a connection whose cause is known but for a RST that may follow. */
static __always_inline void finish_close(struct sf_story *st, struct sock *sk, struct tcp_sock *tp,
					 int old, __u64 now_ns)
{
	bool is_fin_missing = old == TCP_FIN_WAIT2 && !st->err &&
			      !st->step_ns[SF_STEP_FIN_RECEIVED];

	if (is_fin_missing && (sk->__sk_common.skc_flags & SOCK_DEAD_BIT)) {
		finish_orphan(st, tp, old, now_ns);
		return;
	}
	if (st->cause > SF_CAUSE_FIN || is_fin_missing)
		on_cut(st, sk, old, now_ns);
	/*
	 * A RST, if there is one, leaves after this state change: its hook, or the
	 * socket's end, sends the close. A program that has the socket in FIN_WAIT2 cuts it
	 * by a close() with unread data, or SO_LINGER 0.
	 */
	if (st->cause == SF_CAUSE_ABORT || is_fin_missing) {
		st->rst_state = old;
		return;
	}
	send_close(st, old, now_ns);
}

/* Any state -> CLOSE. */
static __always_inline void on_closed(struct sf_story *st, struct sock *sk, struct tcp_sock *tp,
				      int old, __u64 now_ns)
{
	/* The only look at the port of a connect that failed: tcp_disconnect() wipes it next. */
	if (!(st->flags & SF_F_TUPLE_KNOWN) || (old == TCP_SYN_SENT && tp->segs_out))
		fill_tuple(st, sk, tp->inet_conn.icsk_inet.inet_sport, true);
	step(st, SF_STEP_CLOSED, now_ns);
	if (sk->sk_err || old != TCP_SYN_SENT)
		forget_soft_error(st);
	if (!(st->flags & SF_F_ERR_SOFT))
		st->err = sk->sk_err;
	if (old == TCP_SYN_SENT) {
		st->flags |= SF_F_ENDED;
		connect_failed(st, sk, tp, now_ns);
		return;
	}
	settle_fins(st, sk, tp, old, now_ns, true);
	/*
	 * The kernel drops a child it made twice, when two CPUs take the same ACK: no connection.
	 * One of Fast Open is one from its SYN on.
	 */
	if (BPF_CORE_READ(tp, fastopen_rsk))
		st->flags |= SF_F_FASTOPEN;
	if (old == TCP_SYN_RECV && !st->err && !st->step_ns[SF_STEP_RST_RECEIVED] &&
	    st->role == SF_ROLE_SERVER && !st->step_ns[SF_STEP_ACCEPTED] &&
	    !(st->flags & SF_F_FASTOPEN)) {
		st->flags |= SF_F_ENDED;
		return;
	}
	if (is_queued_child(sk, old))
		st->flags |= SF_F_NEVER_ACCEPTED;
	if (config.has_wait_timer)
		wait_begin_by_timer(st, sk, tp, now_ns);
	if (st->flags & SF_F_ENDED) /* it goes on in a timewait socket */
		return;
	fill_counters(st, tp, true);
	st->cause = cause_of_close(st, old);
	finish_close(st, sk, tp, old, now_ns);
}

/* A segment was retransmitted, and is on its way. */
static __always_inline void on_retransmit(struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const struct tcp_skb_cb *)&skb->cb;
	struct sf_story *st = story_get(sk);

	if (!st || st->step_ns[SF_STEP_CLOSED])
		return;
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		st->syn_retransmits++;
	else
		st->retransmits += BPF_CORE_READ(cb, tcp_gso_segs);
}

/* tcp_reset(): a valid RST arrived, before the state changes. */
static __always_inline void on_rst_received(struct sock *sk)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_get(sk);

	if (!st || st->step_ns[SF_STEP_CLOSED])
		return;
	/*
	 * Data after our close() also ends in tcp_reset(), and the RST is ours: if data came, who
	 * sent it is open.
	 */
	if ((st->state == TCP_FIN_WAIT1 || st->state == TCP_FIN_WAIT2) &&
	    (sk->sk_shutdown & RCV_SHUTDOWN)) {
		struct tcp_sock *tp = tcp_of(sk, true);

		if (!tp || (__u8)tp->data_segs_in != st->data_segs_at_close)
			return;
	}
	step(st, SF_STEP_RST_RECEIVED, now_ns);
	st->rst_sender = SF_SIDE_PEER;
	st->rst_state = sk->__sk_common.skc_state;
	if (!st->closed_by)
		st->closed_by = SF_SIDE_PEER;
	if (st->step_ns[SF_STEP_ESTABLISHED])
		emit(st, SF_EV_RESET, 0, now_ns);
}

/*
 * The reason of a RST that a call of the program sent, as kernels give it
 * since v6.12: net/ipv4/tcp.c __tcp_close(), tcp_disconnect(). 0 = not clear:
 * the call is not known, or the kernel lacked memory.
 */
static __always_inline __u8 reason_of_call(const struct sf_story *st, struct sock *sk)
{
	if (!(st->flags & SF_F_RST_BY_APP) || !st->close_call)
		return 0;
	if (st->close_call == SF_CALL_DISCONNECT || st->close_call == SF_CALL_LISTENER)
		return RST_TCP_STATE;
	if (st->unread_bytes)
		return RST_ABORT_ON_CLOSE;
	return lingers_not(sk, true) ? RST_TCP_STATE : 0;
}

/*
 * We sent a RST for this socket. Close with unread data and SO_LINGER 0
 * change the state first, keepalive and ss -K after.
 */
static __always_inline void on_rst_sent(struct sock *sk, __u8 reason)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct sf_story *st = story_get(sk);

	if (!st) {
		wait_rst_sent(sk, reason, now_ns);
		return;
	}
	if (st->step_ns[SF_STEP_RST_SENT] || (st->flags & SF_F_ENDED))
		return;
	/* A RST to a stray segment during the handshake ends nothing. */
	if (st->state == TCP_SYN_SENT || st->state == TCP_SYN_RECV || st->state == TCP_LISTEN)
		return;
	step(st, SF_STEP_RST_SENT, now_ns);
	st->rst_sender = SF_SIDE_LOCAL;
	st->rst_reason = reason;
	if (!reason && st->step_ns[SF_STEP_CLOSED]) {
		st->rst_reason = reason_of_call(st, sk);
		if (st->rst_reason)
			st->flags |= SF_F_RST_INFERRED;
	}
	if (!st->rst_state)
		st->rst_state = sk->__sk_common.skc_state;
	if (!st->closed_by)
		st->closed_by = SF_SIDE_LOCAL;
	if (st->step_ns[SF_STEP_CLOSED])
		st->cause = SF_CAUSE_RESET;
	if (st->step_ns[SF_STEP_ESTABLISHED])
		emit(st, SF_EV_RESET, 0, now_ns);
	if (st->step_ns[SF_STEP_CLOSED])
		send_close(st, st->rst_state, now_ns);
}

/*
 * The socket goes although its way to CLOSE was not seen: 48 of 8000
 * connections in one of 22 storms, with other tracers coming and going
 * (6.18). What the last steps seen prove is told; why it ended is not.
 */
static __always_inline void on_unseen_close(struct sf_story *st, struct sock *sk, __u64 now_ns)
{
	struct tcp_sock *tp = tcp_of(sk, true);

	count(SF_CNT_LOST_STEP);
	st->flags |= SF_F_BEGIN_LOST;
	forget_soft_error(st);
	st->err = sk->sk_err;
	if (st->err)
		st->cause = cause_of_errno(st->err);
	else if (st->step_ns[SF_STEP_FIN_SENT] && st->step_ns[SF_STEP_FIN_RECEIVED])
		st->cause = SF_CAUSE_FIN;
	if (sk->__sk_common.skc_flags & SOCK_DONE_BIT) /* tcp_fin() was here */
		st->flags |= SF_F_FIN_COUNTED;
	if (!st->step_ns[SF_STEP_FIN_SENT])
		st->flags |= SF_F_BYTES_UNSURE;
	else if (tp && tp->snd_una == tp->write_seq)
		st->flags |= SF_F_ACK_COUNTED;
	/* Whether our SYN is among the bytes acknowledged is not known without that step. */
	if (st->role != SF_ROLE_SERVER && !st->step_ns[SF_STEP_ESTABLISHED])
		st->flags |= SF_F_BYTES_UNSURE;
	if (tp)
		fill_counters(st, tp, true);
	/* When it closed is not known. If no SYN+ACK ever came it cannot have been open. */
	if (tp && st->state == TCP_SYN_SENT && !tp->rcv_nxt) {
		st->flags |= SF_F_ENDED;
		emit(st, SF_EV_FAILED, st->state, now_ns);
		return;
	}
	send_close(st, st->state, now_ns);
}

/* tcp_v4_destroy_sock(): nothing more can happen to this socket. */
static __always_inline void on_destroy(struct sock *sk)
{
	struct sf_story *st = story_get(sk);

	if (!st)
		return;
	if (st->role != SF_ROLE_LISTENER && !(st->flags & SF_F_ENDED)) {
		__u64 now_ns = bpf_ktime_get_boot_ns();

		step(st, SF_STEP_DESTROYED, now_ns);
		/* Such a call sends a RST: the hook was skipped, or memory was short. */
		if (st->cause == SF_CAUSE_ABORT && !st->step_ns[SF_STEP_RST_SENT] &&
		    reason_of_call(st, sk))
			st->cause = SF_CAUSE_NONE;
		if (st->step_ns[SF_STEP_CLOSED])
			send_close(st, st->rst_state, now_ns);
		else
			on_unseen_close(st, sk, now_ns);
	}
	story_end(sk);
}

#endif
