/* SPDX-License-Identifier: PostgreSQL */
/* words.h - a line of a script, cut into words.
 *
 *     bare words   "quoted ones"   ,   # a comment
 *
 * In quotes \" \\ \n \0 and \xHH stand for what they do in C; "ab"*3 is "ababab"; "ab"... matches
 * what begins with ab. A comma outside of quotes is a word of its own. */
#ifndef REPLAY_WORDS_H
#define REPLAY_WORDS_H

#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>

struct word {
    char *text; /* NUL-terminated; may contain NULs of its own */
    size_t n;
    bool is_quoted;
    bool is_prefix;
};

struct words {
    struct word *each;
    size_t n;
};

/* Fills *out, which words_free releases, also after a failure. */
bool words_split(struct words *out, struct span line, struct error *err);
void words_free(struct words *w);

bool word_is(const struct word *w, const char *bare);
/* "key=value", value bare or quoted up to the end of the word: NULL if the key is another one. */
const char *word_value(const struct word *w, const char *key);
static inline struct span word_span(const struct word *w)
{
    return span_of(w->text, w->n);
}

#endif
