// SPDX-License-Identifier: GPL-2.0-or-later
/* Signal handlers need something static to tell: this file holds it, and nothing else does. */
#include "cmd/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "cmd/options.h"

#define TICK_US 100000
#define TICKS_LATE_MAX 50 /* 5 s */

static volatile sig_atomic_t nr_stops;
static volatile sig_atomic_t was_resized;
static volatile sig_atomic_t was_hung_up;
static volatile sig_atomic_t nr_ticks_late; /* since we should have stopped */
static int wake_fd = -1;
static void (*last_words)(void);

static void handle(int signo)
{
	const uint64_t one = 1;
	int saved = errno;

	if (signo == SIGALRM) {
		/* A write that waits is interrupted by it; not each lets itself be. */
		if (nr_stops && last_words && ++nr_ticks_late == TICKS_LATE_MAX) {
			last_words();
			_exit(SF_EXIT_FAILURE);
		}
		return;
	}
	if (signo == SIGHUP)
		was_hung_up = 1;
	else if (signo == SIGWINCH)
		was_resized = 1;
	else if (nr_stops++) {
		if (last_words)
			last_words();
		_exit(SF_EXIT_FAILURE);
	}
	if (write(wake_fd, &one, sizeof(one)) < 0)
		errno = 0; /* it is readable already */
	errno = saved;
}

int sf_signals_init(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGWINCH, SIGALRM };
	struct sigaction action = { .sa_handler = handle }; /* no SA_RESTART */

	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &action, NULL))
			return -errno;
	return wake_fd;
}

/* Once, then as if there were no handler (SA_RESETHAND). */
static void speak_and_die(int signo)
{
	if (last_words)
		last_words();
	raise(signo);
}

void sf_signals_last_words(void (*fn)(void))
{
	/* All that end a program by default, but those handled above. */
	static const int signals[] = { SIGHUP,	SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,   SIGBUS,
				       SIGFPE,	SIGUSR1, SIGSEGV, SIGUSR2, SIGSTKFLT, SIGXCPU,
				       SIGXFSZ, SIGPROF, SIGIO,	  SIGPWR,  SIGVTALRM, SIGSYS };
	struct sigaction action = { .sa_handler = fn ? speak_and_die : SIG_DFL,
				    .sa_flags = SA_RESETHAND };

	last_words = fn;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

int sf_signals_tick(void)
{
	const struct itimerval timer = { { 0, TICK_US }, { 0, TICK_US } };
	sigset_t set;

	/* Who started us may have had it blocked. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (sigprocmask(SIG_UNBLOCK, &set, NULL) || setitimer(ITIMER_REAL, &timer, NULL))
		return -errno;
	return 0;
}

int sf_signals_take_hangup(void)
{
	struct sigaction action = { .sa_handler = handle };

	return sigaction(SIGHUP, &action, NULL) ? -errno : 0;
}

bool sf_signals_hangup(void)
{
	bool hung_up = was_hung_up;

	was_hung_up = 0;
	return hung_up;
}

bool sf_signals_stop(void)
{
	return nr_stops;
}

bool sf_signals_resized(void)
{
	bool resized = was_resized;

	was_resized = 0;
	return resized;
}
