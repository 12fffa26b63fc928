// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines as OTLP: where each member goes, types, buffers of every size, answers of servers.
 * tests/cli/otlp.bats reads the same with OpenTelemetry's own classes.
 */
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
#include "sink/otlp_logs.h"

#define CLOSE                                                                               \
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:00.123456789Z\","                \
	"\"event_name\":\"tcp.close\",\"seq\":7,\"host_name\":\"a\\u00e4b\","               \
	"\"host_id\":\"0123\",\"boot_id\":\"b-1\",\"role\":\"client\","                     \
	"\"client_address\":\"10.0.0.1\",\"server_port\":80,\"local_port_ephemeral\":true," \
	"\"process_executable_name\":\"a\\\"b\",\"state_us\":{\"established\":5,"           \
	"\"time_wait\":6},\"close_reason\":\"reset\"}\n"
#define STATS                                                                      \
	"{\"schema_version\":1,\"time\":\"2026-11-22T12:00:01.000000000Z\","       \
	"\"event_name\":\"synfin.stats\",\"events_lost\":0,\"clock_error_ns\":-3," \
	"\"hooks_missing\":[\"a\",\"b\"],\"sinks\":[{\"sink\":\"file:x\",\"lines_sent\":2}]}\n"

static uint8_t buf[16384];

/* The nth field with that number; len 0 and bytes NULL if there is none. */
static struct sf_pb_field nth(const uint8_t *message, size_t len, uint32_t number, size_t n)
{
	struct sf_pb_field field;
	size_t at = 0;

	while (sf_pb_next(message, len, &at, &field))
		if (field.number == number && !n--)
			return field;
	return (struct sf_pb_field){ 0 };
}

static struct sf_pb_field in(struct sf_pb_field field, uint32_t number)
{
	return nth(field.bytes, field.len, number, 0);
}

static struct sf_pb_field resource_logs(const struct sf_pb *pb)
{
	return nth(pb->buf, pb->len, 1, 0);
}

static struct sf_pb_field record(const struct sf_pb *pb, size_t n)
{
	struct sf_pb_field scope_logs = in(resource_logs(pb), 2);

	return nth(scope_logs.bytes, scope_logs.len, 2, n);
}

static bool is_text(struct sf_pb_field field, const char *text)
{
	return field.type == SF_PB_LEN && field.len == strlen(text) &&
	       !memcmp(field.bytes, text, field.len);
}

/* The AnyValue of a key among KeyValues of that number. */
static struct sf_pb_field value_of(struct sf_pb_field message, uint32_t number, const char *key)
{
	for (size_t i = 0;; i++) {
		struct sf_pb_field pair = nth(message.bytes, message.len, number, i);

		if (!pair.bytes || is_text(in(pair, 1), key))
			return in(pair, 2);
	}
}

static size_t encode(const char *lines, struct sf_pb *pb)
{
	*pb = (struct sf_pb){ .buf = buf, .size = sizeof(buf) };
	return sf_otlp_encode(lines, strlen(lines), 42, pb);
}

static void test_resource(void **state)
{
	struct sf_pb_field resource, scope;
	struct sf_pb pb;

	(void)state;
	assert_int_equal(encode(CLOSE, &pb), strlen(CLOSE));
	resource = in(resource_logs(&pb), 1);
	assert_true(is_text(in(value_of(resource, 1, "service.name"), 1), "synfin"));
	assert_true(is_text(in(value_of(resource, 1, "service.version"), 1), SF_VERSION));
	assert_true(is_text(in(value_of(resource, 1, "host.name"), 1), "a\xc3\xa4"
								       "b"));
	assert_true(is_text(in(value_of(resource, 1, "host.id"), 1), "0123"));
	assert_true(is_text(in(value_of(resource, 1, "synfin.boot_id"), 1), "b-1"));
	scope = in(in(resource_logs(&pb), 2), 1);
	assert_true(is_text(in(scope, 1), "synfin"));
	assert_true(is_text(in(scope, 2), SF_VERSION));
}

