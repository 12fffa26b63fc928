// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of top: orders, rates from look to look, what is picked and in sight, the sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "view/top.h"

static struct sf_top_row row(uint64_t id, uint64_t bytes)
{
	return (struct sf_top_row){ .id = id,
				    .bytes = bytes,
				    .age_ns = SF_TOP_UNKNOWN,
				    .handshake_ns = SF_TOP_UNKNOWN,
				    .state = SF_TCP_ESTABLISHED };
}

static void update(struct sf_top *top, const struct sf_top_row *rows, size_t nr,
		   uint64_t elapsed_ns)
{
	struct sf_top_row *copy = calloc(nr + 1, sizeof(*copy));

	assert_non_null(copy);
	memcpy(copy, rows, nr * sizeof(*rows));
	sf_top_update(top, copy, nr, elapsed_ns);
}

/* The ids of the rows from top to bottom, "3 1 2". */
static void assert_ids(const struct sf_top *top, const char *want)
{
	char text[256] = "";

	for (size_t i = 0; i < top->nr; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", i ? " " : "",
			 (int)top->rows[i].id);
	assert_string_equal(text, want);
}

static const struct sf_top_row *by_id(const struct sf_top *top, uint64_t id)
{
	for (size_t i = 0; i < top->nr; i++)
		if (top->rows[i].id == id)
			return &top->rows[i];
	fail_msg("no row %d", (int)id);
	return NULL;
}

static void test_rates(void **state)
{
	const struct sf_top_row first[] = { row(7, 1000), row(3, 500), row(5, SF_TOP_UNKNOWN),
					    row(9, 800) };
	/* 9 counts less than before: it is another, or its counter began anew */
	const struct sf_top_row second[] = { row(3, 4500), row(4, 10), row(5, SF_TOP_UNKNOWN),
					     row(7, 1000), row(9, 1) };
	struct sf_top top = { .order = SF_TOP_TRAFFIC };

	(void)state;
	update(&top, first, ARRAY_SIZE(first), 0);
	for (size_t i = 0; i < top.nr; i++)
		assert_true(top.rows[i].bytes_per_s == SF_TOP_UNKNOWN);
	assert_ids(&top, "5 7 9 3"); /* no rates: by bytes, of which 5's are not known */
	update(&top, second, ARRAY_SIZE(second), 2 * SF_NS_PER_S);
	assert_int_equal(by_id(&top, 3)->bytes_per_s, 2000);
	assert_int_equal(by_id(&top, 7)->bytes_per_s, 0);
	assert_true(by_id(&top, 4)->bytes_per_s == SF_TOP_UNKNOWN);
	assert_true(by_id(&top, 5)->bytes_per_s == SF_TOP_UNKNOWN);
	assert_true(by_id(&top, 9)->bytes_per_s == SF_TOP_UNKNOWN);
	assert_int_equal(top.rows[0].id, 3);
	assert_int_equal(top.rows[1].id, 7);
	/* Nothing overflows: 64 bits of bytes a second. */
	update(&top, (const struct sf_top_row[]){ row(3, UINT64_MAX - 1) }, 1, SF_NS_PER_S);
	assert_true(top.rows[0].bytes_per_s > UINT64_MAX / 2);
	sf_top_clear(&top);
}

static void test_orders(void **state)
{
	struct sf_top_row rows[] = { row(1, 0), row(2, 0), row(3, 0), row(4, 0) };
	struct sf_top top = { 0 };

	(void)state;
	rows[0].age_ns = 5;
	rows[1].age_ns = 50;
	rows[3].age_ns = 500;
	rows[0].handshake_ns = 10;
	rows[2].handshake_ns = 30;
	rows[0].state = SF_TCP_TIME_WAIT;
	rows[1].state = SF_TCP_SYN_SENT;
	rows[2].state = SF_TCP_CLOSE_WAIT;
	rows[3].is_stuck = true;
	memcpy(rows[0].comm, "nginx", 5);
	memcpy(rows[1].comm, "curl", 4);
	memcpy(rows[3].comm, "curl", 4);
	rows[0].pid = 10;
	rows[1].pid = 30;
	rows[3].pid = 20;
	update(&top, rows, ARRAY_SIZE(rows), 0);
	sf_top_reorder(&top, SF_TOP_AGE, false);
	assert_ids(&top, "4 2 1 3");
	sf_top_reorder(&top, SF_TOP_AGE, true);
	assert_ids(&top, "3 1 2 4");
	sf_top_reorder(&top, SF_TOP_HANDSHAKE, false);
	assert_ids(&top, "3 1 2 4");
	sf_top_reorder(&top, SF_TOP_STATE, false);
	assert_ids(&top, "4 2 3 1");
	sf_top_reorder(&top, SF_TOP_PROCESS, false);
	assert_ids(&top, "4 2 1 3");
	sf_top_reorder(&top, SF_TOP_TRAFFIC, false);
	assert_ids(&top, "1 2 3 4"); /* all alike: by id, and so at the next look */
	sf_top_clear(&top);
}

