// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measuring and shortening. What was cut is shown by an ellipsis, one column
 * wide, except in a time, where fewer decimals speak for themselves.
 */
#include "view/fit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/util.h"

/*
 * Unicode East_Asian_Width W and F, in blocks: where a block is mixed all of
 * it counts as wide, as a line that is too short does less harm than one that
 * wraps.
 */
static const struct {
	uint32_t first, last;
} wide[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },	  { 0x23e9, 0x23f3 },
	{ 0x25fd, 0x25fe },   { 0x2600, 0x27bf },   { 0x2b1b, 0x2b55 },	  { 0x2e80, 0x303e },
	{ 0x3041, 0x4dbf },   { 0x4e00, 0xa4cf },   { 0xa960, 0xa97f },	  { 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },   { 0xfe10, 0xfe19 },   { 0xfe30, 0xfe6f },	  { 0xff01, 0xff60 },
	{ 0xffe0, 0xffe6 },   { 0x16fe0, 0x18cff }, { 0x1aff0, 0x1b2ff }, { 0x1f004, 0x1f004 },
	{ 0x1f0cf, 0x1f0cf }, { 0x1f18e, 0x1f202 }, { 0x1f210, 0x1f6ff }, { 0x1f7e0, 0x1f7eb },
	{ 0x1f90c, 0x1faff }, { 0x20000, 0x3fffd },
};

static size_t columns_of_character(uint32_t code_point)
{
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		if (code_point >= wide[i].first && code_point <= wide[i].last)
			return 2;
	}
	return 1;
}

/* The character at text: its bytes, and its columns in *ret. */
static size_t next_character(const char *text, size_t *ret_columns)
{
	uint32_t code_point;
	int len;

	if ((unsigned char)*text < 0x80) {
		*ret_columns = 1;
		return 1;
	}
	len = sf_utf8_decode((const uint8_t *)text, strlen(text), &code_point);
	if (len < 0) { /* not UTF-8 after all: drawn as one mark */
		*ret_columns = 1;
		return (size_t)-len;
	}
	*ret_columns = columns_of_character(code_point);
	return (size_t)len;
}

size_t sf_columns_of(const char *text)
{
	size_t sum = 0, columns;

	while (*text) {
		text += next_character(text, &columns);
		sum += columns;
	}
	return sum;
}

size_t sf_bytes_within(const char *text, size_t width)
{
	size_t len = 0, used = 0, columns;

	while (text[len]) {
		size_t bytes = next_character(text + len, &columns);

		if (used + columns > width)
			break;
		used += columns;
		len += bytes;
	}
	return len;
}

void sf_ascii_only(char *text)
{
	const char *from = text;
	size_t columns;

	while (*from) {
		size_t len = next_character(from, &columns);

		*text++ = len == 1 && (unsigned char)*from < 0x80 ? *from : '?';
		from += len;
	}
	*text = '\0';
}

static const char *ellipsis(bool is_ascii)
{
	return is_ascii ? "~" : "\xe2\x80\xa6"; /* U+2026 */
}

void sf_fit_end(char text[SF_FIT_SIZE], size_t width, bool is_ascii)
{
	size_t at = 0, used = 0, columns;

	if (sf_columns_of(text) <= width)
		return;
	if (width == 0) {
		text[0] = '\0';
		return;
	}
	for (;;) {
		size_t len = next_character(text + at, &columns);

		if (used + columns > width - 1)
			break;
		used += columns;
		at += len;
	}
	snprintf(text + at, SF_FIT_SIZE - at, "%s", ellipsis(is_ascii));
}

void sf_fit_endpoint(char text[SF_FIT_SIZE], size_t width, bool is_ascii)
{
	const char *colon = strrchr(text, ':');
	size_t len = strlen(text), address, kept;
	char tail[SF_FIT_SIZE];

	if (len <= width) /* an endpoint is ASCII */
		return;
	address = colon ? (size_t)(colon - text) : len;
	/* Two characters of the address and the ellipsis, or it says nothing. */
	if (len - address + 3 > width) {
		sf_fit_end(text, width, is_ascii);
		return;
	}
	kept = width - (len - address) - 1;
	snprintf(tail, sizeof(tail), "%s", text + address - kept / 2);
	snprintf(text + kept - kept / 2, SF_FIT_SIZE - kept, "%s%s", ellipsis(is_ascii), tail);
}

void sf_fit_time(char text[SF_FIT_SIZE], size_t width, bool is_ascii)
{
	size_t len = strlen(text); /* a time is ASCII */
	const char *point = strchr(text, '.');
	bool has_z = len > 0 && text[len - 1] == 'Z';
	size_t fraction, too_much;

	if (len <= width)
		return;
	too_much = len - width;
	fraction = point ? len - has_z - (size_t)(point - text) - 1 : 0;
	/* Never a bare point: one digit stays. */
	if (fraction <= too_much) {
		sf_fit_end(text, width, is_ascii);
		return;
	}
	snprintf(text + len - has_z - too_much, SF_FIT_SIZE - len + has_z + too_much, "%s",
		 has_z ? "Z" : "");
}
