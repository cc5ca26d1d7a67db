/* SPDX-License-Identifier: PostgreSQL */
/* greeting.c - what somebody who has just started the program wants to know. */
#include "main/greeting.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/effective.h"
#include "conf/value.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the URL for the application ------------------------------------------------------- */

/* RFC 3986: what is not unreserved is written as %XX. */
static void append_encoded(struct buf *b, const char *text)
{
    char hex[4];
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        if (isalnum(*s) || strchr("-._~", *s)) {
            buf_append(b, s, 1);
            continue;
        }
        snprintf(hex, sizeof hex, "%%%02X", *s);
        buf_append(b, hex, 3);
    }
}

static void append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

/* Where an application on this machine reaches us; NULL: by the Unix socket only. */
static char *reachable_host(const struct config *cfg)
{
    const char *rest = cfg->listen_addr;
    struct span word;
    if (!value_list_next(&rest, &word))
        return NULL;
    char *host = xstrndup(word.p, word.n);
    bool any = strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    char *text = any                 ? xstrdup("127.0.0.1")
                 : strchr(host, ':') ? xasprintf("[%s]", host)
                                     : xstrdup(host);
    free(host);
    return text;
}

char *greeting_url(const struct config *cfg)
{
    struct buf b = {0};
    char port[16];
    char *host = reachable_host(cfg);
    append_text(&b, "postgresql://");
    if (cfg->url_user) {
        append_encoded(&b, cfg->url_user);
        append_text(&b, "@");
    }
    if (host)
        append_text(&b, host);
    else
        append_encoded(&b, cfg->unix_socket_dir);
    free(host);
    snprintf(port, sizeof port, ":%d/", cfg->listen_port);
    append_text(&b, port);
    if (cfg->databases)
        append_encoded(&b, cfg->databases->name);
    buf_append(&b, "", 1);
    char *url = xstrdup((const char *)buf_span(&b).p);
    buf_reset(&b);
    return url;
}

/* ---- lines ----------------------------------------------------------------------------- */

static const char *verification(const struct config *cfg, const struct config_database *db,
                                const struct config_host *host)
{
    bool given = effective_sslrootcert(cfg, db)[0] != '\0';
    switch (effective_sslmode(cfg, db, host)) {
    case SSLMODE_DISABLE:
    case SSLMODE_ALLOW:
        return "without TLS";
    case SSLMODE_PREFER:
        return "TLS if the server offers it, its certificate is not verified";
    case SSLMODE_REQUIRE:
        return given ? "TLS, certificate verified by the given authorities"
                     : "TLS, its certificate is not verified (sslmode=verify-full does)";
    case SSLMODE_VERIFY_CA:
        return given ? "TLS, certificate verified by the given authorities"
                     : "TLS, certificate verified by the system's authorities";
    case SSLMODE_VERIFY_FULL:
        break;
    }
    return given ? "TLS, certificate and host name verified by the given authorities"
                 : "TLS, certificate and host name verified by the system's authorities";
}

static void log_upstream(const struct config *cfg, const struct config_database *db)
{
    for (size_t i = 0; i < db->n_hosts; i++)
        log_info("upstream %s port %u: %s", db->hosts[i].name, (unsigned)db->hosts[i].port,
                 verification(cfg, db, &db->hosts[i]));
}

void greeting_log(const struct config *cfg, bool http)
{
    if (cfg->profile == CONFIG_INI) {
        log_info("%u databases%s, pool_mode %s", HASH_COUNT(cfg->databases),
                 cfg->fallback ? " and all others (*)" : "",
                 value_enum_word(pool_mode_words, cfg->pool_mode));
        return;
    }
    log_upstream(cfg, cfg->fallback ? cfg->fallback : cfg->databases);
    char *url = greeting_url(cfg);
    log_info("for the application: DATABASE_URL=%s (with the same password as upstream)", url);
    /* The console has the same address, under the name of another database. */
    log_info("console: psql '%.*spgballast'", (int)(strrchr(url, '/') + 1 - url), url);
    free(url);
    if (http)
        log_info("health: http://%s:%d/health/db, figures: /metrics, status page: /",
                 cfg->http_addr, cfg->http_port);
}

void greeting_print_config(const struct config *cfg)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct config_row row;
        config_row(cfg, (enum setting_id)i, &row);
        printf("%s = %s    ; %s\n", row.name, row.value ? row.value : "", row.origin);
        free(row.value);
    }
}
