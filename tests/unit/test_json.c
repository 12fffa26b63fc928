/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON writer: exact text for each kind of value and every byte, and every
 * buffer size. Buffers are malloc'ed to their exact size, so that a sanitizer
 * sees the first byte past the end.
 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "base/util.h"

static void assert_text(const struct sf_json *j, const char *want)
{
	assert_false(j->overflow);
	if (j->len != strlen(want) || memcmp(j->buf, want, j->len) != 0)
		fail_msg("got  %.*s\nwant %s", (int)j->len, j->buf, want);
}

/* The text that value is written as, without its quotes. */
static void assert_escaped(const void *value, size_t len, const char *want)
{
	_cleanup_(sf_freep) char *copy = malloc(len ? len : 1); /* exact: no NUL behind it */
	char buf[512], quoted[512];
	struct sf_json j;

	assert_non_null(copy);
	memcpy(copy, value, len);
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_strn(&j, NULL, copy, len);
	snprintf(quoted, sizeof(quoted), "\"%s\"", want);
	assert_text(&j, quoted);
}

static void nesting_and_commas(void **state)
{
	char buf[512];
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_object_begin(&j, NULL);
	sf_json_object_begin(&j, "empty_object");
	sf_json_object_end(&j);
	sf_json_array_begin(&j, "empty_array");
	sf_json_array_end(&j);
	sf_json_array_begin(&j, "a");
	sf_json_u64(&j, NULL, 1);
	sf_json_object_begin(&j, NULL);
	sf_json_bool(&j, "t", true);
	sf_json_bool(&j, "f", false);
	sf_json_object_end(&j);
	sf_json_array_begin(&j, NULL);
	sf_json_array_begin(&j, NULL);
	sf_json_array_end(&j);
	sf_json_array_end(&j);
	sf_json_str(&j, NULL, "s");
	sf_json_array_end(&j);
	sf_json_i64(&j, "last", -1);
	sf_json_object_end(&j);
	assert_text(&j, "{\"empty_object\":{},\"empty_array\":[],\"a\":[1,{\"t\":true,\"f\":false},"
			"[[]],\"s\"],\"last\":-1}");
}

static void numbers(void **state)
{
	char buf[512];
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_array_begin(&j, NULL);
	sf_json_u64(&j, NULL, 0);
	sf_json_u64(&j, NULL, 9);
	sf_json_u64(&j, NULL, 10);
	sf_json_u64(&j, NULL, UINT64_MAX);
	sf_json_i64(&j, NULL, 0);
	sf_json_i64(&j, NULL, INT64_MAX);
	sf_json_i64(&j, NULL, INT64_MIN);
	sf_json_hex64(&j, NULL, 0);
	sf_json_hex64(&j, NULL, 0xfedcba9876543210);
	sf_json_hex64(&j, NULL, UINT64_MAX);
	sf_json_array_end(&j);
	assert_text(&j, "[0,9,10,18446744073709551615,0,9223372036854775807,-9223372036854775808,"
			"\"0000000000000000\",\"fedcba9876543210\",\"ffffffffffffffff\"]");
}

static void unknown_is_absent(void **state)
{
	char buf[64];
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_object_begin(&j, NULL);
	sf_json_str(&j, "a", NULL);
	sf_json_str(&j, "b", "");
	sf_json_strn(&j, "c", NULL, 5);
	sf_json_strn(&j, "d", "x", 0);
	sf_json_object_end(&j);
	assert_text(&j, "{\"b\":\"\",\"d\":\"\"}");
}

static void raw_members(void **state)
{
	static const char members[] = "\"host_name\":\"a\",\"n\":1";
	char buf[128];
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_object_begin(&j, NULL);
	sf_json_raw_members(&j, members, 0);
	sf_json_raw_members(&j, NULL, 0);
	sf_json_raw_members(&j, members, strlen(members));
	sf_json_u64(&j, "x", 2);
	sf_json_raw_members(&j, members, strlen(members));
	sf_json_object_end(&j);
	assert_text(&j, "{\"host_name\":\"a\",\"n\":1,\"x\":2,\"host_name\":\"a\",\"n\":1}");
}

