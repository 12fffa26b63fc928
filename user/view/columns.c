// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The columns, and how a narrow table uses its width: a list of wishes in the
 * order of their worth, each "this column, this wide". Wishes are granted
 * until one does not fit, so a wider terminal never shows fewer columns.
 */
#include "view/columns.h"

#include "base/util.h"

/* clang-format off */
#define CELLS(title_, csv_, width_, write_) \
	.title = title_, .csv = csv_, .width = width_, .write = write_
#define COL(...) { CELLS(__VA_ARGS__) }
#define NUM(...) { CELLS(__VA_ARGS__), .is_right = true }
#define END(...) { CELLS(__VA_ARGS__), .is_end = true }
/* clang-format on */

const struct sf_column sf_columns[SF_COL_NR] = {
	[SF_COL_TIME] = COL("TIME", NULL, 15, sf_cell_time),
	[SF_COL_TIME_UTC] = COL("TIME", "time", 0, sf_cell_time_utc),
	[SF_COL_SEQ] = NUM("SEQ", "seq", 0, sf_cell_seq),
	[SF_COL_EVENT] = COL("EVENT", "event_name", 8, sf_cell_event),
	[SF_COL_ROLE] = COL("ROLE", "role", 8, sf_cell_role),
	[SF_COL_ROLE_SOURCE] = COL("ROLE-BY", "role_source", 0, sf_cell_role_source),
	[SF_COL_PROCESS] = COL("PID/COMM", NULL, 0, sf_cell_process),
	[SF_COL_PID] = NUM("PID", "process_pid", 7, sf_cell_pid),
	[SF_COL_COMM] = COL("COMM", "process_executable_name", 15, sf_cell_comm),
	[SF_COL_UID] = NUM("UID", "process_owner_uid", 5, sf_cell_uid),
	[SF_COL_LEFT] = END("CLIENT", NULL, 0, sf_cell_left),
	[SF_COL_RIGHT] = END("SERVER", NULL, 0, sf_cell_right),
	[SF_COL_CLIENT] = END("CLIENT", "client_address,client_port", 22, sf_cell_client),
	[SF_COL_SERVER] = END("SERVER", "server_address,server_port", 22, sf_cell_server),
	[SF_COL_LOCAL] =
		COL("LOCAL", "network_local_address,network_local_port", 21, sf_cell_local),
	[SF_COL_PEER] = COL("PEER", "network_peer_address,network_peer_port", 21, sf_cell_peer),
	[SF_COL_TOOK] = NUM("TOOK", "took_us", 7, sf_cell_took),
	[SF_COL_HANDSHAKE] = NUM("HANDSHK", "handshake_us", 7, sf_cell_handshake),
	[SF_COL_HANDSHAKE_DERIVED] =
		COL("DERIVED", "handshake_derived", 0, sf_cell_handshake_derived),
	[SF_COL_ACCEPT_WAIT] = NUM("ACCEPT", "accept_wait_us", 6, sf_cell_accept_wait),
	[SF_COL_LIFE] = NUM("LIFE", "duration_us", 7, sf_cell_life),
	[SF_COL_AGE] = NUM("AGE", NULL, 0, sf_cell_age),
	[SF_COL_END] = COL("END", NULL, 0, sf_cell_end),
	[SF_COL_CLOSED_BY] = COL("CLOSED-BY", "closed_by", 9, sf_cell_closed_by),
	[SF_COL_REASON] = COL("REASON", "close_reason", 11, sf_cell_reason),
	[SF_COL_CLOSE_CALL] = COL("CALL", "close_call", 14, sf_cell_close_call),
	[SF_COL_ERROR] = COL("ERROR", "error_type", 12, sf_cell_error),
	[SF_COL_RST_REASON] = COL("RST-REASON", "rst_reason", 18, sf_cell_rst_reason),
	[SF_COL_STATE] = COL("STATE", "network_connection_state", 10, sf_cell_state),
	[SF_COL_SYN_RETRANSMITS] = NUM("SYN-RTX", "syn_retransmits", 7, sf_cell_syn_retransmits),
	[SF_COL_SYNACK_RETRANSMITS] =
		NUM("SYNACK-RTX", "synack_retransmits", 10, sf_cell_synack_retransmits),
	[SF_COL_RETRANSMITS] = NUM("RTX", "retransmits", 5, sf_cell_retransmits),
	[SF_COL_SENT] = NUM("SENT", "bytes_sent", 10, sf_cell_sent),
	[SF_COL_RECEIVED] = NUM("RECEIVED", "bytes_received", 10, sf_cell_received),
	[SF_COL_RATE] = NUM("BYTES/s", NULL, 0, sf_cell_rate),
	[SF_COL_UNREAD] = NUM("UNREAD", "unread_bytes", 7, sf_cell_unread),
	[SF_COL_SRTT] = NUM("SRTT", "srtt_us", 6, sf_cell_srtt),
	[SF_COL_CLOSER_PID] = NUM("CLOSER", "closer_process_pid", 7, sf_cell_closer_pid),
	[SF_COL_CLOSER_COMM] =
		COL("CLOSER-COMM", "closer_process_executable_name", 15, sf_cell_closer_comm),
	[SF_COL_NETNS] = NUM("NETNS", "netns", 10, sf_cell_netns),
	[SF_COL_CGROUP] = COL("CGROUP", "cgroup_id", 16, sf_cell_cgroup),
	[SF_COL_COOKIE] = COL("COOKIE", "socket_cookie", 16, sf_cell_cookie),
	[SF_COL_CONNECTION_ID] = COL("CONNECTION", "connection_id", 16, sf_cell_connection_id),
	[SF_COL_WIRE_ID] = COL("WIRE-ID", "wire_id", 16, sf_cell_wire_id),
	[SF_COL_COMMUNITY_ID] =
		COL("COMMUNITY-ID", "network_community_id", 30, sf_cell_community_id),
	[SF_COL_SYNS_DROPPED] = NUM("SYN-DROP", "syns_dropped", 8, sf_cell_syns_dropped),
	[SF_COL_ACKS_DROPPED] = NUM("ACK-DROP", "acks_dropped", 8, sf_cell_acks_dropped),
	[SF_COL_HALF_OPEN] = NUM("HALF-OPEN", "half_open_expired", 9, sf_cell_half_open_expired),
	[SF_COL_PEER_PID] = NUM("PEER-PID", "peer_process_pid", 8, sf_cell_peer_pid),
	[SF_COL_PEER_COMM] =
		COL("PEER-COMM", "peer_process_executable_name", 15, sf_cell_peer_comm),
	[SF_COL_PEER_CONNECTION_ID] =
		COL("PEER-CONNECTION", "peer_connection_id", 16, sf_cell_peer_connection_id),
};

