// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What exists now: every TCP socket of a network namespace, and every
 * descriptor of the host that refers to one. An object of its own, that
 * attaches to nothing and has no maps: loaded for a snapshot, which reads its
 * two iterators, and gone after it. Nothing here changes a socket.
 */
#include <vmlinux.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/sock.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define S_IFMT 0170000
#define S_IFSOCK 0140000

/* include/net/tcp_states.h: unchanged since 4.4 */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_TIME_WAIT 6
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_CLOSING 11
#define TCP_NEW_SYN_RECV 12

/* include/net/sock.h, enum sock_flags: bit numbers, unchanged since 2.6 */
#define SOCK_DEAD 0
#define SOCK_DONE 1
#define SOCK_KEEPOPEN 3
#define RCV_SHUTDOWN 1
#define SEND_SHUTDOWN 2
#define SOCK_BINDPORT_LOCK 8

/* include/net/inet_connection_sock.h: icsk_pending */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

/* include/linux/tcp.h, enum tcp_chrono; chrono_stat[] begins with the first that is not "none" */
#define TCP_CHRONO_SNDBUF_LIMITED 3

/* So far a stamp may be ahead of a clock that was read before it. */
#define MEANWHILE_TICKS 1024

/* How the kernel's clock stood when it was last looked at: user space works out what a tick is. */
__u64 jiffies_then = 0;
__u64 monotonic_then_ns = 0;

static __always_inline bool is_mapped(const __u8 addr[16])
{
	const __u32 *words = (const __u32 *)addr;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline void v4_mapped(__u8 to[16], __be32 addr)
{
	__u32 *words = (__u32 *)to;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = addr;
}

#define COPY_V6(to, skc, field)                             \
	do {                                                \
		__u32 *words = (__u32 *)(to);               \
                                                            \
		words[0] = (skc)->field.in6_u.u6_addr32[0]; \
		words[1] = (skc)->field.in6_u.u6_addr32[1]; \
		words[2] = (skc)->field.in6_u.u6_addr32[2]; \
		words[3] = (skc)->field.in6_u.u6_addr32[3]; \
	} while (0)

/* What all three kinds of socket have: full, request and timewait ones. */
static __always_inline void fill_common(struct sf_sock *rec, struct sock_common *skc)
{
	rec->sk = (__u64)skc;
	rec->cookie = skc->skc_cookie.counter;
	rec->family = skc->skc_family;
	rec->state = skc->skc_state;
	rec->local_port = skc->skc_num;
	rec->peer_port = bpf_ntohs(skc->skc_dport);
	rec->bound_if = skc->skc_bound_dev_if;
	rec->netns = skc->skc_net.net->ns.inum;
	if (rec->family == AF_INET6 && bpf_core_field_exists(struct sock_common, skc_v6_daddr)) {
		COPY_V6(rec->peer_addr, skc, skc_v6_daddr);
		COPY_V6(rec->local_addr, skc, skc_v6_rcv_saddr);
		if (is_mapped(rec->peer_addr))
			rec->flags |= SF_SK_V4MAPPED;
	} else {
		v4_mapped(rec->peer_addr, skc->skc_daddr);
		v4_mapped(rec->local_addr, skc->skc_rcv_saddr);
	}
}

/*
 * When the retransmission timer fires. What icsk_retransmit_timer holds is
 * older before v6.18: the timer is not moved at each ACK there, only
 * icsk_timeout is (inet_csk_reset_xmit_timer()).
 */
static __always_inline __u64 retransmit_at(struct tcp_sock *tp)
{
	void *icsk = tp;

	if (bpf_core_field_exists(struct inet_connection_sock___timeout, icsk_timeout))
		return BPF_CORE_READ((struct inet_connection_sock___timeout *)icsk, icsk_timeout);
	if (bpf_core_field_exists(struct sock___retransmit, tcp_retransmit_timer.expires))
		return BPF_CORE_READ((struct sock___retransmit *)icsk,
				     tcp_retransmit_timer.expires);
	if (bpf_core_field_exists(struct inet_connection_sock___retransmit,
				  icsk_retransmit_timer.expires))
		return BPF_CORE_READ((struct inet_connection_sock___retransmit *)icsk,
				     icsk_retransmit_timer.expires);
	return 0;
}

static __always_inline __u64 keepalive_at(struct tcp_sock *tp)
{
	void *icsk = tp;

	if (bpf_core_field_exists(struct inet_connection_sock___keepalive,
				  icsk_keepalive_timer.expires))
		return BPF_CORE_READ((struct inet_connection_sock___keepalive *)icsk,
				     icsk_keepalive_timer.expires);
	return BPF_CORE_READ((struct sock *)icsk, sk_timer.expires);
}

/* As net/ipv4/tcp_diag.c and inet_diag.c name what icsk_pending says. */
static __always_inline void fill_timer(struct sf_sock *rec, struct tcp_sock *tp, __u64 now)
{
	__u8 pending = tp->inet_conn.icsk_pending;

	switch (pending) {
	case ICSK_TIME_RETRANS:
	case ICSK_TIME_LOSS_PROBE:
	case ICSK_TIME_REO_TIMEOUT:
		rec->timer = SF_TIMER_RETRANSMIT;
		rec->timer_ticks = retransmit_at(tp) - now;
		break;
	case ICSK_TIME_PROBE0:
		rec->timer = SF_TIMER_PROBE0;
		rec->timer_ticks = retransmit_at(tp) - now;
		break;
	default:
		/* An orphan in FIN_WAIT2 lives on that timer too (tcp_keepalive_timer()). */
		if ((rec->flags & SF_SK_KEEPALIVE) ||
		    (rec->state == TCP_FIN_WAIT2 && (rec->flags & SF_SK_ORPHAN))) {
			rec->timer = SF_TIMER_KEEPALIVE;
			rec->timer_ticks = keepalive_at(tp) - now;
		}
	}
	rec->tries = tp->inet_conn.icsk_retransmits;
	rec->probes = tp->inet_conn.icsk_probes_out;
	rec->backoff = tp->inet_conn.icsk_backoff;
	rec->rto_ticks = tp->inet_conn.icsk_rto;
}

static __always_inline void fill_flags(struct sf_sock *rec, struct sock *sk)
{
	unsigned long flags = sk->__sk_common.skc_flags;
	__u8 shutdown = sk->sk_shutdown;

	if (flags & (1UL << SOCK_KEEPOPEN))
		rec->flags |= SF_SK_KEEPALIVE;
	if (flags & (1UL << SOCK_DEAD))
		rec->flags |= SF_SK_ORPHAN;
	else if (rec->state != TCP_LISTEN && !BPF_CORE_READ(sk, sk_socket))
		rec->flags |= SF_SK_UNACCEPTED;
	if (shutdown & RCV_SHUTDOWN)
		rec->flags |= SF_SK_SHUT_RCV;
	if (shutdown & SEND_SHUTDOWN)
		rec->flags |= SF_SK_SHUT_SND;
	/* A child inherits its listener's lock: of it this says nothing (inet_bind()). */
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK)
		rec->flags |= SF_SK_PORT_BOUND;
}

