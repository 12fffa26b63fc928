// SPDX-License-Identifier: GPL-2.0-or-later
/* What is counted of an event, the page in both formats, and which one an Accept header wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "sink/metrics.h"
#include "view/fields.h"

#include "view_stories.h"

static char text[SF_METRICS_PAGE_MAX + 1];

static const char *page_of(const struct sf_metrics *m, bool is_openmetrics)
{
	size_t len = sf_metrics_page(m, is_openmetrics, text, SF_METRICS_PAGE_MAX);

	assert_true(len > 0);
	text[len] = '\0';
	return text;
}

/* The whole line stands in the page. */
static bool has(const struct sf_metrics *m, bool is_openmetrics, const char *line)
{
	const char *page = page_of(m, is_openmetrics);
	size_t len = strlen(line);

	for (const char *at = page; (at = strstr(at, line)); at++)
		if ((at == page || at[-1] == '\n') && at[len] == '\n')
			return true;
	print_message("no line: %s\n%s", line, page);
	return false;
}

static size_t lines_with(const char *page, const char *begin)
{
	size_t nr = 0;

	for (const char *at = page; (at = strstr(at, begin)); at++)
		nr += at == page || at[-1] == '\n';
	return nr;
}

static void count(struct sf_metrics *m, struct sf_event event)
{
	sf_metrics_event(m, &event, OFFSET);
}

static void test_counts(void **state)
{
	struct sf_metrics m = { .nr_sinks = 0 };

	(void)state;
	count(&m, client_closed());
	count(&m, client_closed());
	count(&m, server_closed());
	count(&m, client_refused());
	count(&m, server_reset_closed());
	assert_true(
		has(&m, false, "synfin_connections_ended_total{role=\"client\",reason=\"fin\"} 2"));
	assert_true(
		has(&m, false, "synfin_connections_ended_total{role=\"server\",reason=\"fin\"} 1"));
	assert_true(has(&m, false,
			"synfin_connections_ended_total{role=\"client\",reason=\"refused\"} 1"));
	assert_true(has(&m, false,
			"synfin_connections_ended_total{role=\"server\",reason=\"reset\"} 1"));
	assert_true(has(&m, false,
			"synfin_connections_ended_total{role=\"server\",reason=\"timeout\"} 0"));
	/* SYN sent at 40 us, SYN+ACK received at 1280 us */
	assert_true(
		has(&m, false, "synfin_handshake_seconds_bucket{role=\"client\",le=\"0.001\"} 0"));
	assert_true(
		has(&m, false, "synfin_handshake_seconds_bucket{role=\"client\",le=\"0.0025\"} 2"));
	assert_true(
		has(&m, false, "synfin_handshake_seconds_bucket{role=\"client\",le=\"+Inf\"} 2"));
	assert_true(has(&m, false, "synfin_handshake_seconds_sum{role=\"client\"} 0.002480000"));
	assert_true(has(&m, false, "synfin_handshake_seconds_count{role=\"client\"} 2"));
	assert_true(has(
		&m, false,
		"synfin_state_seconds_total{role=\"client\",state=\"established\"} 0.284000000"));
}

/* Only ends are counted, and drops; a listener is no connection. */
static void test_other_events(void **state)
{
	struct sf_metrics m = { .nr_sinks = 0 }, none = { .nr_sinks = 0 };
	struct sf_event overflow = listener(), closed_listener = listener();

	(void)state;
	closed_listener.kind = SF_EV_CLOSE;
	count(&m, client_connect());
	count(&m, client_established());
	count(&m, client_fin_sent());
	count(&m, server_established());
	count(&m, server_accept());
	count(&m, server_reset());
	count(&m, old_fin_received());
	count(&m, listener());
	count(&m, closed_listener);
	assert_memory_equal(&m, &none, sizeof(m));
	overflow.kind = SF_EV_LISTEN_OVERFLOW;
	count(&m, overflow);
	assert_true(has(&m, false, "synfin_listen_overflows_total 1"));
}

