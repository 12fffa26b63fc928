// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that hold a socket, as text. */
#include "cmd/held.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "story/snapshot.h"

#define SHOWN 3

static size_t add(const struct sf_holder *holder, const char *before, char *buf, size_t size)
{
	char name[64];

	sf_text_safe(name, 40, holder->comm, SF_COMM_LEN);
	return (size_t)snprintf(buf, size, "%s%" PRIu32 "/%s", before, holder->pid, name);
}

const char *sf_held_text(const struct sf_holders *holders, char buf[SF_HELD_STRLEN])
{
	size_t len = 0, nr_shown = 0;

	buf[0] = '\0';
	if (holders->nr) {
		len = add(holders->named, "", buf, SF_HELD_STRLEN);
		nr_shown++;
	}
	for (size_t i = 0; i < holders->nr && nr_shown < SHOWN; i++) {
		const struct sf_holder *holder = &holders->first[i];

		if (holder->pid == holders->named->pid || (i && holder->pid == holder[-1].pid))
			continue;
		len += add(holder, ",", buf + len, SF_HELD_STRLEN - len);
		nr_shown++;
	}
	if (holders->nr_processes > nr_shown)
		snprintf(buf + len, SF_HELD_STRLEN - len, ",+%zu",
			 holders->nr_processes - nr_shown);
	return buf;
}
