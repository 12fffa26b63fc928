// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A member of the line is an attribute, by the name that OpenTelemetry has for it, where it has
 * one, else by ours below "synfin.". Numbers of fields are those of the .proto files.
 */
#include "sink/otlp_logs.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "sink/line.h"

#define DEPTH_MAX 4 /* of arrays and objects; what is below is text */
#define TEXT_MAX 512

/* ExportLogsServiceRequest, ResourceLogs, ScopeLogs */
enum { REQUEST_RESOURCE_LOGS = 1 };
enum { RESOURCE_LOGS_RESOURCE = 1, RESOURCE_LOGS_SCOPE_LOGS = 2 };
enum { SCOPE_LOGS_SCOPE = 1, SCOPE_LOGS_RECORDS = 2 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2 };
enum {
	RECORD_TIME = 1,
	RECORD_SEVERITY = 2,
	RECORD_SEVERITY_TEXT = 3,
	RECORD_BODY = 5,
	RECORD_ATTRIBUTES = 6,
	RECORD_OBSERVED_TIME = 11,
	RECORD_EVENT_NAME = 12,
};
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_ARRAY = 5, ANY_KEY_VALUES = 6 };
enum { LIST_VALUES = 1 };
/* ExportLogsServiceResponse, ExportLogsPartialSuccess, google.rpc.Status */
enum { RESPONSE_PARTIAL = 1 };
enum { PARTIAL_REJECTED = 1, PARTIAL_MESSAGE = 2 };
enum { STATUS_MESSAGE = 2 };

/* SeverityNumber */
enum { SEVERITY_INFO = 9, SEVERITY_WARN = 13 };

static const char own[] = "synfin.";

struct name {
	const char *key, *otel;
};

/* As x-otel in the schema of the lines. */
static const struct name names[] = {
	{ "client_address", "client.address" },
	{ "client_port", "client.port" },
	{ "server_address", "server.address" },
	{ "server_port", "server.port" },
	{ "network_transport", "network.transport" },
	{ "network_type", "network.type" },
	{ "network_local_address", "network.local.address" },
	{ "network_local_port", "network.local.port" },
	{ "network_peer_address", "network.peer.address" },
	{ "network_peer_port", "network.peer.port" },
	{ "network_connection_state", "network.connection.state" },
	{ "process_pid", "process.pid" },
	{ "process_executable_name", "process.executable.name" },
	{ "error_type", "error.type" },
};

/* These are attributes of the resource. Its boot has no name at OpenTelemetry. */
static const struct name resource_names[] = {
	{ "host_name", "host.name" },
	{ "host_id", "host.id" },
	{ "boot_id", "synfin.boot_id" },
};

/* These have fields of their own in the record. */
static const struct name record_names[] = {
	{ "time", NULL },
	{ "event_name", NULL },
};

static const struct name *find_name(const struct sf_member *member, const struct name *table,
				    size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (sf_line_is(member, table[i].key))
			return &table[i];
	return NULL;
}

/* A member's text, without its escapes, as a string. */
static void put_text(struct sf_pb *pb, uint32_t number, const struct sf_member *member)
{
	size_t begun = sf_pb_begin(pb, number);
	char *room = sf_pb_room(pb, member->value_len); /* no text is longer than its escapes */

	if (room)
		pb->len += sf_line_text(member, room, member->value_len);
	sf_pb_end(pb, begun);
}

