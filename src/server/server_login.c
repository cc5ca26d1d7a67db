/* SPDX-License-Identifier: PostgreSQL */
/* server_login.c - from an open connection to the first ReadyForQuery: TLS, startup packet,
 * authentication, parameters.
 *
 *   SSLRequest -> 'S' -> handshake        (or the handshake at once: tls_direct)
 *   StartupMessage -> Authentication... -> AuthenticationOk -> ParameterStatus*,
 *   BackendKeyData -> ReadyForQuery
 *
 * What it resists: a server that asks for less than we are willing to prove with (a clear-text
 * prompt, an exchange without channel binding where it is required), bytes behind the answer to
 * SSLRequest (they would be read as if they had come encrypted), AuthenticationOk before the server
 * has proven that it knows the password.
 *
 * After the last message of the exchange a serverless database is woken: the server is silent
 * until it runs, and that silence has a deadline of its own. */
#include "server/server_impl.h"

#include "auth/keycache.h"
#include "auth/md5.h"
#include "auth/scram_client.h"
#include "auth/secret.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "proto/report.h"
#include "proto/startup.h"

#include <stdio.h>
#include <stdlib.h>

/* A login message longer than this is refused; PostgreSQL's longest is an error text. */
#define LOGIN_MESSAGE_MAX 65536
/* Parameter reports of a login, all together. */
#define WELCOME_MAX 16384

enum login_step {
    LOGIN_CONNECT,
    LOGIN_SSL_ANSWER,
    LOGIN_TLS,
    LOGIN_AUTH,        /* startup sent */
    LOGIN_SASL,        /* in the exchange */
    LOGIN_SASL_PROVEN, /* the server's signature is checked, AuthenticationOk may come */
    LOGIN_WAKE,        /* our last word is said; the server may be starting the database */
    LOGIN_REPORTS,     /* AuthenticationOk came */
};

struct server_login_run {
    struct server_login terms;
    enum login_step step;
    bool scram_begun;
    struct scram_client scram;
    struct buf held; /* a message that has not come whole */
};

void server_login_copy(struct server *s, const struct server_login *terms)
{
    s->login = xcalloc(1, sizeof *s->login);
    s->login->terms = *terms;
}

void server_login_free(struct server *s)
{
    if (!s->login)
        return;
    if (s->login->scram_begun)
        scram_client_fini(&s->login->scram);
    buf_reset(&s->login->held);
    free(s->login);
    s->login = NULL;
}

const struct server_login *server_login_terms(const struct server *s)
{
    return &s->login->terms;
}

enum server_phase server_login_phase(const struct server *s)
{
    if (!s->login)
        return SERVER_PHASE_READY;
    switch (s->login->step) {
    case LOGIN_CONNECT:
        return SERVER_PHASE_NETWORK;
    case LOGIN_SSL_ANSWER:
    case LOGIN_TLS:
        return SERVER_PHASE_TLS;
    case LOGIN_AUTH:
    case LOGIN_SASL:
        return SERVER_PHASE_AUTH;
    case LOGIN_SASL_PROVEN:
    case LOGIN_WAKE:
    case LOGIN_REPORTS:
        break;
    }
    return SERVER_PHASE_WAKE;
}

static void fail(struct server *s, const char *sqlstate, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct server *s, const char *sqlstate, const char *fmt, ...)
{
    struct error err;
    va_list ap;
    va_start(ap, fmt);
    error_vset(&err, sqlstate, fmt, ap);
    va_end(ap);
    server_fail(s, &err);
}

static void send_buf(struct server *s, struct buf *b)
{
    stream_write(&s->stream, buf_span(b).p, buf_len(b));
    mem_wipe(b->data, b->cap);
    buf_reset(b);
}

/* ---- TLS and startup ------------------------------------------------------------------- */

/* Of what stands twice in a startup packet PostgreSQL takes the second. */
static size_t params_of_client(const struct server_login *t, struct startup_pair *pairs)
{
    unsigned n = t->params ? param_set_count(t->params) : 0;
    for (unsigned i = 0; i < n; i++)
        param_set_at(t->params, i, &pairs[i].name, &pairs[i].value);
    return n;
}

