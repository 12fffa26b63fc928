// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer: any arguments, each ended by a NUL or a newline, as the command line. */
#include <stdlib.h>
#include <string.h>

#include "base/opts.h"
#include "cmd/options.h"
#include "filter/filter.h"
#include "fuzz.h"

#define ARGS_MAX 32

/* They name files or namespaces of this machine, which would be opened. */
static bool touches_files(const struct sf_options *options)
{
	return options->filter.netns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[ARGS_MAX + 1] = { (char[]){ "synfin" } };
	struct sf_filter *filter = NULL;
	struct sf_options options;
	char *text = calloc(1, size + 1), err[256] = "";
	int argc = 1, first = 0, r;

	if (!text)
		abort();
	memcpy(text, data, size);
	for (char *at = text; at < text + size && argc < ARGS_MAX; at += strlen(at) + 1) {
		at[strcspn(at, "\n")] = '\0';
		argv[argc++] = at;
	}
	sf_options_init(&options);
	r = sf_opts_parse(sf_option_table, argc, argv, &options, &first, err, sizeof(err));
	if (!r && (first < 1 || first > argc))
		abort();
	if (!r)
		r = sf_options_settle(&options, err, sizeof(err));
	if (!r && !touches_files(&options))
		r = sf_options_filter(&options, argc - first, (const char *const *)argv + first,
				      &filter, err, sizeof(err));
	if (r && (!err[0] || strchr(err, '\n') || strchr(err, '\033')))
		abort();
	sf_filter_free(filter);
	free(text);
	return 0;
}
