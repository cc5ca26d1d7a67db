/* SPDX-License-Identifier: PostgreSQL */
/* census.h - counts that only the workers know: who has which client and server in which state.
 *
 * A census takes a visit to each worker. Clients belong to one worker for life, so each is counted
 * once. Servers move: those in a mailbox at that moment are known to the pool's ledger alone, which
 * therefore has the last word about how many there are. */
#ifndef WORKER_CENSUS_H
#define WORKER_CENSUS_H

#include <stdint.h>

struct census;
struct relay;

/* Takes references to all pools there are. */
struct census *census_new(struct relay *r);
void census_free(struct census **c);
/* The visit to one worker, in its thread. */
void census_take(struct relay *r, struct census *c);

/* Texts are borrowed until the callback returns. */
struct census_pool {
    const char *database, *user, *pool_mode;
    const char *load_balance_hosts; /* NULL: there is one host */
    int64_t cl_active, cl_waiting, cl_active_cancel_req, cl_waiting_cancel_req;
    int64_t sv_active, sv_active_cancel, sv_being_canceled, sv_idle, sv_used, sv_tested, sv_login;
    int64_t maxwait, maxwait_us; /* whole seconds, and the rest */
};

/* One row for each pool, then one for the console. */
void census_pools(struct census *c, uint64_t now_us,
                  void (*fn)(const struct census_pool *row, void *arg), void *arg);

struct census_totals {
    int64_t pools;
    int64_t clients; /* all of them, those that log in included */
    int64_t login_clients;
    int64_t servers;
};
void census_totals(struct census *c, struct census_totals *out);

/* Servers that are to be closed because their pool has a newer generation, of one database or
 * (NULL) of all. */
int64_t census_stale_servers(struct census *c, const char *database);

#endif
