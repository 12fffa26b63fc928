// SPDX-License-Identifier: GPL-2.0-or-later
/* What a snapshot says of its sockets together: holders, other ends, roles. */
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
#include "story/snapshot.h"
#include "story/sock.h"

#include "snapshot_socks.h"

static void test_roles(void **state)
{
	const struct sf_sock socks[] = {
		sock_of(1, SF_TCP_LISTEN, 0, 80, 0, 0),
		sock_of(2, SF_TCP_ESTABLISHED, 1, 80, 2, 50000),    /* its listener is there */
		sock_of(3, SF_TCP_ESTABLISHED, 1, 40001, 2, 443),   /* a port of the range */
		sock_of(4, SF_TCP_ESTABLISHED, 1, 40002, 2, 40003), /* both are */
		sock_of(5, SF_TCP_SYN_SENT, 1, 600, 2, 700),
		sock_of(6, SF_TCP_ESTABLISHED, 1, 600, 2, 701), /* neither is */
		sock_of(7, SF_TCP_LISTEN, 0, 40005, 0, 0),
		sock_of(8, SF_TCP_ESTABLISHED, 1, 40006, 1, 40005), /* the other end is here, and */
		sock_of(9, SF_TCP_ESTABLISHED, 1, 40005, 1, 40006), /* came out of a listener */
		sock_of(10, SF_TCP_ESTABLISHED, 1, 80, 1, 40005),   /* of either there is one */
		sock_of(11, SF_TCP_ESTABLISHED, 1, 40005, 1, 80),
	};
	const struct {
		__u8 role, source;
	} want[] = {
		{ SF_ROLE_LISTENER, SF_ROLE_SRC_LISTEN },
		{ SF_ROLE_SERVER, SF_ROLE_SRC_LISTENER },
		{ SF_ROLE_CLIENT, SF_ROLE_SRC_PORT_RANGE },
		{ SF_ROLE_UNKNOWN, SF_ROLE_SRC_NONE },
		{ SF_ROLE_CLIENT, SF_ROLE_SRC_HANDSHAKE },
		{ SF_ROLE_UNKNOWN, SF_ROLE_SRC_NONE },
		{ SF_ROLE_LISTENER, SF_ROLE_SRC_LISTEN },
		{ SF_ROLE_CLIENT, SF_ROLE_SRC_LISTENER },
		{ SF_ROLE_SERVER, SF_ROLE_SRC_LISTENER },
		{ SF_ROLE_UNKNOWN, SF_ROLE_SRC_NONE },
		{ SF_ROLE_UNKNOWN, SF_ROLE_SRC_NONE },
	};
	struct sf_snapshot snap;

	(void)state;
	begin(&snap, socks, ARRAY_SIZE(socks));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct sf_story story;

		sf_snapshot_story(&snap, &snap.socks[i], &story);
		assert_int_equal(story.role, want[i].role);
		assert_int_equal(story.role_source, want[i].source);
		assert_int_equal(story.owner.tgid, 0);
		assert_true(story.flags & SF_F_BEGIN_UNSEEN);
	}
	sf_snapshot_clear(&snap);
}

/* The same pair turned round is the other end only if the numbers agree. */
static void test_peer(void **state)
{
	struct sf_sock socks[] = {
		sock_of(1, SF_TCP_ESTABLISHED, 1, 40001, 2, 80),
		sock_of(2, SF_TCP_ESTABLISHED, 2, 80, 1, 40001),
		sock_of(3, SF_TCP_ESTABLISHED, 1, 40002, 2, 80),
		sock_of(4, SF_TCP_ESTABLISHED, 2, 80, 1, 40002),
		sock_of(5, SF_TCP_SYN_SENT, 1, 40003, 2, 80),
		sock_of(6, SF_TCP_CLOSE_WAIT, 2, 80, 1, 40003),
		sock_of(7, SF_TCP_ESTABLISHED, 1, 40004, 1, 40004), /* calls itself */
	};
	struct sf_snapshot snap;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		socks[i].snd_nxt = 0xfffffff0U + (__u32)i;
		socks[i].rcv_nxt = 0xfffffff1U;
	}
	socks[2].snd_nxt = 1U << 30;
	socks[5].rcv_nxt = 77777;
	socks[1].netns = OTHER_NS;
	begin(&snap, socks, ARRAY_SIZE(socks));
	assert_ptr_equal(sf_snapshot_peer(&snap, &snap.socks[0]), &snap.socks[1]);
	assert_ptr_equal(sf_snapshot_peer(&snap, &snap.socks[1]), &snap.socks[0]);
	assert_null(sf_snapshot_peer(&snap, &snap.socks[2]));
	/* What is in a new connection's way need not agree. */
	assert_ptr_equal(sf_snapshot_peer(&snap, &snap.socks[4]), &snap.socks[5]);
	assert_null(sf_snapshot_peer(&snap, &snap.socks[6]));
	sf_snapshot_clear(&snap);
}

