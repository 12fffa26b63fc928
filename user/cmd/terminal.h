/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the terminals on standard output and error can show, and the status line.
 */
#ifndef SF_CMD_TERMINAL_H
#define SF_CMD_TERMINAL_H

#include <stdbool.h>

struct sf_options;

/* How wide lines on standard output may be. */
unsigned int sf_terminal_columns(void);
/* As --color says; if that says "auto", on standard output's terminal only. */
bool sf_terminal_wants_color(const struct sf_options *options);

/*
 * The status line: the last line of the terminal, on standard error, drawn over
 * itself and erased before anything else is written there.
 */
struct sf_status {
	bool is_wanted;
	bool is_drawn;
	bool shares_terminal; /* standard output is a terminal too: lines go where the status is */
};

/* Only terminals get one, and only those that can erase it; -q asks for none. */
void sf_status_init(struct sf_status *status);
/* Cut to the width of the terminal: a line that wraps cannot be erased. text is ASCII. */
void sf_status_draw(struct sf_status *status, const char *text);
void sf_status_erase(struct sf_status *status);

#endif
