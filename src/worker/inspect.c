/* SPDX-License-Identifier: PostgreSQL */
/* inspect.c - rows about databases, users, targets and statistics. */
#include "worker/inspect.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pool/cap.h"
#include "pool/registry.h"
#include "relay/control.h"
#include "relay/lookups.h"
#include "relay/peer_ledger.h"
#include "relay/places.h"
#include "relay/relay.h"
#include "setup/setup.h"
#include "worker/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

static const struct config *config_of(struct relay *r)
{
    return setup_config(relay_setup(r));
}

/* ---- what the pools say about a database or a user -------------------------------------- */

/* By the name of a database or a user, in the order in which they were found. */
struct named {
    char *name;
    struct cap_numbers counts; /* of its connections; zero if it has no pool */
    struct figures_reading reading;
    bool ordered; /* a database that is paused or disabled */
    bool seen;
    UT_hash_handle hh;
};

static struct named *named_get(struct named **table, const char *name)
{
    struct named *n;
    HASH_FIND_STR(*table, name, n);
    if (!n) {
        n = xcalloc(1, sizeof *n);
        n->name = xstrdup(name);
        HASH_ADD_KEYPTR(hh, *table, n->name, strlen(n->name), n);
    }
    return n;
}

static void named_free(struct named **table)
{
    struct named *n, *next;
    HASH_ITER(hh, *table, n, next)
    {
        HASH_DEL(*table, n);
        free(n->name);
        free(n);
    }
}

static void count_database(struct pool *p, void *arg)
{
    struct named *n = named_get(arg, pool_database(p));
    cap_inspect(pool_cap(p, POOL_CAP_DATABASE), &n->counts);
}

static void name_pool_user(struct pool *p, void *arg)
{
    (void)named_get(arg, pool_user(p));
}

/* ---- databases ------------------------------------------------------------------------- */

struct databases_run {
    const struct config *cfg;
    struct control *control;
    void (*fn)(const struct inspect_database *row, void *arg);
    void *arg;
};

/* All of a list, as it was written; owned. NULL: the system's socket. */
static char *hosts_text(const struct config_database *db)
{
    char *text = db->hosts[0].name ? xstrdup(db->hosts[0].name) : NULL;
    for (size_t i = 1; i < db->n_hosts; i++) {
        char *longer = xasprintf("%s,%s", text ? text : "", db->hosts[i].name);
        free(text);
        text = longer;
    }
    return text;
}

static void show_database(const struct databases_run *run, const struct config_database *db,
                          const char *name, const struct cap_numbers *counts)
{
    const struct config *cfg = run->cfg;
    char *hosts = hosts_text(db);
    struct inspect_database row = {
        .name = name,
        .host = hosts,
        .port = db->hosts[0].port,
        .database = db->dbname ? db->dbname : name,
        .force_user = db->user,
        .pool_size = effective_pool_size(cfg, db, NULL),
        .min_pool_size = effective_min_pool_size(cfg, db),
        .reserve_pool_size = effective_reserve_pool_size(cfg, db, NULL),
        .server_lifetime = (int64_t)(effective_server_lifetime_us(cfg, db) / US_PER_S),
        .pool_mode = words_pool_mode(db->pool_mode),
        .load_balance_hosts = words_load_balance(db),
        .max_connections = effective_max_db_connections(cfg, db),
        .current_connections = counts->servers,
        .max_client_connections = effective_max_db_client_connections(cfg, db),
        .current_client_connections = counts->clients,
    };
    control_enter(run->control);
    row.paused = control_has(run->control, name, CONTROL_PAUSED);
    row.disabled = control_has(run->control, name, CONTROL_DISABLED);
    control_leave(run->control);
    run->fn(&row, run->arg);
    free(hosts);
}

static void show_console_database(struct relay *r, const struct databases_run *run)
{
    struct cap_numbers counts;
    limits_inspect(registry_limits(relay_shared_of(r)->registry), POOL_CAP_DATABASE, CONFIG_CONSOLE,
                   &counts);
    struct inspect_database row = {
        .name = CONFIG_CONSOLE,
        .port = run->cfg->listen_port,
        .database = CONFIG_CONSOLE,
        .force_user = CONFIG_CONSOLE,
        .pool_size = 2, /* PgBouncer's: nobody who divides by it finds a zero */
        .pool_mode = words_pool_mode(POOL_MODE_STATEMENT),
        .max_client_connections = run->cfg->max_db_client_connections,
        .current_client_connections = counts.clients,
    };
    run->fn(&row, run->arg);
}

static void name_ordered(struct control *c, const char *database, void *arg)
{
    struct named *n = named_get(arg, database);
    n->ordered =
        control_has(c, database, CONTROL_PAUSED) || control_has(c, database, CONTROL_DISABLED);
}

