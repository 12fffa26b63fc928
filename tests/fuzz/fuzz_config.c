// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer: any text as a configuration file; and as a line of JSON that a sink reads again. */
#include <stdlib.h>
#include <string.h>

#include "cmd/config.h"
#include "fuzz.h"
#include "sink/line.h"

static void read_line(const char *line, size_t len)
{
	struct sf_member member;
	char text[64];
	size_t at = 0;

	while (sf_line_next(line, len, &at, &member)) {
		if (member.value < line || member.value + member.value_len > line + len)
			abort();
		if (sf_line_text(&member, text, sizeof(text)) > sizeof(text))
			abort();
	}
	sf_line_severity(line, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sf_options options;
	char *text = malloc(size + 1), err[1024] = "";

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	read_line(text, size);
	sf_options_init(&options);
	if (sf_config_parse("f", text, &options, err, sizeof(err)) &&
	    (!err[0] || strchr(err, '\n') || strchr(err, '\033')))
		abort();
	free(text);
	return 0;
}
