// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of what is known when. Each follows from where the kernel side fills
 * a field (bpf/open.bpf.h, bpf/close.bpf.h); a zero that was never written is
 * not an answer, a zero that was read is.
 */
#include "view/facts.h"

bool sf_fact_has_counters(const struct sf_event *event)
{
	switch (event->kind) {
	case SF_EV_FIN_SENT:
	case SF_EV_FIN_RECEIVED:
		return true;
	case SF_EV_CLOSE:
		return !(event->story.flags & SF_F_END_UNSEEN);
	case SF_EV_STUCK: /* a listener, a handshake and TIME_WAIT count nothing */
		return event->story.segments_sent != 0;
	case SF_EV_TIME_WAIT_END: /* as they were when the socket closed */
		return event->story.step_ns[SF_STEP_CLOSED] != 0;
	default:
		return false;
	}
}

bool sf_fact_has_bytes_sent(const struct sf_event *event)
{
	return sf_fact_has_counters(event) && event->story.role != SF_ROLE_UNKNOWN &&
	       !(event->story.flags & (SF_F_BYTES_UNSURE | SF_F_BEGIN_LOST));
}

bool sf_fact_srtt_us(const struct sf_event *event, uint64_t *ret_us)
{
	if (!sf_fact_has_counters(event) || !event->story.srtt_us)
		return false;
	*ret_us = event->story.srtt_us;
	return true;
}

bool sf_fact_rtt_min_us(const struct sf_event *event, uint64_t *ret_us)
{
	/* ~0 until the first sample: net/ipv4/tcp.c tcp_init_sock(), 5.10 to 7.3. */
	if (!sf_fact_has_counters(event) || event->story.rtt_min_us == 0 ||
	    event->story.rtt_min_us == UINT32_MAX)
		return false;
	*ret_us = event->story.rtt_min_us;
	return true;
}

bool sf_fact_syn_retransmits(const struct sf_event *event, uint64_t *ret)
{
	const struct sf_story *s = &event->story;

	if (s->role != SF_ROLE_CLIENT ||
	    (event->kind != SF_EV_FAILED && !s->step_ns[SF_STEP_ESTABLISHED]))
		return false;
	*ret = s->syn_retransmits;
	return true;
}

bool sf_fact_synack_retransmits(const struct sf_event *event, uint64_t *ret)
{
	const struct sf_story *s = &event->story;

	/* A SYN cookie keeps no request that could count. */
	if (s->role != SF_ROLE_SERVER ||
	    (event->kind != SF_EV_FAILED && !s->step_ns[SF_STEP_ESTABLISHED]) ||
	    s->flags & SF_F_SYNCOOKIE)
		return false;
	*ret = s->synack_retransmits;
	return true;
}

bool sf_fact_community_id(const struct sf_story *s, struct sf_community_ids *ids,
			  char buf[SF_COMMUNITY_ID_STRLEN])
{
	struct sf_endpoint local, peer;

	if (!sf_story_local(s, &local) || !sf_story_peer(s, &peer) || !local.port || !peer.port)
		return false;
	sf_community_id_tcp(ids, local.addr, local.port, peer.addr, peer.port, buf);
	return true;
}

bool sf_fact_backlog(const struct sf_event *event, uint64_t *ret)
{
	if (event->story.role != SF_ROLE_LISTENER)
		return false;
	*ret = event->story.backlog;
	return true;
}

bool sf_fact_backlog_asked(const struct sf_event *event, uint64_t *ret)
{
	const struct sf_story *s = &event->story;

	if (s->role != SF_ROLE_LISTENER || !(s->flags & SF_F_BACKLOG_ASKED))
		return false;
	*ret = s->backlog_asked;
	return true;
}

bool sf_fact_accept_queue(const struct sf_event *event, uint64_t *ret)
{
	/* A listener begins with an empty queue; elsewhere it was looked at or not. */
	if (event->kind != SF_EV_LISTEN && !(event->story.flags & SF_F_QUEUE_KNOWN))
		return false;
	*ret = event->story.accept_queue;
	return true;
}

/* A listener tells all three when it tells one: the same kernels have the hooks. */
static bool take_drops(const struct sf_event *event, uint32_t count, uint64_t *ret)
{
	if (event->kind != SF_EV_LISTEN_OVERFLOW)
		return false;
	*ret = count;
	return true;
}

bool sf_fact_syns_dropped(const struct sf_event *event, uint64_t *ret)
{
	return take_drops(event, event->story.syns_dropped, ret);
}

