/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of a namespace without BPF: sock_diag(7), which any kernel has,
 * and /proc for who holds them. Slower, and it tells less: no sequence
 * numbers, no exact ages of what is repeated, no ICMP errors.
 */
#ifndef SF_KERNEL_DIAG_H
#define SF_KERNEL_DIAG_H

#include <stddef.h>

#include "bpf/sock.h"

/* Ticks are milliseconds in what comes from here. */
#define SF_DIAG_HZ 1000

/* Called for each record. Negative errno to stop. */
typedef int (*sf_diag_sock_fn)(void *ctx, const struct sf_sock *sock);
typedef int (*sf_diag_holder_fn)(void *ctx, const struct sf_holder *holder);

/* TCP sockets of the calling thread's network namespace. 0, fn's or another negative errno. */
int sf_diag_sockets(sf_diag_sock_fn fn, void *ctx);
/* Every descriptor in /proc that is a socket, of whatever kind: sk is its inode. */
int sf_diag_holders(sf_diag_holder_fn fn, void *ctx);

#endif
