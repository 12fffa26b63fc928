/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Watching live: the loop that trace, conns and ladder share. */
#ifndef SF_CMD_LIVE_H
#define SF_CMD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"
#include "kernel/tracer.h"
#include "view/view.h"

struct sf_event;
struct sf_loss_view;
struct sf_out;

/*
 * A command that does not show a line per event draws by itself. Each function
 * writes to out; what fails there is latched in it.
 */
struct sf_live_drawing {
	/* Borrowed, both live until sf_live_run() returns; the options' clock is kept right. */
	void (*begin)(void *ctx, const struct sf_view_options *options, struct sf_out *out);
	/*
	 * All is open; while tracing, threads that are started from here on have no capabilities
	 * but keep_caps. May be NULL. SF_EXIT_OK, or what else to end with, printed.
	 */
	int (*ready)(void *ctx);
	/* An event that passed the filter. True if something was drawn; at most one thing is. */
	bool (*event)(void *ctx, const struct sf_event *event);
	/* As event(), of what waited until now_ns (CLOCK_BOOTTIME); UINT64_MAX at the end. */
	bool (*due)(void *ctx, uint64_t now_ns);
	/* About once a second, and at the end: the counters. May be NULL. */
	void (*second)(void *ctx, const struct sf_loss_view *loss);
};

struct sf_live_what {
	enum sf_view_kind view;
	struct sf_want want; /* what a line is made of */
	const char *noun;    /* what a line is, for the summary: "events" */
	/* A row tells of both ends of a connection where both are on this host. */
	bool joins_ends;
	uint64_t keep_caps; /* capabilities that it needs while it traces, SF_CAP() of each */
	/* Draws instead of the view; NULL: the view shows a line per event. */
	const struct sf_live_drawing *drawing;
	void *ctx; /* the drawing's, borrowed */
};

/* Traces until stopped; operands are a filter. Prints its own errors; returns an enum sf_exit. */
int sf_live_run(const struct sf_live_what *what, const struct sf_options *options, int argc,
		const char *const *argv);

#endif
