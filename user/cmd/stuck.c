// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * synfin stuck: what makes no progress now, since when, whose fault, what to
 * do. One look, or with --watch one every --interval, told when something gets
 * stuck and when it is over.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/out.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/find.h"
#include "cmd/signals.h"
#include "cmd/take.h"
#include "filter/filter.h"
#include "kernel/snapshot.h"
#include "story/ports.h"
#include "story/snapshot.h"
#include "story/story.h"
#include "view/fields.h"
#include "view/host.h"
#include "view/stuck.h"
#include "view/view.h"

#define OUT_BYTES (256 * 1024)

/* One look at the host. */
struct look {
	struct sf_snapshot snap;
	struct sf_findings found;
	struct sf_port_use *ports; /* destinations whose ports run out, that the filter lets pass */
	size_t nr_ports;
};

struct stuck {
	const struct sf_options *options;
	struct sf_filter *filter;
	struct sf_snapper *snapper;
	struct sf_host host;
	struct sf_out out;
	struct look looks[2]; /* the last two */
	int64_t realtime_offset_ns;
	uint64_t seq;
	uint64_t nr_shown;
	uint64_t nr_stuck; /* in all looks, without notices */
};

static void write_line(struct stuck *stuck, const struct sf_stuck_view *view)
{
	bool is_json = stuck->options->format == SF_FORMAT_JSON;
	char *room = sf_out_reserve(&stuck->out, SF_VIEW_LINE_MAX);
	struct sf_json json;

	stuck->nr_shown++;
	if (!room)
		return; /* latched in out */
	if (!is_json) {
		sf_out_commit(&stuck->out, sf_stuck_draw(view, room, SF_STUCK_TEXT_MAX));
		return;
	}
	sf_json_init(&json, room, SF_VIEW_LINE_MAX - 1);
	sf_fields_stuck(&json, view);
	if (json.overflow)
		return;
	room[json.len] = '\n';
	sf_out_commit(&stuck->out, json.len + 1);
}

static bool is_full(const struct stuck *stuck)
{
	return stuck->out.err || sf_out_is_closed(&stuck->out) ||
	       (stuck->options->count && stuck->nr_shown >= stuck->options->count);
}

static void show(struct stuck *stuck, const struct look *look, const struct sf_finding *finding,
		 enum sf_stuck_change change)
{
	const struct sf_snapshot *snap = &look->snap;
	bool is_grouped = stuck->options->format == SF_FORMAT_TABLE && change == SF_STUCK_NOW;
	struct sf_verdict verdict;
	struct sf_event event, peer;
	struct sf_case c;
	struct sf_line line = { .event = &event,
				.realtime_offset_ns = stuck->realtime_offset_ns,
				.host = &stuck->host };
	struct sf_stuck_view view = { .line = &line,
				      .c = &c,
				      .verdict = &verdict,
				      .change = change,
				      .nr_more = is_grouped ? finding->nr_more : 0 };
	struct sf_holders holders;

	sf_find_case(snap, &look->found, finding->sock, &c);
	sf_find_event(snap, finding->sock, &event);
	if (!sf_diagnose(&c, &stuck->options->thresholds, &verdict))
		return;
	line.seq = ++stuck->seq;
	holders = sf_snapshot_holders(snap, c.sock);
	view.holders = holders.first;
	view.nr_holders = holders.nr;
	if (c.peer) {
		sf_find_event(snap, (uint32_t)(c.peer - snap->socks), &peer);
		line.peer = &peer;
	}
	write_line(stuck, &view);
}

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
					    SF_EVIDENCE_PORTS_FREE };
	const struct sf_holder *holder = holder_of(snap, use->pid);
	const uint64_t values[] = { use->nr_used, use->nr_time_wait, use->nr_free };

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
		verdict->evidence[verdict->nr_evidence++] =
			(struct sf_evidence){ .id = ids[i], .value = values[i] };
}

static bool run_out(const struct stuck *stuck, const struct sf_port_use *use)
{
	return (uint64_t)use->nr_used * 100 >=
	       (uint64_t)use->nr_range * stuck->options->thresholds.ports_pct;
}