/* Widths of the time column: to the millisecond, to the microsecond, all there is. */
static const uint8_t time_widths[SF_TIME_NR][3] = {
	[SF_TIME_LOCAL] = { 12, 15, 15 },    [SF_TIME_UTC] = { 24, 27, 30 },
	[SF_TIME_RELATIVE] = { 10, 13, 13 }, [SF_TIME_DELTA] = { 9, 12, 12 },
	[SF_TIME_NONE] = { 0, 0, 0 },
};

/* In place of a width: the time column's, by precision. */
#define TIME_MS 200
#define TIME_US 201

struct wish {
	uint8_t id;
	uint8_t width;
};

/* The first three fit in SF_VIEW_WIDTH_MIN; what stands below "80" a wider terminal adds. */
/* clang-format off */
static const struct wish trace_wishes[] = {
	{ SF_COL_EVENT, 8 }, { SF_COL_LEFT, 14 }, { SF_COL_RIGHT, 14 },
	{ SF_COL_TOOK, 7 }, { SF_COL_TIME, TIME_MS }, { SF_COL_PROCESS, 8 },
	{ SF_COL_LEFT, 17 }, { SF_COL_RIGHT, 17 }, { SF_COL_PROCESS, 13 },
	{ SF_COL_LEFT, 18 }, /* 80 */
	{ SF_COL_LEFT, 22 }, { SF_COL_RIGHT, 22 }, { SF_COL_PROCESS, 16 },
	{ SF_COL_TIME, TIME_US }, { SF_COL_ROLE, 8 }, { SF_COL_PROCESS, 23 },
	{ SF_COL_LEFT, 38 }, { SF_COL_RIGHT, 38 }, { SF_COL_STATE, 10 },
	{ SF_COL_UID, 5 }, { SF_COL_NETNS, 10 }, { SF_COL_HANDSHAKE, 7 },
	{ SF_COL_LEFT, 48 }, { SF_COL_RIGHT, 48 }, { SF_COL_COOKIE, 16 },
	{ SF_COL_CONNECTION_ID, 16 },
};

static const struct wish conns_wishes[] = {
	{ SF_COL_END, 10 }, { SF_COL_LEFT, 14 }, { SF_COL_RIGHT, 14 },
	{ SF_COL_LIFE, 7 }, { SF_COL_PROCESS, 8 }, { SF_COL_HANDSHAKE, 7 },
	{ SF_COL_ACCEPT_WAIT, 6 }, { SF_COL_LEFT, 17 }, { SF_COL_RIGHT, 16 },
	{ SF_COL_PROCESS, 11 }, /* 80 */
	{ SF_COL_LEFT, 22 }, { SF_COL_RIGHT, 22 }, { SF_COL_PROCESS, 16 },
	{ SF_COL_TIME, TIME_MS }, { SF_COL_ROLE, 8 }, { SF_COL_SENT, 10 },
	{ SF_COL_RECEIVED, 10 }, { SF_COL_PROCESS, 23 }, { SF_COL_LEFT, 38 },
	{ SF_COL_RIGHT, 38 }, { SF_COL_RETRANSMITS, 5 }, { SF_COL_SRTT, 6 },
	{ SF_COL_UID, 5 }, { SF_COL_NETNS, 10 }, { SF_COL_TIME, TIME_US },
	{ SF_COL_LEFT, 48 }, { SF_COL_RIGHT, 48 }, { SF_COL_COOKIE, 16 },
	{ SF_COL_CONNECTION_ID, 16 },
};

