/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a sink waits before it tries again: twice as long each time, and by
 * chance, so that the sinks of many hosts do not all come back at once.
 */
#ifndef SF_SINK_BACKOFF_H
#define SF_SINK_BACKOFF_H

#include <stdint.h>

#include "base/clock.h"

#define SF_BACKOFF_MIN_NS (SF_NS_PER_S / 5)
#define SF_BACKOFF_MAX_NS (10 * SF_NS_PER_S)

/*
 * The next wait, nanoseconds. *step_ns: SF_BACKOFF_MIN_NS at first, doubled by each call up to
 * SF_BACKOFF_MAX_NS. random: any number; the wait is between half of the step and all of it.
 * told_ns: what the other end asked for, which comes first; 0: nothing.
 */
uint64_t sf_backoff_next(uint64_t *step_ns, uint64_t random, uint64_t told_ns);

#endif