static void test_record(void **state)
{
	struct sf_pb_field r;
	struct sf_pb pb;

	(void)state;
	assert_int_equal(encode(CLOSE STATS, &pb), strlen(CLOSE STATS));
	r = record(&pb, 0);
	assert_true(in(r, 1).value == 1795348800123456789ULL && in(r, 1).type == SF_PB_FIXED64);
	assert_true(in(r, 11).value == 42 && in(r, 11).type == SF_PB_FIXED64);
	assert_int_equal(in(r, 2).value, 13);
	assert_true(is_text(in(r, 3), "WARN"));
	assert_true(is_text(in(in(r, 5), 1), "tcp.close client, process a\"b: reset"));
	assert_true(is_text(in(r, 12), "tcp.close"));
	r = record(&pb, 1);
	assert_int_equal(in(r, 2).value, 9);
	assert_true(is_text(in(r, 3), "INFO"));
	assert_true(is_text(in(r, 12), "synfin.stats"));
	assert_null(record(&pb, 2).bytes);
}

static void test_attributes(void **state)
{
	static const char *const elsewhere[] = { "time",	   "event_name",     "host.name",
						 "synfin.time",	   "synfin.host_id", "boot_id",
						 "client_address", "synfin.boot_id" };
	struct sf_pb_field r, map, list;
	struct sf_pb pb;

	(void)state;
	encode(CLOSE STATS, &pb);
	r = record(&pb, 0);
	assert_true(is_text(in(value_of(r, 6, "client.address"), 1), "10.0.0.1"));
	assert_true(in(value_of(r, 6, "server.port"), 3).value == 80);
	assert_true(is_text(in(value_of(r, 6, "process.executable.name"), 1), "a\"b"));
	assert_true(in(value_of(r, 6, "synfin.local_port_ephemeral"), 2).value == 1);
	assert_true(in(value_of(r, 6, "synfin.seq"), 3).value == 7);
	assert_true(is_text(in(value_of(r, 6, "synfin.role"), 1), "client"));
	map = in(value_of(r, 6, "synfin.state_us"), 6);
	assert_true(in(value_of(map, 1, "established"), 3).value == 5);
	assert_true(in(value_of(map, 1, "time_wait"), 3).value == 6);
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		assert_null(value_of(r, 6, elsewhere[i]).bytes);
	r = record(&pb, 1);
	assert_int_equal((int64_t)in(value_of(r, 6, "synfin.clock_error_ns"), 3).value, -3);
	/* 0 is a value: it is there */
	assert_int_equal(value_of(r, 6, "synfin.events_lost").len, 2);
	list = in(value_of(r, 6, "synfin.hooks_missing"), 5);
	assert_true(is_text(in(nth(list.bytes, list.len, 1, 0), 1), "a"));
	assert_true(is_text(in(nth(list.bytes, list.len, 1, 1), 1), "b"));
	assert_null(nth(list.bytes, list.len, 1, 2).bytes);
	map = in(in(in(value_of(r, 6, "synfin.sinks"), 5), 1), 6);
	assert_true(is_text(in(value_of(map, 1, "sink"), 1), "file:x"));
	assert_true(in(value_of(map, 1, "lines_sent"), 3).value == 2);
}

