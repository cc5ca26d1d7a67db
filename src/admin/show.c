/* SPDX-License-Identifier: PostgreSQL */
/* show.c - gather what a SHOW answers with. */
#include "admin/show.h"

#include "admin/show_process.h"
#include "admin/show_sockets.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/config.h"
#include "setup/setup.h"
#include "worker/census.h"
#include "worker/command.h"
#include "worker/history.h"
#include "worker/inspect.h"
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

struct show_run {
    enum show what;
    struct filter filter;
    struct rows rows;
    struct census *census;     /* LISTS, MEM, POOLS */
    struct show_clocks clocks; /* connections */
};

/* ---- without a visit ------------------------------------------------------------------- */

static const struct config *config_of(struct relay *r)
{
    return setup_config(relay_setup(r));
}

static uint64_t now_of(struct relay *r)
{
    return loop_now(relay_loop(r));
}

static void show_settings(struct relay *r, struct show_run *run)
{
    const struct config *cfg = config_of(r);
    for (int id = 0; id < SETTING_COUNT; id++) {
        struct config_row row;
        config_row(cfg, (enum setting_id)id, &row);
        struct show_pair pair = {
            .key = row.name,
            .value = row.value,
            .default_value = row.default_value,
            .changeable = row.changeable ? "yes" : "no",
            .origin = row.origin,
        };
        rows_add(&run->rows, &pair);
        free(row.value);
    }
}

static void add_database(const struct inspect_database *row, void *arg)
{
    rows_add(arg, row);
}

static void show_databases(struct relay *r, struct show_run *run)
{
    inspect_databases(r, add_database, &run->rows);
}

static void add_user(const struct inspect_user *row, void *arg)
{
    rows_add(arg, row);
}

static void show_users(struct relay *r, struct show_run *run)
{
    inspect_users(r, add_user, &run->rows);
}

static void add_target(const struct inspect_target *row, void *arg)
{
    rows_add(arg, row);
}

static void show_targets(struct relay *r, struct show_run *run)
{
    inspect_targets(r, now_of(r), add_target, &run->rows);
}

static void show_peers(struct relay *r, struct show_run *run)
{
    const struct config *cfg = config_of(r);
    for (const struct config_peer *p = cfg->peers; p; p = p->hh.next) {
        struct show_peer row = {
            .peer_id = p->id,
            .host = p->host.name,
            .port = p->host.port,
            .pool_size = p->pool_size == CONFIG_INHERIT ? cfg->default_pool_size : p->pool_size,
        };
        rows_add(&run->rows, &row);
    }
}

static void add_peer_pool(const struct inspect_peer_pool *row, void *arg)
{
    rows_add(arg, row);
}

static void show_peer_pools(struct relay *r, struct show_run *run)
{
    inspect_peer_pools(r, add_peer_pool, &run->rows);
}

static void show_version(struct relay *r, struct show_run *run)
{
    struct show_pair row = {.value = PACKAGE_STRING};
    (void)r;
    rows_add(&run->rows, &row);
}

