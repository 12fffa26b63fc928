// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON line of the program's own counters: what was sent, what was lost, and to which sink. */
#include "view/fields.h"

#include "base/clock.h"
#include "base/json.h"
#include "story/names.h"
#include "view/host.h"

static void put_lost_kinds(struct sf_json *j, const struct sf_loss_view *loss)
{
	bool is_open = false;

	for (unsigned int kind = 0; kind < SF_EV_NR; kind++) {
		const char *name = sf_event_name(kind);

		if (!loss->lost_ring[kind] || !name)
			continue;
		if (!is_open)
			sf_json_object_begin(j, "lost_ring_by_event");
		is_open = true;
		sf_json_u64(j, name, loss->lost_ring[kind]);
	}
	if (is_open)
		sf_json_object_end(j);
}

/* A synchronized clock without an error would be one that is right: 0 is said, too. */
static void put_clocks(struct sf_json *j, const struct sf_loss_view *loss)
{
	if (loss->has_lag)
		sf_json_u64(j, "lag_us", loss->lag_ns / 1000);
	if (!loss->clock.is_known)
		return;
	sf_json_bool(j, "clock_synchronized", loss->clock.is_synchronized);
	if (loss->clock.is_synchronized)
		sf_json_u64(j, "clock_error_us", loss->clock.error_ns / 1000);
}

static void put_sinks(struct sf_json *j, const struct sf_loss_view *loss)
{
	if (!loss->nr_sinks)
		return;
	sf_json_array_begin(j, "sinks");
	for (size_t i = 0; i < loss->nr_sinks; i++) {
		const struct sf_sink_view *sink = &loss->sinks[i];

		sf_json_object_begin(j, NULL);
		sf_json_str(j, "sink", sink->sink);
		sf_json_u64(j, "lines_sent", sink->lines_sent);
		sf_json_u64(j, "lines_dropped", sink->lines_dropped);
		sf_json_u64(j, "retries", sink->retries);
		sf_json_u64(j, "queued_bytes", sink->queued_bytes);
		sf_json_object_end(j);
	}
	sf_json_array_end(j);
}

void sf_fields_stats(struct sf_json *j, const struct sf_line *line, const struct sf_loss_view *loss)
{
	char time[SF_TIME_STRLEN];
	uint64_t lost_ring = 0;

	for (unsigned int kind = 0; kind < SF_EV_NR; kind++)
		lost_ring += loss->lost_ring[kind];

	sf_json_object_begin(j, NULL);
	sf_json_u64(j, "schema_version", SF_SCHEMA_VERSION);
	sf_json_str(j, "time",
		    sf_time_rfc3339(sf_realtime_ns(loss->time_ns, line->realtime_offset_ns), time));
	sf_json_str(j, "event_name", "synfin.stats");
	if (line->seq)
		sf_json_u64(j, "seq", line->seq);
	if (line->host)
		sf_json_raw_members(j, line->host->members, line->host->members_len);
	/* Zeros here are counts, not gaps in knowledge: "nothing was lost" must be said. */
	sf_json_u64(j, "events_sent", loss->events_sent);
	sf_json_u64(j, "events_lost", lost_ring + loss->lost_map + loss->lost_nested);
	sf_json_u64(j, "lost_ring", lost_ring);
	put_lost_kinds(j, loss);
	sf_json_u64(j, "lost_map", loss->lost_map);
	sf_json_u64(j, "lost_nested", loss->lost_nested);
	sf_json_u64(j, "lost_requests", loss->lost_requests);
	if (loss->waits_refused) /* an older recording does not tell */
		sf_json_u64(j, "waits_refused", loss->waits_refused);
	sf_json_array_begin(j, "hooks_missing");
	for (size_t i = 0; i < loss->nr_hooks_missing; i++)
		sf_json_str(j, NULL, loss->hooks_missing[i]);
	sf_json_array_end(j);
	put_clocks(j, loss);
	put_sinks(j, loss);
	sf_json_object_end(j);
}
