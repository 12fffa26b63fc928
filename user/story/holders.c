// SPDX-License-Identifier: GPL-2.0-or-later
/* Who has the sockets of a snapshot open, and whom of several it is fair to name. */
#include <errno.h>
#include <stdlib.h>

#include "base/sorted.h"
#include "story/names.h"
#include "story/snapshot.h"
#include "story/sock.h"

static int compare_holders(const void *a, const void *b)
{
	const struct sf_holder *x = a, *y = b;

	if (x->sk != y->sk)
		return x->sk < y->sk ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

/* The first of a socket's address, or the place where it would be. */
static size_t find_holder(const struct sf_snapshot *snap, uint64_t sk)
{
	size_t low = 0, high = snap->nr_holders;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (snap->holders[middle].sk < sk)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many listeners a process holds. */
static size_t nr_listeners_of(const struct sf_snapshot *snap, uint32_t pid)
{
	return sf_sorted_count_u32(snap->listener_pids, snap->nr_listener_pids, pid);
}

/* With as many of them any other one rather than pid 1: it hands them to its services. */
static const struct sf_holder *name_listener(const struct sf_snapshot *snap,
					     const struct sf_holders *holders)
{
	const struct sf_holder *named = holders->first;
	size_t least = nr_listeners_of(snap, named->pid);

	for (size_t i = 1; i < holders->nr; i++) {
		size_t nr = nr_listeners_of(snap, holders->first[i].pid);

		if (nr < least || (nr == least && named->pid == 1)) {
			named = &holders->first[i];
			least = nr;
		}
	}
	return named;
}

/*
 * Descriptors and sockets are read one after the other: in between an address may have gone from
 * one socket to the next. The ports tell.
 */
static struct sf_holders find_holders(const struct sf_snapshot *snap, const struct sf_sock *sock)
{
	struct sf_holders found = { 0 };

	for (size_t i = find_holder(snap, sock->sk);
	     i < snap->nr_holders && snap->holders[i].sk == sock->sk; i++) {
		const struct sf_holder *holder = &snap->holders[i];

		/* An inode is not reused at once, and comes without ports. */
		if (!(sock->flags & SF_SK_PARTIAL) && (holder->local_port != sock->local_port ||
						       holder->peer_port != sock->peer_port))
			return (struct sf_holders){ 0 };
		if (!found.first)
			found.first = holder;
		found.nr_processes += !found.nr++ || holder->pid != holder[-1].pid;
	}
	found.named = found.first;
	return found;
}

struct sf_holders sf_snapshot_holders(const struct sf_snapshot *snap, const struct sf_sock *sock)
{
	struct sf_holders found = find_holders(snap, sock);

	if (sock->state == SF_TCP_LISTEN && found.nr_processes > 1)
		found.named = name_listener(snap, &found);
	return found;
}

static int index_listener_pids(struct sf_snapshot *snap)
{
	if (!snap->nr_holders)
		return 0;
	snap->listener_pids = calloc(snap->nr_holders, sizeof(*snap->listener_pids));
	if (!snap->listener_pids)
		return -ENOMEM;
	for (size_t i = 0; i < snap->nr_listeners; i++) {
		struct sf_holders holders = find_holders(snap, &snap->socks[snap->listeners[i]]);

		for (size_t k = 0; k < holders.nr; k++)
			if (!k || holders.first[k].pid != holders.first[k - 1].pid)
				snap->listener_pids[snap->nr_listener_pids++] =
					holders.first[k].pid;
	}
	sf_sort_u32(snap->listener_pids, snap->nr_listener_pids);
	return 0;
}

int sf_snapshot_index_holders(struct sf_snapshot *snap)
{
	if (snap->nr_holders)
		qsort(snap->holders, snap->nr_holders, sizeof(*snap->holders), compare_holders);
	return index_listener_pids(snap);
}
