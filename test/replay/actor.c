/* SPDX-License-Identifier: PostgreSQL */
/* actor.c - applications and servers, and how they log in. */
#include "replay/actor.h"

#include "auth/md5.h"
#include "auth/scram_client.h"
#include "auth/scram_server.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/backend.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "proto/report.h"
#include "proto/startup.h"
#include "replay/notation.h"
#include "support/fake_net.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t salt[MD5_SALT_LEN] = {'s', 'a', 'l', 't'};

/* ---- who there is ---------------------------------------------------------------------- */

void cast_init(struct cast *c)
{
    *c = (struct cast){0};
    TAILQ_INIT(&c->actors);
}

static void scram_server_drop(struct actor *a)
{
    if (a->scram)
        scram_server_fini(a->scram);
    free(a->scram);
    a->scram = NULL;
}

void cast_fini(struct cast *c)
{
    struct actor *a;
    while ((a = TAILQ_FIRST(&c->actors)) != NULL) {
        TAILQ_REMOVE(&c->actors, a, link);
        scram_server_drop(a);
        buf_reset(&a->startup);
        free(a);
    }
}

struct actor *cast_find(struct cast *c, const char *name)
{
    struct actor *a;
    TAILQ_FOREACH(a, &c->actors, link)
    {
        if (strcmp(a->name, name) == 0)
            return a;
    }
    return NULL;
}

struct actor *cast_add(struct cast *c, const char *name, struct fake_wire *w)
{
    struct actor *a = xcalloc(1, sizeof *a);
    snprintf(a->name, sizeof a->name, "%s", name);
    a->wire = w;
    TAILQ_INSERT_TAIL(&c->actors, a, link);
    return a;
}

/* ---- what was said to it --------------------------------------------------------------- */

size_t actor_next(const struct actor *a)
{
    struct frame f = {0};
    if (!buf_is_empty(&a->startup))
        return buf_len(&a->startup);
    struct span said = buf_span(&a->wire->out);
    if (a->awaits_byte)
        return said.n ? 1 : 0;
    if (frame_next(said, &f) != FRAME_OK || f.total > said.n)
        return 0;
    return f.total;
}

void actor_show(const struct actor *a, size_t n, struct buf *text)
{
    struct span said = span_of(buf_span(&a->wire->out).p, n);
    if (!buf_is_empty(&a->startup)) {
        notation_show_startup(text, buf_span(&a->startup));
    } else if (a->awaits_byte) {
        char byte[16];
        buf_append(text, byte, (size_t)snprintf(byte, sizeof byte, "Byte \"%c\"", said.p[0]));
    } else {
        notation_show(text, a->is_server ? SPEAKER_FRONTEND : SPEAKER_BACKEND, said);
    }
}

void actor_take(struct actor *a, size_t n)
{
    if (!buf_is_empty(&a->startup)) {
        buf_reset(&a->startup);
        return;
    }
    struct span said = buf_span(&a->wire->out);
    struct span key;
    if (!a->awaits_byte && !a->is_server && said.p[0] == BE_BACKEND_KEY_DATA &&
        backend_parse_key_data(span_of(said.p + FRAME_HEADER, n - FRAME_HEADER), &key) &&
        key.n == ACTOR_KEY)
        memcpy(a->key, key.p, ACTOR_KEY);
    a->awaits_byte = false;
    buf_consume(&a->wire->out, n);
}

/* ---- servers --------------------------------------------------------------------------- */

static void say(struct actor *a, struct buf *b)
{
    struct span bytes = buf_span(b);
    buf_append(&a->wire->in, bytes.p, bytes.n);
    buf_reset(b);
}

static void greet(struct actor *a)
{
    static const char *const reports[][2] = {
        {"application_name", ""},
        {"client_encoding", "UTF8"},
        {"DateStyle", "ISO, MDY"},
        {"integer_datetimes", "on"},
        {"IntervalStyle", "postgres"},
        {"is_superuser", "off"},
        {"server_encoding", "UTF8"},
        {"server_version", "15.0"},
        {"standard_conforming_strings", "on"},
        {"TimeZone", "UTC"},
    };
    struct buf b = {0};
    backend_build_authentication_ok(&b);
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++)
        backend_build_parameter_status(&b, span_str(reports[i][0]), span_str(reports[i][1]));
    backend_build_key_data(&b, span_of(a->key, sizeof a->key));
    backend_build_ready_for_query(&b, 'I');
    say(a, &b);
    a->is_logging_in = false;
    scram_server_drop(a);
}

