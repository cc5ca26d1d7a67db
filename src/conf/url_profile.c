/* SPDX-License-Identifier: PostgreSQL */
/* url_profile.c - what one URL amounts to. */
#include "conf/url_profile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_url.h"
#include "conf/effective.h"

/* Where Debian's libpq looks when no host is said. */
#define DEFAULT_SOCKET_DIR "/var/run/postgresql"
#define HOW_TO_SET "set DATABASE_URL to postgresql://user:password@host/database"
#define POOLER_SUFFIX "-pooler"

/* Everything that the steps below share. */
struct work {
    struct config *cfg;
    struct conf_url url;
    const char *origin;         /* of the URL, for reports */
    struct config_database *db; /* being built */
    struct config_sink *sink;
    bool is_neon; /* any of the hosts is one of Neon's */
};

static bool refuse(struct work *w, const char *why)
{
    return config_report(w->sink, CONFIG_ERROR, w->origin, "%s", why);
}

/* --- Neon's host names (neon.md, section 1) -------------------------------------------------- */

bool url_host_is_neon(const char *host)
{
    static const char domain[] = ".neon.tech";
    size_t n = strlen(host), n_domain = strlen(domain);
    if (n && host[n - 1] == '.')
        n--;
    return n > n_domain && strncasecmp(host + n - n_domain, domain, n_domain) == 0;
}

/* The end of the endpoint's name without "-pooler", in the host's first label; NULL if the host is
 * not a pooled one. */
static const char *pooler_suffix(const char *host)
{
    size_t label = strcspn(host, "."), n = strlen(POOLER_SUFFIX);
    if (!url_host_is_neon(host) || label <= n ||
        strncasecmp(host + label - n, POOLER_SUFFIX, n) != 0)
        return NULL;
    return host + label - n;
}

/* The same endpoint may be named in options too ("endpoint=ep-x-pooler"), and Neon refuses a
 * login in which the two names differ. */
static void drop_suffix_in_options(char *options, struct span label)
{
    char *pooled = options ? strstr(options, "endpoint=") : NULL;
    if (!pooled)
        return;
    pooled += strlen("endpoint=");
    size_t n = strlen(POOLER_SUFFIX);
    if (strncasecmp(pooled, (const char *)label.p, label.n) != 0 ||
        strncasecmp(pooled + label.n, POOLER_SUFFIX, n) != 0)
        return;
    char *tail = pooled + label.n + n;
    memmove(pooled + label.n, tail, strlen(tail) + 1);
}

static void make_direct(struct work *w, struct config_host *host)
{
    const char *suffix = pooler_suffix(host->name);
    if (!suffix)
        return;
    if (w->cfg->upstream_pooled == UPSTREAM_POOLED_KEEP) {
        config_report(w->sink, CONFIG_WARNING, w->origin,
                      "host \"%s\" pools transactions itself, so session features may not work; "
                      "upstream_pooled = direct uses the direct host",
                      host->name);
        return;
    }
    struct span label = span_of(host->name, (size_t)(suffix - host->name));
    char *direct = xasprintf("%.*s%s", (int)label.n, host->name, suffix + strlen(POOLER_SUFFIX));
    config_report(w->sink, CONFIG_NOTE, w->origin,
                  "host \"%s\" is replaced by the direct host \"%s\", because a second pooler "
                  "breaks session features; upstream_pooled = keep keeps it",
                  host->name, direct);
    drop_suffix_in_options(w->db->options, label);
    free(host->name);
    host->name = direct;
    /* An address of the pooler is not one of the direct host. */
    free(host->address);
    host->address = NULL;
}

/* --- TLS ------------------------------------------------------------------------------------ */

static bool said(const struct work *w, enum setting_id id)
{
    return w->cfg->origins[id] != NULL;
}

/* One of the words of a parameter into an override of the database. Unset leaves it alone. */
static bool take_word(struct work *w, enum url_param param, const struct value_word *words,
                      int *field)
{
    char list[120];
    const char *text = w->url.value[param];
    if (!text || value_enum(text, words, field, NULL))
        return true;
    /* The value is not quoted: see conf_url.h. */
    value_enum_list(words, list, sizeof list);
    return config_report(w->sink, CONFIG_ERROR, w->origin, "%s must be one of: %s",
                         conf_url_param_name(param), list);
}

/* The mode that the operator asked for, and whether a setting did. libpq's default is prefer;
 * ours is require. libpq verifies when a root certificate is named, and so do we. */
static bool take_sslmode(struct work *w)
{
    struct config_database *db = w->db;
    const char *root = w->url.value[URL_SSLROOTCERT];
    bool system_store = root && strcmp(root, "system") == 0;
    db->sslmode = system_store ? SSLMODE_VERIFY_FULL : SSLMODE_REQUIRE;
    if (!take_word(w, URL_SSLMODE, sslmode_words, &db->sslmode))
        return false;
    if (said(w, SETTING_server_tls_sslmode))
        db->sslmode = (int)w->cfg->server_tls_sslmode;
    else if (root && !system_store && db->sslmode == SSLMODE_REQUIRE)
        db->sslmode = SSLMODE_VERIFY_CA;
    if (system_store && db->sslmode < SSLMODE_VERIFY_FULL)
        return refuse(w, "sslrootcert=system needs sslmode=verify-full");
    if (root && !said(w, SETTING_server_tls_ca_file))
        db->sslrootcert = xstrdup(system_store ? "" : root);
    return true;
}

