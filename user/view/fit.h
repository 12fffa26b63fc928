/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text measured in the columns of a terminal, and made to fit them. Texts here
 * are valid UTF-8 without control characters (base/text.h). Pure.
 */
#ifndef SF_VIEW_FIT_H
#define SF_VIEW_FIT_H

#include <stdbool.h>
#include <stddef.h>

#define SF_FIT_SIZE 128 /* bytes of any text that passes here, with NUL */

/* Columns that text takes; East Asian wide characters take two. */
size_t sf_columns_of(const char *text);
/* Bytes at the beginning of text that take at most width columns: whole characters. */
size_t sf_bytes_within(const char *text, size_t width);
/* Replaces each character that is not ASCII by '?', in place. */
void sf_ascii_only(char *text);
/* Cuts the end of text, in place, so that it takes at most width columns; shows that it did. */
void sf_fit_end(char text[SF_FIT_SIZE], size_t width, bool is_ascii);
/* The same for an endpoint: the middle of its address goes, its port stays. */
void sf_fit_endpoint(char text[SF_FIT_SIZE], size_t width, bool is_ascii);
/* The same for a time: the end of its fraction goes, a "Z" stays. */
void sf_fit_time(char text[SF_FIT_SIZE], size_t width, bool is_ascii);

#endif
