/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-1 against the examples of FIPS 180 and lengths round its block size;
 * Community ID against the values the specification publishes.
 */
#include "base/community_id.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha1.h"
#include "base/util.h"

static void assert_sha1(const void *data, size_t len, const char *want)
{
	uint8_t digest[SF_SHA1_SIZE];
	char hex[2 * SF_SHA1_SIZE + 1];
	size_t i;

	sf_sha1(data, len, digest);
	for (i = 0; i < SF_SHA1_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, want);
}

static void sha1_fips_180(void **state)
{
	_cleanup_(sf_freep) char *million = malloc(1000000);

	(void)state;
	assert_non_null(million);
	memset(million, 'a', 1000000);
	assert_sha1("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		    "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	assert_sha1("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
		    "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		    112, "a49b2446a02c645bf419f995b67091253a04a259");
	assert_sha1(million, 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	assert_sha1("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	assert_sha1(NULL, 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

/* Where the padding goes from one block to two; the values are Python's hashlib. */
static void sha1_round_the_block_size(void **state)
{
	static const struct {
		size_t len;
		const char *want;
	} rows[] = {
		{ 1, "bf8b4530d8d246dd74ac53a13471bba17941dff7" },
		{ 16, "757b7cfd49a4e560551ce4c6e8ea4b37a16f2da8" },
		{ 40, "2b5272176c948fbf09d083f8d7848afd569c4a7d" },
		{ 54, "bf6a9972649b933708e24592f9cc56c76e01ee27" },
		{ 55, "04bb34aef4880b625e6b1564a014abd25fc02bfe" },
		{ 56, "83b9fcb6d3e3b20f376ab989a1b6353bcc6c0f44" },
		{ 57, "2a1102af8a806e1fe19c618ee2b4721b38d5c797" },
		{ 63, "ab15090e8dbe512f3733350f9623ab11f9b5165b" },
		{ 64, "54305ee7e4c7bc5a96afc6d1994fc52d9bcb665f" },
		{ 65, "5985422a25357371ebd2a7f6ecd7eebed43db42c" },
		{ 119, "6839d6c27f22ed884ac43ae6bd3bfcee9e04b938" },
		{ 120, "8c40517a14ab8b78fd4b8958f4e31254a34c3fb0" },
		{ 127, "776f9728c5649329e5db4bb60a25ea903925a112" },
		{ 128, "22485dc0d1e1d6e9e93e4a2a4667b8e979456379" },
		{ 129, "ee30885ff6af88e805c4b2f54fe0a205a09bf2cc" },
		{ 1000, "f50d11c8ae2b20fe2598e99a6a2cb859e302615c" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(sf_freep) uint8_t *data = malloc(rows[i].len);
		size_t at;

		assert_non_null(data);
		for (at = 0; at < rows[i].len; at++)
			data[at] = (uint8_t)(at * 7 + 1);
		assert_sha1(data, rows[i].len, rows[i].want);
	}
}

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

/* From a to b and back. */
static void assert_id(const char *a_text, uint16_t a_port, const char *b_text, uint16_t b_port,
		      const char *want)
{
	char buf[SF_COMMUNITY_ID_STRLEN];
	uint8_t a[16], b[16];

	address(a_text, a);
	address(b_text, b);
	assert_ptr_equal(sf_community_id_tcp(NULL, a, a_port, b, b_port, buf), buf);
	assert_string_equal(buf, want);
	assert_string_equal(sf_community_id_tcp(NULL, b, b_port, a, a_port, buf), want);
	assert_int_equal(strlen(buf), SF_COMMUNITY_ID_STRLEN - 1);
}

/* TCP in the baseline data of the specification, corelight/community-id-spec b1fe530. */
static void specification(void **state)
{
	(void)state;
	assert_id("1.2.3.4", 1122, "5.6.7.8", 3344, "1:wCb3OG7yAFWelaUydu0D+125CLM=");
	assert_id("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	assert_id("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943, "2607:f8b0:400c:c03::1a", 25,
		  "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=");
	/* IPv4 of an AF_INET6 socket is on the wire as IPv4 */
	assert_id("::ffff:128.232.110.120", 34855, "::ffff:66.35.250.204", 80,
		  "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
}

/* What the published data leaves out; the specification's formula in Python's hashlib. */
static void edges(void **state)
{
	(void)state;
	/* the ports decide between equal addresses, as numbers and not as bytes of this host */
	assert_id("127.0.0.1", 40000, "127.0.0.1", 80, "1:5rFr+y3i0wpQbEhThSaj08U8BaE=");
	assert_id("127.0.0.1", 256, "127.0.0.1", 255, "1:k9dyaUB53fS5TVWqB0UQnRgX9r8=");
	assert_id("::1", 1, "::1", 65535, "1:9q2IaTXPFzPl7cES6jIKA1AMwbM=");
	/* a connection to itself: nothing to order */
	assert_id("127.0.0.1", 5000, "127.0.0.1", 5000, "1:HQ0V2XpeqSjc0gzg9OX9D2Y+0Tg=");
	/* addresses compare as unsigned bytes, first byte first */
	assert_id("10.0.0.255", 1, "10.0.1.0", 2, "1:21B1KO3H+ECe4jXBtktxXzd53P4=");
	assert_id("127.255.255.255", 9, "128.0.0.0", 1, "1:AmfZglYLkaS1GAqOySB5I2HyrIA=");
	assert_id("fe80::1", 443, "2001:db8::1", 50000, "1:t+DvB1y6yKiSmG0NvAFTK6SXeKU=");
	/* the lowest and the highest */
	assert_id("0.0.0.0", 0, "255.255.255.255", 65535, "1:LdN0oTsWjz5qVMMtMj5zPyV/TiU=");
	assert_id("::", 0, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
		  "1:ZscV1yHEaCYueA3Xmi7IRKGGuv8=");
	/* from the text of the specification */
	assert_id("10.0.0.1", 1234, "127.0.0.1", 80, "1:F/BCgQTUT/FXrTnSBgdsKwJ26iE=");
	/* two families are on no wire; both are hashed as 16 bytes then */
	assert_id("10.0.0.1", 1, "2001:db8::1", 2, "1:lHhwaDE/ss6lBLPfjCMYh+vB9M0=");
}

/* More connections than there are places, over and over: remembered or not, the same. */
static void remembered(void **state)
{
	static struct sf_community_ids ids;
	char want[SF_COMMUNITY_ID_STRLEN], got[SF_COMMUNITY_ID_STRLEN];
	uint8_t a[16], b[16];
	uint16_t port = 0;

	(void)state;
	address("10.0.0.1", a);
	for (unsigned int i = 0; i < 4 * SF_COMMUNITY_IDS; i++) {
		port = (uint16_t)(1024 + i % (SF_COMMUNITY_IDS + 9));
		address(i % 3 ? "10.0.0.2" : "2001:db8::2", b);
		sf_community_id_tcp(NULL, a, port, b, 80, want);
		assert_ptr_equal(sf_community_id_tcp(&ids, a, port, b, 80, got), got);
		assert_string_equal(got, want);
		assert_string_equal(sf_community_id_tcp(&ids, b, 80, a, port, got), want);
	}
	/* and it is looked at: what stands there is what is told */
	for (unsigned int i = 0; i < SF_COMMUNITY_IDS; i++)
		ids.made[i].text[2] = '!';
	want[2] = '!';
	assert_string_equal(sf_community_id_tcp(&ids, b, 80, a, port, got), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_fips_180), cmocka_unit_test(sha1_round_the_block_size),
		cmocka_unit_test(specification), cmocka_unit_test(edges),
		cmocka_unit_test(remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
