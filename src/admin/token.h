/* SPDX-License-Identifier: PostgreSQL */
/* token.h - the words of the console's language: names, quoted texts, signs. Blanks and SQL's
 * comments, also nested ones, lie between them. */
#ifndef ADMIN_TOKEN_H
#define ADMIN_TOKEN_H

#include "base/span.h"

enum token_kind {
    TOKEN_END,
    TOKEN_SEMICOLON,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_MINUS,
    TOKEN_EQUALS,
    TOKEN_DIFFERS, /* <> and != */
    TOKEN_LESS,
    TOKEN_LESS_OR_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_OR_EQUAL,
    TOKEN_WORD,   /* letters, digits, underscores */
    TOKEN_NAME,   /* "..."; text is what stands between the quotes */
    TOKEN_STRING, /* '...' */
    TOKEN_OTHER,  /* nothing of ours, or a quote or comment that does not end */
};

struct token {
    enum token_kind kind;
    struct span text; /* borrowed */
};

/* Takes the next one from the front of *s. At the end, and in front of what is nothing of ours,
 * *s stays where it is. */
struct token token_next(struct span *s);
/* Blanks and comments; false if a comment does not end. */
bool token_skip_blanks(struct span *s);

/* A keyword, in any case. */
bool token_is(const struct token *t, const char *word);
/* A word or a name in quotes. */
bool token_is_name(const struct token *t);
/* The text with quotes resolved, NUL-terminated; false if it does not fit. */
bool token_copy(const struct token *t, char *out, size_t size) __attribute__((warn_unused_result));

#endif
