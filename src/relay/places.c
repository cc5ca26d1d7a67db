/* SPDX-License-Identifier: PostgreSQL */
/* places.c - what a pool and a target need beside their ledgers. */
#include "relay/places.h"

#include "base/log.h"
#include "base/mem.h"
#include "conf/effective.h"
#include "pool/registry.h"
#include "setup/setup.h"
#include "stats/figures.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct target_entry {
    char *key; /* "host:port" */
    struct target *target;
    UT_hash_handle hh;
};

struct places {
    struct registry *registry;
    unsigned n_workers;
    struct figures *console_figures;
    struct {
        struct mutex m;
        struct target_limits limits;
        struct target_entry *targets;
    } shared;
};

struct places *places_new(struct registry *registry, unsigned n_workers,
                          const struct target_limits *limits, uint64_t now_us)
{
    struct places *p = xcalloc(1, sizeof *p);
    p->registry = registry;
    p->n_workers = n_workers;
    p->console_figures = figures_new(n_workers, now_us);
    p->shared.limits = *limits;
    mutex_init(&p->shared.m);
    return p;
}

void places_free(struct places **pp)
{
    struct places *p = *pp;
    struct target_entry *e, *next;
    if (!p)
        return;
    HASH_ITER(hh, p->shared.targets, e, next)
    {
        HASH_DEL(p->shared.targets, e);
        target_free(&e->target);
        free(e->key);
        free(e);
    }
    mutex_fini(&p->shared.m);
    figures_free(&p->console_figures);
    free(p);
    *pp = NULL;
}

static struct target *find_target(struct places *p, const struct config_host *host)
{
    char *key = xasprintf("%s:%u", host->name, (unsigned)host->port);
    struct target_entry *e;
    mutex_lock(&p->shared.m);
    HASH_FIND_STR(p->shared.targets, key, e);
    if (!e) {
        e = xcalloc(1, sizeof *e);
        e->key = key;
        key = NULL;
        e->target = target_new(host->name, host->port, &p->shared.limits);
        HASH_ADD_KEYPTR(hh, p->shared.targets, e->key, strlen(e->key), e);
    }
    mutex_unlock(&p->shared.m);
    free(key);
    return e->target;
}

void places_each_target(struct places *p, void (*fn)(struct target *t, void *arg), void *arg)
{
    struct target_entry *e, *next;
    mutex_lock(&p->shared.m);
    HASH_ITER(hh, p->shared.targets, e, next)
    fn(e->target, arg);
    mutex_unlock(&p->shared.m);
}

void places_set_limits(struct places *p, const struct target_limits *limits)
{
    struct target_entry *e, *next;
    mutex_lock(&p->shared.m);
    p->shared.limits = *limits;
    HASH_ITER(hh, p->shared.targets, e, next)
    {
        target_set_limits(e->target, limits);
    }
    mutex_unlock(&p->shared.m);
}

/* ---- making one ------------------------------------------------------------------------ */

static void place_free(void *owner)
{
    struct place *p = owner;
    figures_free(&p->figures);
    limits_release(p->limits, &p->caps[0]);
    limits_release(p->limits, &p->caps[1]);
    terms_unref(&p->shared.terms);
    mutex_fini(&p->shared.m);
    free(p);
}

static struct terms *make_terms(struct places *places, struct setup *setup,
                                const struct setup_login *login, const char *database,
                                const char *user)
{
    struct terms *t = terms_new(setup, login, database, user);
    for (size_t i = 0; i < t->n_targets; i++)
        t->targets[i] = find_target(places, &t->db->hosts[i]);
    return t;
}

/* In the configuration 0 is "no limit"; the ledger says it by its largest number. */
static uint32_t limit(int value)
{
    return value > 0 ? (uint32_t)value : POOL_UNLIMITED;
}

static struct cap_settings user_cap(const struct config *cfg, const struct config_user *user)
{
    return (struct cap_settings){limit(effective_max_user_connections(cfg, user)),
                                 limit(effective_max_user_client_connections(cfg, user))};
}

