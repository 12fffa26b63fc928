/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a recording: bytes in, checked events out, block by block. Every
 * number in the bytes is taken for an enemy's: sizes are bounded before anything
 * is read or unpacked, checksums come first, each record passes sf_event_check().
 * Memory is taken once, in sf_recording_new(). story/recorder.h writes.
 *
 * A recording is a head, then blocks, in the byte order of the host that made
 * it (story/recording_format.h). It only ever gets longer while it is written,
 * so it can be read meanwhile, up to the last whole block. A block of its own
 * ends it; one without was cut off, or is being written.
 */
#ifndef SF_STORY_RECORDING_H
#define SF_STORY_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_event;
struct sf_recording;

#define SF_RECORDING_KINDS 32 /* room for enum sf_event_kind to grow */

/* Where, when and with what it was made. Texts end in NUL; "" is not known. */
struct sf_recording_about {
	uint64_t start_ns;	    /* CLOCK_BOOTTIME when tracing began */
	int64_t realtime_offset_ns; /* CLOCK_REALTIME minus CLOCK_BOOTTIME then */
	uint64_t kinds;		    /* 1 << enum sf_event_kind of those that were wanted */
	char synfin_version[32];
	char kernel_release[72];
	char host_name[72];
	char machine_id[40];
	char boot_id[40];
	char tier[16];
	char hooks_missing[512]; /* names, each followed by a space */
};

/* Counters since the start, as struct sf_losses of the kernel room, and the recorder's own. */
struct sf_recording_losses {
	uint64_t sent[SF_RECORDING_KINDS];	/* by the kernel side, per enum sf_event_kind */
	uint64_t lost_ring[SF_RECORDING_KINDS]; /* no room in the ring */
	uint64_t lost_map;			/* connections not followed */
	uint64_t lost_nested;			/* steps not seen */
	uint64_t lost_requests;			/* SYNs whose time was not kept */
	uint64_t nr_bad;			/* records that were not as expected */
	uint64_t nr_recorded;			/* records up to here, those of this block too */
	uint64_t waits_refused;			/* closed sockets whose wait was not followed */
};

struct sf_recording_block {
	unsigned int nr_records;
	uint64_t first_seq;	    /* number of its first record; the others follow without gap */
	uint64_t time_ns;	    /* CLOCK_BOOTTIME when its losses were read */
	int64_t realtime_offset_ns; /* while its records were taken */
	struct sf_recording_losses losses; /* behind its last record */
	bool is_end;			   /* the last block, has no records */
};

/* As read(2), but a negative errno on failure. */
typedef ssize_t (*sf_recording_read_fn)(void *ctx, void *buf, size_t size);

/*
 * Reads the head. On failure one line goes to err (what is wrong; where, if it
 * is damaged). 0; -EBADMSG: not a recording, damaged, or of a layout that this
 * program cannot read; -ENOMEM; or what read returned.
 */
int sf_recording_new(struct sf_recording **ret, sf_recording_read_fn read, void *ctx, char *err,
		     size_t err_size);
void sf_recording_free(struct sf_recording *recording);
void sf_recording_freep(struct sf_recording **recording);
/* Borrowed, lives as long as the recording. */
const struct sf_recording_about *sf_recording_about(const struct sf_recording *recording);
/*
 * Reads and unpacks the next block. 1 with *ret; 0: it has ended as it should.
 * With one line in err: -ENODATA: no whole block is left and no end was
 * written; -EBADMSG: damaged; or what read returned. Nothing may be read after
 * anything but 1.
 */
int sf_recording_next(struct sf_recording *recording, struct sf_recording_block *ret, char *err,
		      size_t err_size);
/*
 * Record number i of that block as this program knows it, checked as
 * sf_event_check() does and something happened in it: one made by an older synfin has
 * zeros in the fields it did not know, of a newer one what we do not know is cut
 * off. Borrowed until the next call on the recording. 0, -EBADMSG: did not pass.
 */
int sf_recording_record(struct sf_recording *recording, unsigned int i,
			const struct sf_event **ret);

#endif
