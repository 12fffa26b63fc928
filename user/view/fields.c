// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fields of a JSON line: one table, in the order of the output. A row's
 * writer writes its field or nothing: what is not known is absent, never 0 or
 * "". A new field needs its row here and its entry in the schema, no more.
 */
#include "view/fields.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/community_id.h"
#include "base/json.h"
#include "base/util.h"
#include "story/names.h"
#include "story/story.h"
#include "view/facts.h"
#include "view/host.h"

#define NS_PER_US 1000

struct field {
	const char *key; /* with quotes and colon; NULL: the writer names them itself */
	size_t key_len;
	void (*put)(struct sf_json *j, const struct field *field, const struct sf_line *line);
	size_t arg; /* what the writer says: an offset into struct sf_story, a step, a flag */
	/* What the writers put_enum, put_count and put_took ask. */
	const char *(*name_of)(unsigned int value);
	bool (*count)(const struct sf_event *event, uint64_t *ret);
	bool (*took)(const struct sf_story *story, struct sf_took *ret);
};

uint64_t sf_realtime_ns(uint64_t boottime_ns, int64_t realtime_offset_ns)
{
	if (realtime_offset_ns < 0 && -(uint64_t)realtime_offset_ns > boottime_ns)
		return 0;
	return boottime_ns + (uint64_t)realtime_offset_ns;
}

static const struct sf_story *story_of(const struct sf_line *line)
{
	return &line->event->story;
}

/* Numbers of the story by offset, for rows that differ in nothing else. */
static uint64_t u64_at(const struct sf_line *line, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)story_of(line) + offset, sizeof(value));
	return value;
}

static uint32_t u32_at(const struct sf_line *line, size_t offset)
{
	uint32_t value;

	memcpy(&value, (const char *)story_of(line) + offset, sizeof(value));
	return value;
}

static const struct sf_task *task_at(const struct sf_line *line, size_t offset)
{
	return (const struct sf_task *)((const char *)story_of(line) + offset);
}

static void put_u64(struct sf_json *j, const struct field *f, uint64_t value)
{
	sf_json_ready_key(j, f->key, f->key_len);
	sf_json_u64(j, NULL, value);
}

static void put_us(struct sf_json *j, const struct field *f, uint64_t ns)
{
	put_u64(j, f, ns / NS_PER_US);
}

static void put_hex64(struct sf_json *j, const struct field *f, uint64_t value)
{
	sf_json_ready_key(j, f->key, f->key_len);
	sf_json_hex64(j, NULL, value);
}

static void put_bool(struct sf_json *j, const struct field *f, bool value)
{
	sf_json_ready_key(j, f->key, f->key_len);
	sf_json_bool(j, NULL, value);
}

static void put_strn(struct sf_json *j, const struct field *f, const void *text, size_t len)
{
	sf_json_ready_key(j, f->key, f->key_len);
	sf_json_strn(j, NULL, text, len);
}

/* text NULL: not known. */
static void put_str(struct sf_json *j, const struct field *f, const char *text)
{
	if (text)
		put_strn(j, f, text, strlen(text));
}

static void put_schema_version(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	(void)line;
	put_u64(j, f, SF_SCHEMA_VERSION);
}

static void put_time_of(struct sf_json *j, const struct field *f, const struct sf_line *line,
			uint64_t boottime_ns)
{
	char text[SF_TIME_STRLEN];

	put_str(j, f, sf_time_rfc3339(sf_realtime_ns(boottime_ns, line->realtime_offset_ns), text));
}

static void put_time(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	put_time_of(j, f, line, line->event->time_ns);
}

static void put_event_name(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	put_str(j, f, line->event_name ? line->event_name : sf_event_name(line->event->kind));
}

static void put_seq(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (line->seq)
		put_u64(j, f, line->seq);
}

static void put_host(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	(void)f;
	if (line->host)
		sf_json_raw_members(j, line->host->members, line->host->members_len);
}

/* arg: offset of a 64-bit id. */
static void put_id(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	uint64_t id = u64_at(line, f->arg);

	if (id)
		put_hex64(j, f, id);
}

