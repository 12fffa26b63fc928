// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors are read first, sockets second: a socket whose process has gone
 * in between is then told without it, and never with a stranger.
 */
#include "kernel/snapshot.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/util.h"
#include "kernel/caps.h"
#include "kernel/diag.h"
#include "kernel/netns.h"
#include "snapshot.skel.h"
#include "story/snapshot.h"

#define MIN_BYTES (1UL << 18)
#define READ_BYTES (1UL << 16) /* the kernel hands over 32 KiB at most (bpf_seq_read()) */

struct sf_snapper {
	struct snapshot_bpf *skel;
	struct bpf_link *sockets;
	struct bpf_link *holders;
	int lacks_bpf; /* see sf_snapper_lacks_bpf() */
	uint64_t nr_taken;
};

struct taking {
	struct sf_snapper *snapper;
	struct sf_snapshot *snap;
	size_t bytes;	    /* of sockets so far */
	size_t netns_slots; /* allocated */
};

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	return sf_log_verbosity() >= SF_DEBUG ? vfprintf(stderr, fmt, args) : 0;
}

static int attach_iters(struct sf_snapper *snapper)
{
	snapper->sockets = bpf_program__attach_iter(snapper->skel->progs.sockets_iter, NULL);
	if (!snapper->sockets)
		return -errno;
	snapper->holders = bpf_program__attach_iter(snapper->skel->progs.holders_iter, NULL);
	return snapper->holders ? 0 : -errno;
}

static void unload(struct sf_snapper *snapper)
{
	bpf_link__destroy(snapper->sockets);
	bpf_link__destroy(snapper->holders);
	snapshot_bpf__destroy(snapper->skel);
	snapper->sockets = snapper->holders = NULL;
	snapper->skel = NULL;
}

static int load(struct sf_snapper *snapper)
{
	int r;

	libbpf_set_print(print_libbpf);
	snapper->skel = snapshot_bpf__open();
	r = snapper->skel ? snapshot_bpf__load(snapper->skel) : -errno;
	return r ? r : attach_iters(snapper);
}

int sf_snapper_new(bool is_without_bpf, struct sf_snapper **ret)
{
	struct sf_snapper *snapper = calloc(1, sizeof(*snapper));
	int r;

	if (!snapper)
		return -ENOMEM;
	r = is_without_bpf ? 1 : sf_caps_btf_err(load(snapper));
	snapper->lacks_bpf = r;
	if (r)
		unload(snapper);
	if (sf_is_shortage(r)) {
		free(snapper);
		return r;
	}
	*ret = snapper;
	return 0;
}

int sf_snapper_lacks_bpf(const struct sf_snapper *snapper)
{
	return snapper->lacks_bpf;
}

void sf_snapper_free(struct sf_snapper *snapper)
{
	if (!snapper)
		return;
	unload(snapper);
	free(snapper);
}

void sf_snapper_freep(struct sf_snapper **snapper)
{
	sf_snapper_free(*snapper);
}

static int make_room(void **records, size_t *size, size_t len)
{
	size_t wanted = *size ? *size + *size / 2 : MIN_BYTES;
	void *grown;

	if (*size - len >= READ_BYTES)
		return 0;
	grown = realloc(*records, wanted);
	if (!grown)
		return -ENOMEM;
	*records = grown;
	*size = wanted;
	return 0;
}

/* Reads a walk to its end, behind the len bytes that are there. Records arrive whole. */
static int read_walk(struct bpf_link *link, void **records, size_t *size, size_t *len)
{
	int r = 0, fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		r = make_room(records, size, *len);
		if (r)
			break;
		n = read(fd, (char *)*records + *len, *size - *len);
		if (n > 0)
			*len += (size_t)n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			r = -errno;
	} while (!r && n);
	close(fd);
	return r;
}

/* Room for one more record behind len bytes. NULL: no memory. */
static void *append(void **records, size_t *size, size_t *len, size_t record_bytes)
{
	void *place;

	if (make_room(records, size, *len))
		return NULL;
	place = (char *)*records + *len;
	*len += record_bytes;
	return place;
}

