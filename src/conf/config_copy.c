/* SPDX-License-Identifier: PostgreSQL */
/* config_copy.c - one config made of another. */
#include "conf/config_copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/setting.h"

static void copy_text(char **field)
{
    if (*field)
        *field = xstrdup(*field);
}

static void copy_host(struct config_host *host)
{
    copy_text(&host->name);
    copy_text(&host->address);
}

/* ---- settings -------------------------------------------------------------------------- */

static void copy_setting(struct config *to, const struct config *from, enum setting_id id)
{
    setting_copy(setting_at(id), to, from);
    free(to->origins[id]);
    to->origins[id] = from->origins[id];
    copy_text(&to->origins[id]);
}

static bool is_derived(const struct config *cfg, enum setting_id id)
{
    const char *origin = cfg->origins[id];
    return origin && strncmp(origin, CONFIG_DERIVED, strlen(CONFIG_DERIVED)) == 0;
}

/* ---- lines ----------------------------------------------------------------------------- */

static struct config_database *copy_database(const struct config_database *from)
{
    struct config_database *db = xmalloc(sizeof *db);
    *db = *from;
    char **texts[] = {
        &db->name,        &db->origin,           &db->dbname,
        &db->user,        &db->connect_query,    &db->datestyle,
        &db->timezone,    &db->application_name, &db->client_encoding,
        &db->options,     &db->auth_user,        &db->auth_query,
        &db->auth_dbname, &db->sslrootcert,      &db->password,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        copy_text(texts[i]);
    db->hosts = db->n_hosts ? xmalloc(db->n_hosts * sizeof *db->hosts) : NULL;
    for (size_t i = 0; i < db->n_hosts; i++) {
        db->hosts[i] = from->hosts[i];
        copy_host(&db->hosts[i]);
    }
    return db;
}

static struct config_user *copy_user(const struct config_user *from)
{
    struct config_user *user = xmalloc(sizeof *user);
    *user = *from;
    copy_text(&user->name);
    copy_text(&user->origin);
    return user;
}

static struct config_peer *copy_peer(const struct config_peer *from)
{
    struct config_peer *peer = xmalloc(sizeof *peer);
    *peer = *from;
    copy_text(&peer->origin);
    copy_host(&peer->host);
    return peer;
}

/* ---- the whole ------------------------------------------------------------------------- */

struct config *config_copy(const struct config *cfg)
{
    struct config *copy = config_new(cfg->profile);
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (!is_derived(cfg, (enum setting_id)id))
            copy_setting(copy, cfg, (enum setting_id)id);
    }
    for (const struct config_database *db = cfg->databases; db; db = db->hh.next)
        config_add_database(copy, copy_database(db));
    if (cfg->fallback)
        config_add_database(copy, copy_database(cfg->fallback));
    for (const struct config_user *user = cfg->users; user; user = user->hh.next)
        config_add_user(copy, copy_user(user));
    for (const struct config_peer *peer = cfg->peers; peer; peer = peer->hh.next)
        config_add_peer(copy, copy_peer(peer));
    copy->url_user = cfg->url_user;
    copy->url_password = cfg->url_password;
    copy_text(&copy->url_user);
    copy_text(&copy->url_password);
    return copy;
}

char *config_keep_started(struct config *cfg, const struct config *started)
{
    char *names = NULL;
    for (int id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = setting_at((enum setting_id)id);
        if ((s->flags & SETTING_RELOAD) || setting_equal(s, started, cfg))
            continue;
        char *more = xasprintf("%s%s%s", names ? names : "", names ? ", " : "", s->name);
        free(names);
        names = more;
        copy_setting(cfg, started, (enum setting_id)id);
    }
    return names;
}
