/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter expression, in the spirit of tcpdump(8) and ss(8):
 *
 *	port N		either end's port
 *	lport N, rport N	the local, the remote end's
 *	host ADDR[/BITS]	either end's address is, or is in, ADDR
 *	pid N, comm NAME	the owner; NAME is the whole name, quoted if need be
 *	role ROLE	client, server, both, listener or unknown
 *	state STATE	the present one: syn_sent or SYN-SENT, in any case
 *	netns INODE	network namespace
 *	ip, ip6		on the wire: a v4-mapped connection is ip
 *	ephemeral	the kernel chose the local port
 *	failed		ended without ever being established
 *	handshake OP TIME, age OP TIME	OP is > >= < <=, TIME as 10ms, 1.5s, 2m
 *
 * combined by "not" or "!", "and" or "&&", "or" or "||", binding in this
 * order, and parentheses, at most SF_FILTER_DEPTH_MAX deep.
 */
#ifndef SF_FILTER_PARSE_H
#define SF_FILTER_PARSE_H

#include <stddef.h>

#include "filter/filter.h"

#define SF_FILTER_DEPTH_MAX 16
#define SF_FILTER_TEXT_SIZE 4096 /* of the expression, its NUL included */

/*
 * Joins the operands with spaces, as tcpdump does, and ANDs the expression to
 * the filter; no operands, or only blanks, add nothing. 0; -EINVAL: it is
 * wrong; -E2BIG: too long, too deep or too many conditions. On failure err
 * holds one line without a newline, safe for a terminal: at which character
 * (from 1) what is wrong and what would be right; the filter is unchanged.
 */
int sf_filter_parse(struct sf_filter *filter, int argc, const char *const *argv, char *err,
		    size_t err_size);

#endif
