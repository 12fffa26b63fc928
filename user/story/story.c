// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What follows from a story: who is client and server, the wire id, and the
 * durations between steps. A step that is 0 was not seen; two steps in the
 * wrong order prove nothing. Called by filter, diagnose, view and sink.
 */
#include "story/story.h"

#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/util.h"
#include "bpf/story.h"
#include "story/names.h"

/* From begin to end; both 0 when not known. */
struct span {
	uint64_t begin_ns;
	uint64_t end_ns;
};

static bool span_length(struct span span, uint64_t *ret_ns)
{
	if (!span.begin_ns || span.end_ns < span.begin_ns)
		return false;
	*ret_ns = span.end_ns - span.begin_ns;
	return true;
}

/* The earlier of two times of which either may be 0, not known. */
static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns && b_ns ? sf_min_u64(a_ns, b_ns) : a_ns | b_ns;
}

static bool is_begin_unseen(const struct sf_story *s)
{
	return s->flags & (SF_F_BEGIN_UNSEEN | SF_F_BEGIN_LOST);
}

/* The wildcard is no end of a connection; a listener's own address it may be. */
static bool take_end(const struct sf_story *s, const uint8_t addr[16], uint16_t port,
		     struct sf_endpoint *ret)
{
	if (!(s->flags & SF_F_TUPLE_KNOWN))
		return false;
	if (sf_addr_is_any(addr) && s->role != SF_ROLE_LISTENER)
		return false;
	memcpy(ret->addr, addr, sizeof(ret->addr));
	ret->port = port;
	return true;
}

bool sf_story_local(const struct sf_story *s, struct sf_endpoint *ret)
{
	return take_end(s, s->local_addr, s->local_port, ret);
}

bool sf_story_peer(const struct sf_story *s, struct sf_endpoint *ret)
{
	return s->role != SF_ROLE_LISTENER && take_end(s, s->peer_addr, s->peer_port, ret);
}

bool sf_story_client(const struct sf_story *s, struct sf_endpoint *ret)
{
	switch (s->role) {
	case SF_ROLE_CLIENT:
		return sf_story_local(s, ret);
	case SF_ROLE_SERVER:
		return sf_story_peer(s, ret);
	default:
		return false;
	}
}

bool sf_story_server(const struct sf_story *s, struct sf_endpoint *ret)
{
	switch (s->role) {
	case SF_ROLE_CLIENT:
		return sf_story_peer(s, ret);
	case SF_ROLE_SERVER:
	case SF_ROLE_LISTENER:
		return sf_story_local(s, ret);
	default:
		return false;
	}
}

bool sf_story_service_port(const struct sf_story *s, uint16_t *ret_port)
{
	uint16_t port = 0;

	if (s->role == SF_ROLE_CLIENT)
		port = s->peer_port;
	else if (s->role == SF_ROLE_SERVER || s->role == SF_ROLE_LISTENER)
		port = s->local_port;
	if (!port)
		return false;
	*ret_port = port;
	return true;
}

bool sf_story_wire_family(const struct sf_story *s, int *ret_family)
{
	/* Before the addresses are read, an AF_INET6 socket may turn out to speak IPv4. */
	if (!(s->flags & SF_F_TUPLE_KNOWN))
		return false;
	*ret_family = s->family == AF_INET || s->flags & SF_F_V4MAPPED ? AF_INET : AF_INET6;
	return true;
}

bool sf_story_wire_id(const struct sf_story *s, uint64_t *ret_id)
{
	uint32_t first = s->isn_local, second = s->isn_peer;
	bool is_swapped;

	if (!(s->flags & SF_F_ISN_KNOWN))
		return false;
	switch (s->role) {
	case SF_ROLE_CLIENT:
		is_swapped = false;
		break;
	case SF_ROLE_SERVER:
		is_swapped = true;
		break;
	case SF_ROLE_BOTH:
		is_swapped = first > second;
		break;
	default:
		return false;
	}
	if (is_swapped) {
		first = s->isn_peer;
		second = s->isn_local;
	}
	*ret_id = (uint64_t)first << 32 | second;
	return true;
}

bool sf_story_role_is_inferred(const struct sf_story *s)
{
	return s->role_source >= SF_ROLE_SRC_LISTENER;
}

