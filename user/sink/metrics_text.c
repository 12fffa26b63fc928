// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page. Rows of clients and servers are always there, with 0 too, so that
 * the first of its kind is seen as an increase; those of other roles when there
 * is something to tell. Formats: the OpenMetrics specification 1.0.0, and
 * Prometheus' "Exposition formats".
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "sink/metrics.h"
#include "sink/metrics_limits.h"
#include "story/names.h"

#define US 1000ULL
#define MS (1000 * US)
#define S SF_NS_PER_S

const struct sf_metrics_limit sf_metrics_limits[] = {
	{ 10 * US, "1e-05" },	{ 25 * US, "2.5e-05" },	 { 50 * US, "5e-05" },
	{ 100 * US, "0.0001" }, { 250 * US, "0.00025" }, { 500 * US, "0.0005" },
	{ MS, "0.001" },	{ 2500 * US, "0.0025" }, { 5 * MS, "0.005" },
	{ 10 * MS, "0.01" },	{ 25 * MS, "0.025" },	 { 50 * MS, "0.05" },
	{ 100 * MS, "0.1" },	{ 250 * MS, "0.25" },	 { 500 * MS, "0.5" },
	{ S, "1.0" },		{ 2500 * MS, "2.5" },	 { 5 * S, "5.0" },
	{ 10 * S, "10.0" },	{ 30 * S, "30.0" },	 { 60 * S, "60.0" },
};
_Static_assert(ARRAY_SIZE(sf_metrics_limits) == SF_METRICS_BUCKETS - 1, "a limit per bucket");

struct page {
	char *buf;
	size_t size;
	size_t len;
	bool is_open; /* OpenMetrics */
	bool overflow;
};

__attribute__((format(printf, 2, 3))) static void put(struct page *p, const char *format, ...)
{
	va_list args;
	int len;

	if (p->overflow)
		return;
	va_start(args, format);
	len = vsnprintf(p->buf + p->len, p->size - p->len, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= p->size - p->len)
		p->overflow = true;
	else
		p->len += (size_t)len;
}

static const char *or_unknown(const char *name)
{
	return name ? name : "unknown";
}

/* Both always there; what else there is when it has counted. */
static bool is_shown(unsigned int role, uint64_t nr)
{
	return role == SF_ROLE_CLIENT || role == SF_ROLE_SERVER || nr;
}

/* A counter's family has no "_total" in OpenMetrics; Prometheus' own format knows no families. */
static void put_head(struct page *p, const char *family, const char *type, const char *unit,
		     const char *help)
{
	const char *suffix = !p->is_open && !strcmp(type, "counter") ? "_total" : "";

	put(p, "# HELP %s%s %s\n# TYPE %s%s %s\n", family, suffix, help, family, suffix, type);
	if (p->is_open && unit)
		put(p, "# UNIT %s %s\n", family, unit);
}

static void put_seconds(struct page *p, uint64_t ns)
{
	put(p, "%" PRIu64 ".%09u", (uint64_t)(ns / S), (unsigned int)(ns % S));
}

/* " # {connection_id="..."} VALUE TIME", and the row's end. A counter's is 1: it counted one. */
static void put_exemplar(struct page *p, const struct sf_metrics_exemplar *e, bool is_counter)
{
	if (p->is_open && e->id) {
		put(p, " # {connection_id=\"%016" PRIx64 "\"} ", e->id);
		if (is_counter)
			put(p, "1");
		else
			put_seconds(p, e->value_ns);
		put(p, " ");
		put_seconds(p, e->realtime_ns);
	}
	put(p, "\n");
}

/* role NULL: it has no such label. */
static void put_histogram(struct page *p, const char *family, const char *role,
			  const struct sf_metrics_histogram *h)
{
	char label[40] = "", alone[44] = "";
	uint64_t nr = 0;

	if (role) {
		snprintf(label, sizeof(label), "role=\"%s\",", role);
		snprintf(alone, sizeof(alone), "{role=\"%s\"}", role);
	}
	for (size_t i = 0; i < SF_METRICS_BUCKETS; i++) {
		nr += h->buckets[i];
		put(p, "%s_bucket{%sle=\"%s\"} %" PRIu64, family, label,
		    i < SF_METRICS_BUCKETS - 1 ? sf_metrics_limits[i].le : "+Inf", nr);
		put_exemplar(p, &h->last[i], false);
	}
	put(p, "%s_sum%s ", family, alone);
	put_seconds(p, h->sum_ns);
	put(p, "\n%s_count%s %" PRIu64 "\n", family, alone, h->nr);
}

