// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filter: what each condition means, above all for facts that are not
 * known. The parser's errors and bounds are in test_filter_parse.c, what may
 * be cut in the kernel in test_filter_cut.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/util.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "filter/node.h"
#include "filter/parse.h"
#include "story/names.h"

#define MS 1000000ULL
#define S 1000000000ULL

/* curl, client, 10.0.0.1:40000 -> 10.0.0.2:443, 12 ms of handshake, closed at 20 s. */
static struct sf_event curl_event(void)
{
	struct sf_event event = { .time_ns = 20 * S, .kind = SF_EV_CLOSE };
	struct sf_story *s = &event.story;
	struct sf_cidr local, peer;

	assert_int_equal(sf_cidr_parse("10.0.0.1", &local), 0);
	assert_int_equal(sf_cidr_parse("10.0.0.2", &peer), 0);
	memcpy(s->local_addr, local.addr, 16);
	memcpy(s->peer_addr, peer.addr, 16);
	s->local_port = 40000;
	s->peer_port = 443;
	s->family = AF_INET;
	s->netns = 4026531840;
	s->role = SF_ROLE_CLIENT;
	s->state = SF_TCP_CLOSE;
	s->flags = SF_F_TUPLE_KNOWN | SF_F_PORT_KNOWN | SF_F_PORT_EPHEMERAL;
	s->owner.tgid = 4242;
	memcpy(s->owner.comm, "curl", 4);
	s->step_ns[SF_STEP_SYN_SENT] = 10 * S;
	s->step_ns[SF_STEP_ESTABLISHED] = 10 * S + 12 * MS;
	s->step_ns[SF_STEP_CLOSED] = 20 * S;
	s->cause = SF_CAUSE_FIN;
	return event;
}

static void parse(struct sf_filter *filter, const char *text)
{
	char err[512];

	if (sf_filter_parse(filter, 1, &text, err, sizeof(err)))
		fail_msg("'%s': %s", text, err);
}

static bool is_match(const char *text, const struct sf_event *event)
{
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;

	assert_int_equal(sf_filter_new(&filter), 0);
	parse(filter, text);
	return sf_filter_match(filter, event, 30 * S);
}

static void all_match(const char *const *texts, size_t nr, const struct sf_event *event, bool want)
{
	for (size_t i = 0; i < nr; i++)
		if (is_match(texts[i], event) != want)
			fail_msg("'%s' %s", texts[i], want ? "does not match" : "matches");
}

#define MATCH(event, ...)                               \
	all_match((const char *const[]){ __VA_ARGS__ }, \
		  sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), event, true)
#define NO_MATCH(event, ...)                            \
	all_match((const char *const[]){ __VA_ARGS__ }, \
		  sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), event, false)

static void test_conditions(void **state)
{
	struct sf_event event = curl_event();

	(void)state;
	MATCH(&event, "", "  ", "port 443", "port 40000", "lport 40000", "rport 443",
	      "host 10.0.0.1", "host 10.0.0.2", "host 10.0.0.0/8", "host 0.0.0.0/0", "pid 4242",
	      "comm curl", "comm 'curl'", "comm \"curl\"", "role client", "ROLE Client",
	      "state closed", "state CLOSED", "netns 4026531840", "ip", "ephemeral",
	      "handshake > 10ms", "handshake>=12ms", "handshake <= 12ms", "handshake<13ms",
	      "age >= 10", "age<=10s", "not failed", "! ip6", "!ip6", "not port 80");
	NO_MATCH(&event, "port 80", "lport 443", "rport 40000", "host 10.0.0.3", "host ::1",
		 "host fe80::/10", "pid 42", "comm cur", "comm curly", "comm Curl", "role server",
		 "role both", "role unknown", "state established", "netns 1", "ip6", "failed",
		 "handshake > 12ms", "handshake < 12ms", "age > 10s", "age < 10s", "not ephemeral",
		 "not pid 4242", "not comm curl");
}

