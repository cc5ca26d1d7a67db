/* SPDX-License-Identifier: PostgreSQL */
/* places.c - what a pool and a target need beside their ledgers. */
#include "relay/places.h"

#include "auth/secret.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/effective.h"
#include "net/dialer.h"
#include "net/tls_context.h"
#include "pool/registry.h"
#include "setup/setup.h"
#include "stats/figures.h"

#include <stdlib.h>
#include <string.h>

struct target_entry {
    char *key; /* "host:port" */
    struct target *target;
    UT_hash_handle hh;
};

/* A statement that some server of a place has parsed. */
struct parsed {
    uint64_t id;
    UT_hash_handle hh;
};

/* Per place: 4096 entries are 300 KiB. */
#define PARSED_MAX 4096

struct places {
    struct registry *registry;
    unsigned n_workers;
    struct target_limits limits;
    struct figures *console_figures;
    struct {
        struct mutex m;
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
    p->limits = *limits;
    mutex_init(&p->shared.m);
    return p;
}

void places_free(struct places **pp)
{
    struct places *p = *pp;
    struct target_entry *e, *next;
    if (!p)
        return;
    HASH_ITER(hh, p->shared.targets, e, next) {
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
        e->target = target_new(host->name, host->port, &p->limits);
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

/* ---- making one ------------------------------------------------------------------------ */

static void forget_parsed(struct place *p)
{
    struct parsed *e, *next;
    HASH_ITER(hh, p->shared.parsed, e, next) {
        HASH_DEL(p->shared.parsed, e);
        free(e);
    }
}

static void place_free(void *owner)
{
    struct place *p = owner;
    forget_parsed(p);
    figures_free(&p->figures);
    limits_release(p->limits, &p->caps[0]);
    limits_release(p->limits, &p->caps[1]);
    param_set_unref(&p->shared.base);
    buf_reset(&p->shared.reports);
    param_accepted_free(&p->accepted);
    mutex_fini(&p->shared.m);
    secret_unref(&p->secret);
    setup_unref(&p->setup);
    free(p->targets);
    free(p->database);
    free(p->user);
    free(p);
}

static struct place *place_new(struct places *places, struct setup *setup,
                               const struct setup_login *login, const char *database,
                               const char *user, uint64_t now_us)
{
    const struct config *cfg = setup_config(setup);
    const struct config_database *db = login->db;
    struct place *p = xcalloc(1, sizeof *p);
    p->setup = setup_ref(setup);
    p->db = db;
    p->database = xstrdup(db->dbname ? db->dbname : database);
    p->user = xstrdup(user);
    p->secret = login->server_secret ? secret_ref(login->server_secret) : NULL;
    p->mode = effective_pool_mode(cfg, db, login->pool_user_line);
    p->follows_statements = p->mode != POOL_MODE_SESSION && cfg->max_prepared_statements > 0;
    p->tls = setup_server_tls(setup, db);
    p->accepted = param_accepted_new();
    p->figures = figures_new(places->n_workers, now_us);
    p->n_targets = db->n_hosts;
    p->targets = xcalloc(db->n_hosts, sizeof(struct target *));
    for (size_t i = 0; i < db->n_hosts; i++)
        p->targets[i] = find_target(places, &db->hosts[i]);
    mutex_init(&p->shared.m);
    return p;
}

/* In the configuration 0 is "no limit"; the ledger says it by its largest number. */
static uint32_t limit(int value)
{
    return value > 0 ? (uint32_t)value : POOL_UNLIMITED;
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
                .reserve_timeout_us = cfg->reserve_pool_timeout_us,
                .idle_timeout_us = cfg->server_idle_timeout_us,
                .lifetime_us = effective_server_lifetime_us(cfg, db),
            },
        .database_cap = {limit(effective_max_db_connections(cfg, db)),
                         limit(effective_max_db_client_connections(cfg, db))},
        .user_cap = {limit(effective_max_user_connections(cfg, user)),
                     limit(effective_max_user_client_connections(cfg, login->user))},
    };
}

struct pool *places_find(struct places *places, struct setup *setup,
                         const struct setup_login *login, const char *database, const char *user,
                         uint64_t now_us)
{
    const char *pool_user = login->pool_user ? login->pool_user : user;
    struct pool_key key = {.database = database, .user = pool_user, .extra = ""};
    struct pool *pool = registry_find(places->registry, &key);
    if (pool)
        return pool;
    struct registry_entry entry;
    fill_entry(&entry, setup_config(setup), login);
    struct place *p = place_new(places, setup, login, database, pool_user, now_us);
    struct limits *limits = registry_limits(places->registry);
    p->limits = limits;
    p->caps[0] = limits_get(limits, POOL_CAP_DATABASE, database, &entry.database_cap);
    p->caps[1] = limits_get(limits, POOL_CAP_USER, pool_user, &entry.user_cap);
    entry.owner = p;
    entry.owner_free = place_free;
    pool = registry_add(places->registry, &key, &entry);
    p = pool_owner(pool);
    mutex_lock(&p->shared.m);
    p->pool = pool;
    mutex_unlock(&p->shared.m);
    return pool;
}

struct figures *places_console_figures(struct places *p)
{
    return p->console_figures;
}

/* ---- what servers reported ------------------------------------------------------------- */

bool place_welcome(struct place *p, struct buf *reports_out, struct param_set **base_out)
{
    mutex_lock(&p->shared.m);
    bool known = p->shared.known;
    if (known) {
        struct span reports = buf_span(&p->shared.reports);
        buf_append(reports_out, reports.p, reports.n);
        *base_out = param_set_ref(p->shared.base);
    }
    mutex_unlock(&p->shared.m);
    return known;
}

bool place_is_known(struct place *p)
{
    mutex_lock(&p->shared.m);
    bool known = p->shared.known;
    mutex_unlock(&p->shared.m);
    return known;
}

void place_learn(struct place *p, const struct server *s)
{
    struct span reports = server_welcome(s);
    mutex_lock(&p->shared.m);
    buf_clear(&p->shared.reports);
    buf_append(&p->shared.reports, reports.p, reports.n);
    struct param_set *old = p->shared.base;
    p->shared.base = param_set_ref(server_base_params(s));
    p->shared.known = true;
    p->shared.refusals = 0;
    p->shared.not_before_us = 0;
    mutex_unlock(&p->shared.m);
    param_set_unref(&old);
}

void place_note_parsed(struct place *p, uint64_t statement)
{
    struct parsed *e, *made = xmalloc(sizeof *made);
    made->id = statement;
    mutex_lock(&p->shared.m);
    if (HASH_COUNT(p->shared.parsed) >= PARSED_MAX)
        forget_parsed(p);
    HASH_FIND(hh, p->shared.parsed, &statement, sizeof statement, e);
    if (!e)
        HASH_ADD(hh, p->shared.parsed, id, sizeof statement, made);
    mutex_unlock(&p->shared.m);
    if (e)
        free(made);
}

bool place_has_parsed(struct place *p, uint64_t statement)
{
    struct parsed *e;
    mutex_lock(&p->shared.m);
    HASH_FIND(hh, p->shared.parsed, &statement, sizeof statement, e);
    mutex_unlock(&p->shared.m);
    return e != NULL;
}

/* ---- limits of clients ----------------------------------------------------------------- */

bool place_admit(struct place *p, struct error *err)
{
    static const char *const names[] = {"max_db_client_connections",
                                        "max_user_client_connections"};
    for (size_t i = 0; i < 2; i++) {
        if (cap_take_client(p->caps[i]))
            continue;
        if (i)
            cap_give_back_client(p->caps[0]);
        return error_set(err, SQLSTATE_TOO_MANY_CONNECTIONS, "client connections exceeded (%s)",
                         names[i]);
    }
    return true;
}

void place_dismiss(struct place *p)
{
    cap_give_back_client(p->caps[0]);
    cap_give_back_client(p->caps[1]);
}

/* ---- refusals -------------------------------------------------------------------------- */

void place_refused(struct place *p, uint64_t now_us, const struct error *tell, uint64_t jitter)
{
    mutex_lock(&p->shared.m);
    p->shared.refusals++;
    p->shared.refusal = *tell;
    p->shared.not_before_us =
        now_us + target_pause_us(FAILURE_PERMANENT, p->shared.refusals, jitter);
    mutex_unlock(&p->shared.m);
}

bool place_may_dial(struct place *p, uint64_t now_us, struct error *err)
{
    mutex_lock(&p->shared.m);
    bool may = p->shared.not_before_us <= now_us;
    if (!may)
        *err = p->shared.refusal;
    mutex_unlock(&p->shared.m);
    return may;
}

/* ---- terms ----------------------------------------------------------------------------- */

void place_login_terms(const struct place *p, size_t host, struct keycache *kc,
                       struct server_login *out)
{
    const struct config *cfg = setup_config(p->setup);
    enum sslmode mode = effective_sslmode(cfg, p->db, &p->db->hosts[host]);
    *out = (struct server_login){
        .user = p->user,
        .database = p->database,
        .application_name = p->db->application_name,
        .options = p->db->options,
        .secret = p->secret,
        .keycache = kc,
        .tls = mode == SSLMODE_DISABLE || mode == SSLMODE_ALLOW ? NULL : p->tls,
        .host = p->db->hosts[host].name,
        .tls_required = mode >= SSLMODE_REQUIRE,
        .tls_direct = effective_sslnegotiation(cfg, p->db) == SSLNEGOTIATION_DIRECT,
        .allow_cleartext = cfg->profile == CONFIG_INI,
        .channel_binding = (int)effective_channel_binding(cfg, p->db),
        .max_iterations = SCRAM_ITERATIONS_MAX,
        .max_prepared = p->follows_statements ? (unsigned)cfg->max_prepared_statements : 0,
        .connect_timeout_us = cfg->server_connect_timeout_us,
        .auth_timeout_us = cfg->server_connect_timeout_us,
        .wake_timeout_us = cfg->server_wake_timeout_us,
    };
}

void place_dialer_options(const struct place *p, struct dialer_options *out)
{
    const struct config *cfg = setup_config(p->setup);
    *out = (struct dialer_options){
        .timeout_us = cfg->server_connect_timeout_us,
        .tcp = {.keepalive = cfg->tcp_keepalive,
                .keepidle_s = (int)(cfg->tcp_keepidle_us / US_PER_S),
                .keepintvl_s = (int)(cfg->tcp_keepintvl_us / US_PER_S),
                .keepcnt = cfg->tcp_keepcnt,
                .user_timeout_ms = (unsigned)(cfg->tcp_user_timeout_us / US_PER_MS)},
    };
}
