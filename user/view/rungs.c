// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One table says what each step of a story is on a ladder. What a story does
 * not tell is no rung, or one without a time where something must have been;
 * nothing is concluded about the end that was not seen.
 */
#include "view/rungs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "story/names.h"
#include "story/story.h"
#include "view/facts.h"

struct step_shape {
	enum sf_rung_kind kind;
	const char *word; /* of a segment: between the rails; else: at its rail */
};

static const struct step_shape shapes[] = {
	[SF_STEP_SOCKET] = { SF_RUNG_CALL, "socket()" },
	[SF_STEP_BIND] = { SF_RUNG_CALL, "bind()" },
	[SF_STEP_LISTEN] = { SF_RUNG_CALL, "listen()" },
	[SF_STEP_CONNECT] = { SF_RUNG_CALL, "connect()" },
	[SF_STEP_SYN_SENT] = { SF_RUNG_SENT, "SYN" },
	[SF_STEP_SYN_RECEIVED] = { SF_RUNG_RECEIVED, "SYN" },
	[SF_STEP_SYNACK_SENT] = { SF_RUNG_SENT, "SYN+ACK" },
	[SF_STEP_SYNACK_RECEIVED] = { SF_RUNG_RECEIVED, "SYN+ACK" },
	[SF_STEP_ESTABLISHED] = { SF_RUNG_STATE, "ESTABLISHED" },
	[SF_STEP_ACCEPTED] = { SF_RUNG_CALL, "accept()" },
	[SF_STEP_FIRST_IN] = { SF_RUNG_CALL, "recv()" },
	[SF_STEP_FIRST_OUT] = { SF_RUNG_CALL, "send()" },
	[SF_STEP_FIN_SENT] = { SF_RUNG_SENT, "FIN" },
	[SF_STEP_FIN_ACKED] = { SF_RUNG_RECEIVED, "ACK" },
	[SF_STEP_FIN_RECEIVED] = { SF_RUNG_RECEIVED, "FIN" },
	[SF_STEP_SHUTDOWN] = { SF_RUNG_CALL, "shutdown()" },
	[SF_STEP_CLOSE] = { SF_RUNG_CALL, "close()" },
	[SF_STEP_RST_SENT] = { SF_RUNG_SENT, "RST" },
	[SF_STEP_RST_RECEIVED] = { SF_RUNG_RECEIVED, "RST" },
	[SF_STEP_TIME_WAIT] = { SF_RUNG_STATE, "TIME-WAIT" },
	[SF_STEP_TIME_WAIT_END] = { SF_RUNG_STATE, "TIME-WAIT end" },
	[SF_STEP_CLOSED] = { SF_RUNG_STATE, "closed" },
	[SF_STEP_DESTROYED] = { SF_RUNG_STATE, "socket freed" },
};
_Static_assert(ARRAY_SIZE(shapes) == SF_STEP_NR, "a shape per step");

static const char *const cause_words[] = {
	[SF_CAUSE_NONE] = NULL,
	[SF_CAUSE_FIN] = "FIN",
	[SF_CAUSE_RESET] = "reset",
	[SF_CAUSE_REFUSED] = "refused",
	[SF_CAUSE_TIMEOUT] = "timed out",
	[SF_CAUSE_UNREACHABLE] = "unreachable",
	[SF_CAUSE_NO_PORT] = "no free local port",
	[SF_CAUSE_ABORT] = "aborted",
	[SF_CAUSE_KILLED] = "killed from outside",
	[SF_CAUSE_ERROR] = "failed",
	[SF_CAUSE_DENIED] = "denied on this host",
};
_Static_assert(ARRAY_SIZE(cause_words) == SF_CAUSE_NR, "words per cause");

const char *sf_rungs_cause(const struct sf_event *end)
{
	uint8_t cause = end->story.cause;

	if (end->kind == SF_EV_FAILED && cause == SF_CAUSE_TIMEOUT)
		return "no answer";
	if (end->kind == SF_EV_FAILED && cause == SF_CAUSE_ABORT)
		return "given up";
	return cause < SF_CAUSE_NR ? cause_words[cause] : NULL;
}

