/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space tells the kernel side, once, before load: read-only data,
 * so that the verifier removes whatever is not asked for. User space fills
 * it, the kernel side only reads it.
 */
#ifndef SF_CONFIG_H
#define SF_CONFIG_H

#include "bpf/story.h"

/*
 * Conditions that all must hold for a record to be sent; a zero field is no
 * condition. A story that contradicts one for good is muted; one whose fact
 * is not known yet (a server's process before accept) is kept, not sent.
 */
struct sf_cut {
	__u8 host_addr[16]; /* network byte order, IPv4 as v4-mapped, bits outside the mask zero */
	__u8 host_mask[16];
	__u8 comm[SF_COMM_LEN]; /* whole name, NUL-padded */
	__u32 pid;
	__u32 netns;  /* inode number */
	__u16 family; /* AF_INET: IPv4 on the wire (v4-mapped too), AF_INET6 */
	__u16 port;   /* local or peer; host byte order */
	__u16 local_port;
	__u16 peer_port;
	__u8 role_mask; /* 1 << enum sf_role */
	__u8 has_host;
	__u8 has_comm;
	__u8 pad[5];
};

struct sf_config {
	struct sf_cut cut;
	__u32 want_kinds;	 /* 1 << enum sf_event_kind: which events are sent */
	__u32 wake_bytes;	 /* wake the reader when the ring holds this much */
	__u32 max_seeded;	 /* older connections that are followed; the rest is for new ones */
	__u8 has_tcp_connect;	 /* a hook on tcp_connect reports the SYN, not the state change */
	__u8 has_cookie_helper;	 /* bpf_get_socket_cookie may be called (5.12) */
	__u8 has_task_regs;	 /* bpf_task_pt_regs may be called (5.15) */
	__u8 has_wait_hooks;	 /* hooks follow timewait sockets from their begin to their end */
	__u8 has_wait_timer;	 /* only their timers are watched */
	__u8 want_steps;	 /* socket() and bind() */
	__u8 has_connect_end;	 /* a hook on connect()'s return tells its error */
	__u8 has_retransmits;	 /* a hook tells which retransmissions left */
	__u8 has_retransmit_err; /* and has the error of those that did not (6.17) */
	__u8 pad[7];
};

/*
 * A story that goes on in a timewait socket, kept under that socket's address:
 * an orphan in FIN_WAIT2, whose close event is still to come, or one in
 * TIME_WAIT, whose close event was sent.
 */
struct sf_wait {
	struct sf_story story;
};

/* Counters, per CPU, read by user space: what was sent and what was lost, by cause. */
enum sf_counter {
	SF_CNT_SENT,				   /* + enum sf_event_kind */
	SF_CNT_LOST_RING = SF_CNT_SENT + SF_EV_NR, /* + enum sf_event_kind: no room in the ring */
	SF_CNT_LOST_MAP = SF_CNT_LOST_RING + SF_EV_NR, /* no room for a new story */
	SF_CNT_LOST_REQUEST, /* no room for a handshake in progress: its SYN's time is not known */
	SF_CNT_LOST_STEP,    /* a state change that no hook saw, found out at a later one */
	SF_CNT_WAIT_REFUSED, /* no room for one in a timewait socket: its end is told early */
	SF_CNT_NR,
};

#endif
