/* SPDX-License-Identifier: PostgreSQL */
/* places.h - what a pool and a target need beside their ledgers.
 *
 * A place belongs to one pool (it is the pool's owner in the registry, and lives as long as it):
 * the terms under which its servers are connected to, which a reload replaces, and its figures. */
#ifndef RELAY_PLACES_H
#define RELAY_PLACES_H

#include "base/error.h"
#include "base/mutex.h"
#include "relay/terms.h"
#include "upstream/target.h"

struct figures;
struct limits;
struct places;
struct pool;
struct registry;
struct setup;
struct setup_login;

struct place {
    /* Set at birth. */
    struct figures *figures;
    struct limits *limits;
    struct cap *caps[2]; /* counted; of database and pool user, for client limits */

    _Atomic unsigned host_at; /* which host is tried next */
    /* When a client last had a server: connections beyond need are opened only within warm_window
     * of that, so that a database that nobody uses may sleep. Relaxed; 0: never; up to
     * PLACE_ACTIVE_STEP_US late. */
    _Atomic uint64_t active_us;
    /* Of the database that the terms name, beside them: each Parse looks. Relaxed. */
    struct definitions *_Atomic definitions;

    struct {
        struct mutex m;
        struct terms *terms; /* counted; replaced by a reload */
    } shared;
};

/* Not for each transaction: workers would take the cache line from each other all the time. */
#define PLACE_ACTIVE_STEP_US 100000

static inline void place_note_active(struct place *p, uint64_t now_us)
{
    uint64_t before = atomic_load_explicit(&p->active_us, memory_order_relaxed);
    if (!before || now_us > before + PLACE_ACTIVE_STEP_US)
        atomic_store_explicit(&p->active_us, now_us, memory_order_relaxed);
}

static inline const struct definitions *place_definitions(struct place *p)
{
    return atomic_load_explicit(&p->definitions, memory_order_relaxed);
}

struct places *places_new(struct registry *registry, unsigned n_workers,
                          const struct target_limits *limits, uint64_t now_us);
void places_free(struct places **p);

/* Finds or makes the pool for a login and returns it with a reference (pool_unref); its place is
 * pool_owner(). */
struct pool *places_find(struct places *p, struct setup *setup, const struct setup_login *login,
                         const char *database, const char *user);

/* A client has logged in whose secret is what the pool's servers are shown, and comes from
 * auth_query: it may have changed, or may have been disclosed, since the pool was made. */
void place_follow_secret(struct place *p, const struct setup_login *login);

/* The current terms, counted. */
struct terms *place_terms(struct place *p);
/* The findings of the current terms (terms.h). */
bool place_welcome(struct place *p, struct buf *reports_out, struct param_set **base_out);
bool place_is_known(struct place *p);
bool place_has_parsed(struct place *p, uint64_t statement);

/* A reload: limits of targets, those that are there and those to come. */
void places_set_limits(struct places *p, const struct target_limits *limits);
/* Whether clients that log in by cfg may come to this pool: not if its database is gone, or all of
 * the database's clients share the pool of another user. */
bool places_may_use(const struct config *cfg, const struct pool *pool);
/* A reload, once no worker looks at an older setup: the pool's place gets terms and limits by
 * `setup`. A new address or way of connecting makes a new generation of servers: returns the
 * workers that must sweep the pool for those that are idle. The same where no client can come to
 * the pool any more; those that are there are sent away. */
uint64_t places_renew(struct places *p, struct pool *pool, struct setup *setup, uint64_t now_us);

/* What the console's own clients did: it counts as one more pool. */
struct figures *places_console_figures(struct places *p);

/* The limits in which a client is counted: its database's, and that of the user who has logged in,
 * who need not be the pool's. */
struct admission {
    struct cap *database, *user; /* references where they are not the place's; NULL: not counted */
};

bool place_admit(struct place *p, const struct setup *setup, const struct setup_login *login,
                 const char *user, struct admission *out, struct error *err);
/* The same for a client of the console. */
bool places_admit_console(struct places *p, const struct config *cfg, const char *user,
                          struct admission *out, struct error *err);
/* place is NULL for a client of the console. Clears *a; fine if it was not counted. */
void places_dismiss(struct places *p, const struct place *place, struct admission *a);

/* For each target: SHOW TARGETS, health. */
void places_each_target(struct places *p, void (*fn)(struct target *t, void *arg), void *arg);

#endif
