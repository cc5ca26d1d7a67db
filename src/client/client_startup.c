/* SPDX-License-Identifier: PostgreSQL */
/* client_startup.c - the first packets of a connection: TLS, cancel, or who and where.
 *
 * Nothing is proven here, so nothing is believed: at most one startup packet (10 000 bytes) is ever
 * kept, SSLRequest and GSSENCRequest are each answered once, and bytes that follow an SSLRequest in
 * clear are an attack (CVE-2021-23214): they would be read as if they had come encrypted. */
#include "client/client_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "conf/value.h"
#include "proto/backend.h"
#include "proto/startup.h"
#include "setup/setup.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NAMEDATALEN - 1: longer names cannot exist at the server. PgBouncer allows 127 for users. */
#define USER_MAX 127
#define DATABASE_MAX 127

#define TLS_FIRST_BYTE 0x16

static void startup_error(struct client *c, const char *sqlstate, const char *text)
{
    struct error err;
    error_set(&err, sqlstate, "%s", text);
    client_fail(c, &err);
}

/* ---- encryption ------------------------------------------------------------------------ */

static struct tls_context *tls_on_offer(struct client *c)
{
    if (stream_is_unix(&c->stream))
        return NULL;
    return setup_client_tls(c->context->setup);
}

static void begin_tls(struct client *c, struct span hello)
{
    struct error err;
    client_enter(c, CLIENT_TLS);
    if (!stream_start_tls_server(&c->stream, tls_on_offer(c), hello, &err))
        client_close(c, err.text);
}

static void answer_ssl_request(struct client *c, struct span rest)
{
    if (c->login->ssl_asked || stream_is_tls(&c->stream)) {
        client_close(c, "second SSLRequest");
        return;
    }
    c->login->ssl_asked = true;
    if (rest.n) {
        startup_error(c, SQLSTATE_PROTOCOL_VIOLATION,
                      "received unencrypted data after SSL request");
        return;
    }
    if (!tls_on_offer(c)) {
        stream_write(&c->stream, "N", 1);
        return;
    }
    stream_write(&c->stream, "S", 1);
    begin_tls(c, span_of(NULL, 0));
}

static void answer_gss_request(struct client *c, struct span rest)
{
    if (c->login->gss_asked || stream_is_tls(&c->stream)) {
        client_close(c, "second GSSENCRequest");
        return;
    }
    c->login->gss_asked = true;
    if (rest.n) {
        startup_error(c, SQLSTATE_PROTOCOL_VIOLATION,
                      "received unencrypted data after GSSAPI encryption request");
        return;
    }
    stream_write(&c->stream, "N", 1);
}

void client_startup_secured(struct client *c)
{
    if (c->state != CLIENT_TLS)
        return;
    /* Direct negotiation is refused without the protocol's name in ALPN, as in PostgreSQL 17. */
    if (c->login->tls_direct && !span_is(stream_alpn(&c->stream), "postgresql")) {
        client_close(c, "direct TLS without ALPN protocol postgresql");
        return;
    }
    client_enter(c, CLIENT_STARTUP);
}

/* ---- startup parameters ---------------------------------------------------------------- */

static bool list_has_nocase(const char *list, struct span name)
{
    struct span item;
    while (value_list_next(&list, &item)) {
        if (item.n == name.n &&
            strncasecmp((const char *)item.p, (const char *)name.p, name.n) == 0)
            return true;
    }
    return false;
}

/* What PgBouncer follows too, and so never ignores. */
static bool is_tracked(const struct config *cfg, struct span name)
{
    static const char always[] = "application_name client_encoding datestyle timezone "
                                 "standard_conforming_strings intervalstyle";
    return list_has_nocase(always, name) || list_has_nocase(cfg->track_extra_parameters, name);
}

/* ignore_startup_parameters. As in PgBouncer it does not reach what is tracked. */
static bool is_to_be_ignored(const struct client *c, struct span name)
{
    const struct config *cfg = setup_config(c->context->setup);
    const char *ignored = cfg->ignore_startup_parameters;
    return ignored[0] && value_list_has(ignored, name) && !is_tracked(cfg, name);
}

