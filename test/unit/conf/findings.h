/* SPDX-License-Identifier: PostgreSQL */
/* findings.h - a config_sink that writes what it is told into one text, a line for each finding:
 *
 *     error|warning|note <origin>: <text>
 */
#ifndef TEST_CONF_FINDINGS_H
#define TEST_CONF_FINDINGS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/config.h"

struct findings {
    struct config_sink sink;
    struct buf text;
};

static inline void findings_take(void *owner, enum config_severity severity, const char *origin,
                                 const char *text)
{
    static const char *const words[] = {"note", "warning", "error"};
    struct findings *f = owner;
    char line[1024];
    int n = snprintf(line, sizeof line, "%s %s: %s\n", words[severity], origin, text);
    buf_append(&f->text, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static inline void findings_init(struct findings *f)
{
    *f = (struct findings){.sink = {.report = findings_take, .owner = f}};
}

/* Everything so far, as a string that lives until the next report. */
static inline const char *findings_text(struct findings *f)
{
    buf_reserve(&f->text, 1)[0] = '\0';
    return (const char *)buf_span(&f->text).p;
}

static inline void findings_fini(struct findings *f)
{
    buf_reset(&f->text);
}

/* The number of lines that contain the text. */
static inline size_t findings_count(struct findings *f, const char *what)
{
    size_t n = 0;
    for (const char *line = findings_text(f); *line;) {
        size_t len = strcspn(line, "\n");
        const char *at = strstr(line, what);
        n += at && at < line + len;
        line += len + (line[len] == '\n');
    }
    return n;
}

#endif
