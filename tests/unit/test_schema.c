// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any story gives a JSON line that the published schema, taken strictly,
 * accepts. Run it from the root: it reads the schema and check_lines.py there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/out.h"
#include "base/util.h"
#include "diagnose/diagnose.h"
#include "story/names.h"
#include "story/ports.h"
#include "story/snapshot.h"
#include "view/fields.h"
#include "view/host.h"
#include "view/now.h"
#include "view/stuck.h"
#include "view/view.h"

#include "view_stories.h"

#define MACHINE_ID "0123456789abcdef0123456789abcdef"
#define BOOT_ID "11111111-2222-3333-4444-0123456789ab"

/* Writes with the view, to a pipe into check_lines.py. */
static FILE *begin_check(const char *arguments, struct sf_out *out)
{
	char command[256];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "tests/unit/check_lines.py user/dist/schema/synfin.schema.json %s >/dev/null",
		 arguments);
	pipe = popen(command, "w");
	assert_non_null(pipe);
	assert_int_equal(sf_out_init(out, fileno(pipe), SF_VIEW_LINE_MAX), 0);
	return pipe;
}

static int end_check(FILE *pipe, struct sf_out *out)
{
	int status;

	assert_int_equal(sf_out_flush(out), 0);
	status = pclose(pipe);
	sf_out_free(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A socket that two processes hold, whose other end is here, meets a rule with two sides. */
static void write_stuck(struct sf_out *out, const struct sf_host *host, __u8 state,
			enum sf_stuck_change change)
{
	static const struct sf_holder holders[] = { { .pid = 7, .fd = 3, .comm = "a\033[2J" },
						    { .pid = 8, .fd = 4 } };
	struct sf_sock peer = { .state = SF_TCP_CLOSE_WAIT };
	struct sf_sock sock = { .state = state,
				.tries = 4,
				.soft_err = 113,
				.write_seq = 100,
				.flags = SF_SK_HAS_RETRANS | SF_SK_HAS_AGES,
				.received_age_ticks = 200000,
				.sent_age_ticks = 200000,
				.ack_age_ticks = 200000,
				.since_retrans_ms = 70000 };
	struct sf_case c = { .sock = &sock, .peer = &peer, .hz = 250 };
	struct sf_event event = server_accept(), other = client_closed();
	struct sf_line line = { .event = &event,
				.peer = &other,
				.seq = 99,
				.realtime_offset_ns = OFFSET,
				.host = host };
	struct sf_verdict verdict;
	struct sf_stuck_view view = { .line = &line,
				      .c = &c,
				      .verdict = &verdict,
				      .holders = holders,
				      .nr_holders = ARRAY_SIZE(holders),
				      .change = change };
	struct sf_thresholds thresholds;
	char buf[SF_JSON_LINE_MAX];
	struct sf_json json;

	c.peer_who = c.listener_who =
		(struct sf_who){ .comm = holders[0].comm, .pid = 9, .nr_processes = 2 };
	event.kind = SF_EV_STUCK;
	sf_thresholds_init(&thresholds);
	assert_true(sf_diagnose(&c, &thresholds, &verdict));
	sf_json_init(&json, buf, sizeof(buf));
	sf_fields_stuck(&json, &view);
	assert_false(json.overflow);
	sf_out_write(out, buf, json.len);
	sf_out_write(out, "\n", 1);
}

/* A notice, as nothing but the socket itself is known. */
static void write_idle(struct sf_out *out, const struct sf_host *host)
{
	struct sf_sock sock = { .state = SF_TCP_ESTABLISHED,
				.flags = SF_SK_HAS_AGES,
				.received_age_ticks = 200000,
				.sent_age_ticks = 200000,
				.ack_age_ticks = 200000,
				.rcv_wnd = 65536 };
	struct sf_case c = { .sock = &sock, .hz = 250 };
	struct sf_event event = { .time_ns = T0, .kind = SF_EV_STUCK, .story = { .id = 5 } };
	struct sf_line line = { .event = &event, .seq = 100, .host = host };
	struct sf_verdict verdict;
	struct sf_stuck_view view = { .line = &line, .c = &c, .verdict = &verdict };
	struct sf_thresholds thresholds;
	char buf[SF_JSON_LINE_MAX];
	struct sf_json json;

	sf_thresholds_init(&thresholds);
	assert_true(sf_diagnose(&c, &thresholds, &verdict));
	assert_true(verdict.rule->is_notice);
	sf_json_init(&json, buf, sizeof(buf));
	sf_fields_stuck(&json, &view);
	assert_false(json.overflow);
	sf_out_write(out, buf, json.len);
	sf_out_write(out, "\n", 1);
}

static void write_now(struct sf_out *out, const struct sf_host *host)
{
	const struct sf_netns ns = { .somaxconn = 4096,
				     .has_somaxconn = true,
				     .has_overflows = true };
	const struct sf_listener_watch watch = {
		.watched_us = 1, .has_arrived = true, .has_highest = true, .has_waits = true
	};
	const struct sf_sock sock = { .state = SF_TCP_LISTEN };
	const struct sf_listener_view listener_view = {
		.sock = &sock, .netns = &ns, .watch = &watch, .oldest_wait_us = 5
	};
	const struct sf_listener_view unwatched = { .sock = &sock };
	const struct sf_port_use use = {
		.nr_used = 1, .nr_free = 9, .nr_range = 10, .has_reusable = true
	};
	const struct sf_ports_pace pace = { .watched_us = 1, .has_left = true };
	struct sf_event event = listener();
	struct sf_event destination = { .time_ns = T0 };
	struct sf_line line = { .event = &event, .seq = 101, .host = host };
	char buf[SF_JSON_LINE_MAX];
	struct sf_json json;

	event.kind = SF_EV_NONE;
	for (int i = 0; i < 4; i++) {
		sf_json_init(&json, buf, sizeof(buf));
		line.event = i < 2 ? &event : &destination;
		if (i < 2)
			sf_fields_listener(&json, &line, i ? &unwatched : &listener_view);
		else
			sf_fields_ports(&json, &line, &use, i == 2 ? &pace : NULL);
		assert_false(json.overflow);
		sf_out_write(out, buf, json.len);
		sf_out_write(out, "\n", 1);
	}
}

/* Any story gives a valid line, and all of them together every field there is. */
static void test_schema(void **state)
{
	const char *const hooks[] = { "connect" };
	struct sf_loss_view loss = { .time_ns = T0,
				     .lost_ring = { [SF_EV_CLOSE] = 1 },
				     .waits_refused = 1,
				     .hooks_missing = hooks,
				     .nr_hooks_missing = 1,
				     .has_lag = true,
				     .clock = { .is_known = true, .is_synchronized = true },
				     .sinks = &(struct sf_sink_view){ .sink = "journald" },
				     .nr_sinks = 1 };
	struct sf_event (*const stories[])(void) = {
		client_connect,	    client_established,	 client_fin_sent, client_closed,
		server_established, server_accept,	 server_closed,	  client_refused,
		server_reset,	    server_reset_closed, listener,	  old_fin_received,
	};
	struct sf_view_options options = { .format = SF_FORMAT_JSON, .realtime_offset_ns = OFFSET };
	__u64 seed = 20261122, seq = 0;
	struct sf_event ends[2];
	struct sf_view *view = NULL;
	struct sf_host host;
	struct sf_out out;
	FILE *pipe = begin_check("--all-fields", &out);

	(void)state;
	sf_host_set(&host, "db\033[2J", MACHINE_ID, BOOT_ID);
	options.host = &host;
	assert_int_equal(sf_view_new(&options, &out, &view), 0);
	assert_int_equal(sf_view_header(view), 0);
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		struct sf_event event = stories[i]();

		assert_int_equal(sf_view_event(view, &event, ++seq), 0);
	}
	for (int i = 0; i < 500; i++) {
		struct sf_event event = random_event(&seed);

		assert_int_equal(sf_view_event(view, &event, ++seq), 0);
	}
	ends[0] = client_closed();
	ends[1] = server_closed();
	ends[1].story.owner.source = SF_OWNER_SRC_CLOSE;
	assert_int_equal(sf_view_joined(view, &ends[0], &ends[1], ++seq), 0);
	assert_int_equal(sf_view_stats(view, &loss, ++seq), 0);
	write_stuck(&out, &host, SF_TCP_CLOSE_WAIT, SF_STUCK_NOW);
	write_stuck(&out, &host, SF_TCP_ESTABLISHED, SF_STUCK_BEGUN);
	write_stuck(&out, &host, SF_TCP_FIN_WAIT2, SF_STUCK_ENDED);
	write_idle(&out, &host);
	write_now(&out, &host);
	sf_view_free(view);
	assert_int_equal(end_check(pipe, &out), 0);
}

/* The check itself refuses what it must. */
static void test_schema_is_strict(void **state)
{
#define HEAD "{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123456789Z\","
#define STORY "\"connection_id\":\"0000000000000001\",\"network_transport\":\"tcp\""
	static const struct {
		const char *line;
		bool is_valid;
	} cases[] = {
		{ HEAD "\"event_name\":\"tcp.close\"," STORY "}\n", true },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY ",\"new\":1}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY ",\"netns\":0}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY ",\"role\":\"\"}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY ",\"role\":null}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY ",\"role\":\"peer\"}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY ",\"client_port\":80}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY "," STORY "}\n", false },
		{ HEAD "\"event_name\":\"tcp.other\"," STORY "}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"}\n", false },
		{ HEAD "\"event_name\":\"synfin.stats\"}\n", false },
		{ HEAD "\"event_name\":\"tcp.close\"," STORY "}", false },
		{ "[]\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sf_out out;
		FILE *pipe = begin_check("2>/dev/null", &out);

		sf_out_write(&out, cases[i].line, strlen(cases[i].line));
		assert_int_equal(end_check(pipe, &out), cases[i].is_valid ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_schema_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
