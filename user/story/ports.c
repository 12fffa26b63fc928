// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts local ports per destination: sorts the sockets by it, then runs along.
 * Which end called is a conclusion: a listener on the local port says that this
 * end was called; where it has gone and both ports are of the range, the end
 * that many others share was called.
 */
#include "story/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/util.h"
#include "story/names.h"
#include "story/snapshot.h"
#include "story/sock.h"

#define LOOPBACK_IF 1	   /* include/net/flow.h LOOPBACK_IFINDEX */
#define TIME_WAIT_MS 60000 /* include/net/tcp.h TCP_TIMEWAIT_LEN */

/* A vote: with each sock of the same holder a voice more, of another one less. */
struct vote {
	uint32_t pid;
	uint32_t lead;
};

/* The kernel chooses no reserved port (net/ipv4/inet_hashtables.c __inet_hash_connect()). */
static bool is_reserved(const struct sf_netns *ns, uint16_t port)
{
	return ns->reserved && ns->reserved[port / 8] & 1U << port % 8;
}

static uint32_t count_range(const struct sf_netns *ns)
{
	uint32_t nr = 0;

	for (uint32_t port = ns->port_min; port <= ns->port_max; port++)
		nr += !is_reserved(ns, (uint16_t)port);
	return nr;
}

static bool is_caller(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	const struct sf_netns *ns;

	if (s->state == SF_TCP_LISTEN || s->state == SF_TCP_NEW_SYN_RECV || !s->local_port ||
	    s->flags & SF_SK_UNACCEPTED)
		return false;
	ns = sf_snapshot_netns(snap, s->netns);
	if (!ns || !ns->has_port_range || s->local_port < ns->port_min ||
	    s->local_port > ns->port_max || is_reserved(ns, s->local_port))
		return false;
	return !sf_snapshot_is_called(snap, s);
}

static bool is_loopback(const uint8_t addr[16])
{
	static const uint8_t v6[16] = { [15] = 1 };

	return sf_addr_is_v4(addr) ? addr[12] == 127 : !memcmp(addr, v6, sizeof(v6));
}

static bool is_time_wait(const struct sf_sock *s)
{
	return sf_sock_state(s) == SF_TCP_TIME_WAIT;
}

/* How long it is in TIME_WAIT; 0: not known. */
static uint32_t time_wait_ms(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	uint64_t left_ms;

	if (s->flags & SF_SK_HAS_RETRANS)
		return s->since_retrans_ms;
	if (!snap->hz || s->timer != SF_TIMER_TIME_WAIT || s->timer_ticks < 0)
		return 0;
	left_ms = sf_snapshot_ms(snap, (uint32_t)s->timer_ticks);
	return left_ms < TIME_WAIT_MS ? (uint32_t)(TIME_WAIT_MS - left_ms) : 0;
}

/*
 * Whether connect() to the same destination takes its port as if it was free:
 * net/ipv4/tcp_ipv4.c tcp_twsk_unique(), v6.18. Before v6.14 it may be one after
 * less than the second. That the other end has no timestamps, so that the kernel
 * does not take it, is not seen.
 */
static bool is_reusable(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	bool is_local = s->bound_if == LOOPBACK_IF || is_loopback(s->local_addr) ||
			is_loopback(s->peer_addr);
	const struct sf_netns *ns;

	if (!is_time_wait(s))
		return false;
	ns = sf_snapshot_netns(snap, s->netns);
	return (ns->tw_reuse == 1 || (ns->tw_reuse == 2 && is_local)) &&
	       time_wait_ms(snap, s) > ns->tw_reuse_delay_ms;
}

