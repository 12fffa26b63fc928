/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 as RFC 3629 has it, and the two questions asked about a code point
 * before it may reach a terminal or a log. Independent of the locale.
 */
#ifndef SF_BASE_UTF8_H
#define SF_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads the first character of len bytes, len > 0. Returns its length, 1..4,
 * with *ret_code_point set; or -n when the first n bytes are no character and
 * are to be replaced by one mark (n: the longest start of a character that is
 * there, at least 1; Unicode 3.9 "substitution of maximal subparts").
 */
int sf_utf8_decode(const uint8_t *text, size_t len, uint32_t *ret_code_point);

/* A terminal or a line reader acts on it: C0, DEL, C1, U+2028, U+2029, bidi controls. */
bool sf_utf8_is_control(uint32_t code_point);

/* Takes no column: combining marks, format characters, Hangul medial and final jamo. */
bool sf_utf8_is_zero_width(uint32_t code_point);

#endif
