// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs: thin wrappers, one per attach type, round the hook bodies of
 * open.bpf.h and close.bpf.h; more of them stand in close_programs.bpf.h. All
 * are off by default; user/kernel/plan.c says which are loaded. A name is
 * HOOK_ATTACHTYPE.
 */
#include <vmlinux.h>

#include "bpf/close.bpf.h"
#include "bpf/close_programs.bpf.h"
#include "bpf/open.bpf.h"
#include "bpf/seed.bpf.h"
#include "bpf/syscall.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * The story of a socket that leaves state old. If there is none, or the one
 * there is of another life, a new one begins with what the socket itself
 * tells: absent beats wrong.
 */
static __always_inline struct sf_story *story_leaving(struct sock *sk, struct tcp_sock *tp, int old,
						      __u64 now_ns)
{
	struct sf_story *st = story_get(sk);

	if (st && (st->state == old || story_resync(st, sk, tp, old)))
		return st;
	return story_adopt(sk, tp, old, now_ns, true);
}

static __always_inline void on_transition(struct sf_story *st, struct sock *sk, struct tcp_sock *tp,
					  int old, int new, __u64 now_ns)
{
	st->state = new;
	switch (new) {
	case TCP_ESTABLISHED:
		if (old == TCP_SYN_SENT)
			on_client_established(st, sk, tp, now_ns);
		else if (old == TCP_SYN_RECV)
			on_server_established(st, sk, tp, now_ns);
		break;
	case TCP_SYN_RECV:
		on_crossed_syn(st, now_ns);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		on_fin_sent(st, tp, old, now_ns);
		break;
	case TCP_FIN_WAIT2:
		step_fin_acked(st, now_ns);
		break;
	case TCP_CLOSING: /* the FINs crossed */
		st->closed_by = SF_SIDE_BOTH;
		on_fin_received(st, tp, old, now_ns, true);
		break;
	case TCP_CLOSE_WAIT:
		on_fin_received(st, tp, old, now_ns, true);
		break;
	case TCP_CLOSE:
		on_closed(st, sk, tp, old, now_ns);
		break;
	}
}

/* Returns false if the map refused the story that this needed. */
static __always_inline bool on_set_state(struct sock *sk, int old, int new)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct tcp_sock *tp;
	struct sf_story *st;

	/* MPTCP repeats states, e.g. LAST_ACK -> LAST_ACK (6.1 to 7.3). */
	if (old == new || sk->sk_protocol != IPPROTO_TCP)
		return true;
	tp = tcp_of(sk, true);
	if (!tp)
		return true;
	if (old == TCP_LISTEN && new == TCP_SYN_RECV)
		return on_child(sk, tp, now_ns);
	if (new == TCP_LISTEN)
		return on_listen(sk, tp, now_ns);
	if (old == TCP_CLOSE && new == TCP_SYN_SENT)
		return on_connect(sk, tp, now_ns);
	if (old == TCP_LISTEN) {
		st = story_get(sk);
		if (st)
			tell_drops(st, sk, now_ns, true);
		story_end(sk);
		return true;
	}
	/* A socket that was never opened: nothing to tell of it. */
	if (old == TCP_CLOSE)
		return true;
	st = story_leaving(sk, tp, old, now_ns);
	if (!st)
		return false;
	on_transition(st, sk, tp, old, new, now_ns);
	return true;
}

static __always_inline struct state_change *handled_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&handled, &zero);
}

/* What the map refuses is counted once per connection: at its birth, when it begins here. */
static __always_inline void handle_state(struct sock *sk, int old, int new)
{
	struct state_change *change;
	bool is_birth = old == TCP_CLOSE || old == TCP_LISTEN;

	if (!on_set_state(sk, old, new) && is_birth)
		count(SF_CNT_LOST_MAP);
	change = handled_here();
	if (change)
		*change = (struct state_change){ (__u64)sk, old, new };
}

