/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ladder: a connection that has ended, or as far as it is, drawn as the sequence of its
 * segments and system calls between two rails, client left and server right,
 * on one clock; above it who, below it how it ended. Called by the ladder
 * command with one end or with both.
 */
#ifndef SF_VIEW_LADDER_H
#define SF_VIEW_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "view/view.h"

struct sf_event;
struct sf_out;
struct sf_pair;

struct sf_ladder {
	/*
	 * Borrowed. Looked at: time_format, start_ns and realtime_offset_ns for the time above
	 * a drawing; is_coloured, is_ascii, has_no_headers. The width is always 80.
	 */
	const struct sf_view_options *options;
	uint64_t previous_ns; /* CLOCK_BOOTTIME of the drawing before, 0 = none; kept here */
};

/* Does this event end a connection? Others have no drawing. */
bool sf_ladder_shows(const struct sf_event *event);
/*
 * Draws the ends, which sf_ladder_shows() or a snapshot found (SF_EV_STUCK), and
 * an empty line below. 0, or
 * out's latched error; when its reader went away the drawing is dropped.
 */
int sf_ladder_draw(struct sf_ladder *ladder, const struct sf_pair *pair, struct sf_out *out);

#endif
