/* SPDX-License-Identifier: PostgreSQL */
/* places.h - what a pool and a target need beside their ledgers.
 *
 * A place belongs to one pool (it is the pool's owner in the registry, and lives as long as it):
 * who logs in where with what, and what servers reported at their last login, from which new
 * clients are welcomed without touching the database. */
#ifndef RELAY_PLACES_H
#define RELAY_PLACES_H

#include "base/buf.h"
#include "base/error.h"
#include "base/mutex.h"
#include "conf/config.h"
#include "server/server.h"
#include "track/parameters.h"
#include "upstream/target.h"

struct dialer_options;
struct figures;
struct limits;
struct parsed;
struct places;
struct pool;
struct registry;
struct setup;
struct setup_login;

struct place {
    /* Set at birth. */
    struct pool *pool; /* not counted: the pool owns the place */
    struct setup *setup;
    const struct config_database *db;
    char *database, *user; /* at the server */
    const struct secret *secret;
    enum pool_mode mode;
    bool follows_statements; /* names of prepared statements are the client's own business */
    struct tls_context *tls; /* NULL: plain */
    struct param_accepted *accepted;
    struct target **targets; /* one per host of db; borrowed from places */
    size_t n_targets;
    struct figures *figures;
    struct limits *limits;
    struct cap *caps[2]; /* counted; database and user, for client limits */

    _Atomic unsigned host_at; /* which host is tried next */
    /* When a client last had a server: connections beyond need are opened only within warm_window
     * of that, so that a database that nobody uses may sleep. Relaxed; 0: never. */
    _Atomic uint64_t active_us;

    struct {
        struct mutex m;
        struct parsed *parsed; /* statements that a server of this place has parsed */
        bool known;
        struct buf reports;
        struct param_set *base;
        /* A refusal that concerns this user or database only (wrong password …). */
        unsigned refusals;
        uint64_t not_before_us;
        struct error refusal;
    } shared;
};

struct places *places_new(struct registry *registry, unsigned n_workers,
                          const struct target_limits *limits, uint64_t now_us);
void places_free(struct places **p);

/* Finds or makes the pool for a login and returns it with a reference (pool_unref); its place is
 * pool_owner(). Its statistics begin now. */
struct pool *places_find(struct places *p, struct setup *setup, const struct setup_login *login,
                         const char *database, const char *user, uint64_t now_us);

/* What the console's own clients did: it counts as one more pool. */
struct figures *places_console_figures(struct places *p);

/* What servers reported; false if none has logged in yet. *base_out is counted. */
bool place_welcome(struct place *p, struct buf *reports_out, struct param_set **base_out);
bool place_is_known(struct place *p);
/* Notes the reports of a server that has just logged in. */
void place_learn(struct place *p, const struct server *s);

/* A server of this place has parsed the statement: another client that prepares the same needs no
 * server for it. Bounded; forgetting costs a round trip. */
void place_note_parsed(struct place *p, uint64_t statement);
bool place_has_parsed(struct place *p, uint64_t statement);

/* Client limits of database and user. */
bool place_admit(struct place *p, struct error *err);
void place_dismiss(struct place *p);

/* The server refused this user or database. */
void place_refused(struct place *p, uint64_t now_us, const struct error *tell, uint64_t jitter);
/* False while such a refusal is fresh: *err and the time of the next try. */
bool place_may_dial(struct place *p, uint64_t now_us, struct error *err);

/* Terms for one connection to hosts[i] of the place; borrowed from p. */
void place_login_terms(const struct place *p, size_t host, struct keycache *kc,
                       struct server_login *out);
void place_dialer_options(const struct place *p, struct dialer_options *out);

/* For each target: SHOW TARGETS, health. */
void places_each_target(struct places *p, void (*fn)(struct target *t, void *arg), void *arg);

#endif
