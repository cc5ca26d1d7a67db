/* SPDX-License-Identifier: PostgreSQL */
/* auth_query.c - ask a server for a user's secret. */
#include "relay/auth_query.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/frontend.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/control.h"
#include "relay/leave.h"
#include "relay/lookups.h"
#include "relay/names.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* A row holds a name and a secret, and no more than that is looked at. */
#define ANSWER_MAX (2 * SECRET_TEXT_MAX)

/* Everything is named with its schema, as the search_path may be anything yet. (SET LOCAL would
 * warn, outside of a block, in the server's log.) */
#define PREPARE                                                                                    \
    "SELECT pg_catalog.set_config('role', 'none', true), pg_catalog.set_config(name,"              \
    " CASE WHEN name OPERATOR(pg_catalog.=) 'search_path'"                                         \
    " THEN pg_catalog.concat_ws(', ', 'pg_catalog',"                                               \
    " CASE WHEN reset_val OPERATOR(pg_catalog.<>) '' THEN reset_val END, 'pg_temp')"               \
    " WHEN name OPERATOR(pg_catalog.=) 'standard_conforming_strings' THEN 'on'"                    \
    " ELSE reset_val END, true)"                                                                   \
    " FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) ANY ("                         \
    "'{search_path,standard_conforming_strings,statement_timeout,lock_timeout,row_security}'"      \
    "::pg_catalog.text[])"

struct asking {
    struct lookup *lookup; /* counted */
    uint64_t since_us;

    /* Of the one that leads, once it has a server. */
    bool over;     /* ReadyForQuery has come */
    bool too_long; /* ... the answer, to be looked at */
    bool has_columns;
    size_t n_columns;
    struct buf in; /* the message that has not come whole */
    struct lookup_answer answer;
    struct error error; /* text empty: none */
};

static void asking_free(struct asking **ap)
{
    struct asking *a = *ap;
    *ap = NULL;
    if (!a)
        return;
    lookup_unref(&a->lookup);
    secret_unref(&a->answer.secret);
    mem_wipe(a->in.data, a->in.cap);
    buf_reset(&a->in);
    free(a);
}

/* ---- where ----------------------------------------------------------------------------- */

/* What a client may know of a mistake in the configuration. */
static void config_error(struct error *err)
{
    error_set(err, SQLSTATE_INVALID_AUTHORIZATION, "bouncer config error");
}

static bool is_disabled(struct relay *r, const char *database)
{
    struct control *control = r->shared->control;
    control_enter(control);
    bool disabled = control_has(control, database, CONTROL_DISABLED);
    control_leave(control);
    return disabled;
}

static bool find_where(struct session *ses, struct setup_lookup *out, struct error *err)
{
    struct client *c = ses->client;
    if (!setup_find_lookup(client_setup(c), client_setup_login(c), client_database(c), out, err)) {
        client_log(c, LOG_WARNING_LEVEL, "%s", err->text);
        config_error(err);
        return false;
    }
    if (!is_disabled(ses->relay, out->database))
        return true;
    bool elsewhere = strcmp(out->database, client_database(c)) != 0;
    return error_set(err, SQLSTATE_CANNOT_CONNECT_NOW, "%sdatabase \"%s\" is disabled",
                     elsewhere ? "authentication " : "", out->database);
}

static void fill_question(struct session *ses, const struct setup_lookup *where,
                          struct lookup_question *q)
{
    *q = (struct lookup_question){.database = where->database,
                                  .auth_user = where->login.pool_user,
                                  .query = where->query,
                                  .user = client_called_user(ses->client)};
}

/* ---- telling --------------------------------------------------------------------------- */

/* The session is not asking any more: back to where it was before. */
static void let_go(struct session *ses)
{
    struct asking *a = ses->asking;
    ses->asking = NULL;
    asking_free(&a);
    if (!ses->pool)
        return;
    pool_unref(&ses->pool);
    ses->place = NULL;
    ses->stats = NULL;
}

static void tell_answer(struct session *ses, const struct lookup_answer *answer, bool remembered)
{
    const struct client_finding f = {
        .user = span_str(answer->user), .secret = answer->secret, .remembered = remembered};
    let_go(ses);
    client_found(ses->client, &f);
}

static void tell_failure(struct session *ses, const struct error *err)
{
    let_go(ses);
    client_fail(ses->client, err);
}

static void lead(struct session *ses);

struct told {
    struct message message;
    uint64_t client_id;
    struct lookup *lookup; /* counted */
    enum { TOLD_TO_LEAD, TOLD_ANSWER, TOLD_FAILURE } what;
    struct lookup_answer answer; /* the secret is counted */
    struct error error;
};

