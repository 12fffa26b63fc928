// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does not fit, or wants to break out: how texts are cut, that no line is
 * wider than it may be, and that a process cannot write to the terminal.
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
#include <time.h>

#include "view/fit.h"

#include "view_draw.h"

static void test_fit(void **state)
{
	static const struct {
		void (*fit)(char text[SF_FIT_SIZE], size_t width, bool is_ascii);
		size_t width;
		const char *from, *to;
	} cases[] = {
		{ sf_fit_end, 5, "abcde", "abcde" },
		{ sf_fit_end, 4, "abcde", "abc\xe2\x80\xa6" },
		{ sf_fit_end, 1, "abcde", "\xe2\x80\xa6" },
		{ sf_fit_end, 0, "abcde", "" },
		{ sf_fit_end, 3, "\xe6\xbc\xa2\xe6\xbc\xa2", "\xe6\xbc\xa2\xe2\x80\xa6" },
		{ sf_fit_end, 2, "\xe6\xbc\xa2\xe6\xbc\xa2", "\xe2\x80\xa6" },
		{ sf_fit_end, 2, "\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xa9\xe2\x80\xa6" },
		{ sf_fit_endpoint, 11, "10.0.0.1:80", "10.0.0.1:80" },
		{ sf_fit_endpoint, 10, "10.0.0.1:80",
		  "10.\xe2\x80\xa6"
		  "0.1:80" },
		{ sf_fit_endpoint, 6, "10.0.0.1:80",
		  "1\xe2\x80\xa6"
		  "1:80" },
		{ sf_fit_endpoint, 5, "10.0.0.1:80", "10.0\xe2\x80\xa6" },
		{ sf_fit_endpoint, 12, "[2001:db8::1]:443", "[200\xe2\x80\xa6:1]:443" },
		{ sf_fit_endpoint, 4, "no port",
		  "no\xe2\x80\xa6"
		  "t" },
		{ sf_fit_time, 15, "12:00:00.123456", "12:00:00.123456" },
		{ sf_fit_time, 12, "12:00:00.123456", "12:00:00.123" },
		{ sf_fit_time, 10, "12:00:00.123456", "12:00:00.1" },
		{ sf_fit_time, 9, "12:00:00.123456", "12:00:00\xe2\x80\xa6" },
		{ sf_fit_time, 24, "2026-11-22T12:00:00.123456789Z", "2026-11-22T12:00:00.123Z" },
		{ sf_fit_time, 4, "123456", "123\xe2\x80\xa6" },
	};
	char text[SF_FIT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].from);
		cases[i].fit(text, cases[i].width, false);
		assert_string_equal(text, cases[i].to);
		assert_true(sf_columns_of(text) <= cases[i].width);
	}
	assert_int_equal(sf_columns_of("a\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"), 6);
}

static const char text_v6_80[] = "12:00:00.124 ESTAB    4242/curl     *[2001\xe2\x80\xa6"
				 "7334]:43210  [2001:\xe2\x80\xa6"
				 "8::1]:443  1.24ms\n";

static const char text_v6_ascii[] =
	"12:00:00.124 ESTAB    4242/curl     *[2001~7334]:43210  [2001:~8::1]:443  1.24ms\n";

static const char text_v6_long[] = "ESTAB    *[aba~bab]:65535  [cd~cd]:65534\n";

static void test_v6_is_cut_in_the_middle(void **state)
{
	struct sf_event event = client_established();
	struct sf_view_options options = trace;

	(void)state;
	make_v6(&event);
	assert_string_equal(draw_one(&options, &event), text_v6_80);
	options.is_ascii = true;
	assert_string_equal(draw_one(&options, &event), text_v6_ascii);
	options.width = 150; /* room for all of it */
	assert_non_null(
		strstr(draw_one(&options, &event), "*[2001:db8:85a3::8a2e:370:7334]:43210 "));
	make_v6_long(&event);
	options.width = 40;
	assert_string_equal(draw_one(&options, &event), text_v6_long);
}

