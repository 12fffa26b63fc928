// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * synfin serve: the service. What the live loop hands over is counted by sinks
 * that count, becomes a line of JSON, once, and goes to every other sink's queue.
 * SIGHUP opens files again and reads the configuration again; SIGTERM sends what
 * waits, for 5 s at most.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/community_id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/live.h"
#include "cmd/signals.h"
#include "sink/sink.h"
#include "story/recording.h"
#include "story/story.h"
#include "view/fields.h"
#include "view/pairs.h"
#include "view/view.h"

#define QUEUE_BYTES (8 * 1024 * 1024)
/* What begins by then is over within 5 s: user/sink/syslog.c PATIENCE_MS, otlp.c GRACE_NS. */
#define DRAIN_NS (2 * SF_NS_PER_S)
#define STATS_NS (10 * SF_NS_PER_S)
#define ENDS_MAX 4096
#define WAIT_NS SF_NS_PER_S

struct serve {
	const struct sf_options *options; /* in force; of the command line, or read again */
	struct sf_options again;
	struct sf_config_text text;
	const struct sf_view_options *view; /* clock and host */
	struct sf_sink *sinks[SF_SINKS_MAX];
	size_t nr_sinks;
	struct sf_pairs *pairs;
	uint64_t next_stats_ns;
	uint64_t lag_ns; /* the longest since the last statistics */
	uint64_t seq;	 /* has a gap where events were lost */
	uint64_t nr_lost_ring;
	uint64_t nr_logged;
	struct sf_community_ids ids;
};

/* ---- sinks ---- */

static void stop_sinks(struct sf_sink **sinks, size_t nr, uint64_t drain_ns)
{
	uint64_t end_ns = sf_monotonic_ns() + drain_ns;

	for (size_t i = 0; i < nr; i++)
		sf_sink_finish(sinks[i], end_ns);
	for (size_t i = 0; i < nr; i++) {
		struct sf_sink_counts counts;

		sf_sink_stop(sinks[i]);
		sf_sink_counts(sinks[i], &counts);
		/* One that never had a line, statistics at least, never began. */
		if (counts.nr_sent || counts.nr_dropped)
			sf_notice("%s: %" PRIu64 " lines sent, %" PRIu64 " dropped",
				  sf_sink_spec(sinks[i]), counts.nr_sent, counts.nr_dropped);
		sf_sink_free(sinks[i]);
	}
}

static int start_sinks(const struct sf_options *options, struct sf_sink **ret, size_t *ret_nr,
		       char *err, size_t err_size)
{
	uint64_t bytes = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
	size_t nr = 0;
	int r = 0;

	while (!r && nr < options->sinks.nr) {
		r = sf_sink_new(options->sinks.specs[nr], bytes, &ret[nr], err, err_size);
		nr += !r;
	}
	if (r)
		stop_sinks(ret, nr, 0);
	*ret_nr = r ? 0 : nr;
	return r;
}

static void send_line(struct serve *s, const char *line, size_t len)
{
	for (size_t i = 0; i < s->nr_sinks; i++)
		sf_sink_add(s->sinks[i], line, len);
}

/* What went wrong with one, and that it is well again: once each. */
static void tell_news(struct serve *s)
{
	char err[SF_SINK_ERROR_SIZE];

	for (size_t i = 0; i < s->nr_sinks; i++) {
		if (!sf_sink_news(s->sinks[i], err))
			continue;
		if (err[0])
			sf_warn("%s: %s", sf_sink_spec(s->sinks[i]), err);
		else
			sf_notice("%s: works again", sf_sink_spec(s->sinks[i]));
	}
}

/* ---- lines ---- */

static bool is_failure(const struct sf_event *event)
{
	return event->kind == SF_EV_FAILED || event->kind == SF_EV_LISTEN_OVERFLOW ||
	       event->kind == SF_EV_RESET ||
	       (event->kind == SF_EV_CLOSE && event->story.cause != SF_CAUSE_FIN);
}

/*
 * By the wire id, so that both hosts keep the same connections: initial sequence numbers are random
 * (RFC 6528). What has none is kept.
 */
static bool is_sampled(const struct serve *s, const struct sf_event *event)
{
	uint64_t sample = s->options->sample, id;

	if (sample <= 1 || !sf_story_wire_id(&event->story, &id))
		return true;
	return (id ^ id >> 32) * 0x9e3779b97f4a7c15ULL >> 32 < (1ULL << 32) / sample;
}

static bool is_logged(const struct serve *s, const struct sf_event *event)
{
	if (is_failure(event))
		return true;
	if (s->options->log_choice == SF_LOG_FAILURES)
		return false;
	if (s->options->log_choice == SF_LOG_CONNS && event->kind != SF_EV_CLOSE)
		return false;
	return is_sampled(s, event);
}

