// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is shown of a recording is what was shown live, to the byte, in every view
 * and format: the same events, losses and steps of the clock are shown as the live
 * loop does it, and recorded and shown again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cmd/replay.h"
#include "cmd/show.h"
#include "filter/filter.h"
#include "view/pairs.h"

#include "ladder_stories.h"

#define NR_EVENTS 900
#define TEXT_MAX (4U << 20)

/* Standard output goes to a file in memory until released; the test's own stays whole. */
struct capture {
	int saved_fd;
	int fd;
};

static struct capture capture_stdout(void)
{
	struct capture capture;

	fflush(stdout);
	capture.saved_fd = dup(STDOUT_FILENO);
	capture.fd = memfd_create("captured", MFD_CLOEXEC);
	assert_true(capture.saved_fd >= 0 && capture.fd >= 0);
	assert_int_equal(dup2(capture.fd, STDOUT_FILENO), STDOUT_FILENO);
	return capture;
}

/* The text, NUL at its end; to be freed. */
static char *release_stdout(struct capture *capture)
{
	char *text = calloc(1, TEXT_MAX);
	ssize_t n;

	assert_non_null(text);
	assert_int_equal(dup2(capture->saved_fd, STDOUT_FILENO), STDOUT_FILENO);
	close(capture->saved_fd);
	n = pread(capture->fd, text, TEXT_MAX - 1, 0);
	close(capture->fd);
	assert_in_range(n, 0, TEXT_MAX - 2);
	return text;
}

/* A drawing as the ladder command has it. */
struct drawer {
	struct sf_ladder ladder;
	struct sf_pairs *pairs;
	struct sf_out *out;
};

static void drawer_begin(void *ctx, const struct sf_view_options *options, struct sf_out *out)
{
	struct drawer *drawer = ctx;

	drawer->ladder.options = options;
	drawer->out = out;
}

static bool drawer_event(void *ctx, const struct sf_event *event)
{
	struct drawer *drawer = ctx;
	struct sf_pair pair;

	if (!sf_ladder_shows(event) || !sf_pairs_add(drawer->pairs, event, &pair))
		return false;
	sf_ladder_draw(&drawer->ladder, &pair, drawer->out);
	return true;
}

static bool drawer_due(void *ctx, uint64_t now_ns)
{
	struct drawer *drawer = ctx;
	struct sf_pair pair;

	if (!sf_pairs_due(drawer->pairs, now_ns, &pair))
		return false;
	sf_ladder_draw(&drawer->ladder, &pair, drawer->out);
	return true;
}

static const struct sf_live_drawing drawing = { .begin = drawer_begin,
						.event = drawer_event,
						.due = drawer_due };

static struct sf_event some_event(unsigned int i, __u64 *seed)
{
	struct sf_event event;

	switch (i % 6) {
	case 0:
		return client_connect();
	case 1:
		return client_closed();
	case 2:
		return server_closed();
	case 3:
		return client_refused();
	case 4:
		return listener();
	}
	event = random_event(seed);
	event.story.close_call %= SF_CALL_NR;
	event.story.wait_end %= SF_WAIT_END_NR;
	return event;
}

/* What the live loop does between start and end: losses and the clock change on the way. */
static void feed(struct sf_show *show)
{
	struct sf_recording_losses losses = { .sent = { [SF_EV_CONNECT] = NR_EVENTS } };
	__u64 seed = 88172645463325252ULL;
	int64_t offset_ns = OFFSET;

	for (unsigned int i = 0; i < NR_EVENTS && !show->is_full; i++) {
		const struct sf_event event = some_event(i, &seed);
		const struct sf_event *checked;

		if (i % 301 == 300) {
			losses.lost_ring[SF_EV_CLOSE] += 3;
			losses.lost_map += i % 2;
			sf_reader_note_lost(&show->reader, 3);
			sf_show_stats(show, &losses, T0 + i);
		}
		if (i % 401 == 400)
			sf_show_clock(show, offset_ns += (int64_t)(7 * MS));
		/* A record that is not as expected takes a number. */
		if (i % 501 == 500)
			sf_reader_read(&show->reader, &event, 8, &checked);
		if (sf_reader_read(&show->reader, &event, sizeof(event), &checked))
			fail_msg("event %u", i);
		sf_show_due(show, checked->time_ns);
		if (sf_show_wants(show, checked) && !show->is_full)
			sf_show_event(show, checked);
	}
	if (!show->is_full)
		sf_show_due(show, UINT64_MAX);
	losses.nr_bad = show->reader.nr_bad;
	sf_show_end(show, &losses, T0 + 60000 * MS);
}

