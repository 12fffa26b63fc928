/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the clocks, and times as text. Times are written digit by digit and
 * not with strftime(): one is made per event, and no locale may change it.
 */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#include "base/util.h"

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_MIN (60 * SF_NS_PER_S)
#define NS_PER_H (60 * NS_PER_MIN)
#define NS_PER_D (24 * NS_PER_H)

/* Both clocks have been there since 2.6.39: clock_gettime() cannot fail for them. */
static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* What a time namespace adds to this host's CLOCK_BOOTTIME; set once, before there are threads. */
static int64_t boottime_shift_ns;

void sf_clock_init(void)
{
	struct stat own, childrens;
	char name[16];
	int64_t s, ns;
	FILE *file;

	/* The offsets are told of the namespace that children will be in. */
	if (stat("/proc/self/ns/time", &own) ||
	    stat("/proc/self/ns/time_for_children", &childrens) || own.st_ino != childrens.st_ino)
		return;
	file = fopen("/proc/self/timens_offsets", "re");
	if (!file)
		return;
	while (fscanf(file, "%15s %" SCNd64 " %" SCNd64, name, &s, &ns) == 3)
		if (!strcmp(name, "boottime"))
			boottime_shift_ns = s * (int64_t)SF_NS_PER_S + ns;
	fclose(file);
}

uint64_t sf_boottime_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME) - (uint64_t)boottime_shift_ns;
}

uint64_t sf_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

struct sf_clock_state sf_clock_state(void)
{
	struct timex now = { .modes = 0 }; /* asks only */
	int state = adjtimex(&now);

	if (state < 0)
		return (struct sf_clock_state){ .is_known = false };
	return (struct sf_clock_state){
		.is_known = true,
		/* TIME_ERROR stands for STA_UNSYNC, and for a lost pulse: kernel/time/ntp.c */
		.is_synchronized = state != TIME_ERROR && !(now.status & STA_UNSYNC),
		.error_ns = (uint64_t)now.maxerror * NS_PER_US,
	};
}

int64_t sf_realtime_offset_ns(void)
{
	uint64_t tightest_ns = UINT64_MAX;
	int64_t offset_ns = 0;
	int i;

	/* The real time lies between two boot times: the closer they are, the surer it is. */
	for (i = 0; i < 16; i++) {
		uint64_t before_ns = sf_boottime_ns();
		uint64_t real_ns = clock_ns(CLOCK_REALTIME);
		uint64_t window_ns = sf_boottime_ns() - before_ns;

		if (window_ns < tightest_ns) {
			tightest_ns = window_ns;
			offset_ns = (int64_t)(real_ns - (before_ns + window_ns / 2));
		}
	}
	return offset_ns;
}

