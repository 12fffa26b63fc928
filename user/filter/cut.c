// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the predicate to the conditions in the kernel's read-only settings:
 * whatever is ANDed at the top and has a field in struct sf_cut. Anything
 * under OR or NOT stays behind. Called once, before load.
 */
#include <string.h>

#include "base/addr.h"
#include "bpf/config.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "filter/node.h"

static void cut_u32(uint32_t value, __u32 *field)
{
	if (!*field)
		*field = value;
}

static void cut_u16(uint16_t value, __u16 *field)
{
	if (!*field)
		*field = value;
}

static void cut_comm(const char *comm, struct sf_cut *cut)
{
	if (cut->has_comm)
		return;
	memcpy(cut->comm, comm, sizeof(cut->comm));
	cut->has_comm = 1;
}

static void cut_host(const struct sf_cidr *cidr, struct sf_cut *cut)
{
	if (cut->has_host)
		return;
	for (unsigned int i = 0; i < sizeof(cut->host_mask); i++) {
		unsigned int bits = cidr->prefix_bits > 8 * i ? cidr->prefix_bits - 8 * i : 0;

		cut->host_mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00U >> bits);
		cut->host_addr[i] = cidr->addr[i] & cut->host_mask[i];
	}
	cut->has_host = 1;
}

/* Roles are a set, so two conditions meet in what they share, if they share any. */
static void cut_roles(uint8_t mask, struct sf_cut *cut)
{
	if (!cut->role_mask)
		cut->role_mask = mask;
	else if (cut->role_mask & mask)
		cut->role_mask &= mask;
}

static void cut_node(const struct sf_filter_node *node, struct sf_cut *cut)
{
	switch (node->op) {
	case SF_FILTER_PID:
		cut_u32((uint32_t)node->value, &cut->pid);
		break;
	case SF_FILTER_COMM:
		cut_comm(node->comm, cut);
		break;
	case SF_FILTER_PORT:
		cut_u16((uint16_t)node->value, &cut->port);
		break;
	case SF_FILTER_LOCAL_PORT:
		cut_u16((uint16_t)node->value, &cut->local_port);
		break;
	case SF_FILTER_PEER_PORT:
		cut_u16((uint16_t)node->value, &cut->peer_port);
		break;
	case SF_FILTER_HOST:
		cut_host(&node->cidr, cut);
		break;
	case SF_FILTER_ROLE:
		cut_roles((uint8_t)node->value, cut);
		break;
	case SF_FILTER_FAMILY:
		cut_u16((uint16_t)node->value, &cut->family);
		break;
	case SF_FILTER_NETNS:
		cut_u32((uint32_t)node->value, &cut->netns);
		break;
	default:
		break;
	}
}

void sf_filter_cut(const struct sf_filter *filter, struct sf_cut *ret)
{
	bool must_hold[SF_FILTER_NODES_MAX] = { false };
	struct sf_cut cut;

	memset(&cut, 0, sizeof(cut));
	if (filter->nr_nodes)
		must_hold[filter->nr_nodes - 1] = true;
	/* Down from the root, which is last: both sides of an AND that must hold, must hold. */
	for (unsigned int i = filter->nr_nodes; i-- > 0;) {
		const struct sf_filter_node *node = &filter->nodes[i];

		if (!must_hold[i] || node->op != SF_FILTER_AND)
			continue;
		must_hold[node->left] = true;
		must_hold[node->right] = true;
	}
	for (unsigned int i = 0; i < filter->nr_nodes; i++)
		if (must_hold[i])
			cut_node(&filter->nodes[i], &cut);
	*ret = cut;
}