static void test_doubles_and_bad_records(void **state)
{
	struct sf_sock socks[] = {
		sock_of(1, SF_TCP_ESTABLISHED, 1, 40001, 2, 80),
		sock_of(1, SF_TCP_ESTABLISHED, 1, 40001, 2, 80),
		sock_of(2, SF_TCP_NR, 1, 40002, 2, 80),
		sock_of(3, SF_TCP_ESTABLISHED, 1, 40003, 2, 80),
	};
	struct sf_snapshot snap;

	(void)state;
	begin(&snap, socks, ARRAY_SIZE(socks));
	assert_int_equal(snap.nr_socks, 2);
	assert_int_equal(snap.nr_bad, 1);
	assert_int_equal(snap.socks[1].sk, 3);
	sf_snapshot_clear(&snap);
}

static void test_holders(void **state)
{
	static const struct sf_holder holders[] = {
		{ .sk = 2, .pid = 9, .fd = 3, .local_port = 40002, .peer_port = 80, .comm = "b" },
		{ .sk = 1, .pid = 8, .fd = 5, .local_port = 40001, .peer_port = 80, .comm = "a" },
		{ .sk = 1, .pid = 7, .fd = 4, .local_port = 40001, .peer_port = 80, .comm = "a" },
		{ .sk = 1, .pid = 8, .fd = 3, .local_port = 40001, .peer_port = 80, .comm = "a" },
		/* Its address was another socket's when the descriptors were read. */
		{ .sk = 3, .pid = 6, .fd = 3, .local_port = 22, .peer_port = 999, .comm = "c" },
	};
	const struct sf_sock socks[] = {
		sock_of(1, SF_TCP_ESTABLISHED, 1, 40001, 2, 80),
		sock_of(2, SF_TCP_ESTABLISHED, 1, 40002, 2, 80),
		sock_of(3, SF_TCP_ESTABLISHED, 1, 40003, 2, 80),
		sock_of(4, SF_TCP_ESTABLISHED, 1, 40004, 2, 80),
	};
	struct sf_snapshot snap;
	struct sf_holders found;
	struct sf_story story;

	(void)state;
	begin(&snap, socks, ARRAY_SIZE(socks));
	snap.holders = calloc(ARRAY_SIZE(holders), sizeof(*holders));
	assert_non_null(snap.holders);
	memcpy(snap.holders, holders, sizeof(holders));
	snap.nr_holders = ARRAY_SIZE(holders);
	free(snap.by_tuple);
	free(snap.listeners);
	snap.nr_listeners = 0;
	assert_int_equal(sf_snapshot_index(&snap), 0);

	found = sf_snapshot_holders(&snap, &snap.socks[0]);
	assert_int_equal(found.nr, 3);
	assert_int_equal(found.nr_processes, 2);
	assert_int_equal(found.first[0].pid, 7);
	assert_int_equal(found.first[1].fd, 3);
	assert_int_equal(sf_snapshot_holders(&snap, &snap.socks[1]).nr_processes, 1);
	assert_int_equal(sf_snapshot_holders(&snap, &snap.socks[2]).nr, 0);
	assert_int_equal(sf_snapshot_holders(&snap, &snap.socks[3]).nr, 0);
	sf_snapshot_story(&snap, &snap.socks[0], &story);
	assert_int_equal(story.owner.tgid, 7);
	assert_int_equal(story.owner.source, SF_OWNER_SRC_FD_SCAN);
	sf_snapshot_clear(&snap);
}