static int on_diag_sock(void *ctx, const struct sf_sock *sock)
{
	struct taking *taking = ctx;
	void *records = taking->snap->socks;
	struct sf_sock *place =
		append(&records, &taking->snap->socks_bytes, &taking->bytes, sizeof(*place));

	taking->snap->socks = records;
	if (!place)
		return -ENOMEM;
	*place = *sock;
	return 0;
}

static int on_diag_holder(void *ctx, const struct sf_holder *holder)
{
	struct taking *taking = ctx;
	struct sf_snapshot *snap = taking->snap;
	size_t len = snap->nr_holders * sizeof(*holder);
	void *records = snap->holders;
	struct sf_holder *place = append(&records, &snap->holders_bytes, &len, sizeof(*place));

	snap->holders = records;
	if (!place)
		return -ENOMEM;
	*place = *holder;
	snap->nr_holders++;
	return 0;
}

static int take_holders(struct taking *taking)
{
	struct sf_snapshot *snap = taking->snap;
	void *records = NULL;
	size_t len = 0;
	int r;

	if (taking->snapper->lacks_bpf)
		return sf_diag_holders(on_diag_holder, taking);
	r = read_walk(taking->snapper->holders, &records, &snap->holders_bytes, &len);
	snap->holders = records;
	snap->nr_holders = len / sizeof(*snap->holders);
	return r;
}

/* A file of one line; NULL if it is not there. */
static char *read_line(const char *path, char *buf, int size)
{
	FILE *file = fopen(path, "re");
	char *line;

	if (!file)
		return NULL;
	line = fgets(buf, size, file);
	fclose(file);
	return line;
}