static void refuse(struct actor *a, const char *sqlstate, const char *text)
{
    struct buf b = {0};
    struct error err;
    error_set(&err, sqlstate, "%s", text);
    report_error(&b, "FATAL", &err, NULL, NULL);
    say(a, &b);
    a->wire->end = FAKE_END_EOF;
    a->is_logging_in = false;
}

static void ask(struct actor *a)
{
    struct buf b = {0};
    struct scram_verifier verifier;
    struct error err;
    static const char *const names[] = {SCRAM_NAME_PLAIN};
    switch (a->terms.manner) {
    case SERVERS_TRUST:
        greet(a);
        return;
    case SERVERS_FATAL:
        refuse(a, a->terms.sqlstate, a->terms.text);
        return;
    case SERVERS_MANUAL:
        a->is_logging_in = false;
        return;
    case SERVERS_PASSWORD:
        backend_build_authentication_cleartext(&b);
        break;
    case SERVERS_MD5:
        backend_build_authentication_md5(&b, salt);
        break;
    case SERVERS_SCRAM:
        if (!scram_make_verifier(span_str(a->terms.password), SCRAM_ITERATIONS, &verifier, &err))
            abort();
        a->scram = xcalloc(1, sizeof *a->scram);
        scram_server_init(a->scram, &verifier, false, SCRAM_OFFER_PLAIN, span_of("", 0));
        backend_build_authentication_sasl(&b, names, 1);
        break;
    }
    say(a, &b);
}

static void check_sasl(struct actor *a, struct span body)
{
    struct frontend_sasl_initial m;
    struct buf data = {0}, b = {0};
    struct error err;
    if (a->scram->step == SCRAM_SERVER_FIRST) {
        if (!frontend_parse_sasl_initial(body, &m) ||
            scram_server_first(a->scram, m.mechanism, m.data, &data, &err) != SCRAM_OK)
            refuse(a, "28P01", "password authentication failed");
        else
            backend_build_authentication_sasl_continue(&b, buf_span(&data));
        say(a, &b);
    } else if (scram_server_final(a->scram, body, &data, &err) == SCRAM_OK) {
        backend_build_authentication_sasl_final(&b, buf_span(&data));
        say(a, &b);
        greet(a);
    } else {
        refuse(a, "28P01", "password authentication failed");
    }
    buf_reset(&data);
}

static void check_password(struct actor *a, struct span body)
{
    struct span given;
    struct error err;
    char stored[MD5_TEXT_LEN + 1], answer[MD5_TEXT_LEN + 1];
    const char *want = a->terms.password;
    if (a->terms.manner == SERVERS_MD5) {
        if (!md5_stored(span_str(a->terms.password), span_str(a->user), stored, &err) ||
            !md5_answer(span_of(stored, MD5_TEXT_LEN), salt, answer, &err))
            abort();
        want = answer;
    }
    if (frontend_parse_password(body, &given) && span_is(given, want))
        greet(a);
    else
        refuse(a, "28P01", "password authentication failed");
}

static bool answer_login(struct actor *a)
{
    struct frame f = {0};
    struct span said = buf_span(&a->wire->out);
    if (frame_next(said, &f) != FRAME_OK || !f.whole || f.type != FE_PASSWORD)
        return false;
    if (a->terms.manner == SERVERS_SCRAM)
        check_sasl(a, f.body);
    else
        check_password(a, f.body);
    buf_consume(&a->wire->out, f.total);
    return true;
}

static void begin_server(struct cast *c, struct fake_wire *w, const struct startup *m, size_t used)
{
    char name[32];
    snprintf(name, sizeof name, "s%u", ++c->n_servers);
    struct actor *a = cast_add(c, name, w);
    a->is_server = a->is_logging_in = true;
    a->terms = c->terms;
    memcpy(a->key, (const uint8_t[]){0, 0, 0, (uint8_t)c->n_servers, 'K', 'E', 'Y', 'S'},
           ACTOR_KEY);
    if (!span_to_str(m->user, a->user, sizeof a->user))
        abort();
    if (a->terms.manner == SERVERS_MANUAL)
        buf_append(&a->startup, buf_span(&w->out).p, used);
    buf_consume(&w->out, used);
    ask(a);
}

static void begin_cancel(struct cast *c, struct fake_wire *w, size_t used)
{
    char name[32];
    snprintf(name, sizeof name, "k%u", ++c->n_cancels);
    struct actor *a = cast_add(c, name, w);
    a->is_server = a->is_cancel = true;
    buf_append(&a->startup, buf_span(&w->out).p, used);
    buf_consume(&w->out, used);
}

