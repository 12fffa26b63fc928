// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules, each in a situation written down as numbers, each beside a
 * healthy twin that it must not accuse.
 */
#include "diagnose_cases.h"

#include <errno.h>

#include "base/util.h"
#include "view/fields.h"

static void test_handshakes(void **state)
{
	struct sf_sock syn = repeating(SF_TCP_SYN_SENT, 3), fresh, answered, icmp;
	struct sf_sock request = quiet(SF_TCP_NEW_SYN_RECV), old = quiet(SF_TCP_CLOSE_WAIT);
	struct sf_sock full = listening(129, 128), room = listening(128, 128), flooded, deferring;

	(void)state;
	syn.segments_received = 0;
	fresh = answered = icmp = syn;
	fresh.since_retrans_ms = 2999;
	answered.segments_received = 2;
	icmp.soft_err = EHOSTUNREACH;
	request.tries = 2;
	request.since_synack_us = 7000000;
	flooded = room;
	flooded.half_open = 64;
	deferring = with_flags(room, SF_SK_DEFER_ACCEPT);
	EXPECT("syn_sent_unanswered", NETWORK, .sock = &syn);
	EXPECT("syn_sent_unreachable", UNDETERMINED, .sock = &icmp);
	EXPECT("syn_sent_odd_answer", PEER_APP, .sock = &answered);
	EXPECT("syn_sent_queue_full", PEER_APP, .sock = &syn, .listener = &full);
	EXPECT("syn_sent_lost_here", UNDETERMINED, .sock = &syn, .listener = &room);
	/* One of two: both are full, one is, none is. */
	EXPECT("syn_sent_queue_full", PEER_APP, .sock = &syn, .nr_listeners = 2,
	       .nr_listeners_full = 2);
	EXPECT("syn_sent_queue_shared", UNDETERMINED, .sock = &syn, .nr_listeners = 2,
	       .nr_listeners_full = 1);
	EXPECT("syn_sent_lost_here", UNDETERMINED, .sock = &syn, .nr_listeners = 2);
	EXPECT("syn_sent_old_peer", PEER_APP, .sock = &syn, .peer = &old);
	HEALTHY(.sock = &fresh);
	EXPECT("syn_recv_unanswered", NETWORK, .sock = &request, .listener = &room);
	EXPECT("syn_recv_lost_here", UNDETERMINED, .sock = &request, .listener = &room,
	       .peer = &syn);
	EXPECT("syn_recv_queue_full", LOCAL_APP, .sock = &request, .listener = &full);
	EXPECT("syn_recv_many", UNDETERMINED, .sock = &request, .listener = &flooded);
	EXPECT("syn_recv_deferred", PEER_APP, .sock = &request, .listener = &deferring);
	request.since_synack_us = 2000000;
	HEALTHY(.sock = &request, .listener = &room);
}

static void test_accept(void **state)
{
	struct sf_sock full = listening(129, 128), room = listening(128, 128);
	struct sf_sock child = with_flags(quiet(SF_TCP_ESTABLISHED), SF_SK_UNACCEPTED),
		       young = child, sending = child, known = with_flags(full, SF_SK_HAS_AGES);
	uint64_t ms;

	(void)state;
	young.sent_age_ticks = HZ / 2;
	/* What its client sends makes its wait no shorter. */
	sending.received_age_ticks = sending.ack_age_ticks = 1;
	EXPECT("accept_queue_full", LOCAL_APP, .sock = &full, .oldest_wait_ms = 1000);
	HEALTHY(.sock = &full, .oldest_wait_ms = 999); /* a burst */
	HEALTHY(.sock = &room, .oldest_wait_ms = 5000);
	EXPECT("not_accepted", LOCAL_APP, .sock = &child, .listener = &room);
	HEALTHY(.sock = &young, .listener = &room);
	HEALTHY(.sock = &young, .listener = &room, .watched_ms = 600000);
	EXPECT("not_accepted", LOCAL_APP, .sock = &sending, .listener = &room);
	HEALTHY(.sock = &child, .listener = &full); /* told once, of the listener */
	EXPECT("not_accepted", LOCAL_APP, .sock = &child, .nr_listeners = 2,
	       .nr_listeners_full = 1);
	HEALTHY(.sock = &child, .nr_listeners = 2, .nr_listeners_full = 2);
	EXPECT("accept_queue_full", LOCAL_APP, .sock = &full, .oldest_wait_ms = 1000,
	       .is_wait_minimum = true);
	assert_true(sf_diagnose_wait_ms(&child, HZ, &ms));
	assert_int_equal(ms, 600000);
	assert_true(sf_diagnose_wait_ms(&sending, HZ, &ms));
	assert_int_equal(ms, 600000);
	assert_false(sf_diagnose_wait_ms(&full, HZ, &ms));
	known.sent_age_ticks = 2 * HZ; /* of the first in its queue */
	assert_true(sf_diagnose_wait_ms(&known, HZ, &ms));
	assert_int_equal(ms, 2000);
	child.flags &= ~SF_SK_UNACCEPTED;
	assert_false(sf_diagnose_wait_ms(&child, HZ, &ms));
}

