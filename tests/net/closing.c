// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ways to end a connection. One process has both ends, so that it is certain
 * what happens in which order; each way has a process of its own. What must be
 * said of each is the judge's: net_closing.py.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOME_BYTES 100
/* include/net/tcp_states.h */
#define FIN_WAIT2 5
#define CLOSE_WAIT 8

struct duet {
	struct sf_run *run;
	const char *variant;
	struct sf_end *client, *server, *listener;
	int lfd, cfd, sfd;
};

static void dial(struct duet *d, const struct sf_addr *source)
{
	int err;

	d->client = sf_end_new(d->run, SF_CLIENT);
	d->client->variant = d->variant;
	d->cfd = sf_socket(&d->run->target);
	if (source)
		sf_bind(d->cfd, source);
	err = sf_connect(d->run, d->client, d->cfd);
	if (err)
		sf_die("%s: connect: %s", d->variant, strerror(err));
}

static void take(struct duet *d)
{
	d->sfd = sf_accept(d->run, d->lfd, &d->server);
	d->server->variant = d->variant;
}

static void begin_listening(struct duet *d)
{
	d->run->listen_on.port = 0;
	d->lfd = sf_listen(d->run, 4, &d->listener);
	d->run->target.port = d->listener->local.port;
}

static void begin(struct duet *d)
{
	begin_listening(d);
	dial(d, NULL);
	take(d);
}

static void linger_not(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		sf_die("SO_LINGER: %s", strerror(errno));
}

static void greet(struct duet *d)
{
	uint8_t bytes[SOME_BYTES] = {};

	sf_put(d->client, d->cfd, bytes, sizeof(bytes));
	sf_get(d->server, d->sfd, bytes, sizeof(bytes));
	sf_put(d->server, d->sfd, bytes, sizeof(bytes));
	sf_get(d->client, d->cfd, bytes, sizeof(bytes));
}

static void server_follows(struct duet *d)
{
	sf_get_end(d->server, d->sfd, 0);
	sf_close(d->sfd, d->server);
}

static void server_is_reset(struct duet *d)
{
	sf_get_end(d->server, d->sfd, ECONNRESET);
	sf_close(d->sfd, d->server);
}

static void by_close(struct duet *d)
{
	begin(d);
	greet(d);
	sf_close(d->cfd, d->client);
	server_follows(d);
}

static void by_shutdown(struct duet *d)
{
	uint8_t bytes[SOME_BYTES] = {};

	begin(d);
	greet(d);
	sf_shutdown(d->cfd, d->client);
	sf_get_end(d->server, d->sfd, 0);
	sf_put(d->server, d->sfd, bytes, sizeof(bytes));
	sf_get(d->client, d->cfd, bytes, sizeof(bytes));
	sf_close(d->sfd, d->server);
	sf_get_end(d->client, d->cfd, 0);
	sf_close(d->cfd, d->client);
}

static void by_shutdown_both(struct duet *d)
{
	begin(d);
	d->client->shutdown.call_ns = sf_now_ns();
	if (shutdown(d->cfd, SHUT_RDWR))
		sf_die("shutdown: %s", strerror(errno));
	d->client->shutdown.return_ns = sf_now_ns();
	server_follows(d);
	sf_close(d->cfd, d->client);
}

/* A child connects, so that its death is the end. */
static void by_death(struct duet *d, int signal)
{
	int status;
	char byte;
	pid_t pid;

	begin_listening(d);
	pid = sf_fork(d->run);
	if (!pid) {
		dial(d, NULL);
		sf_put(d->client, d->cfd, "k", 1);
		sf_wait_acked(d->cfd);
		if (write(d->run->note_pipe[1], &d->client, sizeof(d->client)) < 0)
			sf_die("pipe: %s", strerror(errno));
		if (!signal)
			_exit(0);
		while (true)
			pause();
	}
	if (read(d->run->note_pipe[0], &d->client, sizeof(d->client)) < 0)
		sf_die("pipe: %s", strerror(errno));
	take(d);
	sf_get(d->server, d->sfd, &byte, 1);
	if (signal)
		kill(pid, signal);
	if (waitpid(pid, &status, 0) != pid)
		sf_die("waitpid: %s", strerror(errno));
	d->client->closer_pid = pid;
	server_follows(d);
}

