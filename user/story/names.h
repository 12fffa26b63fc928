/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the numbers in a story, the only place where they are spelled:
 * JSON and log fields in lower case, tables the way ss(8) does. Every function
 * takes any number: one that has no name, or means "not known", gives NULL,
 * which the caller shows as an absent field. Returned text is static.
 */
#ifndef SF_STORY_NAMES_H
#define SF_STORY_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* The kernel's TCP states: include/net/tcp_states.h, the same numbers from v4.4 on. */
enum sf_tcp_state {
	SF_TCP_ESTABLISHED = 1,
	SF_TCP_SYN_SENT,
	SF_TCP_SYN_RECV,
	SF_TCP_FIN_WAIT1,
	SF_TCP_FIN_WAIT2,
	SF_TCP_TIME_WAIT,
	SF_TCP_CLOSE,
	SF_TCP_CLOSE_WAIT,
	SF_TCP_LAST_ACK,
	SF_TCP_LISTEN,
	SF_TCP_CLOSING,
	SF_TCP_NEW_SYN_RECV, /* a server's handshake in progress: shown as SYN_RECV */
	SF_TCP_NR,
};

/* Number of reasons in the kernel's enum sk_rst_reason, v6.12 to v7.3: include/net/rstreason.h. */
#define SF_RST_REASON_NR 25
#define SF_ERRNO_STRLEN 24

/* "syn_sent": OpenTelemetry's network.connection.state, for JSON. */
const char *sf_state_name(unsigned int state);
/* "SYN-SENT", "ESTAB": as ss(8) prints it, for tables; but "CLOSED", where ss prints UNCONN. */
const char *sf_state_label(unsigned int state);
const char *sf_role_name(unsigned int role);
const char *sf_role_source_name(unsigned int source);
const char *sf_owner_source_name(unsigned int source);
const char *sf_cause_name(unsigned int cause);
const char *sf_side_name(unsigned int side);
/* "close", "kill": of an enum sf_call. */
const char *sf_call_name(unsigned int call);
/* "expired": of an enum sf_wait_end. */
const char *sf_wait_end_name(unsigned int end);
/* "tcp.connect": of an enum sf_event_kind. */
const char *sf_event_name(unsigned int kind);
/*
 * The kernel's enum sk_rst_reason in lower case, without its prefix; reason 0
 * (not specified) has no name. The numbers hold from v6.12 on: v6.10 and v6.11,
 * which had the enum first, numbered those after 10 differently.
 */
const char *sf_rst_reason_name(unsigned int reason);
/* "econnrefused"; a number without a name gives "errno_N", written to buf. 0 gives NULL. */
const char *sf_errno_name(unsigned int err, char buf[SF_ERRNO_STRLEN]);

/*
 * The states called by a name of len bytes, as a mask of 1 << enum sf_tcp_state.
 * Takes the JSON, the ss and the kernel's spelling, in any case, '-' and '_'
 * alike: "syn_received", "SYN-RECV", "FIN_WAIT1", "estab". 0 or -EINVAL.
 */
int sf_states_from_name(const char *name, size_t len, uint16_t *ret_mask);
/* The role called by a name of len bytes, in any case; "unknown" is one. 0 or -EINVAL. */
int sf_role_from_name(const char *name, size_t len, uint8_t *ret_role);

#endif
