// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON lines of how a connection opens, or does not: drops, listeners, half-open handshakes; and of
 * an end that nobody saw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#include "base/util.h"
#include "fields_text.h"

/* What a listener drops is told where it is the news, all three numbers, and nowhere else. */
static void test_drops(void **state)
{
	struct sf_event event = listener();

	(void)state;
	event.story.syns_dropped = 3;
	event.story.half_open_expired = 2;
	assert_false(has_field(&event, "syns_dropped"));
	event.kind = SF_EV_LISTEN_OVERFLOW;
	assert_true(has(&event, "\"event_name\":\"tcp.listen_overflow\""));
	assert_true(has(&event, "\"syns_dropped\":3,\"acks_dropped\":0,\"half_open_expired\":2"));
	event = server_accept();
	event.story.syns_dropped = 3;
	assert_false(has_field(&event, "syns_dropped"));
}

/* Which listener it came from, and when that was made: in the words of its own story. */
static void test_listener_of_a_connection(void **state)
{
	struct sf_event event = server_accept();

	(void)state;
	assert_false(has_field(&event, "listener_connection_id"));
	assert_false(has_field(&event, "socket_time"));
	event.story.listener_id = 0x77;
	event.story.step_ns[SF_STEP_SOCKET] = event.time_ns - 3000;
	event.story.step_ns[SF_STEP_BIND] = event.time_ns - 2000;
	assert_true(has(&event, "\"listener_connection_id\":\"0000000000000077\""));
	assert_true(has_field(&event, "socket_time"));
	assert_true(has_field(&event, "bind_time"));
	assert_false(has_field(&event, "listen_time"));
}

/* A handshake that nobody completed: a server's, with what is known of its SYN+ACKs. */
static void test_half_open(void **state)
{
	struct sf_event event = server_accept();

	(void)state;
	event.kind = SF_EV_FAILED;
	event.story.step_ns[SF_STEP_ESTABLISHED] = 0;
	event.story.step_ns[SF_STEP_ACCEPTED] = 0;
	event.story.synack_retransmits = 5;
	assert_true(has(&event, "\"synack_retransmits\":5"));
	assert_false(has_field(&event, "handshake_us"));
	assert_false(has_field(&event, "accept_wait_us"));
}

/* The other end of a connection, where it is here, too: its process and its id. */
static void test_peer(void **state)
{
	struct sf_event client = client_closed(), server = server_closed();
	struct sf_line line = { .event = &client, .peer = &server, .realtime_offset_ns = OFFSET };
	char text[SF_JSON_LINE_MAX + 1];
	struct sf_json json;

	(void)state;
	server.story.owner.source = SF_OWNER_SRC_CLOSE; /* a stand-in: marked */
	sf_json_init(&json, text, SF_JSON_LINE_MAX);
	sf_fields_event(&json, &line);
	text[json.len] = '\0';
	assert_non_null(strstr(text, "\"peer_process_source\":\"close\","));
	server.story.owner.source = SF_OWNER_SRC_ACCEPT;
	sf_json_init(&json, text, SF_JSON_LINE_MAX);
	sf_fields_event(&json, &line);
	text[json.len] = '\0';
	assert_null(strstr(text, "peer_process_source"));
	assert_non_null(strstr(text, "\"peer_process_pid\":812,"));
	assert_non_null(strstr(text, "\"peer_process_executable_name\":\"nginx\""));
	assert_non_null(strstr(text, "\"peer_connection_id\":"));
	assert_false(has_field(&client, "peer_process_pid"));
	assert_false(has_field(&client, "peer_connection_id"));
}

/* What was counted when it was seen last is not what it had when it ended. */
static void test_end_unseen(void **state)
{
	static const char *const counted[] = { "bytes_sent",	"bytes_received",
					       "segments_sent", "segments_received",
					       "retransmits",	"unread_bytes",
					       "srtt_us",	"rtt_min_us" };
	struct sf_event event = client_closed();

	(void)state;
	event.story.srtt_us = event.story.rtt_min_us = 100;
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		assert_true(has_field(&event, counted[i]));
	event.story.flags |= SF_F_END_UNSEEN;
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		assert_false(has_field(&event, counted[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drops),	   cmocka_unit_test(test_listener_of_a_connection),
		cmocka_unit_test(test_half_open),  cmocka_unit_test(test_peer),
		cmocka_unit_test(test_end_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
