/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to people. Each line goes out in one write(2), so that lines of
 * several writers do not mix, and through sf_text_safe(), because messages
 * quote names and paths that others chose. Never fails and never allocates, and
 * waits only so long for a reader that stands still.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define PREFIX "synfin: "
#define MESSAGE_MAX 4000 /* longer ones are cut: a line is written at once, PIPE_BUF is 4096 */
#define WAIT_NS 200000000ULL

static int log_verbosity = SF_NORMAL;
static struct {
	bool is_on;
	size_t len;
	char lines[2 * MESSAGE_MAX];
} held;
static bool is_stalled; /* the last line could not be written in time */

void sf_log_set_verbosity(int verbosity)
{
	log_verbosity = verbosity;
}

int sf_log_verbosity(void)
{
	return log_verbosity;
}

/* Can standard error be written to, or can it be by end_ns? Signals do not prolong that. */
static bool is_writable_by(uint64_t end_ns)
{
	struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	uint64_t now_ns;
	int n;

	do {
		now_ns = sf_boottime_ns();
		n = poll(&pollfd, 1, now_ns < end_ns ? (int)((end_ns - now_ns) / 1000000) + 1 : 0);
	} while (n < 0 && errno == EINTR && now_ns < end_ns);
	return n > 0;
}

/* Writes text if its reader takes it before wait_ns have passed. */
static void write_in_time(const char *text, size_t len, uint64_t wait_ns)
{
	uint64_t end_ns = sf_boottime_ns() + (is_stalled ? 0 : wait_ns);

	while (is_writable_by(end_ns)) {
		is_stalled = false;
		if (write(STDERR_FILENO, text, len) >= 0 || errno != EINTR)
			return; /* any other failure: there is nobody left to tell */
	}
	is_stalled |= wait_ns > 0;
}

static void write_line(const char *text, size_t len)
{
	char line[sizeof(PREFIX) + MESSAGE_MAX + 1] = PREFIX;
	size_t line_len;

	sf_text_safe(line + strlen(PREFIX), MESSAGE_MAX + 1, text, len);
	line_len = strlen(line);
	line[line_len++] = '\n';
	if (!held.is_on) {
		write_in_time(line, line_len, WAIT_NS);
	} else if (line_len <= sizeof(held.lines) - held.len &&
		   !memmem(held.lines, held.len, line, line_len)) { /* each once */
		memcpy(held.lines + held.len, line, line_len);
		held.len += line_len;
	}
}

void sf_log_hold(bool is_held)
{
	char *line = held.lines, *end = held.lines + held.len, *next;

	held.is_on = is_held;
	if (is_held)
		return;
	for (; line < end; line = next) {
		next = (char *)memchr(line, '\n', (size_t)(end - line)) + 1; /* each ends so */
		write_in_time(line, (size_t)(next - line), WAIT_NS);
	}
	held.len = 0;
}

void sf_log_status(const char *text, size_t len)
{
	write_in_time(text, len, 0);
}

__attribute__((format(printf, 1, 0))) static void print_message(const char *fmt, va_list args)
{
	int saved_errno = errno;
	char message[MESSAGE_MAX];
	char *rest = message, *line, *tab;
	bool is_empty;

	if (vsnprintf(message, sizeof(message), fmt, args) < 0)
		snprintf(message, sizeof(message), "(message lost: %s)", fmt);
	is_empty = !*message;
	for (tab = message; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	while ((line = strsep(&rest, "\n"))) {
		/* what follows the last newline is no line; an empty message is one */
		if (*line || is_empty)
			write_line(line, strlen(line));
	}
	errno = saved_errno;
}

int sf_err(int r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_message(fmt, args);
	va_end(args);
	return r;
}

void sf_warn(const char *fmt, ...)
{
	va_list args;

	if (log_verbosity < SF_NORMAL)
		return;
	va_start(args, fmt);
	print_message(fmt, args);
	va_end(args);
}

void sf_notice(const char *fmt, ...)
{
	va_list args;

	if (log_verbosity < SF_NORMAL)
		return;
	va_start(args, fmt);
	print_message(fmt, args);
	va_end(args);
}

void sf_verbose(const char *fmt, ...)
{
	va_list args;

	if (log_verbosity < SF_VERBOSE)
		return;
	va_start(args, fmt);
	print_message(fmt, args);
	va_end(args);
}

void sf_dbg(const char *fmt, ...)
{
	va_list args;

	if (log_verbosity < SF_DEBUG)
		return;
	va_start(args, fmt);
	print_message(fmt, args);
	va_end(args);
}
