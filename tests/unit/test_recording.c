// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is recorded is read again, byte for byte, in its place: records, their
 * numbers, the clock, the losses. Older and newer layouts; a disk that is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "recording_bytes.h"
#include "story/recording_format.h"
#include "view_stories.h"

static struct sf_recorder *record(struct bytes *bytes)
{
	const struct sf_recording_about about = some_about();
	struct sf_recorder *recorder = NULL;

	assert_int_equal(sf_recorder_new(&recorder, &about, bytes_write, bytes), 0);
	return recorder;
}

static struct sf_recording *open_bytes(struct bytes *bytes)
{
	struct sf_recording *recording = NULL;
	char err[256] = "";

	bytes->at = 0;
	if (sf_recording_new(&recording, bytes_read, bytes, err, sizeof(err)))
		fail_msg("%s", err);
	assert_string_equal(err, "");
	return recording;
}

static struct sf_recording_block next(struct sf_recording *recording)
{
	struct sf_recording_block block = { 0 };
	char err[256] = "";

	if (sf_recording_next(recording, &block, err, sizeof(err)) != 1)
		fail_msg("%s", err);
	return block;
}

static void assert_ends(struct sf_recording *recording)
{
	struct sf_recording_block block = next(recording);
	char err[256] = "";

	assert_true(block.is_end);
	assert_int_equal(block.nr_records, 0);
	assert_int_equal(sf_recording_next(recording, &block, err, sizeof(err)), 0);
	assert_string_equal(err, "");
}

static void assert_record(struct sf_recording *recording, unsigned int i,
			  const struct sf_event *want)
{
	const struct sf_event *event = NULL;

	assert_int_equal(sf_recording_record(recording, i, &event), 0);
	assert_memory_equal(event, want, sizeof(*want));
}

static void test_about(void **state)
{
	struct sf_recording_about about = some_about();
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);
	struct sf_recording *recording;

	(void)state;
	assert_int_equal(sf_recorder_whole_bytes(recorder), bytes.len);
	assert_int_equal(sf_recorder_end(recorder, &(struct sf_recording_losses){ 0 }, 1), 0);
	recording = open_bytes(&bytes);
	assert_memory_equal(sf_recording_about(recording), &about, sizeof(about));
	assert_ends(recording);
	sf_recording_free(recording);
	sf_recorder_free(recorder);
	free(bytes.data);
}

/* Also through a pipe that gives a few bytes at a time. */
static void test_round_trip(void **state)
{
	struct sf_recording_losses losses = { .sent = { 0, 1, 2 }, .lost_map = 7 };
	struct sf_event want[2000];
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);
	__u64 seed = 88172645463325252ULL;
	struct sf_recording_block block;
	struct sf_recording *recording;
	unsigned int nr = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		want[i] = random_event(&seed);
		want[i].story.close_call %= SF_CALL_NR;
		want[i].story.wait_end %= SF_WAIT_END_NR;
		assert_int_equal(sf_recorder_add(recorder, &want[i], i + 1, T0), 0);
	}
	assert_int_equal(sf_recorder_end(recorder, &losses, T0 + 5), 0);
	assert_int_equal(sf_recorder_nr_recorded(recorder), ARRAY_SIZE(want));
	assert_int_equal(sf_recorder_nr_whole(recorder), ARRAY_SIZE(want));
	assert_int_equal(sf_recorder_whole_bytes(recorder), bytes.len);
	bytes.portion = 1001;
	recording = open_bytes(&bytes);
	while (!(block = next(recording)).is_end) {
		assert_int_equal(block.first_seq, nr + 1);
		assert_int_equal(block.realtime_offset_ns, OFFSET);
		for (unsigned int i = 0; i < block.nr_records; i++)
			assert_record(recording, i, &want[nr++]);
		assert_int_equal(block.losses.nr_recorded, nr);
	}
	assert_int_equal(nr, ARRAY_SIZE(want));
	assert_int_equal(block.time_ns, T0 + 5);
	losses.nr_recorded = nr;
	assert_memory_equal(&block.losses, &losses, sizeof(losses));
	sf_recording_free(recording);
	sf_recorder_free(recorder);
	free(bytes.data);
}