/* A sysctl that is one number. False: it is not there. */
static bool read_number(const char *path, uint32_t *ret)
{
	char line[64];
	uint64_t value;

	if (!read_line(path, line, sizeof(line)))
		return false;
	line[strcspn(line, "\n")] = '\0';
	if (sf_parse_u64(line, 0, INT32_MAX, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

/*
 * Before v6.14 the delay is no sysctl: a second (ca6a6f93867a "tcp: Add sysctl
 * to configure TIME-WAIT reuse delay").
 */
static void read_tw_reuse(struct sf_netns *ns)
{
	uint32_t timestamps;

	ns->has_tw_reuse = read_number("/proc/sys/net/ipv4/tcp_tw_reuse", &ns->tw_reuse) &&
			   read_number("/proc/sys/net/ipv4/tcp_timestamps", &timestamps);
	if (!ns->has_tw_reuse || !timestamps)
		ns->tw_reuse = 0;
	if (!read_number("/proc/sys/net/ipv4/tcp_tw_reuse_delay", &ns->tw_reuse_delay_ms))
		ns->tw_reuse_delay_ms = 1000;
}

static void read_sysctls(struct sf_netns *ns)
{
	ns->has_port_range = sf_netns_port_range(&ns->port_min, &ns->port_max);
	ns->reserved = sf_netns_reserved_ports();
	ns->has_somaxconn = read_number("/proc/sys/net/core/somaxconn", &ns->somaxconn);
	read_tw_reuse(ns);
}

/* Takes the value below a name: lines come in pairs, "TcpExt: NAME..." and "TcpExt: NUMBER...". */
static bool value_below(char *names, char *values, const char *wanted, uint64_t *ret)
{
	char *name_at, *value_at;
	char *name = strtok_r(names, " \n", &name_at);
	char *value = strtok_r(values, " \n", &value_at);

	for (; name && value;
	     name = strtok_r(NULL, " \n", &name_at), value = strtok_r(NULL, " \n", &value_at))
		if (!strcmp(name, wanted))
			return !sf_parse_u64(value, 0, UINT64_MAX, ret);
	return false;
}

static bool find_counter(const char *names, const char *values, const char *wanted, uint64_t *ret)
{
	_cleanup_(sf_freep) char *left = strdup(names);
	_cleanup_(sf_freep) char *right = strdup(values);

	return left && right && value_below(left, right, wanted, ret);
}

static void read_overflows(struct sf_netns *ns)
{
	_cleanup_(sf_freep) char *names = NULL;
	_cleanup_(sf_freep) char *values = NULL;
	size_t names_size = 0, values_size = 0;
	FILE *file = fopen("/proc/thread-self/net/netstat", "re");

	if (!file)
		return;
	while (getline(&names, &names_size, file) > 0 && getline(&values, &values_size, file) > 0)
		if (!strncmp(names, "TcpExt:", 7))
			ns->has_overflows =
				find_counter(names, values, "ListenOverflows",
					     &ns->listen_overflows) &&
				find_counter(names, values, "ListenDrops", &ns->listen_drops);
	fclose(file);
}

static void copy_address(const struct sockaddr *from, uint8_t to[16])
{
	if (from->sa_family == AF_INET6) {
		memcpy(to, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
		return;
	}
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
}

static bool is_inet(const struct ifaddrs *at)
{
	return at->ifa_addr &&
	       (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6);
}

static int read_addresses(struct sf_netns *ns)
{
	struct ifaddrs *all;
	uint32_t nr = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next)
		nr += is_inet(at);
	ns->addrs = calloc(nr + 1, sizeof(*ns->addrs));
	for (const struct ifaddrs *at = all; at && ns->addrs; at = at->ifa_next)
		if (is_inet(at))
			copy_address(at->ifa_addr, ns->addrs[ns->nr_addrs++]);
	freeifaddrs(all);
	return ns->addrs ? 0 : -ENOMEM;
}

/* A namespace without sockets needs no facts, and there may be thousands. */
static int note_netns(struct taking *taking, bool is_own)
{
	struct sf_snapshot *snap = taking->snap;
	struct sf_netns *grown, ns = { 0 };
	struct stat st;
	int r;

	if (stat("/proc/thread-self/ns/net", &st))
		return 0;
	ns.inode = (uint32_t)st.st_ino;
	if (is_own)
		snap->own_netns = ns.inode;
	if (snap->nr_netns == taking->netns_slots) {
		size_t slots = taking->netns_slots ? taking->netns_slots * 2 : 16;

		grown = reallocarray(snap->netns, slots, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		snap->netns = grown;
		taking->netns_slots = slots;
	}
	read_sysctls(&ns);
	read_overflows(&ns);
	r = read_addresses(&ns);
	if (r)
		sf_netns_clear(&ns);
	else
		snap->netns[snap->nr_netns++] = ns;
	return r;
}

/* Called in each namespace, its own first. */
static int take_sockets(void *ctx)
{
	struct taking *taking = ctx;
	struct sf_snapshot *snap = taking->snap;
	size_t before = taking->bytes;
	void *records = snap->socks;
	bool is_own = !snap->own_netns;
	int r;

	if (taking->snapper->lacks_bpf) {
		r = sf_diag_sockets(on_diag_sock, taking);
	} else {
		r = read_walk(taking->snapper->sockets, &records, &snap->socks_bytes,
			      &taking->bytes);
		snap->socks = records;
	}
	if (r || (taking->bytes == before && !is_own))
		return r;
	return note_netns(taking, is_own);
}

int sf_snapper_take(struct sf_snapper *snapper, struct sf_snapshot *ret)
{
	struct taking taking = { .snapper = snapper, .snap = ret };
	int r;

	sf_snapshot_clear(ret);
	r = take_holders(&taking);
	if (!r)
		r = sf_netns_each(take_sockets, &taking, &ret->nr_missed_ns);
	ret->nr_socks = taking.bytes / sizeof(*ret->socks);
	ret->time_ns = sf_boottime_ns();
	ret->hz = snapper->lacks_bpf ? SF_DIAG_HZ :
				       sf_hz_guess(snapper->skel->bss->jiffies_then,
						   snapper->skel->bss->monotonic_then_ns);
	if (!r)
		r = sf_snapshot_index(ret);
	if (r)
		sf_snapshot_clear(ret);
	else
		snapper->nr_taken++;
	return r;
}

uint64_t sf_snapper_nr_taken(const struct sf_snapper *snapper)
{
	return snapper->nr_taken;
}
