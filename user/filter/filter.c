// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The predicate: its nodes are added here and evaluated here, in three values
 * (Kleene's logic). What a condition means is one function per kind of fact;
 * what follows from a story is asked of story/. Called by cmd/ for each event.
 */
#include "filter/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/util.h"
#include "bpf/story.h"
#include "filter/node.h"
#include "story/names.h"
#include "story/story.h"

/* Ordered: AND is the least of two, OR the greatest, NOT the mirror. */
enum truth {
	TRUTH_FALSE,
	TRUTH_UNKNOWN,
	TRUTH_TRUE,
};

int sf_filter_new(struct sf_filter **ret)
{
	struct sf_filter *filter = calloc(1, sizeof(*filter));

	if (!filter)
		return -ENOMEM;
	*ret = filter;
	return 0;
}

void sf_filter_free(struct sf_filter *filter)
{
	free(filter);
}

void sf_filter_freep(struct sf_filter **filter)
{
	sf_filter_free(*filter);
}

int sf_filter_push(struct sf_filter *filter, const struct sf_filter_node *node)
{
	if (filter->nr_nodes >= SF_FILTER_NODES_MAX)
		return -E2BIG;
	filter->nodes[filter->nr_nodes] = *node;
	return (int)filter->nr_nodes++;
}

int sf_filter_join(struct sf_filter *filter, unsigned int nr_before)
{
	struct sf_filter_node both = { .op = SF_FILTER_AND };

	if (!nr_before || filter->nr_nodes == nr_before)
		return 0;
	both.left = (uint8_t)(nr_before - 1);
	both.right = (uint8_t)(filter->nr_nodes - 1);
	if (sf_filter_push(filter, &both) < 0) {
		filter->nr_nodes = nr_before;
		return -E2BIG;
	}
	return 0;
}

static int add(struct sf_filter *filter, const struct sf_filter_node *node)
{
	unsigned int nr_before = filter->nr_nodes;
	int r = sf_filter_push(filter, node);

	return r < 0 ? r : sf_filter_join(filter, nr_before);
}

static int add_value(struct sf_filter *filter, enum sf_filter_op op, uint64_t value)
{
	return add(filter, &(struct sf_filter_node){ .op = op, .value = value });
}

int sf_filter_add_pid(struct sf_filter *filter, uint32_t tgid)
{
	if (!tgid || tgid > SF_FILTER_PID_MAX)
		return -EINVAL;
	return add_value(filter, SF_FILTER_PID, tgid);
}

int sf_filter_add_comm(struct sf_filter *filter, const char *comm)
{
	struct sf_filter_node node = { .op = SF_FILTER_COMM };
	size_t len = strnlen(comm, SF_COMM_LEN);

	if (!len || len > SF_FILTER_COMM_MAX)
		return -EINVAL;
	memcpy(node.comm, comm, len);
	return add(filter, &node);
}

static int add_port(struct sf_filter *filter, enum sf_filter_op op, uint16_t port)
{
	return port ? add_value(filter, op, port) : -EINVAL;
}

int sf_filter_add_port(struct sf_filter *filter, uint16_t port)
{
	return add_port(filter, SF_FILTER_PORT, port);
}

int sf_filter_add_local_port(struct sf_filter *filter, uint16_t port)
{
	return add_port(filter, SF_FILTER_LOCAL_PORT, port);
}

int sf_filter_add_peer_port(struct sf_filter *filter, uint16_t port)
{
	return add_port(filter, SF_FILTER_PEER_PORT, port);
}

int sf_filter_add_host(struct sf_filter *filter, const struct sf_cidr *cidr)
{
	if (cidr->prefix_bits > 128)
		return -EINVAL;
	return add(filter, &(struct sf_filter_node){ .op = SF_FILTER_HOST, .cidr = *cidr });
}

int sf_filter_add_roles(struct sf_filter *filter, uint8_t role_mask)
{
	if (!role_mask || role_mask >= 1U << SF_ROLE_NR)
		return -EINVAL;
	return add_value(filter, SF_FILTER_ROLE, role_mask);
}

int sf_filter_add_states(struct sf_filter *filter, uint16_t state_mask)
{
	/* Bit 0 is no state: a story that says 0 does not know its own. */
	if (!state_mask || state_mask >= 1U << SF_TCP_NR || state_mask & 1)
		return -EINVAL;
	return add_value(filter, SF_FILTER_STATE, state_mask);
}

int sf_filter_add_family(struct sf_filter *filter, int family)
{
	if (family != AF_INET && family != AF_INET6)
		return -EINVAL;
	return add_value(filter, SF_FILTER_FAMILY, (uint64_t)family);
}

int sf_filter_add_netns(struct sf_filter *filter, uint32_t netns)
{
	return netns ? add_value(filter, SF_FILTER_NETNS, netns) : -EINVAL;
}

static int add_minimum(struct sf_filter *filter, enum sf_filter_op op, uint64_t min_ns)
{
	return add(filter,
		   &(struct sf_filter_node){ .op = op, .compare = SF_FILTER_GE, .value = min_ns });
}

int sf_filter_add_min_handshake(struct sf_filter *filter, uint64_t min_ns)
{
	return add_minimum(filter, SF_FILTER_HANDSHAKE, min_ns);
}

int sf_filter_add_min_age(struct sf_filter *filter, uint64_t min_ns)
{
	return add_minimum(filter, SF_FILTER_AGE, min_ns);
}

static enum truth truth_of(bool is_true)
{
	return is_true ? TRUTH_TRUE : TRUTH_FALSE;
}

/* For numbers where 0 means not known. */
static enum truth equals(uint64_t fact, uint64_t wanted)
{
	return fact ? truth_of(fact == wanted) : TRUTH_UNKNOWN;
}

static enum truth either(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

static enum truth match_comm(const struct sf_story *s, const char *comm)
{
	const char *fact = (const char *)s->owner.comm;

	if (!s->owner.tgid || !*fact)
		return TRUTH_UNKNOWN;
	/* Both end at a NUL or at their 16th byte; what follows the NUL is no part of a name. */
	return truth_of(!strncmp(fact, comm, SF_COMM_LEN));
}

static enum truth match_port(const struct sf_story *s, uint64_t port)
{
	if (s->role == SF_ROLE_LISTENER)
		return equals(s->local_port, port);
	return either(equals(s->local_port, port), equals(s->peer_port, port));
}

static enum truth match_peer_port(const struct sf_story *s, uint64_t port)
{
	/* A listener has no other end, and that is known. */
	return s->role == SF_ROLE_LISTENER ? TRUTH_FALSE : equals(s->peer_port, port);
}

static enum truth match_host(const struct sf_story *s, const struct sf_cidr *cidr)
{
	enum truth local = TRUTH_UNKNOWN, peer = TRUTH_UNKNOWN;
	struct sf_endpoint end;

	if (sf_story_local(s, &end))
		local = truth_of(sf_cidr_contains(cidr, end.addr));
	if (sf_story_peer(s, &end))
		peer = truth_of(sf_cidr_contains(cidr, end.addr));
	else if (s->role == SF_ROLE_LISTENER)
		peer = TRUTH_FALSE;
	return either(local, peer);
}

/* "role unknown" asks what is known, and that is always known. */
static enum truth match_role(const struct sf_story *s, uint64_t mask)
{
	if (mask >> s->role & 1)
		return TRUTH_TRUE;
	return s->role == SF_ROLE_UNKNOWN ? TRUTH_UNKNOWN : TRUTH_FALSE;
}

static enum truth match_state(const struct sf_story *s, uint64_t mask)
{
	return s->state ? truth_of(mask >> s->state & 1) : TRUTH_UNKNOWN;
}

static enum truth match_family(const struct sf_story *s, uint64_t family)
{
	int fact;

	return sf_story_wire_family(s, &fact) ? truth_of((uint64_t)fact == family) : TRUTH_UNKNOWN;
}

static enum truth match_ephemeral(const struct sf_story *s)
{
	if (!(s->flags & SF_F_PORT_KNOWN))
		return TRUTH_UNKNOWN;
	return truth_of(s->flags & SF_F_PORT_EPHEMERAL);
}

/* It ended and was never established. What has not ended has not failed. */
static enum truth match_failed(const struct sf_event *event)
{
	const struct sf_story *s = &event->story;

	if (event->kind == SF_EV_FAILED)
		return TRUTH_TRUE;
	if (event->kind == SF_EV_CLOSE || s->step_ns[SF_STEP_ESTABLISHED] ||
	    s->role == SF_ROLE_LISTENER || s->cause == SF_CAUSE_NONE || s->cause == SF_CAUSE_FIN)
		return TRUTH_FALSE;
	if (s->flags & (SF_F_BEGIN_UNSEEN | SF_F_BEGIN_LOST))
		return TRUTH_UNKNOWN;
	return TRUTH_TRUE;
}

static enum truth compare(uint64_t fact, enum sf_filter_compare how, uint64_t wanted)
{
	switch (how) {
	case SF_FILTER_LT:
		return truth_of(fact < wanted);
	case SF_FILTER_LE:
		return truth_of(fact <= wanted);
	case SF_FILTER_GT:
		return truth_of(fact > wanted);
	case SF_FILTER_GE:
		return truth_of(fact >= wanted);
	default:
		return TRUTH_UNKNOWN;
	}
}

static enum truth match_handshake(const struct sf_story *s, const struct sf_filter_node *node)
{
	uint64_t handshake_ns;

	if (!sf_story_handshake_ns(s, &handshake_ns, NULL))
		return TRUTH_UNKNOWN;
	return compare(handshake_ns, node->compare, node->value);
}

static enum truth match_age(const struct sf_story *s, const struct sf_filter_node *node,
			    uint64_t now_ns)
{
	bool is_older = node->compare == SF_FILTER_GT || node->compare == SF_FILTER_GE;
	bool is_minimum;
	uint64_t age_ns;
	enum truth truth;

	if (!sf_story_age_ns(s, now_ns, &age_ns, &is_minimum))
		return TRUTH_UNKNOWN;
	truth = compare(age_ns, node->compare, node->value);
	/* Older than what was seen: that proves "older", and refutes "younger". */
	if (is_minimum && truth != truth_of(is_older))
		return TRUTH_UNKNOWN;
	return truth;
}

static enum truth match_fact(const struct sf_filter_node *node, const struct sf_event *event,
			     uint64_t now_ns)
{
	const struct sf_story *s = &event->story;

	switch (node->op) {
	case SF_FILTER_PID:
		return equals(s->owner.tgid, node->value);
	case SF_FILTER_COMM:
		return match_comm(s, node->comm);
	case SF_FILTER_PORT:
		return match_port(s, node->value);
	case SF_FILTER_LOCAL_PORT:
		return equals(s->local_port, node->value);
	case SF_FILTER_PEER_PORT:
		return match_peer_port(s, node->value);
	case SF_FILTER_HOST:
		return match_host(s, &node->cidr);
	case SF_FILTER_ROLE:
		return match_role(s, node->value);
	case SF_FILTER_STATE:
		return match_state(s, node->value);
	case SF_FILTER_FAMILY:
		return match_family(s, node->value);
	case SF_FILTER_NETNS:
		return equals(s->netns, node->value);
	case SF_FILTER_EPHEMERAL:
		return match_ephemeral(s);
	case SF_FILTER_FAILED:
		return match_failed(event);
	case SF_FILTER_HANDSHAKE:
		return match_handshake(s, node);
	case SF_FILTER_AGE:
		return match_age(s, node, now_ns);
	default:
		return TRUTH_UNKNOWN;
	}
}

bool sf_filter_is_empty(const struct sf_filter *filter)
{
	return !filter->nr_nodes;
}

bool sf_filter_match(const struct sf_filter *filter, const struct sf_event *event, uint64_t now_ns)
{
	enum truth truth[SF_FILTER_NODES_MAX];

	for (unsigned int i = 0; i < filter->nr_nodes; i++) {
		const struct sf_filter_node *node = &filter->nodes[i];

		switch (node->op) {
		case SF_FILTER_AND:
			truth[i] = truth[node->left] < truth[node->right] ? truth[node->left] :
									    truth[node->right];
			break;
		case SF_FILTER_OR:
			truth[i] = either(truth[node->left], truth[node->right]);
			break;
		case SF_FILTER_NOT:
			truth[i] = TRUTH_TRUE - truth[node->left];
			break;
		default:
			truth[i] = match_fact(node, event, now_ns);
		}
	}
	return !filter->nr_nodes || truth[filter->nr_nodes - 1] == TRUTH_TRUE;
}
