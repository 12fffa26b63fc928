/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option table: what each spelling gives, where operands end up, and the
 * exact text of each complaint.
 */
#include "base/opts.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

struct options {
	bool quiet, all;
	int verbose;
	uint64_t pid, count, ring, age;
	const char *comm;
	int output;
	int even;
	bool is_v4;
};

static int parse_even(const char *value, void *field, const char **ret_why)
{
	size_t len = strlen(value);

	if (strcmp(value, "silent") == 0)
		return -EINVAL; /* forgets to say why */
	if (len % 2) {
		*ret_why = "must have an even number of letters";
		return -EINVAL;
	}
	*(int *)field = (int)len;
	return 0;
}

static int parse_v4(const char *value, void *field, const char **ret_why)
{
	if (*(bool *)field) {
		*ret_why = "given twice";
		return -EINVAL;
	}
	*(bool *)field = !value;
	return 0;
}

static const char *const outputs[] = { "table", "wide", "json", "csv", NULL };

#define FIELD(name) .offset = offsetof(struct options, name)

static const struct sf_opt table[] = {
	{ 'q', "quiet", SF_OPT_FLAG, FIELD(quiet), .help = "errors only", .group = "Messages" },
	{ 'v', "verbose", SF_OPT_COUNT, FIELD(verbose), .help = "say more; twice for even more" },
	{ 'p', "pid", SF_OPT_U64, "PID", FIELD(pid), 1, 4194304, .help = "only this process",
	  .group = "Filter" },
	{ 'C', "count", SF_OPT_U64, "N", FIELD(count), .help = "stop after N" },
	{ 'c', "comm", SF_OPT_STRING, "NAME", FIELD(comm), .help = "only processes of this name" },
	{ 0, "min-age", SF_OPT_DURATION, "TIME", FIELD(age), 1000, 3600000000000, .help = "age" },
	{ 0, "max-age", SF_OPT_DURATION, "TIME", FIELD(age), .help = "age" },
	{ 'o', "output", SF_OPT_ENUM, "FORMAT", FIELD(output), .choices = outputs,
	  .help = "how to show it", .group = "Output" },
	{ 0, "ring", SF_OPT_SIZE, "SIZE", FIELD(ring), 65536, 1ULL << 30, .help = "buffer" },
	{ 'e', "even", SF_OPT_CALL, "WORD", FIELD(even), .parse = parse_even, .help = "a word" },
	{ '4', "ipv4", SF_OPT_CALL, FIELD(is_v4), .parse = parse_v4, .help = "IPv4 only" },
	{ 0, "all", SF_OPT_FLAG, FIELD(all), .help = "all of them" },
	{ 0, "allow", SF_OPT_FLAG, FIELD(all), .help = "allow it" },
	{ 0, "secret", SF_OPT_FLAG, FIELD(all), .help = NULL },
	SF_OPT_END,
};

static struct options options;
static char *args[32];
static int nr_args, first_operand;
static char message[256];

/* Parses the arguments, the list ending in NULL; what comes of it is in the variables above. */
static int parse(const char *first, ...)
{
	const char *arg;
	va_list list;

	options = (struct options){ .verbose = 0 };
	args[0] = (char *)"synfin";
	nr_args = 1;
	va_start(list, first);
	for (arg = first; arg; arg = va_arg(list, const char *))
		args[nr_args++] = (char *)arg;
	va_end(list);
	args[nr_args] = NULL;
	first_operand = -77;
	memset(message, 0, sizeof(message));
	return sf_opts_parse(table, nr_args, args, &options, &first_operand, message,
			     sizeof(message));
}

/* The operands, joined by '|'. */
static const char *operands(void)
{
	static char text[256];
	size_t used = 0;
	int i;

	text[0] = '\0';
	for (i = first_operand; i < nr_args; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
					 i > first_operand ? "|" : "", args[i]);
	return text;
}

#define assert_parses(...) assert_int_equal(parse(__VA_ARGS__, NULL), 0)

