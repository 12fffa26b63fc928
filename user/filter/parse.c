// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From an expression to nodes: recursive descent, its depth counted. One row
 * per condition says how its value is read and what would be right; errors are
 * written where they are found, once. Called by cmd/ before anything is loaded.
 */
#include "filter/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/text.h"
#include "base/util.h"
#include "filter/node.h"
#include "filter/token.h"
#include "story/names.h"

#define VALUE_SIZE 64 /* no valid value is longer */
#define SHOWN_SIZE 36 /* of a word repeated in a message, its NUL included */
#define MESSAGE_SIZE 512

struct parser {
	const char *text;
	size_t pos;	       /* behind the token at hand */
	struct sf_token token; /* the one at hand */
	unsigned int depth;    /* open parentheses */
	struct sf_filter *filter;
	char *err;
	size_t err_size;
};

struct condition {
	const char *name;
	uint8_t op; /* enum sf_filter_op */
	/* Reads the value behind the name, if any, into *node. 0 or negative errno. */
	int (*read)(struct parser *p, const struct condition *c, struct sf_filter_node *node);
	uint64_t min, max;
	const char *want; /* what would be right */
};

static int read_number(struct parser *p, const struct condition *c, struct sf_filter_node *node);
static int read_host(struct parser *p, const struct condition *c, struct sf_filter_node *node);
static int read_comm(struct parser *p, const struct condition *c, struct sf_filter_node *node);
static int read_role(struct parser *p, const struct condition *c, struct sf_filter_node *node);
static int read_state(struct parser *p, const struct condition *c, struct sf_filter_node *node);
static int read_nothing(struct parser *p, const struct condition *c, struct sf_filter_node *node);
static int read_compare(struct parser *p, const struct condition *c, struct sf_filter_node *node);

#define WANT_PORT "a number from 1 to 65535, as in 'port 443'"
#define WANT_TIME "as in 'handshake > 10ms' or 'age >= 1.5s'"

static const struct condition conditions[] = {
	{ "port", SF_FILTER_PORT, read_number, 1, UINT16_MAX, WANT_PORT },
	{ "lport", SF_FILTER_LOCAL_PORT, read_number, 1, UINT16_MAX, WANT_PORT },
	{ "rport", SF_FILTER_PEER_PORT, read_number, 1, UINT16_MAX, WANT_PORT },
	{ "host", SF_FILTER_HOST, read_host, 0, 0,
	  "an address or a network, as in 'host 10.0.0.1', 'host 10.0.0.0/8' or 'host fe80::/10'; "
	  "names are not looked up and bits behind the prefix must be 0" },
	{ "pid", SF_FILTER_PID, read_number, 1, SF_FILTER_PID_MAX,
	  "a process id from 1 to 4194304, as in 'pid 4242'" },
	{ "comm", SF_FILTER_COMM, read_comm, 0, 0,
	  "a process name of 1 to 15 bytes (the kernel cuts longer ones), as in 'comm nginx', in "
	  "quotes if it has blanks or any of ()!&|<>=" },
	{ "role", SF_FILTER_ROLE, read_role, 0, 0, "client, server, both, listener or unknown" },
	{ "state", SF_FILTER_STATE, read_state, 0, 0,
	  "established, syn_sent, syn_received, fin_wait_1, fin_wait_2, time_wait, closed, "
	  "close_wait, last_ack, listen or closing" },
	{ "netns", SF_FILTER_NETNS, read_number, 1, UINT32_MAX,
	  "the inode number of a network namespace, as in 'netns 4026531840'" },
	{ "ip", SF_FILTER_FAMILY, read_nothing, AF_INET, 0, NULL },
	{ "ip6", SF_FILTER_FAMILY, read_nothing, AF_INET6, 0, NULL },
	{ "ephemeral", SF_FILTER_EPHEMERAL, read_nothing, 0, 0, NULL },
	{ "failed", SF_FILTER_FAILED, read_nothing, 0, 0, NULL },
	{ "handshake", SF_FILTER_HANDSHAKE, read_compare, 0, 0, WANT_TIME },
	{ "age", SF_FILTER_AGE, read_compare, 0, 0, WANT_TIME },
};

