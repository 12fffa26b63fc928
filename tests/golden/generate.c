// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes to standard output the recording that the golden tests show: the fixed
 * stories of the unit tests, with losses, a step of the wall clock and names that
 * an enemy chose. `make golden` runs it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, ladder_stories.h needs cmocka.h. */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "story/recorder.h"

#include "../unit/ladder_stories.h"

struct writer {
	struct sf_recorder *recorder;
	uint64_t next_seq;
	int r;
};

static int write_stdout(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	return fwrite(bytes, 1, len, stdout) == len ? 0 : -EIO;
}

static void add(struct writer *writer, struct sf_event event)
{
	int r = sf_recorder_add(writer->recorder, &event, writer->next_seq++, event.time_ns);

	if (r)
		writer->r = r;
}

/* Another connection: other ids, another port, later. */
static struct sf_event other(struct sf_event event, unsigned int number)
{
	struct sf_story *s = &event.story;

	event.time_ns += number * 1000 * MS;
	for (int i = 0; i < SF_STEP_NR; i++)
		if (s->step_ns[i])
			s->step_ns[i] += number * 1000 * MS;
	s->id += number << 16;
	s->cookie += number << 16;
	s->isn_local += number << 16;
	s->isn_peer += number << 16;
	if (s->local_port == 43210)
		s->local_port += (__u16)number;
	if (s->peer_port == 43210)
		s->peer_port += (__u16)number;
	return event;
}

static struct sf_event v6_with_hostile_name(unsigned int number)
{
	struct sf_event event = other(client_refused(), number);

	make_v6(&event);
	event.story.owner = task(666, "\033[2J\n\"\\,\xff\xe2\x80\xae", SF_OWNER_SRC_CONNECT);
	return event;
}

static void add_first_connection(struct writer *writer)
{
	add(writer, listener());
	add(writer, client_connect());
	add(writer, client_established());
	add(writer, server_established());
	add(writer, server_accept());
	add(writer, client_fin_sent());
	add(writer, client_closed());
	add(writer, server_closed());
}

static void add_failures(struct writer *writer)
{
	add(writer, other(client_refused(), 1));
	add(writer, v6_with_hostile_name(2));
	add(writer, other(client_reset(), 3));
	add(writer, other(server_reset(), 3));
	add(writer, other(server_reset_closed(), 3));
	add(writer, other(client_aborted(), 4));
	add(writer, other(client_timeout(), 5));
}

static void add_odd_ends(struct writer *writer)
{
	add(writer, other(server_half_closed(), 6));
	add(writer, other(client_half_closed(), 6));
	add(writer, other(client_crossed(), 7));
	add(writer, other(server_crossed(), 7));
	add(writer, other(old_fin_received(), 8));
	add(writer, other(old_closed(), 8));
	add(writer, other(dialler(false), 9));
	add(writer, other(dialler(true), 9));
}

static const struct sf_recording_about about = {
	.start_ns = T0 - 1000 * MS,
	.realtime_offset_ns = OFFSET,
	.kinds = ~(1ULL << SF_EV_NONE),
	.synfin_version = SF_VERSION,
	.kernel_release = "6.18.0",
	.host_name = "web1",
	.machine_id = "e1bc71d8902e13e6a744770d48f213e9",
	.boot_id = "2a832b32-9fbe-455c-bf92-40813443e13c",
	.tier = "tracepoints",
	.hooks_missing = "connect handshake ",
};

int main(void)
{
	struct sf_recording_losses losses = { 0 };
	struct writer writer = { .next_seq = 1 };

	writer.r = sf_recorder_new(&writer.recorder, &about, write_stdout, NULL);
	if (writer.r)
		return 1;
	add_first_connection(&writer);
	add_failures(&writer);
	/* The ring was full: three events are lost, which the statistics tell as one line more. */
	losses.lost_ring[SF_EV_CONNECT] = 1;
	losses.lost_ring[SF_EV_CLOSE] = 2;
	losses.sent[SF_EV_CLOSE] = 20;
	losses.lost_map = 1;
	sf_recorder_losses(writer.recorder, &losses, T0 + 40000 * MS);
	writer.next_seq += 3 + 1;
	/* Somebody sets the clock back by 1.5 s. */
	sf_recorder_clock(writer.recorder, OFFSET - (int64_t)(1500 * MS));
	add_odd_ends(&writer);
	if (sf_recorder_end(writer.recorder, &losses, T0 + 60000 * MS) || fflush(stdout))
		writer.r = -EIO;
	sf_recorder_free(writer.recorder);
	return writer.r ? 1 : 0;
}
