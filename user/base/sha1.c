/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-1 from the text of FIPS 180-4: section 5.1.1 padding, 6.1.2 the hash.
 * One call per message: what synfin hashes is a few dozen bytes long.
 */
#include "base/sha1.h"

#include <string.h>

#define BLOCK_SIZE 64

static uint32_t rotate_left(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

/* f_t and K_t of FIPS 180-4 4.1.1 and 4.2.1, added. */
static uint32_t round_function(int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(uint32_t state[5], const uint8_t block[BLOCK_SIZE])
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
	uint32_t w[80];
	int t;

	for (t = 0; t < 16; t++)
		w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
		       (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
	for (; t < 80; t++)
		w[t] = rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

	for (t = 0; t < 80; t++) {
		uint32_t next = rotate_left(a, 5) + round_function(t, b, c, d) + e + w[t];

		e = d;
		d = c;
		c = rotate_left(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

void sf_sha1(const void *data, size_t len, uint8_t digest[SF_SHA1_SIZE])
{
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	uint8_t tail[2 * BLOCK_SIZE] = { 0 };
	uint64_t nr_bits = (uint64_t)len * 8;
	const uint8_t *bytes = data;
	size_t tail_len, i;

	for (; len >= BLOCK_SIZE; len -= BLOCK_SIZE, bytes += BLOCK_SIZE)
		add_block(state, bytes);

	/* The rest, a 1 bit, zeros, the length in 8 bytes: in one block, or two. */
	if (len > 0)
		memcpy(tail, bytes, len);
	tail[len] = 0x80;
	tail_len = len + 1 + 8 <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
	for (i = 0; i < 8; i++)
		tail[tail_len - 1 - i] = (uint8_t)(nr_bits >> 8 * i);
	for (i = 0; i < tail_len; i += BLOCK_SIZE)
		add_block(state, tail + i);

	for (i = 0; i < SF_SHA1_SIZE; i++)
		digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
