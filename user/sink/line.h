/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of JSON, as view/fields.h writes it, read again by sinks that need parts of it. */
#ifndef SF_SINK_LINE_H
#define SF_SINK_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* One member of the object. */
struct sf_member {
	const char *key; /* not ended by NUL */
	size_t key_len;
	const char *value; /* of a string what is between its quotes, escapes as they are */
	size_t value_len;
	bool is_string;
};

/*
 * The next member from *at on, which is moved behind it; start with *at = 0. False: there is none
 * any more, or it is not as view/fields.h writes it.
 */
bool sf_line_next(const char *line, size_t len, size_t *at, struct sf_member *ret);
/* The next element of an array, "[...]", in the same way; it has no key. */
bool sf_line_element(const char *array, size_t len, size_t *at, struct sf_member *ret);
/* Is it the member of that name. */
bool sf_line_is(const struct sf_member *member, const char *key);
/* The member of that name. */
bool sf_line_find(const char *line, size_t len, const char *key, struct sf_member *ret);
/*
 * The text of a string without its escapes, as UTF-8; of another value the text that it is.
 * Returns its length; what does not fit is cut. Not ended by NUL.
 */
size_t sf_line_text(const struct sf_member *member, char *buf, size_t size);
/*
 * The line as a sentence for people: "tcp.close client 10.0.0.1 port 4321, peer 10.0.0.2 port 80,
 * process curl pid 42: fin". Returns its length; what does not fit is cut. Not ended by NUL.
 */
size_t sf_line_message(const char *line, size_t len, char *buf, size_t size);
/* RFC 5424 6.2.1: 4 (warning) for what failed, was reset, is stuck or was lost; 6 (info) else. */
int sf_line_severity(const char *line, size_t len);

#endif
