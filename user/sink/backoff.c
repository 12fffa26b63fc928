// SPDX-License-Identifier: GPL-2.0-or-later
/* Pure: neither clock nor chance of its own. */
#include "sink/backoff.h"

#include "base/util.h"

uint64_t sf_backoff_next(uint64_t *step_ns, uint64_t random, uint64_t told_ns)
{
	uint64_t half_ns = *step_ns / 2;

	*step_ns = sf_min_u64(*step_ns * 2, SF_BACKOFF_MAX_NS);
	return told_ns + half_ns + random % (half_ns + 1);
}
