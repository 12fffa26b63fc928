// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables, to the character: what stands in 80 columns and in others, in which
 * words, and what gives no line. JSON lines are tested in test_fields.c.
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

#include "view/fields.h"

#include "view_draw.h"

static const char text_trace80[] =
	"TIME         EVENT    PID/COMM       CLIENT             SERVER              TOOK\n"
	"12:00:00.123 listen   812/nginx      -                 *[::]:8080              -\n"
	"12:00:00.123 connect  4242/curl     *10.0.0.1:43210     10.0.0.2:80            -\n"
	"12:00:00.124 ESTAB    4242/curl     *10.0.0.1:43210     10.0.0.2:80       1.24ms\n"
	"12:00:00.125 ESTAB    -              10.0.0.1:43210    *10.0.0.2:80      ~1.20ms\n"
	"12:00:00.125 accept   812/nginx      10.0.0.1:43210    *10.0.0.2:80         35us\n"
	"12:00:00.266 FIN sent 4242/curl     *10.0.0.1:43210     10.0.0.2:80        142ms\n"
	"12:00:00.269 closed   4242/curl     *10.0.0.1:43210     10.0.0.2:80        146ms\n"
	"12:00:00.270 closed   812/nginx      10.0.0.1:43210    *10.0.0.2:80       ~146ms\n"
	"12:00:00.123 refused  4242/curl     *10.0.0.1:43210     10.0.0.2:80        240us\n"
	"12:00:00.135 RST sent 812/nginx      10.0.0.1:43210    *10.0.0.2:80       10.1ms\n"
	"12:00:00.135 reset    812/nginx      10.0.0.1:43210    *10.0.0.2:80      ~11.3ms\n"
	"12:00:00.266 FIN rcvd -             ?10.0.0.1:43210    ?10.0.0.2:80            -\n";

static void test_trace_80(void **state)
{
	const struct sf_event events[] = {
		listener(),	  client_connect(),  client_established(),  server_established(),
		server_accept(),  client_fin_sent(), client_closed(),	    server_closed(),
		client_refused(), server_reset(),    server_reset_closed(), old_fin_received(),
	};

	(void)state;
	assert_string_equal(draw(&trace, events, ARRAY_SIZE(events)), text_trace80);
}

static const char text_conns80[] =
	"PID/COMM     CLIENT            SERVER          HANDSHK ACCEPT    LIFE END\n"
	"4242/curl   *10.0.0.1:43210    10.0.0.2:80      1.24ms      -   146ms client FIN\n"
	"812/nginx    10.0.0.1:43210   *10.0.0.2:80     ~1.20ms   35us  ~146ms client FIN\n"
	"4242/curl   *10.0.0.1:43210    10.0.0.2:80           -      -   240us refused\n"
	"812/nginx    10.0.0.1:43210   *10.0.0.2:80     ~1.20ms   35us ~11.3ms server RST\n";

static void test_conns_80(void **state)
{
	const struct sf_event events[] = {
		client_connect(), client_established(), /* not its end: no line */
		client_closed(),  server_closed(),	client_refused(), server_reset_closed(),
	};

	(void)state;
	assert_string_equal(draw(&conns, events, ARRAY_SIZE(events)), text_conns80);
}

/* Who closed it stands in for who had it. */
static void test_stand_in(void **state)
{
	struct sf_event end = server_closed();

	(void)state;
	end.story.owner = task(813, "heir", SF_OWNER_SRC_CLOSE);
	assert_non_null(strstr(draw(&conns, &end, 1), "\n~813/heir    10.0.0.1:43210 "));
}

static const char text_trace120[] =
	"TIME            EVENT    ROLE     PID/COMM                 CLIENT                   "
	"       SERVER                   TOOK\n"
	"12:00:00.269736 closed   client   4242/curl               *10.0.0.1:43210           "
	"       10.0.0.2:80             146ms\n"
	"12:00:00.270456 closed   server   812/nginx                10.0.0.1:43210           "
	"      *10.0.0.2:80            ~146ms\n";

static const char text_conns40[] = " CLIENT         SERVER        END\n"
				   "*10.\xe2\x80\xa6"
				   "0.1:43210  10.0.0.2:80   client FIN\n"
				   " 10.\xe2\x80\xa6"
				   "0.1:43210 *10.0.0.2:80   client FIN\n";

static void test_wider_and_narrower(void **state)
{
	const struct sf_event events[] = { client_closed(), server_closed() };
	struct sf_view_options options = trace;

	(void)state;
	options.width = 120;
	assert_string_equal(draw(&options, events, ARRAY_SIZE(events)), text_trace120);
	options = conns;
	options.width = 40;
	assert_string_equal(draw(&options, events, ARRAY_SIZE(events)), text_conns40);
}

