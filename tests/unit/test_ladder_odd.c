// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ladders of odd stories: every way to fail, ends that tell different things,
 * rewritten addresses, hostile names, colours; and that no story, however odd,
 * draws wider than 80 columns or moves the rails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "view/fit.h"
#include "view/rungs.h"
#include "view/rungs_draw.h"

#include "ladder_stories.h"

/* The line of a drawing that begins here, without its end. */
static const char *line_at(const char *text, size_t nr)
{
	static char line[512];

	while (nr--) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

static void test_how_it_failed(void **state)
{
	static const struct {
		__u8 kind, cause;
		__u16 err;
		const char *rung, *outcome;
	} cases[] = {
		{ SF_EV_FAILED, SF_CAUSE_REFUSED, 111,
		  " econnrefused |     refused, no RST seen     :",
		  "ended: refused (econnrefused), " },
		{ SF_EV_FAILED, SF_CAUSE_UNREACHABLE, 113,
		  " ehostunreach |         unreachable          :",
		  "ended: unreachable (ehostunreach), " },
		{ SF_EV_FAILED, SF_CAUSE_NO_PORT, 99,
		  " eaddrnotavail |      no free local port      :",
		  "ended: no free local port (eaddrnotavail), " },
		{ SF_EV_FAILED, SF_CAUSE_ABORT, 0,
		  "       closed |           given up           :", "ended: given up, " },
		{ SF_EV_CLOSE, SF_CAUSE_ABORT, 0,
		  "       closed |           aborted            :", "ended: aborted, " },
		{ SF_EV_CLOSE, SF_CAUSE_TIMEOUT, 110,
		  "    etimedout |          timed out           :",
		  "ended: timed out (etimedout), " },
		{ SF_EV_CLOSE, SF_CAUSE_KILLED, 103,
		  " econnaborted |     killed from outside      :",
		  "ended: killed from outside (econnaborted), " },
		{ SF_EV_CLOSE, SF_CAUSE_RESET, 32,
		  "        epipe |      reset, no RST seen      :", "ended: reset (epipe), " },
		{ SF_EV_CLOSE, SF_CAUSE_ERROR, 71,
		  "       eproto |            failed            :", "ended: failed (eproto), " },
		{ SF_EV_CLOSE, SF_CAUSE_NONE, 0,
		  "       closed |                              :", "ended: not known how, " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sf_event event = client_timeout();
		const char *text;

		event.kind = cases[i].kind;
		event.story.cause = cases[i].cause;
		event.story.err = cases[i].err;
		text = ladder(&ascii, &event, NULL);
		assert_non_null(strstr(text, cases[i].rung));
		assert_non_null(strstr(text, cases[i].outcome));
	}
}

/* Two ends need not tell the same end. */
static void test_ends_that_differ(void **state)
{
	struct sf_event client = client_closed(), server = client_closed();

	(void)state;
	server = server_closed();
	server.story.cause = SF_CAUSE_TIMEOUT;
	server.story.closed_by = SF_SIDE_LOCAL;
	assert_non_null(strstr(ladder(&ascii, &client, &server),
			       "ended: FIN for the client, timed out for the server, "
			       "both closed at once,\n       half-close"));
	client.story.closed_by = SF_SIDE_NONE;
	server.story.closed_by = SF_SIDE_NONE;
	assert_null(strstr(ladder(&ascii, &client, &server), "closed first"));
	/* The server's own half-close, when the client did not see the other FIN. */
	client.story.STEP(FIN_RECEIVED) = 0;
	assert_non_null(strstr(ladder(&ascii, &client, &server), "half-close 1.00ms"));
}

static void test_nat(void **state)
{
	struct sf_event client = client_closed(), server = server_closed();

	(void)state;
	assert_null(strstr(ladder(&ascii, &client, &server), "peer"));
	client.story.peer_port = 8080;
	assert_non_null(strstr(ladder(&ascii, &client, &server),
			       ",\n       client's peer 10.0.0.2:8080\n"));
	v4(server.story.peer_addr, 192, 0, 2, 7);
	assert_non_null(
		strstr(ladder(&ascii, &client, &server), "server's peer 192.0.2.7:43210\n"));
	assert_string_equal(line_at(ladder(&ascii, &client, &server), 0),
			    "4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx");
}

static void test_what_an_end_was_missing(void **state)
{
	struct sf_event client = client_closed();
	const char *text;

	(void)state;
	client.story.STEP(SYNACK_RECEIVED) = 0;
	client.story.STEP(SYN_SENT) = 0;
	client.story.STEP(FIN_RECEIVED) = 0; /* comes when the socket has gone */
	text = ladder(&ascii, &client, NULL);
	assert_string_equal(line_at(text, 3), "  not seen                        |?........... SYN "
					      "...........>?:");
	assert_string_equal(line_at(text, 4),
			    "  not seen                        |?<........ SYN+ACK"
			    " ..........?:");
	assert_string_equal(line_at(text, 5), "  0.001280   1.28ms   ESTABLISHED |                 "
					      "             :");
	assert_string_equal(line_at(text, 9), "  not seen                        |?<.......... FIN "
					      "............?:");
	/* A map that was full hid the begin: synfin does not say that it is older. */
	client.story.flags |= SF_F_BEGIN_LOST;
	text = ladder(&ascii, &client, NULL);
	assert_non_null(strstr(text, "begin or a step lost"));
	assert_null(strstr(text, " SYN "));
}

/* Who is the owner for another reason was not seen in connect(). */
static void test_who_called(void **state)
{
	struct sf_event event = client_closed(), client = client_half_closed();
	struct sf_event server = server_half_closed();

	(void)state;
	event.story.owner.source = SF_OWNER_SRC_IO;
	assert_string_equal(line_at(ladder(&ascii, &event, NULL), 2),
			    "  0.000000              connect() *                              :");
	/* A call was seen to close, so the FIN does not tell who did. */
	event.story.closer = task(77, "sh", SF_OWNER_SRC_CLOSE);
	event.story.STEP(CLOSE) = event.story.STEP(FIN_SENT) - 2 * US;
	assert_non_null(strstr(ladder(&ascii, &event, NULL), "      close() * 77/sh     "));
	assert_null(strstr(ladder(&ascii, &event, NULL), "77/sh +- FIN"));
	/* A name leaves room for a line that goes down beside it. */
	server.story.owner = task(4194304, "name-of-15-byte", SF_OWNER_SRC_ACCEPT);
	client.story.STEP(FIN_SENT) = server.story.STEP(ACCEPTED) - 1 * US;
	assert_non_null(strstr(ladder(&ascii, &client, &server),
			       "|              | 4194304/name~ * accept()\n"));
}

/* A computed time that is a little off: the line goes up, and nobody was late. */
static void test_derived_order(void **state)
{
	const struct sf_event client = client_closed();
	const struct sf_event server = derive(server_closed(), SF_STEP_SYNACK_SENT, T0 + 1283 * US);
	const char *text;

	(void)state;
	text = ladder(&ascii, &client, &server);
	assert_string_equal(line_at(text, 4),
			    "  0.001280   1.24ms   ESTABLISHED |<- SYN+ACK ----.              |");
	assert_string_equal(line_at(text, 5),
			    " ~0.001283     ~3us               |               '--------------+");
}

/* A state of the same time as a segment, but computed, is a rung of its own. */
static void test_derived_state(void **state)
{
	struct sf_event event = client_closed();
	const char *text;

	(void)state;
	event = derive(event, SF_STEP_CLOSED, event.story.STEP(FIN_RECEIVED));
	text = ladder(&ascii, &event, NULL);
	assert_string_equal(line_at(text, 8),
			    "  0.146280   2.00ms               |<- FIN ......................?:");
	assert_string_equal(line_at(text, 10),
			    " ~0.146280     ~0us        closed |                              :");
}

static int nr_own_acks(const struct sf_event *first, const struct sf_event *second)
{
	int nr = 0;

	for (const char *at = ladder(&ascii, first, second); (at = strstr(at, "+- ACK ..")); at++)
		nr++;
	for (const char *at = ladder(&ascii, first, second); (at = strstr(at, ".. ACK -+")); at++)
		nr++;
	return nr;
}

/* What the kernel is known to acknowledge at once, where the other end cannot tell. */
static void test_own_acks(void **state)
{
	struct sf_event client = client_closed(), server = server_closed();

	(void)state;
	assert_int_equal(nr_own_acks(&client, NULL), 2);
	assert_int_equal(nr_own_acks(&server, NULL), 0); /* its ACK of the FIN may wait */
	assert_int_equal(nr_own_acks(&client, &server), 0);
	server.story.STEP(FIN_RECEIVED) = server.story.STEP(FIN_SENT) + 1 * MS;
	server.story.closed_by = SF_SIDE_LOCAL;
	assert_int_equal(nr_own_acks(&server, NULL), 1);
	client.story.flags |= SF_F_FASTOPEN; /* the ACK may wait for data */
	assert_int_equal(nr_own_acks(&client, NULL), 1);
	client.story.STEP(FIN_SENT) = 0; /* older than synfin */
	assert_int_equal(nr_own_acks(&client, NULL), 0);
}

static void test_head(void **state)
{
	struct sf_event event = client_closed();
	struct sf_view_options options = ascii;

	(void)state;
	event.story.role_source = SF_ROLE_SRC_PORT_RANGE;
	assert_string_equal(line_at(ladder(&ascii, &event, NULL), 0),
			    "4242/curl ~10.0.0.1:43210 -> 10.0.0.2:80");
	assert_string_equal(
		line_at(ladder(&ascii, &event, NULL), 1),
		"12:00:00.123456             ~client                              server");
	memset(event.story.peer_addr, 0, 16);
	memset(&event.story.owner, 0, sizeof(event.story.owner));
	assert_string_equal(line_at(ladder(&ascii, &event, NULL), 0), "~10.0.0.1:43210 -> -");
	event = client_closed();
	make_v6_long(&event);
	assert_string_equal(line_at(ladder(&ascii, &event, NULL), 0),
			    "4242/curl [abab:abab:abab:abab:abab:abab:abab:abab]:65535");
	assert_string_equal(line_at(ladder(&ascii, &event, NULL), 1),
			    "-> [cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd]:65534");
	event = client_closed();
	options.has_no_headers = true;
	assert_memory_equal(line_at(ladder(&options, &event, NULL), 1), "  0.000000 ", 11);
}

static void test_time_formats(void **state)
{
	static const struct {
		enum sf_time_format format;
		const char *time;
	} cases[] = {
		{ SF_TIME_LOCAL, "12:00:00.123456             *" },
		{ SF_TIME_UTC, "2026-11-22T12:00:00.123456Z *" },
		{ SF_TIME_RELATIVE, "2.500000                    *" },
		{ SF_TIME_DELTA, "-0.000001                   *" },
		{ SF_TIME_NONE, "                            *" },
	};
	const struct sf_event event = client_closed();
	const struct sf_pair pair = { { &event, NULL } };
	struct sf_view_options options = ascii;
	struct sf_ladder drawer = { .options = &options };
	struct sf_out out;

	(void)state;
	options.start_ns = T0 - 2500 * MS;
	assert_int_equal(sf_out_init(&out, -1, TEXT_SIZE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		options.time_format = cases[i].format;
		drawer.previous_ns = T0 + 1 * US;
		out.len = 0;
		assert_int_equal(sf_ladder_draw(&drawer, &pair, &out), 0);
		out.buf[out.len] = '\0';
		assert_memory_equal(line_at(out.buf, 1), cases[i].time, strlen(cases[i].time));
		assert_int_equal(drawer.previous_ns, T0);
	}
	sf_out_free(&out);
}

/* Seconds since the first rung keep their column as they grow. */
static void test_long_lives(void **state)
{
	static const struct {
		__u64 life_ns;
		const char *time;
	} cases[] = {
		{ 99999999 * US, " 99.999999  " },
		{ 100 * 1000 * MS, "   100.000  " },
		{ 99999999 * MS, " 99999.999  " },
		{ 100000 * 1000 * MS, "      1d4h  " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sf_event event = client_closed();

		event.story.STEP(FIN_RECEIVED) = T0 + cases[i].life_ns;
		event.story.STEP(CLOSED) = event.story.STEP(FIN_RECEIVED);
		assert_memory_equal(line_at(ladder(&ascii, &event, NULL), 8), cases[i].time, 10);
	}
}

static void test_hostile_names(void **state)
{
	static const char wide[] = "日本語日本";
	struct sf_event event = client_closed();
	const char *text;

	(void)state;
	event.story.owner = task(4242, "a\033[2J\nb\x9b\xff", SF_OWNER_SRC_CONNECT);
	event.story.closer = event.story.owner;
	text = ladder(&utf8, &event, NULL);
	assert_string_equal(line_at(text, 0), "4242/a?[2J?b?? 10.0.0.1:43210 -> 10.0.0.2:80");
	assert_non_null(strstr(line_at(text, 6), " 4242/a?[2J?b… ├"));
	event.story.owner = task(4194304, wide, SF_OWNER_SRC_CONNECT);
	event.story.closer = event.story.owner;
	text = ladder(&utf8, &event, NULL);
	assert_non_null(strstr(line_at(text, 2), "● 4194304/日本語日本           ┆"));
	assert_non_null(strstr(line_at(text, 6), " 4194304/日本… ├"));
	text = ladder(&ascii, &event, NULL);
	assert_string_equal(line_at(text, 0), "4194304/????? 10.0.0.1:43210 -> 10.0.0.2:80");
}

static void test_colour(void **state)
{
	const struct sf_event reset = client_reset(), server = server_closed();
	struct sf_view_options options = ascii;
	const char *text;

	(void)state;
	assert_null(strchr(ladder(&options, &reset, NULL), '\033'));
	options.is_coloured = true;
	text = ladder(&options, &reset, NULL);
	assert_string_equal(line_at(text, 0),
			    "\033[1m4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\033[0m");
	assert_string_equal(line_at(text, 4),
			    "  0.001280   1.24ms   \033[32mESTABLISHED\033[0m |\033[32m<- SYN+ACK "
			    "..................?\033[0m:");
	assert_non_null(
		strstr(line_at(text, 6), " |\033[31m<- RST ......................?\033[0m:"));
	text = ladder(&options, &server, NULL);
	assert_non_null(
		strstr(line_at(text, 2), " :\033[2m?........... SYN ...........>?\033[0m|"));
}

static void test_what_is_drawn(void **state)
{
	struct sf_event event = client_closed();
	const struct sf_pair pair = { { &event, NULL } };
	struct sf_ladder drawer = { .options = &ascii };
	struct sf_out out;
	int fds[2];

	(void)state;
	for (__u8 kind = 0; kind < SF_EV_NR; kind++) {
		event.kind = kind;
		assert_int_equal(sf_ladder_shows(&event),
				 kind == SF_EV_CLOSE || kind == SF_EV_FAILED);
	}
	/* A failed write comes back; a reader that went away does not. */
	event.kind = SF_EV_CLOSE;
	assert_int_equal(sf_out_init(&out, -1, 16), 0);
	assert_int_equal(sf_ladder_draw(&drawer, &pair, &out), -EBADF);
	sf_out_free(&out);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	assert_int_equal(sf_out_init(&out, fds[1], 16), 0);
	assert_int_equal(sf_ladder_draw(&drawer, &pair, &out), 0);
	assert_true(sf_out_is_closed(&out));
	close(fds[1]);
	sf_out_free(&out);
}

/* The columns of a line, colours taken out; fails on what a terminal would act on. */
static size_t columns_of(const char *line, bool is_coloured)
{
	char plain[1024];
	size_t len = 0;

	for (; *line && *line != '\n'; line++) {
		if (*line == '\033') {
			assert_true(is_coloured);
			line = strchr(line, 'm');
			continue;
		}
		assert_true((unsigned char)*line >= 0x20 && *line != 0x7f);
		assert_true(len < sizeof(plain) - 1);
		plain[len++] = *line;
	}
	plain[len] = '\0';
	return sf_columns_of(plain);
}

/* A segment's two rungs know each other, and no line goes down in the lane of another. */
static void check_lanes(const struct sf_rungs *rungs)
{
	int nr = (int)rungs->nr;

	for (int i = 0; i < nr; i++) {
		const struct sf_rung *a = &rungs->rungs[i];

		if (a->mate == SF_RUNG_ALONE)
			continue;
		assert_int_equal(rungs->rungs[a->mate].mate, i);
		assert_int_equal(rungs->rungs[a->mate].lane, a->lane);
		assert_int_not_equal(rungs->rungs[a->mate].rail, a->rail);
		assert_true(a->lane >= 11 && a->lane < SF_RUNG_WIDTH - 11);
		for (int j = i + 1; j < nr && a->mate > i; j++) {
			const struct sf_rung *b = &rungs->rungs[j];

			if (b->mate > j && j <= a->mate)
				assert_int_not_equal(b->lane, a->lane);
		}
	}
}

/* What no story changes: the width, the rails' places, and times that do not go back. */
static void check_rungs(const struct sf_event *first, const struct sf_event *second)
{
	struct sf_rungs rungs;
	struct sf_out out;
	uint64_t time_ns = 0;
	size_t nr = 0;

	sf_rungs_make(first, second, &rungs);
	assert_true(rungs.nr <= SF_RUNGS_MAX);
	check_lanes(&rungs);
	assert_int_equal(sf_out_init(&out, -1, TEXT_SIZE), 0);
	sf_rungs_draw(&rungs, false, true, &out);
	assert_true(out.len < TEXT_SIZE);
	out.buf[out.len] = '\0';
	for (const char *line = out.buf; *line; line = strchr(line, '\n') + 1, nr++) {
		assert_true(columns_of(line, false) <= 80);
		assert_true(strcspn(line, "\n") >= 66);
		assert_non_null(strchr("|:*+", line[34]));
		assert_non_null(strchr("|:*+", line[65]));
		assert_true(nr < rungs.nr);
		assert_true(!rungs.rungs[nr].time_ns || rungs.rungs[nr].time_ns >= time_ns);
		time_ns = rungs.rungs[nr].time_ns ? rungs.rungs[nr].time_ns : time_ns;
	}
	assert_int_equal(nr, rungs.nr);
	sf_out_free(&out);
}

static void check_drawing(const struct sf_view_options *options, const struct sf_event *first,
			  const struct sf_event *second)
{
	const char *line = ladder(options, first, second);

	assert_string_equal(line + strlen(line) - 2, "\n\n");
	for (; *line; line = strchr(line, '\n') + 1)
		assert_true(columns_of(line, options->is_coloured) <= 80);
}

/* Times from all of 64 bits now and then, and steps of a few microseconds. */
static struct sf_event random_end(__u64 *seed)
{
	struct sf_event e = random_event(seed);
	unsigned int spread = random_u64(seed) % 4;

	for (int i = 0; i < SF_STEP_NR; i++) {
		if (spread == 0)
			e.story.step_ns[i] = random_u64(seed);
		if (spread == 1 && e.story.step_ns[i])
			e.story.step_ns[i] = T0 + random_u64(seed) % 8;
	}
	e.kind = random_u64(seed) % 4 ? SF_EV_CLOSE : SF_EV_FAILED;
	return e;
}

static void test_random_stories(void **state)
{
	__u64 seed = 20261122;

	(void)state;
	for (int i = 0; i < 6000; i++) {
		struct sf_event first = random_end(&seed), second = random_end(&seed);
		struct sf_view_options options = {
			.is_ascii = i % 2,
			.is_coloured = i / 2 % 2,
			.time_format = random_u64(&seed) % SF_TIME_NR,
			.start_ns = random_u64(&seed) % 2 ? random_u64(&seed) : 0,
			.realtime_offset_ns = (int64_t)random_u64(&seed),
		};

		check_drawing(&options, &first, NULL);
		check_rungs(&first, NULL);
		first.story.role = i % 3 ? SF_ROLE_SERVER : SF_ROLE_BOTH;
		second.story.role = i % 3 ? SF_ROLE_CLIENT : SF_ROLE_BOTH;
		check_drawing(&options, &first, &second);
		check_rungs(&first, &second);
	}
}

/* Every step seen on both ends at once, in an order that fills all lanes. */
static void test_all_steps(void **state)
{
	struct sf_event first = client_closed(), second = server_closed();

	(void)state;
	for (int i = 0; i < SF_STEP_NR; i++) {
		first.story.step_ns[i] = T0 + (__u64)i * US;
		second.story.step_ns[i] = T0 + (__u64)(SF_STEP_NR - i) * US;
	}
	second.story.role = first.story.role = SF_ROLE_BOTH;
	check_rungs(&first, &second);
	check_drawing(&utf8, &first, &second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_it_failed),
		cmocka_unit_test(test_ends_that_differ),
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_what_an_end_was_missing),
		cmocka_unit_test(test_who_called),
		cmocka_unit_test(test_derived_order),
		cmocka_unit_test(test_derived_state),
		cmocka_unit_test(test_own_acks),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_time_formats),
		cmocka_unit_test(test_long_lives),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_what_is_drawn),
		cmocka_unit_test(test_random_stories),
		cmocka_unit_test(test_all_steps),
	};

	/* A closed pipe is an error to look at; local time is drawn as this zone has it. */
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