bool sf_story_handshake_ns(const struct sf_story *s, uint64_t *ret_ns, bool *ret_is_derived)
{
	enum sf_step begin, end = SF_STEP_ESTABLISHED;

	switch (s->role) {
	case SF_ROLE_CLIENT:
	case SF_ROLE_BOTH:
		begin = SF_STEP_SYN_SENT;
		if (s->step_ns[SF_STEP_SYNACK_RECEIVED])
			end = SF_STEP_SYNACK_RECEIVED;
		break;
	case SF_ROLE_SERVER:
		if (s->flags & SF_F_DEFER_ACCEPT)
			return false;
		begin = s->step_ns[SF_STEP_SYNACK_SENT] ? SF_STEP_SYNACK_SENT :
							  SF_STEP_SYN_RECEIVED;
		break;
	default:
		return false;
	}
	if (!span_length((struct span){ s->step_ns[begin], s->step_ns[end] }, ret_ns))
		return false;
	if (ret_is_derived)
		*ret_is_derived = s->steps_derived & (1ULL << begin | 1ULL << end);
	return true;
}

bool sf_story_accept_wait_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	uint64_t established = s->step_ns[SF_STEP_ESTABLISHED];
	uint64_t accepted = s->step_ns[SF_STEP_ACCEPTED];

	if (!accepted || (!established && !(s->flags & SF_F_FASTOPEN)))
		return false;
	*ret_ns = established && accepted > established ? accepted - established : 0;
	return true;
}

bool sf_story_begin_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	uint64_t begin = 0;

	switch (s->role) {
	case SF_ROLE_CLIENT:
	case SF_ROLE_BOTH:
		begin = earlier(s->step_ns[SF_STEP_CONNECT], s->step_ns[SF_STEP_SYN_SENT]);
		break;
	case SF_ROLE_SERVER:
		begin = earlier(s->step_ns[SF_STEP_SYN_RECEIVED], s->step_ns[SF_STEP_SYNACK_SENT]);
		/* Seen from its middle on, ESTABLISHED would hide how long it took. */
		if (!begin && !is_begin_unseen(s))
			begin = s->step_ns[SF_STEP_ESTABLISHED];
		break;
	case SF_ROLE_LISTENER:
		begin = s->step_ns[SF_STEP_LISTEN];
		break;
	default:
		break;
	}
	if (!begin)
		return false;
	*ret_ns = begin;
	return true;
}

bool sf_story_is_end_unseen(const struct sf_story *s)
{
	return s->cause == SF_CAUSE_FIN && s->closed_by == SF_SIDE_LOCAL &&
	       !s->step_ns[SF_STEP_FIN_RECEIVED] && !s->step_ns[SF_STEP_TIME_WAIT] &&
	       !(s->flags & SF_F_FIN_COUNTED);
}

/*
 * Both FINs tell more than state CLOSE: the kernel shows CLOSE for a closed
 * socket that became a timewait one, before the peer's FIN arrives
 * (net/ipv4/tcp_minisocks.c tcp_time_wait(), then tcp_done()).
 */
bool sf_story_end_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	uint64_t acked = s->step_ns[SF_STEP_FIN_ACKED];
	uint64_t received = s->step_ns[SF_STEP_FIN_RECEIVED];
	uint64_t end;

	if (sf_story_is_end_unseen(s))
		return false;
	if (acked && received)
		end = sf_max_u64(acked, received);
	else if (s->step_ns[SF_STEP_TIME_WAIT])
		end = s->step_ns[SF_STEP_TIME_WAIT];
	else
		end = s->step_ns[SF_STEP_CLOSED];
	if (!end)
		return false;
	*ret_ns = end;
	return true;
}

bool sf_story_duration_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	struct span life;

	return sf_story_begin_ns(s, &life.begin_ns) && sf_story_end_ns(s, &life.end_ns) &&
	       span_length(life, ret_ns);
}

/* The first step of the connection itself; an early socket() or bind() says nothing of it. */
static uint64_t first_step_ns(const struct sf_story *s)
{
	uint64_t first = 0;

	for (int i = SF_STEP_CONNECT; i < SF_STEP_NR; i++)
		first = earlier(first, s->step_ns[i]);
	return first;
}

