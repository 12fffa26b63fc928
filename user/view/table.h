/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of few rows, all known before the first is written: columns are as
 * wide as their longest cell. For what exists now (listeners, ports); events
 * that come one by one have view.h. Holds the cells' text, writes to an sf_out.
 */
#ifndef SF_VIEW_TABLE_H
#define SF_VIEW_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct sf_out;
struct sf_table;

struct sf_table_column {
	const char *title; /* for people */
	const char *csv;   /* as the JSON field is called */
	bool is_right;
	bool is_wide;	  /* not in a plain table: wide and CSV have it */
	bool is_optional; /* nor if no row knows it */
};

/* columns: borrowed for the table's life, nr of them. 0 or -ENOMEM. */
int sf_table_new(const struct sf_table_column *columns, size_t nr, struct sf_table **ret);
void sf_table_free(struct sf_table *table);
void sf_table_freep(struct sf_table **table);
/*
 * The next cell, row by row; fmt "" is not known. The text must be safe for a
 * terminal. What finds no memory is told by sf_table_write().
 */
void sf_table_cell(struct sf_table *table, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* 0 or a negative errno: -ENOMEM, or what out latched. */
int sf_table_write(const struct sf_table *table, struct sf_out *out, bool is_wide, bool has_header);
int sf_table_write_csv(const struct sf_table *table, struct sf_out *out, bool has_header);

#endif