static const struct wish top_wishes[] = {
	{ SF_COL_STATE, 10 }, { SF_COL_LEFT, 14 }, { SF_COL_RIGHT, 14 },
	{ SF_COL_AGE, 7 }, { SF_COL_PROCESS, 8 }, { SF_COL_RATE, 7 },
	{ SF_COL_HANDSHAKE, 7 }, { SF_COL_LEFT, 17 }, { SF_COL_RIGHT, 16 }, /* 80 */
	{ SF_COL_PROCESS, 13 }, { SF_COL_LEFT, 22 }, { SF_COL_RIGHT, 22 },
	{ SF_COL_PROCESS, 16 }, { SF_COL_SRTT, 6 }, { SF_COL_ROLE, 8 },
	{ SF_COL_SENT, 10 }, { SF_COL_RECEIVED, 10 }, { SF_COL_RETRANSMITS, 5 },
	{ SF_COL_PROCESS, 23 }, { SF_COL_ACCEPT_WAIT, 6 }, { SF_COL_LEFT, 38 },
	{ SF_COL_RIGHT, 38 }, { SF_COL_UNREAD, 7 }, { SF_COL_UID, 5 },
	{ SF_COL_NETNS, 10 }, { SF_COL_LEFT, 48 }, { SF_COL_RIGHT, 48 },
	{ SF_COL_CONNECTION_ID, 16 },
};
/* clang-format on */

/* Widens a column by what is left; returns what is left then. */
static unsigned int widen(unsigned int *width, unsigned int most, unsigned int left)
{
	unsigned int more;

	if (!*width || *width >= most)
		return left;
	more = (unsigned int)sf_min_size(most - *width, left);
	*width += more;
	return left - more;
}

static void grant_wishes(const struct wish *wishes, size_t nr_wishes,
			 const struct sf_view_options *options, unsigned int widths[SF_COL_NR])
{
	const uint8_t *time_width = time_widths[options->time_format];
	unsigned int left = options->width + 1; /* each column has a gap, one too many */

	for (size_t i = 0; i < nr_wishes; i++) {
		unsigned int *width = &widths[wishes[i].id];
		unsigned int wanted = wishes[i].width;

		if (wanted == TIME_MS || wanted == TIME_US)
			wanted = time_width[wanted - TIME_MS];
		if (wanted <= *width)
			continue;
		if (wanted - *width + !*width > left) {
			left = widen(width, wanted, left);
			break;
		}
		left -= wanted - *width + !*width;
		*width = wanted;
	}
	left = widen(&widths[SF_COL_LEFT], 48, left);
	widen(&widths[SF_COL_RIGHT], 48, left);
}

static void widths_of_table(const struct sf_view_options *options, unsigned int widths[SF_COL_NR])
{
	switch (options->kind) {
	case SF_VIEW_TOP:
		grant_wishes(top_wishes, ARRAY_SIZE(top_wishes), options, widths);
		break;
	case SF_VIEW_CONNS:
		grant_wishes(conns_wishes, ARRAY_SIZE(conns_wishes), options, widths);
		break;
	default:
		grant_wishes(trace_wishes, ARRAY_SIZE(trace_wishes), options, widths);
	}
}

static void widths_of_all(const struct sf_view_options *options, unsigned int widths[SF_COL_NR])
{
	bool is_csv = options->format == SF_FORMAT_CSV;

	for (size_t i = 0; i < SF_COL_NR; i++)
		widths[i] = is_csv ? sf_columns[i].csv != NULL : sf_columns[i].width;
	widths[SF_COL_TIME] = is_csv ? 0 : time_widths[options->time_format][2];
	if (options->time_format == SF_TIME_NONE)
		widths[SF_COL_TIME_UTC] = 0;
	if (options->kind == SF_VIEW_CONNS)
		widths[SF_COL_TOOK] = 0; /* its life, which has a column */
}

void sf_layout_make(const struct sf_view_options *options, struct sf_layout *ret)
{
	unsigned int widths[SF_COL_NR] = { 0 };

	*ret = (struct sf_layout){ .is_shortened = options->format == SF_FORMAT_TABLE };
	if (ret->is_shortened)
		widths_of_table(options, widths);
	else
		widths_of_all(options, widths);
	for (size_t i = 0; i < SF_COL_NR; i++) {
		if (widths[i])
			ret->slots[ret->nr_slots++] =
				(struct sf_slot){ .id = (enum sf_column_id)i, .width = widths[i] };
	}
}
