/* SPDX-License-Identifier: PostgreSQL */
/* ident.c - PgBouncer's and PostgreSQL's ident map format. */
#include "auth/ident.h"

#include "base/mem.h"

#include <stdlib.h>

struct entry {
    struct entry *next;
    char *map, *system_user;
    char *user; /* NULL: everybody */
};

struct ident {
    struct entry *first, **end;
};

struct run {
    struct ident *ident;
    const char *path;
    struct rule_sink *sink;
};

static bool check_entry(const struct run *r, const struct rule_line *line)
{
    const struct rule_token *t = line->tokens;
    unsigned commas = line->commas_behind;
    for (size_t i = 0; i < line->n; i++)
        commas += t[i].commas;
    if (commas || line->n != 3)
        return rule_report(r->sink, RULE_ERROR, r->path, line->number,
                           "expected a map name, a system user and a database user");
    if (t[1].text[0] == '/' && !t[1].quoted)
        return rule_report(r->sink, RULE_ERROR, r->path, line->number,
                           "regular expressions are not supported: \"%.60s\"", t[1].text);
    if (!t[2].quoted && (t[2].text[0] == '+' || t[2].text[0] == '/'))
        return rule_report(r->sink, RULE_ERROR, r->path, line->number,
                           "%s are not supported as database user: \"%.60s\"",
                           t[2].text[0] == '+' ? "groups" : "regular expressions", t[2].text);
    return true;
}

static void read_entry(void *arg, const struct rule_line *line)
{
    const struct run *r = arg;
    const struct rule_token *t = line->tokens;
    if (!check_entry(r, line))
        return;
    struct entry *e = xcalloc(1, sizeof *e);
    e->map = xstrdup(t[0].text);
    e->system_user = xstrdup(t[1].text);
    if (t[2].quoted || strcmp(t[2].text, "all") != 0)
        e->user = xstrdup(t[2].text);
    *r->ident->end = e;
    r->ident->end = &e->next;
}

struct ident *ident_parse(struct span text, const char *path, struct rule_sink *sink)
{
    struct ident *ident = xcalloc(1, sizeof *ident);
    struct run run = {ident, path, sink};
    ident->end = &ident->first;
    if (!rule_lines_read(text, path, sink, read_entry, &run))
        ident_free(&ident);
    return ident;
}

void ident_free(struct ident **identp)
{
    struct ident *ident = *identp;
    struct entry *e, *next;
    *identp = NULL;
    if (!ident)
        return;
    for (e = ident->first; e; e = next) {
        next = e->next;
        free(e->map);
        free(e->system_user);
        free(e->user);
        free(e);
    }
    free(ident);
}

bool ident_has_map(const struct ident *ident, const char *map)
{
    for (const struct entry *e = ident ? ident->first : NULL; e; e = e->next)
        if (strcmp(e->map, map) == 0)
            return true;
    return false;
}

bool ident_allows(const struct ident *ident, const char *map, const char *system_user,
                  const char *user)
{
    for (const struct entry *e = ident ? ident->first : NULL; e; e = e->next)
        if (strcmp(e->map, map) == 0 && strcmp(e->system_user, system_user) == 0 &&
            (!e->user || strcmp(e->user, user) == 0))
            return true;
    return false;
}
