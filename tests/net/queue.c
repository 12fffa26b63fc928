// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Scenarios about running out: no free local port (the network namespace has
 * as few as --count, which the driver sees to), and connections that wait in
 * a listener's queue until it is closed, so that nobody ever accepts them.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int noport_client(struct sf_run *run, int index)
{
	struct sf_end *ends[SF_MAX_WORKERS];
	int fds[SF_MAX_WORKERS];
	struct sf_end *e;
	int err, fd;

	(void)index;
	sf_enter_netns(run->client_netns);
	sf_set_comm("sfnoport");
	for (int i = 0; i < run->count; i++) {
		ends[i] = sf_end_new(run, SF_CLIENT);
		fds[i] = sf_socket(&run->target);
		err = sf_connect(run, ends[i], fds[i]);
		if (err)
			sf_die("connection %d of %d: %s", i, run->count, strerror(err));
	}
	e = sf_end_new(run, SF_CLIENT);
	fd = sf_socket(&run->target);
	err = sf_connect(run, e, fd);
	if (err != EADDRNOTAVAIL)
		sf_die("there still is a port: %s", strerror(err));
	sf_close(fd, e);
	for (int i = 0; i < run->count; i++)
		sf_client_dialog(ends[i], fds[i], 'c', -1);
	return 0;
}

int sf_run_noport(struct sf_run *run)
{
	pid_t pids[2];

	if (run->count > SF_MAX_WORKERS)
		sf_die("--count: at most %d", SF_MAX_WORKERS);
	pids[0] = sf_start_server(run, sf_server_main);
	pids[1] = sf_spawn(noport_client, run, 0);
	sf_reap(pids, 2);
	return 0;
}

/* tcpi_unacked of a listener is the length of its accept queue (net/ipv4/tcp.c tcp_get_info()). */
static void wait_for_queue(int lfd, int want)
{
	struct tcp_info info;

	do {
		sf_tcp_info(lfd, &info);
	} while (info.tcpi_unacked != (uint32_t)want && !usleep(1000));
}

/* The other end of a client that nobody accepted: only its peer can tell its name. */
static struct sf_end *unaccepted_end(struct sf_run *run, const struct sf_end *client)
{
	struct sf_end *e = sf_end_new(run, SF_SERVER);

	e->netns = sf_netns_inode();
	e->local = client->peer;
	e->peer = client->local;
	e->is_ephemeral = !run->listen_on.port;
	e->outcome = SF_ESTABLISHED;
	e->up_ns = sf_now_ns();
	e->closed_first = SF_LOCAL;
	e->rst_sender = SF_LOCAL;
	return e;
}

static int unaccepted_server(struct sf_run *run, int index)
{
	struct sf_end *listener, *ends[SF_MAX_WORKERS];
	struct sf_world *world = run->world;
	unsigned int nr_known;
	int lfd, nr = 0;
	char byte;

	(void)index;
	sf_enter_netns(run->server_netns);
	sf_set_comm("sfdeaf");
	lfd = sf_listen(run, run->count, &listener);
	if (write(run->port_pipe[1], &listener->local.port, sizeof(listener->local.port)) < 0)
		sf_die("pipe: %s", strerror(errno));
	for (int i = 0; i < run->count; i++)
		if (read(run->note_pipe[0], &byte, 1) != 1)
			sf_die("pipe: %s", strerror(errno));
	wait_for_queue(lfd, run->count);
	nr_known = atomic_load(&world->nr_ends);
	for (unsigned int i = 0; i < nr_known; i++)
		if (world->ends[i].role == SF_CLIENT)
			ends[nr++] = unaccepted_end(run, &world->ends[i]);
	sf_close(lfd, listener);
	for (int i = 0; i < nr; i++) {
		ends[i]->closer_pid = listener->closer_pid;
		ends[i]->close = listener->close;
	}
	return 0;
}

static int unaccepted_client(struct sf_run *run, int index)
{
	struct sf_end *e = sf_end_new(run, SF_CLIENT);
	int err, fd;

	(void)index;
	sf_enter_netns(run->client_netns);
	sf_set_comm("sfhopeful");
	fd = sf_socket(&run->target);
	err = sf_connect(run, e, fd);
	if (err)
		sf_die("connect: %s", strerror(err));
	sf_put(e, fd, "k", 1);
	sf_wait_acked(fd);
	if (write(run->note_pipe[1], "k", 1) != 1)
		sf_die("pipe: %s", strerror(errno));
	sf_get_end(e, fd, ECONNRESET);
	e->closed_first = SF_PEER;
	e->rst_sender = SF_PEER;
	sf_close(fd, e);
	return 0;
}

int sf_run_unaccepted(struct sf_run *run)
{
	pid_t pids[SF_MAX_WORKERS + 1];

	if (run->count > SF_MAX_WORKERS)
		sf_die("--count: at most %d", SF_MAX_WORKERS);
	pids[0] = sf_start_server(run, unaccepted_server);
	for (int i = 0; i < run->count; i++)
		pids[i + 1] = sf_spawn(unaccepted_client, run, i);
	sf_reap(pids, run->count + 1);
	return 0;
}
