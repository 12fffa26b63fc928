/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets written down as numbers, and what the rules are to say of them. */
#ifndef SF_TESTS_DIAGNOSE_CASES_H
#define SF_TESTS_DIAGNOSE_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "diagnose/diagnose.h"
#include "story/names.h"

#define HZ 250
#define MINUTES(n) ((n)*60 * HZ)

/* A socket in mid-life: 10.0.0.1:40000 to 10.0.0.2:80, quiet for ten minutes. */
static inline struct sf_sock quiet(__u8 state)
{
	struct sf_sock s = {
		.sk = 1,
		.netns = 1,
		.family = AF_INET,
		.state = state,
		.local_addr = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
		.peer_addr = { [10] = 0xff, 0xff, 10, 0, 0, 2 },
		.local_port = 40000,
		.peer_port = 80,
		.flags = SF_SK_HAS_AGES,
		.sent_age_ticks = MINUTES(10),
		.received_age_ticks = MINUTES(10),
		.ack_age_ticks = MINUTES(10),
		.snd_wnd = 65536,
		.rcv_wnd = 65536,
		.segments_received = 10,
	};

	return s;
}

/* As if its tries were not answered for a minute. */
static inline struct sf_sock repeating(__u8 state, __u8 tries)
{
	struct sf_sock s = quiet(state);

	s.timer = SF_TIMER_RETRANSMIT;
	s.timer_ticks = HZ;
	s.tries = tries;
	s.backoff = tries;
	s.unacked_segs = 1;
	s.repeated_segs = 1;
	s.retransmits = tries;
	s.write_seq = 101;
	s.snd_nxt = 101;
	s.flags |= SF_SK_HAS_RETRANS;
	s.since_retrans_ms = 60000;
	return s;
}

static inline struct sf_sock probing(__u8 state, __u32 window, __u32 not_sent)
{
	struct sf_sock s = quiet(state);

	s.timer = SF_TIMER_PROBE0;
	s.timer_ticks = HZ;
	s.backoff = 4;
	s.snd_wnd = window;
	s.write_seq = not_sent;
	return s;
}

static inline struct sf_sock listening(__u32 queue, __u32 limit)
{
	struct sf_sock s = quiet(SF_TCP_LISTEN);

	s.flags = 0;
	s.accept_queue = queue;
	s.backlog = limit;
	return s;
}

static inline struct sf_sock with_flags(struct sf_sock s, __u32 flags)
{
	s.flags |= flags;
	return s;
}

static inline struct sf_sock unread(__u32 bytes, __u32 window)
{
	struct sf_sock s = quiet(SF_TCP_ESTABLISHED);

	s.rcv_nxt = bytes;
	s.rcv_wnd = window;
	return s;
}

/* The rule that c meets, NULL if none; blame and the like are looked at through it. */
static inline const struct sf_rule *rule_of(const struct sf_case *c, struct sf_verdict *v)
{
	struct sf_thresholds thresholds;
	bool holds;

	sf_thresholds_init(&thresholds);
	holds = sf_diagnose(c, &thresholds, v);
	/* Who is not asked first is not left out. */
	assert_true(!holds || sf_diagnose_may(c->sock, c->hz, &thresholds));
	return holds ? v->rule : NULL;
}

static inline void expect(const struct sf_case *c, const char *rule, enum sf_blame blame)
{
	struct sf_case with_hz = *c;
	const struct sf_rule *found;
	struct sf_verdict v;

	with_hz.hz = HZ;
	found = rule_of(&with_hz, &v);
	if (!rule) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found->name, rule);
	assert_int_equal(found->blame, blame);
	/* No claim without numbers, no undetermined without both sides, advice without holes. */
	assert_true(v.nr_evidence > 0);
	assert_int_equal(!found->sides[0], found->blame != SF_BLAME_UNDETERMINED);
	assert_int_equal(!found->sides[0], !found->sides[1]);
	assert_true(v.advice[0]);
	assert_null(strchr(v.advice, '{'));
}

#define EXPECT(rule, blame, ...) expect(&(struct sf_case){ __VA_ARGS__ }, rule, SF_BLAME_##blame)
#define HEALTHY(...) expect(&(struct sf_case){ __VA_ARGS__ }, NULL, SF_BLAME_NR)

#endif
