/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-1 (FIPS 180-4), for identifiers whose definition asks for it. Not for
 * anything that has to withstand an attacker: SHA-1 collisions can be made.
 */
#ifndef SF_BASE_SHA1_H
#define SF_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SF_SHA1_SIZE 20

/* The digest of len bytes of data. */
void sf_sha1(const void *data, size_t len, uint8_t digest[SF_SHA1_SIZE]);

#endif
