/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that a process chose (its name, a path) made safe for a terminal, and
 * numbers that a person typed read strictly: all of the text or nothing, no
 * white space, no sign, no hex, the same in every locale.
 */
#ifndef SF_BASE_TEXT_H
#define SF_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies at most len bytes of src (stopping at NUL) to dst as valid UTF-8 with
 * nothing a terminal acts on: C0, DEL, C1 controls, bidi controls, line
 * separators, zero-width code points and bytes that are not UTF-8 become '?'.
 * dst always ends in NUL; size > 0; what does not fit is cut at a character.
 * Returns the number of columns it takes: every code point counts one (a
 * terminal may draw East Asian wide ones in two).
 */
size_t sf_text_safe(char *dst, size_t size, const void *src, size_t len);

/*
 * Decimal, whole string, min <= value <= max. 0, -EINVAL (not a number) or
 * -ERANGE. *ret untouched on failure.
 */
int sf_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
/*
 * "30", "30s", "1.5s", "200ms", "50us", "10ns", "2m", "1h", "1d": nanoseconds; a
 * bare number is seconds. A fraction finer than 1 ns is refused. 0, -EINVAL,
 * -ERANGE. *ret untouched on failure.
 */
int sf_parse_duration_ns(const char *text, uint64_t *ret);
/* "64K", "8M", "1G" (powers of 1024) or bytes. 0, -EINVAL, -ERANGE. *ret untouched on failure. */
int sf_parse_size_bytes(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

#endif
