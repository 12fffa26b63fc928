/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types synfin reads, and no more. Written by hand: only names and
 * nesting matter, because every access is relocated against the running
 * kernel's own BTF (CO-RE), so one file serves every kernel and both
 * architectures; only pt_regs differs and is chosen at the end.
 * vmlinux/README says how a type is added; vmlinux/verify.py checks each
 * member below against the BTF of a kernel.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

enum {
	false = 0,
	true = 1,
};

/* include/uapi/linux/bpf.h: part of the ABI, numbers never change */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

enum {
	BPF_F_NO_PREALLOC = 1,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_RB_AVAIL_DATA = 0,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

struct timer_list {
	unsigned long expires;
	void (*function)(struct timer_list *);
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only;
	int skc_bound_dev_if;
	unsigned long skc_flags;
	struct sock *skc_listener;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	u32 skc_tw_rcv_nxt;
	u32 skc_tw_snd_nxt;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	u16 sk_protocol;
	u8 sk_userlocks;
	u8 sk_shutdown;
	int sk_err;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	unsigned long sk_lingertime;
	struct socket *sk_socket;
	int sk_err_soft;
	int sk_rcvbuf;
	int sk_sndbuf;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	struct timer_list sk_timer;
};

/* Since v7.0 the retransmission timer is the socket's, whose sk_timer it replaced. */
struct sock___retransmit {
	struct timer_list tcp_retransmit_timer;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct request_sock;

struct request_sock_queue {
	u8 rskq_defer_accept;
	atomic_t qlen;
	struct request_sock *rskq_accept_head;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct request_sock_queue icsk_accept_queue;
	__u32 icsk_rto;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_backoff;
	__u8 icsk_probes_out;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
	u32 icsk_user_timeout;
};

/* When the retransmission timer fires: the first up to v6.18, the second in it. */
struct inet_connection_sock___timeout {
	unsigned long icsk_timeout;
};

struct inet_connection_sock___retransmit {
	struct timer_list icsk_retransmit_timer;
};

/* Since v7.0, in place of sk_timer. */
struct inet_connection_sock___keepalive {
	struct timer_list icsk_keepalive_timer;
};

struct minmax_sample {
	u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 segs_in;
	u32 data_segs_in;
	u32 segs_out;
	int linger2;
	u64 bytes_received;
	u64 bytes_acked;
	u32 rcv_nxt;
	u32 copied_seq;
	u32 snd_una;
	u32 write_seq;
	u32 srtt_us;
	struct minmax rtt_min;
	u32 total_retrans;
	u32 snd_nxt;
	u32 snd_wnd;
	u32 rcv_wnd;
	u32 rcv_wup;
	u32 packets_out;
	u32 retrans_out;
	u32 mss_cache;
	u32 delivered;
	u32 lsndtime;
	u32 rcv_tstamp;
	u32 retrans_stamp;
	u32 snd_cwnd;
	u32 chrono_start;
	u32 chrono_stat[3];
	u8 chrono_type;
	u8 syn_data_acked;
	u8 repair;
	u8 fastopen_connect;
	struct {
		u32 rtt_us;
	} rcv_rtt_est;
	struct {
		u32 seq;
		u64 time;
	} rcvq_space;
	struct request_sock *fastopen_rsk;
};

/* Since v6.7; before it retrans_stamp counts milliseconds. */
struct tcp_sock___usec {
	u8 tcp_usec_ts;
};

struct request_sock {
	struct sock_common __req_common;
	struct sock *sk;
	u8 num_retrans;
	u8 num_timeout;
	struct timer_list rsk_timer;
};

struct inet_request_sock {
	struct request_sock req;
};
struct inet_timewait_sock {
	struct sock_common __tw_common;
	unsigned char tw_substate;
	__be16 tw_sport;
	struct timer_list tw_timer;
};

/* Since v6.14. */
struct inet_timewait_sock___stamp {
	u32 tw_entry_stamp;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct sk_buff {
	char cb[48];
	unsigned int len;
	__be16 protocol;
	__u16 transport_header;
	unsigned char *head;
};

/* What TCP keeps in sk_buff.cb. */
struct tcp_skb_cb {
	u16 tcp_gso_segs;
};

struct tcphdr;

struct request_sock;

struct tcp_request_sock {
	struct inet_request_sock req;
	bool tfo_listener;
	u64 snt_synack;
	u32 rcv_isn;
	u32 snt_isn;
	bool is_mptcp;
	bool drop_req;
};

/* Why a RST was sent. Its numbers hold since this value came, in v6.12; v6.10 and v6.11 had others. */
enum sk_rst_reason {
	SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT = 15,
};

struct bpf_iter__bpf_map_elem {
	void *key;
	void *value;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	__u32 uid;
};

struct inode {
	unsigned short i_mode;
};

struct file {
	void *private_data;
	struct inode *f_inode;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct thread_info {
#if defined(__TARGET_ARCH_x86)
	u32 status;
#else
	unsigned long flags;
#endif
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigpending {
	sigset_t signal;
};

struct signal_struct {
	struct sigpending shared_pending;
};

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	int tgid;
	const struct cred *cred;
	int exit_code;
	struct task_struct *group_leader;
	char comm[16];
	struct files_struct *files;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	sigset_t blocked;
	struct sigpending pending;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long ax, dx, si, di, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs { /* what bpf_tracing.h takes pt_regs for */
	__u64 regs[31];
};

struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};
#else
#error "synfin knows pt_regs of x86-64 and arm64 only"
#endif

#pragma clang attribute pop

#endif
