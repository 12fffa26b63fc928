// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The facts derived from a story are right or absent. Stories are built step
 * by step, with times that make each difference unmistakable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "bpf/story.h"
#include "story/names.h"
#include "story/story.h"

#define UNTOUCHED 0xfeedfacecafebeefULL
#define STEP(name) step_ns[SF_STEP_##name]

/* The fact's value, or UNTOUCHED if it is absent. */
#define FACT(call)                                             \
	(__extension__({                                       \
		uint64_t ret_ = UNTOUCHED;                     \
		bool is_known_ = call;                         \
		assert_true(is_known_ == (ret_ != UNTOUCHED)); \
		ret_;                                          \
	}))
#define HANDSHAKE(s, derived) FACT(sf_story_handshake_ns(s, &ret_, derived))
#define IN_STATE(s, state) FACT(sf_story_state_ns(s, SF_TCP_##state, &ret_))

static void test_handshake(void **state)
{
	struct sf_story s = { .role = SF_ROLE_CLIENT };
	bool is_derived = true;

	(void)state;
	assert_int_equal(HANDSHAKE(&s, NULL), UNTOUCHED);
	s.STEP(CONNECT) = 50;
	s.STEP(SYN_SENT) = 100;
	s.STEP(ESTABLISHED) = 900;
	assert_int_equal(HANDSHAKE(&s, &is_derived), 800);
	assert_false(is_derived);
	s.STEP(SYNACK_RECEIVED) = 700;
	assert_int_equal(HANDSHAKE(&s, NULL), 600);
	s.steps_derived = 1ULL << SF_STEP_ESTABLISHED; /* not used any more */
	assert_int_equal(HANDSHAKE(&s, &is_derived), 600);
	assert_false(is_derived);
	s.steps_derived = 1ULL << SF_STEP_SYNACK_RECEIVED;
	assert_int_equal(HANDSHAKE(&s, &is_derived), 600);
	assert_true(is_derived);
	s.steps_derived = 1ULL << SF_STEP_SYN_SENT;
	assert_int_equal(HANDSHAKE(&s, &is_derived), 600);
	assert_true(is_derived);
	s.role = SF_ROLE_BOTH;
	assert_int_equal(HANDSHAKE(&s, NULL), 600);
	s.STEP(SYNACK_RECEIVED) = 99; /* before the SYN: proves nothing */
	assert_int_equal(HANDSHAKE(&s, NULL), UNTOUCHED);

	s = (struct sf_story){ .role = SF_ROLE_SERVER };
	s.STEP(SYN_RECEIVED) = 10;
	s.STEP(ESTABLISHED) = 500;
	assert_int_equal(HANDSHAKE(&s, NULL), 490);
	s.STEP(SYNACK_SENT) = 20;
	s.steps_derived = 1ULL << SF_STEP_SYNACK_SENT;
	assert_int_equal(HANDSHAKE(&s, &is_derived), 480);
	assert_true(is_derived);
	/* The server waited for data: the last ACK of the handshake was dropped unseen. */
	s.flags = SF_F_DEFER_ACCEPT;
	assert_int_equal(HANDSHAKE(&s, NULL), UNTOUCHED);
	s.flags = 0;
	for (s.role = 0; s.role < SF_ROLE_NR; s.role++)
		if (s.role != SF_ROLE_SERVER)
			assert_int_equal(HANDSHAKE(&s, NULL), UNTOUCHED);
}

static void test_accept_wait(void **state)
{
	struct sf_story s = { .role = SF_ROLE_SERVER };

	(void)state;
	assert_int_equal(FACT(sf_story_accept_wait_ns(&s, &ret_)), UNTOUCHED);
	s.STEP(ESTABLISHED) = 100;
	assert_int_equal(FACT(sf_story_accept_wait_ns(&s, &ret_)), UNTOUCHED);
	s.STEP(ACCEPTED) = 350;
	assert_int_equal(FACT(sf_story_accept_wait_ns(&s, &ret_)), 250);
	s.STEP(ACCEPTED) = 60;
	assert_int_equal(FACT(sf_story_accept_wait_ns(&s, &ret_)), 0);
	s.STEP(ESTABLISHED) = 0;
	assert_int_equal(FACT(sf_story_accept_wait_ns(&s, &ret_)), UNTOUCHED);
	s.flags = SF_F_FASTOPEN;
	assert_int_equal(FACT(sf_story_accept_wait_ns(&s, &ret_)), 0);
}

