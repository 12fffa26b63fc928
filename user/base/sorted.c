// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sorted.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void sf_sort_u32(uint32_t *numbers, size_t nr)
{
	if (nr)
		qsort(numbers, nr, sizeof(*numbers), compare);
}

/* How many are below a number. */
static size_t rank(const uint32_t *sorted, size_t nr, uint32_t number)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sorted[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t sf_sorted_count_u32(const uint32_t *sorted, size_t nr, uint32_t number)
{
	return (uint32_t)(rank(sorted, nr, number + 1) - rank(sorted, nr, number));
}
