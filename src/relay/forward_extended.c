/* SPDX-License-Identifier: PostgreSQL */
/* forward_extended.c - Parse, Bind, Describe, Execute, Close.
 *
 * A named statement of a client is remembered with its text (track/prepared.h) and has one name on
 * all servers. What a server does not have yet is parsed there first, in the same write, and the
 * answer is swallowed; what it has already is not parsed again, and the ParseComplete is ours to
 * give in its turn. Names are undone when their Parse fails or is skipped (respond.c).
 *
 * With max_prepared_statements=0 and in session mode nothing is renamed or remembered. */
#include "relay/forward_extended.h"

#include "proto/frontend.h"
#include "proto/message.h"
#include "relay/forward.h"
#include "relay/link.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdio.h>

static struct expect_queue *expects(struct session *ses)
{
    return server_expects(ses->lent->server);
}

static struct server_statements *on_server(struct session *ses)
{
    return server_statements_of(ses->lent->server);
}

static struct client_statements *mine(struct session *ses)
{
    return client_statements_of(ses->client);
}

static struct buf *composed(struct session *ses)
{
    return outgoing_buf(&ses->relay->to_server);
}

static void pass(struct session *ses, const struct request *r, enum expect_kind kind)
{
    expect_push(expects(ses), kind, EXPECT_CLIENT, 0);
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
}

static struct span body_of(const struct request *r)
{
    return span_of(r->bytes.p + FRAME_HEADER, r->bytes.n - FRAME_HEADER);
}

static enum request_verdict violation(struct session *ses, const char *text)
{
    struct error err;
    error_set(&err, SQLSTATE_PROTOCOL_VIOLATION, "%s", text);
    client_fail(ses->client, &err);
    return REQUEST_CLOSED;
}

static bool is_followed(struct session *ses)
{
    return server_statements_cap(on_server(ses)) > 0;
}

/* ---- what the server must have --------------------------------------------------------- */

static void close_on_server(struct session *ses, uint64_t id)
{
    char name[STATEMENT_NAME];
    frontend_build_close(composed(ses), 'S', span_str(statement_server_name(id, name)));
    expect_push(expects(ses), EXPECT_CLOSE, EXPECT_OURS, id);
}

static void note_on_server(struct session *ses, uint64_t id)
{
    uint64_t evicted = server_statements_add(on_server(ses), id);
    if (evicted)
        close_on_server(ses, evicted);
}

/* Parses again under the state of the original Parse, if the session has another one by now. */
static struct param_set *parse_state_of(struct session *ses, struct param_set *state)
{
    struct param_set *now = client_params(ses->client);
    if (params_fingerprint(state) == params_fingerprint(now))
        return NULL;
    return params_with_parse_state(now, state);
}

static void ensure_statement(struct session *ses, struct statement *st)
{
    uint64_t id = statement_id(st);
    if (server_statements_touch(on_server(ses), id))
        return;
    struct param_set *then = parse_state_of(ses, statement_params(st));
    if (then)
        link_set_ahead(ses, then, client_params(ses->client));
    note_on_server(ses, id);
    statement_build_parse(composed(ses), st);
    expect_push(expects(ses), EXPECT_PARSE, EXPECT_OURS, id);
    if (then)
        link_set_ahead(ses, client_params(ses->client), then);
    param_set_unref(&then);
}

/* What the server has under no name is another client's, or a SET of ours. Without it the server
 * says in its own words that there is none. */
static void drop_unnamed_of_others(struct session *ses)
{
    if (ses->pins & PIN_LARGE_PARSE)
        return; /* then it may be this client's, too large to be remembered */
    frontend_build_close(composed(ses), 'S', span_str(""));
    expect_push(expects(ses), EXPECT_CLOSE, EXPECT_OURS, 0);
    server_statements_set_unnamed(on_server(ses), 0, 0);
}

/* The client's unnamed statement exists on one server only. */
static void ensure_unnamed(struct session *ses)
{
    uint64_t generation = client_statements_unnamed_generation(mine(ses));
    if (server_statements_unnamed_is(on_server(ses), ses->id, generation))
        return;
    if (!generation) {
        drop_unnamed_of_others(ses);
        return;
    }
    struct param_set *then = parse_state_of(ses, client_statements_unnamed_params(mine(ses)));
    if (then)
        link_set_ahead(ses, then, client_params(ses->client));
    client_statements_build_unnamed(mine(ses), composed(ses));
    expect_push(expects(ses), EXPECT_PARSE, EXPECT_OURS, 0);
    server_statements_set_unnamed(on_server(ses), ses->id, generation);
    if (then)
        link_set_ahead(ses, client_params(ses->client), then);
    param_set_unref(&then);
}

/* Makes the server raise the error that the client's own server would have raised. */
static void provoke(struct session *ses, const char *prefix, struct span name)
{
    char text[STATEMENT_PROVOKE_NAME];
    frontend_build_describe(composed(ses), 'S',
                            span_str(statement_provoke_name(prefix, name, text)));
    expect_push(expects(ses), EXPECT_DESCRIBE, EXPECT_CLIENT, 0);
}