static const char text_wide[] =
	"TIME            EVENT    ROLE         PID COMM              UID  CLIENT            "
	"     SERVER                LOCAL                 PEER                     TOOK HAND"
	"SHK ACCEPT    LIFE CLOSED-BY REASON      CALL           ERROR        RST-REASON    "
	"     STATE      SYN-RTX SYNACK-RTX   RTX       SENT   RECEIVED  UNREAD   SRTT  CLOS"
	"ER CLOSER-COMM          NETNS CGROUP           COOKIE           CONNECTION       WI"
	"RE-ID          COMMUNITY-ID                   SYN-DROP ACK-DROP HALF-OPEN PEER-PID "
	"PEER-COMM       PEER-CONNECTION\n"
	"12:00:00.269736 closed   client      4242 curl             1000 *10.0.0.1:43210    "
	"     10.0.0.2:80           10.0.0.1:43210        10.0.0.2:80             146ms  1.2"
	"4ms      -   146ms client    fin         -              -            -             "
	"     CLOSED           0          -     0         78       1256       0 1.19ms    42"
	"42 curl            4026531840 000000000000002a 0000000000001001 000000001234abcd aa"
	"aa0001bbbb0002 1:+baL86ws//XAWncrmn91r1rM7Cw=        -        -         -        - "
	"-               -\n"
	"12:00:00.124736 ESTAB    client      4242 curl             1000 *[abab:abab:abab:ab"
	"ab:abab:abab:abab:abab]:65535  [cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd]:65534 [aba"
	"b:abab:abab:abab:abab:abab:abab:abab]:65535 [cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdc"
	"d]:65534  1.24ms  1.24ms      -       - -         -           -              -     "
	"       -                  ESTAB            0          -     -          -          -"
	"       -      -       - -               4026531840 000000000000002a 000000000000100"
	"1 000000001234abcd aaaa0001bbbb0002 1:cz2G6eOezczdLuYF4GyqT2zBiIQ=        -        "
	"-         -        - -               -\n";

static void test_wide(void **state)
{
	struct sf_event events[] = { client_closed(), client_established() };
	struct sf_view_options options = trace;

	(void)state;
	make_v6_long(&events[1]);
	options.format = SF_FORMAT_WIDE;
	options.width = 40; /* does not matter */
	assert_string_equal(draw(&options, events, ARRAY_SIZE(events)), text_wide);
}

static const char text_utc[] =
	"TIME(UTC)                EVENT    PID/COMM  CLIENT         SERVER           TOOK\n"
	"2026-11-22T12:00:00.123Z connect  4242/cu\xe2\x80\xa6 *10.\xe2\x80\xa6"
	"0.1:43210  "
	"10.0.0.2:80         -\n"
	"2026-11-22T12:00:00.125Z ESTAB    -         10.\xe2\x80\xa6"
	"0.1:43210 *10.0.0.2:80"
	"   ~1.20ms\n";

static const char text_rel[] =
	"   TIME(s) EVENT    PID/COMM       CLIENT               SERVER              TOOK\n"
	" 61.000040 connect  4242/curl     *10.0.0.1:43210       10.0.0.2:80            -\n"
	" 61.001900 ESTAB    -              10.0.0.1:43210      *10.0.0.2:80      ~1.20ms\n";

static const char text_delta[] =
	" DELTA(s) EVENT    PID/COMM       CLIENT                SERVER              TOOK\n"
	" 0.000000 connect  4242/curl     *10.0.0.1:43210        10.0.0.2:80            -\n"
	" 0.001860 ESTAB    -              10.0.0.1:43210       *10.0.0.2:80      ~1.20ms\n"
	"-0.001860 connect  4242/curl     *10.0.0.1:43210        10.0.0.2:80            -\n";

static const char text_none[] =
	"EVENT    PID/COMM          CLIENT                  SERVER                   TOOK\n"
	"connect  4242/curl        *10.0.0.1:43210          10.0.0.2:80                 -\n"
	"ESTAB    -                 10.0.0.1:43210         *10.0.0.2:80           ~1.20ms\n";

static void test_time_formats(void **state)
{
	const struct sf_event events[] = { client_connect(), server_established(),
					   client_connect() };
	struct sf_view_options options = trace;

	(void)state;
	options.time_format = SF_TIME_UTC;
	assert_string_equal(draw(&options, events, 2), text_utc);
	options.time_format = SF_TIME_RELATIVE;
	options.start_ns = T0 - 61 * 1000 * MS;
	assert_string_equal(draw(&options, events, 2), text_rel);
	options.time_format = SF_TIME_DELTA;
	assert_string_equal(draw(&options, events, 3), text_delta);
	options.time_format = SF_TIME_NONE;
	assert_string_equal(draw(&options, events, 2), text_none);
}

