/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sfgen makes TCP connections and writes down the truth about them: what each
 * process called, when, and what came of it. All of it is known to the
 * program by causality (its own calls, their results), never by timing.
 * Every end of a connection has a slot in memory shared by all processes of
 * the run, so that a parent can complete the slot of a child it killed; one
 * process writes them all when the others are gone.
 */
#ifndef SFGEN_H
#define SFGEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SF_COMM_LEN 16
#define SF_MAX_WORKERS 64

enum sf_gen_role { SF_CLIENT, SF_SERVER, SF_BOTH, SF_LISTENER };
enum sf_gen_side { SF_NOBODY, SF_LOCAL, SF_PEER };

enum sf_outcome {
	SF_UNFINISHED, /* the process died in between: the run is void */
	SF_ESTABLISHED,
	SF_REFUSED,
	SF_TIMEOUT,
	SF_UNREACHABLE,
	SF_ABORTED, /* closed before it was established */
	SF_NO_PORT, /* no free local port: no SYN was sent */
	SF_LISTENING,
};

/* A system call: when it was entered and when it had returned, CLOCK_BOOTTIME ns; 0 = not made. */
struct sf_span {
	uint64_t call_ns;
	uint64_t return_ns;
};

/* Addresses are 16 bytes in network order, IPv4 as v4-mapped; ports host order. */
struct sf_addr {
	uint8_t ip[16];
	uint16_t port;
	bool is_v6_socket; /* the socket is AF_INET6, whatever the wire speaks */
};

/* One end of a connection, or a listening socket. */
struct sf_end {
	enum sf_gen_role role;
	enum sf_outcome outcome;
	enum sf_gen_side closed_first;
	enum sf_gen_side rst_sender;
	pid_t pid; /* who connected, accepted or listens; 0 = nobody did */
	pid_t tid;
	pid_t closer_pid;
	uid_t uid;
	uint8_t comm[SF_COMM_LEN]; /* of pid's main thread at that call */
	uint64_t netns;
	struct sf_addr local;
	struct sf_addr peer;
	bool is_ephemeral; /* the kernel chose the local port */
	bool is_exact;	   /* byte counts are what the peer acknowledged */
	int connect_errno;
	int read_errno;
	int backlog;
	int syn_retransmits; /* -1 = not known */
	int synack_retransmits_min;
	int unread_bytes; /* in the receive queue at close(); -1 = not known */
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t rtt_ns; /* the link's delay makes no handshake shorter; 0 = none */
	uint64_t up_ns;	 /* established for certain by then */
	struct sf_span listen;
	struct sf_span connect;
	struct sf_span accept;
	struct sf_span shutdown;
	struct sf_span close;
	struct sf_span idle; /* server: half-open time it spent in silence */
	const char *variant;
};

/* Memory shared by all processes of a run. */
struct sf_world {
	atomic_uint nr_ends;
	uint32_t max_ends;
	atomic_uint nr_blocked; /* workers about to call accept() */
	atomic_int blocked_tid[SF_MAX_WORKERS];
	struct sf_end ends[];
};

#define SF_F_LATE (1U << 0)    /* the server lets the connection wait in its queue */
#define SF_F_FORK (1U << 1)    /* a child of the connecting process uses and closes it */
#define SF_F_PASS (1U << 2)    /* the server passes it to another process */
#define SF_F_BLOCKED (1U << 3) /* accept() is called before --go */
#define SF_F_NONBLOCK (1U << 4)
#define SF_F_BIND (1U << 5)	     /* the client binds its port, in four ways */
#define SF_F_NAMES (1U << 6)	     /* process names of all sorts */
#define SF_F_DIE (1U << 7)	     /* the client exits or is killed, it does not close */
#define SF_F_SAME_PORT (1U << 8)     /* one source port again and again */
#define SF_F_STRAY_THREADS (1U << 9) /* threads bear another name than their process */
#define SF_F_NO_TRUTH (1U << 10)     /* makes no connection, writes no truth */
#define SF_F_CLOSING (1U << 11)	     /* its truth is of a kind of its own */

struct sf_run;

/* A row of the scenario table: who takes part and what they say. */
struct sf_scenario {
	const char *name;
	int (*run)(struct sf_run *run);
	const char *modes; /* one letter per connection, in turn; see dialog.c */
	int count;	   /* default number of connections */
	int client_procs;
	int client_threads;
	int server_procs;
	int server_threads;
	unsigned int flags;
};

