// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the two ends of a connection say to each other, by mode. The client
 * sends a head with the mode, so that both know who closes first and how:
 *   c  client closes first          s  server closes first
 *   t  as s, but the client sends its FIN by shutdown() and waits for CLOSE
 *   l  client resets (SO_LINGER 0)  u  server closes with unread data: reset
 *   h  client half-closes, the server sends on, then closes
 *   x  the client dies without close(): its parent ends it
 * Each end knows what the other has done by what it read, never by the clock.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES 300
#define CHUNK_BYTES 500
#define NR_CHUNKS 2
#define IDLE_US 30000

struct head {
	uint8_t mode;
	uint8_t nr_extra; /* bytes that follow */
};

void sf_put(struct sf_end *e, int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		sf_die("send: %s", strerror(errno));
	e->bytes_sent += len;
}

void sf_get(struct sf_end *e, int fd, void *data, size_t len)
{
	if (recv(fd, data, len, MSG_WAITALL) != (ssize_t)len)
		sf_die("recv: %s", errno ? strerror(errno) : "end of file");
	e->bytes_received += len;
}

/* Reads the end: 0, or the errno expected. */
void sf_get_end(struct sf_end *e, int fd, int want_errno)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);
	int err = n < 0 ? errno : 0;

	if (n > 0 || err != want_errno)
		sf_die("instead of the end: %zd %s", n, strerror(err));
	e->read_errno = err;
}

static void client_says_hello(struct sf_end *e, int fd, char mode)
{
	uint8_t buf[sizeof(struct head) + 255] = {};
	struct head *head = (struct head *)buf;

	head->mode = (uint8_t)mode;
	head->nr_extra = (uint8_t)(50 + e->peer.port % 200);
	sf_put(e, fd, buf, sizeof(*head) + head->nr_extra);
}

static void client_half_close(struct sf_end *e, int fd)
{
	uint8_t buf[CHUNK_BYTES];

	sf_shutdown(fd, e);
	for (int i = 0; i < NR_CHUNKS; i++)
		sf_get(e, fd, buf, sizeof(buf));
	sf_get_end(e, fd, 0);
}

/* Whatever ends the connection, up to but not with close(). */
static void client_says_goodbye(struct sf_end *e, int fd, char mode)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	e->closed_first = mode == 's' || mode == 't' ? SF_PEER : SF_LOCAL;
	e->is_exact = mode != 'l';
	switch (mode) {
	case 's':
		sf_get_end(e, fd, 0);
		break;
	case 't':
		sf_get_end(e, fd, 0);
		sf_shutdown(fd, e);
		sf_wait_state(fd, TCP_CLOSE);
		break;
	case 'l':
		e->rst_sender = SF_LOCAL;
		if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
			sf_die("SO_LINGER: %s", strerror(errno));
		break;
	case 'h':
		client_half_close(e, fd);
		break;
	}
}

/*
 * The peer has taken all that was sent: so its socket is established, which a
 * child in the accept queue need not be (net/ipv4/tcp_minisocks.c
 * tcp_check_req() queues it before tcp_child_process() makes it so).
 */
void sf_wait_acked(int fd)
{
	int nr = 1;

	while (nr) {
		if (ioctl(fd, SIOCOUTQ, &nr))
			sf_die("SIOCOUTQ: %s", strerror(errno));
		usleep(200);
	}
}

bool sf_client_dialog(struct sf_end *e, int fd, char mode, int note_fd)
{
	uint8_t reply[REPLY_BYTES];

	client_says_hello(e, fd, mode);
	if (note_fd >= 0) {
		sf_wait_acked(fd);
		if (write(note_fd, "k", 1) != 1)
			sf_die("pipe: %s", strerror(errno));
	}
	if (mode == 'u') {
		sf_get_end(e, fd, ECONNRESET);
		e->closed_first = SF_PEER;
		e->rst_sender = SF_PEER;
	} else {
		sf_get(e, fd, reply, sizeof(reply));
		client_says_goodbye(e, fd, mode);
	}
	if (mode == 'x')
		return false;
	sf_close(fd, e);
	return true;
}

/* All that the client sent is here, and only the head has been read. */
static void server_leaves_unread(struct sf_end *e, int fd, int nr_extra)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int nr = 0;

	while (nr != nr_extra) {
		if (poll(&pfd, 1, -1) != 1 || ioctl(fd, FIONREAD, &nr))
			sf_die("FIONREAD: %s", strerror(errno));
	}
	e->unread_bytes = nr;
	e->closed_first = SF_LOCAL;
	e->rst_sender = SF_LOCAL;
}

/* The client's FIN is here; goes on sending, then is silent for a while. */
static void server_sends_on(struct sf_end *e, int fd)
{
	uint8_t chunk[CHUNK_BYTES] = {};

	for (int i = 0; i < NR_CHUNKS; i++)
		sf_put(e, fd, chunk, sizeof(chunk));
	e->idle.call_ns = sf_now_ns();
	usleep(IDLE_US);
	e->idle.return_ns = sf_now_ns();
}

void sf_server_dialog(struct sf_end *e, int fd)
{
	uint8_t buf[REPLY_BYTES] = {};
	struct head head;

	sf_get(e, fd, &head, sizeof(head));
	if (!e->up_ns)
		e->up_ns = sf_now_ns();
	if (head.mode == 'u') {
		server_leaves_unread(e, fd, head.nr_extra);
		sf_close(fd, e);
		return;
	}
	sf_get(e, fd, buf, head.nr_extra);
	sf_put(e, fd, buf, REPLY_BYTES);
	e->is_exact = true;
	if (head.mode == 's' || head.mode == 't') {
		e->closed_first = SF_LOCAL;
	} else {
		e->closed_first = SF_PEER;
		sf_get_end(e, fd, head.mode == 'l' ? ECONNRESET : 0);
	}
	if (head.mode == 'l') {
		e->rst_sender = SF_PEER;
		e->is_exact = false;
	}
	if (head.mode == 'h')
		server_sends_on(e, fd);
	sf_close(fd, e);
}
