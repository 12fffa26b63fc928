/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a ladder: time, time since the rung before, what is outside the
 * rails and what is between them. Each row takes at most SF_LADDER_WIDTH
 * columns, whatever a story holds. Writes to the caller's sf_out only.
 */
#ifndef SF_VIEW_RUNGS_DRAW_H
#define SF_VIEW_RUNGS_DRAW_H

#include <stdbool.h>

#include "view/fit.h"
#include "view/rungs.h"

/* The columns of a row, from 0: what stands outside the rails has 13 on each side. */
#define SF_LADDER_WIDTH 80
#define SF_LADDER_TIME_WIDTH 10
#define SF_LADDER_DELTA_WIDTH 8
#define SF_LADDER_TEXT_WIDTH 13

struct sf_out;

/* "4242/curl" behind a mark, safe for a terminal. Returns buf, "" if the task is not known. */
const char *sf_task_text(const struct sf_task *task, const char *mark, bool is_ascii,
			 char buf[SF_FIT_SIZE]);
/* All rungs, a line each. */
void sf_rungs_draw(const struct sf_rungs *rungs, bool is_coloured, bool is_ascii,
		   struct sf_out *out);

#endif