/* Has a program before this one handled this state change? */
static __always_inline bool is_handled(struct sock *sk, int old, int new)
{
	const struct state_change *change = handled_here();
	const struct sf_story *st;

	if (change && change->sk == (__u64)sk && change->old == (__u32)old &&
	    change->new == (__u32) new)
		return true;
	st = story_get(sk);
	return st ? st->state == new : old == TCP_LISTEN &&new == TCP_CLOSE;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(state_tp, struct sock *sk, int old, int new)
{
	handle_state(sk, old, new);
	return 0;
}

/*
 * The next two run after state_tp at each state change, and do its work if it
 * was kept from it: the kernel skips a program that is already running on this
 * CPU (05b24ff9b2cf "bpf: Prevent bpf program recursion for raw tracepoint
 * probes", v6.1). A softirq interrupts a connect() or close() in it: 9 of 6782
 * connections in a storm were lost that way. And where tracepoints can be
 * preempted (guarded by SRCU, include/linux/tracepoint.h, v7.0), it stays
 * skipped for as long as the task it was preempted in waits: 300 of 60,000
 * state changes on 7.3 under QEMU, and 50 of these were skipped in the first
 * stand-in as well.
 *
 * Each has the whole body. A tail call into one program would save two thirds
 * of the verifier's time, but passes by the check that a program does not run
 * twice on a CPU, which its private stack (since v6.13) relies on: 7.x crashed.
 */
SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(state_again_tp, struct sock *sk, int old, int new)
{
	if (!is_handled(sk, old, new))
		handle_state(sk, old, new);
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(state_last_tp, struct sock *sk, int old, int new)
{
	struct state_change *change;

	if (!is_handled(sk, old, new))
		handle_state(sk, old, new);
	/* It must not stand for the same change of a later life. */
	change = handled_here();
	if (change)
		change->sk = 0;
	return 0;
}

SEC("?tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_tp, struct sock *sk)
{
	on_destroy(sk);
	return 0;
}

SEC("?tp_btf/tcp_receive_reset")
int BPF_PROG(rst_received_tp, struct sock *sk)
{
	on_rst_received(sk);
	return 0;
}

SEC("?tp_btf/tcp_send_reset")
int BPF_PROG(rst_sent_tp, struct sock *sk)
{
	__u8 reason = 0;

	/* NULL for a closed port, and typed so since 6.12. */
	if (!sk)
		return 0;
	/* The third argument came in v6.10, numbers that hold in v6.12. */
	if (bpf_core_enum_value_exists(enum sk_rst_reason, SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT))
		reason = ctx[2];
	on_rst_sent(sk, reason);
	return 0;
}

SEC("?tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit_tp, struct sock *sk, struct sk_buff *skb)
{
	/* Before 6.17 it speaks of those without an error only. */
	if (config.has_retransmit_err && (int)ctx[2])
		return 0;
	on_retransmit(sk, skb);
	return 0;
}

SEC("?fentry/tcp_connect")
int BPF_PROG(connect_fentry, struct sock *sk)
{
	on_tcp_connect(sk, true);
	return 0;
}

SEC("?kprobe/tcp_connect")
int BPF_KPROBE(connect_kprobe, struct sock *sk)
{
	on_tcp_connect(sk, false);
	return 0;
}

SEC("?fentry/inet_csk_complete_hashdance")
int BPF_PROG(handshake_fentry, struct sock *listener, struct sock *child, struct request_sock *req)
{
	on_handshake(listener, child, req);
	return 0;
}

SEC("?kprobe/inet_csk_complete_hashdance")
int BPF_KPROBE(handshake_kprobe, struct sock *listener, struct sock *child,
	       struct request_sock *req)
{
	on_handshake(listener, child, req);
	return 0;
}

/* Of every child up to 5.10; since 6.1, inlined elsewhere, of SYN cookies and Fast Open only. */
SEC("?fentry/inet_csk_reqsk_queue_add")
int BPF_PROG(queue_add_fentry, struct sock *listener, struct request_sock *req, struct sock *child)
{
	on_handshake(listener, child, req);
	return 0;
}

SEC("?kprobe/inet_csk_reqsk_queue_add")
int BPF_KPROBE(queue_add_kprobe, struct sock *listener, struct request_sock *req,
	       struct sock *child)
{
	on_handshake(listener, child, req);
	return 0;
}

SEC("?fentry/inet_csk_reqsk_queue_hash_add")
int BPF_PROG(syn_fentry, struct sock *listener, struct request_sock *req)
{
	on_syn(req);
	return 0;
}

SEC("?kprobe/inet_csk_reqsk_queue_hash_add")
int BPF_KPROBE(syn_kprobe, struct sock *listener, struct request_sock *req)
{
	on_syn(req);
	return 0;
}

SEC("?fentry/tcp_conn_request")
int BPF_PROG(syn_asked_fentry, void *ops, void *af_ops, struct sock *listener)
{
	on_syn_asked(listener);
	return 0;
}

SEC("?fexit/tcp_conn_request")
int BPF_PROG(syn_answered_fexit)
{
	on_syn_answered();
	return 0;
}

SEC("?kprobe/tcp_conn_request")
int BPF_KPROBE(syn_asked_kprobe, void *ops, void *af_ops, struct sock *listener)
{
	on_syn_asked(listener);
	return 0;
}

SEC("?kretprobe/tcp_conn_request")
int BPF_KRETPROBE(syn_answered_kretprobe)
{
	on_syn_answered();
	return 0;
}

SEC("?fentry/tcp_v4_syn_recv_sock")
int BPF_PROG(last_ack4_fentry, struct sock *listener)
{
	on_last_ack(listener);
	return 0;
}

SEC("?kprobe/tcp_v4_syn_recv_sock")
int BPF_KPROBE(last_ack4_kprobe, struct sock *listener)
{
	on_last_ack(listener);
	return 0;
}

/* Of IPv4 on an IPv6 listener it calls tcp_v4_syn_recv_sock(), where it is counted. */
static __always_inline void on_last_ack6(struct sock *listener, const struct sk_buff *skb)
{
	if (BPF_CORE_READ(skb, protocol) != bpf_htons(ETH_P_IP))
		on_last_ack(listener);
}

SEC("?fentry/tcp_v6_syn_recv_sock")
int BPF_PROG(last_ack6_fentry, struct sock *listener, struct sk_buff *skb)
{
	on_last_ack6(listener, skb);
	return 0;
}

SEC("?kprobe/tcp_v6_syn_recv_sock")
int BPF_KPROBE(last_ack6_kprobe, struct sock *listener, struct sk_buff *skb)
{
	on_last_ack6(listener, skb);
	return 0;
}

SEC("?fentry/tcp_check_req")
int BPF_PROG(request_rst_fentry, struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	on_request_segment(skb, req);
	return 0;
}

SEC("?kprobe/tcp_check_req")
int BPF_KPROBE(request_rst_kprobe, struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	on_request_segment(skb, req);
	return 0;
}

SEC("?fentry/inet_csk_reqsk_queue_drop")
int BPF_PROG(request_drop_fentry, struct sock *listener, struct request_sock *req)
{
	on_request_drop(req);
	return 0;
}

SEC("?kprobe/inet_csk_reqsk_queue_drop")
int BPF_KPROBE(request_drop_kprobe, struct sock *listener, struct request_sock *req)
{
	on_request_drop(req);
	return 0;
}

SEC("?fentry/tcp_v4_reqsk_destructor")
int BPF_PROG(request_end4_fentry, struct request_sock *req)
{
	on_request_end(req);
	return 0;
}

SEC("?kprobe/tcp_v4_reqsk_destructor")
int BPF_KPROBE(request_end4_kprobe, struct request_sock *req)
{
	on_request_end(req);
	return 0;
}

SEC("?fentry/tcp_v6_reqsk_destructor")
int BPF_PROG(request_end6_fentry, struct request_sock *req)
{
	on_request_end(req);
	return 0;
}

SEC("?kprobe/tcp_v6_reqsk_destructor")
int BPF_KPROBE(request_end6_kprobe, struct request_sock *req)
{
	on_request_end(req);
	return 0;
}

/* Returns the accepted socket: inet_csk_accept(sk, flags, err, kern) up to 6.9. */
SEC("?fexit/inet_csk_accept")
int BPF_PROG(accept_fexit4)
{
	struct sock *sk = (struct sock *)ctx[4];

	if (sk)
		on_accept(sk, (struct sock *)ctx[0], true);
	return 0;
}

/* inet_csk_accept(sk, arg) since 92ef0fd55ac8, v6.10: the return stands elsewhere. */
SEC("?fexit/inet_csk_accept")
int BPF_PROG(accept_fexit2)
{
	struct sock *sk = (struct sock *)ctx[2];

	if (sk)
		on_accept(sk, (struct sock *)ctx[0], true);
	return 0;
}

/* Also runs for an accept() that was already waiting when we attached: fexit then misses it. */
SEC("?fentry/security_sock_graft")
int BPF_PROG(graft_fentry, struct sock *sk)
{
	on_accept(sk, NULL, true);
	return 0;
}

SEC("?kprobe/security_sock_graft")
int BPF_KPROBE(graft_kprobe, struct sock *sk)
{
	on_accept(sk, NULL, false);
	return 0;
}

/* __inet_stream_connect(sock, uaddr, addr_len, flags, is_sendmsg): uaddr is in the kernel. */
SEC("?fexit/__inet_stream_connect")
int BPF_PROG(connect_end_fexit, struct socket *sock, const void *uaddr)
{
	struct dialed to = {};
	int ret = ctx[5];

	if (ret < 0 && !bpf_probe_read_kernel(&to, sizeof(to), uaddr))
		on_connect_end(BPF_CORE_READ(sock, sk), &to, -ret);
	return 0;
}

SEC("?fentry/tcp_v4_init_sock")
int BPF_PROG(socket4_fentry, struct sock *sk)
{
	on_socket(sk, true);
	return 0;
}

SEC("?kprobe/tcp_v4_init_sock")
int BPF_KPROBE(socket4_kprobe, struct sock *sk)
{
	on_socket(sk, false);
	return 0;
}

SEC("?fentry/tcp_v6_init_sock")
int BPF_PROG(socket6_fentry, struct sock *sk)
{
	on_socket(sk, true);
	return 0;
}

SEC("?kprobe/tcp_v6_init_sock")
int BPF_KPROBE(socket6_kprobe, struct sock *sk)
{
	on_socket(sk, false);
	return 0;
}

SEC("?fentry/inet_csk_get_port")
int BPF_PROG(bind_fentry, struct sock *sk)
{
	on_bind(sk);
	return 0;
}

SEC("?kprobe/inet_csk_get_port")
int BPF_KPROBE(bind_kprobe, struct sock *sk)
{
	on_bind(sk);
	return 0;
}
