/* SPDX-License-Identifier: PostgreSQL */
/* client_login.c - prove who the client is, then welcome it.
 *
 * Messages of the exchange are bounded (longest_answer) and nothing is allocated for a peer beyond
 * one of them. An unknown user runs the same exchange with made-up data and fails at its
 * end; whether the database exists is said after the proof only.
 *
 * SCRAM-SHA-256-PLUS is offered on encrypted connections whose certificate has a
 * tls-server-end-point hash (RFC 5929), so that clients with channel_binding=require get in. */
#include "client/client_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "conf/config.h"
#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "proto/report.h"
#include "proto/writer.h"
#include "setup/setup.h"

#include <stdlib.h>

/* PostgreSQL's own bound for a password message (PG_MAX_AUTH_TOKEN_LENGTH). */
#define PASSWORD_MESSAGE_MAX 65535
/* Around SCRAM's own message: the name of the mechanism, and a length. */
#define SASL_FRAME_MAX 64
/* An answer by md5 has 36 bytes; a password in its place is just wrong. */
#define MD5_MESSAGE_MAX 1024

struct client_login_run *client_login_run_new(void)
{
    return xcalloc(1, sizeof(struct client_login_run));
}

static void wipe_buf(struct buf *b)
{
    mem_wipe(b->data, b->cap);
    buf_reset(b);
}

/* Nothing of a proof is kept longer than it takes to check it. */
static void forget_proof(struct client_login_run *run)
{
    if (run->scram_begun)
        scram_server_fini(&run->scram);
    run->scram_begun = false;
    wipe_buf(&run->held);
    wipe_buf(&run->proof);
}

void client_login_free(struct client *c)
{
    struct client_login_run *run = c->login;
    if (!run)
        return;
    forget_proof(run);
    buf_reset(&run->answer);
    free(run->options);
    mem_wipe(run->md5_salt, sizeof run->md5_salt);
    free(run->called_user);
    free(run);
    c->login = NULL;
}

struct buf client_login_answer(struct client *c)
{
    struct buf answer = {0};
    if (c->login) {
        answer = c->login->answer;
        c->login->answer = (struct buf){0};
    }
    return answer;
}

static void send_buf(struct client *c, struct buf *b)
{
    stream_write(&c->stream, buf_span(b).p, buf_len(b));
    buf_reset(b);
}

void client_login_failed(struct client *c, const struct error *err)
{
    client_log(c, LOG_INFO_LEVEL, "login failed: db=%s user=%s", client_database(c),
               client_user(c));
    client_fail(c, err);
}

static void refuse(struct client *c, const char *sqlstate, const char *text)
{
    struct error err;
    error_set(&err, sqlstate, "%s", text);
    client_login_failed(c, &err);
}

static void refuse_password(struct client *c)
{
    struct error err;
    const char *kind = c->login->method == LOGIN_SCRAM ? "SASL" : "password";
    error_set(&err, SQLSTATE_INVALID_PASSWORD,
              "%s authentication failed: password authentication failed for user \"%s\"", kind,
              client_user(c));
    client_login_failed(c, &err);
}

/* ---- proven ---------------------------------------------------------------------------- */

void client_login_proven(struct client *c)
{
    struct error err;
    const struct setup_login *login = client_setup_login(c);
    client_enter(c, CLIENT_WELCOME);
    forget_proof(c->login);
    if (c->context->login_done)
        c->context->login_done(c->context->owner, c);
    if (!login->is_console && !login->db) {
        error_set(&err, SQLSTATE_UNDEFINED_DATABASE, "no such database: %s", client_database(c));
        client_fail(c, &err);
        return;
    }
    if (login->is_console && (!login->may_read || !c->context->console_ops)) {
        refuse(c, SQLSTATE_INVALID_AUTHORIZATION, "not allowed");
        return;
    }
    if (login->is_console && !c->context->admit_console(c->context->owner, c, &err)) {
        client_fail(c, &err);
        return;
    }
    c->ops = login->is_console ? c->context->console_ops : c->context->relay_ops;
    c->ops->on_login(c);
}

/* login_notify_message. */
static void add_notice(const struct client *c, struct buf *b)
{
    struct error note;
    const char *text = setup_config(c->context->setup)->login_notify_message;
    if (!text[0])
        return;
    /* 00000: class "successful completion". */
    error_set(&note, "00000", "%s", text);
    report_notice(b, "NOTICE", &note, NULL, NULL);
}

void client_welcome(struct client *c, struct span reports, struct param_set *base, struct span key)
{
    if (c->state != CLIENT_WELCOME)
        return;
    struct buf b = client_login_answer(c);
    client_login_free(c);
    backend_build_authentication_ok(&b);
    buf_append(&b, reports.p, reports.n);
    struct param_set *merged = params_welcome(base, c->params, &b);
    param_set_unref(&c->params);
    c->params = merged;
    c->default_params = param_set_ref(merged);
    backend_build_key_data(&b, key);
    add_notice(c, &b);
    backend_build_ready_for_query(&b, 'I');
    client_enter(c, CLIENT_IDLE);
    send_buf(c, &b);
    client_continue(c);
}