static void deliver_told(struct message *m, void *receiver)
{
    struct told *t = container_of(m, struct told, message);
    struct session *ses = receiver ? relay_find_session(receiver, t->client_id) : NULL;
    if (ses && ses->asking && ses->asking->lookup == t->lookup) {
        switch (t->what) {
        case TOLD_TO_LEAD:
            lead(ses);
            break;
        case TOLD_ANSWER:
            tell_answer(ses, &t->answer, false);
            break;
        case TOLD_FAILURE:
            tell_failure(ses, &t->error);
            break;
        }
    }
    lookup_unref(&t->lookup);
    secret_unref(&t->answer.secret);
    free(t);
}

static struct told *told_new(struct lookup *k, const struct lookup_asker *who)
{
    struct told *t = xcalloc(1, sizeof *t);
    t->message.deliver = deliver_told;
    t->client_id = who->client_id;
    t->lookup = lookup_ref(k);
    return t;
}

static void post(struct relay *r, const struct lookup_asker *who, struct told *t)
{
    mailbox_post(relay_mailbox(r->shared->relays[who->worker]), &t->message);
}

/* Those who followed are told what `as` says, and freed. */
static void post_all(struct session *ses, struct lookup_asker *followers, size_t n,
                     const struct told *as)
{
    for (size_t i = 0; i < n; i++) {
        struct told *t = told_new(ses->asking->lookup, &followers[i]);
        t->what = as->what;
        t->error = as->error;
        t->answer = as->answer;
        if (t->answer.secret)
            secret_ref(t->answer.secret);
        post(ses->relay, &followers[i], t);
    }
    free(followers);
}

static void end_lookup(struct session *ses, struct lookup_answer *answer)
{
    size_t n;
    struct lookup_asker *followers =
        lookup_end(ses->asking->lookup, answer, loop_now(ses->relay->loop), &n);
    const struct told as = {.what = TOLD_ANSWER, .answer = *answer};
    post_all(ses, followers, n, &as);
}

static void give_up_lookup(struct session *ses, const struct error *err)
{
    size_t n;
    struct lookup_asker *followers =
        lookup_end(ses->asking->lookup, NULL, loop_now(ses->relay->loop), &n);
    const struct told as = {.what = TOLD_FAILURE, .error = *err};
    post_all(ses, followers, n, &as);
}

/* ---- the answer ------------------------------------------------------------------------ */

static void note_error(struct asking *a, const char *text)
{
    if (!a->error.text[0])
        error_set(&a->error, "", "%s", text);
}

static bool take_user(struct asking *a, struct span user)
{
    if (!user.p) /* he keeps his own */
        return true;
    return user.n && span_to_str(user, a->answer.user, sizeof a->answer.user);
}

static void take_row(struct asking *a, struct span body)
{
    struct span values[2];
    struct error err;
    size_t n;
    if (!a->has_columns || a->n_columns != 2 || !backend_parse_data_row(body, values, 2, &n) ||
        n != 2)
        return; /* said when it is over */
    secret_unref(&a->answer.secret);
    /* A function that returns no set has a row for everybody. */
    if (!values[0].p && !values[1].p)
        return;
    if (!take_user(a, values[0])) {
        note_error(a, "the name of the user is empty or too long");
        return;
    }
    a->answer.secret = secret_new(values[1].p ? values[1] : span_of("", 0), &err);
    if (!a->answer.secret)
        note_error(a, err.text);
}

static void take_message(struct asking *a, const struct frame *f)
{
    if (f->type == BE_NO_DATA)
        a->has_columns = true;
    else if (f->type == BE_ROW_DESCRIPTION)
        a->has_columns = backend_parse_row_description(f->body, NULL, 0, &a->n_columns);
    else if (f->type == BE_DATA_ROW)
        take_row(a, f->body);
}

/* Pieces, in order, of what answers Describe and Execute. */
static void on_forward(struct server *s, struct span bytes)
{
    struct lent *l = server_owner(s);
    struct asking *a = l->session->asking;
    struct frame f;
    a->too_long |= buf_len(&a->in) + bytes.n > ANSWER_MAX;
    if (a->too_long) {
        buf_clear(&a->in);
        return;
    }
    buf_append(&a->in, bytes.p, bytes.n);
    while (frame_next(buf_span(&a->in), &f) == FRAME_OK && f.whole) {
        take_message(a, &f);
        buf_consume(&a->in, f.total);
    }
}

static bool on_error(struct server *s, const struct expect *e, struct span message)
{
    struct lent *l = server_owner(s);
    struct asking *a = l->session->asking;
    struct report r;
    char text[160] = "an error that is too long to be shown";
    (void)e;
    if (message.n > FRAME_HEADER &&
        report_parse(span_of(message.p + FRAME_HEADER, message.n - FRAME_HEADER), &r))
        snprintf(text, sizeof text, "%.*s", (int)r.message.n, (const char *)r.message.p);
    note_error(a, text);
    return false;
}

