/* SPDX-License-Identifier: PostgreSQL */
/* server.c - one connection to PostgreSQL: its states, its life, its ends. */
#include "server/server_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "proto/frontend.h"
#include "proto/message.h"

#include <stdlib.h>

#define TO(state) (1u << SERVER_##state)

static const struct server_state_row {
    const char *name;
    const char *show; /* in SHOW SERVERS */
    unsigned next;    /* states that may follow */
} rows[] = {
    [SERVER_NEW] = {"new", "new", TO(CONNECTING) | TO(CLOSING)},
    [SERVER_CONNECTING] = {"connecting", "new", TO(TLS) | TO(LOGIN) | TO(CLOSING)},
    [SERVER_TLS] = {"tls", "new", TO(LOGIN) | TO(CLOSING)},
    [SERVER_LOGIN] = {"login", "new", TO(IDLE) | TO(CLOSING)},
    [SERVER_IDLE] = {"idle", "idle", TO(LINKED) | TO(RESETTING) | TO(MOVING) | TO(CLOSING)},
    [SERVER_LINKED] = {"linked", "active", TO(IDLE) | TO(RESETTING) | TO(CLOSING)},
    [SERVER_RESETTING] = {"resetting", "tested", TO(IDLE) | TO(CLOSING)},
    [SERVER_MOVING] = {"moving", "active", TO(IDLE) | TO(CLOSING)},
    [SERVER_CLOSING] = {"closing", "close", 0},
};

/* Out of line, because states are entered several times for each transaction. */
__attribute__((noinline, cold)) static void look_at_step(const struct server *s,
                                                         enum server_state was)
{
    if (was == s->state)
        return;
    if (!(rows[was].next & (1u << s->state))) {
        log_fatal("S-0x%llx: state %s may not follow %s", (unsigned long long)s->id,
                  rows[s->state].name, rows[was].name);
        abort();
    }
    log_debug("S-0x%llx: %s -> %s", (unsigned long long)s->id, rows[was].name, rows[s->state].name);
}

void server_enter(struct server *s, enum server_state next)
{
    enum server_state was = s->state;
    s->state = next;
    if (!(rows[was].next & (1u << next)) || log_wants(LOG_DEBUG_LEVEL))
        look_at_step(s, was);
}

/* ---- ends ------------------------------------------------------------------------------ */

static void tell_end(struct server *s, const struct error *err)
{
    if (s->end_told)
        return;
    s->end_told = true;
    struct server_end end = {.phase = server_login_phase(s),
                             .said_goodbye = s->last_words.text[0] != '\0',
                             .while_busy = !expect_is_empty(&s->expects),
                             .phrase = s->end_phrase,
                             .report = buf_span(&s->last_report)};
    end.error = end.said_goodbye ? s->last_words : *err;
    s->ops->on_end(s, &end);
}

void server_fail(struct server *s, const struct error *err)
{
    if (s->state == SERVER_CLOSING)
        return;
    tell_end(s, err);
}

static void on_stream_end(void *owner, enum stream_end how, const struct error *err)
{
    struct server *s = owner;
    struct error text;
    if (s->state == SERVER_CLOSING)
        return;
    if (server_login_phase(s) != SERVER_PHASE_TLS)
        s->end_phrase = "server conn crashed?";
    if (how == STREAM_EOF)
        error_set(&text, SQLSTATE_CONNECTION_FAILURE, "server closed the connection unexpectedly");
    else
        error_set(&text, SQLSTATE_CONNECTION_FAILURE, "%s", err ? err->text : "connection lost");
    tell_end(s, &text);
}

/* ---- stream ---------------------------------------------------------------------------- */

static void on_stream_input(void *owner, struct span bytes)
{
    struct server *s = owner;
    if (s->state == SERVER_CLOSING)
        return;
    if (s->login)
        server_login_input(s, bytes);
    else
        server_responses_input(s, bytes);
}

static void on_stream_drained(void *owner)
{
    struct server *s = owner;
    if (!s->login && s->state != SERVER_CLOSING)
        s->ops->on_drained(s);
}

