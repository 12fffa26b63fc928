/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what is known of one socket to a verdict: which rule it meets, since
 * when, whose fault, on what evidence, what to do. The rules are rows of one
 * table (rules.c, rules_open.c): a row holds if the socket is in one of its states, has all
 * facts it needs and none it excludes, for at least its time. The first row that
 * holds counts. Pure: no I/O, no clock, no allocation.
 */
#ifndef SF_DIAGNOSE_DIAGNOSE_H
#define SF_DIAGNOSE_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sock.h"

enum sf_blame {
	SF_BLAME_UNDETERMINED, /* the evidence conflicts, or there is none */
	SF_BLAME_LOCAL_APP,
	SF_BLAME_PEER_APP,
	SF_BLAME_NETWORK,
	SF_BLAME_CONFIG,
	SF_BLAME_KERNEL,
	SF_BLAME_NR,
};

enum sf_confidence {
	SF_CONFIDENCE_LOW,
	SF_CONFIDENCE_MEDIUM,
	SF_CONFIDENCE_HIGH,
	SF_CONFIDENCE_NR,
};

/* How long something must last before it is called stuck; each an option. */
enum sf_threshold {
	SF_THRESHOLD_NONE, /* at once: the facts alone say it */
	SF_THRESHOLD_SYN_SENT,
	SF_THRESHOLD_SYN_RECV,
	SF_THRESHOLD_ACCEPT,
	SF_THRESHOLD_UNACKED,
	SF_THRESHOLD_ZERO_WINDOW,
	SF_THRESHOLD_UNREAD,
	SF_THRESHOLD_LIMITED,
	SF_THRESHOLD_FIN, /* FIN_WAIT1, CLOSING, LAST_ACK */
	SF_THRESHOLD_FIN_WAIT2,
	SF_THRESHOLD_CLOSE_WAIT,
	SF_THRESHOLD_IDLE,
	SF_THRESHOLD_NR,
};

struct sf_thresholds {
	uint64_t ms[SF_THRESHOLD_NR];
	uint32_t ports_pct; /* of the ports for a destination: so many in use are told */
};

/* A number that a verdict rests on. */
enum sf_evidence_id {
	SF_EVIDENCE_NONE,
	SF_EVIDENCE_TRIES,
	SF_EVIDENCE_UNDER_WAY,
	SF_EVIDENCE_PROBES,
	SF_EVIDENCE_BACKOFF,
	SF_EVIDENCE_TIMER,
	SF_EVIDENCE_NO_TIMER,
	SF_EVIDENCE_SEND_QUEUE,
	SF_EVIDENCE_ACKED,
	SF_EVIDENCE_MSS,
	SF_EVIDENCE_NOT_SENT,
	SF_EVIDENCE_RECEIVE_QUEUE,
	SF_EVIDENCE_PEER_WINDOW,
	SF_EVIDENCE_OWN_WINDOW,
	SF_EVIDENCE_SENT_AGE,
	SF_EVIDENCE_RECEIVED_AGE,
	SF_EVIDENCE_READ_AGE,
	SF_EVIDENCE_PEER_READ_AGE,
	SF_EVIDENCE_ACK_AGE,
	SF_EVIDENCE_SEGMENTS_RECEIVED,
	SF_EVIDENCE_SOFT_ERROR,
	SF_EVIDENCE_ACCEPT_QUEUE,
	SF_EVIDENCE_BACKLOG,
	SF_EVIDENCE_DROPS,
	SF_EVIDENCE_OLDEST_WAIT,
	SF_EVIDENCE_HALF_OPEN,
	SF_EVIDENCE_ALIKE,
	SF_EVIDENCE_GROWTH,
	SF_EVIDENCE_HOLDERS,
	SF_EVIDENCE_PEER_RECEIVE_QUEUE,
	SF_EVIDENCE_LISTENERS,
	SF_EVIDENCE_LISTENERS_FULL,
	SF_EVIDENCE_SNDBUF_LIMITED,
	SF_EVIDENCE_BUSY,
	SF_EVIDENCE_SEND_BUFFER,
	SF_EVIDENCE_CWND,
	SF_EVIDENCE_RETRANSMITS,
	SF_EVIDENCE_SEGMENTS_SENT,
	SF_EVIDENCE_PORTS_USED,
	SF_EVIDENCE_PORTS_TIME_WAIT,
	SF_EVIDENCE_PORTS_REUSABLE,
	SF_EVIDENCE_PORTS_FREE,
	SF_EVIDENCE_NR,
};

#define SF_EVIDENCE_MAX 5

/* How the number is to be written. */
enum sf_unit {
	SF_UNIT_COUNT,
	SF_UNIT_BYTES,
	SF_UNIT_MS,
	SF_UNIT_ERRNO,
	SF_UNIT_FLAG, /* the label says it all */
};

struct sf_evidence {
	uint64_t value;
	enum sf_evidence_id id;
};

/* How an evidence is called: in JSON (its unit at the end), and before or after its number. */
struct sf_evidence_kind {
	const char *name;
	const char *label;
	enum sf_unit unit;
};

extern const struct sf_evidence_kind sf_evidence_kinds[SF_EVIDENCE_NR];

