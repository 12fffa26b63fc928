// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines stand in the ring as they are, newline included, which is what tells
 * one from the next: JSON has no other.
 */
#include "sink/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/util.h"

struct sf_queue {
	pthread_mutex_t lock;
	pthread_cond_t came; /* CLOCK_MONOTONIC */
	size_t size;
	size_t first; /* where the oldest byte is */
	size_t len;
	uint64_t nr_dropped;
	bool is_woken;
	char bytes[];
};

int sf_queue_new(size_t size, struct sf_queue **ret)
{
	struct sf_queue *queue = malloc(sizeof(*queue) + size);

	if (!queue)
		return -ENOMEM;
	memset(queue, 0, sizeof(*queue));
	queue->size = size;
	pthread_mutex_init(&queue->lock, NULL);
	sf_cond_init(&queue->came);
	*ret = queue;
	return 0;
}

void sf_queue_free(struct sf_queue *queue)
{
	if (!queue)
		return;
	pthread_cond_destroy(&queue->came);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

/* How far the first byte of this value is from the oldest one, at least len if there is none. */
static size_t find(const struct sf_queue *queue, char byte)
{
	size_t run = sf_min_size(queue->len, queue->size - queue->first);
	const char *at = memchr(queue->bytes + queue->first, byte, run);

	if (at)
		return (size_t)(at - queue->bytes) - queue->first;
	at = memchr(queue->bytes, byte, queue->len - run);
	return at ? run + (size_t)(at - queue->bytes) : queue->len;
}

/*
 * An empty one starts over: where lines are taken as they come, it stays in the
 * few pages that it has, and does not go through, and keep, all there may be.
 */
static void skip(struct sf_queue *queue, size_t len)
{
	queue->len -= len;
	queue->first = queue->len ? (queue->first + len) % queue->size : 0;
}

static void copy_in(struct sf_queue *queue, const char *from, size_t len)
{
	size_t at = (queue->first + queue->len) % queue->size;
	size_t run = sf_min_size(len, queue->size - at);

	memcpy(queue->bytes + at, from, run);
	memcpy(queue->bytes, from + run, len - run);
	queue->len += len;
}

static void copy_out(const struct sf_queue *queue, char *to, size_t len)
{
	size_t run = sf_min_size(len, queue->size - queue->first);

	memcpy(to, queue->bytes + queue->first, run);
	memcpy(to + run, queue->bytes, len - run);
}

static void drop_oldest(struct sf_queue *queue)
{
	skip(queue, find(queue, '\n') + 1);
	queue->nr_dropped++;
}

void sf_queue_add(struct sf_queue *queue, const char *line, size_t len)
{
	size_t half = queue->size / 2, before;

	pthread_mutex_lock(&queue->lock);
	before = queue->len;
	if (len > queue->size) {
		queue->nr_dropped++;
	} else {
		while (queue->size - queue->len < len)
			drop_oldest(queue);
		copy_in(queue, line, len);
		/* Not each time: a wake-up costs more than the line. */
		if (!before || (before < half && queue->len >= half))
			pthread_cond_signal(&queue->came);
	}
	pthread_mutex_unlock(&queue->lock);
}

/* Until so many bytes are there. */
static void wait_for_bytes(struct sf_queue *queue, size_t len, uint64_t end_ns)
{
	const struct timespec end = { .tv_sec = (time_t)(end_ns / SF_NS_PER_S),
				      .tv_nsec = (long)(end_ns % SF_NS_PER_S) };

	while (queue->len < len && !queue->is_woken &&
	       pthread_cond_timedwait(&queue->came, &queue->lock, &end) != ETIMEDOUT)
		continue;
}

size_t sf_queue_take(struct sf_queue *queue, char *buf, size_t size, uint64_t end_ns,
		     uint64_t gather_ns)
{
	size_t taken = 0;

	pthread_mutex_lock(&queue->lock);
	if (end_ns)
		wait_for_bytes(queue, 1, end_ns);
	if (end_ns && queue->len)
		wait_for_bytes(queue, queue->size / 2, sf_monotonic_ns() + gather_ns);
	queue->is_woken = false;
	while (queue->len) {
		size_t len = find(queue, '\n') + 1;

		if (len > size) {
			drop_oldest(queue);
			continue;
		}
		if (len > size - taken)
			break;
		copy_out(queue, buf + taken, len);
		skip(queue, len);
		taken += len;
	}
	pthread_mutex_unlock(&queue->lock);
	return taken;
}

void sf_queue_wake(struct sf_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->is_woken = true;
	pthread_cond_signal(&queue->came);
	pthread_mutex_unlock(&queue->lock);
}

uint64_t sf_queue_nr_dropped(struct sf_queue *queue)
{
	uint64_t nr;

	pthread_mutex_lock(&queue->lock);
	nr = queue->nr_dropped;
	pthread_mutex_unlock(&queue->lock);
	return nr;
}

size_t sf_queue_bytes(struct sf_queue *queue)
{
	size_t len;

	pthread_mutex_lock(&queue->lock);
	len = queue->len;
	pthread_mutex_unlock(&queue->lock);
	return len;
}
