/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that may be given only once, and empty values in complaints. */
#include "base/opts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct options {
	uint64_t pid, age, count;
	const char *comm;
};

#define FIELD(name) .offset = offsetof(struct options, name)

static const struct sf_opt table[] = {
	{ 'p', "pid", SF_OPT_U64 | SF_OPT_ONCE, "PID", FIELD(pid), .min = 1, .help = "one" },
	{ 0, "age", SF_OPT_DURATION | SF_OPT_ONCE, "TIME", FIELD(age), .min = 1, .help = "one" },
	{ 'c', "comm", SF_OPT_STRING | SF_OPT_ONCE, "NAME", FIELD(comm), .help = "one" },
	{ 'C', "count", SF_OPT_U64, "N", FIELD(count), .help = "the last" },
	SF_OPT_END,
};

static struct options options;
static char err[256];

static int parse(char **argv)
{
	int argc = 0, first;

	while (argv[argc])
		argc++;
	memset(&options, 0, sizeof(options));
	err[0] = '\0';
	return sf_opts_parse(table, argc, argv, &options, &first, err, sizeof(err));
}

#define PARSE(...) parse((char *[]){ (char[]){ "x" }, __VA_ARGS__, NULL })

static void once_is_right(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-p", "5", "--age=2s", "-c", "", "-C", "1", "-C2"), 0);
	assert_int_equal(options.pid, 5);
	assert_int_equal(options.age, 2000000000);
	assert_string_equal(options.comm, "");
	assert_int_equal(options.count, 2);
}

static void twice_is_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-p5", "--pid", "6"), -EINVAL);
	assert_string_equal(err, "--pid is given twice: give it once; a filter can join several "
				 "with 'or'");
	assert_int_equal(options.pid, 5);
	assert_int_equal(PARSE("--age", "1", "--age", "1"), -EINVAL);
	assert_int_equal(PARSE("-c", "", "-cb"), -EINVAL);
	assert_string_equal(options.comm, "");
}

static void a_bad_value_is_checked_all_the_same(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-p", "0"), -EINVAL);
	assert_string_equal(err, "-p 0: out of range (from 1 to 18446744073709551615)");
	assert_int_equal(PARSE("--age", ""), -EINVAL);
	assert_string_equal(err, "--age '': not a duration such as 1.5s, 200ms, 2m (from 1ns to "
				 "213503d)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_is_right),
		cmocka_unit_test(twice_is_refused),
		cmocka_unit_test(a_bad_value_is_checked_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
