// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of ends that wait: slots found by wire id through buckets, and in
 * a queue by their coming. Nothing is allocated after sf_pairs_new(). There is
 * one slot more than may wait, so that an end which has just left stays
 * readable until the next call.
 */
#include "view/pairs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "bpf/story.h"
#include "story/story.h"

struct slot {
	struct sf_event event;
	uint64_t wire_id;
	struct slot *next_in_bucket; /* also links the free ones */
	struct slot *older;
	struct slot *newer;
};

struct sf_pairs {
	size_t nr_max;
	size_t nr_waiting;
	size_t nr_buckets; /* a power of two */
	uint64_t wait_ns;
	struct slot *slots; /* nr_max + 1 */
	struct slot **buckets;
	struct slot *free;
	struct slot *oldest;
	struct slot *newest;
	struct sf_pairs_counts counts;
};

int sf_pairs_new(size_t nr_max, uint64_t wait_ns, struct sf_pairs **ret)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = calloc(1, sizeof(*pairs));

	if (!pairs)
		return -ENOMEM;
	pairs->nr_max = nr_max;
	pairs->wait_ns = wait_ns;
	pairs->nr_buckets = 1;
	while (pairs->nr_buckets < nr_max)
		pairs->nr_buckets <<= 1;
	pairs->slots = calloc(nr_max + 1, sizeof(*pairs->slots));
	pairs->buckets = calloc(pairs->nr_buckets, sizeof(struct slot *));
	if (!pairs->slots || !pairs->buckets)
		return -ENOMEM;
	for (size_t i = 0; i <= nr_max; i++) {
		pairs->slots[i].next_in_bucket = pairs->free;
		pairs->free = &pairs->slots[i];
	}
	*ret = TAKE_PTR(pairs);
	return 0;
}

void sf_pairs_free(struct sf_pairs *pairs)
{
	if (!pairs)
		return;
	free(pairs->slots);
	free(pairs->buckets);
	free(pairs);
}

void sf_pairs_freep(struct sf_pairs **pairs)
{
	sf_pairs_free(*pairs);
}

/* Initial sequence numbers are random, but one peer may choose those it sends us. */
static struct slot **bucket_of(struct sf_pairs *pairs, uint64_t wire_id)
{
	uint64_t mixed = (wire_id ^ wire_id >> 32) * 0x9e3779b97f4a7c15ULL;

	return &pairs->buckets[(mixed >> 32) & (pairs->nr_buckets - 1)];
}

/* Has it a mate that could be on this host? */
static bool may_have_mate(const struct sf_story *s, uint64_t *ret_wire_id)
{
	/* A socket that is connected to itself is both ends. */
	if (s->role == SF_ROLE_BOTH && s->isn_local == s->isn_peer)
		return false;
	return sf_story_wire_id(s, ret_wire_id);
}

static bool are_mates(const struct sf_story *a, const struct sf_story *b)
{
	if (a->id == b->id)
		return false;
	if (a->role == SF_ROLE_BOTH)
		return b->role == SF_ROLE_BOTH;
	return (a->role == SF_ROLE_CLIENT && b->role == SF_ROLE_SERVER) ||
	       (a->role == SF_ROLE_SERVER && b->role == SF_ROLE_CLIENT);
}

static struct slot *find_mate(struct sf_pairs *pairs, const struct sf_story *s, uint64_t wire_id)
{
	struct slot *slot = *bucket_of(pairs, wire_id);

	while (slot && (slot->wire_id != wire_id || !are_mates(&slot->event.story, s)))
		slot = slot->next_in_bucket;
	return slot;
}

static void put_in(struct sf_pairs *pairs, const struct sf_event *event, uint64_t wire_id)
{
	struct slot **bucket = bucket_of(pairs, wire_id);
	struct slot *slot = pairs->free;

	pairs->free = slot->next_in_bucket;
	*slot = (struct slot){
		.event = *event,
		.wire_id = wire_id,
		.next_in_bucket = *bucket,
		.older = pairs->newest,
	};
	*bucket = slot;
	if (pairs->newest)
		pairs->newest->newer = slot;
	else
		pairs->oldest = slot;
	pairs->newest = slot;
	pairs->nr_waiting++;
}

/* The slot is free then, its event still readable. */
static const struct sf_event *take_out(struct sf_pairs *pairs, struct slot *slot)
{
	struct slot **link = bucket_of(pairs, slot->wire_id);

	while (*link != slot)
		link = &(*link)->next_in_bucket;
	*link = slot->next_in_bucket;
	if (slot->older)
		slot->older->newer = slot->newer;
	else
		pairs->oldest = slot->newer;
	if (slot->newer)
		slot->newer->older = slot->older;
	else
		pairs->newest = slot->older;
	slot->next_in_bucket = pairs->free;
	pairs->free = slot;
	pairs->nr_waiting--;
	return &slot->event;
}

bool sf_pairs_add(struct sf_pairs *pairs, const struct sf_event *event, struct sf_pair *ret)
{
	struct slot *mate;
	uint64_t wire_id;

	if (!may_have_mate(&event->story, &wire_id)) {
		pairs->counts.nr_alone++;
		*ret = (struct sf_pair){ { event, NULL } };
		return true;
	}
	mate = find_mate(pairs, &event->story, wire_id);
	if (mate) {
		pairs->counts.nr_joined++;
		*ret = (struct sf_pair){ { take_out(pairs, mate), event } };
		return true;
	}
	put_in(pairs, event, wire_id);
	if (pairs->nr_waiting <= pairs->nr_max)
		return false;
	pairs->counts.nr_crowded++;
	*ret = (struct sf_pair){ { take_out(pairs, pairs->oldest), NULL } };
	return true;
}

bool sf_pairs_due(struct sf_pairs *pairs, uint64_t now_ns, struct sf_pair *ret)
{
	struct slot *oldest = pairs->oldest;

	if (!oldest)
		return false;
	/* An event may be younger than a clock that was read before it came. */
	if (now_ns < oldest->event.time_ns || now_ns - oldest->event.time_ns < pairs->wait_ns)
		return false;
	pairs->counts.nr_late++;
	*ret = (struct sf_pair){ { take_out(pairs, oldest), NULL } };
	return true;
}

size_t sf_pairs_nr_waiting(const struct sf_pairs *pairs)
{
	return pairs->nr_waiting;
}

const struct sf_pairs_counts *sf_pairs_counts(const struct sf_pairs *pairs)
{
	return &pairs->counts;
}