static void send_startup(struct server *s)
{
    const struct server_login *t = &s->login->terms;
    const struct {
        const char *name, *value;
    } all[] = {
        {"user", t->user},
        {"database", t->database},
        {"replication", t->replication},
        {"application_name", t->application_name},
        {"options", t->options},
        {"client_encoding", t->client_encoding},
        {"datestyle", t->datestyle},
        {"timezone", t->timezone},
    };
    struct startup_pair pairs[sizeof all / sizeof all[0] + PARAM_SET_MAX];
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].value)
            pairs[n++] = (struct startup_pair){span_str(all[i].name), span_str(all[i].value)};
    n += params_of_client(t, pairs + n);
    struct buf b = {0};
    startup_build(&b, pairs, n);
    send_buf(s, &b);
    s->login->step = LOGIN_AUTH;
    server_enter(s, SERVER_LOGIN);
    s->deadline_us = loop_now(s->context->loop) + t->auth_timeout_us;
}

static void start_tls(struct server *s)
{
    const struct server_login *t = &s->login->terms;
    struct error err;
    s->login->step = LOGIN_TLS;
    server_enter(s, SERVER_TLS);
    if (!stream_start_tls_client(&s->stream, t->tls, t->host, t->tls_direct, &err))
        server_fail(s, &err);
}

void server_login_start(struct server *s)
{
    const struct server_login *t = &s->login->terms;
    if (!t->tls || addr_is_unix(&s->address)) {
        send_startup(s);
        return;
    }
    if (t->tls_direct) {
        start_tls(s);
        return;
    }
    struct buf b = {0};
    startup_build_ssl_request(&b);
    s->login->step = LOGIN_SSL_ANSWER;
    server_enter(s, SERVER_TLS);
    send_buf(s, &b);
}

static void take_ssl_answer(struct server *s, struct span bytes)
{
    if (bytes.n > 1) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "received unencrypted data after SSL response");
        return;
    }
    switch (bytes.p[0]) {
    case 'S':
        start_tls(s);
        return;
    case 'N':
        if (s->login->terms.tls_required)
            fail(s, SQLSTATE_CONNECTION_FAILURE, "server refused SSL");
        else
            send_startup(s);
        return;
    default:
        /* An ErrorResponse here is not authenticated: its text is not repeated (CVE-2024-10977). */
        fail(s, SQLSTATE_CONNECTION_FAILURE, "bad sslreq answer");
    }
}

void server_login_on_handshake(struct server *s)
{
    const struct server_login *t = &s->login->terms;
    if (t->tls_direct && !span_is(stream_alpn(&s->stream), "postgresql")) {
        fail(s, SQLSTATE_CONNECTION_FAILURE,
             "server does not do direct TLS negotiation (no ALPN answer)");
        return;
    }
    send_startup(s);
}

/* ---- authentication -------------------------------------------------------------------- */

static bool have_secret(struct server *s)
{
    const struct secret *secret = s->login->terms.secret;
    if (secret && secret_kind_of(secret) != SECRET_NONE)
        return true;
    fail(s, SQLSTATE_INVALID_AUTHORIZATION,
         "server login failed: wrong password type: no password is known for user \"%s\"",
         s->login->terms.user);
    return false;
}

/* The secret does not answer what the server asks. */
static void wrong_type(struct server *s, const struct error *why)
{
    if (strcmp(why->sqlstate, SQLSTATE_INVALID_AUTHORIZATION) == 0)
        fail(s, why->sqlstate, "server login failed: wrong password type: %s", why->text);
    else
        server_fail(s, why);
}

static void expect_wake(struct server *s)
{
    s->login->step = LOGIN_WAKE;
    s->deadline_us = loop_now(s->context->loop) + s->login->terms.wake_timeout_us;
}

static void answer_cleartext(struct server *s)
{
    const struct server_login *t = &s->login->terms;
    if (t->channel_binding == CHANNEL_BINDING_REQUIRE) {
        fail(s, SQLSTATE_INVALID_AUTHORIZATION,
             "server asks for a clear-text password, but channel_binding=require");
        return;
    }
    if (!t->allow_cleartext) {
        fail(s, SQLSTATE_INVALID_AUTHORIZATION,
             "server asks for a clear-text password, which is not allowed");
        return;
    }
    if (!have_secret(s))
        return;
    struct buf b = {0};
    frontend_build_password(&b, secret_text(t->secret));
    send_buf(s, &b);
    expect_wake(s);
}

