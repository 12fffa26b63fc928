/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text towards a terminal and numbers from people. Owns the rule of what may
 * be shown, and a digit reader that strtoull() is not: that one takes spaces,
 * signs and what a locale adds.
 */
#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/util.h"

size_t sf_text_safe(char *dst, size_t size, const void *src, size_t len)
{
	const uint8_t *text = src;
	size_t used = 0, nr_columns = 0, i = 0;

	while (i < len && text[i]) {
		uint32_t code_point;
		int n = sf_utf8_decode(text + i, len - i, &code_point);
		bool is_shown = n > 0 && !sf_utf8_is_control(code_point) &&
				!sf_utf8_is_zero_width(code_point);
		size_t nr_read = (size_t)(n < 0 ? -n : n);
		size_t nr_written = is_shown ? nr_read : 1;

		if (nr_written >= size - used)
			break;
		if (is_shown)
			memcpy(dst + used, text + i, nr_written);
		else
			dst[used] = '?';
		used += nr_written;
		i += nr_read;
		nr_columns++;
	}
	dst[used] = '\0';
	return nr_columns;
}

/*
 * Reads the digits at *text, at least one, and moves *text behind them. A value
 * above UINT64_MAX is -ERANGE, and *text is moved all the same: whether junk
 * follows is then for the caller to see first.
 */
static int read_digits(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;
	bool is_too_big = false;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			is_too_big = true;
	}
	*text = p;
	if (is_too_big)
		return -ERANGE;
	*ret = value;
	return 0;
}

int sf_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	int r;

	r = read_digits(&text, &value);
	if (r == -EINVAL || *text != '\0')
		return -EINVAL;
	if (r < 0 || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* A unit of time: factor * 10^nr_decimals ns, so nr_decimals digits may follow the point. */
struct time_unit {
	const char *name;
	uint64_t factor;
	int nr_decimals;
};

static const struct time_unit *find_time_unit(const char *name)
{
	static const struct time_unit units[] = {
		{ "", 1, 9 },	{ "s", 1, 9 },	{ "ms", 1, 6 },	  { "us", 1, 3 },
		{ "ns", 1, 0 }, { "m", 60, 9 }, { "h", 3600, 9 }, { "d", 86400, 9 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	}
	return NULL;
}

/*
 * Reads ".5" at *text if there is a point, as a count of billionths; moves *text
 * behind it. -EINVAL without a digit or with a digit below a billionth.
 */
static int read_fraction(const char **text, uint64_t *ret_billionths)
{
	const char *p = *text;
	uint64_t billionths = 0, place = 100000000;

	if (*p != '.') {
		*ret_billionths = 0;
		return 0;
	}
	p++;
	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (place == 0 && *p != '0')
			return -EINVAL;
		billionths += (uint64_t)(*p - '0') * place;
		place /= 10;
	}
	*text = p;
	*ret_billionths = billionths;
	return 0;
}

int sf_parse_duration_ns(const char *text, uint64_t *ret)
{
	const struct time_unit *unit;
	uint64_t whole = 0, billionths = 0, power_of_10 = 1, value;
	int r_whole, r, i;

	r_whole = read_digits(&text, &whole);
	if (r_whole == -EINVAL)
		return -EINVAL;
	r = read_fraction(&text, &billionths);
	if (r < 0)
		return r;
	unit = find_time_unit(text);
	if (!unit)
		return -EINVAL;

	for (i = 0; i < unit->nr_decimals; i++)
		power_of_10 *= 10;
	/* billionths of this unit are whole nanoseconds only down to its last decimal */
	if (billionths % (SF_NS_PER_S / power_of_10) != 0)
		return -EINVAL;
	billionths /= SF_NS_PER_S / power_of_10;

	/* billionths < power_of_10 <= 10^9 now, factor < 10^5: no overflow in their product */
	if (r_whole < 0 || __builtin_mul_overflow(whole, unit->factor * power_of_10, &value) ||
	    __builtin_add_overflow(value, billionths * unit->factor, &value))
		return -ERANGE;
	*ret = value;
	return 0;
}

int sf_parse_size_bytes(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	static const char suffixes[] = "KMG";
	uint64_t value = 0, unit = 1;
	const char *suffix;
	int r;

	r = read_digits(&text, &value);
	if (r == -EINVAL)
		return -EINVAL;
	if (*text != '\0') {
		suffix = strchr(suffixes, *text);
		if (!suffix || text[1] != '\0')
			return -EINVAL;
		unit = 1024ULL << 10 * (suffix - suffixes);
	}
	if (r < 0 || __builtin_mul_overflow(value, unit, &value) || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}