/* Who holds a socket; pid 0: nobody, or not known. */
struct sf_who {
	const uint8_t *comm; /* SF_COMM_LEN bytes, borrowed; NULL = not known */
	uint32_t pid;
	uint32_t nr_processes;
};

/* All that is known of one socket; what it points to is borrowed, NULL = not on this host. */
struct sf_case {
	const struct sf_sock *sock;
	const struct sf_sock *peer;	/* its other end */
	const struct sf_sock *listener; /* which it waits for, or which it calls; not if it is
					   one of several */
	struct sf_who who, peer_who, listener_who;
	uint32_t hz;		    /* ticks per second; 0: no age is known */
	uint32_t nr_listeners;	    /* if it is one of several: how many, */
	uint32_t nr_listeners_full; /* and how many of them take no more */
	uint32_t nr_alike;	    /* CLOSE_WAITs of the same process as old, itself too */
	uint32_t nr_alike_first;    /* as many when the watch began, of any age */
	uint64_t watched_ms;	    /* seen in this very state by watching, at least so long */
	uint64_t oldest_wait_ms;    /* listener: the longest of those that wait for accept() */
	bool is_wait_minimum;	    /* oldest_wait_ms: which of them are its own is not known */
	bool is_watched;	    /* nr_alike_first was counted */
	bool closes_some;	    /* its process has closed others that were stuck like it */
	bool is_elsewhere;	    /* in another network namespace than ours */
};

enum sf_asks {
	SF_ASKS_OWN,	  /* who holds the socket, or listens for it */
	SF_ASKS_PEER,	  /* who holds the other end */
	SF_ASKS_LISTENER, /* who listens where it calls */
};

struct sf_rule {
	const char *name;
	const char *like; /* NULL, or the rule that holds where others of its kind are fewer: a
			     watch does not tell that it is the other one now */
	const char *what; /* a few words for people */
	uint32_t states;  /* 1 << enum sf_tcp_state */
	uint32_t need;	  /* facts, see rules.c */
	uint32_t without;
	enum sf_threshold threshold;
	uint8_t age; /* which age counts, see rules.c */
	uint8_t blame;
	uint8_t confidence;
	bool is_notice; /* not stuck, but worth knowing: changes no exit status */
	uint8_t asks;	/* enum sf_asks: whose {pid} the advice means */
	uint8_t evidence[SF_EVIDENCE_MAX]; /* enum sf_evidence_id */
	const char *sides[2];		   /* of undetermined: what speaks for whom */
	/*
	 * A command with {peer} {pport} {lport} {pid}, then "# why"; in an
	 * expression of ss {ss_peer} and {ss_local}. What cuts names both ends.
	 */
	const char *advice;
};

/* The rows in the order in which they are asked, NULL behind the last. */
const struct sf_rule *sf_rule_at(size_t nr);
/* Not a socket's: of a destination whose ports run out. */
extern const struct sf_rule sf_rule_ports;

struct sf_verdict {
	const struct sf_rule *rule;
	size_t rule_nr; /* its place in the table */
	uint64_t age_ms;
	bool has_age;
	bool is_age_minimum; /* it is at least so old */
	bool is_unsure;	     /* of what it rests on something is not known */
	size_t nr_evidence;
	struct sf_evidence evidence[SF_EVIDENCE_MAX];
	char advice[320];
};

/*
 * Whether a rule may hold for a socket, by what it tells alone: of a hundred thousand most are
 * well, and who they belong to need not be looked up.
 */
bool sf_diagnose_may(const struct sf_sock *sock, uint32_t hz,
		     const struct sf_thresholds *thresholds);
/* True with *ret filled if a rule holds. */
bool sf_diagnose(const struct sf_case *c, const struct sf_thresholds *thresholds,
		 struct sf_verdict *ret);
/* The rule's, one less if it is unsure. */
enum sf_confidence sf_verdict_confidence(const struct sf_verdict *verdict);
/* Whether it is half closed by its peer, and its process has it. */
bool sf_diagnose_is_waiting(const struct sf_sock *sock);
/* And that for long enough to be told, or nobody knows how long: what sf_case.nr_alike counts. */
bool sf_diagnose_waits_long(const struct sf_sock *sock, uint32_t hz,
			    const struct sf_thresholds *thresholds);
/*
 * How long a socket has waited for accept(), at least; of a listener, the first in its queue.
 * False if not known.
 */
bool sf_diagnose_wait_ms(const struct sf_sock *sock, uint32_t hz, uint64_t *ret_ms);
/*
 * The advice of a rule for the case's ends and process. A command that asks the
 * network enters the socket's namespace, if that is another one than ours.
 */
void sf_advice(const struct sf_rule *rule, const struct sf_case *c, char *buf, size_t size);

void sf_thresholds_init(struct sf_thresholds *thresholds);
/*
 * "close_wait=5m,ports=80" for a row of the option table: 0 or -EINVAL with
 * *ret_why, static text. field: a struct sf_thresholds.
 */
int sf_thresholds_parse(const char *text, void *field, const char **ret_why);

const char *sf_blame_name(unsigned int blame);		 /* "local_app" */
const char *sf_confidence_name(unsigned int confidence); /* "high" */

#endif
