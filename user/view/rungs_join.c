// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which two rungs are one segment, leaving and arriving, and the lane between
 * the rails in which its line goes from the one to the other past the rungs
 * that come between.
 */
#include "view/rungs.h"

#include "base/util.h"

enum sf_step sf_rungs_arrival(enum sf_step sent)
{
	switch (sent) {
	case SF_STEP_SYN_SENT:
		return SF_STEP_SYN_RECEIVED;
	case SF_STEP_SYNACK_SENT:
		return SF_STEP_SYNACK_RECEIVED;
	case SF_STEP_FIN_SENT:
		return SF_STEP_FIN_RECEIVED;
	default:
		return SF_STEP_RST_RECEIVED;
	}
}

static int find_arrival(const struct sf_rungs *r, const struct sf_rung *sent)
{
	for (size_t i = 0; i < r->nr; i++) {
		if (r->rungs[i].kind == SF_RUNG_RECEIVED &&
		    r->rungs[i].step == sf_rungs_arrival(sent->step) &&
		    r->rungs[i].rail != sent->rail)
			return (int)i;
	}
	return SF_RUNG_ALONE;
}

/* Is the lane taken on one of the rungs from first to last? */
static bool is_taken(const struct sf_rungs *r, unsigned int lane, int first, int last)
{
	for (int i = 0; i < (int)r->nr; i++) {
		int mate = r->rungs[i].mate;

		if (mate > i && r->rungs[i].lane == lane && i <= last && mate >= first)
			return true;
	}
	return false;
}

/*
 * The lanes are in the middle third, so that a word fits on either side; the
 * two directions begin in lanes of their own. False: all are taken.
 */
static bool find_lane(const struct sf_rungs *r, enum sf_rail from, int first, int last,
		      unsigned int *ret)
{
	static const unsigned int lanes[] = { 14, 13, 12, 15, 16, 17, 11 };

	for (size_t i = 0; i < ARRAY_SIZE(lanes); i++) {
		unsigned int lane = from == SF_LEFT ? lanes[i] : SF_RUNG_WIDTH - 1 - lanes[i];

		if (!is_taken(r, lane, first, last)) {
			*ret = lane;
			return true;
		}
	}
	return false;
}

/*
 * A segment may be seen to arrive before it was seen to leave: a RST is
 * reported when it has left (net/ipv4/tcp_output.c tcp_send_active_reset()),
 * and some times are computed. Then its line goes up.
 */
void sf_rungs_join(struct sf_rungs *r)
{
	for (int i = 0; i < (int)r->nr; i++) {
		struct sf_rung *sent = &r->rungs[i];
		int arrival, first, last;

		if (sent->kind != SF_RUNG_SENT || sent->step == SF_STEP_NR)
			continue;
		arrival = find_arrival(r, sent);
		if (arrival == SF_RUNG_ALONE)
			continue;
		first = arrival < i ? arrival : i;
		last = arrival < i ? i : arrival;
		if (!find_lane(r, sent->rail, first, last, &sent->lane))
			continue;
		r->rungs[arrival].lane = sent->lane;
		r->rungs[arrival].mate = i;
		sent->mate = arrival;
	}
}