static void test_resets(void **state)
{
	struct sf_metrics m = { .nr_sinks = 0 };
	struct sf_event event = server_reset_closed();

	(void)state;
	event.story.rst_sender = SF_SIDE_PEER;
	event.story.rst_state = SF_TCP_ESTABLISHED;
	count(&m, event);
	event.story.rst_sender = SF_SIDE_LOCAL;
	event.story.rst_state = SF_TCP_SYN_RECV;
	count(&m, event);
	event.story.rst_state = SF_TCP_NEW_SYN_RECV;
	count(&m, event);
	assert_true(has(&m, false,
			"synfin_resets_total{role=\"server\",sender=\"peer\","
			"state=\"established\"} 1"));
	assert_true(has(&m, false,
			"synfin_resets_total{role=\"server\",sender=\"local\","
			"state=\"syn_received\"} 2"));
	assert_true(has(&m, false,
			"synfin_resets_total{role=\"client\",sender=\"local\","
			"state=\"established\"} 0"));
}

/* A limit belongs to its own bucket; what is above all of them is in the last. */
static void test_limits(void **state)
{
	static const struct {
		uint64_t ns;
		const char *in, *below; /* limits */
	} cases[] = {
		{ 10 * US, "1e-05", NULL },	{ 10 * US + 1, "2.5e-05", "1e-05" },
		{ 1000 * MS, "1.0", "0.5" },	{ 1000 * MS + 1, "2.5", "1.0" },
		{ 60000 * MS, "60.0", "30.0" }, { 60000 * MS + 1, "+Inf", "60.0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sf_metrics m = { .nr_sinks = 0 };
		struct sf_event event = client_closed();
		char line[128];

		event.story.STEP(SYNACK_RECEIVED) = event.story.STEP(SYN_SENT) + cases[i].ns;
		count(&m, event);
		snprintf(line, sizeof(line),
			 "synfin_handshake_seconds_bucket{role=\"client\",le=\"%s\"} 1",
			 cases[i].in);
		assert_true(has(&m, false, line));
		snprintf(line, sizeof(line),
			 "synfin_handshake_seconds_bucket{role=\"client\",le=\"%s\"} 0",
			 cases[i].below);
		assert_true(!cases[i].below || has(&m, false, line));
	}
}

/* The last connection of a bucket, with its value and the time of its end. */
static void test_exemplars(void **state)
{
	struct sf_metrics m = { .nr_sinks = 0 };
	struct sf_event event = client_closed();

	(void)state;
	count(&m, event);
	event.story.id = 0x77;
	count(&m, event);
	assert_true(has(&m, true,
			"synfin_handshake_seconds_bucket{role=\"client\",le=\"0.0025\"} 2 # "
			"{connection_id=\"0000000000000077\"} 0.001240000 1795348800.269736789"));
	assert_true(
		has(&m, true, "synfin_handshake_seconds_bucket{role=\"client\",le=\"0.005\"} 2"));
	assert_true(has(&m, true,
			"synfin_connections_ended_total{role=\"client\",reason=\"fin\"} 2 # "
			"{connection_id=\"0000000000000077\"} 1 1795348800.269736789"));
	/* the other format has none: promtool and old scrapers stumble over them */
	assert_null(strstr(page_of(&m, false), " # "));
}

static void test_formats(void **state)
{
	const struct sf_metrics m = { .nr_sinks = 0 };
	const char *page;

	(void)state;
	assert_true(has(&m, true, "# TYPE synfin_connections_ended counter"));
	assert_true(has(&m, true, "# UNIT synfin_state_seconds seconds"));
	assert_true(has(&m, true, "# UNIT synfin_handshake_seconds seconds"));
	page = page_of(&m, true);
	assert_string_equal(page + strlen(page) - 6, "# EOF\n");
	assert_true(has(&m, false, "# TYPE synfin_connections_ended_total counter"));
	assert_true(has(&m, false, "# TYPE synfin_state_seconds_total counter"));
	page = page_of(&m, false);
	assert_null(strstr(page, "# UNIT"));
	assert_null(strstr(page, "# EOF"));
	assert_int_equal(lines_with(page, "# HELP "), lines_with(page, "# TYPE "));
	assert_non_null(strstr(sf_metrics_content_type(true), "openmetrics-text; version=1.0.0"));
	assert_non_null(strstr(sf_metrics_content_type(false), "text/plain; version=0.0.4"));
}

static void test_losses(void **state)
{
	struct sf_metrics m = { .nr_sinks = 0 };
	const struct sf_sink_view sinks[] = {
		{ .sink = "file:/a", .lines_sent = 3, .lines_dropped = 1 },
		{ .sink = "journald", .lines_sent = 5 },
		{ .sink = "file:/b", .lines_sent = 4, .lines_dropped = 2 },
	};
	const struct sf_stuck_count stuck[] = { { "close_wait", "local_app", 12 },
						{ "unacked", "network", 0 } };
	struct sf_loss_view loss = {
		.events_sent = 100,
		.lost_ring = { [SF_EV_CLOSE] = 7, [SF_EV_FAILED] = 2 },
		.lost_map = 11,
		.lost_nested = 13,
		.lost_requests = 17,
		.waits_refused = 19,
		.has_lag = true,
		.lag_ns = 2500000,
		.clock = { .is_known = true, .is_synchronized = true, .error_ns = 40000 },
		.sinks = sinks,
		.nr_sinks = 3,
		.stuck = stuck,
		.nr_stuck = 2,
	};

	(void)state;
	sf_metrics_loss(&m, &loss);
	sf_metrics_loss(&m, &loss); /* they are what they are, not what came on top */
	assert_true(has(&m, false, "synfin_events_sent_total 100"));
	assert_true(has(&m, false, "synfin_events_lost_total{cause=\"ring\"} 9"));
	assert_true(has(&m, false, "synfin_events_lost_total{cause=\"map\"} 11"));
	assert_true(has(&m, false, "synfin_events_lost_total{cause=\"nested\"} 13"));
	assert_true(has(&m, false, "synfin_requests_lost_total 17"));
	assert_true(has(&m, false, "synfin_waits_refused_total 19"));
	assert_true(has(&m, false, "synfin_lag_seconds 0.002500000"));
	assert_true(has(&m, false, "synfin_clock_synchronized 1"));
	assert_true(has(&m, false, "synfin_clock_error_seconds 0.000040000"));
	assert_true(has(&m, false, "synfin_lines_sent_total{sink=\"file\"} 7"));
	assert_true(has(&m, false, "synfin_lines_dropped_total{sink=\"file\"} 3"));
	assert_true(has(&m, false, "synfin_lines_sent_total{sink=\"journald\"} 5"));
	assert_true(has(&m, false, "synfin_stuck{rule=\"close_wait\",blame=\"local_app\"} 12"));
	assert_true(has(&m, true, "synfin_stuck{rule=\"unacked\",blame=\"network\"} 0"));
	loss.nr_stuck = 0; /* nobody looks */
	sf_metrics_loss(&m, &loss);
	assert_null(strstr(page_of(&m, false), "synfin_stuck"));
	loss.clock.is_synchronized = false; /* what the error was is nothing to go by */
	sf_metrics_loss(&m, &loss);
	assert_true(has(&m, false, "synfin_clock_synchronized 0"));
	assert_int_equal(lines_with(page_of(&m, false), "synfin_clock_error_seconds "), 0);
	loss.clock.is_known = false;
	sf_metrics_loss(&m, &loss);
	assert_int_equal(lines_with(page_of(&m, false), "synfin_clock_synchronized "), 0);
}

/*
 * Whatever the records hold, rows come from fixed sets: random stories make no more of them than
 * there are, and no address, port or name gets into the page.
 */
static void test_bounded(void **state)
{
	struct sf_metrics m = { .nr_sinks = 0 };
	__u64 seed = 42;
	size_t rows = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct sf_event event = random_event(&seed);

		event.kind = i % 2 ? SF_EV_CLOSE : SF_EV_FAILED;
		event.story.role = (__u8)(i % 7 ? event.story.role : 250);
		event.story.cause = (__u8)(i % 5 ? event.story.cause : 251);
		event.story.rst_state = (__u8)(i % 3 ? event.story.rst_state : 252);
		event.story.rst_sender = (__u8)(i % 4 ? event.story.rst_sender : 253);
		snprintf((char *)event.story.owner.comm, SF_COMM_LEN, "nosuchname");
		v4(event.story.peer_addr, 203, 0, 113, 7);
		count(&m, event);
	}
	for (const char *at = page_of(&m, false); *at; at = strchr(at, '\n') + 1)
		rows += *at != '#';
	assert_true(rows > 200 && rows < 300);
	assert_null(strstr(text, "nosuchname"));
	assert_null(strstr(text, "203.0.113"));
	/* what has no name counts as unknown, and is not left out */
	assert_true(m.ended[SF_ROLE_UNKNOWN][SF_CAUSE_NONE] > 0);
}

