// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ladders, to the character: one end and both, refused, timed out, reset,
 * half-closed, crossing FINs, what was not seen and what was computed. Odd
 * stories are drawn in test_ladder_odd.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "ladder_stories.h"

static const char text_pair[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx\n"
	"12:00:00.123456             *client                              *server\n"
	"  0.000000              connect() ● 4242/curl                    │\n"
	"  0.000040     40us               ├─ SYN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?│\n"
	" ~0.000700   ~660us               │               ╭──── SYN+ACK ─┤\n"
	"  0.001280   ~580us   ESTABLISHED │◀─ ~580us ─────╯              │\n"
	"  0.001900    620us               │?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ ESTABLISHED\n"
	"  0.001935     35us               │                    812/nginx ● accept()\n"
	"  0.143280    141ms     4242/curl ├─ FIN ────────╮               │\n"
	"  0.144000    720us               │              ╰────── 720us ─▶│\n"
	"  0.144280    280us               │◀─ ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?│\n"
	"  0.145000    720us               │               ╭──────── FIN ─┤\n"
	"  0.146280   1.28ms        closed │◀─ 1.28ms ─────╯              │\n"
	"  0.147000    720us               │?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ closed\n"
	"ended: FIN, client closed first, half-close 3.00ms, life 146ms\n"
	"client: handshake 1.24ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"server: handshake ~1.20ms, accept wait 35us, sent 1256 bytes, received 78,\n"
	"        unread 0, retransmits 0\n"
	"\n";

static const char text_pair_ascii[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx\n"
	"12:00:00.123456             *client                              *server\n"
	"  0.000000              connect() * 4242/curl                    |\n"
	"  0.000040     40us               +- SYN ......................>?|\n"
	" ~0.000700   ~660us               |               .---- SYN+ACK -+\n"
	"  0.001280   ~580us   ESTABLISHED |<- ~580us -----'              |\n"
	"  0.001900    620us               |?...................... ACK ->| ESTABLISHED\n"
	"  0.001935     35us               |                    812/nginx * accept()\n"
	"  0.143280    141ms     4242/curl +- FIN --------.               |\n"
	"  0.144000    720us               |              '------ 720us ->|\n"
	"  0.144280    280us               |<- ACK ......................?|\n"
	"  0.145000    720us               |               .-------- FIN -+\n"
	"  0.146280   1.28ms        closed |<- 1.28ms -----'              |\n"
	"  0.147000    720us               |?...................... ACK ->| closed\n"
	"ended: FIN, client closed first, half-close 3.00ms, life 146ms\n"
	"client: handshake 1.24ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"server: handshake ~1.20ms, accept wait 35us, sent 1256 bytes, received 78,\n"
	"        unread 0, retransmits 0\n"
	"\n";

static void test_pair(void **state)
{
	const struct sf_event client = client_closed(), server = server_closed();

	(void)state;
	assert_string_equal(ladder(&utf8, &client, &server), text_pair);
	/* Whichever ends first. */
	assert_string_equal(ladder(&utf8, &server, &client), text_pair);
	assert_string_equal(ladder(&ascii, &client, &server), text_pair_ascii);
}

static void test_stand_in(void **state)
{
	const struct sf_event client = client_closed();
	struct sf_event server = server_closed();
	static const char ends[] = "4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 ~813/heir\n";

	(void)state;
	server.story.owner = task(813, "heir", SF_OWNER_SRC_CLOSE);
	assert_memory_equal(ladder(&utf8, &client, &server), ends, sizeof(ends) - 1);
}

static const char text_client[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\n"
	"12:00:00.123456             *client                              server\n"
	"  0.000000              connect() ● 4242/curl                    ┆\n"
	"  0.000040     40us               ├─ SYN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"  0.001280   1.24ms   ESTABLISHED │◀─ SYN+ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?┆\n"
	" ~0.001280     ~0us               ├─ ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"  0.143280    142ms     4242/curl ├─ FIN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"  0.144280   1.00ms               │◀─ ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?┆\n"
	"  0.146280   2.00ms        closed │◀─ FIN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?┆\n"
	" ~0.146280     ~0us               ├─ ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"ended: FIN, client closed first, half-close 3.00ms, life 146ms\n"
	"client: handshake 1.24ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"\n";

static const char text_server[] =
	"10.0.0.1:43210 -> 10.0.0.2:80 812/nginx\n"
	"12:00:00.124156              client                              *server\n"
	"  not seen                        ┆?╌╌╌╌╌╌╌╌╌╌╌ SYN ╌╌╌╌╌╌╌╌╌╌╌▷?│\n"
	" ~0.000000                        ┆?◁╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ SYN+ACK ─┤\n"
	"  0.001200  ~1.20ms               ┆?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ ESTABLISHED\n"
	"  0.001235     35us               ┆                    812/nginx ● accept()\n"
	"  0.143300    142ms               ┆?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ FIN ─▶│\n"
	"  0.144300   1.00ms               ┆?◁╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ FIN ─┤\n"
	"  0.146300   2.00ms               ┆?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ closed\n"
	"ended: FIN, client closed first, half-close 1.00ms, life ~146ms\n"
	"server: handshake ~1.20ms, accept wait 35us, sent 1256 bytes, received 78,\n"
	"        unread 0, retransmits 0\n"
	"\n";

static void test_one_end(void **state)
{
	const struct sf_event client = client_closed(), server = server_closed();

	(void)state;
	assert_string_equal(ladder(&utf8, &client, NULL), text_client);
	assert_string_equal(ladder(&utf8, &server, NULL), text_server);
}

static const char text_refused[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\n"
	"12:00:00.123456             *client                              server\n"
	"  0.000000              connect() * 4242/curl                    :\n"
	"  0.000040     40us               +- SYN ......................>?:\n"
	"  0.000235    195us               |<- RST ......................?:\n"
	"  0.000240      5us  econnrefused |                              :\n"
	"ended: refused (econnrefused), life 240us\n"
	"\n";

static const char text_timeout[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\n"
	"12:00:00.123456             *client                              server\n"
	"  0.000000              connect() * 4242/curl                    :\n"
	"  0.000040     40us      4 resent +- SYN ......................>?:\n"
	" 31.063000    31.1s     etimedout |          no answer           :\n"
	"ended: no answer (etimedout), life 31.1s\n"
	"client: SYN retransmits 4\n"
	"\n";

static void test_failed(void **state)
{
	const struct sf_event refused = client_refused(), timeout = client_timeout();

	(void)state;
	assert_string_equal(ladder(&ascii, &refused, NULL), text_refused);
	assert_string_equal(ladder(&ascii, &timeout, NULL), text_timeout);
}

static const char text_reset_server[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx\n"
	"12:00:00.123456             *client                              *server\n"
	"  0.000000              connect() ● 4242/curl                    │\n"
	"  0.000040     40us               ├─ SYN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?│\n"
	" ~0.000700   ~660us               │               ╭──── SYN+ACK ─┤\n"
	"  0.001280   ~580us   ESTABLISHED │◀─ ~580us ─────╯              │\n"
	"  0.001900    620us               │?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ ESTABLISHED\n"
	"  0.001935     35us               │                    812/nginx ● accept()\n"
	"  0.011991   10.1ms               │                              │ closed\n"
	"  0.011996      5us               │◀─ RST ────────╮              │\n"
	"  0.011998      2us    econnreset │               │              │\n"
	"  0.012000      2us               │               ╰── seen late ─┤\n"
	"ended: reset by server (econnreset), RST reason tcp_abort_on_close,\n"
	"       server closed first, life 12.0ms\n"
	"client: handshake 1.24ms, sent 512 bytes, received 0, unread 0, retransmits 0\n"
	"server: handshake ~1.20ms, accept wait 35us, sent 0 bytes, received 0,\n"
	"        unread 512, retransmits 0\n"
	"\n";

static const char text_reset_client[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\n"
	"12:00:00.123456             *client                              server\n"
	"  0.000000              connect() * 4242/curl                    :\n"
	"  0.000040     40us               +- SYN ......................>?:\n"
	"  0.001280   1.24ms   ESTABLISHED |<- SYN+ACK ..................?:\n"
	" ~0.001280     ~0us               +- ACK ......................>?:\n"
	"  0.005000   3.72ms        closed |                              :\n"
	"  0.005007      7us     4242/curl +- RST ......................>?:\n"
	"ended: reset by client, RST reason tcp_state, client closed first, life 5.00ms\n"
	"client: handshake 1.24ms, sent 512 bytes, received 0, unread 0, retransmits 0\n"
	"\n";

static void test_reset(void **state)
{
	const struct sf_event client = client_reset(), server = server_reset_closed();
	const struct sf_event aborted = client_aborted();

	(void)state;
	assert_string_equal(ladder(&utf8, &client, &server), text_reset_server);
	assert_string_equal(ladder(&ascii, &aborted, NULL), text_reset_client);
}

static const char text_half[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx\n"
	"12:00:00.123426             *client                              *server\n"
	"  0.000000               socket() ●                              │\n"
	"  0.000018     18us        bind() ●                              │\n"
	"  0.000030     12us     connect() ● 4242/curl                    │\n"
	"  0.000070     40us               ├─ SYN ────────╮               │\n"
	"  0.000670    600us               │              ╰────── 600us ─▶│\n"
	"  0.000678      8us               │               ╭──── SYN+ACK ─┤ 1 resent\n"
	"  0.001310    632us   ESTABLISHED │◀─ 632us ──────╯              │\n"
	"  0.001430    120us        send() ●                              │\n"
	"  0.001930    500us               │?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ ESTABLISHED\n"
	"  0.001965     35us               │                    812/nginx ● accept()\n"
	"  0.002030     65us               │                              ● recv()\n"
	"  0.002330    300us               │                              ● send()\n"
	"  0.002930    600us        recv() ●                              │\n"
	"  0.143302    140ms    shutdown() ● 4243/sh                      │\n"
	"  0.143310      8us               ├─ FIN ────────╮               │\n"
	"  0.143910    600us               │              ╰────── 600us ─▶│\n"
	"  0.144510    600us               │◀─ ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?│\n"
	"  3.142910    3.00s               │                    812/nginx ● close()\n"
	"  3.142915      5us               │               ╭──────── FIN ─┤\n"
	"  3.143310    395us     TIME-WAIT │◀─ 395us ──────╯              │\n"
	"  3.143351     41us       close() ●                              │\n"
	"  3.143352      1us  socket freed │                              │\n"
	"  3.144115    763us               │?╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ACK ─▶│ closed\n"
	" 63.143310    60.0s TIME-WAIT end │                              │\n"
	"ended: FIN, client closed first, half-close 3.00s, life 3.14s\n"
	"client: handshake 1.24ms, sent 78 bytes, received 1256, unread 0, retransmits 2\n"
	"server: handshake 1.25ms, SYN+ACK retransmits 1, accept wait 35us,\n"
	"        sent 1256 bytes, received 78, unread 0, retransmits 0\n"
	"\n";

static void test_half_close(void **state)
{
	const struct sf_event client = client_half_closed(), server = server_half_closed();

	(void)state;
	assert_string_equal(ladder(&utf8, &client, &server), text_half);
}

/* A call and what it sent may have one time: who closed stands at the call. */
static void test_closer_at_call(void **state)
{
	struct sf_event event = client_half_closed();

	(void)state;
	event.story.STEP(SHUTDOWN) = event.story.STEP(FIN_SENT);
	assert_non_null(strstr(ladder(&utf8, &event, NULL), "shutdown() ● 4243/sh "));
}

/* What stands for close() is called what it is. */
static void test_close_calls(void **state)
{
	static const struct {
		__u8 call;
		const char *text;
	} cases[] = {
		{ SF_CALL_CLOSE, "close() ●" },	   { SF_CALL_EXIT, " exit ●" },
		{ SF_CALL_KILL, " killed ●" },	   { SF_CALL_LINGER, "close() abort ●" },
		{ SF_CALL_SHUTDOWN, "close() ●" }, { SF_CALL_NONE, "close() ●" },
	};
	struct sf_event event = client_half_closed();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		event.story.close_call = cases[i].call;
		assert_non_null(strstr(ladder(&utf8, &event, NULL), cases[i].text));
	}
}

static const char text_crossed[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80 812/nginx\n"
	"12:00:00.123456             *client                              *server\n"
	"  0.000000              connect() * 4242/curl                    |\n"
	"  0.000040     40us               +- SYN ......................>?|\n"
	" ~0.000700   ~660us               |               .---- SYN+ACK -+\n"
	"  0.001280   ~580us   ESTABLISHED |<- ~580us -----'              |\n"
	"  0.001900    620us               |?...................... ACK ->| ESTABLISHED\n"
	"  0.001935     35us               |                    812/nginx * accept()\n"
	"  0.143280    141ms     4242/curl +- FIN --------.               |\n"
	"  0.143380    100us               |              |.-------- FIN -+\n"
	"  0.143780    400us               |<- 400us -----+'              |\n"
	"  0.143880    100us               |              '------ 600us ->|\n"
	"  0.144280    400us        closed |<- ACK ......................?|\n"
	"  0.144380    100us               |?...................... ACK ->| closed\n"
	"ended: FIN, both closed at once, half-close 500us, life 144ms\n"
	"client: handshake 1.24ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"server: handshake ~1.20ms, accept wait 35us, sent 1256 bytes, received 78,\n"
	"        unread 0, retransmits 0\n"
	"\n";

static void test_crossing_fins(void **state)
{
	const struct sf_event client = client_crossed(), server = server_crossed();

	(void)state;
	assert_string_equal(ladder(&ascii, &client, &server), text_crossed);
}

static const char text_old[] =
	"?10.0.0.1:43210 -- ?10.0.0.2:80\n"
	"12:00:00.266736              ?local                              ?peer\n"
	"                                  │  open before synfin started  ┆\n"
	"  not seen                        │?╌╌╌╌╌╌╌╌╌╌╌ FIN ╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"  0.000000                 closed │◀─ FIN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?┆\n"
	"ended: FIN, local closed first\n"
	"local: sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"\n";

static const char text_derived[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\n"
	"12:00:00.123456             *client                              server\n"
	"  0.000000              connect() * 4242/curl                    :\n"
	" ~0.000000     ~0us               +- SYN ......................>?:\n"
	"  0.001280  ~1.28ms   ESTABLISHED |<- SYN+ACK ..................?:\n"
	" ~0.001280     ~0us               +- ACK ......................>?:\n"
	"  0.143280    142ms     4242/curl +- FIN ......................>?:\n"
	"  0.144280   1.00ms               |<- ACK ......................?:\n"
	"  0.146280   2.00ms        closed |<- FIN ......................?:\n"
	" ~0.146280     ~0us               +- ACK ......................>?:\n"
	"ended: FIN, client closed first, half-close 3.00ms, life 146ms\n"
	"client: handshake ~1.28ms, sent 78 bytes, received 1256, unread 0,\n"
	"        retransmits 0\n"
	"\n";

static void test_unseen_and_derived(void **state)
{
	const struct sf_event old = old_closed();
	const struct sf_event client = derive(client_closed(), SF_STEP_SYN_SENT, T0);

	(void)state;
	assert_string_equal(ladder(&utf8, &old, NULL), text_old);
	assert_string_equal(ladder(&ascii, &client, NULL), text_derived);
}

/* The life is the one that the other end saw whole; alone, it is not known. */
static void test_end_unseen(void **state)
{
	const struct sf_event client = client_end_unseen(), server = server_half_closed();
	const char *text = ladder(&ascii, &client, &server);

	(void)state;
	assert_non_null(strstr(text, " socket closed |"));
	assert_null(strstr(text, "not seen"));
	assert_non_null(
		strstr(text, "\nended: FIN, client closed first, half-close 3.00s, life 3.14s\n"));
	text = ladder(&ascii, &client, NULL);
	assert_non_null(strstr(text, " socket closed |"));
	assert_non_null(strstr(text, "  not seen                        |?<"));
	assert_non_null(strstr(text, "\nended: FIN, client closed first\n"));
}

/* By Fast Open the program has the data of the SYN before the handshake is over. */
static void test_unseen_fastopen(void **state)
{
	struct sf_event server = server_closed();
	const char *text, *syn, *synack, *accepted, *ack;

	(void)state;
	server.story.flags |= SF_F_FASTOPEN;
	server.story.STEP(SYN_RECEIVED) = 0;
	server.story.STEP(SYNACK_SENT) = 0;
	server.story.STEP(ACCEPTED) = server.story.STEP(ESTABLISHED) - 200 * US;
	server.story.STEP(FIRST_IN) = server.story.STEP(ESTABLISHED) - 100 * US;
	text = ladder(&ascii, &server, NULL);
	syn = strstr(text, ". SYN .");
	synack = strstr(text, ". SYN+ACK .");
	accepted = strstr(text, " * accept()");
	ack = strstr(text, " ACK ->| ESTABLISHED");
	assert_true(syn && synack && accepted && ack);
	assert_true(syn < synack && synack < accepted && accepted < ack);
}

static const char text_both[] =
	"70/p2p 10.0.0.1:5000 <-> 10.0.0.2:6000 71/p2p\n"
	"12:00:00.123456               *left                              *right\n"
	"  0.000000              connect() ● 70/p2p                       │\n"
	" ~0.000000     ~0us               ├─ SYN ────────╮               │\n"
	"  0.000020    ~20us               │              │        71/p2p ● connect()\n"
	" ~0.000020     ~0us               │              │╭──────── SYN ─┤\n"
	"  0.000500   ~480us               │◀─ ~480us ────┼╯              │\n"
	"  0.000503      3us               ├─ SYN+ACK ╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌▷?│\n"
	"  0.000520     17us               │              ╰───── ~520us ─▶│\n"
	"  0.000523      3us               │?◁╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ SYN+ACK ─┤\n"
	"  0.001000    477us   ESTABLISHED │                              │\n"
	"  0.001020     20us               │                              │ ESTABLISHED\n"
	"  0.002000    980us        closed │                              │\n"
	"  0.002000      0us               │                              │ closed\n"
	"ended: not known how, life 2.00ms\n"
	"left: handshake ~1.00ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"right: handshake ~1.00ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"\n";

static const char text_both_one[] =
	"71/p2p 10.0.0.2:6000 <-> 10.0.0.1:5000\n"
	"12:00:00.123476              *local                              peer\n"
	"  0.000000              connect() * 71/p2p                       :\n"
	" ~0.000000     ~0us               +- SYN ......................>?:\n"
	"  0.000500   ~500us               |<- SYN ......................?:\n"
	"  0.000503      3us               +- SYN+ACK ..................>?:\n"
	"  0.001000    497us   ESTABLISHED |                              :\n"
	"  0.001980    980us        closed |                              :\n"
	"ended: not known how, life 1.98ms\n"
	"local: handshake ~1.00ms, sent 78 bytes, received 1256, unread 0, retransmits 0\n"
	"\n";

static void test_both_dial(void **state)
{
	const struct sf_event first = dialler(false), second = dialler(true);

	(void)state;
	assert_string_equal(ladder(&utf8, &first, &second), text_both);
	assert_string_equal(ladder(&utf8, &second, &first), text_both);
	assert_string_equal(ladder(&ascii, &second, NULL), text_both_one);
}

/* As a snapshot finds it. */
static struct sf_event alive(struct sf_event e, __u8 state)
{
	e.kind = SF_EV_STUCK;
	e.time_ns = T0 + 2000 * MS;
	e.story.state = state;
	e.story.segments_sent = 3;
	e.story.bytes_sent = 78;
	return e;
}

static const char text_alive[] =
	"4242/curl 10.0.0.1:43210 -> 10.0.0.2:80\n"
	"12:00:00.123456             *client                              server\n"
	"  0.000000              connect() ● 4242/curl                    ┆\n"
	"  0.000040     40us               ├─ SYN ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"  0.001280   1.24ms   ESTABLISHED │◀─ SYN+ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌?┆\n"
	" ~0.001280     ~0us               ├─ ACK ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▷?┆\n"
	"now: client ESTAB, age 2.00s\n"
	"client: handshake 1.24ms, sent 78 bytes, received 0, unread 0, retransmits 0\n"
	"\n";

/* A connection that goes on is drawn as far as it is; an end that has ended says how. */
static void test_alive(void **state)
{
	const struct sf_event client = alive(client_established(), SF_TCP_ESTABLISHED);
	const struct sf_event server = alive(server_established(), SF_TCP_CLOSE_WAIT);
	const struct sf_event closed = client_closed();
	const char *text;

	(void)state;
	assert_string_equal(ladder(&utf8, &client, NULL), text_alive);
	text = ladder(&utf8, &client, &server);
	assert_non_null(strstr(text, "\nnow: client ESTAB, server CLOSE-WAIT, age 2.00s\n"));
	assert_null(strstr(text, "ended"));
	text = ladder(&utf8, &closed, &server);
	assert_non_null(strstr(text, "\nnow: FIN for the client, server CLOSE-WAIT"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_stand_in),
		cmocka_unit_test(test_one_end),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_close_calls),
		cmocka_unit_test(test_crossing_fins),
		cmocka_unit_test(test_unseen_and_derived),
		cmocka_unit_test(test_both_dial),
		cmocka_unit_test(test_closer_at_call),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_end_unseen),
		cmocka_unit_test(test_unseen_fastopen),
	};

	/* Local time is drawn as this zone has it. */
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