static void fill_entry(struct registry_entry *e, const struct config *cfg,
                       const struct setup_login *login)
{
    const struct config_database *db = login->db;
    const struct config_user *user = login->pool_user_line;
    *e = (struct registry_entry){
        .settings =
            {
                .size = limit(effective_pool_size(cfg, db, user)),
                .reserve = (uint32_t)effective_reserve_pool_size(cfg, db, user),
                .min = (uint32_t)effective_min_pool_size(cfg, db),
                .max_wait_queue = limit(cfg->max_wait_queue),
                .max_pinned = POOL_UNLIMITED,
                .window = POOL_WINDOW,
                .round_robin = cfg->server_round_robin,
                .reserve_timeout_us = cfg->reserve_pool_timeout_us,
                .idle_timeout_us = effective_server_idle_timeout_us(cfg, db),
                .lifetime_us = effective_server_lifetime_us(cfg, db),
            },
        .database_cap = {limit(effective_max_db_connections(cfg, db)),
                         limit(effective_max_db_client_connections(cfg, db))},
        .user_cap = user_cap(cfg, user),
    };
}

/* Of [databases] or the URL: the entry for names that have none. */
static bool is_fallback(const struct config_database *db)
{
    return strcmp(db->name, "*") == 0;
}

struct pool *places_find(struct places *places, struct setup *setup,
                         const struct setup_login *login, const char *database, const char *user)
{
    const char *pool_user = login->pool_user ? login->pool_user : user;
    struct pool_key key = {.database = database, .user = pool_user, .extra = ""};
    struct pool *pool = registry_find(places->registry, &key);
    if (pool)
        return pool;
    struct registry_entry entry;
    fill_entry(&entry, setup_config(setup), login);
    struct limits *limits = registry_limits(places->registry);
    if (is_fallback(login->db) && limits_count(limits, POOL_CAP_DATABASE, database) == 0)
        log_info("registered new auto-database: %s", database);
    struct place *p = xcalloc(1, sizeof *p);
    mutex_init(&p->shared.m);
    p->shared.terms = make_terms(places, setup, login, database, pool_user);
    atomic_init(&p->definitions, definitions_of(p->shared.terms->database));
    p->figures = figures_new_beside(places->console_figures);
    p->limits = limits;
    p->caps[0] = limits_get(limits, POOL_CAP_DATABASE, database, &entry.database_cap);
    p->caps[1] = limits_get(limits, POOL_CAP_USER, pool_user, &entry.user_cap);
    entry.owner = p;
    entry.owner_free = place_free;
    return registry_add(places->registry, &key, &entry);
}

static bool is_better(const struct secret *a, const struct secret *than)
{
    if (a == than)
        return false;
    return !than || !secret_equal(a, than) ||
           (secret_can_answer_scram(a) && !secret_can_answer_scram(than));
}

void place_follow_secret(struct place *p, const struct setup_login *login)
{
    if ((!login->by_query && !login->by_login) || !login->secret ||
        login->server_secret != login->secret)
        return;
    struct terms *before = place_terms(p);
    if (is_better(login->secret, before->secret)) {
        struct terms *out = terms_with_secret(before, login->secret);
        mutex_lock(&p->shared.m);
        /* A reload, or another login, has been faster: the next one looks again. */
        if (p->shared.terms == before) {
            p->shared.terms = out;
            out = before;
        }
        mutex_unlock(&p->shared.m);
        terms_unref(&out);
    }
    terms_unref(&before);
}

struct terms *place_terms(struct place *p)
{
    mutex_lock(&p->shared.m);
    struct terms *t = terms_ref(p->shared.terms);
    mutex_unlock(&p->shared.m);
    return t;
}

bool place_welcome(struct place *p, struct buf *reports_out, struct param_set **base_out)
{
    struct terms *t = place_terms(p);
    bool known = findings_welcome(t->findings, reports_out, base_out);
    terms_unref(&t);
    return known;
}

bool place_is_known(struct place *p)
{
    struct terms *t = place_terms(p);
    bool known = findings_are_known(t->findings);
    terms_unref(&t);
    return known;
}

bool place_has_parsed(struct place *p, uint64_t statement)
{
    struct terms *t = place_terms(p);
    bool parsed = findings_have_parsed(t->findings, statement);
    terms_unref(&t);
    return parsed;
}

/* ---- a reload -------------------------------------------------------------------------- */

/* Who looks others up is not the user that a database forces on its clients. */
static bool is_auth_user(const struct config *cfg, const char *user)
{
    if (strcmp(cfg->auth_user, user) == 0)
        return true;
    for (const struct config_database *db = cfg->databases; db; db = db->hh.next) {
        if (db->auth_user && strcmp(db->auth_user, user) == 0)
            return true;
    }
    return cfg->fallback && cfg->fallback->auth_user && strcmp(cfg->fallback->auth_user, user) == 0;
}

bool places_may_use(const struct config *cfg, const struct pool *pool)
{
    const struct config_database *db = config_find_database(cfg, pool_database(pool));
    return db && (!db->user || strcmp(db->user, pool_user(pool)) == 0 ||
                  is_auth_user(cfg, pool_user(pool)));
}

