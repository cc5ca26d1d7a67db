/* SPDX-License-Identifier: PostgreSQL */
/* conf_url.h - libpq's two ways to write a connection: as URI and as keyword=value pairs.
 *
 * PostgreSQL manual, "Connection Strings" (libpq). This is the grammar alone: what the values
 * amount to is decided in url_profile. Differences to libpq, each because the same string is
 * also read by other drivers: the scheme may name a driver (postgresql+psycopg://), `ssl` may be
 * any word that sslmode takes, and unknown parameters are collected instead of refused.
 *
 * Error texts quote nothing of the string: a password with an unescaped character may turn up in
 * any part of it. */
#ifndef CONF_CONF_URL_H
#define CONF_CONF_URL_H

#include "conf/conf_env.h"
#include "conf/config.h"

/* Parameters that we act on; URL_IGNORED ones are libpq's other keywords. */
enum url_param {
    URL_HOST,
    URL_HOSTADDR,
    URL_PORT,
    URL_USER,
    URL_PASSWORD,
    URL_DBNAME,
    URL_SSLMODE,
    URL_SSLROOTCERT,
    URL_SSLCERT,
    URL_SSLKEY,
    URL_SSLNEGOTIATION,
    URL_CHANNEL_BINDING,
    URL_OPTIONS,
    URL_APPLICATION_NAME,
    URL_CONNECT_TIMEOUT,
    URL_CLIENT_ENCODING,
    URL_LOAD_BALANCE_HOSTS,
    URL_PARAM_COUNT,
};

/* The port of a host that names none. */
enum { URL_DEFAULT_PORT = 5432 };

struct conf_url {
    /* As written, after decoding; owned; NULL: not said. Host, address and port may be lists with
     * commas. */
    char *value[URL_PARAM_COUNT];
    /* Names, comma-separated, of parameters that we know but do not act on, and of those that
     * nobody knows. Owned, or NULL. */
    char *ignored, *unknown;
};

/* Parses either form. On success *url must be given to conf_url_fini. */
bool conf_url_parse(struct conf_url *url, const char *text, struct error *err)
    __attribute__((warn_unused_result));

/* Takes what the string left open from PGHOST, PGUSER, PGPASSWORD (or PGPASSWORD_FILE) and their
 * like. False if a secret cannot be had. */
bool conf_url_add_environment(struct conf_url *url, const struct conf_env *env,
                              conf_read_file *read_file, struct error *err)
    __attribute__((warn_unused_result));

/* Splits host, hostaddr and port into places to connect to and appends them to db. A host that is
 * not said is fallback_host. */
bool conf_url_hosts(const struct conf_url *url, const char *fallback_host,
                    struct config_database *db, struct error *err)
    __attribute__((warn_unused_result));

/* The keyword, as written in a URL. */
const char *conf_url_param_name(enum url_param param);

/* Wipes and frees. */
void conf_url_fini(struct conf_url *url);

#endif
