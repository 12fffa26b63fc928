/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host, and which boot of it, the lines are about. Read once; written
 * into every JSON line as members made beforehand. A recording sets it to the
 * host it was made on.
 */
#ifndef SF_VIEW_HOST_H
#define SF_VIEW_HOST_H

#include <stddef.h>

#define SF_HOST_NAME_STRLEN 65 /* HOST_NAME_MAX and NUL */
#define SF_MACHINE_ID_STRLEN 33
#define SF_BOOT_ID_STRLEN 37

struct sf_host {
	char name[SF_HOST_NAME_STRLEN];	       /* "" = not known, each of the three */
	char machine_id[SF_MACHINE_ID_STRLEN]; /* 32 lower-case hex digits, machine-id(5) */
	char boot_id[SF_BOOT_ID_STRLEN];       /* a UUID, lower case, random(4) */
	size_t members_len;
	char members[640]; /* host_name, host_id, boot_id as JSON members, those known */
};

/*
 * Takes the three texts, borrowed for the call; NULL, or a text that is not of
 * its form, is not known.
 */
void sf_host_set(struct sf_host *host, const char *name, const char *machine_id,
		 const char *boot_id);
/*
 * This host. root: "" or a directory under which etc/machine-id and
 * proc/sys/kernel/random/boot_id are read. What cannot be read is not known.
 */
void sf_host_read(struct sf_host *host, const char *root);

#endif
