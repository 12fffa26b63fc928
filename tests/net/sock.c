// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Socket calls that note in the truth when they were entered and left, and
 * what the kernel said. Whatever is not part of a scenario's plan ends the
 * program: a truth with holes is worth nothing.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATE_US 20000

void sf_enter_netns(const char *name)
{
	char path[256];
	int fd;

	if (!name)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) || close(fd))
		sf_die("%s: %s", path, strerror(errno));
}

uint64_t sf_netns_inode(void)
{
	struct stat st;

	if (stat("/proc/thread-self/ns/net", &st))
		sf_die("/proc/thread-self/ns/net: %s", strerror(errno));
	return st.st_ino;
}

void sf_set_comm(const char *name)
{
	if (prctl(PR_SET_NAME, name))
		sf_die("PR_SET_NAME: %s", strerror(errno));
}

/* "10.0.0.1" is an AF_INET socket, "::1" and "::ffff:10.0.0.1" are AF_INET6 ones. */
void sf_addr_parse(const char *text, struct sf_addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sf_addr addr = {};

	if (inet_pton(AF_INET, text, addr.ip + 12) == 1) {
		memcpy(addr.ip, mapped, sizeof(mapped));
	} else if (inet_pton(AF_INET6, text, addr.ip) == 1) {
		addr.is_v6_socket = true;
	} else {
		sf_die("not an address: %s", text);
	}
	*ret = addr;
}

bool sf_addr_is_v4(const struct sf_addr *addr)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr->ip);
}

static socklen_t to_sockaddr(const struct sf_addr *addr, struct sockaddr_storage *ret)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (addr->is_v6_socket) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(addr->port);
		memcpy(&sin6->sin6_addr, addr->ip, 16);
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	sin->sin_port = htons(addr->port);
	memcpy(&sin->sin_addr, addr->ip + 12, 4);
	return sizeof(*sin);
}

static void from_sockaddr(const struct sockaddr_storage *ss, struct sf_addr *ret)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;

	memset(ret, 0, sizeof(*ret));
	if (ss->ss_family == AF_INET6) {
		memcpy(ret->ip, &sin6->sin6_addr, 16);
		ret->port = ntohs(sin6->sin6_port);
		ret->is_v6_socket = true;
		return;
	}
	ret->ip[10] = ret->ip[11] = 0xff;
	memcpy(ret->ip + 12, &sin->sin_addr, 4);
	ret->port = ntohs(sin->sin_port);
}

static void local_addr(int fd, struct sf_addr *ret)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len))
		sf_die("getsockname: %s", strerror(errno));
	from_sockaddr(&ss, ret);
}

static void peer_addr(int fd, struct sf_addr *ret)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getpeername(fd, (struct sockaddr *)&ss, &len))
		sf_die("getpeername: %s", strerror(errno));
	from_sockaddr(&ss, ret);
}

/* The source address the routing table gives for dst: what a failed TCP socket no longer tells. */
void sf_addr_source(const struct sf_addr *dst, struct sf_addr *ret)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(dst, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len))
		sf_die("route: %s", strerror(errno));
	local_addr(fd, ret);
	ret->port = 0;
	close(fd);
}

void sf_owner_is_me(struct sf_end *e)
{
	char path[64];
	ssize_t len;
	int fd;

	e->pid = getpid();
	e->tid = gettid();
	e->uid = getuid();
	e->netns = sf_netns_inode();
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", e->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, e->comm, sizeof(e->comm));
	if (len < 1)
		sf_die("%s: %s", path, strerror(errno));
	e->comm[len - 1] = '\0'; /* the file ends in a newline */
	close(fd);
}

void sf_tuple(struct sf_end *e, int fd)
{
	local_addr(fd, &e->local);
	peer_addr(fd, &e->peer);
}

/*
 * SO_REUSEADDR: whoever binds a client's port again gets it, though the kernel has given it to
 * another client, too (net/ipv4/inet_connection_sock.c inet_csk_bind_conflict()).
 */
