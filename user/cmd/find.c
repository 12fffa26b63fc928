// SPDX-License-Identifier: GPL-2.0-or-later
/* The pass over a snapshot that finds what is stuck, and its order. */
#include "cmd/find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "base/util.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "story/names.h"
#include "story/snapshot.h"
#include "story/sock.h"

#define NS_PER_MS 1000000ULL

void sf_findings_clear(struct sf_findings *findings)
{
	free(findings->all);
	free(findings->waits_ms);
	free(findings->closers);
	free(findings->all_closers);
	free(findings->first_closers);
	free(findings->seen);
	free(findings->waiting);
	free(findings->slow);
	*findings = (struct sf_findings){ 0 };
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 31;
}

static uint64_t mix_end(uint64_t hash, const uint8_t addr[16], uint16_t port)
{
	uint64_t words[2];

	memcpy(words, addr, sizeof(words));
	return mix(mix(mix(hash, words[0]), words[1]), port);
}

static uint64_t mix_name(uint64_t hash, const char *name)
{
	for (; *name; name++)
		hash = mix(hash, (unsigned char)*name);
	return hash;
}

/* A socket in its state; its address alone may be another's at the next look. */
static uint64_t state_key(const struct sf_sock *s)
{
	uint64_t hash = mix(mix(1, s->sk), s->state << 8 | s->substate);

	return mix_end(mix_end(hash, s->local_addr, s->local_port), s->peer_addr, s->peer_port);
}

static void listeners_of(const struct sf_snapshot *snap, const struct sf_sock *s,
			 struct sf_listening *ret)
{
	*ret = (struct sf_listening){ 0 };
	if (s->state == SF_TCP_SYN_SENT)
		sf_snapshot_called(snap, s, ret);
	else if (s->state == SF_TCP_NEW_SYN_RECV || s->flags & SF_SK_UNACCEPTED)
		sf_snapshot_waited_for(snap, s, ret);
}

static uint32_t index_of(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	return (uint32_t)(s - snap->socks);
}

/* A wait for accept() behind one of several listeners. */
struct shared_wait {
	uint32_t first; /* of the listeners, index in the snapshot */
	uint32_t sock;
	uint32_t wait_ms;
};

static int compare_waits(const void *a, const void *b)
{
	const struct shared_wait *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->wait_ms > y->wait_ms) - (x->wait_ms < y->wait_ms);
}

static void raise_wait(struct sf_findings *f, uint32_t listener, uint32_t wait_ms)
{
	if (wait_ms > f->waits_ms[listener])
		f->waits_ms[listener] = wait_ms;
}

/* Takes part in the waits of its listener, or of the first of those that share them. */
static void count_wait(const struct sf_snapshot *snap, uint32_t sock, uint32_t wait_ms,
		       struct sf_findings *f, struct shared_wait *shared, size_t *nr_shared)
{
	const struct sf_sock *first;
	struct sf_listening listening;
	uint32_t place;
	size_t at = 0;

	if (snap->socks[sock].state == SF_TCP_LISTEN) {
		raise_wait(f, sock, wait_ms);
		return;
	}
	listeners_of(snap, &snap->socks[sock], &listening);
	first = sf_snapshot_next(snap, &listening, &at);
	if (!first)
		return;
	place = index_of(snap, first);
	if (!listening.one)
		shared[(*nr_shared)++] =
			(struct shared_wait){ .first = place, .sock = sock, .wait_ms = wait_ms };
	else
		raise_wait(f, place, wait_ms);
}

/*
 * Which waits are a listener's is not known, but how many: the oldest of them
 * is at least as old as if they were the youngest of all.
 */
static void share_waits(const struct sf_snapshot *snap, struct sf_findings *f,
			struct shared_wait *shared, size_t nr_shared)
{
	if (nr_shared)
		qsort(shared, nr_shared, sizeof(*shared), compare_waits);
	for (size_t begin = 0, end = 0; begin < nr_shared; begin = end) {
		const struct sf_sock *listener;
		struct sf_listening listening;

		while (end < nr_shared && shared[end].first == shared[begin].first)
			end++;
		listeners_of(snap, &snap->socks[shared[begin].sock], &listening);
		for (size_t at = 0; (listener = sf_snapshot_next(snap, &listening, &at));) {
			size_t nr = sf_min_size(listener->accept_queue, end - begin);

			if (nr)
				raise_wait(f, index_of(snap, listener),
					   shared[begin + nr - 1].wait_ms);
		}
	}
}

