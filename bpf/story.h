/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The story: all that synfin knows of one TCP socket, and the record that
 * carries it to user space. Both sides include this file and nothing else is
 * shared. Fixed layout: only __uN types, explicit padding, zero means "has
 * not happened or was not seen". Its owner is the kernel side; user space
 * never writes a story, it reads one (live, from a snapshot, from a file).
 */
#ifndef SF_STORY_H
#define SF_STORY_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define SF_COMM_LEN 16

/*
 * Steps of a connection's life. step_ns[] holds CLOCK_BOOTTIME nanoseconds,
 * 0 = has not happened or was not seen. Of a socket that accept() returned,
 * the first three are its listener's.
 */
enum sf_step {
	SF_STEP_SOCKET,		 /* socket() */
	SF_STEP_BIND,		 /* bind() */
	SF_STEP_LISTEN,		 /* listen() */
	SF_STEP_CONNECT,	 /* connect() reached TCP: CLOSE -> SYN_SENT */
	SF_STEP_SYN_SENT,	 /* client: first SYN handed to IP */
	SF_STEP_SYN_RECEIVED,	 /* server: first SYN arrived */
	SF_STEP_SYNACK_SENT,	 /* server: first SYN+ACK handed to IP */
	SF_STEP_SYNACK_RECEIVED, /* client: SYN+ACK arrived */
	SF_STEP_ESTABLISHED,	 /* this end reached ESTABLISHED */
	SF_STEP_ACCEPTED,	 /* accept() returned this socket */
	SF_STEP_FIRST_IN,	 /* first byte received */
	SF_STEP_FIRST_OUT,	 /* first byte sent */
	SF_STEP_FIN_SENT,	 /* our FIN queued behind our data */
	SF_STEP_FIN_ACKED,	 /* the ACK of our FIN arrived */
	SF_STEP_FIN_RECEIVED,	 /* the peer's FIN arrived */
	SF_STEP_SHUTDOWN,	 /* shutdown() called */
	SF_STEP_CLOSE,		 /* close() reached TCP, or the process died */
	SF_STEP_RST_SENT,	 /* we sent RST */
	SF_STEP_RST_RECEIVED,	 /* the peer's RST arrived */
	SF_STEP_TIME_WAIT,	 /* TIME_WAIT begun */
	SF_STEP_TIME_WAIT_END,	 /* TIME_WAIT ended */
	SF_STEP_CLOSED,		 /* state CLOSE: no connection any more */
	SF_STEP_DESTROYED,	 /* the socket itself is gone */
	SF_STEP_NR,
};

enum sf_role {
	SF_ROLE_UNKNOWN,
	SF_ROLE_CLIENT,
	SF_ROLE_SERVER,
	SF_ROLE_BOTH, /* simultaneous open, self-connect (RFC 9293 3.5) */
	SF_ROLE_LISTENER,
	SF_ROLE_NR,
};

/* How the role was learned. Anything from SF_ROLE_SRC_LISTENER on is inferred. */
enum sf_role_source {
	SF_ROLE_SRC_NONE,
	SF_ROLE_SRC_CONNECT,	/* we saw it dial */
	SF_ROLE_SRC_ACCEPT,	/* accept() returned it */
	SF_ROLE_SRC_HANDSHAKE,	/* its handshake told: it came out of a listener, or dialed */
	SF_ROLE_SRC_LISTEN,	/* listen() was called on it */
	SF_ROLE_SRC_LISTENER,	/* inferred: a listener owns one end's port, on this host */
	SF_ROLE_SRC_PORT_RANGE, /* inferred: its local port is in the ephemeral range */
	SF_ROLE_SRC_NR,
};

/* In which call the owner was seen to be the running task. */
enum sf_owner_source {
	SF_OWNER_SRC_NONE,
	SF_OWNER_SRC_CONNECT,
	SF_OWNER_SRC_ACCEPT,
	SF_OWNER_SRC_LISTEN,
	SF_OWNER_SRC_IO,
	SF_OWNER_SRC_CLOSE,
	SF_OWNER_SRC_FD_SCAN, /* no call: it holds a descriptor; of several the lowest process id */
	SF_OWNER_SRC_NR,
};

/* Why the connection ended. */
enum sf_cause {
	SF_CAUSE_NONE,
	SF_CAUSE_FIN,
	SF_CAUSE_RESET,
	SF_CAUSE_REFUSED,
	SF_CAUSE_TIMEOUT,
	SF_CAUSE_UNREACHABLE,
	SF_CAUSE_NO_PORT, /* no free local port: no SYN was ever sent */
	SF_CAUSE_ABORT,	  /* given up or aborted locally */
	SF_CAUSE_KILLED,  /* destroyed from outside (ss -K, sock_diag destroy) */
	SF_CAUSE_ERROR,	  /* another errno, given in err */
	SF_CAUSE_DENIED,  /* refused on this host: a prohibited route, a cgroup's policy */
	SF_CAUSE_NR,
};

