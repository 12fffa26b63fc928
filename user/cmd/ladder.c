// SPDX-License-Identifier: GPL-2.0-or-later
/* synfin ladder: each connection that has ended, drawn; both ends in one where they are here. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/out.h"
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/live.h"
#include "view/ladder.h"
#include "view/pairs.h"

/* 1024 ends of some 600 bytes; the other end of a connection mostly ends within milliseconds. */
#define ENDS_MAX 1024
#define WAIT_NS SF_NS_PER_S

struct drawer {
	struct sf_ladder ladder;
	struct sf_pairs *pairs;
	struct sf_out *out;
};

static void begin(void *ctx, const struct sf_view_options *options, struct sf_out *out)
{
	struct drawer *drawer = ctx;

	drawer->ladder.options = options;
	drawer->out = out;
}

static bool draw_event(void *ctx, const struct sf_event *event)
{
	struct drawer *drawer = ctx;
	struct sf_pair pair;

	if (!sf_ladder_shows(event) || !sf_pairs_add(drawer->pairs, event, &pair))
		return false;
	sf_ladder_draw(&drawer->ladder, &pair, drawer->out);
	return true;
}

static bool draw_due(void *ctx, uint64_t now_ns)
{
	struct drawer *drawer = ctx;
	struct sf_pair pair;

	if (!sf_pairs_due(drawer->pairs, now_ns, &pair))
		return false;
	sf_ladder_draw(&drawer->ladder, &pair, drawer->out);
	return true;
}

/* Only what came of the table's size is no part of the normal course. */
static void print_counts(const struct sf_pairs_counts *counts)
{
	sf_verbose("%" PRIu64 " drawn with both ends, %" PRIu64 " with one: %" PRIu64
		   " of them had waited for the other end",
		   counts->nr_joined, counts->nr_alone + counts->nr_late + counts->nr_crowded,
		   counts->nr_late + counts->nr_crowded);
	if (counts->nr_crowded)
		sf_notice("%" PRIu64
			  " ends were drawn alone before their time: more than %d waited",
			  counts->nr_crowded, ENDS_MAX);
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	static const struct sf_live_drawing drawing = { .begin = begin,
							.event = draw_event,
							.due = draw_due };
	struct drawer drawer = { .pairs = NULL };
	const struct sf_live_what what = {
		.want = { .kinds = 1U << SF_EV_CLOSE | 1U << SF_EV_FAILED,
			  /* It draws when TIME_WAIT begins, and does not wait for the end. */
			  .facts = SF_WANT_STEPS | SF_WANT_FIRST_BYTE | SF_WANT_TIME_WAIT_END },
		.noun = "connections",
		.drawing = &drawing,
		.ctx = &drawer,
	};
	int r;

	if (options->format != SF_FORMAT_TABLE)
		return sf_err(SF_EXIT_USAGE, "ladder only draws: leave out -o, or give -o table "
					     "(conns has the other formats)");
	r = sf_pairs_new(ENDS_MAX, WAIT_NS, &drawer.pairs);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(-r));
	r = sf_live_run(&what, options, argc, argv);
	if (r == SF_EXIT_OK)
		print_counts(sf_pairs_counts(drawer.pairs));
	sf_pairs_free(drawer.pairs);
	return r;
}

const struct sf_cmd sf_cmd_ladder = {
	.name = "ladder",
	.summary = "the drawn sequence of each connection: segments and system calls",
	.run = run,
};