#define assert_refused(want, ...)                                    \
	do {                                                         \
		assert_int_equal(parse(__VA_ARGS__, NULL), -EINVAL); \
		assert_string_equal(message, want);                  \
		assert_int_equal(first_operand, -77);                \
	} while (0)

static void nothing(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL), 0);
	assert_int_equal(first_operand, 1);
	assert_string_equal(message, "");
	/* execve() allows it */
	assert_int_equal(sf_opts_parse(table, 0, args, &options, &first_operand, NULL, 0), 0);
	assert_int_equal(first_operand, 0);
}

static void spellings(void **state)
{
	(void)state;
	assert_parses("-p5");
	assert_int_equal(options.pid, 5);
	assert_parses("-p", "5");
	assert_int_equal(options.pid, 5);
	assert_int_equal(first_operand, 3);
	assert_parses("--pid=5");
	assert_int_equal(options.pid, 5);
	assert_parses("--pid", "5");
	assert_int_equal(options.pid, 5);
	assert_parses("-q");
	assert_true(options.quiet);
	assert_parses("--quiet", "-q");
	assert_true(options.quiet);
	assert_parses("-vv", "--verbose", "-qv");
	assert_int_equal(options.verbose, 4);
	assert_true(options.quiet);
	assert_parses("-qvp5");
	assert_int_equal(options.pid, 5);
	assert_parses("-qvp", "5", "op");
	assert_int_equal(options.pid, 5);
	assert_string_equal(operands(), "op");
	assert_parses("-p1", "-p2", "--pid", "3");
	assert_int_equal(options.pid, 3);
	assert_parses("-4q");
	assert_true(options.is_v4);
	assert_true(options.quiet);
	assert_parses("--ipv4");
	assert_true(options.is_v4);
	assert_parses("--secret");
	assert_true(options.all);
}

static void values(void **state)
{
	(void)state;
	assert_parses("-c", "a=b");
	assert_string_equal(options.comm, "a=b");
	assert_ptr_equal(options.comm, args[2]);
	assert_parses("--comm=a=b");
	assert_string_equal(options.comm, "a=b");
	assert_parses("--comm=");
	assert_string_equal(options.comm, "");
	assert_parses("--comm", "");
	assert_string_equal(options.comm, "");
	/* a value may look like an option, as with getopt */
	assert_parses("-c", "-q", "--comm", "--", "x");
	assert_string_equal(options.comm, "--");
	assert_false(options.quiet);
	assert_string_equal(operands(), "x");
	assert_parses("-c-q");
	assert_string_equal(options.comm, "-q");

	assert_parses("--ring", "64K");
	assert_int_equal(options.ring, 65536);
	assert_parses("--ring=1G");
	assert_int_equal(options.ring, 1ULL << 30);
	assert_parses("--min-age", "1.5s");
	assert_int_equal(options.age, 1500000000);
	assert_parses("--min-age", "1us");
	assert_parses("--min-age", "1h");
	assert_parses("--max-age", "0");
	assert_int_equal(options.age, 0);
	assert_parses("--max-age", "213503d");
	assert_parses("-C", "18446744073709551615");
	assert_true(options.count == UINT64_MAX);
	assert_parses("-C0");
	assert_int_equal(options.count, 0);
	assert_parses("-p1");
	assert_parses("-p4194304");
	assert_parses("-o", "csv");
	assert_int_equal(options.output, 3);
	assert_parses("--output=table");
	assert_int_equal(options.output, 0);
	assert_parses("-e", "word");
	assert_int_equal(options.even, 4);
}

static void operands_and_options_mix(void **state)
{
	(void)state;
	assert_parses("a", "-q", "b", "-p", "5", "c", "--output=json", "d");
	assert_string_equal(operands(), "a|b|c|d");
	assert_int_equal(first_operand, 5);
	assert_string_equal(args[1], "-q");
	assert_string_equal(args[2], "-p");
	assert_string_equal(args[3], "5");
	assert_string_equal(args[4], "--output=json");
	assert_null(args[nr_args]);
	assert_int_equal(options.pid, 5);
	assert_int_equal(options.output, 2);

	assert_parses("a", "b", "c", "-p", "5");
	assert_string_equal(operands(), "a|b|c");
	assert_parses("-", "-q", "");
	assert_string_equal(operands(), "-|");
	assert_true(options.quiet);
}

