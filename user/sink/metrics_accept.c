// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Accept header of a scraper, read as RFC 9110 12.5.1 has it: ranges apart
 * by commas, each with parameters behind semicolons, q its weight from 0 to 1.
 * Whatever is odd in it only makes us answer in the plainer format.
 */
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "sink/metrics.h"

#define WEIGHT_MAX 1000

struct word {
	const char *text;
	size_t len;
};

/* What stands at *at up to one of the ends, without white space round it; *at is moved there. */
static struct word take_word(const char **at, const char *ends)
{
	struct word word;

	*at += strspn(*at, " \t");
	word = (struct word){ *at, strcspn(*at, ends) };
	*at += word.len;
	while (word.len && strchr(" \t", word.text[word.len - 1]))
		word.len--;
	return word;
}

static bool is(struct word word, const char *text)
{
	return word.len == strlen(text) && !strncasecmp(word.text, text, word.len);
}

/* "0.75": thousandths; -1: it is no weight. */
static int weight_of(struct word word)
{
	int weight = 0, digit = 100;

	if (!word.len || word.len > 5 || (word.text[0] != '0' && word.text[0] != '1'))
		return -1;
	weight = (word.text[0] - '0') * WEIGHT_MAX;
	if (word.len > 1 && word.text[1] != '.')
		return -1;
	for (size_t i = 2; i < word.len; i++, digit /= 10) {
		if (word.text[i] < '0' || word.text[i] > '9')
			return -1;
		weight += (word.text[i] - '0') * digit;
	}
	return weight <= WEIGHT_MAX ? weight : -1;
}

/* Reads parameters up to the comma. False: it asks for a version that we do not write. */
static bool read_parameters(const char **at, const char *const *versions, int *weight)
{
	bool is_ours = true;

	while (**at == ';') {
		struct word name, value = { "", 0 };

		++*at;
		name = take_word(at, "=;,");
		if (**at == '=') {
			++*at;
			value = take_word(at, ";,");
		}
		if (is(name, "q"))
			*weight = weight_of(value);
		if (is(name, "version")) {
			bool is_known = false;

			for (size_t i = 0; versions[i]; i++)
				is_known |= is(value, versions[i]);
			is_ours &= is_known;
		}
	}
	return is_ours;
}

bool sf_metrics_wants_openmetrics(const char *accept)
{
	static const char *const open_versions[] = { "1.0.0", "0.0.1", NULL };
	static const char *const text_versions[] = { "0.0.4", NULL };
	int open = 0, text = 0;

	while (accept && *accept) {
		struct word type = take_word(&accept, ";,");
		bool is_open = is(type, "application/openmetrics-text");
		int weight = WEIGHT_MAX;
		int *best = is_open ? &open : is(type, "text/plain") ? &text : NULL;

		if (read_parameters(&accept, is_open ? open_versions : text_versions, &weight) &&
		    best && weight > *best)
			*best = weight;
		accept += *accept == ',';
	}
	return open > 0 && open >= text;
}
