/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes snapshots: loads the two iterators once, then walks the sockets of
 * every network namespace and the descriptors of every process as often as
 * asked. Attaches to nothing: between two snapshots nothing of it runs. Where
 * the kernel has no such iterators it asks sock_diag(7) and /proc instead.
 */
#ifndef SF_KERNEL_SNAPSHOT_H
#define SF_KERNEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_snapper;
struct sf_snapshot;

/* is_without_bpf: do not even try. 0, or the negative errno of a shortage, as sf_is_shortage(). */
int sf_snapper_new(bool is_without_bpf, struct sf_snapper **ret);
/* Why it does without BPF, a negative errno; 0: it has it; 1: it was asked to. */
int sf_snapper_lacks_bpf(const struct sf_snapper *snapper);
void sf_snapper_free(struct sf_snapper *snapper);
void sf_snapper_freep(struct sf_snapper **snapper);

/*
 * Fills *ret, what it held before is freed: all sockets, their holders, the
 * facts of their namespaces, indexed. A namespace, socket or process that
 * vanishes meanwhile is left out. 0 or negative errno, *ret is then empty;
 * -EXDEV: as sf_netns_each().
 */
int sf_snapper_take(struct sf_snapper *snapper, struct sf_snapshot *ret);
/* How many have been taken. */
uint64_t sf_snapper_nr_taken(const struct sf_snapper *snapper);

#endif