static void put_ended(struct page *p, const struct sf_metrics *m)
{
	put_head(p, "synfin_connections_ended", "counter", NULL,
		 "Ends of connections that have closed or failed, by their role and why.");
	for (unsigned int role = 0; role < SF_ROLE_NR; role++)
		for (unsigned int cause = 0; cause < SF_CAUSE_NR; cause++) {
			if (!is_shown(role, m->ended[role][cause]))
				continue;
			put(p, "synfin_connections_ended_total{role=\"%s\",reason=\"%s\"} %" PRIu64,
			    or_unknown(sf_role_name(role)), or_unknown(sf_cause_name(cause)),
			    m->ended[role][cause]);
			put_exemplar(p, &m->last[role][cause], true);
		}
}

static void put_times(struct page *p, const struct sf_metrics *m)
{
	put_head(p, "synfin_handshake_seconds", "histogram", "seconds",
		 "How long handshakes took, of connections that have ended since.");
	for (unsigned int role = 0; role < SF_ROLE_NR; role++)
		if (is_shown(role, m->handshake[role].nr))
			put_histogram(p, "synfin_handshake_seconds", or_unknown(sf_role_name(role)),
				      &m->handshake[role]);
	put_head(p, "synfin_accept_wait_seconds", "histogram", "seconds",
		 "How long connections waited for accept(), of those that have ended since.");
	put_histogram(p, "synfin_accept_wait_seconds", NULL, &m->accept_wait);
}

/* Those that a connection can be in; the two numbers of SYN_RECV have one name. */
static bool is_state(unsigned int state)
{
	return sf_state_name(state) && state != SF_TCP_CLOSE && state != SF_TCP_LISTEN &&
	       state != SF_TCP_NEW_SYN_RECV;
}

static void put_states(struct page *p, const struct sf_metrics *m)
{
	put_head(p, "synfin_state_seconds", "counter", "seconds",
		 "Time that connections spent in each state, of those that have ended since.");
	for (unsigned int role = 0; role < SF_ROLE_NR; role++)
		for (unsigned int state = 0; state < SF_TCP_NR; state++) {
			if (!is_state(state) || state == SF_TCP_TIME_WAIT ||
			    !is_shown(role, m->state_ns[role][state]))
				continue; /* TIME_WAIT goes on when it is counted */
			put(p, "synfin_state_seconds_total{role=\"%s\",state=\"%s\"} ",
			    or_unknown(sf_role_name(role)), sf_state_name(state));
			put_seconds(p, m->state_ns[role][state]);
			put(p, "\n");
		}
}

/* In a state, where it has several numbers of all of them. */
static uint64_t resets_in(const uint64_t by_state[SF_TCP_NR], unsigned int state)
{
	uint64_t nr = by_state[state];

	if (state == SF_TCP_SYN_RECV)
		nr += by_state[SF_TCP_NEW_SYN_RECV];
	return nr;
}

static void put_resets(struct page *p, const struct sf_metrics *m)
{
	put_head(
		p, "synfin_resets", "counter", NULL,
		"RSTs that ended connections, by the role and the state that they met and who sent "
		"them.");
	for (unsigned int role = 0; role < SF_ROLE_NR; role++)
		for (unsigned int side = SF_SIDE_LOCAL; side <= SF_SIDE_PEER; side++)
			for (unsigned int state = 0; state < SF_TCP_NR; state++) {
				uint64_t nr = resets_in(m->resets[role][side], state);

				if (state == SF_TCP_NEW_SYN_RECV ||
				    !(is_state(state) ? is_shown(role, nr) : nr))
					continue;
				put(p,
				    "synfin_resets_total{role=\"%s\",sender=\"%s\",state=\"%s\"} "
				    "%" PRIu64 "\n",
				    or_unknown(sf_role_name(role)), sf_side_name(side),
				    or_unknown(sf_state_name(state)), nr);
			}
}

static void put_counter(struct page *p, const char *family, const char *help, uint64_t nr)
{
	put_head(p, family, "counter", NULL, help);
	put(p, "%s_total %" PRIu64 "\n", family, nr);
}

