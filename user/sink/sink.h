/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sink: where lines of JSON go. Each has a queue and a thread of its own, so
 * that a slow or dead one holds up neither the others nor who reads the ring.
 * What it cannot send it tries again, later and later; what has no room
 * meanwhile is dropped, oldest first, and counted.
 */
#ifndef SF_SINK_SINK_H
#define SF_SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_SINK_ERROR_SIZE 256
#define SF_SINK_ANSWER_SIZE 192 /* leaves room for what becomes of the lines */

struct sf_event;
struct sf_loss_view;
struct sf_sink;

/* What a send has to say of its lines; all 0 before it. */
struct sf_sink_answer {
	size_t sent;	   /* bytes from the first line on that need no sending any more */
	size_t nr_refused; /* lines among them that the other end will never take: dropped */
	uint64_t wait_ns;  /* so much time the other end wants before the next try */
	char err[SF_SINK_ANSWER_SIZE]; /* what is wrong, "": nothing */
};

/* What a kind of sink does, in its own thread. */
struct sf_sink_kind {
	const char *name; /* "file": what stands before the colon of --to */
	const char *form; /* "file:PATH": for messages */
	/* NULL, or says what this program lacks for it, a library; NULL if nothing. */
	const char *(*lacks)(void);
	/*
	 * target: what stands behind the colon, "" if there is none. Connects to nothing yet.
	 * 0; -EINVAL with what would be right in err; -ENOMEM.
	 */
	int (*open)(const char *target, void **ret_ctx, char *err, size_t err_size);
	/*
	 * Sends whole lines, len bytes. 0: all are sent, but for those refused. Negative errno: the
	 * first ret->sent bytes are, the rest is tried again, the same bytes at the same place.
	 * -EMSGSIZE: the first line of the rest is too long for it, now and ever: it is dropped.
	 */
	int (*send)(void *ctx, const char *lines, size_t len, struct sf_sink_answer *ret);
	/*
	 * One that is asked instead of sending has no send() and no queue, but these three. The
	 * first two come from who traces and never wait. realtime_offset_ns: CLOCK_REALTIME minus
	 * CLOCK_BOOTTIME.
	 */
	void (*event)(void *ctx, const struct sf_event *event, int64_t realtime_offset_ns);
	void (*loss)(void *ctx, const struct sf_loss_view *loss);
	/*
	 * In its own thread, at once and every second: 0 with err empty, or negative errno with
	 * what is wrong in err.
	 */
	int (*tend)(void *ctx, char *err, size_t err_size);
	/* Before the next send: closes what it has open, as a file may have been moved away. */
	void (*reopen)(void *ctx);
	/*
	 * A send that is under way, or comes, is over soon after end_ns (CLOCK_MONOTONIC). From
	 * another thread than send. NULL: none of its sends takes longer than 3 s.
	 */
	void (*hurry)(void *ctx, uint64_t end_ns);
	void (*close)(void *ctx);
};

struct sf_sink_counts {
	uint64_t nr_sent;
	uint64_t nr_dropped;
	uint64_t nr_retries;
	size_t queued_bytes;
};

/*
 * spec: "KIND" or "KIND:TARGET". Its thread starts at once. 0; -EINVAL, -ENOMEM or what
 * pthread_create() says, with one line in err: what is wrong and what would be right.
 */
int sf_sink_new(const char *spec, size_t queue_bytes, struct sf_sink **ret, char *err,
		size_t err_size);
/* Only whether spec can be right. 0 or -EINVAL. */
int sf_sink_check(const char *spec, char *err, size_t err_size);
/*
 * The i-th kind: its name, and in *ret_lacks what this program lacks for it, NULL if nothing. NULL:
 * there are no more.
 */
const char *sf_sink_kind_name(size_t i, const char **ret_lacks);
/*
 * Asks it to send what waits until end_ns (CLOCK_MONOTONIC) and to count the rest as dropped. Does
 * not wait: of several each is asked before one is waited for.
 */
void sf_sink_finish(struct sf_sink *sink, uint64_t end_ns);
/* After sf_sink_finish(): waits for the end of its thread. */
void sf_sink_stop(struct sf_sink *sink);
/* The same without waiting: true if its thread is over. */
bool sf_sink_try_stop(struct sf_sink *sink);
/* After sf_sink_stop(). */
void sf_sink_free(struct sf_sink *sink);
/* False: it counts events, and is told of no line. */
bool sf_sink_takes_lines(const struct sf_sink *sink);
/* A line with its newline. Never waits. */
void sf_sink_add(struct sf_sink *sink, const char *line, size_t len);
/*
 * An event, and about once a second what was lost: for sinks that count; others do not look. Never
 * waits. realtime_offset_ns: CLOCK_REALTIME minus CLOCK_BOOTTIME.
 */
void sf_sink_event(struct sf_sink *sink, const struct sf_event *event, int64_t realtime_offset_ns);
void sf_sink_loss(struct sf_sink *sink, const struct sf_loss_view *loss);
void sf_sink_reopen(struct sf_sink *sink);
void sf_sink_counts(struct sf_sink *sink, struct sf_sink_counts *ret);
/*
 * True if its state has changed since the last call: err says what is wrong now, "" if all is
 * well again.
 */
bool sf_sink_news(struct sf_sink *sink, char err[SF_SINK_ERROR_SIZE]);
/* The spec it was made from; lives as long as it. */
const char *sf_sink_spec(const struct sf_sink *sink);

#endif
