// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel side may cut: never an event that matches. Random
 * expressions meet random stories; two models, written here from the
 * documents alone, say what the filter means (filter/parse.h) and what a cut
 * keeps (bpf/config.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/util.h"
#include "bpf/config.h"
#include "bpf/story.h"
#include "filter/filter.h"
#include "filter/parse.h"
#include "story/names.h"

#define NR_ROUNDS 60000
#define NOW 1000
#define MAX_TREE 64

enum tri { NO = -1, MAYBE = 0, YES = 1 };

/* clang-format off */
enum kind { AND, OR, NOT, PID, COMM, PORT, LPORT, RPORT, HOST, ROLE, STATE, NETNS, IP, IP6,
	    EPHEMERAL, FAILED, HANDSHAKE, AGE, NR_KINDS };
/* clang-format on */

struct tree {
	enum kind kind;
	int left, right;
	unsigned int value; /* index into the kind's values, or the number itself */
	unsigned int compare;
};

struct model {
	struct tree nodes[MAX_TREE];
	int nr;
	uint64_t seed;
};

static const char *const hosts[] = { "10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::/0",
				     "fe80::1",	 "fe80::/10",  "::",	    "0.0.0.0" };
static const char *const addrs[] = { "::", "0.0.0.0", "10.0.0.1", "10.0.0.2", "fe80::1" };
static const char *const comms[] = { "", "a", "nginx", "fifteen-bytes-x" };
static const char *const role_words[] = { "unknown", "client", "server", "both", "listener" };
static const char *const compares[] = { ">", ">=", "<", "<=" };

static unsigned int pick(struct model *m, unsigned int nr)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return (unsigned int)((m->seed >> 32) % nr);
}

static const char *pick_word(struct model *m, const char *a, const char *b)
{
	return pick(m, 2) ? a : b;
}

static int grow(struct model *m, int depth)
{
	struct tree t = { .kind = PID + pick(m, NR_KINDS - PID), .compare = pick(m, 4) };

	/* Half of what may branch does, mostly by "and", which is what is cut. */
	if (depth > 0 && pick(m, 2))
		t.kind = pick(m, 5) < 3 ? AND : pick(m, 2) ? OR : NOT;
	if (t.kind <= NOT) {
		t.left = grow(m, depth - 1);
		t.right = t.kind == NOT ? -1 : grow(m, depth - 1);
	}
	t.value = t.kind == HOST ? pick(m, ARRAY_SIZE(hosts)) :
		  t.kind == ROLE ? pick(m, ARRAY_SIZE(role_words)) :
				   1 + pick(m, 3);
	m->nodes[m->nr] = t;
	return m->nr++;
}

static void print(struct model *m, int index, FILE *out)
{
	const struct tree *t = &m->nodes[index];
	const char *const names[] = {
		[PID] = "pid",	   [PORT] = "port",   [LPORT] = "lport",
		[RPORT] = "rport", [NETNS] = "netns",
	};

	switch (t->kind) {
	case AND:
	case OR:
	case NOT:
		fprintf(out, "(");
		if (t->kind == NOT) {
			fprintf(out, "%s ", pick_word(m, "not", "!"));
			print(m, t->left, out);
		} else {
			print(m, t->left, out);
			fprintf(out, " %s ",
				t->kind == AND ? pick_word(m, "and", "&&") :
						 pick_word(m, "or", "||"));
			print(m, t->right, out);
		}
		fprintf(out, ")");
		break;
	case COMM:
		fprintf(out, "comm %s", comms[t->value]);
		break;
	case HOST:
		fprintf(out, "host %s", hosts[t->value]);
		break;
	case ROLE:
		fprintf(out, "role %s", role_words[t->value]);
		break;
	case STATE:
		fprintf(out, "state %s",
			pick_word(m, sf_state_name(t->value), sf_state_label(t->value)));
		break;
	case IP:
	case IP6:
	case EPHEMERAL:
	case FAILED:
		fprintf(out, "%s",
			t->kind == IP	  ? "ip" :
			t->kind == IP6	  ? "ip6" :
			t->kind == FAILED ? "failed" :
					    "ephemeral");
		break;
	case HANDSHAKE:
	case AGE:
		fprintf(out, "%s %s %u00ns", t->kind == AGE ? "age" : "handshake",
			compares[t->compare], t->value);
		break;
	default:
		fprintf(out, "%s %u", names[t->kind], t->value);
	}
}

