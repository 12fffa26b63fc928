// SPDX-License-Identifier: GPL-2.0-or-later
/* Counting in sorted numbers, against counting one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#include "base/sorted.h"
#include "base/util.h"

static void test_count(void **state)
{
	uint32_t numbers[64], seed = 1;

	(void)state;
	for (size_t nr = 0; nr <= ARRAY_SIZE(numbers); nr++) {
		for (size_t i = 0; i < nr; i++) {
			seed = seed * 1664525 + 1013904223;
			numbers[i] = seed >> 29;
		}
		sf_sort_u32(numbers, nr);
		for (uint32_t number = 0; number < 10; number++) {
			uint32_t wanted = 0;

			for (size_t i = 0; i < nr; i++) {
				assert_true(!i || numbers[i - 1] <= numbers[i]);
				wanted += numbers[i] == number;
			}
			assert_int_equal(sf_sorted_count_u32(numbers, nr, number), wanted);
		}
	}
	sf_sort_u32(NULL, 0);
	assert_int_equal(sf_sorted_count_u32(NULL, 0, 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
