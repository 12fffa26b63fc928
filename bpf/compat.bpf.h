/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where kernels differ: one entry per difference, with what it depends on.
 * Nothing here tests a version; a field, type or helper is asked for itself.
 */
#ifndef SF_COMPAT_BPF_H
#define SF_COMPAT_BPF_H

#include <vmlinux.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/maps.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define ETH_P_IP 0x0800
#define IPPROTO_TCP 6
#define TCPHDR_FIN 0x01 /* include/net/tcp.h */
#define TCPHDR_SYN 0x02
#define TCPHDR_RST 0x04

/* include/net/tcp_states.h: unchanged since 4.4 */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

/*
 * One hook body serves typed programs (tp_btf, fentry), whose pointers are
 * read directly, and kprobes and raw pointers, which need a checked read. The
 * first argument is a constant, so only one of the two is compiled. Not for
 * pointers: of each that is loaded typed the verifier looks up names in all of
 * the kernel's BTF, as often as it comes by: 0.5 ms, three quarters of a start's
 * time (6.18, kernel/bpf/verifier.c btf_nested_type_is_trusted()).
 */
#define RD(typed, ptr, field) ((typed) ? (ptr)->field : BPF_CORE_READ(ptr, field))
#define RD_BITS(typed, ptr, field) \
	((typed) ? BPF_CORE_READ_BITFIELD(ptr, field) : BPF_CORE_READ_BITFIELD_PROBED(ptr, field))

/*
 * The same of the running task: its typed pointer can be had since 3ca1032ab7ab ("bpf: Implement
 * get_current_task_btf and RET_PTR_TO_BTF_ID"), v5.11.
 */
#define RD_TASK(field)                               \
	(config.has_task_regs ?                      \
		 bpf_get_current_task_btf()->field : \
		 BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), field))

/*
 * The TCP view of a socket, or NULL if it is none. Typed programs may not
 * cast (the verifier knows the type: "access beyond struct sock"), they ask.
 * bpf_skc_to_tcp_sock() also refuses MPTCP's own socket, whose protocol is
 * 262 and whose tcp_sock fields are garbage (6.1 to 7.3).
 */
static __always_inline struct tcp_sock *tcp_of(struct sock *sk, bool typed)
{
	if (typed)
		return (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return NULL;
	return (struct tcp_sock *)sk;
}

/* The socket behind a file, of any family, or NULL. Untyped. */
static __always_inline struct sock *any_sock_of_file(const struct file *file)
{
	/* A file is a socket's if the socket points back at it. */
	struct socket *sock = (struct socket *)BPF_CORE_READ(file, private_data);

	if (!sock || BPF_CORE_READ(sock, file) != file)
		return NULL;
	return BPF_CORE_READ(sock, sk);
}

/* NULL stays NULL: what is read there is no family. */
static __always_inline struct sock *inet_or_null(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6 ? sk : NULL;
}

/* The internet socket that a file is, or NULL. */
static __always_inline struct sock *sock_of_file(const struct file *file)
{
	return inet_or_null(any_sock_of_file(file));
}

/*
 * The kernel's socket cookie, 0 if it has none yet. The helper makes one, but
 * exists in tracing programs only since c5dbb89fc2ac ("bpf: Expose
 * bpf_get_socket_cookie to tracing programs"), v5.12, and never in kprobes.
 */
static __always_inline __u64 cookie_of(struct sock *sk, bool typed)
{
	if (typed && config.has_cookie_helper)
		return bpf_get_socket_cookie(sk);
	return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

#endif
