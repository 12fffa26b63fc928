/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to events. Whatever comes from the ring, from a snapshot or from
 * a recording passes here once; after that every enum is in its range and may
 * index a table. Also numbers the events, so that a gap means loss.
 */
#ifndef SF_STORY_READER_H
#define SF_STORY_READER_H

#include <stddef.h>
#include <stdint.h>

struct sf_event;

struct sf_reader {
	uint64_t next_seq; /* of the next event; the first is 1 */
	uint64_t nr_lost;  /* events that were announced as lost */
	uint64_t nr_bad;   /* records that did not pass the check */
};

/*
 * Checks size bytes and gives them as an event, borrowed: it lives as long as
 * the bytes. kind SF_EV_NONE is allowed: a socket as a snapshot found it.
 * bytes must be aligned to 8. 0; -EINVAL: not aligned (the caller's mistake);
 * -EBADMSG: wrong size, no time, a number out of its range, a family that is not
 * AF_INET or AF_INET6, or padding that is not zero.
 */
int sf_event_check(const void *bytes, size_t size, const struct sf_event **ret);

void sf_reader_init(struct sf_reader *reader);
/*
 * The same for a stream: something must have happened (kind SF_EV_NONE is
 * -EBADMSG). A record that fails the check takes a number and is counted: it
 * was an event, and is lost.
 */
int sf_reader_read(struct sf_reader *reader, const void *bytes, size_t size,
		   const struct sf_event **ret);
/* The number of the next event that is shown: those that a filter drops have none. */
uint64_t sf_reader_number(struct sf_reader *reader);
/* nr_events more were lost before the next one: leaves a gap of that size. */
void sf_reader_note_lost(struct sf_reader *reader, uint64_t nr_events);

#endif