/* Unless somebody moves, the first row is picked, whatever it is; then the connection is. */
static void test_picked(void **state)
{
	const struct sf_top_row first[] = { row(1, 30), row(2, 20), row(3, 10) };
	const struct sf_top_row second[] = { row(1, 30), row(2, 20), row(3, 40), row(4, 50) };
	const struct sf_top_row third[] = { row(1, 30), row(4, 50) };
	struct sf_top top = { 0 };

	(void)state;
	update(&top, first, ARRAY_SIZE(first), 0);
	update(&top, second, ARRAY_SIZE(second), 0);
	assert_ids(&top, "4 3 1 2");
	assert_int_equal(top.picked, 0);
	sf_top_move(&top, 1);
	assert_int_equal(top.rows[top.picked].id, 3);
	sf_top_reorder(&top, SF_TOP_TRAFFIC, true);
	assert_int_equal(top.rows[top.picked].id, 3);
	update(&top, first, ARRAY_SIZE(first), 0);
	assert_int_equal(top.rows[top.picked].id, 3);
	sf_top_reorder(&top, SF_TOP_TRAFFIC, false);
	sf_top_move(&top, 100);
	assert_int_equal(top.picked, 2);
	update(&top, third, ARRAY_SIZE(third), 0); /* it has gone: the last one is there */
	assert_int_equal(top.picked, 1);
	sf_top_move(&top, -100);
	assert_int_equal(top.picked, 0);
	sf_top_move(&top, 1);
	sf_top_home(&top);
	assert_int_equal(top.picked, 0);
	update(&top, second, ARRAY_SIZE(second), 0);
	assert_int_equal(top.picked, 0);
	update(&top, second, 0, 0);
	assert_int_equal(top.picked, 0);
	sf_top_move(&top, 1);
	sf_top_move(&top, -1);
	assert_int_equal(top.picked, 0);
	sf_top_clear(&top);
}

static void test_scroll(void **state)
{
	struct sf_top_row rows[100];
	struct sf_top top = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = row(i + 1, 0);
	update(&top, rows, ARRAY_SIZE(rows), 0);
	sf_top_scroll(&top, 10);
	assert_int_equal(top.first, 0);
	sf_top_move(&top, 9);
	sf_top_scroll(&top, 10);
	assert_int_equal(top.first, 0);
	sf_top_move(&top, 1);
	sf_top_scroll(&top, 10);
	assert_int_equal(top.first, 1);
	sf_top_move(&top, 1000);
	sf_top_scroll(&top, 10);
	assert_int_equal(top.first, 90);
	sf_top_scroll(&top, 20); /* the terminal has grown: no empty lines below */
	assert_int_equal(top.first, 80);
	sf_top_scroll(&top, 0); /* it has no room at all */
	sf_top_move(&top, -50);
	sf_top_scroll(&top, 10);
	assert_true(top.first <= top.picked && top.picked < top.first + 10);
	sf_top_home(&top);
	sf_top_scroll(&top, 10);
	assert_int_equal(top.first, 0);
	update(&top, rows, 3, 0);
	sf_top_scroll(&top, 10);
	assert_int_equal(top.first, 0);
	sf_top_clear(&top);
}

static void test_sums(void **state)
{
	struct sf_top_sums sums = { .nr_shown = 1,
				    .closed_per_s = SF_TOP_UNKNOWN,
				    .failed_per_s = SF_TOP_UNKNOWN,
				    .handshake_p50_us = SF_TOP_UNKNOWN };
	char text[SF_TOP_LINE_SIZE];

	(void)state;
	sf_top_line_sums(&sums, text);
	assert_string_equal(text, "1 connection, 0 stuck");
	sums.nr_shown = 1204;
	sums.nr_stuck = 3;
	sums.closed_per_s = 52;
	sums.failed_per_s = 0;
	sums.handshake_p50_us = 120;
	sums.handshake_p99_us = 3100;
	sf_top_line_sums(&sums, text);
	assert_string_equal(text, "1204 connections, 3 stuck - host: 52 ends closed/s, "
				  "0 failed/s, handshake p50 120us p99 3.10ms");
	sums.nr_stuck_listeners = 1;
	sf_top_line_sums(&sums, text);
	assert_non_null(strstr(text, "3 stuck, 1 stuck listener - host"));
	sums.nr_lost = 17;
	sf_top_line_sums(&sums, text);
	assert_non_null(strstr(text, ", 17 LOST - "));
	sf_top_line_states(&sums, text);
	assert_string_equal(text, "");
	sums.nr_by_state[SF_TCP_TIME_WAIT] = 200;
	sums.nr_by_state[SF_TCP_LISTEN] = 12;
	sums.nr_by_state[SF_TCP_ESTABLISHED] = 900;
	sf_top_line_states(&sums, text);
	assert_string_equal(text, "LISTEN 12  ESTAB 900  TIME-WAIT 200");
	for (size_t i = 0; i < SF_TCP_NR; i++)
		sums.nr_by_state[i] = UINT64_MAX;
	sf_top_line_states(&sums, text); /* all of them, as long as they get */
	assert_true(strlen(text) < SF_TOP_LINE_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),  cmocka_unit_test(test_orders),
		cmocka_unit_test(test_picked), cmocka_unit_test(test_scroll),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
