/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON of what exists now: tcp.listener and tcp.ports objects, the fields of
 * any event and then those of a listener or of a destination. Pure.
 */
#ifndef SF_VIEW_NOW_H
#define SF_VIEW_NOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_holder;
struct sf_json;
struct sf_line;
struct sf_netns;
struct sf_port_use;
struct sf_sock;

/* What was seen of a listener while it was watched; has_*: 0 is an answer. */
struct sf_listener_watch {
	uint64_t watched_us;
	uint64_t nr_arrived;
	uint64_t arrived_per_second;
	uint64_t nr_dropped;
	uint64_t wait_p50_us; /* from open to accept() */
	uint64_t wait_p99_us;
	uint32_t highest_queue;
	uint32_t syns_dropped; /* by place; has_*: this kernel lets it be seen */
	uint32_t acks_dropped;
	uint32_t half_open_expired;
	bool has_arrived;
	bool has_highest;
	bool has_waits;
	bool has_syn_drops;
	bool has_ack_drops;
	bool has_half_open;
};

/* All borrowed. */
struct sf_listener_view {
	const struct sf_sock *sock;
	const struct sf_netns *netns;	       /* NULL = not known */
	const struct sf_listener_watch *watch; /* NULL: it was not watched */
	const struct sf_holder *holders;
	size_t nr_holders;
	uint64_t oldest_wait_us; /* 0: nothing waits, or not known */
};

/* How fast a destination takes ports. */
struct sf_ports_pace {
	uint64_t watched_us;
	uint64_t nr_calls;   /* opened or failed */
	uint64_t nr_no_port; /* failed as no port was free */
	uint64_t per_second;
	uint64_t left_us; /* until no port is free, if it goes on like this */
	bool has_left;
};

/* Whole objects, without a newline. line: its event_name is not looked at. */
void sf_fields_listener(struct sf_json *j, const struct sf_line *line,
			const struct sf_listener_view *view);
/* pace: NULL if it was not watched. */
void sf_fields_ports(struct sf_json *j, const struct sf_line *line, const struct sf_port_use *use,
		     const struct sf_ports_pace *pace);

#endif
