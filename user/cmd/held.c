// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that hold a socket, as text. */
#include "cmd/held.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "story/snapshot.h"

#define SHOWN 3

const char *sf_held_text(const struct sf_holders *holders, char buf[SF_HELD_STRLEN])
{
	size_t len = 0, nr_shown = 0;
	char name[64];

	buf[0] = '\0';
	for (size_t i = 0; i < holders->nr && nr_shown < SHOWN; i++) {
		const struct sf_holder *holder = &holders->first[i];

		if (i && holder->pid == holder[-1].pid)
			continue;
		sf_text_safe(name, 40, holder->comm, SF_COMM_LEN);
		len += (size_t)snprintf(buf + len, SF_HELD_STRLEN - len, "%s%" PRIu32 "/%s",
					nr_shown++ ? "," : "", holder->pid, name);
	}
	if (holders->nr_processes > nr_shown)
		snprintf(buf + len, SF_HELD_STRLEN - len, ",+%zu",
			 holders->nr_processes - nr_shown);
	return buf;
}
