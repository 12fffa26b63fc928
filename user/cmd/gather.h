/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracing for a while to count, for commands that show what exists now. */
#ifndef SF_CMD_GATHER_H
#define SF_CMD_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"

struct sf_event;
struct sf_tracer;

/* An event, checked; borrowed for the call. */
typedef void (*sf_gather_fn)(void *ctx, const struct sf_event *event);
/* Once, when every socket that is there has its story, before the first event. */
typedef void (*sf_gather_seeded_fn)(void *ctx, const struct sf_tracer *tracer);

struct sf_gather_calls {
	sf_gather_fn event;
	sf_gather_seeded_fn seeded; /* may be NULL: nothing needs to be seeded */
};

/* What came of it beside the events. */
struct sf_gathered {
	uint64_t ns;	      /* how long it was */
	bool is_whole;	      /* all events fitted into the buffer and the table */
	bool tells_syn_drops; /* this kernel's hooks see SYNs that a listener drops, */
	bool tells_ack_drops; /* last ACKs, */
	bool tells_half_open; /* and handshakes that are not completed */
	bool tells_queues;    /* each accept() tells how long its listener's queue was */
};

/*
 * Hands over events of these kinds (1 << enum sf_event_kind) until the
 * duration is over or a signal asks to end; tells what was lost. SF_EXIT_OK, or
 * prints one line and returns the exit status.
 */
int sf_gather(const struct sf_options *options, uint32_t kinds, const struct sf_gather_calls *calls,
	      void *ctx, struct sf_gathered *ret);

#endif
