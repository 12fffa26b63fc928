// SPDX-License-Identifier: GPL-2.0-or-later
/* From a snapshot and the stories of a tracer to the rows of top, and to the page of one. */
#include "cmd/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/out.h"
#include "base/util.h"
#include "cmd/start.h"
#include "cmd/take.h"
#include "filter/filter.h"
#include "kernel/snapshot.h"
#include "story/names.h"
#include "story/sock.h"
#include "story/story.h"
#include "view/fields.h"
#include "view/fit.h"
#include "view/ladder.h"
#include "view/pairs.h"
#include "view/stuck.h"
#include "view/view.h"

#define KINDS (1U << SF_EV_CLOSE | 1U << SF_EV_FAILED)

static int on_record(void *ctx, void *data, size_t size)
{
	struct sf_look *look = ctx;
	const struct sf_event *event;
	uint64_t handshake_ns;

	if (sf_reader_read(&look->reader, data, size, &event)) /* it counts what it refuses */
		return 0;
	if (sf_story_handshake_ns(&event->story, &handshake_ns, NULL))
		sf_histogram_add(&look->handshakes_us, handshake_ns / 1000);
	for (int i = 0; i < 2; i++)
		if (event->story.id == look->watched_ids[i])
			look->ends[i] = *event;
	return 0;
}

static int start_tracer(struct sf_look *look)
{
	const struct sf_cut everything = {};
	const struct sf_want want = { .kinds = KINDS, .facts = SF_WANT_STEPS };
	int r = sf_start_tracer(look->options, &everything, want, on_record, look, &look->tracer);

	if (r)
		return r;
	r = sf_tracer_seed(look->tracer);
	if (!r || r == -EOPNOTSUPP || r == -EPERM)
		return SF_EXIT_OK;
	return sf_start_no_sockets(r);
}

int sf_look_start(const struct sf_options *options, struct sf_look *look)
{
	int r;

	*look = (struct sf_look){ .options = options };
	sf_reader_init(&look->reader);
	/* Attach first, look second: nothing falls between. */
	r = options->no_bpf ? 0 : start_tracer(look);
	return r ? r : sf_take_start(options, &look->snapper);
}

void sf_look_clear(struct sf_look *look)
{
	sf_tracer_free(look->tracer);
	sf_snapper_free(look->snapper);
	sf_snapshot_clear(&look->snap);
	sf_findings_clear(&look->found);
	free(look->is_stuck);
}

int sf_look_consume(struct sf_look *look)
{
	int r = look->tracer ? sf_tracer_consume(look->tracer) : 0;

	return r < 0 ? r : 0;
}

void sf_look_event(const struct sf_look *look, uint32_t sock, struct sf_event *ret)
{
	const struct sf_sock *s = &look->snap.socks[sock];
	struct sf_story seen;

	sf_find_event(&look->snap, sock, ret);
	if (look->tracer && !sf_tracer_story(look->tracer, s->sk, &seen))
		sf_snapshot_add_seen(s, &seen, &ret->story);
}

static const struct sf_sock *peer_of(const struct sf_look *look, uint32_t sock, uint32_t *ret)
{
	const struct sf_sock *peer = sf_snapshot_peer(&look->snap, &look->snap.socks[sock]);

	if (peer)
		*ret = (uint32_t)(peer - look->snap.socks);
	return peer;
}

bool sf_look_peer(const struct sf_look *look, uint32_t sock, struct sf_event *ret)
{
	uint32_t peer;

	if (!peer_of(look, sock, &peer))
		return false;
	sf_look_event(look, peer, ret);
	return true;
}

/* ---- rows ---- */

static uint64_t bytes_of(const struct sf_sock *s)
{
	/* A handshake and TIME_WAIT count nothing. */
	return s->segments_sent || s->segments_received ? s->bytes_acked + s->bytes_received :
							  SF_TOP_UNKNOWN;
}

static void fill_row(const struct sf_look *look, uint32_t sock, const struct sf_event *event,
		     struct sf_top_row *ret)
{
	const struct sf_story *s = &event->story;
	uint32_t peer;
	bool is_minimum;

	*ret = (struct sf_top_row){
		.id = s->id,
		.bytes = bytes_of(&look->snap.socks[sock]),
		.age_ns = SF_TOP_UNKNOWN,
		.handshake_ns = SF_TOP_UNKNOWN,
		.sock = sock,
		.pid = s->owner.tgid,
		.state = s->state,
		.is_stuck = look->is_stuck[sock] ||
			    (peer_of(look, sock, &peer) && look->is_stuck[peer]),
	};
	memcpy(ret->comm, s->owner.comm, sizeof(ret->comm));
	sf_story_age_ns(s, event->time_ns, &ret->age_ns, &is_minimum);
	sf_story_handshake_ns(s, &ret->handshake_ns, NULL);
}

