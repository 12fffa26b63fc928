/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sinks of serve: those that run, and those that leave once they are not asked for any more. */
#ifndef SF_CMD_SERVE_SINKS_H
#define SF_CMD_SERVE_SINKS_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/options.h"
#include "view/fields.h"

struct sf_event;
struct sf_sink;

struct sf_serve_sinks {
	struct sf_sink *all[SF_SINKS_MAX];
	size_t nr;
	struct sf_sink *leaving[SF_SINKS_MAX]; /* finished; what waits is still sent */
	size_t nr_leaving;
};

/* Starts those of the options. 0, or negative errno with err: then there is none. */
int sf_serve_sinks_start(struct sf_serve_sinks *sinks, const struct sf_options *options, char *err,
			 size_t err_size);
/*
 * Those of the options from now on. Sinks that stay keep their queues. Those that go have a second,
 * and are not waited for. One that cannot be made is told, the others go on.
 */
void sf_serve_sinks_change(struct sf_serve_sinks *sinks, const struct sf_options *options);
/* Before the next line: opens files again, as they may have been moved away. */
void sf_serve_sinks_reopen(struct sf_serve_sinks *sinks);
/* What waits is sent, for 5 s at most. Tells what became of the lines. */
void sf_serve_sinks_stop(struct sf_serve_sinks *sinks);

/* The next three never wait. A line with its newline. */
void sf_serve_sinks_add(struct sf_serve_sinks *sinks, const char *line, size_t len);
/* realtime_offset_ns: CLOCK_REALTIME minus CLOCK_BOOTTIME. */
void sf_serve_sinks_event(struct sf_serve_sinks *sinks, const struct sf_event *event,
			  int64_t realtime_offset_ns);
void sf_serve_sinks_loss(struct sf_serve_sinks *sinks, const struct sf_loss_view *loss);
/* About once a second: tells what went wrong, that it is well again, and last words. */
void sf_serve_sinks_tend(struct sf_serve_sinks *sinks);
/* What became of the lines, by sink. Returns how many sinks take lines. */
size_t sf_serve_sinks_count(const struct sf_serve_sinks *sinks,
			    struct sf_sink_view ret[SF_SINKS_MAX]);

#endif
