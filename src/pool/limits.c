/* SPDX-License-Identifier: PostgreSQL */
/* limits.c - all caps by kind and name. */
#include "pool/limits.h"

#include "base/mem.h"
#include "base/mutex.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct row {
    struct cap *cap;
    unsigned refs;
    UT_hash_handle hh; /* by name, which is the cap's */
};

struct limits {
    struct cap *total; /* set at birth */

    struct {
        struct mutex m;
        struct row *rows[POOL_CAPS]; /* tables by kind; none for the total */
    } shared;
};

struct limits *limits_new(const struct cap_settings *total)
{
    struct limits *l = xcalloc(1, sizeof(*l));

    l->total = cap_new("", total);
    mutex_init(&l->shared.m);
    return l;
}

void limits_free(struct limits **l)
{
    struct limits *old = *l;

    if (old == NULL)
        return;
    for (int i = 0; i < POOL_CAPS; i++) {
        if (old->shared.rows[i] != NULL)
            abort();
    }
    mutex_fini(&old->shared.m);
    cap_free(&old->total);
    free(old);
    *l = NULL;
}

struct cap *limits_total(struct limits *l)
{
    return l->total;
}

/* A reference to an existing row's cap, or NULL. */
static struct cap *find_locked(struct limits *l, enum pool_cap kind, const char *name)
{
    struct row *row;

    HASH_FIND_STR(l->shared.rows[kind], name, row);
    if (row == NULL)
        return NULL;
    row->refs++;
    return row->cap;
}

struct cap *limits_get(struct limits *l, enum pool_cap kind, const char *name,
                       const struct cap_settings *settings)
{
    struct row *fresh = NULL;
    struct cap *cap;

    mutex_lock(&l->shared.m);
    cap = find_locked(l, kind, name);
    mutex_unlock(&l->shared.m);
    if (cap == NULL) {
        fresh = xcalloc(1, sizeof(*fresh));
        fresh->cap = cap_new(name, settings);
        fresh->refs = 1;

        mutex_lock(&l->shared.m);
        cap = find_locked(l, kind, name);
        if (cap == NULL) {
            /* The table may grow here: the one allocation under this lock, which no transaction
             * takes. */
            HASH_ADD_KEYPTR(hh, l->shared.rows[kind], cap_name(fresh->cap), strlen(name), fresh);
            cap = fresh->cap;
            fresh = NULL;
        }
        mutex_unlock(&l->shared.m);
    }
    if (fresh != NULL) {
        cap_free(&fresh->cap);
        free(fresh);
    }
    cap_set(cap, settings);
    return cap;
}

unsigned limits_count(struct limits *l, enum pool_cap kind, const char *name)
{
    struct row *row;

    mutex_lock(&l->shared.m);
    HASH_FIND_STR(l->shared.rows[kind], name, row);
    unsigned n = row ? row->refs : 0;
    mutex_unlock(&l->shared.m);
    return n;
}

void limits_inspect(struct limits *l, enum pool_cap kind, const char *name, struct cap_numbers *out)
{
    struct row *row;

    *out = (struct cap_numbers){0};
    mutex_lock(&l->shared.m);
    HASH_FIND_STR(l->shared.rows[kind], name, row);
    if (row != NULL)
        cap_inspect(row->cap, out);
    mutex_unlock(&l->shared.m);
}

void limits_release(struct limits *l, struct cap **cap)
{
    struct row *row = NULL;

    if (*cap == NULL || *cap == l->total) {
        *cap = NULL;
        return;
    }
    mutex_lock(&l->shared.m);
    for (int i = 0; i < POOL_CAPS && row == NULL; i++) {
        HASH_FIND_STR(l->shared.rows[i], cap_name(*cap), row);
        if (row != NULL && row->cap != *cap)
            row = NULL;
        else if (row != NULL && --row->refs == 0)
            HASH_DEL(l->shared.rows[i], row);
    }
    if (row == NULL)
        abort();
    bool last = row->refs == 0;
    mutex_unlock(&l->shared.m);
    *cap = NULL;
    if (last) {
        cap_free(&row->cap);
        free(row);
    }
}
