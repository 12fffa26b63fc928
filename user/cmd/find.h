/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which sockets of a snapshot are stuck: brings together what the rules want
 * to know of each one, and keeps of each verdict only what it takes to make it
 * again, as there may be a hundred thousand.
 */
#ifndef SF_CMD_FIND_H
#define SF_CMD_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnose/diagnose.h"

struct sf_filter;
struct sf_snapshot;
struct sf_event;

struct sf_finding {
	uint64_t key;	/* this socket in this state, and this rule or one like it */
	uint64_t group; /* of one kind: rule, process, service */
	uint64_t age_ms;
	uint32_t rule_nr; /* for sf_rule_at() */
	uint32_t sock;	  /* index in the snapshot */
	uint32_t nr_more; /* of the first of a group: how many others there are */
	bool is_notice;
	bool is_first; /* of its group */
};

/* When a socket was first seen in its state, by watching. */
struct sf_seen {
	uint64_t key; /* this socket in this state */
	uint64_t first_ns;
};

struct sf_waiting {
	uint64_t key; /* as that of sf_seen */
	uint32_t pid;
};

struct sf_findings {
	struct sf_finding *all; /* what is stuck first, then notices; the oldest group first */
	size_t nr;
	size_t nr_stuck; /* without notices */

	/* Private. */
	size_t slots;
	uint32_t *waits_ms; /* per socket: of a listener, the longest wait for accept() */
	uint32_t *closers;  /* pids that hold old CLOSE_WAITs, sorted, one per socket */
	size_t nr_closers;
	uint32_t *all_closers; /* the same, young ones too */
	size_t nr_all_closers;
	uint32_t *first_closers; /* all when the watch began; NULL: nobody watches */
	size_t nr_first_closers;
	struct sf_seen *seen; /* sorted by key; empty if nobody watches */
	size_t nr_seen;
	struct sf_waiting *waiting; /* of a watch: sockets in CLOSE_WAIT that a rule holds for */
	size_t nr_waiting;
	size_t waiting_slots;
	uint32_t *slow; /* pids that closed one of those later, sorted; they hold others */
	size_t nr_slow;
};

/*
 * Diagnoses every socket that the filter lets pass. before: the findings of
 * the look before if this is a watch, else NULL. 0 or -ENOMEM.
 */
int sf_find(const struct sf_snapshot *snap, const struct sf_filter *filter,
	    const struct sf_thresholds *thresholds, const struct sf_findings *before,
	    struct sf_findings *ret);
/* From now on it is a watch: remembers what was seen when. 0 or -ENOMEM. */
int sf_find_remember(const struct sf_snapshot *snap, const struct sf_findings *before,
		     struct sf_findings *findings);
void sf_findings_clear(struct sf_findings *findings);
/* The case of one socket again, and the event that its lines are about. */
void sf_find_case(const struct sf_snapshot *snap, const struct sf_findings *findings, uint32_t sock,
		  struct sf_case *ret);
/* Whether the filter lets it pass, with any of its holders for owner. */
bool sf_find_passes(const struct sf_snapshot *snap, const struct sf_filter *filter, uint32_t sock);
/* The same for an event that says more of that socket than sf_find_event(). */
bool sf_find_event_passes(const struct sf_snapshot *snap, const struct sf_filter *filter,
			  uint32_t sock, const struct sf_event *event);
void sf_find_event(const struct sf_snapshot *snap, uint32_t sock, struct sf_event *ret);

#endif