/* As in PgBouncer, of the names that only the fallback entry knows those that are in use. */
static bool is_shown(const struct named *n)
{
    return !n->seen && (n->ordered || n->counts.clients || n->counts.servers);
}

void inspect_databases(struct relay *r, void (*fn)(const struct inspect_database *row, void *arg),
                       void *arg)
{
    struct databases_run run = {
        .cfg = config_of(r), .control = relay_shared_of(r)->control, .fn = fn, .arg = arg};
    struct named *table = NULL;
    const struct config_database *db;
    registry_each(relay_shared_of(r)->registry, count_database, &table);
    control_enter(run.control);
    control_each(run.control, name_ordered, &table);
    control_leave(run.control);
    for (db = run.cfg->databases; db; db = db->hh.next) {
        struct named *n = named_get(&table, db->name);
        n->seen = true;
        show_database(&run, db, db->name, &n->counts);
    }
    for (struct named *n = table; n && run.cfg->fallback; n = n->hh.next) {
        if (is_shown(n))
            show_database(&run, run.cfg->fallback, n->name, &n->counts);
    }
    show_console_database(r, &run);
    named_free(&table);
}

/* ---- users ----------------------------------------------------------------------------- */

static void name_user(const char *user, void *arg)
{
    (void)named_get(arg, user);
}

/* PgBouncer's way: right-aligned in nine characters, empty if there is no override. */
static const char *size_text(int value, char out[16])
{
    out[0] = '\0';
    if (value != CONFIG_INHERIT)
        snprintf(out, 16, "%9d", value);
    return out;
}

static void show_user(struct relay *r, const struct named *n,
                      void (*fn)(const struct inspect_user *row, void *arg), void *arg)
{
    const struct config *cfg = config_of(r);
    const struct config_user *user = config_find_user(cfg, n->name);
    struct cap_numbers counts; /* of all pools: who logs in need not be the pool's user */
    char size[16], reserve[16];
    limits_inspect(registry_limits(relay_shared_of(r)->registry), POOL_CAP_USER, n->name, &counts);
    struct inspect_user row = {
        .name = n->name,
        .pool_size = size_text(user ? user->pool_size : CONFIG_INHERIT, size),
        .reserve_pool_size = size_text(user ? user->reserve_pool_size : CONFIG_INHERIT, reserve),
        .pool_mode = words_pool_mode(user ? user->pool_mode : CONFIG_INHERIT),
        .max_user_connections = effective_max_user_connections(cfg, user),
        .current_connections = counts.servers,
        .max_user_client_connections = effective_max_user_client_connections(cfg, user),
        .current_client_connections = counts.clients,
    };
    fn(&row, arg);
}

void inspect_users(struct relay *r, void (*fn)(const struct inspect_user *row, void *arg),
                   void *arg)
{
    const struct config *cfg = config_of(r);
    struct named *table = NULL;
    registry_each(relay_shared_of(r)->registry, name_pool_user, &table);
    setup_each_user(relay_setup(r), name_user, &table);
    lookups_each_user(relay_shared_of(r)->lookups, name_user, &table);
    for (const struct config_user *u = cfg->users; u; u = u->hh.next)
        name_user(u->name, &table);
    for (const struct config_database *db = cfg->databases; db; db = db->hh.next) {
        if (db->user)
            name_user(db->user, &table);
    }
    if (cfg->fallback && cfg->fallback->user)
        name_user(cfg->fallback->user, &table);
    name_user(CONFIG_CONSOLE, &table);
    for (struct named *n = table; n; n = n->hh.next)
        show_user(r, n, fn, arg);
    named_free(&table);
}

/* ---- targets --------------------------------------------------------------------------- */

struct targets_run {
    uint64_t now_us;
    void (*fn)(const struct inspect_target *row, void *arg);
    void *arg;
};

static void show_target(struct target *t, void *arg)
{
    const struct targets_run *run = arg;
    struct target_numbers numbers;
    target_inspect(t, &numbers);
    const struct error *last = &numbers.last_error;
    uint64_t next = numbers.next_try_us;
    struct inspect_target row = {
        .host = target_host(t),
        .port = target_port(t),
        .state = target_state_name(numbers.state),
        .breaker = breaker_state_name(numbers.breaker),
        .connecting = numbers.dialing,
        .failures = numbers.failures,
        .wakes = (int64_t)numbers.wakes,
        .next_try_ms = next > run->now_us ? (int64_t)((next - run->now_us) / US_PER_MS) : 0,
        .last_sqlstate = last->text[0] ? last->sqlstate : NULL,
        .last_error = last->text[0] ? last->text : NULL,
    };
    run->fn(&row, run->arg);
}

void inspect_targets(struct relay *r, uint64_t now_us,
                     void (*fn)(const struct inspect_target *row, void *arg), void *arg)
{
    struct targets_run run = {.now_us = now_us, .fn = fn, .arg = arg};
    places_each_target(relay_shared_of(r)->places, show_target, &run);
}

