/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Community ID v1: the name that Zeek, Suricata, Wireshark and others give to a
 * connection, the same on both ends and in both directions. Joins our records
 * with theirs. Specification: github.com/corelight/community-id-spec.
 */
#ifndef SF_BASE_COMMUNITY_ID_H
#define SF_BASE_COMMUNITY_ID_H

#include <stdint.h>

#define SF_COMMUNITY_ID_STRLEN 31 /* "1:", 28 of base64 and NUL */
#define SF_COMMUNITY_IDS 256	  /* a power of two */

/* What is hashed: seed 2, two addresses, protocol 1, zero 1, two ports of 2; big-endian. */
#define SF_COMMUNITY_ID_PACKED (2 + 16 + 16 + 1 + 1 + 2 + 2)

/*
 * The last IDs made: both ends of a connection, and all of its steps, have the same, and a hash
 * takes as long as fifty other fields. All zero in the beginning.
 */
struct sf_community_ids {
	struct {
		uint8_t packed[SF_COMMUNITY_ID_PACKED];
		char text[SF_COMMUNITY_ID_STRLEN];
	} made[SF_COMMUNITY_IDS];
};

/*
 * The ID of a TCP connection between a and b, seed 0. Addresses as in addr.h
 * (v4-mapped ones are hashed as the IPv4 that is on the wire), ports in host
 * byte order; which end is a does not matter. ids: looks there first, and remembers; NULL: does
 * not. Returns buf.
 */
const char *sf_community_id_tcp(struct sf_community_ids *ids, const uint8_t a[16], uint16_t a_port,
				const uint8_t b[16], uint16_t b_port,
				char buf[SF_COMMUNITY_ID_STRLEN]);

#endif
