// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writers of cells that say how long, how it ended, how much, and the
 * names by which other tools know the connection.
 */
#include "view/cells.h"

#include "base/util.h"
#include "story/names.h"
#include "view/cells_set.h"

static const char *const cause_labels[] = {
	[SF_CAUSE_NONE] = NULL,		[SF_CAUSE_FIN] = "closed",
	[SF_CAUSE_RESET] = "reset",	[SF_CAUSE_REFUSED] = "refused",
	[SF_CAUSE_TIMEOUT] = "timeout", [SF_CAUSE_UNREACHABLE] = "unreach",
	[SF_CAUSE_NO_PORT] = "no port", [SF_CAUSE_ABORT] = "aborted",
	[SF_CAUSE_KILLED] = "killed",	[SF_CAUSE_ERROR] = "error",
	[SF_CAUSE_DENIED] = "denied",
};
_Static_assert(ARRAY_SIZE(cause_labels) == SF_CAUSE_NR, "a label per cause");

const char *sf_cause_label(uint8_t cause)
{
	return cause < SF_CAUSE_NR ? cause_labels[cause] : NULL;
}

void sf_cell_handshake(const struct sf_row *row, struct sf_cell *cell)
{
	set_fact(cell, row, sf_fact_handshake);
}

void sf_cell_handshake_derived(const struct sf_row *row, struct sf_cell *cell)
{
	struct sf_took took;

	if (sf_fact_handshake(story_of(row), &took) && took.is_inferred)
		set_text(cell, "true");
}

void sf_cell_accept_wait(const struct sf_row *row, struct sf_cell *cell)
{
	struct sf_took took;

	/* Only the server's end waited. */
	if (sf_fact_accept_wait(story_of(row), &took) ||
	    (peer_of(row) && sf_fact_accept_wait(peer_of(row), &took)))
		set_took(cell, &took);
}

void sf_cell_life(const struct sf_row *row, struct sf_cell *cell)
{
	struct sf_took took;

	/* The end of one that closed first may have been seen by the other only. */
	if (sf_fact_duration(story_of(row), &took) ||
	    (peer_of(row) && sf_fact_duration(peer_of(row), &took)))
		set_took(cell, &took);
}

void sf_cell_age(const struct sf_row *row, struct sf_cell *cell)
{
	bool is_minimum;

	if (!sf_story_age_ns(story_of(row), event_of(row)->time_ns, &cell->number, &is_minimum))
		return;
	cell->kind = SF_CELL_DURATION;
	cell->mark = is_minimum ? '>' : 0;
}

/* "0", "999", "1.2K", "10M": powers of 1000, as a rate is. */
void sf_cell_rate(const struct sf_row *row, struct sf_cell *cell)
{
	uint64_t rate = row->bytes_per_s, tenths;
	const char *unit = "KMGTPE";

	if (rate == SF_RATE_UNKNOWN)
		return;
	cell->kind = SF_CELL_TEXT;
	if (rate < 1000) {
		snprintf(cell->text, sizeof(cell->text), "%" PRIu64, rate);
		return;
	}
	for (; rate >= 1000 * 1000; unit++)
		rate /= 1000;
	tenths = rate / 100;
	if (tenths < 100)
		snprintf(cell->text, sizeof(cell->text), "%" PRIu64 ".%" PRIu64 "%c", tenths / 10,
			 tenths % 10, *unit);
	else
		snprintf(cell->text, sizeof(cell->text), "%" PRIu64 "%c", tenths / 10, *unit);
}

/* A side by its role, where that was seen; NULL = not known. */
static const char *side_label(const struct sf_story *story, uint8_t side)
{
	bool is_by_role = (story->role == SF_ROLE_CLIENT || story->role == SF_ROLE_SERVER) &&
			  !sf_story_role_is_inferred(story);

	if (!is_by_role || (side != SF_SIDE_LOCAL && side != SF_SIDE_PEER))
		return sf_side_name(side);
	return (side == SF_SIDE_LOCAL) == (story->role == SF_ROLE_CLIENT) ? "client" : "server";
}

