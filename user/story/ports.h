/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many of the local ports that the kernel may choose are taken, towards
 * each destination: a port is free again for another destination, so that
 * they run out per (source address, destination address, destination port).
 * Pure but for the table that it allocates.
 */
#ifndef SF_STORY_PORTS_H
#define SF_STORY_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_snapshot;

struct sf_port_use {
	uint8_t local_addr[16];
	uint8_t peer_addr[16];
	uint32_t netns;
	uint32_t sock;	  /* one of them, index in the snapshot */
	uint32_t nr_used; /* local ports of the range in use, TIME_WAIT too */
	uint32_t nr_time_wait;
	uint32_t nr_reusable; /* of these: the next call may take them; see has_reusable */
	uint32_t nr_free;     /* of nr_range: in no use, or reusable */
	uint32_t nr_range;    /* what the kernel may choose from: without reserved ports */
	uint32_t pid;	      /* who holds the most of them; 0 = nobody does, or not known */
	uint16_t peer_port;
	uint16_t family;
	bool has_reusable; /* whether this namespace reuses them is known */
};

/*
 * A row per destination, most used first; connections that came in from a
 * listener do not count. 0 or -ENOMEM. The caller frees *ret.
 */
int sf_ports_count(const struct sf_snapshot *snap, struct sf_port_use **ret, size_t *ret_nr);
/* Whether both are of one destination. */
bool sf_ports_is_same(const struct sf_port_use *a, const struct sf_port_use *b);

#endif