/* No setting can have that name. In PgBouncer's words, then PostgreSQL's. */
static void refuse_name(struct client *c, const char *where, struct span name,
                        const struct error *why)
{
    char shown[64];
    size_t n = name.n < sizeof shown - 1 ? name.n : sizeof shown - 1;
    struct error err;
    for (size_t i = 0; i < n; i++)
        shown[i] = name.p[i] < 0x20 || name.p[i] > 0x7e ? '?' : (char)name.p[i];
    shown[n] = '\0';
    error_set(&err, why->sqlstate, "unsupported startup parameter%s: %s (%s)", where, shown,
              why->text);
    client_fail(c, &err);
}

/* `where` is "" or " in options". */
static bool take_parameter(struct client *c, struct param_builder *b, const char *where,
                           struct span name, struct span value)
{
    struct error err;
    if (is_to_be_ignored(c, name))
        return true;
    switch (params_take_startup(b, name, value, &err)) {
    case PARAM_KEPT:
        return true;
    case PARAM_DROPPED:
        client_log(c, LOG_INFO_LEVEL, "ignoring startup parameter \"%.*s\": it is not a setting",
                   (int)(name.n < 64 ? name.n : 64), (const char *)name.p);
        c->login->is_special = true;
        return true;
    case PARAM_REFUSED:
        break;
    }
    if (strcmp(err.sqlstate, SQLSTATE_UNDEFINED_OBJECT) == 0)
        refuse_name(c, where, name, &err);
    else
        client_fail(c, &err);
    return false;
}

/* "options" among the ignored ones: of what stands in it, only that is heard which is tracked. */
static bool take_options(struct client *c, struct param_builder *b, struct span options)
{
    const struct config *cfg = setup_config(c->context->setup);
    bool lenient = value_list_has(cfg->ignore_startup_parameters, span_str("options"));
    struct startup_options_reader reader;
    struct startup_option option;
    struct error err;
    startup_options_begin(&reader, options);
    for (;;) {
        switch (startup_options_next(&reader, &option, &err)) {
        case STARTUP_OPTIONS_END:
            return true;
        case STARTUP_OPTIONS_BAD:
            if (lenient)
                return true;
            client_fail(c, &err);
            return false;
        case STARTUP_OPTIONS_NEON:
            continue; /* names the endpoint, which we know */
        case STARTUP_OPTIONS_SETTING:
            if (lenient && !is_tracked(cfg, option.name))
                continue;
            if (!take_parameter(c, b, " in options", option.name, option.value))
                return false;
        }
    }
}

static bool is_ours(struct span name)
{
    return span_is(name, "user") || span_is(name, "database") || span_is(name, "options") ||
           span_is(name, "replication");
}

/* application_name_add_host: "name - address:port", as PgBouncer writes it. */
static void add_host(const struct client *c, struct param_builder *b, const struct startup *m)
{
    char text[256], place[CLIENT_PLACE_TEXT], hostname[HOST_NAME_MAX + 1] = "";
    struct startup_parameters it = startup_parameters_of(m);
    struct span name, value, app = span_str("app");
    while (startup_parameters_next(&it, &name, &value))
        if (span_is(name, "application_name"))
            app = value;
    (void)gethostname(hostname, sizeof hostname - 1);
    snprintf(text, sizeof text, "%.*s - %s", (int)(app.n < 128 ? app.n : 128), (const char *)app.p,
             client_place(c, hostname, place, sizeof place));
    if (!param_builder_put(b, span_str("application_name"), span_str(text)))
        client_log(c, LOG_INFO_LEVEL, "no room for its address in application_name");
}

/* Not NULL: *m says what another has said before, and that had no further effect. */
static struct param_set *recall_parameters(const struct client *c, const struct startup *m)
{
    return c->login->is_special ? NULL : client_who_recall(c->who, m->parameters);
}

static bool take_parameters(struct client *c, const struct startup *m)
{
    c->login->is_special = c->replication != REPLICATION_NONE ||
                           setup_config(c->context->setup)->application_name_add_host;
    struct param_set *known = recall_parameters(c, m);
    if (known) {
        param_set_unref(&c->params);
        c->params = known;
        return true;
    }
    struct param_builder *b = param_builder_new(NULL);
    struct startup_parameters it = startup_parameters_of(m);
    struct span name, value;
    /* -c switches first: a parameter of its own overrides them, as in PostgreSQL. */
    bool ok = true;
    if (c->replication != REPLICATION_NONE && m->options.n)
        c->login->options = xstrndup(m->options.p, m->options.n); /* its own server reads them */
    else if (m->options.n)
        ok = take_options(c, b, m->options);
    while (ok && startup_parameters_next(&it, &name, &value)) {
        if (is_ours(name) || (name.n > 5 && memcmp(name.p, "_pq_.", 5) == 0))
            continue;
        ok = take_parameter(c, b, "", name, value);
    }
    if (!ok) {
        param_builder_free(&b);
        return false;
    }
    if (setup_config(c->context->setup)->application_name_add_host)
        add_host(c, b, m);
    param_set_unref(&c->params);
    c->params = param_builder_finish(&b);
    if (!c->login->is_special)
        client_who_keep(c->who, m->parameters, c->params);
    return true;
}

