/* SPDX-License-Identifier: PostgreSQL */
/* validate.c - what no single value shows. */
#include "conf/validate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_pairs.h"
#include "conf/effective.h"

struct check {
    struct config *cfg;
    struct config_sink *sink;
};

static bool is_said(const struct check *c, enum setting_id id)
{
    return c->cfg->origins[id] != NULL;
}

static const char *origin(const struct check *c, enum setting_id id)
{
    return is_said(c, id) ? c->cfg->origins[id] : "";
}

static void refuse(struct check *c, enum setting_id id, const char *text)
{
    config_report(c->sink, CONFIG_ERROR, origin(c, id), "%s", text);
}

static void warn(struct check *c, enum setting_id id, const char *text)
{
    config_report(c->sink, CONFIG_WARNING, origin(c, id), "%s", text);
}

/* --- values that follow from others ----------------------------------------------------------- */

/* PgBouncer: without host= the server is behind a socket in our own socket directory. */
static void settle_hosts(struct check *c, struct config_database *db)
{
    for (size_t i = 0; i < db->n_hosts; i++) {
        struct config_host *host = &db->hosts[i];
        if (host->name[0])
            continue;
        free(host->name);
        host->name = xstrdup(c->cfg->unix_socket_dir);
        if (!host->name[0])
            config_report(c->sink, CONFIG_ERROR, db->origin,
                          "database \"%s\" has no host, and unix_socket_dir is empty", db->name);
    }
}

/* Changes a value that nobody has set, because of another one. */
static void derive(struct check *c, enum setting_id id, int value, const char *because)
{
    struct error err;
    char *text = xasprintf("%d", value), *from = xasprintf(CONFIG_DERIVED "%s", because);
    if (!config_set(c->cfg, span_str(setting_at(id)->name), text, from, &err))
        refuse(c, id, err.text);
    free(text);
    free(from);
}

/* Defaults give way to what was said about their neighbours; 0 is unlimited in both limits. */
static void settle_pool_sizes(struct check *c)
{
    struct config *cfg = c->cfg;
    int cap = cfg->max_server_connections;
    if (cap > 0 && cfg->default_pool_size > cap) {
        if (!is_said(c, SETTING_max_server_connections))
            derive(c, SETTING_max_server_connections, cfg->default_pool_size, "default_pool_size");
        else if (!is_said(c, SETTING_default_pool_size))
            derive(c, SETTING_default_pool_size, cap, "max_server_connections");
        else
            warn(c, SETTING_default_pool_size,
                 "default_pool_size is larger than max_server_connections, which limits all pools "
                 "together");
    }
    if (cfg->default_pool_size > 0 && cfg->min_pool_size > cfg->default_pool_size) {
        if (is_said(c, SETTING_min_pool_size))
            warn(c, SETTING_min_pool_size,
                 "min_pool_size is larger than default_pool_size, which limits it");
        else
            derive(c, SETTING_min_pool_size, cfg->default_pool_size, "default_pool_size");
    }
}

/* PgBouncer's one pause is here the longest of several that grow. */
static void settle_retry(struct check *c)
{
    struct error err;
    if (!is_said(c, SETTING_server_login_retry) || is_said(c, SETTING_retry_max_delay))
        return;
    char *text = setting_text(setting_at(SETTING_server_login_retry), c->cfg);
    const char *value = c->cfg->server_login_retry_us ? text : "1ms";
    if (!config_set(c->cfg, span_str("retry_max_delay"), value, CONFIG_DERIVED "server_login_retry",
                    &err))
        refuse(c, SETTING_server_login_retry, err.text);
    free(text);
}

/* --- checks ------------------------------------------------------------------------------------
 */

static void check_listening(struct check *c)
{
    const struct config *cfg = c->cfg;
    const char *addresses = cfg->listen_addr;
    struct span first;
    if (!value_list_next(&addresses, &first) && cfg->unix_socket_dir[0] == '\0')
        refuse(c, SETTING_listen_addr,
               "nowhere to listen on: listen_addr and unix_socket_dir are both empty");
    if (cfg->http_port == cfg->listen_port)
        refuse(c, SETTING_http_port, "http_port and listen_port are the same");
}

