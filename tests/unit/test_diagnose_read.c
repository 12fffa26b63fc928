// SPDX-License-Identifier: GPL-2.0-or-later
/* The rules of data that waits: who does not read it, and who reads, but slowly. */
#include "diagnose_cases.h"

#include "story/sock.h"

/* As if it had read, of 10000 bytes more, so long ago. */
static struct sf_sock having_read(struct sf_sock s, __u32 read_age_ms)
{
	s.flags |= SF_SK_HAS_READ_AGE;
	s.read_age_ms = read_age_ms;
	s.bytes_received = sf_sock_receive_queue(&s) + 10000;
	return s;
}

/* What waits came a minute ago. */
static void test_readers(void **state)
{
	struct sf_sock shut = probing(SF_TCP_ESTABLISHED, 0, 5000), some = unread(5, 65536);
	struct sf_sock stopped = unread(3000, 0), slow, since, unsure, never;
	struct sf_case c = { .sock = &stopped, .hz = HZ };
	struct sf_verdict v;

	(void)state;
	shut.sent_age_ticks = some.received_age_ticks = stopped.received_age_ticks = MINUTES(1);
	slow = having_read(stopped, 500);
	EXPECT("reads_slowly", LOCAL_APP, .sock = &slow);
	EXPECT("peer_reads_slowly_local", PEER_APP, .sock = &shut, .peer = &slow);
	slow = having_read(some, 500);
	HEALTHY(.sock = &slow);
	/* Before that came, and a moment after: not one byte in at least fifty seconds. */
	since = having_read(stopped, 70000);
	EXPECT("not_reading", LOCAL_APP, .sock = &since);
	since.read_age_ms = 55000;
	EXPECT("not_reading", LOCAL_APP, .sock = &since);
	EXPECT("peer_not_reading_local", PEER_APP, .sock = &shut, .peer = &since);
	since = having_read(some, 55000);
	EXPECT("unread", LOCAL_APP, .sock = &since);
	/* Noted with the probe before: the next one may be just about to come. */
	since = having_read(stopped, 34000);
	EXPECT("reads_slowly", LOCAL_APP, .sock = &since);
	since = having_read(stopped, 55000);
	c.sock = &since;
	assert_non_null(rule_of(&c, &v));
	assert_int_equal(v.age_ms, 50000);
	assert_int_equal(sf_verdict_confidence(&v), SF_CONFIDENCE_HIGH);
	assert_int_equal(v.evidence[3].id, SF_EVIDENCE_READ_AGE);
	assert_int_equal(v.evidence[3].value, 55000);
	/* When is not known: a slow reader would look the same, unless nothing was ever read. */
	unsure = having_read(stopped, 0);
	unsure.flags &= ~SF_SK_HAS_READ_AGE;
	never = unsure;
	never.bytes_received = 3000;
	EXPECT("not_reading", LOCAL_APP, .sock = &unsure);
	EXPECT("peer_not_reading_local", PEER_APP, .sock = &shut, .peer = &unsure);
	c.sock = &unsure;
	assert_non_null(rule_of(&c, &v));
	assert_int_equal(sf_verdict_confidence(&v), SF_CONFIDENCE_MEDIUM);
	c = (struct sf_case){ .sock = &shut, .peer = &unsure, .hz = HZ };
	assert_non_null(rule_of(&c, &v));
	assert_int_equal(sf_verdict_confidence(&v), SF_CONFIDENCE_MEDIUM);
	c = (struct sf_case){ .sock = &never, .hz = HZ };
	assert_non_null(rule_of(&c, &v));
	assert_int_equal(sf_verdict_confidence(&v), SF_CONFIDENCE_HIGH);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_readers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
