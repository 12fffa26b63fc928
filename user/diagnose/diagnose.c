// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks the table of rules; fills in evidence and advice of the row that holds. */
#include "diagnose/diagnose.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/util.h"
#include "diagnose/facts.h"
#include "story/names.h"
#include "story/sock.h"

static const char *const blame_names[SF_BLAME_NR] = {
	"undetermined", "local_app", "peer_app", "network", "config", "kernel",
};
static const char *const confidence_names[SF_CONFIDENCE_NR] = { "low", "medium", "high" };

const char *sf_blame_name(unsigned int blame)
{
	return blame < SF_BLAME_NR ? blame_names[blame] : NULL;
}

const char *sf_confidence_name(unsigned int confidence)
{
	return confidence < SF_CONFIDENCE_NR ? confidence_names[confidence] : NULL;
}

const struct sf_evidence_kind sf_evidence_kinds[SF_EVIDENCE_NR] = {
	[SF_EVIDENCE_TRIES] = { "tries", "repeated %s times", SF_UNIT_COUNT },
	[SF_EVIDENCE_UNDER_WAY] = { "repeats_under_way", "%s under way", SF_UNIT_COUNT },
	[SF_EVIDENCE_PROBES] = { "probes_unanswered", "%s probes unanswered", SF_UNIT_COUNT },
	[SF_EVIDENCE_BACKOFF] = { "backoff", "timer doubled %s times", SF_UNIT_COUNT },
	[SF_EVIDENCE_TIMER] = { "timer_ms", "timer fires in %s", SF_UNIT_MS },
	[SF_EVIDENCE_NO_TIMER] = { "no_timer", "no timer runs", SF_UNIT_FLAG },
	[SF_EVIDENCE_SEND_QUEUE] = { "send_queue_bytes", "%s bytes unacknowledged or unsent",
				     SF_UNIT_BYTES },
	[SF_EVIDENCE_ACKED] = { "acked_bytes", "%s bytes acknowledged before", SF_UNIT_BYTES },
	[SF_EVIDENCE_MSS] = { "segment_size_bytes", "a full segment is %s", SF_UNIT_BYTES },
	[SF_EVIDENCE_NOT_SENT] = { "not_sent_bytes", "%s bytes wait to be sent", SF_UNIT_BYTES },
	[SF_EVIDENCE_RECEIVE_QUEUE] = { "receive_queue_bytes", "%s bytes unread", SF_UNIT_BYTES },
	[SF_EVIDENCE_PEER_WINDOW] = { "peer_window_bytes", "peer's window %s", SF_UNIT_BYTES },
	[SF_EVIDENCE_OWN_WINDOW] = { "own_window_bytes", "our window %s", SF_UNIT_BYTES },
	[SF_EVIDENCE_SENT_AGE] = { "last_sent_ms", "last data sent %s ago", SF_UNIT_MS },
	[SF_EVIDENCE_RECEIVED_AGE] = { "last_received_ms", "last data received %s ago",
				       SF_UNIT_MS },
	[SF_EVIDENCE_READ_AGE] = { "last_read_ms", "last read about %s ago", SF_UNIT_MS },
	[SF_EVIDENCE_PEER_READ_AGE] = { "peer_last_read_ms",
					"last read at the other end about %s ago", SF_UNIT_MS },
	[SF_EVIDENCE_ACK_AGE] = { "last_ack_ms", "last ACK received %s ago", SF_UNIT_MS },
	[SF_EVIDENCE_SEGMENTS_RECEIVED] = { "segments_received", "%s segments received",
					    SF_UNIT_COUNT },
	[SF_EVIDENCE_SOFT_ERROR] = { "soft_error", "error %s", SF_UNIT_ERRNO },
	[SF_EVIDENCE_ACCEPT_QUEUE] = { "accept_queue", "%s wait for accept()", SF_UNIT_COUNT },
	[SF_EVIDENCE_BACKLOG] = { "listen_backlog", "limit %s", SF_UNIT_COUNT },
	[SF_EVIDENCE_DROPS] = { "listener_drops", "%s dropped so far", SF_UNIT_COUNT },
	[SF_EVIDENCE_OLDEST_WAIT] = { "oldest_wait_ms", "the oldest for %s", SF_UNIT_MS },
	[SF_EVIDENCE_HALF_OPEN] = { "half_open", "%s handshakes half open", SF_UNIT_COUNT },
	[SF_EVIDENCE_ALIKE] = { "alike_in_process", "%s such in its process", SF_UNIT_COUNT },
	[SF_EVIDENCE_GROWTH] = { "alike_growth", "%s more than when the watch began",
				 SF_UNIT_COUNT },
	[SF_EVIDENCE_HOLDERS] = { "holding_processes", "held by %s processes", SF_UNIT_COUNT },
	[SF_EVIDENCE_PEER_RECEIVE_QUEUE] = { "peer_receive_queue_bytes",
					     "%s bytes unread at the other end", SF_UNIT_BYTES },
	[SF_EVIDENCE_LISTENERS] = { "listeners", "%s listeners share the port", SF_UNIT_COUNT },
	[SF_EVIDENCE_LISTENERS_FULL] = { "listeners_full", "%s of them full", SF_UNIT_COUNT },
	[SF_EVIDENCE_SNDBUF_LIMITED] = { "send_buffer_limited_ms", "held up for %s", SF_UNIT_MS },
	[SF_EVIDENCE_BUSY] = { "busy_ms", "in %s with data to send", SF_UNIT_MS },
	[SF_EVIDENCE_SEND_BUFFER] = { "send_buffer_bytes", "a buffer of %s bytes", SF_UNIT_BYTES },
	[SF_EVIDENCE_CWND] = { "congestion_window_segments", "congestion window %s segments",
			       SF_UNIT_COUNT },
	[SF_EVIDENCE_RETRANSMITS] = { "retransmits", "%s segments sent again", SF_UNIT_COUNT },
	[SF_EVIDENCE_SEGMENTS_SENT] = { "segments_sent", "%s sent in all", SF_UNIT_COUNT },
	[SF_EVIDENCE_PORTS_USED] = { "ports_used", "%s ports used", SF_UNIT_COUNT },
	[SF_EVIDENCE_PORTS_TIME_WAIT] = { "ports_time_wait", "%s of them in TIME_WAIT",
					  SF_UNIT_COUNT },
	[SF_EVIDENCE_PORTS_REUSABLE] = { "ports_reusable", "%s of these can be taken again",
					 SF_UNIT_COUNT },
	[SF_EVIDENCE_PORTS_FREE] = { "ports_free", "%s free", SF_UNIT_COUNT },
};

