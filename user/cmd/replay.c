// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Takes the blocks of a recording one by one and does what the live loop did
 * between the same records: numbers, clock and losses change where they did then.
 */
#include "cmd/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "bpf/story.h"
#include "cmd/show.h"
#include "cmd/signals.h"
#include "story/recording.h"
#include "view/fields.h"

struct replay {
	struct sf_show *show;
	const char *name; /* of the recording, for messages */
	int fd;
	struct sf_recording *recording;
	struct sf_recording_losses losses; /* up to now */
	uint64_t now_ns;		   /* CLOCK_BOOTTIME, as far as it was told */
	uint64_t next_seq;		   /* the next record's, if nothing was lost before it */
};

static ssize_t read_fd(void *ctx, void *buf, size_t size)
{
	const struct replay *replay = ctx;
	ssize_t n;

	do {
		n = read(replay->fd, buf, size);
		if (n < 0 && errno == EINTR && sf_signals_stop())
			return 0;
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool may_wait(void *ctx)
{
	(void)ctx;
	return !sf_signals_stop();
}

static bool is_over(const struct replay *replay)
{
	const struct sf_show *show = replay->show;

	return show->is_full || show->out.err || sf_out_is_closed(&show->out) || sf_signals_stop();
}

static int open_path(struct replay *replay, const char *path)
{
	bool is_stdin = !strcmp(path, "-");

	replay->name = is_stdin ? "standard input" : path;
	replay->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (replay->fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot open %s: %s", path, strerror(errno));
	if (is_stdin && isatty(replay->fd))
		return sf_err(SF_EXIT_USAGE, "-r -: standard input is a terminal: send a recording "
					     "to it, or give a file");
	if (sf_record_is_same(&replay->show->record, replay->fd))
		return sf_err(SF_EXIT_USAGE, "%s is to be read and written: give two files", path);
	return SF_EXIT_OK;
}

static void say_about(const struct replay *replay, const struct sf_recording_about *about)
{
	char time[SF_TIME_STRLEN];

	sf_time_rfc3339(sf_realtime_ns(about->start_ns, about->realtime_offset_ns), time);
	sf_notice(
		"reading %s: recorded on %s, Linux %s, from %.19sZ on, by synfin %s with %s hooks",
		replay->name, about->host_name[0] ? about->host_name : "a host without a name",
		about->kernel_release, time, about->synfin_version, about->tier);
}

static int begin(struct replay *replay)
{
	const struct sf_recording_about *about;
	struct sf_show *show = replay->show;
	char err[256];
	int r;

	if (sf_recording_new(&replay->recording, read_fd, replay, err, sizeof(err)))
		return sf_signals_stop() ? SF_EXIT_FAILURE :
					   sf_err(SF_EXIT_FAILURE, "%s %s", replay->name, err);
	about = sf_recording_about(replay->recording);
	sf_host_set(&show->host, about->host_name, about->machine_id, about->boot_id);
	replay->now_ns = about->start_ns;
	r = sf_show_open(show, about->start_ns, about->realtime_offset_ns);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(-r));
	show->out.may_wait = may_wait;
	r = sf_show_begin(show, about);
	if (r)
		return sf_show_failed(show, r);
	say_about(replay, about);
	return sf_show_ready(show);
}

static void play_record(struct replay *replay, unsigned int i)
{
	struct sf_show *show = replay->show;
	const struct sf_event *event;

	if (sf_recording_record(replay->recording, i, &event)) {
		show->reader.nr_bad++;
		show->reader.next_seq++;
		return;
	}
	replay->now_ns = event->time_ns;
	sf_show_due(show, event->time_ns);
	if (!show->is_full && sf_show_wants(show, event))
		sf_show_event(show, event);
}

/* As look_at_losses() of the live loop did. */
static void play_losses(struct replay *replay, const struct sf_recording_block *block)
{
	uint64_t new_ring = sf_losses_ring(&block->losses) - sf_losses_ring(&replay->losses);
	bool are_new = sf_losses_all(&block->losses) != sf_losses_all(&replay->losses);

	replay->losses = block->losses;
	if (!are_new || block->is_end)
		return;
	sf_reader_note_lost(&replay->show->reader, new_ring);
	sf_show_stats(replay->show, &block->losses, block->time_ns);
	replay->next_seq += new_ring + 1;
}

static void play_block(struct replay *replay, const struct sf_recording_block *block)
{
	struct sf_show *show = replay->show;

	if (block->realtime_offset_ns != show->view_options.realtime_offset_ns)
		sf_show_clock(show, block->realtime_offset_ns);
	if (block->nr_records) {
		/* What has a number and is not there. */
		if (block->first_seq > replay->next_seq)
			sf_reader_note_lost(&show->reader, block->first_seq - replay->next_seq);
		replay->next_seq = block->first_seq + block->nr_records;
	}
	for (unsigned int i = 0; i < block->nr_records && !is_over(replay); i++)
		play_record(replay, i);
	if (is_over(replay))
		return;
	play_losses(replay, block);
	if (block->time_ns > replay->now_ns)
		replay->now_ns = block->time_ns;
}

/* A writer holds a lock on the file for as long as it may add to it. */
static bool is_being_written(const struct replay *replay)
{
	if (!flock(replay->fd, LOCK_SH | LOCK_NB)) {
		flock(replay->fd, LOCK_UN);
		return false;
	}
	return errno == EWOULDBLOCK;
}

/* r: what sf_recording_next() ended with. */
static int judge_end(const struct replay *replay, int r, const char *err)
{
	if (r == 0 || r == 1)
		return SF_EXIT_OK;
	if (r == -ENODATA && sf_signals_stop())
		return SF_EXIT_OK;
	if (r == -ENODATA && is_being_written(replay)) {
		sf_notice("%s is still being written: this is what it holds so far", replay->name);
		return SF_EXIT_OK;
	}
	return sf_err(SF_EXIT_FAILURE, "%s %s; %" PRIu64 " events before that were read",
		      replay->name, err, replay->losses.nr_recorded);
}

static int play(struct replay *replay)
{
	struct sf_show *show = replay->show;
	struct sf_recording_block block;
	char err[256] = "";
	int r = 1, status, end;

	while (r == 1 && !is_over(replay)) {
		r = sf_recording_next(replay->recording, &block, err, sizeof(err));
		if (r == 1)
			play_block(replay, &block);
		sf_out_flush(&show->out);
	}
	if (!is_over(replay))
		sf_show_due(show, UINT64_MAX);
	if (sf_out_is_closed(&show->out))
		return SF_EXIT_OK;
	sf_show_end(show, &replay->losses, replay->now_ns);
	end = judge_end(replay, r, err);
	status = sf_show_summary(show, &replay->losses);
	return status ? status : end;
}

int sf_replay_run(struct sf_show *show, const char *path)
{
	struct replay replay = { .show = show, .fd = -1, .next_seq = 1 };
	int r;

	if (sf_signals_init() < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(errno));
	r = open_path(&replay, path);
	if (!r)
		r = begin(&replay);
	if (!r)
		r = play(&replay);
	sf_recording_free(replay.recording);
	if (replay.fd > STDIN_FILENO)
		close(replay.fd);
	return r;
}
