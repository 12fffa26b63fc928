/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the rate of this machine's TSC in kHz. QEMU's TCG gives the guest the host's TSC, and
 * a microvm has neither HPET nor PM timer to check a calibration by: left to itself a guest on
 * a busy host gives up its TSC and hangs. tests/vm/run passes the number as tsc_early_khz=.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct sample {
	uint64_t time_ns;
	uint64_t tsc;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	/* Not CLOCK_MONOTONIC, whose rate NTP bends. */
	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* Both clocks at one moment: of several tries, the one which took least time between. */
static struct sample sample(void)
{
	struct sample best = { 0 };
	uint64_t best_ns = UINT64_MAX;

	for (int i = 0; i < 32; i++) {
		uint64_t before_ns = now_ns();
		uint64_t tsc = __rdtsc();
		uint64_t took_ns = now_ns() - before_ns;

		if (took_ns < best_ns) {
			best_ns = took_ns;
			best.time_ns = before_ns + took_ns / 2;
			best.tsc = tsc;
		}
	}
	return best;
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 40000000 };
	struct sample a, b;
	uint64_t span_ns, khz;

	a = sample();
	nanosleep(&pause, NULL);
	b = sample();
	span_ns = b.time_ns - a.time_ns;
	khz = ((b.tsc - a.tsc) * 1000000U + span_ns / 2) / span_ns;
	printf("%llu\n", (unsigned long long)khz);
	return 0;
}
