/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joins the two ends of a connection where both are on this host. The end
 * that closes first waits here for its mate, which tells the same wire id
 * (story/story.h), for a short time and in a table of fixed size. Called by
 * the ladder command; pure but for the one allocation.
 */
#ifndef SF_VIEW_PAIRS_H
#define SF_VIEW_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_event;
struct sf_pairs;

/*
 * What waits no longer: both ends in the order in which they came, or one,
 * then ends[1] is NULL. Borrowed: the event that was just added is the
 * caller's, others live until the next call on the table.
 */
struct sf_pair {
	const struct sf_event *ends[2];
};

/* Every end that was added is in one of these, or still waits. */
struct sf_pairs_counts {
	uint64_t nr_joined;  /* pairs: two ends each */
	uint64_t nr_alone;   /* cannot have a mate: no wire id, a socket connected to itself */
	uint64_t nr_late;    /* waited in vain */
	uint64_t nr_crowded; /* had to leave early, as the table was full */
};

/* nr_max: ends that may wait at once, > 0. wait_ns: how long each does. 0 or -ENOMEM. */
int sf_pairs_new(size_t nr_max, uint64_t wait_ns, struct sf_pairs **ret);
void sf_pairs_free(struct sf_pairs *pairs);
/* For _cleanup_. */
void sf_pairs_freep(struct sf_pairs **pairs);

/*
 * Adds the last event of an end, copied if it has to wait. True with *ret: the
 * pair it completes, or itself if it cannot have a mate, or the end that has
 * waited longest if there is no room for both.
 */
bool sf_pairs_add(struct sf_pairs *pairs, const struct sf_event *event, struct sf_pair *ret);
/*
 * Takes out the end that has waited longest if its time is over at now_ns
 * (CLOCK_BOOTTIME, the clock of events; UINT64_MAX: it is over for all). Call
 * it until it is false.
 */
bool sf_pairs_due(struct sf_pairs *pairs, uint64_t now_ns, struct sf_pair *ret);
size_t sf_pairs_nr_waiting(const struct sf_pairs *pairs);
/* Borrowed, lives as long as the table. */
const struct sf_pairs_counts *sf_pairs_counts(const struct sf_pairs *pairs);

#endif
