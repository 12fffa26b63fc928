// SPDX-License-Identifier: GPL-2.0-or-later
/* Taking snapshots for the commands that show what exists now. */
#include "cmd/take.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "cmd/start.h"
#include "filter/filter.h"
#include "kernel/caps.h"
#include "kernel/snapshot.h"
#include "story/snapshot.h"

int sf_take_start(const struct sf_options *options, struct sf_snapper **ret)
{
	int r = options->no_bpf ? 0 : sf_caps_check_privilege();

	if (r == -EPERM)
		return sf_err(
			SF_EXIT_NO_PERMISSION,
			"no permission to read the kernel's sockets: run it as root, or grant "
			"the program 'setcap cap_bpf,cap_perfmon,cap_sys_admin+ep'");
	r = sf_snapper_new(options->no_bpf, ret);
	if (r)
		return sf_start_no_sockets(r);
	r = sf_snapper_lacks_bpf(*ret);
	if (r < 0)
		sf_notice("the kernel refused the BPF iterators (%s; details: -vv): sock_diag "
			  "tells less, as --no-bpf says in the manual",
			  strerror(-r));
	return SF_EXIT_OK;
}

int sf_take_said(const struct sf_snapper *snapper, const struct sf_snapshot *snap, int r)
{
	if (r)
		return sf_start_no_sockets(r);
	if (snap->nr_missed_ns && sf_snapper_nr_taken(snapper) == 1) /* it stays so */
		sf_warn("not all network namespaces can be found and entered (that takes "
			"CAP_SYS_ADMIN, CAP_SYS_PTRACE and the host's own /proc): the sockets of "
			"others are missing");
	if (snap->nr_bad)
		sf_warn("%zu sockets were not as expected and were left out", snap->nr_bad);
	return SF_EXIT_OK;
}

int sf_take(struct sf_snapper *snapper, struct sf_snapshot *ret)
{
	return sf_take_said(snapper, ret, sf_snapper_take(snapper, ret));
}

int sf_take_filter(const struct sf_options *options, int argc, const char *const *argv,
		   struct sf_filter **ret)
{
	char err[256];
	int r;

	if (options->read_path || options->write_path)
		return sf_err(SF_EXIT_USAGE,
			      "this command looks at the host as it is now: -r and -w are for "
			      "commands that trace");
	r = sf_options_filter(options, argc, argv, ret, err, sizeof(err));

	if (!r)
		return SF_EXIT_OK;
	return sf_err(r == -ENOMEM ? SF_EXIT_FAILURE : SF_EXIT_USAGE, "%s", err);
}
