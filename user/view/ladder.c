// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stands above and below the rungs: the ends and their processes, the
 * time of the first rung, how it ended and what each end counted. What an end
 * does not tell is left out.
 */
#include "view/ladder.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/out.h"
#include "base/util.h"
#include "story/names.h"
#include "story/story.h"
#include "view/facts.h"
#include "view/fields.h"
#include "view/fit.h"
#include "view/pairs.h"
#include "view/rungs.h"
#include "view/rungs_draw.h"

/* Column 34 is the left rail, 65 the right one; left of the first is a blank. */
#define LEFT_RAIL (SF_LADDER_TIME_WIDTH + 1 + SF_LADDER_DELTA_WIDTH + 1 + SF_LADDER_TEXT_WIDTH + 1)
_Static_assert(LEFT_RAIL + SF_RUNG_WIDTH + 2 + 1 + SF_LADDER_TEXT_WIDTH == SF_LADDER_WIDTH,
	       "a row is as wide as a drawing");

/* Columns of the time above the rungs: what "*client" leaves. */
#define TIME_WIDTH 27

#define BOLD "\033[1m"
#define OFF "\033[0m"

struct page {
	const struct sf_view_options *options;
	struct sf_out *out;
	struct sf_rungs rungs;
};

/* A list that goes on in the next line where it has to. */
struct list {
	struct sf_out *out;
	char title[16];
	size_t column; /* 0: nothing written yet */
	bool has_item; /* in this line */
};

static const struct sf_story *story_at(const struct page *p, enum sf_rail rail)
{
	return p->rungs.ends[rail] ? &p->rungs.ends[rail]->story : NULL;
}

/* The one end, or of two the left one. */
static const struct sf_story *any_story(const struct page *p)
{
	return story_at(p, SF_LEFT) ? story_at(p, SF_LEFT) : story_at(p, SF_RIGHT);
}

static bool is_pair(const struct page *p)
{
	return p->rungs.ends[SF_LEFT] && p->rungs.ends[SF_RIGHT];
}

/* By role; where both dialled or nobody knows, by place. */
static const char *name_of(const struct page *p, enum sf_rail rail)
{
	switch (any_story(p)->role) {
	case SF_ROLE_CLIENT:
	case SF_ROLE_SERVER:
	case SF_ROLE_LISTENER:
		return rail == SF_LEFT ? "client" : "server";
	default:
		if (is_pair(p))
			return rail == SF_LEFT ? "left" : "right";
		return p->rungs.ends[rail] ? "local" : "peer";
	}
}

/* ---- above ---- */

/* "~": its role is inferred, "?": nobody knows who called. */
static const char *doubt(const struct page *p, enum sf_rail rail)
{
	const struct sf_story *s = any_story(p);

	if (s->role == SF_ROLE_UNKNOWN)
		return "?";
	return story_at(p, rail) && sf_story_role_is_inferred(story_at(p, rail)) ? "~" : "";
}

static bool endpoint_at(const struct page *p, enum sf_rail rail, struct sf_endpoint *ret)
{
	if (story_at(p, rail))
		return sf_story_local(story_at(p, rail), ret);
	return sf_story_peer(any_story(p), ret);
}

static void put_endpoint(const struct page *p, enum sf_rail rail, char text[SF_FIT_SIZE])
{
	char buf[SF_ENDPOINT_STRLEN];
	struct sf_endpoint end;

	snprintf(text, SF_FIT_SIZE, "%s%s", doubt(p, rail),
		 endpoint_at(p, rail, &end) ? sf_endpoint_format(end.addr, end.port, buf) : "-");
}

static const char *arrow_of(const struct page *p)
{
	switch (any_story(p)->role) {
	case SF_ROLE_BOTH:
		return "<->";
	case SF_ROLE_UNKNOWN:
		return "--";
	default:
		return "->";
	}
}

