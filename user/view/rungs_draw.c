// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A row is made in three parts: what is left of the rails, the canvas between
 * them, what is right. On the canvas a place counts from a rail, so that both
 * directions are drawn by the same code.
 */
#include "view/rungs_draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/out.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/util.h"

#define WIDTH SF_RUNG_WIDTH

struct glyphs {
	const char *rail, *unseen_rail, *call;
	const char *sent[SF_RAIL_NR];	  /* the rail that a segment leaves */
	const char *arrow[SF_RAIL_NR];	  /* by the rail it points at */
	const char *maybe[SF_RAIL_NR];	  /* an arrow at an arrival that was not seen */
	const char *downward[SF_RAIL_NR]; /* by the rail that the corner's line comes from */
	const char *upward[SF_RAIL_NR];
	const char *line, *dash, *lane, *crossing;
};

static const struct glyphs utf8_glyphs = {
	.rail = "│",
	.unseen_rail = "┆",
	.call = "●",
	.sent = { "├", "┤" },
	.arrow = { "◀", "▶" },
	.maybe = { "◁", "▷" },
	.downward = { "╮", "╭" },
	.upward = { "╯", "╰" },
	.line = "─",
	.dash = "╌",
	.lane = "│",
	.crossing = "┼",
};

static const struct glyphs ascii_glyphs = {
	.rail = "|",
	.unseen_rail = ":",
	.call = "*",
	.sent = { "+", "+" },
	.arrow = { "<", ">" },
	.maybe = { "<", ">" },
	.downward = { ".", "." },
	.upward = { "'", "'" },
	.line = "-",
	.dash = ".",
	.lane = "|",
	.crossing = "+",
};

/* ECMA-48 SGR: green, red, faint. */
#define GOOD "\033[32m"
#define BAD "\033[31m"
#define DIM "\033[2m"
#define OFF "\033[0m"

struct drawing {
	const struct sf_rungs *rungs;
	const struct glyphs *glyphs;
	struct sf_out *out;
	bool is_coloured;
	bool is_ascii;
	uint64_t begin_ns;
	const struct sf_rung *previous; /* the last that has a time */
};

/* What stands between the rails: a character per column, "" behind one that takes two. */
struct canvas {
	char places[WIDTH][5];
	const struct glyphs *glyphs;
};

const char *sf_task_text(const struct sf_task *task, const char *mark, bool is_ascii,
			 char buf[SF_FIT_SIZE])
{
	int len;

	buf[0] = '\0';
	if (!task || !task->tgid)
		return buf;
	len = snprintf(buf, SF_FIT_SIZE, "%s%" PRIu32 "/", mark, task->tgid);
	sf_text_safe(buf + len, SF_FIT_SIZE - (size_t)len, task->comm, sizeof(task->comm));
	if (is_ascii)
		sf_ascii_only(buf);
	return buf;
}

/* ---- the canvas ---- */

static void put_place(struct canvas *c, size_t at, const char *character, size_t len)
{
	if (at >= WIDTH || len >= sizeof(c->places[at]))
		return;
	memcpy(c->places[at], character, len);
	c->places[at][len] = '\0';
}

/* k: counted from the rail, 0 is next to it. */
static void put(struct canvas *c, enum sf_rail rail, size_t k, const char *glyph)
{
	put_place(c, rail == SF_LEFT ? k : WIDTH - 1 - k, glyph, strlen(glyph));
}

/* A line from k to end, end not drawn; where it meets a lane they cross. */
static void put_line(struct canvas *c, enum sf_rail rail, size_t k, size_t end, const char *glyph)
{
	for (; k < end; k++) {
		size_t at = rail == SF_LEFT ? k : WIDTH - 1 - k;

		put(c, rail, k, strcmp(c->places[at], " ") ? c->glyphs->crossing : glyph);
	}
}

/* Words in their reading order, their end nearest to the rail at k; blanks around them. */
static void put_words(struct canvas *c, enum sf_rail rail, size_t k, const char *words)
{
	size_t width = sf_columns_of(words);
	size_t at = rail == SF_LEFT ? k : WIDTH - k - width;

	if (!width || k + width > WIDTH)
		return;
	if (at > 0)
		put_place(c, at - 1, " ", 1);
	while (*words) {
		uint32_t code_point;
		int len = sf_utf8_decode((const uint8_t *)words, strlen(words), &code_point);
		char character[5] = "";

		if (len < 0) /* cannot be: texts are safe */
			return;
		memcpy(character, words, (size_t)len);
		put_place(c, at, character, (size_t)len);
		if (sf_columns_of(character) == 2)
			put_place(c, ++at, "", 0);
		at++;
		words += len;
	}
	put_place(c, at, " ", 1);
}

static void put_lanes(struct canvas *c, const struct sf_rungs *r, int row)
{
	for (int i = 0; i < row; i++) {
		if (r->rungs[i].mate > row)
			put(c, SF_LEFT, r->rungs[i].lane, c->glyphs->lane);
	}
}