/* The sk of the listener behind an end of NS, 0: none, or one of several. */
static __u64 listener_at(const struct sf_snapshot *snap, const __u8 addr[16], __u16 port,
			 __u32 bound_if)
{
	struct sf_end end = { .netns = NS, .bound_if = bound_if, .port = port };
	struct sf_listening found;

	memcpy(end.addr, addr, 16);
	sf_snapshot_listening(snap, &end, &found);
	return found.one ? found.one->sk : 0;
}

/* Any address, any family, its own namespace only; the one that fits best. */
static void test_listener(void **state)
{
	struct sf_sock socks[] = {
		sock_of(1, SF_TCP_LISTEN, 0, 80, 0, 0),	 sock_of(2, SF_TCP_LISTEN, 1, 81, 0, 0),
		sock_of(3, SF_TCP_LISTEN, 1, 82, 0, 0),	 sock_of(4, SF_TCP_LISTEN, 1, 82, 0, 0),
		sock_of(5, SF_TCP_LISTEN, 0, 443, 0, 0), sock_of(6, SF_TCP_LISTEN, 0, 90, 0, 0),
	};
	struct sf_snapshot snap;
	__u8 one[16], two[16];

	(void)state;
	set_v4(one, 1);
	set_v4(two, 2);
	socks[3].accept_queue = 5;
	memset(socks[4].local_addr, 0, 16); /* [::] takes IPv4 too */
	socks[4].family = AF_INET6;
	socks[5].netns = OTHER_NS;
	begin(&snap, socks, ARRAY_SIZE(socks));
	assert_int_equal(listener_at(&snap, two, 80, 0), 1);
	assert_int_equal(listener_at(&snap, one, 81, 0), 2);
	assert_int_equal(listener_at(&snap, two, 81, 0), 0);
	assert_int_equal(listener_at(&snap, one, 82, 0), 0);
	assert_int_equal(listener_at(&snap, two, 443, 0), 5);
	assert_int_equal(listener_at(&snap, two, 90, 0), 0);
	assert_int_equal(listener_at(&snap, two, 8080, 0), 0);
	sf_snapshot_clear(&snap);
}

/* As the kernel chooses: exact before any, the own family before both, a device before none. */
static void test_best_listener(void **state)
{
	static const __u8 v6[16] = { 0xfd, [15] = 1 };
	struct sf_sock socks[] = {
		sock_of(1, SF_TCP_LISTEN, 0, 80, 0, 0),	 sock_of(2, SF_TCP_LISTEN, 0, 80, 0, 0),
		sock_of(3, SF_TCP_LISTEN, 0, 100, 0, 0), sock_of(4, SF_TCP_LISTEN, 2, 100, 0, 0),
		sock_of(5, SF_TCP_LISTEN, 0, 110, 0, 0), sock_of(6, SF_TCP_LISTEN, 0, 110, 0, 0),
		sock_of(7, SF_TCP_LISTEN, 0, 120, 0, 0), sock_of(8, SF_TCP_LISTEN, 0, 120, 0, 0),
		sock_of(9, SF_TCP_LISTEN, 0, 130, 0, 0),
	};
	struct sf_snapshot snap;
	__u8 one[16], two[16];

	(void)state;
	set_v4(one, 1);
	set_v4(two, 2);
	for (size_t i = 1; i < ARRAY_SIZE(socks); i++) {
		if (socks[i].sk != 2 && socks[i].sk != 6 && socks[i].sk != 9)
			continue;
		memset(socks[i].local_addr, 0, 16);
		socks[i].family = AF_INET6;
		socks[i].flags = socks[i].sk == 6 ? 0 : SF_SK_V6ONLY;
	}
	socks[1].accept_queue = socks[2].accept_queue = socks[5].accept_queue = 9;
	socks[7].bound_if = 7;
	begin(&snap, socks, ARRAY_SIZE(socks));
	assert_int_equal(listener_at(&snap, one, 80, 0), 1);
	assert_int_equal(listener_at(&snap, v6, 80, 0), 2);
	assert_int_equal(listener_at(&snap, one, 100, 0), 3);
	assert_int_equal(listener_at(&snap, two, 100, 0), 4);
	assert_int_equal(listener_at(&snap, one, 110, 0), 5);
	assert_int_equal(listener_at(&snap, v6, 110, 0), 6);
	assert_int_equal(listener_at(&snap, one, 120, 0), 7);
	assert_int_equal(listener_at(&snap, one, 120, 7), 8);
	assert_int_equal(listener_at(&snap, one, 120, SF_ANY_IF), 0);
	assert_int_equal(listener_at(&snap, one, 130, 0), 0);
	sf_snapshot_clear(&snap);
}

