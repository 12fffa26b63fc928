/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts derived from one story: pure functions, no clock, no I/O. Each returns
 * false when the story does not prove the fact, and then leaves *ret alone;
 * views, sinks and diagnosis show such a fact as absent, never as 0.
 * Times are nanoseconds, durations unless called since or begin.
 */
#ifndef SF_STORY_STORY_H
#define SF_STORY_STORY_H

#include <stdbool.h>
#include <stdint.h>

struct sf_story;

/* One end of a connection. */
struct sf_endpoint {
	uint8_t addr[16]; /* network byte order, IPv4 as v4-mapped */
	uint16_t port;	  /* host byte order, 0 = not known */
};

/*
 * The host's view. False until the addresses were read from the socket
 * (SF_F_TUPLE_KNOWN) and while one is the wildcard; of a listener that is a
 * fact, and it has no peer.
 */
bool sf_story_local(const struct sf_story *story, struct sf_endpoint *ret);
bool sf_story_peer(const struct sf_story *story, struct sf_endpoint *ret);
/*
 * The ends by role. A listener is a server without a client; of role both and
 * unknown neither end is more client than the other, so there is none.
 */
bool sf_story_client(const struct sf_story *story, struct sf_endpoint *ret);
bool sf_story_server(const struct sf_story *story, struct sf_endpoint *ret);
/* The server's port, host byte order, by the same rule; needs no address. */
bool sf_story_service_port(const struct sf_story *story, uint16_t *ret_port);
/*
 * AF_INET or AF_INET6 as on the wire: an AF_INET6 socket that speaks IPv4 is
 * AF_INET. A listener on [::] counts as AF_INET6, as in ss(8).
 */
bool sf_story_wire_family(const struct sf_story *story, int *ret_family);

/*
 * Equal on both ends, across NAT too: the client's initial sequence number in
 * the upper 32 bits, the server's in the lower. Role both: the lower first.
 */
bool sf_story_wire_id(const struct sf_story *story, uint64_t *ret_id);
/* True if the role was concluded from ports, not seen. */
bool sf_story_role_is_inferred(const struct sf_story *story);

/*
 * Client and both: SYN sent to SYN+ACK received, or to ESTABLISHED where that
 * was not seen. Server: SYN+ACK sent (or SYN received) to ESTABLISHED; not with
 * TCP_DEFER_ACCEPT, which drops the ACK and waits for data
 * (net/ipv4/tcp_minisocks.c tcp_check_req()). *ret_is_derived, if not NULL:
 * one of the two times was computed, not taken.
 */
bool sf_story_handshake_ns(const struct sf_story *story, uint64_t *ret_ns, bool *ret_is_derived);
/*
 * ESTABLISHED to accept() returned. 0 if accept() was first: TCP Fast Open, and
 * a busy acceptor, which can take the child out of the queue before the kernel
 * marks it established (inet_csk_complete_hashdance() precedes tcp_child_process()).
 */
bool sf_story_accept_wait_ns(const struct sf_story *story, uint64_t *ret_ns);

/*
 * When the connection began: client and both: connect() or SYN sent. Server:
 * SYN received, SYN+ACK sent or else ESTABLISHED. Listener: listen().
 */
bool sf_story_begin_ns(const struct sf_story *story, uint64_t *ret_ns);
/*
 * We closed first, and no hook tells what becomes of a timewait socket that
 * waits for the peer's FIN: state CLOSE is the socket's end, not the connection's.
 */
bool sf_story_is_end_unseen(const struct sf_story *story);
/*
 * When it ended: both FINs done (TIME_WAIT is not part of its life), or else
 * state CLOSE. False also where the end was not seen.
 */
bool sf_story_end_ns(const struct sf_story *story, uint64_t *ret_ns);
/* Begin to end. */
bool sf_story_duration_ns(const struct sf_story *story, uint64_t *ret_ns);
/*
 * Begin to end, or to now (CLOCK_BOOTTIME) while it lives. Where the begin was
 * not seen, the time since the first step that was, with *ret_is_minimum set.
 */
bool sf_story_age_ns(const struct sf_story *story, uint64_t now_ns, uint64_t *ret_ns,
		     bool *ret_is_minimum);
/* First FIN, from either side, to the end. */
bool sf_story_teardown_ns(const struct sf_story *story, uint64_t *ret_ns);
/* First FIN to the other side's FIN. */
bool sf_story_half_close_ns(const struct sf_story *story, uint64_t *ret_ns);

/*
 * Time spent in a state (enum sf_tcp_state) that was entered and left. The two
 * numbers of SYN_RECV are one state. TIME_WAIT has a time once it has ended.
 */
bool sf_story_state_ns(const struct sf_story *story, unsigned int state, uint64_t *ret_ns);
/* When the present state was entered (CLOCK_BOOTTIME). */
bool sf_story_state_since_ns(const struct sf_story *story, uint64_t *ret_ns);

#endif
