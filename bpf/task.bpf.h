/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * In which call the running task is: by its own system call, or because it
 * dies. Only for hooks that the running task itself has reached; in softirq
 * it is a stranger. What cannot be told apart is not known.
 */
#ifndef SF_TASK_BPF_H
#define SF_TASK_BPF_H

#include "bpf/compat.bpf.h"

/* include/linux/sched.h, 5.10 to 7.3; io_uring has kernel threads before the last came, v5.12. */
#define PF_KTHREAD 0x00200000
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010

#if defined(__TARGET_ARCH_x86)
#define NR_READ 0
#define NR_CLOSE 3
#define NR_CONNECT 42
#define NR_SENDTO 44
#define NR_SENDMSG 46
#define NR_SHUTDOWN 48
#define NR_LISTEN 50
#define TS_COMPAT 2	   /* arch/x86/include/asm/thread_info.h: a 32-bit call is under way */
#define USER_CS 0x33	   /* arch/x86/include/asm/segment.h: 64-bit user code */
#define THREAD_BYTES 16384 /* arch/x86/include/asm/page_64_types.h THREAD_SIZE, without KASAN */
#define NR_REGS 21
#define REG_SI 13
#define REG_DI 14
#define REG_ORIG_AX 15 /* arch/x86/include/asm/ptrace.h struct pt_regs, v5.10 */
#define REG_CS 17
#elif defined(__TARGET_ARCH_arm64)
#define NR_READ 63
#define NR_CLOSE 57
#define NR_CONNECT 203
#define NR_SENDTO 206
#define NR_SENDMSG 211
#define NR_LISTEN 201
#define NR_SHUTDOWN 210
#define TIF_32BIT (1UL << 22) /* arch/arm64/include/asm/thread_info.h: a 32-bit process */
#endif
#define NR_CLOSE_RANGE 436 /* the same on all architectures */

/* A 32-bit program's call numbers mean other calls. */
static __always_inline bool is_32bit(void)
{
#if defined(__TARGET_ARCH_x86)
	return RD_TASK(thread_info.status) & TS_COMPAT;
#elif defined(__TARGET_ARCH_arm64)
	return RD_TASK(thread_info.flags) & TIF_32BIT;
#endif
}

struct call_args {
	__u64 first, second;
};

/*
 * The number of the system call that the running task is in, negative if it
 * is in none or that is not known; *ret_args, unless NULL: its arguments,
 * if it has that number. The registers' place has a helper since
 * dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper"), v5.15. Before, on x86,
 * they end the kernel stack (arch/x86/include/asm/processor.h task_pt_regs(),
 * v5.10); a stack of another size has no user code segment there.
 */
