/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for terminals: nothing a process can put into its name gets through.
 * Numbers from people: what is accepted and, mostly, what is not.
 */
#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "base/util.h"

static void assert_safe(const char *src, const char *want, size_t want_columns)
{
	char dst[256];
	size_t len = strlen(src);
	_cleanup_(sf_freep) char *copy = malloc(len ? len : 1); /* exact: no NUL behind it */

	assert_non_null(copy);
	memcpy(copy, src, len);
	assert_int_equal(sf_text_safe(dst, sizeof(dst), copy, len), want_columns);
	assert_string_equal(dst, want);
}

static void plain_text(void **state)
{
	(void)state;
	assert_safe("", "", 0);
	assert_safe("nginx", "nginx", 5);
	assert_safe(" ~!\"\\'$`<>&%s", " ~!\"\\'$`<>&%s", 13);
	assert_safe("caf\xc3\xa9", "caf\xc3\xa9", 4);
	assert_safe("\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80", 3);
	assert_safe("\xc2\xa0", "\xc2\xa0", 1);
	assert_safe("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", 1);
}

static void what_a_terminal_acts_on(void **state)
{
	int c;

	(void)state;
	for (c = 1; c < 0x20; c++) {
		char src[] = { 'a', (char)c, 'b', '\0' };

		assert_safe(src, "a?b", 3);
	}
	assert_safe("a\x7fz", "a?z", 3);
	for (c = 0x80; c < 0xa0; c++) {
		char raw[] = { 'a', (char)c, 'b', '\0' }, utf8[] = { 'a', '\xc2', (char)c, '\0' };

		assert_safe(raw, "a?b", 3);
		assert_safe(utf8, "a?", 2);
	}
	assert_safe("\x1b[31mred\x1b[0m", "?[31mred?[0m", 12);
	assert_safe("\x1b]0;title\x07", "?]0;title?", 10);
	assert_safe("\xc2\x9bJ", "?J", 2);	      /* CSI as U+009B */
	assert_safe("\xc2\x9d;t\xc2\x9c", "?;t?", 4); /* OSC .. ST */
	assert_safe("\x1bP+q\x1b\\", "?P+q?\\", 6);
	assert_safe("one\ntwo\r\tthree", "one?two??three", 14);
}

static void what_has_no_width_or_turns_text_round(void **state)
{
	/* clang-format off */
	static const char *const rows[] = {
		"\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
		"\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9", /* U+2066..2069 */
		"\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", /* U+200B..200D */
		"\xe2\x80\x8e", "\xe2\x80\x8f", "\xd8\x9c", /* marks: LRM RLM ALM */
		"\xe2\x80\xa8", "\xe2\x80\xa9", /* line and paragraph separator */
		"\xe2\x81\xa0", "\xe2\x81\xa4", "\xe2\x81\xaf", "\xef\xbb\xbf", /* U+FEFF */
		"\xcc\x81",	/* combining acute */
		"\xc2\xad",	/* soft hyphen */
		"\xef\xb8\x8f", /* variation selector 16 */
		"\xf3\xa0\x81\x81", /* tag character U+E0041 */
	};
	/* clang-format on */
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char src[16];

		snprintf(src, sizeof(src), "a%sb", rows[i]);
		assert_safe(src, "a?b", 3);
	}
	assert_safe("evil\xe2\x80\xaegpj.exe", "evil?gpj.exe", 12);
}

static void not_utf8(void **state)
{
	(void)state;
	assert_safe("\xff\xfe", "??", 2);
	assert_safe("\xc0\xaf", "??", 2);      /* overlong slash */
	assert_safe("\xe0\x80\x9b", "???", 3); /* overlong ESC */
	assert_safe("\xed\xa0\x80", "???", 3); /* a surrogate */
	assert_safe("\xf4\x90\x80\x80", "????", 4);
	assert_safe("ab\xe2\x82", "ab?", 3); /* cut in mid-character */
	assert_safe("ab\xf0\x9f\x98", "ab?", 3);
	assert_safe("\xc3(", "?(", 2);
	assert_safe("\xe2\x82\x1b[m", "??[m", 4);
}

