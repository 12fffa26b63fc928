// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fills a block, compresses it, writes it with its head in one piece: who reads
 * the file meanwhile mostly sees whole blocks. Owns the buffers and the
 * compressor; knows no file descriptor.
 */
#include "story/recorder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/util.h"
#include "story/recording_format.h"

#define BLOCK_BYTES (256 * 1024)
#define BLOCK_RECORDS ((BLOCK_BYTES - sizeof(struct sf_recording_losses)) / sizeof(struct sf_event))
#define BLOCK_AGE_NS 500000000ULL
/*
 * Records are mostly zeros and repetitions: higher levels took several times the time for a
 * few percent.
 */
#define LEVEL Z_BEST_SPEED

_Static_assert(BLOCK_BYTES <= SF_REC_PLAIN_MAX, "blocks can be read");

struct plain {
	struct sf_recording_losses losses;
	struct sf_event records[BLOCK_RECORDS];
};

struct packed {
	struct sf_rec_block block;
	uint8_t bytes[BLOCK_BYTES + BLOCK_BYTES / 64];
};

struct sf_recorder {
	sf_recorder_write_fn write;
	void *ctx;
	z_stream deflate;
	bool has_deflate;
	int err; /* of the first write that failed */
	unsigned int nr_records;
	uint64_t first_seq;
	uint64_t first_ns; /* CLOCK_BOOTTIME when the block's first record came */
	int64_t realtime_offset_ns;
	uint64_t nr_recorded;
	uint64_t nr_whole;
	uint64_t whole_bytes;
	struct plain plain;
	struct packed packed;
};

static int put(struct sf_recorder *recorder, const void *bytes, size_t len)
{
	if (!recorder->err)
		recorder->err = recorder->write(recorder->ctx, bytes, len);
	if (recorder->err)
		return recorder->err;
	recorder->whole_bytes += len;
	recorder->nr_whole = recorder->nr_recorded;
	return 0;
}

static int put_head(struct sf_recorder *recorder, const struct sf_recording_about *about)
{
	struct sf_rec_head head = {
		.byte_order = SF_REC_BYTE_ORDER,
		.format = SF_REC_FORMAT,
		.head_bytes = sizeof(head),
		.record_bytes = sizeof(struct sf_event),
		.losses_bytes = sizeof(struct sf_recording_losses),
		.story_offset = offsetof(struct sf_event, story),
		.task_bytes = sizeof(struct sf_task),
		.nr_steps = SF_STEP_NR,
		.owner_offset = offsetof(struct sf_story, owner),
		.about = *about,
	};

	memcpy(head.magic, SF_REC_MAGIC, SF_REC_MAGIC_BYTES);
	head.head_crc = crc32_z(0, (const uint8_t *)&head, sizeof(head));
	return put(recorder, &head, sizeof(head));
}

int sf_recorder_new(struct sf_recorder **ret, const struct sf_recording_about *about,
		    sf_recorder_write_fn write, void *ctx)
{
	_cleanup_(sf_recorder_freep) struct sf_recorder *recorder = NULL;
	int r;

	recorder = calloc(1, sizeof(*recorder));
	if (!recorder)
		return -ENOMEM;
	recorder->write = write;
	recorder->ctx = ctx;
	recorder->realtime_offset_ns = about->realtime_offset_ns;
	if (deflateInit(&recorder->deflate, LEVEL) != Z_OK)
		return -ENOMEM;
	recorder->has_deflate = true;
	r = put_head(recorder, about);
	if (r)
		return r;
	*ret = TAKE_PTR(recorder);
	return 0;
}

void sf_recorder_free(struct sf_recorder *recorder)
{
	if (!recorder)
		return;
	if (recorder->has_deflate)
		deflateEnd(&recorder->deflate);
	free(recorder);
}

void sf_recorder_freep(struct sf_recorder **recorder)
{
	sf_recorder_free(*recorder);
}