/* Of several that share a port none is named, unless one process has them all; a request knows. */
static void test_shared_listeners(void **state)
{
	static const struct sf_holder holders[] = {
		{ .sk = 1, .pid = 7, .fd = 3, .local_port = 80 },
		{ .sk = 2, .pid = 8, .fd = 3, .local_port = 80 },
		{ .sk = 3, .pid = 9, .fd = 3, .local_port = 90 },
		{ .sk = 4, .pid = 9, .fd = 4, .local_port = 90 },
	};
	struct sf_sock socks[] = {
		sock_of(1, SF_TCP_LISTEN, 1, 80, 0, 0),
		sock_of(2, SF_TCP_LISTEN, 1, 80, 0, 0),
		sock_of(3, SF_TCP_LISTEN, 1, 90, 0, 0),
		sock_of(4, SF_TCP_LISTEN, 1, 90, 0, 0),
		sock_of(5, SF_TCP_ESTABLISHED, 1, 80, 2, 5000),
		sock_of(6, SF_TCP_ESTABLISHED, 1, 90, 2, 5000),
		sock_of(7, SF_TCP_NEW_SYN_RECV, 1, 80, 2, 5001),
		sock_of(8, SF_TCP_NEW_SYN_RECV, 1, 80, 2, 5002),
	};
	struct sf_snapshot snap;
	struct sf_listening found;
	size_t at = 0;

	(void)state;
	socks[1].accept_queue = 7;
	socks[1].backlog = 6;
	socks[6].listener = 1;
	socks[7].listener = 99; /* gone */
	begin(&snap, socks, ARRAY_SIZE(socks));
	snap.holders = calloc(ARRAY_SIZE(holders), sizeof(*holders));
	assert_non_null(snap.holders);
	memcpy(snap.holders, holders, sizeof(holders));
	snap.nr_holders = ARRAY_SIZE(holders);

	sf_snapshot_waited_for(&snap, &snap.socks[4], &found);
	assert_null(found.one);
	assert_int_equal(found.nr, 2);
	assert_int_equal(found.nr_full, 1);
	assert_int_equal(sf_snapshot_listening_holders(&snap, &found).nr, 0);
	assert_non_null(sf_snapshot_next(&snap, &found, &at));
	assert_non_null(sf_snapshot_next(&snap, &found, &at));
	assert_null(sf_snapshot_next(&snap, &found, &at));

	sf_snapshot_waited_for(&snap, &snap.socks[5], &found);
	assert_null(found.one);
	assert_int_equal(sf_snapshot_listening_holders(&snap, &found).first->pid, 9);

	sf_snapshot_waited_for(&snap, &snap.socks[6], &found);
	assert_ptr_equal(found.one, &snap.socks[0]);
	assert_int_equal(sf_snapshot_listening_holders(&snap, &found).first->pid, 7);
	sf_snapshot_waited_for(&snap, &snap.socks[7], &found);
	assert_int_equal(found.nr, 0);
	sf_snapshot_clear(&snap);
}

