/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to people, on standard error, prefixed "synfin: ". A message is one
 * line; one that holds newlines (libbpf's) becomes several, each prefixed. What
 * a terminal would act on is replaced, so any text may be an argument. Only
 * cmd/ and main.c call sf_err and sf_warn; rooms below return and use sf_dbg at
 * most. Holds the program's mutable globals: the verbosity, lines that are kept
 * back, and whether the reader stands still; lines that it does not take in time
 * are dropped.
 */
#ifndef SF_BASE_LOG_H
#define SF_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* What -q, -v and -vv set. Errors are always printed. */
enum sf_verbosity {
	SF_QUIET = -1, /* errors only */
	SF_NORMAL = 0, /* errors, warnings, notices */
	SF_VERBOSE = 1,
	SF_DEBUG = 2, /* libbpf's own lines too */
};

void sf_log_set_verbosity(int verbosity);
int sf_log_verbosity(void);

/*
 * None of these changes errno. sf_err prints the message as an error and
 * returns r, so that "return sf_err(-ENOMEM, ...)" works.
 */
int sf_err(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sf_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sf_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sf_verbose(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sf_dbg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Keeps lines back, the first few KiB of them, until it is called with false: a screen is drawn. */
void sf_log_hold(bool is_held);
/* As it is, for a terminal; dropped if it cannot be written at once. */
void sf_log_status(const char *text, size_t len);

#endif
