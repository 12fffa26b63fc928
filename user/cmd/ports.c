// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * synfin ports: how many local ports each destination takes, and how many the
 * kernel can still choose; with -d how fast they are taken, and when none is left.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/out.h"
#include "base/text.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/find.h"
#include "cmd/gather.h"
#include "cmd/take.h"
#include "filter/filter.h"
#include "kernel/snapshot.h"
#include "story/ports.h"
#include "story/snapshot.h"
#include "story/story.h"
#include "view/fields.h"
#include "view/host.h"
#include "view/now.h"
#include "view/table.h"
#include "view/view.h"

#define OUT_BYTES (256 * 1024)
#define MAX_DESTINATIONS 65536 /* counted while watching; a power of two */

/* Calls to one destination while it was watched. */
struct calls {
	uint8_t local_addr[16];
	uint8_t peer_addr[16];
	uint32_t netns;
	uint32_t nr; /* that opened or failed */
	uint32_t nr_no_port;
	uint16_t peer_port;
	struct sf_task user; /* who called last */
};

struct ports {
	const struct sf_options *options;
	struct sf_filter *filter;
	struct sf_snapper *snapper;
	struct sf_host host;
	struct sf_out out;
	struct sf_table *table;
	struct sf_snapshot snap;
	struct sf_port_use *before; /* with -d: how it was at the begin */
	size_t nr_before;
	uint64_t before_ns;  /* CLOCK_BOOTTIME */
	struct calls *calls; /* hash table, MAX_DESTINATIONS slots */
	size_t nr_calls;
	uint64_t nr_uncounted; /* the table was full */
	uint64_t nr_no_port;   /* connect() that found no free port, behind the filter */
	struct sf_gathered gathered;
	int64_t realtime_offset_ns;
	uint64_t seq;
};

