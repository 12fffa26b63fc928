/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ctrl-C and its kin: the first asks to end, the second ends at once, also while a write is stuck.
 */
#ifndef SF_CMD_SIGNALS_H
#define SF_CMD_SIGNALS_H

#include <stdbool.h>

/*
 * Installs handlers. Returns a file descriptor, borrowed, readable once a signal has come; or
 * negative errno.
 */
int sf_signals_init(void);
/*
 * From now on a system call that waits is interrupted every 100 ms. Not before programs are loaded:
 * the verifier gives up when a signal is pending (kernel/bpf/verifier.c do_check(), -EAGAIN).
 * 0 or negative errno.
 */
int sf_signals_tick(void);
/*
 * What is done before a signal ends the program at once: the second Ctrl-C, a fault, the terminal
 * that goes, any other signal, or 5 s after the first Ctrl-C if there is sf_signals_tick(). fn is
 * called in a signal handler; NULL: nothing any more.
 */
void sf_signals_last_words(void (*fn)(void));
/* From now on SIGHUP does not end the program. 0 or negative errno. */
int sf_signals_take_hangup(void);
/* Has SIGHUP come since the last call? */
bool sf_signals_hangup(void);
/* Has SIGINT or SIGTERM come? */
bool sf_signals_stop(void);
/* Has the terminal changed its size since the last call? */
bool sf_signals_resized(void);

#endif
