/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel tells of sockets that exist now, one record per socket, and
 * of who holds them, one record per descriptor: written by bpf/snapshot.bpf.c,
 * read by user/story/sock.h. Like the story a fixed layout of __uN types with
 * explicit padding; smaller, as a host may have a million of them.
 *
 * Times are the kernel's own ticks (jiffies), as differences to the time the
 * socket was read; how long a tick is, user space knows.
 */
#ifndef SF_SOCK_H
#define SF_SOCK_H

#include "bpf/story.h"

/* What a socket waits for, as ss(8) shows it. */
enum sf_timer {
	SF_TIMER_NONE,
	SF_TIMER_RETRANSMIT, /* of data, SYN or FIN; tail loss probes and reordering too */
	SF_TIMER_KEEPALIVE,  /* also SYN+ACK's, and an orphan's in FIN_WAIT2 */
	SF_TIMER_PROBE0,     /* the peer's window is zero: probes */
	SF_TIMER_TIME_WAIT,
	SF_TIMER_NR,
};

#define SF_SK_KEEPALIVE (1U << 0)  /* SO_KEEPALIVE */
#define SF_SK_ORPHAN (1U << 1)	   /* its program has closed it, or is gone */
#define SF_SK_UNACCEPTED (1U << 2) /* in its listener's queue: accept() has not returned it */
#define SF_SK_V4MAPPED (1U << 3)   /* AF_INET6 socket speaking IPv4 */
#define SF_SK_PORT_BOUND (1U << 4) /* bind() asked for the local port */
#define SF_SK_SHUT_RCV (1U << 5)
#define SF_SK_SHUT_SND (1U << 6)
#define SF_SK_HAS_AGES (1U << 7)     /* the *_age_ticks were read; of a listener only the first */
#define SF_SK_HAS_RETRANS (1U << 8)  /* since_retrans_ms was read */
#define SF_SK_DEFER_ACCEPT (1U << 9) /* listener: handshakes end with the first data */
/* Read without BPF: sequence numbers are made up, sk is an inode, ages are at least so long. */
#define SF_SK_PARTIAL (1U << 10)
#define SF_SK_V6ONLY (1U << 11) /* listener: IPV6_V6ONLY, takes no IPv4 */
#define SF_SK_HAS_READ_AGE (1U << 12)

#define SF_WND_UNKNOWN 0xffffffffU

struct sf_sock {
	__u64 sk; /* its address in the kernel: never shown, joins records */
	__u64 cookie;
	__u64 listener;	   /* sk of the listener of a handshake, 0 = none */
	__u64 bytes_acked; /* as the kernel counts: SYN and FIN too */
	__u64 bytes_received;
	__u64 since_synack_us; /* handshake on a server: since the first SYN+ACK, 0 = not known */
	__u8 local_addr[16];   /* network byte order, IPv4 as v4-mapped */
	__u8 peer_addr[16];
	__u32 netns; /* inode number */
	__u32 bound_if;
	__u32 uid;
	__u32 flags;	      /* SF_SK_* */
	__s32 timer_ticks;    /* until the timer fires; negative: it is late */
	__u32 sent_age_ticks; /* since data was last sent; listener: by the first in its queue */
	__u32 received_age_ticks; /* since data was last received */
	__u32 ack_age_ticks;	  /* since the last acknowledgement came */
	__u32 since_retrans_ms;	  /* since what is repeated was first sent; or in TIME_WAIT */
	__u32 rto_ticks;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_wnd; /* the peer's window */
	__u32 rcv_wnd; /* ours, what is left of what we last told the peer */
	__u32 unacked_segs;
	__u32 receive_memory_bytes; /* of the receive queue, with its overhead */
	__u32 receive_buffer_bytes; /* its limit */
	__u32 send_buffer_bytes;    /* the limit of the send queue, with its overhead */
	__u32 busy_ticks;	    /* in which it had data to send, in all; of these */
	__u32 sndbuf_limited_ticks; /* all had been sent, and the send buffer took no more */
	__u32 cwnd_segs;	    /* congestion window: so many may be under way */
	__u32 accept_queue;	    /* listener: waiting for accept() */
	__u32 backlog;		    /* listener: the limit in force; more than that is full */
	__u32 half_open;	    /* listener: handshakes in progress */
	union {
		__u32 drops;	   /* listener: SYNs and handshakes dropped since it listens */
		__u32 read_age_ms; /* others: since a read, or since the segment before it came */
	};
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmits; /* since the connection began */
	__u32 srtt_us;
	__u32 rtt_min_us;
	__u32 user_timeout_ms;
	__u32 mss_bytes;      /* what a segment of ours may hold */
	__u32 delivered_segs; /* of ours that have arrived, SYN and FIN too */
	__u32 repeated_segs;  /* under way again; 0 while tries grow: they do not leave this host */
	__u16 local_port;     /* host byte order */
	__u16 peer_port;
	__u16 family;
	__u16 err;
	__u16 soft_err; /* errno that an ICMP message or the route left */
	__u8 state;	/* kernel's TCP state number */
	__u8 substate;	/* TIME_WAIT socket: the state it stands for */
	__u8 timer;	/* enum sf_timer */
	__u8 tries;	/* in a row without an answer: retransmissions, SYN+ACKs */
	__u8 probes;	/* window or keepalive probes without an answer */
	__u8 backoff;	/* how often the timer's wait was doubled */
	__u8 pad[2];
};

/* A descriptor that refers to a socket. */
struct sf_holder {
	__u64 sk;
	__u32 pid; /* in the initial pid namespace */
	__u32 uid;
	__u32 fd;
	__u16 local_port; /* of the socket, host byte order: its address may be reused meanwhile */
	__u16 peer_port;
	__u8 comm[SF_COMM_LEN]; /* of the thread group leader; any bytes, may lack a NUL */
};

#endif
