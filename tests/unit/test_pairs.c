// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Joining the two ends of a connection: who is whose mate, who never waits,
 * who leaves when the table is full or the time is over, in which order, and
 * that every end comes out exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/util.h"
#include "view/pairs.h"

#include "view_stories.h"

#define WAIT_NS (1000 * MS)

/* The end of connection nr, as it closed at time_ns; ids of the two ends differ. */
static struct sf_event end(uint8_t role, __u32 nr, __u64 time_ns)
{
	struct sf_event e = role == SF_ROLE_SERVER ? server_closed() : client_closed();

	e.time_ns = time_ns;
	e.story.id = (__u64)nr << 2 | role;
	e.story.role = role;
	e.story.isn_local = role == SF_ROLE_SERVER ? 7000 + nr : 1000000 + nr;
	e.story.isn_peer = role == SF_ROLE_SERVER ? 1000000 + nr : 7000 + nr;
	return e;
}

static struct sf_pairs *table(size_t nr_max)
{
	struct sf_pairs *pairs = NULL;

	assert_int_equal(sf_pairs_new(nr_max, WAIT_NS, &pairs), 0);
	return pairs;
}

static void check_counts(const struct sf_pairs *pairs, uint64_t joined, uint64_t alone,
			 uint64_t late, uint64_t crowded)
{
	const struct sf_pairs_counts *counts = sf_pairs_counts(pairs);

	assert_int_equal(counts->nr_joined, joined);
	assert_int_equal(counts->nr_alone, alone);
	assert_int_equal(counts->nr_late, late);
	assert_int_equal(counts->nr_crowded, crowded);
}

static void test_joins(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(4);
	struct sf_event client = end(SF_ROLE_CLIENT, 1, T0);
	struct sf_event server = end(SF_ROLE_SERVER, 1, T0 + 1);
	struct sf_pair pair;

	(void)state;
	assert_false(sf_pairs_add(pairs, &client, &pair));
	assert_int_equal(sf_pairs_nr_waiting(pairs), 1);
	client.story.id = 0; /* what waits is a copy */
	assert_true(sf_pairs_add(pairs, &server, &pair));
	assert_int_equal(pair.ends[0]->story.id, 1 << 2 | SF_ROLE_CLIENT);
	assert_ptr_equal(pair.ends[1], &server);
	assert_int_equal(sf_pairs_nr_waiting(pairs), 0);

	/* The server first; and the same once more: nothing was left behind. */
	assert_false(sf_pairs_add(pairs, &server, &pair));
	client = end(SF_ROLE_CLIENT, 1, T0);
	assert_true(sf_pairs_add(pairs, &client, &pair));
	assert_int_equal(pair.ends[0]->story.role, SF_ROLE_SERVER);
	assert_ptr_equal(pair.ends[1], &client);
	check_counts(pairs, 2, 0, 0, 0);
	assert_false(sf_pairs_due(pairs, UINT64_MAX, &pair));
}

/* The same wire id is not enough. */
static void test_who_is_no_mate(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(8);
	struct sf_event client = end(SF_ROLE_CLIENT, 1, T0);
	struct sf_event server = end(SF_ROLE_SERVER, 1, T0);
	struct sf_event other = end(SF_ROLE_CLIENT, 1, T0);
	struct sf_pair pair;

	(void)state;
	other.story.id = 99;
	assert_false(sf_pairs_add(pairs, &client, &pair));
	assert_false(sf_pairs_add(pairs, &client, &pair)); /* itself */
	assert_false(sf_pairs_add(pairs, &other, &pair));  /* another client */
	assert_int_equal(sf_pairs_nr_waiting(pairs), 3);
	server.story.id = 99;
	assert_true(sf_pairs_add(pairs, &server, &pair)); /* not with itself, but with the other */
	assert_int_equal(pair.ends[0]->story.id, client.story.id);
	assert_int_equal(sf_pairs_nr_waiting(pairs), 2);
}

static void test_who_never_waits(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(4);
	struct sf_event event = client_refused(); /* no wire id: no SYN+ACK came */
	struct sf_pair pair;

	(void)state;
	assert_true(sf_pairs_add(pairs, &event, &pair));
	assert_ptr_equal(pair.ends[0], &event);
	assert_null(pair.ends[1]);
	event = old_fin_received(); /* no role: which number is whose is not known */
	assert_true(sf_pairs_add(pairs, &event, &pair));
	event = end(SF_ROLE_BOTH, 1, T0); /* connected to itself */
	event.story.isn_peer = event.story.isn_local;
	assert_true(sf_pairs_add(pairs, &event, &pair));
	assert_null(pair.ends[1]);
	assert_int_equal(sf_pairs_nr_waiting(pairs), 0);
	check_counts(pairs, 0, 3, 0, 0);
}

static void test_two_that_dialled(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(4);
	struct sf_event one = end(SF_ROLE_BOTH, 1, T0), two = end(SF_ROLE_BOTH, 1, T0);
	struct sf_pair pair;

	(void)state;
	two.story.id++;
	two.story.isn_local = one.story.isn_peer;
	two.story.isn_peer = one.story.isn_local;
	assert_false(sf_pairs_add(pairs, &one, &pair));
	assert_true(sf_pairs_add(pairs, &two, &pair));
	assert_int_equal(pair.ends[0]->story.id, one.story.id);
	assert_ptr_equal(pair.ends[1], &two);
}

