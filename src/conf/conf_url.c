/* SPDX-License-Identifier: PostgreSQL */
/* conf_url.c - libpq's two ways to write a connection. */
#include "conf/conf_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define PERCENT_HINT "; special characters in user and password must be percent-encoded"

static const struct {
    const char *keyword;
    const char *variable; /* of the environment, where libpq looks for it; or NULL */
} params[URL_PARAM_COUNT] = {
    [URL_HOST] = {"host", "PGHOST"},
    [URL_HOSTADDR] = {"hostaddr", "PGHOSTADDR"},
    [URL_PORT] = {"port", "PGPORT"},
    [URL_USER] = {"user", "PGUSER"},
    [URL_PASSWORD] = {"password", "PGPASSWORD"},
    [URL_DBNAME] = {"dbname", "PGDATABASE"},
    [URL_SSLMODE] = {"sslmode", "PGSSLMODE"},
    [URL_SSLROOTCERT] = {"sslrootcert", "PGSSLROOTCERT"},
    [URL_SSLCERT] = {"sslcert", "PGSSLCERT"},
    [URL_SSLKEY] = {"sslkey", "PGSSLKEY"},
    [URL_SSLNEGOTIATION] = {"sslnegotiation", "PGSSLNEGOTIATION"},
    [URL_CHANNEL_BINDING] = {"channel_binding", "PGCHANNELBINDING"},
    [URL_OPTIONS] = {"options", "PGOPTIONS"},
    [URL_APPLICATION_NAME] = {"application_name", "PGAPPNAME"},
    [URL_CONNECT_TIMEOUT] = {"connect_timeout", "PGCONNECT_TIMEOUT"},
    [URL_CLIENT_ENCODING] = {"client_encoding", "PGCLIENTENCODING"},
    [URL_LOAD_BALANCE_HOSTS] = {"load_balance_hosts", "PGLOADBALANCEHOSTS"},
};

/* The rest of libpq's keywords (PostgreSQL 17), which do not concern us or have settings here. */
static const char *const ignored_keywords[] = {
    "passfile",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "replication",
    "gssencmode",
    "gsslib",
    "gssdelegation",
    "krbsrvname",
    "sslcompression",
    "sslpassword",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "requirepeer",
    "require_auth",
    "min_protocol_version",
    "max_protocol_version",
    "target_session_attrs",
    "service",
    "servicefile",
};

const char *conf_url_param_name(enum url_param param)
{
    return params[param].keyword;
}

void conf_url_fini(struct conf_url *url)
{
    for (size_t i = 0; i < URL_PARAM_COUNT; i++)
        secret_free(&url->value[i]);
    free(url->ignored);
    free(url->unknown);
    *url = (struct conf_url){0};
}

static void put(struct conf_url *url, enum url_param param, const char *value)
{
    secret_free(&url->value[param]);
    url->value[param] = xstrdup(value);
}

/* Appends a name to a list that is only ever shown; long ones are cut. */
static void note_name(char **list, const char *name)
{
    char *longer = *list ? xasprintf("%.300s, %.60s", *list, name) : xasprintf("%.60s", name);
    free(*list);
    *list = longer;
}

/* The words that other drivers give to `ssl`: true as libpq (for JDBC) and node-postgres have it,
 * or any word of sslmode as asyncpg has it. */
static void put_ssl(struct conf_url *url, const char *value)
{
    bool on;
    if (url->value[URL_SSLMODE])
        return;
    if (value_bool(value, &on, NULL))
        put(url, URL_SSLMODE, on ? "require" : "disable");
    else
        put(url, URL_SSLMODE, value);
}

/* An empty value is one that is not said. */
static void put_keyword(struct conf_url *url, const char *keyword, const char *value)
{
    if (value[0] == '\0')
        return;
    for (size_t i = 0; i < URL_PARAM_COUNT; i++) {
        if (strcmp(keyword, params[i].keyword) == 0) {
            put(url, (enum url_param)i, value);
            return;
        }
    }
    if (strcmp(keyword, "ssl") == 0) {
        put_ssl(url, value);
        return;
    }
    for (size_t i = 0; i < sizeof ignored_keywords / sizeof ignored_keywords[0]; i++) {
        if (strcmp(keyword, ignored_keywords[i]) == 0) {
            note_name(&url->ignored, keyword);
            return;
        }
    }
    note_name(&url->unknown, keyword);
}

