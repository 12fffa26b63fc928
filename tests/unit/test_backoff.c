// SPDX-License-Identifier: GPL-2.0-or-later
/* The waits between tries: bounds, doubling, the spread, and what the other end asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#include "sink/backoff.h"

static void test_doubles(void **state)
{
	uint64_t step_ns = SF_BACKOFF_MIN_NS, expected = SF_BACKOFF_MIN_NS;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint64_t shortest = step_ns, longest = step_ns;

		assert_int_equal(step_ns, expected);
		assert_int_equal(sf_backoff_next(&shortest, 0, 0), expected / 2);
		assert_int_equal(sf_backoff_next(&longest, expected / 2, 0), expected);
		sf_backoff_next(&step_ns, 0, 0);
		expected = expected * 2 < SF_BACKOFF_MAX_NS ? expected * 2 : SF_BACKOFF_MAX_NS;
	}
	assert_int_equal(step_ns, SF_BACKOFF_MAX_NS);
}

/* Any number is good for chance; none leads outside the bounds. */
static void test_chance(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15ULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t step_ns = SF_NS_PER_S, wait_ns;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		wait_ns = sf_backoff_next(&step_ns, i ? random : UINT64_MAX, 0);
		assert_in_range(wait_ns, SF_NS_PER_S / 2, SF_NS_PER_S);
	}
}

static void test_told(void **state)
{
	uint64_t step_ns = SF_BACKOFF_MIN_NS;
	uint64_t wait_ns = sf_backoff_next(&step_ns, 7, 30 * SF_NS_PER_S);

	(void)state;
	assert_in_range(wait_ns, 30 * SF_NS_PER_S, 30 * SF_NS_PER_S + SF_BACKOFF_MIN_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_chance),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
