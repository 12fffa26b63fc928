/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to people: which are printed at which verbosity, that each is whole
 * prefixed lines, and that their arguments cannot reach the terminal.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int messages; /* each write(2) to standard error is one message here */
static int real_stderr;

static int catch_stderr(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	real_stderr = dup(STDERR_FILENO);
	if (real_stderr < 0 || dup2(fds[0], STDERR_FILENO) < 0)
		return -1;
	close(fds[0]);
	messages = fds[1];
	sf_log_set_verbosity(SF_NORMAL);
	return 0;
}

static int release_stderr(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(messages);
	return 0;
}

/* The next line written, "" if there is none. */
static const char *next_line(void)
{
	static char line[16384];
	ssize_t n = read(messages, line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void verbosity(void **state)
{
	static const struct {
		int verbosity;
		const char *want[6];
	} rows[] = {
		{ SF_QUIET, { "synfin: e\n", "" } },
		{ SF_NORMAL, { "synfin: e\n", "synfin: w\n", "synfin: n\n", "" } },
		{ SF_VERBOSE, { "synfin: e\n", "synfin: w\n", "synfin: n\n", "synfin: v\n", "" } },
		{ SF_DEBUG,
		  { "synfin: e\n", "synfin: w\n", "synfin: n\n", "synfin: v\n", "synfin: d\n",
		    "" } },
		{ 7,
		  { "synfin: e\n", "synfin: w\n", "synfin: n\n", "synfin: v\n", "synfin: d\n",
		    "" } },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sf_log_set_verbosity(rows[i].verbosity);
		assert_int_equal(sf_log_verbosity(), rows[i].verbosity);
		sf_err(-1, "%s", "e");
		sf_warn("%s", "w");
		sf_notice("%s", "n");
		sf_verbose("%s", "v");
		sf_dbg("%s", "d");
		for (k = 0; k < 6; k++) {
			assert_string_equal(next_line(), rows[i].want[k]);
			if (!*rows[i].want[k])
				break;
		}
		assert_string_equal(next_line(), "");
	}
}

static void returns_and_keeps_errno(void **state)
{
	(void)state;
	errno = ENOENT;
	assert_int_equal(sf_err(-EPERM, "%s: %m", "/x"), -EPERM);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(next_line(), "synfin: /x: No such file or directory\n");

	/* nobody listens: still quiet, errno still kept */
	fcntl(STDERR_FILENO, F_SETFD, 0);
	close(STDERR_FILENO);
	errno = ENOENT;
	assert_int_equal(sf_err(-EIO, "lost"), -EIO);
	assert_int_equal(errno, ENOENT);
}

static void lines(void **state)
{
	(void)state;
	sf_warn("ends in a newline\n");
	sf_warn("two\nlines, and\ttabs\n");
	sf_warn("\nafter an empty one\n\n");
	sf_warn("%s", "");
	assert_string_equal(next_line(), "synfin: ends in a newline\n");
	assert_string_equal(next_line(), "synfin: two\n");
	assert_string_equal(next_line(), "synfin: lines, and tabs\n");
	assert_string_equal(next_line(), "synfin: after an empty one\n");
	assert_string_equal(next_line(), "synfin: \n");
	assert_string_equal(next_line(), "");
}

static void arguments_are_made_safe(void **state)
{
	(void)state;
	sf_warn("process \"%s\"", "\x1b[2J\xc2\x9bm\xe2\x80\xaeok\xff\r%n");
	assert_string_equal(next_line(), "synfin: process \"?[2J?m?ok??%n\"\n");
}

static void long_messages_are_cut(void **state)
{
	static char text[20000];
	const char *line;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	sf_warn("%s", text);
	line = next_line();
	assert_int_equal(strlen(line), strlen("synfin: ") + 3999 + 1);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_string_equal(next_line(), "");
}

static void held_lines(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	sf_log_hold(true);
	sf_warn("one");
	assert_int_equal(sf_err(-EIO, "two"), -EIO);
	for (int i = 0; i < 10; i++)
		sf_warn("%s", text); /* more than it keeps: the first stay */
	assert_string_equal(next_line(), "");
	sf_log_hold(false);
	assert_string_equal(next_line(), "synfin: one\n");
	assert_string_equal(next_line(), "synfin: two\n");
	assert_memory_equal(next_line(), "synfin: xxx", 11);
	assert_string_equal(next_line(), "");
	sf_warn("three");
	assert_string_equal(next_line(), "synfin: three\n");
	sf_log_hold(true);
	sf_log_hold(false); /* nothing is told twice */
	assert_string_equal(next_line(), "");
}

/* Fills the pipe, or whatever standard error is. */
static void fill_stderr(void)
{
	char text[4096] = { 0 };

	while (write(STDERR_FILENO, text, sizeof(text)) > 0)
		continue;
	assert_int_equal(errno, EAGAIN);
}

/* Would hang if it waited: the pipe itself blocks, and nobody reads it. */
static void a_reader_that_stands_still(void **state)
{
	char text[4096];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	fill_stderr();
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
	sf_warn("dropped");
	sf_log_status("dropped", 7);
	sf_warn("dropped");
	/* once there is room, lines are written again */
	while (read(fds[0], text, sizeof(text)) == sizeof(text) && text[0] == '\0') {
		struct pollfd pollfd = { .fd = fds[0], .events = POLLIN };

		if (poll(&pollfd, 1, 0) == 0)
			break;
	}
	sf_log_status("status", 6);
	sf_warn("line");
	memset(text, 0, sizeof(text));
	assert_int_equal(read(fds[0], text, sizeof(text)), strlen("statussynfin: line\n"));
	assert_string_equal(text, "statussynfin: line\n");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verbosity, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(returns_and_keeps_errno, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(lines, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(arguments_are_made_safe, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(long_messages_are_cut, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(held_lines, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_reader_that_stands_still, catch_stderr,
						release_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