static const char text_relfirst[] =
	"  0.000000 ESTAB     10.0.0.1:43210   *10.0.0.2:80   ~1.20ms\n"
	" -0.001860 connect  *10.0.0.1:43210    10.0.0.2:80         -\n"
	"  0.000000 connect  *10.0.0.1:43210    10.0.0.2:80         -\n";

/* Without start_ns the first event is the start; an event before it stands before it. */
static void test_relative_to_the_first(void **state)
{
	struct sf_event events[] = { server_established(), client_connect(), client_connect() };
	struct sf_view_options options = trace;

	(void)state;
	events[2].time_ns = events[0].time_ns - 999; /* no "-0.000000" */
	options.time_format = SF_TIME_RELATIVE;
	options.has_no_headers = true;
	options.width = 60;
	assert_string_equal(draw(&options, events, 3), text_relfirst);
}

/* The last cell of the line. */
static const char *took(const struct sf_event *event)
{
	return strrchr(draw_one(&trace, event), ' ') + 1;
}

static void test_took(void **state)
{
	struct sf_event event = server_closed();
	struct sf_story *s = &event.story;

	(void)state;
	event.kind = SF_EV_FIN_RECEIVED; /* the first FIN: since established, at 1.9 ms */
	assert_string_equal(took(&event), "142ms\n");
	event.kind = SF_EV_FIN_SENT; /* the second: since the first */
	assert_string_equal(took(&event), "1.00ms\n");
	s->STEP(FIN_RECEIVED) += 5 * MS; /* now ours is the first */
	assert_string_equal(took(&event), "143ms\n");
	event.kind = SF_EV_FIN_RECEIVED;
	assert_string_equal(took(&event), "4.00ms\n");
	event.kind = SF_EV_TIME_WAIT_END;
	assert_string_equal(took(&event), "-\n");
	s->STEP(TIME_WAIT) = T0;
	s->STEP(TIME_WAIT_END) = T0 + 61 * 1000 * MS;
	assert_string_equal(took(&event), "61.0s\n");
	event = server_reset();
	s->rst_sender = SF_SIDE_PEER; /* whose RST has no time */
	assert_string_equal(took(&event), "-\n");
	s->STEP(RST_RECEIVED) = s->STEP(ESTABLISHED) + 250;
	assert_string_equal(took(&event), "<1us\n");
}

static const char text_resize[] =
	"13:00:00.123 connect  4242/cu\xe2\x80\xa6 *10.0.0.1:43210  10.0.0.2:80         -\n"
	"connect  *10.0.0.1:43210   10.0.0.2:80\n"
	"00:00:00.000 connect  4242/cu\xe2\x80\xa6 *10.0.0.1:43210  10.0.0.2:80         -\n";

static void test_clock_and_resize(void **state)
{
	const struct sf_event event = client_connect();
	struct sf_view_options options = trace;
	struct sf_view *view = NULL;
	struct sf_out out;

	(void)state;
	options.width = 69;
	assert_int_equal(sf_out_init(&out, -1, TEXT_SIZE), 0);
	assert_int_equal(sf_view_new(&options, &out, &view), 0);
	sf_view_clock(view, OFFSET + (int64_t)(3600 * 1000 * MS));
	assert_int_equal(sf_view_event(view, &event, 1), 0);
	sf_view_resize(view, 40);
	assert_int_equal(sf_view_event(view, &event, 2), 0);
	/* A clock that runs before 1970 gives 1970, not a number that wrapped. */
	sf_view_resize(view, 69);
	sf_view_clock(view, INT64_MIN);
	assert_int_equal(sf_view_event(view, &event, 3), 0);
	out.buf[out.len] = '\0';
	assert_string_equal(out.buf, text_resize);
	sf_view_free(view);
	sf_out_free(&out);
}

static const char text_role_inferred[] =
	"12:00:00.124 ESTAB    4242/curl     ~10.0.0.1:43210     10.0.0.2:80       1.24ms\n";

static const char text_role_both[] =
	"12:00:00.124 ESTAB    4242/curl     *10.0.0.1:43210     10.0.0.2:80       1.24ms\n";

static const char text_role_none[] =
	"12:00:00.124 ESTAB    4242/curl     ?10.0.0.1:43210     -                      -\n";

