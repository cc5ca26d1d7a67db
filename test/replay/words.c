/* SPDX-License-Identifier: PostgreSQL */
/* words.c - cut a line of a script into words. */
#include "replay/words.h"

#include "base/buf.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

struct cursor {
    const uint8_t *at, *end;
};

static bool is_blank(uint8_t ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r';
}

static struct word *add(struct words *w)
{
    w->each = xrealloc(w->each, (w->n + 1) * sizeof w->each[0]);
    w->each[w->n] = (struct word){0};
    return &w->each[w->n++];
}

static bool take_escape(struct cursor *c, struct buf *text)
{
    char digits[3] = {0};
    uint8_t byte;
    if (c->at == c->end)
        return false;
    switch (*c->at++) {
    case 'n':
        byte = '\n';
        break;
    case '0':
        byte = '\0';
        break;
    case 'x':
        if (c->end - c->at < 2 || !isxdigit(c->at[0]) || !isxdigit(c->at[1]))
            return false;
        digits[0] = (char)*c->at++;
        digits[1] = (char)*c->at++;
        byte = (uint8_t)strtoul(digits, NULL, 16);
        break;
    default:
        byte = c->at[-1];
        break;
    }
    buf_append(text, &byte, 1);
    return true;
}

static bool take_quoted(struct cursor *c, struct buf *text, struct error *err)
{
    for (c->at++; c->at < c->end && *c->at != '"';) {
        if (*c->at != '\\') {
            buf_append(text, c->at++, 1);
            continue;
        }
        c->at++;
        if (!take_escape(c, text))
            return error_set(err, "", "bad escape in a quoted word");
    }
    if (c->at == c->end)
        return error_set(err, "", "a quote is not closed");
    c->at++;
    return true;
}

/* What may stand behind a closing quote. */
static void take_suffix(struct cursor *c, struct buf *text, struct word *w)
{
    if (c->end - c->at >= 3 && memcmp(c->at, "...", 3) == 0) {
        w->is_prefix = true;
        c->at += 3;
    }
    if (c->end - c->at < 2 || *c->at != '*' || !isdigit(c->at[1]))
        return;
    unsigned long times = 0;
    for (c->at++; c->at < c->end && isdigit(*c->at); c->at++)
        times = times * 10 + (unsigned long)(*c->at - '0');
    size_t n = buf_len(text);
    char *once = xstrndup(buf_span(text).p, n);
    buf_clear(text);
    while (times--)
        buf_append(text, once, n);
    free(once);
}

static bool take_word(struct cursor *c, struct words *out, struct error *err)
{
    struct word *w = add(out);
    struct buf text = {0};
    bool ok = true;
    if (*c->at == ',') {
        buf_append(&text, c->at++, 1);
    } else if (*c->at == '"') {
        w->is_quoted = true;
        ok = take_quoted(c, &text, err);
        if (ok)
            take_suffix(c, &text, w);
    } else {
        while (ok && c->at < c->end && !is_blank(*c->at) && *c->at != ',') {
            if (*c->at == '"')
                ok = take_quoted(c, &text, err);
            else
                buf_append(&text, c->at++, 1);
        }
    }
    w->n = buf_len(&text);
    w->text = xstrndup(w->n ? (const void *)buf_span(&text).p : "", w->n);
    buf_reset(&text);
    return ok;
}

bool words_split(struct words *out, struct span line, struct error *err)
{
    struct cursor c = {line.p, line.p + line.n};
    *out = (struct words){0};
    for (;;) {
        while (c.at < c.end && is_blank(*c.at))
            c.at++;
        if (c.at == c.end || *c.at == '#')
            return true;
        if (!take_word(&c, out, err))
            return false;
    }
}

void words_free(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->each[i].text);
    free(w->each);
    *w = (struct words){0};
}

bool word_is(const struct word *w, const char *bare)
{
    return !w->is_quoted && strcmp(w->text, bare) == 0;
}

const char *word_value(const struct word *w, const char *key)
{
    size_t n = strlen(key);
    return strncmp(w->text, key, n) == 0 && w->text[n] == '=' ? w->text + n + 1 : NULL;
}
