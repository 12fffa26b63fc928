/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON writer. Only take() and put_plain() touch the buffer and can overflow
 * it; once they did, nothing more is written. Called some hundred times per
 * event: no printf, no allocation, text is looked at once.
 */
#include "base/json.h"

#include <string.h>

#include "base/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

void sf_json_init(struct sf_json *j, char *buf, size_t size)
{
	*j = (struct sf_json){ .buf = buf, .size = size };
}

/* What stands in a string as it is. */
static const bool is_plain[256] = {
	[' ' ... '!'] = true,
	['#' ... '['] = true,
	[']' ... '~'] = true,
};

/* The place of len more bytes, at least one; NULL: there is no room. */
static char *take(struct sf_json *j, size_t len)
{
	if (j->overflow || len > j->size - j->len) {
		j->overflow = true;
		return NULL;
	}
	j->len += len;
	return j->buf + j->len - len;
}

static void put(struct sf_json *j, const void *text, size_t len)
{
	char *room = take(j, len);

	if (room)
		memcpy(room, text, len);
}

static void put_char(struct sf_json *j, char c)
{
	char *room = take(j, 1);

	if (room)
		*room = c;
}

/* "\u" and four digits, one UTF-16 unit: no control character lies above U+FFFF. */
static void put_u_escape(struct sf_json *j, uint32_t unit)
{
	char text[6] = { '\\', 'u' };
	int i;

	for (i = 0; i < 4; i++)
		text[2 + i] = hex_digits[unit >> (12 - 4 * i) & 0xf];
	put(j, text, sizeof(text));
}

static void put_escaped_ascii(struct sf_json *j, uint8_t c)
{
	static const char short_name[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
					   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };
	char text[2] = { '\\' };

	if (c < sizeof(short_name) && short_name[c]) {
		text[1] = short_name[c];
		put(j, text, sizeof(text));
	} else {
		put_u_escape(j, c);
	}
}

/* Writes the character at text[0], which is not ASCII; returns the bytes it took. */
static size_t put_multibyte(struct sf_json *j, const uint8_t *text, size_t len)
{
	uint32_t code_point;
	int n = sf_utf8_decode(text, len, &code_point);

	if (n < 0) {
		put(j, "\xef\xbf\xbd", 3); /* U+FFFD */
		return (size_t)-n;
	}
	if (sf_utf8_is_control(code_point))
		put_u_escape(j, code_point);
	else
		put(j, text, (size_t)n);
	return (size_t)n;
}

/* Writes what needs no escape at the begin of text; returns how much that is. */
static size_t put_plain(struct sf_json *j, const uint8_t *text, size_t len)
{
	size_t room = j->overflow ? 0 : j->size - j->len, n = 0;
	char *to = room ? j->buf + j->len : NULL;

	while (n < len && is_plain[text[n]]) {
		if (n == room) {
			j->overflow = true;
			return len;
		}
		to[n] = (char)text[n];
		n++;
	}
	j->len += n;
	return n;
}

static void put_string(struct sf_json *j, const uint8_t *text, size_t len)
{
	size_t i = 0;

	put_char(j, '"');
	while (i < len) {
		i += put_plain(j, text + i, len - i);
		if (i == len)
			break;
		if (text[i] < 0x80)
			put_escaped_ascii(j, text[i++]);
		else
			i += put_multibyte(j, text + i, len - i);
	}
	put_char(j, '"');
}

/* What comes before a value: the comma after the one before it, and its key. */
static void put_key(struct sf_json *j, const char *key)
{
	if (j->need_comma)
		put_char(j, ',');
	j->need_comma = true;
	if (!key)
		return;
	put_string(j, (const uint8_t *)key, strlen(key));
	put_char(j, ':');
}

void sf_json_ready_key(struct sf_json *j, const char *text, size_t len)
{
	put_key(j, NULL);
	put(j, text, len);
	j->need_comma = false;
}

static void put_open(struct sf_json *j, const char *key, char bracket)
{
	put_key(j, key);
	put_char(j, bracket);
	j->need_comma = false;
}

static void put_close(struct sf_json *j, char bracket)
{
	put_char(j, bracket);
	j->need_comma = true;
}

void sf_json_object_begin(struct sf_json *j, const char *key)
{
	put_open(j, key, '{');
}

void sf_json_object_end(struct sf_json *j)
{
	put_close(j, '}');
}

void sf_json_array_begin(struct sf_json *j, const char *key)
{
	put_open(j, key, '[');
}

void sf_json_array_end(struct sf_json *j)
{
	put_close(j, ']');
}

void sf_json_str(struct sf_json *j, const char *key, const char *value)
{
	if (value)
		sf_json_strn(j, key, value, strlen(value));
}

void sf_json_strn(struct sf_json *j, const char *key, const void *value, size_t len)
{
	if (!value)
		return;
	put_key(j, key);
	put_string(j, value, len);
}

static void put_decimal(struct sf_json *j, uint64_t value)
{
	char digits[20]; /* 2^64 - 1 has 20 */
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(j, digits + start, sizeof(digits) - start);
}

void sf_json_u64(struct sf_json *j, const char *key, uint64_t value)
{
	put_key(j, key);
	put_decimal(j, value);
}

void sf_json_i64(struct sf_json *j, const char *key, int64_t value)
{
	put_key(j, key);
	if (value < 0)
		put_char(j, '-');
	put_decimal(j, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void sf_json_hex64(struct sf_json *j, const char *key, uint64_t value)
{
	char text[18];
	int i;

	text[0] = '"';
	for (i = 0; i < 16; i++)
		text[1 + i] = hex_digits[value >> (60 - 4 * i) & 0xf];
	text[17] = '"';
	put_key(j, key);
	put(j, text, sizeof(text));
}

void sf_json_bool(struct sf_json *j, const char *key, bool value)
{
	put_key(j, key);
	if (value)
		put(j, "true", 4);
	else
		put(j, "false", 5);
}

void sf_json_raw_members(struct sf_json *j, const char *members, size_t len)
{
	if (len == 0)
		return;
	put_key(j, NULL);
	put(j, members, len);
}
