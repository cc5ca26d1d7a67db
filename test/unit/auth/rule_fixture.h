/* SPDX-License-Identifier: PostgreSQL */
/* rule_fixture.h - what the tests of HBA and ident files share. */
#ifndef TEST_UNIT_AUTH_RULE_FIXTURE_H
#define TEST_UNIT_AUTH_RULE_FIXTURE_H

#include <stdio.h>

#include "auth_fixture.h"
#include "auth/rule_line.h"
#include "../../support/guard.h"

/* Problems as text: "path:line: E|W text\n". */
struct notes {
    char text[2048];
    struct rule_sink sink;
};

static void note(void *arg, const struct rule_problem *p)
{
    struct notes *n = arg;
    size_t at = strlen(n->text);
    snprintf(n->text + at, sizeof n->text - at, "%s:%u: %c %s\n", p->path, p->line,
             p->severity == RULE_ERROR ? 'E' : 'W', p->text);
}

static inline void notes_begin(struct notes *n)
{
    *n = (struct notes){.sink = {.report = note, .arg = n}};
}

#endif
