/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done with events, wherever they come from: filtered, numbered, then
 * shown by a view or a drawing, or recorded. Called by the live loop and by
 * the replay of a recording.
 */
#ifndef SF_CMD_SHOW_H
#define SF_CMD_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "cmd/live.h"
#include "cmd/options.h"
#include "cmd/record.h"
#include "story/reader.h"
#include "story/recording.h"
#include "view/host.h"
#include "view/view.h"

struct sf_event;
struct sf_filter;
struct sf_pairs;

struct sf_show {
	const struct sf_live_what *what;
	const struct sf_options *options;
	struct sf_filter *filter;
	struct sf_view_options view_options;
	struct sf_view *view;
	struct sf_out out; /* standard output, or the recording */
	struct sf_reader reader;
	struct sf_host host;
	struct sf_pairs *pairs;	 /* ends that wait for the other one; NULL: none does */
	struct sf_record record; /* if it is open, nothing is shown */
	/* Names, each followed by a space: struct sf_recording_about. */
	char hooks_missing[sizeof(((struct sf_recording_about *)NULL)->hooks_missing)];
	uint64_t nr_shown; /* or recorded */
	uint64_t lag_ns;   /* the longest that an event waited to be read, since it was told */
	bool is_full;	   /* --count is reached */
};

/*
 * Makes the filter and opens what --write names. Prints its own error. SF_EXIT_OK, or the exit
 * status to end with. sf_show_clear() in any case.
 */
int sf_show_init(struct sf_show *show, const struct sf_live_what *what,
		 const struct sf_options *options, int argc, const char *const *argv);
/* host must be set by now. start_ns: CLOCK_BOOTTIME. Writes nothing. 0 or negative errno. */
int sf_show_open(struct sf_show *show, uint64_t start_ns, int64_t realtime_offset_ns);
/*
 * The heading, or the head of the recording: all of about but host and clock is taken from the
 * caller. Fills hooks_missing. 0 or negative errno.
 */
int sf_show_begin(struct sf_show *show, const struct sf_recording_about *about);
/* All is open: a drawing may start what it needs. SF_EXIT_OK, or what to end with, printed. */
int sf_show_ready(struct sf_show *show);
void sf_show_clear(struct sf_show *show);

bool sf_show_wants(const struct sf_show *show, const struct sf_event *event);
/* An event that is wanted. */
void sf_show_event(struct sf_show *show, const struct sf_event *event);
/* What waits to be shown waits no longer than until then. */
void sf_show_due(struct sf_show *show, uint64_t now_ns);
void sf_show_clock(struct sf_show *show, int64_t realtime_offset_ns);
void sf_show_stats(struct sf_show *show, const struct sf_recording_losses *losses, uint64_t now_ns);
/* About once a second: for a drawing that wants to know. */
void sf_show_second(struct sf_show *show, const struct sf_recording_losses *losses,
		    uint64_t now_ns);
/* Counters at the end; writes all that is left. out.err is what came of it. */
void sf_show_end(struct sf_show *show, const struct sf_recording_losses *losses, uint64_t now_ns);

uint64_t sf_losses_ring(const struct sf_recording_losses *losses);
/* Events, connections and steps together. */
uint64_t sf_losses_all(const struct sf_recording_losses *losses);
/* Tells that sf_show_begin() failed with r. Returns the exit status. */
int sf_show_failed(const struct sf_show *show, int r);
/* Where it goes, as people know it. */
const char *sf_show_out_name(const struct sf_show *show);
/* The last lines: how much was shown, and what could not be. Returns the exit status. */
int sf_show_summary(const struct sf_show *show, const struct sf_recording_losses *losses);

#endif