/* "4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx", in two lines if it is long. */
static void draw_ends(const struct page *p)
{
	const char *on = p->options->is_coloured ? BOLD : "";
	const char *off = p->options->is_coloured ? OFF : "";
	char ends[SF_RAIL_NR][SF_FIT_SIZE], tasks[SF_RAIL_NR][SF_FIT_SIZE];
	size_t width = strlen(arrow_of(p)) + 2;

	for (int i = 0; i < SF_RAIL_NR; i++) {
		const struct sf_story *s = story_at(p, (enum sf_rail)i);

		put_endpoint(p, (enum sf_rail)i, ends[i]);
		/* who closed it stands in for who had it */
		sf_task_text(s ? &s->owner : NULL,
			     s && s->owner.source == SF_OWNER_SRC_CLOSE ? "~" : "",
			     p->options->is_ascii, tasks[i]);
		width += strlen(ends[i]) + sf_columns_of(tasks[i]) + (tasks[i][0] ? 1 : 0);
	}
	sf_out_printf(p->out, "%s%s%s%s%s%s %s%s%s%s\n", on, tasks[SF_LEFT],
		      tasks[SF_LEFT][0] ? " " : "", ends[SF_LEFT],
		      width > SF_LADDER_WIDTH ? "\n" : " ", arrow_of(p), ends[SF_RIGHT],
		      tasks[SF_RIGHT][0] ? " " : "", tasks[SF_RIGHT], off);
}

/* Seconds from one time to another; the clocks of two CPUs may make it negative. */
static void put_seconds(uint64_t time_ns, uint64_t since_ns, char text[SF_FIT_SIZE])
{
	bool is_negative = time_ns < since_ns;
	uint64_t us = (is_negative ? since_ns - time_ns : time_ns - since_ns) / 1000;

	snprintf(text, SF_FIT_SIZE, "%s%" PRIu64 ".%06" PRIu64, is_negative && us ? "-" : "",
		 us / 1000000, us % 1000000);
}

static void put_begin(const struct page *p, uint64_t previous_ns, char text[SF_FIT_SIZE])
{
	uint64_t begin_ns = sf_rungs_begin_ns(&p->rungs);
	uint64_t start_ns = p->options->start_ns ? p->options->start_ns : begin_ns;
	uint64_t real_ns = sf_realtime_ns(begin_ns, p->options->realtime_offset_ns);
	char buf[SF_TIME_STRLEN];

	text[0] = '\0';
	if (!begin_ns)
		return;
	switch (p->options->time_format) {
	case SF_TIME_LOCAL:
		snprintf(text, SF_FIT_SIZE, "%s", sf_time_local(real_ns, buf));
		break;
	case SF_TIME_UTC:
		snprintf(text, SF_FIT_SIZE, "%s", sf_time_rfc3339(real_ns, buf));
		break;
	case SF_TIME_RELATIVE:
		put_seconds(begin_ns, start_ns, text);
		break;
	case SF_TIME_DELTA:
		put_seconds(begin_ns, previous_ns ? previous_ns : begin_ns, text);
		break;
	default:
		break;
	}
	sf_fit_time(text, TIME_WIDTH, p->options->is_ascii);
}

/* When the first rung was, and which rail is whose: "*" this host's end. */
static void draw_titles(const struct page *p, uint64_t previous_ns)
{
	char time[SF_FIT_SIZE], names[SF_RAIL_NR][16];

	for (int i = 0; i < SF_RAIL_NR; i++) {
		enum sf_rail rail = (enum sf_rail)i;
		const char *mark = doubt(p, rail);

		if (!*mark && story_at(p, rail))
			mark = "*";
		snprintf(names[i], sizeof(names[i]), "%s%s", mark, name_of(p, rail));
	}
	put_begin(p, previous_ns, time);
	sf_out_printf(p->out, "%s%*s%*s%s\n", time, (int)(LEFT_RAIL + 1 - strlen(time)),
		      names[SF_LEFT], SF_RUNG_WIDTH, "", names[SF_RIGHT]);
}

/* ---- below ---- */

__attribute__((format(printf, 2, 3))) static void put_item(struct list *list, const char *fmt, ...)
{
	char text[SF_FIT_SIZE];
	va_list args;
	size_t width;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	width = sf_columns_of(text);
	if (!list->column) {
		sf_out_printf(list->out, "%s: ", list->title);
		list->column = strlen(list->title) + 2;
	} else if (list->column + 2 + width > SF_LADDER_WIDTH - 1) { /* and a comma may follow */
		sf_out_printf(list->out, ",\n%*s", (int)strlen(list->title) + 2, "");
		list->column = strlen(list->title) + 2;
		list->has_item = false;
	}
	sf_out_printf(list->out, "%s%s", list->has_item ? ", " : "", text);
	list->column += width + (list->has_item ? 2 : 0);
	list->has_item = true;
}

static void end_list(struct list *list)
{
	if (list->column)
		sf_out_printf(list->out, "\n");
}