static int live(struct sf_show *show, const struct sf_live_what *what,
		const struct sf_options *options)
{
	const struct sf_recording_about about = { .synfin_version = "0.1.0",
						  .tier = "full",
						  .hooks_missing = "connect accept " };
	const char *const filter[] = { "not", "port", "6000" };

	assert_int_equal(sf_show_init(show, what, options, ARRAY_SIZE(filter), filter), 0);
	sf_host_set(&show->host, "web1", "e1bc71d8902e13e6a744770d48f213e9",
		    "2a832b32-9fbe-455c-bf92-40813443e13c");
	assert_int_equal(sf_show_open(show, T0 - 12, OFFSET), 0);
	assert_int_equal(sf_show_begin(show, &about), 0);
	feed(show);
	return show->out.err;
}

/* The three ways: shown live; recorded; what was recorded shown. */
static void compare(enum sf_view_kind kind, bool is_drawn, const struct sf_options *base)
{
	char path[64];
	struct drawer drawer = { .pairs = NULL };
	const struct sf_live_what what = {
		.view = kind,
		.want.kinds = kind == SF_VIEW_CONNS || is_drawn ?
				      1U << SF_EV_CLOSE | 1U << SF_EV_FAILED :
				      ~1U,
		.noun = "events",
		.drawing = is_drawn ? &drawing : NULL,
		.ctx = &drawer,
	};
	struct sf_options options = *base, recording = { .write_path = path };
	struct sf_show show;
	struct capture capture;
	char *shown, *replayed;
	int r;

	snprintf(path, sizeof(path), "/tmp/synfin-test-replay-%d", getpid());
	assert_int_equal(sf_pairs_new(16, 1000 * MS, &drawer.pairs), 0);
	capture = capture_stdout();
	r = live(&show, &what, &options);
	shown = release_stdout(&capture);
	assert_int_equal(r, 0);
	sf_show_clear(&show);

	assert_int_equal(live(&show, &what, &recording), 0);
	sf_show_clear(&show);

	sf_pairs_free(drawer.pairs);
	assert_int_equal(sf_pairs_new(16, 1000 * MS, &drawer.pairs), 0);
	options.read_path = path;
	assert_int_equal(sf_show_init(&show, &what, &options, 0, NULL), 0);
	capture = capture_stdout();
	r = sf_replay_run(&show, path);
	replayed = release_stdout(&capture);
	assert_int_equal(r, SF_EXIT_OK);
	sf_show_clear(&show);

	assert_true(strlen(shown) > 100);
	if (strcmp(shown, replayed))
		assert_string_equal(shown, replayed);
	free(shown);
	free(replayed);
	sf_pairs_free(drawer.pairs);
	unlink(path);
}

static void test_all_formats(void **state)
{
	(void)state;
	for (int kind = 0; kind < SF_VIEW_NR; kind++)
		for (int format = 0; format < SF_FORMAT_NR; format++)
			for (int time = 0; time < SF_TIME_NR; time++)
				compare((enum sf_view_kind)kind, false,
					&(struct sf_options){ .format = format,
							      .time_format = time });
}

static void test_count(void **state)
{
	(void)state;
	compare(SF_VIEW_TRACE, false, &(struct sf_options){ .count = 17 });
	compare(SF_VIEW_CONNS, false, &(struct sf_options){ .count = 1 });
}

static void test_ladder(void **state)
{
	(void)state;
	compare(SF_VIEW_TRACE, true, &(struct sf_options){ .format = SF_FORMAT_TABLE });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_formats),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_ladder),
	};

	sf_log_set_verbosity(SF_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
