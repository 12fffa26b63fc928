// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int sf_refusal_explain(const struct sf_refusal *why, char *err, size_t err_size)
{
	if (why->lacks_target) {
		snprintf(err, err_size,
			 "this kernel lacks the tracepoints that synfin needs: "
			 "sock:inet_sock_set_state and tcp:tcp_destroy_sock, typed: boot Linux 5.9 "
			 "or newer, with BTF");
		return -EOPNOTSUPP;
	}
	/* Before the errno: the verifier says EACCES of what it cannot prove, too. */
	if (why->is_verifier) {
		snprintf(err, err_size,
			 "this kernel's verifier refuses the program %s, without which nothing can "
			 "be traced: please report it with what -vv prints",
			 why->program);
		return -EOPNOTSUPP;
	}
	switch (why->err) {
	case -EPERM:
	case -EACCES:
		snprintf(err, err_size,
			 "the kernel refused to load BPF programs (%s) although the capabilities "
			 "are there: look for lockdown, a seccomp filter or an LSM policy",
			 strerror(-why->err));
		return -EPERM;
	case -ENOMEM:
		snprintf(
			err, err_size,
			"not enough memory: try a smaller --buffer or --max-connections, or raise "
			"the limit (of the control group; ulimit -v; before Linux 5.11 ulimit -l)");
		return why->err;
	case -EMFILE:
	case -ENFILE:
		snprintf(err, err_size,
			 "too few descriptors: each hook takes two; raise their limit, as with "
			 "'ulimit -n 1024'");
		return why->err;
	default:
		snprintf(err, err_size,
			 "cannot load the BPF programs: %s; please report it with what -vv prints",
			 strerror(-why->err));
		return why->err;
	}
}