static int compare_u64(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

static int compare_ends(const struct sf_sock *x, const uint8_t x_addr[16], uint16_t x_port,
			const struct sf_sock *y, const uint8_t y_addr[16], uint16_t y_port)
{
	int r = compare_u64(x->netns, y->netns);

	if (!r)
		r = memcmp(x_addr, y_addr, 16);
	return r ? r : compare_u64(x_port, y_port);
}

static int compare_local(const void *a, const void *b, void *ctx)
{
	const struct sf_snapshot *snap = ctx;
	const struct sf_sock *x = &snap->socks[*(const uint32_t *)a];
	const struct sf_sock *y = &snap->socks[*(const uint32_t *)b];

	return compare_ends(x, x->local_addr, x->local_port, y, y->local_addr, y->local_port);
}

static int compare_peer(const void *a, const void *b, void *ctx)
{
	const struct sf_snapshot *snap = ctx;
	const struct sf_sock *x = &snap->socks[*(const uint32_t *)a];
	const struct sf_sock *y = &snap->socks[*(const uint32_t *)b];

	return compare_ends(x, x->peer_addr, x->peer_port, y, y->peer_addr, y->peer_port);
}

/* For each socket that is named, adds how many of them it shares an end with, times sign. */
static void add_shares(const struct sf_snapshot *snap, uint32_t *socks, size_t nr,
		       int (*compare)(const void *, const void *, void *), int sign,
		       int32_t *scores)
{
	size_t first = 0;

	qsort_r(socks, nr, sizeof(*socks), compare, (void *)snap);
	for (size_t i = 1; i <= nr; i++) {
		if (i < nr && !compare(&socks[first], &socks[i], (void *)snap))
			continue;
		for (size_t k = first; k < i; k++)
			scores[socks[k]] += sign * (int32_t)(i - first);
		first = i;
	}
}

static bool are_both_in_range(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	const struct sf_netns *ns = sf_snapshot_netns(snap, s->netns);

	return s->peer_port >= ns->port_min && s->peer_port <= ns->port_max;
}

/* Takes out those that were called, as far as both ports being of the range hides it. */
static int drop_called(const struct sf_snapshot *snap, uint32_t *callers, size_t *nr)
{
	_cleanup_(sf_freep) uint32_t *unsure = calloc(*nr + 1, sizeof(*unsure));
	_cleanup_(sf_freep) int32_t *scores = calloc(snap->nr_socks + 1, sizeof(*scores));
	size_t nr_unsure = 0, kept = 0;

	if (!unsure || !scores)
		return -ENOMEM;
	for (size_t i = 0; i < *nr; i++)
		if (are_both_in_range(snap, &snap->socks[callers[i]]))
			unsure[nr_unsure++] = callers[i];
	add_shares(snap, unsure, nr_unsure, compare_peer, 1, scores);
	add_shares(snap, unsure, nr_unsure, compare_local, -1, scores);
	for (size_t i = 0; i < *nr; i++)
		if (scores[callers[i]] >= 0)
			callers[kept++] = callers[i];
	*nr = kept;
	return 0;
}

static int compare_destination(const struct sf_sock *x, const struct sf_sock *y)
{
	int r;

	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	r = memcmp(x->local_addr, y->local_addr, 16);
	if (!r)
		r = memcmp(x->peer_addr, y->peer_addr, 16);
	return r ? r : (int)x->peer_port - (int)y->peer_port;
}

static int compare_callers(const void *a, const void *b, void *ctx)
{
	const struct sf_snapshot *snap = ctx;
	const struct sf_sock *x = &snap->socks[*(const uint32_t *)a];
	const struct sf_sock *y = &snap->socks[*(const uint32_t *)b];
	int r = compare_destination(x, y);

	if (!r)
		r = (int)x->local_port - (int)y->local_port;
	/* TIME_WAIT and a socket that reuses its port can both be seen: that one comes first. */
	return r ? r : is_time_wait(x) - is_time_wait(y);
}

static int compare_use(const void *a, const void *b)
{
	const struct sf_port_use *x = a, *y = b;

	if (x->nr_free != y->nr_free)
		return x->nr_free < y->nr_free ? -1 : 1;
	if (x->nr_used != y->nr_used)
		return x->nr_used > y->nr_used ? -1 : 1;
	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	return memcmp(x->peer_addr, y->peer_addr, 16);
}

/* before: the row before, NULL if it is the first; rows of a namespace come together. */
static void begin_use(const struct sf_snapshot *snap, uint32_t sock,
		      const struct sf_port_use *before, struct sf_port_use *use)
{
	const struct sf_sock *s = &snap->socks[sock];
	const struct sf_netns *ns = sf_snapshot_netns(snap, s->netns);

	*use = (struct sf_port_use){
		.netns = s->netns,
		.sock = sock,
		.nr_range = before && before->netns == s->netns ? before->nr_range :
								  count_range(ns),
		.peer_port = s->peer_port,
		.family = s->family,
		.has_reusable = ns->has_tw_reuse,
	};
	memcpy(use->local_addr, s->local_addr, 16);
	memcpy(use->peer_addr, s->peer_addr, 16);
}

static void add_socket(const struct sf_snapshot *snap, uint32_t sock, struct sf_port_use *use,
		       struct vote *vote)
{
	const struct sf_sock *s = &snap->socks[sock];
	struct sf_holders holders = sf_snapshot_holders(snap, s);

	use->nr_used++;
	use->nr_time_wait += is_time_wait(s);
	use->nr_reusable += is_reusable(snap, s);
	if (!holders.nr)
		return;
	if (!vote->lead)
		vote->pid = holders.first->pid;
	if (vote->pid == holders.first->pid)
		vote->lead++;
	else
		vote->lead--;
	use->pid = vote->pid;
}

/* callers: sorted. Returns the number of rows. */
static size_t run_along(const struct sf_snapshot *snap, const uint32_t *callers, size_t nr,
			struct sf_port_use *uses)
{
	struct vote vote = { 0 };
	size_t nr_uses = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct sf_sock *s = &snap->socks[callers[i]];
		const struct sf_sock *before = i ? &snap->socks[callers[i - 1]] : NULL;
		bool is_same = before && !compare_destination(before, s);

		if (!is_same) {
			begin_use(snap, callers[i], nr_uses ? &uses[nr_uses - 1] : NULL,
				  &uses[nr_uses]);
			nr_uses++;
			vote = (struct vote){ 0 };
		}
		if (!is_same || before->local_port != s->local_port)
			add_socket(snap, callers[i], &uses[nr_uses - 1], &vote);
	}
	for (size_t i = 0; i < nr_uses; i++)
		uses[i].nr_free = uses[i].nr_range - uses[i].nr_used + uses[i].nr_reusable;
	return nr_uses;
}

