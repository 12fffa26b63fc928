// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attaches one set of the programs of floor.bpf.c until SIGINT or SIGTERM,
 * and empties their ring every 10 ms, as synfin does.
 *
 *     floor OBJECT empty|submit|record
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define TICK_NS 10000000

static int drop(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

static int attach(struct bpf_object *object, const char *set)
{
	struct bpf_program *prog;
	int r;

	bpf_object__for_each_program(prog, object)
		bpf_program__set_autoload(prog,
					  !strncmp(bpf_program__name(prog), set, strlen(set)));
	r = bpf_object__load(object);
	if (r)
		return r;
	bpf_object__for_each_program(prog, object)
		if (bpf_program__autoload(prog) && !bpf_program__attach(prog))
			return -errno;
	return 0;
}

static void run(struct ring_buffer *ring, const sigset_t *signals)
{
	struct timespec tick = { .tv_nsec = TICK_NS };

	while (sigtimedwait(signals, NULL, &tick) < 0)
		ring_buffer__consume(ring);
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct ring_buffer *ring;
	sigset_t signals;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: floor OBJECT empty|submit|record\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	object = bpf_object__open_file(argv[1], NULL);
	r = object ? attach(object, argv[2]) : -errno;
	if (r) {
		fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), drop, NULL, NULL);
	if (!ring) {
		fprintf(stderr, "floor: ring: %s\n", strerror(errno));
		return 1;
	}
	run(ring, &signals);
	ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}
