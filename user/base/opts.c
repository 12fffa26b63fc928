/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option parser. Not getopt_long(): that accepts abbreviations of long
 * names, prints its own messages, and lets POSIXLY_CORRECT change what a script
 * means. Every complaint is made by one of the bad_*() functions; --help is in
 * opts_help.c.
 */
#include "base/opts.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"

#define QUOTED_MAX 64 /* of a value repeated in a message */
#define BOUND_STRLEN 32

struct parser {
	const struct sf_opt *table;
	int argc;
	char **argv;
	char *options;
	char *err;
	size_t err_size;
	int next; /* the argument to be read next */
};

/* One use of an option: its row, the name as typed ("-p", "--pid"), its value. */
struct use {
	const struct sf_opt *row;
	const char *name;
	const char *value; /* NULL: none */
};

__attribute__((format(printf, 2, 3))) static int bad(struct parser *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->err, p->err_size, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* What was typed, fit to be repeated in a message. Returns buf. */
static const char *quote(const char *typed, char buf[QUOTED_MAX])
{
	if (!*typed)
		return "''";
	sf_text_safe(buf, QUOTED_MAX, typed, strlen(typed));
	return buf;
}

static enum sf_opt_type type_of(const struct sf_opt *row)
{
	return row->type & ~SF_OPT_ONCE;
}

/* Rows that always need a value, and those that take one if they say so. */
static bool takes_value(const struct sf_opt *row)
{
	switch (type_of(row)) {
	case SF_OPT_FLAG:
	case SF_OPT_COUNT:
		return false;
	case SF_OPT_CALL:
		return row->arg_name;
	default:
		return true;
	}
}

static const char *arg_name(const struct sf_opt *row)
{
	return row->arg_name ? row->arg_name : "VALUE";
}

/* The bound as it could be typed: 65536 bytes as "64K", 300 s as "5m". Returns buf. */
static const char *format_bound(enum sf_opt_type type, uint64_t value, char buf[BOUND_STRLEN])
{
	static const struct unit {
		enum sf_opt_type type;
		uint64_t factor;
		const char *name;
	} units[] = {
		{ SF_OPT_SIZE, 1ULL << 30, "G" },
		{ SF_OPT_SIZE, 1ULL << 20, "M" },
		{ SF_OPT_SIZE, 1ULL << 10, "K" },
		{ SF_OPT_DURATION, 86400 * SF_NS_PER_S, "d" },
		{ SF_OPT_DURATION, 3600 * SF_NS_PER_S, "h" },
		{ SF_OPT_DURATION, 60 * SF_NS_PER_S, "m" },
		{ SF_OPT_DURATION, SF_NS_PER_S, "s" },
		{ SF_OPT_DURATION, 1000000, "ms" },
		{ SF_OPT_DURATION, 1000, "us" },
		{ SF_OPT_DURATION, 1, "ns" },
	};
	const char *name = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units) && value > 0; i++) {
		if (units[i].type == type && value % units[i].factor == 0) {
			value /= units[i].factor;
			name = units[i].name;
			break;
		}
	}
	snprintf(buf, BOUND_STRLEN, "%" PRIu64 "%s", value, name);
	return buf;
}

/* A U64, SIZE or DURATION value that was refused with r. */
static int bad_number(struct parser *p, const struct use *use, uint64_t max, int r)
{
	enum sf_opt_type type = type_of(use->row);
	char quoted[QUOTED_MAX], low[BOUND_STRLEN], high[BOUND_STRLEN];
	const char *wrong = "out of range";

	if (r == -EINVAL && type == SF_OPT_U64)
		wrong = "not a whole number";
	else if (r == -EINVAL && type == SF_OPT_SIZE)
		wrong = "not a size such as 64K, 8M, 1G";
	else if (r == -EINVAL)
		wrong = "not a duration such as 1.5s, 200ms, 2m";
	return bad(p, "%s %s: %s (from %s to %s)", use->name, quote(use->value, quoted), wrong,
		   format_bound(type, use->row->min, low), format_bound(type, max, high));
}

static int bad_choice(struct parser *p, const struct use *use)
{
	const char *const *choices = use->row->choices;
	char quoted[QUOTED_MAX];
	size_t used, i;

	bad(p, "%s %s: must be ", use->name, quote(use->value, quoted));
	for (i = 0; choices[i]; i++) {
		const char *before = i == 0 ? "" : choices[i + 1] ? ", " : " or ";

		used = p->err_size ? strlen(p->err) : 0;
		snprintf(p->err + used, p->err_size - used, "%s%s", before, choices[i]);
	}
	return -EINVAL;
}

