// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names: every number has its one, numbers without one have none, and what is
 * printed can be typed back. Errno names are compared with the C library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "bpf/story.h"
#include "story/names.h"

/* strerrorname_np() is GNU's, since glibc 2.32. */
extern const char *strerrorname_np(int err);

struct table {
	const char *what;
	const char *(*name)(unsigned int i);
	unsigned int nr;
};

static const struct table tables[] = {
	{ "state", sf_state_name, SF_TCP_NR },
	{ "state label", sf_state_label, SF_TCP_NR },
	{ "role", sf_role_name, SF_ROLE_NR },
	{ "role source", sf_role_source_name, SF_ROLE_SRC_NR },
	{ "owner source", sf_owner_source_name, SF_OWNER_SRC_NR },
	{ "cause", sf_cause_name, SF_CAUSE_NR },
	{ "side", sf_side_name, SF_SIDE_NR },
	{ "closing call", sf_call_name, SF_CALL_NR },
	{ "end of a wait", sf_wait_end_name, SF_WAIT_END_NR },
	{ "event", sf_event_name, SF_EV_NR },
	{ "rst reason", sf_rst_reason_name, SF_RST_REASON_NR },
};

static void test_every_number_has_a_name_but_0(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		assert_null(tables[t].name(0));
		for (unsigned int i = 1; i < tables[t].nr; i++) {
			const char *name = tables[t].name(i);

			if (!name || !*name)
				fail_msg("%s %u has no name", tables[t].what, i);
		}
	}
}

static void test_out_of_range_has_no_name(void **state)
{
	static const unsigned int over[] = { 1, 100, 255, 256, 65536, INT_MAX, UINT_MAX };

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		assert_null(tables[t].name(tables[t].nr));
		for (size_t i = 0; i < ARRAY_SIZE(over); i++)
			if (over[i] >= tables[t].nr)
				assert_null(tables[t].name(over[i]));
	}
}

/* Two numbers with one name could not be told apart in a log. */
static void test_names_differ(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		/* NEW_SYN_RECV, the last state, is SYN_RECV by another number. */
		unsigned int nr = tables[t].nr == SF_TCP_NR ? SF_TCP_NEW_SYN_RECV : tables[t].nr;

		for (unsigned int i = 1; i < nr; i++)
			for (unsigned int j = i + 1; j < nr; j++)
				assert_string_not_equal(tables[t].name(i), tables[t].name(j));
	}
}

/* JSON fields: lower case words joined by '_', events with one dot. */
static void test_names_fit_json(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (unsigned int i = 1; i < tables[t].nr; i++) {
			const char *c = tables[t].name(i);

			if (tables[t].name == sf_state_label)
				continue;
			for (; *c; c++)
				assert_true(islower(*c) || isdigit(*c) || *c == '_' || *c == '.');
		}
}

static void test_state_numbers_are_the_kernels(void **state)
{
	(void)state;
	assert_int_equal(SF_TCP_ESTABLISHED, TCP_ESTABLISHED);
	assert_int_equal(SF_TCP_SYN_SENT, TCP_SYN_SENT);
	assert_int_equal(SF_TCP_SYN_RECV, TCP_SYN_RECV);
	assert_int_equal(SF_TCP_FIN_WAIT1, TCP_FIN_WAIT1);
	assert_int_equal(SF_TCP_FIN_WAIT2, TCP_FIN_WAIT2);
	assert_int_equal(SF_TCP_TIME_WAIT, TCP_TIME_WAIT);
	assert_int_equal(SF_TCP_CLOSE, TCP_CLOSE);
	assert_int_equal(SF_TCP_CLOSE_WAIT, TCP_CLOSE_WAIT);
	assert_int_equal(SF_TCP_LAST_ACK, TCP_LAST_ACK);
	assert_int_equal(SF_TCP_LISTEN, TCP_LISTEN);
	assert_int_equal(SF_TCP_CLOSING, TCP_CLOSING);
	assert_int_equal(SF_TCP_NEW_SYN_RECV, 12);
}