/* The call, or what stands for it, with which this end began to close or was cut. */
enum sf_call {
	SF_CALL_NONE, /* not known */
	SF_CALL_CLOSE,
	SF_CALL_SHUTDOWN,
	SF_CALL_EXIT,	    /* the process ended by itself with the socket open */
	SF_CALL_KILL,	    /* a signal ended the process */
	SF_CALL_LINGER,	    /* close() with SO_LINGER 0 */
	SF_CALL_DISCONNECT, /* connect() to AF_UNSPEC */
	SF_CALL_LISTENER,   /* its listener closed while it waited for accept() */
	SF_CALL_ABORT,	    /* from outside: ss -K, sock_diag destroy */
	SF_CALL_NR,
};

/* How TIME_WAIT, or the wait of an orphan in FIN_WAIT2, ended. */
enum sf_wait_end {
	SF_WAIT_END_NONE,    /* it goes on, or its end was not seen */
	SF_WAIT_END_EXPIRED, /* its time was over */
	SF_WAIT_END_REUSED,  /* a new connection took its addresses and ports */
	SF_WAIT_END_RESET,   /* a RST cut it */
	SF_WAIT_END_KILLED,  /* cut otherwise: its namespace went, sock_diag destroy */
	SF_WAIT_END_NR,
};

/* How far a timewait socket was seen to take over. */
enum sf_wait_seen {
	SF_WAIT_UNSEEN,
	SF_WAIT_ASKED, /* tcp_time_wait() was called; there may be none left (tcp_max_tw_buckets) */
	SF_WAIT_BEGUN,
};

enum sf_side {
	SF_SIDE_NONE,
	SF_SIDE_LOCAL,
	SF_SIDE_PEER,
	SF_SIDE_BOTH,
	SF_SIDE_NR,
};

/* The story's flags. */
#define SF_F_PORT_KNOWN (1U << 0)     /* local_port_ephemeral is known */
#define SF_F_PORT_EPHEMERAL (1U << 1) /* the kernel chose the local port */
#define SF_F_BEGIN_UNSEEN (1U << 2)   /* it was open before synfin attached */
#define SF_F_BEGIN_LOST (1U << 3)     /* its begin or a later step was lost, or it is older */
#define SF_F_V4MAPPED (1U << 4)	      /* AF_INET6 socket speaking IPv4 */
#define SF_F_SYNCOOKIE (1U << 5)
#define SF_F_FASTOPEN (1U << 6)
#define SF_F_ISN_KNOWN (1U << 7)    /* both initial sequence numbers are known */
#define SF_F_ENDED (1U << 8)	    /* its close or failed record was sent */
#define SF_F_MUTED (1U << 9)	    /* can never match the kernel-side filter */
#define SF_F_TUPLE_KNOWN (1U << 10) /* addresses and ports were read from the socket */
#define SF_F_DEFER_ACCEPT (1U << 11)
#define SF_F_FIN_COUNTED (1U << 12)    /* the peer's FIN is in the socket's byte counters */
#define SF_F_RST_INFERRED (1U << 13)   /* rst_reason was concluded, the kernel gave none */
#define SF_F_RST_BY_APP (1U << 14)     /* a call of the program sent our RST; else the kernel did */
#define SF_F_RST_BY_KNOWN (1U << 15)   /* SF_F_RST_BY_APP is known */
#define SF_F_NEVER_ACCEPTED (1U << 16) /* it ended in the accept queue */
#define SF_F_INTERRUPTED (1U << 17)    /* a signal ended connect(); the connection went on */
#define SF_F_ORPHAN (1U << 18)	       /* its program had closed it before the end */
#define SF_F_QUEUE_KNOWN (1U << 19)    /* accept_queue was read */
#define SF_F_ACK_COUNTED (1U << 20)    /* the ACK of our FIN is in the socket's byte counters */
#define SF_F_BYTES_UNSURE (1U << 21)   /* bytes_sent may count our SYN or FIN */
#define SF_F_ERRNO_AWAITED (1U << 22)  /* the kernel side's own: connect() tells why it failed */
#define SF_F_ERR_SOFT (1U << 23)       /* err did not end it; the program gave up after it */
#define SF_F_BACKLOG_ASKED (1U << 24)  /* listener: backlog_asked is known, and not overtaken */
#define SF_F_END_UNSEEN (1U << 25)     /* found out when it was over: its counters are too old */
#define SF_F_SHUT_EARLY (1U << 26)     /* the kernel side's own: shutdown() before it was open */

