/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on their way to one sink: a ring of bytes between the thread that reads
 * events and the one that sends them. Who adds never waits: what there is no
 * room for pushes out the oldest lines, which are counted.
 */
#ifndef SF_SINK_QUEUE_H
#define SF_SINK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_queue;

/* size: bytes that wait at most, > 0. 0 or -ENOMEM. */
int sf_queue_new(size_t size, struct sf_queue **ret);
void sf_queue_free(struct sf_queue *queue);
/* A line of len bytes, its newline included. One that is larger than the queue is dropped. */
void sf_queue_add(struct sf_queue *queue, const char *line, size_t len);
/*
 * Takes the oldest whole lines, at most size bytes; waits for the first one until end_ns, and
 * gather_ns longer for others to come with it, unless the queue gets half full or sf_queue_wake()
 * is called; end_ns 0: waits for nothing. Times are CLOCK_MONOTONIC. Returns the bytes taken; 0:
 * none came. A line that is larger than size is dropped.
 */
size_t sf_queue_take(struct sf_queue *queue, char *buf, size_t size, uint64_t end_ns,
		     uint64_t gather_ns);
/* Whoever waits in sf_queue_take(), now or next, waits no longer. */
void sf_queue_wake(struct sf_queue *queue);
/* Lines that were dropped so far, and bytes that wait. */
uint64_t sf_queue_nr_dropped(struct sf_queue *queue);
size_t sf_queue_bytes(struct sf_queue *queue);

#endif
