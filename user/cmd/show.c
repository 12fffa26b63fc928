// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One path for live events and recorded ones, so that both look the same. What is
 * written goes through one sf_out, to standard output or to the recording; its first
 * error is latched there.
 */
#include "cmd/show.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/clock.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/terminal.h"
#include "filter/filter.h"
#include "story/names.h"
#include "story/recorder.h"
#include "view/fields.h"
#include "view/pairs.h"

#define OUT_BYTES (256 * 1024)
#define HOOKS_MAX 64
/* Both ends of a connection on one host mostly end within milliseconds. Ends of some 600 bytes. */
#define ENDS_MAX 8192
#define WAIT_NS (SF_NS_PER_S / 4)

int sf_show_init(struct sf_show *show, const struct sf_live_what *what,
		 const struct sf_options *options, int argc, const char *const *argv)
{
	char err[256];
	int r;

	*show = (struct sf_show){ .what = what, .options = options, .record.fd = -1 };
	setlocale(LC_CTYPE, "");
	sf_reader_init(&show->reader);
	r = sf_options_filter(options, argc, argv, &show->filter, err, sizeof(err));
	if (r)
		return sf_err(r == -ENOMEM ? SF_EXIT_FAILURE : SF_EXIT_USAGE, "%s%s%s%s", err,
			      argc && options->commands ? " (commands: " : "",
			      argc && options->commands ? options->commands : "",
			      argc && options->commands ? "; --help tells all)" : "");
	if (options->write_path && options->format != SF_FORMAT_TABLE)
		return sf_err(SF_EXIT_USAGE, "-w records all there is to know: -o is for when it "
					     "is shown (-r)");
	return options->write_path ? sf_record_open(&show->record, options->write_path) :
				     SF_EXIT_OK;
}

int sf_show_open(struct sf_show *show, uint64_t start_ns, int64_t realtime_offset_ns)
{
	int r;

	show->view_options = (struct sf_view_options){
		.kind = show->what->view,
		.format = show->options->format,
		.time_format = show->options->time_format,
		.width = sf_terminal_columns(),
		.is_coloured = sf_terminal_wants_color(show->options),
		.has_no_headers = show->options->no_header,
		.is_ascii = strcmp(nl_langinfo(CODESET), "UTF-8"),
		.start_ns = start_ns,
		.realtime_offset_ns = realtime_offset_ns,
		.host = &show->host,
	};
	r = sf_out_init(&show->out, show->record.path ? show->record.fd : STDOUT_FILENO, OUT_BYTES);
	if (r)
		return r;
	if (show->what->joins_ends && !show->record.path) {
		r = sf_pairs_new(ENDS_MAX, WAIT_NS, &show->pairs);
		if (r)
			return r;
	}
	if (show->what->drawing)
		show->what->drawing->begin(show->what->ctx, &show->view_options, &show->out);
	return sf_view_new(&show->view_options, &show->out, &show->view);
}

int sf_show_begin(struct sf_show *show, const struct sf_recording_about *about)
{
	struct sf_recording_about own = *about;

	snprintf(show->hooks_missing, sizeof(show->hooks_missing), "%s", about->hooks_missing);
	if (!show->record.path)
		return show->what->drawing ? 0 : sf_view_header(show->view);
	own.start_ns = show->view_options.start_ns;
	own.realtime_offset_ns = show->view_options.realtime_offset_ns;
	own.kinds = show->what->want.kinds;
	snprintf(own.host_name, sizeof(own.host_name), "%s", show->host.name);
	snprintf(own.machine_id, sizeof(own.machine_id), "%s", show->host.machine_id);
	snprintf(own.boot_id, sizeof(own.boot_id), "%s", show->host.boot_id);
	return sf_record_begin(&show->record, &own, &show->out);
}

int sf_show_ready(struct sf_show *show)
{
	const struct sf_live_drawing *drawing = show->what->drawing;

	return drawing && drawing->ready ? drawing->ready(show->what->ctx) : SF_EXIT_OK;
}

void sf_show_clear(struct sf_show *show)
{
	sf_record_close(&show->record, show->out.err);
	sf_pairs_free(show->pairs);
	sf_view_free(show->view);
	sf_out_free(&show->out);
	sf_filter_free(show->filter);
}

bool sf_show_wants(const struct sf_show *show, const struct sf_event *event)
{
	return show->what->want.kinds & 1U << event->kind &&
	       sf_filter_match(show->filter, event, event->time_ns);
}