/* Of -2^63 to 2^63 - 1, without fraction. */
static bool is_integer(const struct sf_member *member, uint64_t *ret)
{
	bool is_negative = member->value_len && member->value[0] == '-';
	uint64_t value = 0, max = (uint64_t)INT64_MAX + is_negative;

	if (member->value_len == is_negative)
		return false;
	for (size_t i = is_negative; i < member->value_len; i++) {
		uint64_t digit = (uint64_t)(member->value[i] - '0');

		if (digit > 9 || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = is_negative ? 0 - value : value;
	return true;
}

static bool is_word(const struct sf_member *member, const char *word)
{
	return member->value_len == strlen(word) && !memcmp(member->value, word, strlen(word));
}

static void put_any(struct sf_pb *pb, const struct sf_member *member, int depth);

/* A KeyValue; of a key of ours the prefix comes before. */
static void put_key_value(struct sf_pb *pb, uint32_t number, const char *prefix,
			  const struct sf_member *member, int depth)
{
	size_t begun = sf_pb_begin(pb, number), part;
	char *room;

	part = sf_pb_begin(pb, KEY_VALUE_KEY);
	room = sf_pb_room(pb, strlen(prefix) + member->key_len);
	if (room) {
		memcpy(room, prefix, strlen(prefix));
		memcpy(room + strlen(prefix), member->key, member->key_len);
		pb->len += strlen(prefix) + member->key_len;
	}
	sf_pb_end(pb, part);
	part = sf_pb_begin(pb, KEY_VALUE_VALUE);
	put_any(pb, member, depth);
	sf_pb_end(pb, part);
	sf_pb_end(pb, begun);
}

static void put_array(struct sf_pb *pb, const struct sf_member *member, int depth)
{
	size_t begun = sf_pb_begin(pb, ANY_ARRAY), at = 0;
	struct sf_member element;

	while (sf_line_element(member->value, member->value_len, &at, &element)) {
		size_t value = sf_pb_begin(pb, LIST_VALUES);

		put_any(pb, &element, depth + 1);
		sf_pb_end(pb, value);
	}
	sf_pb_end(pb, begun);
}

static void put_object(struct sf_pb *pb, const struct sf_member *member, int depth)
{
	size_t begun = sf_pb_begin(pb, ANY_KEY_VALUES), at = 0;
	struct sf_member inner;

	while (sf_line_next(member->value, member->value_len, &at, &inner))
		put_key_value(pb, LIST_VALUES, "", &inner, depth + 1);
	sf_pb_end(pb, begun);
}

/* What an AnyValue holds. */
static void put_any(struct sf_pb *pb, const struct sf_member *member, int depth)
{
	bool can_nest = !member->is_string && member->value_len && depth < DEPTH_MAX;
	uint64_t value;

	if (can_nest && member->value[0] == '[')
		put_array(pb, member, depth);
	else if (can_nest && member->value[0] == '{')
		put_object(pb, member, depth);
	else if (!member->is_string && is_integer(member, &value))
		sf_pb_varint(pb, ANY_INT, value);
	else if (!member->is_string && (is_word(member, "true") || is_word(member, "false")))
		sf_pb_varint(pb, ANY_BOOL, member->value[0] == 't');
	else
		put_text(pb, ANY_STRING, member);
}

/* An attribute by another name than its key. */
static void put_named(struct sf_pb *pb, uint32_t number, const char *name,
		      const struct sf_member *member)
{
	struct sf_member named = *member;

	named.key = name;
	named.key_len = strlen(name);
	put_key_value(pb, number, "", &named, 0);
}

static void put_constant(struct sf_pb *pb, uint32_t number, const char *name, const char *text)
{
	const struct sf_member member = { .value = text,
					  .value_len = strlen(text),
					  .is_string = true };

	put_named(pb, number, name, &member);
}

static void put_resource(struct sf_pb *pb, const char *line, size_t len)
{
	size_t begun = sf_pb_begin(pb, RESOURCE_LOGS_RESOURCE);
	struct sf_member member;

	put_constant(pb, RESOURCE_ATTRIBUTES, "service.name", "synfin");
	put_constant(pb, RESOURCE_ATTRIBUTES, "service.version", SF_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(resource_names); i++)
		if (sf_line_find(line, len, resource_names[i].key, &member))
			put_named(pb, RESOURCE_ATTRIBUTES, resource_names[i].otel, &member);
	sf_pb_end(pb, begun);
}

static void put_scope(struct sf_pb *pb)
{
	size_t begun = sf_pb_begin(pb, SCOPE_LOGS_SCOPE);

	sf_pb_bytes(pb, SCOPE_NAME, "synfin", strlen("synfin"));
	sf_pb_bytes(pb, SCOPE_VERSION, SF_VERSION, strlen(SF_VERSION));
	sf_pb_end(pb, begun);
}

static void put_body(struct sf_pb *pb, const char *line, size_t len)
{
	char text[TEXT_MAX];
	size_t text_len = sf_line_message(line, len, text, sizeof(text));
	size_t begun = sf_pb_begin(pb, RECORD_BODY);

	sf_pb_bytes(pb, ANY_STRING, text, text_len);
	sf_pb_end(pb, begun);
}

static void put_attributes(struct sf_pb *pb, const char *line, size_t len)
{
	struct sf_member member;
	size_t at = 0;

	while (sf_line_next(line, len, &at, &member)) {
		const struct name *name = find_name(&member, names, ARRAY_SIZE(names));

		if (name)
			put_named(pb, RECORD_ATTRIBUTES, name->otel, &member);
		else if (!find_name(&member, resource_names, ARRAY_SIZE(resource_names)) &&
			 !find_name(&member, record_names, ARRAY_SIZE(record_names)))
			put_key_value(pb, RECORD_ATTRIBUTES, own, &member, 0);
	}
}

static void put_record(struct sf_pb *pb, const char *line, size_t len, uint64_t observed_ns)
{
	bool is_bad = sf_line_severity(line, len) < 6;
	const char *severity = is_bad ? "WARN" : "INFO";
	size_t begun = sf_pb_begin(pb, SCOPE_LOGS_RECORDS);
	struct sf_member member;
	uint64_t time_ns;

	if (sf_line_find(line, len, "time", &member) &&
	    !sf_time_parse_rfc3339(member.value, member.value_len, &time_ns))
		sf_pb_fixed64(pb, RECORD_TIME, time_ns);
	sf_pb_varint(pb, RECORD_SEVERITY, is_bad ? SEVERITY_WARN : SEVERITY_INFO);
	sf_pb_bytes(pb, RECORD_SEVERITY_TEXT, severity, strlen(severity));
	put_body(pb, line, len);
	put_attributes(pb, line, len);
	sf_pb_fixed64(pb, RECORD_OBSERVED_TIME, observed_ns);
	if (sf_line_find(line, len, "event_name", &member))
		put_text(pb, RECORD_EVENT_NAME, &member);
	sf_pb_end(pb, begun);
}

/* What the lengths of the three messages round the records may still take. */
#define LENGTHS_MAX 27

/* As many as have room. Returns the bytes of lines that are in it. */
static size_t put_records(struct sf_pb *pb, const char *lines, size_t len, uint64_t observed_ns)
{
	size_t done = 0;

	while (done < len) {
		const char *newline = memchr(lines + done, '\n', len - done);
		size_t line_len = newline ? (size_t)(newline - lines) - done : len - done;
		size_t before = pb->len;

		put_record(pb, lines + done, line_len, observed_ns);
		if (!sf_pb_room(pb, LENGTHS_MAX)) {
			pb->len = before;
			pb->overflow = false;
			break;
		}
		done += sf_min_size(line_len + 1, len - done);
	}
	return done;
}

size_t sf_otlp_encode(const char *lines, size_t len, uint64_t observed_ns, struct sf_pb *pb)
{
	size_t before = pb->len, done, resource_logs, scope_logs;
	const char *newline = memchr(lines, '\n', len);

	resource_logs = sf_pb_begin(pb, REQUEST_RESOURCE_LOGS);
	put_resource(pb, lines, newline ? (size_t)(newline - lines) : len);
	scope_logs = sf_pb_begin(pb, RESOURCE_LOGS_SCOPE_LOGS);
	put_scope(pb);
	done = pb->overflow ? 0 : put_records(pb, lines, len, observed_ns);
	sf_pb_end(pb, scope_logs);
	sf_pb_end(pb, resource_logs);
	if (!done) {
		pb->len = before;
		pb->overflow = false;
	}
	return done;
}

/* Of a message's fields the bytes with that number, the last of several (protobuf's rule). */
static bool find_bytes(const void *message, size_t len, uint32_t number, struct sf_pb_field *ret)
{
	struct sf_pb_field field;
	bool is_found = false;
	size_t at = 0;

	while (sf_pb_next(message, len, &at, &field)) {
		if (field.number != number || field.type != SF_PB_LEN)
			continue;
		*ret = field;
		is_found = true;
	}
	return is_found;
}

static void find_message(const void *body, size_t len, uint32_t number, struct sf_otlp_answer *ret)
{
	struct sf_pb_field field;

	if (!find_bytes(body, len, number, &field) || !field.len)
		return;
	ret->message = (const char *)field.bytes;
	ret->message_len = field.len;
}

void sf_otlp_answer(const void *body, size_t len, struct sf_otlp_answer *ret)
{
	struct sf_pb_field partial, field;
	size_t at = 0;

	*ret = (struct sf_otlp_answer){ 0 };
	if (!find_bytes(body, len, RESPONSE_PARTIAL, &partial))
		return;
	while (sf_pb_next(partial.bytes, partial.len, &at, &field))
		/* an int64: a server that says less than none says nothing */
		if (field.number == PARTIAL_REJECTED && field.type == SF_PB_VARINT &&
		    field.value <= INT64_MAX)
			ret->nr_rejected = field.value;
	find_message(partial.bytes, partial.len, PARTIAL_MESSAGE, ret);
}

void sf_otlp_status(const void *body, size_t len, struct sf_otlp_answer *ret)
{
	*ret = (struct sf_otlp_answer){ 0 };
	find_message(body, len, STATUS_MESSAGE, ret);
}