static void test_waits_so_long(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(4);
	struct sf_event one = end(SF_ROLE_CLIENT, 1, T0), two = end(SF_ROLE_CLIENT, 2, T0 + 5 * MS);
	struct sf_pair pair = { { NULL, NULL } };

	(void)state;
	assert_false(sf_pairs_add(pairs, &one, &pair));
	assert_false(sf_pairs_add(pairs, &two, &pair));
	assert_false(sf_pairs_due(pairs, T0 - 1, &pair)); /* the clock was read before it came */
	assert_false(sf_pairs_due(pairs, T0 + WAIT_NS - 1, &pair));
	assert_null(pair.ends[0]);
	assert_true(sf_pairs_due(pairs, T0 + WAIT_NS, &pair));
	assert_int_equal(pair.ends[0]->story.id, one.story.id);
	assert_null(pair.ends[1]);
	assert_false(sf_pairs_due(pairs, T0 + WAIT_NS, &pair));
	assert_true(sf_pairs_due(pairs, T0 + WAIT_NS + 5 * MS, &pair));
	assert_int_equal(pair.ends[0]->story.id, two.story.id);
	check_counts(pairs, 0, 0, 2, 0);
}

/* Full: the oldest goes, and stays readable while the new one takes its place. */
static void test_full(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(3);
	struct sf_pair pair;

	(void)state;
	for (__u32 i = 0; i < 10; i++) {
		struct sf_event event = end(SF_ROLE_CLIENT, i, T0 + i);

		assert_int_equal(sf_pairs_add(pairs, &event, &pair), i >= 3);
		assert_int_equal(sf_pairs_nr_waiting(pairs), i < 3 ? i + 1 : 3);
		if (i < 3)
			continue;
		assert_int_equal(pair.ends[0]->story.id, (i - 3) << 2 | SF_ROLE_CLIENT);
		assert_null(pair.ends[1]);
	}
	check_counts(pairs, 0, 0, 0, 7);
	/* One from the middle leaves; the rest keeps its order. */
	struct sf_event server = end(SF_ROLE_SERVER, 8, T0);

	assert_true(sf_pairs_add(pairs, &server, &pair));
	assert_true(sf_pairs_due(pairs, UINT64_MAX, &pair));
	assert_int_equal(pair.ends[0]->story.id, 7 << 2 | SF_ROLE_CLIENT);
	assert_true(sf_pairs_due(pairs, UINT64_MAX, &pair));
	assert_int_equal(pair.ends[0]->story.id, 9 << 2 | SF_ROLE_CLIENT);
	assert_false(sf_pairs_due(pairs, UINT64_MAX, &pair));
}

static void test_room_for_one(void **state)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(1);
	struct sf_event one = end(SF_ROLE_CLIENT, 1, T0), two = end(SF_ROLE_CLIENT, 2, T0);
	struct sf_event mate = end(SF_ROLE_SERVER, 2, T0);
	struct sf_pair pair;

	(void)state;
	assert_false(sf_pairs_add(pairs, &one, &pair));
	assert_true(sf_pairs_add(pairs, &two, &pair));
	assert_int_equal(pair.ends[0]->story.id, one.story.id);
	assert_true(sf_pairs_add(pairs, &mate, &pair));
	assert_int_equal(pair.ends[0]->story.id, two.story.id);
	check_counts(pairs, 1, 0, 0, 1);
	sf_pairs_free(NULL);
}

#define NR_CONNECTIONS 400

/* An end came out; each once, and two only with each other. */
static void note(uint8_t *is_out, const struct sf_pair *pair)
{
	assert_int_equal(is_out[pair->ends[0]->story.id], 0);
	is_out[pair->ends[0]->story.id] = 1;
	if (!pair->ends[1])
		return;
	assert_int_equal(is_out[pair->ends[1]->story.id], 0);
	is_out[pair->ends[1]->story.id] = 1;
	assert_int_equal(pair->ends[0]->story.id >> 2, pair->ends[1]->story.id >> 2);
}

static void run_random(__u64 *seed, size_t nr_max)
{
	_cleanup_(sf_pairs_freep) struct sf_pairs *pairs = table(nr_max);
	uint8_t is_in[NR_CONNECTIONS << 2] = { 0 }, is_out[NR_CONNECTIONS << 2] = { 0 };
	const struct sf_pairs_counts *counts = sf_pairs_counts(pairs);
	struct sf_pair pair;
	uint64_t nr_in = 0;
	__u64 now_ns = T0;

	for (int i = 0; i < 3000; i++) {
		__u32 nr = random_u64(seed) % NR_CONNECTIONS;
		uint8_t role = random_u64(seed) % 2 ? SF_ROLE_CLIENT : SF_ROLE_SERVER;
		struct sf_event event;

		now_ns += random_u64(seed) % (40 * MS);
		event = end(role, nr, now_ns);
		if (!is_in[event.story.id]) {
			is_in[event.story.id] = 1;
			nr_in++;
			if (sf_pairs_add(pairs, &event, &pair))
				note(is_out, &pair);
		}
		while (sf_pairs_due(pairs, now_ns, &pair))
			note(is_out, &pair);
		assert_true(sf_pairs_nr_waiting(pairs) <= nr_max);
	}
	while (sf_pairs_due(pairs, UINT64_MAX, &pair))
		note(is_out, &pair);
	assert_int_equal(sf_pairs_nr_waiting(pairs), 0);
	assert_memory_equal(is_in, is_out, sizeof(is_in));
	assert_int_equal(2 * counts->nr_joined + counts->nr_late + counts->nr_crowded, nr_in);
	assert_true(counts->nr_joined > 0);
}

static void test_random(void **state)
{
	__u64 seed = 20261122;

	(void)state;
	run_random(&seed, 1);
	run_random(&seed, 7);
	run_random(&seed, 64);
	run_random(&seed, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_joins),		cmocka_unit_test(test_who_is_no_mate),
		cmocka_unit_test(test_who_never_waits), cmocka_unit_test(test_two_that_dialled),
		cmocka_unit_test(test_waits_so_long),	cmocka_unit_test(test_full),
		cmocka_unit_test(test_room_for_one),	cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