static const struct sf_table_column columns[] = {
	{ "FROM", "network_local_address", false, false, false },
	{ "TO", "network_peer_address", false, false, false },
	{ "PORT", "network_peer_port", true, true, false },
	{ "USED", "ports_used", true, false, false },
	{ "TIME-WAIT", "ports_time_wait", true, false, false },
	{ "FREE", "ports_free", true, false, false },
	{ "RANGE", "ports_range", true, false, false },
	{ "CALLS", "calls", true, false, true },
	{ "CALLS/S", "calls_per_second", true, false, true },
	{ "NO-PORT", "no_port_failures", true, false, true },
	{ "NONE-LEFT-IN", "ports_exhausted_in_us", true, false, true },
	{ "NETNS", "netns", true, true, false },
	{ "PROCESS", "process", false, false, false },
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

static struct calls *slot_of(const struct ports *p, const struct calls *wanted)
{
	uint64_t words[4], hash = mix(wanted->netns, wanted->peer_port);
	size_t slot;

	memcpy(words, wanted->local_addr, 16);
	memcpy(words + 2, wanted->peer_addr, 16);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		hash = mix(hash, words[i]);
	for (slot = hash % MAX_DESTINATIONS; p->calls[slot].nr;
	     slot = (slot + 1) % MAX_DESTINATIONS) {
		const struct calls *at = &p->calls[slot];

		if (at->netns == wanted->netns && at->peer_port == wanted->peer_port &&
		    !memcmp(at->local_addr, wanted->local_addr, 16) &&
		    !memcmp(at->peer_addr, wanted->peer_addr, 16))
			break;
	}
	return &p->calls[slot];
}

static void on_event(void *ctx, const struct sf_event *event)
{
	const struct sf_story *s = &event->story;
	struct ports *p = ctx;
	struct calls one = { .netns = s->netns, .peer_port = s->peer_port, .nr = 1 };
	struct calls *slot;
	/* A bound pair of ports that is in use has that errno too, and another cause. */
	bool is_no_port = event->kind == SF_EV_FAILED && s->cause == SF_CAUSE_NO_PORT;

	p->nr_no_port += is_no_port && sf_filter_match(p->filter, event, event->time_ns);
	if (s->role != SF_ROLE_CLIENT || !(s->flags & SF_F_TUPLE_KNOWN))
		return;
	memcpy(one.local_addr, s->local_addr, 16);
	memcpy(one.peer_addr, s->peer_addr, 16);
	slot = slot_of(p, &one);
	if (slot->nr) {
		slot->nr++;
		slot->nr_no_port += is_no_port;
		slot->user = s->owner;
		return;
	}
	if (p->nr_calls >= MAX_DESTINATIONS / 2) {
		p->nr_uncounted++;
		return;
	}
	*slot = one;
	slot->nr_no_port = is_no_port;
	slot->user = s->owner;
	p->nr_calls++;
}

static int watch(struct ports *p)
{
	int r;

	p->calls = calloc(MAX_DESTINATIONS, sizeof(*p->calls));
	if (!p->calls)
		return sf_err(SF_EXIT_FAILURE, "cannot watch: %s", strerror(ENOMEM));
	r = sf_take(p->snapper, &p->snap);
	if (r)
		return r;
	if (sf_ports_count(&p->snap, &p->before, &p->nr_before))
		return sf_err(SF_EXIT_FAILURE, "cannot count ports: %s", strerror(ENOMEM));
	p->before_ns = p->snap.time_ns;
	r = sf_gather(p->options, 1U << SF_EV_ESTABLISHED | 1U << SF_EV_FAILED,
		      &(struct sf_gather_calls){ .event = on_event }, p, &p->gathered);
	if (!r && p->nr_uncounted)
		sf_warn("%" PRIu64 " connections were not counted: there are too many destinations",
			p->nr_uncounted);
	return r;
}

/* False if it was not watched, or not all was seen. */
static bool pace_of(const struct ports *p, const struct sf_port_use *use, struct sf_ports_pace *ret)
{
	struct calls wanted = { .netns = use->netns, .peer_port = use->peer_port };
	struct sf_ports_pace pace = { .watched_us = p->gathered.ns / 1000 };
	uint64_t between_us = (p->snap.time_ns - p->before_ns) / 1000;
	uint32_t free_before = use->nr_range;

	if (!p->calls || !pace.watched_us || !p->gathered.is_whole)
		return false;
	memcpy(wanted.local_addr, use->local_addr, 16);
	memcpy(wanted.peer_addr, use->peer_addr, 16);
	pace.nr_calls = slot_of(p, &wanted)->nr;
	pace.nr_no_port = slot_of(p, &wanted)->nr_no_port;
	pace.per_second = (pace.nr_calls * 1000000 + pace.watched_us / 2) / pace.watched_us;
	for (size_t i = 0; i < p->nr_before; i++)
		if (sf_ports_is_same(&p->before[i], use))
			free_before = p->before[i].nr_free;
	/* None is left already: then it does not matter that they get no fewer. */
	pace.has_left = !use->nr_free || use->nr_free < free_before;
	if (use->nr_free && pace.has_left)
		pace.left_us = use->nr_free * between_us / (free_before - use->nr_free);
	*ret = pace;
	return true;
}

/*
 * Who uses it most: of those that hold a socket; if none does, as all are in
 * TIME_WAIT, who called last while it was watched.
 */
static void fill_user(const struct ports *p, const struct sf_port_use *use, struct sf_task *ret)
{
	struct calls wanted = { .netns = use->netns, .peer_port = use->peer_port };

	*ret = (struct sf_task){ 0 };
	if (p->calls && !use->pid) {
		memcpy(wanted.local_addr, use->local_addr, 16);
		memcpy(wanted.peer_addr, use->peer_addr, 16);
		*ret = slot_of(p, &wanted)->user;
		return;
	}
	for (size_t i = 0; use->pid && i < p->snap.nr_holders; i++) {
		const struct sf_holder *holder = &p->snap.holders[i];

		if (holder->pid != use->pid)
			continue;
		ret->tgid = holder->pid;
		ret->uid = holder->uid;
		ret->source = SF_OWNER_SRC_FD_SCAN;
		memcpy(ret->comm, holder->comm, SF_COMM_LEN);
		return;
	}
}

static void cell_u64(struct sf_table *table, bool is_known, uint64_t value)
{
	if (is_known)
		sf_table_cell(table, "%" PRIu64, value);
	else
		sf_table_cell(table, "%s", "");
}

static void add_user(struct ports *p, const struct sf_task *user)
{
	char name[64];

	sf_text_safe(name, sizeof(name), user->comm, SF_COMM_LEN);
	if (user->tgid)
		sf_table_cell(p->table, "%" PRIu32 "/%s", user->tgid, name);
	else
		sf_table_cell(p->table, "%s", "");
}

static void add_row(struct ports *p, const struct sf_port_use *use, const struct sf_event *event)
{
	bool is_csv = p->options->format == SF_FORMAT_CSV;
	struct sf_ports_pace pace = { 0 };
	bool is_watched = pace_of(p, use, &pace);
	char text[SF_ENDPOINT_STRLEN], left[SF_TIME_STRLEN];

	sf_table_cell(p->table, "%s", sf_addr_format(use->local_addr, text));
	sf_table_cell(p->table, "%s",
		      is_csv ? sf_addr_format(use->peer_addr, text) :
			       sf_endpoint_format(use->peer_addr, use->peer_port, text));
	cell_u64(p->table, true, use->peer_port);
	cell_u64(p->table, true, use->nr_used);
	cell_u64(p->table, true, use->nr_time_wait);
	cell_u64(p->table, true, use->nr_free);
	cell_u64(p->table, true, use->nr_range);
	cell_u64(p->table, is_watched, pace.nr_calls);
	cell_u64(p->table, is_watched, pace.per_second);
	cell_u64(p->table, is_watched, pace.nr_no_port);
	if (is_csv || !pace.has_left)
		cell_u64(p->table, pace.has_left, pace.left_us);
	else
		sf_table_cell(p->table, "%s", sf_duration_format(pace.left_us * 1000, left));
	cell_u64(p->table, true, use->netns);
	add_user(p, &event->story.owner);
}

static void write_json(struct ports *p, const struct sf_port_use *use, const struct sf_event *event)
{
	char *room = sf_out_reserve(&p->out, SF_VIEW_LINE_MAX);
	struct sf_line line = { .event = event,
				.seq = ++p->seq,
				.realtime_offset_ns = p->realtime_offset_ns,
				.host = &p->host };
	struct sf_ports_pace pace;
	bool is_watched = pace_of(p, use, &pace);
	struct sf_json j;

	if (!room)
		return;
	sf_json_init(&j, room, SF_VIEW_LINE_MAX - 1);
	sf_fields_ports(&j, &line, use, is_watched ? &pace : NULL);
	room[j.len] = '\n';
	sf_out_commit(&p->out, j.overflow ? 0 : j.len + 1);
}

/* One of its connections stands for all: without what is its own. */
static void make_event(const struct ports *p, const struct sf_port_use *use, struct sf_event *ret)
{
	struct sf_story *s = &ret->story;

	sf_find_event(&p->snap, use->sock, ret);
	ret->kind = SF_EV_NONE;
	s->id = 0;
	s->cookie = 0;
	s->local_port = 0;
	s->state = 0;
	s->closed_by = 0;
	s->role = SF_ROLE_UNKNOWN;
	s->role_source = SF_ROLE_SRC_NONE;
	s->flags &= ~(SF_F_BEGIN_UNSEEN | SF_F_PORT_KNOWN | SF_F_ORPHAN);
	fill_user(p, use, &s->owner);
}

static size_t show_all(struct ports *p, const struct sf_port_use *uses, size_t nr)
{
	size_t nr_shown = 0;

	for (size_t i = 0; i < nr; i++) {
		struct sf_event event;

		if (p->options->count && nr_shown >= p->options->count)
			break;
		make_event(p, &uses[i], &event);
		if (!sf_filter_match(p->filter, &event, event.time_ns))
			continue;
		if (p->options->format == SF_FORMAT_JSON)
			write_json(p, &uses[i], &event);
		else
			add_row(p, &uses[i], &event);
		nr_shown++;
	}
	return nr_shown;
}

static int write_table(struct ports *p)
{
	const struct sf_options *options = p->options;

	if (options->format == SF_FORMAT_JSON)
		return 0;
	if (options->format == SF_FORMAT_CSV)
		return sf_table_write_csv(p->table, &p->out, !options->no_header);
	return sf_table_write(p->table, &p->out, options->format == SF_FORMAT_WIDE,
			      !options->no_header);
}

static int look(struct ports *p)
{
	_cleanup_(sf_freep) struct sf_port_use *uses = NULL;
	size_t nr = 0, nr_shown;
	int r = sf_take(p->snapper, &p->snap);

	if (r)
		return r;
	p->realtime_offset_ns = sf_realtime_offset_ns();
	r = sf_ports_count(&p->snap, &uses, &nr);
	if (!r)
		r = sf_table_new(columns, ARRAY_SIZE(columns), &p->table);
	if (!r) {
		nr_shown = show_all(p, uses, nr);
		r = write_table(p);
		if (!r)
			r = sf_out_flush(&p->out);
	}
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot show them: %s", strerror(-r));
	sf_notice("%zu destinations", nr_shown);
	if (p->nr_no_port)
		sf_notice("%" PRIu64 " calls found no free port (EADDRNOTAVAIL) meanwhile",
			  p->nr_no_port);
	return SF_EXIT_OK;
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	struct ports p = { .options = options };
	int r = sf_take_filter(options, argc, argv, &p.filter);

	if (!r)
		r = sf_take_start(options, &p.snapper);
	if (!r && sf_out_init(&p.out, STDOUT_FILENO, OUT_BYTES))
		r = sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(ENOMEM));
	if (!r)
		sf_host_read(&p.host, "");
	if (!r && options->duration_ns)
		r = watch(&p);
	if (!r)
		r = look(&p);
	sf_snapshot_clear(&p.snap);
	sf_snapper_free(p.snapper);
	sf_table_free(p.table);
	sf_out_free(&p.out);
	sf_filter_free(p.filter);
	free(p.before);
	free(p.calls);
	return r;
}

const struct sf_cmd sf_cmd_ports = {
	.name = "ports",
	.summary = "local ports in use per destination, how many are free; -d watches",
	.run = run,
};
