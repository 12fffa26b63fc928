/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --help from the option table: two columns, the right one wrapped. Owns the
 * layout only; what the options mean is in opts.c.
 */
#include "base/opts.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define LINE_MAX_COLUMNS 80
#define LABEL_MAX_COLUMNS 28 /* a longer label has its help below it */

/* The right column, filled word by word. */
struct column {
	FILE *f;
	size_t left;	  /* where the column begins */
	size_t at;	  /* columns used of this line */
	size_t nr_spaces; /* to be written before the next word */
};

static size_t label_len(const struct sf_opt *row)
{
	size_t len = strlen("  -x, --") + strlen(row->long_name);

	return row->arg_name ? len + 1 + strlen(row->arg_name) : len;
}

static void print_label(FILE *f, const struct sf_opt *row)
{
	if (row->short_name)
		fprintf(f, "  -%c, --%s", row->short_name, row->long_name);
	else
		fprintf(f, "      --%s", row->long_name);
	if (row->arg_name)
		fprintf(f, " %s", row->arg_name);
}

static void new_line(struct column *c)
{
	fputc('\n', c->f);
	c->at = 0;
	c->nr_spaces = c->left;
}

/* One word; a word longer than the column is broken. */
static void put_word(struct column *c, const char *word, size_t len)
{
	if (c->at + c->nr_spaces + len > LINE_MAX_COLUMNS && c->at + c->nr_spaces > c->left)
		new_line(c);
	while (len > 0) {
		size_t room = LINE_MAX_COLUMNS - c->at - c->nr_spaces;
		size_t n = sf_min_size(len, room);

		fprintf(c->f, "%*s%.*s", (int)c->nr_spaces, "", (int)n, word);
		c->at += c->nr_spaces + n;
		c->nr_spaces = 1;
		word += n;
		len -= n;
		if (len > 0)
			new_line(c);
	}
}

static void put_words(struct column *c, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " \n");

		put_word(c, text, len);
		text += len;
		text += strspn(text, " \n");
	}
}

/* " (table, json, csv)" behind the help of an option with choices. */
static void put_choices(struct column *c, const char *const *choices)
{
	char word[64];
	size_t i;

	for (i = 0; choices[i]; i++) {
		int n = snprintf(word, sizeof(word), "%s%s%s", i == 0 ? "(" : "", choices[i],
				 choices[i + 1] ? "," : ")");

		put_word(c, word, sf_min_size((size_t)n, sizeof(word) - 1));
	}
}

static void print_row(FILE *f, const struct sf_opt *row, size_t left)
{
	struct column c = { .f = f, .left = left, .at = label_len(row) };

	print_label(f, row);
	if (c.at + 2 > left)
		new_line(&c);
	else
		c.nr_spaces = left - c.at;
	put_words(&c, row->help);
	if (row->type == SF_OPT_ENUM)
		put_choices(&c, row->choices);
	fputc('\n', f);
}

void sf_opts_print_help(const struct sf_opt *table, void *f)
{
	const struct sf_opt *row;
	const char *group = NULL, *printed_group = NULL;
	const char *before_heading = "";
	size_t widest = 8;

	for (row = table; row->long_name; row++) {
		if (row->help && label_len(row) <= LABEL_MAX_COLUMNS)
			widest = sf_max_size(widest, label_len(row));
	}
	for (row = table; row->long_name; row++) {
		if (row->group)
			group = row->group;
		if (!row->help)
			continue;
		if (group && (!printed_group || strcmp(group, printed_group) != 0)) {
			fprintf(f, "%s%s:\n", before_heading, group);
			printed_group = group;
		}
		print_row(f, row, widest + 2);
		before_heading = "\n";
	}
}
