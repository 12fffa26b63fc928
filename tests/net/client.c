// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The client processes of a scenario: each connects its share of times, in
 * one or several threads, closes as the mode says, and makes the odd cases
 * the scenario asks for (bound ports, a child that takes over, sudden death).
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT_IN_RANGE 40000 /* a bound port that looks like an ephemeral one */

struct worker {
	struct sf_run *run;
	int first; /* number of its first connection in the whole run */
	int count;
	int period_us;
};

static void read_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		sf_die("pipe: %s", errno ? strerror(errno) : "closed");
}

static void write_byte(int fd)
{
	if (write(fd, "k", 1) != 1)
		sf_die("pipe: %s", strerror(errno));
}

static void reap_child(pid_t pid, int want_signal)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		sf_die("waitpid: %s", strerror(errno));
	if (want_signal ? !WIFSIGNALED(status) || WTERMSIG(status) != want_signal : status)
		sf_die("child ended with status 0x%x", status);
}

/*
 * Four ways to come by a source port: fixed, bind() to 0, fixed in the ephemeral range, address
 * only.
 */
static void bind_source(struct sf_run *run, struct sf_end *e, int fd, int nr)
{
	static const char *const variants[] = { "fixed", "zero", "fixed_in_range", "no_port" };
	struct sf_addr addr;
	int one = 1;

	sf_addr_source(&run->target, &addr);
	e->variant = variants[nr % 4];
	switch (nr % 4) {
	case 0:
		addr.port = (uint16_t)(run->bind_port + nr / 4);
		break;
	case 1:
		e->is_ephemeral = true;
		break;
	case 2:
		addr.port = (uint16_t)(PORT_IN_RANGE + nr / 4);
		break;
	case 3:
		if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)))
			sf_die("IP_BIND_ADDRESS_NO_PORT: %s", strerror(errno));
		break;
	}
	sf_bind(fd, &addr);
}

static void bind_same_port(struct sf_run *run, int fd)
{
	struct sf_addr addr;

	sf_addr_source(&run->target, &addr);
	addr.port = (uint16_t)run->bind_port;
	sf_bind(fd, &addr);
}

/* Waits until a connection begun without blocking stands. */
static void finish_connect(struct sf_end *e, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&pfd, 1, -1) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) || err)
		sf_die("non-blocking connect: %s", strerror(err ? err : errno));
	e->up_ns = sf_now_ns();
	e->outcome = SF_ESTABLISHED;
	sf_tuple(e, fd);
	if (fcntl(fd, F_SETFL, 0))
		sf_die("F_SETFL: %s", strerror(errno));
}

static int dial(struct sf_run *run, struct sf_end *e, int nr)
{
	unsigned int flags = run->scenario->flags;
	int fd = sf_socket(&run->target);
	int err;

	if (flags & SF_F_BIND)
		bind_source(run, e, fd, nr);
	if (flags & SF_F_SAME_PORT)
		bind_same_port(run, fd);
	if (flags & SF_F_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK))
		sf_die("F_SETFL: %s", strerror(errno));
	err = sf_connect(run, e, fd);
	if (err == EINPROGRESS)
		finish_connect(e, fd);
	else if (err)
		sf_die("connect: %s", strerror(err));
	return fd;
}

/* The child begins when the parent's descriptor is gone: its close() is the last. */
static void hand_to_child(const struct sf_run *run, struct sf_end *e, int fd, char mode)
{
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		sf_die("pipe: %s", strerror(errno));
	pid = sf_fork(run);
	if (!pid) {
		sf_set_comm("sfheir");
		read_byte(go[0]);
		sf_client_dialog(e, fd, mode, -1);
		_exit(0);
	}
	close(fd);
	write_byte(go[1]);
	reap_child(pid, 0);
	close(go[0]);
	close(go[1]);
}

