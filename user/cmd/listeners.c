// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * synfin listeners: every listening socket now, its queue and its limit; with
 * -d also what came in meanwhile and how long it waited for accept().
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/json.h"
#include "base/log.h"
#include "base/out.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/find.h"
#include "cmd/gather.h"
#include "cmd/held.h"
#include "cmd/take.h"
#include "filter/filter.h"
#include "kernel/snapshot.h"
#include "kernel/tracer.h"
#include "story/names.h"
#include "story/snapshot.h"
#include "story/story.h"
#include "view/fields.h"
#include "view/host.h"
#include "view/now.h"
#include "view/table.h"
#include "view/view.h"

#define OUT_BYTES (256 * 1024)

/* What happened on one listener while it was watched. */
struct watched {
	struct sf_histogram waits_us;
	uint64_t nr_arrived;
	uint32_t highest_queue;
	uint32_t drops_before;
	uint32_t syns_dropped; /* by place, as its story tells: since it has one */
	uint32_t acks_dropped;
	uint32_t half_open_expired;
	/* Others share its address, and of some connection it was not known whose it is. */
	bool misses_arrivals;
	bool misses_accepts;
};

struct watched_id {
	uint64_t id;	/* of its story */
	uint32_t place; /* in watched */
};

struct listeners {
	const struct sf_options *options;
	struct sf_filter *filter;
	struct sf_snapper *snapper;
	struct sf_host host;
	struct sf_out out;
	struct sf_table *table;
	struct sf_snapshot before; /* with -d */
	struct sf_snapshot now;
	struct watched *watched; /* per listener of before, by its place in before.listeners */
	struct watched_id *ids;	 /* of those whose story is known, sorted */
	size_t nr_ids;
	uint32_t *places; /* per socket of before: place + 1, 0 = no listener */
	struct sf_gathered gathered;
	int64_t realtime_offset_ns;
	uint64_t seq;
};

static const struct sf_table_column columns[] = {
	{ "ADDRESS", "server_address", false, false, false },
	{ "PORT", "server_port", true, true, false },
	{ "QUEUE", "accept_queue", true, false, false },
	{ "LIMIT", "listen_backlog", true, false, false },
	{ "SOMAXCONN", "somaxconn", true, true, false },
	{ "OLDEST", "oldest_wait_us", true, false, false },
	{ "HALF-OPEN", "half_open", true, false, false },
	{ "DROPS", "listener_drops", true, false, false },
	{ "DROPPED", "dropped_meanwhile", true, true, true },
	{ "SYN-DROP", "syns_dropped", true, false, true },
	{ "ACK-DROP", "acks_dropped", true, false, true },
	{ "EXPIRED", "half_open_expired", true, false, true },
	{ "HIGHEST", "accept_queue_highest", true, false, true },
	{ "ARRIVED", "arrived", true, false, true },
	{ "PER-S", "arrived_per_second", true, false, true },
	{ "WAIT-P50", "accept_wait_p50_us", true, false, true },
	{ "WAIT-P99", "accept_wait_p99_us", true, false, true },
	{ "NS-OVERFLOWS", "netns_listen_overflows", true, true, false },
	{ "NS-DROPS", "netns_listen_drops", true, true, false },
	{ "NETNS", "netns", true, true, false },
	{ "PROCESS", "process", false, false, false },
};