static void by_exit(struct duet *d)
{
	by_death(d, 0);
}

static void by_kill(struct duet *d)
{
	by_death(d, SIGKILL);
}

static void by_linger(struct duet *d)
{
	begin(d);
	linger_not(d->cfd);
	sf_close(d->cfd, d->client);
	server_is_reset(d);
}

static void by_disconnect(struct duet *d)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	begin(d);
	d->client->closer_pid = getpid();
	d->client->close.call_ns = sf_now_ns();
	if (connect(d->cfd, &nobody, sizeof(nobody)))
		sf_die("AF_UNSPEC: %s", strerror(errno));
	d->client->close.return_ns = sf_now_ns();
	server_is_reset(d);
	close(d->cfd);
}

static void by_abort(struct duet *d)
{
	begin(d);
	d->client->close.call_ns = sf_now_ns();
	sf_destroy(&d->client->local, &d->client->peer);
	d->client->close.return_ns = sf_now_ns();
	server_is_reset(d);
	close(d->cfd);
}

/* The end that nobody accepts: the other end knows its name. */
static void add_unaccepted(struct duet *d)
{
	sf_put(d->client, d->cfd, "k", 1);
	sf_wait_acked(d->cfd);
	d->server = sf_end_new(d->run, SF_SERVER);
	d->server->variant = d->variant;
	d->server->netns = sf_netns_inode();
	d->server->local = d->client->peer;
	d->server->peer = d->client->local;
	d->server->outcome = SF_ESTABLISHED;
}

static void by_listener(struct duet *d)
{
	begin_listening(d);
	dial(d, NULL);
	add_unaccepted(d);
	sf_close(d->lfd, d->server);
	sf_get_end(d->client, d->cfd, ECONNRESET);
	sf_close(d->cfd, d->client);
}

static void in_queue(struct duet *d)
{
	begin_listening(d);
	dial(d, NULL);
	add_unaccepted(d);
	linger_not(d->cfd);
	sf_close(d->cfd, d->client);
	close(d->lfd);
}

static void with_unread(struct duet *d)
{
	uint8_t bytes[SOME_BYTES] = {};

	begin(d);
	sf_put(d->client, d->cfd, bytes, sizeof(bytes));
	sf_wait_acked(d->cfd);
	d->server->unread_bytes = SOME_BYTES;
	sf_close(d->sfd, d->server);
	sf_get_end(d->client, d->cfd, ECONNRESET);
	sf_close(d->cfd, d->client);
}

/* In FIN_WAIT2 of the client, which has the socket still. */
static void reset_half_closed(struct duet *d)
{
	begin(d);
	sf_shutdown(d->cfd, d->client);
	sf_get_end(d->server, d->sfd, 0);
	sf_wait_state(d->cfd, FIN_WAIT2);
	linger_not(d->sfd);
	sf_close(d->sfd, d->server);
	sf_get_end(d->client, d->cfd, ECONNRESET);
	sf_close(d->cfd, d->client);
}

static void reset_close_wait(struct duet *d)
{
	begin(d);
	sf_shutdown(d->sfd, d->server);
	sf_wait_state(d->cfd, CLOSE_WAIT);
	linger_not(d->sfd);
	sf_close(d->sfd, d->server);
	sf_wait_state(d->cfd, TCP_CLOSE); /* the RST is here */
	sf_close(d->cfd, d->client);
}

/* The client's FIN stands behind data for which there is no room. */
static void reset_last_ack(struct duet *d)
{
	begin(d);
	sf_shutdown(d->sfd, d->server);
	sf_wait_state(d->cfd, CLOSE_WAIT);
	sf_fill(d->client, d->cfd);
	sf_close(d->cfd, d->client);
	sf_close(d->sfd, d->server);
}

