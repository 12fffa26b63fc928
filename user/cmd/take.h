/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From options to a snapshot, with the messages and exit statuses that go with failing to. */
#ifndef SF_CMD_TAKE_H
#define SF_CMD_TAKE_H

#include "cmd/options.h"

struct sf_filter;
struct sf_snapper;
struct sf_snapshot;

/* SF_EXIT_OK with *ret set, or prints one line and returns the exit status to end with. */
int sf_take_start(const struct sf_options *options, struct sf_snapper **ret);
/* Also says what could not be seen. */
int sf_take(struct sf_snapper *snapper, struct sf_snapshot *ret);
/* The same for a snapshot that was taken already; r: what sf_snapper_take() returned. */
int sf_take_said(const struct sf_snapper *snapper, const struct sf_snapshot *snap, int r);
/* The filter of options and operands; prints what is wrong with it. */
int sf_take_filter(const struct sf_options *options, int argc, const char *const *argv,
		   struct sf_filter **ret);

#endif