/* Names that we use on servers must not be reachable by a client that guesses them. */
static bool is_our_name(struct span name)
{
    static const char prefix[] = "PGBALLAST_";
    return name.n >= sizeof prefix - 1 && memcmp(name.p, prefix, sizeof prefix - 1) == 0;
}

/* ---- Parse ----------------------------------------------------------------------------- */

/* What a Parse that is sent now is parsed under. Within a transaction that is not yet the
 * session's: a SET may still be rolled back, SET LOCAL will be gone. */
static struct param_set *params_for_parse(struct session *ses)
{
    const struct lent *l = ses->lent;
    return l->target ? client_params(ses->client) : server_params(l->server);
}

static void parse_named(struct session *ses, const struct frontend_parse *m)
{
    if (client_statements_find(mine(ses), m->name)) {
        provoke(ses, STATEMENT_PROVOKE_DUPLICATE, m->name);
        return;
    }
    struct statement *st = statement_intern(m->query, m->oids, m->n_oids, params_for_parse(ses));
    uint32_t serial = client_statements_define(mine(ses), m->name, st);
    uint64_t id = statement_id(st);
    /* In a failed transaction the server must see the Parse to refuse it. */
    if (server_status(ses->lent->server) != 'E' && server_statements_touch(on_server(ses), id)) {
        expect_push_serial(expects(ses), EXPECT_INJECT_PARSE, EXPECT_CLIENT, id, serial);
    } else {
        note_on_server(ses, id);
        statement_build_parse(composed(ses), st);
        expect_push_serial(expects(ses), EXPECT_PARSE, EXPECT_CLIENT, id, serial);
    }
    statement_unref(&st);
}

static enum request_verdict take_parse(struct session *ses, const struct request *r)
{
    struct frontend_parse m;
    counter_add(&ses->stats->client_parse, 1);
    if (!is_followed(ses)) {
        pass(ses, r, EXPECT_PARSE);
        return REQUEST_TAKEN;
    }
    if (!r->last || r->body_len > STATEMENT_PARSE_MAX) {
        /* Too large to keep a copy: it streams, and the client keeps the server. */
        ses->pins |= PIN_LARGE_PARSE;
        client_statements_drop_unnamed(mine(ses));
        server_statements_set_unnamed(on_server(ses), 0, 0);
        pass(ses, r, EXPECT_PARSE);
        return REQUEST_TAKEN;
    }
    if (!frontend_parse_parse(body_of(r), &m))
        return violation(ses, "broken Parse packet");
    if (m.name.n && client_statements_is_full(mine(ses)))
        return violation(ses, "too many prepared statements");
    if (m.name.n) {
        parse_named(ses, &m);
        return REQUEST_TAKEN;
    }
    ses->unnamed_ending = (uint8_t)forward_ending_of(m.query, true);
    client_statements_set_unnamed(mine(ses), m.query, m.oids, m.n_oids, params_for_parse(ses));
    server_statements_set_unnamed(on_server(ses), ses->id,
                                  client_statements_unnamed_generation(mine(ses)));
    pass(ses, r, EXPECT_PARSE);
    return REQUEST_TAKEN;
}

bool extended_parse_alone(struct session *ses, const struct request *r)
{
    struct frontend_parse m;
    if (!ses->follows_statements || !r->last || r->body_len > STATEMENT_PARSE_MAX ||
        !frontend_parse_parse(body_of(r), &m) || !m.name.n ||
        client_statements_is_full(mine(ses)) || client_statements_find(mine(ses), m.name))
        return false;
    struct statement *st = statement_intern(m.query, m.oids, m.n_oids, client_params(ses->client));
    bool known = place_has_parsed(ses->place, statement_id(st));
    if (known)
        client_statements_define(mine(ses), m.name, st);
    statement_unref(&st);
    return known;
}

/* ---- Bind, Describe, Close ------------------------------------------------------------- */

