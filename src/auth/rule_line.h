/* SPDX-License-Identifier: PostgreSQL */
/* rule_line.h - lines of tokens, as HBA and ident files have them; and what is wrong with a line.
 *
 *   line  = *( blanks / "," / token ) [ "#" anything ]
 *   token = 1*( char / DQUOTE *( any / DQUOTE DQUOTE ) DQUOTE )
 *   char  = any but blank, comma, "#" and DQUOTE
 *
 * A backslash in front of a line's end joins it with the next, as in PostgreSQL. */
#ifndef AUTH_RULE_LINE_H
#define AUTH_RULE_LINE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct rule_token {
    const char *text;
    bool quoted;     /* begins with a quote: whatever it says, it is no keyword */
    unsigned commas; /* between the token before and this one */
    size_t end;      /* where in `body` it ends */
};

struct rule_line {
    unsigned number; /* of its first line in the file, from 1 */
    struct rule_token *tokens;
    size_t n, cap;
    unsigned commas_behind; /* after the last token */
    struct span body;       /* joined, without the comment */
    struct buf joined;      /* with it; what `body` points to */
    char *texts;            /* what the tokens point to */
    size_t room; /* in each of the two; as much as the file is long, as they never grow */
};

struct rule_reader {
    struct span rest;
    unsigned number; /* of lines read */
};

enum rule_next {
    RULE_LINE, /* at least one token */
    RULE_BAD,  /* this line is wrong, *err says how; the next call continues behind it */
    RULE_END,
};

/* The line is used again by each call of the same reader; all zero at first. */
enum rule_next rule_line_next(struct rule_reader *r, struct rule_line *line, struct error *err);
void rule_line_fini(struct rule_line *line);

/* --- findings ------------------------------------------------------------------------------ */

enum rule_severity {
    RULE_WARNING, /* the line counts, but the operator should look at it */
    RULE_ERROR,   /* the file does not count */
};

struct rule_problem {
    enum rule_severity severity;
    const char *path;
    unsigned line;
    const char *text; /* borrowed; holds no secret */
};

struct rule_sink {
    void (*report)(void *arg, const struct rule_problem *problem);
    void *arg;
    unsigned n_errors; /* counted by rule_report */
};

/* Calls fn for each line of the text that has tokens, and reports those that cannot be cut. False
 * if there was an error among these, or fn has reported one. */
bool rule_lines_read(struct span text, const char *path, struct rule_sink *sink,
                     void (*fn)(void *arg, const struct rule_line *line), void *arg);

/* Returns false, so that `return rule_report(...)` ends a bool function. */
bool rule_report(struct rule_sink *sink, enum rule_severity severity, const char *path,
                 unsigned line, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