static void put_wire_id(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	uint64_t id;

	if (sf_story_wire_id(story_of(line), &id))
		put_hex64(j, f, id);
}

static void put_community_id(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	char text[SF_COMMUNITY_ID_STRLEN];

	if (sf_fact_community_id(story_of(line), line->ids, text))
		put_str(j, f, text);
}

/* arg: offset of an enum byte; name_of gives no name to what is not known. */
static void put_enum(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	put_str(j, f, f->name_of(*((const uint8_t *)story_of(line) + f->arg)));
}

enum end { END_CLIENT, END_SERVER, END_LOCAL, END_PEER };

static bool end_of(const struct sf_line *line, size_t end, struct sf_endpoint *ret)
{
	const struct sf_story *s = story_of(line);

	switch (end) {
	case END_CLIENT:
		return sf_story_client(s, ret);
	case END_SERVER:
		return sf_story_server(s, ret);
	case END_LOCAL:
		return sf_story_local(s, ret);
	default:
		return sf_story_peer(s, ret);
	}
}

/* arg: enum end */
static void put_address(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	struct sf_endpoint end;
	char text[SF_ADDR_STRLEN];

	if (end_of(line, f->arg, &end))
		put_str(j, f, sf_addr_format(end.addr, text));
}

static void put_port(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	struct sf_endpoint end;

	if (end_of(line, f->arg, &end) && end.port)
		put_u64(j, f, end.port);
}

static void put_transport(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	(void)line;
	put_str(j, f, "tcp");
}

static void put_network_type(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	int family;

	if (sf_story_wire_family(story_of(line), &family))
		put_str(j, f, family == AF_INET ? "ipv4" : "ipv6");
}

static void put_ephemeral(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	uint32_t flags = story_of(line)->flags;

	if (flags & SF_F_PORT_KNOWN)
		put_bool(j, f, flags & SF_F_PORT_EPHEMERAL);
}

static void put_state_previous(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	put_str(j, f, sf_state_name(line->event->state_prev));
}

/* arg of the next three: offset of a struct sf_task */
static void put_pid(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_task *task = task_at(line, f->arg);

	if (task->tgid)
		put_u64(j, f, task->tgid);
}

static void put_comm(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_task *task = task_at(line, f->arg);
	size_t len = strnlen((const char *)task->comm, sizeof(task->comm));

	if (task->tgid && len)
		put_strn(j, f, task->comm, len);
}

static void put_uid(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_task *task = task_at(line, f->arg);

	if (task->tgid)
		put_u64(j, f, task->uid);
}

/* The other end of the connection, where it is on this host, too. */
static void put_peer_pid(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (line->peer && line->peer->story.owner.tgid)
		put_u64(j, f, line->peer->story.owner.tgid);
}

static void put_peer_comm(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_task *task = line->peer ? &line->peer->story.owner : NULL;
	size_t len = task ? strnlen((const char *)task->comm, sizeof(task->comm)) : 0;

	if (len && task->tgid)
		put_strn(j, f, task->comm, len);
}

/* Of one that is not known from its own connect() or accept(). */
static void put_peer_source(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_task *task = line->peer ? &line->peer->story.owner : NULL;

	if (task && task->tgid && task->source != SF_OWNER_SRC_CONNECT &&
	    task->source != SF_OWNER_SRC_ACCEPT)
		put_str(j, f, sf_owner_source_name(task->source));
}

static void put_peer_id(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (line->peer && line->peer->story.id)
		put_hex64(j, f, line->peer->story.id);
}

/* arg: offset of a 32-bit number that is not 0 when it is known */
static void put_u32(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	uint32_t value = u32_at(line, f->arg);

	if (value)
		put_u64(j, f, value);
}

static void put_count(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	uint64_t count;

	if (f->count(line->event, &count))
		put_u64(j, f, count);
}

static void put_took(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	struct sf_took took;

	if (f->took(story_of(line), &took))
		put_us(j, f, took.ns);
}

static void put_took_derived(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	struct sf_took took;

	if (f->took(story_of(line), &took) && took.is_inferred)
		put_bool(j, f, true);
}