bool sf_rungs_side(enum sf_rail own, uint8_t side, enum sf_rail *ret)
{
	if (side != SF_SIDE_LOCAL && side != SF_SIDE_PEER)
		return false;
	*ret = side == SF_SIDE_LOCAL ? own : sf_other_rail(own);
	return true;
}

static bool has_step(const struct sf_event *end, enum sf_step step)
{
	return end && end->story.step_ns[step];
}

/* Puts a rung before the one at this index; at r->nr: behind the last. */
static void insert(struct sf_rungs *r, size_t at, const struct sf_rung *rung)
{
	memmove(&r->rungs[at + 1], &r->rungs[at], (r->nr - at) * sizeof(*rung));
	r->rungs[at] = *rung;
	r->rungs[at].mate = SF_RUNG_ALONE;
	r->nr++;
}

/* ---- one end ---- */

/* What stands on the rung where the connection ended, if no segment tells it. */
static const char *cause_note(const struct sf_event *end)
{
	const struct sf_story *s = &end->story;
	bool has_rst = s->step_ns[SF_STEP_RST_RECEIVED] || s->step_ns[SF_STEP_RST_SENT];

	switch (s->cause) {
	case SF_CAUSE_FIN:
		return NULL;
	case SF_CAUSE_RESET:
		return has_rst ? NULL : "reset, no RST seen";
	case SF_CAUSE_REFUSED:
		return has_rst ? NULL : "refused, no RST seen";
	default:
		return sf_rungs_cause(end);
	}
}

static void put_errno(char text[SF_RUNG_TEXT_SIZE], unsigned int err)
{
	char buf[SF_ERRNO_STRLEN];
	const char *name = sf_errno_name(err, buf);

	if (name)
		snprintf(text, SF_RUNG_TEXT_SIZE, "%s", name);
}

/*
 * The same step for close() and for what stands for it, SO_LINGER 0 makes it an
 * abort; after a shutdown() it is not told which it was.
 */
static void put_close(char text[SF_RUNG_TEXT_SIZE], uint8_t call)
{
	switch (call) {
	case SF_CALL_EXIT:
		snprintf(text, SF_RUNG_TEXT_SIZE, "exit");
		return;
	case SF_CALL_KILL:
		snprintf(text, SF_RUNG_TEXT_SIZE, "killed");
		return;
	case SF_CALL_LINGER:
		snprintf(text, SF_RUNG_TEXT_SIZE, "close() abort");
		return;
	}
}

static void put_resent(char text[SF_RUNG_TEXT_SIZE], uint64_t nr)
{
	if (nr)
		snprintf(text, SF_RUNG_TEXT_SIZE, "%" PRIu64 " resent", nr);
}

/* What stands outside the rail. */
static void put_text(struct sf_rung *rung, const struct sf_event *end)
{
	uint64_t nr;

	switch (rung->step) {
	case SF_STEP_SYN_SENT:
		if (sf_fact_syn_retransmits(end, &nr))
			put_resent(rung->text, nr);
		return;
	case SF_STEP_SYNACK_SENT:
		if (sf_fact_synack_retransmits(end, &nr))
			put_resent(rung->text, nr);
		return;
	case SF_STEP_CLOSED:
		put_errno(rung->text, end->story.err);
		if (!rung->text[0] && sf_story_is_end_unseen(&end->story))
			snprintf(rung->text, sizeof(rung->text), "socket closed");
		break;
	case SF_STEP_CLOSE:
		put_close(rung->text, end->story.close_call);
		break;
	default:
		break;
	}
	if (!rung->text[0] && (rung->kind == SF_RUNG_CALL || rung->kind == SF_RUNG_STATE))
		snprintf(rung->text, sizeof(rung->text), "%s", shapes[rung->step].word);
}

/* Who made the call, if he was seen in this very call. */
static const struct sf_task *caller(const struct sf_story *s, enum sf_step step)
{
	static const struct {
		enum sf_step step;
		uint8_t source;
	} calls[] = {
		{ SF_STEP_LISTEN, SF_OWNER_SRC_LISTEN },
		{ SF_STEP_CONNECT, SF_OWNER_SRC_CONNECT },
		{ SF_STEP_ACCEPTED, SF_OWNER_SRC_ACCEPT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].step == step && calls[i].source == s->owner.source && s->owner.tgid)
			return &s->owner;
	}
	return NULL;
}

