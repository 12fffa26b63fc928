// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recordings that were cut, damaged or forged: what is whole before the damage is
 * read as it was written, the damage is told with its place, and nothing else
 * happens. ASan and UBSan watch; tests/fuzz goes on from here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "recording_bytes.h"
#include "story/recording_format.h"
#include "view_stories.h"

#define NR_BLOCKS 3 /* with two records each, then the end */

/* Ends of the head and of each block. */
struct ends {
	size_t at[NR_BLOCKS + 2];
};

static struct bytes small_recording(struct ends *ret)
{
	const struct sf_recording_about about = some_about();
	const struct sf_event event = client_closed();
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder;
	uint64_t seq = 1;

	assert_int_equal(sf_recorder_new(&recorder, &about, bytes_write, &bytes), 0);
	ret->at[0] = bytes.len;
	for (int i = 1; i <= NR_BLOCKS; i++) {
		sf_recorder_add(recorder, &event, seq++, T0);
		sf_recorder_add(recorder, &event, seq++, T0);
		sf_recorder_tick(recorder, T0 + 600 * MS);
		ret->at[i] = bytes.len;
	}
	sf_recorder_end(recorder, &(struct sf_recording_losses){ 0 }, T0);
	ret->at[NR_BLOCKS + 1] = bytes.len;
	sf_recorder_free(recorder);
	return bytes;
}

/* Reads all there is. What it came to; the records are the ones that were written. */
static int read_all(struct bytes *bytes, unsigned int *ret_records, char *err, size_t err_size)
{
	const struct sf_event want = client_closed();
	struct sf_recording *recording = NULL;
	struct sf_recording_block block;
	const struct sf_event *event;
	int r;

	bytes->at = 0;
	*ret_records = 0;
	err[0] = '\0';
	r = sf_recording_new(&recording, bytes_read, bytes, err, err_size);
	while (!r && (r = sf_recording_next(recording, &block, err, err_size)) == 1) {
		for (unsigned int i = 0; i < block.nr_records; i++) {
			assert_int_equal(sf_recording_record(recording, i, &event), 0);
			assert_memory_equal(event, &want, sizeof(want));
		}
		*ret_records += block.nr_records;
		r = 0;
	}
	if (r)
		assert_in_range(strlen(err), 1, err_size - 1);
	else
		assert_string_equal(err, "");
	assert_null(strchr(err, '\n'));
	sf_recording_free(recording);
	return r;
}

static unsigned int whole_blocks(const struct ends *ends, size_t len)
{
	unsigned int nr = 0;

	while (nr < NR_BLOCKS + 1 && ends->at[nr + 1] <= len)
		nr++;
	return nr;
}

static void test_cut_anywhere(void **state)
{
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	size_t whole = bytes.len;
	char err[256], place[32];
	unsigned int nr;

	(void)state;
	assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), 0);
	assert_int_equal(nr, 2 * NR_BLOCKS);
	for (bytes.len = 0; bytes.len < whole; bytes.len++) {
		unsigned int nr_whole = whole_blocks(&ends, bytes.len);
		int want = bytes.len < ends.at[0] ? -EBADMSG : -ENODATA;

		assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), want);
		assert_int_equal(nr, 2 * nr_whole);
		snprintf(place, sizeof(place), "byte %zu", ends.at[nr_whole]);
		if (want == -ENODATA)
			assert_non_null(strstr(err, place));
	}
	free(bytes.data);
}

/* One wrong byte, anywhere: all blocks before it are read, it is never taken for right. */
static void test_wrong_byte_anywhere(void **state)
{
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	char err[256], place[32];
	unsigned int nr;

	(void)state;
	for (size_t i = 0; i < bytes.len; i++) {
		int want = -EBADMSG;

		bytes.data[i] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), want);
		if (i >= ends.at[0]) {
			assert_int_equal(nr, 2 * whole_blocks(&ends, i));
			snprintf(place, sizeof(place), "byte %zu", ends.at[whole_blocks(&ends, i)]);
			assert_non_null(strstr(err, place));
		} else {
			assert_int_equal(nr, 0);
		}
		bytes.data[i] ^= (uint8_t)(1U << i % 8);
	}
	free(bytes.data);
}

static void test_blocks_in_another_order(void **state)
{
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	const size_t len = ends.at[2] - ends.at[1], behind = bytes.len - ends.at[2];
	uint8_t *block = bytes.data + ends.at[1];
	unsigned int nr;
	char err[256];

	(void)state;
	/* twice */
	memmove(block + 2 * len, block + len, behind);
	memcpy(block + len, block, len);
	bytes.len += len;
	assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG);
	assert_int_equal(nr, 4);
	/* never */
	memmove(block, block + 2 * len, behind);
	bytes.len -= 2 * len;
	assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG);
	assert_int_equal(nr, 2);
	/* two recordings in one file */
	free(bytes.data);
	bytes = small_recording(&ends);
	memcpy(bytes.data + bytes.len, bytes.data, bytes.len);
	bytes.len *= 2;
	assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG);
	assert_int_equal(nr, 2 * NR_BLOCKS);
	assert_non_null(strstr(err, "behind its end"));
	free(bytes.data);
}

static void sign_head(struct bytes *bytes)
{
	struct sf_rec_head *head = (struct sf_rec_head *)bytes->data;

	head->head_crc = 0;
	head->head_crc = (uint32_t)crc32(0, bytes->data, sizeof(*head));
}