int sf_socket(const struct sf_addr *like)
{
	int fd = socket(like->is_v6_socket ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		sf_die("socket: %s", strerror(errno));
	return fd;
}

/* Takes the next port after one that is in use: a bind() that fails leaves no trace. */
void sf_bind(int fd, const struct sf_addr *addr)
{
	struct sf_addr try = *addr;
	struct sockaddr_storage ss;

	for (int i = 0; i < 100; i++) {
		socklen_t len = to_sockaddr(&try, &ss);

		if (!bind(fd, (struct sockaddr *)&ss, len))
			return;
		if (errno != EADDRINUSE || !try.port)
			break;
		try.port += 100;
	}
	sf_die("bind port %u: %s", addr->port, strerror(errno));
}

/* Listens on run->listen_on. Returns the socket. */
int sf_listen(struct sf_run *run, int backlog, struct sf_end **ret_listener)
{
	struct sf_end *e = sf_end_new(run, SF_LISTENER);
	int fd = sf_socket(&run->listen_on);
	int off = 0;

	if (run->listen_on.is_v6_socket)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	sf_bind(fd, &run->listen_on);
	sf_owner_is_me(e);
	e->backlog = backlog;
	e->is_ephemeral = !run->listen_on.port;
	e->listen.call_ns = sf_now_ns();
	if (listen(fd, backlog))
		sf_die("listen: %s", strerror(errno));
	e->listen.return_ns = sf_now_ns();
	local_addr(fd, &e->local);
	e->outcome = SF_LISTENING;
	*ret_listener = e;
	return fd;
}

static enum sf_outcome outcome_of(int err)
{
	switch (err) {
	case 0:
		return SF_ESTABLISHED;
	case ECONNREFUSED:
		return SF_REFUSED;
	case ETIMEDOUT:
		return SF_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return SF_UNREACHABLE;
	case EADDRNOTAVAIL:
		return SF_NO_PORT;
	case EINPROGRESS:
		return SF_UNFINISHED;
	default:
		sf_die("connect: %s", strerror(err));
	}
}

int sf_connect_fd(int fd, const struct sf_addr *target)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(target, &ss);

	return connect(fd, (struct sockaddr *)&ss, len) ? errno : 0;
}

/*
 * Connects fd to run->target and fills in e. Returns connect()'s errno. After
 * a failure only the port is left on the socket; the address comes from the
 * routing table, and there is no port where none was to be had.
 */
int sf_connect(struct sf_run *run, struct sf_end *e, int fd)
{
	struct sf_addr bound;
	int err;

	sf_owner_is_me(e);
	local_addr(fd, &bound);
	e->is_ephemeral = !bound.port || e->is_ephemeral;
	e->peer = run->target;
	e->connect.call_ns = sf_now_ns();
	err = sf_connect_fd(fd, &run->target);
	e->connect.return_ns = sf_now_ns();
	e->outcome = outcome_of(err);
	if (err == EINPROGRESS) {
		local_addr(fd, &e->local);
		return err;
	}
	if (!err) {
		e->up_ns = e->connect.return_ns;
		sf_tuple(e, fd);
		return 0;
	}
	e->connect_errno = err;
	sf_addr_source(&run->target, &e->local);
	local_addr(fd, &bound);
	e->local.port = err == EADDRNOTAVAIL ? 0 : bound.port;
	if (!e->local.port && err != EADDRNOTAVAIL)
		sf_die("failed socket without a port");
	return err;
}

/* Accepts a connection; with SF_F_LATE only when it has been established for some time. */
int sf_accept(struct sf_run *run, int lfd, struct sf_end **ret_end)
{
	struct sf_end *e = sf_end_new(run, SF_SERVER);
	char byte;
	int fd;

	e->is_ephemeral = !run->listen_on.port;
	if (run->scenario->flags & SF_F_LATE) {
		if (read(run->note_pipe[0], &byte, 1) != 1)
			sf_die("pipe: %s", strerror(errno));
		e->up_ns = sf_now_ns();
		usleep(LATE_US);
	}
	sf_owner_is_me(e);
	e->accept.call_ns = sf_now_ns();
	fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
	e->accept.return_ns = sf_now_ns();
	if (fd < 0)
		sf_die("accept: %s", strerror(errno));
	sf_tuple(e, fd);
	e->outcome = SF_ESTABLISHED;
	*ret_end = e;
	return fd;
}

void sf_shutdown(int fd, struct sf_end *e)
{
	e->shutdown.call_ns = sf_now_ns();
	if (shutdown(fd, SHUT_WR))
		sf_die("shutdown: %s", strerror(errno));
	e->shutdown.return_ns = sf_now_ns();
}

void sf_close(int fd, struct sf_end *e)
{
	e->closer_pid = getpid();
	e->close.call_ns = sf_now_ns();
	if (close(fd))
		sf_die("close: %s", strerror(errno));
	e->close.return_ns = sf_now_ns();
}