/* Keeps of all destinations those whose ports run out. */
static int find_ports(const struct stuck *stuck, struct look *look)
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

		if (!run_out(stuck, &uses[i]))
			continue;
		fill_ports(&look->snap, &uses[i], &sock, &event, &verdict);
		if (sf_filter_match(stuck->filter, &event, event.time_ns))
			uses[kept++] = uses[i];
	}
	look->ports = TAKE_PTR(uses);
	look->nr_ports = kept;
	return 0;
}

static void show_port(struct stuck *stuck, const struct look *look, const struct sf_port_use *use,
		      enum sf_stuck_change change)
{
	const struct sf_holder *holder = holder_of(&look->snap, use->pid);
	struct sf_verdict verdict;
	struct sf_event event;
	struct sf_sock sock;
	struct sf_case c = { .sock = &sock, .hz = look->snap.hz };
	struct sf_line line = { .event = &event,
				.realtime_offset_ns = stuck->realtime_offset_ns,
				.host = &stuck->host };
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
	line.seq = ++stuck->seq;
	stuck->nr_stuck += change != SF_STUCK_ENDED;
	write_line(stuck, &view);
}

static bool has_port(const struct look *look, const struct sf_port_use *use)
{
	for (size_t i = 0; i < look->nr_ports; i++)
		if (sf_ports_is_same(&look->ports[i], use))
			return true;
	return false;
}

/* Destinations of one look that are not in the other. in: NULL for all of them. */
static void show_ports(struct stuck *stuck, const struct look *from, const struct look *in,
		       enum sf_stuck_change change)
{
	for (size_t i = 0; i < from->nr_ports && !is_full(stuck); i++)
		if (!in || !has_port(in, &from->ports[i]))
			show_port(stuck, from, &from->ports[i], change);
}

static int take_look(struct stuck *stuck, const struct look *before, struct look *ret)
{
	int r = sf_take(stuck->snapper, &ret->snap);

	if (r)
		return r;
	sf_findings_clear(&ret->found);
	stuck->realtime_offset_ns = sf_realtime_offset_ns();
	r = sf_find(&ret->snap, stuck->filter, &stuck->options->thresholds,
		    before ? &before->found : NULL, &ret->found);
	if (!r && !before && stuck->options->is_watch)
		r = sf_find_remember(&ret->snap, NULL, &ret->found);
	if (!r)
		r = find_ports(stuck, ret);
	return r ? sf_err(SF_EXIT_FAILURE, "cannot diagnose: %s", strerror(-r)) : SF_EXIT_OK;
}

/* Notices are many: a person has to ask for them. */
static bool is_wanted(const struct stuck *stuck, const struct sf_finding *finding)
{
	return !finding->is_notice || stuck->options->verbose ||
	       stuck->options->format == SF_FORMAT_JSON;
}

/* In tables a group is told by its oldest; elsewhere each is told. */
static void show_all(struct stuck *stuck, const struct look *look)
{
	for (size_t i = 0; i < look->found.nr && !is_full(stuck); i++) {
		const struct sf_finding *finding = &look->found.all[i];

		if (is_wanted(stuck, finding) &&
		    (stuck->options->format != SF_FORMAT_TABLE || finding->is_first))
			show(stuck, look, finding, SF_STUCK_NOW);
	}
	stuck->nr_stuck += look->found.nr_stuck;
	show_ports(stuck, look, NULL, SF_STUCK_NOW);
}

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

/* Those of one look that are not in the other. */
static int show_missing(struct stuck *stuck, const struct look *from, const struct look *in,
			enum sf_stuck_change change)
{
	_cleanup_(sf_freep) uint64_t *keys = sorted_keys(&in->found);

	if (!keys)
		return sf_err(SF_EXIT_FAILURE, "cannot compare: %s", strerror(ENOMEM));
	for (size_t i = 0; i < from->found.nr && !is_full(stuck); i++) {
		const struct sf_finding *finding = &from->found.all[i];

		if (!is_wanted(stuck, finding) ||
		    bsearch(&finding->key, keys, in->found.nr, sizeof(*keys), compare_keys))
			continue;
		stuck->nr_stuck += change == SF_STUCK_BEGUN && !finding->is_notice;
		show(stuck, from, finding, change);
	}
	show_ports(stuck, from, in, change);
	return SF_EXIT_OK;
}

