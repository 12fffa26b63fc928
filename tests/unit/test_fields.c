// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON lines: what they say to the character, and what they leave out when it
 * is not known. That they follow the published schema is in test_schema.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/util.h"
#include "view/fields.h"
#include "view/host.h"

#include "fields_text.h"
#include "view_stories.h"

#define MACHINE_ID "0123456789abcdef0123456789abcdef"
#define BOOT_ID "11111111-2222-3333-4444-0123456789ab"

static const char text_client_closed[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.269736789Z\","
	"\"event_name\":\"tcp.close\",\"connection_id\":\"000000001234abcd\","
	"\"socket_cookie\":\"0000000000001001\",\"wire_id\":\"aaaa0001bbbb0002\","
	"\"network_community_id\":\"1:+baL86ws//XAWncrmn91r1rM7Cw=\","
	"\"role\":\"client\",\"role_source\":\"connect\",\"client_address\":\"10.0.0.1\","
	"\"client_port\":43210,\"server_address\":\"10.0.0.2\",\"server_port\":80,"
	"\"network_transport\":\"tcp\",\"network_type\":\"ipv4\",\"network_local_address\":\""
	"10.0.0.1\",\"network_local_port\":43210,\"network_peer_address\":\"10.0.0.2\","
	"\"network_peer_port\":80,\"local_port_ephemeral\":true,\"network_connection_state\":"
	"\"closed\",\"network_connection_state_previous\":\"fin_wait_2\","
	"\"process_pid\":4242,\"process_executable_name\":\"curl\",\"process_owner_uid\":1000"
	",\"process_source\":\"connect\",\"closer_process_pid\":4242,"
	"\"closer_process_executable_name\":\"curl\",\"cgroup_id\":\"000000000000002a\","
	"\"netns\":4026531840,\"handshake_us\":1240,\"syn_retransmits\":0,"
	"\"duration_us\":146280,\"connect_to_close_us\":146280,\"state_us\":{\"syn_sent\":128"
	"0,\"established\":142000,\"fin_wait_1\":1000,\"fin_wait_2\":2000},"
	"\"closed_by\":\"local\",\"close_reason\":\"fin\",\"fin_sent_us\":142000,"
	"\"fin_acked_us\":143000,\"fin_received_us\":145000,\"half_close_us\":3000,"
	"\"bytes_sent\":78,\"bytes_received\":1256,\"segments_sent\":6,"
	"\"segments_received\":4,\"retransmits\":0,\"srtt_us\":1190,\"rtt_min_us\":1100,"
	"\"unread_bytes\":0}";

static void test_client_closed(void **state)
{
	struct sf_event event = client_closed();

	(void)state;
	assert_string_equal(json_of(&event), text_client_closed);
}

static const char text_server_accept[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.125391789Z\","
	"\"event_name\":\"tcp.accept\",\"connection_id\":\"0000000000000099\","
	"\"socket_cookie\":\"0000000000002002\",\"wire_id\":\"aaaa0001bbbb0002\","
	"\"network_community_id\":\"1:+baL86ws//XAWncrmn91r1rM7Cw=\","
	"\"role\":\"server\",\"role_source\":\"accept\",\"client_address\":\"10.0.0.1\","
	"\"client_port\":43210,\"server_address\":\"10.0.0.2\",\"server_port\":80,"
	"\"network_transport\":\"tcp\",\"network_type\":\"ipv4\",\"network_local_address\":\""
	"10.0.0.2\",\"network_local_port\":80,\"network_peer_address\":\"10.0.0.1\","
	"\"network_peer_port\":43210,\"local_port_ephemeral\":false,\"network_connection_stat"
	"e\":\"established\",\"process_pid\":812,\"process_executable_name\":\"nginx\","
	"\"process_owner_uid\":0,\"process_source\":\"accept\",\"netns\":4026531840,"
	"\"handshake_us\":1200,\"handshake_derived\":true,\"accept_wait_us\":35,"
	"\"synack_retransmits\":0,\"state_us\":{\"syn_received\":1200}}";

static void test_server_accept(void **state)
{
	struct sf_event event = server_accept();

	(void)state;
	assert_string_equal(json_of(&event), text_server_accept);
}

static const char text_refused[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123696789Z\","
	"\"event_name\":\"tcp.failed\",\"connection_id\":\"000000001234abcd\","
	"\"socket_cookie\":\"0000000000001001\",\"network_community_id\":\"1:+baL86ws//XAWncr"
	"mn91r1rM7Cw=\",\"role\":\"client\",\"role_source\":\"connect\","
	"\"client_address\":\"10.0.0.1\",\"client_port\":43210,\"server_address\":\"10.0.0.2\""
	",\"server_port\":80,\"network_transport\":\"tcp\",\"network_type\":\"ipv4\","
	"\"network_local_address\":\"10.0.0.1\",\"network_local_port\":43210,"
	"\"network_peer_address\":\"10.0.0.2\",\"network_peer_port\":80,"
	"\"local_port_ephemeral\":true,\"network_connection_state\":\"closed\","
	"\"network_connection_state_previous\":\"syn_sent\",\"process_pid\":4242,"
	"\"process_executable_name\":\"curl\",\"process_owner_uid\":1000,"
	"\"process_source\":\"connect\",\"cgroup_id\":\"000000000000002a\","
	"\"netns\":4026531840,\"syn_retransmits\":0,\"duration_us\":240,"
	"\"connect_to_close_us\":240,\"state_us\":{\"syn_sent\":240},"
	"\"closed_by\":\"peer\",\"close_reason\":\"refused\",\"rst_sender\":\"peer\","
	"\"rst_state\":\"syn_sent\",\"error_type\":\"econnrefused\"}";

static void test_refused(void **state)
{
	struct sf_event event = client_refused();

	(void)state;
	assert_string_equal(json_of(&event), text_refused);
}

static const char text_reset[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.135456789Z\","
	"\"event_name\":\"tcp.reset\",\"connection_id\":\"0000000000000099\","
	"\"socket_cookie\":\"0000000000002002\",\"wire_id\":\"aaaa0001bbbb0002\","
	"\"network_community_id\":\"1:+baL86ws//XAWncrmn91r1rM7Cw=\","
	"\"role\":\"server\",\"role_source\":\"accept\",\"client_address\":\"10.0.0.1\","
	"\"client_port\":43210,\"server_address\":\"10.0.0.2\",\"server_port\":80,"
	"\"network_transport\":\"tcp\",\"network_type\":\"ipv4\",\"network_local_address\":\""
	"10.0.0.2\",\"network_local_port\":80,\"network_peer_address\":\"10.0.0.1\","
	"\"network_peer_port\":43210,\"local_port_ephemeral\":false,\"network_connection_stat"
	"e\":\"closed\",\"process_pid\":812,\"process_executable_name\":\"nginx\","
	"\"process_owner_uid\":0,\"process_source\":\"accept\",\"netns\":4026531840,"
	"\"handshake_us\":1200,\"handshake_derived\":true,\"accept_wait_us\":35,"
	"\"synack_retransmits\":0,\"duration_us\":11291,\"duration_derived\":true,"
	"\"state_us\":{\"syn_received\":1200,\"established\":10091},\"closed_by\":\"local\","
	"\"rst_sender\":\"local\",\"rst_reason\":\"tcp_abort_on_close\","
	"\"rst_state\":\"established\"}";

static void test_reset(void **state)
{
	struct sf_event event = server_reset();

	(void)state;
	assert_string_equal(json_of(&event), text_reset);
}

static const char text_listener[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123456789Z\","
	"\"event_name\":\"tcp.listen\",\"connection_id\":\"0000000000000077\","
	"\"role\":\"listener\",\"role_source\":\"listen\",\"server_address\":\"::\","
	"\"server_port\":8080,\"network_transport\":\"tcp\",\"network_type\":\"ipv6\","
	"\"network_local_address\":\"::\",\"network_local_port\":8080,"
	"\"network_connection_state\":\"listen\",\"network_connection_state_previous\":\"clos"
	"ed\",\"process_pid\":812,\"process_executable_name\":\"nginx\","
	"\"process_owner_uid\":1000,\"process_source\":\"listen\",\"netns\":4026531840,"
	"\"listen_backlog\":128,\"accept_queue\":0,"
	"\"listen_time\":\"2026-11-22T12:00:00.123456789Z\"}";

static void test_listener(void **state)
{
	struct sf_event event = listener();

	(void)state;
	assert_string_equal(json_of(&event), text_listener);
}

static const char text_old[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.266736789Z\","
	"\"event_name\":\"tcp.fin_received\",\"connection_id\":\"000000001234abcd\","
	"\"socket_cookie\":\"0000000000001001\",\"network_community_id\":\"1:+baL86ws//XAWncr"
	"mn91r1rM7Cw=\",\"network_transport\":\"tcp\",\"network_type\":\"ipv4\","
	"\"network_local_address\":\"10.0.0.1\",\"network_local_port\":43210,"
	"\"network_peer_address\":\"10.0.0.2\",\"network_peer_port\":80,"
	"\"network_connection_state\":\"close_wait\",\"network_connection_state_previous\":\""
	"established\",\"netns\":4026531840,\"closed_by\":\"peer\","
	"\"bytes_received\":1256,\"segments_sent\":6,\"segments_received\":4,"
	"\"retransmits\":0,\"unread_bytes\":0,\"preexisting\":true}";

static void test_old(void **state)
{
	struct sf_event event = old_fin_received();

	(void)state;
	assert_string_equal(json_of(&event), text_old);
}

static const char text_nothing[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123456789Z\","
	"\"event_name\":\"tcp.reset\",\"connection_id\":\"0000000000000001\","
	"\"network_transport\":\"tcp\"}";

/* Nothing is known but that there is a connection. */
static void test_nothing_known(void **state)
{
	struct sf_event event = { .time_ns = T0, .kind = SF_EV_RESET, .story = { .id = 1 } };

	(void)state;
	assert_string_equal(json_of(&event), text_nothing);
}

/* Counters are old, or were never read, where the kernel side does not read them. */
static void test_counters_only_where_read(void **state)
{
	static const char *const names[] = { "bytes_sent",	  "bytes_received", "segments_sent",
					     "segments_received", "retransmits",    "srtt_us",
					     "rtt_min_us",	  "unread_bytes" };

	(void)state;
	for (__u8 kind = 1; kind < SF_EV_NR; kind++) {
		struct sf_event event = client_closed();
		bool is_read = kind == SF_EV_FIN_SENT || kind == SF_EV_FIN_RECEIVED ||
			       kind == SF_EV_CLOSE || kind == SF_EV_TIME_WAIT_END ||
			       kind == SF_EV_STUCK;

		event.kind = kind;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			assert_int_equal(has_field(&event, names[i]), is_read);
		event.story.STEP(CLOSED) = 0;
		event.story.segments_sent = 0;
		if (kind == SF_EV_TIME_WAIT_END || kind == SF_EV_STUCK)
			assert_false(has_field(&event, "bytes_sent"));
	}
}

static void test_zero_is_an_answer_only_if_read(void **state)
{
	struct sf_event event = client_closed();
	struct sf_story *s = &event.story;

	(void)state;
	s->bytes_sent = 0;
	assert_true(has(&event, "\"bytes_sent\":0"));
	s->rtt_min_us = 0xffffffff; /* no sample */
	assert_false(has_field(&event, "rtt_min_us"));
	s->rtt_min_us = 0;
	s->srtt_us = 0;
	assert_false(has_field(&event, "rtt_min_us"));
	assert_false(has_field(&event, "srtt_us"));

	assert_true(has(&event, "\"syn_retransmits\":0"));
	assert_false(has_field(&event, "synack_retransmits"));
	event = client_connect();
	assert_false(has_field(&event, "syn_retransmits"));
	event = client_refused();
	event.story.syn_retransmits = 3;
	assert_true(has(&event, "\"syn_retransmits\":3"));
	event = server_accept();
	assert_true(has(&event, "\"synack_retransmits\":0"));
	assert_false(has_field(&event, "syn_retransmits"));
	event.story.flags |= SF_F_SYNCOOKIE;
	assert_false(has_field(&event, "synack_retransmits"));
	event.story.role = SF_ROLE_BOTH;
	assert_false(has_field(&event, "syn_retransmits"));

	event = listener();
	assert_true(has(&event, "\"accept_queue\":0"));
	event.story.backlog = 0;
	assert_true(has(&event, "\"listen_backlog\":0"));
	assert_false(has_field(&event, "listen_backlog_asked"));
	event.story.flags |= SF_F_BACKLOG_ASKED;
	assert_true(has(&event, "\"listen_backlog_asked\":0"));
	event.story.backlog_asked = UINT32_MAX; /* listen(fd, -1) */
	assert_true(has(&event, "\"listen_backlog_asked\":4294967295"));
	event = server_accept();
	assert_false(has_field(&event, "accept_queue"));
	event.story.flags |= SF_F_QUEUE_KNOWN;
	assert_true(has(&event, "\"accept_queue\":0"));
	event.story.accept_queue = 7;
	assert_true(has(&event, "\"accept_queue\":7"));
	assert_false(has_field(&event, "listen_backlog"));
	event.story.flags |= SF_F_BACKLOG_ASKED;
	assert_false(has_field(&event, "listen_backlog_asked"));
}

static void test_short_times(void **state)
{
	struct sf_event event = server_accept();
	struct sf_story *s = &event.story;

	(void)state;
	s->STEP(ACCEPTED) = s->STEP(ESTABLISHED) + 999;
	assert_true(has(&event, "\"accept_wait_us\":0"));
	s->STEP(ACCEPTED) += 1;
	assert_true(has(&event, "\"accept_wait_us\":1"));
	s->STEP(ACCEPTED) = 0;
	assert_false(has_field(&event, "accept_wait_us"));
	/* A FIN before the connection was established is no offset. */
	s->STEP(FIN_RECEIVED) = s->STEP(ESTABLISHED) - 1;
	assert_false(has_field(&event, "fin_received_us"));
	s->STEP(FIN_RECEIVED) = s->STEP(ESTABLISHED);
	assert_true(has(&event, "\"fin_received_us\":0"));
}

static void test_process(void **state)
{
	struct sf_event event = client_connect();
	struct sf_story *s = &event.story;

	(void)state;
	s->owner.uid = 0; /* root is a user, too */
	assert_true(has(&event, "\"process_owner_uid\":0"));
	s->owner.comm[0] = 0;
	assert_false(has_field(&event, "process_executable_name"));
	memset(s->owner.comm, 'x', sizeof(s->owner.comm)); /* no NUL */
	assert_true(has(&event, "\"process_executable_name\":\"xxxxxxxxxxxxxxxx\""));
	memcpy(s->owner.comm, "\"\033[2J\n\\\xff\xe2\x80\xae", 12);
	assert_true(has(&event, "\"process_executable_name\":"
				"\"\\\"\\u001b[2J\\n\\\\\xef\xbf\xbd\\u202e\""));
	s->owner.tgid = 0;
	assert_false(has_field(&event, "process_executable_name"));
	assert_false(has_field(&event, "process_owner_uid"));
	assert_false(has_field(&event, "closer_process_pid"));
	s->closer = task(77, "reaper", SF_OWNER_SRC_CLOSE);
	assert_true(has(&event, "\"closer_process_pid\":77"));
	assert_true(has(&event, "\"closer_process_executable_name\":\"reaper\""));
}

static void test_addresses(void **state)
{
	struct sf_event event = client_connect();
	struct sf_story *s = &event.story;

	(void)state;
	/* Before the kernel chose it: the address may be known, the port not. */
	s->local_port = 0;
	assert_true(has_field(&event, "network_local_address"));
	assert_false(has_field(&event, "network_local_port"));
	assert_false(has_field(&event, "client_port"));
	assert_false(has_field(&event, "network_community_id"));
	memset(s->local_addr, 0, 16);
	assert_false(has_field(&event, "client_address"));
	/* An IPv6 socket that speaks IPv4. */
	event = client_connect();
	s->family = AF_INET6;
	s->flags |= SF_F_V4MAPPED;
	assert_true(has(&event, "\"network_type\":\"ipv4\""));
	assert_true(has(&event, "\"server_address\":\"10.0.0.2\""));
	make_v6(&event);
	s->flags &= ~SF_F_V4MAPPED;
	assert_true(has(&event, "\"network_type\":\"ipv6\""));
	assert_true(has(&event, "\"server_address\":\"2001:db8::1\""));
	assert_true(has(&event, "\"local_port_ephemeral\":true"));
	s->flags &= ~SF_F_PORT_EPHEMERAL;
	assert_true(has(&event, "\"local_port_ephemeral\":false"));
	s->flags &= ~SF_F_PORT_KNOWN;
	assert_false(has_field(&event, "local_port_ephemeral"));
	/* Both ends called: neither is the client. */
	s->role = SF_ROLE_BOTH;
	assert_false(has_field(&event, "client_address"));
	assert_false(has_field(&event, "server_port"));
	assert_true(has_field(&event, "network_peer_port"));
}

static void test_flags_and_rest(void **state)
{
	struct sf_event event = server_reset();
	struct sf_story *s = &event.story;

	(void)state;
	s->rst_sender = SF_SIDE_NONE; /* an abort whose RST was not seen */
	assert_false(has_field(&event, "rst_state"));
	s->flags = SF_F_BEGIN_LOST | SF_F_SYNCOOKIE | SF_F_FASTOPEN | SF_F_DEFER_ACCEPT;
	assert_true(has(&event, "\"begin_unknown\":true"));
	assert_true(has(&event, "\"syncookie\":true"));
	assert_true(has(&event, "\"fastopen\":true"));
	assert_true(has(&event, "\"defer_accept\":true"));
	assert_false(has_field(&event, "preexisting"));
	s->bound_if = 3;
	assert_true(has(&event, "\"bound_interface_index\":3"));
	s->STEP(TIME_WAIT) = T0;
	assert_false(has_field(&event, "time_wait_us"));
	s->STEP(TIME_WAIT_END) = T0 + 60 * 1000 * MS;
	assert_true(has(&event, "\"time_wait_us\":60000000"));
	s->err = 133; /* Linux's last */
	assert_true(has(&event, "\"error_type\":\"ehwpoison\""));
}

/* Without the peer's FIN, what our own end says of the other's is a conclusion. */
static void test_reason_inferred(void **state)
{
	struct sf_event event = client_closed();
	struct sf_story *s = &event.story;

	(void)state;
	assert_false(has_field(&event, "close_reason_inferred"));
	s->STEP(FIN_RECEIVED) = 0;
	assert_true(has(&event, "\"close_reason\":\"fin\",\"close_reason_inferred\":true"));
	s->flags |= SF_F_FIN_COUNTED;
	assert_false(has_field(&event, "close_reason_inferred"));
	s->flags &= ~SF_F_FIN_COUNTED;
	s->closed_by = SF_SIDE_PEER;
	assert_false(has_field(&event, "close_reason_inferred"));
	s->closed_by = SF_SIDE_LOCAL;
	s->cause = SF_CAUSE_TIMEOUT;
	assert_false(has_field(&event, "close_reason_inferred"));
}

static void test_close(void **state)
{
	struct sf_event event = server_reset();
	struct sf_story *s = &event.story;

	(void)state;
	assert_false(has_field(&event, "close_call"));
	assert_false(has_field(&event, "close_reason_inferred"));
	s->close_call = SF_CALL_LISTENER;
	assert_true(has(&event, "\"close_call\":\"listener_close\""));
	s->STEP(SHUTDOWN) = s->STEP(ESTABLISHED) + 2 * MS;
	s->STEP(CLOSE) = s->STEP(ESTABLISHED) + 3 * MS;
	assert_true(has(&event, "\"shutdown_call_us\":2000,\"close_call_us\":3000"));
	assert_false(has_field(&event, "rst_by"));
	s->flags |= SF_F_RST_BY_KNOWN;
	assert_true(has(&event, "\"rst_by\":\"kernel\""));
	s->flags |= SF_F_RST_BY_APP | SF_F_RST_INFERRED;
	assert_true(has(&event, "\"rst_reason_inferred\":true,\"rst_by\":\"application\""));
	/* Nobody knows who had the peer send its one; no reason, no inference. */
	s->rst_sender = SF_SIDE_PEER;
	s->rst_reason = 0;
	assert_false(has_field(&event, "rst_by"));
	assert_false(has_field(&event, "rst_reason_inferred"));
	s->flags |= SF_F_NEVER_ACCEPTED | SF_F_ORPHAN;
	assert_true(has(&event, "\"never_accepted\":true,\"orphan\":true"));
	assert_false(has_field(&event, "retransmits_unsent"));
	s->retransmits_unsent = 3;
	assert_true(has(&event, "\"retransmits_unsent\":3"));
	assert_false(has_field(&event, "zero_window_probes"));
	s->zero_window_probes = 2;
	assert_true(has(&event, "\"zero_window_probes\":2"));
	assert_false(has_field(&event, "first_sent_us"));
	s->STEP(FIRST_OUT) = s->STEP(ESTABLISHED) + 7 * US;
	assert_true(has(&event, "\"first_sent_us\":7"));
	assert_false(has_field(&event, "time_wait_end"));
	s->wait_end = SF_WAIT_END_REUSED;
	assert_true(has(&event, "\"time_wait_end\":\"reused\""));
}

static void test_host(void **state)
{
	struct sf_host host;

	(void)state;
	sf_host_set(&host, "web-1", MACHINE_ID, BOOT_ID);
	assert_string_equal(host.members, "\"host_name\":\"web-1\",\"host_id\":\"" MACHINE_ID
					  "\",\"boot_id\":\"" BOOT_ID "\"");
	assert_int_equal(host.members_len, strlen(host.members));
	sf_host_set(&host, NULL, "uninitialized", "");
	assert_int_equal(host.members_len, 0);
	sf_host_set(&host, "(none)", MACHINE_ID "0", BOOT_ID "\n");
	assert_int_equal(host.members_len, 0);
	sf_host_set(&host, "", "0123456789ABCDEF0123456789ABCDEF", NULL);
	assert_int_equal(host.members_len, 0);
	/* The longest name, every byte of which needs an escape, fits. */
	sf_host_set(&host,
		    "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
		    "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1",
		    MACHINE_ID, BOOT_ID);
	assert_int_equal(strlen(host.name), 64);
	assert_non_null(strstr(host.members, BOOT_ID));
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_host_read(void **state)
{
	static const char *const dirs[] = { "etc", "proc", "proc/sys", "proc/sys/kernel",
					    "proc/sys/kernel/random" };
	char root[] = "/tmp/sf-test-host-XX"
		      "XX"
		      "XX",
	     path[256];
	struct sf_host host;

	(void)state;
	assert_non_null(mkdtemp(root));
	sf_host_read(&host, root);
	assert_string_equal(host.machine_id, "");
	assert_string_equal(host.boot_id, "");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	write_file(root, "etc/machine-id", MACHINE_ID "\n");
	write_file(root, "proc/sys/kernel/random/boot_id", BOOT_ID "\n");
	sf_host_read(&host, root);
	assert_string_equal(host.machine_id, MACHINE_ID);
	assert_string_equal(host.boot_id, BOOT_ID);
	snprintf(path, sizeof(path), "%s/etc/machine-id", root);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/proc/sys/kernel/random/boot_id", root);
	assert_int_equal(unlink(path), 0);
	for (size_t i = ARRAY_SIZE(dirs); i-- > 0;) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(root), 0);
	/* This host has booted. */
	sf_host_read(&host, "");
	assert_int_equal(strlen(host.boot_id), 36);
}

static const char text_stats_clean[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123456789Z\","
	"\"event_name\":\"synfin.stats\",\"events_sent\":10,\"events_lost\":0,"
	"\"lost_ring\":0,\"lost_map\":0,\"lost_nested\":0,\"lost_requests\":0,"
	"\"hooks_missing\":[]}";

static const char text_stats_lost[] =
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123456789Z\","
	"\"event_name\":\"synfin.stats\",\"seq\":12,\"events_sent\":10,"
	"\"events_lost\":11,\"lost_ring\":4,\"lost_ring_by_event\":{\"tcp.connect\":3,"
	"\"tcp.close\":1},\"lost_map\":2,\"lost_nested\":5,\"lost_requests\":7,"
	"\"waits_refused\":3,"
	"\"hooks_missing\":[\"connect\","
	"\"handshake\"],\"lag_us\":2500,\"clock_synchronized\":true,\"clock_error_us\":0}";

static void test_stats(void **state)
{
	const char *const hooks[] = { "connect", "handshake" };
	struct sf_loss_view loss = { .time_ns = T0, .events_sent = 10 };
	struct sf_line line = { .realtime_offset_ns = OFFSET };
	char text[SF_JSON_LINE_MAX] = "";
	struct sf_json json;

	(void)state;
	sf_json_init(&json, text, sizeof(text) - 1);
	sf_fields_stats(&json, &line, &loss);
	assert_string_equal(text, text_stats_clean);
	memset(text, 0, sizeof(text));
	line.seq = 12;
	loss.lost_ring[SF_EV_CONNECT] = 3;
	loss.lost_ring[SF_EV_CLOSE] = 1;
	loss.lost_map = 2;
	loss.lost_nested = 5;
	loss.lost_requests = 7;
	loss.waits_refused = 3;
	loss.hooks_missing = hooks;
	loss.nr_hooks_missing = 2;
	loss.has_lag = true;
	loss.lag_ns = 2500999;
	loss.clock = (struct sf_clock_state){ .is_known = true, .is_synchronized = true };
	sf_json_init(&json, text, sizeof(text) - 1);
	sf_fields_stats(&json, &line, &loss);
	assert_string_equal(text, text_stats_lost);
	memset(text, 0, sizeof(text));
	loss.clock = (struct sf_clock_state){ .is_known = true, .error_ns = 16000000000 };
	sf_json_init(&json, text, sizeof(text) - 1);
	sf_fields_stats(&json, &line, &loss);
	assert_non_null(strstr(text, ",\"clock_synchronized\":false}"));
}

static void test_buffer_too_small(void **state)
{
	struct sf_event event = client_closed();
	struct sf_line line = { .event = &event };
	char text[64];
	struct sf_json json;

	(void)state;
	sf_json_init(&json, text, sizeof(text));
	sf_fields_event(&json, &line);
	assert_true(json.overflow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_closed),
		cmocka_unit_test(test_server_accept),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_old),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_counters_only_where_read),
		cmocka_unit_test(test_zero_is_an_answer_only_if_read),
		cmocka_unit_test(test_short_times),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_flags_and_rest),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_reason_inferred),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_host_read),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_buffer_too_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
