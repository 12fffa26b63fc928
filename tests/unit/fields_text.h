/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event as JSON text, and what stands in it. Include cmocka.h first. */
#ifndef SF_TEST_FIELDS_TEXT_H
#define SF_TEST_FIELDS_TEXT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "view/fields.h"

#include "view_stories.h"

/* The line of an event without host and number. */
static inline const char *json_of(const struct sf_event *event)
{
	static char text[SF_JSON_LINE_MAX + 1];
	struct sf_line line = { .event = event, .realtime_offset_ns = OFFSET };
	struct sf_json json;

	sf_json_init(&json, text, SF_JSON_LINE_MAX);
	sf_fields_event(&json, &line);
	assert_false(json.overflow);
	text[json.len] = '\0';
	return text;
}

/* "name":value stands in the line. */
static inline bool has(const struct sf_event *event, const char *member)
{
	const char *found = strstr(json_of(event), member);

	return found && strchr(",}", found[strlen(member)]) && strchr(",{", found[-1]);
}

/* A field of this name stands in the line, whatever its value. */
static inline bool has_field(const struct sf_event *event, const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":", name);
	return strstr(json_of(event), key);
}

#endif