/* The first packet of a connection that the program has dialled. */
static bool name_next(struct cast *c, bool *ok_out, struct error *err)
{
    struct fake_wire *w = fake_wire_dialed(c->n_seen);
    struct startup m;
    size_t used;
    if (!w)
        return false;
    enum startup_kind kind = startup_parse(buf_span(&w->out), &m, &used, err);
    if (kind == STARTUP_MORE && w->is_closed) {
        c->n_seen++; /* given up before a word was said */
        return true;
    }
    if (kind == STARTUP_MORE)
        return false;
    c->n_seen++;
    if (kind == STARTUP_START) {
        begin_server(c, w, &m, used);
    } else if (kind == STARTUP_CANCEL) {
        begin_cancel(c, w, used);
    } else {
        if (kind != STARTUP_BAD)
            error_set(err, "", "a server was asked for encryption");
        *ok_out = false;
    }
    return true;
}

bool cast_servers_act(struct cast *c, bool *ok_out, struct error *err)
{
    struct actor *a;
    *ok_out = true;
    bool any = name_next(c, ok_out, err);
    TAILQ_FOREACH(a, &c->actors, link)
    {
        if (a->is_server && a->is_logging_in && !a->wire->is_closed)
            any |= answer_login(a);
    }
    return any;
}

/* ---- applications ---------------------------------------------------------------------- */

void login_run_fini(struct login_run *run)
{
    if (run->scram)
        scram_client_fini(run->scram);
    free(run->scram);
    run->scram = NULL;
}

static bool answer_sasl(struct login_run *run, const struct backend_authentication *m,
                        struct buf *b, struct error *err)
{
    static const struct scram_choice plain = {.mechanism = SCRAM_PLAIN, .gs2_flag = 'n'};
    struct scram_keys keys;
    struct buf data = {0};
    bool ok = true;
    if (m->code == AUTHENTICATION_SASL) {
        run->scram = xcalloc(1, sizeof *run->scram);
        scram_client_init(run->scram, plain, span_of("", 0), SCRAM_ITERATIONS_MAX);
        scram_client_first(run->scram, &data);
        frontend_build_sasl_initial(b, span_str(SCRAM_NAME_PLAIN), buf_span(&data));
    } else if (m->code == AUTHENTICATION_SASL_CONTINUE) {
        ok = scram_client_challenge(run->scram, m->data, err) == SCRAM_OK &&
             scram_derive(span_str(run->password), scram_client_salt(run->scram),
                          scram_client_iterations(run->scram), &keys, err) &&
             scram_client_final(run->scram, &keys, &data, err) == SCRAM_OK;
        if (ok)
            frontend_build_sasl_response(b, buf_span(&data));
    } else {
        ok = scram_client_verify(run->scram, m->data, err) == SCRAM_OK;
    }
    buf_reset(&data);
    return ok;
}

static bool answer_authentication(struct login_run *run, struct span body, struct buf *b,
                                  struct error *err)
{
    struct backend_authentication m;
    char stored[MD5_TEXT_LEN + 1], answer[MD5_TEXT_LEN + 1];
    if (!backend_parse_authentication(body, &m))
        return error_set(err, "", "malformed authentication request");
    if (m.code == AUTHENTICATION_OK)
        return true;
    if (!run->password)
        return error_set(err, "", "the program asks for a password: login … password=…");
    switch (m.code) {
    case AUTHENTICATION_CLEARTEXT:
        frontend_build_password(b, span_str(run->password));
        return true;
    case AUTHENTICATION_MD5:
        if (!md5_stored(span_str(run->password), span_str(run->user), stored, err) ||
            !md5_answer(span_of(stored, MD5_TEXT_LEN), m.salt, answer, err))
            return false;
        frontend_build_password(b, span_of(answer, MD5_TEXT_LEN));
        return true;
    default:
        return answer_sasl(run, &m, b, err);
    }
}

enum login_step actor_login_step(struct actor *a, struct login_run *run, struct error *err)
{
    size_t n = actor_next(a);
    if (!n) {
        error_set(err, "", "the connection was closed without a word");
        return a->wire->is_closed ? LOGIN_STEP_REFUSED : LOGIN_STEP_WAIT;
    }
    struct span said = buf_span(&a->wire->out);
    struct buf answer = {0};
    uint8_t type = said.p[0];
    if (type == BE_ERROR)
        return LOGIN_STEP_REFUSED;
    if (type == BE_AUTHENTICATION &&
        !answer_authentication(run, span_of(said.p + FRAME_HEADER, n - FRAME_HEADER), &answer,
                               err)) {
        buf_reset(&answer);
        return LOGIN_STEP_REFUSED;
    }
    actor_take(a, n);
    say(a, &answer);
    return type == BE_READY_FOR_QUERY ? LOGIN_STEP_DONE : LOGIN_STEP_ACTED;
}
