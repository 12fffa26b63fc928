// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of names, each as long as its enum by assertion. A slot without a
 * name is NULL: the value that means "not known" has none on purpose, so that
 * no output can spell it. Errno names are a file of their own: errno_name.c.
 */
#include "story/names.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"
#include "bpf/story.h"

struct state_names {
	const char *json;
	const char *ss;
	const char *kernel;
	const char *other;
};

static const struct state_names states[] = {
	[SF_TCP_ESTABLISHED] = { "established", "ESTAB", "established", "connected" },
	[SF_TCP_SYN_SENT] = { "syn_sent", "SYN-SENT", "syn_sent", NULL },
	[SF_TCP_SYN_RECV] = { "syn_received", "SYN-RECV", "syn_recv", NULL },
	[SF_TCP_FIN_WAIT1] = { "fin_wait_1", "FIN-WAIT-1", "fin_wait1", NULL },
	[SF_TCP_FIN_WAIT2] = { "fin_wait_2", "FIN-WAIT-2", "fin_wait2", NULL },
	[SF_TCP_TIME_WAIT] = { "time_wait", "TIME-WAIT", "time_wait", NULL },
	[SF_TCP_CLOSE] = { "closed", "CLOSED", "close", "unconn" },
	[SF_TCP_CLOSE_WAIT] = { "close_wait", "CLOSE-WAIT", "close_wait", NULL },
	[SF_TCP_LAST_ACK] = { "last_ack", "LAST-ACK", "last_ack", NULL },
	[SF_TCP_LISTEN] = { "listen", "LISTEN", "listen", "listening" },
	[SF_TCP_CLOSING] = { "closing", "CLOSING", "closing", NULL },
	[SF_TCP_NEW_SYN_RECV] = { "syn_received", "SYN-RECV", "syn_recv", "new_syn_recv" },
};
_Static_assert(ARRAY_SIZE(states) == SF_TCP_NR, "a name per TCP state");

/* clang-format off */
static const char *const roles[] = {
	[SF_ROLE_UNKNOWN] = NULL,
	[SF_ROLE_CLIENT] = "client",
	[SF_ROLE_SERVER] = "server",
	[SF_ROLE_BOTH] = "both",
	[SF_ROLE_LISTENER] = "listener",
};
_Static_assert(ARRAY_SIZE(roles) == SF_ROLE_NR, "a name per role");

static const char *const role_sources[] = {
	[SF_ROLE_SRC_NONE] = NULL,
	[SF_ROLE_SRC_CONNECT] = "connect",
	[SF_ROLE_SRC_ACCEPT] = "accept",
	[SF_ROLE_SRC_HANDSHAKE] = "handshake",
	[SF_ROLE_SRC_LISTEN] = "listen",
	[SF_ROLE_SRC_LISTENER] = "listener",
	[SF_ROLE_SRC_PORT_RANGE] = "port_range",
};
_Static_assert(ARRAY_SIZE(role_sources) == SF_ROLE_SRC_NR, "a name per role source");

static const char *const owner_sources[] = {
	[SF_OWNER_SRC_NONE] = NULL,
	[SF_OWNER_SRC_CONNECT] = "connect",
	[SF_OWNER_SRC_ACCEPT] = "accept",
	[SF_OWNER_SRC_LISTEN] = "listen",
	[SF_OWNER_SRC_IO] = "io",
	[SF_OWNER_SRC_CLOSE] = "close",
	[SF_OWNER_SRC_FD_SCAN] = "fd_scan",
};
_Static_assert(ARRAY_SIZE(owner_sources) == SF_OWNER_SRC_NR, "a name per owner source");

static const char *const causes[] = {
	[SF_CAUSE_NONE] = NULL,
	[SF_CAUSE_FIN] = "fin",
	[SF_CAUSE_RESET] = "reset",
	[SF_CAUSE_REFUSED] = "refused",
	[SF_CAUSE_TIMEOUT] = "timeout",
	[SF_CAUSE_UNREACHABLE] = "unreachable",
	[SF_CAUSE_NO_PORT] = "no_port",
	[SF_CAUSE_ABORT] = "abort",
	[SF_CAUSE_KILLED] = "killed",
	[SF_CAUSE_ERROR] = "error",
	[SF_CAUSE_DENIED] = "denied",
};
_Static_assert(ARRAY_SIZE(causes) == SF_CAUSE_NR, "a name per cause");

static const char *const calls[] = {
	[SF_CALL_NONE] = NULL,
	[SF_CALL_CLOSE] = "close",
	[SF_CALL_SHUTDOWN] = "shutdown",
	[SF_CALL_EXIT] = "exit",
	[SF_CALL_KILL] = "kill",
	[SF_CALL_LINGER] = "linger",
	[SF_CALL_DISCONNECT] = "disconnect",
	[SF_CALL_LISTENER] = "listener_close",
	[SF_CALL_ABORT] = "abort",
};
_Static_assert(ARRAY_SIZE(calls) == SF_CALL_NR, "a name per closing call");

static const char *const wait_ends[] = {
	[SF_WAIT_END_NONE] = NULL,
	[SF_WAIT_END_EXPIRED] = "expired",
	[SF_WAIT_END_REUSED] = "reused",
	[SF_WAIT_END_RESET] = "reset",
	[SF_WAIT_END_KILLED] = "killed",
};
_Static_assert(ARRAY_SIZE(wait_ends) == SF_WAIT_END_NR, "a name per end of a wait");

