// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of what exists now: widths, what is left out, CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/out.h"
#include "base/util.h"
#include "view/table.h"

static const struct sf_table_column columns[] = {
	{ "NAME", "name", false, false, false }, { "N", "number", true, false, false },
	{ "SEEN", "seen", true, false, true },	 { "WIDE", "wide", false, true, false },
	{ "LAST", "last", false, false, false },
};

enum way { PLAIN, WIDE, CSV, NO_HEADER };

static const char *drawn(struct sf_table *table, enum way way, char buf[1024])
{
	struct sf_out out;
	int fds[2], r;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(sf_out_init(&out, fds[1], 1024), 0);
	r = way == CSV ? sf_table_write_csv(table, &out, true) :
			 sf_table_write(table, &out, way == WIDE, way != NO_HEADER);
	assert_int_equal(r, 0);
	assert_int_equal(sf_out_flush(&out), 0);
	sf_out_free(&out);
	close(fds[1]);
	n = read(fds[0], buf, 1023);
	assert_true(n >= 0);
	buf[n] = '\0';
	close(fds[0]);
	return buf;
}

static void test_table(void **state)
{
	_cleanup_(sf_table_freep) struct sf_table *table = NULL;
	char buf[1024];

	(void)state;
	assert_int_equal(sf_table_new(columns, ARRAY_SIZE(columns), &table), 0);
	assert_string_equal(drawn(table, PLAIN, buf), "NAME  N  LAST\n");
	for (int i = 0; i < 2; i++) {
		sf_table_cell(table, "%s", i ? "b,\"c" : "long name");
		sf_table_cell(table, "%d", i ? 1000 : 7);
		sf_table_cell(table, "%s", "");
		sf_table_cell(table, "w");
		sf_table_cell(table, "%s", i ? "" : "end");
	}
	assert_string_equal(drawn(table, PLAIN, buf), "NAME          N  LAST\n"
						      "long name     7  end\n"
						      "b,\"c       1000  -\n");
	assert_string_equal(drawn(table, NO_HEADER, buf), "long name     7  end\n"
							  "b,\"c       1000  -\n");
	assert_string_equal(drawn(table, WIDE, buf), "NAME          N  SEEN  WIDE  LAST\n"
						     "long name     7     -  w     end\n"
						     "b,\"c       1000     -  w     -\n");
	assert_string_equal(drawn(table, CSV, buf), "name,number,seen,wide,last\n"
						    "long name,7,,w,end\n"
						    "\"b,\"\"c\",1000,,w,\n");
}

static void test_many_rows(void **state)
{
	_cleanup_(sf_table_freep) struct sf_table *table = NULL;
	struct sf_out out;

	(void)state;
	assert_int_equal(sf_table_new(columns, ARRAY_SIZE(columns), &table), 0);
	for (int i = 0; i < 50000; i++)
		sf_table_cell(table, "%d", i);
	assert_int_equal(sf_out_init(&out, STDERR_FILENO, 1 << 22), 0);
	assert_int_equal(sf_table_write(table, &out, true, true), 0);
	assert_true(out.len > 10000 * 25);
	sf_out_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
