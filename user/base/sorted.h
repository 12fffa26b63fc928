/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted arrays of numbers, in which one may stand several times. */
#ifndef SF_BASE_SORTED_H
#define SF_BASE_SORTED_H

#include <stddef.h>
#include <stdint.h>

/* Sorts in place. nr 0 is allowed, with numbers NULL. */
void sf_sort_u32(uint32_t *numbers, size_t nr);
/* How often the number, which is less than UINT32_MAX, stands among sorted ones. */
uint32_t sf_sorted_count_u32(const uint32_t *sorted, size_t nr, uint32_t number);

#endif
