/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cell: one fact of an event, with its type, before it is text. Tables and
 * CSV draw the same cell, so no fact is looked up twice in two ways. Pure.
 */
#ifndef SF_VIEW_CELLS_H
#define SF_VIEW_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "story/story.h"
#include "view/fields.h"
#include "view/view.h"

#define SF_CELL_BRIEF_SIZE 36
#define SF_RATE_UNKNOWN UINT64_MAX
#define SF_CELL_TEXT_SIZE 48 /* bytes with NUL; the longest are times, SF_TIME_STRLEN */

enum sf_cell_kind {
	SF_CELL_ABSENT,
	SF_CELL_TEXT,
	SF_CELL_TIME,	  /* text; its fraction may be shortened, nothing else */
	SF_CELL_NUMBER,	  /* number */
	SF_CELL_DURATION, /* number: nanoseconds */
	SF_CELL_ENDPOINT, /* endpoint; in CSV two fields */
};

/* What a cell means, drawn as colour when there is one. */
enum sf_cell_class {
	SF_CLASS_PLAIN,
	SF_CLASS_GOOD,
	SF_CLASS_BAD,
	SF_CLASS_OWN, /* this host's end */
	SF_CLASS_DIM,
	SF_CLASS_NR,
};

struct sf_cell {
	enum sf_cell_kind kind;
	enum sf_cell_class class;
	/*
	 * Drawn before the cell in tables: '*' this host's end, '~' its role, or
	 * the number, is inferred, '?' it is not known which end is which; ' '
	 * keeps the place free; '>' the number is at least that; 0 = none.
	 */
	char mark;
	uint64_t number;
	struct sf_endpoint endpoint;
	const char *csv;		/* CSV's spelling of text, static; NULL = the same */
	char text[SF_CELL_TEXT_SIZE];	/* safe UTF-8 */
	char brief[SF_CELL_BRIEF_SIZE]; /* where text does not fit; "" = text is cut */
};

/* An event on its way to a line; borrowed. */
struct sf_row {
	const struct sf_line *line;
	enum sf_time_format time_format;
	uint64_t start_ns;    /* CLOCK_BOOTTIME that relative times count from */
	uint64_t previous_ns; /* CLOCK_BOOTTIME of the line before */
	uint64_t bytes_per_s; /* both ways, SF_RATE_UNKNOWN if nobody compares */
};

/* Writers of cells: the cell is zeroed before, and stays absent when the fact is not known. */
typedef void sf_cell_writer(const struct sf_row *row, struct sf_cell *cell);

sf_cell_writer sf_cell_time, sf_cell_time_utc, sf_cell_seq, sf_cell_event, sf_cell_took;
sf_cell_writer sf_cell_role, sf_cell_role_source, sf_cell_process, sf_cell_pid, sf_cell_comm;
sf_cell_writer sf_cell_syns_dropped, sf_cell_acks_dropped, sf_cell_half_open_expired;
sf_cell_writer sf_cell_peer_pid, sf_cell_peer_comm, sf_cell_peer_connection_id;
sf_cell_writer sf_cell_uid, sf_cell_closer_pid, sf_cell_closer_comm;
sf_cell_writer sf_cell_left, sf_cell_right, sf_cell_client, sf_cell_server, sf_cell_local;
sf_cell_writer sf_cell_peer, sf_cell_handshake, sf_cell_handshake_derived, sf_cell_accept_wait;
sf_cell_writer sf_cell_age, sf_cell_rate, sf_cell_life, sf_cell_end, sf_cell_closed_by,
	sf_cell_reason, sf_cell_error;
sf_cell_writer sf_cell_close_call;
sf_cell_writer sf_cell_rst_reason, sf_cell_state, sf_cell_syn_retransmits;
sf_cell_writer sf_cell_synack_retransmits, sf_cell_sent, sf_cell_received, sf_cell_retransmits;
sf_cell_writer sf_cell_srtt, sf_cell_unread, sf_cell_netns, sf_cell_cgroup, sf_cell_cookie;
sf_cell_writer sf_cell_connection_id, sf_cell_wire_id, sf_cell_community_id;

#endif