/* Columns free of lanes, counted from the rail. */
static size_t free_columns(const struct canvas *c, enum sf_rail rail)
{
	size_t k = 0;

	while (k < WIDTH && !strcmp(c->places[rail == SF_LEFT ? k : WIDTH - 1 - k], " "))
		k++;
	return k;
}

/* ---- what is on it ---- */

static void put_task(const struct drawing *d, struct canvas *c, const struct sf_rung *rung)
{
	size_t room = free_columns(c, rung->rail);
	char text[SF_FIT_SIZE];

	sf_task_text(rung->task, "", d->is_ascii, text);
	if (room < 4)
		return;
	sf_fit_end(text, room - 2, d->is_ascii);
	put_words(c, rung->rail, 1, text);
}

static void put_centred(struct canvas *c, const char *words)
{
	size_t width = sf_columns_of(words);

	if (width < WIDTH)
		put_words(c, SF_LEFT, (WIDTH - width) / 2, words);
}

/* How long it was on its way; asked for what was seen to leave before it arrived. */
static const char *transit(const struct sf_rungs *r, const struct sf_rung *received,
			   char buf[SF_TIME_STRLEN])
{
	const struct sf_rung *sent = &r->rungs[received->mate];
	char text[SF_TIME_STRLEN];

	snprintf(buf, SF_TIME_STRLEN, "%s%s", sent->is_derived || received->is_derived ? "~" : "",
		 sf_duration_format(received->time_ns - sent->time_ns, text));
	return buf;
}

/* Left after it arrived: so it was reported, or so a computed time has it. */
static const char *late(const struct sf_rungs *r, const struct sf_rung *sent)
{
	return sent->is_derived || r->rungs[sent->mate].is_derived ? "" : "seen late";
}

/* One half of a segment: from its rail to its lane. */
static void put_half(const struct drawing *d, struct canvas *c, int row)
{
	const struct glyphs *g = c->glyphs;
	const struct sf_rung *rung = &d->rungs->rungs[row];
	const char *const *corner = row < rung->mate ? g->downward : g->upward;
	size_t end = rung->rail == SF_LEFT ? rung->lane : WIDTH - 1 - rung->lane;
	char text[SF_TIME_STRLEN];

	put_line(c, rung->rail, 0, end, g->line);
	if (rung->kind == SF_RUNG_SENT) {
		put_words(c, rung->rail, 2, row < rung->mate ? rung->label : late(d->rungs, rung));
	} else {
		put(c, rung->rail, 0, g->arrow[rung->rail]);
		put_words(c, rung->rail, 3,
			  row < rung->mate ? rung->label : transit(d->rungs, rung, text));
	}
	put(c, rung->rail, end, corner[rung->rail]);
}

/* A segment whose other end was not seen. */
static void put_dashed(const struct drawing *d, struct canvas *c, const struct sf_rung *rung)
{
	const struct glyphs *g = d->glyphs;
	enum sf_rail other = sf_other_rail(rung->rail);

	put_line(c, rung->rail, 0, WIDTH - 1, g->dash);
	put(c, rung->rail, WIDTH - 1, "?");
	if (rung->kind == SF_RUNG_RECEIVED) {
		put(c, rung->rail, 0, g->arrow[rung->rail]);
		put(c, rung->rail, 1, g->line);
		put_words(c, rung->rail, 3, rung->label);
		return;
	}
	put(c, rung->rail, WIDTH - 2, g->maybe[other]);
	if (rung->kind == SF_RUNG_SENT) {
		put(c, rung->rail, 0, g->line);
		put_words(c, rung->rail, 2, rung->label);
	} else {
		put(c, rung->rail, 0, "?");
		put_centred(c, rung->label);
	}
}

static void put_rung(const struct drawing *d, struct canvas *c, int row)
{
	const struct sf_rung *rung = &d->rungs->rungs[row];

	switch (rung->kind) {
	case SF_RUNG_CALL:
		put_task(d, c, rung);
		break;
	case SF_RUNG_SENT:
	case SF_RUNG_RECEIVED:
		if (rung->mate != SF_RUNG_ALONE)
			put_half(d, c, row);
		else
			put_dashed(d, c, rung);
		break;
	case SF_RUNG_UNSEEN:
		put_dashed(d, c, rung);
		break;
	case SF_RUNG_STATE:
	case SF_RUNG_NOTE:
		if (rung->label)
			put_centred(c, rung->label);
		break;
	}
}

static void draw_canvas(const struct drawing *d, int row, const char *colour)
{
	struct canvas c = { .glyphs = d->glyphs };

	for (size_t i = 0; i < WIDTH; i++)
		put_place(&c, i, " ", 1);
	put_lanes(&c, d->rungs, row);
	put_rung(d, &c, row);
	sf_out_printf(d->out, "%s", colour);
	for (size_t i = 0; i < WIDTH; i++)
		sf_out_write(d->out, c.places[i], strlen(c.places[i]));
	sf_out_printf(d->out, "%s", *colour ? OFF : "");
}

/* ---- what is around it ---- */

