/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding of UTF-8 and the class "control". Owns what counts as well-formed
 * for the whole program: the JSON writer and the terminal text both ask here.
 * The table of zero-width code points is in zero_width.c.
 */
#include "base/utf8.h"

int sf_utf8_decode(const uint8_t *text, size_t len, uint32_t *ret_code_point)
{
	uint8_t low = 0x80, high = 0xbf; /* what the next byte may be */
	uint8_t lead = text[0];
	uint32_t code_point;
	int nr_more, i;

	if (lead < 0x80) {
		*ret_code_point = lead;
		return 1;
	}
	if (lead < 0xc2 || lead > 0xf4) /* a continuation, an overlong form, above U+10FFFF */
		return -1;
	if (lead < 0xe0) {
		nr_more = 1;
		code_point = lead & 0x1f;
	} else if (lead < 0xf0) {
		nr_more = 2;
		code_point = lead & 0x0f;
		if (lead == 0xe0)
			low = 0xa0; /* no overlong forms */
		if (lead == 0xed)
			high = 0x9f; /* no surrogates */
	} else {
		nr_more = 3;
		code_point = lead & 0x07;
		if (lead == 0xf0)
			low = 0x90; /* no overlong forms */
		if (lead == 0xf4)
			high = 0x8f; /* not above U+10FFFF */
	}

	for (i = 1; i <= nr_more; i++) {
		if ((size_t)i >= len || text[i] < low || text[i] > high)
			return -i;
		code_point = code_point << 6 | (text[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*ret_code_point = code_point;
	return nr_more + 1;
}

bool sf_utf8_is_control(uint32_t code_point)
{
	if (code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f))
		return true;
	/* the Unicode property Bidi_Control, and U+2028 U+2029 which some readers end a line at */
	return code_point == 0x061c || code_point == 0x200e || code_point == 0x200f ||
	       (code_point >= 0x2028 && code_point <= 0x202e) ||
	       (code_point >= 0x2066 && code_point <= 0x2069);
}
