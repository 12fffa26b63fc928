// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filter's parser: what it says to whatever is typed at it, and that
 * nothing typed at it gets past its bounds. What conditions mean is in
 * test_filter.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "filter/node.h"
#include "filter/parse.h"

#define ERR_SIZE 512

/* Speaks IPv4 to port 443; nothing else is known of it. */
static const struct sf_event event = {
	.time_ns = 1,
	.kind = SF_EV_CONNECT,
	.story = { .family = AF_INET, .peer_port = 443, .flags = SF_F_TUPLE_KNOWN },
};

/* One operand on the heap, no byte longer than itself: ASan watches its end. */
static int parse_text(struct sf_filter *filter, const char *text, size_t len, char *err)
{
	char *copy = strndup(text, len);
	unsigned int nr_before = filter->nr_nodes;
	int r;

	assert_non_null(copy);
	memset(err, 'x', ERR_SIZE);
	err[0] = '\0';
	r = sf_filter_parse(filter, 1, (const char *const[]){ copy }, err, ERR_SIZE);
	free(copy);
	if (!r) {
		assert_int_equal(err[0], '\0');
		return 0;
	}
	assert_true(r == -EINVAL || r == -E2BIG);
	assert_int_equal(filter->nr_nodes, nr_before);
	assert_true(!strncmp(err, "at character ", 13) || !strncmp(err, "at the end: ", 12));
	assert_true(strlen(err) < ERR_SIZE - 1);
	for (const char *c = err; *c; c++)
		assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
	return r;
}

static void test_operands_are_joined(void **state)
{
	static const char *const split[] = { "ip", "and", "(ip6", "or", "port", "443)" };
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	char err[ERR_SIZE] = "";

	(void)state;
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(sf_filter_parse(filter, 0, NULL, err, sizeof(err)), 0);
	assert_int_equal(filter->nr_nodes, 0);
	assert_int_equal(sf_filter_parse(filter, ARRAY_SIZE(split), split, err, sizeof(err)), 0);
	assert_true(sf_filter_match(filter, &event, 0));
	assert_int_equal(sf_filter_parse(filter, ARRAY_SIZE(split) - 1, split, err, sizeof(err)),
			 -EINVAL);
	assert_string_equal(err, "at the end: 'port' wants a number from 1 to 65535, as in "
				 "'port 443'");
	assert_true(sf_filter_match(filter, &event, 0));
}

