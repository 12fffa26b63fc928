/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffered output on the descriptors that make it hard: a socket that shows
 * each write(2), a full device, pipes that are closed, slow, non-blocking and
 * interrupted by signals.
 */
#include "base/out.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

/* For the test of -ENOMEM; called by the sanitizer's runtime, if there is one. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* A pair of sockets on which one write(2) is one message. */
static void message_pair(int ret_fds[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds), 0);
}

static void assert_message(int fd, const char *want)
{
	char buf[512];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, want);
}

static void assert_no_message(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
}

static void lines_are_gathered_and_whole(void **state)
{
	struct sf_out out;
	int fds[2], i;

	(void)state;
	message_pair(fds);
	assert_int_equal(sf_out_init(&out, fds[0], 32), 0);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_no_message(fds[1]);
	for (i = 0; i < 4; i++)
		sf_out_write(&out, "123456789\n", 10);
	/* the fourth did not fit: three went out in one write */
	assert_message(fds[1], "123456789\n123456789\n123456789\n");
	assert_no_message(fds[1]);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_message(fds[1], "123456789\n");
	assert_int_equal(sf_out_flush(&out), 0);
	assert_no_message(fds[1]);

	/* exactly full is not too full */
	sf_out_write(&out, "0123456789abcdef", 16);
	sf_out_write(&out, "0123456789abcde\n", 16);
	assert_no_message(fds[1]);
	assert_int_equal(out.len, 32);
	sf_out_write(&out, "", 0);
	assert_no_message(fds[1]);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_message(fds[1], "0123456789abcdef0123456789abcde\n");

	/* larger than the buffer: after what was there, by itself */
	sf_out_write(&out, "a\n", 2);
	sf_out_write(&out, "0123456789abcdef0123456789abcdef\n", 33);
	assert_message(fds[1], "a\n");
	assert_message(fds[1], "0123456789abcdef0123456789abcdef\n");
	assert_int_equal(out.len, 0);
	sf_out_free(&out);
	assert_int_equal(out.len, 0);
	assert_int_equal(out.size, 0);
	sf_out_free(&out);
	close(fds[0]);
	close(fds[1]);
}

static void reserve_and_commit(void **state)
{
	struct sf_out out;
	int fds[2];
	char *room;

	(void)state;
	message_pair(fds);
	assert_int_equal(sf_out_init(&out, fds[0], 16), 0);
	assert_null(sf_out_reserve(&out, 17));
	room = sf_out_reserve(&out, 16);
	assert_non_null(room);
	memset(room, 'x', 16); /* all of it is there */
	memcpy(room, "one\n", 4);
	sf_out_commit(&out, 4);
	room = sf_out_reserve(&out, 12);
	assert_non_null(room);
	assert_no_message(fds[1]);
	sf_out_commit(&out, 0); /* nothing came of it */
	room = sf_out_reserve(&out, 13);
	assert_non_null(room);
	assert_message(fds[1], "one\n");
	memcpy(room, "two\n", 4);
	sf_out_commit(&out, 4);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_message(fds[1], "two\n");
	/* a slip of the caller does not reach beyond the buffer */
	sf_out_commit(&out, 1000);
	assert_int_equal(out.len, 16);
	sf_out_free(&out);
	close(fds[0]);
	close(fds[1]);
}

static void printf_of_every_length(void **state)
{
	struct sf_out out;
	int fds[2], len;

	(void)state;
	message_pair(fds);
	for (len = 0; len <= 40; len++) {
		char want[64];

		assert_int_equal(sf_out_init(&out, fds[0], 20), 0);
		sf_out_printf(&out, "%s", "abcd");
		sf_out_printf(&out, "%0*d", len, 7);
		snprintf(want, sizeof(want), "%0*d", len, 7);
		if (strlen(want) <= 16) {
			char whole[80];

			assert_no_message(fds[1]);
			assert_int_equal(sf_out_flush(&out), 0);
			snprintf(whole, sizeof(whole), "abcd%s", want);
			assert_message(fds[1], whole);
		} else {
			assert_message(fds[1], "abcd");
			assert_int_equal(sf_out_flush(&out), 0);
			assert_message(fds[1], want);
		}
		assert_no_message(fds[1]);
		sf_out_free(&out);
	}
	close(fds[0]);
	close(fds[1]);
}

static void printf_of_nothing(void **state)
{
	struct sf_out out;
	int fds[2];

	(void)state;
	message_pair(fds);
	assert_int_equal(sf_out_init(&out, fds[0], 8), 0);
	sf_out_printf(&out, "%s", "");
	assert_int_equal(sf_out_flush(&out), 0);
	assert_no_message(fds[1]);
	sf_out_free(&out);
	close(fds[0]);
	close(fds[1]);
}

static void full_device(void **state)
{
	struct sf_out out;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC), null;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sf_out_init(&out, fd, 16), 0);
	sf_out_write(&out, "line\n", 5);
	assert_int_equal(out.err, 0); /* not tried yet */
	assert_int_equal(sf_out_flush(&out), -ENOSPC);
	assert_int_equal(out.err, -ENOSPC);
	assert_false(sf_out_is_closed(&out));

	/* latched, even where writing would work again */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(null >= 0);
	assert_int_equal(dup2(null, fd), fd);
	close(null);
	assert_null(sf_out_reserve(&out, 1));
	sf_out_write(&out, "line\n", 5);
	sf_out_write(&out, "more than the buffer holds\n", 27);
	sf_out_printf(&out, "%d\n", 1);
	assert_int_equal(out.len, 0);
	assert_int_equal(sf_out_flush(&out), -ENOSPC);
	sf_out_free(&out);

	/* found by a forced write as well */
	close(fd);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(sf_out_init(&out, fd, 4), 0);
	sf_out_printf(&out, "abcdefgh\n");
	assert_int_equal(out.err, -ENOSPC);
	assert_int_equal(sf_out_flush(&out), -ENOSPC);
	sf_out_free(&out);
	assert_int_equal(sf_out_init(&out, fd, 4), 0);
	sf_out_write(&out, "abc\n", 4);
	assert_null(sf_out_reserve(&out, 1));
	assert_int_equal(out.err, -ENOSPC);
	sf_out_free(&out);
	close(fd);
}

static void bad_descriptor(void **state)
{
	struct sf_out out;

	(void)state;
	assert_int_equal(sf_out_init(&out, -1, 16), 0);
	assert_int_equal(sf_out_flush(&out), 0); /* nothing to write, nothing wrong */
	sf_out_write(&out, "x", 1);
	assert_int_equal(sf_out_flush(&out), -EBADF);
	sf_out_free(&out);
}

static void no_memory(void **state)
{
	volatile size_t too_much = SIZE_MAX / 2 - 4096;
	struct sf_out out, before;

	(void)state;
	memset(&out, 0xa5, sizeof(out));
	before = out;
	assert_int_equal(sf_out_init(&out, 1, too_much), -ENOMEM);
	assert_memory_equal(&out, &before, sizeof(out));
}

static void closed_pipe(void **state)
{
	struct sf_out out;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(sf_out_init(&out, fds[1], 16), 0);
	sf_out_write(&out, "a\n", 2);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_false(sf_out_is_closed(&out));
	close(fds[0]);
	assert_false(sf_out_is_closed(&out)); /* not known before a write */
	sf_out_write(&out, "b\n", 2);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_true(sf_out_is_closed(&out));
	assert_int_equal(out.err, 0);
	assert_null(sf_out_reserve(&out, 1));
	sf_out_write(&out, "c\n", 2);
	sf_out_printf(&out, "%s", "more than the buffer holds\n");
	assert_int_equal(out.len, 0);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_true(sf_out_is_closed(&out));
	sf_out_free(&out);

	/* found out when room is made */
	assert_int_equal(sf_out_init(&out, fds[1], 4), 0);
	sf_out_write(&out, "abc\n", 4);
	assert_null(sf_out_reserve(&out, 1));
	assert_true(sf_out_is_closed(&out));
	sf_out_free(&out);
	close(fds[1]);
}