static void put_losses(struct page *p, const struct sf_metrics *m)
{
	put_counter(p, "synfin_listen_overflows",
		    "Times that a listener told of handshakes it dropped.", m->listen_overflows);
	put_counter(p, "synfin_events_sent", "Events that the kernel side sent.", m->events_sent);
	put_head(p, "synfin_events_lost", "counter", NULL,
		 "Events that were lost: ring and map were full, a hook was running already.");
	put(p,
	    "synfin_events_lost_total{cause=\"ring\"} %" PRIu64 "\n"
	    "synfin_events_lost_total{cause=\"map\"} %" PRIu64 "\n"
	    "synfin_events_lost_total{cause=\"nested\"} %" PRIu64 "\n",
	    m->lost_ring, m->lost_map, m->lost_nested);
	put_counter(p, "synfin_requests_lost", "Handshakes whose SYN's time was not kept.",
		    m->lost_requests);
	put_counter(p, "synfin_waits_refused",
		    "Closed sockets whose wait for the peer was not followed.", m->waits_refused);
}

static void put_gauge(struct page *p, const char *family, const char *help, uint64_t ns)
{
	put_head(p, family, "gauge", "seconds", help);
	put(p, "%s ", family);
	put_seconds(p, ns);
	put(p, "\n");
}

static void put_clocks(struct page *p, const struct sf_metrics *m)
{
	if (m->has_lag)
		put_gauge(p, "synfin_lag_seconds",
			  "The longest that an event waited to be read, in the last 10 s at most.",
			  m->lag_ns);
	if (!m->clock.is_known)
		return;
	put_head(p, "synfin_clock_synchronized", "gauge", NULL,
		 "Whether the host's clock is synchronized.");
	put(p, "synfin_clock_synchronized %d\n", m->clock.is_synchronized);
	if (m->clock.is_synchronized)
		put_gauge(p, "synfin_clock_error_seconds",
			  "By how much the host's clock may be wrong.", m->clock.error_ns);
}

/* Every rule has its row while somebody looks: that it is over is seen as 0. */
static void put_stuck(struct page *p, const struct sf_metrics *m)
{
	if (!m->nr_stuck)
		return;
	put_head(p, "synfin_stuck", "gauge", NULL,
		 "Connections, listeners and destinations that are stuck, by rule and whose fault "
		 "it is.");
	for (size_t i = 0; i < m->nr_stuck; i++)
		put(p, "synfin_stuck{rule=\"%s\",blame=\"%s\"} %" PRIu64 "\n", m->stuck[i].rule,
		    m->stuck[i].blame, m->stuck[i].nr);
}

static void put_sinks(struct page *p, const struct sf_metrics *m)
{
	if (!m->nr_sinks)
		return;
	put_head(p, "synfin_lines_sent", "counter", NULL,
		 "Lines of JSON that sinks took, by the kind of sink.");
	for (size_t i = 0; i < m->nr_sinks; i++)
		put(p, "synfin_lines_sent_total{sink=\"%s\"} %" PRIu64 "\n", m->sinks[i].kind,
		    m->sinks[i].nr_sent);
	put_head(p, "synfin_lines_dropped", "counter", NULL,
		 "Lines of JSON that were dropped as a sink did not take them.");
	for (size_t i = 0; i < m->nr_sinks; i++)
		put(p, "synfin_lines_dropped_total{sink=\"%s\"} %" PRIu64 "\n", m->sinks[i].kind,
		    m->sinks[i].nr_dropped);
}

size_t sf_metrics_page(const struct sf_metrics *m, bool is_openmetrics, char *buf, size_t size)
{
	struct page page = { .buf = buf, .size = size, .is_open = is_openmetrics };

	put_ended(&page, m);
	put_times(&page, m);
	put_states(&page, m);
	put_resets(&page, m);
	put_losses(&page, m);
	put_clocks(&page, m);
	put_stuck(&page, m);
	put_sinks(&page, m);
	if (is_openmetrics)
		put(&page, "# EOF\n");
	return page.overflow ? 0 : page.len;
}

const char *sf_metrics_content_type(bool is_openmetrics)
{
	return is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
				"text/plain; version=0.0.4; charset=utf-8";
}
