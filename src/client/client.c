/* SPDX-License-Identifier: PostgreSQL */
/* client.c - one connection from an application: its states, its life, its ends. */
#include "client/client_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "proto/backend.h"
#include "proto/report.h"
#include "setup/setup.h"

#include <stdio.h>
#include <stdlib.h>

/* max_packet_size that says nothing: what the length word can hold. */
#define MAX_PACKET_NONE INT32_MAX

#define TO(state) (1u << CLIENT_##state)

static void requests(struct client *c, struct span bytes)
{
    client_requests_input(c, bytes);
}

static const struct client_state_row {
    const char *name;
    const char *show; /* in SHOW CLIENTS */
    unsigned next;    /* states that may follow */
    void (*on_input)(struct client *c, struct span bytes);
} rows[] = {
    [CLIENT_NEW] = {"new", "login", TO(TLS) | TO(STARTUP) | TO(CLOSING), client_startup_input},
    [CLIENT_TLS] = {"tls", "login", TO(STARTUP) | TO(CLOSING), NULL},
    [CLIENT_STARTUP] = {"startup", "login",
                        TO(TLS) | TO(LOOKUP) | TO(AUTH) | TO(WELCOME) | TO(CANCEL) | TO(CLOSING),
                        client_startup_input},
    [CLIENT_LOOKUP] = {"lookup", "login", TO(AUTH) | TO(WELCOME) | TO(CLOSING),
                       client_login_unasked},
    [CLIENT_AUTH] = {"auth", "login", TO(LOOKUP) | TO(WELCOME) | TO(CLOSING), client_login_input},
    [CLIENT_WELCOME] = {"welcome", "waiting", TO(IDLE) | TO(CLOSING), requests},
    [CLIENT_IDLE] = {"idle", "idle", TO(WAITING) | TO(LINKED) | TO(CLOSING), requests},
    [CLIENT_WAITING] = {"waiting", "waiting", TO(LINKED) | TO(IDLE) | TO(CLOSING), requests},
    [CLIENT_LINKED] = {"linked", "active", TO(IDLE) | TO(CLOSING), requests},
    [CLIENT_CANCEL] = {"cancel", "active_cancel_req", TO(CLOSING), NULL},
    [CLIENT_CLOSING] = {"closing", "close", 0, NULL},
};

/* Out of line, because states are entered several times for each transaction. */
__attribute__((noinline, cold)) static void look_at_step(const struct client *c,
                                                         enum client_state was)
{
    if (was == c->state)
        return;
    if (!(rows[was].next & (1u << c->state))) {
        log_fatal("C-0x%llx: state %s may not follow %s", (unsigned long long)c->id,
                  rows[c->state].name, rows[was].name);
        abort();
    }
    log_debug("C-0x%llx: %s -> %s", (unsigned long long)c->id, rows[was].name, rows[c->state].name);
}

void client_enter(struct client *c, enum client_state next)
{
    enum client_state was = c->state;
    c->state = next;
    if (!(rows[was].next & (1u << next)) || log_wants(LOG_DEBUG_LEVEL))
        look_at_step(c, was);
}

/* ---- the log --------------------------------------------------------------------------- */

const char *client_place(const struct client *c, const char *hostname, char *out, size_t size)
{
    int port = setup_config(c->context->setup)->listen_port;
    uid_t uid;
    pid_t pid;
    if (c->peer && !addr_is_unix(c->peer))
        return addr_text(c->peer, out, size);
    if (!stream_peer_cred(&c->stream, &uid, &pid))
        snprintf(out, size, "unix:%d", port);
    else if (hostname)
        snprintf(out, size, "unix(%d@%s):%d", (int)pid, hostname, port);
    else
        snprintf(out, size, "unix(%d):%d", (int)pid, port);
    return out;
}

void client_log(const struct client *c, int level, const char *fmt, ...)
{
    char text[1024], place[CLIENT_PLACE_TEXT];
    if (!log_wants((enum log_level)level))
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_line((enum log_level)level, "C-0x%llx: %s/%s@%s %s", (unsigned long long)c->id,
             c->who ? client_database(c) : "(nodb)", c->who ? client_user(c) : "(nouser)",
             client_place(c, NULL, place, sizeof place), text);
}

/* ---- ends ------------------------------------------------------------------------------ */

static bool is_proven(const struct client *c)
{
    return c->state == CLIENT_IDLE || c->state == CLIENT_WAITING || c->state == CLIENT_LINKED;
}

void client_close(struct client *c, const char *reason)
{
    if (c->state == CLIENT_CLOSING)
        return;
    uint64_t age = (loop_now(c->context->loop) - c->born_us) / US_PER_S;
    if (reason && setup_config(c->context->setup)->log_disconnections)
        client_log(c, LOG_INFO_LEVEL, "closing because: %s (age=%llus)", reason,
                   (unsigned long long)age);
    client_enter(c, CLIENT_CLOSING);
    if (c->ops)
        c->ops->on_gone(c);
    else
        c->context->relay_ops->on_gone(c);
    stream_close(&c->stream);
}