/* Neon answers nothing without TLS, and its certificates can always be verified. */
static bool settle_neon(struct work *w)
{
    if (!w->is_neon)
        return true;
    if (w->db->sslmode < SSLMODE_REQUIRE)
        return refuse(w, "sslmode is weaker than \"require\", which Neon refuses; use "
                         "sslmode=require or verify-full");
    if (w->db->sslmode == SSLMODE_REQUIRE && !said(w, SETTING_server_tls_sslmode)) {
        w->db->sslmode = SSLMODE_VERIFY_FULL;
        config_report(w->sink, CONFIG_NOTE, w->origin,
                      "sslmode=require is served as verify-full, because Neon's certificates "
                      "allow it; server_tls_sslmode overrides this");
    }
    return true;
}

static bool take_negotiation(struct work *w)
{
    struct config_database *db = w->db;
    if (!said(w, SETTING_channel_binding) &&
        !take_word(w, URL_CHANNEL_BINDING, binding_policy_words, &db->channel_binding))
        return false;
    if (!said(w, SETTING_sslnegotiation) &&
        !take_word(w, URL_SSLNEGOTIATION, sslnegotiation_words, &db->sslnegotiation))
        return false;
    if (effective_sslnegotiation(w->cfg, db) == SSLNEGOTIATION_DIRECT &&
        db->sslmode < SSLMODE_REQUIRE)
        return refuse(w, "sslnegotiation=direct needs sslmode=require or stricter");
    return true;
}

/* --- the rest of the URL -------------------------------------------------------------------- */

/* A setting that the URL gives a value to, unless something stronger has. */
static bool take_setting(struct work *w, enum setting_id id, const char *value)
{
    struct error err;
    if (!value || config_set_default(w->cfg, id, value, w->origin, &err))
        return true;
    return refuse(w, err.text);
}

/* libpq: whole seconds; 0 and less is no limit, and 1 is read as 2. */
static bool take_connect_timeout(struct work *w)
{
    const char *text = w->url.value[URL_CONNECT_TIMEOUT];
    int64_t seconds;
    if (!text)
        return true;
    if (!value_int(text, INT32_MIN, INT32_MAX, &seconds, NULL))
        return refuse(w, "connect_timeout is not a whole number of seconds");
    char *value = seconds <= 0 ? xstrdup("1e10") : xasprintf("%d", seconds == 1 ? 2 : (int)seconds);
    bool ok = take_setting(w, SETTING_server_connect_timeout, value);
    free(value);
    return ok;
}

static char *copy_param(const struct work *w, enum url_param param)
{
    return w->url.value[param] ? xstrdup(w->url.value[param]) : NULL;
}

/* libpq tries the hosts in the order written unless told to shuffle them. */
static bool take_load_balance(struct work *w)
{
    static const struct value_word words[] = {
        {"disable", LOAD_BALANCE_DISABLE},
        {"random", LOAD_BALANCE_ROUND_ROBIN},
        {NULL, 0},
    };
    int how = LOAD_BALANCE_DISABLE;
    bool ok = take_word(w, URL_LOAD_BALANCE_HOSTS, words, &how);
    w->db->load_balance_hosts = (enum load_balance_hosts)how;
    return ok;
}

static bool take_hosts(struct work *w)
{
    struct error err;
    if (!conf_url_hosts(&w->url, DEFAULT_SOCKET_DIR, w->db, &err))
        return refuse(w, err.text);
    for (size_t i = 0; i < w->db->n_hosts; i++) {
        make_direct(w, &w->db->hosts[i]);
        w->is_neon = w->is_neon || url_host_is_neon(w->db->hosts[i].name);
    }
    return true;
}

static bool take_user(struct work *w)
{
    struct config *cfg = w->cfg;
    if (!w->url.value[URL_USER])
        return refuse(w, "the URL names no user; " HOW_TO_SET);
    cfg->url_user = copy_param(w, URL_USER);
    cfg->url_password = copy_param(w, URL_PASSWORD);
    w->db->user = copy_param(w, URL_USER);
    w->db->password = copy_param(w, URL_PASSWORD);
    /* A name with a separator in it cannot stand in a list; its owner has the Unix socket. */
    bool listable = strcspn(cfg->url_user, ", \t\r\n") == strlen(cfg->url_user);
    return !listable || take_setting(w, SETTING_stats_users, cfg->url_user);
}

