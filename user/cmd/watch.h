/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at what is stuck, and at what became of it since the look before: what stuck shows and
 * serve logs. Prints nothing, so that a look may be another thread's.
 */
#ifndef SF_CMD_WATCH_H
#define SF_CMD_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/find.h"
#include "cmd/options.h"
#include "story/snapshot.h"
#include "view/fields.h"
#include "view/stuck.h"

struct sf_filter;
struct sf_host;
struct sf_port_use;
struct sf_snapper;

/* One look at the host. */
struct sf_watch_look {
	struct sf_snapshot snap;
	struct sf_findings found;
	struct sf_port_use *ports; /* destinations whose ports run out, that the filter lets pass */
	size_t nr_ports;
};

struct sf_watch_change {
	uint32_t at; /* place among the findings of its look, or among the ports */
	bool is_port;
	bool has_ended; /* it is of the look before the last */
};

struct sf_watch {
	const struct sf_options *options; /* thresholds, whether it is a watch; borrowed */
	const struct sf_host *host;	  /* borrowed */
	struct sf_filter *filter;
	struct sf_snapper *snapper;
	bool wants_notices;
	bool wants_groups; /* of a group its oldest only, if it is asked what is stuck now */
	struct sf_watch_look looks[2]; /* the last two; an empty one before the first */
	int64_t realtime_offset_ns;    /* CLOCK_REALTIME minus CLOCK_BOOTTIME, at the last look */
	uint64_t nr_looks;
	struct sf_watch_change *changes; /* of a watch: since the look before the last */
	size_t nr_changes;
	size_t change_slots;
	uint64_t nr_by_rule[SF_STUCK_RULES_MAX]; /* at the last look, sf_rule_at() */
};

/*
 * A finding; line is view->line, whose seq and ids are the function's to set. False: no more of
 * them are wanted.
 */
typedef bool (*sf_watch_fn)(void *ctx, struct sf_line *line, const struct sf_stuck_view *view);

/*
 * The filter of options and operands, and what it takes to look. options, host and the two
 * "wants" are the caller's to set. Prints its own error. SF_EXIT_OK, or the exit status to end
 * with; sf_watch_clear() in any case.
 */
int sf_watch_start(struct sf_watch *watch, int argc, const char *const *argv);
void sf_watch_clear(struct sf_watch *watch);
/*
 * Looks. 0 or negative errno: then the look before stays the last one, and there are no changes;
 * -EXDEV: this thread is in another network namespace now, see sf_netns_each().
 */
int sf_watch_take(struct sf_watch *watch);
/* The last look. */
const struct sf_watch_look *sf_watch_last(const struct sf_watch *watch);
/* What was stuck at the last look. */
void sf_watch_now(const struct sf_watch *watch, sf_watch_fn fn, void *ctx);
/*
 * nr_max of the changes at most, from this one on: what is over, then what has begun. Returns the
 * place of the next one; watch->nr_changes: that was all.
 */
size_t sf_watch_changes(const struct sf_watch *watch, size_t from, size_t nr_max, sf_watch_fn fn,
			void *ctx);
/*
 * How many are stuck at the last look, of each rule but those of notices: so many of ret, which has
 * room for SF_STUCK_RULES_MAX.
 */
size_t sf_watch_counts(const struct sf_watch *watch, struct sf_stuck_count *ret);

#endif