/* --- the URI form -------------------------------------------------------------------------- *
 *
 *     postgresql://[userspec@][hostspec][/dbname][?paramspec]
 *
 *     userspec   user[:password]
 *     hostspec   [host][:port][,...]
 *     paramspec  name=value[&...]
 *
 * Every part may be percent-encoded. A host may be an IPv6 address in brackets. */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Appends the decoded bytes to out; false for a broken or a zero escape. */
static bool append_decoded(struct buf *out, struct span in, struct error *err)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = (char)in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? hex_digit((char)in.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit((char)in.p[i + 2]) : -1;
            if (low < 0)
                return error_set(err, "",
                                 "a %% must be followed by two hexadecimal digits" PERCENT_HINT);
            c = (char)(high * 16 + low);
            if (c == '\0')
                return error_set(err, "", "%%00 is not allowed");
            i += 2;
        }
        buf_append(out, &c, 1);
    }
    return true;
}

/* Decodes into owned text. */
static bool decode(struct span in, char **out, struct error *err)
{
    struct buf text = {0};
    bool ok = append_decoded(&text, in, err);
    if (ok)
        *out = xstrndup(buf_span(&text).p, buf_len(&text));
    conf_wipe(&text);
    return ok;
}

static bool put_decoded(struct conf_url *url, enum url_param param, struct span in,
                        struct error *err)
{
    char *text;
    if (in.n == 0)
        return true;
    if (!decode(in, &text, err))
        return false;
    put(url, param, text);
    secret_free(&text);
    return true;
}

/* From *p up to the first of the stop characters or the end; moves *p there. */
static struct span take_until(const char **p, const char *stops)
{
    const char *start = *p;
    *p += strcspn(start, stops);
    return span_of(start, (size_t)(*p - start));
}

/* userspec, if there is an @ before the first slash; as libpq looks for it. */
static bool parse_userinfo(struct conf_url *url, const char **p, struct error *err)
{
    const char *at = *p + strcspn(*p, "@/");
    if (*at != '@')
        return true;
    if (!put_decoded(url, URL_USER, take_until(p, ":@"), err))
        return false;
    if (**p == ':') {
        ++*p;
        if (!put_decoded(url, URL_PASSWORD, take_until(p, "@"), err))
            return false;
    }
    ++*p;
    return true;
}

/* One host of the list, appended to the host and port lists being built. */
static bool parse_host(const char **p, struct buf *hosts, struct buf *ports, struct error *err)
{
    struct span host;
    if (**p == '[') {
        ++*p;
        host = take_until(p, "]");
        if (**p != ']' || host.n == 0)
            return error_set(err, "", "an IPv6 address in brackets is empty or has no end");
        ++*p;
        if (**p && !strchr(":/?,", **p))
            return error_set(err, "", "unexpected text behind the bracket of an IPv6 address");
    } else {
        host = take_until(p, ":/?,");
    }
    if (!append_decoded(hosts, host, err))
        return false;
    if (**p == ':') {
        ++*p;
        return append_decoded(ports, take_until(p, "/?,"), err);
    }
    return true;
}

/* True if there is anything but the commas between empty entries. */
static bool says_something(const struct buf *list)
{
    struct span all = buf_span(list);
    for (size_t i = 0; i < all.n; i++)
        if (all.p[i] != ',')
            return true;
    return false;
}

static bool parse_hosts(struct conf_url *url, const char **p, struct error *err)
{
    struct buf hosts = {0}, ports = {0};
    bool ok;
    while ((ok = parse_host(p, &hosts, &ports, err)) && **p == ',') {
        ++*p;
        buf_append(&hosts, ",", 1);
        buf_append(&ports, ",", 1);
    }
    if (ok && buf_len(&hosts)) {
        buf_append(&hosts, "", 1);
        put(url, URL_HOST, (const char *)buf_span(&hosts).p);
    }
    if (ok && says_something(&ports)) {
        buf_append(&ports, "", 1);
        put(url, URL_PORT, (const char *)buf_span(&ports).p);
    }
    conf_wipe(&hosts);
    conf_wipe(&ports);
    return ok;
}

