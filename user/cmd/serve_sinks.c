// SPDX-License-Identifier: GPL-2.0-or-later
/* One that leaves has its thread still: it is joined when that is over, so that nobody waits. */
#include "cmd/serve_sinks.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sink/sink.h"
#include "view/fields.h"

#define QUEUE_BYTES (8 * 1024 * 1024)
#define LEAVE_NS SF_NS_PER_S
/* What begins by then is over within 5 s: user/sink/syslog.c PATIENCE_MS, otlp.c GRACE_NS. */
#define DRAIN_NS (2 * SF_NS_PER_S)

/* ---- the end of some ---- */

/* Its last words; its thread is over. */
static void end_sink(struct sf_sink *sink)
{
	struct sf_sink_counts counts;

	sf_sink_counts(sink, &counts);
	/* One that never had a line, statistics at least, never began. */
	if (counts.nr_sent || counts.nr_dropped)
		sf_notice("%s: %" PRIu64 " lines sent, %" PRIu64 " dropped", sf_sink_spec(sink),
			  counts.nr_sent, counts.nr_dropped);
	sf_sink_free(sink);
}

static void finish(struct sf_sink **sinks, size_t nr, uint64_t drain_ns)
{
	uint64_t end_ns = sf_monotonic_ns() + drain_ns;

	for (size_t i = 0; i < nr; i++)
		sf_sink_finish(sinks[i], end_ns);
}

/* Of those that were asked to finish. */
static void stop(struct sf_sink **sinks, size_t *nr)
{
	for (size_t i = 0; i < *nr; i++) {
		sf_sink_stop(sinks[i]);
		end_sink(sinks[i]);
	}
	*nr = 0;
}

void sf_serve_sinks_stop(struct sf_serve_sinks *s)
{
	finish(s->all, s->nr, DRAIN_NS);
	stop(s->leaving, &s->nr_leaving);
	stop(s->all, &s->nr);
}

/* Those that leave, as far as they are over. */
static void stop_some(struct sf_serve_sinks *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr_leaving; i++) {
		if (sf_sink_try_stop(s->leaving[i]))
			end_sink(s->leaving[i]);
		else
			s->leaving[kept++] = s->leaving[i];
	}
	s->nr_leaving = kept;
}

/* ---- their beginning, and change ---- */

static int new_sink(const struct sf_options *options, size_t i, struct sf_sink **ret, char *err,
		    size_t err_size)
{
	uint64_t bytes = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;

	return sf_sink_new(options->sinks.specs[i], bytes, ret, err, err_size);
}

int sf_serve_sinks_start(struct sf_serve_sinks *s, const struct sf_options *options, char *err,
			 size_t err_size)
{
	for (size_t i = 0; i < options->sinks.nr; i++) {
		int r = new_sink(options, i, &s->all[s->nr], err, err_size);

		if (r) {
			finish(s->all, s->nr, 0);
			stop(s->all, &s->nr);
			return r;
		}
		s->nr++;
	}
	return 0;
}

/* Takes a sink of that spec out of those that run. NULL: there is none. */
static struct sf_sink *take_running(struct sf_serve_sinks *s, const char *spec)
{
	for (size_t i = 0; i < s->nr; i++) {
		struct sf_sink *sink = s->all[i];

		if (strcmp(sf_sink_spec(sink), spec) != 0)
			continue;
		s->all[i] = s->all[--s->nr];
		return sink;
	}
	return NULL;
}

void sf_serve_sinks_change(struct sf_serve_sinks *s, const struct sf_options *options)
{
	struct sf_sink *sinks[SF_SINKS_MAX];
	char err[SF_SINK_ERROR_SIZE];
	size_t nr = 0;

	for (size_t i = 0; i < options->sinks.nr; i++) {
		sinks[nr] = take_running(s, options->sinks.specs[i]);
		if (!sinks[nr] && new_sink(options, i, &sinks[nr], err, sizeof(err)))
			sf_warn("%s: %s", options->sinks.specs[i], err);
		else
			nr++;
	}
	finish(s->all, s->nr, LEAVE_NS);
	if (s->nr_leaving + s->nr > SF_SINKS_MAX) /* it was changed that often within a second */
		stop(s->leaving, &s->nr_leaving);
	memcpy(s->leaving + s->nr_leaving, s->all, s->nr * sizeof(*s->all));
	s->nr_leaving += s->nr;
	memcpy(s->all, sinks, nr * sizeof(*sinks));
	s->nr = nr;
}

void sf_serve_sinks_reopen(struct sf_serve_sinks *s)
{
	for (size_t i = 0; i < s->nr; i++)
		sf_sink_reopen(s->all[i]);
}

/* ---- while they run ---- */

void sf_serve_sinks_add(struct sf_serve_sinks *s, const char *line, size_t len)
{
	for (size_t i = 0; i < s->nr; i++)
		sf_sink_add(s->all[i], line, len);
}

void sf_serve_sinks_event(struct sf_serve_sinks *s, const struct sf_event *event,
			  int64_t realtime_offset_ns)
{
	for (size_t i = 0; i < s->nr; i++)
		sf_sink_event(s->all[i], event, realtime_offset_ns);
}

void sf_serve_sinks_loss(struct sf_serve_sinks *s, const struct sf_loss_view *loss)
{
	for (size_t i = 0; i < s->nr; i++)
		sf_sink_loss(s->all[i], loss);
}

void sf_serve_sinks_tend(struct sf_serve_sinks *s)
{
	char err[SF_SINK_ERROR_SIZE];

	for (size_t i = 0; i < s->nr; i++) {
		if (!sf_sink_news(s->all[i], err))
			continue;
		if (err[0])
			sf_warn("%s: %s", sf_sink_spec(s->all[i]), err);
		else
			sf_notice("%s: works again", sf_sink_spec(s->all[i]));
	}
	stop_some(s);
}

size_t sf_serve_sinks_count(const struct sf_serve_sinks *s, struct sf_sink_view ret[SF_SINKS_MAX])
{
	size_t nr = 0;

	for (size_t i = 0; i < s->nr; i++) {
		struct sf_sink_counts counts;

		if (!sf_sink_takes_lines(s->all[i]))
			continue;
		sf_sink_counts(s->all[i], &counts);
		ret[nr++] = (struct sf_sink_view){ .sink = sf_sink_spec(s->all[i]),
						   .lines_sent = counts.nr_sent,
						   .lines_dropped = counts.nr_dropped,
						   .retries = counts.nr_retries,
						   .queued_bytes = counts.queued_bytes };
	}
	return nr;
}