static void test_roles(void **state)
{
	struct sf_event event = client_established();

	(void)state;
	event.story.role_source = SF_ROLE_SRC_PORT_RANGE;
	assert_string_equal(draw_one(&trace, &event), text_role_inferred);
	event.story.role = SF_ROLE_BOTH;
	event.story.role_source = SF_ROLE_SRC_HANDSHAKE;
	assert_string_equal(draw_one(&trace, &event), text_role_both);
	event.story.role = SF_ROLE_UNKNOWN;
	event.story.role_source = SF_ROLE_SRC_NONE;
	memset(event.story.peer_addr, 0, 16);
	assert_string_equal(draw_one(&trace, &event), text_role_none);
}

static void test_labels(void **state)
{
	static const struct {
		__u8 kind, cause, side;
		__u16 err;
		const char *label, *end;
	} cases[] = {
		{ SF_EV_CLOSE, SF_CAUSE_NONE, SF_SIDE_NONE, 0, "closed", "-" },
		{ SF_EV_CLOSE, SF_CAUSE_FIN, SF_SIDE_NONE, 0, "closed", "FIN" },
		{ SF_EV_CLOSE, SF_CAUSE_FIN, SF_SIDE_PEER, 0, "closed", "server FIN" },
		{ SF_EV_CLOSE, SF_CAUSE_FIN, SF_SIDE_BOTH, 0, "closed", "both FIN" },
		{ SF_EV_CLOSE, SF_CAUSE_RESET, SF_SIDE_LOCAL, 0, "reset", "client RST" },
		{ SF_EV_CLOSE, SF_CAUSE_TIMEOUT, SF_SIDE_NONE, 110, "timeout", "timeout" },
		{ SF_EV_CLOSE, SF_CAUSE_ABORT, SF_SIDE_NONE, 0, "aborted", "aborted" },
		{ SF_EV_CLOSE, SF_CAUSE_KILLED, SF_SIDE_NONE, 103, "killed", "killed" },
		{ SF_EV_CLOSE, SF_CAUSE_ERROR, SF_SIDE_NONE, 71, "error", "eproto" },
		{ SF_EV_FAILED, SF_CAUSE_NONE, SF_SIDE_NONE, 0, "failed", "-" },
		{ SF_EV_FAILED, SF_CAUSE_UNREACHABLE, SF_SIDE_NONE, 113, "unreach", "unreach" },
		{ SF_EV_FAILED, SF_CAUSE_NO_PORT, SF_SIDE_NONE, 99, "no port", "no port" },
		{ SF_EV_FAILED, SF_CAUSE_ERROR, SF_SIDE_NONE, 0, "error", "error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sf_event event = client_closed();
		struct sf_view_options options = trace;
		char text[32];

		event.kind = cases[i].kind;
		event.story.cause = cases[i].cause;
		event.story.closed_by = cases[i].side;
		event.story.rst_sender = cases[i].side;
		event.story.err = cases[i].err;
		snprintf(text, sizeof(text), "%-8s *", cases[i].label);
		options.width = 40;
		assert_memory_equal(draw_one(&options, &event), text, strlen(text));
		options = conns;
		snprintf(text, sizeof(text), "ms %s\n", cases[i].end);
		assert_non_null(strstr(draw_one(&options, &event), text));
	}
	for (__u8 side = 0; side < SF_SIDE_NR; side++) {
		static const char *const labels[] = { "reset   ", "RST sent", "RST rcvd",
						      "reset   " };
		struct sf_event event = server_reset();
		struct sf_view_options options = trace;

		event.story.rst_sender = side;
		options.width = 40;
		assert_memory_equal(draw_one(&options, &event), labels[side], 8);
	}
}

/* Whose RST or FIN it was is told by place when the role is only a conclusion. */
static void test_end_of_inferred_role(void **state)
{
	struct sf_event event = client_closed();

	(void)state;
	event.story.role_source = SF_ROLE_SRC_LISTENER;
	assert_non_null(strstr(draw_one(&conns, &event), " local FIN\n"));
	event.story.role = SF_ROLE_UNKNOWN;
	event.story.closed_by = SF_SIDE_PEER;
	assert_non_null(strstr(draw_one(&conns, &event), " peer FIN\n"));
	/* Who sent the RST, even if the other end had closed before. */
	event = server_reset_closed();
	event.story.closed_by = SF_SIDE_PEER;
	assert_non_null(strstr(draw_one(&conns, &event), " server RST\n"));
	/* Whoever ended it, nobody had taken it. */
	event.story.flags |= SF_F_NEVER_ACCEPTED;
	assert_non_null(strstr(draw_one(&conns, &event), " unaccepted\n"));
}

static const char text_colour[] =
	"\033[1mEVENT\033[0m    \033[1m CLIENT\033[0m          \033[1m SERVER\033[0m\n"
	"\033[32mESTAB\033[0m     10.0.0.1:43210  \033[1m*10.0.0.2:80\033[0m\n";

static void test_colour(void **state)
{
	struct sf_event event = server_established();
	struct sf_view_options options = trace;

	(void)state;
	options.width = 40;
	assert_null(strchr(draw(&options, &event, 1), '\033'));
	options.is_coloured = true;
	assert_string_equal(draw(&options, &event, 1), text_colour);
	event = client_refused();
	assert_memory_equal(draw_one(&options, &event), "\033[31mrefused\033[0m ", 17);
}

static void test_what_gives_no_line(void **state)
{
	struct sf_event event = client_connect();
	struct sf_view_options options = trace;
	struct sf_loss_view loss = { .time_ns = T0 };
	struct sf_view *view = NULL;
	struct sf_out out;

	(void)state;
	assert_string_equal(draw_one(&conns, &event), "");
	event.kind = SF_EV_TIME_WAIT_END;
	assert_string_equal(draw_one(&conns, &event), "");
	event.kind = SF_EV_NONE; /* a snapshot's */
	assert_string_equal(draw_one(&trace, &event), "");
	options.format = SF_FORMAT_JSON;
	assert_string_equal(draw(&options, &event, 1), "");

	/* Counters are a JSON line only. */
	options.format = SF_FORMAT_CSV;
	assert_int_equal(sf_out_init(&out, -1, TEXT_SIZE), 0);
	assert_int_equal(sf_view_new(&options, &out, &view), 0);
	assert_int_equal(sf_view_stats(view, &loss, 1), 0);
	assert_int_equal(out.len, 0);
	assert_false(sf_view_shows(view, &event));
	event.kind = SF_EV_LISTEN;
	assert_true(sf_view_shows(view, &event));
	sf_view_free(view);
	sf_out_free(&out);
}

static void test_failures(void **state)
{
	struct sf_event event = client_connect();
	struct sf_view_options options = trace;
	struct sf_view *view = NULL;
	struct sf_out out;
	int fds[2];

	(void)state;
	options.format = SF_FORMAT_NR;
	assert_int_equal(sf_view_new(&options, &out, &view), -EINVAL);
	options = trace;
	options.kind = SF_VIEW_NR;
	assert_int_equal(sf_view_new(&options, &out, &view), -EINVAL);
	options = trace;
	options.time_format = SF_TIME_NR;
	assert_int_equal(sf_view_new(&options, &out, &view), -EINVAL);
	assert_null(view);
	sf_view_free(NULL);

	/* The buffer is too small for any line. */
	assert_int_equal(sf_out_init(&out, -1, SF_VIEW_LINE_MAX - 1), 0);
	assert_int_equal(sf_view_new(&trace, &out, &view), 0);
	assert_int_equal(sf_view_header(view), -ENOBUFS);
	assert_int_equal(sf_view_event(view, &event, 1), -ENOBUFS);
	sf_view_free(view);
	sf_out_free(&out);

	/* A failed write comes back; a reader that went away does not. */
	assert_int_equal(sf_out_init(&out, -1, SF_VIEW_LINE_MAX), 0);
	assert_int_equal(sf_view_new(&trace, &out, &view), 0);
	assert_int_equal(sf_view_event(view, &event, 1), 0);
	assert_int_equal(sf_out_flush(&out), -EBADF);
	assert_int_equal(sf_view_event(view, &event, 2), -EBADF);
	sf_out_free(&out);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	assert_int_equal(sf_out_init(&out, fds[1], SF_VIEW_LINE_MAX), 0);
	assert_int_equal(sf_view_event(view, &event, 1), 0);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_int_equal(sf_view_event(view, &event, 2), 0);
	assert_true(sf_out_is_closed(&out));
	assert_int_equal(out.len, 0);
	close(fds[1]);
	sf_view_free(view);
	sf_out_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trace_80),
		cmocka_unit_test(test_conns_80),
		cmocka_unit_test(test_stand_in),
		cmocka_unit_test(test_wider_and_narrower),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_time_formats),
		cmocka_unit_test(test_relative_to_the_first),
		cmocka_unit_test(test_took),
		cmocka_unit_test(test_clock_and_resize),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_end_of_inferred_role),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_what_gives_no_line),
		cmocka_unit_test(test_failures),
	};

	/* A closed pipe is an error to look at; local time is drawn as this zone has it. */
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
