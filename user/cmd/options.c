// SPDX-License-Identifier: GPL-2.0-or-later
/* The option table, its defaults, and the filter that the filtering options amount to. */
#include "cmd/options.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "filter/parse.h"
#include "kernel/plan.h"
#include "sink/sink.h"
#include "story/names.h"
#include "view/view.h"

#define DEFAULT_BUFFER_BYTES (16ULL << 20)
#define DEFAULT_CONNECTIONS 65536
#define TIER_NOT_GIVEN (-1)

static const char *const format_names[SF_FORMAT_NR + 1] = { "table", "wide", "json", "csv", NULL };
static const char *const time_names[SF_TIME_NR + 1] = { "local", "utc",	 "relative",
							"delta", "none", NULL };
static const char *const log_names[] = { "conns", "steps", "failures", NULL };
static const char *const color_names[] = { "auto", "always", "never", NULL };

#define FIELD(name) offsetof(struct sf_options, name)
#define FILTER_FIELD(name) offsetof(struct sf_options, filter.name)

#define MIN_BUFFER_BYTES 65536
#define MAX_BUFFER_BYTES (1ULL << 30)
#define MAX_CONNECTIONS (1ULL << 24)
#define MIN_INTERVAL_NS (SF_NS_PER_S / 10)

static int add_sink(const char *value, void *field, const char **ret_why)
{
	static char why[256];
	struct sf_sink_options *sinks = field;

	if (sinks->nr == SF_SINKS_MAX)
		return *ret_why = "there are too many: want 16 at most", -EINVAL;
	if (sf_sink_check(value, why, sizeof(why)))
		return *ret_why = why, -EINVAL;
	sinks->specs[sinks->nr++] = value;
	return 0;
}

