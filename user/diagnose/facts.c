// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts and ages of one socket, from its record and those that it is tied to. */
#include "diagnose/facts.h"

#include <errno.h>

#include "base/util.h"
#include "diagnose/diagnose.h"
#include "story/names.h"
#include "story/sock.h"

#define MANY_TRIES 3
#define MANY_ALIKE 16
#define MANY_HALF_OPEN 64
/* Of a hundred segments so many that are sent again slow a connection down, of enough of them. */
#define LOSS_PCT 2
#define LEAST_LOSSES 10
/* Below the smallest segment that hosts agree on (RFC 9293 3.7.1) a sender waits. */
#define LEAST_WINDOW 536

static uint32_t fact(bool holds, enum sf_fact which)
{
	return holds ? which : 0;
}

static uint64_t ticks_ms(const struct sf_case *c, uint32_t ticks)
{
	return (uint64_t)ticks * 1000 / c->hz;
}

static bool has_ages(const struct sf_case *c, const struct sf_sock *s)
{
	return c->hz && s->flags & SF_SK_HAS_AGES;
}

/*
 * Data waits, none is under way: the timer probes (net/ipv4/tcp_timer.c
 * tcp_probe_timer()). That is so when the peer's window takes no segment, and
 * also when none can be sent: what is refused on its way out, as by a packet
 * filter, is not counted as sent (tcp_output.c tcp_write_xmit()).
 */
static bool probes(const struct sf_sock *s)
{
	return s->timer == SF_TIMER_PROBE0 && !s->unacked_segs && sf_sock_not_sent(s);
}

static bool is_window_open(const struct sf_sock *s)
{
	return s->snd_wnd != SF_WND_UNKNOWN &&
	       (s->snd_wnd >= sf_sock_not_sent(s) || s->snd_wnd >= UINT16_MAX);
}

/*
 * A segment counts as under way again only if what lies below took it
 * (net/ipv4/tcp_output.c tcp_retransmit_skb()), as a packet filter, a full
 * qdisc or a missing route do not. The count falls to 0 when the timer fires and
 * rises in the same breath.
 */
static bool is_refused_here(const struct sf_sock *s)
{
	return s->timer == SF_TIMER_RETRANSMIT && s->tries && s->unacked_segs && !s->repeated_segs;
}

/*
 * Nor was any copy handed down: without a route, or as the first one is still
 * on this host, in a queue or waiting for the address of the next hop
 * (__tcp_retransmit_skb()).
 */
static bool is_held_here(const struct sf_sock *s)
{
	return is_refused_here(s) && !s->retransmits;
}

/*
 * An error that a router's ICMP can leave too (net/ipv4/icmp.c
 * icmp_err_convert[]) is the route's where nothing leaves: no route, or one that
 * is "prohibit" or "blackhole" (fib_props[]). Not EHOSTUNREACH: a neighbour that
 * fails leaves that as well, and its segments wait.
 */
static bool has_no_route(const struct sf_sock *s)
{
	return is_refused_here(s) && s->soft_err && s->soft_err != EHOSTUNREACH;
}

/* Acknowledgements arrived after what is repeated was sent: the path is not dead. */
static bool acks_come(const struct sf_case *c)
{
	const struct sf_sock *s = c->sock;

	return has_ages(c, s) && (s->flags & SF_SK_HAS_RETRANS) && s->since_retrans_ms > 1000 &&
	       ticks_ms(c, s->ack_age_ticks) < s->since_retrans_ms / 2;
}

/*
 * What has arrived was small on the average, and all that is under way but one
 * segment is full. One byte acknowledged may be the SYN.
 */
static bool is_large_unacked(const struct sf_sock *s)
{
	uint32_t under_way = s->snd_nxt - s->snd_una;

	return s->mss_bytes && s->delivered_segs && s->unacked_segs && s->bytes_acked > 1 &&
	       s->bytes_acked / s->delivered_segs < s->mss_bytes / 2 && under_way >= s->mss_bytes &&
	       under_way > (uint64_t)(s->unacked_segs - 1) * s->mss_bytes;
}

/*
 * Of the time in which the send buffer was full the kernel counts only that in
 * which neither window held anything back (net/ipv4/tcp_output.c tcp_cwnd_validate()).
 */
static bool is_sndbuf_limited(const struct sf_sock *s)
{
	return sf_sock_send_queue(s) && s->sndbuf_limited_ticks > s->busy_ticks / 2;
}

/*
 * Data waits for the congestion window, and what is lost keeps that small. A
 * part of the window may stay free for a while (tcp_tso_should_defer()).
 */
