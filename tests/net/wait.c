// SPDX-License-Identifier: GPL-2.0-or-later
/* Until a socket is as a scenario wants it: its state, its window, its queue. */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 65536

void sf_tcp_info(int fd, struct tcp_info *ret)
{
	socklen_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len))
		sf_die("TCP_INFO: %s", strerror(errno));
}

void sf_wait_state(int fd, int state)
{
	struct tcp_info info;

	do {
		sf_tcp_info(fd, &info);
	} while (info.tcpi_state != state && !usleep(200));
}

/*
 * Until the kernel's table has a socket of these ends in this state, a timewait
 * one too; 0: has none at all. IPv4.
 */
void sf_wait_listed(const struct sf_end *e, unsigned int state)
{
	char want[64], line[512];
	uint32_t local, peer;
	unsigned int found;

	memcpy(&local, e->local.ip + 12, 4);
	memcpy(&peer, e->peer.ip + 12, 4);
	snprintf(want, sizeof(want), "%08X:%04X %08X:%04X", local, e->local.port, peer,
		 e->peer.port);
	do {
		FILE *file = fopen("/proc/thread-self/net/tcp", "re");

		if (!file)
			sf_die("/proc/net/tcp: %s", strerror(errno));
		found = 0;
		while (fgets(line, sizeof(line), file)) {
			const char *at = strstr(line, want);

			if (at)
				found = (unsigned int)strtoul(at + strlen(want), NULL, 16);
		}
		fclose(file);
	} while (found != state && !usleep(2000));
}

/*
 * Sends until the peer's window is closed: what was sent is acknowledged, the
 * rest may not go. A full buffer alone does not tell: what makes room in it may
 * be under way.
 */
void sf_fill(struct sf_end *e, int fd)
{
	static uint8_t chunk[CHUNK];
	struct tcp_info info;
	int nr_unsent;
	ssize_t n;

	do {
		do {
			n = send(fd, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n > 0)
				e->bytes_sent += (uint64_t)n;
		} while (n > 0);
		if (errno != EAGAIN)
			sf_die("send: %s", strerror(errno));
		sf_tcp_info(fd, &info);
		if (ioctl(fd, SIOCOUTQNSD, &nr_unsent))
			sf_die("SIOCOUTQNSD: %s", strerror(errno));
	} while ((!nr_unsent || info.tcpi_unacked) && !usleep(1000));
}

void sf_drain(struct sf_end *e, int fd)
{
	static uint8_t chunk[CHUNK];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		e->bytes_received += (uint64_t)n;
	if (n < 0)
		sf_die("recv: %s", strerror(errno));
}
