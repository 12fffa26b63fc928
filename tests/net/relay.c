// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A slow link without netem: a TUN device in each of two network namespaces
 * and this process between them, which hands every packet on after a fixed
 * time. It can lose the first SYN or the first SYN+ACK of each connection to
 * a port. So the delay and the losses are known exactly, not measured.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NR_SLOTS 1024
#define MAX_PACKET 2048
#define TUN_NAME "sftun"
#define TCP_FLAGS 13 /* offset in the TCP header (RFC 9293 section 3.1) */
#define TCP_SYN 0x02
#define TCP_SYNACK 0x12

struct packet {
	uint64_t due_ns;
	ssize_t len;
	uint8_t data[MAX_PACKET];
};

/* One way: what was read from one device and waits to be written to the other. */
struct way {
	int from;
	int to;
	uint64_t delay_ns;
	unsigned int head;
	unsigned int tail;
	uint8_t has_lost[65536]; /* by client port */
	struct packet packets[NR_SLOTS];
};

static int open_tun(const char *netns)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd;

	sf_enter_netns(netns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		sf_die("/dev/net/tun: %s", strerror(errno));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), TUN_NAME);
	if (ioctl(fd, TUNSETIFF, &ifr))
		sf_die("TUNSETIFF: %s", strerror(errno));
	return fd;
}

/* The TCP header of an IPv4 or (without extensions) IPv6 packet, or NULL. */
static const uint8_t *tcp_header(const uint8_t *ip, ssize_t len)
{
	ssize_t ip_len = 40;
	uint8_t protocol = ip[6];

	if (ip[0] >> 4 == 4) {
		ip_len = (ip[0] & 0xf) * 4;
		protocol = ip[9];
	}
	return protocol == 6 && len >= ip_len + 20 ? ip + ip_len : NULL;
}

static int port_at(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static bool is_to_be_lost(const struct sf_run *run, struct way *way, const struct packet *p)
{
	const uint8_t *tcp = tcp_header(p->data, p->len);
	int client_port;

	if (!tcp)
		return false;
	if (tcp[TCP_FLAGS] == TCP_SYN && port_at(tcp + 2) == run->lose_syn_port)
		client_port = port_at(tcp);
	else if (tcp[TCP_FLAGS] == TCP_SYNACK && port_at(tcp) == run->lose_synack_port)
		client_port = port_at(tcp + 2);
	else
		return false;
	if (way->has_lost[client_port])
		return false;
	way->has_lost[client_port] = 1;
	return true;
}

static void read_packets(const struct sf_run *run, struct way *way)
{
	while (way->head - way->tail < NR_SLOTS) {
		struct packet *p = &way->packets[way->head % NR_SLOTS];

		p->len = read(way->from, p->data, sizeof(p->data));
		if (p->len < 0 && errno == EAGAIN)
			return;
		if (p->len < 20)
			sf_die("tun: %s", strerror(errno));
		p->due_ns = sf_now_ns() + way->delay_ns;
		if (!is_to_be_lost(run, way, p))
			way->head++;
	}
}

/* Writes what is due; returns when the next one is, UINT64_MAX if none waits. */
static uint64_t write_packets(struct way *way)
{
	while (way->tail != way->head) {
		struct packet *p = &way->packets[way->tail % NR_SLOTS];

		if (p->due_ns > sf_now_ns())
			return p->due_ns;
		/* a device that is down takes nothing: the packet is lost, as on a wire */
		if (write(way->to, p->data, (size_t)p->len) < 0 && errno != EIO)
			sf_die("tun: %s", strerror(errno));
		way->tail++;
	}
	return UINT64_MAX;
}

/*
 * Creates run->ready_path when both devices exist; ends by a signal or with its parent's patience.
 */
int sf_run_relay(struct sf_run *run)
{
	static struct way there, back;
	struct pollfd pfds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int fd;

	there.from = back.to = open_tun(run->client_netns);
	there.to = back.from = open_tun(run->server_netns);
	there.delay_ns = (uint64_t)run->there_us * 1000;
	back.delay_ns = (uint64_t)run->back_us * 1000;
	pfds[0].fd = there.from;
	pfds[1].fd = back.from;
	fd = open(run->ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd))
		sf_die("%s: %s", run->ready_path, strerror(errno));
	alarm((unsigned int)run->deadline_s);
	while (true) {
		struct timespec wait;
		uint64_t due, due_back, now;

		read_packets(run, &there);
		read_packets(run, &back);
		due = write_packets(&there);
		due_back = write_packets(&back);
		if (due_back < due)
			due = due_back;
		now = sf_now_ns();
		due = due > now ? due - now : 0;
		if (due > 1000000000U)
			due = 1000000000U;
		wait = (struct timespec){ due / 1000000000U, (long)(due % 1000000000U) };
		if (ppoll(pfds, 2, &wait, NULL) < 0)
			sf_die("ppoll: %s", strerror(errno));
	}
}
