// SPDX-License-Identifier: GPL-2.0-or-later
/* The hook table and the choice among its alternatives. Pure: no I/O, no libbpf. */
#include "kernel/plan.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

const char *const sf_tier_names[SF_TIER_NR + 1] = { "full", "kprobe", "tracepoints", NULL };
const char *const sf_attach_names[SF_ATTACH_NR] = { "none", "tracepoint", "fentry", "kprobe",
						    "iterator" };

#define HASHDANCE "inet_csk_complete_hashdance"
#define TP SF_ATTACH_TP
#define FENTRY SF_ATTACH_FENTRY
#define KPROBE SF_ATTACH_KPROBE
#define ITER SF_ATTACH_ITER
#define STEPS SF_WANT_STEPS
#define REQUEST_DROP "inet_csk_reqsk_queue_drop"
#define REQUEST_END4 "tcp_v4_reqsk_destructor"
#define REQUEST_END6 "tcp_v6_reqsk_destructor"
#define HASHDANCE_TW3 "inet_twsk_hashdance"
#define HASHDANCE_TW4 "inet_twsk_hashdance_schedule"
#define TW_PROCESS "tcp_timewait_state_process"

/* Alternatives from best to worst; why is told at the hooks' bodies. */
const struct sf_hook sf_hooks[SF_HOOK_NR] = {
	[SF_HOOK_STATE] = {
		.name = "state",
		.gives = "every change of state, and who connects, shuts down or closes",
		.lost = "everything",
		.is_required = true,
		.alts = { { "state_tp", "inet_sock_set_state", TP, 0, 0 } },
	},
	[SF_HOOK_STATE_LAST] = {
		.name = "state_last",
		.gives = "state changes at which the kernel skipped both hooks before",
		.lost = "a state change now and then, on a busy host",
		.is_required = true,
		.alts = { { "state_last_tp", "inet_sock_set_state", TP, 0, 0 } },
	},
	[SF_HOOK_STATE_AGAIN] = {
		.name = "state_again",
		.gives = "state changes at which the kernel skipped the state hook",
		.lost = "a state change now and then, on a busy host",
		.is_required = true,
		.alts = { { "state_again_tp", "inet_sock_set_state", TP, 0, 0 } },
	},
	[SF_HOOK_DESTROY] = {
		.name = "destroy",
		.gives = "the end of a socket",
		.lost = "everything",
		.is_required = true,
		.alts = { { "destroy_tp", "tcp_destroy_sock", TP, 0, 0 } },
	},
	[SF_HOOK_RST_RECEIVED] = {
		.name = "rst_received",
		.gives = "resets that the peer sent",
		.lost = "whether a reset was received",
		.alts = { { "rst_received_tp", "tcp_receive_reset", TP, 0, 0 } },
	},
	[SF_HOOK_RST_SENT] = {
		.name = "rst_sent",
		.gives = "resets that this host sent, with the kernel's reason since 6.12",
		.lost = "whether a reset was sent",
		.alts = { { "rst_sent_tp", "tcp_send_reset", TP, 0, 0 } },
	},
	[SF_HOOK_RETRANSMIT] = {
		.name = "retransmit",
		.gives = "which retransmissions left this host",
		.lost = "retransmissions that this host refused count as sent",
		.alts = { { "retransmit_tp", "tcp_retransmit_skb", TP, 0, 0 } },
	},
	[SF_HOOK_CONNECT] = {
		.name = "connect",
		.gives = "client: when the SYN left, from which port",
		.lost = "client: the time of the SYN is computed from the round trip",
		.alts = { { "connect_fentry", "tcp_connect", FENTRY, 1, 0 },
			  { "connect_kprobe", "tcp_connect", KPROBE, 0, 0 } },
	},
	[SF_HOOK_HANDSHAKE] = {
		.name = "handshake",
		.gives = "server: when the first SYN+ACK left",
		.lost = "server: the handshake time is computed from the round trip",
		.alts = { { "handshake_fentry", HASHDANCE, FENTRY, 4, 0 },
			  { "handshake_kprobe", HASHDANCE, KPROBE, 0, 0 } },
	},
	[SF_HOOK_ACCEPT] = {
		.name = "accept",
		.gives = "server: the process that accepts, and when",
		.lost = "server: the process is known only when it closes",
		.alts = { { "accept_fexit2", "inet_csk_accept", FENTRY, 2, 0 },
			  { "accept_fexit4", "inet_csk_accept", FENTRY, 4, 0 },
			  { "graft_kprobe", "security_sock_graft", KPROBE, 0, 0 },
			  { "syscall_exit", "sys_exit", TP, 0, 0 } },
	},
	[SF_HOOK_ACCEPT_WAITING] = {
		.name = "accept_waiting",
		.gives = "server: accept() calls that were already waiting when synfin started",
		.lost = "server: the first accept() of each thread that was already waiting",
		.alts = { { "graft_fentry", "security_sock_graft", FENTRY, 2, 0 },
			  { "graft_kprobe", "security_sock_graft", KPROBE, 0, 0 },
			  { "syscall_exit", "sys_exit", TP, 0, 0 } },
	},
	[SF_HOOK_CONNECT_END] = {
		.name = "connect_end",
		.gives = "client: connects that fail before there is a SYN, or that a signal ends",
		.lost = "client: connects that fail before there is a SYN, or that a signal ends",
		.alts = { { "connect_end_fexit", "__inet_stream_connect", FENTRY, 5, 0 },
			  { "syscall_exit", "sys_exit", TP, 0, 0 } },
	},
	[SF_HOOK_QUEUE_ADD] = {
		.name = "queue_add",
		.gives = "server: which connections came from a SYN cookie or Fast Open",
		.lost = "server: which connections came from a SYN cookie or Fast Open",
		.alts = { { "queue_add_fentry", "inet_csk_reqsk_queue_add", FENTRY, 3, 0 },
			  { "queue_add_kprobe", "inet_csk_reqsk_queue_add", KPROBE, 0, 0 } },
	},
	[SF_HOOK_SYN] = {
		.name = "syn",
		.gives = "server: when the SYN arrived, handshakes that were never completed",
		.lost = "server: when the SYN arrived, handshakes that were never completed",
		.alts = { { "syn_fentry", "inet_csk_reqsk_queue_hash_add", FENTRY, 0, 0 },
			  { "syn_kprobe", "inet_csk_reqsk_queue_hash_add", KPROBE, 0, 0 } },
	},
	[SF_HOOK_SYN_ASKED] = {
		.name = "syn_asked",
		.gives = "listener: SYNs dropped",
		.lost = "listener: SYNs dropped",
		.alts = { { "syn_asked_fentry", "tcp_conn_request", FENTRY, 4, 0 },
			  { "syn_asked_kprobe", "tcp_conn_request", KPROBE, 0, 0 } },
	},
	[SF_HOOK_SYN_ANSWERED] = {
		.name = "syn_answered",
		.gives = "listener: SYNs dropped",
		.lost = "listener: SYNs dropped",
		.alts = { { "syn_answered_fexit", "tcp_conn_request", FENTRY, 4, 0 },
			  { "syn_answered_kretprobe", "tcp_conn_request", KPROBE, 0, 0 } },
	},
	[SF_HOOK_LAST_ACK4] = {
		.name = "last_ack4",
		.gives = "listener: handshakes dropped at their last ACK, IPv4",
		.lost = "listener: handshakes dropped at their last ACK, IPv4",
		.alts = { { "last_ack4_fentry", "tcp_v4_syn_recv_sock", FENTRY, 0, 0 },
			  { "last_ack4_kprobe", "tcp_v4_syn_recv_sock", KPROBE, 0, 0 } },
	},
	[SF_HOOK_LAST_ACK6] = {
		.name = "last_ack6",
		.gives = "listener: handshakes dropped at their last ACK, IPv6",
		.lost = "listener: handshakes dropped at their last ACK, IPv6",
		.alts = { { "last_ack6_fentry", "tcp_v6_syn_recv_sock", FENTRY, 0, 0 },
			  { "last_ack6_kprobe", "tcp_v6_syn_recv_sock", KPROBE, 0, 0 } },
	},
	[SF_HOOK_REQUEST_RST] = {
		.name = "request_rst",
		.gives = "server: who sent a handshake's RST, and that MPTCP's joins are none",
		.lost = "server: who sent a handshake's RST; MPTCP's joins look failed",
		.alts = { { "request_rst_fentry", "tcp_check_req", FENTRY, 0, 0 },
			  { "request_rst_kprobe", "tcp_check_req", KPROBE, 0, 0 } },
	},
	[SF_HOOK_REQUEST_DROP] = {
		.name = "request_drop",
		.gives = "server: handshakes that a RST ended",
		.lost = "server: handshakes that a RST ended",
		.alts = { { "request_drop_fentry", REQUEST_DROP, FENTRY, 2, 0 },
			  { "request_drop_kprobe", REQUEST_DROP, KPROBE, 0, 0 } },
	},
	[SF_HOOK_REQUEST_END4] = {
		.name = "request_end4",
		.gives = "server: handshakes that were never completed, IPv4",
		.lost = "server: handshakes that were never completed, IPv4",
		.alts = { { "request_end4_fentry", REQUEST_END4, FENTRY, 1, 0 },
			  { "request_end4_kprobe", REQUEST_END4, KPROBE, 0, 0 } },
	},
	[SF_HOOK_REQUEST_END6] = {
		.name = "request_end6",
		.gives = "server: handshakes that were never completed, IPv6",
		.lost = "server: handshakes that were never completed, IPv6",
		.alts = { { "request_end6_fentry", REQUEST_END6, FENTRY, 1, 0 },
			  { "request_end6_kprobe", REQUEST_END6, KPROBE, 0, 0 } },
	},
	[SF_HOOK_SOCKET4] = {
		.name = "socket4",
		.gives = "when socket() was called, IPv4",
		.lost = "when socket() was called, IPv4",
		.alts = { { "socket4_fentry", "tcp_v4_init_sock", FENTRY, 1, STEPS },
			  { "socket4_kprobe", "tcp_v4_init_sock", KPROBE, 0, STEPS },
			  { "syscall_exit", "sys_exit", TP, 0, STEPS } },
	},
	[SF_HOOK_SOCKET6] = {
		.name = "socket6",
		.gives = "when socket() was called, IPv6",
		.lost = "when socket() was called, IPv6",
		.alts = { { "socket6_fentry", "tcp_v6_init_sock", FENTRY, 1, STEPS },
			  { "socket6_kprobe", "tcp_v6_init_sock", KPROBE, 0, STEPS },
			  { "syscall_exit", "sys_exit", TP, 0, STEPS } },
	},
	[SF_HOOK_BIND] = {
		.name = "bind",
		.gives = "when bind() was called",
		.lost = "when bind() was called",
		.alts = { { "bind_fentry", "inet_csk_get_port", FENTRY, 2, STEPS },
			  { "bind_kprobe", "inet_csk_get_port", KPROBE, 0, STEPS },
			  { "syscall_exit", "sys_exit", TP, 0, STEPS } },
	},
	[SF_HOOK_SEED] = {
		.name = "seed",
		.gives = "which connections are older than synfin",
		.lost = "whether a connection is older than synfin",
		.alts = { { "seed_iter", "bpf_iter_tcp", ITER, 0, 0 } },
	},
	[SF_HOOK_HOLDER] = {
		.name = "holder",
		.gives = "the process of connections and listeners older than synfin",
		.lost = "the process of connections older than synfin, until it closes them",
		.alts = { { "holder_iter", "bpf_iter_task_file", ITER, 0, 0 } },
	},
	[SF_HOOK_UNTOLD] = {
		.name = "untold",
		.gives = "listener: what it dropped in the last second before synfin ends",
		.lost = "listener: what it dropped in the last second before synfin ends",
		.alts = { { "untold_iter", "bpf_iter_bpf_map_elem", ITER, 0, 0 } },
	},
	[SF_HOOK_CLOSE] = {
		.name = "close",
		.gives = "close(), also of a socket that was shut down before",
		.lost = "when a socket was closed that was shut down before",
		.alts = { { "close_fentry", "tcp_close", FENTRY, 2, 0 },
			  { "close_kprobe", "tcp_close", KPROBE, 0, 0 } },
	},
	[SF_HOOK_SHUTDOWN] = {
		.name = "shutdown",
		.gives = "shutdown(), by whatever way it was called",
		.lost = "shutdown() by io_uring",
		.alts = { { "shutdown_fentry", "tcp_shutdown", FENTRY, 2, 0 },
			  { "shutdown_kprobe", "tcp_shutdown", KPROBE, 0, 0 } },
	},
	[SF_HOOK_TIME_WAIT] = {
		.name = "time_wait",
		.gives = "closed sockets that wait on, apart from those that data cut off",
		.lost = "resets by data that came after close()",
		.alts = { { "time_wait_fentry", "tcp_time_wait", FENTRY, 3, 0 },
			  { "time_wait_kprobe", "tcp_time_wait", KPROBE, 0, 0 } },
	},
	[SF_HOOK_WAIT_BEGIN] = {
		.name = "wait_begin",
		.gives = "the begin of TIME_WAIT, and of FIN_WAIT2 without a socket",
		.lost = "TIME_WAIT, and what becomes of a socket closed before the peer's",
		.alts = { { "wait_begin_fentry4", HASHDANCE_TW4, FENTRY, 4, 0 },
			  { "wait_begin_fentry3", HASHDANCE_TW3, FENTRY, 3, 0 },
			  { "wait_begin_kprobe4", HASHDANCE_TW4, KPROBE, 0, 0 },
			  { "wait_begin_kprobe3", HASHDANCE_TW3, KPROBE, 0, 0 },
			  { "wait_begin_timer", "timer_start", TP, 0,
			    SF_WANT_TIME_WAIT_END } },
	},
	[SF_HOOK_WAIT_FIN] = {
		.name = "wait_fin",
		.gives = "the peer's FIN that comes after our close()",
		.lost = "the peer's FIN that comes after our close()",
		.alts = { { "wait_fin_fentry", "__inet_twsk_schedule", FENTRY, 3, 0 },
			  { "wait_fin_kprobe", "__inet_twsk_schedule", KPROBE, 0, 0 } },
	},
	[SF_HOOK_WAIT_SEGMENT] = {
		.name = "wait_segment",
		.gives = "what cut TIME_WAIT, or an orphan's FIN_WAIT2: a reset, a new SYN, data",
		.lost = "what cut TIME_WAIT, or an orphan's FIN_WAIT2",
		.alts = { { "wait_segment_fentry", TW_PROCESS, FENTRY, 0, 0 },
			  { "wait_segment_kprobe", TW_PROCESS, KPROBE, 0, 0 } },
	},
	[SF_HOOK_WAIT_ANSWERED] = {
		.name = "wait_answered",
		.gives = "which segments cut nothing of TIME_WAIT, or of an orphan's FIN_WAIT2",
		.lost = "what cut TIME_WAIT, or an orphan's FIN_WAIT2",
		.alts = { { "wait_answered_fexit3", TW_PROCESS, FENTRY, 3, 0 },
			  { "wait_answered_fexit4", TW_PROCESS, FENTRY, 4, 0 },
			  { "wait_answered_fexit5", TW_PROCESS, FENTRY, 5, 0 },
			  { "wait_answered_kretprobe", TW_PROCESS, KPROBE, 0, 0 } },
	},
	[SF_HOOK_WAIT_EXPIRED] = {
		.name = "wait_expired",
		.gives = "TIME_WAIT, or an orphan's FIN_WAIT2, whose time is over",
		.lost = "whether TIME_WAIT lasted its time",
		.alts = { { "wait_expired_fentry", "tw_timer_handler", FENTRY, 1, 0 },
			  { "wait_expired_kprobe", "tw_timer_handler", KPROBE, 0, 0 },
			  { "wait_expired_timer", "timer_expire_entry", TP, 0,
			    SF_WANT_TIME_WAIT_END } },
	},
	[SF_HOOK_WAIT_END] = {
		.name = "wait_end",
		.gives = "TIME_WAIT, or an orphan's FIN_WAIT2, cut short",
		.lost = "TIME_WAIT that was cut short",
		.alts = { { "wait_end_fentry", "inet_twsk_kill", FENTRY, 1, 0 },
			  { "wait_end_kprobe", "inet_twsk_kill", KPROBE, 0, 0 } },
	},
	[SF_HOOK_PROBE] = {
		.name = "probe",
		.gives = "probes of a peer's closed window",
		.lost = "probes of a peer's closed window",
		.alts = { { "probe_fentry", "tcp_send_probe0", FENTRY, 1, 0 },
			  { "probe_kprobe", "tcp_send_probe0", KPROBE, 0, 0 } },
	},
	[SF_HOOK_FIRST_OUT] = {
		.name = "first_out",
		.gives = "when a program first sent data",
		.lost = "when a program first sent data",
		.alts = { { "first_out_tp", "sock_send_length", TP, 0,
			    SF_WANT_FIRST_BYTE },
			  { "first_out_fentry", "tcp_sendmsg", FENTRY, 3,
			    SF_WANT_FIRST_BYTE },
			  { "first_out_kprobe", "tcp_sendmsg", KPROBE, 0,
			    SF_WANT_FIRST_BYTE } },
	},
	[SF_HOOK_FIRST_IN] = {
		.name = "first_in",
		.gives = "when a program first read data",
		.lost = "when a program first read data",
		.alts = { { "first_in_tp", "sock_recv_length", TP, 0,
			    SF_WANT_FIRST_BYTE },
			  { "first_in_fentry", "tcp_cleanup_rbuf", FENTRY, 2,
			    SF_WANT_FIRST_BYTE },
			  { "first_in_kprobe", "tcp_cleanup_rbuf", KPROBE, 0,
			    SF_WANT_FIRST_BYTE } },
	},
};

