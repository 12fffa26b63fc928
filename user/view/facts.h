/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an event lets one say beyond the story itself: which of its numbers
 * are filled at this event, and what the step took. JSON fields and table
 * columns both ask here, so that they agree on what is known. Pure.
 */
#ifndef SF_VIEW_FACTS_H
#define SF_VIEW_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/community_id.h"
#include "bpf/story.h"
#include "story/story.h"

/* A duration and whether it is inferred: one of its two ends was computed, not seen. */
struct sf_took {
	uint64_t ns;
	bool is_inferred;
};

/*
 * The kernel side reads byte, segment, retransmit and RTT counters at a FIN and
 * at the end (bpf/close.bpf.h); at other events they are old or still zero.
 */
bool sf_fact_has_counters(const struct sf_event *event);
/*
 * False while it is not known who called, as the kernel counts a client's SYN as a byte, and if
 * our FIN may be counted: the step that told was lost.
 */
bool sf_fact_has_bytes_sent(const struct sf_event *event);
/* Smoothed round trip, microseconds. False if TCP has no sample. */
bool sf_fact_srtt_us(const struct sf_event *event, uint64_t *ret_us);
/* Smallest round trip, microseconds. False if TCP has no sample. */
bool sf_fact_rtt_min_us(const struct sf_event *event, uint64_t *ret_us);
/* Retransmitted SYNs of a client whose connect() is over; 0 is an answer. */
bool sf_fact_syn_retransmits(const struct sf_event *event, uint64_t *ret);
/* Retransmitted SYN+ACKs of a server that is established or failed to; 0 is an answer. */
bool sf_fact_synack_retransmits(const struct sf_event *event, uint64_t *ret);
/* Community ID v1. False unless both ends, ports too, are known. */
bool sf_fact_community_id(const struct sf_story *story, struct sf_community_ids *ids,
			  char buf[SF_COMMUNITY_ID_STRLEN]);
/* A listener's limit in force; 0 is an answer. */
bool sf_fact_backlog(const struct sf_event *event, uint64_t *ret);
/* What listen() asked for: known if its call was seen, and no later one changed the limit. */
bool sf_fact_backlog_asked(const struct sf_event *event, uint64_t *ret);
/* Connections that wait for accept(): as it, listen() or the last drop left them. */
bool sf_fact_accept_queue(const struct sf_event *event, uint64_t *ret);
/* Of a listener that tells of drops: how many since it was first seen, by place. */
bool sf_fact_syns_dropped(const struct sf_event *event, uint64_t *ret);
bool sf_fact_acks_dropped(const struct sf_event *event, uint64_t *ret);
bool sf_fact_half_open_expired(const struct sf_event *event, uint64_t *ret);
/* From one step to another. False unless both are known and in this order. */
bool sf_fact_between(const struct sf_story *story, enum sf_step begin, enum sf_step end,
		     struct sf_took *ret);
/* story.h's handshake and accept wait, with their inference. */
bool sf_fact_handshake(const struct sf_story *story, struct sf_took *ret);
bool sf_fact_accept_wait(const struct sf_story *story, struct sf_took *ret);
/* connect() called to state CLOSE, as the kernel shows it. */
bool sf_fact_connect_to_close(const struct sf_story *story, struct sf_took *ret);
bool sf_fact_time_wait(const struct sf_story *story, struct sf_took *ret);
/* First FIN to the other side's. */
bool sf_fact_half_close(const struct sf_story *story, struct sf_took *ret);
/* story.h's duration, begin to end, with its inference. */
bool sf_fact_duration(const struct sf_story *story, struct sf_took *ret);
/*
 * How long what ended with this event took: at established the handshake, at
 * accept the wait for accept(), at the first FIN and at a RST the time since
 * established, at the second FIN the time since the first, at the end (close,
 * failed) the whole life, at time_wait_end TIME_WAIT.
 */
bool sf_fact_took(const struct sf_event *event, struct sf_took *ret);

#endif
