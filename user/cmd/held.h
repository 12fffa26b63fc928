/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a socket, as a cell of a table and as JSON. */
#ifndef SF_CMD_HELD_H
#define SF_CMD_HELD_H

#include <stddef.h>
#include <stdint.h>

struct sf_holders;
struct sf_snapshot;
struct sf_sock;

#define SF_HELD_STRLEN 200

/* "4242/nginx,4243/nginx,+6": each process once, who is named first; "" if there is none. */
const char *sf_held_text(const struct sf_holders *holders, char buf[SF_HELD_STRLEN]);

#endif