bool sf_story_age_ns(const struct sf_story *s, uint64_t now_ns, uint64_t *ret_ns,
		     bool *ret_is_minimum)
{
	struct span life = { 0, 0 };
	bool is_minimum = !sf_story_begin_ns(s, &life.begin_ns);

	if (is_minimum)
		life.begin_ns = first_step_ns(s);
	if (!life.begin_ns)
		return false;
	if (!sf_story_end_ns(s, &life.end_ns))
		life.end_ns = now_ns;
	/* Its first step may be younger than the caller's reading of the clock. */
	*ret_ns = life.end_ns > life.begin_ns ? life.end_ns - life.begin_ns : 0;
	*ret_is_minimum = is_minimum;
	return true;
}

/*
 * Which FIN was first. Of a story whose begin was not seen, a FIN may be
 * missing too: there closed_by, which the kernel side read from the states,
 * must agree.
 */
static bool is_closed_by_us(const struct sf_story *s)
{
	uint64_t sent = s->step_ns[SF_STEP_FIN_SENT];
	uint64_t received = s->step_ns[SF_STEP_FIN_RECEIVED];

	return sent && (!received || sent <= received) &&
	       (!is_begin_unseen(s) || s->closed_by == SF_SIDE_LOCAL ||
		s->closed_by == SF_SIDE_BOTH);
}

static bool is_closed_by_peer(const struct sf_story *s)
{
	uint64_t sent = s->step_ns[SF_STEP_FIN_SENT];
	uint64_t received = s->step_ns[SF_STEP_FIN_RECEIVED];

	return received && (!sent || received < sent) &&
	       (!is_begin_unseen(s) || s->closed_by == SF_SIDE_PEER);
}

static uint64_t first_fin_ns(const struct sf_story *s)
{
	if (is_closed_by_us(s))
		return s->step_ns[SF_STEP_FIN_SENT];
	return is_closed_by_peer(s) ? s->step_ns[SF_STEP_FIN_RECEIVED] : 0;
}

bool sf_story_teardown_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	struct span teardown = { .begin_ns = first_fin_ns(s) };

	return sf_story_end_ns(s, &teardown.end_ns) && span_length(teardown, ret_ns);
}

bool sf_story_half_close_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	uint64_t sent = s->step_ns[SF_STEP_FIN_SENT];
	uint64_t received = s->step_ns[SF_STEP_FIN_RECEIVED];
	struct span open = { first_fin_ns(s), sf_max_u64(sent, received) };

	return sent && received && span_length(open, ret_ns);
}

/* When the connection was cut short: reset, killed, timed out; 0 if its FINs ended it. */
static uint64_t cut_off_ns(const struct sf_story *s)
{
	if (s->cause == SF_CAUSE_NONE || s->cause == SF_CAUSE_FIN)
		return 0;
	return s->step_ns[SF_STEP_CLOSED];
}

static struct span span_before_fin(const struct sf_story *s, unsigned int state)
{
	const uint64_t connected =
		earlier(s->step_ns[SF_STEP_CONNECT], s->step_ns[SF_STEP_SYN_SENT]);
	/* In a simultaneous open only the peer's SYN says when SYN_SENT was left. */
	const uint64_t syn_received =
		s->role == SF_ROLE_BOTH ?
			s->step_ns[SF_STEP_SYN_RECEIVED] :
			earlier(s->step_ns[SF_STEP_SYN_RECEIVED], s->step_ns[SF_STEP_SYNACK_SENT]);
	const uint64_t established = s->step_ns[SF_STEP_ESTABLISHED];
	const uint64_t closed = s->step_ns[SF_STEP_CLOSED];