/* A block leaves half a second after its first record, and never without a record. */
static void test_when_a_block_leaves(void **state)
{
	const struct sf_event event = client_connect();
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);

	(void)state;
	assert_int_equal(sf_recorder_tick(recorder, T0), 0);
	assert_int_equal(bytes.nr_writes, 1);
	assert_int_equal(sf_recorder_add(recorder, &event, 1, T0), 0);
	assert_int_equal(sf_recorder_add(recorder, &event, 2, T0 + 400 * MS), 0);
	assert_int_equal(sf_recorder_tick(recorder, T0 - 1), 0);
	assert_int_equal(sf_recorder_tick(recorder, T0 + 499 * MS), 0);
	assert_int_equal(bytes.nr_writes, 1);
	assert_int_equal(sf_recorder_tick(recorder, T0 + 500 * MS), 0);
	assert_int_equal(bytes.nr_writes, 2);
	assert_int_equal(sf_recorder_tick(recorder, T0 + 5000 * MS), 0);
	assert_int_equal(bytes.nr_writes, 2);
	sf_recorder_free(recorder);
	free(bytes.data);
}

/* Losses, steps of the clock, gaps in the numbers: each stands where it was between the records. */
static void test_places(void **state)
{
	struct sf_recording_losses losses = { .lost_ring = { 0, 0, 5 }, .lost_nested = 1 };
	const struct sf_event a = client_connect(), b = client_established();
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);
	struct sf_recording_block block;
	struct sf_recording *recording;

	(void)state;
	sf_recorder_add(recorder, &a, 1, T0);
	sf_recorder_losses(recorder, &losses, T0 + 7);
	sf_recorder_add(recorder, &b, 8, T0);
	sf_recorder_clock(recorder, OFFSET);
	sf_recorder_add(recorder, &a, 9, T0);
	sf_recorder_clock(recorder, OFFSET - 3600);
	sf_recorder_add(recorder, &b, 10, T0);
	sf_recorder_add(recorder, &a, 12, T0);
	assert_int_equal(sf_recorder_end(recorder, &losses, T0), 0);
	recording = open_bytes(&bytes);
	block = next(recording);
	assert_int_equal(block.nr_records, 1);
	assert_int_equal(block.losses.lost_ring[2], 5);
	assert_int_equal(block.losses.lost_nested, 1);
	assert_int_equal(block.time_ns, T0 + 7);
	assert_record(recording, 0, &a);
	block = next(recording);
	assert_int_equal(block.nr_records, 2);
	assert_int_equal(block.first_seq, 8);
	assert_int_equal(block.realtime_offset_ns, OFFSET);
	assert_record(recording, 0, &b);
	block = next(recording);
	assert_int_equal(block.nr_records, 1);
	assert_int_equal(block.first_seq, 10);
	assert_int_equal(block.realtime_offset_ns, OFFSET - 3600);
	block = next(recording);
	assert_int_equal(block.nr_records, 1);
	assert_int_equal(block.first_seq, 12);
	assert_ends(recording);
	sf_recording_free(recording);
	sf_recorder_free(recorder);
	free(bytes.data);
}

/* Readable while it is written: up to the last block. */
static void test_growing(void **state)
{
	const struct sf_event event = client_connect();
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);
	struct sf_recording_block block;
	struct sf_recording *recording;
	char err[256] = "";

	(void)state;
	sf_recorder_add(recorder, &event, 1, T0);
	sf_recorder_tick(recorder, T0 + 600 * MS);
	sf_recorder_add(recorder, &event, 2, T0 + 700 * MS);
	recording = open_bytes(&bytes);
	assert_int_equal(next(recording).nr_records, 1);
	assert_record(recording, 0, &event);
	assert_int_equal(sf_recording_next(recording, &block, err, sizeof(err)), -ENODATA);
	assert_non_null(strstr(err, "without its end"));
	sf_recording_free(recording);
	sf_recorder_free(recorder);
	free(bytes.data);
}

