// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The truth as JSON lines: one per end of a connection, one per listener, and
 * the clock (what CLOCK_REALTIME was at a CLOCK_BOOTTIME), because the truth
 * is in boot time and the judged output in wall-clock time.
 */
#define _GNU_SOURCE
#include "sfgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CLOCK_TRIES 20

static const char *const role_names[] = { "client", "server", "both", "listener" };
static const char *const side_names[] = { "", "local", "peer" };
static const char *const outcome_names[] = {
	"unfinished",  "established", "refused", "timeout",
	"unreachable", "aborted",     "no_port", "listening",
};

struct sf_world *sf_world_new(uint32_t max_ends)
{
	size_t size = sizeof(struct sf_world) + max_ends * sizeof(struct sf_end);
	struct sf_world *world =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (world == MAP_FAILED)
		sf_die("mmap: %s", strerror(errno));
	world->max_ends = max_ends;
	return world;
}

struct sf_end *sf_end_new(struct sf_run *run, enum sf_gen_role role)
{
	unsigned int i = atomic_fetch_add(&run->world->nr_ends, 1);
	struct sf_end *e = &run->world->ends[i];

	if (i >= run->world->max_ends)
		sf_die("more than %u ends", run->world->max_ends);
	memset(e, 0, sizeof(*e));
	e->role = role;
	e->unread_bytes = -1;
	e->syn_retransmits = role == SF_CLIENT ? run->syn_retransmits : -1;
	e->synack_retransmits_min = role == SF_SERVER ? run->synack_retransmits_min : 0;
	e->rtt_ns = (uint64_t)run->rtt_us * 1000;
	return e;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts))
		sf_die("clock_gettime: %s", strerror(errno));
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t sf_now_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

/* The tightest of several readings; width_ns bounds its error. */
void sf_truth_clock(FILE *out)
{
	uint64_t best = UINT64_MAX, best_boot = 0, best_real = 0;

	for (int i = 0; i < CLOCK_TRIES; i++) {
		uint64_t before = clock_ns(CLOCK_BOOTTIME);
		uint64_t real = clock_ns(CLOCK_REALTIME);
		uint64_t width = clock_ns(CLOCK_BOOTTIME) - before;

		if (width >= best)
			continue;
		best = width;
		best_boot = before + width / 2;
		best_real = real;
	}
	fprintf(out,
		"{\"kind\":\"clock\",\"boot_ns\":%" PRIu64 ",\"real_ns\":%" PRIu64
		",\"width_ns\":%" PRIu64 "}\n",
		best_boot, best_real, best);
}

void sf_print_addr(FILE *out, const char *key, const struct sf_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (sf_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->ip + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr->ip, text, sizeof(text));
	fprintf(out, ",\"%s_address\":\"%s\"", key, text);
	if (addr->port)
		fprintf(out, ",\"%s_port\":%u", key, addr->port);
}

/* comm is for reading, comm_hex is the truth. */
void sf_print_comm(FILE *out, const uint8_t comm[SF_COMM_LEN])
{
	size_t len = strnlen((const char *)comm, SF_COMM_LEN);

	fprintf(out, ",\"comm\":\"");
	for (size_t i = 0; i < len; i++) {
		bool is_plain = comm[i] >= ' ' && comm[i] < 0x7f && comm[i] != '"' &&
				comm[i] != '\\';

		fputc(is_plain ? comm[i] : '?', out);
	}
	fprintf(out, "\",\"comm_hex\":\"");
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", comm[i]);
	fputc('"', out);
}

static void print_span(FILE *out, const char *key, const struct sf_span *span)
{
	if (!span->call_ns)
		return;
	fprintf(out, ",\"%s_call_ns\":%" PRIu64, key, span->call_ns);
	if (span->return_ns)
		fprintf(out, ",\"%s_return_ns\":%" PRIu64, key, span->return_ns);
}

static void print_errno(FILE *out, const char *key, int err)
{
	if (err)
		fprintf(out, ",\"%s\":\"%s\"", key, strerrorname_np(err));
}

static void print_owner(FILE *out, const struct sf_end *e)
{
	if (e->pid) {
		fprintf(out, ",\"pid\":%d,\"tid\":%d,\"uid\":%u", e->pid, e->tid, e->uid);
		sf_print_comm(out, e->comm);
	}
	if (e->closer_pid)
		fprintf(out, ",\"closer_pid\":%d", e->closer_pid);
}

static void print_end_facts(FILE *out, const struct sf_end *e)
{
	if (e->closed_first)
		fprintf(out, ",\"closed_first\":\"%s\"", side_names[e->closed_first]);
	if (e->rst_sender)
		fprintf(out, ",\"rst_sender\":\"%s\"", side_names[e->rst_sender]);
	if (e->is_exact)
		fprintf(out, ",\"bytes_sent\":%" PRIu64 ",\"bytes_received\":%" PRIu64,
			e->bytes_sent, e->bytes_received);
	if (e->unread_bytes >= 0)
		fprintf(out, ",\"unread_bytes\":%d", e->unread_bytes);
	if (e->syn_retransmits >= 0)
		fprintf(out, ",\"syn_retransmits\":%d", e->syn_retransmits);
	if (e->synack_retransmits_min)
		fprintf(out, ",\"synack_retransmits_min\":%d", e->synack_retransmits_min);
	if (e->backlog)
		fprintf(out, ",\"backlog\":%d", e->backlog);
	if (e->rtt_ns)
		fprintf(out, ",\"rtt_ns\":%" PRIu64, e->rtt_ns);
	if (e->variant)
		fprintf(out, ",\"variant\":\"%s\"", e->variant);
	if (e->up_ns)
		fprintf(out, ",\"up_ns\":%" PRIu64, e->up_ns);
	print_errno(out, "errno", e->connect_errno);
	print_errno(out, "read_errno", e->read_errno);
}

static void print_end(FILE *out, const struct sf_run *run, const struct sf_end *e)
{
	bool is_listener = e->role == SF_LISTENER;
	bool is_closing = run->scenario->flags & SF_F_CLOSING;

	fprintf(out, "{\"kind\":\"%s%s\",\"scenario\":\"%s\",\"run\":\"%s\",\"role\":\"%s\"",
		is_closing ? "closing_" : "", is_listener ? "listener" : "end", run->scenario->name,
		run->label, role_names[e->role]);
	print_owner(out, e);
	fprintf(out, ",\"netns\":%" PRIu64 ",\"family\":\"%s\"", e->netns,
		sf_addr_is_v4(is_listener ? &e->local : &e->peer) ? "ipv4" : "ipv6");
	sf_print_addr(out, "local", &e->local);
	if (!is_listener)
		sf_print_addr(out, "peer", &e->peer);
	fprintf(out, ",\"ephemeral\":%s,\"outcome\":\"%s\"", e->is_ephemeral ? "true" : "false",
		outcome_names[e->outcome]);
	print_end_facts(out, e);
	print_span(out, "listen", &e->listen);
	print_span(out, "connect", &e->connect);
	print_span(out, "accept", &e->accept);
	print_span(out, "shutdown", &e->shutdown);
	print_span(out, "idle", &e->idle);
	print_span(out, "close", &e->close);
	fprintf(out, "}\n");
}

void sf_truth_ends(FILE *out, const struct sf_run *run)
{
	unsigned int nr = atomic_load(&run->world->nr_ends);

	for (unsigned int i = 0; i < nr; i++)
		print_end(out, run, &run->world->ends[i]);
}

/* One write(2) of whole lines: generators that run side by side share the file. */
void sf_truth_append(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len || close(fd))
		sf_die("%s: %s", path, strerror(errno));
}