/* Who lets us read without its lock may have got a later stamp than our clock meanwhile. */
static __always_inline __u32 ticks_since(__u64 now, __u32 stamp)
{
	return stamp - (__u32)now < MEANWHILE_TICKS ? 0 : (__u32)now - stamp;
}

/* When it last sent and received. lsndtime and the like are the lower half of jiffies. */
static __always_inline void fill_ages(struct sf_sock *rec, struct tcp_sock *tp, __u64 now)
{
	__u32 stamp = tp->retrans_stamp;
	__u64 now_us = bpf_ktime_get_ns() / 1000;

	rec->sent_age_ticks = ticks_since(now, tp->lsndtime);
	rec->received_age_ticks = ticks_since(now, tp->inet_conn.icsk_ack.lrcvtime);
	rec->ack_age_ticks = ticks_since(now, tp->rcv_tstamp);
	rec->flags |= SF_SK_HAS_AGES;
	if (!stamp)
		return;
	rec->flags |= SF_SK_HAS_RETRANS;
	rec->since_retrans_ms = (__u32)(now_us / 1000) - stamp;
	if (bpf_core_field_exists(struct tcp_sock___usec, tcp_usec_ts) &&
	    BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock___usec *)tp, tcp_usec_ts))
		rec->since_retrans_ms = ((__u32)now_us - stamp) / 1000;
}

/*
 * When its process last read, or looked with MSG_PEEK: tcp_input.c tcp_rcv_space_adjust() notes
 * it, 5.10 to 7.3, once in a round trip and if one was ever measured. What it notes is the time,
 * or where that is not asked for ("tcp: remove one ktime_get() from recvmsg() fast path", 6.19
 * and later 6.18) when the segment before came.
 */
static __always_inline void fill_read_age(struct sf_sock *rec, struct tcp_sock *tp)
{
	__u64 noted_us = tp->rcvq_space.time, now_us = bpf_ktime_get_ns() / 1000, age_us;
	__u32 rtt_us = tp->rcv_rtt_est.rtt_us >> 3;

	if (!tp->rcv_rtt_est.rtt_us || !noted_us || noted_us > now_us)
		return;
	age_us = now_us - noted_us;
	/* It has read since, within a round trip. */
	if (tp->rcvq_space.seq != tp->copied_seq)
		age_us = age_us > rtt_us ? age_us - rtt_us : 0;
	rec->read_age_ms = age_us / 1000 < 0xffffffffU ? age_us / 1000 : 0xffffffffU;
	rec->flags |= SF_SK_HAS_READ_AGE;
}