/* What write says at its first failure is said from then on, and nothing more is written. */
static void test_full_disk(void **state)
{
	const struct sf_event event = client_connect();
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);
	size_t whole = bytes.len;

	(void)state;
	sf_recorder_add(recorder, &event, 1, T0);
	bytes.limit = whole + 10;
	assert_int_equal(sf_recorder_tick(recorder, T0 + 600 * MS), -ENOSPC);
	bytes.limit = BYTES_MAX;
	assert_int_equal(sf_recorder_add(recorder, &event, 2, T0), -ENOSPC);
	assert_int_equal(sf_recorder_tick(recorder, T0 + 9000 * MS), -ENOSPC);
	assert_int_equal(sf_recorder_clock(recorder, 0), -ENOSPC);
	assert_int_equal(sf_recorder_end(recorder, &(struct sf_recording_losses){ 0 }, T0),
			 -ENOSPC);
	assert_int_equal(bytes.len, whole);
	assert_int_equal(sf_recorder_whole_bytes(recorder), whole);
	assert_int_equal(sf_recorder_nr_whole(recorder), 0);
	sf_recorder_free(recorder);
	bytes.limit = bytes.len;
	assert_int_equal(sf_recorder_new(&recorder, &(struct sf_recording_about){ 0 }, bytes_write,
					 &bytes),
			 -ENOSPC);
	free(bytes.data);
}

/* One record, as a synfin whose record has another size would have written it. */
static struct bytes with_record_size(const struct sf_event *event, uint32_t record_bytes,
				     size_t more_losses)
{
	struct bytes bytes = bytes_new();
	struct sf_recorder *recorder = record(&bytes);
	struct sf_rec_head *head = (struct sf_rec_head *)bytes.data;
	struct sf_recording_losses losses = { .nr_recorded = 1 };
	struct sf_rec_block *block = (struct sf_rec_block *)(bytes.data + bytes.len);
	static uint8_t plain[65536];
	uLongf packed_bytes = 65536;

	sf_recorder_free(recorder);
	head->record_bytes = record_bytes;
	head->losses_bytes += (uint32_t)more_losses;
	head->head_crc = 0;
	head->head_crc = (uint32_t)crc32(0, bytes.data, head->head_bytes);
	memset(plain, 0xee, sizeof(plain));
	memcpy(plain, &losses, sizeof(losses));
	memcpy(plain + head->losses_bytes, event, sf_min_size(record_bytes, sizeof(*event)));
	assert_int_equal(compress(bytes.data + bytes.len + sizeof(*block), &packed_bytes, plain,
				  head->losses_bytes + record_bytes),
			 Z_OK);
	*block = (struct sf_rec_block){ .mark = SF_REC_BLOCK_MARK,
					.kind = SF_REC_RECORDS,
					.packed_bytes = (uint32_t)packed_bytes,
					.nr_records = 1,
					.first_seq = 1 };
	block->packed_crc = (uint32_t)crc32(0, (uint8_t *)(block + 1), block->packed_bytes);
	block->block_crc = (uint32_t)crc32(0, (uint8_t *)block, sizeof(*block));
	bytes.len += sizeof(*block) + packed_bytes;
	return bytes;
}

static void test_other_record_sizes(void **state)
{
	static const int more[] = { 0, 8, 800, -8, -64, -200 };
	struct sf_event event = client_closed();

	(void)state;
	/* The end of the record is where a newer one has more than an older one. */
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		uint32_t size = (uint32_t)((int)sizeof(event) + more[i]);
		struct sf_event want = { 0 };
		struct bytes bytes = with_record_size(&event, size, i % 2 ? 16 : 0);
		struct sf_recording *recording = open_bytes(&bytes);
		const struct sf_event *got = NULL;

		memcpy(&want, &event, sf_min_size(size, sizeof(event)));
		assert_int_equal(next(recording).nr_records, 1);
		if (want.story.family) {
			assert_record(recording, 0, &want);
		} else {
			assert_int_equal(sf_recording_record(recording, 0, &got), -EBADMSG);
			assert_null(got);
		}
		assert_int_equal(sf_recording_record(recording, 1, &got), -EBADMSG);
		sf_recording_free(recording);
		free(bytes.data);
	}
}

/* The sizes that recordings of format 1 are made of never shrink: older ones must be readable. */
static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(SF_REC_MAGIC_BYTES, sizeof(SF_REC_MAGIC) - 1);
	assert_int_equal(sizeof(struct sf_rec_head), 848);
	assert_int_equal(sizeof(struct sf_rec_block), 56);
	assert_true(sizeof(struct sf_recording_losses) >= 552);
	assert_int_equal(offsetof(struct sf_event, story), 16);
	assert_int_equal(sizeof(struct sf_task), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_about),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_when_a_block_leaves),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_other_record_sizes),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
