// SPDX-License-Identifier: GPL-2.0-or-later
/* Values up to 15 have a bucket each; from there on eight buckets per power of two. */
#include "base/histogram.h"

static unsigned int slot_of(uint64_t value)
{
	unsigned int power;

	if (value < 16)
		return (unsigned int)value;
	power = 63 - (unsigned int)__builtin_clzll(value);
	return (power - 2) * 8 + (unsigned int)(value >> (power - 3) & 7);
}

/* The largest value that falls into a slot. */
static uint64_t top_of(unsigned int slot)
{
	unsigned int power = slot / 8 + 2;

	if (slot < 16)
		return slot;
	return (1ULL << power) + ((uint64_t)(slot % 8 + 1) << (power - 3)) - 1;
}

void sf_histogram_add(struct sf_histogram *h, uint64_t value)
{
	h->nr++;
	h->slots[slot_of(value)]++;
}

bool sf_histogram_percentile(const struct sf_histogram *h, unsigned int pct, uint64_t *ret)
{
	/* Rounded up: the median of two is the first. */
	uint64_t wanted = (h->nr * pct + 99) / 100, seen = 0;

	if (!h->nr)
		return false;
	for (unsigned int slot = 0; slot < SF_HISTOGRAM_SLOTS; slot++) {
		seen += h->slots[slot];
		if (seen < wanted)
			continue;
		*ret = top_of(slot);
		return true;
	}
	return false;
}