static void stops_at_nul_and_len(void **state)
{
	char dst[16];

	(void)state;
	assert_int_equal(sf_text_safe(dst, sizeof(dst), "ab\0cd", 5), 2);
	assert_string_equal(dst, "ab");
	assert_int_equal(sf_text_safe(dst, sizeof(dst), "abcd", 2), 2);
	assert_string_equal(dst, "ab");
	assert_int_equal(sf_text_safe(dst, sizeof(dst), "abcd", 0), 0);
	assert_string_equal(dst, "");
	assert_int_equal(sf_text_safe(dst, sizeof(dst), NULL, 0), 0);
	assert_string_equal(dst, "");
	/* len ends inside a character that goes on in memory */
	assert_int_equal(sf_text_safe(dst, sizeof(dst), "a\xe2\x82\xac", 3), 2);
	assert_string_equal(dst, "a?");
}

/* Every size of dst: characters are kept whole or left out. */
static void cut_to_size(void **state)
{
	static const char src[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x1bz";
	static const struct {
		const char *text;
		size_t columns;
	} want[] = {
		/* by size of dst, from 1 */
		{ "", 0 },
		{ "a", 1 },
		{ "a", 1 },
		{ "a\xc3\xa9", 2 },
		{ "a\xc3\xa9", 2 },
		{ "a\xc3\xa9", 2 },
		{ "a\xc3\xa9\xe2\x82\xac", 3 },
		{ "a\xc3\xa9\xe2\x82\xac", 3 },
		{ "a\xc3\xa9\xe2\x82\xac", 3 },
		{ "a\xc3\xa9\xe2\x82\xac", 3 },
		{ "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 4 },
		{ "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80?", 5 },
		{ "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80?z", 6 },
		{ "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80?z", 6 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		_cleanup_(sf_freep) char *dst = malloc(i + 1);

		assert_non_null(dst);
		assert_int_equal(sf_text_safe(dst, i + 1, src, strlen(src)), want[i].columns);
		assert_string_equal(dst, want[i].text);
	}
}

/* Whatever comes in: valid UTF-8 out, nothing acting or zero-width, columns as counted. */
static void random_bytes(void **state)
{
	uint64_t seed = 0x2545f4914f6cdd1d;
	int round;

	(void)state;
	for (round = 0; round < 50000; round++) {
		uint8_t src[20];
		char dst[24];
		size_t size, columns, counted = 0, i;

		for (i = 0; i < sizeof(src); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			src[i] = (uint8_t)(seed & 0x300 ? 0x80 | seed : seed);
		}
		size = 1 + seed % sizeof(dst);
		columns = sf_text_safe(dst, size, src, sizeof(src));
		assert_true(strlen(dst) < size);
		for (i = 0; dst[i]; counted++) {
			uint32_t code_point;
			int n = sf_utf8_decode((uint8_t *)dst + i, strlen(dst + i), &code_point);

			assert_true(n > 0 && !sf_utf8_is_control(code_point));
			assert_false(sf_utf8_is_zero_width(code_point));
			i += (size_t)n;
		}
		assert_int_equal(columns, counted);
	}
}

#define UNTOUCHED 0xa5a5a5a5a5a5a5a5

static void assert_u64(const char *text, uint64_t min, uint64_t max, int want_r, uint64_t want)
{
	uint64_t value = UNTOUCHED;
	int r = sf_parse_u64(text, min, max, &value);

	if (r != want_r || value != (r == 0 ? want : UNTOUCHED))
		fail_msg("\"%s\": %d, %llu", text, r, (unsigned long long)value);
}

/* What no parser of numbers takes. */
/* clang-format off */
static const char *const never_numbers[] = {
	"",    " ",    "+1",   "-1",   "-0",	"--1",	"0x10", "0X1", "1e3",	"1E3", "x",
	" 1",  "1 ",   "1\n",  "\t1",  "1,000", "1_000", "1'0", "1..", ".",	"1.",  ".5",
	"1 0", "\xd9\xa1", /* ARABIC-INDIC DIGIT ONE */
	"inf", "nan",  "1;2",  "0b1",  "99999999999999999999999x", "18446744073709551616 ",
};
/* clang-format on */

static void u64(void **state)
{
	size_t i;

	(void)state;
	assert_u64("0", 0, UINT64_MAX, 0, 0);
	assert_u64("1", 1, 1, 0, 1);
	assert_u64("007", 0, 10, 0, 7);
	assert_u64("18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX);
	assert_u64("000000000000000000000000000018446744073709551615", 0, UINT64_MAX, 0,
		   UINT64_MAX);
	assert_u64("18446744073709551616", 0, UINT64_MAX, -ERANGE, 0);
	assert_u64("18446744073709551620", 0, UINT64_MAX, -ERANGE, 0);
	assert_u64("28446744073709551615", 0, UINT64_MAX, -ERANGE, 0);
	assert_u64("99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0);
	/* wraps to a small number if the overflow is missed */
	assert_u64("36893488147419103233", 0, UINT64_MAX, -ERANGE, 0);
	assert_u64("9", 10, 20, -ERANGE, 0);
	assert_u64("21", 10, 20, -ERANGE, 0);
	assert_u64("10", 10, 20, 0, 10);
	assert_u64("20", 10, 20, 0, 20);
	for (i = 0; i < ARRAY_SIZE(never_numbers); i++)
		assert_u64(never_numbers[i], 0, UINT64_MAX, -EINVAL, 0);
	assert_u64("1.5", 0, UINT64_MAX, -EINVAL, 0);
	assert_u64("1K", 0, UINT64_MAX, -EINVAL, 0);
}

static void assert_duration(const char *text, int want_r, uint64_t want)
{
	uint64_t value = UNTOUCHED;
	int r = sf_parse_duration_ns(text, &value);

	if (r != want_r || value != (r == 0 ? want : UNTOUCHED))
		fail_msg("\"%s\": %d, %llu", text, r, (unsigned long long)value);
}

static void durations(void **state)
{
	(void)state;
	assert_duration("0", 0, 0);
	assert_duration("30", 0, 30000000000);
	assert_duration("30s", 0, 30000000000);
	assert_duration("1.5s", 0, 1500000000);
	assert_duration("1.5", 0, 1500000000);
	assert_duration("200ms", 0, 200000000);
	assert_duration("0.5ms", 0, 500000);
	assert_duration("50us", 0, 50000);
	assert_duration("10ns", 0, 10);
	assert_duration("2m", 0, 120000000000);
	assert_duration("1h", 0, 3600000000000);
	assert_duration("1d", 0, 86400000000000);
	assert_duration("1.5d", 0, 129600000000000);
	assert_duration("0.1h", 0, 360000000000);
	assert_duration("0.000000001s", 0, 1);
	assert_duration("0.000000001", 0, 1);
	assert_duration("0.999999999s", 0, 999999999);
	assert_duration("0.000000001d", 0, 86400);
	assert_duration("0.000001ms", 0, 1);
	assert_duration("0.001us", 0, 1);
	assert_duration("1.000000000000000000000000000000s", 0, 1000000000);
	assert_duration("1.0ns", 0, 1);
	assert_duration("01.50s", 0, 1500000000);
	/* the last there is: 2^64 - 1 ns */
	assert_duration("18446744073709551615ns", 0, UINT64_MAX);
	assert_duration("18446744073.709551615s", 0, UINT64_MAX);
	assert_duration("18446744073709551.615us", 0, UINT64_MAX);
	assert_duration("213503d", 0, 18446659200000000000U);
}

static void durations_refused(void **state)
{
	/* clang-format off */
	static const char *const texts[] = {
		"s",	"ms",	  "5 s",   "5s ",  "5S",   "5M",  "5min", "5sec", "5 ",	  "5ss",
		"5ms5", "1m30s",  "1.5.5s", "1.s", ".5s",  "1.-5s", "1.5e3s", "5\xc2\xb5s", "5us\n",
		"1,5s", "-1s",	  "+1s",   "0x5s", "5w",   "5y",  "5K",	  "1.5x", "1s1",
		/* finer than a nanosecond */
		"0.0000000001s", "1.0000000001", "0.0000001ms", "0.0001us", "0.5ns", "1.1ns",
		"0.0000000001d",
		/* junk behind what would be too long */
		"99999999999999999999999q", "99999999999999999999999.5q", "18446744073709551616nss",
	};
	/* clang-format on */
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(never_numbers); i++)
		assert_duration(never_numbers[i], -EINVAL, 0);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		assert_duration(texts[i], -EINVAL, 0);
	assert_duration("18446744073709551616ns", -ERANGE, 0);
	assert_duration("18446744073.709551616s", -ERANGE, 0);
	assert_duration("18446744073709551.616us", -ERANGE, 0);
	assert_duration("18446744074", -ERANGE, 0);
	assert_duration("213504d", -ERANGE, 0);
	assert_duration("213503.999d", -ERANGE, 0);
	assert_duration("99999999999999999999999999", -ERANGE, 0);
	assert_duration("18446744073709551615d", -ERANGE, 0);
}

static void assert_size(const char *text, uint64_t min, uint64_t max, int want_r, uint64_t want)
{
	uint64_t value = UNTOUCHED;
	int r = sf_parse_size_bytes(text, min, max, &value);

	if (r != want_r || value != (r == 0 ? want : UNTOUCHED))
		fail_msg("\"%s\": %d, %llu", text, r, (unsigned long long)value);
}

static void sizes(void **state)
{
	static const char *const texts[] = {
		"K",   "1k",  "1KB", "1KiB", "1T",  "1.5M", "1 K",
		"1K ", "1KK", "1B",  "K1",   "-1K", "0x1K", "99999999999999999999999Kx"
	};
	size_t i;

	(void)state;
	assert_size("0", 0, UINT64_MAX, 0, 0);
	assert_size("1", 0, UINT64_MAX, 0, 1);
	assert_size("64K", 0, UINT64_MAX, 0, 65536);
	assert_size("8M", 0, UINT64_MAX, 0, 8388608);
	assert_size("1G", 0, UINT64_MAX, 0, 1073741824);
	assert_size("17179869183G", 0, UINT64_MAX, 0, 18446744072635809792U);
	assert_size("17179869184G", 0, UINT64_MAX, -ERANGE, 0);
	assert_size("18014398509481984K", 0, UINT64_MAX, -ERANGE, 0);
	assert_size("99999999999999999999999", 0, UINT64_MAX, -ERANGE, 0);
	assert_size("99999999999999999999999K", 0, UINT64_MAX, -ERANGE, 0);
	assert_size("3K", 4096, 8192, -ERANGE, 0);
	assert_size("4K", 4096, 8192, 0, 4096);
	assert_size("8K", 4096, 8192, 0, 8192);
	assert_size("8193", 4096, 8192, -ERANGE, 0);
	for (i = 0; i < ARRAY_SIZE(never_numbers); i++)
		assert_size(never_numbers[i], 0, UINT64_MAX, -EINVAL, 0);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		assert_size(texts[i], 0, UINT64_MAX, -EINVAL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text),
		cmocka_unit_test(what_a_terminal_acts_on),
		cmocka_unit_test(what_has_no_width_or_turns_text_round),
		cmocka_unit_test(not_utf8),
		cmocka_unit_test(stops_at_nul_and_len),
		cmocka_unit_test(cut_to_size),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(u64),
		cmocka_unit_test(durations),
		cmocka_unit_test(durations_refused),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