/* A parent that keeps its services' listeners open is not who serves them; nor is pid 1. */
static void test_named_holder(void **state)
{
	static const struct sf_holder holders[] = {
		{ .sk = 1, .pid = 5, .fd = 3, .local_port = 80 },
		{ .sk = 1, .pid = 7, .fd = 3, .local_port = 80 },
		{ .sk = 1, .pid = 7, .fd = 4, .local_port = 80 },
		{ .sk = 2, .pid = 5, .fd = 4, .local_port = 81 },
		{ .sk = 2, .pid = 8, .fd = 3, .local_port = 81 },
		{ .sk = 3, .pid = 1, .fd = 9, .local_port = 82 },
		{ .sk = 3, .pid = 9, .fd = 3, .local_port = 82 },
		{ .sk = 4, .pid = 11, .fd = 3, .local_port = 83 },
		{ .sk = 4, .pid = 12, .fd = 3, .local_port = 83 },
		{ .sk = 5, .pid = 5, .fd = 5, .local_port = 80, .peer_port = 5000 },
		{ .sk = 5, .pid = 7, .fd = 5, .local_port = 80, .peer_port = 5000 },
	};
	static const struct {
		__u32 pid, nr_processes;
	} want[] = { { 7, 2 }, { 8, 2 }, { 9, 2 }, { 11, 2 }, { 5, 2 } };
	const struct sf_sock socks[] = {
		sock_of(1, SF_TCP_LISTEN, 1, 80, 0, 0),
		sock_of(2, SF_TCP_LISTEN, 1, 81, 0, 0),
		sock_of(3, SF_TCP_LISTEN, 1, 82, 0, 0),
		sock_of(4, SF_TCP_LISTEN, 1, 83, 0, 0), /* nothing tells them apart: the first */
		sock_of(5, SF_TCP_ESTABLISHED, 1, 80, 2, 5000), /* no listener: the first */
	};
	struct sf_snapshot snap = { .nr_socks = ARRAY_SIZE(socks),
				    .nr_holders = ARRAY_SIZE(holders) };

	(void)state;
	snap.socks = calloc(ARRAY_SIZE(socks), sizeof(*socks));
	snap.holders = calloc(ARRAY_SIZE(holders), sizeof(*holders));
	assert_non_null(snap.socks);
	assert_non_null(snap.holders);
	memcpy(snap.socks, socks, sizeof(socks));
	memcpy(snap.holders, holders, sizeof(holders));
	assert_int_equal(sf_snapshot_index(&snap), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct sf_holders found = sf_snapshot_holders(&snap, &snap.socks[i]);
		struct sf_story story;

		sf_snapshot_story(&snap, &snap.socks[i], &story);
		assert_int_equal(found.named->pid, want[i].pid);
		assert_int_equal(found.nr_processes, want[i].nr_processes);
		assert_int_equal(story.owner.tgid, want[i].pid);
	}
	sf_snapshot_clear(&snap);
}

static void test_queues(void **state)
{
	struct sf_sock s = sock_of(1, SF_TCP_ESTABLISHED, 1, 40001, 2, 80);

	(void)state;
	s.snd_una = 0xfffffff0U;
	s.snd_nxt = 4;
	s.write_seq = 14;
	s.copied_seq = 100;
	s.rcv_nxt = 111;
	assert_int_equal(sf_sock_send_queue(&s), 30);
	assert_int_equal(sf_sock_not_sent(&s), 10);
	assert_int_equal(sf_sock_receive_queue(&s), 11);
	s.state = SF_TCP_LAST_ACK; /* both FINs are in the numbers */
	assert_int_equal(sf_sock_send_queue(&s), 29);
	assert_int_equal(sf_sock_not_sent(&s), 9);
	assert_int_equal(sf_sock_receive_queue(&s), 10);
	s.state = SF_TCP_CLOSE_WAIT;
	s.copied_seq = 111; /* even the FIN was read */
	assert_int_equal(sf_sock_receive_queue(&s), 0);
	s.state = SF_TCP_TIME_WAIT;
	assert_int_equal(sf_sock_send_queue(&s), 0);
	s.substate = SF_TCP_FIN_WAIT2;
	assert_int_equal(sf_sock_state(&s), SF_TCP_FIN_WAIT2);
}

/* What the kernel's counter shows for a rate at a time since boot. */
static __u64 jiffies_at(__u32 hz, __u64 seconds)
{
	return (1ULL << 32) - 300ULL * hz + hz * seconds;
}

