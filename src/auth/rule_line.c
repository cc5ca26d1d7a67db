/* SPDX-License-Identifier: PostgreSQL */
/* rule_line.c - cut HBA and ident files into lines and tokens. */
#include "auth/rule_line.h"

#include "base/mem.h"

#include <stdlib.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Takes one line of the file off the reader. */
static struct span take_physical(struct rule_reader *r)
{
    const uint8_t *lf = memchr(r->rest.p, '\n', r->rest.n);
    size_t n = lf ? (size_t)(lf - r->rest.p) : r->rest.n;
    struct span line = span_of(r->rest.p, n);
    n += lf != NULL;
    r->rest = span_of(r->rest.p + n, r->rest.n - n);
    r->number++;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static void take_logical(struct rule_reader *r, struct rule_line *line)
{
    bool joins;
    buf_clear(&line->joined);
    line->number = r->number + 1;
    do {
        struct span part = take_physical(r);
        joins = part.n && part.p[part.n - 1] == '\\' && r->rest.n;
        if (part.n)
            buf_append(&line->joined, part.p, part.n - joins);
    } while (joins);
}

static struct rule_token *add_token(struct rule_line *line)
{
    if (line->n == line->cap) {
        line->cap = line->cap ? 2 * line->cap : 16;
        line->tokens = xrealloc(line->tokens, line->cap * sizeof line->tokens[0]);
    }
    return &line->tokens[line->n++];
}

/* From *at, which is neither blank nor comma. Writes the text to *out; false if a quote is open. */
static bool take_token(struct span s, size_t *at, char **out)
{
    bool in_quotes = false;
    for (; *at < s.n; (*at)++) {
        uint8_t c = s.p[*at];
        if (c == '"' && in_quotes && *at + 1 < s.n && s.p[*at + 1] == '"')
            (*at)++;
        else if (c == '"') {
            in_quotes = !in_quotes;
            continue;
        } else if (!in_quotes && (is_blank(c) || c == ',' || c == '#'))
            break;
        *(*out)++ = (char)c;
    }
    *(*out)++ = '\0';
    return !in_quotes;
}

/* Fills the tokens and the body from what was joined. */
static bool cut(struct rule_line *line, struct error *err)
{
    struct span s = buf_span(&line->joined);
    unsigned commas = 0;
    size_t at = 0;
    line->n = 0;
    if (s.n && memchr(s.p, '\0', s.n))
        return error_set(err, "", "line contains a NUL byte");
    char *out = line->texts;
    while (at < s.n && s.p[at] != '#') {
        if (is_blank(s.p[at]) || s.p[at] == ',') {
            commas += s.p[at++] == ',';
            continue;
        }
        struct rule_token *t = add_token(line);
        *t = (struct rule_token){.text = out, .quoted = s.p[at] == '"', .commas = commas};
        commas = 0;
        if (!take_token(s, &at, &out))
            return error_set(err, "", "a quoted name does not end in this line");
        t->end = at;
    }
    line->commas_behind = commas;
    line->body = span_of(s.p, at);
    return true;
}

/* Between two tokens there is a byte that belongs to neither: room for the NUL. */
static void prepare(const struct rule_reader *r, struct rule_line *line)
{
    if (line->texts)
        return;
    line->room = r->rest.n + 1;
    line->texts = xmalloc(line->room);
    buf_reserve(&line->joined, line->room);
}

enum rule_next rule_line_next(struct rule_reader *r, struct rule_line *line, struct error *err)
{
    prepare(r, line);
    while (r->rest.n) {
        take_logical(r, line);
        if (!cut(line, err))
            return RULE_BAD;
        if (line->n)
            return RULE_LINE;
        if (line->commas_behind) {
            error_set(err, "", "line has only commas");
            return RULE_BAD;
        }
    }
    return RULE_END;
}

void rule_line_fini(struct rule_line *line)
{
    /* The options of LDAP have passwords in them. */
    mem_wipe(line->texts, line->texts ? line->room : 0);
    mem_wipe(line->joined.data, line->joined.cap);
    buf_reset(&line->joined);
    free(line->tokens);
    free(line->texts);
    *line = (struct rule_line){0};
}

bool rule_lines_read(struct span text, const char *path, struct rule_sink *sink,
                     void (*fn)(void *arg, const struct rule_line *line), void *arg)
{
    struct rule_reader reader = {.rest = text};
    struct rule_line line = {0};
    struct error err;
    enum rule_next got;
    unsigned errors = sink->n_errors;
    while ((got = rule_line_next(&reader, &line, &err)) != RULE_END) {
        if (got == RULE_BAD)
            rule_report(sink, RULE_ERROR, path, line.number, "%s", err.text);
        else
            fn(arg, &line);
    }
    rule_line_fini(&line);
    return sink->n_errors == errors;
}

bool rule_report(struct rule_sink *sink, enum rule_severity severity, const char *path,
                 unsigned line, const char *fmt, ...)
{
    struct error text;
    va_list ap;
    va_start(ap, fmt);
    error_vset(&text, "", fmt, ap);
    va_end(ap);
    const struct rule_problem p = {severity, path, line, text.text};
    sink->n_errors += severity == RULE_ERROR;
    sink->report(sink->arg, &p);
    return false;
}
