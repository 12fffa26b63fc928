// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses of sinks: numeric ones with a port, paths of sockets; all else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "sink/address.h"

static void test_tcp(void **state)
{
	struct sf_sink_address address;
	const uint8_t loopback[16] = { [15] = 1 };

	(void)state;
	assert_int_equal(sf_sink_address_tcp("10.0.0.1:514", &address), 0);
	assert_int_equal(address.len, sizeof(struct sockaddr_in));
	assert_int_equal(address.in.sin_family, AF_INET);
	assert_int_equal(address.in.sin_port, htons(514));
	assert_int_equal(address.in.sin_addr.s_addr, htonl(0x0a000001));
	assert_false(sf_sink_address_is_unix(&address));
	assert_int_equal(sf_sink_address_tcp("[::1]:65535", &address), 0);
	assert_int_equal(address.len, sizeof(struct sockaddr_in6));
	assert_int_equal(address.in6.sin6_family, AF_INET6);
	assert_int_equal(address.in6.sin6_port, htons(65535));
	assert_memory_equal(&address.in6.sin6_addr, loopback, 16);
}

static void test_unix(void **state)
{
	struct sf_sink_address address;
	char longest[sizeof(address.un.sun_path) + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(sf_sink_address_unix(longest, &address), -EINVAL);
	longest[sizeof(longest) - 2] = '\0';
	assert_int_equal(sf_sink_address_unix(longest, &address), 0);
	assert_string_equal(address.un.sun_path, longest);
	assert_true(sf_sink_address_is_unix(&address));
	assert_int_equal(sf_sink_address_unix("", &address), -EINVAL);
}

/* What was there before stays. */
static void test_wrong(void **state)
{
	static const char *const wrong[] = {
		"",
		":",
		":80",
		"80",
		"10.0.0.1",
		"10.0.0.1:",
		"host:80",
		"10.0.0.1:0",
		"10.0.0:80",
		"10.0.0.1:65536",
		"10.0.0.1:-1",
		"10.0.0.1:80x",
		"::1:80",
		"[::1]",
		"[::1]:",
		"[::1:80",
		"[10.0.0.1]:80",
		"[]:80",
		"[:80",
		"10.0.0.1 :80",
		" 10.0.0.1:80",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80",
	};
	struct sf_sink_address address, before;

	(void)state;
	memset(&address, 0x5a, sizeof(address));
	before = address;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(sf_sink_address_tcp(wrong[i], &address), -EINVAL);
		assert_memory_equal(&address, &before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