static size_t count_destinations(const struct sf_snapshot *snap, const uint32_t *callers, size_t nr)
{
	size_t nr_destinations = 0;

	for (size_t i = 0; i < nr; i++)
		nr_destinations += !i || compare_destination(&snap->socks[callers[i - 1]],
							     &snap->socks[callers[i]]);
	return nr_destinations;
}

int sf_ports_count(const struct sf_snapshot *snap, struct sf_port_use **ret, size_t *ret_nr)
{
	_cleanup_(sf_freep) uint32_t *callers = calloc(snap->nr_socks + 1, sizeof(*callers));
	struct sf_port_use *uses;
	size_t nr = 0;

	if (!callers)
		return -ENOMEM;
	for (size_t i = 0; i < snap->nr_socks; i++)
		if (is_caller(snap, &snap->socks[i]))
			callers[nr++] = (uint32_t)i;
	if (drop_called(snap, callers, &nr))
		return -ENOMEM;
	qsort_r(callers, nr, sizeof(*callers), compare_callers, (void *)snap);
	uses = calloc(count_destinations(snap, callers, nr) + 1, sizeof(*uses));
	if (!uses)
		return -ENOMEM;
	*ret_nr = run_along(snap, callers, nr, uses);
	qsort(uses, *ret_nr, sizeof(*uses), compare_use);
	*ret = uses;
	return 0;
}

bool sf_ports_is_same(const struct sf_port_use *a, const struct sf_port_use *b)
{
	return a->netns == b->netns && a->peer_port == b->peer_port &&
	       !memcmp(a->local_addr, b->local_addr, 16) && !memcmp(a->peer_addr, b->peer_addr, 16);
}
