/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a row of the tables of rules is written; for those tables only. */
#ifndef SF_DIAGNOSE_RULES_H
#define SF_DIAGNOSE_RULES_H

#include "diagnose/diagnose.h"
#include "diagnose/facts.h"
#include "story/names.h"

#define IN(state) (1U << SF_TCP_##state)
#define F(name) SF_FACT_##name
#define E(name) SF_EVIDENCE_##name

#define ADVICE_REFUSED                                                                      \
	"nft list ruleset  # an output rule? else 'ip route get {peer}' and a full queue: " \
	"'tc -s qdisc'"

#define ADVICE_LOST_HERE                                                                    \
	"nft monitor trace  # what drops it is on this host: packet filter, qdisc ('tc -s " \
	"qdisc'), a link that is down"

/* EHOSTUNREACH is an ICMP message, a neighbour that fails, or a route "unreachable". */
#define SIDE_UNREACHABLE_NETWORK \
	"network: a router says so by ICMP, or nobody on the link answers for the next hop"
#define SIDE_UNREACHABLE_CONFIG "config: a route of this host says so, or leads to the wrong link"
#define ADVICE_UNREACHABLE                                                                 \
	"ip route get {peer}  # and 'ip neigh': FAILED? else who sends the ICMP: tcpdump " \
	"-ni any icmp or icmp6"

extern const struct sf_rule sf_rules_open[];
extern const size_t sf_nr_rules_open;

#endif
