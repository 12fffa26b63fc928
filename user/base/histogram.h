/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts durations in buckets that are an eighth of their power of two wide,
 * so that a percentile is right within 12.5 %. Fixed size, no allocation.
 */
#ifndef SF_BASE_HISTOGRAM_H
#define SF_BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define SF_HISTOGRAM_SLOTS (62 * 8)

struct sf_histogram {
	uint64_t nr;
	uint32_t slots[SF_HISTOGRAM_SLOTS];
};

void sf_histogram_add(struct sf_histogram *h, uint64_t value);
/*
 * The value that pct percent are not above: the upper end of its bucket. False
 * if nothing was added. pct 1 to 100.
 */
bool sf_histogram_percentile(const struct sf_histogram *h, unsigned int pct, uint64_t *ret);

#endif
