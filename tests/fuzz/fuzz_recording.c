// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: any bytes as a recording, and all that it holds through every view. The
 * mutator makes checksums right again and reaches into what is compressed, or none
 * of the changes would get past the first check.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/out.h"
#include "base/util.h"
#include "bpf/story.h"
#include "fuzz.h"
#include "story/recording.h"
#include "story/recording_format.h"
#include "view/fields.h"
#include "view/host.h"
#include "view/ladder.h"
#include "view/pairs.h"
#include "view/view.h"

#define HEAD_BYTES sizeof(struct sf_rec_head)
#define BLOCK_BYTES sizeof(struct sf_rec_block)
#define OUT_BYTES 65536
#define NR_VIEWS ((int)SF_VIEW_NR * (int)SF_FORMAT_NR)

struct input {
	const uint8_t *data;
	size_t size;
	size_t at;
};

struct screen {
	struct sf_host host;
	struct sf_out out;
	struct sf_view_options options;
	struct sf_view *views[NR_VIEWS];
	struct sf_ladder ladder;
	struct sf_pairs *pairs;
};

static ssize_t read_input(void *ctx, void *buf, size_t size)
{
	struct input *input = ctx;
	size_t n = sf_min_size(size, input->size - input->at);

	memcpy(buf, input->data + input->at, n);
	input->at += n;
	return (ssize_t)n;
}

static void open_screen(struct screen *screen, const struct sf_recording_about *about)
{
	sf_host_set(&screen->host, about->host_name, about->machine_id, about->boot_id);
	screen->options = (struct sf_view_options){
		.start_ns = about->start_ns,
		.realtime_offset_ns = about->realtime_offset_ns,
		.host = &screen->host,
		.is_coloured = about->start_ns % 2,
		.is_ascii = about->start_ns % 3 == 0,
		.time_format = about->start_ns % SF_TIME_NR,
	};
	if (sf_out_init(&screen->out, -1, OUT_BYTES) || sf_pairs_new(4, 1000, &screen->pairs))
		abort();
	screen->ladder.options = &screen->options;
	for (int i = 0; i < NR_VIEWS; i++) {
		struct sf_view_options options = screen->options;

		options.format = (enum sf_format)(i % SF_FORMAT_NR);
		options.kind = (enum sf_view_kind)(i / SF_FORMAT_NR);
		if (sf_view_new(&options, &screen->out, &screen->views[i]))
			abort();
	}
}

static void close_screen(struct screen *screen)
{
	for (int i = 0; i < NR_VIEWS; i++)
		sf_view_free(screen->views[i]);
	sf_pairs_free(screen->pairs);
	sf_out_free(&screen->out);
}

/* What a terminal would act on may not come out, whatever came in. */
static void check_text(struct sf_out *out, bool may_colour)
{
	for (size_t i = 0; i < out->len; i++) {
		uint8_t c = (uint8_t)out->buf[i];

		if ((c < ' ' && c != '\n' && !(c == 0x1b && may_colour)) || c == 0x7f)
			abort();
	}
	out->len = 0;
	out->nr_marks = 0;
}

static void show(struct screen *screen, const struct sf_event *event, uint64_t seq)
{
	struct sf_pair pair;

	for (int i = 0; i < NR_VIEWS; i++) {
		if (sf_view_event(screen->views[i], event, seq))
			abort();
		check_text(&screen->out, screen->options.is_coloured);
	}
	if (!sf_ladder_shows(event) || !sf_pairs_add(screen->pairs, event, &pair))
		return;
	if (sf_ladder_draw(&screen->ladder, &pair, &screen->out))
		abort();
	check_text(&screen->out, screen->options.is_coloured);
}