static enum server_ready on_ready_for_query(struct server *s, const struct expect *e)
{
    struct lent *l = server_owner(s);
    (void)e;
    l->session->asking->over = true;
    return SERVER_READY_DROP;
}

static void nothing_about(struct server *s, const struct expect *e)
{
    (void)s;
    (void)e;
}

static void on_parameter(struct server *s, struct span name, struct span value, struct span message)
{
    (void)s;
    (void)name;
    (void)value;
    (void)message;
}

static void on_complete(struct server *s, const struct expect *e, struct span tag)
{
    (void)tag;
    nothing_about(s, e);
}

static void nothing(struct server *s)
{
    (void)s;
}

/* ---- over ------------------------------------------------------------------------------ */

/* The server goes back to its pool; a query that has left a transaction open is rolled back. */
static void give_back(struct session *ses)
{
    struct lent *l = ses->lent;
    ses->lent = NULL;
    l->session = NULL;
    server_set_ops(l->server, &respond_ops);
    if (server_status(l->server) == 'I')
        broker_release(l);
    else
        leave_begin(l, false);
}

static void judge(struct asking *a)
{
    char text[80];
    if (a->error.text[0])
        return;
    if (a->too_long) {
        note_error(a, "the answer is too long");
    } else if (!a->has_columns || a->n_columns != 2) {
        snprintf(text, sizeof text, "it must give 2 columns, not %zu", a->n_columns);
        note_error(a, text);
    }
}

static void settle(struct session *ses)
{
    struct asking *a = ses->asking;
    struct error err;
    judge(a);
    if (a->error.text[0])
        lent_log(ses->lent, LOG_WARNING_LEVEL, "error in auth_query: %s", a->error.text);
    give_back(ses);
    if (a->error.text[0]) {
        config_error(&err);
        give_up_lookup(ses, &err);
        tell_failure(ses, &err);
        return;
    }
    end_lookup(ses, &a->answer);
    struct lookup_answer answer = a->answer;
    a->answer.secret = NULL;
    tell_answer(ses, &answer, false);
    secret_unref(&answer.secret);
}

static void on_input_done(struct server *s)
{
    struct lent *l = server_owner(s);
    if (server_get_state(s) != SERVER_CLOSING && l->session->asking->over && server_is_at_rest(s))
        settle(l->session);
}

static void on_end(struct server *s, const struct server_end *end)
{
    struct lent *l = server_owner(s);
    struct session *ses = l->session;
    lent_log(l, LOG_WARNING_LEVEL, "error in auth_query: %s", end->error.text);
    ses->lent = NULL;
    l->session = NULL;
    server_set_ops(s, &respond_ops);
    auth_query_failed(ses, &end->error);
    broker_server_ended(s, end);
}

static const struct server_ops asking_ops = {
    .on_forward = on_forward,
    .on_inject = nothing_about,
    .on_parameter = on_parameter,
    .on_error = on_error,
    .on_dropped = nothing_about,
    .on_answered = nothing_about,
    .on_ready_for_query = on_ready_for_query,
    .on_complete = on_complete,
    .on_flush = nothing,
    .on_input_done = on_input_done,
    .on_drained = nothing,
    .on_end = on_end,
};

/* ---- asking ---------------------------------------------------------------------------- */

static void compose(struct outgoing *out, struct expect_queue *q, struct span query,
                    struct span user)
{
    struct buf *b = outgoing_buf(out);
    struct span none = span_str("");
    frontend_build_run(b, none, none, span_str(PREPARE));
    expect_push(q, EXPECT_PARSE, EXPECT_OURS, 0);
    expect_push(q, EXPECT_BIND, EXPECT_OURS, 0);
    expect_push(q, EXPECT_EXECUTE, EXPECT_OURS, 0);
    frontend_build_parse(b, none, query, none, 0);
    expect_push(q, EXPECT_PARSE, EXPECT_OURS, 0);
    frontend_build_bind(b, none, none, &user, 1);
    expect_push(q, EXPECT_BIND, EXPECT_OURS, 0);
    frontend_build_describe(b, 'P', none);
    expect_push(q, EXPECT_DESCRIBE, EXPECT_CLIENT, 0);
    frontend_build_execute(b, none, 0);
    expect_push(q, EXPECT_EXECUTE, EXPECT_CLIENT, 0);
    frontend_build_sync(b);
    expect_push(q, EXPECT_SYNC, EXPECT_OURS, 0);
}