/* Seconds since the first rung, 9 columns at most: the fraction goes as they grow. */
static void put_time(const struct drawing *d, const struct sf_rung *rung)
{
	uint64_t us = (rung->time_ns - d->begin_ns) / 1000;
	const char *mark = rung->is_derived ? "~" : "";
	char text[SF_TIME_STRLEN], duration[SF_TIME_STRLEN];

	if (!rung->time_ns)
		snprintf(text, sizeof(text), "%s", rung->kind == SF_RUNG_UNSEEN ? "not seen" : "");
	else if (us < 100 * 1000000ULL)
		snprintf(text, sizeof(text), "%s%" PRIu64 ".%06" PRIu64, mark, us / 1000000,
			 us % 1000000);
	else if (us < 100000 * 1000000ULL)
		snprintf(text, sizeof(text), "%s%" PRIu64 ".%03" PRIu64, mark, us / 1000000,
			 us / 1000 % 1000);
	else
		snprintf(text, sizeof(text), "%s%s", mark, sf_duration_format(us * 1000, duration));
	sf_out_printf(d->out, "%*s", SF_LADDER_TIME_WIDTH, text);
}

static void put_delta(const struct drawing *d, const struct sf_rung *rung)
{
	const struct sf_rung *previous = d->previous;
	char text[SF_TIME_STRLEN], marked[SF_TIME_STRLEN] = "";

	if (rung->time_ns && previous)
		snprintf(marked, sizeof(marked), "%s%s",
			 rung->is_derived || previous->is_derived ? "~" : "",
			 sf_duration_format(rung->time_ns - previous->time_ns, text));
	sf_out_printf(d->out, " %*s ", SF_LADDER_DELTA_WIDTH, marked);
}

/* The rung's text if it is this rail's. Beside a segment there is room for who sent it. */
static void text_at(const struct drawing *d, const struct sf_rung *rung, enum sf_rail rail,
		    char text[SF_FIT_SIZE])
{
	text[0] = '\0';
	if (rung->rail != rail || rung->kind == SF_RUNG_UNSEEN || rung->kind == SF_RUNG_NOTE)
		return;
	if (rung->text[0])
		snprintf(text, SF_FIT_SIZE, "%s", rung->text);
	else
		sf_task_text(rung->task, "", d->is_ascii, text);
	sf_fit_end(text, SF_LADDER_TEXT_WIDTH, d->is_ascii);
}

static const char *rail_glyph(const struct drawing *d, const struct sf_rung *rung,
			      enum sf_rail rail)
{
	if (rung->rail == rail && rung->kind == SF_RUNG_CALL)
		return d->glyphs->call;
	if (rung->rail == rail && rung->kind == SF_RUNG_SENT)
		return d->glyphs->sent[rail];
	return d->rungs->ends[rail] ? d->glyphs->rail : d->glyphs->unseen_rail;
}

static const char *colour_of(const struct drawing *d, const struct sf_rung *rung)
{
	if (!d->is_coloured)
		return "";
	if (rung->kind == SF_RUNG_UNSEEN || rung->kind == SF_RUNG_NOTE)
		return DIM;
	if (rung->step == SF_STEP_RST_SENT || rung->step == SF_STEP_RST_RECEIVED)
		return BAD;
	if (rung->state == SF_STEP_CLOSED && d->rungs->ends[rung->rail]->story.cause > SF_CAUSE_FIN)
		return BAD;
	return rung->state == SF_STEP_ESTABLISHED ? GOOD : "";
}

static void draw_row(const struct drawing *d, int row)
{
	const struct sf_rung *rung = &d->rungs->rungs[row];
	const char *colour = colour_of(d, rung);
	char text[SF_FIT_SIZE];

	put_time(d, rung);
	put_delta(d, rung);
	text_at(d, rung, SF_LEFT, text);
	sf_out_printf(d->out, "%*s%s%s%s %s", (int)(SF_LADDER_TEXT_WIDTH - sf_columns_of(text)), "",
		      colour, text, *colour ? OFF : "", rail_glyph(d, rung, SF_LEFT));
	draw_canvas(d, row, colour);
	text_at(d, rung, SF_RIGHT, text);
	sf_out_printf(d->out, "%s", rail_glyph(d, rung, SF_RIGHT));
	if (text[0])
		sf_out_printf(d->out, " %s%s%s", colour, text, *colour ? OFF : "");
	sf_out_printf(d->out, "\n");
}

void sf_rungs_draw(const struct sf_rungs *rungs, bool is_coloured, bool is_ascii,
		   struct sf_out *out)
{
	struct drawing d = {
		.rungs = rungs,
		.glyphs = is_ascii ? &ascii_glyphs : &utf8_glyphs,
		.out = out,
		.is_coloured = is_coloured,
		.is_ascii = is_ascii,
		.begin_ns = sf_rungs_begin_ns(rungs),
	};

	for (int row = 0; row < (int)rungs->nr; row++) {
		draw_row(&d, row);
		/* An inferred ACK has the time of the one before, and makes no other doubtful. */
		if (rungs->rungs[row].time_ns && rungs->rungs[row].step != SF_STEP_NR)
			d.previous = &rungs->rungs[row];
	}
}