static void check_tls_versions(struct check *c, enum setting_id id, const char *text)
{
    struct error err;
    unsigned lowest, highest;
    if (!value_tls_versions(text, &lowest, &highest, &err))
        config_report(c->sink, CONFIG_ERROR, origin(c, id), "invalid value for \"%s\": %s",
                      setting_at(id)->name, err.text);
}

static void check_client_tls(struct check *c)
{
    const struct config *cfg = c->cfg;
    bool has_cert = cfg->client_tls_cert_file[0], has_key = cfg->client_tls_key_file[0];
    if (has_cert != has_key)
        refuse(c, has_cert ? SETTING_client_tls_cert_file : SETTING_client_tls_key_file,
               "client_tls_cert_file and client_tls_key_file belong together");
    if (cfg->client_tls_sslmode != SSLMODE_DISABLE && !has_cert && !has_key &&
        !cfg->client_tls_auto)
        refuse(c, SETTING_client_tls_sslmode,
               "client_tls_sslmode needs client_tls_cert_file and client_tls_key_file, or "
               "client_tls_auto = 1");
    if (cfg->client_tls_sslmode >= SSLMODE_VERIFY_CA && !cfg->client_tls_ca_file[0])
        refuse(c, SETTING_client_tls_sslmode,
               "client_tls_sslmode = verify-ca or verify-full needs client_tls_ca_file");
    if (cfg->auth_type == AUTH_TYPE_CERT && cfg->client_tls_sslmode != SSLMODE_VERIFY_FULL)
        refuse(c, SETTING_auth_type, "auth_type = cert needs client_tls_sslmode = verify-full");
}

static void check_server_tls(struct check *c)
{
    const struct config *cfg = c->cfg;
    bool has_cert = cfg->server_tls_cert_file[0], has_key = cfg->server_tls_key_file[0];
    if (has_cert != has_key)
        refuse(c, has_cert ? SETTING_server_tls_cert_file : SETTING_server_tls_key_file,
               "server_tls_cert_file and server_tls_key_file belong together");
}

static void check_auth_dbname(struct check *c, const char *from, const char *name)
{
    if (config_is_console(name))
        config_report(c->sink, CONFIG_ERROR, from,
                      "cannot use the reserved \"%s\" database as an auth_dbname", name);
    else if (!config_find_database(c->cfg, name))
        config_report(c->sink, CONFIG_WARNING, from,
                      "authentication database \"%s\" is not configured", name);
}

static void check_auth(struct check *c)
{
    const struct config *cfg = c->cfg;
    if (cfg->auth_type == AUTH_TYPE_HBA && !cfg->auth_hba_file[0])
        refuse(c, SETTING_auth_type, "auth_type = hba needs auth_hba_file");
    if (cfg->auth_dbname[0])
        check_auth_dbname(c, origin(c, SETTING_auth_dbname), cfg->auth_dbname);
}

/* The name of a loopback address, however written. */
static bool is_local(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "::1") == 0;
}

/* A URL that names our own port makes every connection open another one. Only the obvious case is
 * caught: loopback, where the url profile listens. */
static void check_loop(struct check *c, const struct config_database *db)
{
    for (size_t i = 0; i < db->n_hosts; i++)
        if (is_local(db->hosts[i].name) && db->hosts[i].port == c->cfg->listen_port)
            config_report(c->sink, CONFIG_ERROR, db->origin,
                          "the database is at %s port %d, where pgballast itself listens; it "
                          "needs the address of the database server",
                          db->hosts[i].name, c->cfg->listen_port);
}

