// SPDX-License-Identifier: GPL-2.0-or-later
/* What befalls connections from outside: destroyed as by ss -K, a link down, a namespace gone. */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* IPv4 only, as ss -K does it. */
void sf_destroy(const struct sf_addr *local, const struct sf_addr *peer)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 diag;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.diag = { .sdiag_family = AF_INET,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = ~0U,
			  .id = { .idiag_sport = htons(local->port),
				  .idiag_dport = htons(peer->port),
				  .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	memcpy(request.diag.id.idiag_src, local->ip + 12, 4);
	memcpy(request.diag.id.idiag_dst, peer->ip + 12, 4);
	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer.header) + 4)
		sf_die("sock_diag: %s", strerror(errno));
	if (answer.header.nlmsg_type != NLMSG_ERROR || answer.error.error)
		sf_die("sock_diag destroy: %s", strerror(-answer.error.error));
	close(fd);
}

/* flags: IFF_UP, or 0: then nothing arrives any more in this network namespace. */
void sf_set_lo(short flags)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = flags };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		sf_die("lo: %s", strerror(errno));
	close(fd);
}

/* A network namespace of this process alone. */
void sf_new_netns(void)
{
	if (unshare(CLONE_NEWNET))
		sf_die("unshare: %s", strerror(errno));
	sf_set_lo(IFF_UP);
}
