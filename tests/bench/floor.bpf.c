// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What no tracer on these hooks can go below: programs that do nothing
 * (empty_*); one ring record of the real size, empty, reserved and sent without
 * a wake-up at the end of each socket (submit_*); the same record kept in a hash
 * from the socket's begin, never looked at in between, and sent (record_*).
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/story.h"

char LICENSE[] SEC("license") = "GPL";

/* include/net/tcp_states.h */
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct sf_story);
} stories SEC(".maps");

static const struct sf_story empty_story;

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(empty_state, struct sock *sk, int old, int new)
{
	return 0;
}

SEC("?tp_btf/tcp_destroy_sock")
int BPF_PROG(empty_destroy, struct sock *sk)
{
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(empty_exit, struct pt_regs *regs, long ret)
{
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(submit_state, struct sock *sk, int old, int new)
{
	return 0;
}

SEC("?tp_btf/tcp_destroy_sock")
int BPF_PROG(submit_destroy, struct sock *sk)
{
	struct sf_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (event)
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(submit_exit, struct pt_regs *regs, long ret)
{
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(record_state, struct sock *sk, int old, int new)
{
	__u64 key = (__u64)sk;

	if ((old == TCP_CLOSE && new == TCP_SYN_SENT) || (old == TCP_LISTEN && new == TCP_SYN_RECV))
		bpf_map_update_elem(&stories, &key, &empty_story, BPF_ANY);
	return 0;
}

SEC("?tp_btf/tcp_destroy_sock")
int BPF_PROG(record_destroy, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct sf_story *story = bpf_map_lookup_elem(&stories, &key);
	struct sf_event *event;

	if (!story)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (event) {
		event->story = *story;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	}
	bpf_map_delete_elem(&stories, &key);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(record_exit, struct pt_regs *regs, long ret)
{
	return 0;
}
