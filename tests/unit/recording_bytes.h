/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recording in memory, to be written and read by tests. Include it after cmocka.h. */
#ifndef TEST_RECORDING_BYTES_H
#define TEST_RECORDING_BYTES_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/util.h"
#include "bpf/story.h"
#include "story/recorder.h"
#include "story/recording.h"

#define BYTES_MAX (4U << 20)

struct bytes {
	uint8_t *data;
	size_t len;
	size_t limit;	/* write fails beyond it with -ENOSPC */
	size_t at;	/* read so far */
	size_t portion; /* the most that one read gives */
	unsigned int nr_writes;
};

static inline struct bytes bytes_new(void)
{
	struct bytes bytes = { .limit = BYTES_MAX, .portion = BYTES_MAX };

	bytes.data = malloc(BYTES_MAX);
	assert_non_null(bytes.data);
	return bytes;
}

static inline int bytes_write(void *ctx, const void *data, size_t len)
{
	struct bytes *bytes = ctx;

	bytes->nr_writes++;
	if (len > bytes->limit - bytes->len)
		return -ENOSPC;
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	return 0;
}

static inline ssize_t bytes_read(void *ctx, void *buf, size_t size)
{
	struct bytes *bytes = ctx;
	size_t n = sf_min_size(sf_min_size(size, bytes->portion), bytes->len - bytes->at);

	memcpy(buf, bytes->data + bytes->at, n);
	bytes->at += n;
	return (ssize_t)n;
}

static inline struct sf_recording_about some_about(void)
{
	return (struct sf_recording_about){
		.start_ns = 5000000000000ULL,
		.realtime_offset_ns = 1795348800123456789LL - 5000000000000LL,
		.kinds = ~(1ULL << SF_EV_NONE),
		.synfin_version = "0.1.0",
		.kernel_release = "6.18.0",
		.host_name = "web1",
		.machine_id = "e1bc71d8902e13e6a744770d48f213e9",
		.boot_id = "2a832b32-9fbe-455c-bf92-40813443e13c",
		.tier = "tracepoints",
		.hooks_missing = "connect handshake ",
	};
}

#endif
