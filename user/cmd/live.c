// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The live loop: every 10 ms, or when the ring fills, it takes the records out
 * of the ring, checks, filters and shows them, in one write per round. Once a
 * second it looks at the loss counters and redraws the status line.
 */
#include "cmd/live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/out.h"
#include "base/util.h"
#include "cmd/replay.h"
#include "cmd/show.h"
#include "cmd/signals.h"
#include "cmd/start.h"
#include "cmd/terminal.h"
#include "filter/filter.h"
#include "story/reader.h"
#include "view/host.h"

#define TICK_MS 10
#define ROUND_NS (SF_NS_PER_S / 10) /* then the clock and the losses are looked at */
#define RECORDS_PER_LOOK 64
#define CLOCK_EVERY_S 60
#define CLOCK_STEP_NS 1000000	      /* more than it is slewed in a second: adjtimex(2), 500 ppm */
#define PATIENCE_NS (SF_NS_PER_S / 2) /* with a reader that stands still, at the end */

struct live {
	struct sf_show show;
	struct sf_tracer *tracer;
	struct sf_losses losses;
	struct sf_losses losses_before; /* a second ago */
	int epoll_fd;
	uint64_t nr_shown_before; /* a second ago */
	uint64_t nr_shown_per_s;
	uint64_t end_ns; /* CLOCK_BOOTTIME, 0 = no limit */
	uint64_t round_begin_ns;
	uint64_t round_end_ns;
	uint64_t nr_records;
	uint64_t next_second_ns;
	uint64_t looked_ns; /* at the losses */
	uint64_t written_before_bytes;
	uint64_t give_up_ns; /* when to wait no longer for the reader, 0 = it is not the end yet */
	unsigned int nr_seconds;
	int64_t realtime_offset_ns; /* as it was shown last */
	bool is_gone;		    /* nobody reads standard output any more */
	struct sf_status status;
};

/* A ring that is filled as fast as it is read would keep us in it for ever. -EAGAIN, or 0. */
static int check_round(struct live *live)
{
	if (++live->nr_records % RECORDS_PER_LOOK)
		return 0;
	return sf_boottime_ns() >= live->round_end_ns ? -EAGAIN : 0;
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct live *live = ctx;
	const struct sf_event *event;

	if (live->show.is_full || sf_reader_read(&live->show.reader, data, size, &event))
		return check_round(live); /* what the reader refuses it counts */
	if (event->time_ns < live->round_begin_ns)
		live->show.lag_ns =
			sf_max_u64(live->show.lag_ns, live->round_begin_ns - event->time_ns);
	if (sf_show_wants(&live->show, event)) {
		if (live->status.shares_terminal)
			sf_status_erase(&live->status);
		sf_show_event(&live->show, event);
	}
	return check_round(live);
}

/* Only signals and --duration end us while lines wait to be written, not --count. */
static bool must_stop(const struct live *live, uint64_t now_ns)
{
	return sf_signals_stop() || (live->end_ns && now_ns >= live->end_ns);
}

static void draw_status(struct live *live)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "%" PRIu64 " %s, %" PRIu64 "/s, %" PRIu64 " lost - Ctrl-C ends",
		 live->show.nr_shown, live->show.what->noun, live->nr_shown_per_s,
		 live->losses.lost_total);
	sf_status_draw(&live->status, text);
}

static void draw_stall(struct live *live)
{
	struct sf_losses losses; /* those of live are told in the stream, which stands still */
	char text[256];

	if (!live->status.is_wanted || sf_tracer_losses(live->tracer, &losses))
		return;
	snprintf(text, sizeof(text), "%s is not read, %" PRIu64 " lost - Ctrl-C ends",
		 sf_show_out_name(&live->show), losses.lost_total);
	sf_status_draw(&live->status, text);
}

/*
 * The reader of standard output stands still; asked every 100 ms. Meanwhile the ring fills, and the
 * kernel side counts what it has no room for.
 */