/* Which of two ends has the row: the client's; if none is, or both, the first one. */
static bool comes_first(const struct sf_event *event, uint32_t sock, const struct sf_event *other,
			uint32_t peer)
{
	bool is_client = event->story.role == SF_ROLE_CLIENT;
	bool other_is = other->story.role == SF_ROLE_CLIENT;

	return is_client == other_is ? sock < peer : is_client;
}

/* The other end of a connection whose row tells of this one, too. */
static bool is_told_by_peer(const struct sf_look *look, const struct sf_filter *filter,
			    uint32_t sock, const struct sf_event *event)
{
	struct sf_event other;
	uint32_t peer;

	if (!peer_of(look, sock, &peer) || peer == sock)
		return false;
	sf_look_event(look, peer, &other);
	return !comes_first(event, sock, &other, peer) &&
	       sf_find_event_passes(&look->snap, filter, peer, &other);
}

static struct sf_top_row *make_rows(struct sf_look *look, const struct sf_filter *filter,
				    size_t *ret_nr)
{
	const struct sf_snapshot *snap = &look->snap;
	struct sf_top_row *rows = calloc(snap->nr_socks + 1, sizeof(*rows));
	size_t nr = 0;

	for (uint32_t i = 0; rows && i < snap->nr_socks; i++) {
		uint8_t state = sf_sock_state(&snap->socks[i]);
		struct sf_event event;

		look->sums.nr_by_state[state]++;
		if (state == SF_TCP_LISTEN)
			continue;
		sf_look_event(look, i, &event);
		if (!sf_find_event_passes(snap, filter, i, &event) ||
		    is_told_by_peer(look, filter, i, &event))
			continue;
		fill_row(look, i, &event, &rows[nr]);
		look->sums.nr_stuck += rows[nr++].is_stuck;
	}
	*ret_nr = nr;
	return rows;
}

static int find_stuck(struct sf_look *look, const struct sf_filter *filter)
{
	struct sf_findings found = { 0 };
	int r = sf_find(&look->snap, filter, &look->options->thresholds, NULL, &found);

	if (r)
		return r;
	sf_findings_clear(&look->found);
	look->found = found;
	free(look->is_stuck);
	look->is_stuck = calloc(look->snap.nr_socks + 1, sizeof(*look->is_stuck));
	if (!look->is_stuck)
		return -ENOMEM;
	for (size_t i = 0; i < found.nr; i++) {
		look->is_stuck[found.all[i].sock] = !found.all[i].is_notice;
		look->sums.nr_stuck_listeners += !found.all[i].is_notice &&
						 look->snap.socks[found.all[i].sock].state ==
							 SF_TCP_LISTEN;
	}
	return 0;
}

static uint64_t per_second(uint64_t now, uint64_t before, uint64_t elapsed_ns)
{
	if (!elapsed_ns)
		return SF_TOP_UNKNOWN;
	return (uint64_t)((double)(now - before) * SF_NS_PER_S / (double)elapsed_ns + 0.5);
}

/* What happened since the look before: what was lost happened, too. */
static int sum_up(struct sf_look *look, uint64_t elapsed_ns)
{
	struct sf_losses *losses = &look->losses;
	struct sf_top_sums *sums = &look->sums;
	uint64_t nr_closed, nr_failed;
	int r;

	sums->closed_per_s = sums->failed_per_s = SF_TOP_UNKNOWN;
	sums->handshake_p50_us = sums->handshake_p99_us = SF_TOP_UNKNOWN;
	if (!look->tracer)
		return 0;
	r = sf_tracer_losses(look->tracer, losses);
	if (r)
		return r;
	nr_closed = losses->sent[SF_EV_CLOSE] + losses->lost_ring[SF_EV_CLOSE];
	nr_failed = losses->sent[SF_EV_FAILED] + losses->lost_ring[SF_EV_FAILED];
	sums->closed_per_s = per_second(nr_closed, look->nr_closed, elapsed_ns);
	sums->failed_per_s = per_second(nr_failed, look->nr_failed, elapsed_ns);
	sums->nr_lost = losses->lost_total;
	look->nr_closed = nr_closed;
	look->nr_failed = nr_failed;
	if (!sf_histogram_percentile(&look->handshakes_us, 50, &sums->handshake_p50_us) ||
	    !sf_histogram_percentile(&look->handshakes_us, 99, &sums->handshake_p99_us))
		sums->handshake_p50_us = SF_TOP_UNKNOWN;
	memset(&look->handshakes_us, 0, sizeof(look->handshakes_us));
	return 0;
}

