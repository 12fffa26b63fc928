/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Community ID v1 for TCP: orders the two ends, packs them as the
 * specification says, and writes the base64 of the SHA-1 of that.
 */
#include "base/community_id.h"

#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "base/sha1.h"

static uint8_t *put(uint8_t *end, const void *bytes, size_t len)
{
	memcpy(end, bytes, len);
	return end + len;
}

static uint8_t *put_be16(uint8_t *end, uint16_t value)
{
	*end++ = (uint8_t)(value >> 8);
	*end++ = (uint8_t)value;
	return end;
}

/* RFC 4648 section 4, with padding. */
static void put_base64(char *text, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (i + 1 < len)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < len)
			group |= bytes[i + 2];
		*text++ = digits[group >> 18];
		*text++ = digits[group >> 12 & 0x3f];
		*text++ = i + 1 < len ? digits[group >> 6 & 0x3f] : '=';
		*text++ = i + 2 < len ? digits[group & 0x3f] : '=';
	}
	*text = '\0';
}

/* Returns the length; what is behind it is zero. */
static size_t pack(const uint8_t a[16], uint16_t a_port, const uint8_t b[16], uint16_t b_port,
		   uint8_t packed[SF_COMMUNITY_ID_PACKED])
{
	/* One packet has one family; ends of two families are hashed as they are stored. */
	size_t skip = sf_addr_is_v4(a) && sf_addr_is_v4(b) ? 12 : 0;
	uint8_t *end = packed;
	int order = memcmp(a, b, 16);

	if (order > 0 || (order == 0 && a_port > b_port)) {
		const uint8_t *higher = a;
		uint16_t higher_port = a_port;

		a = b;
		a_port = b_port;
		b = higher;
		b_port = higher_port;
	}
	memset(packed, 0, SF_COMMUNITY_ID_PACKED);
	end = put_be16(end, 0); /* seed */
	end = put(end, a + skip, 16 - skip);
	end = put(end, b + skip, 16 - skip);
	*end++ = IPPROTO_TCP;
	*end++ = 0;
	end = put_be16(end, a_port);
	end = put_be16(end, b_port);
	return (size_t)(end - packed);
}

static void make(const uint8_t *packed, size_t len, char buf[SF_COMMUNITY_ID_STRLEN])
{
	uint8_t digest[SF_SHA1_SIZE];

	sf_sha1(packed, len, digest);
	buf[0] = '1';
	buf[1] = ':';
	put_base64(buf + 2, digest, sizeof(digest));
}

const char *sf_community_id_tcp(struct sf_community_ids *ids, const uint8_t a[16], uint16_t a_port,
				const uint8_t b[16], uint16_t b_port,
				char buf[SF_COMMUNITY_ID_STRLEN])
{
	uint8_t packed[SF_COMMUNITY_ID_PACKED];
	size_t len = pack(a, a_port, b, b_port, packed);
	size_t at = (a_port ^ b_port ^ (a_port ^ b_port) >> 8) % SF_COMMUNITY_IDS;

	if (!ids) {
		make(packed, len, buf);
		return buf;
	}
	/* Of an empty place the protocol differs. */
	if (memcmp(ids->made[at].packed, packed, sizeof(packed)) != 0) {
		make(packed, len, ids->made[at].text);
		memcpy(ids->made[at].packed, packed, sizeof(packed));
	}
	memcpy(buf, ids->made[at].text, SF_COMMUNITY_ID_STRLEN);
	return buf;
}