static void show_stats(struct screen *screen, const struct sf_recording_block *block)
{
	struct sf_loss_view loss = { .time_ns = block->time_ns };

	for (int i = 0; i < SF_EV_NR; i++)
		loss.lost_ring[i] = block->losses.lost_ring[i];
	for (int i = 0; i < NR_VIEWS; i++) {
		sf_view_clock(screen->views[i], block->realtime_offset_ns);
		if (sf_view_stats(screen->views[i], &loss, block->first_seq))
			abort();
		check_text(&screen->out, false);
	}
	screen->options.realtime_offset_ns = block->realtime_offset_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .data = data, .size = size };
	struct sf_recording *recording = NULL;
	struct sf_recording_block block;
	struct screen screen = { .pairs = NULL };
	const struct sf_event *event;
	char err[256] = "";

	if (sf_recording_new(&recording, read_input, &input, err, sizeof(err))) {
		if (!err[0])
			abort();
		return 0;
	}
	open_screen(&screen, sf_recording_about(recording));
	while (sf_recording_next(recording, &block, err, sizeof(err)) == 1) {
		for (unsigned int i = 0; i < block.nr_records; i++)
			if (!sf_recording_record(recording, i, &event))
				show(&screen, event, block.first_seq + i);
		show_stats(&screen, &block);
	}
	close_screen(&screen);
	sf_recording_free(recording);
	return 0;
}

/* Where block number nr begins, or the last before it; size if there is none that is whole. */
static size_t find_block(const uint8_t *data, size_t size, unsigned int nr)
{
	size_t at = HEAD_BYTES, found = size;
	struct sf_rec_block block;

	for (unsigned int i = 0; i <= nr && at + BLOCK_BYTES <= size; i++) {
		memcpy(&block, data + at, BLOCK_BYTES);
		if (block.packed_bytes > size - at - BLOCK_BYTES)
			break;
		found = at;
		at += BLOCK_BYTES + block.packed_bytes;
	}
	return found;
}

static void sign(uint8_t *data, size_t size)
{
	struct sf_rec_block block;
	struct sf_rec_head head;
	size_t at = HEAD_BYTES;

	if (size < HEAD_BYTES)
		return;
	memcpy(&head, data, HEAD_BYTES);
	head.head_crc = 0;
	head.head_crc = (uint32_t)crc32(0, (uint8_t *)&head, HEAD_BYTES);
	memcpy(data, &head, HEAD_BYTES);
	while (at + BLOCK_BYTES <= size) {
		memcpy(&block, data + at, BLOCK_BYTES);
		if (block.packed_bytes > size - at - BLOCK_BYTES)
			break;
		block.packed_crc = (uint32_t)crc32(0, data + at + BLOCK_BYTES, block.packed_bytes);
		block.block_crc = 0;
		block.block_crc = (uint32_t)crc32(0, (uint8_t *)&block, BLOCK_BYTES);
		memcpy(data + at, &block, BLOCK_BYTES);
		at += BLOCK_BYTES + block.packed_bytes;
	}
}

/* Changes what a block holds, not how long it is. */
static size_t mutate_inside(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static uint8_t plain[SF_REC_PLAIN_MAX], packed[SF_REC_PACKED_MAX];
	size_t at = find_block(data, size, seed % 8), behind;
	uLongf plain_bytes = sizeof(plain), packed_bytes = sizeof(packed);
	struct sf_rec_block block;

	if (at + BLOCK_BYTES > size)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(&block, data + at, BLOCK_BYTES);
	if (uncompress(plain, &plain_bytes, data + at + BLOCK_BYTES, block.packed_bytes) != Z_OK)
		return LLVMFuzzerMutate(data, size, max);
	LLVMFuzzerMutate(plain, plain_bytes, plain_bytes);
	if (compress(packed, &packed_bytes, plain, plain_bytes) != Z_OK)
		return size;
	behind = size - at - BLOCK_BYTES - block.packed_bytes;
	if (size - block.packed_bytes + packed_bytes > max)
		return size;
	memmove(data + at + BLOCK_BYTES + packed_bytes, data + size - behind, behind);
	memcpy(data + at + BLOCK_BYTES, packed, packed_bytes);
	size = size - block.packed_bytes + packed_bytes;
	block.packed_bytes = (uint32_t)packed_bytes;
	memcpy(data + at, &block, BLOCK_BYTES);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	if (seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, max);
	if (seed % 8 == 1)
		size = LLVMFuzzerMutate(data, size, max);
	else if (seed % 8 == 2 && size >= HEAD_BYTES)
		LLVMFuzzerMutate(data, HEAD_BYTES, HEAD_BYTES);
	else if (seed % 8 == 3 && find_block(data, size, seed / 8 % 8) + BLOCK_BYTES <= size)
		LLVMFuzzerMutate(data + find_block(data, size, seed / 8 % 8), BLOCK_BYTES,
				 BLOCK_BYTES);
	else
		size = mutate_inside(data, size, max, seed / 8);
	sign(data, size);
	return size;
}