static void put_took(struct list *list, const char *what, const struct sf_took *took)
{
	char text[SF_TIME_STRLEN];

	put_item(list, "%s %s%s", what, took->is_inferred ? "~" : "",
		 sf_duration_format(took->ns, text));
}

static void put_counters(struct list *list, const struct sf_event *end)
{
	const struct sf_story *s = &end->story;

	if (!sf_fact_has_counters(end))
		return;
	put_item(list, "sent %" PRIu64 " byte%s", (uint64_t)s->bytes_sent,
		 s->bytes_sent == 1 ? "" : "s");
	put_item(list, "received %" PRIu64, (uint64_t)s->bytes_received);
	put_item(list, "unread %" PRIu32, s->unread_bytes);
	put_item(list, "retransmits %" PRIu32, s->retransmits);
	if (s->retransmits_unsent)
		put_item(list, "refused here %" PRIu32, s->retransmits_unsent);
}

/* What one end counted and measured. */
static void draw_end(const struct page *p, enum sf_rail rail)
{
	const struct sf_event *end = p->rungs.ends[rail];
	struct list list = { .out = p->out };
	struct sf_took took;
	uint64_t nr;

	if (!end)
		return;
	snprintf(list.title, sizeof(list.title), "%s", name_of(p, rail));
	if (sf_fact_handshake(&end->story, &took))
		put_took(&list, "handshake", &took);
	if (sf_fact_syn_retransmits(end, &nr) && nr)
		put_item(&list, "SYN retransmits %" PRIu64, nr);
	if (sf_fact_synack_retransmits(end, &nr) && nr)
		put_item(&list, "SYN+ACK retransmits %" PRIu64, nr);
	if (sf_fact_accept_wait(&end->story, &took))
		put_took(&list, "accept wait", &took);
	put_counters(&list, end);
	end_list(&list);
}

/* How the connection ended for one end. False: not known. */
static bool put_cause(const struct page *p, enum sf_rail rail, char text[SF_FIT_SIZE])
{
	const struct sf_event *end = p->rungs.ends[rail];
	enum sf_rail sender;

	if (!end || !sf_rungs_cause(end))
		return false;
	if (end->story.cause == SF_CAUSE_RESET &&
	    sf_rungs_side(rail, end->story.rst_sender, &sender))
		snprintf(text, SF_FIT_SIZE, "reset by %s", name_of(p, sender));
	else
		snprintf(text, SF_FIT_SIZE, "%s", sf_rungs_cause(end));
	return true;
}

static void put_causes(const struct page *p, struct list *list)
{
	char left[SF_FIT_SIZE], right[SF_FIT_SIZE], error[SF_ERRNO_STRLEN];
	bool has_left = put_cause(p, SF_LEFT, left), has_right = put_cause(p, SF_RIGHT, right);
	uint16_t err = 0;

	if (has_left && has_right && strcmp(left, right) != 0) {
		put_item(list, "%s for the %s", left, name_of(p, SF_LEFT));
		put_item(list, "%s for the %s", right, name_of(p, SF_RIGHT));
		return;
	}
	if (!has_left && !has_right) {
		put_item(list, "not known how");
		return;
	}
	for (int i = 0; i < SF_RAIL_NR; i++) {
		if (story_at(p, (enum sf_rail)i) && !err)
			err = story_at(p, (enum sf_rail)i)->err;
	}
	if (err)
		put_item(list, "%s (%s)", has_left ? left : right, sf_errno_name(err, error));
	else
		put_item(list, "%s", has_left ? left : right);
}

/* Each end tells who it saw closing first: two that saw themselves did so at once. */
static void put_closer(const struct page *p, struct list *list)
{
	bool has_closed[SF_RAIL_NR] = { false, false };
	enum sf_rail rail;

	for (int i = 0; i < SF_RAIL_NR; i++) {
		const struct sf_event *end = p->rungs.ends[i];

		if (!end || end->kind != SF_EV_CLOSE)
			continue;
		if (end->story.closed_by == SF_SIDE_BOTH)
			has_closed[SF_LEFT] = has_closed[SF_RIGHT] = true;
		else if (sf_rungs_side((enum sf_rail)i, end->story.closed_by, &rail))
			has_closed[rail] = true;
	}
	if (has_closed[SF_LEFT] && has_closed[SF_RIGHT])
		put_item(list, "both closed at once");
	else if (has_closed[SF_LEFT] || has_closed[SF_RIGHT])
		put_item(list, "%s closed first",
			 name_of(p, has_closed[SF_LEFT] ? SF_LEFT : SF_RIGHT));
}