static void test_errors_say_what_and_where(void **state)
{
	static const struct {
		const char *text, *where, *what;
	} wrong[] = {
		{ "prot 80", "at character 1:", "'prot' is not a condition" },
		{ "ip and xyz", "at character 8:", "'xyz' is not a condition" },
		{ "port", "at the end:", "'port' wants a number from 1 to 65535" },
		{ "port http", "at character 6:", "'http' does not fit 'port'" },
		{ "port 0", "at character 6:", "from 1 to 65535" },
		{ "port 65536", "at character 6:", "from 1 to 65535" },
		{ "port -1", "at character 6:", "'-1' does not fit" },
		{ "port 99999999999999999999999", "at character 6:", "from 1 to 65535" },
		{ "port = 80", "at character 6:", "no '='" },
		{ "port != 80", "at character 6:", "write 'not' in front" },
		{ "port (80)", "at character 6:", "'port' wants" },
		{ "pid 0", "at character 5:", "from 1 to 4194304" },
		{ "port 80 port 81", "at character 9:", "join the two with 'and' or 'or'" },
		{ "comm my prog", "at character 9:", "quotes" },
		{ "comm ''", "at character 6:", "1 to 15 bytes" },
		{ "comm sixteen-bytes-ab", "at character 6:", "1 to 15 bytes" },
		{ "comm 'abc", "at character 6:", "not closed" },
		{ "'abc'", "at character 1:", "not a condition" },
		{ "host example.com", "at character 6:", "names are not looked up" },
		{ "host 10.0.0.1/8", "at character 6:", "bits behind the prefix must be 0" },
		{ "role clients", "at character 6:", "client, server, both, listener or unknown" },
		{ "state open", "at character 7:", "established, syn_sent" },
		{ "handshake 10ms", "at character 11:", "one of > >= < <=" },
		{ "handshake = 10ms", "at character 11:", "one of > >= < <=" },
		{ "age > fast", "at character 7:", "'fast' does not fit 'age'" },
		{ "age > -1s", "at character 7:", "does not fit" },
		{ "age >", "at the end:", "'age' wants" },
		{ "(ip", "at the end:", "the '(' at character 1" },
		{ "(ip ip6)", "at character 5:", "the '(' at character 1" },
		{ "ip)", "at character 3:", "this ')' has no '('" },
		{ "()", "at character 2:", "a condition is missing here" },
		{ "ip and", "at the end:", "a condition is missing here" },
		{ "and ip", "at character 1:", "a condition is missing here" },
		{ "ip or or ip", "at character 7:", "a condition is missing here" },
		{ "not", "at the end:", "a condition is missing here" },
		{ "ip & ip6", "at character 4:", "write '&' twice" },
		{ "sport 80", "at character 1:", "lport" },
		{ "dst 10.0.0.1", "at character 1:", "host ADDR" },
		{ "port 1 and tcp", "at character 12:", "leave it out" },
	};
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	char err[ERR_SIZE];

	(void)state;
	assert_int_equal(sf_filter_new(&filter), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (!parse_text(filter, wrong[i].text, strlen(wrong[i].text), err))
			fail_msg("'%s' was taken", wrong[i].text);
		if (strncmp(err, wrong[i].where, strlen(wrong[i].where)) ||
		    !strstr(err, wrong[i].what))
			fail_msg("'%s': %s", wrong[i].text, err);
	}
	/* What was typed cannot break the terminal the message is shown on. */
	assert_int_equal(parse_text(filter, "\033[2J\x9b", 5, err), -EINVAL);
	assert_int_equal(parse_text(filter, "port \xe2\x80\xae\xff", 9, err), -EINVAL);
}

static void test_small_error_buffers(void **state)
{
	static const char *const text[] = { "nonsense (" };
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;

	(void)state;
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(sf_filter_parse(filter, 1, text, NULL, 0), -EINVAL);
	for (size_t size = 1; size < 300; size++) {
		char *err = malloc(size);

		assert_non_null(err);
		assert_int_equal(sf_filter_parse(filter, 1, text, err, size), -EINVAL);
		assert_true(strlen(err) < size);
		free(err);
	}
}