static void on_stream_handshake(void *owner)
{
    struct server *s = owner;
    if (s->login)
        server_login_on_handshake(s);
}

static const struct stream_ops server_stream_ops = {
    .on_input = on_stream_input,
    .on_drained = on_stream_drained,
    .on_end = on_stream_end,
    .on_handshake = on_stream_handshake,
};

/* ---- birth and death ------------------------------------------------------------------- */

/* The setting counts the letter, too. */
void server_context_follow(struct server_context *x, const struct config *cfg)
{
    uint64_t max = cfg->max_packet_size_bytes - 1;
    x->max_message_len = max < MESSAGE_LEN_MAX ? (uint32_t)max : MESSAGE_LEN_MAX;
}

struct server *server_new(const struct server_context *context, uint64_t id,
                          const struct server_ops *ops, void *owner,
                          const struct server_login *login)
{
    struct server *s = xcalloc(1, sizeof *s);
    s->id = id;
    s->context = context;
    s->ops = ops;
    s->owner = owner;
    s->born_us = loop_now(context->loop);
    s->status = 'I';
    s->params = param_set_empty();
    expect_init(&s->expects);
    server_statements_init(&s->statements, login->max_prepared);
    stream_init(&s->stream, &server_stream_ops, s);
    server_login_copy(s, login);
    return s;
}

static void on_dialed(void *owner, const struct dialer_result *result)
{
    struct server *s = owner;
    s->dialer = NULL; /* it ends with its answer */
    if (result->fd < 0) {
        s->end_phrase = result->timed_out ? "connect timeout" : "connect failed";
        server_fail(s, &result->error);
        return;
    }
    s->address = result->addr;
    stream_open(&s->stream, s->context->loop, result->fd);
    server_login_start(s);
}

void server_connect(struct server *s, struct addr_list *addresses,
                    const struct dialer_options *options)
{
    server_enter(s, SERVER_CONNECTING);
    s->deadline_us = loop_now(s->context->loop) + server_login_terms(s)->connect_timeout_us;
    s->dialer = dialer_start(s->context->loop, addresses, options, on_dialed, s);
}

void server_close(struct server *s)
{
    if (s->state == SERVER_CLOSING)
        return;
    if (s->dialer)
        dialer_cancel(&s->dialer);
    bool polite = stream_is_open(&s->stream) && !s->login && !s->end_told;
    server_enter(s, SERVER_CLOSING);
    if (polite) {
        struct buf b = {0};
        frontend_build_terminate(&b);
        stream_write(&s->stream, buf_span(&b).p, buf_len(&b));
        buf_reset(&b);
    }
    if (stream_is_open(&s->stream))
        stream_close(&s->stream);
}

size_t server_size(void)
{
    return sizeof(struct server);
}

void server_free(struct server **sp)
{
    struct server *s = *sp;
    if (!s)
        return;
    server_close(s);
    server_login_free(s);
    expect_fini(&s->expects);
    server_statements_fini(&s->statements);
    param_set_unref(&s->params);
    param_set_unref(&s->base_params);
    buf_reset(&s->welcome);
    buf_reset(&s->held);
    buf_reset(&s->last_report);
    mem_wipe(s->cancel_key, sizeof s->cancel_key);
    free(s);
    *sp = NULL;
}

/* ---- sending --------------------------------------------------------------------------- */

bool server_send(struct server *s, struct outgoing *out)
{
    return stream_send(&s->stream, out) != STREAM_SEND_FAILED;
}

bool server_is_blocked(const struct server *s)
{
    return stream_is_blocked(&s->stream);
}

void server_pause(struct server *s)
{
    stream_pause(&s->stream);
}

void server_resume(struct server *s)
{
    if (stream_is_open(&s->stream))
        stream_resume(&s->stream);
}

void server_freeze(struct server *s, bool on)
{
    stream_freeze(&s->stream, on);
}

void server_pull(struct server *s)
{
    stream_pull(&s->stream);
}

/* ---- looking at it --------------------------------------------------------------------- */

