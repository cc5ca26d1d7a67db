/* SPDX-License-Identifier: PostgreSQL */
/* conf_pairs.c - the lines of [databases], [users] and [peers]: key=value pairs. */
#include "conf/conf_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf_files.h"

enum {
    DATABASE_PORT = 5432,
    PEER_PORT = 6432,
    PEER_ID_MAX = 65535,
};

/* Where the keys of one line go. */
struct target {
    void *object;
    /* Gathered, and made into hosts at the end: the keys come in any order. */
    char *host, *port;
};

enum key_kind {
    KEY_TEXT,
    KEY_SECRET,
    KEY_COUNT,          /* 0 is unlimited, negative is "not set" */
    KEY_NUMBER,         /* 0 is none, negative is "not set" */
    KEY_LIMIT,          /* 0 and negative are "not set", `unlimited` is 0 */
    KEY_DURATION,       /* 0 is a value; negative is no limit */
    KEY_DURATION_ABOVE, /* 0 is "not set", `unlimited` is 0 */
    KEY_LIFETIME,       /* 0 is "not set", `unlimited` the longest there is */
    KEY_WORD,
    KEY_ROOT_CERT, /* a file, or "system" for the system's store */
    KEY_HOST,
    KEY_PORT,
};

struct key {
    const char *name;
    enum key_kind kind;
    size_t offset;
    const struct value_word *words;
};

static const struct value_word load_balance_words[] = {
    {"round-robin", LOAD_BALANCE_ROUND_ROBIN},
    {"disable", LOAD_BALANCE_DISABLE},
    {NULL, 0},
};

#define DB(field) offsetof(struct config_database, field)
static const struct key database_keys[] = {
    {"dbname", KEY_TEXT, DB(dbname), NULL},
    {"host", KEY_HOST, 0, NULL},
    {"port", KEY_PORT, 0, NULL},
    {"user", KEY_TEXT, DB(user), NULL},
    {"password", KEY_SECRET, DB(password), NULL},
    {"auth_user", KEY_TEXT, DB(auth_user), NULL},
    {"auth_query", KEY_TEXT, DB(auth_query), NULL},
    {"auth_dbname", KEY_TEXT, DB(auth_dbname), NULL},
    {"pool_size", KEY_COUNT, DB(pool_size), NULL},
    {"min_pool_size", KEY_NUMBER, DB(min_pool_size), NULL},
    {"reserve_pool_size", KEY_NUMBER, DB(reserve_pool_size), NULL},
    {"reserve_pool", KEY_NUMBER, DB(reserve_pool_size), NULL},
    {"max_db_connections", KEY_LIMIT, DB(max_db_connections), NULL},
    {"max_db_client_connections", KEY_LIMIT, DB(max_db_client_connections), NULL},
    {"pool_mode", KEY_WORD, DB(pool_mode), pool_mode_words},
    {"server_lifetime", KEY_LIFETIME, DB(server_lifetime_us), NULL},
    {"server_idle_timeout", KEY_DURATION, DB(server_idle_timeout_us), NULL},
    {"query_wait_timeout", KEY_DURATION, DB(query_wait_timeout_us), NULL},
    {"query_timeout", KEY_DURATION, DB(query_timeout_us), NULL},
    {"idle_transaction_timeout", KEY_DURATION, DB(idle_transaction_timeout_us), NULL},
    {"transaction_timeout", KEY_DURATION, DB(transaction_timeout_us), NULL},
    {"client_idle_timeout", KEY_DURATION, DB(client_idle_timeout_us), NULL},
    {"load_balance_hosts", KEY_WORD, DB(load_balance_hosts), load_balance_words},
    {"connect_query", KEY_TEXT, DB(connect_query), NULL},
    {"client_encoding", KEY_TEXT, DB(client_encoding), NULL},
    {"datestyle", KEY_TEXT, DB(datestyle), NULL},
    {"timezone", KEY_TEXT, DB(timezone), NULL},
    {"application_name", KEY_TEXT, DB(application_name), NULL},
    {"options", KEY_TEXT, DB(options), NULL},
    {"sslmode", KEY_WORD, DB(sslmode), sslmode_words},
    {"sslrootcert", KEY_ROOT_CERT, DB(sslrootcert), NULL},
    {"channel_binding", KEY_WORD, DB(channel_binding), binding_policy_words},
    {"sslnegotiation", KEY_WORD, DB(sslnegotiation), sslnegotiation_words},
    {NULL, KEY_TEXT, 0, NULL},
};