static void note_oddities(struct work *w)
{
    bool needs_password = w->cfg->auth_type != AUTH_TYPE_TRUST &&
                          w->cfg->auth_type != AUTH_TYPE_ANY &&
                          w->cfg->auth_type != AUTH_TYPE_CERT && !w->cfg->auth_file[0];
    if (needs_password && !w->url.value[URL_PASSWORD])
        config_report(w->sink, CONFIG_WARNING, w->origin,
                      "the URL has no password, so no client can log in with one");
    if (w->url.ignored)
        config_report(w->sink, CONFIG_NOTE, w->origin, "parameters of the URL without effect: %s",
                      w->url.ignored);
    if (w->url.unknown)
        config_report(w->sink, CONFIG_WARNING, w->origin,
                      "unknown parameters of the URL are ignored: %s", w->url.unknown);
}

/* --- putting it together -------------------------------------------------------------------- */

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* The same place and credentials under the name of one database. */
static struct config_database *named_like(const struct config_database *any, const char *name)
{
    struct config_database *db = config_database_new(name, any->origin);
    for (size_t i = 0; i < any->n_hosts; i++)
        config_add_host(db, span_str(any->hosts[i].name), any->hosts[i].address,
                        any->hosts[i].port);
    db->load_balance_hosts = any->load_balance_hosts;
    db->user = copy(any->user);
    db->password = copy(any->password);
    db->application_name = copy(any->application_name);
    db->client_encoding = copy(any->client_encoding);
    db->options = copy(any->options);
    db->sslrootcert = copy(any->sslrootcert);
    db->sslmode = any->sslmode;
    db->channel_binding = any->channel_binding;
    db->sslnegotiation = any->sslnegotiation;
    return db;
}

/* Fills w->db, the implicit "*", from the parsed URL. */
static bool build(struct work *w)
{
    w->db->application_name = copy_param(w, URL_APPLICATION_NAME);
    w->db->options = copy_param(w, URL_OPTIONS);
    /* "auto" means the locale of the client program, which we are not. */
    if (w->url.value[URL_CLIENT_ENCODING] && strcmp(w->url.value[URL_CLIENT_ENCODING], "auto") != 0)
        w->db->client_encoding = copy_param(w, URL_CLIENT_ENCODING);
    return take_user(w) && take_hosts(w) && take_load_balance(w) && take_sslmode(w) &&
           settle_neon(w) && take_negotiation(w) && take_connect_timeout(w) &&
           take_setting(w, SETTING_server_tls_cert_file, w->url.value[URL_SSLCERT]) &&
           take_setting(w, SETTING_server_tls_key_file, w->url.value[URL_SSLKEY]);
}

static bool apply_text(struct work *w, const char *text, const struct conf_env *env,
                       conf_read_file *read_file)
{
    struct error err;
    bool ok = false;
    if (!conf_url_parse(&w->url, text, &err))
        return config_report(w->sink, CONFIG_ERROR, w->origin,
                             "the database URL cannot be used: %s", err.text);
    w->db = config_database_new("*", w->origin);
    if (!conf_url_add_environment(&w->url, env, read_file, &err))
        refuse(w, err.text);
    else
        ok = build(w);
    if (ok) {
        /* libpq: the database is called like the user unless said otherwise. */
        const char *dbname = w->url.value[URL_DBNAME];
        const char *name = dbname ? dbname : w->url.value[URL_USER];
        note_oddities(w);
        if (strcmp(name, "*") != 0)
            config_add_database(w->cfg, named_like(w->db, name));
        config_add_database(w->cfg, w->db);
        w->db = NULL;
    }
    config_database_free(&w->db);
    conf_url_fini(&w->url);
    return ok;
}

/* What a copied line or a secret made by `echo` brings along. A blank that is meant is written %20.
 */
static void strip_blanks(char *text)
{
    size_t before = strspn(text, " \t\r\n"), n = strlen(text + before);
    while (n && strchr(" \t\r\n", text[before + n - 1]))
        n--;
    memmove(text, text + before, n);
    mem_wipe(text + n, before);
    text[n] = '\0';
}

bool url_profile_apply(struct config *cfg, const char *given, const struct conf_env *env,
                       conf_read_file *read_file, struct config_sink *sink)
{
    struct work w = {.cfg = cfg, .sink = sink, .origin = "url"};
    struct error err;
    char *text = NULL;
    bool ok;
    if (given)
        text = xstrdup(given);
    else if (!conf_env_secret(env, "DATABASE_URL", read_file, &text, &w.origin, &err))
        return config_report(sink, CONFIG_ERROR, "environment DATABASE_URL", "%s", err.text);
    if (text)
        strip_blanks(text);
    if (!text)
        ok = config_report(sink, CONFIG_ERROR, "environment DATABASE_URL",
                           "there is no database to connect to; " HOW_TO_SET
                           " or name a configuration file");
    else if (text[0] == '\0')
        ok = config_report(sink, CONFIG_ERROR, w.origin, "the database URL is empty; " HOW_TO_SET);
    else
        ok = apply_text(&w, text, env, read_file);
    secret_free(&text);
    return ok;
}