static volatile sig_atomic_t nr_ticks;
static int go_fd;

/* A timer that interrupts the writer, and lets the reader begin at the 20th time. */
static void tick(int signal_number)
{
	int saved_errno = errno;
	ssize_t n = 1;

	(void)signal_number;
	nr_ticks++;
	if (nr_ticks == 20)
		n = write(go_fd, "", 1);
	if (n != 1)
		abort();
	errno = saved_errno;
}

static void set_ticking(int interval_us)
{
	struct itimerval timer = { .it_interval.tv_usec = interval_us,
				   .it_value.tv_usec = interval_us };
	struct sigaction action = { .sa_handler = tick }; /* no SA_RESTART */

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

#define LINE_LEN 16
#define NR_LINES 20000

static void make_line(char line[LINE_LEN + 1], int i)
{
	snprintf(line, LINE_LEN + 1, "%015u\n", (unsigned int)i);
}

/* The reader's process: waits for the word, then exits 0 if it reads max_lines as expected. */
static void read_lines(int fd, int wait_fd, int max_lines)
{
	char line[LINE_LEN + 1], got[LINE_LEN];
	int i;

	alarm(60); /* a writer that hangs must not leave it behind */
	if (read(wait_fd, got, 1) != 1)
		_exit(2);
	for (i = 0; i < max_lines; i++) {
		size_t have = 0;

		make_line(line, i);
		while (have < LINE_LEN) {
			ssize_t n = read(fd, got + have, LINE_LEN - have);

			if (n <= 0)
				_exit(3);
			have += (size_t)n;
		}
		if (memcmp(line, got, LINE_LEN) != 0)
			_exit(4);
	}
	if (max_lines == NR_LINES && read(fd, got, 1) != 0)
		_exit(5);
	_exit(0);
}

/*
 * Writes NR_LINES, more than a pipe holds, while nobody reads before the writer
 * has been interrupted 20 times; the reader leaves after max_lines.
 */
static void write_through_pipe(int writer_flags, size_t buf_size, int max_lines, struct sf_out *ret)
{
	int fds[2], go[2], status, i;
	char line[LINE_LEN + 1];
	struct sf_out out;
	pid_t reader;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, writer_flags), 0);
	assert_int_equal(pipe(go), 0);
	reader = fork();
	assert_true(reader >= 0);
	if (reader == 0) {
		close(fds[1]);
		close(go[1]);
		read_lines(fds[0], go[0], max_lines);
	}
	close(fds[0]);
	close(go[0]);

	nr_ticks = 0;
	go_fd = go[1];
	assert_int_equal(sf_out_init(&out, fds[1], buf_size), 0);
	set_ticking(1000);
	for (i = 0; i < NR_LINES; i++) {
		make_line(line, i);
		sf_out_write(&out, line, strlen(line));
	}
	assert_int_equal(sf_out_flush(&out), 0);
	set_ticking(0);
	assert_true(nr_ticks >= 20);
	sf_out_free(&out);
	close(fds[1]);
	close(go[1]);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	*ret = out;
}

static void interrupted_and_slow(void **state)
{
	struct sf_out out;

	(void)state;
	write_through_pipe(0, 65536, NR_LINES, &out);
	assert_int_equal(out.err, 0);
	assert_false(sf_out_is_closed(&out));
}

static void partial_writes_to_a_nonblocking_pipe(void **state)
{
	struct sf_out out;

	(void)state;
	write_through_pipe(O_NONBLOCK, 65536, NR_LINES, &out);
	assert_int_equal(out.err, 0);
	assert_false(sf_out_is_closed(&out));
	write_through_pipe(O_NONBLOCK, 100, NR_LINES, &out);
	assert_int_equal(out.err, 0);
	assert_false(sf_out_is_closed(&out));
}

