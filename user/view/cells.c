// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writers of cells that say when, what, who and between which ends. Each
 * looks up one fact and leaves the cell absent when the story does not prove
 * it. Words are short for tables, and beside them is JSON's spelling for CSV.
 */
#include "view/cells.h"

#include "base/clock.h"
#include "base/util.h"
#include "story/names.h"
#include "view/cells_set.h"

/* What an event is called in a table, 8 columns at most. */
static const char *const event_labels[] = {
	[SF_EV_NONE] = NULL,
	[SF_EV_LISTEN] = "listen",
	[SF_EV_CONNECT] = "connect",
	[SF_EV_ESTABLISHED] = "ESTAB",
	[SF_EV_ACCEPT] = "accept",
	[SF_EV_FIN_SENT] = "FIN sent",
	[SF_EV_FIN_RECEIVED] = "FIN rcvd",
	[SF_EV_RESET] = "reset",
	[SF_EV_FAILED] = "failed",
	[SF_EV_CLOSE] = "closed",
	[SF_EV_TIME_WAIT_END] = "TW ended",
	[SF_EV_LISTEN_OVERFLOW] = "overflow",
	[SF_EV_STUCK] = "stuck",
};
_Static_assert(ARRAY_SIZE(event_labels) == SF_EV_NR, "a label per event");

/* Seconds with six decimals; the clocks of two CPUs may make it negative. */
static void set_seconds(struct sf_cell *cell, uint64_t time_ns, uint64_t since_ns)
{
	bool is_negative = time_ns < since_ns;
	uint64_t us = (is_negative ? since_ns - time_ns : time_ns - since_ns) / 1000;

	snprintf(cell->text, sizeof(cell->text), "%s%" PRIu64 ".%06" PRIu64,
		 is_negative && us ? "-" : "", us / 1000000, us % 1000000);
}

void sf_cell_time(const struct sf_row *row, struct sf_cell *cell)
{
	uint64_t time_ns = event_of(row)->time_ns;
	char text[SF_TIME_STRLEN];

	switch (row->time_format) {
	case SF_TIME_LOCAL:
		sf_time_local(sf_realtime_ns(time_ns, row->line->realtime_offset_ns), text);
		set_text(cell, text);
		break;
	case SF_TIME_UTC:
		sf_cell_time_utc(row, cell);
		break;
	case SF_TIME_RELATIVE:
		set_seconds(cell, time_ns, row->start_ns);
		break;
	case SF_TIME_DELTA:
		set_seconds(cell, time_ns, row->previous_ns);
		break;
	default:
		return;
	}
	cell->kind = SF_CELL_TIME;
}

void sf_cell_time_utc(const struct sf_row *row, struct sf_cell *cell)
{
	char text[SF_TIME_STRLEN];

	set_text(cell, sf_time_rfc3339(sf_realtime_ns(event_of(row)->time_ns,
						      row->line->realtime_offset_ns),
				       text));
}

void sf_cell_seq(const struct sf_row *row, struct sf_cell *cell)
{
	if (row->line->seq)
		set_number(cell, row->line->seq);
}

/* An end that was not orderly says how it ended. */
static const char *event_label(const struct sf_event *event)
{
	uint8_t cause = event->story.cause;

	switch (event->kind) {
	case SF_EV_RESET:
		if (event->story.rst_sender == SF_SIDE_LOCAL)
			return "RST sent";
		if (event->story.rst_sender == SF_SIDE_PEER)
			return "RST rcvd";
		break;
	case SF_EV_FAILED:
	case SF_EV_CLOSE:
		if (cause != SF_CAUSE_FIN && sf_cause_label(cause))
			return sf_cause_label(cause);
		break;
	}
	return event->kind < SF_EV_NR ? event_labels[event->kind] : NULL;
}

