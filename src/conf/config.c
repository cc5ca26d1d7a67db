/* SPDX-License-Identifier: PostgreSQL */
/* config.c - building, asking and freeing a config. */
#include "conf/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define CONSOLE_DATABASE "pgballast"
#define CONSOLE_DATABASE_ALIAS "pgbouncer"

bool config_report(struct config_sink *sink, enum config_severity severity, const char *origin,
                   const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Texts quote what was written: nobody may forge a line of the log with it. */
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (severity == CONFIG_ERROR)
        sink->n_errors++;
    if (sink->report)
        sink->report(sink->owner, severity, origin, text);
    return false;
}

struct config *config_new(enum config_profile profile)
{
    struct config *cfg = xcalloc(1, sizeof *cfg);
    cfg->profile = profile;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = setting_at(id);
        struct error err;
        if (!setting_store(s, cfg, setting_default(s, profile), &err)) {
            fprintf(stderr, "default of %s: %s\n", s->name, err.text);
            abort();
        }
    }
    return cfg;
}

void config_free(struct config **cfg_ptr)
{
    struct config *cfg = *cfg_ptr;
    *cfg_ptr = NULL;
    if (!cfg)
        return;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        setting_clear(setting_at(id), cfg);
        free(cfg->origins[id]);
    }
    struct config_database *db, *next_db;
    HASH_ITER(hh, cfg->databases, db, next_db)
    {
        HASH_DEL(cfg->databases, db);
        config_database_free(&db);
    }
    config_database_free(&cfg->fallback);
    struct config_user *user, *next_user;
    HASH_ITER(hh, cfg->users, user, next_user)
    {
        HASH_DEL(cfg->users, user);
        config_user_free(&user);
    }
    struct config_peer *peer, *next_peer;
    HASH_ITER(hh, cfg->peers, peer, next_peer)
    {
        HASH_DEL(cfg->peers, peer);
        config_peer_free(&peer);
    }
    free(cfg->url_user);
    free(cfg->waiting);
    secret_free(&cfg->url_password);
    free(cfg);
}

static void note_origin(struct config *cfg, enum setting_id id, const char *origin)
{
    char *copy = xstrdup(origin);
    free(cfg->origins[id]);
    cfg->origins[id] = copy;
}

bool config_set(struct config *cfg, struct span name, const char *value, const char *origin,
                struct error *err)
{
    const struct setting *s = setting_find(name);
    struct error why;
    if (!s)
        return error_set(err, "", "there is no setting \"%.*s\"", (int)(name.n < 60 ? name.n : 60),
                         (const char *)name.p);
    if (!setting_store(s, cfg, value, &why))
        return error_set(err, "", "invalid value for \"%s\": %s", s->name, why.text);
    note_origin(cfg, setting_id_of(s), origin);
    return true;
}

bool config_set_default(struct config *cfg, enum setting_id id, const char *value,
                        const char *origin, struct error *err)
{
    if (cfg->origins[id])
        return true;
    return config_set(cfg, span_str(setting_at(id)->name), value, origin, err);
}

struct config_database *config_database_new(const char *name, const char *origin)
{
    struct config_database *db = xcalloc(1, sizeof *db);
    db->name = xstrdup(name);
    db->origin = xstrdup(origin);
    db->pool_size = db->min_pool_size = db->reserve_pool_size = CONFIG_INHERIT;
    db->max_db_connections = db->max_db_client_connections = CONFIG_INHERIT;
    db->pool_mode = db->sslmode = CONFIG_INHERIT;
    db->channel_binding = db->sslnegotiation = CONFIG_INHERIT;
    db->server_lifetime_us = db->server_idle_timeout_us = CONFIG_INHERIT_US;
    db->query_wait_timeout_us = db->query_timeout_us = CONFIG_INHERIT_US;
    db->idle_transaction_timeout_us = db->transaction_timeout_us = CONFIG_INHERIT_US;
    db->client_idle_timeout_us = CONFIG_INHERIT_US;
    return db;
}

static void host_fini(struct config_host *host)
{
    free(host->name);
    free(host->address);
}