void server_set_ops(struct server *s, const struct server_ops *ops)
{
    s->ops = ops;
}

void *server_owner(const struct server *s)
{
    return s->owner;
}

uint64_t server_id(const struct server *s)
{
    return s->id;
}

enum server_state server_get_state(const struct server *s)
{
    return s->state;
}

const char *server_state_show(const struct server *s)
{
    return rows[s->state].show;
}

char server_status(const struct server *s)
{
    return s->status;
}

bool server_is_at_rest(const struct server *s)
{
    return expect_is_empty(&s->expects) && !s->expects.skipping && s->body_left == 0 &&
           buf_is_empty(&s->held) && !s->login;
}

bool server_is_open(const struct server *s)
{
    return s->state != SERVER_CLOSING && !s->end_told && stream_is_open(&s->stream);
}

struct expect_queue *server_expects(struct server *s)
{
    return &s->expects;
}

struct server_statements *server_statements_of(struct server *s)
{
    return &s->statements;
}

struct param_set *server_params(const struct server *s)
{
    return s->params;
}

struct param_set *server_base_params(const struct server *s)
{
    return s->base_params;
}

void server_set_params(struct server *s, struct param_set *params)
{
    if (s->params == params)
        return;
    param_set_ref(params);
    param_set_unref(&s->params);
    s->params = params;
}

void server_rebase(struct server *s)
{
    params_build_reports(s->params, s->base_params, &s->welcome);
    param_set_unref(&s->base_params);
    s->base_params = param_set_ref(s->params);
}

struct span server_welcome(const struct server *s)
{
    return buf_span(&s->welcome);
}

struct span server_cancel_key(const struct server *s)
{
    return span_of(s->cancel_key, s->cancel_key_len);
}

const struct addr *server_address(const struct server *s)
{
    return &s->address;
}

int32_t server_pid(const struct server *s)
{
    if (s->cancel_key_len < 4)
        return 0;
    return (int32_t)((uint32_t)s->cancel_key[0] << 24 | (uint32_t)s->cancel_key[1] << 16 |
                     (uint32_t)s->cancel_key[2] << 8 | s->cancel_key[3]);
}

bool server_is_tls(const struct server *s)
{
    return stream_is_tls(&s->stream);
}

bool server_is_mid_message(const struct server *s)
{
    return s->body_left != 0;
}

const char *server_tls_text(const struct server *s, char *out, size_t size)
{
    return stream_tls_text(&s->stream, out, size);
}

const struct stream *server_stream(const struct server *s)
{
    return &s->stream;
}

uint64_t server_connected_us(const struct server *s)
{
    return s->born_us;
}

bool server_used_scram(const struct server *s)
{
    return s->used_scram;
}

/* ---- moving ---------------------------------------------------------------------------- */

bool server_detach(struct server *s)
{
    if (!server_is_at_rest(s) || !stream_detach(&s->stream))
        return false;
    server_enter(s, SERVER_MOVING);
    s->context = NULL;
    return true;
}

void server_attach(struct server *s, const struct server_context *context, void *owner)
{
    s->context = context;
    s->owner = owner;
    server_enter(s, SERVER_IDLE);
    stream_attach(&s->stream, context->loop, s);
}

/* ---- time ------------------------------------------------------------------------------ */

void server_sweep(struct server *s, uint64_t now_us)
{
    static const char *const what[] = {
        [SERVER_PHASE_NETWORK] = "connect timeout: no connection to the server",
        [SERVER_PHASE_TLS] = "connect timeout: no answer in the TLS negotiation",
        [SERVER_PHASE_AUTH] = "connect timeout: no answer in the authentication",
        [SERVER_PHASE_WAKE] = "connect timeout: the database did not become ready",
        [SERVER_PHASE_READY] = "",
    };
    if (!s->login || !s->deadline_us || now_us < s->deadline_us)
        return;
    struct error err;
    error_set(&err, SQLSTATE_CANNOT_CONNECT_NOW, "%s", what[server_login_phase(s)]);
    server_fail(s, &err);
}