void sf_cell_event(const struct sf_row *row, struct sf_cell *cell)
{
	const struct sf_event *event = event_of(row);

	set_text(cell, event_label(event));
	cell->csv = sf_event_name(event->kind);
	switch (event->kind) {
	case SF_EV_ESTABLISHED:
	case SF_EV_ACCEPT:
		cell->class = SF_CLASS_GOOD;
		break;
	case SF_EV_RESET:
	case SF_EV_FAILED:
		cell->class = SF_CLASS_BAD;
		break;
	case SF_EV_CLOSE:
		if (event->story.cause > SF_CAUSE_FIN)
			cell->class = SF_CLASS_BAD;
		break;
	}
}

void sf_cell_took(const struct sf_row *row, struct sf_cell *cell)
{
	struct sf_took took;

	if (sf_fact_took(event_of(row), &took))
		set_took(cell, &took);
}

void sf_cell_role(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, sf_role_name(story_of(row)->role));
	if (cell->kind && sf_story_role_is_inferred(story_of(row)))
		cell->mark = '~';
}

void sf_cell_role_source(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, sf_role_source_name(story_of(row)->role_source));
}

static void set_pid(struct sf_cell *cell, const struct sf_task *task)
{
	if (task->tgid)
		set_number(cell, task->tgid);
}

/* The process chose its name: nothing of it may reach a terminal unchecked. */
static void set_comm(struct sf_cell *cell, const struct sf_task *task)
{
	if (!task->tgid || !task->comm[0])
		return;
	cell->kind = SF_CELL_TEXT;
	sf_text_safe(cell->text, sizeof(cell->text), task->comm, sizeof(task->comm));
}

/*
 * "4242/curl", as netstat -p has it: what the process chose cannot be taken for the number. "~":
 * who closed it stands in for who had it, of whom nothing is known.
 */
static size_t put_process(char *text, size_t size, const struct sf_task *task, bool has_pid)
{
	const char *mark = task->source == SF_OWNER_SRC_CLOSE ? "~" : "";
	int len;

	if (!task->tgid)
		return (size_t)snprintf(text, size, "-");
	if (has_pid)
		len = snprintf(text, size, "%s%" PRIu32 "/", mark, task->tgid);
	else
		len = snprintf(text, size, "%s", mark);
	sf_text_safe(text + len, size - (size_t)len, task->comm, sizeof(task->comm));
	return strlen(text);
}

/* "4242/curl>812/nginx", or "curl>nginx": who called whom, on this host. */
static void put_processes(char *text, size_t size, const struct sf_row *row, bool has_pid)
{
	size_t len = put_process(text, size, &story_of(row)->owner, has_pid);

	len += (size_t)snprintf(text + len, size - len, ">");
	if (len < size)
		put_process(text + len, size - len, &peer_of(row)->owner, has_pid);
}

void sf_cell_process(const struct sf_row *row, struct sf_cell *cell)
{
	const struct sf_task *owner = &story_of(row)->owner;

	if (peer_of(row) && (owner->tgid || peer_of(row)->owner.tgid)) {
		put_processes(cell->text, sizeof(cell->text), row, true);
		put_processes(cell->brief, sizeof(cell->brief), row, false);
	} else if (owner->tgid) {
		put_process(cell->text, sizeof(cell->text), owner, true);
	} else {
		return;
	}
	cell->kind = SF_CELL_TEXT;
}

void sf_cell_peer_pid(const struct sf_row *row, struct sf_cell *cell)
{
	if (peer_of(row))
		set_pid(cell, &peer_of(row)->owner);
}

void sf_cell_peer_comm(const struct sf_row *row, struct sf_cell *cell)
{
	if (peer_of(row))
		set_comm(cell, &peer_of(row)->owner);
}

void sf_cell_peer_connection_id(const struct sf_row *row, struct sf_cell *cell)
{
	if (peer_of(row))
		set_id(cell, peer_of(row)->id);
}

void sf_cell_pid(const struct sf_row *row, struct sf_cell *cell)
{
	set_pid(cell, &story_of(row)->owner);
}

void sf_cell_comm(const struct sf_row *row, struct sf_cell *cell)
{
	set_comm(cell, &story_of(row)->owner);
}