static void count_shown(struct sf_show *show)
{
	show->nr_shown++;
	if (!show->record.path)
		sf_out_mark(&show->out);
	if (show->options->count && show->nr_shown >= show->options->count)
		show->is_full = true;
}

static void show_line(struct sf_show *show, const struct sf_event *event,
		      const struct sf_event *peer)
{
	sf_view_joined(show->view, event, peer, sf_reader_number(&show->reader));
	count_shown(show);
}

/* One end or both: a row from the client's side, or in JSON a line for each end. */
static void show_pair(struct sf_show *show, const struct sf_pair *pair)
{
	const struct sf_event *first = pair->ends[0], *second = pair->ends[1];

	if (second && show->view_options.format != SF_FORMAT_JSON &&
	    second->story.role == SF_ROLE_CLIENT) {
		first = pair->ends[1];
		second = pair->ends[0];
	}
	show_line(show, first, second);
	if (second && show->view_options.format == SF_FORMAT_JSON && !show->is_full)
		show_line(show, second, first);
}

void sf_show_event(struct sf_show *show, const struct sf_event *event)
{
	const struct sf_live_drawing *drawing = show->what->drawing;
	struct sf_pair pair;

	if (show->pairs) {
		if (sf_pairs_add(show->pairs, event, &pair))
			show_pair(show, &pair);
		return;
	}
	if (show->record.path)
		sf_recorder_add(show->record.recorder, event, sf_reader_number(&show->reader),
				event->time_ns);
	else if (!drawing)
		sf_view_event(show->view, event, sf_reader_number(&show->reader));
	else if (!drawing->event(show->what->ctx, event))
		return;
	count_shown(show);
}

void sf_show_due(struct sf_show *show, uint64_t now_ns)
{
	const struct sf_live_drawing *drawing = show->what->drawing;
	struct sf_pair pair;

	if (show->record.path) {
		if (now_ns != UINT64_MAX) /* the end, which sf_show_end() writes */
			sf_recorder_tick(show->record.recorder, now_ns);
		return;
	}
	while (drawing && !show->is_full && drawing->due(show->what->ctx, now_ns))
		count_shown(show);
	while (show->pairs && !show->is_full && sf_pairs_due(show->pairs, now_ns, &pair))
		show_pair(show, &pair);
}

void sf_show_clock(struct sf_show *show, int64_t realtime_offset_ns)
{
	show->view_options.realtime_offset_ns = realtime_offset_ns;
	sf_view_clock(show->view, realtime_offset_ns);
	if (show->record.path)
		sf_recorder_clock(show->record.recorder, realtime_offset_ns);
}

/* Cuts the names, each followed by a space, apart, in place. */
static size_t split(char *names, const char **ret, size_t nr_max)
{
	size_t nr = 0;

	for (char *space; nr < nr_max && (space = strchr(names, ' ')); names = space + 1) {
		*space = '\0';
		ret[nr++] = names;
	}
	return nr;
}

/* names: scratch, of the size of hooks_missing. */
static void make_loss(struct sf_show *show, const struct sf_recording_losses *losses,
		      uint64_t now_ns, char *names, const char **missing, struct sf_loss_view *ret)
{
	*ret = (struct sf_loss_view){
		.time_ns = now_ns,
		.lost_map = losses->lost_map,
		.lost_nested = losses->lost_nested,
		.lost_requests = losses->lost_requests,
		.waits_refused = losses->waits_refused,
		.hooks_missing = missing,
	};
	ret->lag_ns = show->lag_ns;
	show->lag_ns = 0;
	memcpy(names, show->hooks_missing, sizeof(show->hooks_missing));
	ret->nr_hooks_missing = split(names, missing, HOOKS_MAX);
	for (int i = 0; i < SF_RECORDING_KINDS; i++)
		ret->events_sent += losses->sent[i];
	for (int i = 0; i < SF_EV_NR; i++)
		ret->lost_ring[i] = losses->lost_ring[i];
}

static void view_stats(struct sf_show *show, const struct sf_recording_losses *losses,
		       uint64_t now_ns)
{
	const char *missing[HOOKS_MAX];
	char names[sizeof(show->hooks_missing)];
	struct sf_loss_view loss;

	make_loss(show, losses, now_ns, names, missing, &loss);
	sf_view_stats(show->view, &loss, sf_reader_number(&show->reader));
}

