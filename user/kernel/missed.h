/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often the kernel did not run a program that it should have run. */
#ifndef SF_KERNEL_MISSED_H
#define SF_KERNEL_MISSED_H

#include <stdint.h>

struct bpf_link;
struct bpf_program;

/*
 * Times that a program was skipped as it, or for kprobes any program, was running on that CPU:
 * bpf_prog_info.recursion_misses, since v5.12 (kernel/bpf/trampoline.c __bpf_prog_enter(),
 * kernel/trace/bpf_trace.c trace_call_bpf() since v6.6). 0 where it is not counted.
 */
uint64_t sf_missed_by_program(const struct bpf_program *prog);
/*
 * Times that a kprobe was skipped as another one was being handled on that CPU: struct
 * kprobe.nmissed, told since v6.7 (kernel/bpf/syscall.c bpf_perf_link_fill_kprobe()). 0 of any
 * other link, and before.
 */
uint64_t sf_missed_by_kprobe(const struct bpf_link *link);

#endif
