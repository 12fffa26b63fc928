// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and checking the host's names. A file may hold anything, so each
 * text must have its form before it is believed: an image that was never
 * booted has "uninitialized" as its machine-id.
 */
#include "view/host.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/util.h"

/* form: 'x' stands for one lower-case hex digit, anything else for itself. */
static bool has_form(const char *text, const char *form)
{
	size_t i;

	for (i = 0; form[i]; i++) {
		bool is_hex = (text[i] >= '0' && text[i] <= '9') ||
			      (text[i] >= 'a' && text[i] <= 'f');

		if (form[i] == 'x' ? !is_hex : text[i] != form[i])
			return false;
	}
	return text[i] == '\0';
}

static void keep(char *dst, size_t size, const char *text, const char *form)
{
	if (text && has_form(text, form))
		snprintf(dst, size, "%s", text);
}

void sf_host_set(struct sf_host *host, const char *name, const char *machine_id,
		 const char *boot_id)
{
	struct sf_json json;

	memset(host, 0, sizeof(*host));
	/* "(none)" is the kernel's name for a host that was never given one. */
	if (name && strcmp(name, "(none)") != 0 && strlen(name) < sizeof(host->name))
		snprintf(host->name, sizeof(host->name), "%s", name);
	keep(host->machine_id, sizeof(host->machine_id), machine_id,
	     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	keep(host->boot_id, sizeof(host->boot_id), boot_id, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");

	sf_json_init(&json, host->members, sizeof(host->members));
	if (host->name[0])
		sf_json_str(&json, "host_name", host->name);
	if (host->machine_id[0])
		sf_json_str(&json, "host_id", host->machine_id);
	if (host->boot_id[0])
		sf_json_str(&json, "boot_id", host->boot_id);
	host->members_len = json.len; /* 64 bytes of name, six each when escaped, fit */
}

/* The first line of root/path without its newline; "" if it cannot be read. */
static void read_line(const char *root, const char *path, char *buf, size_t size)
{
	_cleanup_(sf_closep) int fd = -1;
	char whole[4096];
	ssize_t n;

	buf[0] = '\0';
	if ((size_t)snprintf(whole, sizeof(whole), "%s/%s", root, path) >= sizeof(whole))
		return;
	fd = open(whole, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

void sf_host_read(struct sf_host *host, const char *root)
{
	char name[SF_HOST_NAME_STRLEN + 1] = "", machine_id[64], boot_id[64];

	if (gethostname(name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	read_line(root, "etc/machine-id", machine_id, sizeof(machine_id));
	read_line(root, "proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	sf_host_set(host, name, machine_id, boot_id);
}