static void test_combinators(void **state)
{
	struct sf_event event = curl_event();

	(void)state;
	MATCH(&event, "pid 4242 and port 443", "pid 1 or port 443", "pid 4242&&port 443",
	      "pid 1||port 443", "not not ip", "!!ip", "! ! ! ip6", "(ip)", "((ip))", "( ip )",
	      "not (ip6 or pid 1)", "ip AND NOT ip6",
	      /* and binds closer than or, not closer than both */
	      "ip or ip and ip6", "ip6 and ip6 or ip", "not ip6 or ip6", "not ip6 and ip",
	      "not (ip and ip6)", "(ip or ip) and not ip6");
	NO_MATCH(&event, "pid 1 and port 443", "pid 1 or port 80", "(ip or ip) and ip6",
		 "not ip or ip6", "not (ip or ip6)", "not ip6 and ip6");
}

/* A fact that is not known satisfies neither a condition nor its opposite. */
static void test_unknown_facts(void **state)
{
	struct sf_event event = { .time_ns = 1, .kind = SF_EV_CONNECT };

	(void)state;
	event.story.family = AF_INET6;
	NO_MATCH(&event, "pid 5", "not pid 5", "pid 5 or not pid 5", "comm a", "not comm a",
		 "port 80", "not port 80", "lport 80", "not lport 80", "rport 80", "not rport 80",
		 "host 10.0.0.1", "not host 10.0.0.1", "host ::/0", "not host ::/0", "role client",
		 "not role client", "state listen", "not state listen", "netns 5", "not netns 5",
		 "ip", "not ip", "ip6", "not ip6", "ephemeral", "not ephemeral", "handshake > 0",
		 "not handshake > 0", "age > 0", "not age > 0", "pid 5 and not failed",
		 "not (pid 5 and not failed)");
	/* What is known decides where it can. */
	MATCH(&event, "role unknown", "not failed", "pid 5 or not failed",
	      "not (pid 5 and failed)");
	NO_MATCH(&event, "not role unknown", "pid 5 and failed");
	/* One end known: enough to say yes, not enough to say no. */
	event.story.peer_port = 80;
	MATCH(&event, "port 80", "rport 80");
	NO_MATCH(&event, "port 81", "not port 81", "not port 80");
	event.story.local_port = 40000;
	MATCH(&event, "not port 81");
	event.story.flags = SF_F_TUPLE_KNOWN;
	event.story.peer_addr[15] = 1;
	MATCH(&event, "host ::1", "ip6");
	NO_MATCH(&event, "host ::2", "not host ::2");
	event.story.local_addr[15] = 3;
	MATCH(&event, "not host ::2");
}

static void test_names_of_processes(void **state)
{
	struct sf_event event = curl_event();

	(void)state;
	memcpy(event.story.owner.comm, "sixteen bytes ok", 16); /* no NUL */
	NO_MATCH(&event, "comm 'sixteen bytes o'");
	memcpy(event.story.owner.comm, "a\0leftover bytes", 16);
	MATCH(&event, "comm a");
	memcpy(event.story.owner.comm, "my (odd) prog!\0", 16);
	MATCH(&event, "comm 'my (odd) prog!'", "comm \"my (odd) prog!\" and ip");
	memcpy(event.story.owner.comm, "and\0\0", 5);
	MATCH(&event, "comm and", "comm and and ip", "ip and comm and");
	memcpy(event.story.owner.comm, "it's\0", 5);
	MATCH(&event, "comm \"it's\"");
	memset(event.story.owner.comm, 0, 16);
	NO_MATCH(&event, "comm a", "not comm a");
	/* Who closed it is not who owns it. */
	event.story.closer.tgid = 77;
	NO_MATCH(&event, "pid 77");
}

