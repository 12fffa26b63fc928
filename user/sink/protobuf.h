/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format of Protocol Buffers (protobuf.dev, "Encoding"), as much of it
 * as OTLP takes: a writer into the caller's buffer and a reader of fields. By
 * hand, as what we write is made straight from lines of JSON into bytes:
 * protobuf-c and nanopb want a tree of messages first, allocated for each event,
 * and a compiler of .proto files at build.
 */
#ifndef SF_SINK_PROTOBUF_H
#define SF_SINK_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_pb {
	uint8_t *buf;  /* borrowed */
	size_t size;   /* of buf */
	size_t len;    /* bytes written, never above size */
	bool overflow; /* there was no room: what was written since is not usable */
};

/* Fields are told by their number, 1 to 2^29 - 1. */

/* int64, uint64, bool, enum. */
void sf_pb_varint(struct sf_pb *pb, uint32_t number, uint64_t value);
void sf_pb_fixed64(struct sf_pb *pb, uint32_t number, uint64_t value);
/* string, bytes. */
void sf_pb_bytes(struct sf_pb *pb, uint32_t number, const void *bytes, size_t len);
/*
 * A field whose length is known at its end: a message, whose fields follow, or bytes put by
 * sf_pb_room(). Returns what sf_pb_end() wants.
 */
size_t sf_pb_begin(struct sf_pb *pb, uint32_t number);
/* Its length is written, as short as it can be. */
void sf_pb_end(struct sf_pb *pb, size_t begun);
/* Where len bytes may be written, of which the caller adds to pb->len. NULL: no room. */
void *sf_pb_room(struct sf_pb *pb, size_t len);

enum sf_pb_type { SF_PB_VARINT = 0, SF_PB_FIXED64 = 1, SF_PB_LEN = 2, SF_PB_FIXED32 = 5 };

struct sf_pb_field {
	uint32_t number;
	enum sf_pb_type type;
	uint64_t value;	      /* but for SF_PB_LEN */
	const uint8_t *bytes; /* of SF_PB_LEN: into the message */
	size_t len;
};

/*
 * The next field of a message of len bytes from *at on, which is moved behind it; start with
 * *at = 0. False: there is none any more, or what follows is no field.
 */
bool sf_pb_next(const void *message, size_t len, size_t *at, struct sf_pb_field *ret);

#endif