static void test_duration_and_age(void **state)
{
	struct sf_story s = { .role = SF_ROLE_CLIENT };
	bool is_minimum = true;

	(void)state;
	s.STEP(SOCKET) = 1; /* long before the connection */
	assert_int_equal(FACT(sf_story_age_ns(&s, 500, &ret_, &is_minimum)), UNTOUCHED);
	s.STEP(CONNECT) = 100;
	s.STEP(SYN_SENT) = 130;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(FACT(sf_story_age_ns(&s, 500, &ret_, &is_minimum)), 400);
	assert_false(is_minimum);
	/* A clock read before the event came. */
	assert_int_equal(FACT(sf_story_age_ns(&s, 99, &ret_, &is_minimum)), 0);
	s.STEP(ESTABLISHED) = 200;
	s.STEP(CLOSED) = 1100;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 1000);
	assert_int_equal(FACT(sf_story_age_ns(&s, 999999, &ret_, &is_minimum)), 1000);
	/* The peer's FIN came after the state said CLOSE; TIME_WAIT is not part of life. */
	s.STEP(FIN_SENT) = 1000;
	s.STEP(FIN_ACKED) = 1100;
	s.STEP(FIN_RECEIVED) = 1600;
	s.STEP(TIME_WAIT) = 1601;
	s.STEP(TIME_WAIT_END) = 61601;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 1500);
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), 600);
	assert_int_equal(FACT(sf_story_half_close_ns(&s, &ret_)), 600);
	s.STEP(CONNECT) = 0;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 1470);

	s = (struct sf_story){ .role = SF_ROLE_SERVER };
	s.STEP(ESTABLISHED) = 300;
	s.STEP(CLOSED) = 1000;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 700);
	s.flags = SF_F_BEGIN_UNSEEN;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(FACT(sf_story_age_ns(&s, 5000, &ret_, &is_minimum)), 700);
	assert_true(is_minimum);
	s.STEP(SYN_RECEIVED) = 250;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 750);
	s.STEP(SYN_RECEIVED) = 2000;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), UNTOUCHED);
	s.role = SF_ROLE_UNKNOWN;
	assert_int_equal(FACT(sf_story_begin_ns(&s, &ret_)), UNTOUCHED);
	s.role = SF_ROLE_LISTENER;
	s.STEP(LISTEN) = 40;
	assert_int_equal(FACT(sf_story_begin_ns(&s, &ret_)), 40);
}

static void test_teardown_needs_the_first_fin(void **state)
{
	struct sf_story s = { .flags = SF_F_BEGIN_UNSEEN, .state = SF_TCP_CLOSE };

	(void)state;
	s.STEP(FIN_RECEIVED) = 500;
	s.STEP(CLOSED) = 900;
	s.cause = SF_CAUSE_FIN;
	/* Perhaps ours was first, before we looked. */
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(IN_STATE(&s, CLOSE_WAIT), UNTOUCHED);
	s.closed_by = SF_SIDE_LOCAL;
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), UNTOUCHED);
	s.closed_by = SF_SIDE_PEER;
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), 400);
	assert_int_equal(IN_STATE(&s, CLOSE_WAIT), 400);
	assert_int_equal(FACT(sf_story_half_close_ns(&s, &ret_)), UNTOUCHED);
	s.STEP(FIN_RECEIVED) = 0;
	s.STEP(FIN_SENT) = 500;
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), UNTOUCHED);
	s.flags = 0;
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), 400);
}

/* We closed first; what came to the timewait socket nobody saw. */
static void test_end_unseen(void **state)
{
	struct sf_story s = { .role = SF_ROLE_CLIENT, .closed_by = SF_SIDE_LOCAL };
	bool is_minimum;

	(void)state;
	s.STEP(CONNECT) = 100;
	s.STEP(ESTABLISHED) = 200;
	s.STEP(FIN_SENT) = 400;
	s.STEP(FIN_ACKED) = 440;
	s.STEP(CLOSED) = 450;
	assert_false(sf_story_is_end_unseen(&s));
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 350);
	s.cause = SF_CAUSE_FIN;
	assert_true(sf_story_is_end_unseen(&s));
	assert_int_equal(FACT(sf_story_end_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), UNTOUCHED);
	assert_int_equal(FACT(sf_story_age_ns(&s, 450, &ret_, &is_minimum)), 350);
	s.flags = SF_F_FIN_COUNTED; /* the peer's FIN is known by the counters */
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 350);
	s.flags = 0;
	s.STEP(TIME_WAIT) = 445; /* which begins with the peer's FIN */
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 345);
	s.STEP(TIME_WAIT) = 0;
	s.closed_by = SF_SIDE_PEER;
	assert_int_equal(FACT(sf_story_duration_ns(&s, &ret_)), 350);
}

