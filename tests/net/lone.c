// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Scenarios without a server process: connections that come to nothing, one
 * process per try, and the socket that connects to itself.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SELF_BYTES 100

/* Gives up while the SYN is unanswered. */
static void abandon(struct sf_end *e, int fd)
{
	e->outcome = SF_ABORTED;
	e->closed_first = SF_LOCAL;
	sf_close(fd, e);
}

/* What the scenario's row says must come of it. */
static enum sf_outcome wanted(char mode)
{
	switch (mode) {
	case 'r':
		return SF_REFUSED;
	case 't':
		return SF_TIMEOUT;
	case 'u':
		return SF_UNREACHABLE;
	default:
		return SF_UNFINISHED; /* EINPROGRESS */
	}
}

static int fail_main(struct sf_run *run, int index)
{
	struct sf_end *e = sf_end_new(run, SF_CLIENT);
	char name[SF_COMM_LEN];
	bool is_nonblock = run->scenario->flags & SF_F_NONBLOCK;
	int err, fd;

	sf_enter_netns(run->client_netns);
	snprintf(name, sizeof(name), "sff%d-%s", index, run->scenario->name);
	sf_set_comm(name);
	fd = sf_socket(&run->target);
	if (is_nonblock && fcntl(fd, F_SETFL, O_NONBLOCK))
		sf_die("F_SETFL: %s", strerror(errno));
	if (run->syn_retransmits >= 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &run->syn_retransmits, sizeof(int)))
		sf_die("TCP_SYNCNT: %s", strerror(errno));
	err = sf_connect(run, e, fd);
	if (e->outcome != wanted(run->scenario->modes[0]))
		sf_die("connect: %s", strerror(err));
	if (err == EINPROGRESS) {
		abandon(e, fd);
		return 0;
	}
	sf_close(fd, e);
	return 0;
}

int sf_run_fail(struct sf_run *run)
{
	pid_t pids[SF_MAX_WORKERS];

	if (run->count > SF_MAX_WORKERS)
		sf_die("--count: at most %d", SF_MAX_WORKERS);
	for (int i = 0; i < run->count; i++)
		pids[i] = sf_spawn(fail_main, run, i);
	sf_reap(pids, run->count);
	return 0;
}

static int self_main(struct sf_run *run, int index)
{
	struct sf_end *e = sf_end_new(run, SF_BOTH);
	struct sf_addr source;
	uint8_t buf[SELF_BYTES] = {};
	int fd, err;

	(void)index;
	sf_enter_netns(run->client_netns);
	sf_set_comm("sfself");
	sf_addr_source(&run->target, &source);
	source.port = run->target.port;
	fd = sf_socket(&run->target);
	sf_bind(fd, &source);
	err = sf_connect(run, e, fd);
	if (err)
		sf_die("connect to itself: %s", strerror(err));
	sf_put(e, fd, buf, sizeof(buf));
	sf_get(e, fd, buf, sizeof(buf));
	sf_close(fd, e);
	return 0;
}

int sf_run_self(struct sf_run *run)
{
	pid_t pid = sf_spawn(self_main, run, 0);

	sf_reap(&pid, 1);
	return 0;
}
