// SPDX-License-Identifier: GPL-2.0-or-later
/* Counting: rows of fixed tables, found by the numbers that the story holds. */
#include "sink/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "sink/metrics_limits.h"
#include "story/story.h"
#include "view/facts.h"
#include "view/fields.h"

/* What a number from a story counts as: one that has no name counts as "not known". */
static unsigned int within(unsigned int value, unsigned int nr)
{
	return value < nr ? value : 0;
}

static void add(struct sf_metrics_histogram *h, const struct sf_metrics_exemplar *exemplar)
{
	size_t i = 0;

	/* le is "less or equal". */
	while (i < SF_METRICS_BUCKETS - 1 && exemplar->value_ns > sf_metrics_limits[i].ns)
		i++;
	h->nr++;
	h->sum_ns += exemplar->value_ns;
	h->buckets[i]++;
	h->last[i] = *exemplar;
}

static void count_states(struct sf_metrics *m, const struct sf_story *s, unsigned int role)
{
	for (unsigned int state = 1; state < SF_TCP_NEW_SYN_RECV; state++) {
		uint64_t ns;

		if (sf_story_state_ns(s, state, &ns))
			m->state_ns[role][state] += ns;
	}
}

static void count_end(struct sf_metrics *m, const struct sf_event *event,
		      struct sf_metrics_exemplar *exemplar)
{
	const struct sf_story *s = &event->story;
	unsigned int role = within(s->role, SF_ROLE_NR), cause = within(s->cause, SF_CAUSE_NR);
	struct sf_took took;

	m->ended[role][cause]++;
	m->last[role][cause] = *exemplar;
	if (sf_fact_handshake(s, &took)) {
		exemplar->value_ns = took.ns;
		add(&m->handshake[role], exemplar);
	}
	if (sf_fact_accept_wait(s, &took)) {
		exemplar->value_ns = took.ns;
		add(&m->accept_wait, exemplar);
	}
	count_states(m, s, role);
	if (s->rst_sender)
		m->resets[role][within(s->rst_sender, SF_SIDE_NR)]
			 [within(s->rst_state, SF_TCP_NR)]++;
}

void sf_metrics_event(struct sf_metrics *m, const struct sf_event *event,
		      int64_t realtime_offset_ns)
{
	struct sf_metrics_exemplar exemplar = {
		.id = event->story.id,
		.realtime_ns = sf_realtime_ns(event->time_ns, realtime_offset_ns),
	};

	if (event->kind == SF_EV_LISTEN_OVERFLOW)
		m->listen_overflows++;
	else if ((event->kind == SF_EV_CLOSE || event->kind == SF_EV_FAILED) &&
		 event->story.role != SF_ROLE_LISTENER)
		count_end(m, event, &exemplar);
}

/* The row of a kind: what stands before the colon in "file:PATH". */
static struct sf_metrics_sink *sink_row(struct sf_metrics *m, const char *spec)
{
	struct sf_metrics_sink row = { .kind = "" };
	size_t len = sf_min_size(strcspn(spec, ":"), sizeof(row.kind) - 1);

	memcpy(row.kind, spec, len);
	for (size_t i = 0; i < m->nr_sinks; i++)
		if (!strcmp(m->sinks[i].kind, row.kind))
			return &m->sinks[i];
	if (m->nr_sinks == SF_METRICS_SINKS)
		return NULL;
	m->sinks[m->nr_sinks] = row;
	return &m->sinks[m->nr_sinks++];
}

void sf_metrics_loss(struct sf_metrics *m, const struct sf_loss_view *loss)
{
	m->lost_ring = 0;
	for (int kind = 0; kind < SF_EV_NR; kind++)
		m->lost_ring += loss->lost_ring[kind];
	m->events_sent = loss->events_sent;
	m->lost_map = loss->lost_map;
	m->lost_nested = loss->lost_nested;
	m->lost_requests = loss->lost_requests;
	m->waits_refused = loss->waits_refused;
	m->has_lag = loss->has_lag;
	m->lag_ns = loss->lag_ns;
	m->clock = loss->clock;
	m->nr_stuck = sf_min_size(loss->nr_stuck, SF_STUCK_RULES_MAX);
	for (size_t i = 0; i < m->nr_stuck; i++)
		m->stuck[i] = loss->stuck[i];
	for (size_t i = 0; i < m->nr_sinks; i++)
		m->sinks[i].nr_sent = m->sinks[i].nr_dropped = 0;
	for (size_t i = 0; i < loss->nr_sinks; i++) {
		struct sf_metrics_sink *row = sink_row(m, loss->sinks[i].sink);

		if (!row)
			continue;
		row->nr_sent += loss->sinks[i].lines_sent;
		row->nr_dropped += loss->sinks[i].lines_dropped;
	}
}
