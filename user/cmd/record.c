// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening a file as root for what others may have prepared: no symbolic link is
 * followed, nothing but a file or a pipe is written to, nothing is emptied before all
 * is checked. A lock tells readers that more is to come, and keeps a second writer out.
 */
#include "cmd/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/out.h"
#include "cmd/options.h"
#include "story/recorder.h"

#define MODE 0640

const char *sf_record_name(const struct sf_record *record)
{
	return record->fd == STDOUT_FILENO ? "standard output" : record->path;
}

static int open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, MODE);

	return fd < 0 ? -errno : fd;
}

static int check_target(struct sf_record *record)
{
	const char *name = sf_record_name(record);
	struct stat st;

	if (fstat(record->fd, &st))
		return sf_err(SF_EXIT_FAILURE, "cannot record to %s: %s", name, strerror(errno));
	if (record->fd == STDOUT_FILENO && isatty(record->fd))
		return sf_err(SF_EXIT_USAGE, "-w -: standard output is a terminal: give a file, or "
					     "send it to a file or a pipe");
	if (record->fd != STDOUT_FILENO && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return sf_err(SF_EXIT_USAGE, "-w %s: neither a file nor a pipe", name);
	record->is_file = S_ISREG(st.st_mode);
	/* Where files cannot be locked it is done without. */
	if (record->is_file && flock(record->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return sf_err(SF_EXIT_FAILURE, "cannot record to %s: it is being written already",
			      name);
	return SF_EXIT_OK;
}

int sf_record_open(struct sf_record *record, const char *path)
{
	record->path = path;
	record->fd = strcmp(path, "-") ? open_path(path) : STDOUT_FILENO;
	if (record->fd == -ELOOP)
		return sf_err(SF_EXIT_USAGE, "-w %s: a symbolic link: give the file itself", path);
	if (record->fd < 0)
		return sf_err(SF_EXIT_FAILURE, "cannot record to %s: %s", path,
			      strerror(-record->fd));
	return check_target(record);
}

bool sf_record_is_same(const struct sf_record *record, int fd)
{
	struct stat own, other;

	return record->is_file && !fstat(record->fd, &own) && !fstat(fd, &other) &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/* Waits as out does; what goes wrong is latched there. */
static int write_out(void *ctx, const void *bytes, size_t len)
{
	struct sf_out *out = ctx;

	sf_out_write(out, bytes, len);
	sf_out_flush(out);
	return sf_out_is_closed(out) ? -EPIPE : out->err;
}

int sf_record_begin(struct sf_record *record, const struct sf_recording_about *about,
		    struct sf_out *out)
{
	if (record->is_file && record->fd != STDOUT_FILENO && ftruncate(record->fd, 0))
		return -errno;
	return sf_recorder_new(&record->recorder, about, write_out, out);
}

void sf_record_close(struct sf_record *record, bool has_failed)
{
	if (has_failed && record->recorder && record->is_file && record->fd != STDOUT_FILENO &&
	    ftruncate(record->fd, (off_t)sf_recorder_whole_bytes(record->recorder)))
		sf_dbg("%s keeps part of a block: %s", record->path, strerror(errno));
	sf_recorder_free(record->recorder);
	record->recorder = NULL;
	if (record->path && record->fd >= 0 && record->fd != STDOUT_FILENO)
		close(record->fd);
	record->fd = -1;
}