/* ---- methods --------------------------------------------------------------------------- */

/* For somebody who has no verifier: with as many iterations as most of the others have. */
static bool make_up_verifier(const struct client *c, uint32_t iterations,
                             struct scram_verifier *out, struct error *err)
{
    const struct secret *decoy = setup_decoy(c->who->setup);
    if (decoy && secret_kind_of(decoy) == SECRET_SCRAM &&
        secret_verifier(decoy, iterations, out, err))
        iterations = out->iterations;
    return scram_mock_verifier(span_str(client_user(c)), iterations, out, err);
}

static bool begin_scram(struct client *c, const struct config *cfg)
{
    struct client_login_run *run = c->login;
    struct scram_verifier verifier;
    struct error err;
    uint8_t binding[SCRAM_BINDING_MAX];
    size_t binding_len = 0;
    uint32_t iterations = (uint32_t)cfg->scram_iterations;
    const struct secret *secret = client_setup_login(c)->secret;
    bool doomed = !secret || !secret_verifier(secret, iterations, &verifier, &err);
    if (doomed && !make_up_verifier(c, iterations, &verifier, &err)) {
        client_fail(c, &err);
        return false;
    }
    bool plus = stream_is_tls(&c->stream) &&
                stream_channel_binding(&c->stream, STREAM_OWN_CERT, binding, &binding_len);
    scram_server_init(&run->scram, &verifier, doomed, plus ? SCRAM_OFFER_PLUS : SCRAM_OFFER_PLAIN,
                      span_of(binding, binding_len));
    run->scram_begun = true;
    mem_wipe(&verifier, sizeof verifier);
    static const char *const offers[] = {SCRAM_NAME_PLUS, SCRAM_NAME_PLAIN};
    struct buf b = {0};
    backend_build_authentication_sasl(&b, plus ? offers : offers + 1, plus ? 2 : 1);
    send_buf(c, &b);
    return true;
}

bool client_refresh_setup(struct client *c)
{
    struct client_who *old = c->who;
    /* A console session keeps the rights it logged in with. */
    if (old->setup == c->context->setup || old->login.is_console)
        return true;
    c->who = client_who_get(c->context->known, c->context->setup, span_str(old->user),
                            span_str(old->database));
    const struct setup_login *login = &c->who->login;
    if (old->found && (login->by_query || login->by_login))
        client_who_found(login->by_query ? c->context->known : NULL, &c->who, span_str(old->user),
                         old->found);
    client_who_unref(&old);
    return c->who->login.db != NULL;
}

/* The method is known, and so is what there is to know about the user. */
static void begin_exchange(struct client *c, const struct config *cfg)
{
    struct client_login_run *run = c->login;
    struct buf b = {0};
    run->method = client_method_exchange(c, run->method);
    switch (run->method) {
    case LOGIN_ANY:
    case LOGIN_TRUST:
    case LOGIN_CERT:
    case LOGIN_PEER:
        return;
    case LOGIN_PASSWORD:
    case LOGIN_PAM:
    case LOGIN_LDAP:
        backend_build_authentication_cleartext(&b);
        break;
    case LOGIN_MD5:
        rand_bytes(run->md5_salt, sizeof run->md5_salt);
        backend_build_authentication_md5(&b, run->md5_salt);
        break;
    case LOGIN_SCRAM:
        if (!begin_scram(c, cfg))
            return;
        break;
    }
    client_enter(c, CLIENT_AUTH);
    if (!buf_is_empty(&b))
        send_buf(c, &b);
}

/* Who it says it is, is known. */
static void go_on(struct client *c)
{
    if (client_method_is_exchange(c->login->method))
        begin_exchange(c, setup_config(c->who->setup));
    else
        client_login_proven(c);
}

static void look_up(struct client *c)
{
    client_enter(c, CLIENT_LOOKUP);
    c->context->look_up(c->context->owner, c);
}

