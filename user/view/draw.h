/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells to text: a table's line, with widths, marks and colours, or CSV's.
 * Each writes one line, its newline included, to the caller's buffer of size
 * bytes and returns its length; 0 if the buffer is too small. Pure.
 */
#ifndef SF_VIEW_DRAW_H
#define SF_VIEW_DRAW_H

#include <stddef.h>

struct sf_layout;
struct sf_row;
struct sf_view_options;

size_t sf_draw_titles(const struct sf_layout *layout, const struct sf_view_options *options,
		      char *buf, size_t size);
size_t sf_draw_row(const struct sf_layout *layout, const struct sf_view_options *options,
		   const struct sf_row *row, char *buf, size_t size);
size_t sf_csv_titles(const struct sf_layout *layout, char *buf, size_t size);
size_t sf_csv_row(const struct sf_layout *layout, const struct sf_view_options *options,
		  const struct sf_row *row, char *buf, size_t size);

#endif