static bool ticks_ms(const struct sf_case *c, uint32_t ticks, uint64_t *ret)
{
	if (!c->hz || !(c->sock->flags & SF_SK_HAS_AGES))
		return false;
	*ret = (uint64_t)ticks * 1000 / c->hz;
	return true;
}

/* What is told of a listener: of the one it waits for, or of itself. */
static bool listener_value(const struct sf_case *c, enum sf_evidence_id id, uint64_t *ret)
{
	const struct sf_sock *l = c->sock->state == SF_TCP_LISTEN ? c->sock : c->listener;

	if (!l)
		return false;
	switch (id) {
	case SF_EVIDENCE_ACCEPT_QUEUE:
		*ret = l->accept_queue;
		return true;
	case SF_EVIDENCE_BACKLOG:
		*ret = l->backlog;
		return true;
	case SF_EVIDENCE_DROPS:
		*ret = l->drops;
		return true;
	default:
		*ret = l->half_open;
		return true;
	}
}

static bool timer_value(const struct sf_case *c, uint64_t *ret)
{
	if (!c->hz || c->sock->timer == SF_TIMER_NONE || c->sock->timer_ticks < 0)
		return false;
	*ret = (uint64_t)c->sock->timer_ticks * 1000 / c->hz;
	return true;
}

