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
#include "cmd/serve_sinks.h"
#include "cmd/serve_watch.h"
#include "cmd/signals.h"
#include "cmd/take.h"
#include "cmd/watch.h"
#include "story/recording.h"
#include "story/story.h"
#include "view/fields.h"
#include "view/pairs.h"
#include "view/view.h"

#define STATS_NS (10 * SF_NS_PER_S)
#define ENDS_MAX 4096
#define WAIT_NS SF_NS_PER_S
#define LOOK_NS (10 * SF_NS_PER_S)
#define CHANGES_PER_ROUND 256 /* some 5 ms of the 10 between two rounds */

struct serve {
	const struct sf_options *options; /* in force; of the command line, or read again */
	struct sf_options again;
	struct sf_config_text text;
	const struct sf_view_options *view; /* clock and host */
	struct sf_serve_sinks sinks;
	struct sf_pairs *pairs;
	struct sf_serve_watch *watch;			 /* NULL: nobody asks what is stuck */
	bool is_blind;					 /* its last look failed */
	size_t nr_changes_told;				 /* of its last look */
	struct sf_stuck_count stuck[SF_STUCK_RULES_MAX]; /* at its last look */
	size_t nr_stuck;
	uint64_t next_stats_ns;
	uint64_t lag_ns; /* the longest since the last statistics */
	uint64_t seq;	 /* has a gap where events were lost */
	uint64_t nr_lost_ring;
	uint64_t nr_logged;
	struct sf_community_ids ids;
};

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

/* A line of JSON; SF_VIEW_LINE_MAX has room for all there is. */
struct json_line {
	char text[SF_VIEW_LINE_MAX];
	struct sf_json json;
};

static struct sf_json *begin_line(struct json_line *line)
{
	sf_json_init(&line->json, line->text, sizeof(line->text) - 1);
	return &line->json;
}

static void send_line(struct serve *s, struct json_line *line)
{
	if (line->json.overflow)
		return;
	line->text[line->json.len] = '\n';
	sf_serve_sinks_add(&s->sinks, line->text, line->json.len + 1);
}

static void log_event(struct serve *s, const struct sf_event *event, const struct sf_event *peer)
{
	struct json_line out;
	struct sf_line line = {
		.event = event,
		.peer = peer,
		.realtime_offset_ns = s->view->realtime_offset_ns,
		.host = s->view->host,
		.ids = &s->ids,
		.seq = ++s->seq,
	};

	sf_fields_event(begin_line(&out), &line);
	send_line(s, &out);
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

	if (sf_serve_sinks_start(&s->sinks, s->options, err, sizeof(err)))
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", err);
	return SF_EXIT_OK;
}

static bool on_event(void *ctx, const struct sf_event *event)
{
	struct serve *s = ctx;
	uint64_t nr_before = s->nr_logged;
	struct sf_pair pair;

	/* Counted whether or not it has a line. */
	sf_serve_sinks_event(&s->sinks, event, s->view->realtime_offset_ns);
	if ((event->kind != SF_EV_CLOSE && event->kind != SF_EV_FAILED) ||
	    s->options->log_choice == SF_LOG_STEPS) {
		if (is_logged(s, event))
			log_event(s, event, NULL);
	} else if (sf_pairs_add(s->pairs, event, &pair)) {
		log_pair(s, &pair);
	}
	return s->nr_logged != nr_before;
}

/* Whatever is logged else: neither --log nor --sample leaves out what is stuck. */
static bool log_finding(void *ctx, struct sf_line *line, const struct sf_stuck_view *view)
{
	struct serve *s = ctx;
	struct json_line out;

	line->seq = ++s->seq;
	line->ids = &s->ids;
	sf_fields_stuck(begin_line(&out), view);
	send_line(s, &out);
	return true;
}

