/* SPDX-License-Identifier: PostgreSQL */
/* parameters_command.c - a value as the text of a SET command. */
#include "track/parameters_impl.h"

#include "base/mem.h"

#include <stdlib.h>

static void put(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text));
}

/* The name is valid, so it has no quotes; each part of a placeholder is an identifier of its own.
 * Quoted, it is never taken for a keyword: SET ROLE and SET TIME ZONE have grammars of their own,
 * SET "role" and SET "TimeZone" have not. */
static void put_name(struct buf *out, struct span name)
{
    put(out, "\"");
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '.')
            put(out, "\".\"");
        else
            buf_append(out, name.p + i, 1);
    }
    put(out, "\"");
}

/* A string constant that means the same whether standard_conforming_strings is on or off. A
 * backslash is written \x5c, not doubled: in an encoding like SJIS the byte may be the second half
 * of a character, and of two backslashes the server would then see one, with the quote behind it
 * escaped. Of \x5c it would see x5c: a wrong value, but inside its quotes. */
static void put_string(struct buf *out, struct span value)
{
    bool escape = value.n && memchr(value.p, '\\', value.n);
    size_t run = 0;
    put(out, escape ? "E'" : "'");
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] != '\'' && value.p[i] != '\\')
            continue;
        buf_append(out, value.p + run, i - run);
        put(out, value.p[i] == '\'' ? "''" : "\\x5c");
        run = i + 1;
    }
    buf_append(out, value.p + run, value.n - run);
    put(out, "'");
}

struct list_run {
    struct buf *out;
    unsigned n;
};

static void put_element(void *arg, struct span element)
{
    struct list_run *l = arg;
    if (l->n++)
        put(l->out, ", ");
    put_string(l->out, element);
}

/* One string would be taken for one name, so SET wants each name of a list as its own string. */
static void put_list(struct buf *out, struct span value)
{
    struct list_run l = {.out = out};
    if (!param_list_split(value, NULL, NULL)) {
        put_string(out, value);
        return;
    }
    param_list_split(value, put_element, &l);
    if (l.n == 0)
        put(out, "''");
}

static void put_value(struct buf *out, struct span name, struct span value)
{
    put(out, " TO ");
    const struct param_name *row = param_name_find(name);
    if (row && (row->traits & PARAM_LIST))
        put_list(out, value);
    else
        put_string(out, value);
}

void params_command(struct buf *out, struct span name, const struct span *value)
{
    put(out, value ? "SET " : "RESET ");
    put_name(out, name);
    if (value)
        put_value(out, name, *value);
}

void params_command_local(struct buf *out, struct span name, const struct span *value)
{
    put(out, "SET LOCAL ");
    put_name(out, name);
    if (value)
        put_value(out, name, *value);
    else
        put(out, " TO DEFAULT");
}

/* ---- lists of names -------------------------------------------------------------------- */

/* scansup.c, scanner_isspace. */
static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static size_t skip_spaces(struct span list, size_t at)
{
    while (at < list.n && is_space(list.p[at]))
        at++;
    return at;
}

/* Reads a name in double quotes that begins at `at`; writes it to out, a doubled quote being one.
 * Returns where it ends, or 0 if its end is missing. */
static size_t read_quoted(struct span list, size_t at, uint8_t *out, size_t *n_out)
{
    size_t n = 0;
    for (at++; at < list.n; at++) {
        if (list.p[at] == '"') {
            if (at + 1 >= list.n || list.p[at + 1] != '"') {
                *n_out = n;
                return at + 1;
            }
            at++;
        }
        out[n++] = list.p[at];
    }
    return 0;
}

/* Reads a plain name, up to a comma or blank; folds it. Returns where it ends, or 0 if it is
 * empty. */
static size_t read_plain(struct span list, size_t at, uint8_t *out, size_t *n_out)
{
    size_t n = 0;
    for (; at < list.n && list.p[at] != ',' && !is_space(list.p[at]); at++) {
        uint8_t c = list.p[at];
        out[n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    *n_out = n;
    return n ? at : 0;
}

/* varlena.c, SplitIdentifierString. */
bool param_list_split(struct span list, void (*each)(void *arg, struct span element), void *arg)
{
    size_t at = skip_spaces(list, 0);
    if (at == list.n)
        return true;
    uint8_t *name = xmalloc(list.n);
    bool ok = false;
    for (;;) {
        size_t n = 0;
        at = at < list.n && list.p[at] == '"' ? read_quoted(list, at, name, &n)
                                              : read_plain(list, at, name, &n);
        if (at == 0)
            break;
        if (each)
            each(arg, span_of(name, n));
        at = skip_spaces(list, at);
        ok = at == list.n;
        if (ok || list.p[at] != ',')
            break;
        at = skip_spaces(list, at + 1);
    }
    free(name);
    return ok;
}
