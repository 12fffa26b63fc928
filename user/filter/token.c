// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Splits an expression into tokens. Blanks, quotes and the characters of
 * operators end a word; every other byte belongs to it. Called by parse.c only.
 */
#include "filter/token.h"

#include <string.h>

#include "base/util.h"

struct symbol {
	const char *text;
	enum sf_token_kind kind;
};

/* The longer of two that begin alike comes first. */
static const struct symbol symbols[] = {
	{ "(", SF_TOKEN_OPEN },	 { ")", SF_TOKEN_CLOSE },  { "&&", SF_TOKEN_AND },
	{ "||", SF_TOKEN_OR },	 { "!=", SF_TOKEN_EQUAL }, { "!", SF_TOKEN_NOT },
	{ "<=", SF_TOKEN_LE },	 { "<", SF_TOKEN_LT },	   { ">=", SF_TOKEN_GE },
	{ ">", SF_TOKEN_GT },	 { "==", SF_TOKEN_EQUAL }, { "=", SF_TOKEN_EQUAL },
	{ "&", SF_TOKEN_STRAY }, { "|", SF_TOKEN_STRAY },
};

static const struct symbol words[] = {
	{ "and", SF_TOKEN_AND },
	{ "or", SF_TOKEN_OR },
	{ "not", SF_TOKEN_NOT },
};

/* Every byte up to the space is a blank: a control character is part of no name. */
static bool is_blank(char c)
{
	return c && (unsigned char)c <= ' ';
}

static bool is_in_word(char c)
{
	return (unsigned char)c > ' ' && !strchr("()!&|<>='\"", c);
}

/* ASCII only, so that no locale changes what an expression means. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool sf_token_is(const struct sf_token *token, const char *word)
{
	if (token->kind == SF_TOKEN_QUOTED || strlen(word) != token->len)
		return false;
	for (size_t i = 0; i < token->len; i++)
		if (lower(token->text[i]) != word[i])
			return false;
	return true;
}

static void read_word(struct sf_token *token, bool is_value)
{
	token->kind = SF_TOKEN_WORD;
	while (is_in_word(token->text[token->len]))
		token->len++;
	for (size_t i = 0; !is_value && i < ARRAY_SIZE(words); i++)
		if (sf_token_is(token, words[i].text))
			token->kind = words[i].kind;
}

static void read_symbol(struct sf_token *token)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		size_t len = strlen(symbols[i].text);

		if (strncmp(token->text, symbols[i].text, len))
			continue;
		token->kind = symbols[i].kind;
		token->len = len;
		return;
	}
}

struct sf_token sf_token_next(const char *text, size_t *pos, bool is_value)
{
	struct sf_token token = { .kind = SF_TOKEN_END };
	size_t at = *pos;

	while (is_blank(text[at]))
		at++;
	token.text = text + at;
	token.column = at + 1;
	if (text[at] == '\'' || text[at] == '"') {
		const char *close = strchr(text + at + 1, text[at]);

		token.text++;
		token.kind = close ? SF_TOKEN_QUOTED : SF_TOKEN_UNCLOSED;
		token.len = close ? (size_t)(close - token.text) : strlen(token.text);
		at += token.len + (close ? 2 : 1);
	} else {
		if (is_in_word(text[at]))
			read_word(&token, is_value);
		else if (text[at])
			read_symbol(&token);
		at += token.len;
	}
	*pos = at;
	return token;
}