/* In FIN_WAIT2 of the client, which has closed. */
static void reset_orphan(struct duet *d)
{
	begin(d);
	sf_close(d->cfd, d->client);
	sf_get_end(d->server, d->sfd, 0);
	sf_wait_listed(d->client, FIN_WAIT2);
	linger_not(d->sfd);
	sf_close(d->sfd, d->server);
}

/* The first data after the client's close() also acknowledges its FIN, if nothing did before. */
static void data_with_ack(struct duet *d)
{
	int off = 0;

	begin(d);
	greet(d);
	if (setsockopt(d->sfd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)))
		sf_die("TCP_QUICKACK: %s", strerror(errno));
	sf_close(d->cfd, d->client);
	sf_get_end(d->server, d->sfd, 0);
	sf_put(d->server, d->sfd, "k", 1);
	sf_wait_listed(d->client, 0);
	sf_close(d->sfd, d->server);
}

/* The client closes and asks not to be kept until the server does. */
static void no_linger2(struct duet *d)
{
	int none = -1;

	begin(d);
	if (setsockopt(d->cfd, IPPROTO_TCP, TCP_LINGER2, &none, sizeof(none)))
		sf_die("TCP_LINGER2: %s", strerror(errno));
	sf_close(d->cfd, d->client);
	sf_wait_state(d->sfd, TCP_CLOSE); /* the RST is here */
	sf_close(d->sfd, d->server);
}

static void data_for_orphan(struct duet *d)
{
	begin(d);
	sf_close(d->cfd, d->client);
	sf_get_end(d->server, d->sfd, 0);
	sf_wait_listed(d->client, FIN_WAIT2);
	sf_put(d->server, d->sfd, "k", 1);
	sf_wait_listed(d->client, 0);
	sf_close(d->sfd, d->server);
}

/* net.ipv4.tcp_fin_timeout of the namespace is short. */
static void orphan(struct duet *d)
{
	begin(d);
	sf_close(d->cfd, d->client);
	sf_get_end(d->server, d->sfd, 0);
	sf_wait_listed(d->client, 0);
	sf_close(d->sfd, d->server);
}

/* Both FINs stand behind data; the client reads the server's while its own is unread. */
static void crossing(struct duet *d)
{
	begin(d);
	sf_fill(d->client, d->cfd);
	sf_fill(d->server, d->sfd);
	sf_shutdown(d->cfd, d->client);
	sf_shutdown(d->sfd, d->server);
	sf_drain(d->client, d->cfd);
	sf_drain(d->server, d->sfd);
	sf_close(d->cfd, d->client);
	sf_close(d->sfd, d->server);
}

static void closed_window(struct duet *d)
{
	struct tcp_info info;

	begin(d);
	sf_fill(d->client, d->cfd);
	do {
		sf_tcp_info(d->cfd, &info);
	} while (!info.tcpi_backoff && !usleep(1000)); /* an answer clears tcpi_probes at once */
	sf_shutdown(d->cfd, d->client);
	sf_drain(d->server, d->sfd);
	sf_close(d->sfd, d->server);
	sf_get_end(d->client, d->cfd, 0);
	sf_close(d->cfd, d->client);
}

/* The server is in TIME_WAIT when the client calls it again from the same port. */
static void reuse_by_syn(struct duet *d)
{
	struct sf_addr source;

	begin(d);
	source = d->client->local;
	sf_close(d->sfd, d->server);
	sf_get_end(d->client, d->cfd, 0);
	sf_close(d->cfd, d->client);
	d->variant = "reuse_by_syn_again";
	dial(d, &source);
	take(d);
	sf_close(d->cfd, d->client);
	server_follows(d);
}

