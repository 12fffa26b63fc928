/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What top shows: its rows in their order, which one is picked, which are in
 * sight, and the lines above them. Holds the keys that rows are sorted by, no
 * stories; draws text and knows no terminal.
 */
#ifndef SF_VIEW_TOP_H
#define SF_VIEW_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/story.h"
#include "story/names.h"

#define SF_TOP_UNKNOWN UINT64_MAX
#define SF_TOP_LINE_SIZE 2048 /* bytes of any line, with NUL */

/* Each in the order in which a person wants it first; what is not known comes last. */
enum sf_top_order {
	SF_TOP_TRAFFIC,	  /* most bytes a second, then most bytes */
	SF_TOP_AGE,	  /* oldest */
	SF_TOP_STATE,	  /* as a connection goes through them, stuck ones before */
	SF_TOP_HANDSHAKE, /* slowest */
	SF_TOP_PROCESS,	  /* by name, then by pid */
	SF_TOP_ORDER_NR,
};

struct sf_top_row {
	uint64_t id;	      /* the story's: the same at every look */
	uint64_t bytes;	      /* both ways, since it began */
	uint64_t bytes_per_s; /* since the look before; this and the next two: SF_TOP_UNKNOWN */
	uint64_t age_ns;
	uint64_t handshake_ns;
	uint32_t sock; /* index in the snapshot */
	uint32_t pid;  /* 0 = not known */
	uint8_t comm[SF_COMM_LEN];
	uint8_t state; /* enum sf_tcp_state */
	bool is_stuck;
};

struct sf_top {
	struct sf_top_row *rows; /* owned, in the order of the screen */
	size_t nr;
	size_t picked; /* index of a row; 0 if there is none */
	size_t first;  /* index of the first row in sight */
	enum sf_top_order order;
	bool is_reversed;
	/* Somebody picked that row: it stays picked. Else the first one is, whatever it is. */
	bool is_following;
};

void sf_top_clear(struct sf_top *top);
/*
 * The rows of a new look, taken over: malloc()ed, nr of them, their rates not
 * filled. Rates come from the look before, elapsed_ns ago (0: there was none);
 * a row that is followed stays picked, wherever it is now.
 */
void sf_top_update(struct sf_top *top, struct sf_top_row *rows, size_t nr, uint64_t elapsed_ns);
/* As above, a row that is followed stays picked. */
void sf_top_reorder(struct sf_top *top, enum sf_top_order order, bool is_reversed);
/* Picks the row that many below (negative: above), as far as there is one, and follows it. */
void sf_top_move(struct sf_top *top, long by);
/* Back to the first row, whatever it is. */
void sf_top_home(struct sf_top *top);
/* Moves what is in sight, height rows, so that the picked row is. */
void sf_top_scroll(struct sf_top *top, size_t height);
/* "traffic": as it stands on the screen. Static. */
const char *sf_top_order_name(enum sf_top_order order);

/* What stands above the rows. */
struct sf_top_sums {
	uint64_t nr_by_state[SF_TCP_NR]; /* of all sockets, whatever the filter */
	uint64_t nr_shown;		 /* connections */
	uint64_t nr_stuck;		 /* of them */
	uint64_t nr_stuck_listeners;
	/* Of the whole host, whatever the filter: ends, of which a connection may have two here. */
	uint64_t closed_per_s; /* this and the next: SF_TOP_UNKNOWN at the first look */
	uint64_t failed_per_s;
	uint64_t handshake_p50_us; /* of what ended since the look before, or SF_TOP_UNKNOWN */
	uint64_t handshake_p99_us;
	uint64_t nr_lost; /* events and connections, since the start */
};

/* "1204 connections, 3 stuck - host: 52 ends closed/s, 0 failed/s, handshake p50 12us p99 3ms" */
void sf_top_line_sums(const struct sf_top_sums *sums, char text[SF_TOP_LINE_SIZE]);
/* "ESTAB 900  SYN-SENT 3  TIME-WAIT 200  LISTEN 12": the states that there are. */
void sf_top_line_states(const struct sf_top_sums *sums, char text[SF_TOP_LINE_SIZE]);

#endif
