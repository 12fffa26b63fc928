/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stories that the view tests draw: one client and one server end of the same
 * connection, a refused one, a reset one, a listener and an old one, each as
 * the kernel side would have sent it, and random ones.
 */
#ifndef TEST_VIEW_STORIES_H
#define TEST_VIEW_STORIES_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/story.h"
#include "story/names.h"

#define T0 5000000000000ULL /* boot time of the first step */
#define US 1000ULL
#define MS 1000000ULL
/* 2026-11-22T12:00:00.123456789Z at T0 */
#define OFFSET ((int64_t)(1795348800123456789ULL - T0))
#define STEP(name) step_ns[SF_STEP_##name]

static inline void v4(__u8 addr[16], __u8 a, __u8 b, __u8 c, __u8 d)
{
	const __u8 bytes[16] = { [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d };

	memcpy(addr, bytes, sizeof(bytes));
}

static inline struct sf_task task(__u32 pid, const char *comm, __u8 source)
{
	struct sf_task t = { .tgid = pid, .tid = pid, .uid = 1000, .source = source };

	for (int i = 0; i < SF_COMM_LEN && comm[i]; i++)
		t.comm[i] = (__u8)comm[i];
	return t;
}

/* connect() of curl, 10.0.0.1:43210 to 10.0.0.2:80. */
static inline struct sf_event client_connect(void)
{
	struct sf_event e = { .time_ns = T0 + 40 * US,
			      .kind = SF_EV_CONNECT,
			      .state_prev = SF_TCP_CLOSE };
	struct sf_story *s = &e.story;

	s->id = 0x1234abcd;
	s->cookie = 0x1001;
	s->role = SF_ROLE_CLIENT;
	s->role_source = SF_ROLE_SRC_CONNECT;
	s->state = SF_TCP_SYN_SENT;
	s->family = AF_INET;
	s->flags = SF_F_TUPLE_KNOWN | SF_F_PORT_KNOWN | SF_F_PORT_EPHEMERAL;
	s->netns = 4026531840;
	s->owner = task(4242, "curl", SF_OWNER_SRC_CONNECT);
	s->owner.cgroup_id = 0x2a;
	v4(s->local_addr, 10, 0, 0, 1);
	v4(s->peer_addr, 10, 0, 0, 2);
	s->local_port = 43210;
	s->peer_port = 80;
	s->STEP(CONNECT) = T0;
	s->STEP(SYN_SENT) = T0 + 40 * US;
	return e;
}

static inline struct sf_event client_established(void)
{
	struct sf_event e = client_connect();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_ESTABLISHED;
	e.time_ns = T0 + 1280 * US;
	e.state_prev = SF_TCP_SYN_SENT;
	s->state = SF_TCP_ESTABLISHED;
	s->flags |= SF_F_ISN_KNOWN;
	s->isn_local = 0xaaaa0001;
	s->isn_peer = 0xbbbb0002;
	s->STEP(SYNACK_RECEIVED) = e.time_ns;
	s->STEP(ESTABLISHED) = e.time_ns;
	return e;
}

/* curl closes first, 142 ms after it was established. */
static inline struct sf_event client_fin_sent(void)
{
	struct sf_event e = client_established();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_FIN_SENT;
	e.time_ns = T0 + 1280 * US + 142 * MS;
	e.state_prev = SF_TCP_ESTABLISHED;
	s->state = SF_TCP_FIN_WAIT1;
	s->STEP(FIN_SENT) = e.time_ns;
	s->closed_by = SF_SIDE_LOCAL;
	s->closer = task(4242, "curl", SF_OWNER_SRC_CLOSE);
	s->bytes_sent = 78;
	s->bytes_received = 1256;
	s->segments_sent = 6;
	s->segments_received = 4;
	s->srtt_us = 1190;
	s->rtt_min_us = 1100;
	return e;
}

static inline struct sf_event client_closed(void)
{
	struct sf_event e = client_fin_sent();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_CLOSE;
	e.time_ns += 3 * MS;
	e.state_prev = SF_TCP_FIN_WAIT2;
	s->state = SF_TCP_CLOSE;
	s->STEP(FIN_ACKED) = e.time_ns - 2 * MS;
	s->STEP(FIN_RECEIVED) = e.time_ns;
	s->STEP(CLOSED) = e.time_ns;
	s->cause = SF_CAUSE_FIN;
	return e;
}

/* The other end of it, on 10.0.0.2; its SYN+ACK's time is computed. */
static inline struct sf_event server_established(void)
{
	struct sf_event e = client_established();
	struct sf_story *s = &e.story;

	e.time_ns = T0 + 1900 * US;
	e.state_prev = SF_TCP_SYN_RECV;
	memset(&s->owner, 0, sizeof(s->owner));
	memset(s->step_ns, 0, sizeof(s->step_ns));
	s->id = 0x99;
	s->cookie = 0x2002;
	s->role = SF_ROLE_SERVER;
	s->role_source = SF_ROLE_SRC_HANDSHAKE;
	s->flags = SF_F_TUPLE_KNOWN | SF_F_PORT_KNOWN | SF_F_ISN_KNOWN;
	s->isn_local = 0xbbbb0002;
	s->isn_peer = 0xaaaa0001;
	v4(s->local_addr, 10, 0, 0, 2);
	v4(s->peer_addr, 10, 0, 0, 1);
	s->local_port = 80;
	s->peer_port = 43210;
	s->STEP(SYNACK_SENT) = T0 + 700 * US;
	s->steps_derived = 1ULL << SF_STEP_SYNACK_SENT;
	s->STEP(ESTABLISHED) = e.time_ns;
	return e;
}

static inline struct sf_event server_accept(void)
{
	struct sf_event e = server_established();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_ACCEPT;
	e.time_ns += 35 * US;
	e.state_prev = 0;
	s->STEP(ACCEPTED) = e.time_ns;
	s->role_source = SF_ROLE_SRC_ACCEPT;
	s->owner = task(812, "nginx", SF_OWNER_SRC_ACCEPT);
	s->owner.uid = 0;
	return e;
}

static inline struct sf_event server_closed(void)
{
	struct sf_event e = server_accept();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_CLOSE;
	e.time_ns = T0 + 147 * MS;
	e.state_prev = SF_TCP_LAST_ACK;
	s->state = SF_TCP_CLOSE;
	s->STEP(FIN_RECEIVED) = T0 + 144 * MS;
	s->STEP(FIN_SENT) = T0 + 145 * MS;
	s->STEP(FIN_ACKED) = e.time_ns;
	s->STEP(CLOSED) = e.time_ns;
	s->closed_by = SF_SIDE_PEER;
	s->cause = SF_CAUSE_FIN;
	s->bytes_sent = 1256;
	s->bytes_received = 78;
	return e;
}

static inline struct sf_event client_refused(void)
{
	struct sf_event e = client_connect();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_FAILED;
	e.time_ns = T0 + 240 * US;
	e.state_prev = SF_TCP_SYN_SENT;
	s->state = SF_TCP_CLOSE;
	s->STEP(RST_RECEIVED) = T0 + 235 * US;
	s->STEP(CLOSED) = e.time_ns;
	s->cause = SF_CAUSE_REFUSED;
	s->rst_sender = SF_SIDE_PEER;
	s->rst_state = SF_TCP_SYN_SENT;
	s->closed_by = SF_SIDE_PEER;
	s->err = 111;
	return e;
}

/* nginx closes with unread data: its kernel sends RST. */
static inline struct sf_event server_reset(void)
{
	struct sf_event e = server_accept();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_RESET;
	e.time_ns = T0 + 12 * MS;
	s->state = SF_TCP_CLOSE;
	s->STEP(RST_SENT) = e.time_ns;
	s->STEP(CLOSED) = e.time_ns - 9 * US;
	s->rst_sender = SF_SIDE_LOCAL;
	s->rst_state = SF_TCP_ESTABLISHED;
	s->rst_reason = 11;
	s->closed_by = SF_SIDE_LOCAL;
	return e;
}

static inline struct sf_event server_reset_closed(void)
{
	struct sf_event e = server_reset();

	e.kind = SF_EV_CLOSE;
	e.state_prev = SF_TCP_ESTABLISHED;
	e.story.cause = SF_CAUSE_RESET;
	e.story.unread_bytes = 512;
	return e;
}

static inline struct sf_event listener(void)
{
	struct sf_event e = { .time_ns = T0, .kind = SF_EV_LISTEN, .state_prev = SF_TCP_CLOSE };
	struct sf_story *s = &e.story;

	s->id = 0x77;
	s->role = SF_ROLE_LISTENER;
	s->role_source = SF_ROLE_SRC_LISTEN;
	s->state = SF_TCP_LISTEN;
	s->family = AF_INET6;
	s->flags = SF_F_TUPLE_KNOWN;
	s->local_port = 8080;
	s->backlog = 128;
	s->netns = 4026531840;
	s->owner = task(812, "nginx", SF_OWNER_SRC_LISTEN);
	s->STEP(LISTEN) = T0;
	return e;
}

/* Open before synfin started; who called is not known. */
static inline struct sf_event old_fin_received(void)
{
	struct sf_event e = client_fin_sent();
	struct sf_story *s = &e.story;

	e.kind = SF_EV_FIN_RECEIVED;
	memset(s->step_ns, 0, sizeof(s->step_ns));
	memset(&s->owner, 0, sizeof(s->owner));
	memset(&s->closer, 0, sizeof(s->closer));
	s->STEP(FIN_RECEIVED) = e.time_ns;
	s->state = SF_TCP_CLOSE_WAIT;
	s->role = SF_ROLE_UNKNOWN;
	s->role_source = SF_ROLE_SRC_NONE;
	s->flags = SF_F_TUPLE_KNOWN | SF_F_BEGIN_UNSEEN;
	s->closed_by = SF_SIDE_PEER;
	s->rtt_min_us = 0xffffffff;
	s->srtt_us = 0;
	return e;
}

/* 2001:db8:85a3::8a2e:370:7334 port 43210 to 2001:db8::1 port 443. */
static inline void make_v6(struct sf_event *e)
{
	const __u8 client[16] = { 0x20, 1, 0xd,	 0xb8, 0x85, 0xa3, 0,	 0,
				  0,	0, 0x8a, 0x2e, 3,    0x70, 0x73, 0x34 };
	const __u8 server[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

	e->story.family = AF_INET6;
	memcpy(e->story.local_addr, client, sizeof(client));
	memcpy(e->story.peer_addr, server, sizeof(server));
	e->story.peer_port = 443;
}

/* The longest text there is for an address. */
static inline void make_v6_long(struct sf_event *e)
{
	e->story.family = AF_INET6;
	memset(e->story.local_addr, 0xab, 16);
	memset(e->story.peer_addr, 0xcd, 16);
	e->story.local_port = 65535;
	e->story.peer_port = 65534;
}

/* xorshift64*: the same stories in every run. */
static inline __u64 random_u64(__u64 *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 2685821657736338717ULL;
}

static inline void random_task(__u64 *seed, struct sf_task *t)
{
	memset(t, 0, sizeof(*t));
	if (random_u64(seed) % 4 == 0)
		return;
	t->tgid = 1 + random_u64(seed) % 4194304;
	t->uid = (__u32)random_u64(seed);
	t->source = 1 + random_u64(seed) % (SF_OWNER_SRC_NR - 1);
	t->cgroup_id = random_u64(seed) % 2 ? random_u64(seed) : 0;
	for (int i = 0; i < SF_COMM_LEN; i++)
		t->comm[i] = (__u8)random_u64(seed);
	if (random_u64(seed) % 4 == 0)
		t->comm[random_u64(seed) % SF_COMM_LEN] = 0;
}

/* Any event that the reader lets pass, with what depends on each other made to fit. */
static inline struct sf_event random_event(__u64 *seed)
{
	struct sf_event e;
	struct sf_story *s = &e.story;

	memset(&e, 0, sizeof(e));
	for (size_t i = 0; i < sizeof(*s); i++)
		((__u8 *)s)[i] = (__u8)random_u64(seed);
	e.kind = 1 + random_u64(seed) % (SF_EV_NR - 1);
	e.state_prev = random_u64(seed) % SF_TCP_NR;
	e.time_ns = T0 + random_u64(seed) % (1000 * MS);
	for (int i = 0; i < SF_STEP_NR; i++)
		s->step_ns[i] = random_u64(seed) % 3 ? T0 + random_u64(seed) % (1000 * MS) : 0;
	s->steps_derived &= (1ULL << SF_STEP_NR) - 1;
	s->bytes_sent >>= 14; /* a counter that is not below 2^50 has no socket */
	s->bytes_received >>= 14;
	random_task(seed, &s->owner);
	random_task(seed, &s->closer);
	s->family = random_u64(seed) % 2 ? AF_INET : AF_INET6;
	if (s->family == AF_INET || random_u64(seed) % 2) {
		v4(s->local_addr, s->local_addr[0], 0, 1, 2);
		v4(s->peer_addr, s->peer_addr[0], 0, 3, 4);
	}
	if (random_u64(seed) % 8 == 0)
		memset(s->local_addr, 0, 32); /* both */
	s->err = random_u64(seed) % 3 ? 0 : random_u64(seed) % 134;
	s->state = random_u64(seed) % SF_TCP_NR;
	s->role = random_u64(seed) % SF_ROLE_NR;
	s->role_source = s->role ? 1 + random_u64(seed) % (SF_ROLE_SRC_NR - 1) : 0;
	s->cause = random_u64(seed) % SF_CAUSE_NR;
	s->closed_by = random_u64(seed) % SF_SIDE_NR;
	s->rst_sender = random_u64(seed) % SF_SIDE_NR;
	s->rst_state = random_u64(seed) % SF_TCP_NR;
	s->rst_reason = s->rst_sender ? random_u64(seed) % (SF_RST_REASON_NR + 2) : 0;
	return e;
}

#endif