/* By time; what cannot be told apart: a call before what it sends, that before what arrives. */
static bool is_before(const struct sf_rung *a, const struct sf_rung *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	if (a->kind != b->kind)
		return a->kind < b->kind;
	if (a->step != b->step)
		return a->step < b->step;
	return a->rail < b->rail;
}

/* The closer was seen in what he did first: a call, the FIN or the RST that came of it. */
static void add_closer(struct sf_rungs *r, size_t first, const struct sf_story *s)
{
	static const enum sf_step steps[] = { SF_STEP_SHUTDOWN, SF_STEP_CLOSE, SF_STEP_FIN_SENT,
					      SF_STEP_RST_SENT };
	struct sf_rung *earliest = NULL;

	if (!s->closer.tgid)
		return;
	for (size_t i = first; i < r->nr; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(steps); j++) {
			if (r->rungs[i].step == steps[j] &&
			    (!earliest || is_before(&r->rungs[i], earliest)))
				earliest = &r->rungs[i];
		}
	}
	if (earliest)
		earliest->task = &s->closer;
}

/* A state that was reached with a segment's arrival stands on its rung. */
static bool merge_state(struct sf_rungs *r, size_t first, const struct sf_rung *state)
{
	if (state->kind != SF_RUNG_STATE || state->label)
		return false;
	for (size_t i = first; i < r->nr; i++) {
		struct sf_rung *rung = &r->rungs[i];

		if (rung->kind == SF_RUNG_RECEIVED && rung->time_ns == state->time_ns &&
		    rung->is_derived == state->is_derived && !rung->text[0]) {
			memcpy(rung->text, state->text, sizeof(rung->text));
			rung->state = state->step;
			return true;
		}
	}
	return false;
}

static void add_step(struct sf_rungs *r, size_t first, enum sf_rail rail, enum sf_step step)
{
	const struct sf_event *end = r->ends[rail];
	const struct sf_story *s = &end->story;
	struct sf_rung rung = {
		.time_ns = s->step_ns[step],
		.kind = shapes[step].kind,
		.step = step,
		.state = shapes[step].kind == SF_RUNG_STATE ? step : SF_STEP_NR,
		.rail = rail,
		.is_derived = s->steps_derived & 1ULL << step,
		.task = caller(s, step),
	};

	if (rung.kind == SF_RUNG_SENT || rung.kind == SF_RUNG_RECEIVED)
		rung.label = shapes[step].word;
	if (step == SF_STEP_CLOSED)
		rung.label = cause_note(end);
	put_text(&rung, end);
	/*
	 * A server is established by the ACK that ends the handshake: SYN_RECV is left in
	 * tcp_rcv_state_process() on its arrival, net/ipv4/tcp_input.c, 5.10 to 7.3.
	 */
	if (step == SF_STEP_ESTABLISHED && s->role == SF_ROLE_SERVER) {
		rung.kind = SF_RUNG_RECEIVED;
		rung.label = "ACK";
	}
	if (!merge_state(r, first, &rung))
		insert(r, r->nr, &rung);
}

static void add_end(struct sf_rungs *r, enum sf_rail rail)
{
	size_t first = r->nr;

	for (enum sf_step step = 0; step < SF_STEP_NR; step++) {
		/* In TIME_WAIT only the socket is closed, not the connection. */
		if (step == SF_STEP_CLOSED && has_step(r->ends[rail], SF_STEP_TIME_WAIT))
			continue;
		if (has_step(r->ends[rail], step))
			add_step(r, first, rail, step);
	}
	add_closer(r, first, &r->ends[rail]->story);
}

/* ---- both ends ---- */

static void sort(struct sf_rungs *r)
{
	for (size_t i = 1; i < r->nr; i++) {
		struct sf_rung rung = r->rungs[i];
		size_t at = i;

		for (; at > 0 && is_before(&rung, &r->rungs[at - 1]); at--)
			r->rungs[at] = r->rungs[at - 1];
		r->rungs[at] = rung;
	}
}

