// SPDX-License-Identifier: GPL-2.0-or-later
/* A watch keeps two looks: what one has and the other has not is what has begun, or is over. */
#include "cmd/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/take.h"
#include "filter/filter.h"
#include "kernel/snapshot.h"
#include "story/ports.h"
#include "story/story.h"
#include "view/fields.h"

/* Whom the findings of a look are handed to. */
struct taker {
	const struct sf_watch *watch;
	sf_watch_fn fn;
	void *ctx;
	bool is_full; /* no more are wanted */
};

int sf_watch_start(struct sf_watch *watch, int argc, const char *const *argv)
{
	int r = sf_take_filter(watch->options, argc, argv, &watch->filter);

	return r ? r : sf_take_start(watch->options, &watch->snapper);
}

void sf_watch_clear(struct sf_watch *watch)
{
	for (size_t i = 0; i < ARRAY_SIZE(watch->looks); i++) {
		sf_findings_clear(&watch->looks[i].found);
		sf_snapshot_clear(&watch->looks[i].snap);
		free(watch->looks[i].ports);
	}
	free(watch->changes);
	sf_snapper_free(watch->snapper);
	sf_filter_free(watch->filter);
}

/* As long as there is none, one in which nothing is. */
const struct sf_watch_look *sf_watch_last(const struct sf_watch *watch)
{
	return &watch->looks[(watch->nr_looks + 1) % 2];
}

static const struct sf_watch_look *before_last(const struct sf_watch *watch)
{
	return &watch->looks[watch->nr_looks % 2];
}

/* ---- a connection ---- */

static void hand_over(struct taker *taker, const struct sf_watch_look *look,
		      const struct sf_finding *finding, enum sf_stuck_change change)
{
	const struct sf_watch *watch = taker->watch;
	const struct sf_snapshot *snap = &look->snap;
	bool is_grouped = watch->wants_groups && change == SF_STUCK_NOW;
	struct sf_verdict verdict;
	struct sf_event event, peer;
	struct sf_case c;
	struct sf_line line = { .event = &event,
				.realtime_offset_ns = watch->realtime_offset_ns,
				.host = watch->host };
	struct sf_stuck_view view = { .line = &line,
				      .c = &c,
				      .verdict = &verdict,
				      .change = change,
				      .nr_more = is_grouped ? finding->nr_more : 0 };
	struct sf_holders holders;

	sf_find_case(snap, &look->found, finding->sock, &c);
	sf_find_event(snap, finding->sock, &event);
	if (!sf_diagnose(&c, &watch->options->thresholds, &verdict))
		return;
	holders = sf_snapshot_holders(snap, c.sock);
	view.holders = holders.first;
	view.nr_holders = holders.nr;
	if (c.peer) {
		sf_find_event(snap, (uint32_t)(c.peer - snap->socks), &peer);
		line.peer = &peer;
	}
	taker->is_full = !taker->fn(taker->ctx, &line, &view);
}

/* Notices are many: they have to be asked for. */
static bool is_wanted(const struct sf_watch *watch, const struct sf_finding *finding)
{
	return !finding->is_notice || watch->wants_notices;
}

/* ---- a destination whose ports run out ---- */

/* Any of its descriptors tells the process's name. */
static const struct sf_holder *holder_of(const struct sf_snapshot *snap, uint32_t pid)
{
	for (size_t i = 0; pid && i < snap->nr_holders; i++)
		if (snap->holders[i].pid == pid)
			return &snap->holders[i];
	return NULL;
}

static void fill_ports(const struct sf_snapshot *snap, const struct sf_port_use *use,
		       struct sf_sock *sock, struct sf_event *event, struct sf_verdict *verdict)
{
	const enum sf_evidence_id ids[] = { SF_EVIDENCE_PORTS_USED, SF_EVIDENCE_PORTS_TIME_WAIT,
					    SF_EVIDENCE_PORTS_REUSABLE, SF_EVIDENCE_PORTS_FREE };
	const struct sf_holder *holder = holder_of(snap, use->pid);
	const uint64_t values[] = { use->nr_used, use->nr_time_wait, use->nr_reusable,
				    use->nr_free };

