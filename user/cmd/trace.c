// SPDX-License-Identifier: GPL-2.0-or-later
/* synfin trace: a line per step of each connection, as it happens. */
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/live.h"

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	static const struct sf_live_what what = {
		.view = SF_VIEW_TRACE,
		.want = { .kinds = ~(1U << SF_EV_NONE), .facts = SF_WANT_STEPS },
		.noun = "events",
	};

	return sf_live_run(&what, options, argc, argv);
}

const struct sf_cmd sf_cmd_trace = {
	.name = "trace",
	.summary = "a line per step of each connection, as it happens",
	.run = run,
};