static void answer_md5(struct server *s, const uint8_t salt[4])
{
    const struct server_login *t = &s->login->terms;
    struct error err;
    char text[MD5_TEXT_LEN + 1];
    if (t->channel_binding == CHANNEL_BINDING_REQUIRE) {
        fail(s, SQLSTATE_INVALID_AUTHORIZATION,
             "server asks for an md5 password, but channel_binding=require");
        return;
    }
    if (!have_secret(s))
        return;
    if (!secret_answer_md5(t->secret, span_str(t->user), salt, text, &err)) {
        wrong_type(s, &err);
        return;
    }
    struct buf b = {0};
    frontend_build_password(&b, span_str(text));
    send_buf(s, &b);
    expect_wake(s);
}

static void begin_sasl(struct server *s, struct span mechanisms)
{
    struct server_login_run *run = s->login;
    struct error err;
    uint8_t binding[SCRAM_BINDING_MAX];
    size_t binding_len = 0;
    if (run->scram_begun) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "server began authentication twice");
        return;
    }
    if (!have_secret(s))
        return;
    bool bound = stream_is_tls(&s->stream) &&
                 stream_channel_binding(&s->stream, STREAM_PEER_CERT, binding, &binding_len);
    struct scram_choice choice = {0};
    if (!scram_choose(mechanisms, bound, run->terms.channel_binding, &choice, &err)) {
        server_fail(s, &err);
        return;
    }
    scram_client_init(&run->scram, choice, span_of(binding, binding_len),
                      (uint32_t)run->terms.max_iterations);
    run->scram_begun = true;
    run->step = LOGIN_SASL;
    struct buf first = {0}, b = {0};
    scram_client_first(&run->scram, &first);
    frontend_build_sasl_initial(&b, span_str(scram_mechanism_name(choice.mechanism)),
                                buf_span(&first));
    buf_reset(&first);
    send_buf(s, &b);
}

static void continue_sasl(struct server *s, struct span data)
{
    struct server_login_run *run = s->login;
    struct error err;
    struct scram_keys keys;
    if (run->step != LOGIN_SASL || scram_client_challenge(&run->scram, data, &err) != SCRAM_OK) {
        if (run->step != LOGIN_SASL)
            error_set(&err, SQLSTATE_CONNECTION_FAILURE, "unexpected SASL message");
        server_fail(s, &err);
        return;
    }
    if (!secret_answer_scram(run->terms.secret, span_str(run->terms.user),
                             scram_client_salt(&run->scram), scram_client_iterations(&run->scram),
                             run->terms.keycache, &keys, &err)) {
        wrong_type(s, &err);
        return;
    }
    struct buf final = {0}, b = {0};
    enum scram_result r = scram_client_final(&run->scram, &keys, &final, &err);
    mem_wipe(&keys, sizeof keys);
    if (r != SCRAM_OK) {
        buf_reset(&final);
        server_fail(s, &err);
        return;
    }
    frontend_build_sasl_response(&b, buf_span(&final));
    buf_reset(&final);
    send_buf(s, &b);
    expect_wake(s);
}

static void finish_sasl(struct server *s, struct span data)
{
    struct server_login_run *run = s->login;
    struct error err;
    if (run->step != LOGIN_WAKE || !run->scram_begun) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "unexpected SASL message");
        return;
    }
    if (scram_client_verify(&run->scram, data, &err) != SCRAM_OK) {
        server_fail(s, &err);
        return;
    }
    run->step = LOGIN_SASL_PROVEN;
    s->used_scram = true;
}

static void authenticated(struct server *s)
{
    struct server_login_run *run = s->login;
    if (run->scram_begun && !scram_client_is_verified(&run->scram)) {
        fail(s, SQLSTATE_INVALID_AUTHORIZATION,
             "server said it is satisfied before it proved that it knows the password");
        return;
    }
    if (run->terms.channel_binding == CHANNEL_BINDING_REQUIRE &&
        !(run->scram_begun && run->scram.choice.gs2_flag == 'p')) {
        fail(s, SQLSTATE_INVALID_AUTHORIZATION,
             "channel_binding=require, but the server did not authenticate with it");
        return;
    }
    run->step = LOGIN_REPORTS;
    s->deadline_us = loop_now(s->context->loop) + run->terms.wake_timeout_us;
}

static void take_authentication(struct server *s, struct span body)
{
    struct backend_authentication a;
    if (s->login->step == LOGIN_REPORTS || !backend_parse_authentication(body, &a)) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "malformed authentication request from server");
        return;
    }
    switch (a.code) {
    case AUTHENTICATION_OK:
        authenticated(s);
        return;
    case AUTHENTICATION_CLEARTEXT:
        answer_cleartext(s);
        return;
    case AUTHENTICATION_MD5:
        answer_md5(s, a.salt);
        return;
    case AUTHENTICATION_SASL:
        begin_sasl(s, a.data);
        return;
    case AUTHENTICATION_SASL_CONTINUE:
        continue_sasl(s, a.data);
        return;
    case AUTHENTICATION_SASL_FINAL:
        finish_sasl(s, a.data);
        return;
    default:
        fail(s, SQLSTATE_INVALID_AUTHORIZATION,
             "server asks for an authentication method that is not supported (code %d)",
             (int)a.code);
    }
}