static void test_values(void **state)
{
	static const struct {
		const char *json;
		uint32_t number; /* of AnyValue: 1 text, 2 bool, 3 int, 5 array, 6 object */
		int64_t value;
	} values[] = {
		{ "0", 3, 0 },
		{ "-1", 3, -1 },
		{ "9223372036854775807", 3, INT64_MAX },
		{ "-9223372036854775808", 3, INT64_MIN },
		{ "9223372036854775808", 1, 0 },
		{ "-9223372036854775809", 1, 0 },
		{ "18446744073709551616", 1, 0 },
		{ "1.5", 1, 0 },
		{ "1e3", 1, 0 },
		{ "-", 1, 0 },
		{ "null", 1, 0 },
		{ "\"7\"", 1, 0 },
		{ "\"true\"", 1, 0 },
		{ "true", 2, 1 },
		{ "false", 2, 0 },
		{ "[]", 5, 0 },
		{ "{}", 6, 0 },
		{ "\"\"", 1, 0 },
		{ "\"[1]\"", 1, 0 },
		{ "[[[[[1]]]]]", 5, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct sf_pb_field any, held;
		char line[128];
		struct sf_pb pb;

		snprintf(line, sizeof(line), "{\"v\":%s}\n", values[i].json);
		assert_int_equal(encode(line, &pb), strlen(line));
		any = value_of(record(&pb, 0), 6, "synfin.v");
		held = in(any, values[i].number);
		assert_non_null(any.bytes);
		assert_int_equal(held.number, values[i].number);
		if (values[i].number == 2 || values[i].number == 3)
			assert_true((int64_t)held.value == values[i].value);
	}
}

/* A line without time has none, it is not 1970. */
static void test_no_time(void **state)
{
	static const char line[] = "{\"event_name\":\"x\",\"time\":\"noon\"}\n";
	struct sf_pb pb;

	(void)state;
	assert_int_equal(encode(line, &pb), strlen(line));
	assert_int_equal(in(record(&pb, 0), 1).number, 0);
	assert_true(is_text(in(record(&pb, 0), 12), "x"));
}

/* Whatever the room: whole lines, a whole message, nothing written beyond. */
static void test_room(void **state)
{
	static const char lines[] = CLOSE STATS CLOSE;
	size_t all = strlen(lines), best = 0;

	(void)state;
	for (size_t size = 0; size < 4096; size++) {
		struct sf_pb pb = { .buf = buf, .size = size };
		size_t done, nr = 0;

		memset(buf, 0xee, sizeof(buf));
		done = sf_otlp_encode(lines, all, 42, &pb);
		for (size_t i = size; i < size + 64; i++)
			assert_int_equal(buf[i], 0xee);
		assert_false(pb.overflow);
		assert_true(done == 0 || done == strlen(CLOSE) || done == strlen(CLOSE STATS) ||
			    done == all);
		assert_true(done >= best);
		best = done;
		while (record(&pb, nr).bytes)
			nr++;
		assert_int_equal(nr, done == all ? 3 : done > strlen(CLOSE) ? 2 : done > 0);
		assert_true(done ? resource_logs(&pb).len + 2 < pb.len : pb.len == 0);
	}
	assert_int_equal(best, all);
}

/* What is no line of ours makes a record without attributes, no more. */
static void test_rubbish(void **state)
{
	static const char *const wrong[] = {
		"\n", "x\n", "{}\n", "{\"a\n", "[1]\n", "{\"a\":[1,2\n"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct sf_pb pb;

		assert_int_equal(encode(wrong[i], &pb), strlen(wrong[i]));
		assert_non_null(record(&pb, 0).bytes);
		assert_null(nth(record(&pb, 0).bytes, record(&pb, 0).len, 6, 0).bytes);
	}
}

static void test_answers(void **state)
{
	struct sf_otlp_answer answer;

	(void)state;
	sf_otlp_answer("\x0a\x06\x08\x03\x12\x02no", 8, &answer);
	assert_int_equal(answer.nr_rejected, 3);
	assert_int_equal(answer.message_len, 2);
	assert_memory_equal(answer.message, "no", 2);
	sf_otlp_answer("", 0, &answer);
	assert_true(!answer.nr_rejected && !answer.message);
	sf_otlp_answer("\x0a\x00", 2, &answer); /* set, and all taken */
	assert_true(!answer.nr_rejected && !answer.message);
	sf_otlp_answer("\x0a\x02\x12\x00", 4, &answer);
	assert_true(!answer.nr_rejected && !answer.message);
	sf_otlp_answer("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, &answer);
	assert_int_equal(answer.nr_rejected, 0);	/* -1 */
	sf_otlp_answer("\x0a\x06\x08\x03", 4, &answer); /* cut off */
	assert_true(!answer.nr_rejected && !answer.message);
	sf_otlp_answer("<html>", 6, &answer);
	assert_true(!answer.nr_rejected && !answer.message);
	sf_otlp_status("\x08\x03\x12\x03"
		       "bad",
		       7, &answer);
	assert_int_equal(answer.message_len, 3);
	assert_memory_equal(answer.message, "bad", 3);
	assert_int_equal(answer.nr_rejected, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resource),   cmocka_unit_test(test_record),
		cmocka_unit_test(test_attributes), cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_time),	   cmocka_unit_test(test_room),
		cmocka_unit_test(test_rubbish),	   cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
