// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Entries of the journal: a sentence for people as MESSAGE, and each member of
 * the line as a field of its own, SYNFIN_ROLE and so on. Through libsystemd,
 * which knows journald's socket and its protocol; a static program lacks it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "sink/kinds.h"
#include "sink/line.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX 120
#define FIELD_BYTES 16384 /* of all fields of an entry together */

/*
 * Of libsystemd (sd-journal.h), whose header is not needed for it. Weak: where that library is
 * not linked there is no such function.
 */
extern int sd_journal_sendv(const struct iovec *iov, int n) __attribute__((weak));

struct entry {
	struct iovec fields[FIELDS_MAX];
	int nr;
	size_t used;
	char text[FIELD_BYTES];
};

static const char *journald_lacks(void)
{
	return sd_journal_sendv ? NULL : "this synfin was built without libsystemd";
}

static int journald_open(const char *target, void **ret_ctx, char *err, size_t err_size)
{
	if (*target)
		return snprintf(err, err_size, "want journald, with nothing behind it"), -EINVAL;
	*ret_ctx = calloc(1, sizeof(struct entry));
	return *ret_ctx ? 0 : (snprintf(err, err_size, "%s", strerror(ENOMEM)), -ENOMEM);
}

/* What does not fit is left out: an entry of ours takes a fifth of the room. */
static void add(struct entry *entry, const char *text, size_t len)
{
	if (entry->nr == FIELDS_MAX || len > sizeof(entry->text) - entry->used)
		return;
	memcpy(entry->text + entry->used, text, len);
	entry->fields[entry->nr++] = (struct iovec){ entry->text + entry->used, len };
	entry->used += len;
}

/* "SYNFIN_CLOSED_BY=peer": journald takes upper case only. */
static void add_member(struct entry *entry, const struct sf_member *member)
{
	char field[4096] = "SYNFIN_";
	size_t len = 7;

	if (member->key_len > 64)
		return;
	for (size_t i = 0; i < member->key_len; i++) {
		char c = member->key[i];

		field[len++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	field[len++] = '=';
	len += sf_line_text(member, field + len, sizeof(field) - len);
	add(entry, field, len);
}

/*
 * One per kind of event, so that `journalctl MESSAGE_ID=...` finds them: 128 bits of our own, of
 * which the last 8 count the events (sd-id128: random, here fixed for good).
 */
static void add_message_id(struct entry *entry, const struct sf_member *event)
{
	static const char *const events[] = {
		"tcp.listen",	"tcp.connect",	     "tcp.established",	    "tcp.accept",
		"tcp.fin_sent", "tcp.fin_received",  "tcp.reset",	    "tcp.failed",
		"tcp.close",	"tcp.time_wait_end", "tcp.listen_overflow", "tcp.stuck",
		"synfin.stats",
	};
	char field[64];

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (event->value_len == strlen(events[i]) &&
		    !memcmp(event->value, events[i], event->value_len))
			add(entry, field,
			    (size_t)snprintf(field, sizeof(field),
					     "MESSAGE_ID=5f1d0c8e7a3b4e62b9d4c6a1f07e23%02zx", i));
}

static void add_message(struct entry *entry, const char *line, size_t len)
{
	char message[512] = "MESSAGE=";

	add(entry, message, 8 + sf_line_message(line, len, message + 8, sizeof(message) - 8));
}

static int send_line(struct entry *entry, const char *line, size_t len)
{
	struct sf_member member;
	char priority[16];
	size_t at = 0;

	entry->nr = 0;
	entry->used = 0;
	add_message(entry, line, len);
	add(entry, priority,
	    (size_t)snprintf(priority, sizeof(priority), "PRIORITY=%d",
			     sf_line_severity(line, len)));
	add(entry, "SYSLOG_IDENTIFIER=synfin", 24);
	if (sf_line_find(line, len, "event_name", &member))
		add_message_id(entry, &member);
	while (sf_line_next(line, len, &at, &member))
		add_member(entry, &member);
	return sd_journal_sendv(entry->fields, entry->nr);
}

static int journald_send(void *ctx, const char *lines, size_t len, struct sf_sink_answer *ret)
{
	/* Where it is missing sd_journal_sendv() says that all is well (journal-send.c). */
	if (access(JOURNAL_SOCKET, W_OK))
		return snprintf(ret->err, sizeof(ret->err), "%s: %s", JOURNAL_SOCKET,
				strerror(errno)),
		       -ENOENT;
	while (ret->sent < len) {
		const char *line = lines + ret->sent;
		size_t line_len =
			(size_t)((const char *)memchr(line, '\n', len - ret->sent) - line);
		int r = send_line(ctx, line, line_len);

		if (r < 0)
			return snprintf(ret->err, sizeof(ret->err), "%s", strerror(-r)), r;
		ret->sent += line_len + 1;
	}
	return 0;
}

static void journald_reopen(void *ctx)
{
	(void)ctx; /* libsystemd's socket is not connected to anything */
}

const struct sf_sink_kind sf_sink_journald = {
	.name = "journald",
	.form = "journald",
	.lacks = journald_lacks,
	.open = journald_open,
	.send = journald_send,
	.reopen = journald_reopen,
	.close = free,
};