uint64_t places_renew(struct places *places, struct pool *pool, struct setup *setup,
                      uint64_t now_us)
{
    struct place *p = pool_owner(pool);
    struct setup_login login;
    struct registry_entry entry;
    setup_find_login(setup, pool_database(pool), pool_user(pool), &login);
    if (!places_may_use(setup_config(setup), pool)) {
        /* Unused from now on, so min_pool_size does not count. */
        atomic_store_explicit(&p->active_us, 0, memory_order_relaxed);
        return pool_recycle(pool);
    }
    if (login.pool_user && strcmp(login.pool_user, pool_user(pool)) != 0)
        setup_find_auth_user(setup, pool_database(pool), pool_user(pool), &login);
    struct terms *before = place_terms(p);
    /* Of a user who is not in the configuration: as his last login has told. */
    if ((login.by_query || login.by_login) && !login.server_secret && before->secret)
        setup_login_found(&login, before->secret);
    struct terms *fresh = make_terms(places, setup, &login, pool_database(pool), pool_user(pool));
    bool same = terms_succeed(fresh, before);
    terms_unref(&before);

    mutex_lock(&p->shared.m);
    before = p->shared.terms;
    p->shared.terms = fresh;
    mutex_unlock(&p->shared.m);
    atomic_store_explicit(&p->definitions, definitions_of(fresh->database), memory_order_relaxed);
    terms_unref(&before);

    fill_entry(&entry, setup_config(setup), &login);
    cap_set(p->caps[0], &entry.database_cap);
    cap_set(p->caps[1], &entry.user_cap);
    (void)pool_set_limits(pool, &entry.settings, now_us);
    /* After the terms: whoever reserves a place in the new generation then finds them new. */
    return same ? 0 : pool_recycle(pool);
}

struct figures *places_console_figures(struct places *p)
{
    return p->console_figures;
}

/* ---- limits of clients ----------------------------------------------------------------- */

static void release_cap(struct limits *limits, struct cap **cap, const struct cap *of_place)
{
    if (*cap != of_place)
        limits_release(limits, cap);
    *cap = NULL;
}

static bool exceeded(const char *setting, struct error *err)
{
    return error_set(err, SQLSTATE_TOO_MANY_CONNECTIONS, "client connections exceeded (%s)",
                     setting);
}

static bool take_both(const struct admission *a, struct error *err)
{
    if (!cap_take_client(a->database))
        return exceeded("max_db_client_connections", err);
    if (cap_take_client(a->user))
        return true;
    cap_give_back_client(a->database);
    return exceeded("max_user_client_connections", err);
}

bool place_admit(struct place *p, const struct setup *setup, const struct setup_login *login,
                 const char *user, struct admission *out, struct error *err)
{
    struct cap_settings settings = user_cap(setup_config(setup), login->user);
    /* Most often the pool's own, which needs no look-up. */
    bool own = strcmp(user, cap_name(p->caps[1])) == 0;
    *out = (struct admission){
        .database = p->caps[0],
        .user = own ? p->caps[1] : limits_get(p->limits, POOL_CAP_USER, user, &settings),
    };
    if (take_both(out, err))
        return true;
    release_cap(p->limits, &out->user, p->caps[1]);
    *out = (struct admission){0};
    return false;
}

bool places_admit_console(struct places *p, const struct config *cfg, const char *user,
                          struct admission *out, struct error *err)
{
    struct limits *limits = registry_limits(p->registry);
    struct cap_settings database = {POOL_UNLIMITED, limit(cfg->max_db_client_connections)};
    struct cap_settings settings = user_cap(cfg, config_find_user(cfg, user));
    *out = (struct admission){
        .database = limits_get(limits, POOL_CAP_DATABASE, CONFIG_CONSOLE, &database),
        .user = limits_get(limits, POOL_CAP_USER, user, &settings),
    };
    if (take_both(out, err))
        return true;
    release_cap(limits, &out->database, NULL);
    release_cap(limits, &out->user, NULL);
    return false;
}

void places_dismiss(struct places *p, const struct place *place, struct admission *a)
{
    struct limits *limits = registry_limits(p->registry);
    if (!a->database)
        return;
    cap_give_back_client(a->database);
    cap_give_back_client(a->user);
    release_cap(limits, &a->database, place ? place->caps[0] : NULL);
    release_cap(limits, &a->user, place ? place->caps[1] : NULL);
}