void client_login_start(struct client *c)
{
    static const char *const replication[] = {
        [REPLICATION_NONE] = "no",
        [REPLICATION_PHYSICAL] = "yes",
        [REPLICATION_LOGICAL] = "database",
    };
    char tls[128];
    if (client_setup_login(c)->is_console)
        client_method_grant_console(c);
    const struct config *cfg = setup_config(c->who->setup);
    if (cfg->log_connections)
        client_log(c, LOG_INFO_LEVEL, "login attempt: db=%s user=%s tls=%s replication=%s",
                   client_database(c), client_user(c),
                   stream_is_tls(&c->stream) ? client_tls_text(c, tls, sizeof tls) : "no",
                   replication[c->replication]);
    struct error err;
    if (c->context->may_login && !c->context->may_login(c->context->owner, c, &err)) {
        client_fail(c, &err);
        return;
    }
    if (client_method_is_own_operator(c)) {
        client_log(c, LOG_INFO_LEVEL, "pgbouncer access from unix socket");
        client_login_proven(c);
        return;
    }
    if (!client_method_choose(c, &err)) {
        client_login_failed(c, &err);
        return;
    }
    enum login_method method = c->login->method;
    bool look = client_setup_login(c)->by_query && method != LOGIN_ANY &&
                !client_method_is_elsewhere(method);
    /* Who asks for nothing but to be somebody is to be known first. */
    bool later = client_method_is_exchange(method) || (look && method == LOGIN_TRUST);
    if (!later && !client_method_admits(c, &err))
        client_login_failed(c, &err);
    else if (look)
        look_up(c);
    else
        go_on(c);
}

/* ---- answers --------------------------------------------------------------------------- */

/* A password message: one string, its NUL included. */
static bool take_string(struct client *c, struct span body, struct span *out)
{
    if (frontend_parse_password(body, out)) {
        if (out->n)
            return true;
        refuse(c, SQLSTATE_INVALID_PASSWORD, "empty password returned by client");
        return false;
    }
    refuse(c, SQLSTATE_PROTOCOL_VIOLATION, "malformed password message");
    return false;
}

static bool is_right(struct client *c, struct span password)
{
    const struct secret *known = client_setup_login(c)->secret;
    /* Who does not exist takes as long. */
    const struct secret *secret = known ? known : setup_decoy(c->who->setup);
    struct span user = span_str(client_user(c));
    struct error err;
    bool right = false;
    if (secret && c->login->method == LOGIN_MD5) /* its answer has the name that it knows */
        right = secret_check_md5(secret, span_str(client_called_user(c)), c->login->md5_salt,
                                 password, &err);
    else if (secret)
        right = secret_check_password(secret, user, password, c->context->keycache, &err);
    if (known && !right && strcmp(err.sqlstate, SQLSTATE_INVALID_PASSWORD) != 0)
        client_log(c, LOG_WARNING_LEVEL, "the password cannot be checked: %s", err.text);
    return right && known;
}

/* A password that is wrong may have been changed since its secret was looked up. */
static void settle_password(struct client *c, struct span password)
{
    struct client_login_run *run = c->login;
    if (is_right(c, password)) {
        client_login_proven(c);
    } else if (run->remembered) {
        run->remembered = false;
        buf_append(&run->proof, password.p, password.n);
        c->context->doubt(c->context->owner, c);
        look_up(c);
    } else {
        refuse_password(c);
    }
}

static void take_password(struct client *c, struct span body)
{
    struct span password;
    if (!take_string(c, body, &password))
        return;
    if (client_method_is_elsewhere(c->login->method))
        client_verify_begin(c, password);
    else
        settle_password(c, password);
}

static void sasl_ended_badly(struct client *c, enum scram_result result, struct error *err)
{
    /* The exchange has begun with the old verifier: it is too late for another. */
    if (c->login->remembered)
        c->context->doubt(c->context->owner, c);
    if (result == SCRAM_BAD || strcmp(err->sqlstate, SQLSTATE_INVALID_PASSWORD) != 0)
        client_login_failed(c, err);
    else
        refuse_password(c);
}

static void take_sasl_initial(struct client *c, struct span body)
{
    struct frontend_sasl_initial m;
    if (!frontend_parse_sasl_initial(body, &m)) {
        refuse(c, SQLSTATE_PROTOCOL_VIOLATION, "malformed SASLInitialResponse message");
        return;
    }
    struct buf b = {0};
    struct error err;
    size_t mark = backend_begin_authentication(&b, AUTHENTICATION_SASL_CONTINUE);
    enum scram_result result = scram_server_first(&c->login->scram, m.mechanism, m.data, &b, &err);
    writer_end(&b, mark);
    if (result == SCRAM_OK) {
        c->login->first_sent = true;
        send_buf(c, &b);
    } else {
        buf_reset(&b);
        sasl_ended_badly(c, result, &err);
    }
}

static void take_sasl_response(struct client *c, struct span body)
{
    struct buf *b = &c->login->answer;
    struct error err;
    size_t mark = backend_begin_authentication(b, AUTHENTICATION_SASL_FINAL);
    enum scram_result result = scram_server_final(&c->login->scram, body, b, &err);
    writer_end(b, mark);
    if (result != SCRAM_OK) {
        buf_reset(b);
        sasl_ended_badly(c, result, &err);
        return;
    }
    secret_learn(client_setup_login(c)->secret, scram_server_keys(&c->login->scram));
    client_login_proven(c);
}