/* Per listener the longest wait for accept(); all that CLOSE_WAIT is held by. */
static int count_first(const struct sf_snapshot *snap, const struct sf_thresholds *thresholds,
		       struct sf_findings *f)
{
	_cleanup_(sf_freep) struct shared_wait *shared =
		calloc(snap->nr_socks + 1, sizeof(*shared));
	size_t nr_shared = 0;

	f->waits_ms = calloc(snap->nr_socks + 1, sizeof(*f->waits_ms));
	f->closers = calloc(snap->nr_socks + 1, sizeof(*f->closers));
	f->all_closers = calloc(snap->nr_socks + 1, sizeof(*f->all_closers));
	if (!f->waits_ms || !f->closers || !f->all_closers || !shared)
		return -ENOMEM;
	for (size_t i = 0; i < snap->nr_socks; i++) {
		const struct sf_sock *s = &snap->socks[i];
		uint64_t wait_ms;

		if (sf_diagnose_is_waiting(s)) {
			struct sf_holders holders = sf_snapshot_holders(snap, s);
			uint32_t pid = holders.nr ? holders.first->pid : 0;

			if (pid)
				f->all_closers[f->nr_all_closers++] = pid;
			if (pid && sf_diagnose_waits_long(s, snap->hz, thresholds))
				f->closers[f->nr_closers++] = pid;
		}
		if (sf_diagnose_wait_ms(s, snap->hz, &wait_ms))
			count_wait(snap, (uint32_t)i, (uint32_t)sf_min_u64(wait_ms, UINT32_MAX), f,
				   shared, &nr_shared);
	}
	share_waits(snap, f, shared, nr_shared);
	return 0;
}

