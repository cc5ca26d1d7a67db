/* SPDX-License-Identifier: PostgreSQL */
/* registry.h - from (database, user, extra) to the pool.
 *
 * `extra` holds what else of a startup packet cannot be changed later on a server (replication);
 * empty for most. Looked up once per client login, not per transaction.
 *
 * A pool lives here from registry_add until registry_reap finds that nobody has held a reference
 * for as long as it is to be kept, so that figures and limits outlive a pause of the clients. */
#ifndef POOL_REGISTRY_H
#define POOL_REGISTRY_H

#include "pool/limits.h"
#include "pool/pool.h"

struct registry;

struct pool_key {
    const char *database;
    const char *user;
    const char *extra; /* "" if there is none */
};

struct registry_entry {
    struct pool_settings settings;
    struct cap_settings database_cap;
    struct cap_settings user_cap;
    /* The caller's companion of the pool (pool_owner); owner_free is called, without locks, when
     * the pool is reaped or was not needed. Both may be NULL. */
    void *owner;
    void (*owner_free)(void *owner);
};

struct registry *registry_new(unsigned n_workers, const struct cap_settings *total);
/* No pool may be in use. */
void registry_free(struct registry **r);

struct limits *registry_limits(struct registry *r);

/* Return a reference (pool_unref). */
struct pool *registry_find(struct registry *r, const struct pool_key *key);
/* Takes entry->owner. If another worker was faster its pool is returned and this owner freed. */
struct pool *registry_add(struct registry *r, const struct pool_key *key,
                          const struct registry_entry *entry);

/* A starving pool found `kind` of its caps full: condemns the longest idle server of the pool under
 * the same cap that was used least recently. True: post a sweep of *victim_out (returned with a
 * reference) to *worker_out. */
bool registry_evict(struct registry *r, struct pool *starving, enum pool_cap kind,
                    struct pool **victim_out, unsigned *worker_out);

/* Calls fn for each pool, in the order of their making. Takes references first, so that fn runs
 * without the registry's lock and may use all of pool.h. */
void registry_each(struct registry *r, void (*fn)(struct pool *p, void *arg), void *arg);

/* For how long to keep pools that nobody holds; and who is told of the end. */
struct registry_keeper {
    uint64_t (*keep_us)(const struct pool *p, void *arg);                /* UINT64_MAX: for ever */
    void (*on_end)(const struct pool *p, uint64_t unused_us, void *arg); /* or NULL */
    void *arg;
};

/* Removes pools that nobody has held for long enough; about once a second. Returns how many.
 * keep_us is called under the registry's lock, which it must not want. */
unsigned registry_reap(struct registry *r, uint64_t now_us, const struct registry_keeper *keeper);

#endif
