/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawing events into a text, for the tests of the view. Include it after
 * cmocka.h.
 */
#ifndef TEST_VIEW_DRAW_H
#define TEST_VIEW_DRAW_H

#include <stddef.h>
#include <string.h>

#include "base/out.h"
#include "base/util.h"
#include "view/view.h"

#include "view_stories.h"

#define TEXT_SIZE 65536

/* What the view writes for the events, as text; nothing is ever written to the descriptor. */
static inline const char *draw(const struct sf_view_options *options, const struct sf_event *events,
			       size_t nr_events)
{
	static char text[TEXT_SIZE];
	struct sf_view *view = NULL;
	struct sf_out out;

	assert_int_equal(sf_out_init(&out, -1, TEXT_SIZE), 0);
	assert_int_equal(sf_view_new(options, &out, &view), 0);
	assert_int_equal(sf_view_header(view), 0);
	for (size_t i = 0; i < nr_events; i++)
		assert_int_equal(sf_view_event(view, &events[i], i + 1), 0);
	assert_true(out.len < TEXT_SIZE);
	memcpy(text, out.buf, out.len);
	text[out.len] = '\0';
	sf_view_free(view);
	sf_out_free(&out);
	return text;
}

/* One event, without the titles. */
static inline const char *draw_one(const struct sf_view_options *options,
				   const struct sf_event *event)
{
	struct sf_view_options no_titles = *options;

	no_titles.has_no_headers = true;
	return draw(&no_titles, event, 1);
}

/* The columns of a line: every character one, a colour none. */
static inline size_t columns(const char *line)
{
	size_t sum = 0;

	for (; *line && *line != '\n'; line++) {
		if (*line == '\033')
			line = strchr(line, 'm');
		else if (((unsigned char)*line & 0xc0) != 0x80)
			sum++;
	}
	return sum;
}

static const struct sf_view_options trace
	__attribute__((unused)) = { .kind = SF_VIEW_TRACE, .realtime_offset_ns = OFFSET };
static const struct sf_view_options conns
	__attribute__((unused)) = { .kind = SF_VIEW_CONNS, .realtime_offset_ns = OFFSET };

#endif