static enum tri tri_of(bool is_true)
{
	return is_true ? YES : NO;
}

static enum tri more(enum tri a, enum tri b)
{
	return a > b ? a : b;
}

static enum tri same(uint64_t fact, uint64_t wanted)
{
	return fact ? tri_of(fact == wanted) : MAYBE;
}

static enum tri in_host(const struct sf_story *s, const __u8 *addr, const char *host)
{
	struct sf_cidr cidr;

	assert_int_equal(sf_cidr_parse(host, &cidr), 0);
	if (!(s->flags & SF_F_TUPLE_KNOWN))
		return MAYBE;
	if (sf_addr_is_any(addr) && s->role != SF_ROLE_LISTENER)
		return MAYBE;
	return tri_of(sf_cidr_contains(&cidr, addr));
}

static enum tri compared(uint64_t fact, const struct tree *t)
{
	uint64_t wanted = t->value * 100ULL;
	bool is_equal = fact == wanted && t->compare % 2;

	return tri_of(is_equal || (t->compare < 2 ? fact > wanted : fact < wanted));
}

static enum tri model_handshake(const struct sf_story *s, const struct tree *t)
{
	uint64_t begin = s->step_ns[SF_STEP_SYN_SENT], end = s->step_ns[SF_STEP_ESTABLISHED];

	if (s->role == SF_ROLE_SERVER)
		begin = s->step_ns[SF_STEP_SYN_RECEIVED];
	if (s->role == SF_ROLE_UNKNOWN || s->role == SF_ROLE_LISTENER || !begin || end < begin)
		return MAYBE;
	return compared(end - begin, t);
}

/* Only these four steps are ever set in this test, and both clocks run on. */
static enum tri model_age(const struct sf_story *s, const struct tree *t)
{
	uint64_t sent = s->step_ns[SF_STEP_SYN_SENT], received = s->step_ns[SF_STEP_SYN_RECEIVED];
	uint64_t established = s->step_ns[SF_STEP_ESTABLISHED];
	uint64_t closed = s->step_ns[SF_STEP_CLOSED], begin = 0, first = UINT64_MAX, age;
	enum tri answer;

	for (int i = 0; i < SF_STEP_NR; i++)
		if (s->step_ns[i] && s->step_ns[i] < first)
			first = s->step_ns[i];
	if (first == UINT64_MAX)
		return MAYBE;
	if (s->role == SF_ROLE_CLIENT || s->role == SF_ROLE_BOTH)
		begin = sent;
	else if (s->role == SF_ROLE_SERVER)
		begin = received ? received : s->flags & SF_F_BEGIN_UNSEEN ? 0 : established;
	age = closed ? closed : NOW;
	first = begin ? begin : first;
	age = age > first ? age - first : 0;
	answer = compared(age, t);
	if (begin || answer == (t->compare < 2 ? YES : NO))
		return answer;
	return MAYBE;
}

static enum tri model_failed(const struct sf_event *e)
{
	const struct sf_story *s = &e->story;
	bool is_over = s->cause != SF_CAUSE_NONE && s->cause != SF_CAUSE_FIN;

	if (e->kind == SF_EV_FAILED)
		return YES;
	if (e->kind == SF_EV_CLOSE || s->role == SF_ROLE_LISTENER || !is_over ||
	    s->step_ns[SF_STEP_ESTABLISHED])
		return NO;
	return s->flags & SF_F_BEGIN_UNSEEN ? MAYBE : YES;
}

static enum tri model_family(const struct sf_story *s, bool is_v4)
{
	bool speaks_v4 = s->family == AF_INET || s->flags & SF_F_V4MAPPED;