/* A count that is always known; 0 is an answer. */
static uint64_t plain_value(const struct sf_case *c, enum sf_evidence_id id)
{
	const struct sf_sock *s = c->sock;

	switch (id) {
	case SF_EVIDENCE_TRIES:
		return s->tries;
	case SF_EVIDENCE_UNDER_WAY:
		return s->repeated_segs;
	case SF_EVIDENCE_PROBES:
		return s->probes;
	case SF_EVIDENCE_BACKOFF:
		return s->backoff;
	case SF_EVIDENCE_SEND_QUEUE:
		return sf_sock_send_queue(s);
	case SF_EVIDENCE_ACKED:
		return s->bytes_acked;
	case SF_EVIDENCE_MSS:
		return s->mss_bytes;
	case SF_EVIDENCE_NOT_SENT:
		return sf_sock_not_sent(s);
	case SF_EVIDENCE_RECEIVE_QUEUE:
		return sf_sock_receive_queue(s);
	case SF_EVIDENCE_SEND_BUFFER:
		return s->send_buffer_bytes;
	case SF_EVIDENCE_CWND:
		return s->cwnd_segs;
	case SF_EVIDENCE_RETRANSMITS:
		return s->retransmits;
	case SF_EVIDENCE_SEGMENTS_SENT:
		return s->segments_sent;
	default:
		return s->segments_received;
	}
}

static bool is_not_zero(uint64_t value, uint64_t *ret)
{
	*ret = value;
	return value;
}

static bool evidence_value(const struct sf_case *c, enum sf_evidence_id id, uint64_t *ret)
{
	switch (id) {
	case SF_EVIDENCE_TIMER:
		return timer_value(c, ret);
	case SF_EVIDENCE_NO_TIMER:
		return is_not_zero(c->sock->timer == SF_TIMER_NONE, ret);
	case SF_EVIDENCE_SENT_AGE:
		return ticks_ms(c, c->sock->sent_age_ticks, ret);
	case SF_EVIDENCE_RECEIVED_AGE:
		return ticks_ms(c, c->sock->received_age_ticks, ret);
	case SF_EVIDENCE_READ_AGE:
		return sf_read_age_ms(c->sock, ret);
	case SF_EVIDENCE_PEER_READ_AGE:
		return c->peer && sf_read_age_ms(c->peer, ret);
	case SF_EVIDENCE_ACK_AGE:
		return ticks_ms(c, c->sock->ack_age_ticks, ret);
	case SF_EVIDENCE_SNDBUF_LIMITED:
		return ticks_ms(c, c->sock->sndbuf_limited_ticks, ret);
	case SF_EVIDENCE_BUSY:
		return ticks_ms(c, c->sock->busy_ticks, ret);
	case SF_EVIDENCE_SOFT_ERROR:
		return is_not_zero(c->sock->soft_err, ret);
	case SF_EVIDENCE_ACCEPT_QUEUE:
	case SF_EVIDENCE_BACKLOG:
	case SF_EVIDENCE_DROPS:
	case SF_EVIDENCE_HALF_OPEN:
		return listener_value(c, id, ret);
	case SF_EVIDENCE_OLDEST_WAIT:
		return is_not_zero(c->is_wait_minimum ? 0 : c->oldest_wait_ms, ret);
	case SF_EVIDENCE_ALIKE:
		return is_not_zero(c->nr_alike, ret);
	case SF_EVIDENCE_GROWTH:
		*ret = c->nr_alike - c->nr_alike_first;
		return c->is_watched && c->nr_alike > c->nr_alike_first;
	case SF_EVIDENCE_HOLDERS:
		*ret = c->who.nr_processes;
		return c->who.nr_processes > 1;
	case SF_EVIDENCE_PEER_WINDOW:
		*ret = c->sock->snd_wnd;
		return c->sock->snd_wnd != SF_WND_UNKNOWN;
	case SF_EVIDENCE_OWN_WINDOW:
		*ret = c->sock->rcv_wnd;
		return c->sock->rcv_wnd != SF_WND_UNKNOWN;
	case SF_EVIDENCE_LISTENERS:
		return is_not_zero(c->nr_listeners, ret);
	case SF_EVIDENCE_LISTENERS_FULL:
		return is_not_zero(c->nr_listeners_full, ret);
	case SF_EVIDENCE_PEER_RECEIVE_QUEUE:
		*ret = c->peer ? sf_sock_receive_queue(c->peer) : 0;
		return c->peer;
	default:
		*ret = plain_value(c, id);
		return true;
	}
}

