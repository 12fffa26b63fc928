/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends of connections that the ladder tests draw, as the kernel side would
 * tell them: timed out, reset, half-closed with every step seen, crossing FINs,
 * older than synfin, two that dial each other. Include it after cmocka.h.
 */
#ifndef TEST_LADDER_STORIES_H
#define TEST_LADDER_STORIES_H

#include <stdbool.h>
#include <string.h>

#include "base/out.h"
#include "view/ladder.h"
#include "view/pairs.h"

#include "view_stories.h"

#define TEXT_SIZE 65536

static const struct sf_view_options utf8 __attribute__((unused)) = { .realtime_offset_ns = OFFSET };
static const struct sf_view_options ascii
	__attribute__((unused)) = { .realtime_offset_ns = OFFSET, .is_ascii = true };

static inline bool can_be_drawn(const struct sf_event *event)
{
	return sf_ladder_shows(event) || event->kind == SF_EV_STUCK;
}

/* The drawing as text; nothing is ever written to the descriptor. */
static inline const char *ladder(const struct sf_view_options *options,
				 const struct sf_event *first, const struct sf_event *second)
{
	static char text[TEXT_SIZE];
	struct sf_ladder drawer = { .options = options };
	const struct sf_pair pair = { { first, second } };
	struct sf_out out;

	assert_int_equal(sf_out_init(&out, -1, TEXT_SIZE), 0);
	assert_true(can_be_drawn(first) && (!second || can_be_drawn(second)));
	assert_int_equal(sf_ladder_draw(&drawer, &pair, &out), 0);
	assert_true(out.len < TEXT_SIZE);
	memcpy(text, out.buf, out.len);
	text[out.len] = '\0';
	sf_out_free(&out);
	return text;
}

static inline struct sf_event derive(struct sf_event e, enum sf_step step, __u64 at_ns)
{
	e.story.step_ns[step] = at_ns;
	e.story.steps_derived |= 1ULL << step;
	return e;
}

/* curl's SYN goes unanswered, four times again. */
static inline struct sf_event client_timeout(void)
{
	struct sf_event e = client_refused();
	struct sf_story *s = &e.story;

	e.time_ns = T0 + 31063 * MS;
	s->STEP(RST_RECEIVED) = 0;
	s->STEP(CLOSED) = e.time_ns;
	s->syn_retransmits = 4;
	s->cause = SF_CAUSE_TIMEOUT;
	s->rst_sender = SF_SIDE_NONE;
	s->closed_by = SF_SIDE_NONE;
	s->err = 110;
	return e;
}

/* The other end of server_reset_closed(): the RST comes before the server's kernel tells it. */
static inline struct sf_event client_reset(void)
{
	struct sf_event e = client_established();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_CLOSE;
	e.time_ns = T0 + 11998 * US;
	e.state_prev = SF_TCP_ESTABLISHED;
	s->state = SF_TCP_CLOSE;
	s->STEP(RST_RECEIVED) = T0 + 11996 * US;
	s->STEP(CLOSED) = e.time_ns;
	s->rst_sender = SF_SIDE_PEER;
	s->closed_by = SF_SIDE_PEER;
	s->cause = SF_CAUSE_RESET;
	s->err = 104;
	s->bytes_sent = 512;
	return e;
}

/* curl aborts (SO_LINGER 0): state CLOSE comes before its RST. */
static inline struct sf_event client_aborted(void)
{
	struct sf_event e = client_reset();
	struct sf_story *s = &e.story;

	s->STEP(CLOSED) = T0 + 5 * MS;
	s->STEP(RST_RECEIVED) = 0;
	s->STEP(RST_SENT) = T0 + 5 * MS + 7 * US;
	s->rst_sender = SF_SIDE_LOCAL;
	s->closed_by = SF_SIDE_LOCAL;
	s->closer = task(4242, "curl", SF_OWNER_SRC_CLOSE);
	s->rst_reason = 14;
	s->err = 0;
	return e;
}

/* shutdown(SHUT_WR), an answer, TIME-WAIT; every step of the socket was seen. */
static inline struct sf_event client_half_closed(void)
{
	struct sf_event e = client_closed();
	struct sf_story *s = &e.story;

	s->STEP(SOCKET) = T0 - 30 * US;
	s->STEP(BIND) = T0 - 12 * US;
	s->STEP(FIRST_OUT) = T0 + 1400 * US;
	s->STEP(FIRST_IN) = T0 + 2900 * US;
	s->STEP(SHUTDOWN) = s->STEP(FIN_SENT) - 8 * US;
	s->closer = task(4243, "sh", SF_OWNER_SRC_CLOSE);
	s->STEP(FIN_ACKED) = s->STEP(FIN_SENT) + 1200 * US;
	s->STEP(FIN_RECEIVED) = s->STEP(FIN_SENT) + 3 * 1000 * MS;
	s->STEP(TIME_WAIT) = s->STEP(FIN_RECEIVED);
	s->STEP(CLOSED) = s->STEP(FIN_RECEIVED) + 1 * US;
	s->STEP(CLOSE) = s->STEP(CLOSED) + 40 * US;
	s->STEP(TIME_WAIT_END) = s->STEP(TIME_WAIT) + 60 * 1000 * MS;
	s->STEP(DESTROYED) = s->STEP(CLOSE) + 1 * US;
	s->retransmits = 2;
	return e;
}

