/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is stuck, for serve: a thread of its own looks, as a look at many sockets takes longer than
 * the ring may wait to be read. What it found is the main thread's until that asks for the next
 * look: the two never have it at once.
 */
#ifndef SF_CMD_SERVE_WATCH_H
#define SF_CMD_SERVE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"

struct sf_serve_watch;
struct sf_watch;

/*
 * interval_ns: from the begin of one look to that of the next, or longer if a look takes longer.
 * The thread keeps of the capabilities those that a look takes. Prints its own error. SF_EXIT_OK
 * with *ret set, or the exit status to end with.
 */
int sf_serve_watch_start(const struct sf_options *options, int argc, const char *const *argv,
			 uint64_t interval_ns, struct sf_serve_watch **ret);
/* Asks it to begin no other look. Does not wait. */
void sf_serve_watch_finish(struct sf_serve_watch *watch);
/*
 * After sf_serve_watch_finish(): waits for the look that is under way, for a second at most. False:
 * it goes on, and the watch with it, until the program ends. NULL: nothing happens.
 */
bool sf_serve_watch_free(struct sf_serve_watch *watch);
/*
 * A look that was taken and not yet given back; *ret_r: 0, or the negative errno with which it
 * failed. NULL: there is none. Does not wait.
 */
const struct sf_watch *sf_serve_watch_look(struct sf_serve_watch *watch, int *ret_r);
/* Gives that look back: in due time the next one is taken. */
void sf_serve_watch_next(struct sf_serve_watch *watch);

#endif