/* Compresses the losses and the records. The room is larger than deflateBound(): it cannot fail. */
static int pack(struct sf_recorder *recorder, uint32_t *ret_bytes)
{
	z_stream *z = &recorder->deflate;

	z->next_in = (uint8_t *)&recorder->plain;
	z->avail_in = (uInt)(offsetof(struct plain, records) +
			     recorder->nr_records * sizeof(struct sf_event));
	z->next_out = recorder->packed.bytes;
	z->avail_out = sizeof(recorder->packed.bytes);
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return -EIO;
	*ret_bytes = (uint32_t)z->total_out;
	return deflateReset(z) == Z_OK ? 0 : -EIO;
}

static int put_block(struct sf_recorder *recorder, enum sf_rec_kind kind, uint64_t now_ns)
{
	struct sf_rec_block *block = &recorder->packed.block;

	if (recorder->err)
		return recorder->err;
	recorder->plain.losses.nr_recorded = recorder->nr_recorded;
	*block = (struct sf_rec_block){
		.mark = SF_REC_BLOCK_MARK,
		.kind = kind,
		.nr_records = recorder->nr_records,
		.first_seq = recorder->first_seq,
		.time_ns = now_ns,
		.realtime_offset_ns = recorder->realtime_offset_ns,
	};
	recorder->err = pack(recorder, &block->packed_bytes);
	block->packed_crc = crc32_z(0, recorder->packed.bytes, block->packed_bytes);
	block->block_crc = crc32_z(0, (const uint8_t *)block, sizeof(*block));
	recorder->nr_records = 0;
	return put(recorder, &recorder->packed, sizeof(*block) + block->packed_bytes);
}

static int flush(struct sf_recorder *recorder, uint64_t now_ns)
{
	return recorder->nr_records ? put_block(recorder, SF_REC_RECORDS, now_ns) : recorder->err;
}

int sf_recorder_add(struct sf_recorder *recorder, const struct sf_event *event, uint64_t seq,
		    uint64_t now_ns)
{
	/* A number was left out since: only a block's first record has its number told. */
	if (recorder->nr_records && seq != recorder->first_seq + recorder->nr_records)
		flush(recorder, now_ns);
	if (recorder->err)
		return recorder->err;
	if (!recorder->nr_records) {
		recorder->first_seq = seq;
		recorder->first_ns = now_ns;
	}
	recorder->plain.records[recorder->nr_records++] = *event;
	recorder->nr_recorded++;
	return recorder->nr_records < BLOCK_RECORDS ? 0 : flush(recorder, now_ns);
}

int sf_recorder_tick(struct sf_recorder *recorder, uint64_t now_ns)
{
	if (now_ns < recorder->first_ns + BLOCK_AGE_NS)
		return recorder->err;
	return flush(recorder, now_ns);
}

int sf_recorder_losses(struct sf_recorder *recorder, const struct sf_recording_losses *losses,
		       uint64_t now_ns)
{
	recorder->plain.losses = *losses;
	return put_block(recorder, SF_REC_RECORDS, now_ns);
}

int sf_recorder_clock(struct sf_recorder *recorder, int64_t realtime_offset_ns)
{
	if (recorder->realtime_offset_ns != realtime_offset_ns)
		flush(recorder, recorder->first_ns);
	recorder->realtime_offset_ns = realtime_offset_ns;
	return recorder->err;
}

int sf_recorder_end(struct sf_recorder *recorder, const struct sf_recording_losses *losses,
		    uint64_t now_ns)
{
	flush(recorder, now_ns);
	recorder->plain.losses = *losses;
	return put_block(recorder, SF_REC_END, now_ns);
}

uint64_t sf_recorder_nr_recorded(const struct sf_recorder *recorder)
{
	return recorder->nr_recorded;
}

uint64_t sf_recorder_whole_bytes(const struct sf_recorder *recorder)
{
	return recorder->whole_bytes;
}

uint64_t sf_recorder_nr_whole(const struct sf_recorder *recorder)
{
	return recorder->nr_whole;
}
