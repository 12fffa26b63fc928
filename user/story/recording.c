// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each step proves what the next one relies on: the head's checksum before its
 * sizes, a block's checksum before its lengths, the packed bytes' checksum before
 * they are unpacked, and that into a buffer of exactly the size that is right.
 */
#include "story/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/util.h"
#include "story/reader.h"
#include "story/recording_format.h"

struct sf_recording {
	sf_recording_read_fn read;
	void *ctx;
	uint64_t at; /* bytes read so far */
	uint64_t block_at;
	uint32_t record_bytes;
	uint32_t losses_bytes;
	z_stream inflate;
	bool has_inflate;
	bool has_ended;
	unsigned int nr_records; /* of the present block */
	uint64_t nr_recorded;	 /* up to and with the present block */
	uint64_t next_seq;	 /* at least that of the next record */
	struct sf_recording_about about;
	struct sf_event event; /* the record that was asked for last */
	uint8_t plain[SF_REC_PLAIN_MAX] __attribute__((aligned(8)));
	uint8_t packed[SF_REC_PACKED_MAX];
};

__attribute__((format(printf, 4, 5))) static int fail(int r, char *err, size_t err_size,
						      const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err, err_size, fmt, args);
	va_end(args);
	return r;
}

/* Less than len only at the end of what there is. Number of bytes or negative errno. */
static ssize_t get(struct sf_recording *rec, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = rec->read(rec->ctx, (uint8_t *)buf + done, len - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += sf_min_size((size_t)n, len - done);
	}
	rec->at += done;
	return (ssize_t)done;
}

