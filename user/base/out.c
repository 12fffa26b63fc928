/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The output buffer. write_all() is the only place that writes and the only
 * one that latches a failure; after that every call is a cheap no-op, so
 * callers may go on adding lines and look at the result once.
 */
#include "base/out.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define WAIT_MS 100 /* then may_wait() is asked */

int sf_out_init(struct sf_out *out, int fd, size_t size)
{
	char *buf = malloc(size);

	if (!buf)
		return -ENOMEM;
	*out = (struct sf_out){ .fd = fd, .size = size, .buf = buf };
	return 0;
}

void sf_out_free(struct sf_out *out)
{
	free(out->buf);
	out->buf = NULL;
	out->len = 0;
	out->size = 0;
}

static bool is_over(const struct sf_out *out)
{
	return out->err < 0 || out->is_closed;
}

/* Non-blocking descriptors happen: a terminal or pipe shared with a program that made it so. */
static void wait_writable(const struct sf_out *out)
{
	struct pollfd pollfd = { .fd = out->fd, .events = POLLOUT };

	/* Whatever it returns, the next write tells what is the matter. */
	poll(&pollfd, 1, out->may_wait ? WAIT_MS : -1);
}

/* Nothing could be written for now, r tells why: negative EAGAIN or EINTR. */
static void write_stalled(struct sf_out *out, int r)
{
	if (r == -EAGAIN)
		wait_writable(out);
	if (out->may_wait && !out->may_wait(out->wait_ctx))
		out->err = SF_OUT_GAVE_UP;
}

/* Returns how much was written: less than len once it is over. */
static size_t write_all(struct sf_out *out, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len && !is_over(out)) {
		ssize_t n = write(out->fd, text + done, len - done);

		if (n > 0) {
			done += (size_t)n;
			out->written_bytes += (size_t)n;
		} else if (n == 0) {
			out->err = -EIO; /* no progress and no reason: do not spin */
		} else if (errno == EAGAIN || errno == EINTR) {
			write_stalled(out, -errno);
		} else if (errno == EPIPE) {
			out->is_closed = true;
		} else {
			out->err = -errno;
		}
	}
	return done;
}

int sf_out_flush(struct sf_out *out)
{
	size_t done = write_all(out, out->buf, out->len);

	for (unsigned int i = 0; i < out->nr_marks; i++)
		out->nr_unwritten += out->marks[i] > done;
	out->nr_marks = 0;
	out->len = 0;
	return out->err;
}

void sf_out_mark(struct sf_out *out)
{
	if (out->nr_marks == SF_OUT_MARKS)
		sf_out_flush(out);
	if (!is_over(out))
		out->marks[out->nr_marks++] = out->len;
	else
		out->nr_unwritten++;
}

char *sf_out_reserve(struct sf_out *out, size_t size)
{
	if (is_over(out) || size > out->size)
		return NULL;
	if (size > out->size - out->len) {
		sf_out_flush(out);
		if (is_over(out))
			return NULL;
	}
	return out->buf + out->len;
}

void sf_out_commit(struct sf_out *out, size_t len)
{
	out->len += sf_min_size(len, out->size - out->len);
}

void sf_out_write(struct sf_out *out, const void *text, size_t len)
{
	char *room;

	if (is_over(out) || len == 0)
		return;
	room = sf_out_reserve(out, len);
	if (room) {
		memcpy(room, text, len);
		sf_out_commit(out, len);
		return;
	}
	sf_out_flush(out);
	write_all(out, text, len);
}

void sf_out_printf(struct sf_out *out, const char *fmt, ...)
{
	_cleanup_(sf_freep) char *text = NULL;
	va_list args;
	int n;

	if (is_over(out))
		return;

	/* Mostly there is room: then the text is made in place. */
	va_start(args, fmt);
	n = vsnprintf(out->buf + out->len, out->size - out->len, fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < out->size - out->len) {
		out->len += (size_t)n;
		return;
	}

	if (n >= 0)
		text = malloc((size_t)n + 1);
	if (!text) {
		out->err = n < 0 ? -errno : -ENOMEM;
		return;
	}
	va_start(args, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, args);
	va_end(args);
	sf_out_write(out, text, (size_t)n);
}

bool sf_out_is_closed(const struct sf_out *out)
{
	return out->is_closed;
}