static void take_answer(struct client *c, struct span body)
{
    if (c->login->method != LOGIN_SCRAM)
        take_password(c, body);
    else if (!c->login->first_sent)
        take_sasl_initial(c, body);
    else
        take_sasl_response(c, body);
}

/* What somebody who has not proven anything may make us keep. */
static unsigned longest_answer(const struct client *c)
{
    switch (c->login->method) {
    case LOGIN_SCRAM:
        return SCRAM_MESSAGE_MAX + SASL_FRAME_MAX;
    case LOGIN_MD5:
        return MD5_MESSAGE_MAX;
    default:
        return PASSWORD_MESSAGE_MAX;
    }
}

/* As buf_append, but where it has to move, no password is left behind. */
static void hold(struct buf *held, struct span bytes)
{
    size_t n = buf_len(held) + bytes.n;
    if (held->data && n > held->cap) {
        struct buf larger = {0};
        buf_reserve(&larger, n);
        buf_append(&larger, buf_span(held).p, buf_len(held));
        wipe_buf(held);
        *held = larger;
    }
    buf_append(held, bytes.p, bytes.n);
}

/* `sent`: all since the last answer. False if more of it is to come. */
static bool look_at_answer(struct client *c, struct span sent)
{
    struct error err;
    struct frame f;
    enum frame_result got = frame_next(sent, &f);
    if (got == FRAME_MORE)
        return false;
    if (got == FRAME_OK && f.type == FE_TERMINATE) {
        client_close(c, "client close request");
    } else if (got == FRAME_BAD || f.type != FE_PASSWORD || f.body_len > longest_answer(c)) {
        error_set(&err, SQLSTATE_PROTOCOL_VIOLATION,
                  "expected an authentication response of at most %u bytes", longest_answer(c));
        client_login_failed(c, &err);
    } else if (!f.whole) {
        return false;
    } else if (sent.n > f.total) {
        refuse(c, SQLSTATE_PROTOCOL_VIOLATION, "client sent more than its authentication response");
    } else {
        take_answer(c, f.body);
    }
    return true;
}

void client_login_input(struct client *c, struct span bytes)
{
    struct buf *held = &c->login->held;
    if (buf_is_empty(held)) {
        if (!look_at_answer(c, bytes))
            hold(held, bytes);
        return;
    }
    hold(held, bytes);
    /* The run may be over, and its buffer gone, when the answer was right. */
    struct buf sent = *held;
    *held = (struct buf){0};
    if (look_at_answer(c, buf_span(&sent)))
        wipe_buf(&sent);
    else
        *held = sent;
}

/* ---- auth_query ------------------------------------------------------------------------ */

/* Rules, certificates and accounts are held against the name that counts from now on. */
static bool may_be_called(struct client *c)
{
    struct client_login_run *run = c->login;
    enum login_method asked = run->method;
    struct error err;
    if (!client_method_choose(c, &err) ||
        (!client_method_is_exchange(run->method) && !client_method_admits(c, &err))) {
        client_login_failed(c, &err);
        return false;
    }
    if (run->method == asked || buf_is_empty(&run->proof))
        return true;
    refuse_password(c); /* which it gave by another method */
    return false;
}

void client_found(struct client *c, const struct client_finding *f)
{
    struct client_login_run *run = c->login;
    if (c->state != CLIENT_LOOKUP)
        return;
    if (!f->secret) {
        /* With auth_query, names are no secret that could be kept: PgBouncer says so, too. */
        client_log(c, LOG_INFO_LEVEL, "no such user: %s", client_user(c));
        refuse(c, SQLSTATE_INVALID_AUTHORIZATION, "no such user");
        return;
    }
    bool renamed = !span_is(f->user, client_user(c));
    if (!run->called_user && renamed)
        run->called_user = xstrdup(client_user(c));
    client_who_found(c->context->known, &c->who, f->user, f->secret);
    if (renamed && !may_be_called(c))
        return;
    /* What is asked again is settled by what comes, even if somebody else has asked for it. */
    run->remembered = f->remembered && buf_is_empty(&run->proof);
    if (client_setup_login(c)->is_console)
        client_method_grant_console(c);
    if (buf_is_empty(&run->proof))
        go_on(c);
    else
        settle_password(c, buf_span(&run->proof));
}

const char *client_called_user(const struct client *c)
{
    return c->login && c->login->called_user ? c->login->called_user : client_user(c);
}

void client_login_unasked(struct client *c, struct span bytes)
{
    if (bytes.p[0] == FE_TERMINATE)
        client_close(c, "client close request");
    else
        refuse(c, SQLSTATE_PROTOCOL_VIOLATION,
               "client spoke before it was asked for authentication");
}