static bool is_loss_limited(const struct sf_sock *s)
{
	return sf_sock_not_sent(s) && s->cwnd_segs && s->unacked_segs >= s->cwnd_segs / 2 &&
	       s->retransmits >= LEAST_LOSSES &&
	       (uint64_t)s->retransmits * 100 >= (uint64_t)s->segments_sent * LOSS_PCT;
}

/* One of several, which is not known: only what is true of all of them is true of it. */
static uint32_t facts_of_listeners(const struct sf_case *c)
{
	return fact(c->nr_listeners, SF_FACT_LISTENER_HERE) |
	       fact(c->nr_listeners && c->nr_listeners_full == c->nr_listeners,
		    SF_FACT_LISTENER_FULL) |
	       fact(c->nr_listeners_full && c->nr_listeners_full < c->nr_listeners,
		    SF_FACT_LISTENER_MAYBE_FULL);
}

static uint32_t facts_of_listener(const struct sf_case *c)
{
	const struct sf_sock *l = c->sock->state == SF_TCP_LISTEN ? c->sock : c->listener;

	if (!l)
		return facts_of_listeners(c);
	return SF_FACT_LISTENER_HERE | fact(sf_sock_is_full(l), SF_FACT_LISTENER_FULL) |
	       fact(l->flags & SF_SK_DEFER_ACCEPT, SF_FACT_LISTENER_DEFERS) |
	       fact(l->half_open >= MANY_HALF_OPEN, SF_FACT_LISTENER_FLOODED);
}