static bool may_wait(void *ctx)
{
	struct live *live = ctx;
	uint64_t now_ns = sf_boottime_ns();
	bool has_moved = live->show.out.written_bytes != live->written_before_bytes;

	live->written_before_bytes = live->show.out.written_bytes;
	if (!must_stop(live, now_ns)) {
		if (now_ns >= live->next_second_ns)
			draw_stall(live);
		return true;
	}
	if (has_moved || !live->give_up_ns)
		live->give_up_ns = now_ns + PATIENCE_NS;
	return now_ns < live->give_up_ns;
}

static int watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int make_poll(struct live *live, int signal_fd)
{
	int r;

	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (live->epoll_fd < 0)
		return -errno;
	r = watch(live->epoll_fd, signal_fd, EPOLLIN | EPOLLET);
	/*
	 * Edge-triggered: level-triggered it would return at once whenever the ring is not empty.
	 */
	if (!r)
		r = watch(live->epoll_fd, sf_tracer_wake_fd(live->tracer), EPOLLIN | EPOLLET);
	if (r)
		return r;
	/* A pipe whose reader has gone ends us, also while there is nothing to write. */
	r = watch(live->epoll_fd, live->show.out.fd, EPOLLET);
	return r == -EPERM ? 0 : r; /* a file: cannot be watched, need not be */
}

static bool stdout_is_gone(const struct live *live, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++)
		if (events[i].data.fd == live->show.out.fd && (events[i].events & EPOLLERR))
			return true;
	return sf_out_is_closed(&live->show.out);
}

static struct sf_recording_losses told_losses(const struct sf_losses *losses)
{
	struct sf_recording_losses told = {
		.lost_map = losses->lost_map,
		.lost_nested = losses->lost_nested,
		.lost_requests = losses->lost_requests,
		.waits_refused = losses->waits_refused,
	};

	for (int i = 0; i < SF_EV_NR; i++) {
		told.sent[i] = losses->sent[i];
		told.lost_ring[i] = losses->lost_ring[i];
	}
	return told;
}

static void show_stats(struct live *live)
{
	const struct sf_recording_losses losses = told_losses(&live->losses);

	sf_show_stats(&live->show, &losses, sf_boottime_ns());
}

/* Those of the ring since the last look leave a gap in the numbers of the lines. */
static int read_losses(struct live *live, uint64_t *ret_new_ring)
{
	int r;

	*ret_new_ring = 0;
	live->losses_before = live->losses;
	r = sf_tracer_losses(live->tracer, &live->losses);
	if (r)
		return r;
	for (int i = 0; i < SF_EV_NR; i++)
		*ret_new_ring += live->losses.lost_ring[i] - live->losses_before.lost_ring[i];
	sf_reader_note_lost(&live->show.reader, *ret_new_ring);
	return 0;
}

/* What was lost since the last look is told where the lines are. */
static int look_at_losses(struct live *live, uint64_t now_ns)
{
	uint64_t new_ring, before = live->losses.lost_total;
	uint64_t seconds = (now_ns - live->looked_ns + SF_NS_PER_S / 2) / SF_NS_PER_S;
	int r;

	live->looked_ns = now_ns;
	r = read_losses(live, &new_ring);
	if (r || live->losses.lost_total == before)
		return r;
	show_stats(live);
	sf_status_erase(&live->status);
	sf_warn("lost %" PRIu64 " in the last %" PRIu64 " s: %" PRIu64 " events (ring full: raise "
		"--buffer), %" PRIu64 " connections not followed (raise --max-connections)",
		live->losses.lost_total - before, seconds, new_ring,
		live->losses.lost_map - live->losses_before.lost_map);
	return 0;
}

/* Other columns need another heading, or nobody knows what they are. */
static void follow_terminal(struct live *live)
{
	unsigned int width = sf_terminal_columns();

	if (width == live->show.view_options.width)
		return;
	live->show.view_options.width = width;
	sf_view_resize(live->show.view, width);
	if (!live->show.what->drawing && !live->show.record.path &&
	    live->show.options->format == SF_FORMAT_TABLE)
		sf_view_header(live->show.view);
}

