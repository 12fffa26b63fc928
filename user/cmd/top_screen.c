// SPDX-License-Identifier: GPL-2.0-or-later
/* What top draws: the list, one connection, the help. */
#include "cmd/top.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "cmd/screen.h"
#include "view/cells.h"
#include "view/draw.h"
#include "view/fields.h"
#include "view/fit.h"

#define FIRST_ROW 4 /* below three lines and the heading */

static const char *const help[] = {
	"  t  traffic: most bytes a second first     up, down, page up, page down, j, k",
	"  a  age: oldest first                      home, g  back to the first row",
	"  s  state: what is stuck first             Enter    open one: story and ladder",
	"  h  handshake: slowest first               Esc, q   back; q in the list ends",
	"  p  process: by name",
	"  r  the other way round                    space    hold still, go on",
	"",
	"  /  filter, as on the command line: port 443 and not host 10.0.0.0/8;",
	"     handshake > 10ms; state close-wait; comm nginx. An empty one shows all.",
	"",
	"A row is a connection; where both ends are on this host, it tells of both.",
	"*  this host's end    ~  inferred, not seen    ?  nobody knows who called",
	">  at least: it is older than synfin           red  it makes no progress",
	"",
	"BYTES/s counts both ways. HANDSHK is the client's SYN to SYN+ACK, the server's",
	"SYN+ACK to ACK: absent for what was open before synfin.",
};

/* ---- drawing ---- */

