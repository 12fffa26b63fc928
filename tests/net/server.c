// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server processes of a scenario: one listens, it or its children accept
 * their share of the connections, in one or several threads. With
 * SF_F_BLOCKED all of them are in accept() before anything else happens; with
 * SF_F_PASS each connection is handed to another process.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 512

struct server {
	struct sf_run *run;
	int lfd;
	int heir_fd; /* where accepted sockets are passed to; -1 = kept */
	int count;
	int worker;
};

/* One message: the socket, and which slot of the truth is its. */
static void send_socket(int to, int fd, const struct sf_end *e)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = &e, .iov_len = sizeof(e) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &msg, 0) != sizeof(e))
		sf_die("sendmsg: %s", strerror(errno));
}

static int recv_socket(int from, struct sf_end **ret_end)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = ret_end, .iov_len = sizeof(*ret_end) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	int fd;

	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) != sizeof(*ret_end) || !CMSG_FIRSTHDR(&msg))
		sf_die("recvmsg: %s", strerror(errno));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* The heir waits until the acceptor's descriptor is gone: its own close() is the last. */
static int heir_main(const struct sf_run *run, int from)
{
	sf_set_comm("sfheir");
	for (int i = 0; i < run->count; i++) {
		struct sf_end *e;
		int fd = recv_socket(from, &e);
		char byte;

		if (recv(from, &byte, 1, 0) != 1)
			sf_die("heir: %s", strerror(errno));
		sf_server_dialog(e, fd);
	}
	return 0;
}

static void serve_one(const struct server *s)
{
	struct sf_end *e;
	int fd = sf_accept(s->run, s->lfd, &e);

	if (s->heir_fd < 0) {
		sf_server_dialog(e, fd);
	} else {
		send_socket(s->heir_fd, fd, e);
		if (close(fd) || send(s->heir_fd, "k", 1, 0) != 1)
			sf_die("heir: %s", strerror(errno));
	}
	if (s->run->scenario->flags & SF_F_SAME_PORT && write(s->run->note_pipe[1], "k", 1) != 1)
		sf_die("pipe: %s", strerror(errno));
}

static void *server_thread(void *arg)
{
	const struct server *s = arg;

	if (s->run->scenario->flags & SF_F_STRAY_THREADS)
		sf_set_comm("stray-thread");
	atomic_store(&s->run->world->blocked_tid[s->worker], gettid());
	atomic_fetch_add(&s->run->world->nr_blocked, 1);
	for (int i = 0; i < s->count; i++)
		serve_one(s);
	return NULL;
}

static void name_server(const struct sf_run *run, int index)
{
	char name[SF_COMM_LEN];
	const char *odd;

	if (run->scenario->flags & SF_F_NAMES) {
		sf_odd_name(index, &odd);
		sf_set_comm(odd);
		return;
	}
	snprintf(name, sizeof(name), "sfs%d-%s", index, run->scenario->name);
	sf_set_comm(name);
}

static int serve(struct sf_run *run, int lfd, int index, int heir_fd)
{
	const struct sf_scenario *s = run->scenario;
	int nr_workers = s->server_procs * s->server_threads;
	struct server workers[SF_MAX_WORKERS];
	pthread_t threads[SF_MAX_WORKERS];

	for (int i = 0; i < s->server_threads; i++) {
		int worker = index * s->server_threads + i;

		workers[i] = (struct server){
			.run = run,
			.lfd = lfd,
			.heir_fd = heir_fd,
			.count = sf_share(run->count, nr_workers, worker),
			.worker = worker,
		};
	}
	if (s->server_threads == 1) {
		server_thread(&workers[0]);
		return 0;
	}
	for (int i = 0; i < s->server_threads; i++)
		if (pthread_create(&threads[i], NULL, server_thread, &workers[i]))
			sf_die("pthread_create");
	for (int i = 0; i < s->server_threads; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static pid_t start_heir(const struct sf_run *run, int *ret_fd)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		sf_die("socketpair: %s", strerror(errno));
	pid = sf_fork(run);
	if (!pid) {
		close(fds[0]);
		_exit(heir_main(run, fds[1]));
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

/* The listening process; with several acceptors they are its children. */
int sf_server_main(struct sf_run *run, int index)
{
	const struct sf_scenario *s = run->scenario;
	pid_t children[SF_MAX_WORKERS];
	struct sf_end *listener;
	int nr_children = 0;
	int heir_fd = -1;
	int lfd, r = 0;

	sf_enter_netns(run->server_netns);
	sf_set_comm("sfserver");
	lfd = sf_listen(run, BACKLOG, &listener);
	if (s->flags & SF_F_PASS)
		children[nr_children++] = start_heir(run, &heir_fd);
	for (int i = 0; s->server_procs > 1 && i < s->server_procs; i++) {
		pid_t pid = sf_fork(run);

		if (!pid) {
			name_server(run, i);
			_exit(serve(run, lfd, i, -1));
		}
		children[nr_children++] = pid;
	}
	if (write(run->port_pipe[1], &listener->local.port, sizeof(listener->local.port)) < 0)
		sf_die("pipe: %s", strerror(errno));
	if (s->server_procs == 1)
		r = serve(run, lfd, index, heir_fd);
	sf_reap(children, nr_children);
	sf_close(lfd, listener);
	return r;
}