	*sock = snap->socks[use->sock];
	sf_find_event(snap, use->sock, event);
	/* It is about all of them, not about this one. */
	sock->local_port = 0;
	event->story.local_port = 0;
	event->story.id = 0;
	event->story.cookie = 0;
	event->story.state = 0;
	event->story.closed_by = 0;
	event->story.owner = (struct sf_task){ 0 };
	if (holder) {
		event->story.owner.tgid = holder->pid;
		event->story.owner.uid = holder->uid;
		event->story.owner.source = SF_OWNER_SRC_FD_SCAN;
		memcpy(event->story.owner.comm, holder->comm, SF_COMM_LEN);
	}
	*verdict = (struct sf_verdict){ .rule = &sf_rule_ports };
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (ids[i] != SF_EVIDENCE_PORTS_REUSABLE || values[i])
			verdict->evidence[verdict->nr_evidence++] =
				(struct sf_evidence){ .id = ids[i], .value = values[i] };
}

static bool run_out(const struct sf_watch *watch, const struct sf_port_use *use)
{
	uint64_t nr_taken = use->nr_range - use->nr_free;

	return nr_taken * 100 >= (uint64_t)use->nr_range * watch->options->thresholds.ports_pct;
}

/* Keeps of all destinations those whose ports run out. */
static int find_ports(const struct sf_watch *watch, struct sf_watch_look *look)
{
	_cleanup_(sf_freep) struct sf_port_use *uses = NULL;
	size_t nr, kept = 0;
	int r = sf_ports_count(&look->snap, &uses, &nr);

	free(look->ports);
	look->ports = NULL;
	look->nr_ports = 0;
	if (r)
		return r;
	for (size_t i = 0; i < nr; i++) {
		struct sf_verdict verdict;
		struct sf_event event;
		struct sf_sock sock;

		if (!run_out(watch, &uses[i]))
			continue;
		fill_ports(&look->snap, &uses[i], &sock, &event, &verdict);
		if (sf_filter_match(watch->filter, &event, event.time_ns))
			uses[kept++] = uses[i];
	}
	look->ports = TAKE_PTR(uses);
	look->nr_ports = kept;
	return 0;
}

static void hand_over_port(struct taker *taker, const struct sf_watch_look *look,
			   const struct sf_port_use *use, enum sf_stuck_change change)
{
	const struct sf_holder *holder = holder_of(&look->snap, use->pid);
	struct sf_verdict verdict;
	struct sf_event event;
	struct sf_sock sock;
	struct sf_case c = { .sock = &sock, .hz = look->snap.hz };
	struct sf_line line = { .event = &event,
				.realtime_offset_ns = taker->watch->realtime_offset_ns,
				.host = taker->watch->host };
	struct sf_stuck_view view = { .line = &line,
				      .c = &c,
				      .verdict = &verdict,
				      .holders = holder,
				      .nr_holders = holder ? 1 : 0,
				      .change = change };

	fill_ports(&look->snap, use, &sock, &event, &verdict);
	if (holder)
		c.who = (struct sf_who){ .comm = holder->comm,
					 .pid = holder->pid,
					 .nr_processes = 1 };
	c.is_elsewhere = sock.netns != look->snap.own_netns;
	sf_advice(verdict.rule, &c, verdict.advice, sizeof(verdict.advice));
	taker->is_full = !taker->fn(taker->ctx, &line, &view);
}

static bool has_port(const struct sf_watch_look *look, const struct sf_port_use *use)
{
	for (size_t i = 0; i < look->nr_ports; i++)
		if (sf_ports_is_same(&look->ports[i], use))
			return true;
	return false;
}

/* ---- what has changed ---- */

