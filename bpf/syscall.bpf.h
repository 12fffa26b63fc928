/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * System calls as they return, where no hook on kernel functions can be had:
 * accept(), connect() that fails, socket() and bind(). One program, as it runs
 * at every system call of the host.
 */
#ifndef SF_SYSCALL_BPF_H
#define SF_SYSCALL_BPF_H

#include "bpf/open.bpf.h"
#include "bpf/task.bpf.h"

/* arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h */
#if defined(__TARGET_ARCH_x86)
#define NR_SOCKET 41
#define NR_ACCEPT 43
#define NR_BIND 49
#define NR_ACCEPT4 288
#elif defined(__TARGET_ARCH_arm64)
#define NR_SOCKET 198
#define NR_BIND 200
#define NR_ACCEPT 202
#define NR_ACCEPT4 242
#endif

static __always_inline long syscall_nr(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return regs->syscallno;
#endif
}

/* The call's first two arguments. */
static __always_inline long syscall_arg1(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->di;
#elif defined(__TARGET_ARCH_arm64)
	return regs->orig_x0;
#endif
}

static __always_inline unsigned long syscall_arg2(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->si;
#elif defined(__TARGET_ARCH_arm64)
	return regs->regs[1];
#endif
}

/* The internet socket behind one of these descriptors, or NULL. Untyped. */
static __always_inline struct sock *sock_of_fd(struct fdtable *fdt, long fd)
{
	return inet_or_null(any_sock_of_fd(fdt, fd));
}

static __always_inline void on_connect_exit(struct fdtable *fdt, struct pt_regs *regs, long ret)
{
	struct sock *sk = sock_of_fd(fdt, syscall_arg1(regs));
	void *addr = (void *)syscall_arg2(regs);
	struct dialed to = {};

	/* A sockaddr_in may end where the page does. */
	if (!sk || bpf_probe_read_user(&to, sizeof(to) - sizeof(to.addr_v6), addr))
		return;
	if (to.family == AF_INET6 && bpf_probe_read_user(&to, sizeof(to), addr))
		return;
	on_connect_end(sk, &to, -ret);
}

/*
 * Where neither fentry nor kprobes exist: calls as they return. Does not see
 * io_uring's, nor those of 32-bit programs; such a socket's owner is learned
 * when it closes.
 */
SEC("?tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long ret)
{
	long nr = syscall_nr(regs);
	struct task_struct *task;
	struct fdtable *fdt;
	struct sock *sk = NULL;

	if (nr != NR_ACCEPT && nr != NR_ACCEPT4 && nr != NR_CONNECT &&
	    (!config.want_steps || (nr != NR_SOCKET && nr != NR_BIND)))
		return 0;
	if (nr == NR_CONNECT ? ret >= 0 : ret < 0)
		return 0;
	if (is_32bit())
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	fdt = BPF_CORE_READ(task, files, fdt);
	if (nr == NR_CONNECT) {
		on_connect_exit(fdt, regs, ret);
		return 0;
	}
	sk = sock_of_fd(fdt, nr == NR_BIND ? syscall_arg1(regs) : ret);
	if (!sk)
		return 0;
	if (nr == NR_BIND)
		on_bind(sk);
	else if (nr == NR_SOCKET && tcp_of(sk, false))
		on_socket(sk, false);
	else if (nr != NR_SOCKET)
		on_accept(sk, sock_of_fd(fdt, syscall_arg1(regs)), false);
	return 0;
}

#endif
