// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader refuses what is not a record, byte by byte, and numbers the rest.
 * Whatever passes it can be derived from and named without harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "bpf/story.h"
#include "story/names.h"
#include "story/reader.h"
#include "story/story.h"

static struct sf_event valid_event(void)
{
	struct sf_event event = { .time_ns = 1000, .kind = SF_EV_CLOSE };

	event.story.family = AF_INET;
	event.story.role = SF_ROLE_CLIENT;
	event.story.state = SF_TCP_CLOSE;
	return event;
}

static int check(const struct sf_event *event)
{
	const struct sf_event *ret = NULL;
	int r = sf_event_check(event, sizeof(*event), &ret);

	assert_ptr_equal(ret, r ? NULL : event);
	return r;
}

static void test_sizes(void **state)
{
	struct sf_event events[2] = { valid_event(), valid_event() };
	const struct sf_event *ret = NULL;

	(void)state;
	assert_int_equal(sf_event_check(events, sizeof(events[0]), &ret), 0);
	assert_ptr_equal(ret, events);
	ret = NULL;
	for (size_t size = 0; size <= sizeof(events); size++)
		if (size != sizeof(events[0]))
			assert_int_equal(sf_event_check(events, size, &ret), -EBADMSG);
	assert_int_equal(sf_event_check(events, SIZE_MAX, &ret), -EBADMSG);
	assert_int_equal(sf_event_check(NULL, 0, &ret), -EBADMSG);
	assert_int_equal(sf_event_check((char *)events + 1, sizeof(events[0]), &ret), -EINVAL);
	assert_int_equal(sf_event_check((char *)events + 4, sizeof(events[0]), &ret), -EINVAL);
	assert_null(ret);
}

/* A record cut short by its size must not be read past its end: ASan watches. */
static void test_short_record_is_not_read(void **state)
{
	const struct sf_event *ret = NULL;

	(void)state;
	for (size_t size = 1; size < sizeof(struct sf_event); size += 7) {
		void *bytes = calloc(1, size);

		assert_non_null(bytes);
		assert_int_equal(sf_event_check(bytes, size, &ret), -EBADMSG);
		free(bytes);
	}
	assert_null(ret);
}

/* Every one-byte field with its limit: all values below it pass, all others do not. */
static void test_ranges(void **state)
{
	static const struct {
		size_t offset;
		unsigned int nr;
	} fields[] = {
		{ offsetof(struct sf_event, kind), SF_EV_NR },
		{ offsetof(struct sf_event, state_prev), SF_TCP_NR },
		{ offsetof(struct sf_event, story.role), SF_ROLE_NR },
		{ offsetof(struct sf_event, story.role_source), SF_ROLE_SRC_NR },
		{ offsetof(struct sf_event, story.state), SF_TCP_NR },
		{ offsetof(struct sf_event, story.cause), SF_CAUSE_NR },
		{ offsetof(struct sf_event, story.closed_by), SF_SIDE_NR },
		{ offsetof(struct sf_event, story.rst_sender), SF_SIDE_NR },
		{ offsetof(struct sf_event, story.rst_state), SF_TCP_NR },
		{ offsetof(struct sf_event, story.owner.source), SF_OWNER_SRC_NR },
		{ offsetof(struct sf_event, story.closer.source), SF_OWNER_SRC_NR },
		{ offsetof(struct sf_event, pad[0]), 1 },
		{ offsetof(struct sf_event, pad[5]), 1 },
		{ offsetof(struct sf_event, story.owner.pad[0]), 1 },
		{ offsetof(struct sf_event, story.closer.pad[2]), 1 },
		/* A later kernel's reason is a number without a name, not a fault. */
		{ offsetof(struct sf_event, story.rst_reason), 256 },
	};

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(fields); f++)
		for (unsigned int value = 0; value < 256; value++) {
			struct sf_event event = valid_event();

			((uint8_t *)&event)[fields[f].offset] = (uint8_t)value;
			assert_int_equal(check(&event), value < fields[f].nr ? 0 : -EBADMSG);
		}
}