/* Nothing of a name may act on the terminal, stand for a number, or move a column. */
static void test_hostile_comm(void **state)
{
	static const struct {
		const char *comm, *process;
	} cases[] = {
		{ "\033[2J\033]0;x\007", "4242/?[2J?]0…" },
		{ "a\nb\tc\rd\x7f", "4242/a?b?c?d?" },
		{ "1/2 3", "4242/1/2 3   " },
		{ "\xff\xfe\x80 ok", "4242/??? ok  " },
		{ "\xe2\x80\xae"
		  "evil",
		  "4242/?evil   " }, /* right-to-left override */
		{ "\xc2\x9b"
		  "31m",
		  "4242/?31m    " },						     /* C1 CSI */
		{ "\xe6\xbc\xa2\xe5\xad\x97", "4242/\xe6\xbc\xa2\xe5\xad\x97    " }, /* two wide */
		{ "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2",
		  "4242/\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2… " },
		{ "", "4242/        " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sf_event event = client_established();
		const char *line;

		event.story.owner = task(4242, cases[i].comm, SF_OWNER_SRC_CONNECT);
		line = draw_one(&trace, &event) + strlen("12:00:00.124 ESTAB    ");
		assert_memory_equal(line, cases[i].process, strlen(cases[i].process));
		assert_memory_equal(line + strlen(cases[i].process), " *10.0.0.1:43210 ", 17);
	}
}

static void test_ascii_only(void **state)
{
	struct sf_event event = client_closed();
	struct sf_view_options options = trace;

	(void)state;
	options.is_ascii = true;
	for (int format = 0; format < SF_FORMAT_NR; format++) {
		if (format == SF_FORMAT_JSON)
			continue;
		options.format = (enum sf_format)format;
		event.story.owner = task(4242, "\xc3\xa9t\xc3\xa9-\xe6\xbc\xa2 ever longer",
					 SF_OWNER_SRC_CONNECT);
		event.story.closer = event.story.owner;
		for (const char *c = draw(&options, &event, 1); *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
		assert_non_null(strstr(draw(&options, &event, 1), "?t?-"));
	}
}

/* At every width: no line too wide, and the grid holds: each column begins where its title does. */
static void test_every_width(void **state)
{
	__u64 seed = 88172645463325252ULL;
	struct sf_event events[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		events[i] = random_event(&seed);
		/* Names of one column per character, which columns() can count. */
		for (int k = 0; k < SF_COMM_LEN; k++)
			events[i].story.owner.comm[k] &= 0x7f;
		if (i % 4 == 0)
			make_v6_long(&events[i]);
		/* Enough that both views show. */
		if (i % 8 == 1)
			events[i].kind = SF_EV_CLOSE;
	}
	for (unsigned int width = 30; width <= 300; width++) {
		for (int kind = 0; kind < SF_VIEW_NR * SF_TIME_NR * 2; kind++) {
			struct sf_view_options options = {
				.kind = (enum sf_view_kind)(kind % SF_VIEW_NR),
				.time_format =
					(enum sf_time_format)(kind / SF_VIEW_NR % SF_TIME_NR),
				.is_coloured = kind >= SF_VIEW_NR * SF_TIME_NR,
				.width = width,
				.realtime_offset_ns = OFFSET,
			};
			const char *line = draw(&options, events, ARRAY_SIZE(events));
			size_t nr_lines = 0;

			for (; *line; line = strchr(line, '\n') + 1, nr_lines++)
				assert_in_range(columns(line), 20, width < 40 ? 40 : width);
			assert_true(nr_lines > 3);
		}
	}
}

static void test_grid(void **state)
{
	__u64 seed = 1;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct sf_event event = random_event(&seed);
		const char *line;

		event.kind = SF_EV_CLOSE;
		event.story.owner = task(1 + (__u32)(random_u64(&seed) % 4000000000),
					 "a name quite long", SF_OWNER_SRC_IO);
		line = draw_one(&trace, &event);
		/* TIME 12, EVENT 8, PID/COMM 13, whose ellipsis has three bytes. */
		assert_true(line[12] == ' ' && line[21] == ' ');
		assert_memory_equal(line + 34, "\xe2\x80\xa6 ", 4);
	}
}

static void test_bytes_within(void **state)
{
	(void)state;
	assert_int_equal(sf_bytes_within("", 5), 0);
	assert_int_equal(sf_bytes_within("abc", 0), 0);
	assert_int_equal(sf_bytes_within("abc", 2), 2);
	assert_int_equal(sf_bytes_within("abc", 3), 3);
	assert_int_equal(sf_bytes_within("abc", 80), 3);
	assert_int_equal(sf_bytes_within("a\xc3\xa9z", 2), 3); /* never half a character */
	assert_int_equal(sf_bytes_within("\xe6\xbc\xa2\xe5\xad\x97", 3), 3); /* two columns */
	assert_int_equal(sf_bytes_within("\xe6\xbc\xa2", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),	     cmocka_unit_test(test_v6_is_cut_in_the_middle),
		cmocka_unit_test(test_hostile_comm), cmocka_unit_test(test_ascii_only),
		cmocka_unit_test(test_every_width),  cmocka_unit_test(test_grid),
		cmocka_unit_test(test_bytes_within),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