const struct sf_opt sf_option_table[] = {
	{ 'o', "output", SF_OPT_ENUM, "FORMAT", FIELD(format), 0, 0, format_names, NULL,
	  "how lines are written", "Output" },
	{ 'q', "quiet", SF_OPT_FLAG, NULL, FIELD(is_quiet), 0, 0, NULL, NULL,
	  "no status line, no summary, errors only", NULL },
	{ 'v', "verbose", SF_OPT_COUNT, NULL, FIELD(verbose), 0, 0, NULL, NULL,
	  "say more; twice: libbpf's own messages too", NULL },
	{ 'T', "time", SF_OPT_ENUM, "FORMAT", FIELD(time_format), 0, 0, time_names, NULL,
	  "time column of tables", NULL },
	{ 0, "color", SF_OPT_ENUM, "WHEN", FIELD(color), 0, 0, color_names, NULL,
	  "colours and bold", NULL },
	{ 0, "no-header", SF_OPT_FLAG, NULL, FIELD(no_header), 0, 0, NULL, NULL,
	  "no heading above a table", NULL },
	{ 'n', "numeric", SF_OPT_FLAG, NULL, FIELD(numeric), 0, 0, NULL, NULL,
	  "numbers for addresses and ports (always so)", NULL },
	{ 'w', "write", SF_OPT_STRING, "FILE", FIELD(write_path), 0, 0, NULL, NULL,
	  "record to FILE ('-': standard output) instead of showing", "Recordings" },
	{ 'r', "read", SF_OPT_STRING, "FILE", FIELD(read_path), 0, 0, NULL, NULL,
	  "show what was recorded in FILE ('-': standard input); no root", NULL },
	{ 'd', "duration", SF_OPT_DURATION, "TIME", FIELD(duration_ns), 1, 0, NULL, NULL,
	  "stop after this time: 30, 1.5s, 10m", "When to stop" },
	{ 'C', "count", SF_OPT_U64, "N", FIELD(count), 1, 0, NULL, NULL, "stop after N lines",
	  NULL },
	{ 'p', "pid", SF_OPT_U64 | SF_OPT_ONCE, "PID", FILTER_FIELD(pid), 1, 4194304, NULL, NULL,
	  "owned by this process (host pid)", "Which connections (all that are given must hold)" },
	{ 'c', "comm", SF_OPT_STRING | SF_OPT_ONCE, "NAME", FILTER_FIELD(comm), 0, 0, NULL, NULL,
	  "owned by a process of this name", NULL },
	{ 0, "role", SF_OPT_STRING | SF_OPT_ONCE, "ROLE", FILTER_FIELD(role), 0, 0, NULL, NULL,
	  "client, server, both, listener, unknown", NULL },
	{ 0, "state", SF_OPT_STRING | SF_OPT_ONCE, "STATE", FILTER_FIELD(state), 0, 0, NULL, NULL,
	  "now in this state: established, SYN-SENT, ...", NULL },
	{ '4', "ipv4", SF_OPT_FLAG, NULL, FILTER_FIELD(v4), 0, 0, NULL, NULL,
	  "IPv4 on the wire, v4-mapped sockets too", NULL },
	{ '6', "ipv6", SF_OPT_FLAG, NULL, FILTER_FIELD(v6), 0, 0, NULL, NULL, "IPv6 on the wire",
	  NULL },
	{ 0, "host", SF_OPT_STRING | SF_OPT_ONCE, "ADDR[/BITS]", FILTER_FIELD(host), 0, 0, NULL,
	  NULL, "either end is in this network", NULL },
	{ 0, "port", SF_OPT_U64 | SF_OPT_ONCE, "PORT", FILTER_FIELD(port), 1, 65535, NULL, NULL,
	  "either end has this port", NULL },
	{ 0, "lport", SF_OPT_U64 | SF_OPT_ONCE, "PORT", FILTER_FIELD(local_port), 1, 65535, NULL,
	  NULL, "this host's end has this port", NULL },
	{ 0, "rport", SF_OPT_U64 | SF_OPT_ONCE, "PORT", FILTER_FIELD(peer_port), 1, 65535, NULL,
	  NULL, "the other end has this port", NULL },
	{ 0, "netns", SF_OPT_STRING | SF_OPT_ONCE, "NAME|INODE", FILTER_FIELD(netns), 0, 0, NULL,
	  NULL, "in this network namespace: ip-netns name, path or inode number", NULL },
	{ 0, "min-handshake", SF_OPT_DURATION | SF_OPT_ONCE, "TIME", FILTER_FIELD(min_handshake_ns),
	  1, 0, NULL, NULL, "the handshake took at least this long", NULL },
	{ 0, "min-age", SF_OPT_DURATION | SF_OPT_ONCE, "TIME", FILTER_FIELD(min_age_ns), 1, 0, NULL,
	  NULL, "has lived at least this long", NULL },
	{ 0, "watch", SF_OPT_FLAG, NULL, FIELD(is_watch), 0, 0, NULL, NULL,
	  "look again and again; tell what gets stuck and what is over", "What is stuck" },
	{ 0, "interval", SF_OPT_DURATION, "TIME", FIELD(interval_ns), MIN_INTERVAL_NS, 0, NULL,
	  NULL, "time between two looks (default 1s, of serve 10s)", NULL },
	{ 0, "threshold", SF_OPT_CALL, "NAME=TIME", FIELD(thresholds), 0, 0, NULL,
	  sf_thresholds_parse, "how long is too long: accept, close_wait, ...; ports=PERCENT",
	  NULL },
	{ 0, "no-bpf", SF_OPT_FLAG, NULL, FIELD(no_bpf), 0, 0, NULL, NULL,
	  "stuck, listeners, ports, top: ask sock_diag and /proc instead", NULL },
	{ 0, "config", SF_OPT_STRING, "FILE", FIELD(config_path), 0, 0, NULL, NULL,
	  "read options from FILE too, see synfin.conf(5)", "The service" },
	{ 0, "to", SF_OPT_CALL, "SINK", FIELD(sinks), 0, 0, NULL, add_sink,
	  "where serve sends: file:PATH, syslog, journald, otlp:URL, prometheus:PORT", NULL },
	{ 0, "log", SF_OPT_ENUM, "WHAT", FIELD(log_choice), 0, 0, log_names, NULL,
	  "what serve sends a line of", NULL },
	{ 0, "sample", SF_OPT_U64, "N", FIELD(sample), 1, 1000000, NULL, NULL,
	  "of connections that end well only one in N, the same on both hosts", NULL },
	{ 0, "queue", SF_OPT_SIZE, "BYTES", FIELD(queue_bytes), 65536, 1ULL << 30, NULL, NULL,
	  "what may wait for each sink (default 8M)", NULL },
	{ 0, "hooks", SF_OPT_ENUM, "TIER", FIELD(tier), 0, 0, sf_tier_names, NULL,
	  "use no better hooks than these", "Kernel side" },
	{ 0, "buffer", SF_OPT_SIZE, "BYTES", FIELD(buffer_bytes), MIN_BUFFER_BYTES,
	  MAX_BUFFER_BYTES, NULL, NULL, "ring buffer, rounded up to a power of two (default 16M)",
	  NULL },
	{ 0, "max-connections", SF_OPT_U64, "N", FIELD(max_connections), 16, MAX_CONNECTIONS, NULL,
	  NULL, "connections followed at once (default 65536)", NULL },
	{ 0, "first-byte", SF_OPT_FLAG, NULL, FIELD(first_byte), 0, 0, NULL, NULL,
	  "tell the first byte each way: a hook on each send and read", NULL },
	{ 'h', "help", SF_OPT_FLAG, NULL, FIELD(help), 0, 0, NULL, NULL, "this text", "Other" },
	{ 'V', "version", SF_OPT_FLAG, NULL, FIELD(version), 0, 0, NULL, NULL, "the version",
	  NULL },
	SF_OPT_END,
};

