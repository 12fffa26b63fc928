/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the stories of one or both ends of a connection to the rungs of a
 * ladder: one per step, on one clock, with what each is, whose it is, and
 * which two are the same segment leaving and arriving. Knows no text layout
 * but which lane a segment goes down in. Pure.
 */
#ifndef SF_VIEW_RUNGS_H
#define SF_VIEW_RUNGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/story.h"

/* All steps of both ends, and the notes of what was not seen. */
#define SF_RUNGS_MAX (2 * SF_STEP_NR + 6)
#define SF_RUNG_TEXT_SIZE 48
#define SF_RUNG_WIDTH 30 /* columns between the two rails */
#define SF_RUNG_ALONE -1

/* The columns: client left, server right; where roles do not tell, this host left. */
enum sf_rail {
	SF_LEFT,
	SF_RIGHT,
	SF_RAIL_NR,
};

enum sf_rung_kind {
	SF_RUNG_CALL,	  /* a system call at its own rail */
	SF_RUNG_SENT,	  /* a segment leaves */
	SF_RUNG_RECEIVED, /* a segment arrives */
	SF_RUNG_STATE,	  /* a state was reached */
	SF_RUNG_UNSEEN,	  /* a segment that neither end was seen to send or receive; no time */
	SF_RUNG_NOTE,	  /* words; no time */
};

struct sf_rung {
	uint64_t time_ns; /* CLOCK_BOOTTIME; 0 = not seen */
	enum sf_rung_kind kind;
	enum sf_step step;  /* SF_STEP_NR = of none: NOTE, UNSEEN, and an ACK that must have left */
	enum sf_step state; /* the state reached with it, SF_STEP_NR = none */
	enum sf_rail rail;  /* whose it is; UNSEEN: who sends */
	bool is_derived;
	int mate;	   /* index of the rung at the segment's other end, or SF_RUNG_ALONE */
	unsigned int lane; /* 0..SF_RUNG_WIDTH-1 from the left, of a segment that has a mate */
	const char *label; /* between the rails: "SYN"; static, NULL = none */
	char text[SF_RUNG_TEXT_SIZE]; /* outside, at its rail; safe UTF-8 */
	const struct sf_task *task;   /* who was seen to call; NULL = not known; borrowed */
};

struct sf_rungs {
	const struct sf_event *ends[SF_RAIL_NR]; /* NULL: this end was not seen; borrowed */
	size_t nr;
	struct sf_rung rungs[SF_RUNGS_MAX]; /* by time; those without one where they belong */
};

/*
 * second: the other end of the same connection, or NULL. Both are close or
 * failed events, or as a snapshot found them, and live as long as *ret is used.
 */
void sf_rungs_make(const struct sf_event *first, const struct sf_event *second,
		   struct sf_rungs *ret);
/* The first rung's time, CLOCK_BOOTTIME; 0 if none has one. */
uint64_t sf_rungs_begin_ns(const struct sf_rungs *rungs);
/* "refused": how the connection ended for this end; NULL = not known. Static. */
const char *sf_rungs_cause(const struct sf_event *end);
/* Which rail a side of an end's story is. False: none of the two alone. */
bool sf_rungs_side(enum sf_rail own, uint8_t side, enum sf_rail *ret);

/* Parts of sf_rungs_make(): the step at which a segment arrives that leaves at sent. */
enum sf_step sf_rungs_arrival(enum sf_step sent);
/* Sets mate and lane of the rungs, which are in their order. */
void sf_rungs_join(struct sf_rungs *rungs);

static inline enum sf_rail sf_other_rail(enum sf_rail rail)
{
	return rail == SF_LEFT ? SF_RIGHT : SF_LEFT;
}

#endif