static void test_states_of_the_active_closer(void **state)
{
	struct sf_story s = { .role = SF_ROLE_CLIENT, .state = SF_TCP_FIN_WAIT1 };

	(void)state;
	s.STEP(CONNECT) = 100;
	s.STEP(SYN_SENT) = 110;
	s.STEP(ESTABLISHED) = 300;
	s.STEP(FIN_SENT) = 1000;
	assert_int_equal(IN_STATE(&s, SYN_SENT), 200);
	assert_int_equal(IN_STATE(&s, ESTABLISHED), 700);
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), UNTOUCHED); /* not left yet */
	assert_int_equal(FACT(sf_story_state_since_ns(&s, &ret_)), 1000);
	s.STEP(FIN_ACKED) = 1040;
	s.state = SF_TCP_FIN_WAIT2;
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), 40);
	assert_int_equal(IN_STATE(&s, FIN_WAIT2), UNTOUCHED);
	assert_int_equal(FACT(sf_story_state_since_ns(&s, &ret_)), 1040);
	/* The state says CLOSE when the socket became a timewait one: that leaves no state. */
	s.STEP(CLOSED) = 1040;
	s.cause = SF_CAUSE_FIN;
	assert_int_equal(IN_STATE(&s, FIN_WAIT2), UNTOUCHED);
	s.STEP(FIN_RECEIVED) = 1500;
	s.STEP(TIME_WAIT) = 1500;
	s.state = SF_TCP_TIME_WAIT;
	assert_int_equal(IN_STATE(&s, FIN_WAIT2), 460);
	assert_int_equal(IN_STATE(&s, TIME_WAIT), UNTOUCHED);
	assert_int_equal(FACT(sf_story_state_since_ns(&s, &ret_)), 1500);
	s.STEP(TIME_WAIT_END) = 61500;
	assert_int_equal(IN_STATE(&s, TIME_WAIT), 60000);
	assert_int_equal(IN_STATE(&s, CLOSING), UNTOUCHED);
	assert_int_equal(IN_STATE(&s, CLOSE_WAIT), UNTOUCHED);
	assert_int_equal(IN_STATE(&s, LAST_ACK), UNTOUCHED);
	assert_int_equal(IN_STATE(&s, LISTEN), UNTOUCHED);
	/* The ACK of our FIN was not seen: FIN_WAIT_1 may have ended before the peer's FIN. */
	s.STEP(FIN_ACKED) = 0;
	s.STEP(CLOSED) = 1600;
	s.cause = SF_CAUSE_RESET;
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), UNTOUCHED);
	assert_int_equal(IN_STATE(&s, FIN_WAIT2), UNTOUCHED);
}

static void test_states_of_other_closes(void **state)
{
	struct sf_story s = { .role = SF_ROLE_SERVER, .state = SF_TCP_CLOSE };

	(void)state;
	s.STEP(SYN_RECEIVED) = 100;
	s.STEP(SYNACK_SENT) = 105;
	s.STEP(ESTABLISHED) = 200;
	s.STEP(FIN_RECEIVED) = 1000;
	s.STEP(FIN_SENT) = 1300;
	s.STEP(FIN_ACKED) = 1350;
	s.STEP(CLOSED) = 1350;
	assert_int_equal(IN_STATE(&s, SYN_RECV), 100);
	assert_int_equal(IN_STATE(&s, NEW_SYN_RECV), 100);
	assert_int_equal(IN_STATE(&s, ESTABLISHED), 800);
	assert_int_equal(IN_STATE(&s, CLOSE_WAIT), 300);
	assert_int_equal(IN_STATE(&s, LAST_ACK), 50);
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), UNTOUCHED);
	assert_int_equal(FACT(sf_story_teardown_ns(&s, &ret_)), 350);

	/* The FINs crossed: FIN_WAIT_1, CLOSING, TIME_WAIT. */
	s.STEP(FIN_SENT) = 990;
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), 10);
	assert_int_equal(IN_STATE(&s, CLOSING), 350);
	assert_int_equal(IN_STATE(&s, FIN_WAIT2), UNTOUCHED);
	s.STEP(FIN_RECEIVED) = 990; /* in the same nanosecond */
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), 0);
	assert_int_equal(IN_STATE(&s, CLOSE_WAIT), UNTOUCHED);
	s.STEP(FIN_RECEIVED) = 1000;
	s.STEP(FIN_ACKED) = 0;
	s.STEP(CLOSED) = 0;
	s.state = SF_TCP_CLOSING;
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), 10);
	assert_int_equal(IN_STATE(&s, CLOSING), UNTOUCHED);
	assert_int_equal(FACT(sf_story_state_since_ns(&s, &ret_)), 1000);

	/* Cut off in the middle of everything. */
	s = (struct sf_story){ .role = SF_ROLE_CLIENT, .cause = SF_CAUSE_RESET };
	s.state = SF_TCP_CLOSE;
	s.STEP(CONNECT) = 100;
	s.STEP(CLOSED) = 400;
	assert_int_equal(IN_STATE(&s, SYN_SENT), 300);
	s.STEP(ESTABLISHED) = 150;
	assert_int_equal(IN_STATE(&s, SYN_SENT), 50);
	assert_int_equal(IN_STATE(&s, ESTABLISHED), 250);
	s.STEP(FIN_SENT) = 380;
	assert_int_equal(IN_STATE(&s, ESTABLISHED), 230);
	assert_int_equal(IN_STATE(&s, FIN_WAIT1), 20);
	s.STEP(FIN_ACKED) = 390;
	assert_int_equal(IN_STATE(&s, FIN_WAIT2), 10);
	assert_int_equal(FACT(sf_story_state_since_ns(&s, &ret_)), 400);
	assert_int_equal(FACT(sf_story_state_ns(&s, SF_TCP_NR, &ret_)), UNTOUCHED);
}

