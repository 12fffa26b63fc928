/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a recording, for recorder.c and recording.c alone.
 *
 *     head                      struct sf_rec_head, of head_bytes
 *     block ...                 struct sf_rec_block, then packed_bytes of zlib data (RFC 1950):
 *                               losses_bytes of struct sf_recording_losses, then nr_records
 *                               records of record_bytes, each a struct sf_event (bpf/story.h)
 *     block of kind END         no records
 *
 * Numbers are in the byte order of the host that wrote them, which byte_order
 * tells. What may grow: the head, the losses and the record, each at its end only; their
 * sizes are in the head. Numbers of enums never change their meaning. Whatever
 * else changes is another format.
 */
#ifndef SF_STORY_RECORDING_FORMAT_H
#define SF_STORY_RECORDING_FORMAT_H

#include <stdint.h>

#include "bpf/story.h"
#include "story/recording.h"

/* No text begins so, and neither does what a transfer as text would make of it. */
#define SF_REC_MAGIC "\211synf\r\n\032"
#define SF_REC_MAGIC_BYTES 8
#define SF_REC_BYTE_ORDER 0x01020304U
#define SF_REC_FORMAT 1
#define SF_REC_HEAD_MAX 65536
#define SF_REC_LOSSES_MIN (offsetof(struct sf_recording_losses, nr_recorded) + 8)
#define SF_REC_LOSSES_MAX 65536
#define SF_REC_RECORD_MAX 65536
#define SF_REC_PLAIN_MAX (1U << 20)				     /* of a block */
#define SF_REC_PACKED_MAX (SF_REC_PLAIN_MAX + SF_REC_PLAIN_MAX / 64) /* zlib adds 0.03 % at most */
#define SF_REC_SEQ_MAX (1ULL << 53)				     /* JSON's integers */
#define SF_REC_BLOCK_MARK 0x6b6c4273U

enum sf_rec_kind {
	SF_REC_RECORDS = 1,
	SF_REC_END = 2,
};

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

struct sf_rec_head {
	uint8_t magic[SF_REC_MAGIC_BYTES];
	uint32_t byte_order;
	uint32_t format;
	uint32_t head_bytes;
	uint32_t head_crc; /* CRC-32 of head_bytes, this field taken as 0 */
	uint32_t record_bytes;
	uint32_t losses_bytes;
	/* Of parts in the middle of the record, which therefore cannot change. */
	uint16_t story_offset;
	uint16_t task_bytes;
	uint16_t nr_steps;
	uint16_t owner_offset;
	struct sf_recording_about about;
};

struct sf_rec_block {
	uint32_t mark;
	uint32_t kind; /* enum sf_rec_kind */
	uint32_t packed_bytes;
	uint32_t packed_crc; /* CRC-32 of the packed bytes */
	uint32_t nr_records;
	uint32_t pad;
	uint64_t first_seq;
	uint64_t time_ns;
	int64_t realtime_offset_ns;
	uint32_t pad2;
	uint32_t block_crc; /* CRC-32 of this struct, this field taken as 0 */
};

#pragma GCC diagnostic pop

_Static_assert(SF_EV_NR <= SF_RECORDING_KINDS, "a counter for each kind");
_Static_assert(sizeof(struct sf_event) <= SF_REC_RECORD_MAX, "a record of ours can be read");

#endif
