/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses: 16 bytes in network byte order, IPv4 as v4-mapped (RFC 4291
 * 2.5.5.2): one form for both families, so that comparing bytes is enough.
 */
#ifndef SF_BASE_ADDR_H
#define SF_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_ADDR_STRLEN 46			/* INET6_ADDRSTRLEN */
#define SF_ENDPOINT_STRLEN (SF_ADDR_STRLEN + 9) /* "[...]:65535" and NUL */

struct sf_cidr {
	uint8_t addr[16];
	uint8_t prefix_bits; /* of the 16 bytes: an IPv4 /8 is 104 here */
	uint8_t pad[3];
};

bool sf_addr_is_v4(const uint8_t addr[16]);
/* "::" and 0.0.0.0: what a socket bound to every address has. */
bool sf_addr_is_any(const uint8_t addr[16]);
/* v4-mapped prints as IPv4; all else per RFC 5952 section 4, in hex only. Returns buf. */
const char *sf_addr_format(const uint8_t addr[16], char buf[SF_ADDR_STRLEN]);
/* "10.0.0.1:80", "[fe80::1]:80"; port in host byte order; port 0 prints as "*". Returns buf. */
const char *sf_endpoint_format(const uint8_t addr[16], uint16_t port, char buf[SF_ENDPOINT_STRLEN]);
/*
 * "10.0.0.0/8", "10.1.2.3", "fe80::/10". 0 or -EINVAL; *ret untouched on failure.
 * Bits beyond the prefix must be 0, -EINVAL otherwise. No zone ("%eth0"). The
 * prefix counts on the 16 bytes: "::/0" holds every address, IPv4 too, and
 * "0.0.0.0/0" every IPv4 address.
 */
int sf_cidr_parse(const char *text, struct sf_cidr *ret);
bool sf_cidr_contains(const struct sf_cidr *cidr, const uint8_t addr[16]);

#endif