static void test_ends_by_role(void **state)
{
	struct sf_story s = { .family = AF_INET6, .local_port = 40000, .peer_port = 443 };
	struct sf_endpoint end = { .port = 7 };
	uint16_t port = 7;
	int family = 0;

	(void)state;
	s.local_addr[15] = 1;
	s.peer_addr[15] = 2;
	s.role = SF_ROLE_CLIENT;
	assert_false(sf_story_client(&s, &end)); /* not read from the socket yet */
	assert_false(sf_story_wire_family(&s, &family));
	assert_int_equal(end.port, 7);
	s.flags = SF_F_TUPLE_KNOWN;
	assert_true(sf_story_client(&s, &end) && end.port == 40000 && end.addr[15] == 1);
	assert_true(sf_story_server(&s, &end) && end.port == 443 && end.addr[15] == 2);
	assert_true(sf_story_service_port(&s, &port) && port == 443);
	s.role = SF_ROLE_SERVER;
	assert_true(sf_story_client(&s, &end) && end.port == 443 && end.addr[15] == 2);
	assert_true(sf_story_server(&s, &end) && end.port == 40000 && end.addr[15] == 1);
	assert_true(sf_story_service_port(&s, &port) && port == 40000);
	assert_true(sf_story_wire_family(&s, &family) && family == AF_INET6);
	s.flags |= SF_F_V4MAPPED;
	assert_true(sf_story_wire_family(&s, &family) && family == AF_INET);
	for (s.role = 0; s.role < SF_ROLE_NR; s.role++) {
		if (s.role == SF_ROLE_CLIENT || s.role == SF_ROLE_SERVER)
			continue;
		assert_false(sf_story_client(&s, &end));
		assert_int_equal(sf_story_server(&s, &end), s.role == SF_ROLE_LISTENER);
		assert_int_equal(sf_story_service_port(&s, &port), s.role == SF_ROLE_LISTENER);
	}
	/* The wildcard: a listener's address, but no end of a connection. */
	s.local_addr[15] = 0;
	s.role = SF_ROLE_LISTENER;
	assert_true(sf_story_server(&s, &end) && end.port == 40000);
	assert_false(sf_story_peer(&s, &end));
	s.role = SF_ROLE_CLIENT;
	assert_false(sf_story_client(&s, &end));
	s.peer_port = 0;
	assert_false(sf_story_service_port(&s, &port));
}

static void test_wire_id(void **state)
{
	struct sf_story s = { .isn_local = 0xaaaaaaaa, .isn_peer = 0x11111111 };

	(void)state;
	s.role = SF_ROLE_CLIENT;
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), UNTOUCHED);
	s.flags = SF_F_ISN_KNOWN;
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), 0xaaaaaaaa11111111ULL);
	s.role = SF_ROLE_SERVER;
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), 0x11111111aaaaaaaaULL);
	s.role = SF_ROLE_BOTH;
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), 0x11111111aaaaaaaaULL);
	s.isn_local = 0x11111111;
	s.isn_peer = 0xaaaaaaaa; /* the same connection, seen from its other end */
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), 0x11111111aaaaaaaaULL);
	s.role = SF_ROLE_UNKNOWN;
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), UNTOUCHED);
	s.role = SF_ROLE_LISTENER;
	assert_int_equal(FACT(sf_story_wire_id(&s, &ret_)), UNTOUCHED);
}

static void test_role_is_inferred(void **state)
{
	struct sf_story s = { 0 };

	(void)state;
	for (; s.role_source < SF_ROLE_SRC_NR; s.role_source++)
		assert_int_equal(sf_story_role_is_inferred(&s),
				 s.role_source == SF_ROLE_SRC_LISTENER ||
					 s.role_source == SF_ROLE_SRC_PORT_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_accept_wait),
		cmocka_unit_test(test_duration_and_age),
		cmocka_unit_test(test_teardown_needs_the_first_fin),
		cmocka_unit_test(test_end_unseen),
		cmocka_unit_test(test_states_of_the_active_closer),
		cmocka_unit_test(test_states_of_other_closes),
		cmocka_unit_test(test_ends_by_role),
		cmocka_unit_test(test_wire_id),
		cmocka_unit_test(test_role_is_inferred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