/* A fact that either end can tell; the one that began it is asked first. */
static void put_either(const struct page *p, struct list *list, const char *what,
		       bool (*fact)(const struct sf_story *story, struct sf_took *ret))
{
	struct sf_took took;

	for (int i = 0; i < SF_RAIL_NR; i++) {
		const struct sf_story *s = story_at(p, (enum sf_rail)i);

		if (s && fact(s, &took)) {
			put_took(list, what, &took);
			return;
		}
	}
}

/* Between the ends somebody may have rewritten addresses or ports. */
static void put_nat(const struct page *p, struct list *list)
{
	struct sf_endpoint dialled, own;
	char text[SF_ENDPOINT_STRLEN];

	if (!is_pair(p))
		return;
	for (int i = 0; i < SF_RAIL_NR; i++) {
		const struct sf_story *s = story_at(p, (enum sf_rail)i);
		enum sf_rail other = sf_other_rail((enum sf_rail)i);

		if (!sf_story_peer(s, &dialled) || !endpoint_at(p, other, &own) ||
		    (!memcmp(dialled.addr, own.addr, sizeof(own.addr)) && dialled.port == own.port))
			continue;
		put_item(list, "%s's peer %s", name_of(p, (enum sf_rail)i),
			 sf_endpoint_format(dialled.addr, dialled.port, text));
	}
}

/* An end as a snapshot found it. */
static bool is_alive(const struct sf_event *end)
{
	return end && end->kind == SF_EV_STUCK;
}

/* "client ESTAB": the states of what goes on; what has ended says how. */
static void put_states(const struct page *p, struct list *list)
{
	char cause[SF_FIT_SIZE];
	bool is_minimum;
	struct sf_took age = { 0 };

	for (int i = 0; i < SF_RAIL_NR; i++) {
		const struct sf_event *end = p->rungs.ends[i];
		const char *name = name_of(p, (enum sf_rail)i);

		if (is_alive(end))
			put_item(list, "%s %s", name, sf_state_label(end->story.state));
		else if (put_cause(p, (enum sf_rail)i, cause))
			put_item(list, "%s for the %s", cause, name);
		if (is_alive(end) && !age.ns &&
		    !sf_story_age_ns(&end->story, end->time_ns, &age.ns, &is_minimum))
			age.ns = 0;
	}
	if (age.ns)
		put_took(list, is_minimum ? "seen for" : "age", &age);
}

static void draw_outcome(const struct page *p)
{
	bool goes_on = is_alive(p->rungs.ends[SF_LEFT]) || is_alive(p->rungs.ends[SF_RIGHT]);
	struct list list = { .out = p->out };
	const char *reason = NULL;

	snprintf(list.title, sizeof(list.title), "%s", goes_on ? "now" : "ended");
	if (goes_on)
		put_states(p, &list);
	else
		put_causes(p, &list);
	for (int i = 0; i < SF_RAIL_NR; i++) {
		if (story_at(p, (enum sf_rail)i) && !reason)
			reason = sf_rst_reason_name(story_at(p, (enum sf_rail)i)->rst_reason);
	}
	if (reason)
		put_item(&list, "RST reason %s", reason);
	put_closer(p, &list);
	put_either(p, &list, "half-close", sf_fact_half_close);
	put_either(p, &list, "life", sf_fact_duration);
	put_nat(p, &list);
	end_list(&list);
}

bool sf_ladder_shows(const struct sf_event *event)
{
	return event->kind == SF_EV_CLOSE || event->kind == SF_EV_FAILED;
}

int sf_ladder_draw(struct sf_ladder *ladder, const struct sf_pair *pair, struct sf_out *out)
{
	struct page page = { .options = ladder->options, .out = out };

	sf_rungs_make(pair->ends[0], pair->ends[1], &page.rungs);
	draw_ends(&page);
	if (!ladder->options->has_no_headers)
		draw_titles(&page, ladder->previous_ns);
	sf_rungs_draw(&page.rungs, ladder->options->is_coloured, ladder->options->is_ascii, out);
	draw_outcome(&page);
	draw_end(&page, SF_LEFT);
	draw_end(&page, SF_RIGHT);
	sf_out_printf(out, "\n");
	if (sf_rungs_begin_ns(&page.rungs))
		ladder->previous_ns = sf_rungs_begin_ns(&page.rungs);
	return out->err;
}