/* A child connects and then exits (even nr) or is killed (odd), with its socket open. */
static void die_connected(struct sf_run *run, int nr, char mode)
{
	struct sf_end *e = sf_end_new(run, SF_CLIENT);
	bool is_kill = nr % 2;
	int ready[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		sf_die("pipe: %s", strerror(errno));
	e->variant = is_kill ? "killed" : "exit";
	pid = sf_fork(run);
	if (!pid) {
		sf_set_comm(is_kill ? "sfkilled" : "sfexit");
		sf_client_dialog(e, dial(run, e, nr), mode, -1);
		e->closer_pid = getpid();
		e->close.call_ns = sf_now_ns();
		if (!is_kill)
			_exit(0);
		write_byte(ready[1]);
		while (true)
			pause();
	}
	if (is_kill) {
		read_byte(ready[0]);
		e->close.call_ns = sf_now_ns();
		kill(pid, SIGKILL);
	}
	reap_child(pid, is_kill ? SIGKILL : 0);
	e->close.return_ns = sf_now_ns();
	close(ready[0]);
	close(ready[1]);
}

static void connect_once(struct sf_run *run, int nr)
{
	const char *modes = run->scenario->modes;
	char mode = modes[(size_t)nr % strlen(modes)];
	bool is_late = run->scenario->flags & SF_F_LATE;
	struct sf_end *e;
	int fd;

	if (run->scenario->flags & SF_F_DIE) {
		die_connected(run, nr, mode);
		return;
	}
	e = sf_end_new(run, SF_CLIENT);
	fd = dial(run, e, nr);
	if (run->scenario->flags & SF_F_FORK)
		hand_to_child(run, e, fd, mode);
	else
		sf_client_dialog(e, fd, mode, is_late ? run->note_pipe[1] : -1);
	if (run->scenario->flags & SF_F_SAME_PORT)
		read_byte(run->note_pipe[0]);
}

static void *client_thread(void *arg)
{
	const struct worker *w = arg;
	struct timespec next;

	if (w->run->scenario->flags & SF_F_STRAY_THREADS)
		sf_set_comm("stray-thread");
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (int i = 0; i < w->count; i++) {
		connect_once(w->run, w->first + i);
		next.tv_nsec += w->period_us * 1000L;
		next.tv_sec += next.tv_nsec / 1000000000L;
		next.tv_nsec %= 1000000000L;
		if (w->period_us)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return NULL;
}

static void name_client(const struct sf_run *run, int index)
{
	char name[SF_COMM_LEN];
	const char *odd;

	if (run->scenario->flags & SF_F_NAMES) {
		sf_odd_name(index, &odd);
		sf_set_comm(odd);
		return;
	}
	snprintf(name, sizeof(name), "sfc%d-%s", index, run->scenario->name);
	sf_set_comm(name);
}

int sf_client_main(struct sf_run *run, int index)
{
	const struct sf_scenario *s = run->scenario;
	int nr_workers = s->client_procs * s->client_threads;
	struct worker workers[SF_MAX_WORKERS];
	pthread_t threads[SF_MAX_WORKERS];
	int first = 0;

	sf_enter_netns(run->client_netns);
	name_client(run, index);
	for (int i = 0; i < index * s->client_threads; i++)
		first += sf_share(run->count, nr_workers, i);
	for (int i = 0; i < s->client_threads; i++) {
		workers[i] = (struct worker){
			.run = run,
			.first = first,
			.count = sf_share(run->count, nr_workers, index * s->client_threads + i),
			.period_us = run->rate_hz ? nr_workers * 1000000 / run->rate_hz : 0,
		};
		first += workers[i].count;
	}
	if (s->client_threads == 1) {
		client_thread(&workers[0]);
		return 0;
	}
	for (int i = 0; i < s->client_threads; i++)
		if (pthread_create(&threads[i], NULL, client_thread, &workers[i]))
			sf_die("pthread_create");
	for (int i = 0; i < s->client_threads; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
