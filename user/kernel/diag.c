// SPDX-License-Identifier: GPL-2.0-or-later
/* From inet_diag messages and /proc to the records that BPF would have written. */
#include "kernel/diag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/util.h"
#include "story/names.h"

#define BUF_BYTES (256 * 1024)
/* A first retransmission timeout of a SYN is a second (RFC 6298). */
#define SYN_TIMEOUT_MS 1000
/* Behind tcpi_snd_wnd since v6.2; headers may be older. */
#define RCV_WND_OFFSET (offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(__u32))

/* net/ipv4/inet_diag.c: idiag_timer */
enum { DIAG_NO_TIMER, DIAG_RETRANSMIT, DIAG_KEEPALIVE, DIAG_TIME_WAIT, DIAG_PROBE0 };

/* What newer kernels append is kept. */
struct info {
	struct tcp_info info;
	__u32 appended[16];
};

struct dump {
	sf_diag_sock_fn fn;
	void *ctx;
	uint32_t netns;
};

static void copy_addr(int family, const __be32 from[4], __u8 to[16])
{
	if (family == AF_INET6) {
		memcpy(to, from, 16);
		return;
	}
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, from, 4);
}

static uint8_t timer_of(unsigned int timer)
{
	switch (timer) {
	case DIAG_RETRANSMIT:
		return SF_TIMER_RETRANSMIT;
	case DIAG_KEEPALIVE:
		return SF_TIMER_KEEPALIVE;
	case DIAG_TIME_WAIT:
		return SF_TIMER_TIME_WAIT;
	case DIAG_PROBE0:
		return SF_TIMER_PROBE0;
	default:
		return SF_TIMER_NONE;
	}
}

static void fill_message(const struct dump *dump, const struct inet_diag_msg *msg,
			 struct sf_sock *s)
{
	s->cookie = (__u64)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0];
	/* What no process holds has no inode: its cookie, which is none's inode, is its name. */
	s->sk = msg->idiag_inode ? msg->idiag_inode : s->cookie | 1ULL << 63;
	copy_addr(msg->idiag_family, msg->id.idiag_src, s->local_addr);
	copy_addr(msg->idiag_family, msg->id.idiag_dst, s->peer_addr);
	s->local_port = ntohs(msg->id.idiag_sport);
	s->peer_port = ntohs(msg->id.idiag_dport);
	s->netns = dump->netns;
	s->bound_if = msg->id.idiag_if;
	s->uid = msg->idiag_uid;
	s->family = msg->idiag_family;
	s->state = msg->idiag_state;
	s->timer = timer_of(msg->idiag_timer);
	s->timer_ticks = (__s32)msg->idiag_expires;
	s->flags = SF_SK_PARTIAL;
	if (s->timer == SF_TIMER_KEEPALIVE)
		s->flags |= SF_SK_KEEPALIVE;
	if (s->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((struct in6_addr *)s->peer_addr))
		s->flags |= SF_SK_V4MAPPED;
}

static void fill_listener(const struct inet_diag_msg *msg, struct sf_sock *s)
{
	s->accept_queue = msg->idiag_rqueue;
	s->backlog = msg->idiag_wqueue;
}

static void fill_memory(const __u32 memory[SK_MEMINFO_VARS], struct sf_sock *s)
{
	if (s->state == SF_TCP_LISTEN)
		s->drops = memory[SK_MEMINFO_DROPS];
	else
		s->send_buffer_bytes = memory[SK_MEMINFO_SNDBUF];
}

/* Numbers of their own, with the lengths that were told. */
static void fill_queues(const struct inet_diag_msg *msg, struct sf_sock *s)
{
	s->write_seq = msg->idiag_wqueue;
	s->snd_nxt = msg->idiag_wqueue;
	s->rcv_nxt = msg->idiag_rqueue;
	s->snd_wnd = s->rcv_wnd = SF_WND_UNKNOWN;
}

static bool may_be_orphan(uint8_t state)
{
	return state == SF_TCP_FIN_WAIT1 || state == SF_TCP_FIN_WAIT2 || state == SF_TCP_CLOSING ||
	       state == SF_TCP_LAST_ACK;
}

/*
 * At least how long it repeats: all timeouts before the present one, each half
 * of the next, or as long (tcp_syn_linear_timeouts).
 */