bool sf_fact_acks_dropped(const struct sf_event *event, uint64_t *ret)
{
	return take_drops(event, event->story.acks_dropped, ret);
}

bool sf_fact_half_open_expired(const struct sf_event *event, uint64_t *ret)
{
	return take_drops(event, event->story.half_open_expired, ret);
}

static bool is_derived(const struct sf_story *s, enum sf_step step)
{
	return s->steps_derived & (1ULL << step);
}

bool sf_fact_between(const struct sf_story *s, enum sf_step begin, enum sf_step end,
		     struct sf_took *ret)
{
	uint64_t begin_ns = s->step_ns[begin], end_ns = s->step_ns[end];

	if (!begin_ns || end_ns < begin_ns)
		return false;
	ret->ns = end_ns - begin_ns;
	ret->is_inferred = is_derived(s, begin) || is_derived(s, end);
	return true;
}

bool sf_fact_handshake(const struct sf_story *s, struct sf_took *ret)
{
	return sf_story_handshake_ns(s, &ret->ns, &ret->is_inferred);
}

bool sf_fact_accept_wait(const struct sf_story *s, struct sf_took *ret)
{
	if (!sf_story_accept_wait_ns(s, &ret->ns))
		return false;
	ret->is_inferred = is_derived(s, SF_STEP_ESTABLISHED) || is_derived(s, SF_STEP_ACCEPTED);
	return true;
}

bool sf_fact_connect_to_close(const struct sf_story *s, struct sf_took *ret)
{
	return sf_fact_between(s, SF_STEP_CONNECT, SF_STEP_CLOSED, ret);
}

bool sf_fact_time_wait(const struct sf_story *s, struct sf_took *ret)
{
	return sf_fact_between(s, SF_STEP_TIME_WAIT, SF_STEP_TIME_WAIT_END, ret);
}

bool sf_fact_half_close(const struct sf_story *s, struct sf_took *ret)
{
	if (!sf_story_half_close_ns(s, &ret->ns))
		return false;
	ret->is_inferred = is_derived(s, SF_STEP_FIN_SENT) || is_derived(s, SF_STEP_FIN_RECEIVED);
	return true;
}

/* Was this time computed? A seen step of the same time vouches for it. */
static bool is_derived_time(const struct sf_story *s, uint64_t time_ns)
{
	bool is_computed = false;

	for (int i = 0; i < SF_STEP_NR; i++) {
		if (s->step_ns[i] != time_ns)
			continue;
		if (!is_derived(s, (enum sf_step)i))
			return false;
		is_computed = true;
	}
	return is_computed;
}

bool sf_fact_duration(const struct sf_story *s, struct sf_took *ret)
{
	uint64_t begin_ns, end_ns;

	if (!sf_story_duration_ns(s, &ret->ns) || !sf_story_begin_ns(s, &begin_ns) ||
	    !sf_story_end_ns(s, &end_ns))
		return false;
	ret->is_inferred = is_derived_time(s, begin_ns) || is_derived_time(s, end_ns);
	return true;
}

/* other: the step of the other side's FIN, which was first if it is the older one. */
static bool took_fin(const struct sf_story *s, enum sf_step fin, enum sf_step other,
		     struct sf_took *ret)
{
	if (s->step_ns[other] && s->step_ns[other] < s->step_ns[fin])
		return sf_fact_between(s, other, fin, ret);
	return sf_fact_between(s, SF_STEP_ESTABLISHED, fin, ret);
}

bool sf_fact_took(const struct sf_event *event, struct sf_took *ret)
{
	const struct sf_story *s = &event->story;

	switch (event->kind) {
	case SF_EV_ESTABLISHED:
		return sf_fact_handshake(s, ret);
	case SF_EV_ACCEPT:
		return sf_fact_accept_wait(s, ret);
	case SF_EV_FIN_SENT:
		return took_fin(s, SF_STEP_FIN_SENT, SF_STEP_FIN_RECEIVED, ret);
	case SF_EV_FIN_RECEIVED:
		return took_fin(s, SF_STEP_FIN_RECEIVED, SF_STEP_FIN_SENT, ret);
	case SF_EV_RESET:
		return sf_fact_between(s, SF_STEP_ESTABLISHED,
				       s->rst_sender == SF_SIDE_PEER ? SF_STEP_RST_RECEIVED :
								       SF_STEP_RST_SENT,
				       ret);
	case SF_EV_FAILED:
	case SF_EV_CLOSE:
		return sf_fact_duration(s, ret);
	case SF_EV_TIME_WAIT_END:
		return sf_fact_time_wait(s, ret);
	default:
		return false;
	}
}
