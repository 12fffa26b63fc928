/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events from a recording instead of from the kernel. Needs no privilege. */
#ifndef SF_CMD_REPLAY_H
#define SF_CMD_REPLAY_H

struct sf_show;

/*
 * Shows all of a recording, "-" for standard input; of a damaged one what is whole before the
 * damage. show: after sf_show_init(). Prints its own errors; returns an enum sf_exit.
 */
int sf_replay_run(struct sf_show *show, const char *path);

#endif
