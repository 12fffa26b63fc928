/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of columns, and which of them a table has: what fits a width,
 * everything, or everything for CSV. A layout is made once per width, not per
 * line.
 */
#ifndef SF_VIEW_COLUMNS_H
#define SF_VIEW_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "view/cells.h"
#include "view/view.h"

/* In the order in which they stand in a line; a layout leaves out, it never reorders. */
enum sf_column_id {
	SF_COL_TIME,
	SF_COL_TIME_UTC,
	SF_COL_SEQ,
	SF_COL_EVENT,
	SF_COL_ROLE,
	SF_COL_ROLE_SOURCE,
	SF_COL_PROCESS,
	SF_COL_PID,
	SF_COL_COMM,
	SF_COL_UID,
	SF_COL_LEFT,
	SF_COL_RIGHT,
	SF_COL_CLIENT,
	SF_COL_SERVER,
	SF_COL_LOCAL,
	SF_COL_PEER,
	SF_COL_TOOK,
	SF_COL_HANDSHAKE,
	SF_COL_HANDSHAKE_DERIVED,
	SF_COL_ACCEPT_WAIT,
	SF_COL_LIFE,
	SF_COL_AGE,
	SF_COL_END,
	SF_COL_CLOSED_BY,
	SF_COL_REASON,
	SF_COL_CLOSE_CALL,
	SF_COL_ERROR,
	SF_COL_RST_REASON,
	SF_COL_STATE,
	SF_COL_SYN_RETRANSMITS,
	SF_COL_SYNACK_RETRANSMITS,
	SF_COL_RETRANSMITS,
	SF_COL_SENT,
	SF_COL_RECEIVED,
	SF_COL_RATE,
	SF_COL_UNREAD,
	SF_COL_SRTT,
	SF_COL_CLOSER_PID,
	SF_COL_CLOSER_COMM,
	SF_COL_NETNS,
	SF_COL_CGROUP,
	SF_COL_COOKIE,
	SF_COL_CONNECTION_ID,
	SF_COL_WIRE_ID,
	SF_COL_COMMUNITY_ID,
	SF_COL_SYNS_DROPPED,
	SF_COL_ACKS_DROPPED,
	SF_COL_HALF_OPEN,
	SF_COL_PEER_PID,
	SF_COL_PEER_COMM,
	SF_COL_PEER_CONNECTION_ID,
	SF_COL_NR,
};

struct sf_column {
	const char *title; /* of tables, ASCII */
	const char *csv;   /* CSV's name, two for an endpoint; NULL = not in CSV */
	uint8_t width;	   /* in wide tables, a longer cell pushes the rest; 0 = absent */
	bool is_right;
	bool is_end; /* a mark and an end: its title is indented by the mark's place */
	sf_cell_writer *write;
};

extern const struct sf_column sf_columns[SF_COL_NR];

struct sf_slot {
	enum sf_column_id id;
	unsigned int width; /* 0 = not in this layout */
};

struct sf_layout {
	size_t nr_slots;
	struct sf_slot slots[SF_COL_NR];
	bool is_shortened; /* cells longer than their column are cut */
};

/* The layout for these options: of width columns if a table, else of any width. Pure. */
void sf_layout_make(const struct sf_view_options *options, struct sf_layout *ret);

#endif