static void reader_leaves_in_the_middle(void **state)
{
	struct sf_out out;

	(void)state;
	write_through_pipe(0, 65536, 100, &out);
	assert_int_equal(out.err, 0);
	assert_true(sf_out_is_closed(&out));
	/* while the writer waits in poll(2) */
	write_through_pipe(O_NONBLOCK, 65536, 100, &out);
	assert_int_equal(out.err, 0);
	assert_true(sf_out_is_closed(&out));
}

/* Waits three times for a pipe that nobody reads. */
static bool three_times(void *ctx)
{
	int *nr_asked = ctx;

	return ++*nr_asked < 4;
}

static void stalled_pipe(int flags)
{
	struct sf_out out;
	int fds[2], nr_asked = 0;
	char line[LINE_LEN + 1];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
	assert_int_equal(fcntl(fds[1], F_SETFL, flags), 0);
	assert_int_equal(sf_out_init(&out, fds[1], 65536), 0);
	out.may_wait = three_times;
	out.wait_ctx = &nr_asked;
	for (int i = 0; i < 300; i++) { /* 256 of them fit */
		make_line(line, i);
		sf_out_write(&out, line, LINE_LEN);
		sf_out_mark(&out);
	}
	assert_int_equal(nr_asked, 0); /* it is all in the buffer */
	go_fd = fds[1];		       /* not used: fewer than 20 ticks */
	nr_ticks = 0;
	set_ticking(10000);
	assert_int_equal(sf_out_flush(&out), SF_OUT_GAVE_UP);
	set_ticking(0);
	assert_int_equal(nr_asked, 4);
	assert_int_equal(out.written_bytes, 4096);
	assert_int_equal(out.nr_unwritten, 44);
	/* latched; what comes now is counted */
	sf_out_write(&out, line, LINE_LEN);
	sf_out_mark(&out);
	assert_int_equal(sf_out_flush(&out), SF_OUT_GAVE_UP);
	assert_int_equal(out.nr_unwritten, 45);
	assert_false(sf_out_is_closed(&out));
	sf_out_free(&out);
	close(fds[0]);
	close(fds[1]);
}

static void reader_stands_still(void **state)
{
	(void)state;
	stalled_pipe(0);
	stalled_pipe(O_NONBLOCK);
}

static void marks_of_whole_and_cut_items(void **state)
{
	struct sf_out out;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(sf_out_init(&out, fds[1], 8), 0);
	/* more items than are remembered: written, not forgotten */
	for (int i = 0; i < SF_OUT_MARKS + 1; i++)
		sf_out_mark(&out);
	assert_int_equal(out.nr_marks, 1);
	/* an item in several writes, the last still buffered */
	sf_out_write(&out, "01234567", 8);
	sf_out_write(&out, "abc\n", 4);
	sf_out_mark(&out);
	assert_int_equal(out.nr_marks, 1);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_int_equal(out.written_bytes, 12);
	assert_int_equal(out.nr_unwritten, 0);
	/* a reader that went away */
	close(fds[0]);
	sf_out_write(&out, "x\n", 2);
	sf_out_mark(&out);
	assert_int_equal(sf_out_flush(&out), 0);
	assert_int_equal(out.nr_unwritten, 1);
	sf_out_free(&out);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_gathered_and_whole),
		cmocka_unit_test(reserve_and_commit),
		cmocka_unit_test(printf_of_every_length),
		cmocka_unit_test(printf_of_nothing),
		cmocka_unit_test(full_device),
		cmocka_unit_test(bad_descriptor),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(closed_pipe),
		cmocka_unit_test(interrupted_and_slow),
		cmocka_unit_test(partial_writes_to_a_nonblocking_pipe),
		cmocka_unit_test(reader_leaves_in_the_middle),
		cmocka_unit_test(reader_stands_still),
		cmocka_unit_test(marks_of_whole_and_cut_items),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
