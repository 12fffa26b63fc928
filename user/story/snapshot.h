/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of this host at one moment, and what they say together: who
 * holds one, where its other end is, which listener it belongs to, what role
 * it has. Owns the records; user/kernel/snapshot.h fills it. No I/O.
 */
#ifndef SF_STORY_SNAPSHOT_H
#define SF_STORY_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sock.h"

/* Facts of a network namespace; has_*: whether they could be read. */
struct sf_netns {
	uint32_t inode;
	uint32_t nr_addrs;
	uint32_t somaxconn;
	uint32_t tw_reuse; /* tcp_tw_reuse, 0 without tcp_timestamps: 1 = all, 2 = loopback only */
	uint32_t tw_reuse_delay_ms;
	uint16_t port_min; /* ip_local_port_range, both ends in it */
	uint16_t port_max;
	uint64_t listen_overflows; /* /proc/net/netstat, since the namespace is there */
	uint64_t listen_drops;
	/* ip_local_reserved_ports, a bit per port, 0 first; NULL = none; owned */
	uint8_t *reserved;
	uint8_t (*addrs)[16]; /* of its interfaces; owned */
	bool has_somaxconn;
	bool has_port_range;
	bool has_overflows;
	bool has_tw_reuse;
};

struct sf_snapshot {
	struct sf_sock *socks;
	size_t nr_socks;
	struct sf_holder *holders; /* sorted by socket, then by pid and descriptor */
	size_t nr_holders;
	struct sf_netns *netns;
	size_t nr_netns;
	uint64_t time_ns;    /* CLOCK_BOOTTIME when it was complete */
	uint32_t hz;	     /* the kernel's ticks per second, 0 = not known */
	uint32_t own_netns;  /* inode number of the caller's */
	size_t nr_bad;	     /* records left out as they were not as expected */
	size_t nr_missed_ns; /* namespaces that could not be entered */

	/* Private: indexes into socks. */
	uint32_t *by_tuple;  /* hash table, index + 1, 0 = empty */
	size_t tuple_slots;  /* a power of two */
	uint32_t *listeners; /* sorted by port */
	size_t nr_listeners;
	uint32_t *listener_pids; /* who holds them, sorted: a pid for each listener */
	size_t nr_listener_pids;
	size_t socks_bytes; /* allocated */
	size_t holders_bytes;
};

/* A run of holders of one socket, borrowed. */
struct sf_holders {
	const struct sf_holder *first; /* NULL if there is none */
	/*
	 * Whom to name if one is: the first; of a listener who holds the fewest of them, as a
	 * parent that only keeps it open for its services, like pid 1, has theirs all.
	 */
	const struct sf_holder *named;
	size_t nr;
	size_t nr_processes;
};

#define SF_ANY_IF UINT32_MAX

/* Where something comes to. */
struct sf_end {
	uint8_t addr[16];
	uint32_t netns;
	uint32_t bound_if; /* interface, 0 = any, SF_ANY_IF = not known */
	uint16_t port;
};

/* Listeners that take what comes to one end: several if they share it by SO_REUSEPORT. */
struct sf_listening {
	const struct sf_sock *one; /* NULL: there is none, or which of several is not known */
	size_t nr;
	size_t nr_full; /* whose accept queue is full */

	/* Private. */
	struct sf_end end;
	int rank; /* 0: all that fit */
};

void sf_netns_clear(struct sf_netns *ns);
void sf_snapshot_clear(struct sf_snapshot *snap);

/*
 * When all records are there: leaves out bad and double ones, sorts and
 * indexes. 0 or -ENOMEM. After it the records may not change.
 */
int sf_snapshot_index(struct sf_snapshot *snap);
/* Its part that is about holders, once the sockets have theirs. For sf_snapshot_index() only. */
int sf_snapshot_index_holders(struct sf_snapshot *snap);

struct sf_holders sf_snapshot_holders(const struct sf_snapshot *snap, const struct sf_sock *sock);
const struct sf_netns *sf_snapshot_netns(const struct sf_snapshot *snap, uint32_t inode);
/*
 * The other end, if it is on this host: the ends are each other's addresses
 * and ports, and their sequence numbers agree. Of a socket in SYN_SENT the
 * numbers do not count, as an old socket in its way has others. NULL if none.
 */
const struct sf_sock *sf_snapshot_peer(const struct sf_snapshot *snap, const struct sf_sock *sock);
/*
 * The listeners that the kernel would ask for what comes to an end: those that
 * fit it best, as by exact address before any. bound_if: of a connection that
 * is there, SF_ANY_IF = not known.
 */
void sf_snapshot_listening(const struct sf_snapshot *snap, const struct sf_end *end,
			   struct sf_listening *ret);
/* The one after *at of them, which is moved; begin with 0. NULL if there is no more. */
const struct sf_sock *sf_snapshot_next(const struct sf_snapshot *snap,
				       const struct sf_listening *of, size_t *at);
/* Those that a socket which is not accepted yet, or its handshake, may wait in. */
void sf_snapshot_waited_for(const struct sf_snapshot *snap, const struct sf_sock *sock,
			    struct sf_listening *ret);
/* Those that a socket in SYN_SENT may call, if they are on this host. */
void sf_snapshot_called(const struct sf_snapshot *snap, const struct sf_sock *sock,
			struct sf_listening *ret);
/* Whether there is a listener at a socket's own end: then it was called, most likely. */
bool sf_snapshot_is_called(const struct sf_snapshot *snap, const struct sf_sock *sock);
/* Who holds them; none if they are several of more than one process. */
struct sf_holders sf_snapshot_listening_holders(const struct sf_snapshot *snap,
						const struct sf_listening *of);
/*
 * The story of a socket with role and owner (whom sf_holders names). For
 * one that waits for accept(), its listener's holder is not its owner.
 */
void sf_snapshot_story(const struct sf_snapshot *snap, const struct sf_sock *sock,
		       struct sf_story *ret);
/*
 * Adds what a tracer has seen of the same socket to what sf_snapshot_story() made: its steps, its
 * id, and role and owner where they were seen. False, and *story is left alone, if seen is another
 * connection's: its address was used again.
 */
bool sf_snapshot_add_seen(const struct sf_sock *sock, const struct sf_story *seen,
			  struct sf_story *story);
/* Ticks to milliseconds; 0 if hz is not known. */
uint64_t sf_snapshot_ms(const struct sf_snapshot *snap, uint32_t ticks);

/*
 * Ticks per second, from the kernel's counter and its clock: the counter
 * starts 300 s before its low 32 bits wrap (include/linux/jiffies.h
 * INITIAL_JIFFIES), so it is 2^32 + hz * (monotonic - 300 s). 0: cannot be told,
 * as within two seconds of that wrap, when all rates look alike.
 */
uint32_t sf_hz_guess(uint64_t jiffies, uint64_t monotonic_ns);

#endif
