/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the filter room: the words of an expression. Tokens point into the
 * text, which must outlive them; nothing is copied.
 */
#ifndef SF_FILTER_TOKEN_H
#define SF_FILTER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum sf_token_kind {
	SF_TOKEN_END,
	SF_TOKEN_WORD,
	SF_TOKEN_QUOTED, /* text and len are what is between the quotes */
	SF_TOKEN_OPEN,
	SF_TOKEN_CLOSE,
	SF_TOKEN_AND, /* "and" or "&&" */
	SF_TOKEN_OR,
	SF_TOKEN_NOT,
	SF_TOKEN_LT,
	SF_TOKEN_LE,
	SF_TOKEN_GT,
	SF_TOKEN_GE,
	SF_TOKEN_EQUAL,	   /* "=", "==", "!=": known so that it can be explained */
	SF_TOKEN_STRAY,	   /* a lone & or | */
	SF_TOKEN_UNCLOSED, /* a quote without its end */
};

struct sf_token {
	enum sf_token_kind kind;
	const char *text;
	size_t len;
	size_t column; /* of its first character, from 1 */
};

/*
 * The token at *pos of a NUL-terminated text; *pos moves behind it. With
 * is_value a word is a word even if it is called "and".
 */
struct sf_token sf_token_next(const char *text, size_t *pos, bool is_value);
/* Equal to a lower-case word, in any case. */
bool sf_token_is(const struct sf_token *token, const char *word);

#endif
