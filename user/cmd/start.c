// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting to trace: what can go wrong here is told in one line with its remedy. */
#include "cmd/start.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

static const char *remedy(int r)
{
	switch (r) {
	case -EMFILE:
	case -ENFILE:
		return ": raise the limit of descriptors, as with 'ulimit -n 1024'";
	case -ENOMEM:
		return ": raise the limit (of the control group; ulimit -v)";
	case -ENOENT:
		return ": /proc must be mounted";
	default:
		return "";
	}
}

int sf_start_no_sockets(int r)
{
	return sf_err(SF_EXIT_FAILURE, "cannot read which sockets exist: %s%s", strerror(-r),
		      remedy(r));
}

int sf_start_caps(struct sf_caps *ret)
{
	int r = sf_caps_check_privilege();

	if (r == -EPERM)
		return sf_err(SF_EXIT_NO_PERMISSION,
			      "no permission to trace: run it as root, or grant the program "
			      "'setcap cap_bpf,cap_perfmon+ep'");
	if (r == -EACCES)
		return sf_err(SF_EXIT_NO_PERMISSION,
			      "no permission to trace: the kernel refuses bpf() although the "
			      "capabilities are there, as in a user namespace or a container: run "
			      "it as root of the host");
	if (!r)
		r = sf_caps_read(ret);
	if (r == -ENOENT)
		return sf_err(SF_EXIT_UNSUPPORTED,
			      "this kernel has no BTF (/sys/kernel/btf/vmlinux): synfin needs a "
			      "kernel built with CONFIG_DEBUG_INFO_BTF, as distributions' are "
			      "since about 5.10");
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot ask the kernel what it allows: %s%s",
			      strerror(-r), remedy(r));
	return SF_EXIT_OK;
}

static uint64_t round_up_pow2(uint64_t value)
{
	uint64_t power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

int sf_start_tracer(const struct sf_options *options, const struct sf_cut *cut, struct sf_want want,
		    sf_record_fn fn, void *ctx, struct sf_tracer **ret)
{
	struct sf_tracer_opts opts = {
		.tier = options->tier,
		.cut = *cut,
		.want = want,
		.ring_bytes = round_up_pow2(options->buffer_bytes),
		.max_stories = options->max_connections,
	};
	struct sf_caps caps;
	char err[512] = "";
	int r;

	if (options->first_byte)
		opts.want.facts |= SF_WANT_FIRST_BYTE;
	r = sf_start_caps(&caps);
	if (r)
		return r;
	r = sf_tracer_new(ret, &caps, &opts, fn, ctx, err, sizeof(err));
	sf_caps_clear(&caps);
	if (!r)
		return SF_EXIT_OK;
	sf_err(0, "%s", err);
	if (r == -EPERM)
		return SF_EXIT_NO_PERMISSION;
	return r == -EOPNOTSUPP ? SF_EXIT_UNSUPPORTED : SF_EXIT_FAILURE;
}