static void fill_repeated(struct sf_sock *s)
{
	uint32_t least_ms = s->state == SF_TCP_SYN_SENT ? s->tries * SYN_TIMEOUT_MS : 0;

	if (!s->tries)
		return;
	s->flags |= SF_SK_HAS_RETRANS;
	s->since_retrans_ms = s->rto_ticks / 2 > least_ms ? s->rto_ticks / 2 : least_ms;
}

static void fill_info(const struct info *all, size_t len, struct sf_sock *s)
{
	const struct tcp_info *info = &all->info;

	if (s->state != SF_TCP_SYN_SENT)
		s->flags |= SF_SK_HAS_AGES;
	s->sent_age_ticks = info->tcpi_last_data_sent;
	s->received_age_ticks = info->tcpi_last_data_recv;
	s->ack_age_ticks = info->tcpi_last_ack_recv;
	s->rto_ticks = info->tcpi_rto / 1000;
	s->tries = info->tcpi_retransmits;
	s->probes = info->tcpi_probes;
	s->backoff = info->tcpi_backoff;
	s->unacked_segs = info->tcpi_unacked;
	s->repeated_segs = info->tcpi_retrans;
	s->mss_bytes = info->tcpi_snd_mss;
	s->delivered_segs = info->tcpi_delivered;
	s->retransmits = info->tcpi_total_retrans;
	s->busy_ticks = (__u32)(info->tcpi_busy_time / 1000);
	s->sndbuf_limited_ticks = (__u32)(info->tcpi_sndbuf_limited / 1000);
	s->cwnd_segs = info->tcpi_snd_cwnd;
	s->srtt_us = info->tcpi_rtt;
	s->rtt_min_us = info->tcpi_min_rtt;
	s->bytes_acked = info->tcpi_bytes_acked;
	s->bytes_received = info->tcpi_bytes_received;
	s->segments_sent = info->tcpi_segs_out;
	s->segments_received = info->tcpi_segs_in;
	s->snd_nxt = s->write_seq - info->tcpi_notsent_bytes;
	if (len >= RCV_WND_OFFSET)
		s->snd_wnd = info->tcpi_snd_wnd;
	if (len >= RCV_WND_OFFSET + sizeof(s->rcv_wnd))
		memcpy(&s->rcv_wnd, (const char *)all + RCV_WND_OFFSET, sizeof(s->rcv_wnd));
	fill_repeated(s);
}

static void fill_waiting(const struct inet_diag_msg *msg, bool has_info, struct sf_sock *s)
{
	if (s->timer == SF_TIMER_TIME_WAIT) {
		s->substate = s->state;
		s->state = SF_TCP_TIME_WAIT;
		s->flags |= SF_SK_ORPHAN;
		return;
	}
	if (s->state == SF_TCP_SYN_RECV && !has_info) {
		s->state = SF_TCP_NEW_SYN_RECV;
		s->tries = msg->idiag_retrans;
		s->since_synack_us = ((1ULL << (s->tries & 15)) - 1) * SYN_TIMEOUT_MS * 1000;
		return;
	}
	if (msg->idiag_inode || s->state == SF_TCP_LISTEN || s->state == SF_TCP_CLOSE)
		return;
	s->flags |= may_be_orphan(s->state) ? SF_SK_ORPHAN : SF_SK_UNACCEPTED;
}

static int take(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(header);
	int len = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
	struct info info = { 0 };
	struct sf_sock s = { 0 };
	size_t info_len = 0;

	if (len < 0)
		return 0;
	fill_message(dump, msg, &s);
	for (const struct rtattr *at = (const struct rtattr *)(msg + 1); RTA_OK(at, len);
	     at = RTA_NEXT(at, len)) {
		if (at->rta_type == INET_DIAG_INFO) {
			info_len = sf_min_size(RTA_PAYLOAD(at), sizeof(info));
			memcpy(&info, RTA_DATA(at), info_len);
		} else if (at->rta_type == INET_DIAG_SKMEMINFO &&
			   RTA_PAYLOAD(at) >= (SK_MEMINFO_DROPS + 1) * sizeof(__u32)) {
			fill_memory(RTA_DATA(at), &s);
		} else if (at->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(at) >= 1 &&
			   s.state == SF_TCP_LISTEN && *(const __u8 *)RTA_DATA(at)) {
			s.flags |= SF_SK_V6ONLY;
		}
	}
	if (s.state == SF_TCP_LISTEN)
		fill_listener(msg, &s);
	else
		fill_queues(msg, &s);
	fill_waiting(msg, info_len, &s);
	if (info_len && s.state != SF_TCP_LISTEN)
		fill_info(&info, info_len, &s);
	return dump->fn(dump->ctx, &s);
}