/*
 * How long it had something to send, and how long of that its send buffer held
 * it up: net/ipv4/tcp.c tcp_get_info_chrono_stats(), 4.10 to 7.3. What goes on
 * now is not added up yet.
 */
static __always_inline void fill_busy(struct sf_sock *rec, struct tcp_sock *tp, __u64 now)
{
	__u8 type = BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type);
	__u32 ticks = type ? (__u32)now - tp->chrono_start : 0;

	rec->sndbuf_limited_ticks = tp->chrono_stat[TCP_CHRONO_SNDBUF_LIMITED - 1];
	rec->busy_ticks =
		tp->chrono_stat[0] + tp->chrono_stat[1] + rec->sndbuf_limited_ticks + ticks;
	if (type == TCP_CHRONO_SNDBUF_LIMITED)
		rec->sndbuf_limited_ticks += ticks;
	rec->send_buffer_bytes = tp->inet_conn.icsk_inet.sk.sk_sndbuf;
	rec->cwnd_segs = tp->snd_cwnd;
}

/*
 * How long the first in its accept queue has waited: the oldest, and it stays there, hashed no
 * more, when its client resets it (inet_csk_accept(), tcp_done()). As it has sent no data,
 * lsndtime is the end of its handshake: tcp_minisocks.c tcp_create_openreq_child(), tcp_input.c
 * tcp_rcv_state_process(), which sets it for Fast Open too; 5.10 to 6.18. Before 5.15
 * (04c7820b776f "bpf: tcp: Bpf iter batching and lock_sock") accept() may take it meanwhile: what
 * was read counts if it is still the first.
 */
static __always_inline void fill_first(struct sf_sock *rec, struct tcp_sock *tp, __u64 now)
{
	struct request_sock *first =
		BPF_CORE_READ(tp, inet_conn.icsk_accept_queue.rskq_accept_head);
	struct tcp_sock *child = first ? (struct tcp_sock *)BPF_CORE_READ(first, sk) : NULL;
	__u32 stamp;

	if (!child)
		return;
	stamp = BPF_CORE_READ(child, lsndtime);
	/* Not skc_num: a reset one has given back a port that bind() did not ask for. */
	if (BPF_CORE_READ(child, inet_conn.icsk_inet.inet_sport) != bpf_htons(rec->local_port) ||
	    BPF_CORE_READ(child, inet_conn.icsk_inet.sk.__sk_common.skc_net.net, ns.inum) !=
		    rec->netns ||
	    BPF_CORE_READ(tp, inet_conn.icsk_accept_queue.rskq_accept_head) != first)
		return;
	rec->sent_age_ticks = ticks_since(now, stamp);
	rec->flags |= SF_SK_HAS_AGES;
}

static __always_inline void fill_listener(struct sf_sock *rec, struct tcp_sock *tp, __u64 now)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	rec->accept_queue = sk->sk_ack_backlog;
	rec->backlog = sk->sk_max_ack_backlog;
	rec->half_open = tp->inet_conn.icsk_accept_queue.qlen.counter;
	rec->drops = sk->sk_drops.counter;
	if (tp->inet_conn.icsk_accept_queue.rskq_defer_accept)
		rec->flags |= SF_SK_DEFER_ACCEPT;
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only))
		rec->flags |= SF_SK_V6ONLY;
	fill_first(rec, tp, now);
}

static __always_inline void fill_full(struct sf_sock *rec, struct tcp_sock *tp, __u64 now)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	fill_flags(rec, sk);
	rec->err = sk->sk_err;
	if (rec->state == TCP_LISTEN) {
		fill_listener(rec, tp, now);
		return;
	}
	rec->soft_err = sk->sk_err_soft;
	fill_timer(rec, tp, now);
	fill_ages(rec, tp, now);
	fill_read_age(rec, tp);
	fill_busy(rec, tp, now);
	rec->bytes_acked = tp->bytes_acked;
	rec->bytes_received = tp->bytes_received;
	rec->snd_una = tp->snd_una;
	rec->snd_nxt = tp->snd_nxt;
	rec->write_seq = tp->write_seq;
	rec->rcv_nxt = tp->rcv_nxt;
	rec->copied_seq = tp->copied_seq;
	rec->snd_wnd = tp->snd_wnd;
	/* include/net/tcp.h tcp_receive_window() */
	rec->rcv_wnd = tp->rcv_wup + tp->rcv_wnd - rec->rcv_nxt;
	if ((__s32)rec->rcv_wnd < 0)
		rec->rcv_wnd = 0;
	rec->unacked_segs = tp->packets_out;
	rec->repeated_segs = tp->retrans_out;
	rec->mss_bytes = tp->mss_cache;
	rec->delivered_segs = tp->delivered;
	rec->receive_memory_bytes = sk->sk_backlog.rmem_alloc.counter;
	rec->receive_buffer_bytes = sk->sk_rcvbuf;
	rec->segments_sent = tp->segs_out;
	rec->segments_received = tp->segs_in;
	rec->retransmits = tp->total_retrans;
	rec->srtt_us = tp->srtt_us >> 3;
	rec->rtt_min_us = tp->rtt_min.s[0].v;
	rec->user_timeout_ms = tp->inet_conn.icsk_user_timeout;
}