static uint64_t first_seen_ns(const struct sf_findings *f, uint64_t key)
{
	size_t low = 0, high = f->nr_seen;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->seen[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->nr_seen && f->seen[low].key == key ? f->seen[low].first_ns : 0;
}

static struct sf_who who_of(struct sf_holders holders)
{
	if (!holders.nr)
		return (struct sf_who){ 0 };
	return (struct sf_who){ .comm = holders.named->comm,
				.pid = holders.named->pid,
				.nr_processes = (uint32_t)holders.nr_processes };
}

static struct sf_who who_holds(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	return who_of(s ? sf_snapshot_holders(snap, s) : (struct sf_holders){ 0 });
}

/* Others share its port: which of those that wait are its own is not known. */
static bool is_shared(const struct sf_snapshot *snap, const struct sf_sock *s)
{
	struct sf_listening listening;

	sf_snapshot_waited_for(snap, s, &listening);
	return listening.nr > 1;
}

static void find_listener(const struct sf_snapshot *snap, struct sf_case *c)
{
	struct sf_listening listening;

	c->is_wait_minimum = c->sock->state == SF_TCP_LISTEN &&
			     !(c->sock->flags & SF_SK_HAS_AGES) && is_shared(snap, c->sock);
	listeners_of(snap, c->sock, &listening);
	c->listener = listening.one;
	c->nr_listeners = listening.one ? 0 : (uint32_t)listening.nr;
	c->nr_listeners_full = listening.one ? 0 : (uint32_t)listening.nr_full;
	c->listener_who = who_of(sf_snapshot_listening_holders(snap, &listening));
}

void sf_find_case(const struct sf_snapshot *snap, const struct sf_findings *findings, uint32_t sock,
		  struct sf_case *ret)
{
	const struct sf_sock *s = &snap->socks[sock];
	uint64_t first_ns = first_seen_ns(findings, state_key(s));

	*ret = (struct sf_case){
		.sock = s,
		.peer = sf_snapshot_peer(snap, s),
		.who = who_holds(snap, s),
		.hz = snap->hz,
		.oldest_wait_ms = findings->waits_ms[sock],
		.is_elsewhere = s->netns != snap->own_netns,
	};
	ret->peer_who = who_holds(snap, ret->peer);
	find_listener(snap, ret);
	if (first_ns && snap->time_ns > first_ns)
		ret->watched_ms = (snap->time_ns - first_ns) / NS_PER_MS;
	if (!ret->who.pid || !sf_diagnose_is_waiting(s))
		return;
	ret->nr_alike = sf_sorted_count_u32(findings->closers, findings->nr_closers, ret->who.pid);
	ret->is_watched = findings->first_closers;
	ret->nr_alike_first = sf_sorted_count_u32(findings->first_closers,
						  findings->nr_first_closers, ret->who.pid);
	ret->closes_some = sf_sorted_count_u32(findings->slow, findings->nr_slow, ret->who.pid);
}

void sf_find_event(const struct sf_snapshot *snap, uint32_t sock, struct sf_event *ret)
{
	*ret = (struct sf_event){ .time_ns = snap->time_ns, .kind = SF_EV_STUCK };
	sf_snapshot_story(snap, &snap->socks[sock], &ret->story);
}

bool sf_find_event_passes(const struct sf_snapshot *snap, const struct sf_filter *filter,
			  uint32_t sock, const struct sf_event *event)
{
	struct sf_holders holders = sf_snapshot_holders(snap, &snap->socks[sock]);
	struct sf_event held = *event;

	if (sf_filter_match(filter, event, event->time_ns))
		return true;
	for (size_t i = 0; i < holders.nr; i++) {
		held.story.owner.tgid = holders.first[i].pid;
		memcpy(held.story.owner.comm, holders.first[i].comm, SF_COMM_LEN);
		if (sf_filter_match(filter, &held, held.time_ns))
			return true;
	}
	return false;
}

bool sf_find_passes(const struct sf_snapshot *snap, const struct sf_filter *filter, uint32_t sock)
{
	struct sf_event event;

	sf_find_event(snap, sock, &event);
	return sf_find_event_passes(snap, filter, sock, &event);
}

/* One trouble: the same rule, the same process, the same service. */
static uint64_t group_of(const struct sf_snapshot *snap, const struct sf_case *c,
			 const struct sf_verdict *v)
{
	const struct sf_sock *s = c->sock;
	uint64_t hash = mix(mix(2, v->rule_nr), c->who.pid);
	struct sf_story story;

	hash = mix(mix(hash, c->listener_who.pid), s->netns);
	/* One process may have several services, and a listener is one of them. */
	if (s->state == SF_TCP_LISTEN || (c->listener_who.pid && s->state != SF_TCP_SYN_SENT))
		hash = mix(hash, s->local_port);
	if (v->rule->blame == SF_BLAME_LOCAL_APP && (c->who.pid || c->listener_who.pid))
		return hash;
	sf_snapshot_story(snap, s, &story);
	if (story.role == SF_ROLE_CLIENT)
		return mix_end(hash, s->peer_addr, s->peer_port);
	return mix(hash, s->local_port);
}

static int append(struct sf_findings *f, const struct sf_finding *one)
{
	if (f->nr == f->slots) {
		size_t slots = f->slots ? f->slots * 2 : 64;
		struct sf_finding *grown = reallocarray(f->all, slots, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		f->all = grown;
		f->slots = slots;
	}
	f->all[f->nr++] = *one;
	return 0;
}

/* For the next look, which sees if it was closed after all. */
static int note_waiting(const struct sf_case *c, struct sf_findings *f)
{
	if (!sf_diagnose_is_waiting(c->sock))
		return 0;
	if (f->nr_waiting == f->waiting_slots) {
		size_t slots = f->waiting_slots ? f->waiting_slots * 2 : 64;
		struct sf_waiting *grown = reallocarray(f->waiting, slots, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		f->waiting = grown;
		f->waiting_slots = slots;
	}
	f->waiting[f->nr_waiting++] =
		(struct sf_waiting){ .key = state_key(c->sock), .pid = c->who.pid };
	return 0;
}

static int look_at(const struct sf_snapshot *snap, const struct sf_filter *filter,
		   const struct sf_thresholds *thresholds, uint32_t sock, struct sf_findings *f)
{
	struct sf_finding one = { .sock = sock };
	struct sf_verdict v;
	struct sf_case c;

	if (sf_sock_state(&snap->socks[sock]) == SF_TCP_TIME_WAIT ||
	    !sf_diagnose_may(&snap->socks[sock], snap->hz, thresholds))
		return 0;
	sf_find_case(snap, f, sock, &c);
	if (!sf_diagnose(&c, thresholds, &v))
		return 0;
	if (note_waiting(&c, f)) /* the filter may take only some of its process */
		return -ENOMEM;
	if (!sf_find_passes(snap, filter, sock))
		return 0;
	one.key = mix_name(state_key(c.sock), v.rule->like ? v.rule->like : v.rule->name);
	one.group = group_of(snap, &c, &v);
	one.age_ms = v.has_age ? v.age_ms : 0;
	one.rule_nr = (uint32_t)v.rule_nr;
	one.is_notice = v.rule->is_notice;
	f->nr_stuck += !one.is_notice;
	return append(f, &one);
}

static int compare_in_group(const void *a, const void *b)
{
	const struct sf_finding *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->age_ms != y->age_ms)
		return x->age_ms > y->age_ms ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

static int compare_shown(const void *a, const void *b)
{
	const struct sf_finding *x = a, *y = b;

	if (x->is_notice != y->is_notice)
		return x->is_notice ? 1 : -1;
	if (x->age_ms != y->age_ms)
		return x->age_ms > y->age_ms ? -1 : 1;
	return compare_in_group(a, b);
}

/* The oldest of each group speaks for it. */
static void sort_out(struct sf_findings *f)
{
	struct sf_finding *first = NULL;

	if (!f->nr)
		return;
	qsort(f->all, f->nr, sizeof(*f->all), compare_in_group);
	for (size_t i = 0; i < f->nr; i++) {
		if (first && first->group == f->all[i].group) {
			first->nr_more++;
			continue;
		}
		first = &f->all[i];
		first->is_first = true;
	}
	qsort(f->all, f->nr, sizeof(*f->all), compare_shown);
}

static int compare_seen(const void *a, const void *b)
{
	const struct sf_seen *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

/* Hands on what was counted when the watch began, or begins with what is counted now. */
static int remember_closers(const struct sf_findings *before, struct sf_findings *findings)
{
	const uint32_t *from = before ? before->first_closers : findings->all_closers;
	size_t nr = before ? before->nr_first_closers : findings->nr_all_closers;

	findings->first_closers = calloc(nr + 1, sizeof(*from));
	if (!findings->first_closers)
		return -ENOMEM;
	if (nr)
		memcpy(findings->first_closers, from, nr * sizeof(*from));
	findings->nr_first_closers = nr;
	return 0;
}

/*
 * Who closes what was stuck is slow, and leaks nothing: from one look to the next, as long as it
 * holds others.
 */
static int find_slow(const struct sf_findings *before, struct sf_findings *f)
{
	size_t nr = 0;

	f->slow = calloc(before->nr_slow + before->nr_waiting + 1, sizeof(*f->slow));
	if (!f->slow)
		return -ENOMEM;
	for (size_t i = 0; i < before->nr_slow; i++)
		if (sf_sorted_count_u32(f->closers, f->nr_closers, before->slow[i]))
			f->slow[nr++] = before->slow[i];
	for (size_t i = 0; i < before->nr_waiting; i++) {
		const struct sf_waiting *one = &before->waiting[i];

		if (!first_seen_ns(f, one->key) &&
		    sf_sorted_count_u32(f->closers, f->nr_closers, one->pid) &&
		    (!nr || f->slow[nr - 1] != one->pid))
			f->slow[nr++] = one->pid;
	}
	sf_sort_u32(f->slow, nr);
	/* each once, or they would be more with each look */
	for (size_t i = 0; i < nr; i++)
		if (!f->nr_slow || f->slow[f->nr_slow - 1] != f->slow[i])
			f->slow[f->nr_slow++] = f->slow[i];
	return 0;
}

int sf_find_remember(const struct sf_snapshot *snap, const struct sf_findings *before,
		     struct sf_findings *findings)
{
	struct sf_seen *seen = calloc(snap->nr_socks + 1, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < snap->nr_socks; i++) {
		uint64_t first_ns;

		seen[i].key = state_key(&snap->socks[i]);
		first_ns = before ? first_seen_ns(before, seen[i].key) : 0;
		seen[i].first_ns = first_ns ? first_ns : snap->time_ns;
	}
	qsort(seen, snap->nr_socks, sizeof(*seen), compare_seen);
	free(findings->seen);
	findings->seen = seen;
	findings->nr_seen = snap->nr_socks;
	return remember_closers(before, findings);
}

int sf_find(const struct sf_snapshot *snap, const struct sf_filter *filter,
	    const struct sf_thresholds *thresholds, const struct sf_findings *before,
	    struct sf_findings *ret)
{
	struct sf_findings f = { 0 };
	int r = count_first(snap, thresholds, &f);

	sf_sort_u32(f.closers, f.nr_closers);
	sf_sort_u32(f.all_closers, f.nr_all_closers);
	if (!r && before)
		r = sf_find_remember(snap, before, &f);
	if (!r && before)
		r = find_slow(before, &f);
	for (size_t i = 0; !r && i < snap->nr_socks; i++)
		r = look_at(snap, filter, thresholds, (uint32_t)i, &f);
	if (r) {
		sf_findings_clear(&f);
		return r;
	}
	sort_out(&f);
	*ret = f;
	return 0;
}