static void log_event(struct serve *s, const struct sf_event *event, const struct sf_event *peer)
{
	char text[SF_VIEW_LINE_MAX];
	struct sf_line line = {
		.event = event,
		.peer = peer,
		.realtime_offset_ns = s->view->realtime_offset_ns,
		.host = s->view->host,
		.ids = &s->ids,
		.seq = ++s->seq,
	};
	struct sf_json json;

	sf_json_init(&json, text, sizeof(text) - 1);
	sf_fields_event(&json, &line);
	if (json.overflow)
		return; /* SF_JSON_LINE_MAX has room for all there is */
	text[json.len] = '\n';
	send_line(s, text, json.len + 1);
	s->nr_logged++;
}

static void log_pair(struct serve *s, const struct sf_pair *pair)
{
	for (int i = 0; i < 2; i++)
		if (pair->ends[i] && is_logged(s, pair->ends[i]))
			log_event(s, pair->ends[i], pair->ends[!i]);
}

static void on_begin(void *ctx, const struct sf_view_options *options, struct sf_out *out)
{
	struct serve *s = ctx;

	(void)out;
	s->view = options;
}

/* Only now: their threads shall have no more capabilities than they need. */
static int on_ready(void *ctx)
{
	struct serve *s = ctx;
	char err[512];

	if (start_sinks(s->options, s->sinks, &s->nr_sinks, err, sizeof(err)))
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", err);
	return SF_EXIT_OK;
}

static bool on_event(void *ctx, const struct sf_event *event)
{
	struct serve *s = ctx;
	uint64_t nr_before = s->nr_logged;
	struct sf_pair pair;

	/* Counted whether or not it has a line. */
	for (size_t i = 0; i < s->nr_sinks; i++)
		sf_sink_event(s->sinks[i], event, s->view->realtime_offset_ns);
	if ((event->kind != SF_EV_CLOSE && event->kind != SF_EV_FAILED) ||
	    s->options->log_choice == SF_LOG_STEPS) {
		if (is_logged(s, event))
			log_event(s, event, NULL);
	} else if (sf_pairs_add(s->pairs, event, &pair)) {
		log_pair(s, &pair);
	}
	return s->nr_logged != nr_before;
}

static void log_stats(struct serve *s, const struct sf_loss_view *loss)
{
	char text[SF_VIEW_LINE_MAX];
	struct sf_line line = {
		.realtime_offset_ns = s->view->realtime_offset_ns,
		.host = s->view->host,
		.seq = ++s->seq,
	};
	struct sf_json json;

	sf_json_init(&json, text, sizeof(text) - 1);
	sf_fields_stats(&json, &line, loss);
	if (json.overflow)
		return;
	text[json.len] = '\n';
	send_line(s, text, json.len + 1);
}

/* What became of the lines, by sink. Returns how many take lines. */
static size_t count_lines(const struct serve *s, struct sf_sink_view ret[SF_SINKS_MAX])
{
	size_t nr = 0;

	for (size_t i = 0; i < s->nr_sinks; i++) {
		struct sf_sink_counts counts;

		if (!sf_sink_takes_lines(s->sinks[i]))
			continue;
		sf_sink_counts(s->sinks[i], &counts);
		ret[nr++] = (struct sf_sink_view){ .sink = sf_sink_spec(s->sinks[i]),
						   .lines_sent = counts.nr_sent,
						   .lines_dropped = counts.nr_dropped,
						   .retries = counts.nr_retries,
						   .queued_bytes = counts.queued_bytes };
	}
	return nr;
}

/* ---- SIGHUP, and what else comes by the clock ---- */

/* Takes a sink of that spec out of those that run. NULL: there is none. */
static struct sf_sink *take_running(struct serve *s, const char *spec)
{
	for (size_t i = 0; i < s->nr_sinks; i++) {
		struct sf_sink *sink = s->sinks[i];

		if (strcmp(sf_sink_spec(sink), spec) != 0)
			continue;
		s->sinks[i] = s->sinks[--s->nr_sinks];
		return sink;
	}
	return NULL;
}

/*
 * Sinks that stay keep their queues. Those that go have a second: the ring fills meanwhile. One
 * that cannot be made is told, the others go on.
 */
static void change_sinks(struct serve *s, const struct sf_options *options)
{
	uint64_t bytes = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
	struct sf_sink *sinks[SF_SINKS_MAX];
	char err[SF_SINK_ERROR_SIZE];
	size_t nr = 0;

	for (size_t i = 0; i < options->sinks.nr; i++) {
		const char *spec = options->sinks.specs[i];

		sinks[nr] = take_running(s, spec);
		if (!sinks[nr] && sf_sink_new(spec, bytes, &sinks[nr], err, sizeof(err)))
			sf_warn("%s: %s", spec, err);
		else
			nr++;
	}
	stop_sinks(s->sinks, s->nr_sinks, SF_NS_PER_S);
	memcpy(s->sinks, sinks, nr * sizeof(*sinks));
	s->nr_sinks = nr;
}