/* A task, seen running in a call on the socket, or holding it. All zero when unknown. */
struct sf_task {
	__u32 tgid; /* process id in the initial pid namespace, 0 = unknown */
	__u32 tid;  /* 0 = unknown */
	__u32 uid;
	__u8 source; /* enum sf_owner_source */
	__u8 pad[3];
	__u64 cgroup_id;	/* cgroup v2 id of the task then, 0 = unknown */
	__u8 comm[SF_COMM_LEN]; /* of the thread group leader; any bytes, may lack a NUL */
};

struct sf_story {
	__u64 id;     /* ours: unique on this host since boot */
	__u64 cookie; /* the kernel's socket cookie, 0 = not known */
	__u64 step_ns[SF_STEP_NR];
	__u64 steps_derived;   /* bit per step: its time was computed, not taken there */
	__u64 bytes_sent;      /* payload the peer acknowledged */
	__u64 bytes_received;  /* payload received in order */
	__u64 listener_id;     /* story id of the listener it came from, 0 = not known */
	__u64 told_ns;	       /* listener: when its drops were last told */
	struct sf_task owner;  /* who connected, accepted or listens */
	struct sf_task closer; /* who closed or shut down */
	__u8 local_addr[16];   /* network byte order, IPv4 as v4-mapped */
	__u8 peer_addr[16];
	__u16 local_port; /* host byte order, 0 = not known */
	__u16 peer_port;
	__u16 family;	 /* AF_INET or AF_INET6 of the socket */
	__u16 err;	 /* errno the connection ended with, 0 = none */
	__u32 netns;	 /* inode number of the network namespace */
	__u32 bound_if;	 /* SO_BINDTODEVICE index, 0 = none */
	__u32 isn_local; /* initial sequence numbers, host byte order */
	__u32 isn_peer;
	__u32 flags; /* SF_F_* */
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmits; /* segments retransmitted after the handshake that left the host */
	__u32 srtt_us;
	__u32 rtt_min_us;
	__u32 unread_bytes;	  /* in the receive queue at close */
	__u32 accept_queue;	  /* how many wait for accept(), as the accept or drop left it */
	__u32 backlog;		  /* listener: limit in force */
	__u32 zero_window_probes; /* sent while the peer's window was zero */
	__u32 syns_dropped;	  /* listener, this and the next two: since it was first seen */
	__u32 acks_dropped;	  /* the handshake's last ACK came, the accept queue was full */
	__u32 half_open_expired;  /* handshakes begun and not completed */
	__u32 drops_told;	  /* how many of the three together were told */
	__u32 drops_base;	  /* the socket's own count of drops when it was first seen */
	__u16 syn_retransmits;
	__u16 synack_retransmits;
	__u8 role;	  /* enum sf_role */
	__u8 role_source; /* enum sf_role_source */
	__u8 state;	  /* kernel's TCP state number now */
	__u8 cause;	  /* enum sf_cause */
	__u8 closed_by;	  /* enum sf_side: who closed first */
	__u8 rst_sender;  /* enum sf_side */
	__u8 rst_state;	  /* kernel's TCP state when the RST came or went */
	__u8 rst_reason;  /* kernel's enum sk_rst_reason, 0 = not given */
	__u8 close_call;  /* enum sf_call */
	__u8 wait_end;	  /* enum sf_wait_end */
	/* The kernel side's own: low bits of the data segments received when we began to close. */
	__u8 data_segs_at_close;
	__u8 has_wait;		  /* the kernel side's own: enum sf_wait_seen */
	__u32 retransmits_unsent; /* retransmitted, SYNs too, and refused on this host */
	__u32 backlog_asked;	  /* listener: what listen() was called with; cut to backlog */
	__u32 pad;
};

/* What happened. One ring record per event, each with the whole story so far. */
enum sf_event_kind {
	SF_EV_NONE,
	SF_EV_LISTEN,
	SF_EV_CONNECT,
	SF_EV_ESTABLISHED,
	SF_EV_ACCEPT,
	SF_EV_FIN_SENT,
	SF_EV_FIN_RECEIVED,
	SF_EV_RESET,
	SF_EV_FAILED,
	SF_EV_CLOSE,
	SF_EV_TIME_WAIT_END,
	SF_EV_LISTEN_OVERFLOW, /* a listener's: handshakes were dropped or expired since the last */
	SF_EV_STUCK,	       /* no step: user space found that it makes no progress */
	SF_EV_NR,
};

struct sf_event {
	__u64 time_ns;	 /* CLOCK_BOOTTIME of the event */
	__u8 kind;	 /* enum sf_event_kind */
	__u8 state_prev; /* kernel's TCP state before, 0 = no transition */
	__u8 pad[6];
	struct sf_story story;
};

#endif