static int request(int fd, int family)
{
	const struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (__u8)family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_SKMEMINFO - 1),
			  .idiag_states = ~0U },
	};

	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

/* 1: the dump is over; 0: more is to come; or negative errno. */
static int take_all(const struct dump *dump, const char *buf, size_t len)
{
	for (const struct nlmsghdr *at = (const struct nlmsghdr *)buf; NLMSG_OK(at, len);
	     at = NLMSG_NEXT(at, len)) {
		int r = 0;

		if (at->nlmsg_type == NLMSG_DONE)
			return 1;
		if (at->nlmsg_type == NLMSG_ERROR) {
			r = ((const struct nlmsgerr *)NLMSG_DATA(at))->error;
			/* A kernel without IPv6 */
			return r == -ENOENT ? 1 : r;
		}
		if (at->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			r = take(dump, at);
		if (r)
			return r;
	}
	return 0;
}

static int dump_family(const struct dump *dump, int fd, int family, char *buf)
{
	int r = request(fd, family);

	while (!r) {
		ssize_t n = recv(fd, buf, BUF_BYTES, 0);

		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : take_all(dump, buf, (size_t)n);
	}
	return r < 0 ? r : 0;
}

int sf_diag_sockets(sf_diag_sock_fn fn, void *ctx)
{
	_cleanup_(sf_freep) char *buf = malloc(BUF_BYTES);
	_cleanup_(sf_closep) int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct dump dump = { .fn = fn, .ctx = ctx };
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	if (!buf)
		return -ENOMEM;
	if (stat("/proc/thread-self/ns/net", &st))
		return -errno;
	dump.netns = (uint32_t)st.st_ino;
	r = dump_family(&dump, fd, AF_INET, buf);
	return r ? r : dump_family(&dump, fd, AF_INET6, buf);
}

static void read_comm(int proc_fd, struct sf_holder *holder)
{
	int fd = openat(proc_fd, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, holder->comm, sizeof(holder->comm));

	if (n > 0 && holder->comm[n - 1] == '\n')
		holder->comm[n - 1] = '\0';
	if (fd >= 0)
		close(fd);
}

/* "socket:[12345]" */
static bool inode_of(int dir_fd, const char *name, uint64_t *ret)
{
	char link[64];
	ssize_t n = readlinkat(dir_fd, name, link, sizeof(link) - 1);

	if (n < 10 || strncmp(link, "socket:[", 8) || link[n - 1] != ']')
		return false;
	link[n - 1] = '\0';
	return !sf_parse_u64(link + 8, 1, UINT64_MAX, ret);
}

/* A process that is gone, or that may not be looked at, holds nothing that is known. */
static int take_process(const char *pid_text, uint64_t pid, sf_diag_holder_fn fn, void *ctx)
{
	struct sf_holder holder = { .pid = (__u32)pid };
	struct dirent *entry;
	char path[64];
	struct stat st;
	int r = 0, proc_fd;
	uint64_t fd;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid_text);
	dir = opendir(path);
	if (!dir)
		return sf_is_shortage(-errno) ? -errno : 0;
	snprintf(path, sizeof(path), "/proc/%.20s", pid_text);
	proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd >= 0 && !fstat(proc_fd, &st)) {
		holder.uid = st.st_uid;
		read_comm(proc_fd, &holder);
	}
	while (!r && (entry = readdir(dir))) {
		if (sf_parse_u64(entry->d_name, 0, INT32_MAX, &fd) ||
		    !inode_of(dirfd(dir), entry->d_name, (uint64_t *)&holder.sk))
			continue;
		holder.fd = (__u32)fd;
		r = fn(ctx, &holder);
	}
	if (proc_fd >= 0)
		close(proc_fd);
	closedir(dir);
	return r;
}

int sf_diag_holders(sf_diag_holder_fn fn, void *ctx)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;
	int r = 0;

	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir)))
		if (!sf_parse_u64(entry->d_name, 1, UINT32_MAX, &pid))
			r = take_process(entry->d_name, pid, fn, ctx);
	closedir(dir);
	return r;
}
