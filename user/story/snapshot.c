// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The indexes over a snapshot: a hash of the address pairs, as the other end
 * of a connection is looked up by its own pair turned round, and the listeners
 * sorted by port.
 */
#include "story/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/util.h"
#include "story/names.h"
#include "story/sock.h"

#define NS_PER_MS 1000000ULL
/* How far the two ends' numbers may be apart, as they were not read at the same moment. */
#define SEQ_SLACK (1U << 24)

void sf_netns_clear(struct sf_netns *ns)
{
	free(ns->addrs);
	free(ns->reserved);
	*ns = (struct sf_netns){ 0 };
}

void sf_snapshot_clear(struct sf_snapshot *snap)
{
	for (size_t i = 0; i < snap->nr_netns; i++)
		sf_netns_clear(&snap->netns[i]);
	free(snap->netns);
	free(snap->socks);
	free(snap->holders);
	free(snap->by_tuple);
	free(snap->listeners);
	free(snap->listener_pids);
	*snap = (struct sf_snapshot){ 0 };
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

static uint64_t hash_end(uint64_t hash, const uint8_t addr[16], uint16_t port)
{
	uint64_t words[2];

	memcpy(words, addr, sizeof(words));
	return mix(mix(mix(hash, words[0]), words[1]), port);
}

static uint64_t hash_tuple(const uint8_t local[16], uint16_t local_port, const uint8_t peer[16],
			   uint16_t peer_port)
{
	return hash_end(hash_end(0, local, local_port), peer, peer_port);
}

static bool is_same_tuple(const struct sf_sock *a, const struct sf_sock *b)
{
	return a->local_port == b->local_port && a->peer_port == b->peer_port &&
	       !memcmp(a->local_addr, b->local_addr, 16) && !memcmp(a->peer_addr, b->peer_addr, 16);
}

static bool is_turned_round(const struct sf_sock *a, const struct sf_sock *b)
{
	return a->local_port == b->peer_port && a->peer_port == b->local_port &&
	       !memcmp(a->local_addr, b->peer_addr, 16) && !memcmp(a->peer_addr, b->local_addr, 16);
}

/* False if the same socket is there already: a walk that was interrupted may repeat one. */
static bool insert(struct sf_snapshot *snap, uint32_t index)
{
	const struct sf_sock *sock = &snap->socks[index];
	size_t mask = snap->tuple_slots - 1;
	size_t slot =
		hash_tuple(sock->local_addr, sock->local_port, sock->peer_addr, sock->peer_port) &
		mask;

	for (; snap->by_tuple[slot]; slot = (slot + 1) & mask) {
		const struct sf_sock *other = &snap->socks[snap->by_tuple[slot] - 1];

		if (other->sk == sock->sk && is_same_tuple(other, sock))
			return false;
	}
	snap->by_tuple[slot] = index + 1;
	return true;
}

static int index_tuples(struct sf_snapshot *snap)
{
	size_t kept = 0;

	snap->tuple_slots = 64;
	while (snap->tuple_slots < snap->nr_socks * 2)
		snap->tuple_slots *= 2;
	snap->by_tuple = calloc(snap->tuple_slots, sizeof(*snap->by_tuple));
	if (!snap->by_tuple)
		return -ENOMEM;
	for (size_t i = 0; i < snap->nr_socks; i++) {
		if (!sf_sock_is_sane(&snap->socks[i])) {
			snap->nr_bad++;
			continue;
		}
		if (kept != i)
			snap->socks[kept] = snap->socks[i];
		kept += insert(snap, (uint32_t)kept);
	}
	snap->nr_socks = kept;
	return 0;
}

static int compare_listeners(const void *a, const void *b, void *ctx)
{
	const struct sf_snapshot *snap = ctx;
	const struct sf_sock *x = &snap->socks[*(const uint32_t *)a];
	const struct sf_sock *y = &snap->socks[*(const uint32_t *)b];

	if (x->local_port != y->local_port)
		return x->local_port < y->local_port ? -1 : 1;
	return (x->netns > y->netns) - (x->netns < y->netns);
}

static int index_listeners(struct sf_snapshot *snap)
{
	size_t nr = 0;

	for (size_t i = 0; i < snap->nr_socks; i++)
		nr += snap->socks[i].state == SF_TCP_LISTEN;
	snap->listeners = calloc(nr + 1, sizeof(*snap->listeners));
	if (!snap->listeners)
		return -ENOMEM;
	for (size_t i = 0; i < snap->nr_socks; i++)
		if (snap->socks[i].state == SF_TCP_LISTEN)
			snap->listeners[snap->nr_listeners++] = (uint32_t)i;
	qsort_r(snap->listeners, snap->nr_listeners, sizeof(*snap->listeners), compare_listeners,
		snap);
	return 0;
}

int sf_snapshot_index(struct sf_snapshot *snap)
{
	int r = index_tuples(snap);

	if (!r)
		r = index_listeners(snap);
	return r ? r : sf_snapshot_index_holders(snap);
}

const struct sf_netns *sf_snapshot_netns(const struct sf_snapshot *snap, uint32_t inode)
{
	for (size_t i = 0; i < snap->nr_netns; i++)
		if (snap->netns[i].inode == inode)
			return &snap->netns[i];
	return NULL;
}

static bool is_near(uint32_t a, uint32_t b)
{
	return a - b + SEQ_SLACK < 2 * SEQ_SLACK;
}

static bool may_be_peers(const struct sf_sock *sock, const struct sf_sock *other)
{
	if (other == sock || !is_turned_round(sock, other))
		return false;
	/* No numbers to compare: only within a namespace is an address one host's. */
	if (sock->flags & SF_SK_PARTIAL)
		return other->netns == sock->netns;
	/* What is in the way of a new connection has numbers of an older one. */
	if (sock->state == SF_TCP_SYN_SENT)
		return other->state != SF_TCP_NEW_SYN_RECV;
	if (other->state == SF_TCP_SYN_SENT)
		return is_near(sock->rcv_nxt, other->snd_nxt);
	return is_near(other->rcv_nxt, sock->snd_nxt) && is_near(sock->rcv_nxt, other->snd_nxt);
}

const struct sf_sock *sf_snapshot_peer(const struct sf_snapshot *snap, const struct sf_sock *sock)
{
	size_t mask = snap->tuple_slots - 1;
	size_t slot =
		hash_tuple(sock->peer_addr, sock->peer_port, sock->local_addr, sock->local_port) &
		mask;

	if (sock->state == SF_TCP_LISTEN)
		return NULL;
	for (; snap->by_tuple[slot]; slot = (slot + 1) & mask) {
		const struct sf_sock *other = &snap->socks[snap->by_tuple[slot] - 1];

		if (may_be_peers(sock, other))
			return other;
	}
	return NULL;
}

/*
 * How well a listener fits what comes to an end, 0 = not at all: as
 * net/ipv4/inet_hashtables.c compute_score() and its IPv6 twin have it, but for
 * SO_INCOMING_CPU, which tells apart only those that share the rest.
 */
static int rank_of(const struct sf_sock *listener, const struct sf_end *end)
{
	bool is_v4 = sf_addr_is_v4(end->addr);
	bool is_exact = !memcmp(listener->local_addr, end->addr, 16);
	int rank = is_exact ? 4 : 1;

	if (listener->local_port != end->port || listener->netns != end->netns)
		return 0;
	if (!is_exact &&
	    (!sf_addr_is_any(listener->local_addr) || sf_addr_is_v4(listener->local_addr) > is_v4))
		return 0;
	if (is_v4 && listener->flags & SF_SK_V6ONLY)
		return 0;
	if (listener->bound_if && end->bound_if != SF_ANY_IF) {
		if (listener->bound_if != end->bound_if)
			return 0;
		rank++;
	}
	return rank + (is_v4 && listener->family == AF_INET);
}

/* The first at that port, or the place where it would be. */
static size_t find_port(const struct sf_snapshot *snap, const struct sf_end *end)
{
	size_t low = 0, high = snap->nr_listeners;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct sf_sock *at = &snap->socks[snap->listeners[middle]];

		if (at->local_port < end->port ||
		    (at->local_port == end->port && at->netns < end->netns))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* *at: 0, or the place behind the last one, plus one. NULL: no more at that port. */
static const struct sf_sock *next_at_port(const struct sf_snapshot *snap, const struct sf_end *end,
					  size_t *at)
{
	size_t place = *at ? *at - 1 : find_port(snap, end);
	const struct sf_sock *listener;

	if (place >= snap->nr_listeners)
		return NULL;
	listener = &snap->socks[snap->listeners[place]];
	if (listener->local_port != end->port || listener->netns != end->netns)
		return NULL;
	*at = place + 2;
	return listener;
}

static void add_listener(struct sf_listening *to, const struct sf_sock *listener)
{
	to->one = to->nr++ ? NULL : listener;
	to->nr_full += sf_sock_is_full(listener);
}

void sf_snapshot_listening(const struct sf_snapshot *snap, const struct sf_end *end,
			   struct sf_listening *ret)
{
	struct sf_listening all = { .end = *end };
	const struct sf_sock *listener;
	bool is_if_asked = false;

	*ret = all;
	for (size_t at = 0; (listener = next_at_port(snap, end, &at));) {
		int rank = rank_of(listener, end);

		if (!rank)
			continue;
		is_if_asked |= listener->bound_if && end->bound_if == SF_ANY_IF;
		add_listener(&all, listener);
		if (rank > ret->rank)
			*ret = (struct sf_listening){ .end = *end, .rank = rank };
		if (rank == ret->rank)
			add_listener(ret, listener);
	}
	/* It depends on the interface, which is not known: any of them. */
	if (is_if_asked)
		*ret = all;
}

static bool is_among(const struct sf_sock *listener, const struct sf_listening *of)
{
	int rank = rank_of(listener, &of->end);

	return of->rank ? rank == of->rank : rank;
}

const struct sf_sock *sf_snapshot_next(const struct sf_snapshot *snap,
				       const struct sf_listening *of, size_t *at)
{
	const struct sf_sock *listener;

	while ((listener = next_at_port(snap, &of->end, at)))
		if (of->one ? of->one == listener : is_among(listener, of))
			return listener;
	return NULL;
}

struct sf_holders sf_snapshot_listening_holders(const struct sf_snapshot *snap,
						const struct sf_listening *of)
{
	struct sf_holders all = { 0 };
	const struct sf_sock *listener;

	if (of->one)
		return sf_snapshot_holders(snap, of->one);
	for (size_t at = 0; of->nr && (listener = sf_snapshot_next(snap, of, &at));) {
		struct sf_holders own = sf_snapshot_holders(snap, listener);

		if (own.nr_processes != 1 || (all.nr && all.first->pid != own.first->pid))
			return (struct sf_holders){ 0 };
		all = own;
	}
	return all;
}

static void end_of(const struct sf_sock *sock, uint32_t bound_if, struct sf_end *ret)
{
	*ret = (struct sf_end){ .netns = sock->netns,
				.bound_if = bound_if,
				.port = sock->local_port };
	memcpy(ret->addr, sock->local_addr, sizeof(ret->addr));
}

void sf_snapshot_waited_for(const struct sf_snapshot *snap, const struct sf_sock *sock,
			    struct sf_listening *ret)
{
	const struct sf_sock *listener;
	struct sf_end end;

	end_of(sock, sock->bound_if, &end);
	if (!sock->listener) {
		sf_snapshot_listening(snap, &end, ret);
		return;
	}
	/* A handshake knows its own; if that has gone, no other one is to blame. */
	*ret = (struct sf_listening){ .end = end };
	for (size_t at = 0; (listener = next_at_port(snap, &end, &at));) {
		if (listener->sk != sock->listener)
			continue;
		add_listener(ret, listener);
		return;
	}
}

static bool owns_address(const struct sf_netns *ns, const uint8_t addr[16])
{
	/* All of 127.0.0.0/8 is its own, whatever its interfaces have. */
	if (sf_addr_is_v4(addr) && addr[12] == 127)
		return true;
	for (uint32_t i = 0; i < ns->nr_addrs; i++)
		if (!memcmp(ns->addrs[i], addr, 16))
			return true;
	return false;
}

void sf_snapshot_called(const struct sf_snapshot *snap, const struct sf_sock *sock,
			struct sf_listening *ret)
{
	const struct sf_netns *own = sf_snapshot_netns(snap, sock->netns);
	struct sf_end end = { .netns = sock->netns,
			      .bound_if = SF_ANY_IF,
			      .port = sock->peer_port };

	*ret = (struct sf_listening){ 0 };
	memcpy(end.addr, sock->peer_addr, sizeof(end.addr));
	/* Its own namespace has the address: then no other one is meant. */
	if (own && owns_address(own, sock->peer_addr)) {
		sf_snapshot_listening(snap, &end, ret);
		return;
	}
	for (size_t i = 0; i < snap->nr_netns; i++) {
		const struct sf_netns *ns = &snap->netns[i];
		struct sf_listening found;

		if (ns->inode == sock->netns || !owns_address(ns, sock->peer_addr))
			continue;
		end.netns = ns->inode;
		sf_snapshot_listening(snap, &end, &found);
		/* Two namespaces with that address: which one is meant is not known. */
		if (found.nr && ret->nr) {
			*ret = (struct sf_listening){ 0 };
			return;
		}
		if (found.nr)
			*ret = found;
	}
}

bool sf_snapshot_is_called(const struct sf_snapshot *snap, const struct sf_sock *sock)
{
	struct sf_listening found;
	struct sf_end end;

	end_of(sock, SF_ANY_IF, &end);
	sf_snapshot_listening(snap, &end, &found);
	return found.nr;
}

/*
 * The kernel counts a SYN and FINs as bytes, see bpf/stories.bpf.h
 * fill_counters(). Whether it counts the SYN depends on who called.
 */
static void fill_bytes(const struct sf_sock *sock, struct sf_story *s)
{
	uint64_t acked = sock->bytes_acked, received = sock->bytes_received;
	uint64_t sent_flags = (s->role != SF_ROLE_SERVER && sock->state != SF_TCP_SYN_SENT) +
			      (sock->state == SF_TCP_FIN_WAIT2);
	bool has_fin = s->closed_by == SF_SIDE_PEER || s->closed_by == SF_SIDE_BOTH;

	s->bytes_sent = acked > sent_flags ? acked - sent_flags : 0;
	s->bytes_received = received > has_fin ? received - has_fin : 0;
	if (sock->state == SF_TCP_TIME_WAIT || s->role == SF_ROLE_UNKNOWN)
		s->flags |= SF_F_BYTES_UNSURE;
}

static bool is_in_range(const struct sf_netns *ns, uint16_t port)
{
	return port >= ns->port_min && port <= ns->port_max;
}

static void infer_role(const struct sf_snapshot *snap, const struct sf_sock *sock,
		       struct sf_story *s)
{
	const struct sf_sock *peer = sf_snapshot_peer(snap, sock);
	const struct sf_netns *ns;
	bool here, there;

	if (s->role != SF_ROLE_UNKNOWN)
		return;
	here = sf_snapshot_is_called(snap, sock);
	there = peer && sf_snapshot_is_called(snap, peer);
	if (here != there) {
		s->role = here ? SF_ROLE_SERVER : SF_ROLE_CLIENT;
		s->role_source = SF_ROLE_SRC_LISTENER;
	}
	if (here || there)
		return;
	ns = sf_snapshot_netns(snap, sock->netns);
	if (!ns || !ns->has_port_range)
		return;
	if (is_in_range(ns, sock->local_port) && !is_in_range(ns, sock->peer_port)) {
		s->role = SF_ROLE_CLIENT;
		s->role_source = SF_ROLE_SRC_PORT_RANGE;
	}
}

void sf_snapshot_story(const struct sf_snapshot *snap, const struct sf_sock *sock,
		       struct sf_story *ret)
{
	struct sf_holders holders = sf_snapshot_holders(snap, sock);

	sf_sock_story(sock, ret);
	infer_role(snap, sock, ret);
	fill_bytes(sock, ret);
	/* A server's child has its listener's lock: of it nothing is known. */
	if (ret->role == SF_ROLE_CLIENT) {
		ret->flags |= SF_F_PORT_KNOWN;
		if (!(sock->flags & SF_SK_PORT_BOUND))
			ret->flags |= SF_F_PORT_EPHEMERAL;
	}
	if (!holders.nr)
		return;
	ret->owner.tgid = holders.named->pid;
	ret->owner.uid = holders.named->uid;
	ret->owner.source = SF_OWNER_SRC_FD_SCAN;
	memcpy(ret->owner.comm, holders.named->comm, sizeof(ret->owner.comm));
}

static bool is_same_connection(const struct sf_story *a, const struct sf_story *b)
{
	return a->netns == b->netns && a->local_port == b->local_port &&
	       a->peer_port == b->peer_port &&
	       !memcmp(a->local_addr, b->local_addr, sizeof(a->local_addr)) &&
	       !memcmp(a->peer_addr, b->peer_addr, sizeof(a->peer_addr)) &&
	       (!a->cookie || !b->cookie || a->cookie == b->cookie);
}

bool sf_snapshot_add_seen(const struct sf_sock *sock, const struct sf_story *seen,
			  struct sf_story *story)
{
	struct sf_story both = *seen;

	if (!is_same_connection(seen, story))
		return false;
	if (both.role == SF_ROLE_UNKNOWN) {
		both.role = story->role;
		both.role_source = story->role_source;
	}
	/* Both found by its descriptors: the later look knows who has it now. */
	if (!both.owner.tgid || (both.owner.source == SF_OWNER_SRC_FD_SCAN && story->owner.tgid &&
				 story->owner.tgid != both.owner.tgid))
		both.owner = story->owner;
	if (!both.cookie)
		both.cookie = story->cookie;
	if (!both.closed_by)
		both.closed_by = story->closed_by;
	both.flags |= story->flags & (SF_F_ORPHAN | SF_F_TUPLE_KNOWN);
	if (!(both.flags & SF_F_PORT_KNOWN))
		both.flags |= story->flags & (SF_F_PORT_KNOWN | SF_F_PORT_EPHEMERAL);
	/* The kernel side reads these at the end only. */
	both.state = story->state;
	both.segments_sent = story->segments_sent;
	both.segments_received = story->segments_received;
	both.retransmits = story->retransmits;
	both.srtt_us = story->srtt_us;
	both.rtt_min_us = story->rtt_min_us;
	both.unread_bytes = story->unread_bytes;
	fill_bytes(sock, &both);
	*story = both;
	return true;
}

uint64_t sf_snapshot_ms(const struct sf_snapshot *snap, uint32_t ticks)
{
	return snap->hz ? (uint64_t)ticks * 1000 / snap->hz : 0;
}

uint32_t sf_hz_guess(uint64_t jiffies, uint64_t monotonic_ns)
{
	static const uint16_t rates[] = { 100, 200, 250, 300, 500, 1000 }; /* kernel/Kconfig.hz */
	int64_t since_wrap_ms = (int64_t)(monotonic_ns / NS_PER_MS) - 300 * 1000;
	uint64_t best = UINT64_MAX;
	uint32_t hz = 0;

	if (since_wrap_ms > -2000 && since_wrap_ms < 2000)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		int64_t want = (1LL << 32) + since_wrap_ms * rates[i] / 1000;
		uint64_t off = (uint64_t)llabs((long long)jiffies - want);

		if (off < best) {
			best = off;
			hz = rates[i];
		}
	}
	return hz;
}
