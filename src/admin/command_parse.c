/* SPDX-License-Identifier: PostgreSQL */
/* command_parse.c - the console's language: text to struct. */
#include "admin/command_parse.h"

#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define SQLSTATE_SYNTAX_ERROR "42601"

/* ---- words ----------------------------------------------------------------------------- */

enum token_kind {
    TOKEN_END,
    TOKEN_SEMICOLON,
    TOKEN_EQUALS,
    TOKEN_WORD,
    TOKEN_NAME,   /* "…"; text is what stands between the quotes */
    TOKEN_STRING, /* '…' */
    TOKEN_OTHER,  /* nothing of ours, or a quote or comment that does not end */
};

struct token {
    enum token_kind kind;
    struct span text;
};

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

static bool skip_blanks(struct span *s)
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

static struct token take_one(struct span *s, enum token_kind kind)
{
    struct token t = {kind, span_of(s->p, 1)};
    step(s, 1);
    return t;
}

static struct token next_token(struct span *s)
{
    if (!skip_blanks(s))
        return (struct token){.kind = TOKEN_OTHER};
    if (!s->n)
        return (struct token){.kind = TOKEN_END};
    switch (s->p[0]) {
    case ';':
        return take_one(s, TOKEN_SEMICOLON);
    case '=':
        return take_one(s, TOKEN_EQUALS);
    case '"':
        return take_quoted(s, TOKEN_NAME);
    case '\'':
        return take_quoted(s, TOKEN_STRING);
    default:
        break;
    }
    size_t n = 0;
    while (n < s->n && is_word_byte(s->p[n]))
        n++;
    if (!n)
        return (struct token){.kind = TOKEN_OTHER};
    struct token t = {TOKEN_WORD, span_of(s->p, n)};
    step(s, n);
    return t;
}

/* ---- failing --------------------------------------------------------------------------- */

/* The beginning of what was written, in the form it can have in a message. */
static bool invalid(struct span statement, struct error *err)
{
    char shown[100];
    size_t n = statement.n < sizeof shown - 1 ? statement.n : sizeof shown - 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = statement.p[i];
        shown[i] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    shown[n] = '\0';
    return error_set(err, SQLSTATE_SYNTAX_ERROR, "invalid command '%s', use SHOW HELP;", shown);
}

/* ---- arguments ------------------------------------------------------------------------- */

/* SET has the most: key, sign, value. */
#define ARGUMENTS_MAX 3

struct statement {
    struct span text;
    struct token arguments[ARGUMENTS_MAX];
    unsigned n;
};

/* Copies a word or what stands between quotes. */
static bool copy_text(const struct token *t, char *out, size_t size, struct error *err)
{
    char quote = t->kind == TOKEN_NAME ? '"' : t->kind == TOKEN_STRING ? '\'' : '\0';
    size_t n = 0;
    for (size_t i = 0; i < t->text.n; i++) {
        if (n == size - 1)
            return error_set(err, SQLSTATE_SYNTAX_ERROR, "bad arguments");
        out[n++] = (char)t->text.p[i];
        if (quote && t->text.p[i] == (uint8_t)quote)
            i++;
    }
    out[n] = '\0';
    return true;
}

static bool is_name(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME;
}

static bool no_argument(const struct statement *s, struct command *out, struct error *err)
{
    (void)out;
    return s->n == 0 || invalid(s->text, err);
}

static bool name_if_any(const struct statement *s, struct command *out, struct error *err)
{
    if (s->n == 0)
        return true;
    if (s->n > 1 || !is_name(&s->arguments[0]) || !s->arguments[0].text.n)
        return invalid(s->text, err);
    out->has_name = true;
    return copy_text(&s->arguments[0], out->name, sizeof out->name, err);
}

static bool name_wanted(const struct statement *s, struct command *out, struct error *err)
{
    if (s->n == 0)
        return error_set(err, SQLSTATE_SYNTAX_ERROR, "a database is required");
    return name_if_any(s, out, err);
}

/* As SHOW CLIENTS gives it: the number, or the hexadecimal form that the log has too. */
static bool client_id(const struct statement *s, struct command *out, struct error *err)
{
    char text[24], *end;
    if (s->n != 1 || s->arguments[0].kind != TOKEN_WORD ||
        !span_to_str(s->arguments[0].text, text, sizeof text) || !isdigit((unsigned char)text[0]))
        return error_set(err, SQLSTATE_SYNTAX_ERROR, "invalid client pointer supplied");
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    out->id = strtoull(text, &end, hex ? 16 : 10);
    return !*end || error_set(err, SQLSTATE_SYNTAX_ERROR, "invalid client pointer supplied");
}

static bool thing(const struct statement *s, struct command *out, struct error *err)
{
    if (s->n != 1 || s->arguments[0].kind != TOKEN_WORD ||
        !show_find(s->arguments[0].text, &out->show))
        return invalid(s->text, err);
    return true;
}

