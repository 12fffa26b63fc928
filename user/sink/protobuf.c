// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/protobuf.h"

#include <string.h>

#define VARINT_MAX 10 /* bytes of 64 bits, seven in each */

/* Returns how many of the bytes it took. */
static size_t encode_varint(uint64_t value, uint8_t bytes[VARINT_MAX])
{
	size_t len = 0;

	while (value >= 0x80) {
		bytes[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[len++] = (uint8_t)value;
	return len;
}

static void put(struct sf_pb *pb, const void *bytes, size_t len)
{
	void *room = sf_pb_room(pb, len);

	if (!room)
		return;
	if (len)
		memcpy(room, bytes, len);
	pb->len += len;
}

static void put_varint(struct sf_pb *pb, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];

	put(pb, bytes, encode_varint(value, bytes));
}

static void put_tag(struct sf_pb *pb, uint32_t number, enum sf_pb_type type)
{
	put_varint(pb, (uint64_t)number << 3 | (uint64_t)type);
}

void *sf_pb_room(struct sf_pb *pb, size_t len)
{
	if (pb->overflow || len > pb->size - pb->len) {
		pb->overflow = true;
		return NULL;
	}
	return pb->buf + pb->len;
}

void sf_pb_varint(struct sf_pb *pb, uint32_t number, uint64_t value)
{
	put_tag(pb, number, SF_PB_VARINT);
	put_varint(pb, value);
}

void sf_pb_fixed64(struct sf_pb *pb, uint32_t number, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	put_tag(pb, number, SF_PB_FIXED64);
	put(pb, bytes, sizeof(bytes));
}

void sf_pb_bytes(struct sf_pb *pb, uint32_t number, const void *bytes, size_t len)
{
	put_tag(pb, number, SF_PB_LEN);
	put_varint(pb, len);
	put(pb, bytes, len);
}

/* One byte is kept for the length: most fields are shorter than 128 bytes. */
size_t sf_pb_begin(struct sf_pb *pb, uint32_t number)
{
	put_tag(pb, number, SF_PB_LEN);
	put_varint(pb, 0);
	return pb->len;
}

void sf_pb_end(struct sf_pb *pb, size_t begun)
{
	uint8_t bytes[VARINT_MAX];
	size_t len = pb->len - begun, more;

	if (pb->overflow)
		return;
	more = encode_varint(len, bytes) - 1;
	if (more && !sf_pb_room(pb, more))
		return;
	memmove(pb->buf + begun + more, pb->buf + begun, len);
	memcpy(pb->buf + begun - 1, bytes, more + 1);
	pb->len += more;
}

static bool take_varint(const uint8_t *message, size_t len, size_t *at, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < VARINT_MAX && *at < len; i++) {
		uint8_t byte = message[(*at)++];

		value |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Little-endian. */
static bool take_fixed(const uint8_t *message, size_t len, size_t *at, size_t size, uint64_t *ret)
{
	uint64_t value = 0;

	if (size > len - *at)
		return false;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)message[*at + i] << 8 * i;
	*at += size;
	*ret = value;
	return true;
}

bool sf_pb_next(const void *message, size_t len, size_t *at, struct sf_pb_field *ret)
{
	struct sf_pb_field field = { 0 };
	uint64_t tag;

	if (!take_varint(message, len, at, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
		return false;
	field.number = (uint32_t)(tag >> 3);
	field.type = (enum sf_pb_type)(tag & 7);
	switch (field.type) {
	case SF_PB_VARINT:
		if (!take_varint(message, len, at, &field.value))
			return false;
		break;
	case SF_PB_FIXED64:
	case SF_PB_FIXED32:
		if (!take_fixed(message, len, at, field.type == SF_PB_FIXED64 ? 8 : 4,
				&field.value))
			return false;
		break;
	case SF_PB_LEN:
		if (!take_varint(message, len, at, &field.value) || field.value > len - *at)
			return false;
		field.bytes = (const uint8_t *)message + *at;
		field.len = (size_t)field.value;
		*at += field.len;
		break;
	default: /* groups, of which OTLP has none */
		return false;
	}
	*ret = field;
	return true;
}