/* nr times open, then "ip", then nr times close. */
static int parse_nested(struct sf_filter *filter, const char *open, size_t nr, const char *close)
{
	char text[2 * SF_FILTER_TEXT_SIZE] = "", err[ERR_SIZE];
	size_t len = 0;

	for (size_t i = 0; i < nr; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", open);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "ip");
	for (size_t i = 0; i < nr; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", close);
	assert_true(len < sizeof(text));
	return parse_text(filter, text, len, err);
}

static void test_bounds(void **state)
{
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	char err[ERR_SIZE], text[SF_FILTER_TEXT_SIZE + 16];

	(void)state;
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(parse_nested(filter, "(", SF_FILTER_DEPTH_MAX, ")"), 0);
	assert_int_equal(parse_nested(filter, "(", SF_FILTER_DEPTH_MAX + 1, ")"), -E2BIG);
	assert_int_equal(parse_nested(filter, "(", 2000, ")"), -E2BIG);
	assert_int_equal(parse_nested(filter, "not (", SF_FILTER_DEPTH_MAX, ")"), 0);
	assert_int_equal(parse_nested(filter, "!", 4000, ""), 0);
	assert_int_equal(parse_nested(filter, "(", 16, ""), -EINVAL);
	sf_filter_freep(&filter);
	/* One after the other is not nested. */
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(parse_nested(filter, "(ip) and ", 20, ""), 0);
	assert_true(sf_filter_match(filter, &event, 0));
	sf_filter_freep(&filter);

	/* 32 conditions and 31 operators are 63 nodes; one more of each would be 65. */
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(parse_nested(filter, "ip or ", 31, ""), 0);
	assert_int_equal(filter->nr_nodes, 63);
	assert_int_equal(sf_filter_add_port(filter, 1), -E2BIG);
	assert_int_equal(filter->nr_nodes, 63);
	assert_int_equal(parse_nested(filter, "", 0, ""), -E2BIG);
	assert_true(sf_filter_match(filter, &event, 0));
	sf_filter_freep(&filter);
	assert_int_equal(sf_filter_new(&filter), 0);
	assert_int_equal(parse_nested(filter, "ip or ", 32, ""), -E2BIG);
	assert_int_equal(parse_nested(filter, "ip or ", 1300, ""), -E2BIG);
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(sf_filter_add_port(filter, 443), 0);
	assert_int_equal(sf_filter_add_port(filter, 443), -E2BIG);
	assert_true(sf_filter_match(filter, &event, 0));

	/* The text itself: 4095 bytes are read, 4096 are not. */
	memset(text, ' ', sizeof(text));
	assert_int_equal(parse_text(filter, text, SF_FILTER_TEXT_SIZE - 1, err), 0);
	assert_int_equal(parse_text(filter, text, SF_FILTER_TEXT_SIZE, err), -E2BIG);
	memset(text, 'a', sizeof(text));
	assert_int_equal(parse_text(filter, text, SF_FILTER_TEXT_SIZE - 1, err), -EINVAL);
	assert_int_equal(parse_text(filter, text, sizeof(text), err), -E2BIG);
	/* Cut after 63 digits it would be a port. */
	snprintf(text, sizeof(text), "port %063d9", 8);
	assert_int_equal(parse_text(filter, text, strlen(text), err), -EINVAL);
	memset(text, 'a', sizeof(text));
	memcpy(text, "host ", 5);
	assert_int_equal(parse_text(filter, text, SF_FILTER_TEXT_SIZE - 1, err), -EINVAL);
}

static const char *const valid[] = {
	"port 443 and not (host 10.0.0.0/8 or host fe80::1) && pid 4242",
	"comm 'my prog' || comm \"it's\" or role listener and state FIN-WAIT-1",
	"handshake >= 1.5s and age<2m or !(ip6||ephemeral) && netns 4026531840 and failed",
};

/* Every beginning of a valid expression is an error with a message, or valid. */
static void test_truncations(void **state)
{
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	char err[ERR_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
		for (size_t len = 0; len <= strlen(valid[i]); len++) {
			int r;

			assert_int_equal(sf_filter_new(&filter), 0);
			r = parse_text(filter, valid[i], len, err);
			if (len == strlen(valid[i]))
				assert_int_equal(r, 0);
			sf_filter_freep(&filter);
			filter = NULL;
		}
}

/* Tokens and bytes in any order; what parses must evaluate. ASan and UBSan watch. */
static void test_noise(void **state)
{
	static const char *const pieces[] = {
		"port ", "80 ",	    "host ",  "10.0.0.1", "(",	     ")",    "not ", "!",
		"and ",	 "&&",	    " or ",   "||",	  "'",	     "\"",   "age ", ">",
		">=",	 "10ms",    "comm ",  "a ",	  "ip ",     "\x80", "\t",   "\x01",
		"role ", "client ", "state ", "listen ",  "failed ", "=",    "&",    "|",
	};
	uint64_t seed = 0x2545f4914f6cdd1dULL;
	unsigned int nr_valid = 0;
	char err[ERR_SIZE];

	(void)state;
	for (int round = 0; round < 50000; round++) {
		_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
		char text[256] = "";
		size_t len = 0;

		for (int i = 0; i < 1 + round % 12; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s",
						pieces[seed % ARRAY_SIZE(pieces)]);
		}
		assert_int_equal(sf_filter_new(&filter), 0);
		if (parse_text(filter, text, len, err))
			continue;
		nr_valid++;
		(void)sf_filter_match(filter, &event, 0);
	}
	assert_true(nr_valid > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operands_are_joined),
		cmocka_unit_test(test_errors_say_what_and_where),
		cmocka_unit_test(test_small_error_buffers),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
