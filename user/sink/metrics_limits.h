/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limits of the histograms' buckets. For metrics*.c only. */
#ifndef SF_SINK_METRICS_LIMITS_H
#define SF_SINK_METRICS_LIMITS_H

#include <stdint.h>

struct sf_metrics_limit {
	uint64_t ns;
	const char *le; /* seconds, as OpenMetrics wants numbers spelled (1.0.0, "Numbers") */
};

/*
 * From a handshake on loopback to an application that does not come to accept(). A lost SYN shows
 * between 1 and 2.5 s, two between 2.5 and 5, three between 5 and 10. One less than there are
 * buckets.
 */
extern const struct sf_metrics_limit sf_metrics_limits[];

#endif