uint32_t sf_facts(const struct sf_case *c)
{
	const struct sf_sock *s = c->sock;

	return fact(s->tries, SF_FACT_TRIES) | fact(s->tries >= MANY_TRIES, SF_FACT_TRIES_MANY) |
	       fact(probes(s) && !is_window_open(s), SF_FACT_PROBE0) |
	       fact(probes(s) && is_window_open(s), SF_FACT_NOT_LEAVING) |
	       fact(s->probes >= MANY_TRIES, SF_FACT_PROBES_LOST) |
	       fact(!s->segments_received, SF_FACT_NOTHING_IN) |
	       fact(s->soft_err, SF_FACT_SOFT_ERROR) |
	       fact(s->flags & SF_SK_ORPHAN, SF_FACT_ORPHAN) |
	       fact(s->flags & SF_SK_UNACCEPTED, SF_FACT_UNACCEPTED) |
	       fact(sf_sock_send_queue(s), SF_FACT_SEND_QUEUE) |
	       fact(sf_sock_receive_queue(s), SF_FACT_UNREAD) |
	       fact(s->rcv_wnd < LEAST_WINDOW, SF_FACT_OWN_WINDOW_SHUT) |
	       fact(s->flags & SF_SK_KEEPALIVE, SF_FACT_KEEPALIVE) |
	       fact(s->timer != SF_TIMER_NONE, SF_FACT_TIMER) | fact(c->peer, SF_FACT_PEER_HERE) |
	       fact(c->peer && sf_sock_receive_queue(c->peer), SF_FACT_PEER_UNREAD) |
	       fact(acks_come(c), SF_FACT_ACKS_COME) |
	       fact(is_large_unacked(s), SF_FACT_LARGE_UNACKED) |
	       fact(c->nr_alike >= MANY_ALIKE, SF_FACT_MANY_ALIKE) |
	       fact(c->is_watched && c->nr_alike > c->nr_alike_first && !c->closes_some,
		    SF_FACT_ALIKE_GROW) |
	       fact(s->state == SF_TCP_TIME_WAIT, SF_FACT_TIMEWAIT_SOCKET) |
	       fact(c->peer && c->peer->state == SF_TCP_CLOSE_WAIT, SF_FACT_PEER_CLOSE_WAIT) |
	       fact(is_refused_here(s), SF_FACT_REFUSED_HERE) |
	       fact(has_no_route(s), SF_FACT_NO_ROUTE) | fact(is_held_here(s), SF_FACT_HELD_HERE) |
	       fact(is_sndbuf_limited(s), SF_FACT_SNDBUF_LIMITED) |
	       fact(is_loss_limited(s), SF_FACT_LOSS_LIMITED) | facts_of_listener(c);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool age_in_ticks(const struct sf_sock *s, enum sf_age age, uint32_t *ret)
{
	switch (age) {
	case SF_AGE_QUIET:
		*ret = least(s->received_age_ticks, s->ack_age_ticks);
		return true;
	case SF_AGE_RECEIVED:
		*ret = s->received_age_ticks;
		return true;
	case SF_AGE_SENT:
		*ret = s->sent_age_ticks;
		return true;
	case SF_AGE_LIMITED:
		*ret = s->sndbuf_limited_ticks;
		return true;
	case SF_AGE_BUSY:
		*ret = s->busy_ticks;
		return true;
	case SF_AGE_IDLE:
		*ret = least(s->sent_age_ticks, least(s->received_age_ticks, s->ack_age_ticks));
		return true;
	default:
		return false;
	}
}

static bool has_never_read(const struct sf_sock *s)
{
	return s->bytes_received <= sf_sock_receive_queue(s);
}

bool sf_read_age_ms(const struct sf_sock *sock, uint64_t *ret_ms)
{
	if (!(sock->flags & SF_SK_HAS_READ_AGE) || has_never_read(sock))
		return false;
	*ret_ms = sock->read_age_ms;
	return true;
}

/*
 * How long at least nothing was read of what waits. Where a read is noted with the time at which
 * the segment before it came, the next one would have made it a later one. While the window is
 * shut these are the peer's probes, each at twice the distance of the one before
 * (net/ipv4/tcp_output.c tcp_send_probe0()): it read before the wait was twice as long as noted.
 */
static uint64_t unread_ms(const struct sf_case *c, const struct sf_sock *s)
{
	uint64_t waits_ms = ticks_ms(c, s->received_age_ticks), read_ms;

	if (!sf_read_age_ms(s, &read_ms) || read_ms >= waits_ms)
		return waits_ms;
	return sf_max_u64(2 * read_ms, waits_ms) - waits_ms;
}

bool sf_age_is_unsure(const struct sf_case *c, enum sf_age age)
{
	const struct sf_sock *reader = age == SF_AGE_PEER_UNREAD ? c->peer : c->sock;

	return (age == SF_AGE_UNREAD || age == SF_AGE_PEER_UNREAD) && reader &&
	       !(reader->flags & SF_SK_HAS_READ_AGE) && !has_never_read(reader);
}

bool sf_age_is_own(enum sf_age age)
{
	return age == SF_AGE_REPEATED || age == SF_AGE_RECEIVED || age == SF_AGE_SENT ||
	       age == SF_AGE_IDLE || age == SF_AGE_LIMITED || age == SF_AGE_BUSY;
}

/* What the socket itself tells, whatever was watched. */
static bool own_age_ms(const struct sf_case *c, enum sf_age age, uint64_t *ret_ms)
{
	const struct sf_sock *s = c->sock;
	uint32_t ticks;

	switch (age) {
	case SF_AGE_NONE:
		return false;
	case SF_AGE_CONNECT:
	case SF_AGE_REPEATED:
		*ret_ms = s->since_retrans_ms;
		return s->flags & SF_SK_HAS_RETRANS;
	case SF_AGE_HANDSHAKE:
		*ret_ms = s->since_synack_us / 1000;
		return s->since_synack_us;
	case SF_AGE_WAIT:
		*ret_ms = c->oldest_wait_ms;
		return c->oldest_wait_ms;
	case SF_AGE_UNREAD:
		if (!has_ages(c, s))
			return false;
		*ret_ms = unread_ms(c, s);
		return true;
	case SF_AGE_PEER_UNREAD:
		if (!has_ages(c, s) || !c->peer || !has_ages(c, c->peer))
			return false;
		*ret_ms = sf_min_u64(ticks_ms(c, s->sent_age_ticks), unread_ms(c, c->peer));
		return true;
	default:
		/* A TIME_WAIT socket knows when it became one, no more. */
		if (s->state == SF_TCP_TIME_WAIT) {
			*ret_ms = s->since_retrans_ms;
			return s->flags & SF_SK_HAS_RETRANS;
		}
		if (!has_ages(c, s) || !age_in_ticks(s, age, &ticks))
			return false;
		*ret_ms = ticks_ms(c, ticks);
		return true;
	}
}

/* How long it was seen in its state without progress: half closed, data may go the other way. */
static uint64_t watched_still_ms(const struct sf_case *c)
{
	const struct sf_sock *s = c->sock;

	if (!has_ages(c, s))
		return c->watched_ms;
	return sf_min_u64(c->watched_ms,
			  ticks_ms(c, least(s->sent_age_ticks, s->received_age_ticks)));
}

bool sf_age_ms(const struct sf_case *c, enum sf_age age, uint64_t *ret_ms, bool *ret_is_minimum)
{
	uint64_t ms = 0;
	uint64_t watched_ms = 0;
	bool is_own = own_age_ms(c, age, &ms);

	/* How long it was seen in its state says something only where the state is the trouble. */
	if (age == SF_AGE_QUIET || age == SF_AGE_CONNECT || age == SF_AGE_HANDSHAKE)
		watched_ms = watched_still_ms(c);
	if (!is_own && !watched_ms)
		return false;
	*ret_is_minimum = !is_own || (c->sock->flags & SF_SK_PARTIAL) ||
			  (age != SF_AGE_CONNECT && age != SF_AGE_HANDSHAKE);
	*ret_ms = sf_max_u64(ms, watched_ms);
	return true;
}