static bool key_and_value(const struct statement *s, struct command *out, struct error *err)
{
    const struct token *key = &s->arguments[0], *sign = &s->arguments[1], *value = &s->arguments[2];
    if (s->n != 3 || key->kind != TOKEN_WORD)
        return invalid(s->text, err);
    bool to = sign->kind == TOKEN_WORD && span_is_nocase(sign->text, "to");
    if ((!to && sign->kind != TOKEN_EQUALS) || (!is_name(value) && value->kind != TOKEN_STRING))
        return invalid(s->text, err);
    out->has_name = true;
    return copy_text(key, out->name, sizeof out->name, err) &&
           copy_text(value, out->value, sizeof out->value, err);
}

static bool shutdown_kind(const struct statement *s, struct command *out, struct error *err)
{
    out->shutdown = SHUTDOWN_NOW;
    if (s->n == 0)
        return true;
    struct span word = s->arguments[0].text;
    if (s->n > 1 || s->arguments[0].kind != TOKEN_WORD)
        return invalid(s->text, err);
    if (span_is_nocase(word, "wait_for_servers"))
        out->shutdown = SHUTDOWN_WAIT_FOR_SERVERS;
    else if (span_is_nocase(word, "wait_for_clients"))
        out->shutdown = SHUTDOWN_WAIT_FOR_CLIENTS;
    else
        return invalid(s->text, err);
    return true;
}

/* ---- commands -------------------------------------------------------------------------- */

static const struct verb_row {
    const char *name;
    bool (*arguments)(const struct statement *s, struct command *out, struct error *err);
} verbs[] = {
    [COMMAND_DISABLE] = {"DISABLE", name_wanted},
    [COMMAND_ENABLE] = {"ENABLE", name_wanted},
    [COMMAND_KILL] = {"KILL", name_if_any},
    [COMMAND_KILL_CLIENT] = {"KILL_CLIENT", client_id},
    [COMMAND_PAUSE] = {"PAUSE", name_if_any},
    [COMMAND_RECONNECT] = {"RECONNECT", name_if_any},
    [COMMAND_RELOAD] = {"RELOAD", no_argument},
    [COMMAND_RESUME] = {"RESUME", name_if_any},
    [COMMAND_SET] = {"SET", key_and_value},
    [COMMAND_SHOW] = {"SHOW", thing},
    [COMMAND_SHUTDOWN] = {"SHUTDOWN", shutdown_kind},
    [COMMAND_SUSPEND] = {"SUSPEND", no_argument},
    [COMMAND_WAIT_CLOSE] = {"WAIT_CLOSE", name_if_any},
};

const char *command_verb_name(enum command_verb verb)
{
    return verbs[verb].name;
}

static bool find_verb(const struct token *first, enum command_verb *out)
{
    if (first->kind != TOKEN_WORD)
        return false;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (span_is_nocase(first->text, verbs[i].name)) {
            *out = (enum command_verb)i;
            return true;
        }
    }
    *out = COMMAND_SHOW;
    return span_is_nocase(first->text, "select");
}

/* Reads up to the semicolon or the end; false if that is not all words, or too many. */
static bool take_arguments(struct span *text, struct statement *s)
{
    bool fits = true;
    for (;;) {
        const uint8_t *end = text->p;
        struct token t = next_token(text);
        s->text.n = (size_t)(end - s->text.p);
        if (t.kind == TOKEN_END || t.kind == TOKEN_SEMICOLON)
            return fits;
        if (t.kind == TOKEN_OTHER) {
            s->text.n += text->n;
            return false;
        }
        if (s->n < ARGUMENTS_MAX)
            s->arguments[s->n++] = t;
        else
            fits = false;
    }
}

enum command_parsed command_parse(struct span *text, struct command *out, struct error *err)
{
    struct token first;
    struct span from; /* where the statement begins */
    do {
        from = *text;
        bool skipped = skip_blanks(text);
        if (skipped)
            from = *text;
        first = skipped ? next_token(text) : (struct token){.kind = TOKEN_OTHER};
    } while (first.kind == TOKEN_SEMICOLON);
    if (first.kind == TOKEN_END)
        return COMMAND_NONE;
    if (first.kind == TOKEN_OTHER) {
        invalid(from, err);
        return COMMAND_BAD;
    }
    *out = (struct command){0};
    struct statement s = {.text = span_of(from.p, from.n - text->n)};
    bool whole = take_arguments(text, &s);
    if (!find_verb(&first, &out->verb) || !whole) {
        invalid(s.text, err);
        return COMMAND_BAD;
    }
    return verbs[out->verb].arguments(&s, out, err) ? COMMAND_OK : COMMAND_BAD;
}
