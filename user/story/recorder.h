/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a recording: events in, bytes out, in compressed blocks that are each
 * written at once. A block leaves when it is full, when its first record is half a
 * second old, and when the clock or the losses change, so that these have their
 * place between the records. Allocates nothing after sf_recorder_new().
 */
#ifndef SF_STORY_RECORDER_H
#define SF_STORY_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "story/recording.h"

struct sf_event;
struct sf_recorder;

/* Writes all the bytes: 0 or negative errno. */
typedef int (*sf_recorder_write_fn)(void *ctx, const void *bytes, size_t len);

/* Writes the head. 0, -ENOMEM, or what write returned. */
int sf_recorder_new(struct sf_recorder **ret, const struct sf_recording_about *about,
		    sf_recorder_write_fn write, void *ctx);
/* Writes nothing: what is not flushed is gone. NULL is allowed. */
void sf_recorder_free(struct sf_recorder *recorder);
void sf_recorder_freep(struct sf_recorder **recorder);

/*
 * Each returns 0, or what write returned at its first failure; nothing is
 * written after that.
 */
/* event: checked. seq: its number, larger than the one before. now_ns: CLOCK_BOOTTIME. */
int sf_recorder_add(struct sf_recorder *recorder, const struct sf_event *event, uint64_t seq,
		    uint64_t now_ns);
/* Call it several times a second: writes what has waited long enough. */
int sf_recorder_tick(struct sf_recorder *recorder, uint64_t now_ns);
/* What was lost by now: where the records stand. losses->nr_recorded is not looked at. */
int sf_recorder_losses(struct sf_recorder *recorder, const struct sf_recording_losses *losses,
		       uint64_t now_ns);
/* CLOCK_REALTIME minus CLOCK_BOOTTIME, for the records to come. */
int sf_recorder_clock(struct sf_recorder *recorder, int64_t realtime_offset_ns);
/* The end, as it should be; nothing comes after it. */
int sf_recorder_end(struct sf_recorder *recorder, const struct sf_recording_losses *losses,
		    uint64_t now_ns);

uint64_t sf_recorder_nr_recorded(const struct sf_recorder *recorder);
/* Bytes up to the end of the last block that was written whole. */
uint64_t sf_recorder_whole_bytes(const struct sf_recorder *recorder);
/* Records up to there. */
uint64_t sf_recorder_nr_whole(const struct sf_recorder *recorder);

#endif
