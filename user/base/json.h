/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A streaming JSON writer into the caller's buffer: no allocation, no locale.
 * Output is always valid UTF-8 and one line, and safe to show on a terminal:
 * control characters (C0, DEL, C1, line separators, bidi controls) are escaped,
 * so nothing is lost; bytes that are not UTF-8 become U+FFFD (RFC 8259 8.1).
 * The caller balances begin and end, and gives each key of an object once.
 */
#ifndef SF_BASE_JSON_H
#define SF_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_json {
	char *buf;     /* borrowed; does not end in NUL */
	size_t size;   /* of buf */
	size_t len;    /* bytes written, never above size */
	bool overflow; /* the buffer was too small: the text is not usable */
	bool need_comma;
};

void sf_json_init(struct sf_json *j, char *buf, size_t size);
/*
 * A key that is written often, made once: with its quotes and colon, as in "\"host_name\":", not
 * checked. Its value comes next, with key == NULL.
 */
void sf_json_ready_key(struct sf_json *j, const char *text, size_t len);
/* key == NULL: an element of an array, the outermost value, or that of a key made ready. */
void sf_json_object_begin(struct sf_json *j, const char *key);
void sf_json_object_end(struct sf_json *j);
void sf_json_array_begin(struct sf_json *j, const char *key);
void sf_json_array_end(struct sf_json *j);
/* value == NULL is unknown: nothing is written, not the key either. */
void sf_json_str(struct sf_json *j, const char *key, const char *value);
/* value: len bytes of anything, need not end in NUL and may hold one. NULL: as above. */
void sf_json_strn(struct sf_json *j, const char *key, const void *value, size_t len);
void sf_json_u64(struct sf_json *j, const char *key, uint64_t value);
void sf_json_i64(struct sf_json *j, const char *key, int64_t value);
/* 64-bit ids as a string of 16 lower-case hex digits. */
void sf_json_hex64(struct sf_json *j, const char *key, uint64_t value);
void sf_json_bool(struct sf_json *j, const char *key, bool value);
/*
 * Appends text that is already JSON members, e.g. "\"host_name\":\"a\"", without
 * its leading comma. Not checked. len 0 appends nothing.
 */
void sf_json_raw_members(struct sf_json *j, const char *members, size_t len);

#endif
