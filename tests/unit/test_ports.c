// SPDX-License-Identifier: GPL-2.0-or-later
/* Which local ports of a destination are in use, and which of them the kernel takes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "story/names.h"
#include "story/ports.h"

#include "snapshot_socks.h"

static void test_ports(void **state)
{
	struct sf_sock socks[] = {
		sock_of(1, SF_TCP_LISTEN, 0, 40009, 0, 0),
		sock_of(2, SF_TCP_ESTABLISHED, 1, 40001, 2, 80),
		sock_of(3, SF_TCP_TIME_WAIT, 1, 40002, 2, 80),
		sock_of(4, SF_TCP_TIME_WAIT, 1, 40003, 2, 80),
		sock_of(5, SF_TCP_SYN_SENT, 1, 40003, 2, 80),	 /* took its port over */
		sock_of(6, SF_TCP_ESTABLISHED, 1, 40001, 3, 80), /* the port again, elsewhere */
		sock_of(7, SF_TCP_ESTABLISHED, 1, 600, 2, 80),	 /* not of the range */
		sock_of(8, SF_TCP_ESTABLISHED, 1, 40009, 2, 80), /* came in */
	};
	struct sf_snapshot snap;
	struct sf_port_use *uses;
	size_t nr;

	(void)state;
	socks[2].substate = SF_TCP_TIME_WAIT;
	socks[3].substate = SF_TCP_TIME_WAIT;
	begin(&snap, socks, ARRAY_SIZE(socks));
	assert_int_equal(sf_ports_count(&snap, &uses, &nr), 0);
	assert_int_equal(nr, 2);
	assert_int_equal(uses[0].nr_used, 3);
	assert_int_equal(uses[0].nr_range, 10);
	assert_int_equal(uses[0].nr_free, 7);
	assert_int_equal(uses[0].nr_time_wait, 1); /* its port counts for who took it */
	assert_false(uses[0].has_reusable);
	assert_int_equal(uses[0].peer_port, 80);
	assert_int_equal(uses[1].nr_used, 1);
	free(uses);
	sf_snapshot_clear(&snap);
}

/* Reserved ports are not the kernel's to choose: neither free nor used. */
static void test_ports_reserved(void **state)
{
	const struct sf_sock socks[] = {
		sock_of(1, SF_TCP_ESTABLISHED, 1, 40001, 2, 80),
		sock_of(2, SF_TCP_ESTABLISHED, 1, 40002, 2, 80),
		sock_of(3, SF_TCP_ESTABLISHED, 1, 40007, 2, 80), /* bound to it */
	};
	struct sf_snapshot snap;
	struct sf_port_use *uses;
	size_t nr;

	(void)state;
	begin(&snap, socks, ARRAY_SIZE(socks));
	snap.netns[0].reserved = calloc(8192, 1);
	assert_non_null(snap.netns[0].reserved);
	for (unsigned int port = 40003; port < 40020; port++)
		snap.netns[0].reserved[port / 8] |= (uint8_t)(1U << port % 8);
	assert_int_equal(sf_ports_count(&snap, &uses, &nr), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(uses[0].nr_used, 2);
	assert_int_equal(uses[0].nr_range, 3);
	assert_int_equal(uses[0].nr_free, 1);
	free(uses);
	sf_snapshot_clear(&snap);
}

/* 127.0.0.1:LPORT to 127.0.0.1:81, or to 10.0.0.2:81, for so long in TIME_WAIT. */
static struct sf_sock waiting(__u64 sk, __u16 lport, bool is_local, __u32 since_ms)
{
	struct sf_sock s = sock_of(sk, SF_TCP_TIME_WAIT, 1, lport, 2, 81);

	s.substate = SF_TCP_TIME_WAIT;
	s.timer = SF_TIMER_TIME_WAIT;
	s.timer_ticks = 250 * 60 - (__s32)since_ms / 4;
	if (is_local)
		s.local_addr[12] = s.peer_addr[12] = 127;
	return s;
}

static void expect_free(struct sf_snapshot *snap, __u32 tw_reuse, __u32 reusable_local,
			__u32 reusable_far)
{
	struct sf_port_use *uses;
	size_t nr;

	snap->netns[0].tw_reuse = tw_reuse;
	assert_int_equal(sf_ports_count(snap, &uses, &nr), 0);
	assert_int_equal(nr, 2);
	for (size_t i = 0; i < nr; i++) {
		bool is_local = uses[i].peer_addr[12] == 127;
		__u32 nr_reusable = is_local ? reusable_local : reusable_far;

		assert_true(uses[i].has_reusable);
		assert_int_equal(uses[i].nr_used, is_local ? 5 : 1);
		assert_int_equal(uses[i].nr_reusable, nr_reusable);
		assert_int_equal(uses[i].nr_free, 10 - uses[i].nr_used + nr_reusable);
	}
	free(uses);
}

/* A port in TIME_WAIT is free if connect() takes it again: as tcp_twsk_unique() has it. */
static void test_ports_reused(void **state)
{
	struct sf_sock socks[] = {
		waiting(1, 40001, true, 1004), waiting(2, 40002, true, 1000),
		waiting(3, 40003, true, 5000), waiting(4, 40004, true, 5000),
		waiting(5, 40005, true, 5000), waiting(6, 40001, false, 5000),
		waiting(7, 40004, true, 5000),
	};
	struct sf_snapshot snap;

	(void)state;
	socks[2].substate = SF_TCP_FIN_WAIT2; /* of an orphan: that one is not taken */
	/* Where the kernel tells when it began, that counts. */
	socks[4].flags = SF_SK_HAS_RETRANS;
	socks[4].since_retrans_ms = 900;
	socks[6].state = SF_TCP_SYN_SENT; /* has taken its port already */
	socks[6].substate = 0;
	begin(&snap, socks, ARRAY_SIZE(socks));
	snap.netns[0].has_tw_reuse = true;
	snap.netns[0].tw_reuse_delay_ms = 1000;
	expect_free(&snap, 0, 0, 0);
	expect_free(&snap, 1, 1, 1);
	expect_free(&snap, 2, 1, 0);
	snap.netns[0].tw_reuse_delay_ms = 500;
	expect_free(&snap, 2, 3, 0);
	snap.hz = 0; /* how long a tick is is not known: nor is how long they wait */
	expect_free(&snap, 2, 1, 0);
	sf_snapshot_clear(&snap);
}

/* The listener has gone, both ports are of the range: the port that many share was called. */
static void test_ports_of_a_gone_listener(void **state)
{
	const struct sf_sock socks[] = {
		sock_of(1, SF_TCP_TIME_WAIT, 1, 40001, 2, 40009),
		sock_of(2, SF_TCP_TIME_WAIT, 1, 40002, 2, 40009),
		sock_of(3, SF_TCP_TIME_WAIT, 1, 40008, 3, 40001),
		sock_of(4, SF_TCP_TIME_WAIT, 1, 40008, 3, 40002),
	};
	struct sf_snapshot snap;
	struct sf_port_use *uses;
	size_t nr;

	(void)state;
	begin(&snap, socks, ARRAY_SIZE(socks));
	assert_int_equal(sf_ports_count(&snap, &uses, &nr), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(uses[0].nr_used, 2);
	assert_int_equal(uses[0].peer_port, 40009);
	free(uses);
	sf_snapshot_clear(&snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_ports_reserved),
		cmocka_unit_test(test_ports_reused),
		cmocka_unit_test(test_ports_of_a_gone_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
