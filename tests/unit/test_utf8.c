/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 decoding against the table of well-formed sequences (Unicode 3.9,
 * table 3-7), written here as the standard prints it, for every sequence of
 * one to three bytes and the edges of four; and the two code point classes.
 */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

struct well_formed {
	int len;
	uint8_t low[4], high[4];
};

static const struct well_formed table_3_7[] = {
	{ 1, { 0x00 }, { 0x7f } },
	{ 2, { 0xc2, 0x80 }, { 0xdf, 0xbf } },
	{ 3, { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf } },
	{ 3, { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf } },
	{ 3, { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf } },
	{ 3, { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf } },
	{ 4, { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf } },
	{ 4, { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf } },
	{ 4, { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf } },
};

/* Longest start of any well-formed sequence; > 0 if one is complete, < 0 if not. */
static int expected_length(const uint8_t *text, size_t len)
{
	int longest = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table_3_7); i++) {
		const struct well_formed *row = &table_3_7[i];
		int n = 0;

		while (n < row->len && (size_t)n < len && text[n] >= row->low[n] &&
		       text[n] <= row->high[n])
			n++;
		if (n == row->len)
			return n;
		if (n > longest)
			longest = n;
	}
	return -longest;
}

static void check(const uint8_t *text, size_t len)
{
	uint32_t code_point = 0xdeadbeef;
	int n = sf_utf8_decode(text, len, &code_point);

	/* assert_int_equal() is slow: this runs millions of times */
	if (n != expected_length(text, len))
		fail_msg("%zu bytes %02x %02x ..: %d", len, text[0], len > 1 ? text[1] : 0, n);
	if (n < 0)
		assert_true(code_point == 0xdeadbeef);
}

static void every_sequence_of_up_to_three_bytes(void **state)
{
	uint8_t text[3];
	unsigned int a, b, c;

	(void)state;
	for (a = 0; a < 256; a++) {
		text[0] = (uint8_t)a;
		check(text, 1);
		for (b = 0; b < 256; b++) {
			text[1] = (uint8_t)b;
			check(text, 2);
			for (c = 0; c < 256; c++) {
				text[2] = (uint8_t)c;
				check(text, 3);
			}
		}
	}
}

static void edges_of_four_bytes(void **state)
{
	static const uint8_t lead[] = { 0xef, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf8, 0xff };
	static const uint8_t next[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
					0xa0, 0xbf, 0xc0, 0xc2, 0xff };
	size_t a, b, c, d;

	(void)state;
	for (a = 0; a < ARRAY_SIZE(lead); a++)
		for (b = 0; b < ARRAY_SIZE(next); b++)
			for (c = 0; c < ARRAY_SIZE(next); c++)
				for (d = 0; d < ARRAY_SIZE(next); d++) {
					uint8_t text[] = { lead[a], next[b], next[c], next[d] };

					check(text, 1);
					check(text, 2);
					check(text, 3);
					check(text, 4);
				}
}

/* Encodes as RFC 3629 section 3 says, surrogates too; returns the length. */
static size_t encode(uint32_t code_point, uint8_t text[4])
{
	size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
	size_t i;

	for (i = len - 1; i > 0; i--) {
		text[i] = (uint8_t)(0x80 | (code_point & 0x3f));
		code_point >>= 6;
	}
	text[0] = (uint8_t)(lead[len] | code_point);
	return len;
}

static void every_code_point(void **state)
{
	uint32_t code_point, got;
	uint8_t text[4];

	(void)state;
	for (code_point = 0; code_point < 0x110000; code_point++) {
		size_t len = encode(code_point, text);
		int n = sf_utf8_decode(text, len, &got);

		if (code_point >= 0xd800 && code_point < 0xe000)
			assert_true(n == -1); /* a surrogate: its second byte is not allowed */
		else if (n != (int)len || got != code_point)
			fail_msg("U+%04X: %d, U+%04X", code_point, n, got);
	}
	encode(0x110000, text);
	assert_int_equal(sf_utf8_decode(text, 4, &got), -1);
}

static void controls(void **state)
{
	static const uint32_t other[] = { 0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
					  0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069 };
	uint32_t code_point;
	size_t nr_other = 0;

	(void)state;
	for (code_point = 0; code_point < 0x110000; code_point++) {
		bool want = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);

		if (nr_other < ARRAY_SIZE(other) && code_point == other[nr_other]) {
			want = true;
			nr_other++;
		}
		if (sf_utf8_is_control(code_point) != want)
			fail_msg("U+%04X: control is %d", code_point, !want);
	}
	assert_int_equal(nr_other, ARRAY_SIZE(other));
}

static void zero_width(void **state)
{
	static const uint32_t none[] = { 0xad,	 0x300,	  0x36f,   0x483,   0x61c,   0x64b,
					 0xe31,	 0x1160,  0x11ff,  0x180e,  0x200b,  0x200c,
					 0x200d, 0x200f,  0x202e,  0x2060,  0x2064,  0x2066,
					 0x206f, 0x20dd,  0xd7b0,  0xfe00,  0xfe0f,  0xfeff,
					 0xfff9, 0x1d167, 0xe0001, 0xe0020, 0xe007f, 0xe0100,
					 0xe01ef };
	static const uint32_t some[] = {
		0x00,	0x20,	0x41,	0xa0,	0xac,	0xae,	 0xe9,	  0x2ff,   0x370,  0x3b1,
		0x431,	0x5d0,	0x623,	0x905,	0x1100, 0x115f,	 0x1200,  0x2010,  0x2026, 0x2500,
		0x4e2d, 0xac00, 0xd7a3, 0xd7fc, 0xfffd, 0x1f600, 0x20000, 0x10ffff
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(none); i++)
		if (!sf_utf8_is_zero_width(none[i]))
			fail_msg("U+%04X takes no column", none[i]);
	for (i = 0; i < ARRAY_SIZE(some); i++)
		if (sf_utf8_is_zero_width(some[i]))
			fail_msg("U+%04X takes a column", some[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_of_up_to_three_bytes),
		cmocka_unit_test(edges_of_four_bytes),
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(controls),
		cmocka_unit_test(zero_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
