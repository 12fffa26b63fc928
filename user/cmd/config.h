/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration file, synfin.conf(5): a line "KEY = VALUE" per option, KEY
 * its long name; of an option without a value, yes or no. "#" begins a comment
 * at the beginning of a line. Options of the command line come on top of it.
 */
#ifndef SF_CMD_CONFIG_H
#define SF_CMD_CONFIG_H

#include <stddef.h>

#include "cmd/options.h"

/* The text behind options that were read from a file; they point into it. */
struct sf_config_text {
	char *text;
};

/*
 * Reads path into *options, which hold what is the default. 0 with *ret to be
 * cleared when the options are used no more; a negative errno with one line in
 * err: file, line and key, what is wrong and what would be right.
 */
int sf_config_read(const char *path, struct sf_options *options, struct sf_config_text *ret,
		   char *err, size_t err_size);
/* The same of text, which is changed; name: for messages. 0 or -EINVAL. */
int sf_config_parse(const char *name, char *text, struct sf_options *options, char *err,
		    size_t err_size);
/*
 * From the default: path, if it is not NULL, then the command line. argv is permuted as
 * sf_opts_parse() does, and kept for the next time. As sf_config_read().
 */
int sf_config_load(const char *path, int argc, char **argv, struct sf_options *options,
		   struct sf_config_text *ret, char *err, size_t err_size);
void sf_config_clear(struct sf_config_text *text);

#endif
