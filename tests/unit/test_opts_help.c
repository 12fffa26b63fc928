/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of --help: exact text of a small table, wrapping, and a sweep over
 * widths and word lengths in which no line may pass 80 columns.
 */
#include "base/opts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

static const char *const outputs[] = { "table", "wide", "json", "csv", NULL };

static const struct sf_opt table[] = {
	{ 'q', "quiet", SF_OPT_FLAG, .help = "errors only", .group = "Messages" },
	{ 'v', "verbose", SF_OPT_COUNT, .help = "say more; twice for even more" },
	{ 'p', "pid", SF_OPT_U64, "PID", .help = "only this process", .group = "Filter" },
	{ 'c', "comm", SF_OPT_STRING, "NAME", .help = "only processes of this name" },
	{ 0, "min-age", SF_OPT_DURATION, "TIME", .help = "only if it is that old" },
	{ 'o', "output", SF_OPT_ENUM, "FORMAT", .choices = outputs, .help = "how to show it",
	  .group = "Output" },
	{ 0, "ring", SF_OPT_SIZE, "SIZE", .help = "buffer" },
	{ 0, "secret", SF_OPT_FLAG, .help = NULL },
	{ '4', "ipv4", SF_OPT_CALL, .help = "IPv4 only" },
	SF_OPT_END,
};

/* The help text; to be freed. */
static char *help_of(const struct sf_opt *rows)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	sf_opts_print_help(rows, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* No line over 80 columns, none that ends in a space, and a newline at the end. */
static void assert_layout(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > 80 || (len > 0 && text[len - 1] == ' ') || text[len] != '\n')
			fail_msg("%zu columns: \"%.*s\"", len, (int)len, text);
		text += len + 1;
	}
}

static void help(void **state)
{
	_cleanup_(sf_freep) char *text = help_of(table);

	(void)state;
	assert_layout(text);
	assert_string_equal(text, "Messages:\n"
				  "  -q, --quiet          errors only\n"
				  "  -v, --verbose        say more; twice for even more\n"
				  "\n"
				  "Filter:\n"
				  "  -p, --pid PID        only this process\n"
				  "  -c, --comm NAME      only processes of this name\n"
				  "      --min-age TIME   only if it is that old\n"
				  "\n"
				  "Output:\n"
				  "  -o, --output FORMAT  how to show it (table, wide, json, csv)\n"
				  "      --ring SIZE      buffer\n"
				  "  -4, --ipv4           IPv4 only\n");
}

static void help_wraps(void **state)
{
	static const struct sf_opt rows[] = {
		{ 's', "short", SF_OPT_FLAG, .help = NULL, .group = "Hidden" },
		{ 'w', "wrapped", SF_OPT_STRING, "X",
		  .help = "these words fill the line up to column eighty and not one more than 80 "
			  "columns, then go on below" },
		{ 0, "a-long-name-of-an-option", SF_OPT_STRING, "WITH-ITS-ARGUMENT",
		  .help = "has its help below" },
		{ 0, "unbroken", SF_OPT_FLAG,
		  .help = "0123456789012345678901234567890123456789012345678901234567890123456789 "
			  "end",
		  .group = "Words" },
		{ 0, "newlines", SF_OPT_FLAG, .help = "are\nonly   spaces ", .group = "Words" },
		{ 0, "empty", SF_OPT_FLAG, .help = "" },
		SF_OPT_END,
	};
	_cleanup_(sf_freep) char *text = help_of(rows);

	(void)state;
	assert_layout(text);
	assert_string_equal(
		text,
		"Hidden:\n"
		"  -w, --wrapped X  these words fill the line up to column eighty and not one\n"
		"                   more than 80 columns, then go on below\n"
		"      --a-long-name-of-an-option WITH-ITS-ARGUMENT\n"
		"                   has its help below\n"
		"\n"
		"Words:\n"
		"      --unbroken   0123456789012345678901234567890123456789012345678901234567890\n"
		"                   123456789 end\n"
		"      --newlines   are only spaces\n"
		"      --empty\n");
}

/* Both texts without their spaces and newlines are the same. */
static void assert_same_words(const char *got, const char *want)
{
	for (;; got++, want++) {
		got += strspn(got, " \n");
		want += strspn(want, " \n");
		if (*got != *want)
			fail_msg("\"%.20s\" where \"%.20s\" should be", got, want);
		if (!*got)
			return;
	}
}

/* No line begins with a word for which the line before it had room. */
static void assert_lines_are_full(const char *text, bool is_label_alone)
{
	for (;;) {
		size_t len = strcspn(text, "\n"), indent;
		const char *next = text + len + 1;

		if (!*next)
			return;
		indent = strspn(next, " ");
		if (!is_label_alone && len + 1 + strcspn(next + indent, " \n") <= 80)
			fail_msg("had room: \"%.*s\"", (int)len, text);
		is_label_alone = false;
		text = next;
	}
}

/* Help texts of words of every length, at every width of the left column. */
static void help_fits_whatever_it_says(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
				      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	size_t name_len, word_len;

	(void)state;
	for (name_len = 1; name_len < 60; name_len++) {
		for (word_len = 1; word_len < 90; word_len++) {
			char name[64], words[512], want[1024];
			struct sf_opt rows[] = { { 'x', name, SF_OPT_ENUM, "A", .choices = outputs,
						   .help = words },
						 SF_OPT_END };
			_cleanup_(sf_freep) char *text = NULL;
			size_t used = 0;
			int label_len;

			snprintf(name, sizeof(name), "%.*s", (int)name_len, letters);
			while (used + word_len + 2 < 400)
				used += (size_t)snprintf(words + used, sizeof(words) - used,
							 "%.*s ", (int)word_len, letters);
			text = help_of(rows);
			label_len = snprintf(want, sizeof(want), "  -x, --%s A", name);
			assert_memory_equal(text, want, (size_t)label_len);
			snprintf(want, sizeof(want), "-x, --%s A %s (table, wide, json, csv)", name,
				 words);
			assert_same_words(text, want);
			assert_layout(text);
			assert_lines_are_full(text, label_len > 28);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help),
		cmocka_unit_test(help_wraps),
		cmocka_unit_test(help_fits_whatever_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
