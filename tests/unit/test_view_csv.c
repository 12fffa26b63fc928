// SPDX-License-Identifier: GPL-2.0-or-later
/* CSV, to the character: titles, quotes, and as many fields as titles whatever the story. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>

#include "view_draw.h"

static const char text_csv[] =
	"time,seq,event_name,role,role_source,process_pid,process_executable_name,"
	"process_owner_uid,client_address,client_port,server_address,"
	"server_port,network_local_address,network_local_port,network_peer_address,"
	"network_peer_port,took_us,handshake_us,handshake_derived,accept_wait_us,"
	"duration_us,closed_by,close_reason,close_call,error_type,rst_reason,"
	"network_connection_state,"
	"syn_retransmits,synack_retransmits,retransmits,bytes_sent,bytes_received,"
	"unread_bytes,srtt_us,closer_process_pid,closer_process_executable_name,"
	"netns,cgroup_id,socket_cookie,connection_id,wire_id,network_community_id,"
	"syns_dropped,acks_dropped,half_open_expired,peer_process_pid,"
	"peer_process_executable_name,peer_connection_id\n"
	"2026-11-22T12:00:00.269736789Z,1,tcp.close,client,connect,4242,"
	"\"a,\"\"b\"\"?c\",1000,10.0.0.1,43210,10.0.0.2,80,10.0.0.1,43210,"
	"10.0.0.2,80,146280,1240,,,146280,local,fin,,,,closed,0,,0,78,"
	"1256,0,1190,4242,curl,4026531840,,0000000000001001,000000001234abcd,"
	"aaaa0001bbbb0002,1:+baL86ws//XAWncrmn91r1rM7Cw=,,,,,,\n"
	"2026-11-22T12:00:00.266736789Z,2,tcp.fin_received,,,,,,,,,,10.0.0.1,"
	"43210,10.0.0.2,80,,,,,,peer,,,,,close_wait,,,0,,1256,0,,,,4026531840,"
	",0000000000001001,000000001234abcd,,1:+baL86ws//XAWncrmn91r1rM7Cw=,,,,,,\n"
	"2026-11-22T12:00:00.123456789Z,3,tcp.listen,listener,listen,"
	"812,nginx,1000,,,::,8080,::,8080,,,,,,,,,,,,,listen,,,,,,,,,,"
	"4026531840,,,0000000000000077,,,,,,,,\n";

static void test_csv(void **state)
{
	struct sf_event events[] = { client_closed(), old_fin_received(), listener() };
	struct sf_view_options options = trace;

	(void)state;
	options.format = SF_FORMAT_CSV;
	events[0].story.owner = task(4242, "a,\"b\"\nc", SF_OWNER_SRC_CONNECT);
	assert_string_equal(draw(&options, events, ARRAY_SIZE(events)), text_csv);
	/* Relative times are for people; a file keeps the date, or has none. */
	options.time_format = SF_TIME_DELTA;
	assert_memory_equal(draw_one(&options, events), "2026-11-22T12:00:00.269736789Z,1,tcp", 36);
	options.time_format = SF_TIME_NONE;
	assert_memory_equal(draw_one(&options, events), "1,tcp.close,", 12);
	/* The kernel has not chosen the port yet. */
	events[0].story.local_port = 0;
	assert_non_null(
		strstr(draw_one(&options, events), ",10.0.0.1,,10.0.0.2,80,10.0.0.1,,10.0"));
	/* What an event took is, at the end, the life; that has its own column. */
	assert_non_null(strstr(draw(&options, NULL, 0), ",took_us,"));
	options.kind = SF_VIEW_CONNS;
	assert_null(strstr(draw(&options, NULL, 0), ",took_us,"));
}

static size_t nr_fields(const char *line)
{
	size_t nr = 1;

	for (; *line && *line != '\n'; line++)
		nr += *line == ',';
	return nr;
}

static void test_csv_has_a_field_per_title(void **state)
{
	struct sf_view_options options = { .format = SF_FORMAT_CSV, .realtime_offset_ns = OFFSET };
	__u64 seed = 3;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct sf_event event = random_event(&seed);
		const char *text;

		options.kind = (enum sf_view_kind)(i % SF_VIEW_NR);
		event.kind = SF_EV_CLOSE;
		event.story.owner = task(7, "plain", SF_OWNER_SRC_IO);
		event.story.closer = event.story.owner;
		text = draw(&options, &event, 1);
		assert_int_equal(nr_fields(text), nr_fields(strchr(text, '\n') + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_csv_has_a_field_per_title),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
