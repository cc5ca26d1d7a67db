/* SPDX-License-Identifier: PostgreSQL */
/* hba_names.c - names, keywords and files of names in an HBA rule. */
#include "auth/hba_names.h"

#include "base/mem.h"

#include <stdlib.h>

/* As PostgreSQL; and files that name files must not multiply. */
#define DEPTH_MAX 10
#define FILES_MAX 100

static bool bad(const struct hba_place *place, const char *what, const char *name)
{
    return rule_report(place->sink, RULE_ERROR, place->path, place->line, "%s: \"%.80s\"", what,
                       name);
}

/* ---- files ----------------------------------------------------------------------------- */

/* A relative path begins where the file lies that has it. Owned. */
static char *path_beside(const char *including, const char *path)
{
    const char *slash = strrchr(including, '/');
    if (path[0] == '/' || !slash)
        return xstrdup(path);
    return xasprintf("%.*s/%s", (int)(slash - including), including, path);
}

struct file_run {
    struct hba_names *names;
    enum hba_names_kind kind;
    struct hba_place place; /* in the file */
};

static void read_names(void *arg, const struct rule_line *line)
{
    struct file_run *r = arg;
    r->place.line = line->number;
    for (size_t i = 0; i < line->n; i++)
        hba_names_add(r->names, r->kind, &line->tokens[i], &r->place);
}

static bool add_file(struct hba_names *names, enum hba_names_kind kind, const char *file,
                     const struct hba_place *place)
{
    unsigned n_files = 0;
    struct file_run run = {names, kind, *place};
    struct hba_place *inside = &run.place;
    struct buf text = {0};
    struct error err;
    if (!inside->n_files)
        inside->n_files = &n_files;
    if (++inside->depth > DEPTH_MAX || ++*inside->n_files > FILES_MAX)
        return bad(place, "too many files of names in each other", file);
    char *path = path_beside(place->path, file);
    inside->path = path;
    bool ok = place->read(path, &text, &err);
    if (ok)
        ok = rule_lines_read(buf_span(&text), path, place->sink, read_names, &run);
    else
        rule_report(place->sink, RULE_ERROR, place->path, place->line, "%s", err.text);
    buf_reset(&text);
    free(path);
    return ok;
}

/* ---- names ----------------------------------------------------------------------------- */

static bool add_name(struct hba_names *names, const char *name)
{
    if (names->n == names->cap) {
        names->cap = names->cap ? 2 * names->cap : 4;
        names->each = xrealloc(names->each, names->cap * sizeof names->each[0]);
    }
    names->each[names->n++] = xstrdup(name);
    return true;
}

static bool take_keyword(struct hba_names *names, enum hba_names_kind kind, const char *word)
{
    if (strcmp(word, "all") == 0)
        return names->all = true;
    if (kind == HBA_DATABASES && strcmp(word, "sameuser") == 0)
        return names->sameuser = true;
    if (kind == HBA_DATABASES && strcmp(word, "replication") == 0)
        return names->replication = true;
    return false;
}

bool hba_names_add(struct hba_names *names, enum hba_names_kind kind, const struct rule_token *t,
                   const struct hba_place *place)
{
    const char *word = t->text;
    if (t->quoted)
        return add_name(names, word);
    if (take_keyword(names, kind, word))
        return true;
    if (word[0] == '@' && word[1])
        return add_file(names, kind, word + 1, place);
    if (word[0] == '/')
        return bad(place, "regular expressions are not supported", word);
    if (kind == HBA_USERS && word[0] == '+')
        return bad(place, "groups of users are not supported", word);
    if (kind == HBA_DATABASES && (strcmp(word, "samerole") == 0 || strcmp(word, "samegroup") == 0))
        return bad(place, "groups of users are not supported", word);
    return add_name(names, word);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void hba_names_finish(struct hba_names *names)
{
    if (names->n)
        qsort(names->each, names->n, sizeof names->each[0], compare);
}

bool hba_names_has(const struct hba_names *names, const char *name)
{
    return names->n && bsearch(&name, names->each, names->n, sizeof names->each[0], compare);
}

void hba_names_fini(struct hba_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->each[i]);
    free(names->each);
    *names = (struct hba_names){0};
}