#define USER(field) offsetof(struct config_user, field)
static const struct key user_keys[] = {
    {"pool_mode", KEY_WORD, USER(pool_mode), pool_mode_words},
    {"pool_size", KEY_COUNT, USER(pool_size), NULL},
    {"reserve_pool_size", KEY_NUMBER, USER(reserve_pool_size), NULL},
    {"max_user_connections", KEY_LIMIT, USER(max_user_connections), NULL},
    {"max_user_client_connections", KEY_LIMIT, USER(max_user_client_connections), NULL},
    {"query_timeout", KEY_DURATION_ABOVE, USER(query_timeout_us), NULL},
    {"idle_transaction_timeout", KEY_DURATION_ABOVE, USER(idle_transaction_timeout_us), NULL},
    {"transaction_timeout", KEY_DURATION_ABOVE, USER(transaction_timeout_us), NULL},
    {"client_idle_timeout", KEY_DURATION_ABOVE, USER(client_idle_timeout_us), NULL},
    {"query_wait_timeout", KEY_DURATION, USER(query_wait_timeout_us), NULL},
    {NULL, KEY_TEXT, 0, NULL},
};

static const struct key peer_keys[] = {
    {"host", KEY_HOST, 0, NULL},
    {"port", KEY_PORT, 0, NULL},
    {"pool_size", KEY_COUNT, offsetof(struct config_peer, pool_size), NULL},
    {NULL, KEY_TEXT, 0, NULL},
};

/* --- values --------------------------------------------------------------------------------- */

static void store_text(char **field, const char *text)
{
    secret_free(field);
    *field = xstrdup(text);
}

static bool store_count(int *field, const char *text, bool zero_is_unset, struct error *err)
{
    int64_t n = 0;
    if (strcmp(text, "unlimited") == 0) {
        *field = 0;
        return true;
    }
    if (!value_decimal(text, INT32_MIN, 1000000, &n, err))
        return false;
    *field = n < 0 || (zero_is_unset && n == 0) ? CONFIG_INHERIT : (int)n;
    return true;
}

/* The global settings use 0 for "no limit" wherever a negative or `unlimited` makes sense. */
static bool store_duration(uint64_t *field, const char *text, bool zero_is_unset, struct error *err)
{
    uint64_t us = 0;
    bool unlimited = strcmp(text, "unlimited") == 0 || (!zero_is_unset && text[0] == '-');
    if (!unlimited && !value_duration(text, US_PER_S, 0, DURATION_MAX_US, &us, err))
        return false;
    *field = us == 0 && zero_is_unset && !unlimited ? CONFIG_INHERIT_US : us;
    return true;
}

/* ... except for a lifetime, of which 0 is the shortest. */
static bool store_lifetime(uint64_t *field, const char *text, struct error *err)
{
    if (!store_duration(field, text, true, err))
        return false;
    if (*field == 0)
        *field = DURATION_MAX_US;
    return true;
}

static bool store_word(void *field, const char *text, const struct value_word *words,
                       struct error *err)
{
    int value;
    if (!value_enum(text, words, &value, err))
        return false;
    memcpy(field, &value, sizeof value);
    return true;
}

