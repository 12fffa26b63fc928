// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of JSON read again: members, escapes, severity; whatever is cut off or wrong is an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>

#include "base/json.h"
#include "sink/line.h"

static const char *text_of(const char *line, const char *key)
{
	static char text[256];
	struct sf_member member;
	size_t len;

	if (!sf_line_find(line, strlen(line), key, &member))
		return NULL;
	len = sf_line_text(&member, text, sizeof(text) - 1);
	text[len] = '\0';
	return text;
}

static void test_members(void **state)
{
	static const char line[] =
		"{\"a\":1,\"b\":\"x,}\\\"y\",\"c\":{\"d\":[1,\"}\",2]},\"e\":true,"
		"\"f\":[],\"d\":\"\"}";

	(void)state;
	assert_string_equal(text_of(line, "a"), "1");
	assert_string_equal(text_of(line, "b"), "x,}\"y");
	assert_string_equal(text_of(line, "c"), "{\"d\":[1,\"}\",2]}");
	assert_string_equal(text_of(line, "e"), "true");
	assert_string_equal(text_of(line, "f"), "[]");
	assert_string_equal(text_of(line, "d"), ""); /* its own, not c's */
	assert_null(text_of(line, "g"));
	assert_null(text_of("{}", "a"));
	assert_null(text_of("", "a"));
}

/* Found by fuzzing: the comparison went on behind the name that it looked for. */
static void test_nul_in_key(void **state)
{
	static const char line[] = "{\"event_name\0 and more than that\":\"tcp.failed\",\"b\":1}";
	struct sf_member member;

	(void)state;
	assert_false(sf_line_find(line, sizeof(line) - 1, "event_name", &member));
	assert_true(sf_line_find(line, sizeof(line) - 1, "b", &member));
	assert_int_equal(sf_line_severity(line, sizeof(line) - 1), 6);
}

/* What our writer escapes comes back as it was. */
static void test_escapes(void **state)
{
	static const char nasty[] =
		"\x01 \x1b[2J \" \\ / \n\t\x7f \xc2\x9b \xe2\x80\xae \xf0\x9f\x98\x80 e";
	char buf[512], few[3];
	struct sf_member member;
	struct sf_json j;

	(void)state;
	sf_json_init(&j, buf, sizeof(buf) - 1);
	sf_json_object_begin(&j, NULL);
	sf_json_str(&j, "name", nasty);
	sf_json_object_end(&j);
	buf[j.len] = '\0';
	assert_string_equal(text_of(buf, "name"), nasty);
	/* cut between characters, never inside one */
	assert_true(sf_line_find("{\"a\":\"x\\u20ac\"}", 15, "a", &member));
	assert_int_equal(sf_line_text(&member, few, sizeof(few)), 1);
}

static void test_cut_off(void **state)
{
	static const char line[] = "{\"a\":\"b\\u00e4\\\\\",\"c\":{\"d\":[1]},\"e\":12}";
	struct sf_member member;

	(void)state;
	for (size_t len = 0; len < sizeof(line); len++) {
		size_t at = 0, nr = 0;

		while (sf_line_next(line, len, &at, &member)) {
			char text[64];

			assert_true(member.value + member.value_len <= line + len);
			sf_line_text(&member, text, sizeof(text));
			nr++;
		}
		assert_true(nr <= 3);
	}
}

static void test_elements(void **state)
{
	static const char array[] = "[1,\"a,]\",{\"b\":[2]},[3]]";
	static const char *const want[] = { "1", "a,]", "{\"b\":[2]}", "[3]" };
	struct sf_member element;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(sf_line_element(array, strlen(array), &at, &element));
		assert_int_equal(element.value_len, strlen(want[i]));
		assert_memory_equal(element.value, want[i], element.value_len);
		assert_int_equal(element.is_string, i == 1);
	}
	assert_false(sf_line_element(array, strlen(array), &at, &element));
	at = 0;
	assert_false(sf_line_element("[]", 2, &at, &element));
	for (size_t len = 0; len < strlen(array); len++) {
		size_t nr = 0;

		for (at = 0; sf_line_element(array, len, &at, &element); nr++)
			assert_true(element.value + element.value_len < array + len);
		assert_true(nr < 4);
	}
}

static int severity(const char *line)
{
	return sf_line_severity(line, strlen(line));
}

static void test_severity(void **state)
{
	(void)state;
	assert_int_equal(severity("{\"event_name\":\"tcp.close\",\"close_reason\":\"fin\"}"), 6);
	assert_int_equal(severity("{\"event_name\":\"tcp.close\"}"), 6);
	assert_int_equal(severity("{\"event_name\":\"tcp.close\",\"close_reason\":\"reset\"}"), 4);
	assert_int_equal(severity("{\"event_name\":\"tcp.failed\"}"), 4);
	assert_int_equal(severity("{\"event_name\":\"tcp.stuck\"}"), 4);
	assert_int_equal(severity("{\"event_name\":\"synfin.stats\",\"events_lost\":0}"), 6);
	assert_int_equal(severity("{\"event_name\":\"synfin.stats\",\"events_lost\":10}"), 4);
	assert_int_equal(severity("not JSON"), 6);
}

static void test_message(void **state)
{
	static const char line[] = "{\"event_name\":\"tcp.close\",\"role\":\"client\","
				   "\"network_local_address\":\"10.0.0.1\",\"process_pid\":42,"
				   "\"process_executable_name\":\"a\\u001bb\","
				   "\"close_reason\":\"fin\"}";
	static const char want[] = "tcp.close client 10.0.0.1, process a\x1b"
				   "b pid 42: fin";
	char buf[128];

	(void)state;
	assert_int_equal(sf_line_message(line, strlen(line), buf, sizeof(buf)), strlen(want));
	assert_memory_equal(buf, want, strlen(want));
	for (size_t size = 0; size < strlen(want); size++) {
		size_t len = sf_line_message(line, strlen(line), buf, size);

		assert_true(len <= size);
		assert_memory_equal(buf, want, len);
	}
	assert_int_equal(sf_line_message("{}", 2, buf, sizeof(buf)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),	   cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cut_off),	   cmocka_unit_test(test_severity),
		cmocka_unit_test(test_message),	   cmocka_unit_test(test_elements),
		cmocka_unit_test(test_nul_in_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
