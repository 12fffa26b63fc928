// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the kernel what it allows: capabilities, BTF, and a trial of each way to attach. */
#include "kernel/caps.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "base/util.h"

/* libbpf's own lines are for those who debug. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	return sf_log_verbosity() >= SF_DEBUG ? vfprintf(stderr, fmt, args) : 0;
}

/* mov r0, 0; exit */
static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* Capabilities as bits. */
struct cap_sets {
	uint64_t effective;
	uint64_t permitted;
};

static int get_caps(struct cap_sets *ret)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	ret->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	ret->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

/* Inheritable ones, and with them those that are ambient, are none. */
static int set_caps(const struct cap_sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)sets->effective, .permitted = (uint32_t)sets->permitted },
		{ .effective = (uint32_t)(sets->effective >> 32),
		  .permitted = (uint32_t)(sets->permitted >> 32) },
	};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/*
 * capget(2) tells of the capabilities in one's own user namespace; those that
 * count are in the initial one (kernel/bpf/syscall.c bpf_prog_load(): bpf_capable(),
 * perfmon_capable()). A seccomp filter refuses as well. Only trying tells.
 */
static int try_load(void)
{
	int fd;

	libbpf_set_print(print_libbpf);
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "sf_trial", "GPL", return_zero,
			   sizeof(return_zero) / sizeof(return_zero[0]), NULL);
	if (fd < 0)
		return fd == -EPERM ? -EACCES : 0; /* what else is wrong is told by who needs it */
	close(fd);
	return 0;
}

int sf_caps_check_privilege(void)
{
	const uint64_t both = SF_CAP(CAP_BPF) | SF_CAP(CAP_PERFMON);
	struct cap_sets sets;
	int r = get_caps(&sets);

	if (r)
		return r;
	if (sets.effective & SF_CAP(CAP_SYS_ADMIN) || (sets.effective & both) == both)
		return try_load();
	return -EPERM;
}

int sf_caps_drop(uint64_t keep, int (*still_works)(const void *ctx), const void *ctx)
{
	struct cap_sets had, sets;
	int r = get_caps(&had);

	if (r)
		return r;
	sets = (struct cap_sets){ .effective = had.permitted & keep, .permitted = had.permitted };
	r = set_caps(&sets);
	if (r)
		return r;
	r = still_works(ctx);
	if (r == -EPERM) {
		sets.effective |= had.permitted & SF_CAP(CAP_BPF) ?
					  SF_CAP(CAP_BPF) :
					  had.permitted & SF_CAP(CAP_SYS_ADMIN);
		r = 0;
	}
	sets.permitted = sets.effective;
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		r = -errno;
	return r ? r : set_caps(&sets);
}

/*
 * Loads an empty program for a typed attach point and attaches it. Some kernels load, then refuse
 * to attach.
 */
static int try_btf_attach(struct btf *btf, const char *name, __u32 kind, enum bpf_attach_type type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	int prog_fd, link_fd, id, r;

	id = btf__find_by_name_kind(btf, name, kind);
	if (id < 0)
		return id;
	opts.attach_btf_id = id;
	prog_fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "sf_trial", "GPL", return_zero,
				sizeof(return_zero) / sizeof(return_zero[0]), &opts);
	if (prog_fd < 0)
		return prog_fd;
	link_fd = bpf_raw_tracepoint_open(NULL, prog_fd);
	r = link_fd < 0 ? link_fd : 0;
	if (link_fd >= 0)
		close(link_fd);
	close(prog_fd);
	return r;
}

/* The kernel has kprobes if it has their perf event source. 0 or -ENOENT. */
static int try_kprobe(void)
{
	return access("/sys/bus/event_source/devices/kprobe/type", R_OK) ? -ENOENT : 0;
}

/* How many arguments a tracepoint hands to a program (include/trace/bpf_probe.h); -1: no such. */
static int nr_tracepoint_args(const struct btf *btf, const char *tracepoint)
{
	const struct btf_type *type;
	char name[128];
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	type = btf__type_by_id(btf, id > 0 ? (__u32)id : 0);
	while (type && (btf_is_typedef(type) || btf_is_ptr(type)))
		type = btf__type_by_id(btf, type->type);
	/* the first is the program's own */
	return type && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -1;
}

int sf_caps_btf_err(int r)
{
	struct btf *btf;

	if (r != -ESRCH)
		return r;
	btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	r = btf ? 0 : -errno;
	btf__free(btf);
	/* It can be read: what that took was not to be had a moment ago. */
	return r ? r : -ENOMEM;
}

int sf_caps_read(struct sf_caps *ret)
{
	struct sf_caps caps = {};

	libbpf_set_print(print_libbpf);
	caps.btf = btf__load_vmlinux_btf();
	if (!caps.btf)
		return sf_caps_btf_err(-errno);
	caps.attach_err[SF_ATTACH_TP] = try_btf_attach(caps.btf, "btf_trace_inet_sock_set_state",
						       BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP);
	caps.attach_err[SF_ATTACH_FENTRY] =
		try_btf_attach(caps.btf, "tcp_connect", BTF_KIND_FUNC, BPF_TRACE_FENTRY);
	caps.attach_err[SF_ATTACH_KPROBE] = try_kprobe();
	caps.attach_err[SF_ATTACH_ITER] =
		btf__find_by_name_kind(caps.btf, "bpf_iter_tcp", BTF_KIND_FUNC) > 0 ? 0 : -ENOENT;
	for (int i = SF_ATTACH_TP; i < SF_ATTACH_NR; i++) {
		caps.can_attach[i] = !caps.attach_err[i];
		if (!sf_is_shortage(caps.attach_err[i]))
			continue;
		sf_caps_clear(&caps);
		return caps.attach_err[i];
	}
	caps.has_cookie_helper =
		btf__find_by_name_kind(caps.btf, "bpf_get_socket_ptr_cookie", BTF_KIND_FUNC) > 0;
	caps.has_task_regs = btf__find_by_name_kind(caps.btf, "bpf_task_pt_regs", BTF_KIND_FUNC) >
			     0;
	caps.has_retransmit_err = nr_tracepoint_args(caps.btf, "tcp_retransmit_skb") >= 3;
	*ret = caps;
	return 0;
}

void sf_caps_clear(struct sf_caps *caps)
{
	btf__free(caps->btf);
	caps->btf = NULL;
}

static bool has_function(const struct btf *btf, const char *name, int nr_args)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	const struct btf_type *func, *proto;

	if (id < 0)
		return false;
	func = btf__type_by_id(btf, id);
	proto = func ? btf__type_by_id(btf, func->type) : NULL;
	return proto && (!nr_args || btf_vlen(proto) == nr_args);
}

bool sf_caps_has_target(const struct sf_caps *caps, const struct sf_hook_alt *alt)
{
	if (alt->attach != SF_ATTACH_TP)
		return has_function(caps->btf, alt->target, alt->nr_args);
	return nr_tracepoint_args(caps->btf, alt->target) >= 0;
}