static void test_hz(void **state)
{
	static const __u32 rates[] = { 100, 250, 300, 1000 };
	static const __u64 seconds[] = { 5, 100, 290, 310, 3600, 86400ULL * 900 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		for (size_t k = 0; k < ARRAY_SIZE(seconds); k++)
			assert_int_equal(sf_hz_guess(jiffies_at(rates[i], seconds[k]) + 3,
						     seconds[k] * 1000000000ULL),
					 rates[i]);
	assert_int_equal(sf_hz_guess(jiffies_at(250, 301), 301ULL * 1000000000), 0);
}

/* What a tracer has seen is added to the same connection, and to no other. */
static void test_add_seen(void **state)
{
	struct sf_sock socks[] = { sock_of(1, SF_TCP_LISTEN, 0, 80, 0, 0),
				   sock_of(2, SF_TCP_ESTABLISHED, 1, 40001, 2, 40002) };
	struct sf_story story, seen, before;
	struct sf_snapshot snap;

	(void)state;
	socks[1].bytes_acked = 101;
	socks[1].bytes_received = 7;
	socks[1].segments_sent = 3;
	socks[1].cookie = 77;
	begin(&snap, socks, ARRAY_SIZE(socks));
	for (size_t i = 0; i < snap.nr_socks; i++)
		if (snap.socks[i].state == SF_TCP_ESTABLISHED)
			sf_snapshot_story(&snap, &snap.socks[i], &story);
	assert_int_equal(story.role, SF_ROLE_UNKNOWN);
	seen = story;
	seen.id = 4711;
	seen.cookie = 0;
	seen.role = SF_ROLE_CLIENT;
	seen.role_source = SF_ROLE_SRC_CONNECT;
	seen.step_ns[SF_STEP_CONNECT] = 1000;
	seen.owner.tgid = 99;
	seen.state = SF_TCP_SYN_SENT; /* a moment ago */
	seen.flags = SF_F_TUPLE_KNOWN | SF_F_PORT_KNOWN | SF_F_PORT_EPHEMERAL;
	seen.segments_sent = 0;

	before = story;
	seen.peer_port++;
	assert_false(sf_snapshot_add_seen(&socks[1], &seen, &story));
	seen.peer_port--;
	seen.cookie = 78;
	assert_false(sf_snapshot_add_seen(&socks[1], &seen, &story));
	seen.cookie = 0;
	seen.netns++;
	assert_false(sf_snapshot_add_seen(&socks[1], &seen, &story));
	seen.netns--;
	assert_memory_equal(&story, &before, sizeof(story));

	assert_true(sf_snapshot_add_seen(&socks[1], &seen, &story));
	assert_int_equal(story.id, 4711);
	assert_int_equal(story.cookie, 77);
	assert_int_equal(story.role, SF_ROLE_CLIENT);
	assert_int_equal(story.role_source, SF_ROLE_SRC_CONNECT);
	assert_int_equal(story.owner.tgid, 99);
	assert_int_equal(story.state, SF_TCP_ESTABLISHED);
	assert_int_equal(story.segments_sent, 3);
	assert_int_equal(story.bytes_sent, 100); /* a client's SYN is no byte */
	assert_int_equal(story.bytes_received, 7);
	assert_false(story.flags & (SF_F_BYTES_UNSURE | SF_F_BEGIN_UNSEEN));
	assert_true(story.flags & SF_F_PORT_EPHEMERAL);

	/* What was not seen is taken from the snapshot. */
	story = before;
	story.role = SF_ROLE_SERVER;
	story.owner.tgid = 5;
	seen.role = SF_ROLE_UNKNOWN;
	seen.owner.tgid = 0;
	assert_true(sf_snapshot_add_seen(&socks[1], &seen, &story));
	assert_int_equal(story.role, SF_ROLE_SERVER);
	assert_int_equal(story.owner.tgid, 5);

	/* Who has it now is known better than who had it when the tracer began. */
	seen.owner = (struct sf_task){ .tgid = 6, .source = SF_OWNER_SRC_FD_SCAN };
	story = before;
	story.owner = (struct sf_task){ .tgid = 5, .source = SF_OWNER_SRC_FD_SCAN };
	assert_true(sf_snapshot_add_seen(&socks[1], &seen, &story));
	assert_int_equal(story.owner.tgid, 5);
	seen.owner.source = SF_OWNER_SRC_CONNECT;
	assert_true(sf_snapshot_add_seen(&socks[1], &seen, &story));
	assert_int_equal(story.owner.tgid, 6);
	seen.owner.source = SF_OWNER_SRC_FD_SCAN;
	story.owner.tgid = 0;
	assert_true(sf_snapshot_add_seen(&socks[1], &seen, &story));
	assert_int_equal(story.owner.tgid, 6);
	sf_snapshot_clear(&snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_doubles_and_bad_records),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_best_listener),
		cmocka_unit_test(test_shared_listeners),
		cmocka_unit_test(test_named_holder),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_hz),
		cmocka_unit_test(test_add_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
