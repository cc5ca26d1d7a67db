/* SPDX-License-Identifier: PostgreSQL */
/* setup.h - everything that a configuration amounts to: settings, users with their secrets, rules
 * of access, TLS contexts. Built as a whole, then immutable and counted: a session keeps the setup
 * it looks at until its next safe point, and a reload publishes another. */
#ifndef SETUP_SETUP_H
#define SETUP_SETUP_H

#include "auth/secret.h"
#include "base/error.h"
#include "conf/config.h"
#include "conf/effective.h"

struct hba;
struct ident;
struct setup;
struct tls_context;

/* Takes cfg, also on failure. Reports every finding to the sink; NULL if any was an error. A
 * certificate that was made for `before` (NULL at start) is kept: clients may have noted it. */
struct setup *setup_build(struct config *cfg, const struct setup *before, struct config_sink *sink);
/* The same for a configuration that differs from that of `before` in the setting of this name
 * alone. Only the files that it is about are read again. */
struct setup *setup_change(struct config *cfg, const struct setup *before, const char *name,
                           struct config_sink *sink);
struct setup *setup_ref(struct setup *s);
/* Clears the caller's pointer; NULL inside is fine. */
void setup_unref(struct setup **s);

const struct config *setup_config(const struct setup *s);

/* TLS for clients: NULL if it is not offered. */
struct tls_context *setup_client_tls(const struct setup *s);
/* The certificate that clients see, as PEM; NULL if there is none or it was given by file. */
const char *setup_client_certificate(const struct setup *s);
/* TLS towards the hosts of a database: NULL for plain. Borrowed as long as the setup. */
struct tls_context *setup_server_tls(const struct setup *s, const struct config_database *db);

/* For auth_type = hba: the rules (NULL for any other) and their maps (NULL: there are none). */
const struct hba *setup_hba(const struct setup *s);
const struct ident *setup_ident(const struct setup *s);
/* A secret of the kind that most users have, for those who do not exist: their exchange
 * has the same shape and takes as long. It is somebody's, so it never lets anybody in. NULL: nobody
 * has a secret. */
const struct secret *setup_decoy(const struct setup *s);

/* Calls fn for each user of the list, and for that of the URL. */
void setup_each_user(const struct setup *s, void (*fn)(const char *user, void *arg), void *arg);

/* What a client's name and database amount to. Borrowed as long as the setup. */
struct setup_login {
    bool is_console;
    bool may_read;                    /* console: SHOW */
    bool may_admin;                   /* console: every command */
    const struct config_database *db; /* NULL: there is no such database */
    const struct config_user *user;   /* line of [users], or NULL */
    const struct config_user *pool_user_line;
    const struct secret *secret;        /* what the client must know; NULL: no such user */
    const struct secret *server_secret; /* what we show to the server; NULL: none is known */
    const char *pool_user;              /* who logs in at the server; NULL: the client's name */
    bool by_query; /* secret is for auth_query to say: it is NULL, which says nothing */
    bool by_login; /* server_secret is the password that PAM or LDAP finds right */
};

/* Fills *out; never fails: an unknown user or database has NULL in its field, so that the exchange
 * can run its course before the client learns anything. */
void setup_find_login(const struct setup *s, const char *database, const char *user,
                      struct setup_login *out);

/* A user whom auth_query knows: his secret, for the client and, where the configuration names none,
 * for the server. Borrowed as `out`'s other parts. */
void setup_login_found(struct setup_login *out, const struct secret *secret);

/* Where and how auth_query is asked for a login that is by_query. Borrowed as long as the setup and
 * `database`. */
struct setup_lookup {
    const char *database; /* whose pool it runs in, as a client would name it */
    const char *query;
    struct setup_login login; /* of auth_user there */
};

/* False with *err, for the log: the database is not configured. */
bool setup_find_lookup(const struct setup *s, const struct setup_login *login, const char *database,
                       struct setup_lookup *out, struct error *err);
/* The login of auth_user at a database; login.db is NULL if there is no such database. */
void setup_find_auth_user(const struct setup *s, const char *database, const char *auth_user,
                          struct setup_login *out);

#endif