int sf_look_take(struct sf_look *look, const struct sf_filter *filter, struct sf_top *top)
{
	uint64_t before_ns = look->looked_ns;
	struct sf_top_row *rows = NULL;
	size_t nr = 0;
	int r = sf_take(look->snapper, &look->snap);

	if (r)
		return r;
	look->looked_ns = look->snap.time_ns;
	look->sums = (struct sf_top_sums){ 0 };
	r = sum_up(look, before_ns ? look->looked_ns - before_ns : 0);
	if (!r)
		r = find_stuck(look, filter);
	if (!r) {
		rows = make_rows(look, filter, &nr);
		r = rows ? 0 : -ENOMEM;
	}
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot look at the sockets: %s", strerror(-r));
	look->sums.nr_shown = nr;
	sf_top_update(top, rows, nr, before_ns ? look->looked_ns - before_ns : 0);
	return SF_EXIT_OK;
}

/* ---- one connection ---- */

void sf_look_watch(struct sf_look *look, uint32_t sock)
{
	struct sf_event event;

	sf_look_event(look, sock, &event);
	look->watched_ids[0] = event.story.id;
	look->watched_ids[1] = sf_look_peer(look, sock, &event) ? event.story.id : 0;
	look->ends[0].kind = look->ends[1].kind = SF_EV_NONE;
}

static void draw_stuck(const struct sf_look *look, uint32_t sock, const struct sf_event *event,
		       const struct sf_event *peer, bool is_ascii, struct sf_out *out)
{
	struct sf_line line = { .event = event, .peer = peer };
	struct sf_verdict verdict;
	struct sf_holders holders;
	struct sf_case c;
	struct sf_stuck_view view = {
		.line = &line, .c = &c, .verdict = &verdict, .change = SF_STUCK_NOW
	};
	char text[SF_STUCK_TEXT_MAX + 1];

	sf_find_case(&look->snap, &look->found, sock, &c);
	if (!sf_diagnose(&c, &look->options->thresholds, &verdict))
		return;
	holders = sf_snapshot_holders(&look->snap, c.sock);
	view.holders = holders.first;
	view.nr_holders = holders.nr;
	text[sf_stuck_draw(&view, text, sizeof(text) - 1)] = '\0';
	if (is_ascii)
		sf_ascii_only(text);
	sf_out_printf(out, "%s\n", text);
}

static void draw_queues(const struct sf_look *look, uint32_t sock, const char *who,
			struct sf_out *out)
{
	const struct sf_sock *s = &look->snap.socks[sock];

	if (!s->segments_sent && !s->segments_received)
		return;
	sf_out_printf(out,
		      "%s queue: %" PRIu32 " bytes to send (%" PRIu32 " of them not sent yet), "
		      "%" PRIu32 " to read\n",
		      who, sf_sock_send_queue(s), sf_sock_not_sent(s), sf_sock_receive_queue(s));
}

static void draw_ladder(const struct sf_event *event, const struct sf_event *peer, bool is_ascii,
			struct sf_out *out)
{
	const struct sf_view_options options = { .time_format = SF_TIME_LOCAL,
						 .is_ascii = is_ascii,
						 .realtime_offset_ns = sf_realtime_offset_ns() };
	const struct sf_pair pair = { .ends = { event, peer } };
	struct sf_ladder ladder = { .options = &options };

	sf_ladder_draw(&ladder, &pair, out);
}

void sf_look_draw(const struct sf_look *look, uint32_t sock, bool is_ascii, struct sf_out *out)
{
	struct sf_event event, other;
	bool has_peer = sf_look_peer(look, sock, &other);
	uint32_t peer = 0;

	sf_look_event(look, sock, &event);
	draw_stuck(look, sock, &event, has_peer ? &other : NULL, is_ascii, out);
	if (has_peer && peer_of(look, sock, &peer) && look->is_stuck[peer])
		draw_stuck(look, peer, &other, &event, is_ascii, out);
	draw_ladder(&event, has_peer ? &other : NULL, is_ascii, out);
	draw_queues(look, sock, "this end's", out);
	if (has_peer)
		draw_queues(look, peer, "other end's", out);
}

bool sf_look_draw_end(const struct sf_look *look, bool is_ascii, struct sf_out *out)
{
	const struct sf_event *first = &look->ends[0], *second = &look->ends[1];

	if (first->kind == SF_EV_NONE) {
		first = second;
		second = &look->ends[0];
	}
	if (first->kind == SF_EV_NONE)
		return false;
	draw_ladder(first, second->kind == SF_EV_NONE ? NULL : second, is_ascii, out);
	return true;
}