/* All rows with the largest numbers fit; in less room than they take there is no page. */
static void test_room(void **state)
{
	struct sf_metrics m;
	size_t len;

	(void)state;
	memset(&m, 0xff, sizeof(m));
	m.has_lag = true;
	m.clock = (struct sf_clock_state){ true, true, UINT64_MAX };
	m.nr_sinks = SF_METRICS_SINKS;
	for (size_t i = 0; i < SF_METRICS_SINKS; i++)
		snprintf(m.sinks[i].kind, sizeof(m.sinks[i].kind), "fifteen_bytes%02zu", i % 100);
	m.nr_stuck = SF_STUCK_RULES_MAX;
	for (size_t i = 0; i < SF_STUCK_RULES_MAX; i++)
		m.stuck[i] = (struct sf_stuck_count){ "close_wait_unacked_not_leaving",
						      "undetermined", UINT64_MAX };
	for (int is_openmetrics = 0; is_openmetrics < 2; is_openmetrics++) {
		len = sf_metrics_page(&m, is_openmetrics, text, SF_METRICS_PAGE_MAX);
		assert_true(len > 0 && len < SF_METRICS_PAGE_MAX);
		for (size_t size = 0; size <= len; size += size + 977 < len ? 977 : 1) {
			char *buf = malloc(size + 1); /* which the sanitizer watches */

			assert_non_null(buf);
			assert_int_equal(sf_metrics_page(&m, is_openmetrics, buf, size), 0);
			free(buf);
			if (size == len)
				break;
		}
	}
}

