// SPDX-License-Identifier: GPL-2.0-or-later
/* How long is too long: defaults, and what the command line makes of them. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "diagnose/diagnose.h"

#define NS_PER_MS 1000000ULL
#define PORTS_PCT 90

static const struct {
	const char *name;
	uint64_t ms;
} defaults[SF_THRESHOLD_NR] = {
	[SF_THRESHOLD_SYN_SENT] = { "syn_sent", 3000 },
	[SF_THRESHOLD_SYN_RECV] = { "syn_recv", 3000 },
	[SF_THRESHOLD_ACCEPT] = { "accept", 1000 },
	[SF_THRESHOLD_UNACKED] = { "unacked", 1000 },
	[SF_THRESHOLD_ZERO_WINDOW] = { "zero_window", 10000 },
	[SF_THRESHOLD_UNREAD] = { "unread", 10000 },
	[SF_THRESHOLD_LIMITED] = { "limited", 10000 },
	[SF_THRESHOLD_FIN] = { "fin", 5000 },
	[SF_THRESHOLD_FIN_WAIT2] = { "fin_wait2", 60000 },
	[SF_THRESHOLD_CLOSE_WAIT] = { "close_wait", 60000 },
	[SF_THRESHOLD_IDLE] = { "idle", 300000 },
};

void sf_thresholds_init(struct sf_thresholds *thresholds)
{
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		thresholds->ms[i] = defaults[i].ms;
	thresholds->ports_pct = PORTS_PCT;
}

/* "90" or "90%" */
static int parse_ports(char *value, struct sf_thresholds *thresholds)
{
	size_t len = strlen(value);
	uint64_t pct;

	if (len && value[len - 1] == '%')
		value[len - 1] = '\0';
	if (sf_parse_u64(value, 1, 100, &pct))
		return -EINVAL;
	thresholds->ports_pct = (uint32_t)pct;
	return 0;
}

static int parse_one(const char *text, size_t len, struct sf_thresholds *thresholds)
{
	const char *equals = memchr(text, '=', len);
	char value[32];
	size_t name_len, value_len;
	uint64_t ns;

	if (!equals)
		return -EINVAL;
	name_len = (size_t)(equals - text);
	value_len = len - name_len - 1;
	if (value_len >= sizeof(value))
		return -EINVAL;
	memcpy(value, equals + 1, value_len);
	value[value_len] = '\0';
	if (name_len == 5 && !memcmp(text, "ports", 5))
		return parse_ports(value, thresholds);
	if (sf_parse_duration_ns(value, &ns))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		const char *name = defaults[i].name;

		if (!name || strlen(name) != name_len || memcmp(name, text, name_len))
			continue;
		thresholds->ms[i] = ns / NS_PER_MS;
		return 0;
	}
	return -EINVAL;
}

int sf_thresholds_parse(const char *text, void *field, const char **ret_why)
{
	struct sf_thresholds thresholds = *(struct sf_thresholds *)field;

	for (;;) {
		size_t len = strcspn(text, ",");

		if (parse_one(text, len, &thresholds)) {
			*ret_why = "NAME=TIME[,...] with names syn_sent, syn_recv, accept, "
				   "unacked, zero_window, unread, limited, fin, fin_wait2, "
				   "close_wait, idle; or ports=PERCENT, 1 to 100";
			return -EINVAL;
		}
		if (!text[len])
			break;
		text += len + 1;
	}
	*(struct sf_thresholds *)field = thresholds;
	return 0;
}