/* Either TIME_WAIT, or an orphan's FIN_WAIT2: substate says which. */
static __always_inline void fill_timewait(struct sf_sock *rec, struct tcp_timewait_sock *tw,
					  __u64 now)
{
	struct inet_timewait_sock *inet = &tw->tw_sk;

	rec->substate = BPF_CORE_READ(inet, tw_substate);
	rec->timer = SF_TIMER_TIME_WAIT;
	rec->timer_ticks = BPF_CORE_READ(inet, tw_timer.expires) - now;
	rec->flags |= SF_SK_ORPHAN;
	if (bpf_core_field_exists(struct inet_timewait_sock___stamp, tw_entry_stamp)) {
		rec->flags |= SF_SK_HAS_RETRANS;
		rec->since_retrans_ms =
			(__u32)(bpf_ktime_get_ns() / 1000000) -
			BPF_CORE_READ((struct inet_timewait_sock___stamp *)inet, tw_entry_stamp);
	}
	rec->rcv_nxt = BPF_CORE_READ((struct sock_common *)tw, skc_tw_rcv_nxt);
	rec->snd_nxt = BPF_CORE_READ((struct sock_common *)tw, skc_tw_snd_nxt);
	rec->snd_una = rec->snd_nxt;
}

/* A handshake that waits for its last ACK. snt_synack is in microseconds of CLOCK_MONOTONIC. */
static __always_inline void fill_request(struct sf_sock *rec, struct tcp_request_sock *treq,
					 __u64 now)
{
	struct request_sock *req = &treq->req.req;
	__u64 synack_us = BPF_CORE_READ(treq, snt_synack);
	__u64 now_us = bpf_ktime_get_ns() / 1000;

	rec->listener = (__u64)BPF_CORE_READ(req, __req_common.skc_listener);
	rec->tries = BPF_CORE_READ_BITFIELD_PROBED(req, num_timeout);
	rec->timer = SF_TIMER_KEEPALIVE;
	rec->timer_ticks = BPF_CORE_READ(req, rsk_timer.expires) - now;
	if (synack_us && synack_us < now_us)
		rec->since_synack_us = now_us - synack_us;
	rec->snd_nxt = BPF_CORE_READ(treq, snt_isn) + 1;
	rec->snd_una = rec->snd_nxt - 1;
	rec->rcv_nxt = BPF_CORE_READ(treq, rcv_isn) + 1;
}

SEC("iter/tcp")
int sockets_iter(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct sf_sock rec = {};
	__u64 now = bpf_jiffies64();
	struct tcp_timewait_sock *tw;
	struct tcp_request_sock *req;
	struct tcp_sock *tp;

	if (!skc) {
		jiffies_then = now;
		monotonic_then_ns = bpf_ktime_get_ns();
		return 0;
	}
	fill_common(&rec, skc);
	rec.uid = ctx->uid;
	tp = (struct tcp_sock *)bpf_skc_to_tcp_sock(skc);
	if (tp) {
		fill_full(&rec, tp, now);
		goto write;
	}
	tw = (struct tcp_timewait_sock *)bpf_skc_to_tcp_timewait_sock(skc);
	if (tw) {
		fill_timewait(&rec, tw, now);
		goto write;
	}
	req = (struct tcp_request_sock *)bpf_skc_to_tcp_request_sock(skc);
	if (!req)
		return 0;
	fill_request(&rec, req, now);
write:
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}

SEC("iter/task_file")
int holders_iter(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct file *file = ctx->file;
	struct sf_holder rec = {};
	struct socket *socket;
	struct sock *sk;
	__u16 family;

	if (!task || !file)
		return 0;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ((struct file *)file, private_data);
	/* An AF_UNIX path is such an inode too, and no socket. */
	if (!socket || BPF_CORE_READ(socket, file) != file)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) ||
	    BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	rec.sk = (__u64)sk;
	rec.pid = BPF_CORE_READ(task, tgid);
	rec.uid = BPF_CORE_READ(task, cred, uid.val);
	rec.fd = ctx->fd;
	rec.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	rec.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	bpf_core_read_str(rec.comm, sizeof(rec.comm), &leader->comm);
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}