static void test_windows(void **state)
{
	struct sf_sock shut = probing(SF_TCP_ESTABLISHED, 0, 5000), lost = shut, young = shut;
	struct sf_sock fin = probing(SF_TCP_FIN_WAIT1, 0, 5000);
	struct sf_sock dropped = probing(SF_TCP_ESTABLISHED, 64512, 100), closed = dropped;
	struct sf_sock empty = quiet(SF_TCP_ESTABLISHED), reader = unread(3000, 0);
	struct sf_sock some = unread(5, 65536), recent = reader;

	(void)state;
	lost.probes = 3;
	young.sent_age_ticks = 9 * HZ;
	HEALTHY(.sock = &dropped); /* once may be a full qdisc */
	dropped.probes = closed.probes = 3;
	closed.state = SF_TCP_CLOSE_WAIT;
	recent.received_age_ticks = HZ;
	EXPECT("peer_not_reading", PEER_APP, .sock = &shut);
	EXPECT("peer_not_reading_local", PEER_APP, .sock = &shut, .peer = &reader);
	EXPECT("peer_not_reading", PEER_APP, .sock = &fin);
	EXPECT("zero_window_contradicted", UNDETERMINED, .sock = &shut, .peer = &empty);
	EXPECT("zero_window_silent", UNDETERMINED, .sock = &lost);
	HEALTHY(.sock = &young);
	EXPECT("not_leaving", CONFIG, .sock = &dropped);
	EXPECT("close_wait_not_leaving", UNDETERMINED, .sock = &closed);
	EXPECT("not_reading", LOCAL_APP, .sock = &reader);
	EXPECT("unread", LOCAL_APP, .sock = &some);
	HEALTHY(.sock = &recent);
}

static void test_unacked(void **state)
{
	struct sf_sock data = repeating(SF_TCP_ESTABLISHED, 3), twice, small, icmp, half;
	struct sf_sock large, bulk, first, tail;
	struct sf_sock peer = quiet(SF_TCP_ESTABLISHED);

	(void)state;
	twice = small = icmp = half = data;
	twice.tries = twice.backoff = 2;
	small.ack_age_ticks = HZ;
	icmp.soft_err = EHOSTUNREACH;
	half.state = SF_TCP_CLOSE_WAIT;
	EXPECT("unacked", NETWORK, .sock = &data);
	EXPECT("unacked_local", CONFIG, .sock = &data, .peer = &peer);
	EXPECT("unacked_large", NETWORK, .sock = &small);
	EXPECT("unacked_unreachable", UNDETERMINED, .sock = &icmp);
	EXPECT("close_wait_unacked", UNDETERMINED, .sock = &half);
	EXPECT("close_wait_unacked_local", UNDETERMINED, .sock = &half, .peer = &peer);
	HEALTHY(.sock = &twice);
	/* A path MTU black hole: 50 bytes and a SYN arrived, ten full segments do not. */
	large = data;
	large.mss_bytes = 1448;
	large.bytes_acked = 51;
	large.delivered_segs = 2;
	large.unacked_segs = 10;
	large.snd_nxt = 14480;
	large.write_seq = 20000;
	EXPECT("unacked_full", UNDETERMINED, .sock = &large);
	EXPECT("unacked_local", CONFIG, .sock = &large, .peer = &peer);
	bulk = first = tail = large;
	bulk.bytes_acked = 2 * 1448 + 1; /* full ones arrived before */
	bulk.delivered_segs = 3;
	first.bytes_acked = 1; /* nothing but the SYN did */
	first.delivered_segs = 1;
	tail.unacked_segs = 1; /* what is repeated is small */
	tail.snd_nxt = tail.write_seq = 1447;
	EXPECT("unacked", NETWORK, .sock = &bulk);
	EXPECT("unacked", NETWORK, .sock = &first);
	EXPECT("unacked", NETWORK, .sock = &tail);
}

