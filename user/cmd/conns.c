// SPDX-License-Identifier: GPL-2.0-or-later
/* synfin conns: a line per connection, when it has ended or failed to open. */
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/live.h"

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	static const struct sf_live_what what = {
		.view = SF_VIEW_CONNS,
		.want = { .kinds = 1U << SF_EV_CLOSE | 1U << SF_EV_FAILED },
		.noun = "connections",
		.joins_ends = true,
	};

	return sf_live_run(&what, options, argc, argv);
}

const struct sf_cmd sf_cmd_conns = {
	.name = "conns",
	.summary = "a line per connection, when it ends: both ends, times, how it ended",
	.run = run,
};
