// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer: any words as a filter expression, matched and cut for the kernel side. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/config.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "filter/parse.h"
#include "fuzz.h"

#define WORDS_MAX 32

/* The input's first byte is how it is cut into words: at each such byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sf_event event = { .time_ns = 1000, .kind = SF_EV_CLOSE };
	const char *words[WORDS_MAX];
	struct sf_filter *filter;
	struct sf_cut cut;
	char *text, err[256] = "";
	int nr = 0;

	if (size < 1)
		return 0;
	text = calloc(1, size);
	if (!text || sf_filter_new(&filter))
		abort();
	memcpy(text, data + 1, size - 1);
	words[nr++] = text;
	for (size_t i = 0; i + 2 < size && nr < WORDS_MAX; i++) {
		if ((uint8_t)text[i] != data[0])
			continue;
		text[i] = '\0';
		words[nr++] = text + i + 1;
	}
	event.story.family = AF_INET;
	if (sf_filter_parse(filter, nr, words, err, sizeof(err))) {
		if (!err[0] || strchr(err, '\n') || strchr(err, '\033'))
			abort();
	} else {
		sf_filter_match(filter, &event, event.time_ns);
		sf_filter_cut(filter, &cut);
	}
	sf_filter_free(filter);
	free(text);
	return 0;
}