static __always_inline long running_syscall(struct call_args *ret_args)
{
	if (is_32bit())
		return -1;
	if (config.has_task_regs) {
		struct pt_regs *regs =
			(struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

#if defined(__TARGET_ARCH_x86)
		if (ret_args)
			*ret_args = (struct call_args){ regs->di, regs->si };
		return regs->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
		if (ret_args)
			*ret_args = (struct call_args){ regs->orig_x0, regs->regs[1] };
		return regs->syscallno;
#endif
	}
#if defined(__TARGET_ARCH_x86)
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 *regs = (__u64 *)(BPF_CORE_READ(task, stack) + THREAD_BYTES) - NR_REGS;
	__u64 orig_ax = -1, cs = 0;

	if (!bpf_probe_read_kernel(&cs, sizeof(cs), regs + REG_CS) && cs == USER_CS &&
	    !bpf_probe_read_kernel(&orig_ax, sizeof(orig_ax), regs + REG_ORIG_AX) &&
	    (!ret_args ||
	     (!bpf_probe_read_kernel(&ret_args->second, sizeof(__u64), regs + REG_SI) &&
	      !bpf_probe_read_kernel(&ret_args->first, sizeof(__u64), regs + REG_DI))))
		return orig_ax;
#endif
	return -1;
}

/* How the running task dies: SF_CALL_EXIT, SF_CALL_KILL, or SF_CALL_NONE if it does not. */
static __always_inline __u8 dying_call(void)
{
	if (!(RD_TASK(flags) & PF_EXITING))
		return SF_CALL_NONE;
	/* As wait(2) has it; set before the files are closed: kernel/exit.c do_exit(). */
	return RD_TASK(exit_code) & 0x7f ? SF_CALL_KILL : SF_CALL_EXIT;
}

/* With which call the running task closes: an enum sf_call, SF_CALL_NONE = not known. */
static __noinline __u8 running_call(void)
{
	__u8 dying = dying_call();

	if (dying)
		return dying;
	/* Workers call for others: io_uring's, MPTCP's. */
	if (RD_TASK(flags) & (PF_KTHREAD | PF_IO_WORKER))
		return SF_CALL_NONE;
	switch (running_syscall(NULL)) {
	case NR_CLOSE:
	case NR_CLOSE_RANGE:
		return SF_CALL_CLOSE;
	case NR_SHUTDOWN:
		return SF_CALL_SHUTDOWN;
	case NR_CONNECT:
		return SF_CALL_DISCONNECT;
	default:
		return SF_CALL_NONE;
	}
}

#define NR_SIGNALS 64
#define SIG_IGN 1 /* include/uapi/asm-generic/signal-defs.h; SIG_DFL is 0 */
#define SA_RESTART 0x10000000UL

/*
 * The running task's call returns ERESTARTSYS: is that EINTR to its program? Only if the signal has
 * a handler, one without SA_RESTART. Else the call begins anew, as after SIGSTOP and SIGCONT
 * (arch/x86/kernel/signal.c handle_signal(), arch_do_signal_or_restart()), or the program dies. Of
 * several signals the task's own come before those of its process, and low numbers first
 * (kernel/signal.c dequeue_signal()). 5.10 to 6.18.
 */
static __noinline bool restart_is_eintr(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sighand_struct *sighand = BPF_CORE_READ(task, sighand);
	__u64 blocked = BPF_CORE_READ(task, blocked.sig[0]);
	__u64 own = BPF_CORE_READ(task, pending.signal.sig[0]) & ~blocked;
	__u64 shared = BPF_CORE_READ(task, signal, shared_pending.signal.sig[0]) & ~blocked;

	for (__u32 i = 0; i < 2 * NR_SIGNALS; i++) {
		__u32 number = i % NR_SIGNALS;
		const struct k_sigaction *action;

		if (!((i < NR_SIGNALS ? own : shared) >> number & 1))
			continue;
		action = (const void *)sighand +
			 bpf_core_field_offset(struct sighand_struct, action) +
			 number * bpf_core_type_size(struct k_sigaction);
		if ((__u64)BPF_CORE_READ(action, sa.sa_handler) > SIG_IGN)
			return !(BPF_CORE_READ(action, sa.sa_flags) & SA_RESTART);
	}
	return false;
}

/* The socket behind one of these descriptors, of any family, or NULL. Untyped. */
static __always_inline struct sock *any_sock_of_fd(struct fdtable *fdt, long fd)
{
	struct file **files, *file = NULL;

	if (fd < 0 || fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	files = BPF_CORE_READ(fdt, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return NULL;
	return any_sock_of_file(file);
}

/* The family of the socket that the running task calls on: its first argument is the descriptor. */
static __always_inline __u16 family_of_fd(int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sock *sk = any_sock_of_fd(BPF_CORE_READ(task, files, fdt), fd);

	return BPF_CORE_READ(sk, __sk_common.skc_family);
}

/*
 * Why the running task ends a timewait socket: an enum sf_wait_end, NONE = not known. A message is
 * sock_diag's destroy on a netlink socket; else it takes the port, with MSG_FASTOPEN.
 */
static __noinline __u8 running_wait_end(void)
{
	struct call_args args = {};

	switch (running_syscall(&args)) {
	case NR_CONNECT:
		return SF_WAIT_END_REUSED;
	case NR_SENDTO:
	case NR_SENDMSG:
		switch (family_of_fd(args.first)) {
		case AF_NETLINK:
			return SF_WAIT_END_KILLED;
		case AF_INET:
		case AF_INET6:
			return SF_WAIT_END_REUSED;
		}
		return SF_WAIT_END_NONE;
	default:
		return SF_WAIT_END_NONE;
	}
}

#endif