static void fill_evidence(const struct sf_case *c, struct sf_verdict *v)
{
	for (size_t i = 0; i < SF_EVIDENCE_MAX; i++) {
		enum sf_evidence_id id = v->rule->evidence[i];
		struct sf_evidence *e = &v->evidence[v->nr_evidence];

		if (id == SF_EVIDENCE_NONE || !evidence_value(c, id, &e->value))
			continue;
		e->id = id;
		v->nr_evidence++;
	}
}

#define WORD_STRLEN SF_ENDPOINT_STRLEN

/* ss takes the last colon of a bare IPv6 address for a port's; a shell takes [] for a pattern. */
static const char *ss_address(const uint8_t addr[16], char buf[WORD_STRLEN])
{
	char text[SF_ADDR_STRLEN];

	snprintf(buf, WORD_STRLEN, sf_addr_is_v4(addr) ? "%s" : "'[%s]'",
		 sf_addr_format(addr, text));
	return buf;
}

static bool is_word(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && !memcmp(name, wanted, len);
}

/* The text for a word in braces; NULL if there is no such word. */
static const char *word(const char *name, size_t len, const struct sf_sock *sock, uint32_t pid,
			char buf[WORD_STRLEN])
{
	if (is_word(name, len, "peer"))
		return sf_addr_format(sock->peer_addr, buf);
	if (is_word(name, len, "ss_peer"))
		return ss_address(sock->peer_addr, buf);
	if (is_word(name, len, "ss_local"))
		return ss_address(sock->local_addr, buf);
	if (is_word(name, len, "pport"))
		snprintf(buf, WORD_STRLEN, "%u", sock->peer_port);
	else if (is_word(name, len, "lport"))
		snprintf(buf, WORD_STRLEN, "%u", sock->local_port);
	else if (is_word(name, len, "pid") && pid)
		snprintf(buf, WORD_STRLEN, "%u", pid);
	else if (is_word(name, len, "pid"))
		snprintf(buf, WORD_STRLEN, "PID");
	else
		return NULL;
	return buf;
}

/* Whom the advice is about, and in whose namespace a command runs; 0: not known. */
static uint32_t process_of(const struct sf_rule *rule, const struct sf_case *c)
{
	if (rule->asks == SF_ASKS_PEER)
		return c->peer_who.pid;
	if (rule->asks == SF_ASKS_LISTENER)
		return c->listener_who.pid;
	if (c->who.pid)
		return c->who.pid;
	/* Who calls waits for no listener of its own namespace. */
	return c->sock->state == SF_TCP_SYN_SENT ? 0 : c->listener_who.pid;
}

static size_t begin_advice(const struct sf_rule *rule, const struct sf_case *c, char *buf,
			   size_t size)
{
	bool is_of_process = !strncmp(rule->advice, "cat ", 4) || !strncmp(rule->advice, "ls ", 3);

	buf[0] = '\0';
	if (!c->is_elsewhere || is_of_process || !process_of(rule, c))
		return 0;
	return (size_t)snprintf(buf, size, "nsenter -t %u -n ", process_of(rule, c));
}

void sf_advice(const struct sf_rule *rule, const struct sf_case *c, char *buf, size_t size)
{
	char text[WORD_STRLEN];
	size_t len = begin_advice(rule, c, buf, size);

	for (const char *at = rule->advice; *at && len + 1 < size;) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		const char *found = end ? word(at + 1, (size_t)(end - at - 1), c->sock,
					       process_of(rule, c), text) :
					  NULL;

		if (found) {
			len += (size_t)snprintf(buf + len, size - len, "%s", found);
			at = end + 1;
		} else {
			buf[len++] = *at++;
			buf[len] = '\0';
		}
	}
	if (c->is_elsewhere && !process_of(rule, c) && len < size)
		snprintf(buf + len, size - len, " (in network namespace %u)", c->sock->netns);
}

