/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the filter room: the predicate as a fixed array. A node comes after
 * the nodes it combines and the root is the last one, so that evaluation and
 * the cut are one pass over the array, without recursion.
 */
#ifndef SF_FILTER_NODE_H
#define SF_FILTER_NODE_H

#include <stdint.h>

#include "base/addr.h"
#include "bpf/story.h"
#include "filter/filter.h"

#define SF_FILTER_PID_MAX 4194304 /* include/linux/threads.h PID_MAX_LIMIT */
#define SF_FILTER_COMM_MAX (SF_COMM_LEN - 1)

enum sf_filter_op {
	SF_FILTER_AND, /* left, right */
	SF_FILTER_OR,  /* left, right */
	SF_FILTER_NOT, /* left */
	SF_FILTER_PID,
	SF_FILTER_COMM, /* comm */
	SF_FILTER_PORT,
	SF_FILTER_LOCAL_PORT,
	SF_FILTER_PEER_PORT,
	SF_FILTER_HOST,	 /* cidr */
	SF_FILTER_ROLE,	 /* value: mask */
	SF_FILTER_STATE, /* value: mask */
	SF_FILTER_FAMILY,
	SF_FILTER_NETNS,
	SF_FILTER_EPHEMERAL,
	SF_FILTER_FAILED,
	SF_FILTER_HANDSHAKE, /* compare, value: ns */
	SF_FILTER_AGE,	     /* compare, value: ns */
	SF_FILTER_OP_NR,
};

enum sf_filter_compare {
	SF_FILTER_LT,
	SF_FILTER_LE,
	SF_FILTER_GT,
	SF_FILTER_GE,
	SF_FILTER_COMPARE_NR,
};

struct sf_filter_node {
	uint8_t op;	 /* enum sf_filter_op */
	uint8_t compare; /* enum sf_filter_compare */
	uint8_t left;	 /* index of a combined node, less than this one's */
	uint8_t right;
	union {
		uint64_t value;
		struct sf_cidr cidr;
		char comm[SF_COMM_LEN]; /* NUL-padded */
	};
};

struct sf_filter {
	unsigned int nr_nodes; /* 0 = matches everything */
	struct sf_filter_node nodes[SF_FILTER_NODES_MAX];
};

/* Appends a node. Its index or -E2BIG. */
int sf_filter_push(struct sf_filter *filter, const struct sf_filter_node *node);
/*
 * ANDs the predicate whose root is the last node to the one whose root was at
 * nr_before - 1. 0 or -E2BIG; on failure the filter is back at nr_before nodes.
 */
int sf_filter_join(struct sf_filter *filter, unsigned int nr_before);

#endif
