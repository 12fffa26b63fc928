// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections as fast as they come, for a time and up to a number. A line of
 * truth per worker instead of one per connection: how many, and the client's
 * port of each. A server worker ends with the connection that brings a byte;
 * those are made when all others have been accepted.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NR_PROCS 2
#define NR_THREADS 2
#define NR_SIDE (NR_PROCS * NR_THREADS)
#define NR_WORKERS (2 * NR_SIDE + 1) /* servers, clients, and the one that ends it */
#define BACKLOG 4096

struct storm_worker {
	struct sf_end who; /* pid, comm, netns, addresses */
	int lfd;
	int count;
	uint16_t *ports;
};

struct storm {
	struct sf_run *run;
	atomic_uint nr_accepted;
	atomic_uint nr_connected;
	struct storm_worker workers[NR_WORKERS];
};

static struct storm *storm; /* shared by the processes of the run */

static void make_storm(struct sf_run *run)
{
	size_t ports = (size_t)run->count + NR_SIDE;
	size_t size = sizeof(*storm) + NR_WORKERS * ports * sizeof(uint16_t);
	uint16_t *free_ports;

	storm = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storm == MAP_FAILED)
		sf_die("mmap: %s", strerror(errno));
	free_ports = (uint16_t *)(storm + 1);
	for (int i = 0; i < NR_WORKERS; i++)
		storm->workers[i].ports = free_ports + (size_t)i * ports;
	storm->run = run;
}

static void remember(struct storm_worker *w, int fd)
{
	const struct sf_end *e = &w->who;

	sf_tuple(&w->who, fd);
	w->ports[w->count++] = e->role == SF_CLIENT ? e->local.port : e->peer.port;
}

static void *storm_server_thread(void *arg)
{
	struct storm_worker *w = arg;
	char byte;
	ssize_t n;

	sf_owner_is_me(&w->who);
	w->who.role = SF_SERVER;
	do {
		int fd = accept4(w->lfd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			sf_die("accept: %s", strerror(errno));
		remember(w, fd);
		n = recv(fd, &byte, 1, 0);
		if (n < 0 || close(fd))
			sf_die("storm server: %s", strerror(errno));
		atomic_fetch_add(&storm->nr_accepted, 1);
	} while (!n);
	return NULL;
}

static void connect_fast(struct storm_worker *w, bool is_last)
{
	struct sf_run *run = storm->run;
	int fd = sf_socket(&run->target);
	int err = sf_connect_fd(fd, &run->target);

	if (err || (is_last && send(fd, "q", 1, 0) != 1))
		sf_die("storm client: %s", strerror(err ? err : errno));
	remember(w, fd);
	if (close(fd))
		sf_die("close: %s", strerror(errno));
	atomic_fetch_add(&storm->nr_connected, 1);
}

static void *storm_client_thread(void *arg)
{
	struct storm_worker *w = arg;
	uint64_t end_ns = sf_now_ns() + (uint64_t)storm->run->seconds * 1000000000U;

	sf_owner_is_me(&w->who);
	w->who.role = SF_CLIENT;
	while (w->count < storm->run->count / NR_SIDE && sf_now_ns() < end_ns)
		connect_fast(w, false);
	return NULL;
}

static void run_threads(void *(*fn)(void *), struct storm_worker *workers)
{
	pthread_t threads[NR_THREADS];

	for (int i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, fn, &workers[i]))
			sf_die("pthread_create");
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static int storm_acceptor(struct sf_run *run, int index)
{
	(void)run;
	sf_set_comm(index ? "sfstorm-s1" : "sfstorm-s0");
	run_threads(storm_server_thread, &storm->workers[index * NR_THREADS]);
	return 0;
}

static int storm_server(struct sf_run *run, int index)
{
	pid_t pids[NR_PROCS];
	struct sf_end *listener;
	int lfd;

	(void)index;
	sf_enter_netns(run->server_netns);
	sf_set_comm("sfstorm-l");
	lfd = sf_listen(run, BACKLOG, &listener);
	for (int i = 0; i < NR_SIDE; i++)
		storm->workers[i].lfd = lfd;
	for (int i = 0; i < NR_PROCS; i++)
		pids[i] = sf_spawn(storm_acceptor, run, i);
	if (write(run->port_pipe[1], &listener->local.port, sizeof(listener->local.port)) < 0)
		sf_die("pipe: %s", strerror(errno));
	sf_reap(pids, NR_PROCS);
	sf_close(lfd, listener);
	return 0;
}

static int storm_client(struct sf_run *run, int index)
{
	sf_enter_netns(run->client_netns);
	sf_set_comm(index ? "sfstorm-c1" : "sfstorm-c0");
	run_threads(storm_client_thread, &storm->workers[NR_SIDE + index * NR_THREADS]);
	return 0;
}

static int storm_ender(struct sf_run *run, int index)
{
	struct storm_worker *w = &storm->workers[2 * NR_SIDE];

	(void)index;
	sf_enter_netns(run->client_netns);
	sf_set_comm("sfstorm-end");
	sf_owner_is_me(&w->who);
	w->who.role = SF_CLIENT;
	while (atomic_load(&storm->nr_accepted) != atomic_load(&storm->nr_connected))
		usleep(1000);
	for (int i = 0; i < NR_SIDE; i++)
		connect_fast(w, true);
	return 0;
}

static void print_worker(FILE *out, const struct storm_worker *w)
{
	bool is_client = w->who.role == SF_CLIENT;

	if (!w->count)
		return;
	fprintf(out, "{\"kind\":\"storm\",\"scenario\":\"storm\",\"run\":\"%s\",\"role\":\"%s\"",
		storm->run->label, is_client ? "client" : "server");
	fprintf(out, ",\"pid\":%d,\"netns\":%" PRIu64, w->who.pid, w->who.netns);
	sf_print_comm(out, w->who.comm);
	fprintf(out, ",\"server_port\":%u,\"count\":%d,\"client_ports\":[",
		is_client ? w->who.peer.port : w->who.local.port, w->count);
	for (int i = 0; i < w->count; i++)
		fprintf(out, "%s%u", i ? "," : "", w->ports[i]);
	fprintf(out, "]}\n");
}

int sf_run_storm(struct sf_run *run)
{
	pid_t last[2], clients[NR_PROCS];
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	make_storm(run);
	last[0] = sf_start_server(run, storm_server);
	for (int i = 0; i < NR_PROCS; i++)
		clients[i] = sf_spawn(storm_client, run, i);
	sf_reap(clients, NR_PROCS);
	last[1] = sf_spawn(storm_ender, run, 0);
	sf_reap(last, 2);
	out = open_memstream(&text, &len);
	if (!out)
		sf_die("open_memstream: %s", strerror(errno));
	for (int i = 0; i < NR_WORKERS; i++)
		print_worker(out, &storm->workers[i]);
	if (fclose(out))
		sf_die("open_memstream: %s", strerror(errno));
	sf_truth_append(run->truth_path, text, len);
	free(text);
	return 0;
}
