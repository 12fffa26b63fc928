/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One real connection to ourselves on loopback, traced: does what synfin says match what we did? */
#ifndef SF_CMD_SELFTEST_H
#define SF_CMD_SELFTEST_H

#include "cmd/options.h"

/* Prints what was checked and found. SF_EXIT_OK, or the exit status to end with. */
int sf_selftest(const struct sf_options *options);

#endif