static void test_wider_ranges(void **state)
{
	struct sf_event event = valid_event();

	(void)state;
	for (unsigned int family = 0; family <= UINT16_MAX; family++) {
		event.story.family = (uint16_t)family;
		assert_int_equal(check(&event),
				 family == AF_INET || family == AF_INET6 ? 0 : -EBADMSG);
	}
	event = valid_event();
	event.story.err = 4095;
	assert_int_equal(check(&event), 0);
	event.story.err = 4096;
	assert_int_equal(check(&event), -EBADMSG);
	event = valid_event();
	event.story.steps_derived = (1ULL << SF_STEP_NR) - 1;
	assert_int_equal(check(&event), 0);
	event.story.steps_derived = 1ULL << SF_STEP_NR;
	assert_int_equal(check(&event), -EBADMSG);
	event = valid_event();
	event.time_ns = 0;
	assert_int_equal(check(&event), -EBADMSG);
}

/* Whatever passes has names or none; whatever is derived from it does not crash. UBSan watches. */
static void derive_all(const struct sf_event *event)
{
	const struct sf_story *s = &event->story;
	struct sf_endpoint end;
	char buf[SF_ERRNO_STRLEN];
	uint64_t ns;
	uint16_t port;
	bool flag;
	int family;

	(void)sf_errno_name(s->err, buf);
	(void)sf_rst_reason_name(s->rst_reason);
	(void)sf_story_client(s, &end);
	(void)sf_story_server(s, &end);
	(void)sf_story_service_port(s, &port);
	(void)sf_story_wire_family(s, &family);
	(void)sf_story_wire_id(s, &ns);
	(void)sf_story_handshake_ns(s, &ns, &flag);
	(void)sf_story_accept_wait_ns(s, &ns);
	(void)sf_story_duration_ns(s, &ns);
	(void)sf_story_age_ns(s, 12345, &ns, &flag);
	(void)sf_story_teardown_ns(s, &ns);
	(void)sf_story_half_close_ns(s, &ns);
	(void)sf_story_state_since_ns(s, &ns);
	for (unsigned int i = 0; i < 256; i++)
		(void)sf_story_state_ns(s, i, &ns);
}

static void test_random_bytes(void **state)
{
	uint64_t seed = 88172645463325252ULL;
	unsigned int nr_passed = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct sf_event event = valid_event();
		uint8_t *bytes = (uint8_t *)&event;
		const struct sf_event *ret;

		for (int i = 0; i < 1 + round % 40; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[seed % sizeof(event)] = (uint8_t)(seed >> 56);
		}
		if (sf_event_check(&event, sizeof(event), &ret))
			continue;
		nr_passed++;
		derive_all(ret);
	}
	assert_in_range(nr_passed, 1000, 19000);
}

/* Numbers are given to what is shown: what a filter drops leaves no gap, what is lost does. */
static void test_numbering(void **state)
{
	struct sf_event event = valid_event(), bad = valid_event(), none = valid_event();
	const struct sf_event *ret = NULL;
	struct sf_reader reader;

	(void)state;
	bad.kind = SF_EV_NR;
	none.kind = SF_EV_NONE;
	sf_reader_init(&reader);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(sf_reader_read(&reader, &event, sizeof(event), &ret), 0);
		assert_ptr_equal(ret, &event);
		assert_int_equal(sf_reader_number(&reader), i);
		/* Read, but not shown. */
		assert_int_equal(sf_reader_read(&reader, &event, sizeof(event), &ret), 0);
	}
	sf_reader_note_lost(&reader, 0);
	sf_reader_note_lost(&reader, 10);
	assert_int_equal(sf_reader_number(&reader), 14);
	ret = NULL;
	assert_int_equal(sf_reader_read(&reader, &bad, sizeof(bad), &ret), -EBADMSG);
	assert_int_equal(sf_reader_read(&reader, &event, 8, &ret), -EBADMSG);
	assert_int_equal(sf_reader_read(&reader, &none, sizeof(none), &ret), -EBADMSG);
	/* The caller's mistake is no lost event. */
	assert_int_equal(sf_reader_read(&reader, (char *)&event + 2, sizeof(event), &ret), -EINVAL);
	assert_null(ret);
	assert_int_equal(sf_reader_number(&reader), 18);
	assert_int_equal(reader.nr_lost, 10);
	assert_int_equal(reader.nr_bad, 3);
	/* A snapshot's record says that nothing happened, and passes the check alone. */
	assert_int_equal(check(&none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_short_record_is_not_read),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_wider_ranges),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_numbering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