static int store_number(struct parser *p, const struct use *use, uint64_t *field)
{
	const struct sf_opt *row = use->row;
	/* 213503 days are the last whole ones that 2^64 ns hold */
	uint64_t no_bound = type_of(row) == SF_OPT_DURATION ? 213503 * (86400 * SF_NS_PER_S) :
							      UINT64_MAX;
	uint64_t max = row->max ? row->max : no_bound, value = 0;
	int r;

	if (type_of(row) == SF_OPT_U64) {
		r = sf_parse_u64(use->value, row->min, max, &value);
	} else if (type_of(row) == SF_OPT_SIZE) {
		r = sf_parse_size_bytes(use->value, row->min, max, &value);
	} else {
		r = sf_parse_duration_ns(use->value, &value);
		if (r == 0 && (value < row->min || value > max))
			r = -ERANGE;
	}
	if (r < 0)
		return bad_number(p, use, max, r);
	*field = value;
	return 0;
}

static int store_choice(struct parser *p, const struct use *use, int *field)
{
	int i;

	for (i = 0; use->row->choices[i]; i++) {
		if (strcmp(use->row->choices[i], use->value) == 0) {
			*field = i;
			return 0;
		}
	}
	return bad_choice(p, use);
}

static int store_call(struct parser *p, const struct use *use, void *field)
{
	const char *why = NULL;
	char quoted[QUOTED_MAX];

	if (use->row->parse(use->value, field, &why) >= 0)
		return 0;
	if (!why)
		why = "not accepted";
	if (!use->value)
		return bad(p, "%s: %s", use->name, why);
	return bad(p, "%s %s: %s", use->name, quote(use->value, quoted), why);
}

/* Has an option that may be given once been given? Its field tells. */
static bool is_repeated(const struct sf_opt *row, const void *field)
{
	if (!(row->type & SF_OPT_ONCE))
		return false;
	return type_of(row) == SF_OPT_STRING ? *(const char *const *)field != NULL :
					       *(const uint64_t *)field != 0;
}

static int store(struct parser *p, const struct use *use)
{
	void *field = p->options + use->row->offset;

	if (is_repeated(use->row, field))
		return bad(p,
			   "%s is given twice: give it once; a filter can join several with 'or'",
			   use->name);
	switch (type_of(use->row)) {
	case SF_OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case SF_OPT_COUNT:
		*(int *)field += *(int *)field < INT_MAX;
		return 0;
	case SF_OPT_U64:
	case SF_OPT_SIZE:
	case SF_OPT_DURATION:
		return store_number(p, use, field);
	case SF_OPT_STRING:
		*(const char **)field = use->value;
		return 0;
	case SF_OPT_ENUM:
		return store_choice(p, use, field);
	case SF_OPT_CALL:
		return store_call(p, use, field);
	case SF_OPT_ONCE:
		break;
	}
	return bad(p, "%s: its row in the option table has no valid type", use->name);
}

static const struct sf_opt *find_long(const struct sf_opt *table, const char *name, size_t len)
{
	for (; table->long_name; table++) {
		if (strlen(table->long_name) == len && memcmp(table->long_name, name, len) == 0)
			return table;
	}
	return NULL;
}

static const struct sf_opt *find_short(const struct sf_opt *table, char name)
{
	for (; table->long_name; table++) {
		if (table->short_name == name)
			return table;
	}
	return NULL;
}

/* Equal after one character is dropped, added, changed, or swapped with its neighbour. */
static bool is_slip_of(const char *typed, size_t typed_len, const char *name)
{
	size_t name_len = strlen(name), start = 0, end = 0;
	size_t shorter = sf_min_size(typed_len, name_len);
	size_t typed_rest, name_rest;

	while (start < shorter && typed[start] == name[start])
		start++;
	while (end < shorter - start && typed[typed_len - 1 - end] == name[name_len - 1 - end])
		end++;
	typed_rest = typed_len - start - end;
	name_rest = name_len - start - end;
	if (typed_rest == 2 && name_rest == 2)
		return typed[start] == name[start + 1] && typed[start + 1] == name[start];
	return typed_rest <= 1 && name_rest <= 1;
}

