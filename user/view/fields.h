/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON line of an event and of the program's own counters, as
 * dist/schema/synfin.schema.json describes them. Used by the JSON view and by
 * every sink that sends JSON. Pure: writes to the caller's buffer.
 */
#ifndef SF_VIEW_FIELDS_H
#define SF_VIEW_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "bpf/story.h"

#define SF_SCHEMA_VERSION 1
#define SF_JSON_LINE_MAX 8192 /* bytes; a line with everything known has about 2800 */

struct sf_community_ids;
struct sf_host;
struct sf_json;

/* What a line is made of; all borrowed. */
struct sf_line {
	const struct sf_event *event;
	/* The last event of the other end, which is on this host, too; NULL = not known. */
	const struct sf_event *peer;
	uint64_t seq;		      /* 0 = not numbered: absent */
	int64_t realtime_offset_ns;   /* CLOCK_REALTIME minus CLOCK_BOOTTIME */
	const struct sf_host *host;   /* NULL = not known */
	struct sf_community_ids *ids; /* of the lines before; NULL: none are remembered */
	const char *event_name;	      /* NULL: as the event's kind is called */
};

/* What became of the lines that serve sent to one sink. */
struct sf_sink_view {
	const char *sink; /* borrowed */
	uint64_t lines_sent;
	uint64_t lines_dropped;
	uint64_t retries;
	uint64_t queued_bytes;
};

#define SF_STUCK_RULES_MAX 128 /* more than there are */

/* How many are stuck by one rule. */
struct sf_stuck_count {
	const char *rule; /* static, as is blame */
	const char *blame;
	uint64_t nr;
};

/* The program's own counters, since it started. */
struct sf_loss_view {
	uint64_t time_ns; /* CLOCK_BOOTTIME when they were read */
	uint64_t events_sent;
	uint64_t lost_ring[SF_EV_NR];	  /* by kind: no room in the ring */
	uint64_t lost_map;		  /* times a full map refused a new story */
	uint64_t lost_requests;		  /* handshakes whose SYN's time was not kept */
	uint64_t waits_refused;		  /* closed sockets whose wait was not followed */
	uint64_t lost_nested;		  /* times the kernel skipped a hook that was running */
	const char *const *hooks_missing; /* borrowed, nr_hooks_missing names */
	size_t nr_hooks_missing;
	const struct sf_sink_view *sinks; /* borrowed, nr_sinks; of serve only */
	size_t nr_sinks;
	const struct sf_stuck_count *stuck; /* borrowed, nr_stuck rules; of serve */
	size_t nr_stuck;
	bool has_lag;	 /* by serve, of what is traced now */
	uint64_t lag_ns; /* the longest that an event waited to be read, since the line before */
	struct sf_clock_state clock;
	bool is_last; /* nothing comes after it */
};

/* CLOCK_REALTIME in nanoseconds since 1970 of a boot time; 0 if it were before. */
uint64_t sf_realtime_ns(uint64_t boottime_ns, int64_t realtime_offset_ns);

/* Writes the object, without a newline. After it, j->overflow says if the buffer was too small. */
void sf_fields_event(struct sf_json *j, const struct sf_line *line);
/* The members of that object, for those who add others. */
void sf_fields_members(struct sf_json *j, const struct sf_line *line);
/* The synfin.stats object; line->event is not looked at. */
void sf_fields_stats(struct sf_json *j, const struct sf_line *line,
		     const struct sf_loss_view *loss);

#endif
