// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire format: bytes that protobuf.dev's "Encoding" gives as examples, the edges of lengths and
 * numbers, buffers of every size, and messages that are cut off or no messages at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>

#include "base/util.h"
#include "sink/protobuf.h"

static void assert_bytes(const struct sf_pb *pb, const char *want, size_t len)
{
	assert_false(pb->overflow);
	assert_int_equal(pb->len, len);
	assert_memory_equal(pb->buf, want, len);
}

#define ASSERT_BYTES(pb, text) assert_bytes(pb, text, sizeof(text) - 1)

static void test_examples(void **state)
{
	uint8_t buf[64];
	struct sf_pb pb = { .buf = buf, .size = sizeof(buf) };
	size_t begun;

	(void)state;
	sf_pb_varint(&pb, 1, 150);
	ASSERT_BYTES(&pb, "\x08\x96\x01");
	pb.len = 0;
	sf_pb_bytes(&pb, 2, "testing", 7);
	ASSERT_BYTES(&pb, "\x12\x07testing");
	pb.len = 0;
	begun = sf_pb_begin(&pb, 3);
	sf_pb_varint(&pb, 1, 150);
	sf_pb_end(&pb, begun);
	ASSERT_BYTES(&pb, "\x1a\x03\x08\x96\x01");
	pb.len = 0;
	sf_pb_fixed64(&pb, 11, 0x1122334455667788ULL);
	ASSERT_BYTES(&pb, "\x59\x88\x77\x66\x55\x44\x33\x22\x11");
	pb.len = 0;
	sf_pb_varint(&pb, 16, (uint64_t)-2); /* an int64 below 0 takes all ten */
	ASSERT_BYTES(&pb, "\x80\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	pb.len = 0;
	sf_pb_end(&pb, sf_pb_begin(&pb, 1));
	sf_pb_bytes(&pb, 1, NULL, 0);
	ASSERT_BYTES(&pb, "\x0a\x00\x0a\x00");
}

/* A length takes as many bytes as it must, whatever it was thought to take. */
static void test_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 129, 16383, 16384, 2097151, 2097152 };
	static uint8_t buf[2097152 + 64], text[2097152];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct sf_pb pb = { .buf = buf, .size = sizeof(buf) };
		size_t begun = sf_pb_begin(&pb, 5), at = 0;
		struct sf_pb_field field;
		char *room = sf_pb_room(&pb, lengths[i]);

		assert_non_null(room);
		memcpy(room, text, lengths[i]);
		pb.len += lengths[i];
		sf_pb_end(&pb, begun);
		sf_pb_varint(&pb, 6, 7); /* what follows stands behind it */
		assert_false(pb.overflow);
		assert_true(sf_pb_next(buf, pb.len, &at, &field));
		assert_int_equal(field.number, 5);
		assert_int_equal(field.type, SF_PB_LEN);
		assert_int_equal(field.len, lengths[i]);
		assert_memory_equal(field.bytes, text, field.len);
		assert_int_equal(at, 1 + lengths[i] +
					     (lengths[i] < 128	   ? 1 :
					      lengths[i] < 16384   ? 2 :
					      lengths[i] < 2097152 ? 3 :
								     4));
		assert_true(sf_pb_next(buf, pb.len, &at, &field));
		assert_int_equal(field.value, 7);
		assert_false(sf_pb_next(buf, pb.len, &at, &field));
	}
}

static void write_all(struct sf_pb *pb)
{
	char text[200] = "";
	size_t begun = sf_pb_begin(pb, 1);

	sf_pb_varint(pb, 1, UINT64_MAX);
	sf_pb_bytes(pb, 2, text, sizeof(text));
	sf_pb_fixed64(pb, 3, 1);
	sf_pb_end(pb, begun);
	sf_pb_varint(pb, 2, 0);
}

/* Of a buffer that is too small nothing beyond is touched, and it is said. */
static void test_overflow(void **state)
{
	uint8_t buf[300];
	struct sf_pb whole = { .buf = buf, .size = sizeof(buf) };
	size_t len;

	(void)state;
	write_all(&whole);
	assert_false(whole.overflow);
	len = whole.len;
	for (size_t size = 0; size <= len; size++) {
		struct sf_pb pb = { .buf = buf, .size = size };

		memset(buf, 0xee, sizeof(buf));
		write_all(&pb);
		assert_true(pb.overflow == (size < len));
		assert_true(pb.len <= size);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xee);
	}
}

static void test_reader(void **state)
{
	static const char message[] =
		"\x08\x96\x01\x12\x02hi\x19\x08\0\0\0\0\0\0\x80\x25\x01\0\0\x40"
		"\xfa\xff\xff\xff\x0f\0";
	struct sf_pb_field field;
	size_t at = 0, nr;

	(void)state;
	assert_true(sf_pb_next(message, sizeof(message) - 1, &at, &field));
	assert_true(field.number == 1 && field.type == SF_PB_VARINT && field.value == 150);
	assert_true(sf_pb_next(message, sizeof(message) - 1, &at, &field));
	assert_true(field.number == 2 && field.len == 2 && !memcmp(field.bytes, "hi", 2));
	assert_true(sf_pb_next(message, sizeof(message) - 1, &at, &field));
	assert_true(field.number == 3 && field.value == 0x8000000000000008ULL);
	assert_true(sf_pb_next(message, sizeof(message) - 1, &at, &field));
	assert_true(field.number == 4 && field.type == SF_PB_FIXED32 && field.value == 0x40000001);
	assert_true(sf_pb_next(message, sizeof(message) - 1, &at, &field));
	assert_true(field.number == 536870911 && field.type == SF_PB_LEN && field.len == 0);
	assert_false(sf_pb_next(message, sizeof(message) - 1, &at, &field));
	/* cut off anywhere it ends, inside the message */
	for (size_t len = 0; len < sizeof(message) - 1; len++) {
		for (at = 0, nr = 0; sf_pb_next(message, len, &at, &field); nr++)
			assert_true(at <= len);
		assert_true(nr < 5);
	}
}

static void test_rubbish(void **state)
{
	static const char *const wrong[] = {
		"\x0b",						    /* a group */
		"\x0f\x01",					    /* no such type */
		"\x02\x01",					    /* field 0 */
		"\x0a\x05hey",					    /* longer than the message */
		"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",	    /* than memory */
		"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", /* 11 bytes */
		"<html>",
		"{\"partialSuccess\":{}}",
	};
	struct sf_pb_field field;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		size_t at = 0, nr = 0;

		while (sf_pb_next(wrong[i], strlen(wrong[i]), &at, &field))
			nr++;
		assert_true(nr <= strlen(wrong[i]) / 2);
	}
	for (size_t i = 0; i < 6; i++) {
		size_t at = 0;

		assert_false(sf_pb_next(wrong[i], strlen(wrong[i]), &at, &field));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_overflow), cmocka_unit_test(test_reader),
		cmocka_unit_test(test_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