/* Once per change of that. What the first look could not see the others cannot see either. */
static void tell_sight(struct serve *s, const struct sf_watch *watch, int r)
{
	if (r == -EXDEV)
		sf_warn("cannot return to the network namespace that was left to look for what is "
			"stuck: no more looks");
	else if (r && !s->is_blind)
		sf_warn("cannot look for what is stuck: %s; it is tried again", strerror(-r));
	else if (!r && s->is_blind)
		sf_notice("what is stuck can be looked for again");
	if (!r && watch->nr_looks == 1)
		sf_take_said(watch->snapper, &sf_watch_last(watch)->snap, 0);
	s->is_blind = r;
}

/*
 * What has begun, and what is over, if the thread that looks has looked. So many lines at a time:
 * the ring is read in between.
 */
static void log_stuck(struct serve *s)
{
	const struct sf_watch *watch;
	int r;

	watch = s->watch ? sf_serve_watch_look(s->watch, &r) : NULL;
	if (!watch)
		return;
	if (!s->nr_changes_told) {
		tell_sight(s, watch, r);
		s->nr_stuck = r ? 0 : sf_watch_counts(watch, s->stuck);
	}
	s->nr_changes_told =
		sf_watch_changes(watch, s->nr_changes_told, CHANGES_PER_ROUND, log_finding, s);
	if (s->nr_changes_told < watch->nr_changes)
		return;
	s->nr_changes_told = 0;
	sf_serve_watch_next(s->watch);
}

static void log_stats(struct serve *s, const struct sf_loss_view *loss)
{
	struct sf_line line = {
		.realtime_offset_ns = s->view->realtime_offset_ns,
		.host = s->view->host,
		.seq = ++s->seq,
	};
	struct json_line out;

	sf_fields_stats(begin_line(&out), &line, loss);
	send_line(s, &out);
}

/* ---- SIGHUP, and what else comes by the clock ---- */

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
	sf_serve_sinks_change(&s->sinks, &options);
	s->again = options;
	s->options = &s->again;
	sf_config_clear(&s->text);
	s->text = text;
	sf_notice("the configuration was read again: to, log and sample are as it says now");
}

static void hang_up(struct serve *s)
{
	sf_serve_sinks_reopen(&s->sinks);
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
	if (!sf_pairs_due(s->pairs, now_ns, &pair)) {
		log_stuck(s); /* once a round: this is called until it says that nothing is due */
		return false;
	}
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

	sf_serve_sinks_tend(&s->sinks);
	note_lost(s, loss);
	if (!s->options->read_path) {
		s->lag_ns = sf_max_u64(s->lag_ns, loss->lag_ns);
		with_sinks.has_lag = true;
		with_sinks.lag_ns = s->lag_ns;
		with_sinks.clock = sf_clock_state();
	}
	with_sinks.sinks = sinks;
	with_sinks.nr_sinks = sf_serve_sinks_count(&s->sinks, sinks);
	with_sinks.stuck = s->stuck;
	with_sinks.nr_stuck = s->nr_stuck;
	sf_serve_sinks_loss(&s->sinks, &with_sinks);
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
	if (options->is_watch && options->read_path)
		return sf_err(SF_EXIT_USAGE, "a recording does not tell what is stuck now: leave "
					     "out --watch or -r");
	r = sf_pairs_new(ENDS_MAX, WAIT_NS, &s.pairs);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(-r));
	if (options->is_watch)
		r = sf_serve_watch_start(options, argc, argv,
					 sf_options_interval_ns(options, LOOK_NS), &s.watch);
	if (!r && sf_signals_take_hangup())
		r = sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(errno));
	else if (!r)
		r = sf_live_run(&what, options, argc, argv);
	if (s.watch)
		sf_serve_watch_finish(s.watch); /* its last look goes on while the sinks drain */
	sf_serve_sinks_stop(&s.sinks);
	if (!sf_serve_watch_free(s.watch))
		sf_verbose("a look at what is stuck was cut short");
	sf_config_clear(&s.text);
	sf_pairs_free(s.pairs);
	return r;
}

const struct sf_cmd sf_cmd_serve = {
	.name = "serve",
	.summary = "the service: lines to files, syslog, journald, OTLP; metrics",
	.run = run,
};
