/* SPDX-License-Identifier: PostgreSQL */
/* config.h - everything that the operator has said, as typed values with their origin.
 *
 * A config is built by config_load (conf_load.h) or, in tests, by config_new and config_set; it is
 * then validated and from there on immutable: whoever reads it holds a `const struct config *`. A
 * reload builds another one. What applies to one database and one user, with overrides resolved, is
 * answered by effective.h; code that serves a client should ask there, not read the fields of
 * config_database. */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/error.h"
#include "conf/setting.h"

enum pool_mode {
    POOL_MODE_SESSION,
    POOL_MODE_TRANSACTION,
    POOL_MODE_STATEMENT,
};

enum auth_type {
    AUTH_TYPE_ANY,
    AUTH_TYPE_TRUST,
    AUTH_TYPE_PLAIN,
    AUTH_TYPE_MD5,
    AUTH_TYPE_SCRAM,
    AUTH_TYPE_CERT,
    AUTH_TYPE_HBA,
    AUTH_TYPE_LDAP,
    AUTH_TYPE_PAM,
};

/* In order of strictness, so that < means weaker. */
enum sslmode {
    SSLMODE_DISABLE,
    SSLMODE_ALLOW,
    SSLMODE_PREFER,
    SSLMODE_REQUIRE,
    SSLMODE_VERIFY_CA,
    SSLMODE_VERIFY_FULL,
};

enum sslnegotiation {
    SSLNEGOTIATION_POSTGRES, /* SSLRequest first */
    SSLNEGOTIATION_DIRECT,   /* ClientHello at once, with ALPN (PostgreSQL 17) */
};

/* What we ask of the server when we log in by SCRAM. */
enum binding_policy {
    BINDING_DISABLE,
    BINDING_PREFER,
    BINDING_REQUIRE,
};

enum transaction_safety {
    TRANSACTION_SAFETY_FULL,      /* follow session state, pin what cannot be followed */
    TRANSACTION_SAFETY_PIN,       /* only pin */
    TRANSACTION_SAFETY_PGBOUNCER, /* neither */
};

enum hidden_state {
    HIDDEN_STATE_TRUST,
    HIDDEN_STATE_RESET,
};

enum upstream_pooled {
    UPSTREAM_POOLED_DIRECT, /* replace a -pooler host by its direct host */
    UPSTREAM_POOLED_KEEP,
};

enum log_format {
    LOG_FORMAT_PGBOUNCER,
    LOG_FORMAT_JSON,
};

enum load_balance_hosts {
    LOAD_BALANCE_ROUND_ROBIN,
    LOAD_BALANCE_DISABLE, /* the hosts in the order written */
};

/* "Not said here, ask the next level": for the overrides of databases and users. Text says the
 * same by NULL. */
#define CONFIG_INHERIT (-1)
#define CONFIG_INHERIT_US UINT64_MAX

/* One place to connect to. */
struct config_host {
    char *name;    /* host name, address literal, or socket: "/directory" or "@abstract" */
    char *address; /* connect to this address but verify `name` (libpq's hostaddr); NULL: resolve */
    uint16_t port;
};

/* A line of [databases], or what the URL amounts to. */
struct config_database {
    char *name;   /* "*" for the fallback */
    char *origin; /* "file:line" or "url" */

    /* Where to. Never empty: without host= it is the socket in unix_socket_dir. */
    struct config_host *hosts;
    size_t n_hosts;
    enum load_balance_hosts load_balance_hosts;

    /* What to ask for. */
    char *dbname;    /* NULL: the name that the client asked for */
    char *user;      /* forced user: one pool for all clients; NULL: each client's own */
    char *password;  /* secret, of `user`; NULL: from the user list */
    bool lacks_user; /* auth_type = any needs a forced user and there is none: no logins */
    char *connect_query;
    char *client_encoding, *datestyle, *timezone, *application_name, *options; /* NULL: not sent */

    /* Overrides; CONFIG_INHERIT, CONFIG_INHERIT_US or NULL: the setting of the same name. */
    char *auth_user, *auth_query, *auth_dbname;
    int pool_size, min_pool_size, reserve_pool_size;
    int max_db_connections, max_db_client_connections;
    int pool_mode; /* enum pool_mode */
    uint64_t server_lifetime_us, server_idle_timeout_us, query_wait_timeout_us;
    uint64_t query_timeout_us, idle_transaction_timeout_us, transaction_timeout_us;
    uint64_t client_idle_timeout_us;
    int sslmode;       /* enum sslmode; else server_tls_sslmode */
    char *sslrootcert; /* file, "" for the system store; else server_tls_ca_file */
    int channel_binding, sslnegotiation;

    UT_hash_handle hh;
};

/* A line of [users]. */
struct config_user {
    char *name;
    char *origin;
    int pool_mode; /* enum pool_mode */
    int pool_size, reserve_pool_size;
    int max_user_connections, max_user_client_connections;
    uint64_t query_timeout_us, idle_transaction_timeout_us, transaction_timeout_us;
    uint64_t client_idle_timeout_us, query_wait_timeout_us;
    UT_hash_handle hh;
};

