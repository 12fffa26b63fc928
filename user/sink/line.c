// SPDX-License-Identifier: GPL-2.0-or-later
/* Knows just as much of JSON as our own writer makes of it: one object, no white space. */
#include "sink/line.h"

#include <stdint.h>
#include <string.h>

#include "base/util.h"

/* Behind a string that begins at at; len if it does not end. */
static size_t skip_string(const char *line, size_t len, size_t at)
{
	for (at++; at < len && line[at] != '"'; at++)
		at += line[at] == '\\';
	return at < len ? at + 1 : len;
}

/* Behind a value: up to the comma or bracket that does not belong to it. */
static size_t skip_value(const char *line, size_t len, size_t at)
{
	size_t depth = 0;

	while (at < len) {
		char c = line[at];

		if (c == '"') {
			at = skip_string(line, len, at);
			continue;
		}
		if (!depth && (c == ',' || c == '}' || c == ']'))
			break;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		at++;
	}
	return at;
}

static void set_value(struct sf_member *member, const char *value, size_t len)
{
	member->is_string = *value == '"' && len >= 2;
	member->value = value + member->is_string;
	member->value_len = len - 2 * (size_t)member->is_string;
}

bool sf_line_next(const char *line, size_t len, size_t *at, struct sf_member *ret)
{
	size_t key = *at + 1, colon, end; /* behind the bracket or the comma */

	if (key >= len || line[key] != '"')
		return false;
	colon = skip_string(line, len, key);
	if (colon + 1 >= len || line[colon] != ':')
		return false;
	end = skip_value(line, len, colon + 1);
	if (end >= len)
		return false;
	*ret = (struct sf_member){ .key = line + key + 1, .key_len = colon - key - 2 };
	set_value(ret, line + colon + 1, end - colon - 1);
	*at = end;
	return true;
}

bool sf_line_element(const char *array, size_t len, size_t *at, struct sf_member *ret)
{
	size_t value = *at + 1, end = skip_value(array, len, value);

	if (end >= len || end == value)
		return false;
	*ret = (struct sf_member){ 0 };
	set_value(ret, array + value, end - value);
	*at = end;
	return true;
}

/* Most differ at once: cheaper than strlen(). A NUL in the member's key ends no comparison. */
bool sf_line_is(const struct sf_member *member, const char *key)
{
	for (size_t i = 0; i < member->key_len; i++)
		if (!key[i] || key[i] != member->key[i])
			return false;
	return !key[member->key_len];
}

bool sf_line_find(const char *line, size_t len, const char *key, struct sf_member *ret)
{
	size_t at = 0;

	while (sf_line_next(line, len, &at, ret))
		if (sf_line_is(ret, key))
			return true;
	return false;
}

static bool hex4(const char *text, uint32_t *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++) {
		char c = text[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint32_t)(c - 'a') + 10;
		else
			return false;
		*ret = *ret << 4 | digit;
	}
	return true;
}

/* Of the basic plane: our writer escapes nothing above it. */
static size_t put_utf8(uint32_t code, char *buf)
{
	if (code < 0x80) {
		buf[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		buf[0] = (char)(0xc0 | code >> 6);
		buf[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	buf[0] = (char)(0xe0 | code >> 12);
	buf[1] = (char)(0x80 | (code >> 6 & 0x3f));
	buf[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

/* One escape, behind its backslash. Returns how many bytes of text it took, 0: it is none. */
static size_t unescape(const char *text, size_t len, char *buf, size_t *ret_len)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found = len ? memchr(letters, text[0], sizeof(letters) - 1) : NULL;
	uint32_t code;

	if (found) {
		*buf = meant[found - letters];
		*ret_len = 1;
		return 1;
	}
	if (len < 5 || text[0] != 'u' || !hex4(text + 1, &code))
		return 0;
	*ret_len = put_utf8(code, buf);
	return 5;
}

size_t sf_line_text(const struct sf_member *member, char *buf, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < member->value_len;) {
		char piece[4] = { member->value[i] };
		size_t piece_len = 1, took = 1;

		if (member->is_string && member->value[i] == '\\')
			took += unescape(member->value + i + 1, member->value_len - i - 1, piece,
					 &piece_len);
		if (piece_len > size - len)
			break;
		memcpy(buf + len, piece, piece_len);
		len += piece_len;
		i += took;
	}
	return len;
}

static bool is_one_of(const struct sf_member *member, const char *const *names)
{
	for (; *names; names++)
		if (member->value_len == strlen(*names) &&
		    !memcmp(member->value, *names, member->value_len))
			return true;
	return false;
}

int sf_line_severity(const char *line, size_t len)
{
	static const char *const bad_events[] = { "tcp.failed", "tcp.reset", "tcp.stuck",
						  "tcp.listen_overflow", NULL };
	static const char *const good_ends[] = { "fin", NULL };
	struct sf_member member;
	size_t at = 0;

	while (sf_line_next(line, len, &at, &member)) {
		if (sf_line_is(&member, "event_name") && is_one_of(&member, bad_events))
			return 4;
		if (sf_line_is(&member, "close_reason") && !is_one_of(&member, good_ends))
			return 4;
		if (sf_line_is(&member, "events_lost") &&
		    !(member.value_len == 1 && *member.value == '0'))
			return 4;
	}
	return 6;
}

/* What follows which words in a message. */
static const struct {
	const char *words, *key;
} message_parts[] = {
	{ "", "event_name" },
	{ " ", "role" },
	{ " ", "network_local_address" },
	{ " port ", "network_local_port" },
	{ ", peer ", "network_peer_address" },
	{ " port ", "network_peer_port" },
	{ ", process ", "process_executable_name" },
	{ " pid ", "process_pid" },
	{ ": ", "close_reason" },
	{ ", error ", "error_type" },
	{ ", rule ", "stuck_rule" },
	{ ", events lost ", "events_lost" },
};

size_t sf_line_message(const char *line, size_t len, char *buf, size_t size)
{
	struct sf_member members[ARRAY_SIZE(message_parts)] = { 0 }, member;
	size_t used = 0, at = 0;

	while (sf_line_next(line, len, &at, &member))
		for (size_t i = 0; i < ARRAY_SIZE(message_parts); i++)
			if (sf_line_is(&member, message_parts[i].key))
				members[i] = member;
	for (size_t i = 0; i < ARRAY_SIZE(message_parts); i++) {
		size_t words_len = strlen(message_parts[i].words);

		if (!members[i].key)
			continue;
		if (words_len > size - used)
			break;
		memcpy(buf + used, message_parts[i].words, words_len);
		used += words_len;
		used += sf_line_text(&members[i], buf + used, size - used);
	}
	return used;
}