static inline struct sf_event server_half_closed(void)
{
	struct sf_event e = server_closed();
	struct sf_story *s = &e.story;

	s->STEP(SYN_RECEIVED) = T0 + 640 * US;
	s->STEP(SYNACK_SENT) = T0 + 648 * US;
	s->steps_derived = 0;
	s->synack_retransmits = 1;
	s->STEP(FIRST_IN) = T0 + 2000 * US;
	s->STEP(FIRST_OUT) = T0 + 2300 * US;
	s->STEP(FIN_RECEIVED) = T0 + 1280 * US + 142600 * US;
	s->STEP(CLOSE) = s->STEP(FIN_RECEIVED) + 2999 * MS;
	s->STEP(FIN_SENT) = s->STEP(CLOSE) + 5 * US;
	s->STEP(FIN_ACKED) = s->STEP(FIN_SENT) + 1200 * US;
	s->STEP(CLOSED) = s->STEP(FIN_ACKED);
	s->closer = task(812, "nginx", SF_OWNER_SRC_CLOSE);
	e.time_ns = s->STEP(CLOSED);
	return e;
}

/* As tracepoints tell it: curl closed first, and its socket was gone when the server's FIN came. */
static inline struct sf_event client_end_unseen(void)
{
	struct sf_event e = client_closed();

	e.story.STEP(FIN_RECEIVED) = 0;
	e.story.STEP(CLOSED) = e.story.STEP(FIN_ACKED) + 10 * US;
	e.time_ns = e.story.STEP(CLOSED);
	return e;
}

/* Both close at once: the FINs cross. */
static inline struct sf_event client_crossed(void)
{
	struct sf_event e = client_closed();
	struct sf_story *s = &e.story;

	s->closed_by = SF_SIDE_BOTH;
	s->STEP(FIN_RECEIVED) = s->STEP(FIN_SENT) + 500 * US;
	s->STEP(FIN_ACKED) = s->STEP(FIN_SENT) + 1 * MS;
	s->STEP(CLOSED) = s->STEP(FIN_ACKED);
	return e;
}

static inline struct sf_event server_crossed(void)
{
	struct sf_event e = server_closed();
	struct sf_story *s = &e.story;
	__u64 client_fin_ns = client_crossed().story.STEP(FIN_SENT);

	s->closed_by = SF_SIDE_BOTH;
	s->STEP(FIN_SENT) = client_fin_ns + 100 * US;
	s->STEP(FIN_RECEIVED) = client_fin_ns + 600 * US;
	s->STEP(FIN_ACKED) = client_fin_ns + 1100 * US;
	s->STEP(CLOSED) = s->STEP(FIN_ACKED);
	return e;
}

/* Open before synfin started; its FIN was sent before that too. */
static inline struct sf_event old_closed(void)
{
	struct sf_event e = old_fin_received();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_CLOSE;
	s->closed_by = SF_SIDE_LOCAL;
	s->cause = SF_CAUSE_FIN;
	s->STEP(CLOSED) = s->STEP(FIN_RECEIVED);
	return e;
}

/* One of two that dial each other: 10.0.0.1:5000 and 10.0.0.2:6000. */
static inline struct sf_event dialler(bool is_second)
{
	struct sf_event e = client_closed();
	struct sf_story *s = &e.story;
	__u64 late_ns = is_second ? 20 * US : 0;

	s->id += is_second;
	s->role = SF_ROLE_BOTH;
	s->role_source = SF_ROLE_SRC_HANDSHAKE;
	s->isn_local = is_second ? 2 : 1;
	s->isn_peer = is_second ? 1 : 2;
	v4(s->local_addr, 10, 0, 0, is_second ? 2 : 1);
	v4(s->peer_addr, 10, 0, 0, is_second ? 1 : 2);
	s->local_port = is_second ? 6000 : 5000;
	s->peer_port = is_second ? 5000 : 6000;
	s->owner = task(is_second ? 71 : 70, "p2p", SF_OWNER_SRC_CONNECT);
	memset(&s->closer, 0, sizeof(s->closer));
	memset(s->step_ns, 0, sizeof(s->step_ns));
	s->STEP(CONNECT) = T0 + late_ns;
	s->STEP(SYN_SENT) = T0 + late_ns;
	s->steps_derived = 1ULL << SF_STEP_SYN_SENT;
	s->STEP(SYN_RECEIVED) = T0 + 500 * US + late_ns;
	s->STEP(SYNACK_SENT) = s->STEP(SYN_RECEIVED) + 3 * US;
	s->STEP(ESTABLISHED) = T0 + 1000 * US + late_ns;
	s->STEP(CLOSED) = T0 + 2 * MS;
	s->cause = SF_CAUSE_NONE;
	s->closed_by = SF_SIDE_NONE;
	return e;
}

#endif