static void test_closing(void **state)
{
	struct sf_sock fin1 = repeating(SF_TCP_FIN_WAIT1, 1),
		       closing = repeating(SF_TCP_CLOSING, 1);
	struct sf_sock last = repeating(SF_TCP_LAST_ACK, 1), fresh = last;
	struct sf_sock fin2 = quiet(SF_TCP_FIN_WAIT2), orphan = quiet(SF_TCP_TIME_WAIT), tw;
	struct sf_sock wait = quiet(SF_TCP_CLOSE_WAIT), young = wait, sent = quiet(SF_TCP_LAST_ACK);

	(void)state;
	fresh.since_retrans_ms = 4999;
	orphan.substate = SF_TCP_FIN_WAIT2;
	orphan.timer = SF_TIMER_TIME_WAIT;
	orphan.flags = SF_SK_ORPHAN | SF_SK_HAS_RETRANS | SF_SK_HAS_AGES;
	orphan.since_retrans_ms = 10000;
	tw = orphan;
	tw.substate = SF_TCP_TIME_WAIT;
	young.ack_age_ticks = 59 * HZ;
	EXPECT("fin_wait1", NETWORK, .sock = &fin1);
	EXPECT("fin_wait1_local", CONFIG, .sock = &fin1, .peer = &wait);
	EXPECT("closing", NETWORK, .sock = &closing);
	EXPECT("closing_local", CONFIG, .sock = &closing, .peer = &fin1);
	EXPECT("last_ack", NETWORK, .sock = &last);
	EXPECT("last_ack_local", CONFIG, .sock = &last, .peer = &fin2);
	HEALTHY(.sock = &fresh);
	EXPECT("fin_wait2", PEER_APP, .sock = &fin2);
	EXPECT("fin_wait2_local", PEER_APP, .sock = &fin2, .peer = &wait);
	EXPECT("fin_wait2_lost", CONFIG, .sock = &fin2, .peer = &sent);
	/* Half closed for ten seconds: the other end may have something to say yet. */
	fin2.received_age_ticks = fin2.ack_age_ticks = 10 * HZ;
	HEALTHY(.sock = &fin2, .peer = &wait);
	EXPECT("fin_wait2_lost", CONFIG, .sock = &fin2, .peer = &sent);
	EXPECT("fin_wait2_orphan", PEER_APP, .sock = &orphan);
	HEALTHY(.sock = &tw);
	EXPECT("close_wait", LOCAL_APP, .sock = &wait, .nr_alike = 15);
	EXPECT("close_wait_many", LOCAL_APP, .sock = &wait, .nr_alike = 16);
	EXPECT("close_wait_many", LOCAL_APP, .sock = &wait, .nr_alike = 16, .nr_alike_first = 16,
	       .is_watched = true);
	EXPECT("close_wait_leak", LOCAL_APP, .sock = &wait, .nr_alike = 17, .nr_alike_first = 16,
	       .is_watched = true);
	EXPECT("close_wait_many", LOCAL_APP, .sock = &wait, .nr_alike = 17, .nr_alike_first = 16,
	       .is_watched = true, .closes_some = true);
	HEALTHY(.sock = &young);
	/* Watched for longer than the socket itself tells. */
	EXPECT("close_wait", LOCAL_APP, .sock = &young, .watched_ms = 60000);
	/* Half closed, it goes on sending. */
	young.sent_age_ticks = HZ;
	HEALTHY(.sock = &young, .watched_ms = 600000);
}