/* ---- reports --------------------------------------------------------------------------- */

static void take_report(struct server *s, const struct frame *f, struct span whole)
{
    struct span name, value;
    if (!backend_parse_parameter_status(f->body, &name, &value) ||
        buf_len(&s->welcome) + whole.n > WELCOME_MAX) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "malformed parameter report from server");
        return;
    }
    buf_append(&s->welcome, whole.p, whole.n);
    struct param_set *next = params_with_report(s->params, name, value);
    if (next)
        server_set_params(s, next);
    param_set_unref(&next);
}

static void take_key(struct server *s, struct span body)
{
    if (body.n < 8 || body.n > SERVER_KEY_MAX) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "malformed cancel key from server");
        return;
    }
    memcpy(s->cancel_key, body.p, body.n);
    s->cancel_key_len = (uint16_t)body.n;
}

static void take_ready(struct server *s, struct span body)
{
    if (!backend_parse_ready_for_query(body, &s->status) || s->login->step != LOGIN_REPORTS) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "unexpected ReadyForQuery from server");
        return;
    }
    server_login_free(s);
    s->base_params = param_set_ref(s->params);
    s->deadline_us = 0;
    server_enter(s, SERVER_IDLE);
}

static void take_error(struct server *s, struct span body)
{
    s->end_phrase = "login failed";
    if (server_keep_last_words(s, body))
        server_fail(s, &s->last_words);
    else
        fail(s, SQLSTATE_CONNECTION_FAILURE, "malformed error message from server");
}

static void take_message(struct server *s, const struct frame *f, struct span whole)
{
    switch (f->type) {
    case BE_AUTHENTICATION:
        take_authentication(s, f->body);
        return;
    case BE_PARAMETER_STATUS:
        take_report(s, f, whole);
        return;
    case BE_BACKEND_KEY_DATA:
        take_key(s, f->body);
        return;
    case BE_READY_FOR_QUERY:
        take_ready(s, f->body);
        return;
    case BE_ERROR:
        take_error(s, f->body);
        return;
    case BE_NOTICE:
    case BE_NEGOTIATE_VERSION:
        return;
    default:
        fail(s, SQLSTATE_CONNECTION_FAILURE, "unexpected message from server while logging in");
    }
}

static size_t walk_login(struct server *s, struct span in)
{
    size_t used = 0;
    while (used < in.n && s->login && s->state != SERVER_CLOSING) {
        struct frame f;
        struct span rest = span_of(in.p + used, in.n - used);
        enum frame_result got = frame_next(rest, &f);
        if (got == FRAME_BAD || (got == FRAME_OK && f.total > LOGIN_MESSAGE_MAX)) {
            fail(s, SQLSTATE_CONNECTION_FAILURE, "bad pkt header from server");
            break;
        }
        if (got == FRAME_MORE || !f.whole)
            break;
        take_message(s, &f, span_of(rest.p, f.total));
        used += f.total;
    }
    return used;
}

void server_login_input(struct server *s, struct span bytes)
{
    struct server_login_run *run = s->login;
    if (run->step == LOGIN_SSL_ANSWER) {
        take_ssl_answer(s, bytes);
        return;
    }
    if (run->step == LOGIN_CONNECT || run->step == LOGIN_TLS) {
        fail(s, SQLSTATE_CONNECTION_FAILURE, "server spoke before it was asked");
        return;
    }
    /* The buffer outlives the run if the login ends inside it. */
    struct buf held = run->held;
    run->held = (struct buf){0};
    buf_append(&held, bytes.p, bytes.n);
    size_t used = walk_login(s, buf_span(&held));
    buf_consume(&held, used);
    if (s->login) {
        s->login->held = held;
        return;
    }
    if (!buf_is_empty(&held) && s->state != SERVER_CLOSING)
        server_responses_input(s, buf_span(&held));
    buf_reset(&held);
    /* The last look at it: another worker may have it now, and may have freed it. */
    if (s->state == SERVER_IDLE)
        s->ops->on_ready(s);
}