void auth_query_got_server(struct session *ses, struct lent *l)
{
    struct server *s = l->server;
    struct outgoing *out = &ses->relay->to_server;
    struct lookup_answer *answer = &ses->asking->answer;
    struct setup_lookup where;
    struct error err;
    if (!find_where(ses, &where, &err)) {
        broker_release(l);
        auth_query_failed(ses, &err);
        return;
    }
    ses->lent = l;
    l->session = ses;
    l->error_since_ready = l->group_open = false;
    names_begin(ses, l);
    server_enter(s, SERVER_LINKED);
    server_set_ops(s, &asking_ops);
    server_statements_set_unnamed(server_statements_of(s), 0, 0, 0);
    struct span user = span_str(client_called_user(ses->client));
    (void)span_to_str(user, answer->user, sizeof answer->user);
    compose(out, server_expects(s), span_str(where.query), user);
    counter_add(&ses->stats->server_assignment, 1);
    server_send(s, out); /* a failure is told by on_end */
}

static void lead(struct session *ses)
{
    struct relay *r = ses->relay;
    struct setup_lookup where;
    struct error err;
    if (!find_where(ses, &where, &err)) {
        auth_query_failed(ses, &err);
        return;
    }
    ses->pool = places_find(r->shared->places, client_setup(ses->client), &where.login,
                            where.database, where.login.pool_user);
    ses->place = pool_owner(ses->pool);
    ses->stats = figures_row(ses->place->figures, (unsigned)r->worker);
    if (!control_login(r->shared->control, ses->pool, &err)) {
        auth_query_failed(ses, &err);
        return;
    }
    switch (broker_acquire(ses, &err)) {
    case ACQUIRED: {
        struct lent *l = ses->given;
        ses->given = NULL;
        auth_query_got_server(ses, l);
        return;
    }
    case ACQUIRE_WAIT:
        /* It may have followed another one before. */
        ses->wait_since_us = ses->asking->since_us;
        return;
    case ACQUIRE_REFUSED:
        auth_query_failed(ses, &err);
        return;
    }
}

/* That auth_user cannot log in is no news for a client, who would take it for his own password. */
static bool is_about_auth_user(const struct error *err)
{
    return strncmp(err->sqlstate, "28", 2) == 0 || strncmp(err->sqlstate, "3D", 2) == 0;
}

void auth_query_failed(struct session *ses, const struct error *err)
{
    struct error tell = *err;
    if (is_about_auth_user(err) && strcmp(err->text, "bouncer config error") != 0) {
        client_log(ses->client, LOG_WARNING_LEVEL, "error in auth_query: %s", err->text);
        config_error(&tell);
    }
    give_up_lookup(ses, &tell);
    tell_failure(ses, &tell);
}

void auth_query_look_up(void *owner, struct client *c)
{
    struct relay *r = owner;
    struct session *ses = client_data(c);
    struct setup_lookup where;
    struct lookup_question question;
    struct lookup_answer answer;
    struct error err;
    if (!find_where(ses, &where, &err)) {
        client_fail(c, &err);
        return;
    }
    fill_question(ses, &where, &question);
    const struct lookup_asker me = {.worker = (unsigned)r->worker, .client_id = ses->id};
    uint64_t max_age = setup_config(client_setup(c))->auth_query_cache_time_us;
    uint64_t now = loop_now(r->loop);
    struct lookup *lookup = NULL;
    enum lookups_asked asked =
        lookups_ask(r->shared->lookups, &question, &me, max_age, now, &answer, &lookup);
    if (asked == LOOKUPS_KNOWN) {
        tell_answer(ses, &answer, true);
        secret_unref(&answer.secret);
        return;
    }
    ses->asking = xcalloc(1, sizeof *ses->asking);
    ses->asking->lookup = lookup;
    ses->asking->since_us = now;
    if (asked == LOOKUPS_LEAD)
        lead(ses);
}

void auth_query_doubt(void *owner, struct client *c)
{
    struct relay *r = owner;
    struct setup_lookup where;
    struct lookup_question question;
    struct error err;
    if (!find_where(client_data(c), &where, &err))
        return;
    fill_question(client_data(c), &where, &question);
    lookups_doubt(r->shared->lookups, &question);
}

void auth_query_gone(struct session *ses)
{
    struct asking *a = ses->asking;
    struct lookup_asker next;
    if (!a)
        return;
    ses->asking = NULL;
    if (ses->lent)
        server_set_ops(ses->lent->server, &respond_ops);
    if (lookup_leave(a->lookup, ses->id, &next)) {
        struct told *t = told_new(a->lookup, &next);
        t->what = TOLD_TO_LEAD;
        post(ses->relay, &next, t);
    }
    asking_free(&a);
}
