/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times and durations as text: known instants, the edges between units, and a
 * sweep over all magnitudes that reads the text back.
 */
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"

#define US 1000ULL
#define MS 1000000ULL
#define S 1000000000ULL
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

static void assert_duration(uint64_t ns, const char *want)
{
	char buf[SF_TIME_STRLEN];

	assert_ptr_equal(sf_duration_format(ns, buf), buf);
	assert_string_equal(buf, want);
}

static void durations(void **state)
{
	(void)state;
	assert_duration(0, "0us");
	assert_duration(1, "<1us");
	assert_duration(999, "<1us");
	assert_duration(1000, "1us");
	assert_duration(1499, "1us");
	assert_duration(1500, "2us");
	assert_duration(35 * US, "35us");
	assert_duration(999 * US, "999us");
	assert_duration(999 * US + 499, "999us");
	assert_duration(1240 * US, "1.24ms");
	assert_duration(1235 * US - 1, "1.23ms");
	assert_duration(1235 * US, "1.24ms");
	assert_duration(12345 * US, "12.3ms");
	assert_duration(142 * MS, "142ms");
	assert_duration(3060 * MS, "3.06s");
	assert_duration(62 * S, "62.0s");
	assert_duration(5 * M + 12 * S, "5m12s");
	assert_duration(3 * H + 5 * M, "3h05m");
	assert_duration(12 * D + 3 * H, "12d3h");
	assert_duration(1 * D, "1d0h");
	assert_duration(2 * M + 5 * S, "2m05s");
}

static void duration_edges(void **state)
{
	(void)state;
	/* rounding carries into the next unit */
	assert_duration(999 * US + 500, "1.00ms");
	assert_duration(999 * US + 900, "1.00ms");
	assert_duration(1 * MS, "1.00ms");
	assert_duration(9994999, "9.99ms");
	assert_duration(9995000, "10.0ms");
	assert_duration(99949999, "99.9ms");
	assert_duration(99950000, "100ms");
	assert_duration(999499999, "999ms");
	assert_duration(999500000, "1.00s");
	assert_duration(9994999999, "9.99s");
	assert_duration(9995000000, "10.0s");
	assert_duration(59999999999, "60.0s");
	assert_duration(99949999999, "99.9s");
	assert_duration(99950000000, "1m40s");
	assert_duration(59 * M + 59 * S + 499999999, "59m59s");
	assert_duration(59 * M + 59 * S + 500000000, "1h00m");
	assert_duration(1 * H + 30 * S - 1, "1h00m");
	assert_duration(1 * H + 30 * S, "1h01m");
	assert_duration(23 * H + 59 * M + 30 * S - 1, "23h59m");
	assert_duration(23 * H + 59 * M + 30 * S, "1d0h");
	assert_duration(1 * D + 23 * H + 30 * M, "2d0h");
	assert_duration(999 * D + 23 * H, "999d23h");
	assert_duration(999 * D + 23 * H + 30 * M - 1, "999d23h");
	assert_duration(999 * D + 23 * H + 30 * M, "1000d");
	assert_duration(UINT64_MAX, "213504d");
}