	return s->flags & SF_F_TUPLE_KNOWN ? tri_of(speaks_v4 == is_v4) : MAYBE;
}

static enum tri model_eval(const struct model *m, int index, const struct sf_event *e)
{
	const struct tree *t = &m->nodes[index];
	const struct sf_story *s = &e->story;
	bool is_listener = s->role == SF_ROLE_LISTENER;
	enum tri left, right, peer_port = is_listener ? NO : same(s->peer_port, t->value);

	switch (t->kind) {
	case NOT:
		return -model_eval(m, t->left, e);
	case AND:
	case OR:
		left = model_eval(m, t->left, e);
		right = model_eval(m, t->right, e);
		return t->kind == OR ? more(left, right) : -more(-left, -right);
	case PID:
		return same(s->owner.tgid, t->value);
	case COMM:
		if (!s->owner.tgid || !s->owner.comm[0])
			return MAYBE;
		return tri_of(!strncmp((const char *)s->owner.comm, comms[t->value], SF_COMM_LEN));
	case PORT:
		return more(same(s->local_port, t->value), peer_port);
	case LPORT:
		return same(s->local_port, t->value);
	case RPORT:
		return peer_port;
	case HOST:
		return more(in_host(s, s->local_addr, hosts[t->value]),
			    is_listener ? NO : in_host(s, s->peer_addr, hosts[t->value]));
	case ROLE:
		return s->role == t->value ? YES : s->role == SF_ROLE_UNKNOWN ? MAYBE : NO;
	case STATE:
		if (t->value == SF_TCP_SYN_RECV && s->state == SF_TCP_NEW_SYN_RECV)
			return YES;
		return same(s->state, t->value);
	case NETNS:
		return same(s->netns, t->value);
	case IP:
	case IP6:
		return model_family(s, t->kind == IP);
	case EPHEMERAL:
		return s->flags & SF_F_PORT_KNOWN ? tri_of(s->flags & SF_F_PORT_EPHEMERAL) : MAYBE;
	case FAILED:
		return model_failed(e);
	case HANDSHAKE:
		return model_handshake(s, t);
	default:
		return model_age(s, t);
	}
}

static bool in_cut_host(const struct sf_cut *cut, const __u8 *addr)
{
	for (int i = 0; i < 16; i++)
		if ((addr[i] & cut->host_mask[i]) != cut->host_addr[i])
			return false;
	return true;
}

/* bpf/config.h: all conditions hold, and a fact not known yet does not hold. */
static bool model_keeps(const struct sf_cut *cut, const struct sf_story *s)
{
	bool is_tuple_known = s->flags & SF_F_TUPLE_KNOWN;
	bool is_v4 = s->family == AF_INET || s->flags & SF_F_V4MAPPED;

	if (cut->has_host && !(is_tuple_known &&
			       (in_cut_host(cut, s->local_addr) || in_cut_host(cut, s->peer_addr))))
		return false;
	if (cut->has_comm && (!s->owner.tgid || memcmp(s->owner.comm, cut->comm, SF_COMM_LEN)))
		return false;
	if (cut->pid && s->owner.tgid != cut->pid)
		return false;
	if (cut->netns && s->netns != cut->netns)
		return false;
	if (cut->family && !(is_tuple_known && is_v4 == (cut->family == AF_INET)))
		return false;
	if (cut->port && s->local_port != cut->port && s->peer_port != cut->port)
		return false;
	if (cut->local_port && s->local_port != cut->local_port)
		return false;
	if (cut->peer_port && s->peer_port != cut->peer_port)
		return false;
	return !cut->role_mask || cut->role_mask >> s->role & 1;
}

/* Few values, so that conditions hold often; every fact may be missing. */
static struct sf_event random_event(struct model *m)
{
	struct sf_event e = { .time_ns = NOW, .kind = pick(m, SF_EV_NR) };
	struct sf_story *s = &e.story;
	struct sf_cidr cidr;
	const char *comm;