/* The client is in TIME_WAIT; the kernel wants it to be a second old: tcp_twsk_unique(). */
static void reuse_by_connect(struct duet *d)
{
	struct sf_addr source;
	int fd, err;

	begin_listening(d);
	sf_addr_source(&d->run->target, &source);
	dial(d, &source); /* with SO_REUSEADDR, or bind() would not give the port again */
	take(d);
	source = d->client->local;
	sf_close(d->cfd, d->client);
	server_follows(d);
	sf_wait_listed(d->server, 0); /* or the new SYN would meet it in LAST_ACK */
	do {
		fd = sf_socket(&d->run->target);
		sf_bind(fd, &source);
		err = sf_connect_fd(fd, &d->run->target);
		if (err && (err != EADDRNOTAVAIL || close(fd)))
			sf_die("connect again: %s", strerror(err));
	} while (err && !usleep(100000));
	close(fd);
}

/* The client is in TIME_WAIT when the namespace goes, with this process. */
static void namespace_goes(struct duet *d)
{
	sf_new_netns();
	by_close(d);
}

static void keepalive(struct duet *d)
{
	int one = 1;

	sf_new_netns();
	begin(d);
	if (setsockopt(d->cfd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) ||
	    setsockopt(d->cfd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof(one)) ||
	    setsockopt(d->cfd, IPPROTO_TCP, TCP_KEEPCNT, &one, sizeof(one)) ||
	    setsockopt(d->cfd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one)))
		sf_die("keepalive: %s", strerror(errno));
	sf_set_lo(0);
	sf_get_end(d->client, d->cfd, ETIMEDOUT);
	sf_close(d->cfd, d->client);
}

static const struct {
	char letter;
	const char *name;
	void (*fn)(struct duet *d);
} ways[] = {
	{ 'c', "close", by_close },
	{ 's', "shutdown", by_shutdown },
	{ 'b', "shutdown_both", by_shutdown_both },
	{ 'x', "exit", by_exit },
	{ 'k', "kill", by_kill },
	{ 'l', "linger", by_linger },
	{ 'd', "disconnect", by_disconnect },
	{ 'a', "abort", by_abort },
	{ 'q', "listener", by_listener },
	{ 'Q', "in_queue", in_queue },
	{ 'u', "unread", with_unread },
	{ 'h', "reset_half_closed", reset_half_closed },
	{ 'w', "reset_close_wait", reset_close_wait },
	{ 'L', "reset_last_ack", reset_last_ack },
	{ 'O', "reset_orphan", reset_orphan },
	{ 'D', "data_for_orphan", data_for_orphan },
	{ 'A', "data_with_ack", data_with_ack },
	{ 'N', "no_linger2", no_linger2 },
	{ 'o', "orphan", orphan },
	{ 'C', "crossing", crossing },
	{ 'z', "closed_window", closed_window },
	{ 'r', "reuse_by_syn", reuse_by_syn },
	{ 'R', "reuse_by_connect", reuse_by_connect },
	{ 'n', "namespace", namespace_goes },
	{ 'K', "keepalive", keepalive },
};

static const char *way_name;

/* The deadline has come: say of what. */
static void on_alarm(int number)
{
	ssize_t n = write(STDERR_FILENO, way_name, strlen(way_name));

	(void)n;
	signal(number, SIG_DFL);
	raise(number);
}

static int way_main(struct sf_run *run, int index)
{
	char letter = run->scenario->modes[index];

	sf_enter_netns(run->client_netns);
	sf_set_comm("sfclosing");
	if (pipe2(run->note_pipe, O_CLOEXEC))
		sf_die("pipe: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct duet d = { .run = run, .variant = ways[i].name };

		if (ways[i].letter != letter)
			continue;
		way_name = d.variant;
		signal(SIGALRM, on_alarm);
		ways[i].fn(&d);
	}
	return 0;
}

/* The slow ways, up to '|', go on while the others are gone one after the other. */
int sf_run_closing(struct sf_run *run)
{
	const char *modes = run->scenario->modes;
	bool is_slow = true;
	pid_t pids[SF_MAX_WORKERS], pid;
	int nr = 0;

	for (int i = 0; modes[i]; i++) {
		if (modes[i] == '|') {
			is_slow = false;
			continue;
		}
		pid = sf_spawn(way_main, run, i);
		if (is_slow)
			pids[nr++] = pid;
		else
			sf_reap(&pid, 1);
	}
	sf_reap(pids, nr);
	return 0;
}