bool sf_tier_allows(enum sf_tier tier, enum sf_attach attach)
{
	switch (attach) {
	case SF_ATTACH_TP:
	case SF_ATTACH_ITER:
		return true;
	case SF_ATTACH_FENTRY:
		return tier == SF_TIER_FULL;
	case SF_ATTACH_KPROBE:
		return tier != SF_TIER_TRACEPOINTS;
	default:
		return false;
	}
}

static int pick(enum sf_tier tier, uint32_t wanted, const struct sf_usable *usable, int hook)
{
	int none = SF_CHOICE_NONE;

	for (int i = 0; i < SF_HOOK_ALTS; i++) {
		const struct sf_hook_alt *alt = &sf_hooks[hook].alts[i];

		if (!alt->prog)
			break;
		if (!usable->alt[hook][i] || !sf_tier_allows(tier, alt->attach))
			continue;
		if (!alt->serves || alt->serves & wanted)
			return i;
		none = SF_CHOICE_UNWANTED;
	}
	return none;
}

/* Is anything that a listener drops counted? */
static bool counts_drops(const struct sf_plan *plan)
{
	static const enum sf_hook_id hooks[] = { SF_HOOK_SYN_ASKED, SF_HOOK_LAST_ACK4,
						 SF_HOOK_LAST_ACK6, SF_HOOK_REQUEST_END4,
						 SF_HOOK_REQUEST_END6 };

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (plan->choice[hooks[i]] >= 0)
			return true;
	}
	return false;
}