	switch (state) {
	case SF_TCP_LISTEN:
		/* An accepted connection has its listener's step. */
		if (s->role != SF_ROLE_LISTENER)
			return (struct span){ 0, 0 };
		return (struct span){ s->step_ns[SF_STEP_LISTEN], closed };
	case SF_TCP_SYN_SENT:
		/* A simultaneous open goes on to SYN_RECV, not to ESTABLISHED. */
		if (s->role == SF_ROLE_BOTH)
			return (struct span){ connected, syn_received };
		return (struct span){ connected, established ? established : closed };
	case SF_TCP_SYN_RECV:
	case SF_TCP_NEW_SYN_RECV:
		/* A Fast Open child can be closed, FIN sent, before it is established. */
		return (struct span){ syn_received,
				      established ? established :
						    earlier(s->step_ns[SF_STEP_FIN_SENT], closed) };
	case SF_TCP_ESTABLISHED:
		if (s->step_ns[SF_STEP_FIN_SENT] || s->step_ns[SF_STEP_FIN_RECEIVED])
			return (struct span){ established, first_fin_ns(s) };
		return (struct span){ established, closed };
	default:
		return (struct span){ 0, 0 };
	}
}

/* FIN_WAIT_1, FIN_WAIT_2 and CLOSING: our FIN was first, or crossed the peer's. */
static struct span span_active(const struct sf_story *s, unsigned int state)
{
	const uint64_t sent = s->step_ns[SF_STEP_FIN_SENT];
	const uint64_t acked = s->step_ns[SF_STEP_FIN_ACKED];
	const uint64_t received = s->step_ns[SF_STEP_FIN_RECEIVED];
	const bool is_crossed = received && (acked ? received < acked : s->state == SF_TCP_CLOSING);

	if (!is_closed_by_us(s))
		return (struct span){ 0, 0 };
	switch (state) {
	case SF_TCP_FIN_WAIT1:
		if (is_crossed)
			return (struct span){ sent, received };
		if (acked)
			return (struct span){ sent, acked };
		/* The peer's FIN without the ACK of ours: that ACK was not seen. */
		return (struct span){ sent, received ? 0 : cut_off_ns(s) };
	case SF_TCP_FIN_WAIT2:
		if (is_crossed)
			return (struct span){ 0, 0 };
		if (received)
			return (struct span){ acked, received };
		return (struct span){ acked, s->step_ns[SF_STEP_TIME_WAIT] ?
						     s->step_ns[SF_STEP_TIME_WAIT] :
						     cut_off_ns(s) };
	case SF_TCP_CLOSING:
		if (is_crossed)
			return (struct span){ received, acked };
		return (struct span){ 0, 0 };
	default:
		return (struct span){ 0, 0 };
	}
}

/* CLOSE_WAIT and LAST_ACK: the peer's FIN was first. */
static struct span span_passive(const struct sf_story *s, unsigned int state)
{
	const uint64_t sent = s->step_ns[SF_STEP_FIN_SENT];
	const uint64_t acked = s->step_ns[SF_STEP_FIN_ACKED];
	const uint64_t closed = s->step_ns[SF_STEP_CLOSED];

	if (!is_closed_by_peer(s))
		return (struct span){ 0, 0 };
	if (state == SF_TCP_CLOSE_WAIT)
		return (struct span){ s->step_ns[SF_STEP_FIN_RECEIVED], sent ? sent : closed };
	return (struct span){ sent, acked ? acked : closed };
}

/* When a state was entered and left; begin 0: not known, end 0: not left, or not known. */
static struct span state_span(const struct sf_story *s, unsigned int state)
{
	switch (state) {
	case SF_TCP_FIN_WAIT1:
	case SF_TCP_FIN_WAIT2:
	case SF_TCP_CLOSING:
		return span_active(s, state);
	case SF_TCP_CLOSE_WAIT:
	case SF_TCP_LAST_ACK:
		return span_passive(s, state);
	case SF_TCP_TIME_WAIT:
		return (struct span){ s->step_ns[SF_STEP_TIME_WAIT],
				      s->step_ns[SF_STEP_TIME_WAIT_END] };
	case SF_TCP_CLOSE:
		return (struct span){ s->step_ns[SF_STEP_CLOSED], 0 };
	default:
		return span_before_fin(s, state);
	}
}

bool sf_story_state_ns(const struct sf_story *s, unsigned int state, uint64_t *ret_ns)
{
	return span_length(state_span(s, state), ret_ns);
}

bool sf_story_state_since_ns(const struct sf_story *s, uint64_t *ret_ns)
{
	uint64_t begin = state_span(s, s->state).begin_ns;

	if (!begin)
		return false;
	*ret_ns = begin;
	return true;
}
