/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map of the kernel side. All are bounded; sizes are set by user space
 * before load. What a full map refuses is counted where it is refused.
 */
#ifndef SF_MAPS_BPF_H
#define SF_MAPS_BPF_H

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

#include "bpf/config.h"
#include "bpf/story.h"

const volatile struct sf_config config = {};

/* Set once a new story was refused: from then on an unknown socket may be a young one. */
bool story_was_refused = false;

/* Sockets that existed at attach and have a story. */
__u32 nr_seeded = 0;

/* Set by user space when all sockets that existed at attach have a story. */
bool is_seeded = false;

/* Records for user space: struct sf_event. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} ring SEC(".maps");

/*
 * One story per live socket, keyed by its address. The address is reused at
 * once (three connects of one process got the same one, all kernels tested),
 * so a story is replaced at a birth, and its id tells two lives apart.
 * Preallocated: hooks run where allocation may deadlock before 6.1.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct sf_story);
} stories SEC(".maps");

/* When the SYN of a handshake in progress arrived, keyed by its request. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} requests SEC(".maps");

/* Room for the story of what has none of its own, one per use: it does not fit on the stack. */
enum scratch_use {
	SCRATCH_REQUEST_DROPPED,
	SCRATCH_REQUEST_EXPIRED,
	SCRATCH_CONNECT,
	SCRATCH_NR,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_NR);
	__type(key, __u32);
	__type(value, struct sf_story);
} scratch SEC(".maps");

/* The listener that looks at a SYN on this CPU, and its count of drops before. */
struct syn_answer {
	__u64 listener;
	__s64 drops;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syn_answer);
} answers SEC(".maps");

/* The segment that this CPU looked at last for a handshake in progress. */
struct request_segment {
	__u64 req;   /* 0 = none */
	__u64 at_ns; /* CLOCK_BOOTTIME */
	__u64 is_rst;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct request_segment);
} request_segments SEC(".maps");

/* How many failed handshakes this CPU told of in this second. */
struct request_budget {
	__u64 second;
	__u64 nr_told;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct request_budget);
} request_budgets SEC(".maps");

/* The state change that this CPU handled last, until the last stand-in has seen it. */
struct state_change {
	__u64 sk;
	__u32 old;
	__u32 new;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state_change);
} handled SEC(".maps");
/* Stories that go on in a timewait socket, keyed by its address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct sf_wait);
} waits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SF_CNT_NR);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Adds one to a counter of this CPU. Returns its new value, 0 if there is none. */
static __always_inline __u64 count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (!value)
		return 0;
	/* Not atomic, as its CPU owns it; a nested hook may cost a count on 5.10 only. */
	return ++*value;
}

#endif
