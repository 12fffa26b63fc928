// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts of one socket record, and the story that it amounts to. */
#include "story/sock.h"

#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "story/names.h"

_Static_assert(sizeof(struct sf_sock) % 8 == 0, "records follow each other without a gap");
_Static_assert(sizeof(struct sf_sock) <= 256, "a million sockets fit in memory");
_Static_assert(sizeof(struct sf_holder) == 40, "the same on both sides");

static const char *const timer_names[SF_TIMER_NR] = {
	[SF_TIMER_RETRANSMIT] = "retransmit",
	[SF_TIMER_KEEPALIVE] = "keepalive",
	[SF_TIMER_PROBE0] = "probe0",
	[SF_TIMER_TIME_WAIT] = "time_wait",
};

bool sf_sock_is_sane(const struct sf_sock *sock)
{
	return sock->state && sock->state < SF_TCP_NR && sock->substate < SF_TCP_NR &&
	       sock->timer < SF_TIMER_NR && (sock->family == AF_INET || sock->family == AF_INET6) &&
	       sock->netns;
}

static bool has_sent_fin(const struct sf_sock *sock)
{
	switch (sock->state) {
	case SF_TCP_FIN_WAIT1:
	case SF_TCP_CLOSING:
	case SF_TCP_LAST_ACK:
		return true;
	default:
		return false;
	}
}

static bool has_received_fin(const struct sf_sock *sock)
{
	switch (sock->state) {
	case SF_TCP_CLOSE_WAIT:
	case SF_TCP_CLOSING:
	case SF_TCP_LAST_ACK:
		return true;
	default:
		return false;
	}
}

/* Sequence numbers from begin to end, less one for what is no data. */
static uint32_t bytes_between(uint32_t begin, uint32_t end, bool has_flag)
{
	uint32_t bytes = end - begin;

	if ((int32_t)bytes <= 0)
		return 0;
	return bytes - has_flag;
}

static bool has_queues(const struct sf_sock *sock)
{
	return sock->state != SF_TCP_LISTEN && sock->state != SF_TCP_TIME_WAIT &&
	       sock->state != SF_TCP_NEW_SYN_RECV && sock->state != SF_TCP_CLOSE;
}

uint32_t sf_sock_send_queue(const struct sf_sock *sock)
{
	if (!has_queues(sock))
		return 0;
	return bytes_between(sock->snd_una, sock->write_seq,
			     has_sent_fin(sock) || sock->state == SF_TCP_SYN_SENT);
}

uint32_t sf_sock_not_sent(const struct sf_sock *sock)
{
	if (!has_queues(sock))
		return 0;
	return bytes_between(sock->snd_nxt, sock->write_seq, has_sent_fin(sock));
}

uint32_t sf_sock_receive_queue(const struct sf_sock *sock)
{
	if (!has_queues(sock) || sock->state == SF_TCP_SYN_SENT)
		return 0;
	return bytes_between(sock->copied_seq, sock->rcv_nxt, has_received_fin(sock));
}

bool sf_sock_is_full(const struct sf_sock *sock)
{
	/* net/sock.h sk_acceptq_is_full(): one more than the limit */
	return sock->state == SF_TCP_LISTEN && sock->accept_queue > sock->backlog;
}

bool sf_sock_is_fin_unacked(const struct sf_sock *sock)
{
	return has_sent_fin(sock);
}

uint8_t sf_sock_state(const struct sf_sock *sock)
{
	if (sock->state == SF_TCP_TIME_WAIT && sock->substate == SF_TCP_FIN_WAIT2)
		return SF_TCP_FIN_WAIT2;
	return sock->state == SF_TCP_NEW_SYN_RECV ? SF_TCP_SYN_RECV : sock->state;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/*
 * The same at every look as long as the connection lives: its ends, and where
 * its sequence numbers began. Not made of the socket's address, which is the
 * kernel's secret, nor of its cookie, which it may get later.
 */
static uint64_t id_of(const struct sf_sock *sock)
{
	uint64_t words[4], hash = mix(sock->netns, sock->local_port);

	memcpy(words, sock->local_addr, 16);
	memcpy(words + 2, sock->peer_addr, 16);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		hash = mix(hash, words[i]);
	hash = mix(hash, sock->peer_port);
	/* Without sequence numbers it was read in a way that gives every socket its cookie. */
	hash = mix(hash, sock->flags & SF_SK_PARTIAL ? sock->cookie :
						       sock->snd_una - (uint32_t)sock->bytes_acked);
	return hash ? hash : 1;
}

static uint8_t closer_by_state(uint8_t state)
{
	switch (state) {
	case SF_TCP_FIN_WAIT1:
	case SF_TCP_FIN_WAIT2:
		return SF_SIDE_LOCAL;
	case SF_TCP_CLOSE_WAIT:
	case SF_TCP_LAST_ACK:
		return SF_SIDE_PEER;
	case SF_TCP_CLOSING:
		return SF_SIDE_BOTH;
	default:
		return SF_SIDE_NONE;
	}
}

static void fill_role(const struct sf_sock *sock, struct sf_story *s)
{
	switch (sock->state) {
	case SF_TCP_LISTEN:
		s->role = SF_ROLE_LISTENER;
		s->role_source = SF_ROLE_SRC_LISTEN;
		s->backlog = sock->backlog;
		s->accept_queue = sock->accept_queue;
		s->flags |= SF_F_QUEUE_KNOWN;
		break;
	case SF_TCP_SYN_SENT:
		s->role = SF_ROLE_CLIENT;
		s->role_source = SF_ROLE_SRC_HANDSHAKE;
		break;
	case SF_TCP_NEW_SYN_RECV:
		s->role = SF_ROLE_SERVER;
		s->role_source = SF_ROLE_SRC_HANDSHAKE;
		break;
	default:
		if (!(sock->flags & SF_SK_UNACCEPTED))
			break;
		s->role = SF_ROLE_SERVER;
		s->role_source = SF_ROLE_SRC_HANDSHAKE;
	}
}

void sf_sock_story(const struct sf_sock *sock, struct sf_story *ret)
{
	struct sf_story s = {
		.id = id_of(sock),
		.cookie = sock->cookie,
		.local_port = sock->local_port,
		.peer_port = sock->peer_port,
		.family = sock->family,
		.err = sock->err,
		.netns = sock->netns,
		.bound_if = sock->bound_if,
		.flags = SF_F_BEGIN_UNSEEN | SF_F_TUPLE_KNOWN,
		.segments_sent = sock->segments_sent,
		.segments_received = sock->segments_received,
		.retransmits = sock->retransmits,
		.srtt_us = sock->srtt_us,
		.rtt_min_us = sock->rtt_min_us,
		.unread_bytes = sf_sock_receive_queue(sock),
		.state = sf_sock_state(sock),
		.closed_by = closer_by_state(sf_sock_state(sock)),
	};

	memcpy(s.local_addr, sock->local_addr, sizeof(s.local_addr));
	memcpy(s.peer_addr, sock->peer_addr, sizeof(s.peer_addr));
	if (sock->flags & SF_SK_V4MAPPED)
		s.flags |= SF_F_V4MAPPED;
	if (sock->flags & SF_SK_ORPHAN)
		s.flags |= SF_F_ORPHAN;
	fill_role(sock, &s);
	*ret = s;
}

const char *sf_timer_name(unsigned int timer)
{
	return timer < ARRAY_SIZE(timer_names) ? timer_names[timer] : NULL;
}