static bool store(struct target *to, const struct key *key, const char *text, struct error *err)
{
    void *field = (char *)to->object + key->offset;
    switch (key->kind) {
    case KEY_TEXT:
    case KEY_SECRET:
        store_text(field, text);
        return true;
    case KEY_ROOT_CERT:
        store_text(field, strcmp(text, "system") == 0 ? "" : text);
        return true;
    case KEY_COUNT:
        return store_count(field, text, false, err);
    case KEY_NUMBER:
        if (strcmp(text, "unlimited") == 0)
            return error_set(err, "", "it is a number of connections, 0 is none");
        return store_count(field, text, false, err);
    case KEY_LIMIT:
        return store_count(field, text, true, err);
    case KEY_DURATION:
        return store_duration(field, text, false, err);
    case KEY_DURATION_ABOVE:
        return store_duration(field, text, true, err);
    case KEY_LIFETIME:
        return store_lifetime(field, text, err);
    case KEY_WORD:
        return store_word(field, text, key->words, err);
    case KEY_HOST:
        store_text(&to->host, text);
        return true;
    case KEY_PORT:
        store_text(&to->port, text);
        return true;
    }
    return error_set(err, "", "unknown kind of key");
}

/* --- the grammar ----------------------------------------------------------------------------- */

/* Blanks are spaces and tabs. PgBouncer takes a tab for a part of the value, which no name, number
 * or word of these can use. */
#define BLANKS " \t"

/* One value; *rest is moved behind it. */
static bool scan_value(const char **rest, struct buf *value, struct error *err)
{
    const char *p = *rest;
    if (*p == '\'') {
        for (p++; *p && (*p != '\'' || p[1] == '\''); p++) {
            buf_append(value, p, 1);
            if (*p == '\'')
                p++;
        }
        if (*p != '\'')
            return error_set(err, "", "a quoted value has no end");
        p++;
        if (*p && *p != ' ' && *p != '\t')
            return error_set(err, "", "there is no space behind a quoted value");
    } else {
        size_t n = strcspn(p, BLANKS);
        buf_append(value, p, n);
        p += n;
    }
    if (buf_is_empty(value))
        return error_set(err, "", "a value is empty");
    buf_append(value, "", 1);
    *rest = p;
    return true;
}

static const struct key *find_key(const struct key *keys, struct span name)
{
    for (; keys->name; keys++)
        if (span_is(name, keys->name))
            return keys;
    return NULL;
}

/* One pair into its field. The texts of errors name the key and never quote a secret. */
static bool scan_pair(struct target *to, const struct key *keys, const char **rest,
                      struct buf *value, struct error *err)
{
    const char *p = *rest;
    size_t n = strcspn(p, BLANKS "=");
    struct span name = span_of(p, n);
    const struct key *key = find_key(keys, name);
    struct error why;
    p += n;
    p += strspn(p, BLANKS);
    if (n == 0 || *p != '=')
        return error_set(err, "", "syntax error in connection string: expected key=value");
    if (!key)
        return error_set(err, "", "unrecognized connection parameter: \"%.*s\"",
                         (int)(n < 60 ? n : 60), (const char *)name.p);
    p++;
    p += strspn(p, BLANKS);
    if (!scan_value(&p, value, &why))
        return error_set(err, "", "syntax error in connection string: %s (%s)", why.text,
                         key->name);
    *rest = p;
    if (!store(to, key, (const char *)buf_span(value).p, &why))
        return error_set(err, "", "invalid value for \"%s\": %s", key->name, why.text);
    return true;
}

static bool scan_pairs(struct target *to, const struct key *keys, const char *text,
                       struct error *err)
{
    struct buf value = {0};
    bool ok = true;
    for (text += strspn(text, BLANKS); ok && *text; text += strspn(text, BLANKS)) {
        ok = scan_pair(to, keys, &text, &value, err);
        conf_wipe(&value);
    }
    return ok;
}

static void target_fini(struct target *to)
{
    free(to->host);
    free(to->port);
}

/* --- hosts ------------------------------------------------------------------------------------ */

static struct span next_entry(const char **list)
{
    const char *start = *list;
    size_t n = strcspn(start, ",");
    *list = start + n + (start[n] == ',');
    return span_of(start, n);
}