	assert_int_equal(sf_cidr_parse(addrs[pick(m, ARRAY_SIZE(addrs))], &cidr), 0);
	memcpy(s->local_addr, cidr.addr, 16);
	assert_int_equal(sf_cidr_parse(addrs[pick(m, ARRAY_SIZE(addrs))], &cidr), 0);
	memcpy(s->peer_addr, cidr.addr, 16);
	s->local_port = (__u16)pick(m, 4);
	s->peer_port = (__u16)pick(m, 4);
	s->family = pick(m, 2) ? AF_INET : AF_INET6;
	s->netns = pick(m, 4);
	s->flags = pick(m, 1U << 12);
	if (pick(m, 4))
		s->flags |= SF_F_TUPLE_KNOWN;
	s->flags &= ~(__u32)(SF_F_DEFER_ACCEPT | SF_F_BEGIN_LOST);
	s->role = (__u8)pick(m, SF_ROLE_NR);
	s->state = (__u8)(pick(m, 2) ? pick(m, 4) : pick(m, SF_TCP_NR));
	s->cause = (__u8)pick(m, SF_CAUSE_NR);
	s->owner.tgid = pick(m, 4);
	comm = comms[pick(m, ARRAY_SIZE(comms))];
	memcpy(s->owner.comm, comm, strlen(comm));
	if (pick(m, 2))
		s->step_ns[SF_STEP_SYN_SENT] = 1 + pick(m, NOW);
	if (pick(m, 2))
		s->step_ns[SF_STEP_SYN_RECEIVED] = 1 + pick(m, NOW);
	if (pick(m, 2))
		s->step_ns[SF_STEP_ESTABLISHED] = 1 + pick(m, NOW);
	if (pick(m, 2))
		s->step_ns[SF_STEP_CLOSED] = 1 + pick(m, NOW);
	return e;
}

/* The same conditions by way of the options, to be ANDed to the expression. */
static int add_options(struct model *m, struct sf_filter *filter)
{
	struct tree t = { .kind = pick(m, 2) ? PID : PORT, .value = 1 + pick(m, 3) };

	if (pick(m, 4))
		return -1;
	assert_int_equal(t.kind == PID ? sf_filter_add_pid(filter, t.value) :
					 sf_filter_add_port(filter, (uint16_t)t.value),
			 0);
	m->nodes[m->nr] = t;
	return m->nr++;
}

static void test_random(void **state)
{
	struct model m = { .seed = 0x9e3779b97f4a7c15ULL };
	unsigned int nr_matched = 0, nr_kept = 0, nr_pairs = 0;

	(void)state;
	for (int round = 0; round < NR_ROUNDS; round++) {
		_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
		char text[2048], err[512] = "";
		const char *operand = text;
		struct sf_cut cut;
		int root, option;
		FILE *out = fmemopen(text, sizeof(text), "w");

		assert_non_null(out);
		m.nr = 0;
		root = grow(&m, 4);
		print(&m, root, out);
		fclose(out);
		assert_int_equal(sf_filter_new(&filter), 0);
		option = add_options(&m, filter);
		if (sf_filter_parse(filter, 1, &operand, err, sizeof(err)))
			fail_msg("'%s': %s", text, err);
		sf_filter_cut(filter, &cut);
		for (int i = 0; i < 8; i++, nr_pairs++) {
			struct sf_event e = random_event(&m);
			bool is_match = sf_filter_match(filter, &e, NOW);
			bool is_kept = model_keeps(&cut, &e.story);
			bool is_meant = model_eval(&m, root, &e) == YES &&
					(option < 0 || model_eval(&m, option, &e) == YES);

			if (is_match != is_meant)
				fail_msg("round %d event %d: '%s' matches: %d", round, i, text,
					 is_match);
			if (is_match && !is_kept)
				fail_msg("round %d event %d: '%s' matches, is cut", round, i, text);
			nr_matched += is_match;
			nr_kept += is_kept;
		}
	}
	/* It would prove little if all or nothing matched, or nothing was cut. */
	assert_in_range(nr_matched, nr_pairs / 20, nr_pairs / 2);
	assert_in_range(nr_kept, nr_matched + nr_pairs / 20, nr_pairs - nr_pairs / 5);
}