static char *put_digits(char *end, uint64_t value, int nr_digits)
{
	int i;

	for (i = nr_digits - 1; i >= 0; i--) {
		end[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return end + nr_digits;
}

static char *put_time_of_day(char *end, unsigned int h, unsigned int min, unsigned int s)
{
	end = put_digits(end, h, 2);
	*end++ = ':';
	end = put_digits(end, min, 2);
	*end++ = ':';
	end = put_digits(end, s, 2);
	*end++ = '.';
	return end;
}

static bool is_leap_year(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* From 1970-01-01 to the first day of a later year. */
static unsigned int days_before(unsigned int year)
{
	unsigned int last = year - 1;

	return 365 * (year - 1970) + (last / 4 - last / 100 + last / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400);
}

/* days: since 1970-01-01. Not gmtime_r(), which takes a lock and looks for a time zone. */
static char *put_date(char *end, unsigned int days)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned int year = 1970 + days / 366, month = 0, length;

	while (days >= days_before(year + 1))
		year++;
	days -= days_before(year);
	for (;; month++) {
		length = lengths[month] + (month == 1 && is_leap_year(year));
		if (days < length)
			break;
		days -= length;
	}
	end = put_digits(end, year, 4);
	*end++ = '-';
	end = put_digits(end, month + 1, 2);
	*end++ = '-';
	return put_digits(end, days + 1, 2);
}

const char *sf_time_rfc3339(uint64_t realtime_ns, char buf[SF_TIME_STRLEN])
{
	uint64_t s = realtime_ns / SF_NS_PER_S; /* 2^64 ns: the year 2554 */
	char *end = put_date(buf, (unsigned int)(s / 86400));

	*end++ = 'T';
	end = put_time_of_day(end, s / 3600 % 24, s / 60 % 60, s % 60);
	end = put_digits(end, realtime_ns % SF_NS_PER_S, 9);
	*end++ = 'Z';
	*end = '\0';
	return buf;
}

/* nr digits as a number, -1 if they are not. */
static int take_digits(const char *text, int nr)
{
	int value = 0;

	for (int i = 0; i < nr; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

int sf_time_parse_rfc3339(const char *text, size_t len, uint64_t *ret_ns)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
	struct tm tm = { 0 }, same;
	uint64_t ns, s;
	int64_t time;

	if (len != sizeof(form) - 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (form[i] == 'd' ? take_digits(text + i, 1) < 0 : text[i] != form[i])
			return -EINVAL;
	tm.tm_year = take_digits(text, 4) - 1900;
	tm.tm_mon = take_digits(text + 5, 2) - 1;
	tm.tm_mday = take_digits(text + 8, 2);
	tm.tm_hour = take_digits(text + 11, 2);
	tm.tm_min = take_digits(text + 14, 2);
	tm.tm_sec = take_digits(text + 17, 2);
	same = tm;
	time = timegm(&same);
	s = (uint64_t)time;
	ns = (uint64_t)take_digits(text + 20, 9);
	/* timegm() makes a valid date of any: 31 April is 1 May. */
	if (time < 0 || s > (UINT64_MAX - ns) / SF_NS_PER_S || same.tm_mon != tm.tm_mon ||
	    same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour || same.tm_min != tm.tm_min ||
	    same.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_ns = s * SF_NS_PER_S + ns;
	return 0;
}

const char *sf_time_local(uint64_t realtime_ns, char buf[SF_TIME_STRLEN])
{
	time_t seconds = (time_t)(realtime_ns / SF_NS_PER_S);
	struct tm tm = { 0 };
	char *end;

	localtime_r(&seconds, &tm);
	end = put_time_of_day(buf, (unsigned int)tm.tm_hour, (unsigned int)tm.tm_min,
			      (unsigned int)tm.tm_sec);
	end = put_digits(end, realtime_ns % SF_NS_PER_S / NS_PER_US, 6);
	*end = '\0';
	return buf;
}

/* value / step rounded to nearest, halves up; does not overflow. */
static uint64_t divide_rounded(uint64_t value, uint64_t step)
{
	return value / step + (value % step >= step - step / 2);
}

/* Below 99.95 s: three significant digits and a unit. Returns false if it is longer. */
static bool format_short(uint64_t duration_ns, char buf[SF_TIME_STRLEN])
{
	static const struct {
		uint64_t step_ns; /* of the last digit */
		int nr_decimals;
		const char *unit;
	} scale[] = {
		{ NS_PER_US, 0, "us" }, { NS_PER_MS / 100, 2, "ms" },  { NS_PER_MS / 10, 1, "ms" },
		{ NS_PER_MS, 0, "ms" }, { SF_NS_PER_S / 100, 2, "s" }, { SF_NS_PER_S / 10, 1, "s" },
	};
	static const uint64_t power_of_10[] = { 1, 10, 100 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scale); i++) {
		uint64_t count = divide_rounded(duration_ns, scale[i].step_ns);
		uint64_t unit = power_of_10[scale[i].nr_decimals];

		if (count >= 1000)
			continue;
		if (scale[i].nr_decimals == 0)
			snprintf(buf, SF_TIME_STRLEN, "%" PRIu64 "%s", count, scale[i].unit);
		else
			snprintf(buf, SF_TIME_STRLEN, "%" PRIu64 ".%0*" PRIu64 "%s", count / unit,
				 scale[i].nr_decimals, count % unit, scale[i].unit);
		return true;
	}
	return false;
}

const char *sf_duration_format(uint64_t duration_ns, char buf[SF_TIME_STRLEN])
{
	uint64_t count;

	if (duration_ns > 0 && duration_ns < NS_PER_US) {
		snprintf(buf, SF_TIME_STRLEN, "<1us");
		return buf;
	}
	if (format_short(duration_ns, buf))
		return buf;

	count = divide_rounded(duration_ns, SF_NS_PER_S);
	if (count < 60 * 60) {
		snprintf(buf, SF_TIME_STRLEN, "%" PRIu64 "m%02" PRIu64 "s", count / 60, count % 60);
		return buf;
	}
	count = divide_rounded(duration_ns, NS_PER_MIN);
	if (count < 24 * 60) {
		snprintf(buf, SF_TIME_STRLEN, "%" PRIu64 "h%02" PRIu64 "m", count / 60, count % 60);
		return buf;
	}
	count = divide_rounded(duration_ns, NS_PER_H);
	if (count < 1000 * 24)
		snprintf(buf, SF_TIME_STRLEN, "%" PRIu64 "d%" PRIu64 "h", count / 24, count % 24);
	else
		snprintf(buf, SF_TIME_STRLEN, "%" PRIu64 "d",
			 divide_rounded(duration_ns, NS_PER_D));
	return buf;
}
