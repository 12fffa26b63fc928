/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the writers of cells share: looking at the row and filling a cell by
 * its type. Included by cells.c and cells_facts.c only.
 */
#ifndef SF_VIEW_CELLS_SET_H
#define SF_VIEW_CELLS_SET_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bpf/story.h"
#include "view/cells.h"
#include "view/facts.h"

/* What a cause is called in a table, 8 columns at most; NULL = not known. */
const char *sf_cause_label(uint8_t cause);

static inline const struct sf_event *event_of(const struct sf_row *row)
{
	return row->line->event;
}

static inline const struct sf_story *story_of(const struct sf_row *row)
{
	return &row->line->event->story;
}

/* The story of the other end where it is on this host; NULL = it is not, or that is not known. */
static inline const struct sf_story *peer_of(const struct sf_row *row)
{
	return row->line->peer ? &row->line->peer->story : NULL;
}

/* text: ours; NULL leaves the cell absent. */
static inline void set_text(struct sf_cell *cell, const char *text)
{
	if (!text)
		return;
	cell->kind = SF_CELL_TEXT;
	snprintf(cell->text, sizeof(cell->text), "%s", text);
}

static inline void set_number(struct sf_cell *cell, uint64_t number)
{
	cell->kind = SF_CELL_NUMBER;
	cell->number = number;
}

static inline void set_id(struct sf_cell *cell, uint64_t id)
{
	if (!id)
		return;
	cell->kind = SF_CELL_TEXT;
	snprintf(cell->text, sizeof(cell->text), "%016" PRIx64, id);
}

static inline void set_took(struct sf_cell *cell, const struct sf_took *took)
{
	cell->kind = SF_CELL_DURATION;
	cell->number = took->ns;
	cell->mark = took->is_inferred ? '~' : 0;
}

/* As set_took(), after asking for it. */
static inline void set_fact(struct sf_cell *cell, const struct sf_row *row,
			    bool (*fact)(const struct sf_story *story, struct sf_took *ret))
{
	struct sf_took took;

	if (fact(story_of(row), &took))
		set_took(cell, &took);
}

static inline void set_count(struct sf_cell *cell, const struct sf_row *row,
			     bool (*fact)(const struct sf_event *event, uint64_t *ret))
{
	uint64_t count;

	if (fact(event_of(row), &count))
		set_number(cell, count);
}

#endif
