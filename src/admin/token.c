/* SPDX-License-Identifier: PostgreSQL */
/* token.c - the words of the console's language. */
#include "admin/token.h"

#include "base/str.h"

static void step(struct span *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static bool begins(struct span s, const char *two)
{
    return s.n >= 2 && memcmp(s.p, two, 2) == 0;
}

static bool is_word_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

/* ---- between words --------------------------------------------------------------------- */

static void skip_line(struct span *s)
{
    while (s->n && s->p[0] != '\n')
        step(s, 1);
}

/* At the beginning of a comment; false if it does not end. */
static bool skip_comment(struct span *s)
{
    unsigned depth = 0;
    do {
        if (begins(*s, "/*")) {
            depth++;
            step(s, 2);
        } else if (begins(*s, "*/")) {
            depth--;
            step(s, 2);
        } else if (s->n) {
            step(s, 1);
        } else {
            return false;
        }
    } while (depth);
    return true;
}

bool token_skip_blanks(struct span *s)
{
    for (;;) {
        while (s->n && is_blank(s->p[0]))
            step(s, 1);
        if (begins(*s, "--"))
            skip_line(s);
        else if (!begins(*s, "/*"))
            return true;
        else if (!skip_comment(s))
            return false;
    }
}

/* ---- words ----------------------------------------------------------------------------- */

static struct token take(struct span *s, enum token_kind kind, size_t n)
{
    struct token t = {kind, span_of(s->p, n)};
    step(s, n);
    return t;
}

/* At the opening quote. */
static struct token take_quoted(struct span *s, enum token_kind kind)
{
    uint8_t quote = s->p[0];
    for (size_t i = 1; i < s->n; i++) {
        if (s->p[i] == 0)
            break;
        if (s->p[i] != quote)
            continue;
        if (i + 1 < s->n && s->p[i + 1] == quote) {
            i++;
            continue;
        }
        struct token t = {kind, span_of(s->p + 1, i - 1)};
        step(s, i + 1);
        return t;
    }
    return (struct token){.kind = TOKEN_OTHER};
}

/* Longer signs come before those they begin with. */
static const struct sign {
    const char *text;
    enum token_kind kind;
} signs[] = {
    {"<=", TOKEN_LESS_OR_EQUAL}, {">=", TOKEN_GREATER_OR_EQUAL},
    {"<>", TOKEN_DIFFERS},       {"!=", TOKEN_DIFFERS},
    {"<", TOKEN_LESS},           {">", TOKEN_GREATER},
    {"=", TOKEN_EQUALS},         {";", TOKEN_SEMICOLON},
    {",", TOKEN_COMMA},          {"(", TOKEN_OPEN},
    {")", TOKEN_CLOSE},          {"-", TOKEN_MINUS},
};

static const struct sign *find_sign(struct span s)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        size_t n = strlen(signs[i].text);
        if (s.n >= n && memcmp(s.p, signs[i].text, n) == 0)
            return &signs[i];
    }
    return NULL;
}

struct token token_next(struct span *s)
{
    if (!token_skip_blanks(s))
        return (struct token){.kind = TOKEN_OTHER};
    if (!s->n)
        return (struct token){.kind = TOKEN_END};
    if (s->p[0] == '"')
        return take_quoted(s, TOKEN_NAME);
    if (s->p[0] == '\'')
        return take_quoted(s, TOKEN_STRING);
    const struct sign *sign = find_sign(*s);
    if (sign)
        return take(s, sign->kind, strlen(sign->text));
    size_t n = 0;
    while (n < s->n && is_word_byte(s->p[n]))
        n++;
    if (!n)
        return (struct token){.kind = TOKEN_OTHER};
    return take(s, TOKEN_WORD, n);
}

/* ---- asking ---------------------------------------------------------------------------- */

bool token_is(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && span_is_nocase(t->text, word);
}

bool token_is_name(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME;
}

bool token_copy(const struct token *t, char *out, size_t size)
{
    char quote = t->kind == TOKEN_NAME ? '"' : t->kind == TOKEN_STRING ? '\'' : '\0';
    size_t n = 0;
    for (size_t i = 0; i < t->text.n; i++) {
        if (n == size - 1)
            return false;
        out[n++] = (char)t->text.p[i];
        if (quote && t->text.p[i] == (uint8_t)quote)
            i++;
    }
    out[n] = '\0';
    return true;
}