void sf_cell_uid(const struct sf_row *row, struct sf_cell *cell)
{
	if (story_of(row)->owner.tgid)
		set_number(cell, story_of(row)->owner.uid);
}

void sf_cell_closer_pid(const struct sf_row *row, struct sf_cell *cell)
{
	set_pid(cell, &story_of(row)->closer);
}

void sf_cell_closer_comm(const struct sf_row *row, struct sf_cell *cell)
{
	set_comm(cell, &story_of(row)->closer);
}

typedef bool end_getter(const struct sf_story *story, struct sf_endpoint *ret);

/* is_own: the end of this host, which is the one the process belongs to. */
static void set_end(struct sf_cell *cell, const struct sf_story *story, end_getter *get,
		    bool is_own)
{
	cell->mark = ' ';
	if (!get(story, &cell->endpoint))
		return;
	cell->kind = SF_CELL_ENDPOINT;
	if (is_own) {
		cell->mark = sf_story_role_is_inferred(story) ? '~' : '*';
		cell->class = SF_CLASS_OWN;
	}
}

static bool is_client(const struct sf_story *story)
{
	return story->role == SF_ROLE_CLIENT;
}

static bool is_server(const struct sf_story *story)
{
	return story->role == SF_ROLE_SERVER || story->role == SF_ROLE_LISTENER;
}

void sf_cell_client(const struct sf_row *row, struct sf_cell *cell)
{
	set_end(cell, story_of(row), sf_story_client, peer_of(row) || is_client(story_of(row)));
}

void sf_cell_server(const struct sf_row *row, struct sf_cell *cell)
{
	set_end(cell, story_of(row), sf_story_server, peer_of(row) || is_server(story_of(row)));
}

/*
 * The two end columns of a narrow table: client and server where the roles are
 * known. Else this host's end stands left; if it is not known who called, both
 * say so. Where both ends are here, both are this host's.
 */
static void set_side(struct sf_cell *cell, const struct sf_row *row, end_getter *by_role,
		     end_getter *by_place)
{
	const struct sf_story *story = story_of(row);

	if (is_client(story) || is_server(story)) {
		set_end(cell, story, by_role,
			peer_of(row) ||
				(by_role == sf_story_client ? is_client(story) : is_server(story)));
		return;
	}
	set_end(cell, story, by_place, peer_of(row) || by_place == sf_story_local);
	if (story->role != SF_ROLE_BOTH && cell->kind)
		cell->mark = '?';
}

/* A listener has no client: what it dropped stands there, in the order of a handshake. */
static void set_drops(struct sf_cell *cell, const struct sf_story *story)
{
	const struct {
		uint32_t nr;
		const char *what;
	} drops[] = { { story->syns_dropped, "SYN" },
		      { story->acks_dropped, "ACK" },
		      { story->half_open_expired, "half-open" } };
	size_t len = 0;

	cell->mark = ' ';
	cell->kind = SF_CELL_TEXT;
	cell->class = SF_CLASS_BAD;
	for (size_t i = 0; i < ARRAY_SIZE(drops) && len < sizeof(cell->text); i++)
		if (drops[i].nr)
			len += (size_t)snprintf(cell->text + len, sizeof(cell->text) - len,
						"%s%" PRIu32 " %s", len ? ", " : "", drops[i].nr,
						drops[i].what);
}

void sf_cell_left(const struct sf_row *row, struct sf_cell *cell)
{
	if (event_of(row)->kind == SF_EV_LISTEN_OVERFLOW) {
		set_drops(cell, story_of(row));
		return;
	}
	set_side(cell, row, sf_story_client, sf_story_local);
}

void sf_cell_right(const struct sf_row *row, struct sf_cell *cell)
{
	set_side(cell, row, sf_story_server, sf_story_peer);
}

void sf_cell_local(const struct sf_row *row, struct sf_cell *cell)
{
	set_end(cell, story_of(row), sf_story_local, false);
	cell->mark = 0;
}

void sf_cell_peer(const struct sf_row *row, struct sf_cell *cell)
{
	set_end(cell, story_of(row), sf_story_peer, false);
	cell->mark = 0;
}
