// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The check that stands between foreign bytes and the rest of the program.
 * It proves what others rely on (ranges of enums, family, padding) and judges
 * nothing else: odd times or addresses are for those who derive facts.
 */
#include "story/reader.h"

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <sys/socket.h>

/* The record has no hidden padding, or it would differ between compilers and leak memory. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#include "bpf/story.h"
#pragma GCC diagnostic pop

#include "base/util.h"
#include "story/names.h"

#define RECORD_ALIGN 8
#define MAX_ERRNO 4095 /* include/linux/err.h */

_Static_assert(_Alignof(struct sf_event) == RECORD_ALIGN, "records are aligned to 8");
_Static_assert(sizeof(struct sf_event) % RECORD_ALIGN == 0, "records follow each other unpadded");
_Static_assert(SF_STEP_NR < 64, "steps_derived has a bit per step");

static bool is_zero(const uint8_t *bytes, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return !any;
}

static bool is_task_valid(const struct sf_task *task)
{
	return task->source < SF_OWNER_SRC_NR && is_zero(task->pad, sizeof(task->pad));
}

static bool is_story_valid(const struct sf_story *s)
{
	return s->steps_derived < 1ULL << SF_STEP_NR && is_task_valid(&s->owner) &&
	       is_task_valid(&s->closer) && (s->family == AF_INET || s->family == AF_INET6) &&
	       s->err <= MAX_ERRNO && s->role < SF_ROLE_NR && s->role_source < SF_ROLE_SRC_NR &&
	       s->state < SF_TCP_NR && s->cause < SF_CAUSE_NR && s->closed_by < SF_SIDE_NR &&
	       s->rst_sender < SF_SIDE_NR && s->rst_state < SF_TCP_NR &&
	       s->close_call < SF_CALL_NR && s->wait_end < SF_WAIT_END_NR;
}

int sf_event_check(const void *bytes, size_t size, const struct sf_event **ret)
{
	const struct sf_event *event = bytes;

	if ((uintptr_t)bytes % RECORD_ALIGN)
		return -EINVAL;
	if (size != sizeof(*event))
		return -EBADMSG;
	if (event->kind >= SF_EV_NR || event->state_prev >= SF_TCP_NR || !event->time_ns ||
	    !is_zero(event->pad, sizeof(event->pad)) || !is_story_valid(&event->story))
		return -EBADMSG;
	*ret = event;
	return 0;
}

void sf_reader_init(struct sf_reader *reader)
{
	*reader = (struct sf_reader){ .next_seq = 1 };
}

int sf_reader_read(struct sf_reader *reader, const void *bytes, size_t size,
		   const struct sf_event **ret)
{
	const struct sf_event *event;
	int r;

	r = sf_event_check(bytes, size, &event);
	if (!r && event->kind == SF_EV_NONE)
		r = -EBADMSG;
	if (r == -EINVAL)
		return r;
	if (r) {
		reader->next_seq++;
		reader->nr_bad++;
		return r;
	}
	*ret = event;
	return 0;
}

uint64_t sf_reader_number(struct sf_reader *reader)
{
	return reader->next_seq++;
}

void sf_reader_note_lost(struct sf_reader *reader, uint64_t nr_events)
{
	reader->next_seq += nr_events;
	reader->nr_lost += nr_events;
}