static enum request_verdict take_bind(struct session *ses, const struct request *r)
{
    struct frontend_bind_head head;
    char name[STATEMENT_NAME];
    counter_add(&ses->stats->bind, 1);
    if (frontend_parse_bind_head(body_of(r), r->body_len, &head) != FRAME_OK)
        return violation(ses, "broken Bind packet");
    if (!is_followed(ses)) {
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    if (!head.statement.n) {
        ensure_unnamed(ses);
        if (ses->unnamed_ending)
            ses->ending = ses->unnamed_ending;
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    struct statement *st = client_statements_find(mine(ses), head.statement);
    if (!st && is_our_name(head.statement)) {
        provoke(ses, STATEMENT_PROVOKE_UNDEFINED, head.statement);
        ses->drop_body = !r->last;
        return REQUEST_TAKEN;
    }
    if (!st) {
        /* Prepared by SQL, or not at all: the server knows. */
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    ensure_statement(ses, st);
    unsigned ending = forward_ending_of(statement_query(st), true);
    if (ending)
        ses->ending = (uint8_t)ending;
    frontend_rewrite_bind_head(composed(ses), &head, r->body_len,
                               span_str(statement_server_name(statement_id(st), name)));
    expect_push(expects(ses), EXPECT_BIND, EXPECT_CLIENT, 0);
    size_t skip = FRAME_HEADER + head.len;
    outgoing_ref(&ses->relay->to_server, r->bytes.p + skip, r->bytes.n - skip);
    return REQUEST_TAKEN;
}

static enum request_verdict take_describe(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    char name[STATEMENT_NAME];
    if (!r->last || !frontend_parse_object(body_of(r), &m))
        return violation(ses, "broken Describe packet");
    if (m.kind != 'S' || !is_followed(ses)) {
        pass(ses, r, EXPECT_DESCRIBE);
        return REQUEST_TAKEN;
    }
    struct statement *st = m.name.n ? client_statements_find(mine(ses), m.name) : NULL;
    if (st) {
        ensure_statement(ses, st);
        frontend_build_describe(composed(ses), 'S',
                                span_str(statement_server_name(statement_id(st), name)));
        expect_push(expects(ses), EXPECT_DESCRIBE, EXPECT_CLIENT, 0);
        return REQUEST_TAKEN;
    }
    if (m.name.n && is_our_name(m.name)) {
        provoke(ses, STATEMENT_PROVOKE_UNDEFINED, m.name);
        return REQUEST_TAKEN;
    }
    if (!m.name.n)
        ensure_unnamed(ses);
    pass(ses, r, EXPECT_DESCRIBE);
    return REQUEST_TAKEN;
}

static enum request_verdict take_close(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    if (!r->last || !frontend_parse_object(body_of(r), &m))
        return violation(ses, "broken Close packet");
    if (m.kind != 'S' || !is_followed(ses)) {
        pass(ses, r, EXPECT_CLOSE);
        return REQUEST_TAKEN;
    }
    if (!m.name.n) {
        client_statements_drop_unnamed(mine(ses));
        server_statements_set_unnamed(on_server(ses), 0, 0);
        pass(ses, r, EXPECT_CLOSE);
        return REQUEST_TAKEN;
    }
    /* The server keeps its copy for others; one that does not exist is no error either. */
    if (client_statements_remove(mine(ses), m.name) || is_our_name(m.name)) {
        expect_push(expects(ses), EXPECT_INJECT_CLOSE, EXPECT_CLIENT, 0);
        return REQUEST_TAKEN;
    }
    pass(ses, r, EXPECT_CLOSE);
    return REQUEST_TAKEN;
}

bool extended_forget(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    if (!r->last || !frontend_parse_object(body_of(r), &m) || m.kind != 'S')
        return false;
    if (m.name.n)
        client_statements_remove(mine(ses), m.name);
    else
        client_statements_drop_unnamed(mine(ses));
    return true;
}

/* ---- the five -------------------------------------------------------------------------- */

enum request_verdict extended_request(struct session *ses, const struct request *r)
{
    switch (r->type) {
    case FE_PARSE:
        return take_parse(ses, r);
    case FE_BIND:
        return take_bind(ses, r);
    case FE_DESCRIBE:
        return take_describe(ses, r);
    case FE_CLOSE:
        return take_close(ses, r);
    default:
        pass(ses, r, EXPECT_EXECUTE);
        return REQUEST_TAKEN;
    }
}

/* ---- DEALLOCATE ------------------------------------------------------------------------ */

/* A plain identifier means its lower-case form. */
static size_t fold(struct span name, bool quoted, char *out, size_t size)
{
    size_t n = name.n < size ? name.n : size;
    for (size_t i = 0; i < n; i++) {
        char ch = (char)name.p[i];
        out[i] = !quoted && ch >= 'A' && ch <= 'Z' ? (char)(ch + 'a' - 'A') : ch;
    }
    return n;
}

bool extended_deallocate(struct session *ses, const struct request *r)
{
    struct span text, name = {0};
    bool quoted = false;
    char folded[256], ours[STATEMENT_NAME], command[64];
    if (!r->last || !is_followed(ses) || !frontend_parse_query(body_of(r), &text) ||
        sql_head_command(text, &name, &quoted) != SQL_DEALLOCATE || name.n > sizeof folded)
        return false;
    struct span key = span_of(folded, fold(name, quoted, folded, sizeof folded));
    struct statement *st = client_statements_find(mine(ses), key);
    if (!st)
        return false;
    uint64_t id = statement_id(st);
    ensure_statement(ses, st);
    snprintf(command, sizeof command, "DEALLOCATE \"%s\"", statement_server_name(id, ours));
    frontend_build_query(composed(ses), span_str(command));
    expect_push(expects(ses), EXPECT_QUERY, EXPECT_CLIENT, 0);
    if (server_status(ses->lent->server) != 'E') {
        server_statements_remove(on_server(ses), id);
        client_statements_remove(mine(ses), key);
    }
    return true;
}
