// SPDX-License-Identifier: GPL-2.0-or-later
/* Listeners and ports as JSON. Zeros here were read or counted: they are answers. */
#include "view/now.h"

#include "base/json.h"
#include "bpf/sock.h"
#include "story/ports.h"
#include "story/snapshot.h"
#include "view/fields.h"
#include "view/stuck.h"

static void begin(struct sf_json *j, const struct sf_line *line, const char *event_name)
{
	struct sf_line named = *line;

	named.event_name = event_name;
	sf_json_object_begin(j, NULL);
	sf_fields_members(j, &named);
}

static void put_watch(struct sf_json *j, const struct sf_listener_watch *watch)
{
	sf_json_u64(j, "watched_us", watch->watched_us);
	if (watch->has_highest)
		sf_json_u64(j, "accept_queue_highest", watch->highest_queue);
	if (watch->has_arrived) {
		sf_json_u64(j, "arrived", watch->nr_arrived);
		sf_json_u64(j, "arrived_per_second", watch->arrived_per_second);
	}
	sf_json_u64(j, "dropped_meanwhile", watch->nr_dropped);
	if (watch->has_syn_drops)
		sf_json_u64(j, "syns_dropped", watch->syns_dropped);
	if (watch->has_ack_drops)
		sf_json_u64(j, "acks_dropped", watch->acks_dropped);
	if (watch->has_half_open)
		sf_json_u64(j, "half_open_expired", watch->half_open_expired);
	if (!watch->has_waits)
		return;
	sf_json_u64(j, "accept_wait_p50_us", watch->wait_p50_us);
	sf_json_u64(j, "accept_wait_p99_us", watch->wait_p99_us);
}

void sf_fields_listener(struct sf_json *j, const struct sf_line *line,
			const struct sf_listener_view *view)
{
	const struct sf_netns *ns = view->netns;

	begin(j, line, "tcp.listener");
	sf_fields_holders(j, view->holders, view->nr_holders);
	sf_json_u64(j, "half_open", view->sock->half_open);
	sf_json_u64(j, "listener_drops", view->sock->drops);
	if (view->oldest_wait_us)
		sf_json_u64(j, "oldest_wait_us", view->oldest_wait_us);
	if (ns && ns->has_somaxconn)
		sf_json_u64(j, "somaxconn", ns->somaxconn);
	if (ns && ns->has_overflows) {
		sf_json_u64(j, "netns_listen_overflows", ns->listen_overflows);
		sf_json_u64(j, "netns_listen_drops", ns->listen_drops);
	}
	if (view->watch)
		put_watch(j, view->watch);
	sf_json_object_end(j);
}

void sf_fields_ports(struct sf_json *j, const struct sf_line *line, const struct sf_port_use *use,
		     const struct sf_ports_pace *pace)
{
	begin(j, line, "tcp.ports");
	sf_json_u64(j, "ports_used", use->nr_used);
	sf_json_u64(j, "ports_time_wait", use->nr_time_wait);
	if (use->has_reusable)
		sf_json_u64(j, "ports_reusable", use->nr_reusable);
	sf_json_u64(j, "ports_free", use->nr_free);
	sf_json_u64(j, "ports_range", use->nr_range);
	if (pace) {
		sf_json_u64(j, "watched_us", pace->watched_us);
		sf_json_u64(j, "calls", pace->nr_calls);
		sf_json_u64(j, "calls_per_second", pace->per_second);
		sf_json_u64(j, "no_port_failures", pace->nr_no_port);
		if (pace->has_left)
			sf_json_u64(j, "ports_exhausted_in_us", pace->left_us);
	}
	sf_json_object_end(j);
}