/* Says what is in b, and goes. */
static void fail_with(struct client *c, struct buf *b, const struct error *err, const char *reason)
{
    stream_write(&c->stream, buf_span(b).p, buf_len(b));
    buf_reset(b);
    if (setup_config(c->context->setup)->log_pooler_errors)
        client_log(c, LOG_WARNING_LEVEL, "pooler error: %s", err->text);
    client_close(c, reason);
}

void client_fail_because(struct client *c, const struct error *err, const char *detail,
                         const char *hint, const char *reason)
{
    if (c->state == CLIENT_CLOSING)
        return;
    struct buf b = client_login_answer(c);
    report_error(&b, "FATAL", err, detail, hint);
    fail_with(c, &b, err, reason);
}

void client_fail_detail(struct client *c, const struct error *err, const char *detail,
                        const char *hint)
{
    client_fail_because(c, err, detail, hint, err->text);
}

void client_fail_report(struct client *c, const struct error *err, struct span report)
{
    if (c->state == CLIENT_CLOSING)
        return;
    struct buf b = client_login_answer(c);
    report_relay(&b, "FATAL", err, report, NULL);
    fail_with(c, &b, err, err->text);
}

void client_fail(struct client *c, const struct error *err)
{
    client_fail_detail(c, err, NULL, NULL);
}

/* ---- stream ---------------------------------------------------------------------------- */

static void on_stream_input(void *owner, struct span bytes)
{
    struct client *c = owner;
    if (rows[c->state].on_input)
        rows[c->state].on_input(c, bytes);
}

static void on_stream_drained(void *owner)
{
    struct client *c = owner;
    if (c->ops && is_proven(c))
        c->ops->on_drained(c);
}

static void on_stream_end(void *owner, enum stream_end how, const struct error *err)
{
    struct client *c = owner;
    if (c->state == CLIENT_CLOSING)
        return;
    if (how == STREAM_EOF) {
        /* A probe that connects and goes without a word is not worth a line. */
        client_close(c, c->state == CLIENT_NEW ? NULL : "client unexpected eof");
        return;
    }
    client_close(c, err && err->text[0] ? err->text : "client connection lost");
}

static void on_stream_handshake(void *owner)
{
    client_startup_secured(owner);
}

/* Only a client that is not read learns of its peer's end this way: one that sent more than we hold
 * while it waits. A linked one is left alone, what it has sent is still to be forwarded. */
static void on_stream_hangup(void *owner)
{
    struct client *c = owner;
    if (c->state == CLIENT_WAITING)
        client_close(c, "client unexpected eof");
}

static const struct stream_ops client_stream_ops = {
    .on_input = on_stream_input,
    .on_drained = on_stream_drained,
    .on_end = on_stream_end,
    .on_handshake = on_stream_handshake,
    .on_hangup = on_stream_hangup,
};

/* ---- birth and death ------------------------------------------------------------------- */

void client_context_follow(struct client_context *x, struct setup *setup)
{
    const struct config *cfg = setup_config(setup);
    x->setup = setup;
    x->log_statements = cfg->log_statements;
    x->refuses_simple_query = cfg->disable_pqexec;
    x->max_message_bytes = cfg->max_packet_size_bytes;
    x->watches =
        x->log_statements || x->refuses_simple_query || x->max_message_bytes < MAX_PACKET_NONE;
}

struct client *client_new(const struct client_context *context, uint64_t id, int fd,
                          const struct addr *peer)
{
    struct client *c = xcalloc(1, sizeof *c);
    c->id = id;
    c->context = context;
    c->born_us = c->request_us = loop_now(context->loop);
    if (!addr_is_unix(peer))
        c->peer = addr_compact(peer);
    c->params = param_set_empty();
    client_statements_init(&c->statements);
    stream_init(&c->stream, &client_stream_ops, c);
    stream_open_unwatched(&c->stream, context->loop, fd);
    return c;
}

size_t client_size(void)
{
    return sizeof(struct client);
}

void client_free(struct client **cp)
{
    struct client *c = *cp;
    if (!c)
        return;
    client_login_free(c);
    client_statements_fini(&c->statements);
    param_set_unref(&c->params);
    param_set_unref(&c->default_params);
    client_who_unref(&c->who);
    buf_reset(&c->held);
    free(c->peer);
    free(c);
    *cp = NULL;
}

/* ---- sending --------------------------------------------------------------------------- */

bool client_send(struct client *c, struct outgoing *out)
{
    return stream_send(&c->stream, out) != STREAM_SEND_FAILED;
}

bool client_is_blocked(const struct client *c)
{
    return stream_is_blocked(&c->stream);
}