static int read_failed(ssize_t r, char *err, size_t err_size)
{
	return fail((int)r, err, err_size, "cannot be read: %s", strerror((int)-r));
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static bool has_texts(const struct sf_recording_about *a)
{
	return is_text(a->synfin_version, sizeof(a->synfin_version)) &&
	       is_text(a->kernel_release, sizeof(a->kernel_release)) &&
	       is_text(a->host_name, sizeof(a->host_name)) &&
	       is_text(a->machine_id, sizeof(a->machine_id)) &&
	       is_text(a->boot_id, sizeof(a->boot_id)) && is_text(a->tier, sizeof(a->tier)) &&
	       is_text(a->hooks_missing, sizeof(a->hooks_missing));
}

/* What can be said before the checksum: is it one of ours at all, and one we can read? */
static int check_start(const struct sf_rec_head *head, size_t len, char *err, size_t err_size)
{
	size_t min = offsetof(struct sf_rec_head, head_crc) + sizeof(head->head_crc);

	if (len == 0)
		return fail(-EBADMSG, err, err_size, "is empty, not a recording of synfin");
	if (memcmp(head->magic, SF_REC_MAGIC, sf_min_size(len, SF_REC_MAGIC_BYTES)))
		return fail(-EBADMSG, err, err_size, "is not a recording of synfin");
	if (len < min)
		return fail(-EBADMSG, err, err_size,
			    "was cut off in its head, at byte %zu: there is nothing to read", len);
	if (head->byte_order == __builtin_bswap32(SF_REC_BYTE_ORDER))
		return fail(-EBADMSG, err, err_size,
			    "was made on a host of the other byte order: read it on one like that");
	if (head->byte_order != SF_REC_BYTE_ORDER)
		return fail(-EBADMSG, err, err_size, "is damaged in its head, at byte %zu",
			    offsetof(struct sf_rec_head, byte_order));
	if (head->format != SF_REC_FORMAT)
		return fail(-EBADMSG, err, err_size,
			    "has format %" PRIu32 ", this synfin reads format %d: it takes %s one",
			    head->format, SF_REC_FORMAT,
			    head->format > SF_REC_FORMAT ? "a newer" : "another");
	return 0;
}

static bool is_size(uint32_t bytes, size_t min, uint32_t max)
{
	return bytes >= min && bytes <= max && bytes % 8 == 0;
}

static int check_layout(const struct sf_rec_head *head, char *err, size_t err_size)
{
	if (!is_size(head->record_bytes, offsetof(struct sf_event, story), SF_REC_RECORD_MAX) ||
	    !is_size(head->losses_bytes, SF_REC_LOSSES_MIN, SF_REC_LOSSES_MAX) ||
	    !has_texts(&head->about))
		return fail(-EBADMSG, err, err_size, "is damaged in its head");
	if (head->story_offset != offsetof(struct sf_event, story) ||
	    head->task_bytes != sizeof(struct sf_task) || head->nr_steps != SF_STEP_NR ||
	    head->owner_offset != offsetof(struct sf_story, owner))
		return fail(-EBADMSG, err, err_size,
			    "was made by a development version of synfin (%.31s) whose records are "
			    "laid out otherwise",
			    head->about.synfin_version);
	return 0;
}

/*
 * The rest of the head, into rec->packed as far as we do not know it. An older one is shorter: what
 * it lacks is zero.
 */
static int read_head(struct sf_recording *rec, char *err, size_t err_size)
{
	const size_t start = offsetof(struct sf_rec_head, record_bytes);
	struct sf_rec_head head = { 0 };
	uint32_t crc, own_crc;
	ssize_t n;
	int r;

	n = get(rec, rec->packed, start);
	if (n < 0)
		return read_failed(n, err, err_size);
	memcpy(&head, rec->packed, (size_t)n);
	r = check_start(&head, (size_t)n, err, err_size);
	if (r)
		return r;
	if (!is_size(head.head_bytes, offsetof(struct sf_rec_head, about), SF_REC_HEAD_MAX))
		return fail(-EBADMSG, err, err_size, "is damaged in its head, at byte %zu",
			    offsetof(struct sf_rec_head, head_bytes));
	n = get(rec, rec->packed + start, head.head_bytes - start);
	if (n < 0)
		return read_failed(n, err, err_size);
	if ((size_t)n < head.head_bytes - start)
		return fail(-EBADMSG, err, err_size,
			    "was cut off in its head, at byte %" PRIu64
			    ": there is nothing to read",
			    rec->at);
	own_crc = head.head_crc;
	memset(rec->packed + offsetof(struct sf_rec_head, head_crc), 0, sizeof(own_crc));
	crc = (uint32_t)crc32_z(0, rec->packed, head.head_bytes);
	if (crc != own_crc)
		return fail(-EBADMSG, err, err_size,
			    "is damaged in its first %" PRIu32 " bytes: their checksum is wrong",
			    head.head_bytes);
	memcpy(&head, rec->packed, sf_min_size(head.head_bytes, sizeof(head)));
	r = check_layout(&head, err, err_size);
	if (r)
		return r;
	rec->record_bytes = head.record_bytes;
	rec->losses_bytes = head.losses_bytes;
	rec->about = head.about;
	return 0;
}

int sf_recording_new(struct sf_recording **ret, sf_recording_read_fn read, void *ctx, char *err,
		     size_t err_size)
{
	_cleanup_(sf_recording_freep) struct sf_recording *rec = NULL;
	int r;

	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return fail(-ENOMEM, err, err_size, "cannot be read: %s", strerror(ENOMEM));
	rec->read = read;
	rec->ctx = ctx;
	rec->next_seq = 1;
	if (inflateInit(&rec->inflate) != Z_OK)
		return fail(-ENOMEM, err, err_size, "cannot be read: %s", strerror(ENOMEM));
	rec->has_inflate = true;
	r = read_head(rec, err, err_size);
	if (r)
		return r;
	*ret = TAKE_PTR(rec);
	return 0;
}

void sf_recording_free(struct sf_recording *recording)
{
	if (!recording)
		return;
	if (recording->has_inflate)
		inflateEnd(&recording->inflate);
	free(recording);
}

void sf_recording_freep(struct sf_recording **recording)
{
	sf_recording_free(*recording);
}

const struct sf_recording_about *sf_recording_about(const struct sf_recording *recording)
{
	return &recording->about;
}

/* Fills buf or fails: -ENODATA where the bytes end. */
static int get_all(struct sf_recording *rec, void *buf, size_t len, char *err, size_t err_size)
{
	ssize_t n = get(rec, buf, len);

	if (n < 0)
		return read_failed(n, err, err_size);
	if ((size_t)n == len)
		return 0;
	return fail(-ENODATA, err, err_size,
		    rec->at == rec->block_at ?
			    "stops at byte %" PRIu64 " without its end: cut off" :
			    "was cut off: its last whole block ends at byte %" PRIu64,
		    rec->block_at);
}

static int damaged(const struct sf_recording *rec, const char *what, char *err, size_t err_size)
{
	return fail(-EBADMSG, err, err_size, "is damaged in the block at byte %" PRIu64 ": %s",
		    rec->block_at, what);
}

static bool has_valid_sizes(const struct sf_recording *rec, const struct sf_rec_block *block)
{
	uint64_t plain_bytes = rec->losses_bytes + (uint64_t)block->nr_records * rec->record_bytes;

	return plain_bytes <= SF_REC_PLAIN_MAX && block->packed_bytes <= SF_REC_PACKED_MAX &&
	       (block->kind == SF_REC_RECORDS ||
		(block->kind == SF_REC_END && block->nr_records == 0));
}

static bool has_valid_numbers(const struct sf_recording *rec, const struct sf_rec_block *block)
{
	return !block->nr_records ||
	       (block->first_seq >= rec->next_seq && block->first_seq < SF_REC_SEQ_MAX);
}

static int read_block_head(struct sf_recording *rec, struct sf_rec_block *ret, char *err,
			   size_t err_size)
{
	uint32_t crc;
	int r;

	r = get_all(rec, ret, sizeof(*ret), err, err_size);
	if (r)
		return r;
	if (ret->mark != SF_REC_BLOCK_MARK)
		return damaged(rec, "no block begins there", err, err_size);
	crc = ret->block_crc;
	ret->block_crc = 0;
	if (crc32_z(0, (const uint8_t *)ret, sizeof(*ret)) != crc)
		return damaged(rec, "the checksum of its head is wrong", err, err_size);
	if (!has_valid_sizes(rec, ret))
		return damaged(rec, "it tells a size that no block has", err, err_size);
	if (!has_valid_numbers(rec, ret))
		return damaged(rec, "its records are numbered wrongly", err, err_size);
	return 0;
}

/* Exactly plain_bytes must come out, of exactly the packed bytes. */
static bool unpack(struct sf_recording *rec, uint32_t packed_bytes, size_t plain_bytes)
{
	z_stream *z = &rec->inflate;

	if (inflateReset(z) != Z_OK)
		return false;
	z->next_in = rec->packed;
	z->avail_in = packed_bytes;
	z->next_out = rec->plain;
	z->avail_out = (uInt)plain_bytes;
	return inflate(z, Z_FINISH) == Z_STREAM_END && !z->avail_in && !z->avail_out;
}

static int read_block(struct sf_recording *rec, const struct sf_rec_block *block, char *err,
		      size_t err_size)
{
	int r;

	r = get_all(rec, rec->packed, block->packed_bytes, err, err_size);
	if (r)
		return r;
	if (crc32_z(0, rec->packed, block->packed_bytes) != block->packed_crc)
		return damaged(rec, "its checksum is wrong", err, err_size);
	if (!unpack(rec, block->packed_bytes,
		    rec->losses_bytes + (size_t)block->nr_records * rec->record_bytes))
		return damaged(rec, "it cannot be unpacked", err, err_size);
	return 0;
}

static int check_end(struct sf_recording *rec, char *err, size_t err_size)
{
	uint64_t at = rec->at;
	ssize_t n;

	n = get(rec, rec->packed, 1);
	if (n < 0)
		return read_failed(n, err, err_size);
	if (n > 0)
		return fail(-EBADMSG, err, err_size,
			    "goes on behind its end, at byte %" PRIu64 ": that is not read", at);
	return 0;
}

int sf_recording_next(struct sf_recording *recording, struct sf_recording_block *ret, char *err,
		      size_t err_size)
{
	struct sf_recording *rec = recording;
	struct sf_recording_block next = { 0 };
	struct sf_rec_block block;
	int r;

	rec->nr_records = 0;
	if (rec->has_ended)
		return check_end(rec, err, err_size);
	rec->block_at = rec->at;
	r = read_block_head(rec, &block, err, err_size);
	if (!r)
		r = read_block(rec, &block, err, err_size);
	if (r)
		return r;
	memcpy(&next.losses, rec->plain, sf_min_size(rec->losses_bytes, sizeof(next.losses)));
	rec->nr_recorded += block.nr_records;
	if (next.losses.nr_recorded != rec->nr_recorded)
		return damaged(rec, "a block is missing before it, or is there twice", err,
			       err_size);
	next.nr_records = rec->nr_records = block.nr_records;
	next.first_seq = block.first_seq;
	next.time_ns = block.time_ns;
	next.realtime_offset_ns = block.realtime_offset_ns;
	next.is_end = rec->has_ended = block.kind == SF_REC_END;
	if (block.nr_records)
		rec->next_seq = block.first_seq + block.nr_records;
	*ret = next;
	return 1;
}

int sf_recording_record(struct sf_recording *recording, unsigned int i, const struct sf_event **ret)
{
	struct sf_recording *rec = recording;
	const size_t known = sf_min_size(rec->record_bytes, sizeof(rec->event));
	int r;

	if (i >= rec->nr_records)
		return -EBADMSG;
	memset(&rec->event, 0, sizeof(rec->event));
	memcpy(&rec->event, rec->plain + rec->losses_bytes + (size_t)i * rec->record_bytes, known);
	r = sf_event_check(&rec->event, sizeof(rec->event), ret);
	return r || rec->event.kind == SF_EV_NONE ? -EBADMSG : 0;
}
