/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs of the closing half: calls that close, timewait sockets, first
 * bytes, probes. Part of synfin.bpf.c, which says how they are named.
 */
#ifndef SF_CLOSE_PROGRAMS_BPF_H
#define SF_CLOSE_PROGRAMS_BPF_H

#include "bpf/close.bpf.h"
#include "bpf/data.bpf.h"
#include "bpf/wait.bpf.h"

SEC("?fentry/tcp_close")
int BPF_PROG(close_fentry, struct sock *sk)
{
	on_close_call(sk, true);
	return 0;
}

SEC("?kprobe/tcp_close")
int BPF_KPROBE(close_kprobe, struct sock *sk)
{
	on_close_call(sk, false);
	return 0;
}

SEC("?fentry/tcp_shutdown")
int BPF_PROG(shutdown_fentry, struct sock *sk, int how)
{
	on_shutdown_call(sk, how);
	return 0;
}

SEC("?kprobe/tcp_shutdown")
int BPF_KPROBE(shutdown_kprobe, struct sock *sk, int how)
{
	on_shutdown_call(sk, how);
	return 0;
}

SEC("?fentry/tcp_time_wait")
int BPF_PROG(time_wait_fentry, struct sock *sk)
{
	on_time_wait(sk);
	return 0;
}

SEC("?kprobe/tcp_time_wait")
int BPF_KPROBE(time_wait_kprobe, struct sock *sk)
{
	on_time_wait(sk);
	return 0;
}

/* One function with the timer's start since v6.10 (seen in 6.12; 6.1 has the other one). */
SEC("?fentry/inet_twsk_hashdance_schedule")
int BPF_PROG(wait_begin_fentry4, struct inet_timewait_sock *tw, struct sock *sk)
{
	on_wait_begin(tw, sk, true);
	return 0;
}

SEC("?fentry/inet_twsk_hashdance")
int BPF_PROG(wait_begin_fentry3, struct inet_timewait_sock *tw, struct sock *sk)
{
	on_wait_begin(tw, sk, true);
	return 0;
}

SEC("?kprobe/inet_twsk_hashdance_schedule")
int BPF_KPROBE(wait_begin_kprobe4, struct inet_timewait_sock *tw, struct sock *sk)
{
	on_wait_begin(tw, sk, false);
	return 0;
}

SEC("?kprobe/inet_twsk_hashdance")
int BPF_KPROBE(wait_begin_kprobe3, struct inet_timewait_sock *tw, struct sock *sk)
{
	on_wait_begin(tw, sk, false);
	return 0;
}

SEC("?fentry/__inet_twsk_schedule")
int BPF_PROG(wait_fin_fentry, struct inet_timewait_sock *tw)
{
	on_wait_schedule(tw, true);
	return 0;
}

SEC("?kprobe/__inet_twsk_schedule")
int BPF_KPROBE(wait_fin_kprobe, struct inet_timewait_sock *tw)
{
	on_wait_schedule(tw, false);
	return 0;
}

SEC("?fentry/tcp_timewait_state_process")
int BPF_PROG(wait_segment_fentry, struct inet_timewait_sock *tw, struct sk_buff *skb,
	     struct tcphdr *th)
{
	on_wait_segment(tw, skb, th);
	return 0;
}

SEC("?kprobe/tcp_timewait_state_process")
int BPF_KPROBE(wait_segment_kprobe, struct inet_timewait_sock *tw, struct sk_buff *skb,
	       struct tcphdr *th)
{
	on_wait_segment(tw, skb, th);
	return 0;
}

/* What it returns stands behind its arguments, of which there are more since v6.10 and v6.14. */
SEC("?fexit/tcp_timewait_state_process")
int BPF_PROG(wait_answered_fexit3)
{
	on_wait_answered(ctx[3]);
	return 0;
}

SEC("?fexit/tcp_timewait_state_process")
int BPF_PROG(wait_answered_fexit4)
{
	on_wait_answered(ctx[4]);
	return 0;
}

SEC("?fexit/tcp_timewait_state_process")
int BPF_PROG(wait_answered_fexit5)
{
	on_wait_answered(ctx[5]);
	return 0;
}

SEC("?kretprobe/tcp_timewait_state_process")
int BPF_KRETPROBE(wait_answered_kretprobe, int status)
{
	on_wait_answered(status);
	return 0;
}

SEC("?fentry/tw_timer_handler")
int BPF_PROG(wait_expired_fentry, struct timer_list *timer)
{
	on_wait_expired(timer);
	return 0;
}

SEC("?kprobe/tw_timer_handler")
int BPF_KPROBE(wait_expired_kprobe, struct timer_list *timer)
{
	on_wait_expired(timer);
	return 0;
}

SEC("?fentry/inet_twsk_kill")
int BPF_PROG(wait_end_fentry, struct inet_timewait_sock *tw)
{
	on_wait_kill(tw);
	return 0;
}

SEC("?kprobe/inet_twsk_kill")
int BPF_KPROBE(wait_end_kprobe, struct inet_timewait_sock *tw)
{
	on_wait_kill(tw);
	return 0;
}

/* Every timer of the host comes here and to the next one. */
SEC("?tp_btf/timer_start")
int BPF_PROG(wait_begin_timer, struct timer_list *timer)
{
	on_wait_timer_start(timer, (__u64)timer->function);
	return 0;
}

SEC("?tp_btf/timer_expire_entry")
int BPF_PROG(wait_expired_timer, struct timer_list *timer)
{
	on_wait_timer_expire(timer, (__u64)timer->function);
	return 0;
}

SEC("?fentry/tcp_send_probe0")
int BPF_PROG(probe_fentry, struct sock *sk)
{
	on_probe(sk);
	return 0;
}

SEC("?kprobe/tcp_send_probe0")
int BPF_KPROBE(probe_kprobe, struct sock *sk)
{
	on_probe(sk);
	return 0;
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(first_out_tp, struct sock *sk, int ret)
{
	on_first_byte(sk, SF_STEP_FIRST_OUT, ret);
	return 0;
}

SEC("?fentry/tcp_sendmsg")
int BPF_PROG(first_out_fentry, struct sock *sk, void *msg, unsigned long size)
{
	on_first_byte(sk, SF_STEP_FIRST_OUT, size > 0);
	return 0;
}

SEC("?kprobe/tcp_sendmsg")
int BPF_KPROBE(first_out_kprobe, struct sock *sk, void *msg, unsigned long size)
{
	on_first_byte(sk, SF_STEP_FIRST_OUT, size > 0);
	return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(first_in_tp, struct sock *sk, int ret)
{
	on_first_byte(sk, SF_STEP_FIRST_IN, ret);
	return 0;
}

SEC("?fentry/tcp_cleanup_rbuf")
int BPF_PROG(first_in_fentry, struct sock *sk, int copied)
{
	on_first_byte(sk, SF_STEP_FIRST_IN, copied);
	return 0;
}

SEC("?kprobe/tcp_cleanup_rbuf")
int BPF_KPROBE(first_in_kprobe, struct sock *sk, int copied)
{
	on_first_byte(sk, SF_STEP_FIRST_IN, copied);
	return 0;
}

#endif
