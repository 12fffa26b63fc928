/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Prometheus asks for: counts and histograms of connections that have
 * ended, and the page of text that tells them. Labels are taken from fixed sets,
 * never an address, a port of a client, a process. Pure: no lock, no clock, no
 * allocation; each end of a connection on this host counts for itself.
 */
#ifndef SF_SINK_METRICS_H
#define SF_SINK_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "bpf/story.h"
#include "story/names.h"
#include "view/fields.h"

#define SF_METRICS_BUCKETS 22 /* the last one is for what is above all limits */
#define SF_METRICS_SINKS 16
#define SF_METRICS_PAGE_MAX 131072 /* bytes: all rows of the longest page */

/* The connection that fell into a bucket last. */
struct sf_metrics_exemplar {
	uint64_t id; /* 0: there was none yet */
	uint64_t value_ns;
	uint64_t realtime_ns; /* when it was told, since 1970 */
};

struct sf_metrics_histogram {
	uint64_t nr;
	uint64_t sum_ns;
	uint64_t buckets[SF_METRICS_BUCKETS]; /* each without those below it */
	struct sf_metrics_exemplar last[SF_METRICS_BUCKETS];
};

/* Lines of JSON, of all sinks of a kind together. */
struct sf_metrics_sink {
	char kind[16]; /* "file" */
	uint64_t nr_sent;
	uint64_t nr_dropped;
};

struct sf_metrics {
	uint64_t ended[SF_ROLE_NR][SF_CAUSE_NR];
	struct sf_metrics_exemplar last[SF_ROLE_NR][SF_CAUSE_NR];
	struct sf_metrics_histogram handshake[SF_ROLE_NR];
	struct sf_metrics_histogram accept_wait;
	uint64_t state_ns[SF_ROLE_NR][SF_TCP_NR];
	uint64_t resets[SF_ROLE_NR][SF_SIDE_NR][SF_TCP_NR];
	uint64_t listen_overflows;
	uint64_t events_sent; /* this and what follows: as sf_metrics_loss() was told last */
	uint64_t lost_ring;
	uint64_t lost_map;
	uint64_t lost_nested;
	uint64_t lost_requests;
	uint64_t waits_refused;
	bool has_lag;
	uint64_t lag_ns;
	struct sf_clock_state clock;
	struct sf_metrics_sink sinks[SF_METRICS_SINKS];
	size_t nr_sinks;
	struct sf_stuck_count stuck[SF_STUCK_RULES_MAX];
	size_t nr_stuck;
};

/*
 * Counts a connection's end (SF_EV_CLOSE, SF_EV_FAILED) and what a listener tells of drops; other
 * events change nothing. realtime_offset_ns: CLOCK_REALTIME minus CLOCK_BOOTTIME.
 */
void sf_metrics_event(struct sf_metrics *metrics, const struct sf_event *event,
		      int64_t realtime_offset_ns);
/* The counters of the program itself, of which loss holds the present values. */
void sf_metrics_loss(struct sf_metrics *metrics, const struct sf_loss_view *loss);

/*
 * The page: OpenMetrics text 1.0.0, with exemplars, or Prometheus' own text format 0.0.4, which
 * has none. Returns its length, not ended by NUL; 0 if size is less than it takes, which
 * SF_METRICS_PAGE_MAX never is.
 */
size_t sf_metrics_page(const struct sf_metrics *metrics, bool is_openmetrics, char *buf,
		       size_t size);
/* The Content-Type of such a page. Static. */
const char *sf_metrics_content_type(bool is_openmetrics);
/*
 * Whether an Accept header (RFC 9110 12.5.1) wants OpenMetrics: it names a version that we write,
 * 1.0.0 or 0.0.1 or none, with a weight that is not less than that of the other format. NULL, or
 * what cannot be understood: no.
 */
bool sf_metrics_wants_openmetrics(const char *accept);

#endif