int sf_plan_build(enum sf_tier tier, uint32_t wanted, const struct sf_usable *usable,
		  struct sf_plan *ret)
{
	struct sf_plan plan;

	for (int i = 0; i < SF_HOOK_NR; i++) {
		const struct sf_hook *hook = &sf_hooks[i];

		plan.choice[i] = pick(tier, wanted, usable, i);
		if (plan.choice[i] < 0 && hook->is_required)
			return -ENOENT;
	}
	/* Not even tried: a host that refuses it has none of the others, would load all twice. */
	if (!counts_drops(&plan))
		plan.choice[SF_HOOK_UNTOLD] = SF_CHOICE_NONE;
	*ret = plan;
	return 0;
}

const struct sf_hook_alt *sf_plan_alt(const struct sf_plan *plan, enum sf_hook_id hook)
{
	return plan->choice[hook] < 0 ? NULL : &sf_hooks[hook].alts[plan->choice[hook]];
}

bool sf_plan_misses(const struct sf_plan *plan, enum sf_hook_id hook)
{
	return plan->choice[hook] == SF_CHOICE_NONE;
}

bool sf_plan_uses(const struct sf_plan *plan, const char *prog)
{
	for (int i = 0; i < SF_HOOK_NR; i++) {
		const struct sf_hook_alt *alt = sf_plan_alt(plan, i);

		if (alt && !strcmp(alt->prog, prog))
			return true;
	}
	return false;
}

enum sf_tier sf_plan_tier(const struct sf_plan *plan)
{
	enum sf_tier tier = SF_TIER_TRACEPOINTS;

	for (int i = 0; i < SF_HOOK_NR; i++) {
		const struct sf_hook_alt *alt = sf_plan_alt(plan, i);

		if (alt && alt->attach == SF_ATTACH_FENTRY)
			return SF_TIER_FULL;
		if (alt && alt->attach == SF_ATTACH_KPROBE)
			tier = SF_TIER_KPROBE;
	}
	return tier;
}
