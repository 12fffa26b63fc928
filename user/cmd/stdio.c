// SPDX-License-Identifier: GPL-2.0-or-later
/* Standard descriptors at the start, standard output at the end. */
#include "cmd/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

int sf_stdio_open(void)
{
	bool has_output = is_open(STDOUT_FILENO);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		/* open() gives the lowest that is free, which is this one */
		if (!is_open(fd) && open("/dev/null", O_RDWR) != fd)
			return -errno;
	return has_output ? 0 : -EBADF;
}

int sf_stdout_flush(void)
{
	int r = 0;

	if (fflush(stdout))
		r = -errno;
	else if (ferror(stdout)) /* at an earlier write, whose errno is gone */
		r = -EIO;
	if (r) {
		__fpurge(stdout);
		clearerr(stdout);
	}
	return r;
}
