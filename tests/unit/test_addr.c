/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses as text against RFC 5952, and prefixes: what is accepted, what is
 * refused, what they hold.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

/* The 16 bytes of either family, by libc. */
static void address(const char *text, uint8_t ret[16])
{
	memset(ret, 0, 16);
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, ret), 1);
		return;
	}
	memset(ret + 10, 0xff, 2);
	assert_int_equal(inet_pton(AF_INET, text, ret + 12), 1);
}

static void assert_format(const char *text, const char *want)
{
	char buf[SF_ADDR_STRLEN];
	uint8_t addr[16];

	address(text, addr);
	assert_ptr_equal(sf_addr_format(addr, buf), buf);
	assert_string_equal(buf, want);
}

static void rfc5952(void **state)
{
	(void)state;
	/* 4.1: no leading zeros */
	assert_format("2001:0db8::0001", "2001:db8::1");
	assert_format("2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001",
		      "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1");
	assert_format("0010:0100:1000:0001:0010:0100:1000:0001", "10:100:1000:1:10:100:1000:1");
	/* 4.2.1: as short as it can be */
	assert_format("2001:db8:0:0:0:0:2:1", "2001:db8::2:1");
	assert_format("0:0:0:0:0:0:0:0", "::");
	assert_format("0:0:0:0:0:0:0:1", "::1");
	assert_format("1:0:0:0:0:0:0:0", "1::");
	/* 4.2.2: not for one group */
	assert_format("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
	assert_format("0:1:1:1:1:1:1:1", "0:1:1:1:1:1:1:1");
	assert_format("1:1:1:1:1:1:1:0", "1:1:1:1:1:1:1:0");
	assert_format("0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1");
	/* 4.2.3: the longest, the first of equals */
	assert_format("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
	assert_format("2001:0:0:0:1:0:0:1", "2001::1:0:0:1");
	assert_format("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
	assert_format("0:0:1:0:0:1:0:0", "::1:0:0:1:0:0");
	assert_format("1:0:0:2:0:0:3:4", "1::2:0:0:3:4");
	assert_format("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::");
	assert_format("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8");
	/* 4.3: lower case */
	assert_format("FE80:ABCD:EF00:DEAD:BEEF:CAFE:BABE:FFFF",
		      "fe80:abcd:ef00:dead:beef:cafe:babe:ffff");
	/* what inet_ntop() would write with dots */
	assert_format("::1.2.3.4", "::102:304");
	assert_format("::ffff:0:1.2.3.4", "::ffff:0:102:304");
	assert_format("64:ff9b::1.2.3.4", "64:ff9b::102:304");
}

static void ipv4(void **state)
{
	char buf[SF_ADDR_STRLEN];
	uint8_t addr[16];

	(void)state;
	assert_format("0.0.0.0", "0.0.0.0");
	assert_format("1.20.99.100", "1.20.99.100");
	assert_format("255.255.255.255", "255.255.255.255");
	assert_format("::ffff:10.0.0.1", "10.0.0.1");

	/* one bit off the v4-mapped prefix is IPv6 */
	address("10.0.0.1", addr);
	assert_true(sf_addr_is_v4(addr));
	addr[9] = 1;
	assert_false(sf_addr_is_v4(addr));
	assert_string_equal(sf_addr_format(addr, buf), "::1:ffff:a00:1");
	addr[9] = 0;
	addr[11] = 0xfe;
	assert_false(sf_addr_is_v4(addr));
	assert_string_equal(sf_addr_format(addr, buf), "::fffe:a00:1");
	addr[11] = 0xff;
	addr[0] = 0x80;
	assert_false(sf_addr_is_v4(addr));
}

/* All 256 patterns of zero and non-zero groups come back through inet_pton(), in its length. */
static void every_pattern_of_zero_groups(void **state)
{
	unsigned int pattern, i;

	(void)state;
	for (pattern = 0; pattern < 256; pattern++) {
		char buf[SF_ADDR_STRLEN], libc[SF_ADDR_STRLEN];
		uint8_t addr[16] = { 0 }, back[16];

		for (i = 0; i < 8; i++)
			if (pattern & 1U << i)
				addr[2 * i] = (uint8_t)(0xa0 + i);
		sf_addr_format(addr, buf);
		assert_int_equal(inet_pton(AF_INET6, buf, back), 1);
		assert_memory_equal(addr, back, 16);
		inet_ntop(AF_INET6, addr, libc, sizeof(libc));
		if (!strchr(libc, '.'))
			assert_string_equal(buf, libc);
	}
}

static void any(void **state)
{
	static const char *const not_any[] = { "::1",	     "0.0.0.1",	  "1.0.0.0",  "8000::",
					       "::fffe:0:0", "::1:0:0:0", "127.0.0.1" };
	uint8_t addr[16];
	size_t i;

	(void)state;
	address("::", addr);
	assert_true(sf_addr_is_any(addr));
	assert_false(sf_addr_is_v4(addr));
	address("0.0.0.0", addr);
	assert_true(sf_addr_is_any(addr));
	for (i = 0; i < ARRAY_SIZE(not_any); i++) {
		address(not_any[i], addr);
		assert_false(sf_addr_is_any(addr));
	}
}

static void assert_endpoint(const char *text, uint16_t port, const char *want)
{
	char buf[SF_ENDPOINT_STRLEN];
	uint8_t addr[16];

	address(text, addr);
	assert_ptr_equal(sf_endpoint_format(addr, port, buf), buf);
	assert_string_equal(buf, want);
}

static void endpoints(void **state)
{
	(void)state;
	assert_endpoint("10.0.0.1", 80, "10.0.0.1:80");
	assert_endpoint("10.0.0.1", 0, "10.0.0.1:*");
	assert_endpoint("0.0.0.0", 65535, "0.0.0.0:65535");
	assert_endpoint("fe80::1", 80, "[fe80::1]:80");
	assert_endpoint("::", 0, "[::]:*");
	assert_endpoint("::ffff:1.2.3.4", 1, "1.2.3.4:1");
	/* the longest there is */
	assert_endpoint("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void assert_cidr(const char *text, const char *addr_text, unsigned int prefix_bits)
{
	struct sf_cidr cidr;
	uint8_t addr[16];

	memset(&cidr, 0xa5, sizeof(cidr));
	assert_int_equal(sf_cidr_parse(text, &cidr), 0);
	address(addr_text, addr);
	assert_memory_equal(cidr.addr, addr, 16);
	assert_int_equal(cidr.prefix_bits, prefix_bits);
	assert_true(sf_cidr_contains(&cidr, addr));
}

static void cidr_accepted(void **state)
{
	(void)state;
	assert_cidr("10.0.0.0/8", "10.0.0.0", 104);
	assert_cidr("10.1.2.3", "10.1.2.3", 128);
	assert_cidr("10.1.2.3/32", "10.1.2.3", 128);
	assert_cidr("0.0.0.0/0", "0.0.0.0", 96);
	assert_cidr("128.0.0.0/1", "128.0.0.0", 97);
	assert_cidr("10.1.2.2/31", "10.1.2.2", 127);
	assert_cidr("fe80::/10", "fe80::", 10);
	assert_cidr("2001:db8::1", "2001:db8::1", 128);
	assert_cidr("2001:DB8::/32", "2001:db8::", 32);
	assert_cidr("::/0", "::", 0);
	assert_cidr("::1/128", "::1", 128);
	assert_cidr("::ffff:10.0.0.0/104", "10.0.0.0", 104);
	assert_cidr("::ffff:0:0/96", "0.0.0.0", 96);
	assert_cidr("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128);
}

static void cidr_refused(void **state)
{
	/* clang-format off */
	static const char *const texts[] = {
		"",	      " ",	       "/",		"/8",		  "x",
		"localhost",  "10",	       "10/8",		"10.0.0/8",	  "10.0.0.0.0/8",
		"10.0.0.256", "10.0.0.00",     "010.0.0.0/8",	"0x0a.0.0.0/8",	  "10.0.0.0/",
		"10.0.0.0/33", "10.0.0.0/-1",  "10.0.0.0/+8",	"10.0.0.0/ 8",	  "10.0.0.0/8 ",
		"10.0.0.0/08", "10.0.0.0/008", "10.0.0.0/0x8",	"10.0.0.0/8/8",	  "10.0.0.0//8",
		"10.0.0.0/8x", "10.0.0.0/256", "10.0.0.0/4294967304",		  "0.0.0.0/00",
		"10.0.0.0/18446744073709551624", " 10.0.0.0/8",	"10.0.0.0 /8",	  "10.0.0.0/8\n",
		"10.0.0.0:80", "-10.0.0.0/8",  "10.0.0.0/255.0.0.0",		  "10.0.0.0%lo/8",
		"::/129",     "::/1280",       "::/-0",		":/0",		  ":::/0",
		"fe80::1%eth0", "fe80::%eth0/10", "[fe80::]/10", "[::1]",	  "fe80::1::2",
		"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::",
		"::ffff:10.0.0.0/8", /* bits 104.. are beyond 8 */
		/* bits beyond the prefix */
		"10.0.0.1/8", "10.0.0.0/4",    "10.1.2.3/31",	"0.0.0.1/0",	  "128.0.0.0/0",
		"fe80::1/10", "fe80::/8",      "::1/0",		"8000::/0",	  "::1/127",
		/* characters next to the digits, which arithmetic alone would take for some */
		"0.0.0.0/:",  "::/:",          "::/1:",		"0.0.0.0/1/",	  "::/1.",
		/* longer than any address, the first by one */
		"1111111111111111111111111111111111111111111111",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/0",
		"1111111111111111111111111111111111111111111111111111111111111111",
	};
	/* clang-format on */
	struct sf_cidr cidr, before;
	size_t i;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		cidr = before;
		if (sf_cidr_parse(texts[i], &cidr) != -EINVAL)
			fail_msg("\"%s\" was not refused", texts[i]);
		assert_memory_equal(&cidr, &before, sizeof(cidr));
	}
}

static bool holds(const char *cidr_text, const char *addr_text)
{
	struct sf_cidr cidr;
	uint8_t addr[16];

	assert_int_equal(sf_cidr_parse(cidr_text, &cidr), 0);
	address(addr_text, addr);
	return sf_cidr_contains(&cidr, addr);
}

static void cidr_contains(void **state)
{
	(void)state;
	assert_true(holds("10.0.0.0/8", "10.255.255.255"));
	assert_false(holds("10.0.0.0/8", "11.0.0.0"));
	assert_false(holds("10.0.0.0/8", "9.255.255.255"));
	assert_true(holds("172.16.0.0/12", "172.31.255.255"));
	assert_false(holds("172.16.0.0/12", "172.32.0.0"));
	assert_false(holds("172.16.0.0/12", "172.15.255.255"));
	assert_true(holds("10.1.2.2/31", "10.1.2.3"));
	assert_false(holds("10.1.2.3", "10.1.2.2"));
	assert_true(holds("0.0.0.0/0", "255.255.255.255"));
	assert_false(holds("0.0.0.0/0", "::1"));
	assert_true(holds("::/0", "fe80::1"));
	assert_true(holds("::/0", "10.0.0.1"));
	assert_true(holds("fe80::/10", "febf::1"));
	assert_false(holds("fe80::/10", "fec0::1"));
	assert_false(holds("fe80::/10", "10.0.0.1"));
	assert_true(holds("::1", "::1"));
	assert_false(holds("::1", "::"));
	assert_true(holds("8000::/1", "ffff::"));
	assert_false(holds("8000::/1", "7fff::"));
}

/* Each prefix length holds the address with any later bit flipped and none with an earlier one. */
static void cidr_contains_every_bit(void **state)
{
	struct sf_cidr cidr = { 0 };
	unsigned int bits, flipped;

	(void)state;
	for (bits = 0; bits <= 128; bits++) {
		cidr.prefix_bits = (uint8_t)bits;
		for (flipped = 0; flipped < 128; flipped++) {
			uint8_t addr[16] = { 0 };

			addr[flipped / 8] = (uint8_t)(0x80 >> flipped % 8);
			if (sf_cidr_contains(&cidr, addr) != (flipped >= bits))
				fail_msg("/%u, bit %u", bits, flipped);
		}
	}
	/* no such prefix: holds nothing, reads nothing beyond */
	for (bits = 129; bits < 256; bits++) {
		static const uint8_t addr[16];

		cidr.prefix_bits = (uint8_t)bits;
		assert_false(sf_cidr_contains(&cidr, addr));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5952),
		cmocka_unit_test(ipv4),
		cmocka_unit_test(every_pattern_of_zero_groups),
		cmocka_unit_test(any),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(cidr_accepted),
		cmocka_unit_test(cidr_refused),
		cmocka_unit_test(cidr_contains),
		cmocka_unit_test(cidr_contains_every_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
