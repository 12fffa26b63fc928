// SPDX-License-Identifier: GPL-2.0-or-later
/* The doctor's proof: listen, connect, accept, close on 127.0.0.1, and compare. */
#include "cmd/selftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "cmd/start.h"
#include "kernel/tracer.h"
#include "story/reader.h"
#include "story/story.h"

#define DEADLINE_NS (5 * SF_NS_PER_S)

struct proof {
	uint16_t client_port, server_port;
	bool has_client, has_server;
	struct sf_story client, server;
};

static int on_record(void *ctx, void *data, size_t size)
{
	struct proof *proof = ctx;
	const struct sf_event *event;

	if (sf_event_check(data, size, &event) || event->kind != SF_EV_CLOSE)
		return 0;
	if (event->story.local_port == proof->client_port) {
		proof->client = event->story;
		proof->has_client = true;
	} else if (event->story.local_port == proof->server_port) {
		proof->server = event->story;
		proof->has_server = true;
	}
	return 0;
}

static int port_of(int fd, uint16_t *ret)
{
	struct sockaddr_in addr;
	socklen_t size = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &size))
		return -errno;
	*ret = ntohs(addr.sin_port);
	return 0;
}

/* The client closes first. */
static int call_ourselves(struct proof *proof)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(addr);
	_cleanup_(sf_closep) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_(sf_closep) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_(sf_closep) int server = -1;
	int r;

	if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&addr, &size) ||
	    connect(client, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		return -errno;
	proof->server_port = ntohs(addr.sin_port);
	r = port_of(client, &proof->client_port);
	if (r)
		return r;
	close(TAKE_FD(client));
	return 0;
}

static bool tell(bool is_right, const char *what)
{
	printf("  %-8s %s\n", is_right ? "right" : "WRONG", what);
	return is_right;
}

static bool judge(const struct proof *proof)
{
	const struct sf_story *client = &proof->client, *server = &proof->server;
	bool ok = true;

	if (!tell(proof->has_client && proof->has_server, "both ends were seen to close"))
		return false;
	ok &= tell(client->role == SF_ROLE_CLIENT && server->role == SF_ROLE_SERVER, "roles");
	ok &= tell(client->peer_port == proof->server_port &&
			   server->peer_port == proof->client_port,
		   "ports");
	ok &= tell(client->flags & SF_F_PORT_EPHEMERAL, "the client's port is ephemeral");
	ok &= tell(client->owner.tgid == (unsigned int)getpid(), "the client's process");
	ok &= tell(server->owner.tgid == (unsigned int)getpid(), "the server's process");
	ok &= tell(client->closed_by == SF_SIDE_LOCAL && server->closed_by == SF_SIDE_PEER,
		   "who closed first");
	ok &= tell(client->isn_local == server->isn_peer && client->isn_peer == server->isn_local,
		   "both ends tell the same wire id");
	return ok;
}

static void print_times(const struct proof *proof)
{
	char text[SF_TIME_STRLEN];
	bool is_derived;
	uint64_t ns;

	if (sf_story_handshake_ns(&proof->client, &ns, &is_derived))
		printf("  handshake as the client saw it %s%s\n", is_derived ? "~" : "",
		       sf_duration_format(ns, text));
	if (sf_story_handshake_ns(&proof->server, &ns, &is_derived))
		printf("  handshake as the server saw it %s%s\n", is_derived ? "~" : "",
		       sf_duration_format(ns, text));
	if (sf_story_accept_wait_ns(&proof->server, &ns))
		printf("  wait for accept()              %s\n", sf_duration_format(ns, text));
}

int sf_selftest(const struct sf_options *options)
{
	const struct sf_want want = { .kinds = 1U << SF_EV_CLOSE };
	struct sf_cut cut = { .pid = getpid() };
	struct proof proof = {};
	struct sf_tracer *tracer;
	uint64_t end_ns;
	int r;

	r = sf_start_tracer(options, &cut, want, on_record, &proof, &tracer);
	if (r)
		return r;
	puts("\nSelf-test: a connection to ourselves on 127.0.0.1");
	r = call_ourselves(&proof);
	end_ns = sf_boottime_ns() + DEADLINE_NS;
	while (!r && !(proof.has_client && proof.has_server) && sf_boottime_ns() < end_ns) {
		poll(NULL, 0, 10);
		sf_tracer_consume(tracer);
	}
	sf_tracer_free(tracer);
	if (r)
		return sf_err(SF_EXIT_FAILURE, "self-test: cannot connect on 127.0.0.1: %s",
			      strerror(-r));
	if (!judge(&proof))
		return sf_err(SF_EXIT_FAILURE, "self-test failed: synfin does not tell the truth "
					       "on this kernel; please report the output above");
	print_times(&proof);
	return SF_EXIT_OK;
}