/* Drift is followed now and then, as each change ends a block of a recording; a step at once. */
static void follow_clock(struct live *live)
{
	int64_t offset_ns = sf_realtime_offset_ns();

	if (++live->nr_seconds % CLOCK_EVERY_S &&
	    llabs(offset_ns - live->realtime_offset_ns) < CLOCK_STEP_NS)
		return;
	live->realtime_offset_ns = offset_ns;
	sf_show_clock(&live->show, offset_ns);
}

static int each_second(struct live *live, uint64_t now_ns)
{
	int r;

	if (now_ns < live->next_second_ns)
		return 0;
	live->next_second_ns = now_ns + SF_NS_PER_S;
	r = look_at_losses(live, now_ns);
	follow_clock(live);
	if (sf_signals_resized())
		follow_terminal(live);
	if (!r) {
		const struct sf_recording_losses losses = told_losses(&live->losses);

		sf_show_second(&live->show, &losses, now_ns);
	}
	live->nr_shown_per_s = live->show.nr_shown - live->nr_shown_before;
	live->nr_shown_before = live->show.nr_shown;
	draw_status(live);
	return r;
}

/* until_ns: what waits to be shown waits no longer than this. */
static int take_and_show(struct live *live, uint64_t until_ns)
{
	bool was_drawn = live->status.is_drawn;
	int r;

	live->round_begin_ns = sf_boottime_ns();
	live->round_end_ns = until_ns + sf_min_u64(ROUND_NS, UINT64_MAX - until_ns);
	r = sf_tracer_consume(live->tracer);
	sf_show_due(&live->show, until_ns);
	if (live->status.shares_terminal && live->show.out.len)
		sf_status_erase(&live->status);
	if (sf_out_flush(&live->show.out))
		return 0; /* latched: told once, at the end */
	if (was_drawn && !live->status.is_drawn)
		draw_status(live);
	return r < 0 && r != -EAGAIN ? r : 0;
}

static bool is_over(const struct live *live, uint64_t now_ns)
{
	return live->show.is_full || live->show.out.err || must_stop(live, now_ns);
}

static int loop(struct live *live)
{
	struct epoll_event events[3];
	uint64_t now_ns = sf_boottime_ns(), new_ring;
	int n, r = 0;

	while (!r && !is_over(live, now_ns)) {
		n = epoll_wait(live->epoll_fd, events, 3, TICK_MS);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (stdout_is_gone(live, events, n)) {
			live->is_gone = true;
			return 0;
		}
		now_ns = sf_boottime_ns();
		r = take_and_show(live, now_ns);
		if (!r)
			r = each_second(live, now_ns);
	}
	/* Nothing more is made; what is in the ring is still shown. */
	sf_tracer_detach(live->tracer);
	if (!r)
		r = take_and_show(live, UINT64_MAX);
	if (!r)
		r = sf_tracer_waiting(live->tracer, on_record, live);
	sf_show_due(&live->show, UINT64_MAX); /* one of those may wait for its other end */
	sf_out_flush(&live->show.out);	      /* an error is latched there */
	if (!r)
		r = read_losses(live, &new_ring);
	return r;
}

static int finish(struct live *live, int r)
{
	struct sf_recording_losses losses = told_losses(&live->losses);

	sf_status_erase(&live->status);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "tracing failed: %s", strerror(-r));
	if (live->is_gone || sf_out_is_closed(&live->show.out))
		return SF_EXIT_OK;
	losses.nr_bad = live->show.reader.nr_bad;
	sf_show_end(&live->show, &losses, sf_boottime_ns());
	r = sf_show_summary(&live->show, &losses);
	if (live->losses.waits_refused)
		sf_notice("%" PRIu64 " connections ended for us before the peer's FIN: too many "
			  "waited for it",
			  live->losses.waits_refused);
	return r;
}