/* A line of [peers]: another process that cancels may belong to. */
struct config_peer {
    int id;
    char *origin;
    struct config_host host;
    int pool_size; /* CONFIG_INHERIT: default_pool_size */
    UT_hash_handle hh;
};

struct config {
    enum config_profile profile;

    /* One field per row of setting_list.h, named as the setting; durations end in _us, sizes in
     * _bytes. */
    struct {
#define SETTING_BOOL(name, ...) bool name;
#define SETTING_INT(name, ...) int name;
#define SETTING_DURATION(name, ...) uint64_t name##_us;
#define SETTING_SIZE(name, ...) uint64_t name##_bytes;
#define SETTING_ENUM(name, type, ...) enum type name;
#define SETTING_STRING(name, ...) char *name;
#define SETTING_LIST(name, ...) char *name;
#include "conf/setting_list.h"
    };

    /* Where each setting comes from; NULL: the profile's default. Else "file:line",
     * "environment NAME", "command line", "console", "url", or CONFIG_DERIVED and a name. */
    char *origins[SETTING_COUNT];

    /* Tables by name and by id, in the order of the file when iterated. */
    struct config_database *databases; /* without the fallback */
    struct config_database *fallback;  /* `*`, or NULL */
    struct config_user *users;
    struct config_peer *peers;

    /* Url profile: the role of the URL, who may log in to us with the same password. The secret
     * is wiped by config_free. NULL in the ini profile. */
    char *url_user, *url_password;

    /* After a reload: names of settings for which the sources now say something that only a restart
     * makes count, separated by ", ". NULL: there are none. */
    char *waiting;
};

/* Begins the origin of a value that nobody has said: it follows from that of another setting. */
#define CONFIG_DERIVED "follows "

/* What a source of configuration has to say, one call for each finding. `origin` is "file:line",
 * "environment NAME", "command line", "url" or "". The texts are valid during the call only. */
enum config_severity {
    CONFIG_NOTE,    /* to be logged once: something was decided for the operator */
    CONFIG_WARNING, /* it works, but probably not as meant */
    CONFIG_ERROR,   /* the configuration is refused */
};

struct config_sink {
    void (*report)(void *owner, enum config_severity severity, const char *origin,
                   const char *text);
    void *owner;
    unsigned n_errors; /* counted by config_report */
    /* Sees what could be read of a configuration that is refused, before it goes. May be NULL. */
    void (*refused)(void *owner, const struct config *cfg);
};

/* Passes a finding on (report may be NULL: then it is only counted). Returns false, so that
 * `return config_report(...)` ends a bool function. */
bool config_report(struct config_sink *sink, enum config_severity severity, const char *origin,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* All settings at the profile's defaults, no databases. Returns owned. */
struct config *config_new(enum config_profile profile);
/* Frees everything, wipes the secrets, clears the pointer. NULL inside is fine. */
void config_free(struct config **cfg);

/* Sets one setting and notes where it comes from. Unknown names and bad values are refused with
 * the name, never the value of a secret, in *err. */
bool config_set(struct config *cfg, struct span name, const char *value, const char *origin,
                struct error *err) __attribute__((warn_unused_result));
/* The same, but only if nothing else has set it. True if nothing went wrong. */
bool config_set_default(struct config *cfg, enum setting_id id, const char *value,
                        const char *origin, struct error *err) __attribute__((warn_unused_result));

/* Sets of overrides with nothing said, to be filled by the parsers. Return owned. */
struct config_database *config_database_new(const char *name, const char *origin);
struct config_user *config_user_new(const char *name, const char *origin);
struct config_peer *config_peer_new(int id, const char *origin);
void config_database_free(struct config_database **db);
void config_user_free(struct config_user **user);
void config_peer_free(struct config_peer **peer);
/* Take the object; an earlier one of the same name is replaced and freed (the last line counts).
 */
void config_add_database(struct config *cfg, struct config_database *db);
void config_add_user(struct config *cfg, struct config_user *user);
void config_add_peer(struct config *cfg, struct config_peer *peer);
/* Appends a place to connect to; copies the texts. `address` may be NULL. */
void config_add_host(struct config_database *db, struct span name, const char *address,
                     uint16_t port);

/* The database of that name, else the fallback, else NULL. */
const struct config_database *config_find_database(const struct config *cfg, const char *name);
/* NULL if [users] does not name it. */
const struct config_user *config_find_user(const struct config *cfg, const char *name);
/* The console as a database in figures and limits, by whichever of its names it is called: what
 * monitoring made for PgBouncer expects (and leaves out). */
#define CONFIG_CONSOLE "pgbouncer"
/* True for the names of the console, which no database may have: pgballast and pgbouncer. */
bool config_is_console(const char *dbname);
/* The other name of the console; NULL if this is no name of it. */
const char *config_console_alias(const char *dbname);

/* Rows of SHOW CONFIG: value and default as text. A NULL in value or default_value is PgBouncer's
 * NULL; a setting that holds a secret would print as "***". */
struct config_row {
    const char *name;
    char *value;
    const char *default_value;
    bool changeable;
    const char *origin; /* "default" or as in config.origins */
};
/* Fills row for the setting; row.value is owned by the caller, the rest is borrowed from cfg. */
void config_row(const struct config *cfg, enum setting_id id, struct config_row *row);

#endif
