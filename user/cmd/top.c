// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * synfin top: every connection that there is, live, on the whole screen. Keys
 * bring the rows into another order, filter them, hold them still, open one.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/out.h"
#include "base/util.h"
#include "cmd/cmd.h"
#include "cmd/screen.h"
#include "cmd/signals.h"
#include "cmd/take.h"
#include "cmd/terminal.h"
#include "cmd/top.h"
#include "filter/filter.h"
#include "filter/parse.h"

#define TICK_MS 100 /* then the ring is emptied */
#define PAGE_BYTES (128 * 1024)

/* ---- keys ---- */

/* As on the command line and, too, as typed. False: it is wrong, which the message says. */
static bool set_filter(struct sf_top_state *top, const char *typed)
{
	struct sf_filter *filter = NULL;
	int r = sf_options_filter(top->options, top->argc, top->argv, &filter, top->message,
				  sizeof(top->message));

	if (!r)
		r = sf_filter_parse(filter, 1, &typed, top->message, sizeof(top->message));
	if (r) {
		sf_filter_free(filter);
		return false;
	}
	sf_filter_free(top->filter);
	top->filter = filter;
	return true;
}

static void end_typing(struct sf_top_state *top)
{
	if (!set_filter(top, top->typing))
		return; /* it can be mended */
	snprintf(top->typed, sizeof(top->typed), "%s", top->typing);
	top->mode = SF_TOP_LIST;
	/* What was held still was filtered otherwise. */
	top->is_paused = false;
	top->next_ns = 0;
}

static void key_in_filter(struct sf_top_state *top, int key)
{
	size_t len = strlen(top->typing);

	switch (key) {
	case SF_KEY_ENTER:
		end_typing(top);
		break;
	case SF_KEY_ESCAPE:
		top->mode = SF_TOP_LIST;
		break;
	case SF_KEY_BACKSPACE:
		if (len)
			top->typing[len - 1] = '\0';
		break;
	default:
		if (key >= ' ' && key < 127 && len + 1 < sizeof(top->typing)) {
			top->typing[len] = (char)key;
			top->typing[len + 1] = '\0';
		}
	}
}

static void open_picked(struct sf_top_state *top)
{
	if (top->rows.picked >= top->rows.nr)
		return;
	sf_look_watch(&top->look, top->rows.rows[top->rows.picked].sock);
	top->page_first = 0;
	top->mode = SF_TOP_OPEN;
}

static void reorder(struct sf_top_state *top, int key)
{
	static const char keys[] = { [SF_TOP_TRAFFIC] = 't',
				     [SF_TOP_AGE] = 'a',
				     [SF_TOP_STATE] = 's',
				     [SF_TOP_HANDSHAKE] = 'h',
				     [SF_TOP_PROCESS] = 'p' };
	_Static_assert(ARRAY_SIZE(keys) == SF_TOP_ORDER_NR, "a key per order");

	for (int i = 0; i < SF_TOP_ORDER_NR; i++)
		if (keys[i] == key)
			sf_top_reorder(&top->rows, (enum sf_top_order)i, false);
	if (key == 'r')
		sf_top_reorder(&top->rows, top->rows.order, !top->rows.is_reversed);
}

/* True if the key moves; how far, in *ret. */
static bool is_move(int key, long height, long *ret)
{
	switch (key) {
	case SF_KEY_UP:
	case 'k':
		*ret = -1;
		return true;
	case SF_KEY_DOWN:
	case 'j':
		*ret = 1;
		return true;
	case SF_KEY_PAGE_UP:
		*ret = -height;
		return true;
	case SF_KEY_PAGE_DOWN:
		*ret = height;
		return true;
	case SF_KEY_END:
	case 'G':
		*ret = 1L << 40;
		return true;
	default:
		return false;
	}
}

static void key_in_list(struct sf_top_state *top, int key)
{
	long by;

	if (is_move(key, (long)sf_top_list_height(), &by)) {
		sf_top_move(&top->rows, by);
		return;
	}
	switch (key) {
	case 'q':
		top->must_end = true;
		break;
	case SF_KEY_HOME:
	case 'g':
		sf_top_home(&top->rows);
		break;
	case SF_KEY_ENTER:
		open_picked(top);
		break;
	case '/':
		snprintf(top->typing, sizeof(top->typing), "%s", top->typed);
		top->mode = SF_TOP_FILTER;
		break;
	case '?':
		top->page_first = 0;
		top->mode = SF_TOP_HELP;
		break;
	default:
		reorder(top, key);
	}
}

/* One connection, or the help. */
static void key_in_page(struct sf_top_state *top, int key)
{
	long by;

	if (is_move(key, (long)sf_top_list_height(), &by)) {
		if (by < 0)
			top->page_first -= sf_min_size(top->page_first, (size_t)0 - (size_t)by);
		else
			top->page_first += (size_t)by; /* draw_page() knows the end */
	} else if (key == SF_KEY_HOME || key == 'g') {
		top->page_first = 0;
	} else if (key == 'q' || key == SF_KEY_ESCAPE || key == SF_KEY_ENTER ||
		   key == SF_KEY_BACKSPACE) {
		top->mode = SF_TOP_LIST;
	}
}

