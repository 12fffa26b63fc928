// SPDX-License-Identifier: GPL-2.0-or-later
/* The thread of a sink: takes a batch, sends it, waits longer after each failure. */
#include "sink/sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/util.h"
#include "sink/backoff.h"
#include "sink/kinds.h"
#include "sink/queue.h"

#define BATCH_BYTES (256 * 1024)
#define GATHER_NS (SF_NS_PER_S / 10) /* a batch gathers so long */
#define IDLE_NS SF_NS_PER_S

static const struct sf_sink_kind *const kinds[] = {
	&sf_sink_file, &sf_sink_syslog, &sf_sink_journald, &sf_sink_otlp, &sf_sink_prometheus, NULL,
};

struct sf_sink {
	const struct sf_sink_kind *kind;
	void *ctx;
	struct sf_queue *queue;
	pthread_t thread;
	char *spec;
	char *batch;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t asked; /* to stop or to reopen; CLOCK_MONOTONIC */
	uint64_t end_ns;      /* 0: go on */
	bool must_reopen;
	bool has_news;
	char err[SF_SINK_ERROR_SIZE];
	struct sf_sink_counts counts; /* nr_dropped: of a batch that could not be sent */
};

static const struct sf_sink_kind *find_kind(const char *spec, const char **ret_target)
{
	size_t len = strcspn(spec, ":");

	for (size_t i = 0; kinds[i]; i++) {
		if (strlen(kinds[i]->name) != len || strncmp(kinds[i]->name, spec, len) != 0)
			continue;
		*ret_target = spec[len] ? spec + len + 1 : "";
		return kinds[i];
	}
	return NULL;
}

static int say_kinds(char *err, size_t err_size)
{
	int len = snprintf(err, err_size, "want one of");

	for (size_t i = 0; kinds[i] && len > 0 && (size_t)len < err_size; i++)
		len += snprintf(err + len, err_size - (size_t)len, "%s %s", i ? "," : "",
				kinds[i]->form);
	return -EINVAL;
}

/* The kind of spec, and its context. 0, -EINVAL or -ENOMEM with err. */
static int open_kind(const char *spec, const struct sf_sink_kind **ret, void **ret_ctx, char *err,
		     size_t err_size)
{
	const char *target, *lacks;

	*ret = find_kind(spec, &target);
	if (!*ret)
		return say_kinds(err, err_size);
	lacks = (*ret)->lacks ? (*ret)->lacks() : NULL;
	if (lacks)
		return snprintf(err, err_size, "%s", lacks), -EINVAL;
	return (*ret)->open(target, ret_ctx, err, err_size);
}

int sf_sink_check(const char *spec, char *err, size_t err_size)
{
	const struct sf_sink_kind *kind;
	void *ctx;
	int r = open_kind(spec, &kind, &ctx, err, err_size);

	if (!r)
		kind->close(ctx);
	return r;
}

/* ---- its thread ---- */

/* What it has to say, and what becomes of the lines, is told once per change. */
static void set_state(struct sf_sink *sink, int r, const struct sf_sink_answer *answer)
{
	char text[SF_SINK_ERROR_SIZE];
	const char *then = "";

	if (r == -EMSGSIZE)
		then = "; that line is dropped";
	else if (r)
		then = sf_sink_takes_lines(sink) ?
			       "; it is tried again, what has no room meanwhile is dropped" :
			       "; it is tried again";
	else if (answer->nr_refused)
		then = "; what was refused is dropped";
	snprintf(text, sizeof(text), "%s%s", answer->err, then);
	pthread_mutex_lock(&sink->lock);
	if (strcmp(sink->err, text) != 0) {
		memcpy(sink->err, text, sizeof(text));
		sink->has_news = true;
	}
	pthread_mutex_unlock(&sink->lock);
}

static bool take_reopen(struct sf_sink *sink)
{
	bool must;

	pthread_mutex_lock(&sink->lock);
	must = sink->must_reopen;
	sink->must_reopen = false;
	pthread_mutex_unlock(&sink->lock);
	return must;
}

/* 0 while it shall go on. */
static uint64_t end_of(struct sf_sink *sink)
{
	uint64_t end_ns;

	pthread_mutex_lock(&sink->lock);
	end_ns = sink->end_ns;
	pthread_mutex_unlock(&sink->lock);
	return end_ns;
}

/*
 * Until then, or until it is asked to stop or to reopen. is_told: the other end wants it so, and
 * only an end that comes before cuts it short.
 */