/* Heads whose checksum is right and whose content is not. */
static void test_forged_heads(void **state)
{
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	struct sf_rec_head *head = (struct sf_rec_head *)bytes.data, good = *head;
	unsigned int nr;
	char err[256];

#define FORGE(change, says)                                                          \
	do {                                                                         \
		change;                                                              \
		sign_head(&bytes);                                                   \
		assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG); \
		if (!strstr(err, says))                                              \
			fail_msg("%s", err);                                         \
		*head = good;                                                        \
	} while (0)

	(void)state;
	FORGE(head->byte_order = 0x04030201, "other byte order");
	FORGE(head->byte_order = 1, "damaged");
	FORGE(head->format = 2, "format 2");
	FORGE(head->format = 0, "another");
	FORGE(head->head_bytes = 16, "damaged");
	FORGE(head->head_bytes = 0xfffffff8, "damaged");
	FORGE(head->record_bytes = 0, "damaged");
	FORGE(head->record_bytes = sizeof(struct sf_event) + 4, "damaged");
	FORGE(head->record_bytes = 0x10000000, "damaged");
	FORGE(head->losses_bytes = 0, "damaged");
	FORGE(head->losses_bytes = 0xfffffff8, "damaged");
	FORGE(head->nr_steps++, "laid out otherwise");
	FORGE(head->task_bytes += 8, "laid out otherwise");
	FORGE(head->story_offset += 8, "laid out otherwise");
	FORGE(memset(head->about.host_name, 'x', sizeof(head->about.host_name)), "damaged");
	FORGE(memset(head->about.hooks_missing, 'x', sizeof(head->about.hooks_missing)), "damaged");
#undef FORGE
	free(bytes.data);
}

/* The first block, its checksums made right again. */
static void sign_block(struct bytes *bytes, const struct ends *ends)
{
	struct sf_rec_block *block = (struct sf_rec_block *)(bytes->data + ends->at[0]);

	block->packed_crc = (uint32_t)crc32(0, (uint8_t *)(block + 1),
					    (uInt)(ends->at[1] - ends->at[0] - sizeof(*block)));
	block->block_crc = 0;
	block->block_crc = (uint32_t)crc32(0, (uint8_t *)block, sizeof(*block));
}

static void test_forged_blocks(void **state)
{
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	struct sf_rec_block *block = (struct sf_rec_block *)(bytes.data + ends.at[0]);
	struct sf_rec_block good = *block;
	unsigned int nr;
	char err[256];

#define FORGE(change)                                                                \
	do {                                                                         \
		change;                                                              \
		sign_block(&bytes, &ends);                                           \
		assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG); \
		assert_int_equal(nr, 0);                                             \
		assert_non_null(strstr(err, "damaged in the block at byte"));        \
		*block = good;                                                       \
	} while (0)

	(void)state;
	FORGE(block->kind = 0);
	FORGE(block->kind = SF_REC_END);
	FORGE(block->kind = 3);
	FORGE(block->nr_records = 1);
	FORGE(block->nr_records = 3);
	FORGE(block->nr_records = 0xffffffff);
	FORGE(block->packed_bytes = 0xffffffff);
	FORGE(block->first_seq = 0);
	FORGE(block->first_seq = 1ULL << 53);
#undef FORGE
	/* Unlike what it tells, it is compressed data cut short. */
	block->packed_bytes -= 1;
	block->packed_crc = (uint32_t)crc32(0, (uint8_t *)(block + 1), block->packed_bytes);
	block->block_crc = 0;
	block->block_crc = (uint32_t)crc32(0, (uint8_t *)block, sizeof(*block));
	assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG);
	assert_non_null(strstr(err, "unpacked"));
	free(bytes.data);
}

/* A few kilobytes that unpack to 64 MiB. */
static void test_bomb(void **state)
{
	const size_t bomb_bytes = 64U << 20;
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	struct sf_rec_block *block = (struct sf_rec_block *)(bytes.data + ends.at[0]);
	uLongf packed_bytes = BYTES_MAX / 2;
	uint8_t *zeros = calloc(1, bomb_bytes);
	unsigned int nr;
	char err[256];

	(void)state;
	assert_non_null(zeros);
	assert_int_equal(compress((uint8_t *)(block + 1), &packed_bytes, zeros, bomb_bytes), Z_OK);
	free(zeros);
	block->packed_bytes = (uint32_t)packed_bytes;
	bytes.len = ends.at[0] + sizeof(*block) + packed_bytes;
	ends.at[1] = bytes.len;
	sign_block(&bytes, &ends);
	assert_int_equal(read_all(&bytes, &nr, err, sizeof(err)), -EBADMSG);
	assert_non_null(strstr(err, "unpacked"));
	assert_int_equal(nr, 0);
	free(bytes.data);
}

static ssize_t read_fails(void *ctx, void *buf, size_t size)
{
	struct bytes *bytes = ctx;

	return bytes->at >= 900 ? -EIO : bytes_read(ctx, buf, sf_min_size(size, 900 - bytes->at));
}

static void test_read_error(void **state)
{
	struct sf_recording *recording = NULL;
	struct sf_recording_block block;
	struct ends ends;
	struct bytes bytes = small_recording(&ends);
	char err[256] = "";

	(void)state;
	assert_int_equal(sf_recording_new(&recording, read_fails, &bytes, err, sizeof(err)), 0);
	assert_int_equal(sf_recording_next(recording, &block, err, sizeof(err)), -EIO);
	assert_non_null(strstr(err, "Input/output error"));
	sf_recording_free(recording);
	free(bytes.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_wrong_byte_anywhere),
		cmocka_unit_test(test_blocks_in_another_order),
		cmocka_unit_test(test_forged_heads),
		cmocka_unit_test(test_forged_blocks),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_read_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