static void test_idle(void **state)
{
	struct sf_sock idle = quiet(SF_TCP_ESTABLISHED), busy = idle, kept = idle;
	struct sf_verdict v;
	struct sf_case c = { .sock = &idle, .hz = HZ };

	(void)state;
	busy.sent_age_ticks = 10;
	kept = with_flags(kept, SF_SK_KEEPALIVE);
	kept.timer = SF_TIMER_KEEPALIVE;
	EXPECT("idle_no_keepalive", UNDETERMINED, .sock = &idle);
	assert_true(rule_of(&c, &v)->is_notice);
	HEALTHY(.sock = &busy);
	HEALTHY(.sock = &kept);
	/* In use for ten minutes in this state is no proof of anything. */
	HEALTHY(.sock = &busy, .watched_ms = 600000);
	/* How long a tick is is not known: then no age is. */
	c.hz = 0;
	assert_null(rule_of(&c, &v));
}

static void test_numbers(void **state)
{
	struct sf_sock data = repeating(SF_TCP_ESTABLISHED, 3), wait = quiet(SF_TCP_CLOSE_WAIT);
	struct sf_case c = { .sock = &data, .hz = HZ };
	struct sf_verdict v;

	(void)state;
	assert_non_null(rule_of(&c, &v));
	assert_true(v.has_age);
	assert_true(v.is_age_minimum);
	assert_int_equal(v.age_ms, 60000);
	assert_int_equal(v.evidence[0].id, SF_EVIDENCE_TRIES);
	assert_int_equal(v.evidence[0].value, 3);
	assert_int_equal(v.evidence[1].id, SF_EVIDENCE_SEND_QUEUE);
	assert_int_equal(v.evidence[1].value, 101);
	assert_int_equal(v.evidence[2].id, SF_EVIDENCE_ACK_AGE);
	assert_int_equal(v.evidence[2].value, 600000);
	/* Growth is told if there is any. */
	c = (struct sf_case){ .sock = &wait, .hz = HZ, .nr_alike = 20, .is_watched = true };
	for (uint32_t first = 0; first <= 20; first += 20) {
		c.nr_alike_first = first;
		assert_non_null(rule_of(&c, &v));
		assert_int_equal(v.evidence[1].id == SF_EVIDENCE_GROWTH, !first);
		assert_int_equal(v.rule->confidence,
				 first ? SF_CONFIDENCE_MEDIUM : SF_CONFIDENCE_HIGH);
		assert_int_equal(v.evidence[1].value, first ? 0 : 20);
	}
}

/* A command runs where its socket is; one that reads /proc/PID runs anywhere. */
static void test_advice(void **state)
{
	struct sf_sock wait = quiet(SF_TCP_CLOSE_WAIT), shut = probing(SF_TCP_ESTABLISHED, 0, 5000);
	struct sf_sock reader = unread(3000, 0);
	struct sf_case c = { .sock = &wait, .hz = HZ, .is_elsewhere = true };
	struct sf_verdict v;

	(void)state;
	c.who.pid = 42;
	assert_non_null(rule_of(&c, &v));
	assert_ptr_equal(strstr(v.advice,
				"nsenter -t 42 -n ss -tanp state close-wait sport = :40000  # "),
			 v.advice);
	c.who.pid = 0;
	assert_non_null(rule_of(&c, &v));
	assert_non_null(strstr(v.advice, " (in network namespace 1)"));
	c = (struct sf_case){ .sock = &shut, .peer = &reader, .hz = HZ, .is_elsewhere = true };
	c.who.pid = 42;
	c.peer_who.pid = 43;
	assert_non_null(rule_of(&c, &v));
	assert_ptr_equal(strstr(v.advice, "cat /proc/43/wchan  # "), v.advice);
}