/* Who and how: "client FIN", "server RST"; "refused" needs no who, "unaccepted" no how. */
void sf_cell_end(const struct sf_row *row, struct sf_cell *cell)
{
	const struct sf_story *s = story_of(row);
	bool is_fin = s->cause == SF_CAUSE_FIN;
	char error[SF_ERRNO_STRLEN];
	const char *who;

	if (s->cause > SF_CAUSE_FIN)
		cell->class = SF_CLASS_BAD;
	if (s->flags & SF_F_NEVER_ACCEPTED) {
		set_text(cell, "unaccepted");
		return;
	}
	if (is_fin || s->cause == SF_CAUSE_RESET) {
		who = side_label(s, is_fin ? s->closed_by : s->rst_sender);
		cell->kind = SF_CELL_TEXT;
		snprintf(cell->text, sizeof(cell->text), "%s%s%s", who ? who : "", who ? " " : "",
			 is_fin ? "FIN" : "RST");
	} else if (s->cause == SF_CAUSE_ERROR && s->err) {
		set_text(cell, sf_errno_name(s->err, error));
	} else {
		set_text(cell, sf_cause_label(s->cause));
	}
}

void sf_cell_closed_by(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, side_label(story_of(row), story_of(row)->closed_by));
	cell->csv = sf_side_name(story_of(row)->closed_by);
}

void sf_cell_reason(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, sf_cause_name(story_of(row)->cause));
	if (story_of(row)->cause > SF_CAUSE_FIN)
		cell->class = SF_CLASS_BAD;
}

void sf_cell_close_call(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, sf_call_name(story_of(row)->close_call));
}

void sf_cell_error(const struct sf_row *row, struct sf_cell *cell)
{
	char error[SF_ERRNO_STRLEN];

	set_text(cell, sf_errno_name(story_of(row)->err, error));
}

void sf_cell_rst_reason(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, sf_rst_reason_name(story_of(row)->rst_reason));
}

void sf_cell_state(const struct sf_row *row, struct sf_cell *cell)
{
	set_text(cell, sf_state_label(story_of(row)->state));
	cell->csv = sf_state_name(story_of(row)->state);
}

void sf_cell_syn_retransmits(const struct sf_row *row, struct sf_cell *cell)
{
	set_count(cell, row, sf_fact_syn_retransmits);
}

void sf_cell_synack_retransmits(const struct sf_row *row, struct sf_cell *cell)
{
	set_count(cell, row, sf_fact_synack_retransmits);
}

void sf_cell_syns_dropped(const struct sf_row *row, struct sf_cell *cell)
{
	set_count(cell, row, sf_fact_syns_dropped);
}

void sf_cell_acks_dropped(const struct sf_row *row, struct sf_cell *cell)
{
	set_count(cell, row, sf_fact_acks_dropped);
}

void sf_cell_half_open_expired(const struct sf_row *row, struct sf_cell *cell)
{
	set_count(cell, row, sf_fact_half_open_expired);
}

static void set_counter(struct sf_cell *cell, const struct sf_row *row, uint64_t count)
{
	if (sf_fact_has_counters(event_of(row)))
		set_number(cell, count);
}

void sf_cell_sent(const struct sf_row *row, struct sf_cell *cell)
{
	if (sf_fact_has_bytes_sent(event_of(row)))
		set_number(cell, story_of(row)->bytes_sent);
}

void sf_cell_received(const struct sf_row *row, struct sf_cell *cell)
{
	set_counter(cell, row, story_of(row)->bytes_received);
}

void sf_cell_retransmits(const struct sf_row *row, struct sf_cell *cell)
{
	set_counter(cell, row, story_of(row)->retransmits);
}

void sf_cell_unread(const struct sf_row *row, struct sf_cell *cell)
{
	set_counter(cell, row, story_of(row)->unread_bytes);
}

void sf_cell_srtt(const struct sf_row *row, struct sf_cell *cell)
{
	struct sf_took took = { 0 };

	if (!sf_fact_srtt_us(event_of(row), &took.ns))
		return;
	took.ns *= 1000;
	set_took(cell, &took);
}

void sf_cell_netns(const struct sf_row *row, struct sf_cell *cell)
{
	if (story_of(row)->netns)
		set_number(cell, story_of(row)->netns);
}

void sf_cell_cgroup(const struct sf_row *row, struct sf_cell *cell)
{
	set_id(cell, story_of(row)->owner.cgroup_id);
}

void sf_cell_cookie(const struct sf_row *row, struct sf_cell *cell)
{
	set_id(cell, story_of(row)->cookie);
}

void sf_cell_connection_id(const struct sf_row *row, struct sf_cell *cell)
{
	set_id(cell, story_of(row)->id);
}

void sf_cell_wire_id(const struct sf_row *row, struct sf_cell *cell)
{
	uint64_t id;

	if (sf_story_wire_id(story_of(row), &id))
		set_id(cell, id);
}

void sf_cell_community_id(const struct sf_row *row, struct sf_cell *cell)
{
	char text[SF_COMMUNITY_ID_STRLEN];

	if (sf_fact_community_id(story_of(row), NULL, text))
		set_text(cell, text);
}
