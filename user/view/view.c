// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which line an event gets. The line is made in place in the output buffer;
 * the view itself remembers only its layout, the clocks' offset, the time of
 * the line before and the last Community IDs.
 */
#include "view/view.h"

#include <errno.h>
#include <stdlib.h>

#include "base/community_id.h"
#include "base/json.h"
#include "base/out.h"
#include "base/util.h"
#include "bpf/story.h"
#include "view/columns.h"
#include "view/draw.h"
#include "view/fields.h"

_Static_assert(SF_JSON_LINE_MAX <= SF_VIEW_LINE_MAX, "a JSON line fits");

struct sf_view {
	struct sf_view_options options;
	struct sf_out *out; /* borrowed */
	struct sf_layout layout;
	uint64_t previous_ns; /* of the line before, 0 = there is none */
	struct sf_community_ids ids;
};

int sf_view_new(const struct sf_view_options *options, struct sf_out *out, struct sf_view **ret)
{
	struct sf_view *view;

	if (options->format >= SF_FORMAT_NR || options->kind >= SF_VIEW_NR ||
	    options->time_format >= SF_TIME_NR)
		return -EINVAL;
	view = calloc(1, sizeof(*view));
	if (!view)
		return -ENOMEM;
	view->options = *options;
	view->out = out;
	sf_view_resize(view, options->width);
	*ret = view;
	return 0;
}

void sf_view_free(struct sf_view *view)
{
	free(view);
}

void sf_view_freep(struct sf_view **view)
{
	sf_view_free(*view);
}

void sf_view_clock(struct sf_view *view, int64_t realtime_offset_ns)
{
	view->options.realtime_offset_ns = realtime_offset_ns;
}

void sf_view_resize(struct sf_view *view, unsigned int width)
{
	if (!width)
		width = 80;
	if (width < SF_VIEW_WIDTH_MIN)
		width = SF_VIEW_WIDTH_MIN;
	if (width > SF_VIEW_WIDTH_MAX)
		width = SF_VIEW_WIDTH_MAX;
	view->options.width = width;
	sf_layout_make(&view->options, &view->layout);
}

/* Room for a line. NULL with *ret_r set: 0 when lines are dropped as nobody reads them. */
static char *line_room(struct sf_view *view, int *ret_r)
{
	char *room = sf_out_reserve(view->out, SF_VIEW_LINE_MAX);

	if (!room) {
		*ret_r = view->out->err;
		if (!*ret_r && !sf_out_is_closed(view->out))
			*ret_r = -ENOBUFS;
	}
	return room;
}

/* len 0: the line did not fit. */
static int line_done(struct sf_view *view, size_t len)
{
	if (!len)
		return -ENOBUFS;
	sf_out_commit(view->out, len);
	return 0;
}

static size_t json_done(struct sf_json *j)
{
	if (j->overflow || j->len == j->size)
		return 0;
	j->buf[j->len++] = '\n';
	return j->len;
}

int sf_view_header(struct sf_view *view)
{
	const struct sf_view_options *options = &view->options;
	char *room;
	int r;

	if (options->has_no_headers || options->format == SF_FORMAT_JSON)
		return 0;
	room = line_room(view, &r);
	if (!room)
		return r;
	if (options->format == SF_FORMAT_CSV)
		return line_done(view, sf_csv_titles(&view->layout, room, SF_VIEW_LINE_MAX));
	return line_done(view, sf_draw_titles(&view->layout, options, room, SF_VIEW_LINE_MAX));
}

bool sf_view_shows(const struct sf_view *view, const struct sf_event *event)
{
	if (view->options.kind == SF_VIEW_CONNS)
		return event->kind == SF_EV_CLOSE || event->kind == SF_EV_FAILED;
	return event->kind != SF_EV_NONE && event->kind < SF_EV_NR;
}

static size_t draw(struct sf_view *view, const struct sf_line *line, char *room)
{
	const struct sf_view_options *options = &view->options;
	struct sf_row row = {
		.line = line,
		.time_format = options->time_format,
		.start_ns = options->start_ns,
		.previous_ns = view->previous_ns,
		.bytes_per_s = SF_RATE_UNKNOWN,
	};
	struct sf_json json;

	switch (options->format) {
	case SF_FORMAT_JSON:
		sf_json_init(&json, room, SF_VIEW_LINE_MAX);
		sf_fields_event(&json, line);
		return json_done(&json);
	case SF_FORMAT_CSV:
		return sf_csv_row(&view->layout, options, &row, room, SF_VIEW_LINE_MAX);
	default:
		return sf_draw_row(&view->layout, options, &row, room, SF_VIEW_LINE_MAX);
	}
}

int sf_view_joined(struct sf_view *view, const struct sf_event *event, const struct sf_event *peer,
		   uint64_t seq)
{
	struct sf_line line = {
		.event = event,
		.peer = peer,
		.seq = seq,
		.realtime_offset_ns = view->options.realtime_offset_ns,
		.host = view->options.host,
		.ids = &view->ids,
	};
	char *room;
	int r;

	if (!sf_view_shows(view, event))
		return 0;
	room = line_room(view, &r);
	if (!room)
		return r;
	if (!view->options.start_ns)
		view->options.start_ns = event->time_ns;
	if (!view->previous_ns)
		view->previous_ns = event->time_ns;
	r = line_done(view, draw(view, &line, room));
	view->previous_ns = event->time_ns;
	return r;
}

int sf_view_event(struct sf_view *view, const struct sf_event *event, uint64_t seq)
{
	return sf_view_joined(view, event, NULL, seq);
}

int sf_view_stats(struct sf_view *view, const struct sf_loss_view *loss, uint64_t seq)
{
	struct sf_line line = {
		.seq = seq,
		.realtime_offset_ns = view->options.realtime_offset_ns,
		.host = view->options.host,
	};
	struct sf_json json;
	char *room;
	int r;

	if (view->options.format != SF_FORMAT_JSON)
		return 0;
	room = line_room(view, &r);
	if (!room)
		return r;
	sf_json_init(&json, room, SF_VIEW_LINE_MAX);
	sf_fields_stats(&json, &line, loss);
	return line_done(view, json_done(&json));
}
