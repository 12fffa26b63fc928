// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells in one growing buffer, each ended by NUL; widths when all are there. */
#include "view/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "view/fit.h"

#define MAX_COLUMNS 32

struct sf_table {
	const struct sf_table_column *columns;
	size_t nr_columns;
	char *text;
	size_t len;
	size_t size;
	size_t nr_cells;
	bool is_short; /* of memory */
};

int sf_table_new(const struct sf_table_column *columns, size_t nr, struct sf_table **ret)
{
	struct sf_table *table = nr <= MAX_COLUMNS ? calloc(1, sizeof(*table)) : NULL;

	if (!table)
		return -ENOMEM;
	table->columns = columns;
	table->nr_columns = nr;
	*ret = table;
	return 0;
}

void sf_table_free(struct sf_table *table)
{
	if (!table)
		return;
	free(table->text);
	free(table);
}

void sf_table_freep(struct sf_table **table)
{
	sf_table_free(*table);
}

static bool grow(struct sf_table *table, size_t more)
{
	size_t size = table->size ? table->size : 4096;
	char *grown;

	while (size - table->len < more)
		size *= 2;
	if (size == table->size)
		return true;
	grown = realloc(table->text, size);
	if (!grown) {
		table->is_short = true;
		return false;
	}
	table->text = grown;
	table->size = size;
	return true;
}

void sf_table_cell(struct sf_table *table, const char *fmt, ...)
{
	char cell[256];
	va_list args;
	size_t len;
	int n;

	va_start(args, fmt);
	n = vsnprintf(cell, sizeof(cell), fmt, args);
	va_end(args);
	if (n < 0)
		cell[0] = '\0';
	len = strlen(cell) + 1;
	if (!grow(table, len))
		return;
	memcpy(table->text + table->len, cell, len);
	table->len += len;
	table->nr_cells++;
}

static void pad(struct sf_out *out, size_t nr)
{
	while (nr--)
		sf_out_write(out, " ", 1);
}

static void write_cell(struct sf_out *out, const struct sf_table_column *column, const char *text,
		       size_t width, bool is_last)
{
	size_t used = sf_columns_of(text), gap = width > used ? width - used : 0;

	if (column->is_right)
		pad(out, gap);
	sf_out_write(out, text, strlen(text));
	if (!is_last)
		pad(out, column->is_right ? 2 : gap + 2);
}

struct widths {
	size_t width[MAX_COLUMNS]; /* 0: not shown */
	size_t last;		   /* the last that is shown */
};

static void find_widths(const struct sf_table *table, bool is_wide, bool has_header,
			struct widths *ret)
{
	const char *cell = table->text;

	*ret = (struct widths){ 0 };
	for (size_t i = 0; i < table->nr_cells; i++, cell += strlen(cell) + 1) {
		size_t width = sf_columns_of(cell);

		if (width > ret->width[i % table->nr_columns])
			ret->width[i % table->nr_columns] = width;
	}
	for (size_t i = 0; i < table->nr_columns; i++) {
		const struct sf_table_column *column = &table->columns[i];
		size_t least = has_header ? strlen(column->title) : 1;
		bool is_left_out = (column->is_wide && !is_wide) ||
				   (column->is_optional && !is_wide && !ret->width[i]);

		if (least > ret->width[i])
			ret->width[i] = least;
		if (is_left_out)
			ret->width[i] = 0;
		else
			ret->last = i;
	}
}

int sf_table_write(const struct sf_table *table, struct sf_out *out, bool is_wide, bool has_header)
{
	const char *cell = table->text;
	struct widths widths;

	if (table->is_short)
		return -ENOMEM;
	find_widths(table, is_wide, has_header, &widths);
	for (size_t i = 0; has_header && i < table->nr_columns; i++)
		if (widths.width[i])
			write_cell(out, &table->columns[i], table->columns[i].title,
				   widths.width[i], i == widths.last);
	if (has_header)
		sf_out_write(out, "\n", 1);
	for (size_t i = 0; i < table->nr_cells; i++, cell += strlen(cell) + 1) {
		size_t at = i % table->nr_columns;

		if (widths.width[at])
			write_cell(out, &table->columns[at], *cell ? cell : "-", widths.width[at],
				   at == widths.last);
		if (at + 1 == table->nr_columns)
			sf_out_write(out, "\n", 1);
	}
	return out->err;
}

/* RFC 4180, but "\n" ends a line: as view/draw.c writes it. */
static void write_csv_cell(struct sf_out *out, const char *cell)
{
	if (!strpbrk(cell, ",\"")) {
		sf_out_write(out, cell, strlen(cell));
		return;
	}
	sf_out_write(out, "\"", 1);
	for (; *cell; cell++)
		sf_out_write(out, *cell == '"' ? "\"\"" : cell, *cell == '"' ? 2 : 1);
	sf_out_write(out, "\"", 1);
}

int sf_table_write_csv(const struct sf_table *table, struct sf_out *out, bool has_header)
{
	const char *cell = table->text;

	if (table->is_short)
		return -ENOMEM;
	for (size_t i = 0; has_header && i < table->nr_columns; i++) {
		write_csv_cell(out, table->columns[i].csv);
		sf_out_write(out, i + 1 == table->nr_columns ? "\n" : ",", 1);
	}
	for (size_t i = 0; i < table->nr_cells; i++, cell += strlen(cell) + 1) {
		write_csv_cell(out, cell);
		sf_out_write(out, (i + 1) % table->nr_columns ? "," : "\n", 1);
	}
	return out->err;
}
