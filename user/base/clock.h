/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks: stories hold CLOCK_BOOTTIME; people and logs read CLOCK_REALTIME.
 * Text of times and durations is the same in every locale.
 */
#ifndef SF_BASE_CLOCK_H
#define SF_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_NS_PER_S 1000000000ULL
#define SF_TIME_STRLEN 40

/*
 * To be called once, first: from then on times are those of this host, as BPF programs see them,
 * also in a time namespace, time_namespaces(7).
 */
void sf_clock_init(void);
/* CLOCK_BOOTTIME now, nanoseconds. */
uint64_t sf_boottime_ns(void);
/* CLOCK_MONOTONIC now, nanoseconds: what threads wait by. */
uint64_t sf_monotonic_ns(void);
/*
 * CLOCK_REALTIME minus CLOCK_BOOTTIME, nanoseconds; the tightest of several
 * readings. Add it to a boot time. Changes whenever the wall clock is set.
 */
int64_t sf_realtime_offset_ns(void);
/* How well CLOCK_REALTIME is kept. */
struct sf_clock_state {
	bool is_known;
	bool is_synchronized;
	uint64_t error_ns; /* at most, says who synchronizes it: adjtimex(2), maxerror */
};

/* As the kernel has it now; not known where a seccomp filter refuses to tell. */
struct sf_clock_state sf_clock_state(void);
/* realtime_ns since 1970 as RFC 3339 UTC: "2026-11-22T12:00:00.123456789Z". Returns buf. */
const char *sf_time_rfc3339(uint64_t realtime_ns, char buf[SF_TIME_STRLEN]);
/*
 * The same text read again, len bytes, exactly of that form. 0 or -EINVAL, also for what is before
 * 1970 or past 2554, which nanoseconds cannot hold. *ret_ns untouched on failure.
 */
int sf_time_parse_rfc3339(const char *text, size_t len, uint64_t *ret_ns);
/* Local wall clock "15:04:05.123456", microseconds cut, not rounded. Returns buf. */
const char *sf_time_local(uint64_t realtime_ns, char buf[SF_TIME_STRLEN]);
/*
 * A duration for people, at most 7 characters, three significant digits, rounded
 * to nearest: "0us" "<1us" "35us" "1.24ms" "142ms" "3.06s" "62.0s" (up to 99.9s)
 * "5m12s" "3h05m" "12d3h" "1000d". "<1us" is 1 to 999 ns. Integer arithmetic
 * only. Returns buf.
 */
const char *sf_duration_format(uint64_t duration_ns, char buf[SF_TIME_STRLEN]);

#endif