/* ---- statistics ------------------------------------------------------------------------ */

struct stats_run {
    uint64_t now_us;
    struct named *table;
};

static void read_pool(struct pool *p, void *arg)
{
    struct stats_run *run = arg;
    struct place *place = pool_owner(p);
    figures_read(place->figures, run->now_us, &named_get(&run->table, pool_database(p))->reading);
}

void inspect_stats(struct relay *r, uint64_t now_us,
                   void (*fn)(const struct inspect_stats *row, void *arg), void *arg)
{
    struct relay_shared *shared = relay_shared_of(r);
    struct stats_run run = {.now_us = now_us};
    registry_each(shared->registry, read_pool, &run);
    figures_read(places_console_figures(shared->places), now_us,
                 &named_get(&run.table, CONFIG_CONSOLE)->reading);
    for (struct named *n = run.table; n; n = n->hh.next) {
        struct inspect_stats row = {.database = n->name, .reading = n->reading};
        fn(&row, arg);
    }
    named_free(&run.table);
}

struct latency_run {
    void (*fn)(const struct inspect_latency *row, void *arg);
    void *arg;
};

static void show_latency(const struct latency_run *run, const struct pool *p,
                         enum latency_kind kind, const struct histogram_sum *sum)
{
    struct inspect_latency row = {
        .database = pool_database(p),
        .user = pool_user(p),
        .what = latency_kind_name(kind),
        .count = (int64_t)sum->count,
    };
    const struct {
        int64_t *to;
        double percent;
    } wanted[] = {
        {&row.p50_us, 50}, {&row.p90_us, 90},    {&row.p95_us, 95},
        {&row.p99_us, 99}, {&row.p999_us, 99.9}, {&row.max_us, 100},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        *wanted[i].to =
            sum->count ? (int64_t)histogram_percentile_us(sum, wanted[i].percent) : INSPECT_NONE;
    row.mean_us = sum->count ? (int64_t)(sum->sum_us / sum->count) : INSPECT_NONE;
    run->fn(&row, run->arg);
}

static void read_latency(struct pool *p, void *arg)
{
    const struct place *place = pool_owner(p);
    struct latency_sum total = {0}, since = {0};
    if (!figures_read_latency(place->figures, &total, &since))
        return;
    for (int kind = 0; kind < LATENCY_KINDS; kind++)
        show_latency(arg, p, (enum latency_kind)kind, &since.each[kind]);
}

void inspect_latency(struct relay *r, void (*fn)(const struct inspect_latency *row, void *arg),
                     void *arg)
{
    struct latency_run run = {.fn = fn, .arg = arg};
    registry_each(relay_shared_of(r)->registry, read_latency, &run);
}

/* ---- peers ----------------------------------------------------------------------------- */

struct peers_run {
    void (*fn)(const struct inspect_peer_pool *row, void *arg);
    void *arg;
};

/* A client's request counts as active once it is on its way. */
static void add_peer(const struct peer_numbers *n, void *arg)
{
    const struct peers_run *run = arg;
    if (n->peer == PEER_PREDECESSOR)
        return;
    struct inspect_peer_pool row = {
        .peer_id = n->peer,
        .cl_active_cancel_req = n->sent,
        .cl_waiting_cancel_req = n->queued + n->connecting,
        .sv_active_cancel = n->sent,
        .sv_login = n->connecting,
    };
    run->fn(&row, run->arg);
}

void inspect_peer_pools(struct relay *r, void (*fn)(const struct inspect_peer_pool *row, void *arg),
                        void *arg)
{
    struct peers_run run = {.fn = fn, .arg = arg};
    peer_ledger_each(relay_shared_of(r)->peers, add_peer, &run);
}

void inspect_names(struct relay *r, void (*fn)(const struct resolver_name *row, void *arg),
                   void *arg)
{
    resolver_each(relay_shared_of(r)->resolver, fn, arg);
}

void inspect_zones(struct relay *r, void (*fn)(const struct resolver_zone *row, void *arg),
                   void *arg)
{
    resolver_each_zone(relay_shared_of(r)->resolver, fn, arg);
}

struct history *inspect_history(struct relay *r)
{
    return relay_shared_of(r)->history;
}

const struct listeners *inspect_listeners(struct relay *r)
{
    return relay_worker(r) == 0 ? relay_shared_of(r)->listeners : NULL;
}

struct stats *inspect_console_stats(struct relay *r)
{
    return figures_row(places_console_figures(relay_shared_of(r)->places),
                       (unsigned)relay_worker(r));
}

bool inspect_is_paused(struct relay *r)
{
    struct control *control = relay_shared_of(r)->control;
    control_enter(control);
    bool paused = control_has(control, NULL, CONTROL_PAUSED);
    control_leave(control);
    return paused;
}
