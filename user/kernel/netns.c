// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A namespace is known by its inode number. It is reached through a thread
 * that is in it or through a mount of it; one that only an open descriptor
 * keeps alive cannot be found.
 */
#include "kernel/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define FIRST_PIDNS_INODE 0xeffffffcU /* include/linux/proc_ns.h PROC_PID_INIT_INO, since v3.8 */

struct walk {
	sf_netns_fn fn;
	void *ctx;
	uint64_t *seen; /* inode numbers */
	size_t nr_seen;
	size_t size;
	size_t nr_missed;
	int own_fd;
	bool is_hidden; /* there are processes whose namespace may not be asked for */
};

/* 1: it is new, 0: it was there before, or negative errno. */
static int note(struct walk *walk, uint64_t inode)
{
	uint64_t *grown;

	for (size_t i = walk->nr_seen; i > 0; i--)
		if (walk->seen[i - 1] == inode)
			return 0;
	if (walk->nr_seen == walk->size) {
		size_t size = walk->size ? walk->size * 2 : 64;

		grown = reallocarray(walk->seen, size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		walk->seen = grown;
		walk->size = size;
	}
	walk->seen[walk->nr_seen++] = inode;
	return 1;
}

/* Enters the namespace at a path, if it is a new one, calls, and comes back. */
static int visit(struct walk *walk, const char *path)
{
	struct stat st;
	int fd, r;

	if (stat(path, &st)) {
		/*
		 * Its process or mount has gone; or which one it is in is not for us to know. Init,
		 * which even root may be kept from, is taken to be in the first one.
		 */
		walk->is_hidden |= (errno == EACCES || errno == EPERM) &&
				   strncmp(path, "/proc/1/", 8) != 0;
		return 0;
	}
	r = note(walk, st.st_ino);
	if (r <= 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && sf_is_shortage(-errno))
		return -errno;
	if (fd < 0) {
		walk->nr_missed += errno != ENOENT && errno != ESRCH;
		return 0;
	}
	r = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	if (r) {
		walk->nr_missed++;
		return 0;
	}
	r = walk->fn(walk->ctx);
	return setns(walk->own_fd, CLONE_NEWNET) ? -EXDEV : r;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/*
 * Is /proc that of another pid namespace than the host's, or does it hide what others run, as by
 * hidepid? What it lacks may be in any network namespace.
 */
static bool lacks_processes(void)
{
	struct stat st;

	if (!stat("/proc/self/ns/pid", &st) && st.st_ino != FIRST_PIDNS_INODE)
		return true;
	return stat("/proc/1", &st);
}

/* A thread may be in another one than its process: setns(2), unshare(2). */
static int visit_threads(struct walk *walk, const char *pid)
{
	struct dirent *entry;
	char path[96];
	struct stat st;
	DIR *dir;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	/* Links: two, and one per thread (fs/proc/base.c proc_task_getattr(), v5.10 to v6.18). */
	if (stat(path, &st) || st.st_nlink == 3)
		return 0;
	dir = opendir(path);
	if (!dir)
		return sf_is_shortage(-errno) ? -errno : 0;
	while (!r && (entry = readdir(dir))) {
		if (!is_number(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/ns/net", pid, entry->d_name);
		r = visit(walk, path);
	}
	closedir(dir);
	return r;
}

static int visit_processes(struct walk *walk)
{
	struct dirent *entry;
	char path[64];
	DIR *dir = opendir("/proc");
	int r = 0;

	if (!dir)
		return -errno;
	walk->is_hidden |= lacks_processes();
	while (!r && (entry = readdir(dir))) {
		if (!is_number(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net", entry->d_name);
		r = visit(walk, path);
		if (!r)
			r = visit_threads(walk, entry->d_name);
	}
	closedir(dir);
	return r;
}

/* "36 35 0:4 net:[4026532310] /run/netns/a ...": proc(5), mountinfo. */
static int visit_mounts(struct walk *walk)
{
	char *line = NULL, root[64], path[512];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t size = 0;
	int r = 0;

	if (!file)
		return -errno;
	while (!r && getline(&line, &size, file) > 0)
		if (sscanf(line, "%*s %*s %*s %63s %511s", root, path) == 2 &&
		    !strncmp(root, "net:[", 5))
			r = visit(walk, path);
	free(line);
	fclose(file);
	return r;
}

int sf_netns_each(sf_netns_fn fn, void *ctx, size_t *ret_nr_missed)
{
	struct walk walk = { .fn = fn, .ctx = ctx };
	struct stat st;
	int r;

	/* Another thread may be in another one. */
	walk.own_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (walk.own_fd < 0)
		return -errno;
	r = fstat(walk.own_fd, &st) ? -errno : note(&walk, st.st_ino);
	if (r >= 0)
		r = fn(ctx);
	if (!r)
		r = visit_processes(&walk);
	if (!r)
		r = visit_mounts(&walk);
	close(walk.own_fd);
	free(walk.seen);
	if (!r)
		*ret_nr_missed = walk.nr_missed + walk.is_hidden;
	return r;
}

bool sf_netns_port_range(uint16_t *ret_min, uint16_t *ret_max)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int low, high;
	bool is_read;

	if (!file)
		return false;
	is_read = fscanf(file, "%5u %5u", &low, &high) == 2 && low <= high && high <= UINT16_MAX;
	fclose(file);
	if (!is_read)
		return false;
	*ret_min = (uint16_t)low;
	*ret_max = (uint16_t)high;
	return true;
}

/* "8080,40000-40009": sets the bits. */
static void set_ports(char *list, uint8_t *bits)
{
	char *at, *one = strtok_r(list, ",\n", &at);
	unsigned int low, high;

	for (; one; one = strtok_r(NULL, ",\n", &at)) {
		int nr = sscanf(one, "%5u-%5u", &low, &high);

		if (nr == 1)
			high = low;
		for (; nr >= 1 && low <= high && low <= UINT16_MAX; low++)
			bits[low / 8] |= (uint8_t)(1U << low % 8);
	}
}

uint8_t *sf_netns_reserved_ports(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	uint8_t *bits = NULL;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	/* An empty line: none are reserved. */
	if (getline(&line, &size, file) > 1)
		bits = calloc(1, (UINT16_MAX + 1) / 8);
	if (bits)
		set_ports(line, bits);
	free(line);
	fclose(file);
	return bits;
}