static void put_line(unsigned int y, enum sf_screen_look look, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put_line(unsigned int y, enum sf_screen_look look, const char *fmt, ...)
{
	char text[SF_TOP_LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sf_screen_put(y, look, text);
}

static void draw_title(const struct sf_top_state *top)
{
	char time[SF_TIME_STRLEN] = "", every[SF_TIME_STRLEN];
	uint64_t real_ns = sf_realtime_ns(top->look.looked_ns, sf_realtime_offset_ns());
	uint64_t interval_ns = sf_options_interval_ns(top->options, SF_TOP_INTERVAL_NS);

	sf_time_local(real_ns, time);
	time[strcspn(time, ".")] = '\0';
	put_line(0, SF_LOOK_TITLE, "synfin top - %s - %s, every %s - by %s%s%s%s%s", top->host.name,
		 time, sf_duration_format(interval_ns, every), sf_top_order_name(top->rows.order),
		 top->rows.is_reversed ? " reversed" : "", top->is_paused ? " - PAUSED" : "",
		 top->typed[0] ? " - " : "", top->typed);
}

static void draw_sums(const struct sf_top_state *top)
{
	const struct sf_top_sums *sums = &top->look.sums;
	char text[SF_TOP_LINE_SIZE];

	sf_top_line_sums(sums, text);
	sf_screen_put(1, sums->nr_lost || sums->nr_stuck ? SF_LOOK_BAD : SF_LOOK_PLAIN, text);
	sf_top_line_states(sums, text);
	sf_screen_put(2, SF_LOOK_PLAIN, text);
}

/* Lines of a table end in a newline. */
static void put_drawn(unsigned int y, enum sf_screen_look look, char *text, size_t len)
{
	text[len ? len - 1 : 0] = '\0';
	sf_screen_put(y, look, text);
}

static void draw_row(const struct sf_top_state *top, size_t i, unsigned int y)
{
	const struct sf_top_row *row = &top->rows.rows[i];
	struct sf_event event, peer;
	struct sf_line line = { .event = &event };
	const struct sf_row cells = { .line = &line,
				      .time_format = SF_TIME_NONE,
				      .bytes_per_s = row->bytes_per_s == SF_TOP_UNKNOWN ?
							     SF_RATE_UNKNOWN :
							     row->bytes_per_s };
	bool is_picked = i == top->rows.picked;
	char text[SF_VIEW_LINE_MAX];

	sf_look_event(&top->look, row->sock, &event);
	if (sf_look_peer(&top->look, row->sock, &peer))
		line.peer = &peer;
	put_drawn(y,
		  is_picked ? (row->is_stuck ? SF_LOOK_BAD_PICKED : SF_LOOK_PICKED) :
			      (row->is_stuck ? SF_LOOK_BAD : SF_LOOK_PLAIN),
		  text, sf_draw_row(&top->layout, &top->view_options, &cells, text, sizeof(text)));
}

size_t sf_top_list_height(void)
{
	unsigned int height = sf_screen_height();

	return height > FIRST_ROW + 1 ? height - FIRST_ROW - 1 : 0;
}

static void draw_list(struct sf_top_state *top)
{
	char text[SF_VIEW_LINE_MAX];
	size_t height = sf_top_list_height();

	draw_sums(top);
	put_drawn(3, SF_LOOK_HEADER, text,
		  sf_draw_titles(&top->layout, &top->view_options, text, sizeof(text)));
	sf_top_scroll(&top->rows, height);
	for (size_t i = 0; i < height && top->rows.first + i < top->rows.nr; i++)
		draw_row(top, top->rows.first + i, (unsigned int)(FIRST_ROW + i));
	if (!top->rows.nr && height)
		sf_screen_put(FIRST_ROW, SF_LOOK_FAINT,
			      top->typed[0] || top->argc ? "no connection passes the filter" :
							   "no connections");
}

/* The row of the connection that is open, of either end. NULL: it has ended. */
static const struct sf_top_row *open_row(const struct sf_top_state *top)
{
	for (size_t i = 0; i < top->rows.nr; i++)
		if (top->rows.rows[i].id == top->look.watched_ids[0] ||
		    top->rows.rows[i].id == top->look.watched_ids[1])
			return &top->rows.rows[i];
	return NULL;
}

static void make_page(struct sf_top_state *top)
{
	const struct sf_top_row *row = open_row(top);

	top->page.len = 0;
	if (row)
		sf_look_draw(&top->look, row->sock, top->view_options.is_ascii, &top->page);
	else if (!sf_look_draw_end(&top->look, top->view_options.is_ascii, &top->page))
		sf_out_printf(&top->page, "It has gone, or the filter keeps it out.\n");
}

/* One line of the page, which goes on in the next where it is too long. How many it took. */
static size_t draw_line(const struct sf_top_state *top, const char *text, size_t nr_before,
			bool is_drawn)
{
	size_t last = sf_screen_height() > 2 ? sf_screen_height() - 2 : 0;
	size_t nr = 0, len;

	do {
		size_t y = 2 + nr_before + nr - top->page_first;

		len = sf_bytes_within(text, sf_screen_width());
		if (is_drawn && nr_before + nr >= top->page_first && y <= last)
			put_line((unsigned int)y, SF_LOOK_PLAIN, "%.*s", (int)len, text);
		text += len;
		nr++;
	} while (len && *text);
	return nr;
}

/* Returns how many lines it has. */
static size_t walk_page(const struct sf_top_state *top, bool is_drawn)
{
	const char *at = top->page.buf, *end = at + top->page.len, *newline;
	size_t nr = 0;

	for (; at < end; at = newline + 1) {
		char text[SF_TOP_LINE_SIZE];

		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			break;
		snprintf(text, sizeof(text), "%.*s", (int)(newline - at), at);
		nr += draw_line(top, text, nr, is_drawn);
	}
	return nr;
}

static void draw_page(struct sf_top_state *top)
{
	size_t nr = walk_page(top, false);
	size_t height = sf_screen_height() > 3 ? sf_screen_height() - 3 : 0;

	top->page_first = sf_min_size(top->page_first, nr > height ? nr - height : 0);
	walk_page(top, true);
}

static void draw_bottom(const struct sf_top_state *top)
{
	unsigned int y = sf_screen_height() ? sf_screen_height() - 1 : 0;

	if (top->mode == SF_TOP_FILTER && top->message[0] && y)
		put_line(y - 1, SF_LOOK_BAD_PICKED, "%s", top->message);
	if (top->mode == SF_TOP_FILTER)
		put_line(y, SF_LOOK_TITLE, "/%s_", top->typing);
	else if (top->mode == SF_TOP_LIST)
		sf_screen_put(y, SF_LOOK_HEADER,
			      " q quit  ? help  Enter open  / filter  space pause  "
			      "t a s h p order  r reverse");
	else
		sf_screen_put(y, SF_LOOK_HEADER, " q back  up, down scroll  space pause");
}

void sf_top_draw(struct sf_top_state *top)
{
	sf_screen_clear();
	draw_title(top);
	switch (top->mode) {
	case SF_TOP_OPEN:
		make_page(top);
		draw_page(top);
		break;
	case SF_TOP_HELP:
		top->page.len = 0;
		for (size_t i = 0; i < ARRAY_SIZE(help); i++)
			sf_out_printf(&top->page, "%s\n", help[i]);
		draw_page(top);
		break;
	default:
		draw_list(top);
	}
	draw_bottom(top);
	sf_screen_show();
}

void sf_top_fit(struct sf_top_state *top)
{
	unsigned int width = sf_screen_width();

	if (width < SF_VIEW_WIDTH_MIN)
		width = SF_VIEW_WIDTH_MIN;
	top->view_options.width = (unsigned int)sf_min_size(width, SF_VIEW_WIDTH_MAX);
	sf_layout_make(&top->view_options, &top->layout);
}