static void test_names_of_fixed_meaning(void **state)
{
	(void)state;
	/* OpenTelemetry: network.connection.state */
	assert_string_equal(sf_state_name(SF_TCP_SYN_SENT), "syn_sent");
	assert_string_equal(sf_state_name(SF_TCP_SYN_RECV), "syn_received");
	assert_string_equal(sf_state_name(SF_TCP_NEW_SYN_RECV), "syn_received");
	assert_string_equal(sf_state_name(SF_TCP_FIN_WAIT1), "fin_wait_1");
	assert_string_equal(sf_state_name(SF_TCP_CLOSE), "closed");
	assert_string_equal(sf_state_label(SF_TCP_ESTABLISHED), "ESTAB");
	assert_string_equal(sf_state_label(SF_TCP_FIN_WAIT2), "FIN-WAIT-2");
	assert_string_equal(sf_cause_name(SF_CAUSE_NO_PORT), "no_port");
	assert_string_equal(sf_event_name(SF_EV_TIME_WAIT_END), "tcp.time_wait_end");
	assert_string_equal(sf_role_source_name(SF_ROLE_SRC_PORT_RANGE), "port_range");
	/* The ends of each part of the kernel's enum. */
	assert_string_equal(sf_rst_reason_name(8), "tcp_abort_on_data");
	assert_string_equal(sf_rst_reason_name(10), "invalid_syn");
	assert_string_equal(sf_rst_reason_name(16), "tcp_disconnect_with_data");
	assert_string_equal(sf_rst_reason_name(17), "mptcp_rst_eunspec");
	assert_string_equal(sf_rst_reason_name(24), "error");
}

static void test_errno_names_are_the_c_librarys(void **state)
{
	char buf[SF_ERRNO_STRLEN], want[64];

	(void)state;
	assert_null(sf_errno_name(0, buf));
	for (unsigned int err = 1; err < 5000; err++) {
		const char *libc = strerrorname_np((int)err);

		if (libc)
			snprintf(want, sizeof(want), "%s", libc);
		else
			snprintf(want, sizeof(want), "errno_%u", err);
		for (char *c = want; *c; c++)
			*c = (char)tolower(*c);
		/* glibc calls it ENOTSUP; the kernel knows only EOPNOTSUPP. */
		if (err == EOPNOTSUPP)
			snprintf(want, sizeof(want), "eopnotsupp");
		assert_string_equal(sf_errno_name(err, buf), want);
	}
	assert_string_equal(sf_errno_name(ECONNREFUSED, buf), "econnrefused");
	assert_string_equal(sf_errno_name(UINT_MAX, buf), "errno_4294967295");
}

static uint16_t states_of(const char *name)
{
	uint16_t mask = 0xdead;
	int r = sf_states_from_name(name, strlen(name), &mask);

	if (r) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(mask, 0xdead);
		return 0;
	}
	assert_int_not_equal(mask, 0);
	return mask;
}

static void test_states_read_back(void **state)
{
	static const char *const wrong[] = { "",	"est",	      "establishe", "established ",
					     "syn",	"fin_wait_3", "fin wait 1", "1",
					     "UNKNOWN", "all" };

	(void)state;
	for (unsigned int i = 1; i < SF_TCP_NR; i++) {
		assert_true(states_of(sf_state_name(i)) >> i & 1);
		assert_true(states_of(sf_state_label(i)) >> i & 1);
	}
	assert_int_equal(states_of("syn-recv"), 1 << SF_TCP_SYN_RECV | 1 << SF_TCP_NEW_SYN_RECV);
	assert_int_equal(states_of("SYN_RECEIVED"), states_of("syn-recv"));
	assert_int_equal(states_of("Fin-Wait-1"), 1 << SF_TCP_FIN_WAIT1);
	assert_int_equal(states_of("FIN_WAIT1"), 1 << SF_TCP_FIN_WAIT1);
	assert_int_equal(states_of("estab"), 1 << SF_TCP_ESTABLISHED);
	assert_int_equal(states_of("LISTENING"), 1 << SF_TCP_LISTEN);
	assert_int_equal(states_of("unconn"), 1 << SF_TCP_CLOSE);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(states_of(wrong[i]), 0);
}

static void test_roles_read_back(void **state)
{
	uint8_t role;

	(void)state;
	for (unsigned int i = 1; i < SF_ROLE_NR; i++) {
		assert_int_equal(sf_role_from_name(sf_role_name(i), strlen(sf_role_name(i)), &role),
				 0);
		assert_int_equal(role, i);
	}
	assert_int_equal(sf_role_from_name("Unknown", 7, &role), 0);
	assert_int_equal(role, SF_ROLE_UNKNOWN);
	role = 77;
	assert_int_equal(sf_role_from_name("client", 5, &role), -EINVAL);
	assert_int_equal(sf_role_from_name("", 0, &role), -EINVAL);
	assert_int_equal(sf_role_from_name("clients", 7, &role), -EINVAL);
	assert_int_equal(role, 77);
	/* Only len bytes are the name. */
	assert_int_equal(sf_role_from_name("clients", 6, &role), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_number_has_a_name_but_0),
		cmocka_unit_test(test_out_of_range_has_no_name),
		cmocka_unit_test(test_names_differ),
		cmocka_unit_test(test_names_fit_json),
		cmocka_unit_test(test_state_numbers_are_the_kernels),
		cmocka_unit_test(test_names_of_fixed_meaning),
		cmocka_unit_test(test_errno_names_are_the_c_librarys),
		cmocka_unit_test(test_states_read_back),
		cmocka_unit_test(test_roles_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