void client_pause(struct client *c)
{
    if (c->state != CLIENT_CLOSING)
        stream_pause(&c->stream);
}

void client_resume(struct client *c)
{
    if (c->state != CLIENT_CLOSING)
        stream_resume(&c->stream);
}

void client_freeze(struct client *c, bool on)
{
    if (c->state != CLIENT_CLOSING)
        stream_freeze(&c->stream, on);
}

void client_listen(struct client *c, bool has_said)
{
    stream_begin(&c->stream, has_said);
}

bool client_is_mid_message(const struct client *c)
{
    return c->body_left != 0;
}

/* ---- looking at it --------------------------------------------------------------------- */

void *client_owner(const struct client *c)
{
    return c->context->owner;
}

const struct client_context *client_context_of(const struct client *c)
{
    return c->context;
}

void *client_data(const struct client *c)
{
    return c->data;
}

void client_set_data(struct client *c, void *data)
{
    c->data = data;
}

uint64_t client_id(const struct client *c)
{
    return c->id;
}

enum client_state client_get_state(const struct client *c)
{
    return c->state;
}

const char *client_state_show(const struct client *c)
{
    return rows[c->state].show;
}

const char *client_user(const struct client *c)
{
    return c->who ? c->who->user : NULL;
}

enum replication client_replication(const struct client *c)
{
    return c->replication;
}

const char *client_raw_options(const struct client *c)
{
    return c->login ? c->login->options : NULL;
}

const char *client_database(const struct client *c)
{
    return c->who ? c->who->database : NULL;
}

const struct setup_login *client_setup_login(const struct client *c)
{
    return &c->who->login;
}

struct setup *client_setup(const struct client *c)
{
    return c->who->setup;
}

struct param_set *client_params(const struct client *c)
{
    return c->params;
}

struct param_set *client_default_params(const struct client *c)
{
    return c->default_params;
}

void client_set_params(struct client *c, struct param_set *params)
{
    if (c->params == params)
        return;
    param_set_ref(params);
    param_set_unref(&c->params);
    c->params = params;
}

void client_start_from(struct client *c, struct param_set *params)
{
    client_set_params(c, params);
    param_set_unref(&c->default_params);
    c->default_params = param_set_ref(params);
}

struct client_statements *client_statements_of(struct client *c)
{
    return &c->statements;
}

const struct addr *client_peer(const struct client *c)
{
    return c->peer;
}

uint64_t client_connected_us(const struct client *c)
{
    return c->born_us;
}

uint64_t client_request_us(const struct client *c)
{
    return c->request_us;
}

const char *client_tls_text(const struct client *c, char *out, size_t size)
{
    return stream_tls_text(&c->stream, out, size);
}

const struct stream *client_stream(const struct client *c)
{
    return &c->stream;
}

size_t client_held(const struct client *c)
{
    return buf_len(&c->held);
}

/* ---- time ------------------------------------------------------------------------------ */

/* Who is waited for. */
static const char *login_waits_for(const struct client *c)
{
    if (c->state == CLIENT_WELCOME)
        return " (server down)";
    if (c->state != CLIENT_LOOKUP)
        return "";
    return client_method_is_elsewhere(c->login->method)
               ? " (the authentication service did not answer)"
               : " (auth_query was not answered)";
}

/* client_login_timeout: from the accept until proven and welcomed. */
static void sweep_login(struct client *c, uint64_t now_us)
{
    uint64_t limit = setup_config(c->context->setup)->client_login_timeout_us;
    struct error err;
    if (!limit || now_us - c->born_us < limit)
        return;
    error_set(&err, SQLSTATE_PROTOCOL_VIOLATION, "client_login_timeout%s", login_waits_for(c));
    client_fail(c, &err);
}

/* client_idle_timeout: from the last message or the end of what it has asked for, whatever is
 * later, while no server is linked and none is waited for. */
bool client_sweep(struct client *c, uint64_t now_us, uint64_t served_us)
{
    struct error err;
    if (c->state == CLIENT_CLOSING)
        return true;
    if (!is_proven(c)) {
        sweep_login(c, now_us);
        return true;
    }
    if (c->state != CLIENT_IDLE)
        return true;
    bool rests = now_us - c->request_us >= US_PER_S;
    if (rests)
        client_requests_trim(c);
    const struct setup_login *login = client_setup_login(c);
    if (login->is_console)
        return true;
    uint64_t since = c->request_us > served_us ? c->request_us : served_us;
    uint64_t limit =
        effective_client_idle_timeout_us(setup_config(c->context->setup), login->db, login->user);
    if (!limit || now_us - since < limit)
        return limit || !rests;
    error_set(&err, SQLSTATE_ADMIN_SHUTDOWN, "client_idle_timeout");
    client_fail(c, &err);
    return true;
}
