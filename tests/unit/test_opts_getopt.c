/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option parser against getopt_long(): on command lines without abbreviated
 * names both accept the same, and leave the same values and the same argv.
 */
#include "base/opts.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"

struct options {
	bool quiet;
	int verbose;
	const char *comm;
};

static const struct sf_opt table[] = {
	{ 'q', "quiet", SF_OPT_FLAG, .offset = offsetof(struct options, quiet) },
	{ 'v', "verbose", SF_OPT_COUNT, .offset = offsetof(struct options, verbose) },
	{ 'c', "comm", SF_OPT_STRING, "NAME", .offset = offsetof(struct options, comm) },
	SF_OPT_END,
};

/* What getopt_long() makes of the same arguments; false if it refuses them. */
static bool parse_with_getopt(int argc, char **argv, struct options *ret)
{
	static const struct option long_options[] = {
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "comm", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*ret = (struct options){ .verbose = 0 };
	optind = 0; /* begin anew */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "qvc:", long_options, NULL)) != -1) {
		if (c == 'q')
			ret->quiet = true;
		else if (c == 'v')
			ret->verbose++;
		else if (c == 'c')
			ret->comm = optarg;
		else
			return false;
	}
	return true;
}

/* Random command lines: values, operands and their order are those of getopt_long(). */
static void random_arguments(void **state)
{
	static const char *const words[] = { "-q",     "-v",	  "-c",	 "--quiet", "--verbose",
					     "--comm", "--comm=", "-cx", "-qvc",    "--comm=-q",
					     "--",     "-",	  "",	 "a",	    "b",
					     "-vv",    "-x",	  "op",	 "c",	    "--quiet=" };
	uint64_t seed = 0x9e3779b97f4a7c15;
	int round, nr_accepted = 0;

	(void)state;
	for (round = 0; round < 100000; round++) {
		char *ours[12] = { (char *)"synfin" }, *theirs[12] = { (char *)"synfin" };
		struct options options = { .verbose = 0 }, want;
		int argc, first_operand, i;
		char message[256];
		bool is_accepted;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		argc = 1 + (int)(seed >> 33) % 9;
		for (i = 1; i < argc; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			ours[i] = theirs[i] = (char *)words[(seed >> 33) % ARRAY_SIZE(words)];
		}
		is_accepted = sf_opts_parse(table, argc, ours, &options, &first_operand, message,
					    sizeof(message)) == 0;
		assert_int_equal(is_accepted, parse_with_getopt(argc, theirs, &want));
		if (!is_accepted)
			continue;
		nr_accepted++;
		assert_int_equal(first_operand, optind);
		assert_memory_equal(ours, theirs, sizeof(ours));
		assert_int_equal(options.quiet, want.quiet);
		assert_int_equal(options.verbose, want.verbose);
		assert_ptr_equal(options.comm, want.comm);
	}
	assert_true(nr_accepted > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