static void wait_until(struct sf_sink *sink, uint64_t until_ns, bool is_told)
{
	uint64_t before;

	pthread_mutex_lock(&sink->lock);
	before = sink->end_ns;
	for (;;) {
		uint64_t end_ns = sink->end_ns ? sf_min_u64(until_ns, sink->end_ns) : until_ns;
		const struct timespec end = { .tv_sec = (time_t)(end_ns / SF_NS_PER_S),
					      .tv_nsec = (long)(end_ns % SF_NS_PER_S) };

		if (is_told ? end_ns < until_ns : sink->must_reopen || sink->end_ns != before)
			break;
		if (pthread_cond_timedwait(&sink->asked, &sink->lock, &end) == ETIMEDOUT)
			break;
	}
	pthread_mutex_unlock(&sink->lock);
}

static void count(struct sf_sink *sink, size_t nr_sent, size_t nr_dropped)
{
	pthread_mutex_lock(&sink->lock);
	sink->counts.nr_sent += nr_sent;
	sink->counts.nr_dropped += nr_dropped;
	pthread_mutex_unlock(&sink->lock);
}

static size_t lines_in(const char *text, size_t len)
{
	const char *end = text + len;
	size_t nr = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		text++;
		nr++;
	}
	return nr;
}

/* The first line's bytes, its newline included. */
static size_t first_line(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);

	return newline ? (size_t)(newline - text) + 1 : len;
}

/* Tries to send what is behind *done, moves that on. As its kind's send. */
static int send_rest(struct sf_sink *sink, size_t *done, size_t len, struct sf_sink_answer *answer)
{
	const char *rest = sink->batch + *done;
	int r;

	if (take_reopen(sink))
		sink->kind->reopen(sink->ctx);
	r = sink->kind->send(sink->ctx, rest, len - *done, answer);
	if (!r)
		answer->sent = len - *done;
	count(sink, lines_in(rest, answer->sent) - answer->nr_refused, answer->nr_refused);
	*done += answer->sent;
	set_state(sink, r, answer);
	if (r == -EMSGSIZE) {
		count(sink, 0, 1);
		*done += first_line(sink->batch + *done, len - *done);
	}
	return r;
}

