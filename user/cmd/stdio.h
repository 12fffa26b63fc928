/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The standard descriptors: that they are what they are taken for, and what became of output. */
#ifndef SF_CMD_STDIO_H
#define SF_CMD_STDIO_H

/*
 * Standard descriptors that were closed by whoever started us become /dev/null: or the next file
 * opened, a BPF map even, would be one of them and get our text. 0; -EBADF if standard output
 * was closed, or another negative errno: then output can go nowhere.
 */
int sf_stdio_open(void);
/*
 * Writes out what stdio holds. 0 or negative errno, -EPIPE if the reader went away; what was not
 * written is dropped, so that it is told once.
 */
int sf_stdout_flush(void);

#endif