struct sf_run {
	const struct sf_scenario *scenario;
	struct sf_world *world;
	const char *label;
	const char *client_netns; /* NULL: where we are */
	const char *server_netns;
	const char *truth_path;
	const char *ready_path;
	const char *go_path;
	const char *cgroup_path;
	struct sf_addr target; /* where clients connect to; port 0: told by the server */
	struct sf_addr listen_on;
	int port;      /* of the listener; 0 = the kernel's choice */
	int bind_port; /* first port that clients bind */
	int count;
	int rate_hz; /* connections per second of the whole run; 0 = no pause */
	int seconds;
	int deadline_s;
	int syn_retransmits;	    /* the link loses that many SYNs of each connection */
	int synack_retransmits_min; /* the link loses that many SYN+ACKs */
	int rtt_us;
	int there_us; /* relay: its delays, client to server and back */
	int back_us;
	int lose_syn_port;
	int lose_synack_port;
	int port_pipe[2]; /* server -> parent: the port it listens on */
	int note_pipe[2]; /* one end tells the other: a byte per connection */
};

/* sfgen.c */
void sf_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
pid_t sf_fork(const struct sf_run *run);
pid_t sf_spawn(int (*fn)(struct sf_run *run, int index), struct sf_run *run, int index);
/* Waits for all children in pids[nr]; dies if one failed. */
void sf_reap(const pid_t *pids, int nr);
int sf_share(int total, int parts, int index);
/* Process name number index of the names scenario; returns the number of names. */
int sf_odd_name(int index, const char **ret_name);

/* truth.c */
struct sf_world *sf_world_new(uint32_t max_ends);
struct sf_end *sf_end_new(struct sf_run *run, enum sf_gen_role role);
uint64_t sf_now_ns(void);
void sf_truth_clock(FILE *out);
void sf_truth_ends(FILE *out, const struct sf_run *run);
void sf_truth_append(const char *path, const char *text, size_t len);
void sf_print_addr(FILE *out, const char *key, const struct sf_addr *addr);
void sf_print_comm(FILE *out, const uint8_t comm[SF_COMM_LEN]);

/* sock.c */
void sf_enter_netns(const char *name);
uint64_t sf_netns_inode(void);
void sf_set_comm(const char *name);
void sf_addr_parse(const char *text, struct sf_addr *ret);
bool sf_addr_is_v4(const struct sf_addr *addr);
void sf_addr_source(const struct sf_addr *dst, struct sf_addr *ret);
int sf_socket(const struct sf_addr *like);
void sf_bind(int fd, const struct sf_addr *addr);
int sf_listen(struct sf_run *run, int backlog, struct sf_end **ret_listener);
/* Returns connect()'s errno. */
int sf_connect_fd(int fd, const struct sf_addr *target);
int sf_connect(struct sf_run *run, struct sf_end *e, int fd);
int sf_accept(struct sf_run *run, int lfd, struct sf_end **ret_end);
void sf_shutdown(int fd, struct sf_end *e);
void sf_close(int fd, struct sf_end *e);
void sf_owner_is_me(struct sf_end *e);
void sf_tuple(struct sf_end *e, int fd);

/* wait.c */
struct tcp_info;
void sf_tcp_info(int fd, struct tcp_info *ret);
/* state: as in include/net/tcp_states.h */
void sf_wait_state(int fd, int state);
void sf_wait_listed(const struct sf_end *e, unsigned int state);
void sf_fill(struct sf_end *e, int fd);
void sf_drain(struct sf_end *e, int fd);

/* dialog.c */
/*
 * Returns true if it closed fd, false if that is left to the process's death.
 * note_fd: gets a byte once the server's end is established for certain; -1 = none.
 */
bool sf_client_dialog(struct sf_end *e, int fd, char mode, int note_fd);
void sf_wait_acked(int fd);
void sf_server_dialog(struct sf_end *e, int fd);
void sf_put(struct sf_end *e, int fd, const void *data, size_t len);
void sf_get(struct sf_end *e, int fd, void *data, size_t len);
/* Reads the end, which must be want_errno (0: end of file). */
void sf_get_end(struct sf_end *e, int fd, int want_errno);

/* client.c, server.c */
int sf_client_main(struct sf_run *run, int index);
int sf_server_main(struct sf_run *run, int index);

/* lone.c, queue.c, storm.c, relay.c, forbid.c */
int sf_run_fail(struct sf_run *run);
int sf_run_self(struct sf_run *run);
int sf_run_noport(struct sf_run *run);
int sf_run_unaccepted(struct sf_run *run);
int sf_run_storm(struct sf_run *run);
int sf_run_relay(struct sf_run *run);
int sf_run_forbid(struct sf_run *run);

/* closing.c: ways to end a connection, side by side; outside.c: what it needs. */
int sf_run_closing(struct sf_run *run);
void sf_destroy(const struct sf_addr *local, const struct sf_addr *peer);
void sf_set_lo(short flags);
void sf_new_netns(void);

/* sfgen.c: servers and clients as the scenario's row says. */
int sf_run_pairs(struct sf_run *run);
/* Starts the server, enters its port in run->target; returns its pid. */
pid_t sf_start_server(struct sf_run *run, int (*server)(struct sf_run *run, int index));

#endif
