/* SPDX-License-Identifier: PostgreSQL */
/* command_parse.c - the console's language: text to struct. */
#include "admin/command_parse.h"

#include "admin/token.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define SQLSTATE_SYNTAX_ERROR "42601"
#define SQLSTATE_UNDEFINED_PARAMETER "42P02"

/* ---- failing --------------------------------------------------------------------------- */

/* The beginning of what was written, in the form it can have in a message. */
static bool invalid(struct span statement, struct error *err)
{
    char shown[100];
    size_t n = statement.n < sizeof shown - 1 ? statement.n : sizeof shown - 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = statement.p[i];
        shown[i] = isspace(c) ? ' ' : c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    shown[n] = '\0';
    return error_set(err, SQLSTATE_SYNTAX_ERROR, "invalid command '%s', use SHOW HELP;", shown);
}

/* ---- arguments ------------------------------------------------------------------------- */

/* SET has the most: key, sign, value. What follows the first argument of SHOW is its clauses. */
#define ARGUMENTS_MAX 3

struct statement {
    struct span text;
    struct token arguments[ARGUMENTS_MAX];
    unsigned n;        /* may be more than there is room for */
    struct span after; /* the first argument */
    struct span rest;  /* where something begins that is no word */
};

static bool copy_text(const struct token *t, char *out, size_t size, struct error *err)
{
    return token_copy(t, out, size) || error_set(err, SQLSTATE_SYNTAX_ERROR, "bad arguments");
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
    if (s->n > 1 || !token_is_name(&s->arguments[0]) || !s->arguments[0].text.n)
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

static bool begins_clauses(const struct token *t)
{
    return token_is(t, "where") || token_is(t, "order") || token_is(t, "limit") ||
           token_is(t, "offset");
}

static bool thing(const struct statement *s, struct command *out, struct error *err)
{
    if (s->n < 1 || s->arguments[0].kind != TOKEN_WORD ||
        !show_find(s->arguments[0].text, &out->show))
        return invalid(s->text, err);
    if (s->n == 1)
        return true;
    struct columns columns = show_at(out->show)->columns;
    if (!begins_clauses(&s->arguments[1]) || !columns.n)
        return invalid(s->text, err);
    return filter_parse(s->after, columns, &out->filter, err);
}

static bool key_and_value(const struct statement *s, struct command *out, struct error *err)
{
    const struct token *key = &s->arguments[0], *sign = &s->arguments[1], *value = &s->arguments[2];
    if (s->n != 3 || key->kind != TOKEN_WORD)
        return invalid(s->text, err);
    bool to = sign->kind == TOKEN_WORD && span_is_nocase(sign->text, "to");
    if ((!to && sign->kind != TOKEN_EQUALS) ||
        (!token_is_name(value) && value->kind != TOKEN_STRING))
        return invalid(s->text, err);
    out->has_name = true;
    if (!copy_text(key, out->name, sizeof out->name, err))
        return false;
    for (char *c = out->name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy_text(value, out->value, sizeof out->value, err);
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

/* Reads up to the semicolon or the end; false if that is not all words. */
static bool take_arguments(struct span *text, struct statement *s)
{
    for (;;) {
        const uint8_t *end = text->p;
        struct token t = token_next(text);
        s->text.n = (size_t)(end - s->text.p);
        if (s->n)
            s->after.n = (size_t)(end - s->after.p);
        if (t.kind == TOKEN_END || t.kind == TOKEN_SEMICOLON)
            return true;
        if (t.kind == TOKEN_OTHER) {
            s->text.n += text->n;
            s->rest = *text;
            return false;
        }
        if (s->n < ARGUMENTS_MAX)
            s->arguments[s->n] = t;
        if (s->n++ == 0)
            s->after = span_of(text->p, 0);
    }
}

/* $1 and the like. */
static bool is_parameter(struct span text)
{
    return text.n >= 2 && text.p[0] == '$' && isdigit(text.p[1]);
}

const char *command_hint(struct span text)
{
    static const char *const words[] = {"begin", "start", "commit", "rollback", "savepoint"};
    struct token first = token_next(&text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (token_is(&first, words[i]))
            return "The console has no transactions: connect with autocommit.";
    }
    return NULL;
}

enum command_parsed command_parse(struct span *text, struct command *out, struct error *err)
{
    struct token first;
    struct span from; /* where the statement begins */
    do {
        from = *text;
        bool skipped = token_skip_blanks(text);
        if (skipped)
            from = *text;
        first = skipped ? token_next(text) : (struct token){.kind = TOKEN_OTHER};
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
    if (!whole && is_parameter(s.rest)) {
        error_set(err, SQLSTATE_UNDEFINED_PARAMETER, "commands of the console take no parameters");
        return COMMAND_BAD;
    }
    if (!find_verb(&first, &out->verb) || !whole) {
        invalid(s.text, err);
        return COMMAND_BAD;
    }
    return verbs[out->verb].arguments(&s, out, err) ? COMMAND_OK : COMMAND_BAD;
}
