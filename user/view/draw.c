// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of tables and of CSV. Whatever a cell holds, a shortened table's line
 * is never wider than its layout; in a wide one nothing is cut. Colour
 * surrounds the text of a cell, not its padding.
 */
#include "view/draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/util.h"
#include "view/cells.h"
#include "view/columns.h"
#include "view/fit.h"
#include "view/view.h"

/* What is written so far; once too long it stays so. */
struct draft {
	char *buf;
	size_t size;
	size_t len;
	bool is_too_long;
};

/* ECMA-48 SGR: green, red, bold, faint. */
static const char *const colours[] = {
	[SF_CLASS_PLAIN] = NULL,    [SF_CLASS_GOOD] = "\033[32m", [SF_CLASS_BAD] = "\033[31m",
	[SF_CLASS_OWN] = "\033[1m", [SF_CLASS_DIM] = "\033[2m",
};
_Static_assert(ARRAY_SIZE(colours) == SF_CLASS_NR, "a colour per class");

#define COLOUR_TITLE "\033[1m"
#define COLOUR_OFF "\033[0m"

static void put_len(struct draft *d, const char *text, size_t len)
{
	if (d->is_too_long || len > d->size - d->len) {
		d->is_too_long = true;
		return;
	}
	memcpy(d->buf + d->len, text, len);
	d->len += len;
}

static void put(struct draft *d, const char *text)
{
	put_len(d, text, strlen(text));
}

static void put_spaces(struct draft *d, size_t nr)
{
	while (nr-- > 0)
		put_len(d, " ", 1);
}

static size_t finish(struct draft *d)
{
	put_len(d, "\n", 1);
	return d->is_too_long ? 0 : d->len;
}

/* Times that are numbers stand right. */
static bool is_right(enum sf_column_id id, const struct sf_view_options *options)
{
	if (id == SF_COL_TIME)
		return options->time_format == SF_TIME_RELATIVE ||
		       options->time_format == SF_TIME_DELTA;
	return sf_columns[id].is_right;
}

static void put_padded(struct draft *d, const struct sf_layout *layout, size_t i,
		       const struct sf_view_options *options, const char *text, const char *colour)
{
	const struct sf_slot *slot = &layout->slots[i];
	size_t columns = sf_columns_of(text);
	size_t padding = columns < slot->width ? slot->width - columns : 0;
	bool is_last = i + 1 == layout->nr_slots;

	if (i > 0)
		put_spaces(d, 1);
	if (is_right(slot->id, options))
		put_spaces(d, padding);
	if (colour && options->is_coloured)
		put(d, colour);
	put(d, text);
	if (colour && options->is_coloured)
		put(d, COLOUR_OFF);
	if (!is_right(slot->id, options) && !is_last)
		put_spaces(d, padding);
}

static const char *title_of(enum sf_column_id id, const struct sf_view_options *options)
{
	if (id != SF_COL_TIME)
		return sf_columns[id].title;
	switch (options->time_format) {
	case SF_TIME_UTC:
		return "TIME(UTC)";
	case SF_TIME_RELATIVE:
		return "TIME(s)";
	case SF_TIME_DELTA:
		return "DELTA(s)";
	default:
		return sf_columns[id].title;
	}
}

size_t sf_draw_titles(const struct sf_layout *layout, const struct sf_view_options *options,
		      char *buf, size_t size)
{
	struct draft d = { .buf = buf, .size = size };

	for (size_t i = 0; i < layout->nr_slots; i++) {
		const struct sf_slot *slot = &layout->slots[i];
		char text[SF_FIT_SIZE];

		snprintf(text, sizeof(text), "%s%s", sf_columns[slot->id].is_end ? " " : "",
			 title_of(slot->id, options));
		if (layout->is_shortened)
			sf_fit_end(text, slot->width, options->is_ascii);
		put_padded(&d, layout, i, options, text, COLOUR_TITLE);
	}
	return finish(&d);
}

/* The cell's body, without its mark. */
static void cell_text(const struct sf_cell *cell, char text[SF_FIT_SIZE])
{
	char end[SF_ENDPOINT_STRLEN], duration[SF_TIME_STRLEN];

	switch (cell->kind) {
	case SF_CELL_TEXT:
	case SF_CELL_TIME:
		snprintf(text, SF_FIT_SIZE, "%s", cell->text);
		break;
	case SF_CELL_NUMBER:
		snprintf(text, SF_FIT_SIZE, "%" PRIu64, cell->number);
		break;
	case SF_CELL_DURATION:
		snprintf(text, SF_FIT_SIZE, "%s", sf_duration_format(cell->number, duration));
		break;
	case SF_CELL_ENDPOINT:
		snprintf(text, SF_FIT_SIZE, "%s",
			 sf_endpoint_format(cell->endpoint.addr, cell->endpoint.port, end));
		break;
	case SF_CELL_ABSENT:
		snprintf(text, SF_FIT_SIZE, "-");
		break;
	}
}