static void test_accept(void **state)
{
	static const char *const open[] = {
		/* Prometheus 2.42, and 3 */
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		"version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,"
		"*/*;q=0.2",
		"application/openmetrics-text",
		" Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.001 ",
		"text/plain;q=0.5 , application/openmetrics-text; q=0.5",
		"application/openmetrics-text;version=2,application/openmetrics-text;version=0.0.1",
		"application/openmetrics-text;q=1.000",
	};
	static const char *const plain[] = {
		NULL,
		"",
		"*/*",
		"text/plain",
		"text/*;q=1",
		"application/*",
		"application/openmetrics-text;q=0",
		"application/openmetrics-text;q=0.000",
		"application/openmetrics-text;version=2.0.0",
		"application/openmetrics-text;q=0.4,text/plain;q=0.5",
		"application/openmetrics-text;q=2",
		"application/openmetrics-text;q=1.001",
		"application/openmetrics-text;q=",
		"application/openmetrics-text;q=0.1234",
		"application/openmetrics-text;q=0,5",
		"application/openmetrics-text;q=-1",
		"application/openmetrics-textual",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		"encoding=delimited",
		";;;,,,===,;q",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_true(sf_metrics_wants_openmetrics(open[i]));
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		assert_false(sf_metrics_wants_openmetrics(plain[i]));
}

/* Made of the pieces that matter, in any order: it ends, and reads nothing behind the text. */
static void test_odd_accepts(void **state)
{
	static const char *const pieces[] = { "application/openmetrics-text",
					      "text/plain",
					      ";",
					      ",",
					      "=",
					      "q",
					      "version",
					      "1.0.0",
					      "0.5",
					      " ",
					      "\t",
					      "\"",
					      "\xff",
					      "1" };
	__u64 seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char *accept = NULL;
		size_t len = 0;

		for (unsigned int n = random_u64(&seed) % 12; n; n--) {
			const char *piece = pieces[random_u64(&seed) % ARRAY_SIZE(pieces)];

			accept = realloc(accept, len + strlen(piece) + 1);
			assert_non_null(accept);
			memcpy(accept + len, piece, strlen(piece) + 1);
			len += strlen(piece);
		}
		sf_metrics_wants_openmetrics(accept);
		free(accept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),	    cmocka_unit_test(test_other_events),
		cmocka_unit_test(test_resets),	    cmocka_unit_test(test_limits),
		cmocka_unit_test(test_exemplars),   cmocka_unit_test(test_formats),
		cmocka_unit_test(test_losses),	    cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_room),	    cmocka_unit_test(test_accept),
		cmocka_unit_test(test_odd_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
