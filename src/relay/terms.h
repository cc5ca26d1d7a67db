/* SPDX-License-Identifier: PostgreSQL */
/* terms.h - under which terms the servers of a pool are connected to: where, as whom, with what.
 *
 * Immutable and counted. A place (places.h) has the current ones, which a reload replaces; a server
 * keeps those it was dialled under, so that its cancel requests go where it is, and its log lines
 * say so, whatever the configuration has become meanwhile.
 *
 * What servers said when they logged in is kept in the findings. They are shared by terms under
 * which servers are interchangeable, and begin anew with terms under which they are not: the next
 * client is then welcomed from what a new server reports. */
#ifndef RELAY_TERMS_H
#define RELAY_TERMS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/mutex.h"
#include "conf/config.h"
#include "server/server.h"
#include "track/parameters.h"
#include "upstream/target.h"

#include <stdatomic.h>

struct dialer_options;
struct parsed;
struct setup;
struct setup_login;

struct findings {
    /* Set at birth. */
    atomic_uint refs;
    struct param_accepted *accepted; /* has its own lock */

    struct {
        struct mutex m;
        struct parsed *parsed; /* statements that a server has parsed */
        bool known;
        struct buf reports;
        struct param_set *base;
        /* A refusal that concerns this user or database only (wrong password …). */
        unsigned refusals;
        uint64_t not_before_us;
        struct error refusal;
    } shared;
};

struct terms {
    atomic_uint refs;
    struct setup *setup; /* counted */
    const struct config_database *db;
    char *database, *user;       /* at the server */
    const struct secret *secret; /* counted; NULL: none is known */
    enum pool_mode mode;
    bool follows_statements; /* names of prepared statements are the client's own business */
    struct tls_context *tls; /* of setup; NULL: plain */
    struct target **targets; /* one per host of db; they live as long as the program */
    size_t n_targets;
    struct findings *findings; /* counted */
};

/* With findings of its own, and without targets: the caller fills targets[0 … n_targets - 1]. The
 * login (of setup) must name a database. */
struct terms *terms_new(struct setup *setup, const struct setup_login *login, const char *database,
                        const char *user);
/* To be called before they are published. If servers opened under `before` serve as well under t, t
 * takes its findings over and it returns true. The same secret is kept as the same object in any
 * case: it may have learnt keys that cannot be derived from its text. */
bool terms_succeed(struct terms *t, const struct terms *before);
/* The same but for the secret; a refusal of the one before is forgotten. */
struct terms *terms_with_secret(const struct terms *t, const struct secret *secret);
struct terms *terms_ref(struct terms *t);
/* Clears the pointer; NULL inside is fine. */
void terms_unref(struct terms **t);

/* How many prepared statements a server keeps. */
unsigned terms_statement_room(const struct config *cfg);
/* For one connection to hosts[i]; borrowed from t. */
void terms_login(const struct terms *t, size_t host, struct keycache *kc, struct server_login *out);
void terms_dialer_options(const struct terms *t, struct dialer_options *out);
/* The same for what is not the server of a pool. */
void terms_config_dialer_options(const struct config *cfg, struct dialer_options *out);

/* ---- findings; any thread ---- */

/* What servers reported; false if none has logged in yet. *base_out is counted. */
bool findings_welcome(struct findings *f, struct buf *reports_out, struct param_set **base_out);
bool findings_are_known(struct findings *f);
/* Notes the reports of a server that has just logged in. */
void findings_learn(struct findings *f, const struct server *s);

/* A server has parsed the statement: another client that prepares the same needs no server for it.
 * Bounded; forgetting costs a round trip. */
void findings_note_parsed(struct findings *f, uint64_t statement);
bool findings_have_parsed(struct findings *f, uint64_t statement);

/* The server refused this user or database. No pause is longer than longest_us, unless that is 0.
 */
void findings_refused(struct findings *f, uint64_t now_us, const struct error *tell,
                      uint64_t jitter, uint64_t longest_us);
/* It may think better of it. */
void findings_forgive(struct findings *f);
/* False while such a refusal is fresh: *err and the time of the next try. */
bool findings_may_dial(struct findings *f, uint64_t now_us, struct error *err);

#endif