/* Words of other tools' filters, and ours for the same thing. */
static const struct {
	const char *word;
	const char *hint;
} foreign[] = {
	{ "sport", "write lport (this host's end) or rport (the other end)" },
	{ "dport", "write lport (this host's end) or rport (the other end)" },
	{ "src", "write host ADDR, which looks at both ends" },
	{ "dst", "write host ADDR, which looks at both ends" },
	{ "net", "write host ADDR/BITS" },
	{ "tcp", "every connection here is TCP; leave it out" },
	{ "portrange", "write port N or port M" },
	{ "name", "write comm NAME" },
};

/* Writes the message and returns r. */
static int fail(struct parser *p, int r, const struct sf_token *at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(struct parser *p, int r, const struct sf_token *at, const char *fmt, ...)
{
	char message[MESSAGE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (at->kind == SF_TOKEN_END)
		snprintf(p->err, p->err_size, "at the end: %s", message);
	else
		snprintf(p->err, p->err_size, "at character %zu: %s", at->column, message);
	return r;
}

/* A token for a message: cut to a bearable length, and safe for a terminal. Returns buf. */
static const char *shown(const struct sf_token *token, char buf[SHOWN_SIZE])
{
	sf_text_safe(buf, SHOWN_SIZE, token->text, token->len);
	return buf;
}

static void advance(struct parser *p)
{
	p->token = sf_token_next(p->text, &p->pos, false);
}

/*
 * Takes the value that follows, and moves on behind it. The text of a value
 * may be anything, "and" too: 'comm and' is a process called and.
 */
static int take_value(struct parser *p, const struct condition *c, struct sf_token *ret)
{
	struct sf_token value = sf_token_next(p->text, &p->pos, true);
	char word[SHOWN_SIZE];

	if (value.kind == SF_TOKEN_UNCLOSED)
		return fail(p, -EINVAL, &value, "this quote is not closed");
	if (value.kind == SF_TOKEN_EQUAL)
		return fail(p, -EINVAL, &value,
			    "no '%s' between '%s' and its value; write 'not' in front to exclude",
			    shown(&value, word), c->name);
	if (value.kind != SF_TOKEN_WORD && value.kind != SF_TOKEN_QUOTED)
		return fail(p, -EINVAL, &value, "'%s' wants %s", c->name, c->want);
	*ret = value;
	advance(p);
	return 0;
}

static int refuse(struct parser *p, const struct condition *c, const struct sf_token *value)
{
	char word[SHOWN_SIZE];

	return fail(p, -EINVAL, value, "'%s' does not fit '%s', which wants %s", shown(value, word),
		    c->name, c->want);
}

/* A value as a string of its own; one that does not fit becomes "", which fits nothing. */
static const char *value_text(const struct sf_token *value, char buf[VALUE_SIZE])
{
	size_t len = value->len < VALUE_SIZE ? value->len : 0;

	memcpy(buf, value->text, len);
	buf[len] = '\0';
	return buf;
}

static int read_number(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	struct sf_token value;
	char text[VALUE_SIZE];
	int r = take_value(p, c, &value);

	if (r)
		return r;
	if (sf_parse_u64(value_text(&value, text), c->min, c->max, &node->value))
		return refuse(p, c, &value);
	return 0;
}

static int read_host(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	struct sf_token value;
	char text[VALUE_SIZE];
	int r = take_value(p, c, &value);

	if (r)
		return r;
	if (sf_cidr_parse(value_text(&value, text), &node->cidr))
		return refuse(p, c, &value);
	return 0;
}

static int read_comm(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	struct sf_token value;
	int r = take_value(p, c, &value);

	if (r)
		return r;
	if (!value.len || value.len > SF_FILTER_COMM_MAX)
		return refuse(p, c, &value);
	memcpy(node->comm, value.text, value.len);
	return 0;
}

static int read_role(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	struct sf_token value;
	uint8_t role;
	int r = take_value(p, c, &value);

	if (r)
		return r;
	if (sf_role_from_name(value.text, value.len, &role))
		return refuse(p, c, &value);
	node->value = 1ULL << role;
	return 0;
}

static int read_state(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	struct sf_token value;
	uint16_t mask;
	int r = take_value(p, c, &value);

	if (r)
		return r;
	if (sf_states_from_name(value.text, value.len, &mask))
		return refuse(p, c, &value);
	node->value = mask;
	return 0;
}

static int read_nothing(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	node->value = c->min;
	advance(p);
	return 0;
}

static int read_compare(struct parser *p, const struct condition *c, struct sf_filter_node *node)
{
	struct sf_token value;
	char text[VALUE_SIZE];
	int r;

	advance(p);
	switch (p->token.kind) {
	case SF_TOKEN_LT:
		node->compare = SF_FILTER_LT;
		break;
	case SF_TOKEN_LE:
		node->compare = SF_FILTER_LE;
		break;
	case SF_TOKEN_GT:
		node->compare = SF_FILTER_GT;
		break;
	case SF_TOKEN_GE:
		node->compare = SF_FILTER_GE;
		break;
	default:
		return fail(p, -EINVAL, &p->token, "'%s' wants one of > >= < <= and a time, %s",
			    c->name, c->want);
	}
	r = take_value(p, c, &value);
	if (r)
		return r;
	if (sf_parse_duration_ns(value_text(&value, text), &node->value))
		return refuse(p, c, &value);
	return 0;
}

/* A node's index, or -E2BIG with the message written. */
static int push(struct parser *p, const struct sf_token *at, const struct sf_filter_node *node)
{
	int r = sf_filter_push(p->filter, node);

	if (r < 0)
		return fail(p, r, at,
			    "too long: at most %d conditions and operators, options included",
			    SF_FILTER_NODES_MAX);
	return r;
}

static int unknown_word(struct parser *p)
{
	char word[SHOWN_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (sf_token_is(&p->token, foreign[i].word))
			return fail(p, -EINVAL, &p->token, "'%s' is not used here: %s",
				    foreign[i].word, foreign[i].hint);
	return fail(p, -EINVAL, &p->token,
		    "'%s' is not a condition; there are port, lport, rport, host, pid, comm, role, "
		    "state, netns, ip, ip6, ephemeral, failed, handshake and age",
		    shown(&p->token, word));
}

static int parse_condition(struct parser *p)
{
	const struct sf_token at = p->token;

	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		const struct condition *c = &conditions[i];
		struct sf_filter_node node = { .op = c->op };
		int r;

		if (!sf_token_is(&at, c->name))
			continue;
		r = c->read(p, c, &node);
		return r ? r : push(p, &at, &node);
	}
	return unknown_word(p);
}

static int parse_or(struct parser *p);

static int parse_parentheses(struct parser *p)
{
	const struct sf_token open = p->token;
	int root;

	if (p->depth >= SF_FILTER_DEPTH_MAX)
		return fail(p, -E2BIG, &open, "parentheses are nested too deep: at most %d",
			    SF_FILTER_DEPTH_MAX);
	p->depth++;
	advance(p);
	root = parse_or(p);
	if (root < 0)
		return root;
	if (p->token.kind != SF_TOKEN_CLOSE)
		return fail(p, -EINVAL, &p->token,
			    "the '(' at character %zu wants 'and', 'or' or its ')' here",
			    open.column);
	p->depth--;
	advance(p);
	return root;
}

static int parse_operand(struct parser *p)
{
	switch (p->token.kind) {
	case SF_TOKEN_WORD:
		return parse_condition(p);
	case SF_TOKEN_OPEN:
		return parse_parentheses(p);
	case SF_TOKEN_UNCLOSED:
		return fail(p, -EINVAL, &p->token, "this quote is not closed");
	case SF_TOKEN_QUOTED:
		return fail(p, -EINVAL, &p->token,
			    "a quoted word is not a condition; quotes hold a process name, as in "
			    "comm 'my prog'");
	default:
		return fail(p, -EINVAL, &p->token,
			    "a condition is missing here, as 'port 443' or 'role server'");
	}
}

/* Two "not" undo each other, in three values too. */
static int parse_not(struct parser *p)
{
	struct sf_filter_node node = { .op = SF_FILTER_NOT };
	const struct sf_token at = p->token;
	bool is_negated = false;
	int operand;

	for (; p->token.kind == SF_TOKEN_NOT; advance(p))
		is_negated = !is_negated;
	operand = parse_operand(p);
	if (operand < 0 || !is_negated)
		return operand;
	node.left = (uint8_t)operand;
	return push(p, &at, &node);
}

static int parse_chain(struct parser *p, enum sf_token_kind joint, enum sf_filter_op op,
		       int (*parse_link)(struct parser *p))
{
	struct sf_filter_node node = { .op = op };
	int left = parse_link(p);

	while (left >= 0 && p->token.kind == joint) {
		const struct sf_token at = p->token;
		int right;

		advance(p);
		right = parse_link(p);
		if (right < 0)
			return right;
		node.left = (uint8_t)left;
		node.right = (uint8_t)right;
		left = push(p, &at, &node);
	}
	return left;
}

static int parse_and(struct parser *p)
{
	return parse_chain(p, SF_TOKEN_AND, SF_FILTER_AND, parse_not);
}

static int parse_or(struct parser *p)
{
	return parse_chain(p, SF_TOKEN_OR, SF_FILTER_OR, parse_and);
}

/* What stands behind a complete expression. */
static int check_end(struct parser *p)
{
	char word[SHOWN_SIZE];

	switch (p->token.kind) {
	case SF_TOKEN_END:
		return 0;
	case SF_TOKEN_CLOSE:
		return fail(p, -EINVAL, &p->token, "this ')' has no '('");
	case SF_TOKEN_STRAY:
		return fail(p, -EINVAL, &p->token, "write '%s' twice, or 'and', 'or'",
			    shown(&p->token, word));
	case SF_TOKEN_UNCLOSED:
		return fail(p, -EINVAL, &p->token, "this quote is not closed");
	default:
		return fail(p, -EINVAL, &p->token,
			    "'%s' follows a complete condition; join the two with 'and' or 'or', "
			    "and put a name with blanks in quotes",
			    shown(&p->token, word));
	}
}

static int join_operands(int argc, const char *const *argv, char text[SF_FILTER_TEXT_SIZE])
{
	size_t len = 0;

	for (int i = 0; i < argc; i++) {
		size_t more = strnlen(argv[i], SF_FILTER_TEXT_SIZE);

		if (len + (i > 0) + more >= SF_FILTER_TEXT_SIZE)
			return -E2BIG;
		if (i > 0)
			text[len++] = ' ';
		memcpy(text + len, argv[i], more);
		len += more;
	}
	text[len] = '\0';
	return 0;
}

int sf_filter_parse(struct sf_filter *filter, int argc, const char *const *argv, char *err,
		    size_t err_size)
{
	const unsigned int nr_before = filter->nr_nodes;
	char text[SF_FILTER_TEXT_SIZE];
	struct parser p = { .text = text, .filter = filter, .err = err, .err_size = err_size };
	struct sf_token end = { .kind = SF_TOKEN_END };
	int r;

	r = join_operands(argc, argv, text);
	if (r)
		return fail(&p, r, &end, "the expression is longer than %d characters",
			    SF_FILTER_TEXT_SIZE - 1);
	advance(&p);
	if (p.token.kind == SF_TOKEN_END)
		return 0;
	r = parse_or(&p);
	if (r >= 0)
		r = check_end(&p);
	if (r < 0) {
		filter->nr_nodes = nr_before;
		return r;
	}
	r = sf_filter_join(filter, nr_before);
	if (r)
		return fail(&p, r, &end, "too long: at most %d conditions and operators",
			    SF_FILTER_NODES_MAX);
	return 0;
}