static void show_state(struct relay *r, struct show_run *run)
{
    bool paused = inspect_is_paused(r), suspended = command_is_suspended(r);
    struct show_pair pairs[] = {
        {.key = "active", .value = paused || suspended ? "no" : "yes"},
        {.key = "paused", .value = paused ? "yes" : "no"},
        {.key = "suspended", .value = suspended ? "yes" : "no"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        rows_add(&run->rows, &pairs[i]);
}

static void show_dns_hosts(struct relay *r, struct show_run *run)
{
    show_names(r, now_of(r), &run->rows);
}

static void show_dns_zones(struct relay *r, struct show_run *run)
{
    show_zones(r, &run->rows);
}

/* ---- statistics ------------------------------------------------------------------------ */

static void add_stats(const struct inspect_stats *s, void *arg)
{
    struct show_stats row = {.database = s->database, .total = s->reading.total};
    figures_average(&s->reading, &row.average);
    rows_add(arg, &row);
}

static void show_stats(struct relay *r, struct show_run *run)
{
    inspect_stats(r, now_of(r), add_stats, &run->rows);
}

static void merge_stats(const struct inspect_stats *s, void *arg)
{
    struct figures_reading *all = arg;
#define MERGE(field)                                                                               \
    all->total.field += s->reading.total.field;                                                    \
    all->since.field += s->reading.since.field;                                                    \
    all->rate.field += s->reading.rate.field;
    STATS_FIELDS(MERGE)
#undef MERGE
}

static void add_totals(struct rows *rows, const char *prefix, const struct stats_sum *sum)
{
    struct show_number row;
    const char *name;
    size_t at;
    for (unsigned i = 0; show_totals_figure(i, &name, &at); i++) {
        uint64_t value;
        char *full = xasprintf("%s%s", prefix, name);
        memcpy(&value, (const char *)sum + at, sizeof value);
        row = (struct show_number){.name = full, .value = (int64_t)value};
        rows_add(rows, &row);
        free(full);
    }
}

static void show_totals(struct relay *r, struct show_run *run)
{
    struct figures_reading all = {0};
    struct stats_sum average;
    inspect_stats(r, now_of(r), merge_stats, &all);
    figures_average(&all, &average);
    add_totals(&run->rows, "total_", &all.total);
    add_totals(&run->rows, "avg_", &average);
}

static void add_latency(const struct inspect_latency *row, void *arg)
{
    rows_add(arg, row);
}

static void show_latency(struct relay *r, struct show_run *run)
{
    inspect_latency(r, add_latency, &run->rows);
}

/* ---- health ---------------------------------------------------------------------------- */

static void add_target_health(const struct inspect_target *t, void *arg)
{
    char *name = xasprintf("target %s:%d", t->host, (int)t->port);
    bool failing = strcmp(t->state, "failing") == 0 || strcmp(t->breaker, "closed") != 0;
    struct show_health row = {
        .name = name,
        .status = failing ? "failing" : t->state,
        .detail = failing ? t->last_error : NULL,
    };
    rows_add(arg, &row);
    free(name);
}

static void add_database_health(const struct inspect_database *d, void *arg)
{
    if (!d->paused && !d->disabled)
        return;
    char *name = xasprintf("database %s", d->name);
    struct show_health row = {
        .name = name, .status = d->paused ? "paused" : "disabled", .detail = NULL};
    rows_add(arg, &row);
    free(name);
}

/* One row for the process, one for each target, and one for each database that was stopped. */
static void show_health(struct relay *r, struct show_run *run)
{
    bool suspended = command_is_suspended(r);
    struct show_health row = {
        .name = "process",
        .status = suspended              ? "suspended"
                  : inspect_is_paused(r) ? "paused"
                                         : "ok",
    };
    rows_add(&run->rows, &row);
    inspect_targets(r, now_of(r), add_target_health, &run->rows);
    inspect_databases(r, add_database_health, &run->rows);
}

/* ---- history --------------------------------------------------------------------------- */

static void add_happened(const struct history_entry *e, void *arg)
{
    static const char *const words[] = {
        [LOG_FATAL_LEVEL] = "FATAL",
        [LOG_ERROR_LEVEL] = "ERROR",
        [LOG_WARNING_LEVEL] = "WARNING",
        [LOG_INFO_LEVEL] = "LOG",
    };
    char time[SHOW_TIME_TEXT];
    struct show_clocks then = {.wall_us = e->wall_us};
    struct show_happened row = {
        .id = (int64_t)e->id,
        .time = show_time_text(&then, 0, time),
        .severity = words[e->level],
        .message = e->text,
    };
    rows_add(arg, &row);
}

static void show_errors(struct relay *r, struct show_run *run)
{
    history_each(inspect_history(r), HISTORY_ERRORS, add_happened, &run->rows);
}

static void show_events(struct relay *r, struct show_run *run)
{
    history_each(inspect_history(r), HISTORY_EVENTS, add_happened, &run->rows);
}

/* ---- with a visit ---------------------------------------------------------------------- */

static void visit_census(struct relay *r, struct show_run *run)
{
    census_take(r, run->census);
}

static void visit_clients(struct relay *r, struct show_run *run)
{
    show_client_sockets(r, run->what, &run->clocks, &run->rows);
}

static void visit_servers(struct relay *r, struct show_run *run)
{
    show_server_sockets(r, run->what, &run->clocks, &run->rows);
}

static void visit_sockets(struct relay *r, struct show_run *run)
{
    visit_clients(r, run);
    visit_servers(r, run);
}

static void visit_fds(struct relay *r, struct show_run *run)
{
    show_fds(r, &run->rows);
}

static void add_pool(const struct census_pool *row, void *arg)
{
    rows_add(arg, row);
}

static void show_pools(struct relay *r, struct show_run *run)
{
    census_pools(run->census, now_of(r), add_pool, &run->rows);
}

static void count_row(const struct inspect_database *row, void *arg)
{
    (void)row;
    ++*(int64_t *)arg;
}

static void count_user(const struct inspect_user *row, void *arg)
{
    (void)row;
    ++*(int64_t *)arg;
}

static void count_peer_pool(const struct inspect_peer_pool *row, void *arg)
{
    (void)row;
    ++*(int64_t *)arg;
}

static void show_mem(struct relay *r, struct show_run *run)
{
    struct census_totals totals;
    census_totals(run->census, &totals);
    show_memory(r, &totals, &run->rows);
}

/* Free objects are not kept. The console's pool is one of the pools. */
static void show_lists(struct relay *r, struct show_run *run)
{
    struct census_totals totals;
    int64_t n_databases = 0, n_users = 0, n_peer_pools = 0, n_names, n_asked;
    census_totals(run->census, &totals);
    inspect_databases(r, count_row, &n_databases);
    inspect_users(r, count_user, &n_users);
    inspect_peer_pools(r, count_peer_pool, &n_peer_pools);
    show_count_names(r, &n_names, &n_asked);
    struct show_number rows[] = {
        {"databases", n_databases},
        {"users", n_users},
        {"peers", HASH_COUNT(config_of(r)->peers)},
        {"pools", totals.pools + 1},
        {"peer_pools", n_peer_pools},
        {"free_clients", 0},
        {"used_clients", totals.clients},
        {"login_clients", totals.login_clients},
        {"free_servers", 0},
        {"used_servers", totals.servers},
        {"dns_names", n_names},
        {"dns_zones", show_count_zones(r)},
        {"dns_queries", n_asked},
        {"dns_pending", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows_add(&run->rows, &rows[i]);
}

/* ---- the table ------------------------------------------------------------------------- */

static const struct source {
    void (*visit)(struct relay *r, struct show_run *run);
    void (*finish)(struct relay *r, struct show_run *run);
    bool census;
} sources[SHOW_COUNT] = {
    [SHOW_ACTIVE_SOCKETS] = {.visit = visit_sockets},
    [SHOW_CLIENTS] = {.visit = visit_clients},
    [SHOW_CONFIG] = {.finish = show_settings},
    [SHOW_DATABASES] = {.finish = show_databases},
    [SHOW_DNS_HOSTS] = {.finish = show_dns_hosts},
    [SHOW_DNS_ZONES] = {.finish = show_dns_zones},
    [SHOW_ERRORS] = {.finish = show_errors},
    [SHOW_EVENTS] = {.finish = show_events},
    [SHOW_FDS] = {.visit = visit_fds},
    [SHOW_HEALTH] = {.finish = show_health},
    [SHOW_LATENCY] = {.finish = show_latency},
    [SHOW_LISTS] = {.visit = visit_census, .finish = show_lists, .census = true},
    [SHOW_MEM] = {.visit = visit_census, .finish = show_mem, .census = true},
    [SHOW_PEERS] = {.finish = show_peers},
    [SHOW_PEER_POOLS] = {.finish = show_peer_pools},
    [SHOW_POOLS] = {.visit = visit_census, .finish = show_pools, .census = true},
    [SHOW_SERVERS] = {.visit = visit_servers},
    [SHOW_SETTINGS] = {.finish = show_settings},
    [SHOW_SOCKETS] = {.visit = visit_sockets},
    [SHOW_STATE] = {.finish = show_state},
    [SHOW_STATS] = {.finish = show_stats},
    [SHOW_STATS_AVERAGES] = {.finish = show_stats},
    [SHOW_STATS_TOTALS] = {.finish = show_stats},
    [SHOW_TARGETS] = {.finish = show_targets},
    [SHOW_TOTALS] = {.finish = show_totals},
    [SHOW_USERS] = {.finish = show_users},
    [SHOW_VERSION] = {.finish = show_version},
};

bool show_visits(enum show what)
{
    return sources[what].visit != NULL;
}

struct show_run *show_begin(struct relay *r, enum show what, const struct filter *filter)
{
    struct show_run *run = xcalloc(1, sizeof *run);
    run->what = what;
    run->filter = *filter;
    rows_init(&run->rows, show_at(what)->columns);
    run->clocks = (struct show_clocks){.now_us = now_of(r), .wall_us = clock_wall_us()};
    if (sources[what].census)
        run->census = census_new(r);
    return run;
}

void show_visit(struct relay *r, struct show_run *run)
{
    sources[run->what].visit(r, run);
}

void show_finish(struct relay *r, struct show_run *run)
{
    const struct show_row *row = show_at(run->what);
    if (row->probe) {
        struct show_pair pair = {.value = row->probe};
        rows_add(&run->rows, &pair);
    }
    if (sources[run->what].finish)
        sources[run->what].finish(r, run);
    rows_sort(&run->rows, row->keys, row->n_keys);
    filter_apply(&run->filter, &run->rows);
}

void show_take_rows(struct show_run *run, struct rows *out)
{
    *out = run->rows;
    run->rows = (struct rows){0};
}

void show_free(struct show_run **run)
{
    if (!*run)
        return;
    rows_fini(&(*run)->rows);
    census_free(&(*run)->census);
    free(*run);
    *run = NULL;
}
