/* SPDX-License-Identifier: PostgreSQL */
/* registry.c - from (database, user, extra) to the pool. */
#include "pool/registry.h"

#include "base/mem.h"
#include "base/mutex.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct row {
    struct pool *pool;
    void (*owner_free)(void *owner);
    struct cap *database_cap; /* references, given back with the row */
    struct cap *user_cap;
    char *key;
    size_t key_len;
    uint64_t unused_since_us; /* 0: somebody held the pool when it was last looked at */
    bool was_held;            /* at that look: visitors hold it for a moment, and do not count */
    struct row *next_dead;    /* while being reaped */
    UT_hash_handle hh;
};

struct registry {
    /* Set at birth. */
    unsigned n_workers;
    struct limits *limits;

    struct {
        struct mutex m;
        struct row *rows;
    } shared;
};

struct registry *registry_new(unsigned n_workers, const struct cap_settings *total)
{
    struct registry *r = xcalloc(1, sizeof(*r));

    r->n_workers = n_workers;
    r->limits = limits_new(total);
    mutex_init(&r->shared.m);
    return r;
}

static void row_free(struct registry *r, struct row *row)
{
    void *owner = pool_owner(row->pool);

    pool_free(&row->pool);
    limits_release(r->limits, &row->database_cap);
    limits_release(r->limits, &row->user_cap);
    if (row->owner_free != NULL && owner != NULL)
        row->owner_free(owner);
    free(row->key);
    free(row);
}

void registry_free(struct registry **r)
{
    struct registry *old = *r;
    struct row *row, *next;

    if (old == NULL)
        return;
    HASH_ITER(hh, old->shared.rows, row, next)
    {
        if (pool_ref_count(row->pool) != 0)
            abort();
        HASH_DEL(old->shared.rows, row);
        row_free(old, row);
    }
    limits_free(&old->limits);
    mutex_fini(&old->shared.m);
    free(old);
    *r = NULL;
}

struct limits *registry_limits(struct registry *r)
{
    return r->limits;
}

/* The three parts with their NULs, which no part contains: no two keys make the same bytes. */
static char *key_bytes(const struct pool_key *key, size_t *len_out)
{
    size_t database = strlen(key->database) + 1;
    size_t user = strlen(key->user) + 1;
    size_t extra = strlen(key->extra) + 1;
    char *bytes = xmalloc(database + user + extra);

    memcpy(bytes, key->database, database);
    memcpy(bytes + database, key->user, user);
    memcpy(bytes + database + user, key->extra, extra);
    *len_out = database + user + extra;
    return bytes;
}

static struct pool *find_locked(struct registry *r, const char *bytes, size_t len)
{
    struct row *row;

    HASH_FIND(hh, r->shared.rows, bytes, len, row);
    if (row == NULL)
        return NULL;
    row->unused_since_us = 0;
    return pool_ref(row->pool);
}

struct pool *registry_find(struct registry *r, const struct pool_key *key)
{
    size_t len;
    char *bytes = key_bytes(key, &len);

    mutex_lock(&r->shared.m);
    struct pool *pool = find_locked(r, bytes, len);
    mutex_unlock(&r->shared.m);
    free(bytes);
    return pool;
}

static struct row *row_new(struct registry *r, const struct pool_key *key,
                           const struct registry_entry *entry)
{
    struct row *row = xcalloc(1, sizeof(*row));
    struct limits *l = r->limits;
    struct cap *caps[POOL_CAPS] = {0};

    row->key = key_bytes(key, &row->key_len);
    row->owner_free = entry->owner_free;
    row->database_cap = limits_get(l, POOL_CAP_DATABASE, key->database, &entry->database_cap);
    row->user_cap = limits_get(l, POOL_CAP_USER, key->user, &entry->user_cap);
    caps[POOL_CAP_DATABASE] = row->database_cap;
    caps[POOL_CAP_USER] = row->user_cap;
    caps[POOL_CAP_TOTAL] = limits_total(l);
    row->pool = pool_new(key->database, key->user, r->n_workers, &entry->settings, caps);
    pool_set_owner(row->pool, entry->owner);
    return row;
}