/* The text read back, nanoseconds; *ret_step: one of its last digit. */
static uint64_t read_back(const char *text, uint64_t *ret_step)
{
	unsigned long long a, b;
	char unit[3], rest;
	int nr_decimals = 0;
	const char *point = strchr(text, '.');

	if (sscanf(text, "%llum%llus%c", &a, &b, &rest) == 2) {
		assert_true(b < 60);
		*ret_step = S;
		return a * M + b * S;
	}
	if (sscanf(text, "%lluh%llum%c", &a, &b, &rest) == 2) {
		assert_true(b < 60);
		*ret_step = M;
		return a * H + b * M;
	}
	if (sscanf(text, "%llud%lluh%c", &a, &b, &rest) == 2) {
		assert_true(b < 24);
		*ret_step = H;
		return a * D + b * H;
	}
	if (strchr(text, 'd')) {
		assert_int_equal(sscanf(text, "%llud%c", &a, &rest), 1);
		*ret_step = D;
		return a * D;
	}
	b = 0;
	if (point) {
		assert_int_equal(sscanf(text, "%llu.%llu%2[a-z]%c", &a, &b, unit, &rest), 3);
		nr_decimals = (int)strspn(point + 1, "0123456789");
	} else {
		assert_int_equal(sscanf(text, "%llu%2[a-z]%c", &a, unit, &rest), 2);
	}
	*ret_step = strcmp(unit, "us") == 0 ? US : strcmp(unit, "ms") == 0 ? MS : S;
	a *= *ret_step;
	while (nr_decimals-- > 0)
		*ret_step /= 10;
	return a + b * *ret_step;
}

static void check_one(uint64_t ns, uint64_t *previous)
{
	char buf[SF_TIME_STRLEN];
	uint64_t got, step;

	sf_duration_format(ns, buf);
	if (strlen(buf) > 7)
		fail_msg("%llu ns is wide: %s", (unsigned long long)ns, buf);
	if (ns > 0 && ns < US) {
		assert_string_equal(buf, "<1us");
		return;
	}
	got = read_back(buf, &step);
	/* 213504 days, the very end, are more than 2^64 ns */
	if (ns <= UINT64_MAX - D && (got > ns ? got - ns : ns - got) > step / 2)
		fail_msg("%llu ns is off: %s", (unsigned long long)ns, buf);
	/* "1d0h" is the coarsest: a day counted in hours; below a day it is "1h00m" */
	if (ns >= 100 * US && step > ns / (ns < D - M ? 59 : 23))
		fail_msg("%llu ns is coarse: %s", (unsigned long long)ns, buf);
	if (ns <= UINT64_MAX - D && got < *previous)
		fail_msg("%llu ns goes back: %s", (unsigned long long)ns, buf);
	*previous = got;
}

static void duration_sweep(void **state)
{
	uint64_t previous = 0, ns, power;
	unsigned int mantissa;

	(void)state;
	/* rising by 0.1 %, through every magnitude */
	for (ns = 0; ns < UINT64_MAX - UINT64_MAX / 1000; ns += ns / 1000 + 1)
		check_one(ns, &previous);
	check_one(UINT64_MAX, &previous);
	/* powers of ten and two, and their neighbours */
	for (power = 1;; power *= 10) {
		previous = 0;
		for (mantissa = 1; mantissa < 10; mantissa++) {
			if (power > UINT64_MAX / 10 && mantissa > 1)
				break;
			check_one(power * mantissa - 1, &previous);
			check_one(power * mantissa, &previous);
			check_one(power * mantissa + 1, &previous);
		}
		if (power > UINT64_MAX / 10)
			break;
	}
	for (power = 1; power; power <<= 1) {
		previous = 0;
		check_one(power - 1, &previous);
		check_one(power, &previous);
	}
	/* each second of a day and a half */
	previous = 0;
	for (ns = 0; ns < D + D / 2; ns += S / 2)
		check_one(ns, &previous);
}

static void rfc3339(void **state)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ S - 1, "1970-01-01T00:00:00.999999999Z" },
		{ D - 1, "1970-01-01T23:59:59.999999999Z" },
		{ 951782400 * S, "2000-02-29T00:00:00.000000000Z" },
		{ 951868799 * S + 123456789, "2000-02-29T23:59:59.123456789Z" },
		{ 1000000000 * S, "2001-09-09T01:46:40.000000000Z" },
		{ 2147483647 * S, "2038-01-19T03:14:07.000000000Z" },
		{ 2147483648 * S, "2038-01-19T03:14:08.000000000Z" },
		{ 4107542399 * S, "2100-02-28T23:59:59.000000000Z" },
		{ 4107542400 * S, "2100-03-01T00:00:00.000000000Z" },
		{ 1795348800 * S + 123456789, "2026-11-22T12:00:00.123456789Z" },
		{ UINT64_MAX, "2554-07-21T23:34:33.709551615Z" },
	};
	char buf[SF_TIME_STRLEN];
	size_t i;

	(void)state;
	setenv("TZ", "AAA-05:30", 1); /* must not matter */
	tzset();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(sf_time_rfc3339(rows[i].ns, buf), buf);
		assert_string_equal(buf, rows[i].want);
	}
}

