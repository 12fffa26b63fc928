/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why the kernel does not let us trace, as one line that says what would help. Pure. */
#ifndef SF_KERNEL_REFUSAL_H
#define SF_KERNEL_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

struct sf_refusal {
	int err;	   /* negative errno, of the last try */
	char program[64];  /* that was refused; "": none in particular */
	bool is_verifier;  /* who refused it */
	bool lacks_target; /* the kernel has not got what each tier needs */
};

/*
 * Writes the line into err and returns what the caller is to return: -EOPNOTSUPP for what another
 * kernel would do, -EPERM for what another policy would allow, or why->err.
 */
int sf_refusal_explain(const struct sf_refusal *why, char *err, size_t err_size);

#endif
