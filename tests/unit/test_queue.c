// SPDX-License-Identifier: GPL-2.0-or-later
/* The queue of a sink: order, what a full one drops, waking; against a simple model at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sink/queue.h"

static struct sf_queue *queue_of(size_t size)
{
	struct sf_queue *queue;

	assert_int_equal(sf_queue_new(size, &queue), 0);
	return queue;
}

static void add(struct sf_queue *queue, const char *line)
{
	sf_queue_add(queue, line, strlen(line));
}

/* What is there now, at most size bytes. */
static const char *take(struct sf_queue *queue, size_t size)
{
	static char text[4096];
	size_t len = sf_queue_take(queue, text, size, 0, 0);

	assert_true(len <= size);
	text[len] = '\0';
	return text;
}

static void test_order(void **state)
{
	struct sf_queue *queue = queue_of(100);

	(void)state;
	assert_string_equal(take(queue, 100), "");
	add(queue, "one\n");
	add(queue, "two\n");
	add(queue, "three\n");
	assert_int_equal(sf_queue_bytes(queue), 14);
	assert_string_equal(take(queue, 9), "one\ntwo\n"); /* whole lines only */
	assert_string_equal(take(queue, 100), "three\n");
	assert_int_equal(sf_queue_bytes(queue), 0);
	assert_int_equal(sf_queue_nr_dropped(queue), 0);
	sf_queue_free(queue);
	sf_queue_free(NULL);
}

static void test_full(void **state)
{
	struct sf_queue *queue = queue_of(12);

	(void)state;
	add(queue, "aaa\n");
	add(queue, "bbb\n");
	add(queue, "ccc\n"); /* full to the last byte */
	assert_int_equal(sf_queue_nr_dropped(queue), 0);
	add(queue, "ddddd\n"); /* the two oldest go */
	assert_int_equal(sf_queue_nr_dropped(queue), 2);
	add(queue, "this one has more than there is room\n");
	assert_int_equal(sf_queue_nr_dropped(queue), 3);
	assert_string_equal(take(queue, 100), "ccc\nddddd\n");
	add(queue, "eeeeeeeee\n");
	assert_string_equal(take(queue, 5), ""); /* larger than what takes it */
	assert_int_equal(sf_queue_nr_dropped(queue), 4);
	sf_queue_free(queue);
}

/* Lines of all lengths through a ring of an odd size: what comes out is what the model has. */
static void test_model(void **state)
{
	enum { SIZE = 257, LINES = 20000 };
	struct sf_queue *queue = queue_of(SIZE);
	uint64_t seed = 1, nr_taken = 0, first = 0, nr_dropped = 0;
	static uint16_t lens[LINES];
	size_t held = 0;

	(void)state;
	for (uint64_t next = 0; next < LINES; next++) {
		char line[64];
		size_t len;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		len = 8 + (seed >> 33) % 40;
		snprintf(line, sizeof(line), "%06d", (int)next);
		memset(line + 6, 'x', len - 7);
		line[len - 1] = '\n';
		lens[next] = (uint16_t)len;
		while (held + len > SIZE) {
			held -= lens[first++];
			nr_dropped++;
		}
		held += len;
		sf_queue_add(queue, line, len);
		if ((seed >> 40) % 3 == 0) {
			char want[16];
			const char *text = take(queue, 48 + (seed >> 50) % 100);

			for (; *text; text = strchr(text, '\n') + 1) {
				snprintf(want, sizeof(want), "%06d", (int)first);
				assert_memory_equal(text, want, 6);
				assert_int_equal(strchr(text, '\n') + 1 - text, lens[first]);
				held -= lens[first++];
				nr_taken++;
			}
		}
		assert_int_equal(sf_queue_bytes(queue), held);
	}
	assert_int_equal(sf_queue_nr_dropped(queue), nr_dropped);
	assert_true(nr_taken > 1000 && nr_dropped > 1000);
	sf_queue_free(queue);
}

/* Of this process: anonymous memory that it has touched. */
static size_t touched_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	size_t kib = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "RssAnon:", 8))
			kib = strtoul(line + 8, NULL, 10);
	fclose(file);
	assert_true(kib > 0);
	return kib;
}

/* Many times its size goes through one that is emptied each time: it takes no more memory. */
static void test_memory(void **state)
{
	enum { SIZE = 64 << 20, LINE = 4000 };
	struct sf_queue *queue = queue_of(SIZE);
	static char line[LINE];
	size_t before_kib;

	(void)state;
	memset(line, 'x', LINE - 1);
	line[LINE - 1] = '\n';
	before_kib = touched_kib();
	for (int i = 0; i < 2 * SIZE / LINE; i++) {
		sf_queue_add(queue, line, LINE);
		assert_int_equal(strlen(take(queue, LINE)), LINE);
	}
	assert_in_range(touched_kib(), 0, before_kib + 1024);
	sf_queue_free(queue);
}

static void *add_later(void *queue)
{
	const struct timespec ts = { .tv_nsec = 50 * 1000 * 1000 };

	nanosleep(&ts, NULL);
	add(queue, "late\n");
	return NULL;
}

static void *wake_later(void *queue)
{
	const struct timespec ts = { .tv_nsec = 50 * 1000 * 1000 };

	nanosleep(&ts, NULL);
	sf_queue_wake(queue);
	return NULL;
}

static void test_waiting(void **state)
{
	struct sf_queue *queue = queue_of(1000);
	uint64_t begin_ns = sf_monotonic_ns();
	pthread_t thread;
	char text[100];

	(void)state;
	assert_int_equal(sf_queue_take(queue, text, sizeof(text), begin_ns + 20000000, 0), 0);
	assert_true(sf_monotonic_ns() - begin_ns >= 20000000);
	assert_int_equal(pthread_create(&thread, NULL, add_later, queue), 0);
	assert_int_equal(sf_queue_take(queue, text, sizeof(text),
				       sf_monotonic_ns() + 20 * SF_NS_PER_S, 1000000),
			 5);
	pthread_join(thread, NULL);
	assert_int_equal(pthread_create(&thread, NULL, wake_later, queue), 0);
	begin_ns = sf_monotonic_ns();
	assert_int_equal(sf_queue_take(queue, text, sizeof(text), begin_ns + 20 * SF_NS_PER_S, 0),
			 0);
	assert_true(sf_monotonic_ns() - begin_ns < 10 * SF_NS_PER_S);
	pthread_join(thread, NULL);
	/* One that came before counts, too. */
	sf_queue_wake(queue);
	assert_int_equal(sf_queue_take(queue, text, sizeof(text),
				       sf_monotonic_ns() + 20 * SF_NS_PER_S, 0),
			 0);
	sf_queue_free(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	cmocka_unit_test(test_full),
		cmocka_unit_test(test_model),	cmocka_unit_test(test_memory),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
