// SPDX-License-Identifier: GPL-2.0-or-later
/* Percentiles are within an eighth of the truth, from above. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#include "base/histogram.h"

static void test_one_value(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++)
		for (int off = -1; off <= 1; off++) {
			uint64_t value = (1ULL << bit) + (uint64_t)(int64_t)off, found = 0;
			struct sf_histogram h = { 0 };

			sf_histogram_add(&h, value);
			assert_true(sf_histogram_percentile(&h, 50, &found));
			assert_true(found >= value);
			assert_true(found - value <= value / 8);
		}
}

static void test_percentiles(void **state)
{
	struct sf_histogram h = { 0 };
	uint64_t found = 7;

	(void)state;
	assert_false(sf_histogram_percentile(&h, 50, &found));
	assert_int_equal(found, 7);
	for (uint64_t i = 1; i <= 1000; i++)
		sf_histogram_add(&h, i * 1000);
	assert_true(sf_histogram_percentile(&h, 50, &found));
	assert_in_range(found, 500000, 562500);
	assert_true(sf_histogram_percentile(&h, 99, &found));
	assert_in_range(found, 990000, 1113750);
	assert_true(sf_histogram_percentile(&h, 100, &found));
	assert_in_range(found, 1000000, 1125000);
	assert_true(sf_histogram_percentile(&h, 1, &found));
	assert_in_range(found, 10000, 11250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_value),
		cmocka_unit_test(test_percentiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
