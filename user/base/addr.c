/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses to text and prefixes from text. The text of an address is made
 * here, not by inet_ntop(), which writes ::1.2.3.4 for some IPv6 addresses:
 * RFC 5952 wants one spelling per address, and logs are joined on it.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t v4_mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool sf_addr_is_v4(const uint8_t addr[16])
{
	return memcmp(addr, v4_mapped_prefix, sizeof(v4_mapped_prefix)) == 0;
}

bool sf_addr_is_any(const uint8_t addr[16])
{
	static const uint8_t zero[16];

	if (sf_addr_is_v4(addr))
		return memcmp(addr + 12, zero, 4) == 0;
	return memcmp(addr, zero, sizeof(zero)) == 0;
}

static char *put_decimal(char *end, unsigned int value)
{
	if (value >= 10)
		end = put_decimal(end, value / 10);
	*end++ = (char)('0' + value % 10);
	return end;
}

static char *put_v4(char *end, const uint8_t bytes[4])
{
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0)
			*end++ = '.';
		end = put_decimal(end, bytes[i]);
	}
	return end;
}

/* RFC 5952 4.1: no leading zeros; 4.3: lower case. */
static char *put_group(char *end, unsigned int group)
{
	if (group >= 0x10)
		end = put_group(end, group >> 4);
	*end++ = "0123456789abcdef"[group & 0xf];
	return end;
}

/* RFC 5952 4.2: "::" is the longest run of zero groups, the first of equals, never one alone. */
static void longest_zero_run(const unsigned int group[8], int *ret_start, int *ret_len)
{
	int start = -1, len = 1, i, run = 0;

	for (i = 0; i < 8; i++) {
		run = group[i] ? 0 : run + 1;
		if (run > len) {
			len = run;
			start = i - run + 1;
		}
	}
	*ret_start = start;
	*ret_len = len;
}

static char *put_v6(char *end, const uint8_t addr[16])
{
	unsigned int group[8];
	int zero_start, zero_len, i;

	for (i = 0; i < 8; i++)
		group[i] = (unsigned int)addr[2 * i] << 8 | addr[2 * i + 1];
	longest_zero_run(group, &zero_start, &zero_len);
	for (i = 0; i < 8; i++) {
		if (i == zero_start) {
			*end++ = ':';
			*end++ = ':';
			i += zero_len - 1;
			continue;
		}
		if (i > 0 && end[-1] != ':')
			*end++ = ':';
		end = put_group(end, group[i]);
	}
	return end;
}

static char *put_addr(char *end, const uint8_t addr[16])
{
	return sf_addr_is_v4(addr) ? put_v4(end, addr + 12) : put_v6(end, addr);
}

const char *sf_addr_format(const uint8_t addr[16], char buf[SF_ADDR_STRLEN])
{
	*put_addr(buf, addr) = '\0';
	return buf;
}

const char *sf_endpoint_format(const uint8_t addr[16], uint16_t port, char buf[SF_ENDPOINT_STRLEN])
{
	bool is_v4 = sf_addr_is_v4(addr);
	char *end = buf;

	if (!is_v4)
		*end++ = '[';
	end = put_addr(end, addr);
	if (!is_v4)
		*end++ = ']';
	*end++ = ':';
	if (port == 0)
		*end++ = '*';
	else
		end = put_decimal(end, port);
	*end = '\0';
	return buf;
}

/* One to three digits, no leading zero, at most max. */
static int parse_prefix_bits(const char *text, unsigned int max, unsigned int *ret)
{
	unsigned int bits = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9' || i == 3 || (i == 1 && text[0] == '0'))
			return -EINVAL;
		bits = bits * 10 + (unsigned int)(text[i] - '0');
	}
	if (i == 0 || bits > max)
		return -EINVAL;
	*ret = bits;
	return 0;
}

/* The address as 16 bytes, and how many of its 128 bits stand before the address as written. */
static int parse_addr(const char *text, uint8_t ret_addr[16], unsigned int *ret_bits_before)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		memcpy(ret_addr, v4_mapped_prefix, sizeof(v4_mapped_prefix));
		memcpy(ret_addr + 12, v4, sizeof(v4));
		*ret_bits_before = 96;
		return 0;
	}
	if (inet_pton(AF_INET6, text, ret_addr) != 1)
		return -EINVAL;
	*ret_bits_before = 0;
	return 0;
}

static bool is_zero_beyond(const uint8_t addr[16], unsigned int prefix_bits)
{
	unsigned int i;

	for (i = prefix_bits; i < 128; i++) {
		if (addr[i / 8] & (0x80 >> i % 8))
			return false;
	}
	return true;
}

int sf_cidr_parse(const char *text, struct sf_cidr *ret)
{
	const char *slash = strchr(text, '/');
	size_t addr_len = slash ? (size_t)(slash - text) : strlen(text);
	char addr_text[SF_ADDR_STRLEN];
	struct sf_cidr cidr = { 0 };
	unsigned int bits_before, prefix_bits;
	int r;

	if (addr_len >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, addr_len);
	addr_text[addr_len] = '\0';

	r = parse_addr(addr_text, cidr.addr, &bits_before);
	if (r < 0)
		return r;
	prefix_bits = 128 - bits_before;
	if (slash) {
		r = parse_prefix_bits(slash + 1, 128 - bits_before, &prefix_bits);
		if (r < 0)
			return r;
	}
	cidr.prefix_bits = (uint8_t)(bits_before + prefix_bits);
	if (!is_zero_beyond(cidr.addr, cidr.prefix_bits))
		return -EINVAL;
	*ret = cidr;
	return 0;
}

bool sf_cidr_contains(const struct sf_cidr *cidr, const uint8_t addr[16])
{
	size_t nr_whole = cidr->prefix_bits / 8;
	unsigned int nr_rest = cidr->prefix_bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> nr_rest);

	if (cidr->prefix_bits > 128 || memcmp(cidr->addr, addr, nr_whole) != 0)
		return false;
	return nr_rest == 0 || ((cidr->addr[nr_whole] ^ addr[nr_whole]) & mask) == 0;
}