static void end_of_options(void **state)
{
	(void)state;
	assert_parses("-q", "--", "-v", "--nonsense", "--");
	assert_string_equal(operands(), "-v|--nonsense|--");
	assert_int_equal(options.verbose, 0);
	assert_parses("a", "--", "-v", "b");
	assert_string_equal(operands(), "a|-v|b");
	assert_int_equal(options.verbose, 0);
	assert_parses("a", "-p", "5", "b", "--");
	assert_string_equal(operands(), "a|b");
	assert_parses("--");
	assert_string_equal(operands(), "");
	assert_int_equal(first_operand, 2);
}

static void the_environment_changes_nothing(void **state)
{
	(void)state;
	setenv("POSIXLY_CORRECT", "1", 1);
	assert_parses("a", "-q", "b");
	assert_true(options.quiet);
	assert_string_equal(operands(), "a|b");
	unsetenv("POSIXLY_CORRECT");
}

static void unknown_options(void **state)
{
	(void)state;
	assert_refused("unknown option --nonsense (--help lists them)", "--nonsense");
	assert_refused("unknown option --nonsense (--help lists them)", "--nonsense=5");
	assert_refused("unknown option -x (--help lists them)", "-x");
	assert_refused("unknown option -qx (--help lists them)", "-qx");
	assert_refused("unknown option -5 (--help lists them)", "-5");
	assert_refused("unknown option -- (--help lists them)", "--=x");
	assert_refused("unknown option ---quiet (did you mean --quiet?)", "---quiet");
	assert_refused("unknown option --Q (--help lists them)", "--Q");
	/* nothing that was typed reaches the terminal as it is */
	assert_refused("unknown option --?[2J (--help lists them)", "--\x1b[2J");
	assert_refused("unknown option -\xc3\xa9 (--help lists them)", "-\xc3\xa9");
	assert_refused("unknown option -? (--help lists them)", "-\xe9");
	assert_refused("unknown option --a?b (--help lists them)", "--a\nb");
}

static void names_are_exact(void **state)
{
	(void)state;
	/* a beginning is not the name, not even the only one */
	assert_refused("unknown option --qui (did you mean --quiet?)", "--qui");
	assert_refused("unknown option --outpu (did you mean --output?)", "--outpu=json");
	assert_refused("unknown option --p (did you mean --pid?)", "--p", "5");
	/* the beginning of two: no guess */
	assert_refused("unknown option --al (--help lists them)", "--al");
	assert_refused("unknown option --m (--help lists them)", "--m");
	assert_refused("unknown option --sec (--help lists them)", "--sec"); /* not listed */
	/* the name of one is the beginning of another */
	assert_parses("--all");
	/* case counts */
	assert_refused("unknown option --Quiet (did you mean --quiet?)", "--Quiet");
}

static void slips(void **state)
{
	(void)state;
	assert_refused("unknown option --quite (did you mean --quiet?)", "--quite");
	assert_refused("unknown option --outputs (did you mean --output?)", "--outputs");
	assert_refused("unknown option --ouput (did you mean --output?)", "--ouput");
	assert_refused("unknown option --outpur (did you mean --output?)", "--outpur");
	assert_refused("unknown option --minage (did you mean --min-age?)", "--minage", "5");
	assert_refused("unknown option --min_age (did you mean --min-age?)", "--min_age", "5");
	/* two of them are too many */
	assert_refused("unknown option --uqeit (--help lists them)", "--uqeit");
	assert_refused("unknown option --Quite (--help lists them)", "--Quite");
	assert_refused("unknown option --ouxxut (--help lists them)", "--ouxxut");
	assert_refused("unknown option --outuxt (--help lists them)", "--outuxt");
	assert_refused("unknown option --outxpt (--help lists them)", "--outxpt");
	assert_refused("unknown option --quietxx (--help lists them)", "--quietxx");
	assert_refused("unknown option --outt (--help lists them)", "--outt");
	assert_refused("unknown option --quixxt (--help lists them)", "--quixxt");
	/* one letter says too little */
	assert_refused("unknown option -r (--help lists them)", "-r");
	assert_parses("--ring=64K");
	/* one dash only */
	assert_refused("unknown option -quiet (did you mean --quiet?)", "-quiet");
	assert_refused("-o utput: must be table, wide, json or csv", "-output");
}