/* Until the next look, or a signal. */
static void wait_for_next(int signal_fd, uint64_t next_ns)
{
	struct pollfd fds = { .fd = signal_fd, .events = POLLIN };
	uint64_t now_ns = sf_boottime_ns();

	while (now_ns < next_ns && !sf_signals_stop()) {
		poll(&fds, 1, (int)sf_min_u64((next_ns - now_ns) / 1000000 + 1, 1000));
		now_ns = sf_boottime_ns();
	}
}

static int watch(struct stuck *stuck)
{
	const struct sf_options *options = stuck->options;
	uint64_t begin_ns = sf_boottime_ns(), next_ns = begin_ns;
	const struct look none = { 0 };
	const struct look *before = &none;
	int r, signal_fd = sf_signals_init();

	if (signal_fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(-signal_fd));
	for (unsigned int i = 0;; i++) {
		struct look *now = &stuck->looks[i % 2];

		r = take_look(stuck, i ? before : NULL, now);
		if (!r)
			r = show_missing(stuck, before, now, SF_STUCK_ENDED);
		if (!r)
			r = show_missing(stuck, now, before, SF_STUCK_BEGUN);
		sf_out_flush(&stuck->out);
		before = now;
		next_ns += options->interval_ns;
		if (r || is_full(stuck) || sf_signals_stop() ||
		    (options->duration_ns && next_ns - begin_ns > options->duration_ns))
			return r;
		wait_for_next(signal_fd, next_ns);
		if (sf_signals_stop())
			return r;
	}
}

static void print_summary(const struct stuck *stuck)
{
	const struct look *look = &stuck->looks[0];

	if (stuck->options->is_watch)
		return;
	sf_notice("%zu sockets in %zu network namespaces looked at: %" PRIu64
		  " stuck, %zu notices%s",
		  look->snap.nr_socks, look->snap.nr_netns, stuck->nr_stuck,
		  look->found.nr - look->found.nr_stuck,
		  stuck->options->verbose || look->found.nr == look->found.nr_stuck ?
			  "" :
			  " (-v shows them)");
}

static int finish(struct stuck *stuck, int r)
{
	if (r)
		return r;
	if (sf_out_flush(&stuck->out) && !sf_out_is_closed(&stuck->out))
		return sf_err(SF_EXIT_FAILURE, "cannot write to standard output: %s",
			      strerror(-stuck->out.err));
	print_summary(stuck);
	return stuck->nr_stuck ? SF_EXIT_STUCK : SF_EXIT_OK;
}

static int run_started(struct stuck *stuck)
{
	int r;

	if (stuck->options->is_watch)
		return finish(stuck, watch(stuck));
	r = take_look(stuck, NULL, &stuck->looks[0]);
	if (!r)
		show_all(stuck, &stuck->looks[0]);
	return finish(stuck, r);
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	struct stuck stuck = { .options = options };
	int r;

	if (options->format == SF_FORMAT_CSV)
		return sf_err(SF_EXIT_USAGE, "stuck writes no csv: take -o table, wide or json");
	r = sf_take_filter(options, argc, argv, &stuck.filter);
	if (!r)
		r = sf_take_start(options, &stuck.snapper);
	if (!r && sf_out_init(&stuck.out, STDOUT_FILENO, OUT_BYTES))
		r = sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(ENOMEM));
	if (!r) {
		sf_host_read(&stuck.host, "");
		r = run_started(&stuck);
	}
	for (size_t i = 0; i < ARRAY_SIZE(stuck.looks); i++) {
		sf_findings_clear(&stuck.looks[i].found);
		sf_snapshot_clear(&stuck.looks[i].snap);
		free(stuck.looks[i].ports);
	}
	sf_snapper_free(stuck.snapper);
	sf_out_free(&stuck.out);
	sf_filter_free(stuck.filter);
	return r;
}

const struct sf_cmd sf_cmd_stuck = {
	.name = "stuck",
	.summary = "what makes no progress now, since when, whose fault, what to do",
	.run = run,
};