static void fit(enum sf_cell_kind kind, char text[SF_FIT_SIZE], size_t width, bool is_ascii)
{
	switch (kind) {
	case SF_CELL_ENDPOINT:
		sf_fit_endpoint(text, width, is_ascii);
		break;
	case SF_CELL_TIME:
		sf_fit_time(text, width, is_ascii);
		break;
	default:
		sf_fit_end(text, width, is_ascii);
		break;
	}
}

size_t sf_draw_row(const struct sf_layout *layout, const struct sf_view_options *options,
		   const struct sf_row *row, char *buf, size_t size)
{
	struct draft d = { .buf = buf, .size = size };

	for (size_t i = 0; i < layout->nr_slots; i++) {
		const struct sf_slot *slot = &layout->slots[i];
		struct sf_cell cell = { 0 };
		char text[SF_FIT_SIZE + 1];
		char *body = text;

		sf_columns[slot->id].write(row, &cell);
		if (cell.mark)
			*body++ = cell.mark;
		cell_text(&cell, body);
		if (layout->is_shortened && cell.brief[0] && sf_columns_of(body) > slot->width)
			snprintf(body, SF_FIT_SIZE, "%s", cell.brief);
		if (options->is_ascii)
			sf_ascii_only(body);
		if (layout->is_shortened)
			fit(cell.kind, body, slot->width - (size_t)(body - text),
			    options->is_ascii);
		put_padded(&d, layout, i, options, text,
			   colours[cell.kind ? cell.class : SF_CLASS_DIM]);
	}
	return finish(&d);
}

size_t sf_csv_titles(const struct sf_layout *layout, char *buf, size_t size)
{
	struct draft d = { .buf = buf, .size = size };

	for (size_t i = 0; i < layout->nr_slots; i++) {
		if (i > 0)
			put(&d, ",");
		put(&d, sf_columns[layout->slots[i].id].csv);
	}
	return finish(&d);
}

/* RFC 4180 2.6 and 2.7. */
static void put_csv(struct draft *d, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		put(d, text);
		return;
	}
	put(d, "\"");
	for (; *text; text++) {
		if (*text == '"')
			put(d, "\"");
		put_len(d, text, 1);
	}
	put(d, "\"");
}

static void put_csv_number(struct draft *d, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	put(d, text);
}

static void put_csv_end(struct draft *d, const struct sf_endpoint *end, bool is_known)
{
	char text[SF_ADDR_STRLEN];

	if (is_known)
		put(d, sf_addr_format(end->addr, text));
	put(d, ",");
	if (is_known && end->port)
		put_csv_number(d, end->port);
}

static void put_csv_cell(struct draft *d, struct sf_cell *cell, bool is_ascii)
{
	switch (cell->kind) {
	case SF_CELL_TEXT:
	case SF_CELL_TIME:
		if (is_ascii)
			sf_ascii_only(cell->text);
		put_csv(d, cell->csv ? cell->csv : cell->text);
		break;
	case SF_CELL_NUMBER:
		put_csv_number(d, cell->number);
		break;
	case SF_CELL_DURATION:
		put_csv_number(d, cell->number / 1000);
		break;
	case SF_CELL_ENDPOINT:
	case SF_CELL_ABSENT:
		break;
	}
}

size_t sf_csv_row(const struct sf_layout *layout, const struct sf_view_options *options,
		  const struct sf_row *row, char *buf, size_t size)
{
	struct draft d = { .buf = buf, .size = size };

	for (size_t i = 0; i < layout->nr_slots; i++) {
		const struct sf_column *column = &sf_columns[layout->slots[i].id];
		struct sf_cell cell = { 0 };

		column->write(row, &cell);
		if (i > 0)
			put(&d, ",");
		if (strchr(column->csv, ',')) /* an endpoint: two fields */
			put_csv_end(&d, &cell.endpoint, cell.kind == SF_CELL_ENDPOINT);
		else
			put_csv_cell(&d, &cell, options->is_ascii);
	}
	return finish(&d);
}
