/* SPDX-License-Identifier: PostgreSQL */
/* inspect.h - rows about databases, users, targets and statistics, for whoever shows them: what is
 * known without asking the workers (for the rest see census.h, and relay/look.h, which this hands
 * on). Any worker's thread.
 *
 * Texts of rows are borrowed until the callback returns. Numbers are int64_t throughout, so that a
 * table of columns can say where each stands. */
#ifndef WORKER_INSPECT_H
#define WORKER_INSPECT_H

#include "net/resolver.h"
#include "relay/look.h"
#include "stats/figures.h"

#include <stdbool.h>
#include <stdint.h>

struct history;
struct listeners;
struct relay;

struct inspect_database {
    const char *name, *host, *database;
    const char *force_user, *pool_mode, *load_balance_hosts; /* NULL: none, inherited, one host */
    int64_t port;
    int64_t pool_size, min_pool_size, reserve_pool_size, server_lifetime;
    int64_t max_connections, current_connections;
    int64_t max_client_connections, current_client_connections;
    int64_t paused, disabled;
};
/* Those of the configuration, then those of its fallback entry that have a pool or an order. */
void inspect_databases(struct relay *r, void (*fn)(const struct inspect_database *row, void *arg),
                       void *arg);

struct inspect_user {
    const char *name, *pool_size, *reserve_pool_size; /* texts, as PgBouncer shows them */
    const char *pool_mode;                            /* NULL: not set */
    int64_t max_user_connections, current_connections;
    int64_t max_user_client_connections, current_client_connections;
};
/* Everybody who is named anywhere or has a pool. */
void inspect_users(struct relay *r, void (*fn)(const struct inspect_user *row, void *arg),
                   void *arg);

struct inspect_target {
    const char *host, *state, *breaker;
    const char *last_sqlstate, *last_error; /* NULL: there was none */
    int64_t port, connecting, failures, wakes;
    int64_t next_try_ms; /* from now; 0: at once */
};
void inspect_targets(struct relay *r, uint64_t now_us,
                     void (*fn)(const struct inspect_target *row, void *arg), void *arg);

struct inspect_stats {
    const char *database;
    struct figures_reading reading; /* of all its pools */
};
/* One row for each database that has a pool, and one for the console. */
void inspect_stats(struct relay *r, uint64_t now_us,
                   void (*fn)(const struct inspect_stats *row, void *arg), void *arg);
struct inspect_latency {
    const char *database, *user;
    const char *what; /* wait, query, transaction */
    int64_t count;    /* since the start of the previous stats_period; the others are of these */
    int64_t mean_us, p50_us, p90_us, p95_us, p99_us, p999_us; /* INSPECT_NONE: there were none */
    int64_t max_us;
};
#define INSPECT_NONE INT64_MIN
/* A row for each pool that was used and each kind of time. */
void inspect_latency(struct relay *r, void (*fn)(const struct inspect_latency *row, void *arg),
                     void *arg);

struct inspect_peer_pool {
    int64_t peer_id, cl_active_cancel_req, cl_waiting_cancel_req, sv_active_cancel, sv_login;
};
/* Peers that a cancel request was passed on to. */
void inspect_peer_pools(struct relay *r, void (*fn)(const struct inspect_peer_pool *row, void *arg),
                        void *arg);

/* Names of hosts that were asked for. */
void inspect_zones(struct relay *r, void (*fn)(const struct resolver_zone *row, void *arg),
                   void *arg);
void inspect_names(struct relay *r, void (*fn)(const struct resolver_name *row, void *arg),
                   void *arg);

/* What happened lately (worker/history.h). */
struct history *inspect_history(struct relay *r);

/* Those that accept for all workers, if this worker is the one that does; else NULL. */
const struct listeners *inspect_listeners(struct relay *r);

/* The row of the console alone, to count in. */
struct stats *inspect_console_stats(struct relay *r);

/* Orders that are in force: for SHOW STATE. */
bool inspect_is_paused(struct relay *r);

#endif
