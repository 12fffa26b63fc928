/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A verdict for people, three lines (what, why, what to do), and as a
 * tcp.stuck JSON object: the fields of any event, then stuck_*. Pure: writes to
 * the caller's buffer.
 */
#ifndef SF_VIEW_STUCK_H
#define SF_VIEW_STUCK_H

#include <stddef.h>
#include <stdint.h>

struct sf_case;
struct sf_holder;
struct sf_json;
struct sf_line;
struct sf_verdict;

/* While watching; a single look has none. */
enum sf_stuck_change {
	SF_STUCK_NOW,
	SF_STUCK_BEGUN,
	SF_STUCK_ENDED,
};

/* All borrowed. */
struct sf_stuck_view {
	const struct sf_line *line; /* its event: the story, kind SF_EV_STUCK; its peer */
	const struct sf_case *c;
	const struct sf_verdict *verdict;
	const struct sf_holder *holders; /* of the socket, nr_holders */
	size_t nr_holders;
	size_t nr_more; /* others of its kind that these lines stand for */
	enum sf_stuck_change change;
};

#define SF_STUCK_TEXT_MAX 2048

/* Returns the length, newlines included. size: SF_STUCK_TEXT_MAX always suffices. */
size_t sf_stuck_draw(const struct sf_stuck_view *view, char *buf, size_t size);
/* process_holders, if more than one descriptor holds it. */
void sf_fields_holders(struct sf_json *j, const struct sf_holder *holders, size_t nr);
/* The whole object, without a newline. */
void sf_fields_stuck(struct sf_json *j, const struct sf_stuck_view *view);

#endif