static void missing_and_unwanted_values(void **state)
{
	(void)state;
	assert_refused("-p needs a value: -p PID", "-p");
	assert_refused("--pid needs a value: --pid PID", "--pid");
	assert_refused("-p needs a value: -p PID", "-qvp");
	assert_refused("-e needs a value: -e WORD", "x", "-e");
	assert_refused("--quiet takes no value, got yes", "--quiet=yes");
	assert_refused("--quiet takes no value, got ''", "--quiet=");
	assert_refused("--verbose takes no value, got 2", "--verbose=2");
	assert_refused("--ipv4 takes no value, got 1", "--ipv4=1");
}

static void refused_values(void **state)
{
	(void)state;
	assert_refused("-p 0: out of range (from 1 to 4194304)", "-p0");
	assert_refused("--pid 4194305: out of range (from 1 to 4194304)", "--pid", "4194305");
	assert_refused("--pid abc: not a whole number (from 1 to 4194304)", "--pid=abc");
	assert_refused("--pid '': not a whole number (from 1 to 4194304)", "--pid=");
	assert_refused("-p -1: not a whole number (from 1 to 4194304)", "-p", "-1");
	assert_refused("-p 0x10: not a whole number (from 1 to 4194304)", "-p0x10");
	assert_refused("-p =5: not a whole number (from 1 to 4194304)", "-p=5");
	assert_refused("-p -q: not a whole number (from 1 to 4194304)", "-p", "-q");
	assert_refused("-C 18446744073709551616: out of range (from 0 to 18446744073709551615)",
		       "-C18446744073709551616");
	assert_refused("--ring 4K: out of range (from 64K to 1G)", "--ring", "4K");
	assert_refused("--ring 64k: not a size such as 64K, 8M, 1G (from 64K to 1G)", "--ring",
		       "64k");
	assert_refused("--min-age 5 s: not a duration such as 1.5s, 200ms, 2m (from 1us to 1h)",
		       "--min-age", "5 s");
	assert_refused("--min-age 999ns: out of range (from 1us to 1h)", "--min-age=999ns");
	assert_refused("--min-age 2h: out of range (from 1us to 1h)", "--min-age=2h");
	assert_refused("--max-age 9999999d: out of range (from 0 to 213503d)",
		       "--max-age=9999999d");
	assert_refused("-o xml: must be table, wide, json or csv", "-o", "xml");
	assert_refused("--output js: must be table, wide, json or csv", "--output=js");
	assert_refused("--output JSON: must be table, wide, json or csv", "--output=JSON");
	assert_refused("--output '': must be table, wide, json or csv", "--output=");
	assert_refused("-e odd: must have an even number of letters", "-e", "odd");
	assert_refused("--even silent: not accepted", "--even=silent");
	assert_refused("-4: given twice", "-44");
	/* a value is repeated safely, and not at any length */
	assert_refused("-p ?[31m?: not a whole number (from 1 to 4194304)", "-p", "\x1b[31m\n");
	assert_refused("-p aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: not a "
		       "whole number (from 1 to 4194304)",
		       "-p",
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

/* A bound is written as it would be typed, in the largest unit that holds it exactly. */
static void bounds_in_messages(void **state)
{
	static const struct {
		enum sf_opt_type type;
		uint64_t min, max;
		const char *value, *want;
	} rows[] = {
		{ SF_OPT_U64, 1024, 60000000000, "0", "from 1024 to 60000000000" },
		{ SF_OPT_SIZE, 1, 1023, "0", "from 1 to 1023" },
		{ SF_OPT_SIZE, 1024, 8388608, "0", "from 1K to 8M" },
		{ SF_OPT_SIZE, 1536, 3221225472, "0", "from 1536 to 3G" },
		{ SF_OPT_SIZE, 1025024, 1048577, "0", "from 1001K to 1048577" },
		{ SF_OPT_SIZE, 1, 0, "0", "from 1 to 18446744073709551615" },
		{ SF_OPT_DURATION, 1, 999, "0", "from 1ns to 999ns" },
		{ SF_OPT_DURATION, 1500, 2000, "0", "from 1500ns to 2us" },
		{ SF_OPT_DURATION, 5000000, 1500000000, "0", "from 5ms to 1500ms" },
		{ SF_OPT_DURATION, 1000000000, 90000000000, "0", "from 1s to 90s" },
		{ SF_OPT_DURATION, 300000000000, 7200000000000, "0", "from 5m to 2h" },
		{ SF_OPT_DURATION, 86400000000000, 129600000000000, "0", "from 1d to 36h" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct sf_opt one[] = { { 'x', "x", rows[i].type, "X", FIELD(count),
						rows[i].min, rows[i].max },
					      SF_OPT_END };
		char *argv[] = { (char *)"synfin", (char *)"-x", (char *)rows[i].value };
		char want[128];

		assert_int_equal(sf_opts_parse(one, 3, argv, &options, &first_operand, message,
					       sizeof(message)),
				 -EINVAL);
		snprintf(want, sizeof(want), "-x 0: out of range (%s)", rows[i].want);
		assert_string_equal(message, want);
	}
}

/* A refused option leaves its field alone; what came before it holds. */
static void fields_of_refused_values(void **state)
{
	(void)state;
	assert_int_equal(parse("-p7", "-p0", NULL), -EINVAL);
	assert_int_equal(options.pid, 7);
	assert_int_equal(parse("-ojson", "-oxml", NULL), -EINVAL);
	assert_int_equal(options.output, 2);
}

static void every_message_size(void **state)
{
	static const char *const bad[] = { "-oxml", "-p0", "--nonsense", "--qui", "-eodd", "-p" };
	size_t i, size;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (size = 0; size < 60; size++) {
			_cleanup_(sf_freep) char *err = malloc(size + 1);
			int r;

			assert_non_null(err);
			err[size] = 'Z';
			assert_int_equal(parse(bad[i], NULL), -EINVAL);
			args[1] = (char *)bad[i];
			r = sf_opts_parse(table, 2, args, &options, &first_operand, err, size);
			assert_int_equal(r, -EINVAL);
			assert_int_equal(err[size], 'Z');
			if (size > 0) {
				assert_true(strlen(err) < size);
				assert_memory_equal(err, message, strlen(err));
			}
		}
	}
}

static void count_does_not_overflow(void **state)
{
	char *argv[] = { (char *)"synfin", (char *)"-vvv" };

	(void)state;
	options = (struct options){ .verbose = INT_MAX - 1 };
	assert_int_equal(sf_opts_parse(table, 2, argv, &options, &first_operand, message,
				       sizeof(message)),
			 0);
	assert_int_equal(options.verbose, INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(spellings),
		cmocka_unit_test(values),
		cmocka_unit_test(operands_and_options_mix),
		cmocka_unit_test(end_of_options),
		cmocka_unit_test(the_environment_changes_nothing),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(names_are_exact),
		cmocka_unit_test(slips),
		cmocka_unit_test(missing_and_unwanted_values),
		cmocka_unit_test(refused_values),
		cmocka_unit_test(bounds_in_messages),
		cmocka_unit_test(fields_of_refused_values),
		cmocka_unit_test(every_message_size),
		cmocka_unit_test(count_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