static const char *const sides[] = {
	[SF_SIDE_NONE] = NULL,
	[SF_SIDE_LOCAL] = "local",
	[SF_SIDE_PEER] = "peer",
	[SF_SIDE_BOTH] = "both",
};
_Static_assert(ARRAY_SIZE(sides) == SF_SIDE_NR, "a name per side");

static const char *const events[] = {
	[SF_EV_NONE] = NULL,
	[SF_EV_LISTEN] = "tcp.listen",
	[SF_EV_CONNECT] = "tcp.connect",
	[SF_EV_ESTABLISHED] = "tcp.established",
	[SF_EV_ACCEPT] = "tcp.accept",
	[SF_EV_FIN_SENT] = "tcp.fin_sent",
	[SF_EV_FIN_RECEIVED] = "tcp.fin_received",
	[SF_EV_RESET] = "tcp.reset",
	[SF_EV_FAILED] = "tcp.failed",
	[SF_EV_CLOSE] = "tcp.close",
	[SF_EV_TIME_WAIT_END] = "tcp.time_wait_end",
	[SF_EV_LISTEN_OVERFLOW] = "tcp.listen_overflow",
	[SF_EV_STUCK] = "tcp.stuck",
};
_Static_assert(ARRAY_SIZE(events) == SF_EV_NR, "a name per event");

/* include/net/rstreason.h enum sk_rst_reason; numbers as in the BTF of v6.18. */
static const char *const rst_reasons[] = {
	[0] = NULL,
	[1] = "no_socket",
	[2] = "tcp_invalid_ack_sequence",
	[3] = "tcp_rfc7323_paws",
	[4] = "tcp_too_old_ack",
	[5] = "tcp_ack_unsent_data",
	[6] = "tcp_flags",
	[7] = "tcp_old_ack",
	[8] = "tcp_abort_on_data",
	[9] = "tcp_timewait_socket",
	[10] = "invalid_syn",
	[11] = "tcp_abort_on_close",
	[12] = "tcp_abort_on_linger",
	[13] = "tcp_abort_on_memory",
	[14] = "tcp_state",
	[15] = "tcp_keepalive_timeout",
	[16] = "tcp_disconnect_with_data",
	[17] = "mptcp_rst_eunspec",
	[18] = "mptcp_rst_emptcp",
	[19] = "mptcp_rst_eresource",
	[20] = "mptcp_rst_eprohibit",
	[21] = "mptcp_rst_ewq2big",
	[22] = "mptcp_rst_ebadperf",
	[23] = "mptcp_rst_emiddlebox",
	[24] = "error",
};
_Static_assert(ARRAY_SIZE(rst_reasons) == SF_RST_REASON_NR, "a name per RST reason");
/* clang-format on */

static const char *name_of(const char *const *names, size_t nr_names, unsigned int i)
{
	return i < nr_names ? names[i] : NULL;
}

const char *sf_state_name(unsigned int state)
{
	return state < ARRAY_SIZE(states) ? states[state].json : NULL;
}

const char *sf_state_label(unsigned int state)
{
	return state < ARRAY_SIZE(states) ? states[state].ss : NULL;
}

const char *sf_role_name(unsigned int role)
{
	return name_of(roles, ARRAY_SIZE(roles), role);
}

const char *sf_role_source_name(unsigned int source)
{
	return name_of(role_sources, ARRAY_SIZE(role_sources), source);
}

const char *sf_owner_source_name(unsigned int source)
{
	return name_of(owner_sources, ARRAY_SIZE(owner_sources), source);
}

const char *sf_cause_name(unsigned int cause)
{
	return name_of(causes, ARRAY_SIZE(causes), cause);
}

const char *sf_side_name(unsigned int side)
{
	return name_of(sides, ARRAY_SIZE(sides), side);
}

const char *sf_call_name(unsigned int call)
{
	return name_of(calls, ARRAY_SIZE(calls), call);
}

const char *sf_wait_end_name(unsigned int end)
{
	return name_of(wait_ends, ARRAY_SIZE(wait_ends), end);
}

const char *sf_event_name(unsigned int kind)
{
	return name_of(events, ARRAY_SIZE(events), kind);
}

const char *sf_rst_reason_name(unsigned int reason)
{
	return name_of(rst_reasons, ARRAY_SIZE(rst_reasons), reason);
}

/* ASCII only, so that no locale changes what a name means. */
static char folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '-' ? '_' : c;
}

static bool is_called(const char *candidate, const char *name, size_t len)
{
	if (!candidate || strlen(candidate) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (folded(candidate[i]) != folded(name[i]))
			return false;
	return true;
}

int sf_states_from_name(const char *name, size_t len, uint16_t *ret_mask)
{
	uint16_t mask = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		const struct state_names *s = &states[i];

		if (is_called(s->json, name, len) || is_called(s->ss, name, len) ||
		    is_called(s->kernel, name, len) || is_called(s->other, name, len))
			mask |= (uint16_t)(1U << i);
	}
	if (!mask)
		return -EINVAL;
	*ret_mask = mask;
	return 0;
}

int sf_role_from_name(const char *name, size_t len, uint8_t *ret_role)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++) {
		const char *candidate = i == SF_ROLE_UNKNOWN ? "unknown" : roles[i];

		if (is_called(candidate, name, len)) {
			*ret_role = (uint8_t)i;
			return 0;
		}
	}
	return -EINVAL;
}