/* An address of IPv6 is one that ss takes; what cuts a connection names both its ends. */
static void test_advice_ss(void **state)
{
	static const __u8 v6[2][16] = { { 0xfd, 0x99, [15] = 1 }, { 0xfd, 0x99, [15] = 2 } };
	struct sf_sock half = quiet(SF_TCP_FIN_WAIT2), idle = quiet(SF_TCP_ESTABLISHED);
	struct sf_case c = { .sock = &half, .hz = HZ };
	const struct sf_rule *rule;
	struct sf_verdict v;

	(void)state;
	assert_non_null(rule_of(&c, &v));
	assert_non_null(strstr(v.advice, "ss -tanp state fin-wait-2 dst 10.0.0.2  # "));
	c.sock = &idle;
	assert_non_null(rule_of(&c, &v));
	assert_non_null(strstr(v.advice,
			       "ss -tK src 10.0.0.1 sport = :40000 dst 10.0.0.2 dport = :80  # "));
	memcpy(half.peer_addr, v6[1], 16);
	memcpy(idle.local_addr, v6[0], 16);
	memcpy(idle.peer_addr, v6[1], 16);
	assert_non_null(rule_of(&c, &v));
	assert_non_null(strstr(v.advice, "ss -tK src '[fd99::1]' sport = :40000 "
					 "dst '[fd99::2]' dport = :80  # "));
	c.sock = &half;
	assert_non_null(rule_of(&c, &v));
	assert_non_null(strstr(v.advice, "ss -tanp state fin-wait-2 dst '[fd99::2]'  # "));
	for (size_t i = 0; (rule = sf_rule_at(i)); i++) {
		assert_null(strstr(rule->advice, "dst {peer}"));
		if (strstr(rule->advice, "-tK"))
			assert_non_null(strstr(rule->advice, "src {ss_local} sport = :{lport} "
							     "dst {ss_peer} dport = :{pport}  # "));
		assert_null(strstr(rule->advice, "ss -K"));
	}
}

static void test_thresholds(void **state)
{
	static const char *const bad[] = {
		"",	      "close_wait", "close_wait=",   "idle=x",		"idle=1s,",
		"nothing=1s", "=1s",	    "close_wait=-1", "idle=1s idle=2s", "ports=0",
		"ports=101",  "ports=1s",   "ports="
	};
	struct sf_thresholds t;
	const char *why = NULL;

	(void)state;
	sf_thresholds_init(&t);
	assert_int_equal(t.ms[SF_THRESHOLD_CLOSE_WAIT], 60000);
	assert_int_equal(sf_thresholds_parse("close_wait=5m,idle=1.5s", &t, &why), 0);
	assert_int_equal(t.ms[SF_THRESHOLD_CLOSE_WAIT], 300000);
	assert_int_equal(t.ms[SF_THRESHOLD_IDLE], 1500);
	assert_int_equal(t.ms[SF_THRESHOLD_FIN], 5000);
	assert_int_equal(t.ports_pct, 90);
	assert_int_equal(sf_thresholds_parse("fin=5s,ports=80", &t, &why), 0);
	assert_int_equal(t.ports_pct, 80);
	assert_int_equal(sf_thresholds_parse("ports=75%", &t, &why), 0);
	assert_int_equal(t.ports_pct, 75);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_true(sf_thresholds_parse(bad[i], &t, &why) < 0);
		assert_non_null(why);
	}
	assert_int_equal(t.ms[SF_THRESHOLD_IDLE], 1500);
}