void config_database_free(struct config_database **db_ptr)
{
    struct config_database *db = *db_ptr;
    *db_ptr = NULL;
    if (!db)
        return;
    char *texts[] = {
        db->name,        db->origin,           db->dbname,
        db->user,        db->connect_query,    db->datestyle,
        db->timezone,    db->application_name, db->client_encoding,
        db->options,     db->auth_user,        db->auth_query,
        db->auth_dbname, db->sslrootcert,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    secret_free(&db->password);
    for (size_t i = 0; i < db->n_hosts; i++)
        host_fini(&db->hosts[i]);
    free(db->hosts);
    free(db);
}

struct config_user *config_user_new(const char *name, const char *origin)
{
    struct config_user *user = xcalloc(1, sizeof *user);
    user->name = xstrdup(name);
    user->origin = xstrdup(origin);
    user->pool_mode = user->pool_size = user->reserve_pool_size = CONFIG_INHERIT;
    user->max_user_connections = user->max_user_client_connections = CONFIG_INHERIT;
    user->query_timeout_us = user->idle_transaction_timeout_us = CONFIG_INHERIT_US;
    user->transaction_timeout_us = user->client_idle_timeout_us = CONFIG_INHERIT_US;
    user->query_wait_timeout_us = CONFIG_INHERIT_US;
    return user;
}

void config_user_free(struct config_user **user)
{
    if (*user) {
        free((*user)->name);
        free((*user)->origin);
        free(*user);
    }
    *user = NULL;
}

struct config_peer *config_peer_new(int id, const char *origin)
{
    struct config_peer *peer = xcalloc(1, sizeof *peer);
    peer->id = id;
    peer->origin = xstrdup(origin);
    peer->pool_size = CONFIG_INHERIT;
    return peer;
}

void config_peer_free(struct config_peer **peer)
{
    if (*peer) {
        host_fini(&(*peer)->host);
        free((*peer)->origin);
        free(*peer);
    }
    *peer = NULL;
}

void config_add_database(struct config *cfg, struct config_database *db)
{
    if (strcmp(db->name, "*") == 0) {
        config_database_free(&cfg->fallback);
        cfg->fallback = db;
        return;
    }
    struct config_database *old;
    HASH_REPLACE(hh, cfg->databases, name[0], strlen(db->name), db, old);
    config_database_free(&old);
}

void config_add_user(struct config *cfg, struct config_user *user)
{
    struct config_user *old;
    HASH_REPLACE(hh, cfg->users, name[0], strlen(user->name), user, old);
    config_user_free(&old);
}

void config_add_peer(struct config *cfg, struct config_peer *peer)
{
    struct config_peer *old;
    HASH_REPLACE_INT(cfg->peers, id, peer, old);
    config_peer_free(&old);
}

void config_add_host(struct config_database *db, struct span name, const char *address,
                     uint16_t port)
{
    db->hosts = xrealloc(db->hosts, (db->n_hosts + 1) * sizeof db->hosts[0]);
    db->hosts[db->n_hosts++] = (struct config_host){
        .name = xstrndup(name.p, name.n),
        .address = address ? xstrdup(address) : NULL,
        .port = port,
    };
}

const struct config_database *config_find_database(const struct config *cfg, const char *name)
{
    struct config_database *db;
    HASH_FIND(hh, cfg->databases, name, strlen(name), db);
    return db ? db : cfg->fallback;
}

const struct config_user *config_find_user(const struct config *cfg, const char *name)
{
    struct config_user *user;
    HASH_FIND(hh, cfg->users, name, strlen(name), user);
    return user;
}

bool config_is_console(const char *dbname)
{
    return config_console_alias(dbname) != NULL;
}

const char *config_console_alias(const char *dbname)
{
    if (strcmp(dbname, CONSOLE_DATABASE) == 0)
        return CONSOLE_DATABASE_ALIAS;
    return strcmp(dbname, CONSOLE_DATABASE_ALIAS) == 0 ? CONSOLE_DATABASE : NULL;
}

void config_row(const struct config *cfg, enum setting_id id, struct config_row *row)
{
    const struct setting *s = setting_at(id);
    bool null_default = (s->flags & SETTING_NULL) != 0;
    row->name = s->name;
    row->default_value = null_default ? NULL : setting_default(s, cfg->profile);
    row->changeable = (s->flags & SETTING_RELOAD) != 0;
    row->origin = cfg->origins[id] ? cfg->origins[id] : "default";
    /* A number has a value all the same. */
    bool is_text = s->kind == SETTING_KIND_STRING || s->kind == SETTING_KIND_LIST;
    if (null_default && is_text && !cfg->origins[id])
        row->value = NULL;
    else if (s->flags & SETTING_SECRET)
        row->value = xstrdup("***");
    else
        row->value = setting_text(s, cfg);
}