/* Not all sockets need to be seeded: then it is not known of some whether they are older. */
static int seed(struct live *live)
{
	int r = sf_tracer_seed(live->tracer);

	switch (r) {
	case 0:
	case -EOPNOTSUPP:
		return SF_EXIT_OK;
	case -EPERM:
		sf_verbose(
			"not all network namespaces can be found and entered (that takes "
			"CAP_SYS_ADMIN, CAP_SYS_PTRACE and the host's own /proc): of connections "
			"in others it is not known whether they are older than synfin");
		return SF_EXIT_OK;
	default:
		return sf_start_no_sockets(r);
	}
}

static void begin_times(struct live *live)
{
	uint64_t now_ns = sf_boottime_ns(), duration_ns = live->show.options->duration_ns;

	live->looked_ns = now_ns;
	live->next_second_ns = now_ns + SF_NS_PER_S;
	if (duration_ns) /* which may reach beyond what the clock holds */
		live->end_ns = now_ns + sf_min_u64(duration_ns, UINT64_MAX - now_ns);
}

/* What a recording says of how it was made. */
static struct sf_recording_about make_about(const struct live *live)
{
	const struct sf_plan *plan = sf_tracer_plan(live->tracer);
	struct sf_recording_about about = { .synfin_version = SF_VERSION };
	struct utsname uts;
	size_t len = 0;

	if (!uname(&uts))
		snprintf(about.kernel_release, sizeof(about.kernel_release), "%s", uts.release);
	snprintf(about.tier, sizeof(about.tier), "%s", sf_tier_names[sf_plan_tier(plan)]);
	for (int i = 0; i < SF_HOOK_NR && len < sizeof(about.hooks_missing); i++)
		if (sf_plan_misses(plan, i))
			len += (size_t)snprintf(about.hooks_missing + len,
						sizeof(about.hooks_missing) - len, "%s ",
						sf_hooks[i].name);
	return about;
}

static int start(struct live *live)
{
	struct sf_cut cut;
	int r;

	sf_host_read(&live->show.host, "");
	live->realtime_offset_ns = sf_realtime_offset_ns();
	r = sf_show_open(&live->show, sf_boottime_ns(), live->realtime_offset_ns);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(-r));
	live->show.out.may_wait = may_wait;
	live->show.out.wait_ctx = live;
	sf_filter_cut(live->show.filter, &cut);
	r = sf_start_tracer(live->show.options, &cut, live->show.what->want, on_record, live,
			    &live->tracer);
	return r ? r : seed(live);
}

/* What it has loaded can be read without them. */
static void drop_caps(const struct live *live)
{
	int r = sf_tracer_drop_caps(live->tracer, live->show.what->keep_caps);

	if (r)
		sf_verbose("cannot give up the capabilities that are not needed any more: %s",
			   strerror(-r));
}

static int run_live(struct live *live)
{
	struct sf_recording_about about;
	int r, signal_fd;

	signal_fd = sf_signals_init();
	if (signal_fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(-signal_fd));
	r = start(live);
	if (r)
		return r;
	r = make_poll(live, signal_fd);
	if (!r)
		r = sf_signals_tick();
	if (r)
		return sf_err(SF_EXIT_FAILURE, "cannot wait for events: %s", strerror(-r));
	about = make_about(live);
	r = sf_show_begin(&live->show, &about);
	if (r)
		return sf_show_failed(&live->show, r);
	drop_caps(live);
	r = sf_show_ready(&live->show);
	if (r)
		return r;
	sf_notice("tracing with %s hooks; Ctrl-C ends", about.tier);
	sf_status_init(&live->status);
	begin_times(live);
	sf_out_flush(&live->show.out);
	return finish(live, loop(live));
}

int sf_live_run(const struct sf_live_what *what, const struct sf_options *options, int argc,
		const char *const *argv)
{
	struct live live = { .epoll_fd = -1 };
	int r;

	r = sf_show_init(&live.show, what, options, argc, argv);
	if (!r)
		r = options->read_path ? sf_replay_run(&live.show, options->read_path) :
					 run_live(&live);
	if (live.epoll_fd >= 0)
		close(live.epoll_fd);
	sf_tracer_free(live.tracer);
	sf_show_clear(&live.show);
	return r;
}