void sf_options_init(struct sf_options *options)
{
	*options = (struct sf_options){ .tier = TIER_NOT_GIVEN };
	sf_thresholds_init(&options->thresholds);
}

int sf_options_settle(struct sf_options *options, char *err, size_t err_size)
{
	if (options->read_path && (options->duration_ns || options->tier != TIER_NOT_GIVEN ||
				   options->buffer_bytes || options->max_connections))
		return snprintf(err, err_size,
				"-r reads a recording: -d, --hooks, --buffer and "
				"--max-connections are for tracing"),
		       -EINVAL;
	if (options->tier == TIER_NOT_GIVEN)
		options->tier = SF_TIER_FULL;
	if (!options->buffer_bytes)
		options->buffer_bytes = DEFAULT_BUFFER_BYTES;
	if (!options->max_connections)
		options->max_connections = DEFAULT_CONNECTIONS;
	return 0;
}

uint64_t sf_options_interval_ns(const struct sf_options *options, uint64_t default_ns)
{
	return options->interval_ns ? options->interval_ns : default_ns;
}

bool sf_options_has_filter(const struct sf_options *options)
{
	const struct sf_filter_options *in = &options->filter;

	return in->pid || in->comm || in->role || in->state || in->host || in->netns || in->port ||
	       in->local_port || in->peer_port || in->min_handshake_ns || in->min_age_ns ||
	       in->v4 || in->v6;
}

/*
 * The inode number of the network namespace that path is. -EINVAL if it is
 * something else: a file in /run/netns is just that while nothing is mounted on it.
 */