/* Repeated, but by TCP only: below it nothing takes it. */
static void test_not_leaving(void **state)
{
	static const __u8 fins[] = { SF_TCP_FIN_WAIT1, SF_TCP_CLOSING, SF_TCP_LAST_ACK };
	struct sf_sock syn = repeating(SF_TCP_SYN_SENT, 3), held, data, shut, half, fin;
	struct sf_sock peer = quiet(SF_TCP_ESTABLISHED), full = listening(129, 128);

	(void)state;
	syn.repeated_segs = 0;
	held = data = syn;
	held.retransmits = 0;
	EXPECT("syn_sent_not_leaving", CONFIG, .sock = &syn);
	/* How the listener is cannot be why. */
	EXPECT("syn_sent_not_leaving", CONFIG, .sock = &syn, .listener = &full);
	EXPECT("syn_sent_held", UNDETERMINED, .sock = &held);
	data.state = SF_TCP_ESTABLISHED;
	EXPECT("unacked_not_leaving", CONFIG, .sock = &data);
	EXPECT("unacked_not_leaving", CONFIG, .sock = &data, .peer = &peer);
	held.state = SF_TCP_ESTABLISHED;
	EXPECT("unacked_held", UNDETERMINED, .sock = &held);
	half = data;
	half.state = SF_TCP_CLOSE_WAIT;
	EXPECT("close_wait_unacked_not_leaving", UNDETERMINED, .sock = &half);
	for (size_t i = 0; i < ARRAY_SIZE(fins); i++) {
		fin = data;
		fin.state = fins[i];
		EXPECT("fin_not_leaving", CONFIG, .sock = &fin);
	}
	data.tries = 2;
	HEALTHY(.sock = &data);
	/* Nothing is under way again while the window is shut, and nothing is refused. */
	shut = probing(SF_TCP_ESTABLISHED, 0, 5000);
	shut.tries = 3;
	EXPECT("peer_not_reading", PEER_APP, .sock = &shut);
}

/* The same error, from the routes of this host and from elsewhere. */
static void test_routes(void **state)
{
	struct sf_sock syn = repeating(SF_TCP_SYN_SENT, 3), data;
	struct sf_sock peer = quiet(SF_TCP_ESTABLISHED), full = listening(129, 128);

	(void)state;
	syn.soft_err = ENETUNREACH;
	data = syn;
	data.state = SF_TCP_ESTABLISHED;
	EXPECT("syn_sent_unreachable", UNDETERMINED, .sock = &syn);
	EXPECT("unacked_unreachable", UNDETERMINED, .sock = &data);
	syn.repeated_segs = data.repeated_segs = 0;
	EXPECT("syn_sent_no_route", CONFIG, .sock = &syn);
	EXPECT("syn_sent_no_route", CONFIG, .sock = &syn, .listener = &full);
	EXPECT("unacked_no_route", CONFIG, .sock = &data);
	EXPECT("unacked_no_route", CONFIG, .sock = &data, .peer = &peer);
	/* A prohibiting route, and a neighbour that does not answer. */
	syn.soft_err = data.soft_err = EACCES;
	EXPECT("syn_sent_no_route", CONFIG, .sock = &syn);
	syn.soft_err = data.soft_err = EHOSTUNREACH;
	EXPECT("syn_sent_unreachable", UNDETERMINED, .sock = &syn);
	EXPECT("unacked_unreachable", UNDETERMINED, .sock = &data);
}

