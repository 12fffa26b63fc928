/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that --write names: what may be written to, and what is left of it after a failure. */
#ifndef SF_CMD_RECORD_H
#define SF_CMD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct sf_out;
struct sf_recorder;
struct sf_recording_about;

struct sf_record {
	const char *path; /* NULL: nothing is recorded */
	int fd;
	bool is_file;
	struct sf_recorder *recorder; /* NULL until sf_record_begin() */
};

/*
 * Opens path, "-" for standard output, and locks it; changes nothing in it yet.
 * Prints its own error. Returns an enum sf_exit.
 */
int sf_record_open(struct sf_record *record, const char *path);
/* Is fd the same file? */
bool sf_record_is_same(const struct sf_record *record, int fd);
/* What was in the file goes, the head is written. out: borrowed, on record->fd. 0 or errno < 0. */
int sf_record_begin(struct sf_record *record, const struct sf_recording_about *about,
		    struct sf_out *out);
/*
 * If writing failed, cuts a file to its last whole block. Closes.
 */
void sf_record_close(struct sf_record *record, bool has_failed);
/* As people know it. */
const char *sf_record_name(const struct sf_record *record);

#endif
