/* SPDX-License-Identifier: PostgreSQL */
/* text.c - append to a page. */
#include "http/text.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void text_add(struct buf *page, const char *s)
{
    buf_append(page, s, strlen(s));
}

/* Most pieces are short: then one attempt is enough. */
#define USUAL_SIZE 128

void text_addf(struct buf *page, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf((char *)buf_reserve(page, USUAL_SIZE), USUAL_SIZE, fmt, ap);
    va_end(ap);
    if (n >= USUAL_SIZE) {
        va_start(ap, fmt);
        vsnprintf((char *)buf_reserve(page, (size_t)n + 1), (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    if (n > 0)
        buf_commit(page, (size_t)n);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void add_json_character(struct buf *page, struct span c)
{
    switch (c.p[0]) {
    case '"':
        text_add(page, "\\\"");
        return;
    case '\\':
        text_add(page, "\\\\");
        return;
    case '<':
        /* Not asked for by JSON: so that no page can take it for a tag, wherever it is put. */
        text_add(page, "\\u003c");
        return;
    }
    if (c.p[0] < 0x20)
        text_addf(page, "\\u%04x", c.p[0]);
    else
        buf_append(page, c.p, c.n);
}

void text_add_json(struct buf *page, const char *s)
{
    if (!s) {
        text_add(page, "null");
        return;
    }
    text_add(page, "\"");
    struct span rest = span_str(s);
    while (rest.n > 0) {
        size_t n = utf8_step(rest);
        if (n == 0)
            text_add(page, "?");
        else
            add_json_character(page, span_of(rest.p, n));
        rest = span_of(rest.p + (n ? n : 1), rest.n - (n ? n : 1));
    }
    text_add(page, "\"");
}

/* ---- OpenMetrics ----------------------------------------------------------------------- */

void text_add_label(struct buf *page, const char *s)
{
    text_add(page, "\"");
    for (; *s; s++) {
        if (*s == '\n')
            text_add(page, "\\n");
        else if (*s == '"' || *s == '\\')
            text_addf(page, "\\%c", *s);
        else
            buf_append(page, s, 1);
    }
    text_add(page, "\"");
}

void text_add_seconds(struct buf *page, uint64_t us)
{
    text_addf(page, "%" PRIu64 ".%06" PRIu64, us / (uint64_t)US_PER_S, us % (uint64_t)US_PER_S);
}