static void press(struct sf_top_state *top, int key)
{
	top->message[0] = '\0';
	if (top->mode == SF_TOP_FILTER) {
		key_in_filter(top, key);
		return;
	}
	if (key == ' ') {
		top->is_paused = !top->is_paused;
		top->next_ns = 0;
	} else if (top->mode == SF_TOP_LIST) {
		key_in_list(top, key);
	} else {
		key_in_page(top, key);
	}
}

/* ---- the loop ---- */

static bool is_over(const struct sf_top_state *top, uint64_t end_ns)
{
	return top->must_end || sf_signals_stop() || (end_ns && sf_boottime_ns() >= end_ns) ||
	       (top->options->count && top->nr_looks > top->options->count);
}

static int look(struct sf_top_state *top)
{
	int r;

	if (top->is_paused || sf_boottime_ns() < top->next_ns)
		return 0;
	r = sf_look_take(&top->look, top->filter, &top->rows);
	top->nr_looks++;
	top->next_ns = sf_boottime_ns() + sf_options_interval_ns(top->options, SF_TOP_INTERVAL_NS);
	return r;
}

static int take_keys(struct sf_top_state *top)
{
	int key, nr = 0;

	while ((key = sf_screen_key()) != SF_KEY_NONE) {
		press(top, key);
		nr++;
	}
	return nr;
}

/* The terminal is gone: there would be no key any more, and no end. */
static bool is_terminal_gone(const struct pollfd *terminal)
{
	return terminal->revents & (POLLHUP | POLLERR | POLLNVAL);
}

static int loop(struct sf_top_state *top, int signal_fd)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	uint64_t now_ns = sf_boottime_ns(), duration_ns = top->options->duration_ns;
	uint64_t end_ns = duration_ns ? now_ns + sf_min_u64(duration_ns, UINT64_MAX - now_ns) : 0;
	uint64_t nr_drawn = 0, value;
	int r = 0;

	while (!r && !is_over(top, end_ns) && !is_terminal_gone(&fds[0])) {
		bool has_changed = take_keys(top);

		if (read(signal_fd, &value, sizeof(value)) > 0 && sf_signals_resized()) {
			sf_screen_resize();
			sf_top_fit(top);
			has_changed = true;
		}
		r = sf_look_consume(&top->look);
		if (r)
			return sf_err(SF_EXIT_FAILURE, "tracing failed: %s", strerror(-r));
		r = look(top);
		if (!r && (has_changed || nr_drawn != top->nr_looks))
			sf_top_draw(top);
		nr_drawn = top->nr_looks;
		if (!r && !top->must_end)
			poll(fds, ARRAY_SIZE(fds), TICK_MS);
	}
	return r;
}

static int cannot_open(int r)
{
	switch (r) {
	case -ENOTTY:
		return sf_err(SF_EXIT_USAGE, "top needs a terminal on standard input and output: "
					     "trace, conns, stuck write to pipes and files");
	case -ENOENT:
		return sf_err(SF_EXIT_USAGE, "the terminal type (TERM) is not known here: set one "
					     "such as TERM=xterm, or install its description");
	default:
		return sf_err(SF_EXIT_UNSUPPORTED, "this synfin was built without ncurses: build "
						   "it where libncurses-dev is installed");
	}
}

/* What there is to tell is told when the terminal is back. */
static int run_screen(struct sf_top_state *top)
{
	int r, signal_fd = sf_signals_init();

	if (signal_fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot handle signals: %s", strerror(-signal_fd));
	r = sf_look_start(top->options, &top->look);
	if (r)
		return r;
	r = sf_screen_open(sf_terminal_wants_color(top->options));
	if (r)
		return cannot_open(r);
	r = sf_signals_tick();
	sf_log_hold(true);
	sf_top_fit(top);
	if (!r)
		r = loop(top, signal_fd);
	sf_screen_close();
	sf_log_hold(false);
	return r;
}

static int check_usage(const struct sf_options *options)
{
	if (options->format != SF_FORMAT_TABLE)
		return sf_err(SF_EXIT_USAGE, "top only draws: leave out -o, or give -o table "
					     "(trace, conns, stuck have the other formats)");
	if (!sf_screen_is_built_in())
		return cannot_open(-ENOSYS);
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? 0 : cannot_open(-ENOTTY);
}

static int run(const struct sf_options *options, int argc, const char *const *argv)
{
	struct sf_top_state top = { .options = options, .argc = argc, .argv = argv };
	int r = sf_take_filter(options, argc, argv, &top.filter);

	if (!r)
		r = check_usage(options);
	if (!r && sf_out_init(&top.page, -1, PAGE_BYTES))
		r = sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(ENOMEM));
	if (!r) {
		setlocale(LC_CTYPE, "");
		sf_host_read(&top.host, "");
		top.view_options = (struct sf_view_options){
			.kind = SF_VIEW_TOP,
			.time_format = SF_TIME_NONE,
			.is_ascii = strcmp(nl_langinfo(CODESET), "UTF-8"),
		};
		r = run_screen(&top);
	}
	sf_look_clear(&top.look);
	sf_top_clear(&top.rows);
	sf_out_free(&top.page);
	sf_filter_free(top.filter);
	return r;
}

const struct sf_cmd sf_cmd_top = {
	.name = "top",
	.summary = "full screen, live: sort, filter, open one",
	.run = run,
};