/* The listed row that was probably meant: the only one that begins so, or the first slip. */
static const struct sf_opt *find_similar(const struct sf_opt *table, const char *typed, size_t len)
{
	const struct sf_opt *begins_so = NULL, *slip = NULL;
	int nr_begin_so = 0;

	if (len == 0)
		return NULL;
	for (; table->long_name; table++) {
		if (!table->help)
			continue;
		if (strncmp(table->long_name, typed, len) == 0) {
			begins_so = table;
			nr_begin_so++;
		} else if (!slip && is_slip_of(typed, len, table->long_name)) {
			slip = table;
		}
	}
	return nr_begin_so == 1 ? begins_so : slip;
}

/* name: without its dashes. */
static int bad_name(struct parser *p, const char *dashes, const char *name, size_t len)
{
	bool is_letter = dashes[1] == '\0' && len == 1; /* too little to guess from */
	const struct sf_opt *similar = is_letter ? NULL : find_similar(p->table, name, len);
	char quoted[QUOTED_MAX];

	sf_text_safe(quoted, sizeof(quoted), name, len);
	if (similar)
		return bad(p, "unknown option %s%s (did you mean --%s?)", dashes, quoted,
			   similar->long_name);
	return bad(p, "unknown option %s%s (--help lists them)", dashes, quoted);
}

/* Takes the next argument as the value of an option that needs one and has none joined to it. */
static int take_value(struct parser *p, struct use *use)
{
	if (p->next >= p->argc)
		return bad(p, "%s needs a value: %s %s", use->name, use->name, arg_name(use->row));
	use->value = p->argv[p->next++];
	return 0;
}

/* text: behind the two dashes. */
static int read_long(struct parser *p, const char *text)
{
	size_t len = strcspn(text, "=");
	struct use use = { .row = find_long(p->table, text, len) };
	char name[QUOTED_MAX], quoted[QUOTED_MAX];
	int r;

	if (!use.row)
		return bad_name(p, "--", text, len);
	snprintf(name, sizeof(name), "--%s", use.row->long_name);
	use.name = name;
	if (text[len] == '=')
		use.value = text + len + 1;

	if (!takes_value(use.row) && use.value)
		return bad(p, "%s takes no value, got %s", name, quote(use.value, quoted));
	if (takes_value(use.row) && !use.value) {
		r = take_value(p, &use);
		if (r < 0)
			return r;
	}
	return store(p, &use);
}

/* text: behind the dash, not empty; one letter or several joined. */
static int read_short(struct parser *p, const char *text)
{
	const char *letter;

	for (letter = text; *letter; letter++) {
		struct use use = { .row = find_short(p->table, *letter) };
		char name[3] = { '-', *letter };
		int r;

		if (!use.row) /* all that was typed: it may be "-help", or half a character here */
			return bad_name(p, "-", text, strlen(text));
		use.name = name;
		if (takes_value(use.row)) {
			if (letter[1]) {
				use.value = letter + 1;
				return store(p, &use);
			}
			r = take_value(p, &use);
			if (r < 0)
				return r;
		}
		r = store(p, &use);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Moves argv[from..to) in front of the operands at argv[first_operand..from). */
static void move_before(char **argv, int first_operand, int from, int to)
{
	for (; from < to; from++, first_operand++) {
		char *moved = argv[from];

		memmove(argv + first_operand + 1, argv + first_operand,
			(size_t)(from - first_operand) * sizeof(*argv));
		argv[first_operand] = moved;
	}
}

int sf_opts_parse(const struct sf_opt *table, int argc, char **argv, void *options,
		  int *ret_first_operand, char *err, size_t err_size)
{
	struct parser p = {
		.table = table,
		.argc = argc,
		.argv = argv,
		.options = options,
		.err = err,
		.err_size = err_size,
		.next = argc > 0 ? 1 : 0,
	};
	int first_operand = p.next;
	bool is_ended = false;

	while (p.next < argc && !is_ended) {
		int this = p.next++, r = 0;
		const char *text = argv[this];

		if (text[0] != '-' || text[1] == '\0')
			continue; /* an operand */
		is_ended = strcmp(text, "--") == 0;
		if (text[1] != '-')
			r = read_short(&p, text + 1);
		else if (!is_ended)
			r = read_long(&p, text + 2);
		if (r < 0)
			return r;
		move_before(argv, first_operand, this, p.next);
		first_operand += p.next - this;
	}
	*ret_first_operand = first_operand;
	return 0;
}