static size_t find(const struct sf_rungs *r, enum sf_step step)
{
	size_t i = 0;

	while (i < r->nr && r->rungs[i].step != step)
		i++;
	return i;
}

static bool is_begin_unseen(const struct sf_rungs *r)
{
	for (int rail = 0; rail < SF_RAIL_NR; rail++) {
		if (r->ends[rail] &&
		    !(r->ends[rail]->story.flags & (SF_F_BEGIN_UNSEEN | SF_F_BEGIN_LOST)))
			return false;
	}
	return true;
}

static bool is_seen(const struct sf_rungs *r, enum sf_rail sender, enum sf_step sent)
{
	return has_step(r->ends[sender], sent) ||
	       has_step(r->ends[sf_other_rail(sender)], sf_rungs_arrival(sent));
}

static struct sf_rung unseen(enum sf_rail sender, enum sf_step sent)
{
	return (struct sf_rung){
		.kind = SF_RUNG_UNSEEN,
		.step = SF_STEP_NR,
		.state = SF_STEP_NR,
		.rail = sender,
		.label = shapes[sent].word,
	};
}

/*
 * Where the handshake was over but for its last ACK. By Fast Open a server accepts, reads and
 * answers before that: net/ipv4/tcp_input.c tcp_conn_request(), 5.10 to 7.3, sends the SYN+ACK
 * first and then hands the child to accept().
 */
static size_t find_answered(const struct sf_rungs *r)
{
	size_t i = 0;

	while (i < r->nr && r->rungs[i].step != SF_STEP_ESTABLISHED &&
	       (r->rungs[i].rail != SF_RIGHT || r->rungs[i].step < SF_STEP_ESTABLISHED))
		i++;
	return i;
}

/* A handshake that is over had its SYN and its SYN+ACK. */
static void add_unseen_handshake(struct sf_rungs *r)
{
	size_t established = find_answered(r);
	size_t answered =
		sf_min_size(find(r, SF_STEP_SYNACK_SENT), find(r, SF_STEP_SYNACK_RECEIVED));
	const struct sf_event *end = r->ends[SF_LEFT] ? r->ends[SF_LEFT] : r->ends[SF_RIGHT];
	struct sf_rung rung;

	if (!has_step(r->ends[SF_LEFT], SF_STEP_ESTABLISHED) &&
	    !has_step(r->ends[SF_RIGHT], SF_STEP_ESTABLISHED))
		return;
	if (end->story.role != SF_ROLE_CLIENT && end->story.role != SF_ROLE_SERVER)
		return;
	if (!is_seen(r, SF_RIGHT, SF_STEP_SYNACK_SENT)) {
		rung = unseen(SF_RIGHT, SF_STEP_SYNACK_SENT);
		insert(r, established, &rung);
		answered = established;
	}
	if (!is_seen(r, SF_LEFT, SF_STEP_SYN_SENT)) {
		rung = unseen(SF_LEFT, SF_STEP_SYN_SENT);
		insert(r, sf_min_size(answered, established), &rung);
	}
}

/* Who closed first, as an end tells it that has seen only what came later. */
static bool closed_first(const struct sf_rungs *r, enum sf_rail rail)
{
	enum sf_rail closer;

	for (int own = 0; own < SF_RAIL_NR; own++) {
		if (r->ends[own] &&
		    sf_rungs_side((enum sf_rail)own, r->ends[own]->story.closed_by, &closer) &&
		    closer == rail)
			return true;
	}
	return false;
}

/* Both FINs belong to an orderly end. When the missing one came is not known. */
static void add_unseen_fins(struct sf_rungs *r)
{
	bool is_fin = false;

	for (int rail = 0; rail < SF_RAIL_NR; rail++)
		is_fin |= r->ends[rail] && r->ends[rail]->story.cause == SF_CAUSE_FIN;
	if (!is_fin)
		return;
	for (int rail = 0; rail < SF_RAIL_NR; rail++) {
		struct sf_rung rung = unseen((enum sf_rail)rail, SF_STEP_FIN_SENT);

		if (is_seen(r, (enum sf_rail)rail, SF_STEP_FIN_SENT))
			continue;
		if (is_begin_unseen(r) && closed_first(r, (enum sf_rail)rail))
			insert(r, 0, &rung);
		else
			insert(r, r->nr, &rung);
	}
}