static void test_listener(void **state)
{
	struct sf_event event = { .time_ns = 1, .kind = SF_EV_LISTEN };
	struct sf_story *s = &event.story;

	(void)state;
	s->role = SF_ROLE_LISTENER;
	s->family = AF_INET6;
	s->flags = SF_F_TUPLE_KNOWN;
	s->local_port = 80;
	s->state = SF_TCP_LISTEN;
	s->step_ns[SF_STEP_LISTEN] = 10 * S;
	MATCH(&event, "port 80", "not port 81", "lport 80", "not rport 80", "role listener",
	      "state LISTEN", "state listening", "ip6", "host ::", "host ::/0", "not host 10.0.0.1",
	      "age > 19s", "not failed");
	NO_MATCH(&event, "port 81", "rport 80", "ip", "host 10.0.0.1", "host 0.0.0.0/0",
		 "handshake > 0", "not handshake > 0");
}

static void test_states_in_progress(void **state)
{
	struct sf_event event = curl_event();

	(void)state;
	event.story.state = SF_TCP_NEW_SYN_RECV;
	MATCH(&event, "state syn_received", "state SYN-RECV", "state syn_recv");
	event.story.state = SF_TCP_SYN_RECV;
	MATCH(&event, "state syn_received", "state syn-recv");
	event.story.family = AF_INET6;
	event.story.flags |= SF_F_V4MAPPED;
	MATCH(&event, "ip", "not ip6");
}

static void test_failed(void **state)
{
	struct sf_event event = curl_event();
	struct sf_story *s = &event.story;

	(void)state;
	s->cause = SF_CAUSE_RESET; /* established, then reset: it did not fail to open */
	MATCH(&event, "not failed");
	s->step_ns[SF_STEP_ESTABLISHED] = 0;
	event.kind = SF_EV_FAILED;
	s->cause = SF_CAUSE_REFUSED;
	MATCH(&event, "failed");
	event.kind = SF_EV_NONE;
	MATCH(&event, "failed");
	s->cause = SF_CAUSE_NONE;
	MATCH(&event, "not failed");
	s->cause = SF_CAUSE_RESET;
	s->flags |= SF_F_BEGIN_UNSEEN;
	NO_MATCH(&event, "failed", "not failed");
	event.kind = SF_EV_CLOSE;
	MATCH(&event, "not failed");
}

/* The begin was not seen: an age is a minimum, which proves "older" only. */
static void test_age_at_least(void **state)
{
	struct sf_event event = curl_event();
	struct sf_story *s = &event.story;

	(void)state;
	memset(s->step_ns, 0, sizeof(s->step_ns));
	s->flags |= SF_F_BEGIN_UNSEEN;
	s->role = SF_ROLE_UNKNOWN;
	s->step_ns[SF_STEP_FIRST_IN] = 20 * S; /* 10 s before now */
	MATCH(&event, "age > 9s", "age >= 10s", "not age < 10s", "not age <= 9s");
	NO_MATCH(&event, "age > 10s", "not age > 10s", "age < 10s", "age < 11s", "not age < 11s",
		 "age <= 10s", "not age <= 10s");
}

/* Each undoes one of the options of test_options(), in their order. */
static const struct {
	size_t offset, size;
	int byte;
} changes[] = {
	{ offsetof(struct sf_event, story.owner.tgid), 1, 1 },
	{ offsetof(struct sf_event, story.owner.comm), 1, 'C' },
	{ offsetof(struct sf_event, story.peer_port), 2, 1 }, /* two of the options */
	{ offsetof(struct sf_event, story.local_port), 2, 1 },
	{ offsetof(struct sf_event, story.local_addr), 32, 2 }, /* both ends */
	{ offsetof(struct sf_event, story.role), 1, SF_ROLE_SERVER },
	{ offsetof(struct sf_event, story.state), 1, SF_TCP_LISTEN },
	{ offsetof(struct sf_event, story.family), 1, AF_INET6 },
	{ offsetof(struct sf_event, story.netns), 4, 1 },
	{ offsetof(struct sf_event, story.step_ns[SF_STEP_ESTABLISHED]), 8, 0 },
	{ offsetof(struct sf_event, story.step_ns[SF_STEP_CLOSED]), 4, 0 }, /* 17.2 s or less */
};