static void every_ascii_byte(void **state)
{
	static const char *const want_special[128] = {
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",	 ['\f'] = "\\f",
		['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\", [0x7f] = "\\u007f",
	};
	int c;

	(void)state;
	for (c = 0; c < 128; c++) {
		char byte = (char)c, want[8], around[3] = { 'a', byte, 'z' }, want_around[16];

		if (want_special[c])
			snprintf(want, sizeof(want), "%s", want_special[c]);
		else if (c < 0x20)
			snprintf(want, sizeof(want), "\\u%04x", (unsigned int)c);
		else
			snprintf(want, sizeof(want), "%c", c);
		assert_escaped(&byte, 1, want);
		snprintf(want_around, sizeof(want_around), "a%sz", want);
		assert_escaped(around, 3, want_around);
	}
}

#define FFFD "\xef\xbf\xbd"

static void bytes_that_are_not_utf8(void **state)
{
	/* clang-format off */
	static const struct {
		const char *bytes, *want;
	} rows[] = {
		{ "\x80", FFFD },
		{ "a\xffz", "a" FFFD "z" },
		{ "\xfe\xff", FFFD FFFD },
		{ "\xc0\x80", FFFD FFFD },		     /* overlong NUL */
		{ "\xc1\xbf", FFFD FFFD },		     /* overlong DEL */
		{ "\xc0\xa2", FFFD FFFD },		     /* overlong quote */
		{ "\xe0\x80\xa2", FFFD FFFD FFFD },	     /* overlong quote */
		{ "\xe0\x9f\xbf", FFFD FFFD FFFD },	     /* overlong U+07FF */
		{ "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD }, /* overlong U+FFFF */
		{ "\xed\xa0\x80", FFFD FFFD FFFD },	     /* U+D800 */
		{ "\xed\xbf\xbf", FFFD FFFD FFFD },	     /* U+DFFF */
		{ "\xed\xa0\xbd\xed\xb8\x80", FFFD FFFD FFFD FFFD FFFD FFFD }, /* CESU-8 */
		{ "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD }, /* U+110000 */
		{ "\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD },
		{ "\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD },
		/* cut at the end: what is there is one mark */
		{ "\xc3", FFFD },
		{ "\xe2\x82", FFFD },
		{ "\xf0\x9f\x98", FFFD },
		{ "ab\xf0", "ab" FFFD },
		/* cut by another character: that one is kept */
		{ "\xc3\"", FFFD "\\\"" },
		{ "\xe2\x82\x0a", FFFD "\\n" },
		{ "\xf0\x9f\\", FFFD "\\\\" },
		{ "\xe2\x82\xc3\xa9", FFFD "\xc3\xa9" },
		{ "\xc3\xc3\xa9", FFFD "\xc3\xa9" },
	};
	/* clang-format on */
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_escaped(rows[i].bytes, strlen(rows[i].bytes), rows[i].want);
}

static void characters_beyond_ascii(void **state)
{
	static const struct {
		const char *bytes, *want;
	} rows[] = {
		{ "\xc2\xa0", "\xc2\xa0" }, /* U+00A0, after the last C1 */
		{ "\xc3\xa9", "\xc3\xa9" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" }, /* U+10FFFF */
		{ "\xef\xbf\xbf", "\xef\xbf\xbf" },	    /* U+FFFF, a noncharacter, is UTF-8 */
		{ FFFD, FFFD },
		/* what a terminal or line reader acts on is escaped, not lost */
		{ "\xc2\x80", "\\u0080" },
		{ "\xc2\x85", "\\u0085" },
		{ "\xc2\x9bm", "\\u009bm" },
		{ "\xc2\x9f", "\\u009f" },
		{ "\xd8\x9c", "\\u061c" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029" },
		{ "\xe2\x80\xaegnp", "\\u202egnp" },
		{ "\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_escaped(rows[i].bytes, strlen(rows[i].bytes), rows[i].want);
}

static void nul_inside(void **state)
{
	char buf[64];
	struct sf_json j;

	(void)state;
	assert_escaped("a\0b\0", 4, "a\\u0000b\\u0000");
	assert_escaped("\0", 1, "\\u0000");
	/* a character cut by the end of the bytes, though the rest follows in memory */
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_strn(&j, NULL, "\xe2\x82\xac", 2);
	assert_text(&j, "\"" FFFD "\"");
}

static void keys_are_escaped_too(void **state)
{
	char buf[64];
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_object_begin(&j, NULL);
	sf_json_u64(&j, "a\"\n\xff", 1);
	sf_json_object_end(&j);
	assert_text(&j, "{\"a\\\"\\n" FFFD "\":1}");
}

static void keys_made_ready(void **state)
{
	char buf[128];
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf));
	sf_json_object_begin(&j, NULL);
	sf_json_ready_key(&j, "\"a\":", 4);
	sf_json_u64(&j, NULL, 1);
	sf_json_ready_key(&j, "\"b\":", 4);
	sf_json_object_begin(&j, NULL);
	sf_json_ready_key(&j, "\"c\":", 4);
	sf_json_str(&j, NULL, "x");
	sf_json_object_end(&j);
	sf_json_bool(&j, "d", true);
	sf_json_object_end(&j);
	assert_text(&j, "{\"a\":1,\"b\":{\"c\":\"x\"},\"d\":true}");
}

/* Every kind of call and of escape once. */
static void write_everything(struct sf_json *j)
{
	sf_json_object_begin(j, NULL);
	sf_json_str(j, "k\xff\n", "plain");
	sf_json_str(j, "s", "\"\\\b\x01\x7f\xc3\xa9\xc2\x9b\xf0\x9f\x98\x80\xe2\x82");
	sf_json_strn(j, "n", "a\0b", 3);
	sf_json_u64(j, "u", UINT64_MAX);
	sf_json_i64(j, "i", INT64_MIN);
	sf_json_hex64(j, "h", 0x123456789abcdef0);
	sf_json_ready_key(j, "\"y\":", 4);
	sf_json_str(j, NULL, "z");
	sf_json_array_begin(j, "l");
	sf_json_bool(j, NULL, true);
	sf_json_bool(j, NULL, false);
	sf_json_array_end(j);
	sf_json_raw_members(j, "\"r\":1", 5);
	sf_json_object_end(j);
}

static void every_buffer_size(void **state)
{
	char whole[1024];
	struct sf_json j;
	size_t needed, size;

	(void)state;
	sf_json_init(&j, whole, sizeof(whole));
	write_everything(&j);
	assert_false(j.overflow);
	needed = j.len;
	assert_true(needed > 150);

	for (size = 0; size <= needed + 1; size++) {
		/* 8 guard bytes show a write past the end without a sanitizer as well */
		_cleanup_(sf_freep) char *buf = malloc(size + 8);

		assert_non_null(buf);
		memset(buf, 0x5a, size + 8);
		sf_json_init(&j, buf, size);
		write_everything(&j);
		assert_int_equal(j.overflow, size < needed);
		assert_true(j.len <= size);
		assert_memory_equal(buf, whole, j.len);
		assert_memory_equal(buf + size, "ZZZZZZZZ", 8);

		/* and it stays so */
		sf_json_u64(&j, NULL, 1);
		assert_int_equal(j.overflow, size < needed + 2);
		assert_true(j.len <= size);
	}
}

static void exact_size_under_a_sanitizer(void **state)
{
	size_t size;

	(void)state;
	for (size = 1; size < 220; size++) {
		_cleanup_(sf_freep) char *buf = malloc(size);
		struct sf_json j;

		assert_non_null(buf);
		sf_json_init(&j, buf, size);
		write_everything(&j);
		assert_true(j.len <= size);
	}
}

static void no_buffer_at_all(void **state)
{
	struct sf_json j;

	(void)state;
	sf_json_init(&j, NULL, 0);
	write_everything(&j);
	assert_true(j.overflow);
	assert_int_equal(j.len, 0);
}

/* Random bytes give valid UTF-8 with no control in it, in quotes that only end at the end. */
static void random_bytes(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		uint8_t value[24];
		char buf[sizeof(value) * 6 + 2];
		struct sf_json j;
		size_t i;

		for (i = 0; i < sizeof(value); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			/* half of them from where UTF-8 has its edges */
			value[i] = (uint8_t)(seed & 0x100 ? 0x80 | seed : seed);
		}
		sf_json_init(&j, buf, sizeof(buf));
		sf_json_strn(&j, NULL, value, sizeof(value));
		assert_false(j.overflow); /* six bytes for one is the most */
		for (i = 1; i < j.len - 1;) {
			uint32_t code_point;
			int n = sf_utf8_decode((uint8_t *)buf + i, j.len - i, &code_point);

			assert_true(n > 0 && !sf_utf8_is_control(code_point) && code_point != '"');
			i += code_point == '\\' ? 2 : (size_t)n;
		}
		assert_int_equal(i, j.len - 1);
		assert_int_equal(buf[i], '"');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nesting_and_commas),
		cmocka_unit_test(numbers),
		cmocka_unit_test(unknown_is_absent),
		cmocka_unit_test(raw_members),
		cmocka_unit_test(every_ascii_byte),
		cmocka_unit_test(bytes_that_are_not_utf8),
		cmocka_unit_test(characters_beyond_ascii),
		cmocka_unit_test(nul_inside),
		cmocka_unit_test(keys_are_escaped_too),
		cmocka_unit_test(keys_made_ready),
		cmocka_unit_test(every_buffer_size),
		cmocka_unit_test(exact_size_under_a_sanitizer),
		cmocka_unit_test(no_buffer_at_all),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