static bool holds(const struct sf_rule *rule, const struct sf_case *c, uint32_t facts,
		  const struct sf_thresholds *thresholds, struct sf_verdict *v)
{
	if (!(rule->states & 1U << sf_sock_state(c->sock)) || (facts & rule->need) != rule->need ||
	    facts & rule->without)
		return false;
	*v = (struct sf_verdict){ .rule = rule, .is_unsure = sf_age_is_unsure(c, rule->age) };
	v->has_age = sf_age_ms(c, rule->age, &v->age_ms, &v->is_age_minimum);
	if (rule->threshold == SF_THRESHOLD_NONE)
		return true;
	return v->has_age && v->age_ms >= thresholds->ms[rule->threshold];
}

static bool may_hold(const struct sf_rule *rule, const struct sf_case *c, uint32_t facts,
		     const struct sf_thresholds *thresholds)
{
	uint32_t need = rule->need & ~SF_FACTS_OF_OTHERS;
	uint64_t age_ms = 0;
	bool is_minimum;

	if (!(rule->states & 1U << sf_sock_state(c->sock)) || (facts & need) != need ||
	    facts & rule->without & ~SF_FACTS_OF_OTHERS)
		return false;
	return !sf_age_is_own(rule->age) || rule->threshold == SF_THRESHOLD_NONE ||
	       (sf_age_ms(c, rule->age, &age_ms, &is_minimum) &&
		age_ms >= thresholds->ms[rule->threshold]);
}

bool sf_diagnose_may(const struct sf_sock *sock, uint32_t hz,
		     const struct sf_thresholds *thresholds)
{
	const struct sf_case c = { .sock = sock, .hz = hz };
	uint32_t facts = sf_facts(&c);
	const struct sf_rule *rule;

	for (size_t i = 0; (rule = sf_rule_at(i)); i++)
		if (may_hold(rule, &c, facts, thresholds))
			return true;
	return false;
}

bool sf_diagnose(const struct sf_case *c, const struct sf_thresholds *thresholds,
		 struct sf_verdict *ret)
{
	uint32_t facts = sf_facts(c);
	const struct sf_rule *rule;

	if (c->sock->state == SF_TCP_TIME_WAIT && sf_sock_state(c->sock) == SF_TCP_TIME_WAIT)
		return false;
	for (size_t i = 0; (rule = sf_rule_at(i)); i++) {
		if (!holds(rule, c, facts, thresholds, ret))
			continue;
		ret->rule_nr = i;
		fill_evidence(c, ret);
		sf_advice(ret->rule, c, ret->advice, sizeof(ret->advice));
		return true;
	}
	return false;
}

enum sf_confidence sf_verdict_confidence(const struct sf_verdict *verdict)
{
	uint8_t confidence = verdict->rule->confidence;

	return confidence && verdict->is_unsure ? confidence - 1 : confidence;
}

bool sf_diagnose_is_waiting(const struct sf_sock *sock)
{
	return sock->state == SF_TCP_CLOSE_WAIT && !(sock->flags & SF_SK_UNACCEPTED);
}

bool sf_diagnose_waits_long(const struct sf_sock *sock, uint32_t hz,
			    const struct sf_thresholds *thresholds)
{
	const struct sf_case c = { .sock = sock, .hz = hz };
	uint64_t age_ms;
	bool is_minimum;

	return sf_diagnose_is_waiting(sock) &&
	       (!sf_age_ms(&c, SF_AGE_QUIET, &age_ms, &is_minimum) ||
		age_ms >= thresholds->ms[SF_THRESHOLD_CLOSE_WAIT]);
}

bool sf_diagnose_wait_ms(const struct sf_sock *sock, uint32_t hz, uint64_t *ret_ms)
{
	const struct sf_case c = { .sock = sock, .hz = hz };
	bool is_minimum;

	/* Nobody can have sent data on it: that age began when its handshake ended. */
	return (sock->state == SF_TCP_LISTEN || sock->flags & SF_SK_UNACCEPTED) &&
	       sf_age_ms(&c, SF_AGE_SENT, ret_ms, &is_minimum);
}
