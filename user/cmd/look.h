/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the host for top: a snapshot of the sockets, joined with the
 * stories that a tracer keeps of them meanwhile, as rows. The tracer runs
 * between looks, so that what it saw is never guessed.
 */
#ifndef SF_CMD_LOOK_H
#define SF_CMD_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "cmd/find.h"
#include "cmd/options.h"
#include "kernel/tracer.h"
#include "story/reader.h"
#include "story/snapshot.h"
#include "view/top.h"

struct sf_filter;
struct sf_host;
struct sf_out;
struct sf_snapper;

struct sf_look {
	const struct sf_options *options; /* borrowed */
	struct sf_snapper *snapper;
	struct sf_tracer *tracer; /* NULL: --no-bpf */
	struct sf_reader reader;
	struct sf_snapshot snap; /* the last */
	struct sf_findings found;
	bool *is_stuck; /* per socket of snap */
	struct sf_top_sums sums;
	struct sf_losses losses;
	struct sf_histogram handshakes_us; /* of those that ended since the last look */
	uint64_t nr_closed;		   /* as the kernel side counted at the last look */
	uint64_t nr_failed;
	uint64_t looked_ns; /* CLOCK_BOOTTIME, 0 = not yet */
	/* The ends of a connection that is watched to its end, 0 = none; of each its last event. */
	uint64_t watched_ids[2];
	struct sf_event ends[2]; /* kind SF_EV_NONE until it came */
};

/* Prints its own error. SF_EXIT_OK, or the exit status to end with. sf_look_clear() in any case. */
int sf_look_start(const struct sf_options *options, struct sf_look *look);
void sf_look_clear(struct sf_look *look);
/* Takes the records out of the ring. 0 or negative errno. */
int sf_look_consume(struct sf_look *look);
/*
 * Looks: *top gets the connections that the filter lets pass, a row for each; where both ends
 * are on this host, the client's. Prints its own error. SF_EXIT_OK, or the exit status to end with.
 */
int sf_look_take(struct sf_look *look, const struct sf_filter *filter, struct sf_top *top);
/* All that is known of a socket of the last look, as an event of kind SF_EV_STUCK. */
void sf_look_event(const struct sf_look *look, uint32_t sock, struct sf_event *ret);
/* The same of its other end. False: that is not on this host, or not known. */
bool sf_look_peer(const struct sf_look *look, uint32_t sock, struct sf_event *ret);
/* From now on its end, and that of its other end, is waited for. */
void sf_look_watch(struct sf_look *look, uint32_t sock);
/*
 * One connection, drawn: what is wrong with it, its queues, its ladder. Writes to out, which
 * must have room for it all.
 */
void sf_look_draw(const struct sf_look *look, uint32_t sock, bool is_ascii, struct sf_out *out);
/* The ladder of the watched connection as it ended. False: its end was not seen. */
bool sf_look_draw_end(const struct sf_look *look, bool is_ascii, struct sf_out *out);

#endif