struct pool *registry_add(struct registry *r, const struct pool_key *key,
                          const struct registry_entry *entry)
{
    struct row *row = row_new(r, key, entry);

    mutex_lock(&r->shared.m);
    struct pool *pool = find_locked(r, row->key, row->key_len);
    if (pool == NULL) {
        /* The table may grow here: the one allocation under this lock, which no transaction
         * takes. The reference of pool_new becomes the caller's. */
        pool = row->pool;
        HASH_ADD_KEYPTR(hh, r->shared.rows, row->key, row->key_len, row);
        row = NULL;
    }
    mutex_unlock(&r->shared.m);
    if (row != NULL)
        row_free(r, row);
    return pool;
}

/* The pool under the cap that has idle servers and has not used one for the longest time. */
static struct pool *victim_locked(struct registry *r, const struct pool *starving,
                                  enum pool_cap kind)
{
    struct pool *victim = NULL;
    uint64_t oldest_us = UINT64_MAX;

    for (struct row *row = r->shared.rows; row != NULL; row = row->hh.next) {
        struct pool *p = row->pool;

        if (p == starving || pool_idle_hint(p) == 0 ||
            pool_cap(p, kind) != pool_cap(starving, kind))
            continue;
        if (pool_last_idle_us(p) < oldest_us) {
            oldest_us = pool_last_idle_us(p);
            victim = p;
        }
    }
    return victim;
}

bool registry_evict(struct registry *r, struct pool *starving, enum pool_cap kind,
                    struct pool **victim_out, unsigned *worker_out)
{
    struct pool *victim;
    bool evicted = false;

    mutex_lock(&r->shared.m);
    /* Between the choice and the pool's own lock its last idle server may have been taken: then its
     * hint says so, and the next choice is another. */
    while (!evicted && (victim = victim_locked(r, starving, kind)) != NULL) {
        evicted = pool_evict(victim, kind, worker_out);
        if (evicted)
            *victim_out = pool_ref(victim);
    }
    mutex_unlock(&r->shared.m);
    return evicted;
}

void registry_each(struct registry *r, void (*fn)(struct pool *p, void *arg), void *arg)
{
    struct pool **pools = NULL;
    unsigned n = 0, room = 0;

    /* As many as there are may become more until the lock is taken again. */
    for (;;) {
        mutex_lock(&r->shared.m);
        unsigned count = HASH_COUNT(r->shared.rows);
        if (count <= room)
            break;
        mutex_unlock(&r->shared.m);
        room = count;
        pools = xrealloc(pools, room * sizeof(struct pool *));
    }
    for (struct row *row = r->shared.rows; row != NULL; row = row->hh.next)
        pools[n++] = pool_ref(row->pool);
    mutex_unlock(&r->shared.m);

    for (unsigned i = 0; i < n; i++) {
        fn(pools[i], arg);
        pool_unref(&pools[i]);
    }
    free(pools);
}

/* Notes whether the pool is in use; true if it is to go. */
static bool is_due(struct row *row, uint64_t now_us, const struct registry_keeper *keeper)
{
    bool held = pool_ref_count(row->pool) > 0;
    if (held && row->was_held)
        row->unused_since_us = 0;
    row->was_held = held;
    if (held)
        return false;
    if (row->unused_since_us == 0)
        row->unused_since_us = now_us;
    return now_us - row->unused_since_us >= keeper->keep_us(row->pool, keeper->arg);
}

unsigned registry_reap(struct registry *r, uint64_t now_us, const struct registry_keeper *keeper)
{
    struct row *dead = NULL, *row, *next;
    unsigned n = 0;

    mutex_lock(&r->shared.m);
    for (row = r->shared.rows; row != NULL; row = next) {
        next = row->hh.next;
        if (is_due(row, now_us, keeper)) {
            HASH_DEL(r->shared.rows, row);
            row->next_dead = dead;
            dead = row;
        }
    }
    mutex_unlock(&r->shared.m);

    for (row = dead; row != NULL; row = next, n++) {
        next = row->next_dead;
        if (keeper->on_end)
            keeper->on_end(row->pool, now_us - row->unused_since_us, keeper->arg);
        row_free(r, row);
    }
    return n;
}