static void put_states(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	/* In the order of a life. */
	static const uint8_t states[] = {
		SF_TCP_LISTEN,	  SF_TCP_SYN_SENT,  SF_TCP_SYN_RECV, SF_TCP_ESTABLISHED,
		SF_TCP_FIN_WAIT1, SF_TCP_FIN_WAIT2, SF_TCP_CLOSING,  SF_TCP_CLOSE_WAIT,
		SF_TCP_LAST_ACK,  SF_TCP_TIME_WAIT,
	};
	bool is_open = false;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		uint64_t ns;

		if (!sf_story_state_ns(story_of(line), states[i], &ns))
			continue;
		if (!is_open) {
			sf_json_ready_key(j, f->key, f->key_len);
			sf_json_object_begin(j, NULL);
		}
		is_open = true;
		sf_json_u64(j, sf_state_name(states[i]), ns / NS_PER_US);
	}
	if (is_open)
		sf_json_object_end(j);
}

/* arg: enum sf_step, as offset from ESTABLISHED */
static void put_offset(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	struct sf_took took;

	if (sf_fact_between(story_of(line), SF_STEP_ESTABLISHED, (enum sf_step)f->arg, &took))
		put_us(j, f, took.ns);
}

/* arg: enum sf_step */
static void put_step_time(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	uint64_t at_ns = story_of(line)->step_ns[f->arg];

	if (at_ns)
		put_time_of(j, f, line, at_ns);
}

/* The state that a RST met; it is noted before it is known that a RST follows. */
static void put_rst_state(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (story_of(line)->rst_sender)
		put_str(j, f, sf_state_name(story_of(line)->rst_state));
}

/*
 * We closed first and our FIN was acknowledged; the peer's was not seen, as no hook tells of it
 * when the socket is gone: its reset or silence would not have been seen either. Or the program
 * gave up after an ICMP error, for whatever reason.
 */
static void put_reason_inferred(struct sf_json *j, const struct field *f,
				const struct sf_line *line)
{
	const struct sf_story *s = story_of(line);

	if (sf_story_is_end_unseen(s) || (s->cause && s->flags & SF_F_ERR_SOFT))
		put_bool(j, f, true);
}

static void put_rst_inferred(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_story *s = story_of(line);

	if (s->flags & SF_F_RST_INFERRED && sf_rst_reason_name(s->rst_reason))
		put_bool(j, f, true);
}

/* Who sent our RST; of the peer's nobody knows. */
static void put_rst_by(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	const struct sf_story *s = story_of(line);

	if (s->rst_sender == SF_SIDE_LOCAL && s->flags & SF_F_RST_BY_KNOWN)
		put_str(j, f, s->flags & SF_F_RST_BY_APP ? "application" : "kernel");
}

static void put_error(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	char text[SF_ERRNO_STRLEN];

	put_str(j, f, sf_errno_name(story_of(line)->err, text));
}

static void put_bytes_sent(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (sf_fact_has_bytes_sent(line->event))
		put_u64(j, f, line->event->story.bytes_sent);
}

/* arg of the next two: offset of a counter that this event may have filled */
static void put_counter64(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (sf_fact_has_counters(line->event))
		put_u64(j, f, u64_at(line, f->arg));
}

static void put_counter32(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (sf_fact_has_counters(line->event))
		put_u64(j, f, u32_at(line, f->arg));
}

/* arg: SF_F_*; said only when it is set */
static void put_flag(struct sf_json *j, const struct field *f, const struct sf_line *line)
{
	if (story_of(line)->flags & f->arg)
		put_bool(j, f, true);
}

#define AT(member) offsetof(struct sf_story, member)
#define KEY(name) .key = "\"" name "\":", .key_len = sizeof("\"" name "\":") - 1

