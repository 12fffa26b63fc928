// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the kernel by the descriptors of programs and links. */
#include "kernel/missed.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stddef.h>

/* include/uapi/linux/bpf.h, enum bpf_link_type and enum bpf_perf_event_type */
#define LINK_PERF_EVENT 7
#define PERF_EVENT_KPROBE 3
#define PERF_EVENT_KRETPROBE 4

/* What struct bpf_link_info is for a kprobe since v6.7; headers older than that lack it. */
struct kprobe_link_info {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t pad;
	uint32_t event_type;
	uint32_t event_pad;
	uint64_t func_name; /* where to write it; 0 = nowhere */
	uint32_t name_len;
	uint32_t offset;
	uint64_t addr;
	uint64_t missed;
};
_Static_assert(offsetof(struct kprobe_link_info, missed) == 48, "as the kernel lays it out");

uint64_t sf_missed_by_program(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_program__fd(prog) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size))
		return 0;
	return info.recursion_misses;
}

uint64_t sf_missed_by_kprobe(const struct bpf_link *link)
{
	struct kprobe_link_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &size) || size < sizeof(info) ||
	    info.type != LINK_PERF_EVENT ||
	    (info.event_type != PERF_EVENT_KPROBE && info.event_type != PERF_EVENT_KRETPROBE))
		return 0;
	return info.missed;
}