/* Who a client is does not matter, so the database has to say who logs in at the server. */
static void check_forced_user(struct check *c, struct config_database *db)
{
    db->lacks_user = c->cfg->auth_type == AUTH_TYPE_ANY && !db->user;
    if (db->lacks_user)
        config_report(c->sink, CONFIG_WARNING, db->origin,
                      "database \"%s\": auth_type = any needs a user here: nobody can log in to it",
                      db->name);
}

static void check_database(struct check *c, struct config_database *db)
{
    settle_hosts(c, db);
    check_forced_user(c, db);
    if (strlen(db->name) > CONF_NAME_MAX)
        config_report(c->sink, CONFIG_ERROR, db->origin,
                      "the database name is longer than %d bytes", CONF_NAME_MAX);
    if (config_is_console(db->name))
        config_report(c->sink, CONFIG_ERROR, db->origin,
                      "database name \"%s\" is reserved for the console", db->name);
    if (db->auth_dbname)
        check_auth_dbname(c, db->origin, db->auth_dbname);
    for (size_t i = 0; i < db->n_hosts; i++)
        if (effective_sslnegotiation(c->cfg, db) == SSLNEGOTIATION_DIRECT &&
            !config_host_is_socket(&db->hosts[i]) &&
            effective_sslmode(c->cfg, db, &db->hosts[i]) < SSLMODE_REQUIRE) {
            config_report(c->sink, CONFIG_ERROR, db->origin,
                          "database \"%s\": sslnegotiation = direct needs sslmode = require or "
                          "stricter",
                          db->name);
            break;
        }
}

static void check_databases(struct check *c)
{
    struct config *cfg = c->cfg;
    for (struct config_database *db = cfg->databases; db; db = db->hh.next)
        check_database(c, db);
    if (cfg->fallback)
        check_database(c, cfg->fallback);
    if (!cfg->databases && !cfg->fallback)
        config_report(c->sink, CONFIG_WARNING, "",
                      "no database is configured, so only the console can be reached");
    if (cfg->profile == CONFIG_URL && cfg->fallback)
        check_loop(c, cfg->fallback);
}

/* --- what this version accepts and does not do -------------------------------------------------
 */

static void tell_inert(struct check *c, const struct setting *s, enum setting_id id)
{
    if (s->flags & SETTING_INERT)
        config_report(c->sink, CONFIG_WARNING, origin(c, id), "%s has no effect in this version",
                      s->name);
    else
        config_report(c->sink, CONFIG_NOTE, origin(c, id),
                      "%s is accepted for PgBouncer's sake: there is nothing here that it changes",
                      s->name);
}

/* A default that is written out promises nothing that does not hold. */
static void check_inert(struct check *c)
{
    struct config *defaults = config_new(c->cfg->profile);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = setting_at((enum setting_id)i);
        if ((s->flags & (SETTING_INERT | SETTING_NEEDLESS)) && is_said(c, (enum setting_id)i) &&
            !setting_equal(s, c->cfg, defaults))
            tell_inert(c, s, (enum setting_id)i);
    }
    config_free(&defaults);
}

/* A name of its own makes the process one of several; without, their keys are not told apart. */
static void check_peers(struct check *c)
{
    const struct config_peer *peer = c->cfg->peers;
    if (peer && !c->cfg->peer_id)
        config_report(c->sink, CONFIG_WARNING, peer->origin,
                      "[peers] has no effect without peer_id: cancel requests are not passed on");
}

bool config_validate(struct config *cfg, struct config_sink *sink)
{
    unsigned errors_before = sink->n_errors;
    struct check c = {.cfg = cfg, .sink = sink};
    settle_pool_sizes(&c);
    settle_retry(&c);
    check_listening(&c);
    check_tls_versions(&c, SETTING_client_tls_protocols, cfg->client_tls_protocols);
    check_tls_versions(&c, SETTING_server_tls_protocols, cfg->server_tls_protocols);
    check_client_tls(&c);
    check_server_tls(&c);
    check_auth(&c);
    check_databases(&c);
    check_inert(&c);
    check_peers(&c);
    return sink->n_errors == errors_before;
}
