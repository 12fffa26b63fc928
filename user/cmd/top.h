/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What top's keys change and its screen shows. For top.c and top_screen.c only. */
#ifndef SF_CMD_TOP_H
#define SF_CMD_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/out.h"
#include "cmd/look.h"
#include "cmd/options.h"
#include "view/columns.h"
#include "view/host.h"
#include "view/top.h"
#include "view/view.h"

#define SF_TOP_INTERVAL_NS SF_NS_PER_S /* if none is given */

enum sf_top_mode {
	SF_TOP_LIST,
	SF_TOP_OPEN, /* one connection */
	SF_TOP_HELP,
	SF_TOP_FILTER, /* an expression is typed */
};

struct sf_top_state {
	const struct sf_options *options;
	int argc; /* the filter of the command line */
	const char *const *argv;
	struct sf_filter *filter; /* of the command line and of what was typed */
	struct sf_look look;
	struct sf_top rows;
	struct sf_host host;
	struct sf_out page; /* of the connection that is open; never written anywhere */
	struct sf_layout layout;
	struct sf_view_options view_options;
	enum sf_top_mode mode;
	size_t page_first; /* the first line of page in sight */
	uint64_t next_ns;
	uint64_t nr_looks;
	char typed[256];   /* the filter in force */
	char typing[256];  /* while it is typed */
	char message[256]; /* what is wrong with it, until the next key */
	bool is_paused;
	bool must_end;
};

/* Once open, and when the terminal has another size: what fits in a row. */
void sf_top_fit(struct sf_top_state *top);
void sf_top_draw(struct sf_top_state *top);
/* Rows of the list in sight. */
size_t sf_top_list_height(void);

#endif