static struct sf_cut cut_of(const char *text)
{
	_cleanup_(sf_filter_freep) struct sf_filter *filter = NULL;
	struct sf_cut cut;
	char err[512];

	assert_int_equal(sf_filter_new(&filter), 0);
	if (sf_filter_parse(filter, 1, &text, err, sizeof(err)))
		fail_msg("'%s': %s", text, err);
	memset(&cut, 0xff, sizeof(cut));
	sf_filter_cut(filter, &cut);
	return cut;
}

static bool is_empty(struct sf_cut cut)
{
	static const struct sf_cut empty;

	return !memcmp(&cut, &empty, sizeof(cut));
}

static void test_what_is_cut(void **state)
{
	static const __u8 net[16] = { [10] = 0xff, 0xff, 10, 32 };
	static const __u8 mask[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe0 };
	struct sf_cut cut = cut_of("pid 7 and comm nginx and port 80 and (lport 81 and rport 82) "
				   "and host 10.32.0.0/11 and role server and ip and netns 9");

	(void)state;
	assert_int_equal(cut.pid, 7);
	assert_memory_equal(cut.comm, "nginx\0\0\0\0\0\0\0\0\0\0", SF_COMM_LEN);
	assert_int_equal(cut.has_comm, 1);
	assert_int_equal(cut.port, 80);
	assert_int_equal(cut.local_port, 81);
	assert_int_equal(cut.peer_port, 82);
	assert_int_equal(cut.has_host, 1);
	assert_memory_equal(cut.host_addr, net, 16);
	assert_memory_equal(cut.host_mask, mask, 16);
	assert_int_equal(cut.role_mask, 1 << SF_ROLE_SERVER);
	assert_int_equal(cut.family, AF_INET);
	assert_int_equal(cut.netns, 9);
	cut = cut_of("host fe80::1 and role unknown and ip6");
	for (int i = 0; i < 16; i++)
		assert_int_equal(cut.host_mask[i], 0xff);
	assert_int_equal(cut.role_mask, 1 << SF_ROLE_UNKNOWN);
	assert_int_equal(cut.family, AF_INET6);
	cut = cut_of("host ::/0");
	assert_int_equal(cut.has_host, 1);
	cut.has_host = 0;
	assert_true(is_empty(cut));
}

static void test_what_is_not_cut(void **state)
{
	struct sf_cut cut;

	(void)state;
	assert_true(is_empty(cut_of("")));
	assert_true(is_empty(cut_of("pid 7 or port 80")));
	assert_true(is_empty(cut_of("not pid 7")));
	assert_true(is_empty(cut_of("not (pid 7 and port 80)")));
	assert_true(is_empty(cut_of("state listen and failed and ephemeral and age > 1s")));
	/* One branch of an "or" stays whole, what is ANDed to it is cut. */
	cut = cut_of("(pid 7 and lport 1 or comm a and rport 2) and port 80");
	assert_int_equal(cut.port, 80);
	cut.port = 0;
	assert_true(is_empty(cut));
	/* The first of two is cut; together they may hold, as with a port on each end. */
	assert_int_equal(cut_of("port 80 and port 443").port, 80);
	assert_int_equal(cut_of("pid 1 and pid 2").pid, 1);
	assert_int_equal(cut_of("comm a and comm b").comm[0], 'a');
	assert_int_equal(cut_of("host 10.0.0.1 and host ::1").host_addr[12], 10);
	assert_int_equal(cut_of("ip and ip6").family, AF_INET);
	assert_int_equal(cut_of("netns 1 and netns 2").netns, 1);
	assert_int_equal(cut_of("role client and role server").role_mask, 1 << SF_ROLE_CLIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_what_is_cut),
		cmocka_unit_test(test_what_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