static void test_options(void **state)
{
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	struct sf_event event = curl_event();
	struct sf_cidr cidr;

	(void)state;
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(sf_filter_add_pid(filter, 0), -EINVAL);
	assert_int_equal(sf_filter_add_pid(filter, 4194305), -EINVAL);
	assert_int_equal(sf_filter_add_comm(filter, ""), -EINVAL);
	assert_int_equal(sf_filter_add_comm(filter, "sixteen-bytes-ab"), -EINVAL);
	assert_int_equal(sf_filter_add_port(filter, 0), -EINVAL);
	assert_int_equal(sf_filter_add_local_port(filter, 0), -EINVAL);
	assert_int_equal(sf_filter_add_peer_port(filter, 0), -EINVAL);
	assert_int_equal(sf_filter_add_roles(filter, 0), -EINVAL);
	assert_int_equal(sf_filter_add_roles(filter, 1 << SF_ROLE_NR), -EINVAL);
	assert_int_equal(sf_filter_add_states(filter, 0), -EINVAL);
	assert_int_equal(sf_filter_add_states(filter, 1), -EINVAL);
	assert_int_equal(sf_filter_add_states(filter, 1 << SF_TCP_NR), -EINVAL);
	assert_int_equal(sf_filter_add_family(filter, AF_UNIX), -EINVAL);
	assert_int_equal(sf_filter_add_netns(filter, 0), -EINVAL);
	memset(&cidr, 0xff, sizeof(cidr));
	assert_int_equal(sf_filter_add_host(filter, &cidr), -EINVAL);
	assert_int_equal(filter->nr_nodes, 0);

	assert_int_equal(sf_cidr_parse("10.0.0.0/24", &cidr), 0);
	assert_int_equal(sf_filter_add_pid(filter, 4242), 0);
	assert_int_equal(sf_filter_add_comm(filter, "curl"), 0);
	assert_int_equal(sf_filter_add_port(filter, 443), 0);
	assert_int_equal(sf_filter_add_local_port(filter, 40000), 0);
	assert_int_equal(sf_filter_add_peer_port(filter, 443), 0);
	assert_int_equal(sf_filter_add_host(filter, &cidr), 0);
	assert_int_equal(sf_filter_add_roles(filter, 1 << SF_ROLE_CLIENT | 1 << SF_ROLE_BOTH), 0);
	assert_int_equal(sf_filter_add_states(filter, 1 << SF_TCP_CLOSE), 0);
	assert_int_equal(sf_filter_add_family(filter, AF_INET), 0);
	assert_int_equal(sf_filter_add_netns(filter, 4026531840), 0);
	assert_int_equal(sf_filter_add_min_handshake(filter, 12 * MS), 0);
	assert_int_equal(sf_filter_add_min_age(filter, 10 * S), 0);
	assert_true(sf_filter_match(filter, &event, 30 * S));
	/* An "or" of the expression must not loosen the options. */
	parse(filter, "port 1 or ip");
	assert_true(sf_filter_match(filter, &event, 30 * S));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct sf_event other = curl_event();

		memset((char *)&other + changes[i].offset, changes[i].byte, changes[i].size);
		if (sf_filter_match(filter, &other, 30 * S))
			fail_msg("change %zu still matches", i);
	}
	parse(filter, "ip6 or port 80");
	assert_false(sf_filter_match(filter, &event, 30 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),    cmocka_unit_test(test_combinators),
		cmocka_unit_test(test_unknown_facts), cmocka_unit_test(test_names_of_processes),
		cmocka_unit_test(test_listener),      cmocka_unit_test(test_states_in_progress),
		cmocka_unit_test(test_failed),	      cmocka_unit_test(test_age_at_least),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