static size_t count_entries(const char *list)
{
    size_t n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

static bool read_port(struct span text, uint16_t *out, struct error *err)
{
    char *copy = xstrndup(text.p, text.n);
    int64_t port;
    bool ok = value_decimal(copy, 1, 65535, &port, NULL);
    if (ok)
        *out = (uint16_t)port;
    else
        error_set(err, "", "invalid port: %.40s", copy);
    free(copy);
    return ok;
}

/* One port for all hosts, as PgBouncer has it, or one for each. Without host= the name stays empty
 * until the socket's directory is known (validate.c). */
static bool make_hosts(struct config_database *db, const struct target *to, struct error *err)
{
    const char *hosts = to->host ? to->host : "", *ports = to->port ? to->port : "";
    size_t n = count_entries(hosts), n_ports = count_entries(ports);
    uint16_t port = DATABASE_PORT;
    if (n_ports > 1 && n_ports != n)
        return error_set(err, "", "there are %zu ports for %zu hosts", n_ports, n);
    for (size_t i = 0; i < n; i++) {
        struct span name = next_entry(&hosts);
        if (to->host && name.n == 0)
            return error_set(err, "", "the list of hosts has an empty entry");
        if (to->port && (i == 0 || n_ports > 1) && !read_port(next_entry(&ports), &port, err))
            return false;
        config_add_host(db, name, NULL, port);
    }
    return true;
}

/* --- the three kinds of line ------------------------------------------------------------------ */

bool conf_pairs_database(struct config *cfg, const char *name, const char *text, const char *origin,
                         struct config_sink *sink)
{
    struct error err;
    if (strlen(name) > CONF_NAME_MAX)
        return config_report(sink, CONFIG_ERROR, origin,
                             "the database name is longer than %d bytes", CONF_NAME_MAX);
    if (config_is_console(name))
        return config_report(sink, CONFIG_ERROR, origin, "database name \"%s\" is reserved", name);
    const struct config_database *before = config_find_database(cfg, name);
    if (before && strcmp(before->name, name) == 0)
        config_report(sink, CONFIG_WARNING, origin, "database \"%s\" replaces the one at %s", name,
                      before->origin);
    struct config_database *db = config_database_new(name, origin);
    struct target to = {.object = db};
    bool ok = scan_pairs(&to, database_keys, text, &err) && make_hosts(db, &to, &err);
    target_fini(&to);
    if (ok) {
        config_add_database(cfg, db);
        return true;
    }
    config_database_free(&db);
    return config_report(sink, CONFIG_ERROR, origin, "database \"%s\": %s", name, err.text);
}

bool conf_pairs_user(struct config *cfg, const char *name, const char *text, const char *origin,
                     struct config_sink *sink)
{
    struct error err;
    struct config_user *user = config_user_new(name, origin);
    struct target to = {.object = user};
    bool ok = scan_pairs(&to, user_keys, text, &err);
    target_fini(&to);
    if (ok) {
        config_add_user(cfg, user);
        return true;
    }
    config_user_free(&user);
    return config_report(sink, CONFIG_ERROR, origin, "user \"%.63s\": %s", name, err.text);
}

static bool fill_peer(struct config_peer *peer, const char *text, struct error *err)
{
    struct target to = {.object = peer};
    bool ok = scan_pairs(&to, peer_keys, text, err);
    if (ok && !to.host)
        ok = error_set(err, "", "host was not provided for peer %d", peer->id);
    if (ok && strchr(to.host, ','))
        ok = error_set(err, "", "a peer has one host");
    peer->host.port = PEER_PORT;
    if (ok && to.port)
        ok = read_port(span_str(to.port), &peer->host.port, err);
    if (ok)
        peer->host.name = xstrdup(to.host);
    target_fini(&to);
    return ok;
}

bool conf_pairs_peer(struct config *cfg, const char *id, const char *text, const char *origin,
                     struct config_sink *sink)
{
    struct error err;
    int64_t number;
    if (!value_decimal(id, 1, PEER_ID_MAX, &number, NULL))
        return config_report(sink, CONFIG_ERROR, origin,
                             "a peer is named by a number from 1 to %d, not \"%.60s\"", PEER_ID_MAX,
                             id);
    struct config_peer *peer = config_peer_new((int)number, origin);
    if (fill_peer(peer, text, &err)) {
        config_add_peer(cfg, peer);
        return true;
    }
    config_peer_free(&peer);
    return config_report(sink, CONFIG_ERROR, origin, "peer %d: %s", (int)number, err.text);
}
