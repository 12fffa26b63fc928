/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands. To add one: write user/cmd/NAME.c with a const struct sf_cmd,
 * declare it here, list it in main.c, describe it in user/dist/synfin.8.
 */
#ifndef SF_CMD_CMD_H
#define SF_CMD_CMD_H

#include "cmd/options.h"

struct sf_cmd {
	const char *name;
	const char *summary; /* for --help */
	/* Gets the operands after the command's name. Returns an enum sf_exit. */
	int (*run)(const struct sf_options *options, int argc, const char *const *argv);
};

extern const struct sf_cmd sf_cmd_trace;
extern const struct sf_cmd sf_cmd_conns;
extern const struct sf_cmd sf_cmd_ladder;
extern const struct sf_cmd sf_cmd_stuck;
extern const struct sf_cmd sf_cmd_listeners;
extern const struct sf_cmd sf_cmd_ports;
extern const struct sf_cmd sf_cmd_top;
extern const struct sf_cmd sf_cmd_serve;
extern const struct sf_cmd sf_cmd_doctor;

#endif
