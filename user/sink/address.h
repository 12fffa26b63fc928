/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a sink sends to or listens: a path of a socket, or a numeric address with a port. */
#ifndef SF_SINK_ADDRESS_H
#define SF_SINK_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct sf_sink_address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* 0, or -EINVAL: it is empty or longer than a socket's path may be. */
int sf_sink_address_unix(const char *path, struct sf_sink_address *ret);
/* "10.0.0.1:514" or "[fd00::1]:514". Numeric: to ask for a name may take long. 0 or -EINVAL. */
int sf_sink_address_tcp(const char *text, struct sf_sink_address *ret);
bool sf_sink_address_is_unix(const struct sf_sink_address *address);

#endif
