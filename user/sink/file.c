// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines appended to a file. It holds whole lines only, also when the disk is
 * full: what was written of the last one is cut off again. Closed and opened
 * again when asked, as logrotate(8) wants it, or moved away by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/util.h"
#include "sink/kinds.h"

#define MODE 0640
#define KEEP_DEFAULT 4
#define KEEP_MAX 1000

struct file {
	char *path;
	uint64_t rotate_bytes; /* 0: never by itself */
	uint64_t keep;
	int fd; /* -1: to be opened */
};

static const char form[] = "file:PATH[,rotate=BYTES][,keep=N]";

static int parse_option(struct file *file, const char *option)
{
	if (!strncmp(option, "rotate=", 7))
		return sf_parse_size_bytes(option + 7, 4096, INT64_MAX, &file->rotate_bytes);
	if (!strncmp(option, "keep=", 5))
		return sf_parse_u64(option + 5, 1, KEEP_MAX, &file->keep);
	return -EINVAL;
}

static int parse(struct file *file, const char *target)
{
	char *option, *rest;

	file->path = strdup(target);
	if (!file->path)
		return -ENOMEM;
	rest = strchr(file->path, ',');
	if (rest)
		*rest++ = '\0';
	while ((option = strsep(&rest, ",")))
		if (parse_option(file, option))
			return -EINVAL;
	return *file->path ? 0 : -EINVAL;
}

static void file_close(void *ctx)
{
	struct file *file = ctx;

	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}

static int file_open(const char *target, void **ret_ctx, char *err, size_t err_size)
{
	struct file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return snprintf(err, err_size, "%s", strerror(ENOMEM)), -ENOMEM;
	file->fd = -1;
	file->keep = KEEP_DEFAULT;
	r = parse(file, target);
	if (r) {
		snprintf(err, err_size, "want %s", form);
		file_close(file);
		return r;
	}
	*ret_ctx = file;
	return 0;
}

/* A line that a crash cut off is not continued by the next one. */
static int end_last_line(int fd, off_t size)
{
	char last;

	if (!size || pread(fd, &last, 1, size - 1) != 1 || last == '\n')
		return 0;
	return write(fd, "\n", 1) == 1 ? 0 : -errno;
}

/* As root, for what others may have prepared: no link, no device, no pipe that waits. */
static int open_now(struct file *file)
{
	int fd = open(file->path,
		      O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
		      MODE);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EISNAM; /* no errno says: not a regular file */
	if (!r)
		r = end_last_line(fd, st.st_size);
	if (r) {
		close(fd);
		return r;
	}
	file->fd = fd;
	return 0;
}

static void name_of(const struct file *file, uint64_t number, char *buf, size_t size)
{
	if (number)
		snprintf(buf, size, "%s.%llu", file->path, (unsigned long long)number);
	else
		snprintf(buf, size, "%s", file->path);
}

/* PATH.1 is the youngest; the oldest is overwritten. 0 or negative errno. */
static int rotate(struct file *file)
{
	size_t size = strlen(file->path) + 24;
	_cleanup_(sf_freep) char *from = malloc(size);
	_cleanup_(sf_freep) char *to = malloc(size);

	close(file->fd);
	file->fd = -1;
	if (!from || !to)
		return -ENOMEM;
	for (uint64_t i = file->keep; i-- > 0;) {
		name_of(file, i, from, size);
		name_of(file, i + 1, to, size);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static size_t whole_lines(const char *text, size_t len)
{
	const char *last = memrchr(text, '\n', len);

	return last ? (size_t)(last - text) + 1 : 0;
}

/* What of them goes into the file as it is: whole lines, one at least. */
static size_t part_of(const struct file *file, uint64_t size, const char *lines, size_t len)
{
	size_t part;

	if (!file->rotate_bytes || size + len <= file->rotate_bytes)
		return len;
	part = size < file->rotate_bytes ? whole_lines(lines, (size_t)(file->rotate_bytes - size)) :
					   0;
	if (part || size)
		return part;
	return (size_t)((const char *)memchr(lines, '\n', len) - lines) + 1;
}

/* Appends a part, whole lines; rotates before, if it must. *ret_sent: what is in the file now. */
static int send_part(struct file *file, const char *lines, size_t len, size_t *ret_sent)
{
	struct stat st;
	ssize_t n;
	int r = file->fd < 0 ? open_now(file) : 0;

	if (!r && fstat(file->fd, &st))
		r = -errno;
	if (r)
		return r;
	len = part_of(file, (uint64_t)st.st_size, lines, len);
	if (!len)
		return rotate(file);
	n = write(file->fd, lines, len);
	if (n < 0)
		return -errno;
	*ret_sent = whole_lines(lines, (size_t)n);
	if ((size_t)n > *ret_sent && ftruncate(file->fd, st.st_size + (off_t)*ret_sent))
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

static const char *say(int r)
{
	switch (r) {
	case -ELOOP:
		return "a symbolic link: give the file itself";
	case -EISNAM:
		return "not a file";
	default:
		return strerror(-r);
	}
}

static int file_send(void *ctx, const char *lines, size_t len, struct sf_sink_answer *ret)
{
	struct file *file = ctx;
	int r = 0;

	while (!r && ret->sent < len) {
		size_t sent = 0;

		r = send_part(file, lines + ret->sent, len - ret->sent, &sent);
		ret->sent += sent;
	}
	if (r)
		snprintf(ret->err, sizeof(ret->err), "%s: %s", file->path, say(r));
	return r;
}

static void file_reopen(void *ctx)
{
	struct file *file = ctx;

	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

const struct sf_sink_kind sf_sink_file = {
	.name = "file",
	.form = form,
	.open = file_open,
	.send = file_send,
	.reopen = file_reopen,
	.close = file_close,
};
