// SPDX-License-Identifier: GPL-2.0-or-later
/* One lock, one condition; whose turn it is says who may touch the looks. */
#include "cmd/serve_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/util.h"
#include "cmd/watch.h"
#include "kernel/caps.h"
#include "view/host.h"

/*
 * bpf_iter_create() is a bpf() command; the last four: to find the network namespaces by their
 * processes, to enter them, and with --no-bpf to read what others' descriptors are.
 */
#define LOOK_CAPS                                                                                 \
	(SF_CAP(CAP_BPF) | SF_CAP(CAP_PERFMON) | SF_CAP(CAP_SYS_ADMIN) | SF_CAP(CAP_SYS_PTRACE) | \
	 SF_CAP(CAP_DAC_READ_SEARCH) | SF_CAP(CAP_NET_ADMIN))

#define PATIENCE_S 1

struct sf_serve_watch {
	struct sf_watch watch;
	struct sf_options options; /* its last look may outlive those of the caller */
	struct sf_host host;
	uint64_t interval_ns;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t turned;
	bool is_looked; /* the look is the main thread's */
	bool must_end;
	int r; /* of the look */
};

static int works(const void *ctx)
{
	(void)ctx;
	return 0;
}

/* Until then, until the look was given back, or the end. True: the end. */
static bool wait_for_turn(struct sf_serve_watch *w, uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / SF_NS_PER_S),
					.tv_nsec = (long)(until_ns % SF_NS_PER_S) };
	bool must_end;

	pthread_mutex_lock(&w->lock);
	while (!w->must_end && (w->is_looked || sf_monotonic_ns() < until_ns)) {
		if (w->is_looked)
			pthread_cond_wait(&w->turned, &w->lock);
		else
			pthread_cond_timedwait(&w->turned, &w->lock, &until);
	}
	must_end = w->must_end;
	pthread_mutex_unlock(&w->lock);
	return must_end;
}

static void *look_again_and_again(void *ctx)
{
	struct sf_serve_watch *w = ctx;
	uint64_t next_ns = sf_monotonic_ns();

	/* Where it cannot give up what it does not need, it has no more than it had. */
	sf_caps_drop(LOOK_CAPS, works, NULL);
	while (!wait_for_turn(w, next_ns)) {
		int r;

		next_ns = sf_monotonic_ns() + w->interval_ns;
		r = sf_watch_take(&w->watch);
		pthread_mutex_lock(&w->lock);
		w->r = r;
		w->is_looked = true;
		pthread_mutex_unlock(&w->lock);
		if (r == -EXDEV)
			break; /* all that it would see from here on is another namespace's */
	}
	return NULL;
}

static int start_thread(struct sf_serve_watch *w)
{
	int r;

	pthread_mutex_init(&w->lock, NULL);
	sf_cond_init(&w->turned);
	r = sf_thread_start(&w->thread, look_again_and_again, w);
	if (r) {
		pthread_cond_destroy(&w->turned);
		pthread_mutex_destroy(&w->lock);
	}
	return r;
}

int sf_serve_watch_start(const struct sf_options *options, int argc, const char *const *argv,
			 uint64_t interval_ns, struct sf_serve_watch **ret)
{
	struct sf_serve_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return sf_err(SF_EXIT_FAILURE, "cannot start: %s", strerror(ENOMEM));
	w->interval_ns = interval_ns;
	w->options = *options;
	w->watch.options = &w->options;
	w->watch.host = &w->host;
	sf_host_read(&w->host, "");
	r = sf_watch_start(&w->watch, argc, argv);
	if (!r) {
		r = start_thread(w);
		if (r)
			r = sf_err(SF_EXIT_FAILURE, "cannot start a thread: %s", strerror(-r));
	}
	if (r) {
		sf_watch_clear(&w->watch);
		free(w);
		return r;
	}
	*ret = w;
	return SF_EXIT_OK;
}

void sf_serve_watch_finish(struct sf_serve_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->must_end = true;
	pthread_cond_signal(&w->turned);
	pthread_mutex_unlock(&w->lock);
}

bool sf_serve_watch_free(struct sf_serve_watch *w)
{
	struct timespec until;

	if (!w)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	if (pthread_timedjoin_np(w->thread, NULL, &until))
		return false;
	pthread_cond_destroy(&w->turned);
	pthread_mutex_destroy(&w->lock);
	sf_watch_clear(&w->watch);
	free(w);
	return true;
}

const struct sf_watch *sf_serve_watch_look(struct sf_serve_watch *w, int *ret_r)
{
	bool is_looked;

	pthread_mutex_lock(&w->lock);
	is_looked = w->is_looked;
	*ret_r = w->r;
	pthread_mutex_unlock(&w->lock);
	return is_looked ? &w->watch : NULL;
}

void sf_serve_watch_next(struct sf_serve_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->is_looked = false;
	pthread_cond_signal(&w->turned);
	pthread_mutex_unlock(&w->lock);
}
