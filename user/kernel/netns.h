/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Visiting the network namespaces of this host, one after the other. */
#ifndef SF_KERNEL_NETNS_H
#define SF_KERNEL_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called in each namespace. Negative errno ends the walk. */
typedef int (*sf_netns_fn)(void *ctx);

/*
 * Calls fn once in each network namespace that a thread is in or that is
 * mounted (ip netns, containers), beginning with the caller's own. The calling
 * thread enters them by setns(2) and is back in its own afterwards.
 * *ret_nr_missed: namespaces that exist and could not be entered (that takes
 * CAP_SYS_ADMIN); one that vanishes meanwhile is none. 0, fn's or another
 * negative errno; -EXDEV: the way back failed, which the process should not survive.
 */
int sf_netns_each(sf_netns_fn fn, void *ctx, size_t *ret_nr_missed);

/*
 * The ports, in host byte order, from which the kernel picks one for a caller
 * in the network namespace of this thread (net.ipv4.ip_local_port_range, for
 * IPv6 too). False: that cannot be read.
 */
bool sf_netns_port_range(uint16_t *ret_min, uint16_t *ret_max);
/*
 * net.ipv4.ip_local_reserved_ports of the caller's namespace, a bit per port, port 0 the lowest of
 * the first byte. NULL: there are none, or that is not known. The caller frees it.
 */
uint8_t *sf_netns_reserved_ports(void);

#endif