static bool parse_param(struct conf_url *url, struct span pair, struct error *err)
{
    const uint8_t *equals = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
    if (!equals)
        return error_set(err, "", "a parameter behind the ? has no =");
    struct span name = span_of(pair.p, (size_t)(equals - pair.p));
    struct span value = span_of(equals + 1, pair.n - name.n - 1);
    if (value.n && memchr(value.p, '=', value.n))
        return error_set(err, "", "a parameter behind the ? has more than one =");
    char *keyword = NULL, *text = NULL;
    bool ok = decode(name, &keyword, err) && decode(value, &text, err);
    if (ok)
        put_keyword(url, keyword, text);
    free(keyword);
    secret_free(&text);
    return ok;
}

static bool parse_params(struct conf_url *url, const char *p, struct error *err)
{
    while (*p) {
        if (!parse_param(url, take_until(&p, "&"), err))
            return false;
        if (*p == '&')
            p++;
    }
    return true;
}

static bool parse_uri(struct conf_url *url, const char *p, struct error *err)
{
    if (!parse_userinfo(url, &p, err) || !parse_hosts(url, &p, err))
        return false;
    if (*p == '/') {
        p++;
        struct span dbname = take_until(&p, "?");
        /* What is left of a password with a slash in it: it must not pass for a name. */
        if (dbname.n && memchr(dbname.p, '@', dbname.n))
            return error_set(err, "", "there is a @ behind the host" PERCENT_HINT);
        if (!put_decoded(url, URL_DBNAME, dbname, err))
            return false;
    }
    return *p != '?' || parse_params(url, p + 1, err);
}

/* --- the keyword=value form ----------------------------------------------------------------- *
 *
 * Pairs between blanks, blanks allowed around "=". A value in single quotes may contain blanks;
 * a backslash, quoted or not, makes the next character ordinary. */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_spaces(const char **p)
{
    while (is_space(**p))
        ++*p;
}

static bool parse_kv_value(const char **p, struct buf *out, struct error *err)
{
    bool quoted = **p == '\'';
    if (quoted)
        ++*p;
    while (**p && (quoted ? **p != '\'' : !is_space(**p))) {
        if (**p == '\\' && (*p)[1])
            ++*p;
        buf_append(out, (*p)++, 1);
    }
    if (quoted && **p != '\'')
        return error_set(err, "", "a quoted value has no end");
    if (quoted)
        ++*p;
    buf_append(out, "", 1);
    return true;
}

static bool parse_kv_pair(struct conf_url *url, const char **p, struct error *err)
{
    const char *start = *p;
    while (**p && **p != '=' && !is_space(**p))
        ++*p;
    char *keyword = xstrndup(start, (size_t)(*p - start));
    skip_spaces(p);
    struct buf value = {0};
    bool ok = **p == '=' || error_set(err, "", "expected keyword=value pairs");
    if (ok) {
        ++*p;
        skip_spaces(p);
        ok = parse_kv_value(p, &value, err);
    }
    if (ok)
        put_keyword(url, keyword, (const char *)buf_span(&value).p);
    conf_wipe(&value);
    secret_free(&keyword);
    return ok;
}

static bool parse_kv(struct conf_url *url, const char *p, struct error *err)
{
    for (skip_spaces(&p); *p; skip_spaces(&p))
        if (!parse_kv_pair(url, &p, err))
            return false;
    return true;
}

/* --- both ----------------------------------------------------------------------------------- */

/* Behind "postgresql://", "postgres://" or the same with "+driver"; NULL if it is none of them. */
static const char *behind_scheme(const char *text)
{
    static const char *const schemes[] = {"postgresql", "postgres"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        if (strncmp(text, schemes[i], n) != 0)
            continue;
        const char *p = text + n;
        if (*p == '+')
            p += 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (strncmp(p, "://", 3) == 0)
            return p + 3;
    }
    return NULL;
}