static bool take_names(struct client *c, const struct startup *m)
{
    struct span database = m->database.n ? m->database : m->user;
    if (m->user.n > USER_MAX || database.n > DATABASE_MAX) {
        startup_error(c, SQLSTATE_INVALID_AUTHORIZATION,
                      m->user.n > USER_MAX ? "username too long" : "database name too long");
        return false;
    }
    c->who = client_who_get(c->context->known, c->context->setup, m->user, database);
    return true;
}

static void negotiate(struct client *c, const struct startup *m)
{
    if (!m->negotiate)
        return;
    struct buf b = {0};
    startup_build_negotiate(&b, m);
    stream_write(&c->stream, buf_span(&b).p, buf_len(&b));
    buf_reset(&b);
}

static void take_startup(struct client *c, const struct startup *m)
{
    const struct config *cfg = setup_config(c->context->setup);
    if (!take_names(c, m))
        return;
    if (cfg->client_tls_sslmode >= SSLMODE_REQUIRE && !stream_is_tls(&c->stream) &&
        !stream_is_unix(&c->stream)) {
        startup_error(c, SQLSTATE_INVALID_AUTHORIZATION, "SSL required");
        return;
    }
    c->replication = (uint8_t)m->replication_kind;
    if (c->replication != REPLICATION_NONE && client_setup_login(c)->is_console) {
        startup_error(c, SQLSTATE_FEATURE_NOT_SUPPORTED,
                      "the console has nothing that could be replicated");
        return;
    }
    negotiate(c, m);
    if (take_parameters(c, m))
        client_login_start(c);
}

/* ---- packets --------------------------------------------------------------------------- */

static void take_packet(struct client *c, const struct startup *m, struct span rest)
{
    switch (m->kind) {
    case STARTUP_SSL:
        answer_ssl_request(c, rest);
        return;
    case STARTUP_GSS:
        answer_gss_request(c, rest);
        return;
    case STARTUP_CANCEL:
        client_enter(c, CLIENT_CANCEL);
        c->ops = c->context->relay_ops;
        c->ops->on_cancel(c, m->cancel_key);
        return;
    case STARTUP_START:
        if (rest.n) {
            startup_error(c, SQLSTATE_PROTOCOL_VIOLATION,
                          "client spoke before it was asked for authentication");
            return;
        }
        take_startup(c, m);
        return;
    case STARTUP_MORE:
    case STARTUP_BAD:
        return;
    }
}

/* The login's own buffer; `bytes` were appended to it. */
static void walk_packets(struct client *c)
{
    struct buf *held = &c->login->held;
    while (!buf_is_empty(held) && (c->state == CLIENT_NEW || c->state == CLIENT_STARTUP)) {
        struct startup m;
        struct error err;
        size_t used = 0;
        client_enter(c, CLIENT_STARTUP);
        enum startup_kind kind = startup_parse(buf_span(held), &m, &used, &err);
        if (kind == STARTUP_MORE)
            return;
        if (kind == STARTUP_BAD) {
            if (err.sqlstate[0])
                client_fail(c, &err);
            else
                client_close(c, err.text);
            return;
        }
        struct span all = buf_span(held);
        take_packet(c, &m, span_of(all.p + used, all.n - used));
        /* The packet goes with the proof, or with the whole login. */
        if (c->state == CLIENT_CLOSING || !c->login || buf_is_empty(held))
            return;
        buf_consume(held, used);
    }
}

void client_startup_input(struct client *c, struct span bytes)
{
    if (!c->login)
        c->login = client_login_run_new();
    if (c->state == CLIENT_NEW && bytes.p[0] == TLS_FIRST_BYTE && tls_on_offer(c)) {
        c->login->tls_direct = true;
        begin_tls(c, bytes);
        return;
    }
    buf_append(&c->login->held, bytes.p, bytes.n);
    walk_packets(c);
}
