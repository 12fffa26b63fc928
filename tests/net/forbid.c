// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sfgen forbid --cgroup DIR: from now on no process of that control group may
 * call out by IPv4. The program that says so is attached to the group and goes
 * with it.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	if (r < 0)
		sf_die("bpf %d: %s", cmd, strerror(errno));
	return (int)r;
}

int sf_run_forbid(struct sf_run *run)
{
	static const struct bpf_insn no[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K }, /* r0 = 0 */
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		.insns = (uintptr_t)no,
		.insn_cnt = sizeof(no) / sizeof(no[0]),
		.license = (uintptr_t) "GPL",
		.expected_attach_type = BPF_CGROUP_INET4_CONNECT,
	};
	/*
	 * Before v5.11 a program counts as locked memory, with all of this user's. Since
	 * then it need not be allowed.
	 */
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	union bpf_attr attach = { .attach_type = BPF_CGROUP_INET4_CONNECT };
	int fd = open(run->cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		sf_die("%s: %s", run->cgroup_path, strerror(errno));
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	attach.target_fd = (__u32)fd;
	attach.attach_bpf_fd = (__u32)bpf(BPF_PROG_LOAD, &load);
	bpf(BPF_PROG_ATTACH, &attach);
	return 0;
}