/* It sends and is answered, but not as fast as it could. */
static void test_slow(void **state)
{
	struct sf_sock sending = quiet(SF_TCP_ESTABLISHED), buffer, loss, other;

	(void)state;
	sending.timer = SF_TIMER_RETRANSMIT;
	sending.sent_age_ticks = sending.received_age_ticks = sending.ack_age_ticks = 1;
	sending.busy_ticks = 60 * HZ;
	sending.snd_nxt = sending.write_seq = 4000;
	sending.unacked_segs = 4;
	sending.cwnd_segs = 10;
	sending.segments_sent = 1000;
	HEALTHY(.sock = &sending);
	buffer = sending;
	buffer.sndbuf_limited_ticks = 40 * HZ;
	EXPECT("send_buffer_limited", CONFIG, .sock = &buffer);
	other = buffer;
	other.sndbuf_limited_ticks = 30 * HZ; /* no more than half of the time */
	HEALTHY(.sock = &other);
	other = buffer;
	other.busy_ticks = other.sndbuf_limited_ticks = 9 * HZ; /* not for long */
	HEALTHY(.sock = &other);
	other = buffer;
	other.snd_una = other.write_seq; /* it was so, and is over */
	other.timer = SF_TIMER_NONE;
	other.unacked_segs = 0;
	HEALTHY(.sock = &other);

	loss = sending;
	loss.write_seq = 90000;
	loss.unacked_segs = 10;
	loss.retransmits = 20;
	EXPECT("loss_limited", NETWORK, .sock = &loss);
	other = loss;
	other.retransmits = 19; /* fewer than two in a hundred */
	HEALTHY(.sock = &other);
	other = loss;
	other.retransmits = 9; /* too few to say */
	other.segments_sent = 90;
	HEALTHY(.sock = &other);
	other = loss;
	other.unacked_segs = 4; /* less than half of its window */
	HEALTHY(.sock = &other);
	other = loss;
	other.write_seq = other.snd_nxt; /* nothing waits */
	HEALTHY(.sock = &other);
	/* What is stuck comes first. */
	loss.tries = 3;
	loss.ack_age_ticks = 60 * HZ;
	loss.repeated_segs = 1;
	loss.flags |= SF_SK_HAS_RETRANS;
	loss.since_retrans_ms = 60000;
	EXPECT("unacked", NETWORK, .sock = &loss);
}

/* Most of many are left alone at once: one that is busy, or has been idle for a moment. */
static void test_may(void **state)
{
	struct sf_sock s = quiet(SF_TCP_ESTABLISHED);
	struct sf_thresholds thresholds;

	(void)state;
	sf_thresholds_init(&thresholds);
	assert_true(sf_diagnose_may(&s, HZ, &thresholds)); /* idle for ten minutes */
	s.sent_age_ticks = s.received_age_ticks = s.ack_age_ticks = HZ;
	assert_false(sf_diagnose_may(&s, HZ, &thresholds));
	s.state = SF_TCP_CLOSE_WAIT;
	assert_true(sf_diagnose_may(&s, HZ, &thresholds));
}

/* Rows that no socket could meet, or that say nothing, are mistakes. */
static void test_table(void **state)
{
	const struct sf_rule *rule;
	size_t nr = 1; /* that of the ports */

	(void)state;
	for (size_t i = 0; (rule = sf_rule_at(i)); i++) {
		nr++;
		for (size_t j = 0; rule->like && strcmp(rule->like, sf_rule_at(j)->name); j++)
			assert_non_null(sf_rule_at(j + 1));
		assert_non_null(rule->name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rule->name, sf_rule_at(j)->name);
		assert_non_null(rule->what);
		assert_non_null(rule->advice);
		assert_non_null(strstr(rule->advice, "  # "));
		assert_true(rule->states);
		assert_int_equal(rule->need & rule->without, 0);
		assert_true(rule->evidence[0] != SF_EVIDENCE_NONE);
		assert_non_null(sf_blame_name(rule->blame));
		assert_non_null(sf_confidence_name(rule->confidence));
	}
	assert_null(sf_blame_name(SF_BLAME_NR));
	for (size_t i = SF_EVIDENCE_NONE + 1; i < SF_EVIDENCE_NR; i++) {
		assert_non_null(sf_evidence_kinds[i].name);
		assert_non_null(sf_evidence_kinds[i].label);
	}
	assert_true(nr > 50 && nr <= SF_STUCK_RULES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshakes),  cmocka_unit_test(test_accept),
		cmocka_unit_test(test_windows),	    cmocka_unit_test(test_unacked),
		cmocka_unit_test(test_closing),	    cmocka_unit_test(test_idle),
		cmocka_unit_test(test_numbers),	    cmocka_unit_test(test_advice),
		cmocka_unit_test(test_advice_ss),   cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_may),	    cmocka_unit_test(test_table),
		cmocka_unit_test(test_not_leaving), cmocka_unit_test(test_routes),
		cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