static int compare_keys(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t *sorted_keys(const struct sf_findings *found)
{
	uint64_t *keys = calloc(found->nr + 1, sizeof(*keys));

	for (size_t i = 0; keys && i < found->nr; i++)
		keys[i] = found->all[i].key;
	if (keys)
		qsort(keys, found->nr, sizeof(*keys), compare_keys);
	return keys;
}

static int note_change(struct sf_watch *watch, size_t at, bool is_port, bool has_ended)
{
	if (watch->nr_changes == watch->change_slots) {
		size_t slots = watch->change_slots ? watch->change_slots * 2 : 64;
		struct sf_watch_change *grown = reallocarray(watch->changes, slots, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		watch->changes = grown;
		watch->change_slots = slots;
	}
	watch->changes[watch->nr_changes++] = (struct sf_watch_change){ .at = (uint32_t)at,
									.is_port = is_port,
									.has_ended = has_ended };
	return 0;
}

/* Those of one look that are not in the other. */
static int note_missing(struct sf_watch *watch, const struct sf_watch_look *from,
			const struct sf_watch_look *in, bool has_ended)
{
	_cleanup_(sf_freep) uint64_t *keys = sorted_keys(&in->found);
	int r = keys ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < from->found.nr; i++) {
		const struct sf_finding *finding = &from->found.all[i];

		if (is_wanted(watch, finding) &&
		    !bsearch(&finding->key, keys, in->found.nr, sizeof(*keys), compare_keys))
			r = note_change(watch, i, false, has_ended);
	}
	for (size_t i = 0; !r && i < from->nr_ports; i++)
		if (!has_port(in, &from->ports[i]))
			r = note_change(watch, i, true, has_ended);
	return r;
}

static int note_changes(struct sf_watch *watch, const struct sf_watch_look *now)
{
	const struct sf_watch_look *before = sf_watch_last(watch);
	int r = note_missing(watch, before, now, true);

	return r ? r : note_missing(watch, now, before, false);
}

size_t sf_watch_changes(const struct sf_watch *watch, size_t from, size_t nr_max, sf_watch_fn fn,
			void *ctx)
{
	const struct sf_watch_look *last = sf_watch_last(watch), *before = before_last(watch);
	struct taker taker = { .watch = watch, .fn = fn, .ctx = ctx };
	size_t i = from, end = from + sf_min_size(nr_max, watch->nr_changes - from);

	for (; i < end && !taker.is_full; i++) {
		const struct sf_watch_change *one = &watch->changes[i];
		const struct sf_watch_look *look = one->has_ended ? before : last;
		enum sf_stuck_change change = one->has_ended ? SF_STUCK_ENDED : SF_STUCK_BEGUN;

		if (one->is_port)
			hand_over_port(&taker, look, &look->ports[one->at], change);
		else
			hand_over(&taker, look, &look->found.all[one->at], change);
	}
	return i;
}

/* ---- looks ---- */

static void count_rules(struct sf_watch *watch, const struct sf_findings *found)
{
	memset(watch->nr_by_rule, 0, sizeof(watch->nr_by_rule));
	for (size_t i = 0; i < found->nr; i++)
		if (found->all[i].rule_nr < SF_STUCK_RULES_MAX)
			watch->nr_by_rule[found->all[i].rule_nr]++;
}

int sf_watch_take(struct sf_watch *watch)
{
	struct sf_watch_look *look = &watch->looks[watch->nr_looks % 2];
	const struct sf_findings *before = watch->nr_looks ? &sf_watch_last(watch)->found : NULL;
	int r = sf_snapper_take(watch->snapper, &look->snap);

	sf_findings_clear(&look->found);
	look->nr_ports = 0;
	watch->nr_changes = 0;
	if (r)
		return r;
	watch->realtime_offset_ns = sf_realtime_offset_ns();
	r = sf_find(&look->snap, watch->filter, &watch->options->thresholds, before, &look->found);
	if (!r && !before && watch->options->is_watch)
		r = sf_find_remember(&look->snap, NULL, &look->found);
	if (!r)
		r = find_ports(watch, look);
	if (!r && watch->options->is_watch)
		r = note_changes(watch, look);
	if (r) {
		watch->nr_changes = 0;
		return r;
	}
	count_rules(watch, &look->found);
	watch->nr_looks++;
	return 0;
}

static void add_count(const struct sf_rule *rule, uint64_t nr, struct sf_stuck_count *ret,
		      size_t *ret_nr)
{
	if (!rule->is_notice && *ret_nr < SF_STUCK_RULES_MAX)
		ret[(*ret_nr)++] = (struct sf_stuck_count){ .rule = rule->name,
							    .blame = sf_blame_name(rule->blame),
							    .nr = nr };
}

size_t sf_watch_counts(const struct sf_watch *watch, struct sf_stuck_count *ret)
{
	const struct sf_rule *rule;
	size_t nr = 0;

	for (size_t i = 0; (rule = sf_rule_at(i)) && i < SF_STUCK_RULES_MAX; i++)
		add_count(rule, watch->nr_by_rule[i], ret, &nr);
	add_count(&sf_rule_ports, sf_watch_last(watch)->nr_ports, ret, &nr);
	return nr;
}

void sf_watch_now(const struct sf_watch *watch, sf_watch_fn fn, void *ctx)
{
	const struct sf_watch_look *look = sf_watch_last(watch);
	struct taker taker = { .watch = watch, .fn = fn, .ctx = ctx };

	for (size_t i = 0; i < look->found.nr && !taker.is_full; i++) {
		const struct sf_finding *finding = &look->found.all[i];

		if (is_wanted(watch, finding) && (!watch->wants_groups || finding->is_first))
			hand_over(&taker, look, finding, SF_STUCK_NOW);
	}
	for (size_t i = 0; i < look->nr_ports && !taker.is_full; i++)
		hand_over_port(&taker, look, &look->ports[i], SF_STUCK_NOW);
}
