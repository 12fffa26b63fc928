/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every thread of ours has: no signals, and waits by a clock that nobody sets. */
#ifndef SF_BASE_THREAD_H
#define SF_BASE_THREAD_H

#include <pthread.h>

/* Signals are the main thread's: they are blocked in this one. 0 or negative errno. */
int sf_thread_start(pthread_t *ret, void *(*fn)(void *ctx), void *ctx);
/* Its timed waits are until a time of CLOCK_MONOTONIC. Cannot fail, as nothing is allocated. */
void sf_cond_init(pthread_cond_t *cond);

#endif