static void add_unseen(struct sf_rungs *r)
{
	const struct sf_event *end = r->ends[SF_LEFT] ? r->ends[SF_LEFT] : r->ends[SF_RIGHT];
	struct sf_rung note = { .kind = SF_RUNG_NOTE, .step = SF_STEP_NR, .state = SF_STEP_NR };

	add_unseen_fins(r);
	if (!is_begin_unseen(r)) {
		add_unseen_handshake(r);
		return;
	}
	note.label = end->story.flags & SF_F_BEGIN_LOST ? "begin or a step lost" :
							  "open before synfin started";
	insert(r, 0, &note);
}

/* ---- what was not seen, but follows ---- */

/* Behind the segment that it answers, in the time of that. */
static void add_ack(struct sf_rungs *r, enum sf_rail rail, enum sf_step answered)
{
	size_t at = find(r, answered);
	struct sf_rung rung = {
		.kind = SF_RUNG_SENT,
		.step = SF_STEP_NR,
		.state = SF_STEP_NR,
		.rail = rail,
		.is_derived = true,
		.label = "ACK",
	};

	if (at == r->nr)
		return;
	rung.time_ns = r->rungs[at].time_ns;
	insert(r, at + 1, &rung);
}

/*
 * The ACKs of which the kernel tells nothing, and which it sends while it handles the segment
 * that they answer: a client's of the SYN+ACK, tcp_rcv_synsent_state_process(), and of the other
 * FIN that of who closed first, tcp_fin(), both net/ipv4/tcp_input.c, 5.10 to 7.3. Others wait
 * for data to go with. Of two ends the other one saw them arrive.
 */
static void add_own_acks(struct sf_rungs *r, enum sf_rail rail)
{
	const struct sf_story *s = &r->ends[rail]->story;
	uint64_t fin_ns = s->step_ns[SF_STEP_FIN_SENT];

	if (s->role == SF_ROLE_CLIENT && s->step_ns[SF_STEP_ESTABLISHED] &&
	    !(s->flags & SF_F_FASTOPEN))
		add_ack(r, rail, SF_STEP_SYNACK_RECEIVED);
	if (fin_ns && fin_ns <= s->step_ns[SF_STEP_FIN_RECEIVED])
		add_ack(r, rail, SF_STEP_FIN_RECEIVED);
}

/* ---- all of it ---- */

static enum sf_rail rail_of(const struct sf_event *end)
{
	return end->story.role == SF_ROLE_SERVER || end->story.role == SF_ROLE_LISTENER ? SF_RIGHT :
											  SF_LEFT;
}

/* Where both dial, who did so first stands left. */
static bool dialled_first(const struct sf_event *a, const struct sf_event *b)
{
	return a->story.step_ns[SF_STEP_CONNECT] <= b->story.step_ns[SF_STEP_CONNECT];
}

void sf_rungs_make(const struct sf_event *first, const struct sf_event *second,
		   struct sf_rungs *ret)
{
	enum sf_rail rail = rail_of(first);

	memset(ret, 0, sizeof(*ret));
	if (second && rail_of(second) == rail && !dialled_first(first, second))
		rail = sf_other_rail(rail);
	ret->ends[rail] = first;
	ret->ends[sf_other_rail(rail)] = second;
	for (int i = 0; i < SF_RAIL_NR; i++) {
		if (ret->ends[i])
			add_end(ret, (enum sf_rail)i);
	}
	sort(ret);
	if (!second)
		add_own_acks(ret, rail);
	add_unseen(ret);
	sf_rungs_join(ret);
}

uint64_t sf_rungs_begin_ns(const struct sf_rungs *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		if (r->rungs[i].time_ns)
			return r->rungs[i].time_ns;
	}
	return 0;
}
