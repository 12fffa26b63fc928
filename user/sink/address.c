// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int sf_sink_address_unix(const char *path, struct sf_sink_address *ret)
{
	struct sf_sink_address address = { .un.sun_family = AF_UNIX, .len = sizeof(address.un) };

	if (!*path || strlen(path) >= sizeof(address.un.sun_path))
		return -EINVAL;
	snprintf(address.un.sun_path, sizeof(address.un.sun_path), "%s", path);
	*ret = address;
	return 0;
}

int sf_sink_address_tcp(const char *text, struct sf_sink_address *ret)
{
	const char *colon = strrchr(text, ':');
	struct sf_sink_address address = { .len = sizeof(address.in) };
	char name[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!len || len >= sizeof(name) || sf_parse_u64(colon + 1, 1, 65535, &port))
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	if (inet_pton(AF_INET, name, &address.in.sin_addr) == 1) {
		address.in.sin_family = AF_INET;
		address.in.sin_port = htons((uint16_t)port);
		*ret = address;
		return 0;
	}
	if (name[0] != '[' || name[len - 1] != ']')
		return -EINVAL;
	name[len - 1] = '\0';
	if (inet_pton(AF_INET6, name + 1, &address.in6.sin6_addr) != 1)
		return -EINVAL;
	address.in6.sin6_family = AF_INET6;
	address.in6.sin6_port = htons((uint16_t)port);
	address.len = sizeof(address.in6);
	*ret = address;
	return 0;
}

bool sf_sink_address_is_unix(const struct sf_sink_address *address)
{
	return address->any.sa_family == AF_UNIX;
}
