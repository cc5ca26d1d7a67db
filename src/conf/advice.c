/* SPDX-License-Identifier: PostgreSQL */
/* advice.c - what is risky in a configuration that works, and what we would do instead. */
#include "conf/advice.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/effective.h"

struct adviser {
    const struct config *cfg;
    const struct advice_facts *facts;
    struct config_sink *sink;
    unsigned *modes; /* of server_tls_sslmode that have had their line, as bits */
};

/* --- saying it ---------------------------------------------------------------------------------
 */

static const char *place_of(const struct adviser *a, enum setting_id id)
{
    return a->cfg->origins[id] ? a->cfg->origins[id] : a->cfg->conffile;
}

static void say(const struct adviser *a, enum config_severity severity, const char *place,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void say(const struct adviser *a, enum config_severity severity, const char *place,
                const char *fmt, ...)
{
    char text[480];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    config_report(a->sink, severity, place, "%s", text);
}

#define WARN(a, setting, ...) say(a, CONFIG_WARNING, place_of(a, SETTING_##setting), __VA_ARGS__)
#define NOTE(a, setting, ...) say(a, CONFIG_NOTE, place_of(a, SETTING_##setting), __VA_ARGS__)

/* --- settings whose value alone is worth a line ------------------------------------------------
 */

enum when { IF_ZERO, IF_NOT_ZERO };

static const struct simple {
    enum setting_id id;
    enum when when;
    enum config_severity severity;
    const char *text;
} simple_rules[] = {
    {SETTING_server_reset_query_always, IF_NOT_ZERO, CONFIG_NOTE,
     "server_reset_query_always = 1 costs a round trip for each transaction: parameters and "
     "prepared "
     "statements follow their client here without it"},
    {SETTING_disable_pqexec, IF_NOT_ZERO, CONFIG_WARNING,
     "disable_pqexec = 1 refuses the simple protocol, in which psql, most drivers' BEGIN and "
     "COMMIT, "
     "and health checks speak"},
    {SETTING_idle_transaction_timeout, IF_ZERO, CONFIG_NOTE,
     "idle_transaction_timeout = 0: a client that forgets to end its transaction keeps a server, "
     "and "
     "its locks, for ever"},
    {SETTING_query_timeout, IF_ZERO, CONFIG_NOTE,
     "query_timeout = 0: nothing here ends a statement that hangs"},
    {SETTING_query_wait_timeout, IF_ZERO, CONFIG_WARNING,
     "query_wait_timeout = 0: while the database is away clients queue for ever, and learn "
     "nothing"},
    {SETTING_client_login_timeout, IF_ZERO, CONFIG_WARNING,
     "client_login_timeout = 0: whoever connects and says nothing keeps a connection for ever"},
    {SETTING_cancel_wait_timeout, IF_ZERO, CONFIG_NOTE,
     "cancel_wait_timeout = 0: a cancel request that does not get through is held for ever"},
    {SETTING_server_lifetime, IF_ZERO, CONFIG_WARNING,
     "server_lifetime = 0 uses each server connection once: a login for every transaction"},
    {SETTING_default_pool_size, IF_ZERO, CONFIG_WARNING,
     "default_pool_size = 0 has no limit: as many servers as clients, up to the server's "
     "max_connections"},
    {SETTING_tcp_keepalive, IF_ZERO, CONFIG_NOTE,
     "tcp_keepalive = 0: connections whose other end has vanished are never noticed"},
    {SETTING_max_client_conn, IF_ZERO, CONFIG_NOTE,
     "max_client_conn = 0 is as many as the descriptors allow; PgBouncer would refuse all"},
};

static void advise_on_single_values(const struct adviser *a)
{
    for (size_t i = 0; i < sizeof simple_rules / sizeof simple_rules[0]; i++) {
        const struct simple *rule = &simple_rules[i];
        char *text = setting_text(setting_at(rule->id), a->cfg);
        if ((strcmp(text, "0") == 0) == (rule->when == IF_ZERO))
            say(a, rule->severity, place_of(a, rule->id), "%s", rule->text);
        free(text);
    }
}

/* --- who comes in, and how ---------------------------------------------------------------------
 */

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

/* Whether other machines can connect to these addresses. */
static bool is_open(const char *addresses)
{
    struct span word;
    while (value_list_next(&addresses, &word)) {
        char name[256];
        if (!span_to_str(word, name, sizeof name) || !is_loopback(name))
            return true;
    }
    return false;
}

static void advise_on_authentication(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    bool open = is_open(cfg->listen_addr);
    const char *who =
        open ? "every machine that reaches listen_addr" : "every user of this machine";
    switch (cfg->auth_type) {
    case AUTH_TYPE_ANY:
        WARN(a, auth_type, "auth_type = any lets %s in, under any name: use scram-sha-256", who);
        break;
    case AUTH_TYPE_TRUST:
        WARN(a, auth_type,
             "auth_type = trust lets %s in who knows the name of a user: use scram-sha-256", who);
        break;
    case AUTH_TYPE_PLAIN:
        if (open && cfg->client_tls_sslmode < SSLMODE_REQUIRE)
            WARN(a, auth_type,
                 "auth_type = plain sends passwords that anybody on the way can read: use "
                 "scram-sha-256, or client_tls_sslmode = require");
        break;
    case AUTH_TYPE_MD5:
        NOTE(a, auth_type,
             "auth_type = md5: what goes over the wire lets passwords be guessed quickly; "
             "scram-sha-256 works with users stored as SCRAM or in plain text");
        break;
    case AUTH_TYPE_SCRAM:
        if (cfg->scram_iterations < 4096)
            WARN(a, scram_iterations, "scram_iterations is below 4096, PostgreSQL's own number");
        break;
    case AUTH_TYPE_CERT:
    case AUTH_TYPE_HBA:
    case AUTH_TYPE_LDAP:
    case AUTH_TYPE_PAM:
        break;
    }
    if (cfg->auth_hba_file[0] && cfg->auth_type != AUTH_TYPE_HBA)
        WARN(a, auth_hba_file, "auth_hba_file is not read unless auth_type = hba");
    if (cfg->auth_ident_file[0] && cfg->auth_type != AUTH_TYPE_HBA)
        WARN(a, auth_ident_file, "auth_ident_file is not read unless auth_type = hba");
}

/* Users of the console prove who they are like others; certificates and the like know them by other
 * means, and auth_query may find them. */
static void advise_on_users(const struct adviser *a, enum setting_id id, const char *users)
{
    const struct config *cfg = a->cfg;
    struct span word;
    if (cfg->auth_type > AUTH_TYPE_SCRAM || cfg->auth_type == AUTH_TYPE_ANY || cfg->auth_user[0])
        return;
    while (value_list_next(&users, &word)) {
        char *user = xstrndup(word.p, word.n);
        bool known = a->facts->knows_user(a->facts->owner, user) ||
                     (cfg->url_user && strcmp(cfg->url_user, user) == 0);
        if (!known && !config_is_console(user))
            say(a, CONFIG_WARNING, place_of(a, id),
                "%s names \"%.63s\", who is not in auth_file and cannot log in",
                setting_at(id)->name, user);
        free(user);
    }
}

static void advise_on_auth_query(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    if (cfg->auth_user[0] && !a->facts->knows_user(a->facts->owner, cfg->auth_user))
        NOTE(a, auth_user,
             "auth_user \"%.63s\" is not in auth_file: it can look users up only on servers that "
             "trust it without a password",
             cfg->auth_user);
}

static void advise_on_old_tls(const struct adviser *a, enum setting_id id, const char *protocols)
{
    unsigned lowest, highest;
    if (value_tls_versions(protocols, &lowest, &highest, NULL) && lowest < 2)
        say(a, CONFIG_WARNING, place_of(a, id),
            "%s allows TLS 1.0 or 1.1, which are broken: use secure", setting_at(id)->name);
}

static void advise_on_client_tls(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    if (is_open(cfg->listen_addr) && cfg->client_tls_sslmode < SSLMODE_REQUIRE)
        say(a, CONFIG_WARNING,
            place_of(a, cfg->origins[SETTING_client_tls_sslmode] ? SETTING_client_tls_sslmode
                                                                 : SETTING_listen_addr),
            "clients on other machines may come without TLS: whoever is on the way reads and "
            "changes "
            "queries and data; client_tls_sslmode = require");
    if (cfg->client_tls_sslmode != SSLMODE_DISABLE)
        advise_on_old_tls(a, SETTING_client_tls_protocols, cfg->client_tls_protocols);
    if (cfg->http_port && !is_loopback(cfg->http_addr))
        WARN(a, http_addr,
             "health and metrics, with names of databases and users, can be read by every machine "
             "that reaches http_addr");
}

/* --- servers -----------------------------------------------------------------------------------
 */

static bool is_remote(const struct config_host *host)
{
    return !config_host_is_socket(host) && !is_loopback(host->name);
}

static void advise_on_verification(const struct adviser *a, const struct config_database *db,
                                   const struct config_host *host)
{
    enum sslmode mode = effective_sslmode(a->cfg, db, host);
    const char *place = db->sslmode != CONFIG_INHERIT ? db->origin
                        : a->cfg->origins[SETTING_server_tls_sslmode]
                            ? a->cfg->origins[SETTING_server_tls_sslmode]
                            : db->origin;
    /* As it stands there; for a socket that is not what counts. */
    int said = db->sslmode == CONFIG_INHERIT ? (int)a->cfg->server_tls_sslmode : db->sslmode;
    const char *word = value_enum_word(sslmode_words, said);
    const char *what = NULL;
    switch (mode) {
    case SSLMODE_DISABLE:
        what = "passwords, queries and data can be read on the way";
        break;
    case SSLMODE_ALLOW:
    case SSLMODE_PREFER:
        what = "whoever is on the way can switch encryption off, or pretend to be the server";
        break;
    case SSLMODE_REQUIRE:
        what =
            "it is encrypted, but with whom is not verified: whoever is on the way can pretend to "
            "be the server";
        break;
    case SSLMODE_VERIFY_CA:
        what = "every server with a certificate of that authority passes, whatever its name";
        break;
    case SSLMODE_VERIFY_FULL:
        return;
    }
    say(a, mode == SSLMODE_VERIFY_CA ? CONFIG_NOTE : CONFIG_WARNING, place,
        "server_tls_sslmode = %s towards %.100s: %s; verify-full with server_tls_ca_file (or "
        "without, "
        "for authorities that the system knows)",
        word, host->name, what);
}

/* The first host of each mode stands for all: the setting is one. */
static void advise_on_server_tls(const struct adviser *a, const struct config_database *db)
{
    for (size_t i = 0; i < db->n_hosts; i++) {
        unsigned bit = 1u << effective_sslmode(a->cfg, db, &db->hosts[i]);
        if (!is_remote(&db->hosts[i]) || (*a->modes & bit))
            continue;
        *a->modes |= bit;
        advise_on_verification(a, db, &db->hosts[i]);
    }
}

static void advise_on_host(const struct adviser *a, const struct config_database *db,
                           const char *host)
{
    struct in6_addr ignored;
    if (strstr(host, "://"))
        say(a, CONFIG_WARNING, db->origin,
            "database \"%s\": host is a name or an address, not a URL", db->name);
    else if (strchr(host, ':') && host[0] != '/' && host[0] != '@' &&
             inet_pton(AF_INET6, host, &ignored) != 1)
        say(a, CONFIG_WARNING, db->origin,
            "database \"%s\": \"%.100s\" is no host and no IPv6 address; the port is a key of its "
            "own, port=5432",
            db->name, host);
}

static void advise_on_database(const struct adviser *a, const struct config_database *db)
{
    advise_on_server_tls(a, db);
    for (size_t i = 0; i < db->n_hosts; i++)
        advise_on_host(a, db, db->hosts[i].name);
    if (strcmp(db->name, "*") != 0 && strchr(db->name, '*'))
        say(a, CONFIG_WARNING, db->origin,
            "database \"%s\": only a * alone stands for other names, this one is taken as it is",
            db->name);
    if (db->password && !db->user)
        say(a, CONFIG_WARNING, db->origin,
            "database \"%s\": password has no effect without user: it is that of the one user "
            "under "
            "whom all clients of the database share servers",
            db->name);
}

static void advise_on_databases(const struct adviser *a)
{
    for (const struct config_database *db = a->cfg->databases; db; db = db->hh.next)
        advise_on_database(a, db);
    if (a->cfg->fallback)
        advise_on_database(a, a->cfg->fallback);
    if (a->cfg->server_tls_sslmode != SSLMODE_DISABLE)
        advise_on_old_tls(a, SETTING_server_tls_protocols, a->cfg->server_tls_protocols);
}

/* --- how many ----------------------------------------------------------------------------------
 */

/* PostgreSQL's max_connections unless somebody has changed it. */
#define USUAL_MAX_CONNECTIONS 100

/* If every user comes to every database. */
static unsigned long long possible_servers(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    unsigned long long sum = 0, users = a->facts->n_users ? a->facts->n_users : 1;
    for (const struct config_database *db = cfg->databases; db; db = db->hh.next) {
        unsigned long long n = (db->user ? 1 : users);
        unsigned long long size = (unsigned long long)effective_pool_size(cfg, db, NULL) * n;
        unsigned long long cap = (unsigned long long)effective_max_db_connections(cfg, db);
        sum += cap && cap < size ? cap : size;
    }
    return sum;
}

static void advise_on_sizes(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    unsigned long long servers = possible_servers(a);
    unsigned long long clients = (unsigned long long)cfg->max_client_conn;
    if (servers > USUAL_MAX_CONNECTIONS && !cfg->max_server_connections &&
        !cfg->max_user_connections)
        NOTE(
            a, default_pool_size,
            "the pools may open %llu server connections together, and PostgreSQL's max_connections "
            "is 100 by default: max_server_connections bounds them all",
            servers);
    if (a->facts->max_descriptors && clients > a->facts->max_descriptors)
        WARN(a, max_client_conn,
             "max_client_conn = %llu, but no more than %llu files may be open: raise the limit "
             "(LimitNOFILE, ulimit -n)",
             clients, a->facts->max_descriptors);
    if (cfg->reserve_pool_size && !cfg->reserve_pool_timeout_us)
        WARN(a, reserve_pool_size, "the reserve is never used, as reserve_pool_timeout is 0");
}

/* --- sessions ----------------------------------------------------------------------------------
 */

static void advise_on_sessions(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    const char *ignored = cfg->ignore_startup_parameters;
    struct span first;
    if (cfg->pool_mode == POOL_MODE_SESSION)
        NOTE(a, pool_mode,
             "pool_mode = session keeps a server for each client that is connected: with "
             "transaction "
             "few do, and prepared statements and parameters follow their client");
    if (cfg->pool_mode != POOL_MODE_SESSION && !cfg->max_prepared_statements)
        WARN(a, max_prepared_statements,
             "max_prepared_statements = 0: drivers that prepare statements fail, now and then, in "
             "this pool_mode");
    if (value_list_next(&ignored, &first))
        NOTE(a, ignore_startup_parameters,
             "ignore_startup_parameters is not needed: start-up parameters that PostgreSQL knows "
             "are "
             "accepted and take effect; \"%.*s\" does not while it stands here",
             (int)(first.n < 60 ? first.n : 60), (const char *)first.p);
    if (cfg->server_check_query[0] && strcmp(cfg->server_check_query, "<empty>") != 0)
        NOTE(a, server_check_query,
             "server_check_query costs a round trip when a server was idle for long: <empty>, an "
             "empty query, is the cheapest, and servers that died are noticed anyway");
}

/* --- files -------------------------------------------------------------------------------------
 */

enum { READABLE_BY_ALL = 0004 };

static unsigned mode_of(const struct adviser *a, const char *path)
{
    return path[0] ? a->facts->mode_of(a->facts->owner, path) : 0;
}

static bool has_passwords(const struct config *cfg)
{
    for (const struct config_database *db = cfg->databases; db; db = db->hh.next)
        if (db->password)
            return true;
    return cfg->fallback && cfg->fallback->password;
}

static void advise_on_key(const struct adviser *a, enum setting_id id, const char *path)
{
    if (mode_of(a, path) & READABLE_BY_ALL)
        say(a, CONFIG_WARNING, place_of(a, id),
            "\"%.200s\", a private key, can be read by everybody on this machine: chmod o-r", path);
}

static void advise_on_files(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    if ((mode_of(a, cfg->auth_file) & READABLE_BY_ALL) && a->facts->n_users)
        WARN(a, auth_file, "\"%.200s\" can be read by everybody on this machine: chmod o-r",
             cfg->auth_file);
    if (a->facts->n_plain)
        NOTE(
            a, auth_file,
            "%zu of %zu users are stored with their passwords in plain text: a SCRAM verifier from "
            "pg_authid serves as well, where clients log in by scram-sha-256",
            a->facts->n_plain, a->facts->n_users);
    if ((mode_of(a, cfg->conffile) & READABLE_BY_ALL) && has_passwords(cfg))
        say(a, CONFIG_WARNING, cfg->conffile,
            "the file contains passwords and can be read by everybody on this machine: chmod o-r");
    advise_on_key(a, SETTING_client_tls_key_file, cfg->client_tls_key_file);
    advise_on_key(a, SETTING_server_tls_key_file, cfg->server_tls_key_file);
    if (strcmp(cfg->unix_socket_dir, "/tmp") == 0)
        NOTE(
            a, unix_socket_dir,
            "unix_socket_dir = /tmp: while we are down every user of this machine can put a socket "
            "of that name there; a directory of our own, such as /run/pgballast, cannot be taken");
}

/* --- several processes -------------------------------------------------------------------------
 */

static void advise_on_processes(const struct adviser *a)
{
    const struct config *cfg = a->cfg;
    if (cfg->so_reuseport && (!cfg->peer_id || !cfg->peers))
        WARN(a, so_reuseport,
             "so_reuseport without peer_id and [peers]: cancel requests that arrive at another "
             "process than their client's are lost");
    if (cfg->peer_id && !cfg->peers)
        WARN(a, peer_id, "peer_id without [peers]: there is nobody to pass cancel requests on to");
    if (!cfg->peer_id && cfg->peers)
        say(a, CONFIG_WARNING, cfg->peers->origin,
            "[peers] without peer_id: nobody can pass cancel requests on to us");
    if (cfg->verbose > 1)
        WARN(a, verbose, "verbose = %d writes several lines of log for each statement",
             cfg->verbose);
}

void advice_give(const struct config *cfg, const struct advice_facts *facts,
                 struct config_sink *sink)
{
    unsigned modes = 0;
    const struct adviser a = {.cfg = cfg, .facts = facts, .sink = sink, .modes = &modes};
    advise_on_authentication(&a);
    advise_on_users(&a, SETTING_admin_users, cfg->admin_users);
    advise_on_users(&a, SETTING_stats_users, cfg->stats_users);
    advise_on_auth_query(&a);
    advise_on_client_tls(&a);
    advise_on_databases(&a);
    advise_on_sizes(&a);
    advise_on_sessions(&a);
    advise_on_single_values(&a);
    advise_on_files(&a);
    advise_on_processes(&a);
}
