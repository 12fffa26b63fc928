/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which events are wanted: one predicate, built by options (sf_filter_add_*)
 * and by the expression operand (filter/parse.h), all ANDed. Pure and bounded:
 * one allocation in sf_filter_new(), at most SF_FILTER_NODES_MAX conditions
 * and combinators.
 *
 * A fact that is not known makes its condition neither true nor false:
 * "pid 5" and "not pid 5" both pass over a connection whose process is not
 * known. What is not surely true does not match.
 */
#ifndef SF_FILTER_FILTER_H
#define SF_FILTER_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define SF_FILTER_NODES_MAX 64

struct sf_cidr;
struct sf_cut;
struct sf_event;
struct sf_filter;

/* An empty filter matches everything. 0 or -ENOMEM. */
int sf_filter_new(struct sf_filter **ret);
void sf_filter_free(struct sf_filter *filter);
/* For _cleanup_. */
void sf_filter_freep(struct sf_filter **filter);

/*
 * Each adds one condition that must hold as well. 0; -EINVAL: a value that no
 * connection can have; -E2BIG: too many conditions. The filter is unchanged
 * on failure.
 */
/* The owner, who connected, accepted or listens; who closed it does not count. 1 to 4194304. */
int sf_filter_add_pid(struct sf_filter *filter, uint32_t tgid);
/* The owner's whole name, 1 to 15 bytes: the kernel keeps no more. */
int sf_filter_add_comm(struct sf_filter *filter, const char *comm);
/* Ports in host byte order, not 0: either end, this host's end, the other end. */
int sf_filter_add_port(struct sf_filter *filter, uint16_t port);
int sf_filter_add_local_port(struct sf_filter *filter, uint16_t port);
int sf_filter_add_peer_port(struct sf_filter *filter, uint16_t port);
/* Either end is in the network; copied. */
int sf_filter_add_host(struct sf_filter *filter, const struct sf_cidr *cidr);
/* One of the roles in the mask of 1 << enum sf_role; inferred ones count. */
int sf_filter_add_roles(struct sf_filter *filter, uint8_t role_mask);
/* Now in one of the states in the mask of 1 << enum sf_tcp_state. */
int sf_filter_add_states(struct sf_filter *filter, uint16_t state_mask);
/* AF_INET or AF_INET6, as on the wire: v4-mapped is AF_INET. */
int sf_filter_add_family(struct sf_filter *filter, int family);
/* Inode number of the network namespace, not 0. */
int sf_filter_add_netns(struct sf_filter *filter, uint32_t netns);
/* The handshake took, or the connection has lived, at least this long. */
int sf_filter_add_min_handshake(struct sf_filter *filter, uint64_t min_ns);
int sf_filter_add_min_age(struct sf_filter *filter, uint64_t min_ns);

/* event: checked by story/reader.h. now_ns: CLOCK_BOOTTIME, for ages. */
bool sf_filter_match(const struct sf_filter *filter, const struct sf_event *event, uint64_t now_ns);

/* Whether nothing is asked for. */
bool sf_filter_is_empty(const struct sf_filter *filter);

/*
 * The part that the kernel side can decide: what must hold in any case, an
 * equality on pid, comm, ports, host, role, family or netns. A cut never drops
 * an event that matches; it may keep one that does not, so that
 * sf_filter_match() has the last word. Of two different conditions of one kind
 * the first is cut, the second is left to sf_filter_match().
 */
void sf_filter_cut(const struct sf_filter *filter, struct sf_cut *ret);

#endif
