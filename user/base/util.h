/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small helpers that every room may use: array sizes that refuse a pointer,
 * cleanup on leaving a scope, handing ownership on, a class of errors, and min/max
 * that evaluate their arguments once. Nothing here allocates or prints.
 */
#ifndef SF_BASE_UTIL_H
#define SF_BASE_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* 0; does not compile for a pointer. */
#define SF_MUST_BE_ARRAY(a) \
	(0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0]))]))

/* Elements of an array; does not compile for a pointer. */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]) + SF_MUST_BE_ARRAY(a))

/* Calls f(&variable) when the variable's scope is left; the variable must be initialised. */
#define _cleanup_(f) __attribute__((cleanup(f)))

/* The pointer, leaving NULL behind: ownership moves to the reader. */
#define TAKE_PTR(p)                         \
	(__extension__({                    \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	}))

/* The file descriptor, leaving -1 behind. */
#define TAKE_FD(fd)                \
	(__extension__({           \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	}))

/* For _cleanup_: frees what a pointer variable of any type points to. */
static inline void sf_freep(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

/* For _cleanup_: closes the file descriptor unless it is -1. */
static inline void sf_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Does this negative errno say that something has run out, not that it cannot be done? */
static inline bool sf_is_shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

static inline uint64_t sf_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t sf_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline size_t sf_min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t sf_max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif
