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
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/out.h"
#include "base/util.h"
#include "cmd/cmd.h"
#include "cmd/find.h"
#include "cmd/signals.h"
#include "cmd/take.h"
#include "cmd/watch.h"
#include "filter/filter.h"
#include "story/names.h"
#include "story/snapshot.h"
#include "story/sock.h"
#include "view/fields.h"
#include "view/host.h"
#include "view/view.h"

#define OUT_BYTES (256 * 1024)
#define INTERVAL_NS SF_NS_PER_S

struct stuck {
	const struct sf_options *options;
	struct sf_watch watch;
	struct sf_host host;
	struct sf_out out;
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

static bool show(void *ctx, struct sf_line *line, const struct sf_stuck_view *view)
{
	struct stuck *stuck = ctx;

	line->seq = ++stuck->seq;
	stuck->nr_stuck += view->change == SF_STUCK_BEGUN && !view->verdict->rule->is_notice;
	write_line(stuck, view);
	return !is_full(stuck);
}

static int take_look(struct stuck *stuck)
{
	int r = sf_watch_take(&stuck->watch);

	return sf_take_said(stuck->watch.snapper, &sf_watch_last(&stuck->watch)->snap, r);
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
	int r, signal_fd = sf_signals_init();

	if (signal_fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(-signal_fd));
	for (;;) {
		r = take_look(stuck);
		if (!r)
			sf_watch_changes(&stuck->watch, 0, SIZE_MAX, show, stuck);
		sf_out_flush(&stuck->out);
		next_ns += sf_options_interval_ns(options, INTERVAL_NS);
		if (r || is_full(stuck) || sf_signals_stop() ||
		    (options->duration_ns && next_ns - begin_ns > options->duration_ns))
			return r;
		wait_for_next(signal_fd, next_ns);
		if (sf_signals_stop())
			return r;
	}
}

static bool is_connection(const struct sf_sock *s)
{
	return s->state != SF_TCP_LISTEN && sf_sock_state(s) != SF_TCP_TIME_WAIT;
}

/* Nothing is on its way and nothing waits to be: it is up to the programs at its ends. */
static bool is_at_rest(const struct sf_sock *s)
{
	return s->state == SF_TCP_ESTABLISHED && !sf_sock_send_queue(s) &&
	       !sf_sock_receive_queue(s);
}

/* Who asked for some and is told of none wants to know whether they were there. */
static void print_healthy(const struct stuck *stuck)
{
	const struct sf_snapshot *snap = &sf_watch_last(&stuck->watch)->snap;
	size_t nr = 0, nr_at_rest = 0;

	if (stuck->nr_stuck || sf_filter_is_empty(stuck->watch.filter))
		return;
	for (size_t i = 0; i < snap->nr_socks; i++) {
		if (!is_connection(&snap->socks[i]) ||
		    !sf_find_passes(snap, stuck->watch.filter, (uint32_t)i))
			continue;
		nr++;
		nr_at_rest += is_at_rest(&snap->socks[i]);
	}
	sf_notice("sockets of connections that match: %zu, none is stuck; with nothing to send and "
		  "nothing to read, so that it is up to their programs: %zu",
		  nr, nr_at_rest);
}

static void print_summary(const struct stuck *stuck)
{
	const struct sf_watch_look *look = sf_watch_last(&stuck->watch);

	if (stuck->options->is_watch)
		return;
	sf_notice("%zu sockets in %zu network namespaces looked at: %" PRIu64
		  " stuck, %zu notices%s",
		  look->snap.nr_socks, look->snap.nr_netns, stuck->nr_stuck,
		  look->found.nr - look->found.nr_stuck,
		  stuck->options->verbose || look->found.nr == look->found.nr_stuck ?
			  "" :
			  " (-v shows them)");
	print_healthy(stuck);
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
	const struct sf_watch_look *look;
	int r;

	if (stuck->options->is_watch)
		return finish(stuck, watch(stuck));
	r = take_look(stuck);
	if (!r) {
		sf_watch_now(&stuck->watch, show, stuck);
		look = sf_watch_last(&stuck->watch);
		stuck->nr_stuck = look->found.nr_stuck + look->nr_ports; /* shown or not */
	}
	return finish(stuck, r);
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	struct stuck stuck = { .options = options };
	int r;

	if (options->format == SF_FORMAT_CSV)
		return sf_err(SF_EXIT_USAGE, "stuck writes no csv: take -o table, wide or json");
	stuck.watch = (struct sf_watch){
		.options = options,
		.host = &stuck.host,
		.wants_notices = options->verbose || options->format == SF_FORMAT_JSON,
		.wants_groups = options->format == SF_FORMAT_TABLE,
	};
	r = sf_watch_start(&stuck.watch, argc, argv);
	if (!r && sf_out_init(&stuck.out, STDOUT_FILENO, OUT_BYTES))
		r = sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(ENOMEM));
	if (!r) {
		sf_host_read(&stuck.host, "");
		r = run_started(&stuck);
	}
	sf_watch_clear(&stuck.watch);
	sf_out_free(&stuck.out);
	return r;
}

const struct sf_cmd sf_cmd_stuck = {
	.name = "stuck",
	.summary = "what makes no progress now, since when, whose fault, what to do",
	.run = run,
};
