/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options as a table: a row says what it is called, where its value goes, how
 * it is checked and what --help prints. Help is generated from the same rows.
 */
#ifndef SF_BASE_OPTS_H
#define SF_BASE_OPTS_H

#include <stddef.h>
#include <stdint.h>

enum sf_opt_type {
	SF_OPT_FLAG,	 /* bool: set to true */
	SF_OPT_COUNT,	 /* int: incremented each time (-v -v) */
	SF_OPT_U64,	 /* uint64_t, min..max */
	SF_OPT_SIZE,	 /* uint64_t bytes, min..max, K M G suffix */
	SF_OPT_DURATION, /* uint64_t nanoseconds, min..max */
	SF_OPT_STRING,	 /* const char * into argv */
	SF_OPT_ENUM,	 /* int: index into choices */
	SF_OPT_CALL,	 /* parse(value, field): its own check; -EINVAL with *why set */

	/* Or'd to U64, DURATION or STRING: not twice. The field is 0 or NULL, and min above 0. */
	SF_OPT_ONCE = 1 << 8,
};

struct sf_opt {
	char short_name; /* 0 = none */
	const char *long_name;
	enum sf_opt_type type;
	const char *arg_name; /* "PID", NULL for flags; a CALL row without one takes no value */
	size_t offset;	      /* of the field in the options struct */
	uint64_t min, max;    /* max 0: no upper bound */
	const char *const *choices; /* NULL-terminated, for SF_OPT_ENUM; --help lists them */
	/*
	 * value: the text given, NULL if the row takes none; field: at offset. 0 or
	 * negative errno; *ret_why: what would be right, static text.
	 */
	int (*parse)(const char *value, void *field, const char **ret_why);
	const char *help;  /* NULL: not listed by --help */
	const char *group; /* heading in --help (no colon), NULL = same as the row before */
};

/* clang-format off */
#define SF_OPT_END { .long_name = NULL }
/* clang-format on */

/*
 * Parses argv[1..] into *options. "--name VALUE", "--name=VALUE", "-n VALUE",
 * "-nVALUE"; flags may be joined ("-qv", "-vn VALUE"). Long names are exact: an
 * abbreviation would stop working when an option is added. Options and operands
 * may mix, "--" ends options, "-" is an operand, the last of a repeated option
 * counts unless it is SF_OPT_ONCE; the environment changes nothing. table ends with SF_OPT_END.
 *
 * Operands are moved to the end of argv in their order; *ret_first_operand is
 * the index of the first, argc if there is none. On a bad option one line is
 * written to err (what was wrong and what would be right, no prefix, no newline,
 * safe for a terminal, cut to err_size) and -EINVAL returned; *options then
 * holds what came before it, and argv may be in another order.
 */
int sf_opts_parse(const struct sf_opt *table, int argc, char **argv, void *options,
		  int *ret_first_operand, char *err, size_t err_size);
/* Help text for the rows, aligned, at most 80 columns, to stdio stream f (FILE *). */
void sf_opts_print_help(const struct sf_opt *table, void *f);

#endif
