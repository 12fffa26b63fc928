// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections as fast as they come: pairs of a client and a server thread,
 * each pair on one CPU, in the network namespace that it is given. A
 * connection: connect, accept, some bytes there and back, the client closes,
 * then the server. Never a RST. Prints one JSON line.
 *
 *     load PAIRS BYTES MAX_CONNECTIONS MAX_MS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PAIRS 64
#define MAX_BYTES 65536
#define FIRST_PORT 700 /* below the ports that the kernel chooses */
#define NR_ADDRS 250   /* 127.0.0.1 and on: times 64511 ports, so none runs out by TIME_WAIT */

struct pair {
	pthread_t client, server;
	int index;
	int lfd;
	uint64_t nr_connected;
	uint64_t nr_accepted;
};

static struct pair pairs[MAX_PAIRS];
static pthread_barrier_t start_line;
static atomic_uint_fast64_t nr_begun;
static uint64_t max_connections;
static atomic_uint_fast64_t end_ns = UINT64_MAX; /* set when all threads are there */
static size_t nr_bytes;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct sockaddr_in address_of(const struct pair *pair, uint32_t host)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(FIRST_PORT + pair->index),
		.sin_addr.s_addr = htonl(host),
	};
}

static void pin(const struct pair *pair)
{
	cpu_set_t allowed, one;
	int nth = pair->index, cpu = 0;

	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("sched_getaffinity: %s", strerror(errno));
	nth %= CPU_COUNT(&allowed);
	while (!CPU_ISSET(cpu, &allowed) || nth--)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (pthread_setaffinity_np(pthread_self(), sizeof(one), &one))
		die("pthread_setaffinity_np");
}

static void receive(int fd, char *bytes)
{
	if (recv(fd, bytes, nr_bytes, MSG_WAITALL) != (ssize_t)nr_bytes)
		die("recv: %s", strerror(errno));
}

static void send_all(int fd, const char *bytes)
{
	if (send(fd, bytes, nr_bytes, MSG_NOSIGNAL) != (ssize_t)nr_bytes)
		die("send: %s", strerror(errno));
}

static void *serve(void *arg)
{
	struct pair *pair = arg;
	char bytes[MAX_BYTES];
	int fd;

	pin(pair);
	pthread_barrier_wait(&start_line);
	for (;;) {
		fd = accept4(pair->lfd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno == EINVAL)
			return NULL; /* shut down: all clients are done */
		if (fd < 0)
			die("accept: %s", strerror(errno));
		receive(fd, bytes);
		send_all(fd, bytes);
		if (recv(fd, bytes, 1, 0))
			die("no end: %s", strerror(errno));
		if (close(fd))
			die("close: %s", strerror(errno));
		pair->nr_accepted++;
	}
}

static void *call(void *arg)
{
	struct pair *pair = arg;
	char bytes[MAX_BYTES] = { 0 };

	pin(pair);
	pthread_barrier_wait(&start_line);
	while (atomic_fetch_add(&nr_begun, 1) < max_connections && now_ns() < end_ns) {
		uint32_t host = INADDR_LOOPBACK + pair->nr_connected % NR_ADDRS;
		struct sockaddr_in to = address_of(pair, host);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
			die("connect: %s", strerror(errno));
		send_all(fd, bytes);
		receive(fd, bytes);
		if (close(fd))
			die("close: %s", strerror(errno));
		pair->nr_connected++;
	}
	return NULL;
}

static void start(struct pair *pair)
{
	struct sockaddr_in at = address_of(pair, INADDR_ANY);

	pair->lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair->lfd < 0 || bind(pair->lfd, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(pair->lfd, 1024))
		die("listen: %s", strerror(errno));
	if (pthread_create(&pair->server, NULL, serve, pair) ||
	    pthread_create(&pair->client, NULL, call, pair))
		die("pthread_create");
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text || *end || !value || value > max)
		die("not a number from 1 to %" PRIu64 ": %s", max, text);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t start_ns, took_ns, nr_connected = 0, nr_accepted = 0, max_ns;
	struct rusage usage;
	int nr_pairs;

	if (argc != 5)
		die("usage: load PAIRS BYTES MAX_CONNECTIONS MAX_MS");
	nr_pairs = number(argv[1], MAX_PAIRS);
	nr_bytes = number(argv[2], MAX_BYTES);
	max_connections = number(argv[3], UINT32_MAX);
	max_ns = number(argv[4], 60000) * 1000000;
	pthread_barrier_init(&start_line, NULL, 2 * nr_pairs + 1);
	for (int i = 0; i < nr_pairs; i++) {
		pairs[i].index = i;
		start(&pairs[i]);
	}
	pthread_barrier_wait(&start_line);
	start_ns = now_ns();
	end_ns = start_ns + max_ns;
	for (int i = 0; i < nr_pairs; i++) {
		pthread_join(pairs[i].client, NULL);
		shutdown(pairs[i].lfd, SHUT_RD);
		pthread_join(pairs[i].server, NULL);
		nr_connected += pairs[i].nr_connected;
		nr_accepted += pairs[i].nr_accepted;
	}
	took_ns = now_ns() - start_ns;
	if (nr_accepted != nr_connected)
		die("%" PRIu64 " connected, %" PRIu64 " accepted", nr_connected, nr_accepted);
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"connections\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"cpu_us\":%" PRIu64 "}\n",
	       nr_connected, took_ns,
	       (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
		       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	return 0;
}
