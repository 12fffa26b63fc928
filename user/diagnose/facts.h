/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules ask for, each a bit, worked out once per socket; and its ages. */
#ifndef SF_DIAGNOSE_FACTS_H
#define SF_DIAGNOSE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct sf_case;
struct sf_sock;

enum sf_fact {
	SF_FACT_TRIES = 1U << 0,       /* repeated at least once without an answer */
	SF_FACT_TRIES_MANY = 1U << 1,  /* three times or more */
	SF_FACT_PROBE0 = 1U << 2,      /* data waits as the peer's window is shut */
	SF_FACT_PROBES_LOST = 1U << 3, /* three probes or more without an answer */
	SF_FACT_NOTHING_IN = 1U << 4,  /* no segment was ever received */
	SF_FACT_SOFT_ERROR = 1U << 5,  /* ICMP, the route or the neighbour has said why */
	SF_FACT_ORPHAN = 1U << 6,
	SF_FACT_UNACCEPTED = 1U << 7,
	SF_FACT_SEND_QUEUE = 1U << 8,
	SF_FACT_UNREAD = 1U << 9,
	SF_FACT_OWN_WINDOW_SHUT = 1U << 10, /* the peer may not send a segment */
	SF_FACT_KEEPALIVE = 1U << 11,
	SF_FACT_TIMER = 1U << 12,
	SF_FACT_PEER_HERE = 1U << 13,
	SF_FACT_PEER_UNREAD = 1U << 14,
	SF_FACT_LISTENER_HERE = 1U << 15,
	SF_FACT_LISTENER_FULL = 1U << 16, /* its own, or itself */
	SF_FACT_LISTENER_DEFERS = 1U << 17,
	SF_FACT_LISTENER_FLOODED = 1U << 18, /* half-open handshakes by the dozen */
	SF_FACT_ACKS_COME = 1U << 19,	     /* something was acknowledged while this is repeated */
	SF_FACT_MANY_ALIKE = 1U << 20,
	SF_FACT_ALIKE_GROW = 1U << 27,	  /* more than when the watch began, none was closed */
	SF_FACT_LARGE_UNACKED = 1U << 28, /* small segments were acknowledged, full ones are not */
	SF_FACT_TIMEWAIT_SOCKET = 1U << 21,
	SF_FACT_NOT_LEAVING = 1U << 22,		/* data waits though the peer's window is open */
	SF_FACT_PEER_CLOSE_WAIT = 1U << 23,	/* the other end has our FIN and sent none */
	SF_FACT_REFUSED_HERE = 1U << 24,	/* what is repeated does not leave this host */
	SF_FACT_HELD_HERE = 1U << 25,		/* nor was any of it handed down */
	SF_FACT_NO_ROUTE = 1U << 26,		/* refused here, as the routes of this host say */
	SF_FACT_LISTENER_MAYBE_FULL = 1U << 29, /* it is one of several, of which some are */
	SF_FACT_SNDBUF_LIMITED = 1U << 30,	/* its send buffer holds it up, most of the time */
	SF_FACT_LOSS_LIMITED = 1U << 31,	/* losses keep its congestion window filled */
};

enum sf_age {
	SF_AGE_NONE,
	SF_AGE_CONNECT,	    /* since the first SYN */
	SF_AGE_HANDSHAKE,   /* since the first SYN+ACK */
	SF_AGE_REPEATED,    /* since what is repeated was first sent */
	SF_AGE_QUIET,	    /* since the peer last sent anything */
	SF_AGE_RECEIVED,    /* since data last came */
	SF_AGE_UNREAD,	    /* and nothing was read of what waits */
	SF_AGE_PEER_UNREAD, /* the same at the other end, while we wait to send */
	SF_AGE_SENT,	    /* since data was last sent */
	SF_AGE_IDLE,	    /* since anything came or went */
	SF_AGE_WAIT,	    /* of the oldest that waits for accept() */
	SF_AGE_LIMITED,	    /* how long its send buffer held it up, in all */
	SF_AGE_BUSY,	    /* how long it had something to send, in all */
};

/* Facts that a socket alone does not tell: they take its peer, its listener, its process. */
#define SF_FACTS_OF_OTHERS                                                             \
	(SF_FACT_PEER_HERE | SF_FACT_PEER_UNREAD | SF_FACT_PEER_CLOSE_WAIT |           \
	 SF_FACT_LISTENER_HERE | SF_FACT_LISTENER_FULL | SF_FACT_LISTENER_DEFERS |     \
	 SF_FACT_LISTENER_FLOODED | SF_FACT_LISTENER_MAYBE_FULL | SF_FACT_MANY_ALIKE | \
	 SF_FACT_ALIKE_GROW)

uint32_t sf_facts(const struct sf_case *c);
/* Whether the socket alone tells this age. */
bool sf_age_is_own(enum sf_age age);
/* False if not known. *ret_is_minimum: it may be older. */
bool sf_age_ms(const struct sf_case *c, enum sf_age age, uint64_t *ret_ms, bool *ret_is_minimum);

/* Whether a reader that is slow would look the same, as when it last read is not known. */
bool sf_age_is_unsure(const struct sf_case *c, enum sf_age age);
/* Since its process last read, about. False if not known, or if it never has. */
bool sf_read_age_ms(const struct sf_sock *sock, uint64_t *ret_ms);

#endif
