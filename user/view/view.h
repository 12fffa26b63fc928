/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The view: events in, one line of text each out, as a table, as CSV or as
 * JSON. Owns the layout and the clock offset; allocates nothing per event and
 * prints nowhere but to its sf_out. Called by commands, live and for replay.
 */
#ifndef SF_VIEW_VIEW_H
#define SF_VIEW_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_event;
struct sf_host;
struct sf_loss_view;
struct sf_out;
struct sf_view;

/* The longest line a view writes; its sf_out must have at least this size. */
#define SF_VIEW_LINE_MAX 8192
#define SF_VIEW_WIDTH_MIN 40
#define SF_VIEW_WIDTH_MAX 1000

enum sf_format {
	SF_FORMAT_TABLE, /* fits the width */
	SF_FORMAT_WIDE,	 /* every column, nothing shortened, any width */
	SF_FORMAT_JSON,	 /* dist/schema/synfin.schema.json */
	SF_FORMAT_CSV,	 /* RFC 4180, but "\n" ends a line; durations in microseconds */
	SF_FORMAT_NR,
};

enum sf_view_kind {
	SF_VIEW_TRACE, /* a line per event */
	SF_VIEW_CONNS, /* a line per connection, at its end: other events are passed over */
	SF_VIEW_NR,
	SF_VIEW_TOP = SF_VIEW_NR, /* a row per connection that exists: of layouts only, for top.h */
};

/* The time column of tables. JSON and CSV have RFC 3339 UTC; CSV drops it with none. */
enum sf_time_format {
	SF_TIME_LOCAL,	  /* wall clock, as the host's time zone has it */
	SF_TIME_UTC,	  /* RFC 3339 */
	SF_TIME_RELATIVE, /* seconds since start_ns */
	SF_TIME_DELTA,	  /* seconds since the line before */
	SF_TIME_NONE,
	SF_TIME_NR,
};

struct sf_view_options {
	enum sf_format format;
	enum sf_view_kind kind;
	enum sf_time_format time_format;
	unsigned int width; /* of the terminal in columns, 0 = 80; kept within MIN and MAX */
	bool is_coloured;
	bool is_ascii; /* the locale is not UTF-8: nothing but ASCII in tables and CSV */
	bool has_no_headers;
	uint64_t start_ns;	    /* CLOCK_BOOTTIME, for SF_TIME_RELATIVE; 0 = the first event */
	int64_t realtime_offset_ns; /* CLOCK_REALTIME minus CLOCK_BOOTTIME */
	const struct sf_host *host; /* borrowed for the view's life; NULL = not known */
};

/* out: borrowed for the view's life. 0, -ENOMEM, or -EINVAL: an option out of its range. */
int sf_view_new(const struct sf_view_options *options, struct sf_out *out, struct sf_view **ret);
void sf_view_free(struct sf_view *view);
void sf_view_freep(struct sf_view **view);

/*
 * The line of titles, unless has_no_headers or JSON. Call it before the first
 * event, and again when a table begins anew. 0 or out's latched error.
 */
int sf_view_header(struct sf_view *view);
/* Whether this event gives a line, for those who count lines. */
bool sf_view_shows(const struct sf_view *view, const struct sf_event *event);
/*
 * The event's line. seq: the reader's number, 0 = none. An event that it
 * does not show (a snapshot's, kind SF_EV_NONE; what is no end, in CONNS) gives
 * no line and no error. 0; out's latched error; -ENOBUFS if out is smaller
 * than SF_VIEW_LINE_MAX. When out's reader went away lines are dropped: ask
 * sf_out_is_closed().
 */
int sf_view_event(struct sf_view *view, const struct sf_event *event, uint64_t seq);
/*
 * As sf_view_event(), where the last event of the connection's other end is
 * known, which is on this host, too: a row tells of both, and JSON names the
 * other. peer: NULL = not known.
 */
int sf_view_joined(struct sf_view *view, const struct sf_event *event, const struct sf_event *peer,
		   uint64_t seq);
/* The synfin.stats line; JSON only, other formats write nothing. Returns as sf_view_event(). */
int sf_view_stats(struct sf_view *view, const struct sf_loss_view *loss, uint64_t seq);
/* A new reading of CLOCK_REALTIME minus CLOCK_BOOTTIME, for the lines to come. */
void sf_view_clock(struct sf_view *view, int64_t realtime_offset_ns);
/* The terminal has another width now. The caller writes the header again if it wants it. */
void sf_view_resize(struct sf_view *view, unsigned int width);

#endif
