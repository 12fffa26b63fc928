/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots that are made up, for the tests of what is read from them. */
#ifndef SF_TESTS_SNAPSHOT_SOCKS_H
#define SF_TESTS_SNAPSHOT_SOCKS_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "story/snapshot.h"
#include "story/sock.h"

#define NS 4026531840U
#define OTHER_NS 4026532300U

static inline void set_v4(__u8 to[16], __u8 last)
{
	const __u8 addr[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = last };

	memcpy(to, addr, 16);
}

/* 10.0.0.LOCAL:LPORT to 10.0.0.PEER:PPORT; last 0 gives the wildcard. */
static inline struct sf_sock sock_of(__u64 sk, __u8 state, __u8 local, __u16 lport, __u8 peer,
				     __u16 pport)
{
	struct sf_sock s = { .sk = sk,
			     .state = state,
			     .netns = NS,
			     .family = AF_INET,
			     .local_port = lport,
			     .peer_port = pport };

	set_v4(s.local_addr, local);
	set_v4(s.peer_addr, peer);
	if (!local)
		s.local_addr[12] = 0;
	if (!peer)
		s.peer_addr[12] = 0;
	return s;
}

static inline void begin(struct sf_snapshot *snap, const struct sf_sock *socks, size_t nr)
{
	*snap = (struct sf_snapshot){ .nr_socks = nr, .nr_netns = 1, .hz = 250 };
	snap->socks = calloc(nr, sizeof(*socks));
	snap->netns = calloc(1, sizeof(*snap->netns));
	assert_non_null(snap->socks);
	assert_non_null(snap->netns);
	memcpy(snap->socks, socks, nr * sizeof(*socks));
	snap->netns[0] = (struct sf_netns){
		.inode = NS, .port_min = 40000, .port_max = 40009, .has_port_range = true
	};
	assert_int_equal(sf_snapshot_index(snap), 0);
}

#endif