/* Only what does not need the kernel side to be loaded again. */
static void read_again(struct serve *s)
{
	struct sf_config_text text = { NULL };
	struct sf_options options;
	char err[512];

	if (sf_config_load(s->options->config_path, s->options->argc, s->options->argv, &options,
			   &text, err, sizeof(err))) {
		sf_warn("%s; all stays as it was", err);
		return;
	}
	if (!options.sinks.nr) {
		sf_warn("%s: no 'to' any more; all stays as it was", s->options->config_path);
		sf_config_clear(&text);
		return;
	}
	if ((options.log_choice == SF_LOG_STEPS) != (s->options->log_choice == SF_LOG_STEPS)) {
		sf_warn("%s: 'log' stays as it was: steps are begun and ended by a restart only",
			s->options->config_path);
		options.log_choice = s->options->log_choice;
	}
	change_sinks(s, &options);
	s->again = options;
	s->options = &s->again;
	sf_config_clear(&s->text);
	s->text = text;
	sf_notice("the configuration was read again: to, log and sample are as it says now");
}

static void hang_up(struct serve *s)
{
	for (size_t i = 0; i < s->nr_sinks; i++)
		sf_sink_reopen(s->sinks[i]);
	if (s->options->config_path)
		read_again(s);
}

static bool on_due(void *ctx, uint64_t now_ns)
{
	struct serve *s = ctx;
	uint64_t nr_before = s->nr_logged;
	struct sf_pair pair;

	if (sf_signals_hangup())
		hang_up(s);
	if (!sf_pairs_due(s->pairs, now_ns, &pair))
		return false;
	log_pair(s, &pair);
	return s->nr_logged != nr_before;
}

/* As sf_reader_note_lost() does for the lines of other commands. */
static void note_lost(struct serve *s, const struct sf_loss_view *loss)
{
	uint64_t nr_lost = 0;

	for (int i = 0; i < SF_EV_NR; i++)
		nr_lost += loss->lost_ring[i];
	s->seq += nr_lost - s->nr_lost_ring;
	s->nr_lost_ring = nr_lost;
}

static void on_second(void *ctx, const struct sf_loss_view *loss)
{
	struct serve *s = ctx;
	struct sf_sink_view sinks[SF_SINKS_MAX];
	struct sf_loss_view with_sinks = *loss;

	tell_news(s);
	note_lost(s, loss);
	if (!s->options->read_path) {
		s->lag_ns = sf_max_u64(s->lag_ns, loss->lag_ns);
		with_sinks.has_lag = true;
		with_sinks.lag_ns = s->lag_ns;
		with_sinks.clock = sf_clock_state();
	}
	with_sinks.sinks = sinks;
	with_sinks.nr_sinks = count_lines(s, sinks);
	for (size_t i = 0; i < s->nr_sinks; i++)
		sf_sink_loss(s->sinks[i], &with_sinks);
	if (loss->time_ns < s->next_stats_ns && !loss->is_last)
		return;
	s->next_stats_ns = loss->time_ns + STATS_NS;
	s->lag_ns = 0;
	log_stats(s, &with_sinks);
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	static const struct sf_live_drawing drawing = {
		.begin = on_begin,
		.ready = on_ready,
		.event = on_event,
		.due = on_due,
		.second = on_second,
	};
	struct serve s = { .options = options };
	uint32_t ends = 1U << SF_EV_CLOSE | 1U << SF_EV_FAILED | 1U << SF_EV_LISTEN_OVERFLOW;
	bool has_steps = options->log_choice == SF_LOG_STEPS;
	const struct sf_live_what what = {
		.want = { .kinds = has_steps ? ~(1U << SF_EV_NONE) : ends,
			  .facts = has_steps ? SF_WANT_STEPS : 0 },
		.noun = has_steps ? "events" : "connections", /* of which some have two lines */
		/* As root: files in others' folders, sockets of others, a port below 1024. */
		.keep_caps = SF_CAP(CAP_DAC_OVERRIDE) | SF_CAP(CAP_NET_BIND_SERVICE),
		.drawing = &drawing,
		.ctx = &s,
	};
	int r;

	if (!options->sinks.nr)
		return sf_err(SF_EXIT_USAGE,
			      "serve needs somewhere to send: --to file:PATH, "
			      "--to syslog, --to journald, --to otlp:URL, --to prometheus:PORT, "
			      "or 'to = ...' in --config");
	if (options->write_path || options->count || options->format != SF_FORMAT_TABLE)
		return sf_err(SF_EXIT_USAGE, "serve has its sinks for output: leave out -w, -o "
					     "and -C");
	r = sf_pairs_new(ENDS_MAX, WAIT_NS, &s.pairs);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(-r));
	if (sf_signals_take_hangup())
		r = sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(errno));
	else
		r = sf_live_run(&what, options, argc, argv);
	stop_sinks(s.sinks, s.nr_sinks, DRAIN_NS);
	sf_config_clear(&s.text);
	sf_pairs_free(s.pairs);
	return r;
}

const struct sf_cmd sf_cmd_serve = {
	.name = "serve",
	.summary = "the service: lines to files, syslog, journald, OTLP; metrics",
	.run = run,
};
