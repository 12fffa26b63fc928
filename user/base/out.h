/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffered output to a file descriptor that keeps lines whole: text is added
 * in lines, written in as few write(2) calls as possible, and the first error
 * is remembered: what is added after it is dropped. A reader that went away
 * (EPIPE) is an end, not an error: sf_out_is_closed() is then true, err stays 0
 * and flushes return 0, so whoever loops has to ask. The program must ignore
 * SIGPIPE, or that signal ends it first.
 *
 * A reader that stands still is waited for as long as may_wait() says. It is
 * asked whenever a signal interrupts a write, so it needs one: a timer, with a
 * handler and no SA_RESTART. That holds for every kind of descriptor and
 * changes none: O_NONBLOCK would change it for all who share it.
 */
#ifndef SF_BASE_OUT_H
#define SF_BASE_OUT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_OUT_MARKS 1024
#define SF_OUT_GAVE_UP (-ETIMEDOUT)

struct sf_out {
	int fd; /* borrowed */
	/* negative errno of the first failed write, 0 = none, SF_OUT_GAVE_UP; never -EPIPE */
	int err;
	bool is_closed; /* the reader went away */
	/* May it wait on for a reader that stands still? NULL: for ever. Must not write to out. */
	bool (*may_wait)(void *ctx);
	void *wait_ctx;
	uint64_t written_bytes;
	uint64_t nr_unwritten; /* marked items that were not written whole */
	size_t len;
	size_t size;
	char *buf;
	unsigned int nr_marks;
	size_t marks[SF_OUT_MARKS]; /* where in buf items end */
};

/* size: bytes buffered before a write is forced, > 0. 0 or -ENOMEM; *out untouched on failure. */
int sf_out_init(struct sf_out *out, int fd, size_t size);
/* Flushes nothing and does not close fd; out may be zeroed or freed already. */
void sf_out_free(struct sf_out *out);
/*
 * Room for a line of at most size bytes, to be filled and then committed with
 * its length; NULL once an error is latched, once closed, or if size exceeds
 * the buffer. Writes out what is buffered when the room is not there.
 */
char *sf_out_reserve(struct sf_out *out, size_t size);
/* len: at most what was reserved. */
void sf_out_commit(struct sf_out *out, size_t len);
/* Any len: what is larger than the buffer is written without it. */
void sf_out_write(struct sf_out *out, const void *text, size_t len);
void sf_out_printf(struct sf_out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What was added since the last mark is one item, counted in nr_unwritten if it is not written. */
void sf_out_mark(struct sf_out *out);
/* Writes what is buffered. 0 or the latched negative errno. Retries EINTR, waits on EAGAIN. */
int sf_out_flush(struct sf_out *out);
bool sf_out_is_closed(const struct sf_out *out);

#endif