static int netns_of_path(const char *path, uint32_t *ret)
{
	_cleanup_(sf_closep) int fd = -1;
	struct statfs fs;
	struct stat st;

	/* Before open(2), which does things to other files: a FIFO waits, a device may act. */
	if (statfs(path, &fs))
		return -errno;
	if (fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -EINVAL;
	*ret = st.st_ino;
	return 0;
}

/* A name under /run/netns, a path, or the inode number itself. */
static int parse_netns(const char *text, uint32_t *ret)
{
	char path[4096];
	uint64_t inode;
	int r;

	r = sf_parse_u64(text, 1, UINT32_MAX, &inode);
	if (!r)
		*ret = inode;
	if (r != -EINVAL)
		return r;
	if (snprintf(path, sizeof(path), "%s%s", strchr(text, '/') ? "" : "/run/netns/", text) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return netns_of_path(path, ret);
}

static int add_named(const struct sf_filter_options *in, struct sf_filter *filter, char *err,
		     size_t err_size)
{
	uint16_t states;
	uint32_t netns;
	uint8_t role;
	int r;

	if (in->role) {
		if (sf_role_from_name(in->role, strlen(in->role), &role))
			return snprintf(err, err_size,
					"--role: want client, server, both, listener or unknown"),
			       -EINVAL;
		sf_filter_add_roles(filter, 1U << role);
	}
	if (in->state) {
		if (sf_states_from_name(in->state, strlen(in->state), &states))
			return snprintf(err, err_size,
					"--state: want a TCP state such as established, syn-sent, "
					"close-wait, fin-wait-2"),
			       -EINVAL;
		sf_filter_add_states(filter, states);
	}
	if (in->netns) {
		r = parse_netns(in->netns, &netns);
		if (r)
			return snprintf(err, err_size,
					"--netns: no such network namespace (%s): want a name from "
					"'ip netns', a path such as /proc/PID/ns/net, or an inode "
					"number",
					r == -EINVAL ? "the file is something else" :
					r == -ERANGE ? "no inode has this number" :
						       strerror(-r)),
			       -EINVAL;
		sf_filter_add_netns(filter, netns);
	}
	return 0;
}

static int add_addresses(const struct sf_filter_options *in, struct sf_filter *filter, char *err,
			 size_t err_size)
{
	struct sf_cidr cidr;

	if (in->v4 && in->v6)
		return snprintf(err, err_size, "-4 and -6 exclude each other: give one, or none"),
		       -EINVAL;
	if (in->v4 || in->v6)
		sf_filter_add_family(filter, in->v4 ? AF_INET : AF_INET6);
	if (in->host) {
		if (sf_cidr_parse(in->host, &cidr))
			return snprintf(err, err_size,
					"--host: want an address or a network without host bits, "
					"such as 10.1.2.3, 10.0.0.0/8 or fe80::/10"),
			       -EINVAL;
		sf_filter_add_host(filter, &cidr);
	}
	return 0;
}

/* The table has checked their ranges, and they are fewer than a filter holds: these cannot fail. */
static void add_numbers(const struct sf_filter_options *in, struct sf_filter *filter)
{
	if (in->pid)
		sf_filter_add_pid(filter, in->pid);
	if (in->port)
		sf_filter_add_port(filter, in->port);
	if (in->local_port)
		sf_filter_add_local_port(filter, in->local_port);
	if (in->peer_port)
		sf_filter_add_peer_port(filter, in->peer_port);
	if (in->min_handshake_ns)
		sf_filter_add_min_handshake(filter, in->min_handshake_ns);
	if (in->min_age_ns)
		sf_filter_add_min_age(filter, in->min_age_ns);
}

int sf_options_filter(const struct sf_options *options, int argc, const char *const *argv,
		      struct sf_filter **ret, char *err, size_t err_size)
{
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	const struct sf_filter_options *in = &options->filter;
	int r;

	r = sf_filter_new(&filter);
	if (r)
		return snprintf(err, err_size, "%s", strerror(-r)), r;
	add_numbers(in, filter);
	if (in->comm && sf_filter_add_comm(filter, in->comm))
		return snprintf(err, err_size,
				"--comm: want a name of 1 to 15 bytes: the kernel keeps no more"),
		       -EINVAL;
	r = add_named(in, filter, err, err_size);
	if (!r)
		r = add_addresses(in, filter, err, err_size);
	if (!r && argc)
		r = sf_filter_parse(filter, argc, argv, err, err_size);
	if (r)
		return r;
	*ret = TAKE_PTR(filter);
	return 0;
}