static void local_time(void **state)
{
	char buf[SF_TIME_STRLEN];

	(void)state;
	setenv("TZ", "AAA-05:30", 1);
	tzset();
	assert_ptr_equal(sf_time_local(0, buf), buf);
	assert_string_equal(buf, "05:30:00.000000");
	assert_string_equal(sf_time_local(S - 1, buf), "05:30:00.999999");
	assert_string_equal(sf_time_local(1795348800 * S + 123456789, buf), "17:30:00.123456");
	setenv("TZ", "BBB8", 1);
	tzset();
	assert_string_equal(sf_time_local(1795348800 * S + 1999, buf), "04:00:00.000001");
	assert_int_equal(strlen(sf_time_local(UINT64_MAX, buf)), 15);
}

static void clocks(void **state)
{
	struct timespec boot, real;
	uint64_t before, now;
	int64_t offset, want, difference;

	(void)state;
	before = sf_boottime_ns();
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot), 0);
	now = sf_boottime_ns();
	assert_true(before <= (uint64_t)boot.tv_sec * S + (uint64_t)boot.tv_nsec);
	assert_true(now >= (uint64_t)boot.tv_sec * S + (uint64_t)boot.tv_nsec);

	/* within 2 s of seconds read apart: the host is busy, the units are not in doubt */
	offset = sf_realtime_offset_ns();
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &real), 0);
	want = (int64_t)((uint64_t)real.tv_sec * S + (uint64_t)real.tv_nsec - sf_boottime_ns());
	difference = offset - want;
	assert_true(difference > -2 * (int64_t)S && difference < 2 * (int64_t)S);
}

static void rfc3339_parsed(void **state)
{
	static const char *const wrong[] = {
		"",
		"2026-11-22T12:00:00Z",
		"2026-11-22T12:00:00.123456Z",
		"2026-11-22 12:00:00.123456789Z",
		"2026-11-22T12:00:00.123456789+",
		"2026-11-2xT12:00:00.123456789Z",
		"2026-11-22T12:00:00.12345678 Z",
		"2026-04-31T12:00:00.123456789Z",
		"2026-13-01T12:00:00.123456789Z",
		"2026-11-22T24:00:00.123456789Z",
		"2026-11-22T12:60:00.123456789Z",
		"1969-12-31T23:59:59.999999999Z",
		"2555-01-01T00:00:00.000000000Z",
	};
	char buf[SF_TIME_STRLEN];
	uint64_t ns = 42, step = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(sf_time_parse_rfc3339(wrong[i], strlen(wrong[i]), &ns), -EINVAL);
		assert_int_equal(ns, 42);
	}
	assert_int_equal(sf_time_parse_rfc3339("2024-02-29T00:00:00.000000001Z", 30, &ns), 0);
	assert_int_equal(ns, 1709164800ULL * S + 1);
	/* whatever is written is read back */
	for (uint64_t at = 0; at < UINT64_MAX - step; at += step, step = step * 5 / 4 + 1) {
		sf_time_rfc3339(at, buf);
		assert_int_equal(sf_time_parse_rfc3339(buf, strlen(buf), &ns), 0);
		assert_true(ns == at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),	  cmocka_unit_test(duration_edges),
		cmocka_unit_test(duration_sweep), cmocka_unit_test(rfc3339),
		cmocka_unit_test(local_time),	  cmocka_unit_test(clocks),
		cmocka_unit_test(rfc3339_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