/* Before the next try. False: the time to stop comes before that. */
static bool wait_to_retry(struct sf_sink *sink, uint64_t *step_ns, uint64_t told_ns)
{
	uint64_t now_ns = sf_monotonic_ns(), end_ns = end_of(sink), random = 0;

	if (end_ns && now_ns >= end_ns)
		return false;
	/* Without chance, should there be none, it works as well. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	wait_until(sink, now_ns + sf_backoff_next(step_ns, random, told_ns), told_ns);
	if (told_ns && sf_monotonic_ns() < now_ns + told_ns)
		return false;
	pthread_mutex_lock(&sink->lock);
	sink->counts.nr_retries++;
	pthread_mutex_unlock(&sink->lock);
	return true;
}

/* Until it is sent. False: the time to stop came before; nothing is to be sent any more. */
static bool send_batch(struct sf_sink *sink, size_t len)
{
	uint64_t step_ns = SF_BACKOFF_MIN_NS;
	size_t done = 0;

	while (done < len) {
		struct sf_sink_answer answer = { 0 };
		int r = send_rest(sink, &done, len, &answer);

		if (!r || r == -EMSGSIZE)
			continue;
		if (answer.sent)
			step_ns = SF_BACKOFF_MIN_NS;
		if (!wait_to_retry(sink, &step_ns, answer.wait_ns)) {
			count(sink, 0, lines_in(sink->batch + done, len - done));
			return false;
		}
	}
	return true;
}

static void *sink_main(void *arg)
{
	struct sf_sink *sink = arg;
	bool is_over = false;
	uint64_t end_ns;

	for (;;) {
		size_t len;

		end_ns = end_of(sink);
		len = sf_queue_take(sink->queue, sink->batch, BATCH_BYTES,
				    end_ns ? 0 : sf_monotonic_ns() + IDLE_NS, GATHER_NS);
		if (take_reopen(sink))
			sink->kind->reopen(sink->ctx);
		if (!len && end_ns)
			return NULL;
		is_over |= end_ns && sf_monotonic_ns() >= end_ns; /* one that is slow, too */
		if (is_over)
			count(sink, 0, lines_in(sink->batch, len));
		else if (len)
			is_over = !send_batch(sink, len);
	}
}

/* A second, or until it is asked to stop or to reopen. */
static void wait_second(struct sf_sink *sink)
{
	uint64_t end_ns = sf_monotonic_ns() + IDLE_NS;
	const struct timespec end = { .tv_sec = (time_t)(end_ns / SF_NS_PER_S),
				      .tv_nsec = (long)(end_ns % SF_NS_PER_S) };

	pthread_mutex_lock(&sink->lock);
	while (!sink->must_reopen && !sink->end_ns &&
	       pthread_cond_timedwait(&sink->asked, &sink->lock, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&sink->lock);
}

/* Of a sink that is asked. */
static void *tend_main(void *arg)
{
	struct sf_sink *sink = arg;

	while (!end_of(sink)) {
		struct sf_sink_answer answer = {};
		int r;

		if (take_reopen(sink))
			sink->kind->reopen(sink->ctx);
		r = sink->kind->tend(sink->ctx, answer.err, sizeof(answer.err));
		set_state(sink, r, &answer);
		wait_second(sink);
	}
	return NULL;
}

/* ---- its owner ---- */

static int make_queue(struct sf_sink *sink, size_t queue_bytes)
{
	sink->batch = malloc(BATCH_BYTES);
	return sink->batch ? sf_queue_new(queue_bytes, &sink->queue) : -ENOMEM;
}

int sf_sink_new(const char *spec, size_t queue_bytes, struct sf_sink **ret, char *err,
		size_t err_size)
{
	struct sf_sink *sink = calloc(1, sizeof(*sink));
	int r = sink ? 0 : -ENOMEM;

	if (r)
		return snprintf(err, err_size, "%s", strerror(-r)), r;
	pthread_mutex_init(&sink->lock, NULL);
	sf_cond_init(&sink->asked);
	r = open_kind(spec, &sink->kind, &sink->ctx, err, err_size);
	if (!r) {
		sink->spec = strdup(spec);
		if (!sink->spec)
			r = -ENOMEM;
		else if (sf_sink_takes_lines(sink))
			r = make_queue(sink, queue_bytes);
		if (!r)
			r = sf_thread_start(&sink->thread,
					    sf_sink_takes_lines(sink) ? sink_main : tend_main,
					    sink);
		if (r)
			snprintf(err, err_size, "%s", strerror(-r));
	}
	if (r) {
		sf_sink_free(sink);
		return r;
	}
	*ret = sink;
	return 0;
}

void sf_sink_finish(struct sf_sink *sink, uint64_t end_ns)
{
	end_ns = end_ns ? end_ns : 1;
	pthread_mutex_lock(&sink->lock);
	sink->end_ns = end_ns;
	pthread_cond_signal(&sink->asked);
	pthread_mutex_unlock(&sink->lock);
	if (sink->kind->hurry)
		sink->kind->hurry(sink->ctx, end_ns);
	if (sink->queue)
		sf_queue_wake(sink->queue);
}

void sf_sink_stop(struct sf_sink *sink)
{
	pthread_join(sink->thread, NULL);
}

bool sf_sink_try_stop(struct sf_sink *sink)
{
	return !pthread_tryjoin_np(sink->thread, NULL);
}

void sf_sink_free(struct sf_sink *sink)
{
	if (!sink)
		return;
	if (sink->ctx)
		sink->kind->close(sink->ctx);
	sf_queue_free(sink->queue);
	pthread_cond_destroy(&sink->asked);
	pthread_mutex_destroy(&sink->lock);
	free(sink->batch);
	free(sink->spec);
	free(sink);
}

bool sf_sink_takes_lines(const struct sf_sink *sink)
{
	return sink->kind->send;
}

void sf_sink_add(struct sf_sink *sink, const char *line, size_t len)
{
	if (sink->queue)
		sf_queue_add(sink->queue, line, len);
}

void sf_sink_event(struct sf_sink *sink, const struct sf_event *event, int64_t realtime_offset_ns)
{
	if (sink->kind->event)
		sink->kind->event(sink->ctx, event, realtime_offset_ns);
}

void sf_sink_loss(struct sf_sink *sink, const struct sf_loss_view *loss)
{
	if (sink->kind->loss)
		sink->kind->loss(sink->ctx, loss);
}

void sf_sink_reopen(struct sf_sink *sink)
{
	pthread_mutex_lock(&sink->lock);
	sink->must_reopen = true;
	pthread_cond_signal(&sink->asked);
	pthread_mutex_unlock(&sink->lock);
	if (sink->queue)
		sf_queue_wake(sink->queue);
}

void sf_sink_counts(struct sf_sink *sink, struct sf_sink_counts *ret)
{
	pthread_mutex_lock(&sink->lock);
	*ret = sink->counts;
	pthread_mutex_unlock(&sink->lock);
	if (!sink->queue)
		return;
	ret->nr_dropped += sf_queue_nr_dropped(sink->queue);
	ret->queued_bytes = sf_queue_bytes(sink->queue);
}

bool sf_sink_news(struct sf_sink *sink, char err[SF_SINK_ERROR_SIZE])
{
	bool has_news;

	pthread_mutex_lock(&sink->lock);
	has_news = sink->has_news;
	sink->has_news = false;
	memcpy(err, sink->err, SF_SINK_ERROR_SIZE);
	pthread_mutex_unlock(&sink->lock);
	return has_news;
}

const char *sf_sink_spec(const struct sf_sink *sink)
{
	return sink->spec;
}

const char *sf_sink_kind_name(size_t i, const char **ret_lacks)
{
	if (!kinds[i])
		return NULL;
	*ret_lacks = kinds[i]->lacks ? kinds[i]->lacks() : NULL;
	return kinds[i]->name;
}
