/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From options to a running tracer, with the messages and exit statuses that go with failing to. */
#ifndef SF_CMD_START_H
#define SF_CMD_START_H

#include "cmd/options.h"
#include "kernel/tracer.h"

/*
 * Checks privilege, reads what the kernel allows and loads. Prints its own
 * one-line errors. Returns SF_EXIT_OK with *ret set, or the exit status to end
 * with.
 */
int sf_start_tracer(const struct sf_options *options, const struct sf_cut *cut, struct sf_want want,
		    sf_record_fn fn, void *ctx, struct sf_tracer **ret);
/* Prints that the host's sockets cannot be read, for this negative errno; returns the status. */
int sf_start_no_sockets(int r);
/*
 * SF_EXIT_OK, or prints what is missing and returns the exit status to end with. *ret to be cleared
 * by the caller.
 */
int sf_start_caps(struct sf_caps *ret);

#endif