bool conf_url_parse(struct conf_url *url, const char *text, struct error *err)
{
    *url = (struct conf_url){0};
    const char *rest = behind_scheme(text);
    bool ok;
    if (rest)
        ok = parse_uri(url, rest, err);
    else if (strstr(text, "postgresql://") || strstr(text, "postgres://"))
        ok = error_set(err, "", "there is something in front of postgresql://, perhaps a quote");
    else if (strstr(text, "://"))
        ok = error_set(err, "", "it is not a PostgreSQL URL (postgresql://user:password@host/db)");
    else
        ok = parse_kv(url, text, err);
    if (!ok)
        conf_url_fini(url);
    return ok;
}

bool conf_url_add_environment(struct conf_url *url, const struct conf_env *env,
                              conf_read_file *read_file, struct error *err)
{
    for (size_t i = 0; i < URL_PARAM_COUNT; i++) {
        char *value;
        const char *origin;
        if (url->value[i] || !params[i].variable)
            continue;
        if (!conf_env_secret(env, params[i].variable, read_file, &value, &origin, err))
            return false;
        if (value && value[0])
            url->value[i] = value;
        else
            secret_free(&value);
    }
    return true;
}

/* The next entry of a list with commas; an empty list has one, empty. */
static bool next_entry(const char **rest, struct span *out)
{
    if (!*rest)
        return false;
    *out = take_until(rest, ",");
    *rest = **rest == ',' ? *rest + 1 : NULL;
    return true;
}

static size_t count_entries(const char *list)
{
    size_t n = 0;
    struct span each;
    while (next_entry(&list, &each))
        n++;
    return n;
}

/* One port for all hosts, or one for each. Empty is the default. */
static bool parse_port(struct span text, uint16_t *out, struct error *err)
{
    char digits[8];
    int64_t port;
    *out = URL_DEFAULT_PORT;
    if (text.n == 0)
        return true;
    if (!span_to_str(text, digits, sizeof digits) || !str_to_i64(digits, 1, 65535, &port))
        return error_set(err, "", "a port is not a number from 1 to 65535" PERCENT_HINT);
    *out = (uint16_t)port;
    return true;
}

/* Names and addresses have no other characters. What has is a password with an unescaped @, and
 * would be shown as a host name in the log. */
static bool is_host(struct span name)
{
    if (name.n && (name.p[0] == '/' || name.p[0] == '@'))
        return true;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum(name.p[i]) && !strchr("-._:%", name.p[i]))
            return false;
    return true;
}

static bool counts_match(size_t n_hosts, size_t n, const char *what, struct error *err)
{
    return n == n_hosts || error_set(err, "", "there are %zu %s for %zu hosts", n, what, n_hosts);
}

bool conf_url_hosts(const struct conf_url *url, const char *fallback_host,
                    struct config_database *db, struct error *err)
{
    const char *names = url->value[URL_HOST], *addresses = url->value[URL_HOSTADDR];
    const char *ports = url->value[URL_PORT];
    size_t n = count_entries(names ? names : addresses ? addresses : "");
    if (names && addresses && !counts_match(n, count_entries(addresses), "addresses", err))
        return false;
    bool one_port = !ports || count_entries(ports) == 1;
    if (!one_port && !counts_match(n, count_entries(ports), "ports", err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct span name = {0}, address = {0}, port_text = {0};
        uint16_t port;
        next_entry(&names, &name);
        next_entry(&addresses, &address);
        const char *same = ports;
        next_entry(one_port ? &same : &ports, &port_text);
        if (!parse_port(port_text, &port, err))
            return false;
        if (!is_host(name) || !is_host(address))
            return error_set(err, "", "a host is not a name, address or directory" PERCENT_HINT);
        char *literal = address.n ? xstrndup(address.p, address.n) : NULL;
        if (name.n == 0)
            name = address.n ? address : span_str(fallback_host);
        config_add_host(db, name, literal, port);
        free(literal);
    }
    return true;
}