static void draw_second(struct sf_show *show, const struct sf_recording_losses *losses,
			uint64_t now_ns, bool is_last)
{
	const char *missing[HOOKS_MAX];
	char names[sizeof(show->hooks_missing)];
	struct sf_loss_view loss;

	make_loss(show, losses, now_ns, names, missing, &loss);
	loss.is_last = is_last;
	show->what->drawing->second(show->what->ctx, &loss);
}

static bool wants_seconds(const struct sf_show *show)
{
	return show->what->drawing && show->what->drawing->second;
}

void sf_show_second(struct sf_show *show, const struct sf_recording_losses *losses, uint64_t now_ns)
{
	if (wants_seconds(show))
		draw_second(show, losses, now_ns, false);
}

void sf_show_stats(struct sf_show *show, const struct sf_recording_losses *losses, uint64_t now_ns)
{
	if (!show->record.path) {
		view_stats(show, losses, now_ns);
		return;
	}
	sf_reader_number(&show->reader); /* has its place among the lines of JSON, also from here */
	sf_recorder_losses(show->record.recorder, losses, now_ns);
}

void sf_show_end(struct sf_show *show, const struct sf_recording_losses *losses, uint64_t now_ns)
{
	if (show->record.path)
		sf_recorder_end(show->record.recorder, losses, now_ns);
	else if (wants_seconds(show))
		draw_second(show, losses, now_ns, true);
	else
		view_stats(show, losses, now_ns);
	sf_out_flush(&show->out);
}

uint64_t sf_losses_ring(const struct sf_recording_losses *losses)
{
	uint64_t sum = 0;

	for (int i = 0; i < SF_RECORDING_KINDS; i++)
		sum += losses->lost_ring[i];
	return sum;
}

uint64_t sf_losses_all(const struct sf_recording_losses *losses)
{
	return sf_losses_ring(losses) + losses->lost_map + losses->lost_nested;
}

const char *sf_show_out_name(const struct sf_show *show)
{
	return show->record.path ? sf_record_name(&show->record) : "standard output";
}

int sf_show_failed(const struct sf_show *show, int r)
{
	if (r == -EPIPE)
		return SF_EXIT_OK;
	return sf_err(SF_EXIT_FAILURE, "cannot write to %s: %s", sf_show_out_name(show),
		      strerror(-r));
}

static int record_failed(const struct sf_show *show)
{
	const struct sf_record *record = &show->record;

	return sf_err(
		SF_EXIT_FAILURE,
		"cannot write to %s: %s; %" PRIu64 " of %" PRIu64 " events are in it",
		sf_record_name(record),
		show->out.err == SF_OUT_GAVE_UP ? "it was not read" : strerror(-show->out.err),
		sf_recorder_nr_whole(record->recorder), sf_recorder_nr_recorded(record->recorder));
}

static void print_losses(const struct sf_show *show, const struct sf_recording_losses *losses)
{
	for (unsigned int i = 0; i < SF_EV_NR; i++)
		if (losses->sent[i])
			sf_verbose("%" PRIu64 " %s sent by the kernel side", losses->sent[i],
				   sf_event_name(i));
	if (sf_losses_all(losses))
		sf_notice("lost: %" PRIu64 " events, ring full; %" PRIu64
			  " connections not followed, map full; %" PRIu64 " nested hooks",
			  sf_losses_ring(losses), losses->lost_map, losses->lost_nested);
	if (show->reader.nr_bad)
		sf_notice("%" PRIu64 " records were not as expected and were left out",
			  show->reader.nr_bad);
}

int sf_show_summary(const struct sf_show *show, const struct sf_recording_losses *losses)
{
	uint64_t nr_lost = sf_losses_all(losses) + show->reader.nr_bad;
	int r = show->out.err;

	if (r && show->record.path)
		return record_failed(show);
	if (r && r != SF_OUT_GAVE_UP)
		return sf_err(SF_EXIT_FAILURE, "cannot write to standard output: %s", strerror(-r));
	if (show->record.path)
		sf_notice("%" PRIu64 " events recorded in %s, %" PRIu64 " events lost",
			  show->nr_shown, sf_record_name(&show->record), nr_lost);
	else
		sf_notice("%" PRIu64 " %s shown, %" PRIu64 " events lost",
			  show->nr_shown - show->out.nr_unwritten, show->what->noun, nr_lost);
	print_losses(show, losses);
	if (r)
		return sf_err(SF_EXIT_FAILURE,
			      "standard output was not read: %" PRIu64 " %s could not be written",
			      show->out.nr_unwritten, show->what->noun);
	return SF_EXIT_OK;
}