static const struct field fields[] = {
	{ KEY("schema_version"), .put = put_schema_version },
	{ KEY("time"), .put = put_time },
	{ KEY("event_name"), .put = put_event_name },
	{ KEY("seq"), .put = put_seq },
	{ .put = put_host },
	{ KEY("connection_id"), .put = put_id, .arg = AT(id) },
	{ KEY("socket_cookie"), .put = put_id, .arg = AT(cookie) },
	{ KEY("wire_id"), .put = put_wire_id },
	{ KEY("network_community_id"), .put = put_community_id },
	{ KEY("role"), .put = put_enum, .arg = AT(role), .name_of = sf_role_name },
	{ KEY("role_source"), .put = put_enum, .arg = AT(role_source),
	  .name_of = sf_role_source_name },
	{ KEY("client_address"), .put = put_address, .arg = END_CLIENT },
	{ KEY("client_port"), .put = put_port, .arg = END_CLIENT },
	{ KEY("server_address"), .put = put_address, .arg = END_SERVER },
	{ KEY("server_port"), .put = put_port, .arg = END_SERVER },
	{ KEY("network_transport"), .put = put_transport },
	{ KEY("network_type"), .put = put_network_type },
	{ KEY("network_local_address"), .put = put_address, .arg = END_LOCAL },
	{ KEY("network_local_port"), .put = put_port, .arg = END_LOCAL },
	{ KEY("network_peer_address"), .put = put_address, .arg = END_PEER },
	{ KEY("network_peer_port"), .put = put_port, .arg = END_PEER },
	{ KEY("local_port_ephemeral"), .put = put_ephemeral },
	{ KEY("network_connection_state"), .put = put_enum, .arg = AT(state),
	  .name_of = sf_state_name },
	{ KEY("network_connection_state_previous"), .put = put_state_previous },
	{ KEY("process_pid"), .put = put_pid, .arg = AT(owner) },
	{ KEY("process_executable_name"), .put = put_comm, .arg = AT(owner) },
	{ KEY("process_owner_uid"), .put = put_uid, .arg = AT(owner) },
	{ KEY("process_source"), .put = put_enum, .arg = AT(owner.source),
	  .name_of = sf_owner_source_name },
	{ KEY("closer_process_pid"), .put = put_pid, .arg = AT(closer) },
	{ KEY("closer_process_executable_name"), .put = put_comm, .arg = AT(closer) },
	{ KEY("peer_process_pid"), .put = put_peer_pid },
	{ KEY("peer_process_executable_name"), .put = put_peer_comm },
	{ KEY("peer_process_source"), .put = put_peer_source },
	{ KEY("peer_connection_id"), .put = put_peer_id },
	{ KEY("cgroup_id"), .put = put_id, .arg = AT(owner.cgroup_id) },
	{ KEY("netns"), .put = put_u32, .arg = AT(netns) },
	{ KEY("bound_interface_index"), .put = put_u32, .arg = AT(bound_if) },
	{ KEY("listen_backlog"), .put = put_count, .count = sf_fact_backlog },
	{ KEY("listen_backlog_asked"), .put = put_count, .count = sf_fact_backlog_asked },
	{ KEY("accept_queue"), .put = put_count, .count = sf_fact_accept_queue },
	{ KEY("syns_dropped"), .put = put_count, .count = sf_fact_syns_dropped },
	{ KEY("acks_dropped"), .put = put_count, .count = sf_fact_acks_dropped },
	{ KEY("half_open_expired"), .put = put_count, .count = sf_fact_half_open_expired },
	{ KEY("listener_connection_id"), .put = put_id, .arg = AT(listener_id) },
	{ KEY("socket_time"), .put = put_step_time, .arg = SF_STEP_SOCKET },
	{ KEY("bind_time"), .put = put_step_time, .arg = SF_STEP_BIND },
	{ KEY("listen_time"), .put = put_step_time, .arg = SF_STEP_LISTEN },
	{ KEY("handshake_us"), .put = put_took, .took = sf_fact_handshake },
	{ KEY("handshake_derived"), .put = put_took_derived, .took = sf_fact_handshake },
	{ KEY("accept_wait_us"), .put = put_took, .took = sf_fact_accept_wait },
	{ KEY("syn_retransmits"), .put = put_count, .count = sf_fact_syn_retransmits },
	{ KEY("synack_retransmits"), .put = put_count, .count = sf_fact_synack_retransmits },
	{ KEY("duration_us"), .put = put_took, .took = sf_fact_duration },
	{ KEY("duration_derived"), .put = put_took_derived, .took = sf_fact_duration },
	{ KEY("connect_to_close_us"), .put = put_took, .took = sf_fact_connect_to_close },
	{ KEY("state_us"), .put = put_states },
	{ KEY("closed_by"), .put = put_enum, .arg = AT(closed_by), .name_of = sf_side_name },
	{ KEY("close_reason"), .put = put_enum, .arg = AT(cause), .name_of = sf_cause_name },
	{ KEY("close_reason_inferred"), .put = put_reason_inferred },
	{ KEY("close_call"), .put = put_enum, .arg = AT(close_call), .name_of = sf_call_name },
	{ KEY("first_sent_us"), .put = put_offset, .arg = SF_STEP_FIRST_OUT },
	{ KEY("first_received_us"), .put = put_offset, .arg = SF_STEP_FIRST_IN },
	{ KEY("shutdown_call_us"), .put = put_offset, .arg = SF_STEP_SHUTDOWN },
	{ KEY("close_call_us"), .put = put_offset, .arg = SF_STEP_CLOSE },
	{ KEY("fin_sent_us"), .put = put_offset, .arg = SF_STEP_FIN_SENT },
	{ KEY("fin_acked_us"), .put = put_offset, .arg = SF_STEP_FIN_ACKED },
	{ KEY("fin_received_us"), .put = put_offset, .arg = SF_STEP_FIN_RECEIVED },
	{ KEY("half_close_us"), .put = put_took, .took = sf_fact_half_close },
	{ KEY("time_wait_us"), .put = put_took, .took = sf_fact_time_wait },
	{ KEY("time_wait_end"), .put = put_enum, .arg = AT(wait_end), .name_of = sf_wait_end_name },
	{ KEY("rst_sender"), .put = put_enum, .arg = AT(rst_sender), .name_of = sf_side_name },
	{ KEY("rst_reason"), .put = put_enum, .arg = AT(rst_reason),
	  .name_of = sf_rst_reason_name },
	{ KEY("rst_reason_inferred"), .put = put_rst_inferred },
	{ KEY("rst_by"), .put = put_rst_by },
	{ KEY("rst_state"), .put = put_rst_state },
	{ KEY("error_type"), .put = put_error },
	{ KEY("bytes_sent"), .put = put_bytes_sent },
	{ KEY("bytes_received"), .put = put_counter64, .arg = AT(bytes_received) },
	{ KEY("segments_sent"), .put = put_counter32, .arg = AT(segments_sent) },
	{ KEY("segments_received"), .put = put_counter32, .arg = AT(segments_received) },
	{ KEY("retransmits"), .put = put_counter32, .arg = AT(retransmits) },
	{ KEY("retransmits_unsent"), .put = put_u32, .arg = AT(retransmits_unsent) },
	{ KEY("srtt_us"), .put = put_count, .count = sf_fact_srtt_us },
	{ KEY("rtt_min_us"), .put = put_count, .count = sf_fact_rtt_min_us },
	{ KEY("unread_bytes"), .put = put_counter32, .arg = AT(unread_bytes) },
	{ KEY("zero_window_probes"), .put = put_u32, .arg = AT(zero_window_probes) },
	{ KEY("never_accepted"), .put = put_flag, .arg = SF_F_NEVER_ACCEPTED },
	{ KEY("orphan"), .put = put_flag, .arg = SF_F_ORPHAN },
	{ KEY("syncookie"), .put = put_flag, .arg = SF_F_SYNCOOKIE },
	{ KEY("fastopen"), .put = put_flag, .arg = SF_F_FASTOPEN },
	{ KEY("connect_interrupted"), .put = put_flag, .arg = SF_F_INTERRUPTED },
	{ KEY("defer_accept"), .put = put_flag, .arg = SF_F_DEFER_ACCEPT },
	{ KEY("preexisting"), .put = put_flag, .arg = SF_F_BEGIN_UNSEEN },
	{ KEY("begin_unknown"), .put = put_flag, .arg = SF_F_BEGIN_LOST },
};

void sf_fields_members(struct sf_json *j, const struct sf_line *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		fields[i].put(j, &fields[i], line);
}

void sf_fields_event(struct sf_json *j, const struct sf_line *line)
{
	sf_json_object_begin(j, NULL);
	sf_fields_members(j, line);
	sf_json_object_end(j);
}