static int compare_ids(const void *a, const void *b)
{
	const struct watched_id *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The listener whose story this is, if it was there at the begin. */
static struct watched *watched_by_id(const struct listeners *l, uint64_t id)
{
	const struct watched_id key = { .id = id };
	const struct watched_id *found =
		bsearch(&key, l->ids, l->nr_ids, sizeof(*l->ids), compare_ids);

	return found ? &l->watched[found->place] : NULL;
}

/*
 * The listener of a connection, or whose own story it is. Where only the
 * address tells and several share it: NULL, and they have missed one.
 */
static struct watched *watched_of(struct listeners *l, const struct sf_story *s, bool is_arrival)
{
	uint64_t id = s->role == SF_ROLE_LISTENER ? s->id : s->listener_id;
	struct sf_end end = { .netns = s->netns, .bound_if = s->bound_if, .port = s->local_port };
	const struct sf_sock *listener;
	struct sf_listening listening;

	if (id && (watched_by_id(l, id) || s->role != SF_ROLE_LISTENER))
		return watched_by_id(l, id);
	memcpy(end.addr, s->local_addr, sizeof(end.addr));
	sf_snapshot_listening(&l->before, &end, &listening);
	for (size_t at = 0; (listener = sf_snapshot_next(&l->before, &listening, &at));) {
		struct watched *watched = &l->watched[l->places[listener - l->before.socks] - 1];

		if (listening.one)
			return watched;
		watched->misses_arrivals |= is_arrival;
		watched->misses_accepts |= !is_arrival;
	}
	return NULL;
}

static void note_queue(struct watched *watched, uint32_t length)
{
	if (length > watched->highest_queue)
		watched->highest_queue = length;
}

/* Its own story's counts; the last event has the highest. */
static void on_drops(struct listeners *l, const struct sf_story *s)
{
	struct watched *watched = watched_by_id(l, s->id);

	if (!watched)
		return;
	if (s->flags & SF_F_QUEUE_KNOWN)
		note_queue(watched, s->accept_queue);
	watched->syns_dropped = s->syns_dropped;
	watched->acks_dropped = s->acks_dropped;
	watched->half_open_expired = s->half_open_expired;
}

static void on_event(void *ctx, const struct sf_event *event)
{
	struct listeners *l = ctx;
	const struct sf_story *s = &event->story;
	struct watched *watched;
	uint64_t wait_ns;

	if (event->kind == SF_EV_LISTEN_OVERFLOW) {
		on_drops(l, s);
		return;
	}
	if (s->role != SF_ROLE_SERVER || !(s->flags & SF_F_TUPLE_KNOWN))
		return;
	watched = watched_of(l, s, event->kind == SF_EV_ESTABLISHED);
	if (!watched)
		return;
	if (event->kind == SF_EV_ESTABLISHED) {
		watched->nr_arrived++;
		return;
	}
	/* It is told as accept() left it, and who was taken had stood in it. */
	note_queue(watched, (s->flags & SF_F_QUEUE_KNOWN ? s->accept_queue : 0) + 1);
	if (sf_story_accept_wait_ns(s, &wait_ns))
		sf_histogram_add(&watched->waits_us, wait_ns / 1000);
}

static bool is_same_place(const struct sf_sock *a, const struct sf_sock *b)
{
	return a->netns == b->netns && a->local_port == b->local_port &&
	       !memcmp(a->local_addr, b->local_addr, 16);
}

static int begin_watch(struct listeners *l)
{
	const struct sf_snapshot *snap = &l->before;

	l->watched = calloc(snap->nr_listeners + 1, sizeof(*l->watched));
	l->places = calloc(snap->nr_socks + 1, sizeof(*l->places));
	l->ids = calloc(snap->nr_listeners + 1, sizeof(*l->ids));
	if (!l->watched || !l->places || !l->ids)
		return sf_err(SF_EXIT_FAILURE, "cannot watch: %s", strerror(ENOMEM));
	for (size_t i = 0; i < snap->nr_listeners; i++) {
		const struct sf_sock *s = &snap->socks[snap->listeners[i]];

		l->places[snap->listeners[i]] = (uint32_t)i + 1;
		l->watched[i].highest_queue = s->accept_queue;
		l->watched[i].drops_before = s->drops;
	}
	return SF_EXIT_OK;
}

/* The stories that the kernel side has given the listeners that are there. */
static void on_seeded(void *ctx, const struct sf_tracer *tracer)
{
	struct listeners *l = ctx;
	const struct sf_snapshot *snap = &l->before;

	for (size_t i = 0; i < snap->nr_listeners; i++) {
		const struct sf_sock *s = &snap->socks[snap->listeners[i]];
		struct sf_story story;

		/* Its address may be another's by now. */
		if (sf_tracer_story(tracer, s->sk, &story) || story.role != SF_ROLE_LISTENER ||
		    story.netns != s->netns || story.local_port != s->local_port ||
		    memcmp(story.local_addr, s->local_addr, 16) ||
		    (s->cookie && story.cookie && s->cookie != story.cookie))
			continue;
		l->ids[l->nr_ids++] = (struct watched_id){ .id = story.id, .place = (uint32_t)i };
	}
	if (l->nr_ids)
		qsort(l->ids, l->nr_ids, sizeof(*l->ids), compare_ids);
}

static int watch(struct listeners *l)
{
	static const struct sf_gather_calls calls = { .event = on_event, .seeded = on_seeded };
	int r = sf_take(l->snapper, &l->before);

	if (!r)
		r = begin_watch(l);
	if (!r)
		r = sf_gather(l->options,
			      1U << SF_EV_ESTABLISHED | 1U << SF_EV_ACCEPT |
				      1U << SF_EV_LISTEN_OVERFLOW,
			      &calls, l, &l->gathered);
	return r;
}

static const struct watched *find_watched(const struct listeners *l, const struct sf_sock *s)
{
	for (size_t i = 0; l->watched && i < l->before.nr_listeners; i++) {
		const struct sf_sock *old = &l->before.socks[l->before.listeners[i]];

		if (old->sk == s->sk && is_same_place(old, s))
			return &l->watched[i];
	}
	return NULL;
}

static void cell_u64(struct sf_table *table, bool is_known, uint64_t value)
{
	if (is_known)
		sf_table_cell(table, "%" PRIu64, value);
	else
		sf_table_cell(table, "%s", "");
}

/* A duration: microseconds in CSV. */
static void cell_time(struct listeners *l, bool is_known, uint64_t us)
{
	char buf[SF_TIME_STRLEN];

	if (is_known && l->options->format != SF_FORMAT_CSV)
		sf_table_cell(l->table, "%s", sf_duration_format(us * 1000, buf));
	else
		cell_u64(l->table, is_known, us);
}

static void add_ends(struct listeners *l, const struct sf_sock *s)
{
	char buf[SF_ENDPOINT_STRLEN];

	if (l->options->format == SF_FORMAT_CSV)
		sf_table_cell(l->table, "%s", sf_addr_format(s->local_addr, buf));
	else
		sf_table_cell(l->table, "%s",
			      sf_endpoint_format(s->local_addr, s->local_port, buf));
	cell_u64(l->table, true, s->local_port);
}

/* False if it was not watched. */
static bool sum_up(const struct listeners *l, const struct sf_sock *s,
		   struct sf_listener_watch *ret)
{
	const struct watched *w = find_watched(l, s);
	const struct sf_gathered *g = &l->gathered;
	uint64_t watched_us = g->ns / 1000;

	if (!w || !watched_us)
		return false;
	*ret = (struct sf_listener_watch){
		.watched_us = watched_us,
		.has_syn_drops = g->is_whole && g->tells_syn_drops,
		.has_ack_drops = g->is_whole && g->tells_ack_drops,
		.has_half_open = g->is_whole && g->tells_half_open,
		.syns_dropped = w->syns_dropped,
		.acks_dropped = w->acks_dropped,
		.half_open_expired = w->half_open_expired,
		.has_arrived = g->is_whole && !w->misses_arrivals,
		.has_highest = g->is_whole && g->tells_queues && !w->misses_accepts,
		.nr_arrived = w->nr_arrived,
		.arrived_per_second = (w->nr_arrived * 1000000 + watched_us / 2) / watched_us,
		.nr_dropped = s->drops >= w->drops_before ? s->drops - w->drops_before : 0,
		.highest_queue = s->accept_queue > w->highest_queue ? s->accept_queue :
								      w->highest_queue,
	};
	ret->has_waits = g->is_whole && !w->misses_accepts &&
			 sf_histogram_percentile(&w->waits_us, 50, &ret->wait_p50_us) &&
			 sf_histogram_percentile(&w->waits_us, 99, &ret->wait_p99_us);
	return true;
}

static void add_row(struct listeners *l, const struct sf_listener_view *view)
{
	const struct sf_holders holders = sf_snapshot_holders(&l->now, view->sock);
	const struct sf_listener_watch *w = view->watch;
	const struct sf_netns *ns = view->netns;
	const struct sf_sock *s = view->sock;
	bool has_waits = w && w->has_waits;
	char held[SF_HELD_STRLEN];

	add_ends(l, s);
	cell_u64(l->table, true, s->accept_queue);
	cell_u64(l->table, true, s->backlog);
	cell_u64(l->table, ns && ns->has_somaxconn, ns ? ns->somaxconn : 0);
	cell_time(l, view->oldest_wait_us, view->oldest_wait_us);
	cell_u64(l->table, true, s->half_open);
	cell_u64(l->table, true, s->drops);
	cell_u64(l->table, w, w ? w->nr_dropped : 0);
	cell_u64(l->table, w && w->has_syn_drops, w ? w->syns_dropped : 0);
	cell_u64(l->table, w && w->has_ack_drops, w ? w->acks_dropped : 0);
	cell_u64(l->table, w && w->has_half_open, w ? w->half_open_expired : 0);
	cell_u64(l->table, w && w->has_highest, w ? w->highest_queue : 0);
	cell_u64(l->table, w && w->has_arrived, w ? w->nr_arrived : 0);
	cell_u64(l->table, w && w->has_arrived, w ? w->arrived_per_second : 0);
	cell_time(l, has_waits, has_waits ? w->wait_p50_us : 0);
	cell_time(l, has_waits, has_waits ? w->wait_p99_us : 0);
	cell_u64(l->table, ns && ns->has_overflows, ns ? ns->listen_overflows : 0);
	cell_u64(l->table, ns && ns->has_overflows, ns ? ns->listen_drops : 0);
	cell_u64(l->table, true, s->netns);
	sf_table_cell(l->table, "%s", sf_held_text(&holders, held));
}

static void write_json(struct listeners *l, const struct sf_listener_view *view,
		       const struct sf_event *event)
{
	char *room = sf_out_reserve(&l->out, SF_VIEW_LINE_MAX);
	struct sf_line line = { .event = event,
				.seq = ++l->seq,
				.realtime_offset_ns = l->realtime_offset_ns,
				.host = &l->host };
	struct sf_json j;

	if (!room)
		return;
	sf_json_init(&j, room, SF_VIEW_LINE_MAX - 1);
	sf_fields_listener(&j, &line, view);
	room[j.len] = '\n';
	sf_out_commit(&l->out, j.overflow ? 0 : j.len + 1);
}

static void show(struct listeners *l, const struct sf_findings *found, uint32_t sock)
{
	const struct sf_snapshot *snap = &l->now;
	struct sf_listener_watch watch;
	struct sf_listener_view view = { .sock = &snap->socks[sock] };
	struct sf_holders holders = sf_snapshot_holders(snap, view.sock);
	struct sf_event event;
	struct sf_case c;

	sf_find_case(snap, found, sock, &c);
	sf_find_event(snap, sock, &event);
	event.kind = SF_EV_NONE;
	view.netns = sf_snapshot_netns(snap, view.sock->netns);
	view.holders = holders.first;
	view.nr_holders = holders.nr;
	view.oldest_wait_us = c.is_wait_minimum ? 0 : c.oldest_wait_ms * 1000;
	if (sum_up(l, view.sock, &watch))
		view.watch = &watch;
	if (l->options->format == SF_FORMAT_JSON)
		write_json(l, &view, &event);
	else
		add_row(l, &view);
}

/* A row for each, in the order of ports. Returns how many there were. */
static size_t show_all(struct listeners *l, const struct sf_findings *found)
{
	const struct sf_snapshot *snap = &l->now;
	size_t nr_shown = 0;

	for (size_t i = 0; i < snap->nr_listeners; i++) {
		if (l->options->count && nr_shown >= l->options->count)
			break;
		if (!sf_find_passes(snap, l->filter, snap->listeners[i]))
			continue;
		show(l, found, snap->listeners[i]);
		nr_shown++;
	}
	return nr_shown;
}

static int write_table(struct listeners *l)
{
	const struct sf_options *options = l->options;

	if (options->format == SF_FORMAT_JSON)
		return 0;
	if (options->format == SF_FORMAT_CSV)
		return sf_table_write_csv(l->table, &l->out, !options->no_header);
	return sf_table_write(l->table, &l->out, options->format == SF_FORMAT_WIDE,
			      !options->no_header);
}

static int look(struct listeners *l)
{
	struct sf_findings found = { 0 };
	struct sf_thresholds never;
	size_t nr_shown;
	int r = sf_take(l->snapper, &l->now);

	if (r)
		return r;
	memset(&never, 0xff, sizeof(never));
	l->realtime_offset_ns = sf_realtime_offset_ns();
	r = sf_find(&l->now, l->filter, &never, NULL, &found);
	if (!r)
		r = sf_table_new(columns, ARRAY_SIZE(columns), &l->table);
	if (!r) {
		nr_shown = show_all(l, &found);
		r = write_table(l);
		if (!r)
			r = sf_out_flush(&l->out);
	}
	sf_findings_clear(&found);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot show them: %s", strerror(-r));
	sf_notice("%zu listening sockets in %zu network namespaces", nr_shown, l->now.nr_netns);
	return SF_EXIT_OK;
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	struct listeners l = { .options = options };
	int r = sf_take_filter(options, argc, argv, &l.filter);

	if (!r)
		r = sf_take_start(options, &l.snapper);
	if (!r && sf_out_init(&l.out, STDOUT_FILENO, OUT_BYTES))
		r = sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(ENOMEM));
	if (!r)
		sf_host_read(&l.host, "");
	if (!r && options->duration_ns)
		r = watch(&l);
	if (!r)
		r = look(&l);
	sf_snapshot_clear(&l.before);
	sf_snapshot_clear(&l.now);
	sf_snapper_free(l.snapper);
	sf_table_free(l.table);
	sf_out_free(&l.out);
	sf_filter_free(l.filter);
	free(l.watched);
	free(l.places);
	free(l.ids);
	return r;
}

const struct sf_cmd sf_cmd_listeners = {
	.name = "listeners",
	.summary = "every listening socket: queue, limit, who holds it; -d watches",
	.run = run,
};
