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
#include "relay/names.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdio.h>

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

static void expect_answer_to(struct session *ses, enum expect_kind kind, enum expect_owner owner,
                             uint64_t arg, uint32_t serial)
{
    (void)names_expect(ses->lent, (struct expect){.kind = (uint8_t)kind,
                                                  .owner = (uint8_t)owner,
                                                  .serial = serial,
                                                  .arg = arg});
}

static void pass_as(struct session *ses, const struct request *r, enum expect_kind kind,
                    uint64_t arg)
{
    expect_answer_to(ses, kind, EXPECT_CLIENT, arg, 0);
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
}

static void pass(struct session *ses, const struct request *r, enum expect_kind kind)
{
    pass_as(ses, r, kind, 0);
}

/* Until what is on its way was answered (on_input_done in respond.c). */
static enum request_verdict hold(struct session *ses)
{
    ses->held_back = true;
    return REQUEST_HOLD;
}

/* Was what is known of a name sent in an earlier unit, and is not answered? */
static bool is_uncertain(struct session *ses, const struct client_named *named)
{
    return names_is_uncertain(ses->lent, named->unit);
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
    return ses->follows_statements;
}

/* ---- what the server must have --------------------------------------------------------- */

static void close_on_server(struct session *ses, uint64_t id, uint64_t arg)
{
    char name[STATEMENT_NAME];
    frontend_build_close(composed(ses), 'S', span_str(statement_server_name(id, name)));
    expect_answer_to(ses, EXPECT_CLOSE, EXPECT_OURS, arg, 0);
}

/* In front of a Parse. What may be there, but may also have been skipped with its unit, is closed
 * first, which is no error if it is not there. */
static void make_room(struct session *ses, uint64_t id, bool may_be_there)
{
    uint64_t unit = ses->lent->unit;
    if (may_be_there) {
        close_on_server(ses, id, 0);
        server_statements_again(on_server(ses), id, unit);
        return;
    }
    uint64_t evicted = server_statements_add(on_server(ses), id, unit);
    for (; evicted; evicted = server_statements_evict(on_server(ses)))
        close_on_server(ses, evicted, evicted);
}

/* Parses again under the state of the original Parse, if the session has another one by now. */
static struct param_set *parse_state_of(struct session *ses, struct param_set *state)
{
    struct param_set *now = client_params(ses->client);
    if (!state) /* not known yet: it is being parsed in this very unit */
        return NULL;
    if (params_fingerprint(state) == params_fingerprint(now))
        return NULL;
    return params_with_parse_state(now, state);
}

/* If the unit in which it was parsed may have been skipped, it is parsed again. */
static void ensure_statement(struct session *ses, struct statement *st)
{
    uint64_t id = statement_id(st);
    bool there = server_statements_touch(on_server(ses), id);
    if (there && !names_is_uncertain(ses->lent, server_statements_unit(on_server(ses), id)))
        return;
    struct param_set *then = parse_state_of(ses, statement_params(st));
    if (then)
        link_set_ahead(ses, then, client_params(ses->client));
    make_room(ses, id, there);
    statement_build_parse(composed(ses), st);
    expect_answer_to(ses, EXPECT_PARSE, EXPECT_OURS, id, 0);
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
    expect_answer_to(ses, EXPECT_CLOSE, EXPECT_OURS, 0, 0);
    server_statements_set_unnamed(on_server(ses), 0, 0, 0);
}

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

#define FOLDED 256

/* The name that `DEALLOCATE name` speaks of, as the protocol calls it; n is 0 if it is too long. */
static struct span deallocated(struct span text, char folded[FOLDED])
{
    struct span name = {0};
    bool quoted = false;
    if (sql_head_command(text, &name, &quoted) != SQL_DEALLOCATE || name.n > FOLDED)
        return span_of(NULL, 0);
    return span_of(folded, fold(name, quoted, folded, FOLDED));
}

/* The same command about the statement as the server calls it; the server has it then. */
static struct span deallocate_on_server(struct session *ses, struct statement *st, char command[64])
{
    char name[STATEMENT_NAME];
    ensure_statement(ses, st);
    int n =
        snprintf(command, 64, "DEALLOCATE \"%s\"", statement_server_name(statement_id(st), name));
    return span_of(command, (size_t)n);
}

/* The client's statement that its unnamed DEALLOCATE is about, or NULL. */
static struct statement *unnamed_deallocates(struct session *ses)
{
    char folded[FOLDED];
    if (client_statements_unnamed_traits(mine(ses)).drops != SQL_DROPS_ONE)
        return NULL;
    return client_statements_find(mine(ses),
                                  deallocated(client_statements_unnamed_query(mine(ses)), folded));
}

static bool compose_unnamed(struct session *ses)
{
    char command[64];
    struct statement *st = unnamed_deallocates(ses);
    if (!st)
        return client_statements_build_unnamed(mine(ses), composed(ses));
    struct span text = deallocate_on_server(ses, st, command);
    frontend_build_parse(composed(ses), span_str(""), text, span_of(NULL, 0), 0);
    return true;
}

/* Must what is bound to the unnamed statement wait until it is known which one that is? */
static bool unnamed_is_uncertain(struct session *ses)
{
    return names_is_uncertain(ses->lent, client_statements_unnamed_unit(mine(ses)));
}

/* The client's unnamed statement exists on one server only; there too it is parsed again if the
 * unit in which it was parsed may have been skipped. */
static void ensure_unnamed(struct session *ses)
{
    uint64_t generation = client_statements_unnamed_generation(mine(ses));
    struct server_statements *have = on_server(ses);
    bool known = client_statements_unnamed_query(mine(ses)).p != NULL;
    if (server_statements_unnamed_is(have, ses->id, generation) &&
        !(known && names_is_uncertain(ses->lent, have->unnamed_unit)))
        return;
    if (!generation || !known) {
        drop_unnamed_of_others(ses);
        return;
    }
    struct param_set *then = parse_state_of(ses, client_statements_unnamed_params(mine(ses)));
    if (then)
        link_set_ahead(ses, then, client_params(ses->client));
    compose_unnamed(ses);
    expect_answer_to(ses, EXPECT_PARSE, EXPECT_OURS, 0, 0);
    server_statements_set_unnamed(have, ses->id, generation, ses->lent->unit);
    if (then)
        link_set_ahead(ses, client_params(ses->client), then);
    param_set_unref(&then);
}

/* Makes the server raise the error that the client's own server would have raised. */
static void provoke_undefined(struct session *ses, struct span name)
{
    char text[STATEMENT_PROVOKE_NAME];
    frontend_build_describe(composed(ses), 'S', span_str(statement_provoke_name(name, text)));
    expect_answer_to(ses, EXPECT_DESCRIBE, EXPECT_CLIENT, 0, 0);
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

/* The name is taken. The server, asked to parse the new text under the name of the old one, finds
 * everything that is wrong with it in the order in which the client's own server would. */
static void parse_again(struct session *ses, const struct frontend_parse *m, struct statement *st,
                        uint32_t serial)
{
    char name[STATEMENT_NAME];
    ensure_statement(ses, st);
    statement_server_name(statement_id(st), name);
    /* It cannot succeed; as the entry of a Parse its failure would take the old name away. */
    frontend_build_parse(composed(ses), span_str(name), m->query, m->oids, m->n_oids);
    expect_answer_to(ses, EXPECT_BIND, EXPECT_CLIENT, 0, serial);
}

static void define(struct session *ses, struct span name, struct statement *st)
{
    uint64_t id = statement_id(st);
    bool there = server_statements_touch(on_server(ses), id);
    bool inject = there && server_status(ses->lent->server) != 'E';
    uint32_t serial = client_statements_define(mine(ses), name, st, ses->lent->unit, !inject);
    if (inject) {
        expect_answer_to(ses, EXPECT_INJECT_PARSE, EXPECT_CLIENT, id, serial);
        return;
    }
    /* In a failed transaction the server must see the Parse, to refuse it. */
    make_room(ses, id, there);
    statement_build_parse(composed(ses), st);
    expect_answer_to(ses, EXPECT_PARSE, EXPECT_CLIENT, id, serial);
}

static enum request_verdict parse_named(struct session *ses, const struct frontend_parse *m)
{
    struct client_named named = client_statements_look(mine(ses), m->name);
    if (is_uncertain(ses, &named))
        return hold(ses);
    if (named.statement) {
        parse_again(ses, m, named.statement, named.serial);
        return REQUEST_TAKEN;
    }
    struct statement *st =
        names_state_is_uncertain(ses->lent)
            ? statement_private(m->query, m->oids, m->n_oids)
            : statement_intern(m->query, m->oids, m->n_oids, params_for_parse(ses));
    uint64_t unit = server_statements_unit(on_server(ses), statement_id(st));
    bool known = !names_is_uncertain(ses->lent, unit);
    if (known)
        define(ses, m->name, st);
    statement_unref(&st);
    return known ? REQUEST_TAKEN : hold(ses);
}

static void parse_unnamed(struct session *ses, const struct request *r,
                          const struct frontend_parse *m)
{
    struct param_set *params = names_state_is_uncertain(ses->lent) ? NULL : params_for_parse(ses);
    client_statements_set_unnamed(mine(ses), m->query, m->oids, m->n_oids, params, ses->lent->unit);
    server_statements_set_unnamed(on_server(ses), ses->id,
                                  client_statements_unnamed_generation(mine(ses)), ses->lent->unit);
    if (!unnamed_deallocates(ses)) {
        pass_as(ses, r, EXPECT_PARSE, NAMES_UNNAMED);
        return;
    }
    compose_unnamed(ses);
    expect_answer_to(ses, EXPECT_PARSE, EXPECT_CLIENT, NAMES_UNNAMED, 0);
}

static enum request_verdict take_parse(struct session *ses, const struct request *r)
{
    struct frontend_parse m;
    if (!is_followed(ses)) {
        pass(ses, r, EXPECT_PARSE);
        return REQUEST_TAKEN;
    }
    if (!r->last || r->body_len > STATEMENT_PARSE_MAX) {
        /* Too large to keep a copy: it streams, and the client keeps the server. */
        ses->pins |= PIN_LARGE_PARSE;
        client_statements_drop_unnamed(mine(ses));
        server_statements_set_unnamed(on_server(ses), 0, 0, 0);
        pass(ses, r, EXPECT_PARSE);
        return REQUEST_TAKEN;
    }
    if (!frontend_parse_parse(body_of(r), &m))
        return violation(ses, "broken Parse packet");
    if (m.name.n && client_statements_is_full(mine(ses)))
        return violation(ses, "too many prepared statements");
    if (m.name.n)
        return parse_named(ses, &m);
    parse_unnamed(ses, r, &m);
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
        client_statements_define(mine(ses), m.name, st, 0, false);
    statement_unref(&st);
    return known;
}

/* ---- Bind, Describe, Close ------------------------------------------------------------- */

/* What running it may do, for when it is run. */
static void note_traits(struct session *ses, struct sql_traits traits, bool named)
{
    if (traits.ending)
        ses->ending = traits.ending;
    if (traits.sets)
        ses->lent->sets_unit = ses->lent->unit;
    /* A named DEALLOCATE of one name is not followed: its text was not rewritten. */
    ses->portal_drops = named && traits.drops == SQL_DROPS_ONE ? SQL_DROPS_NOTHING : traits.drops;
}

static void bind_named(struct session *ses, const struct request *r,
                       const struct frontend_bind_head *head, const struct client_named *named)
{
    char name[STATEMENT_NAME];
    struct statement *st = named->statement;
    note_traits(ses, statement_traits(st), true);
    frontend_rewrite_bind_head(composed(ses), head, r->body_len,
                               span_str(statement_server_name(statement_id(st), name)));
    expect_answer_to(ses, EXPECT_BIND, EXPECT_CLIENT, 0, named->serial);
    size_t skip = FRAME_HEADER + head->len;
    outgoing_ref(&ses->relay->to_server, r->bytes.p + skip, r->bytes.n - skip);
}

/* Before a statement is used by its name. Behind the very Parse that gave the name and is not
 * answered, it may be used all the same: if that fails, so will this, and must. False: it has to
 * wait until it is known what has the name. */
static bool prepare_named(struct session *ses, const struct client_named *named)
{
    if (!is_uncertain(ses, named)) {
        if (named->statement)
            ensure_statement(ses, named->statement);
        return true;
    }
    if (!named->statement || !named->parsed || client_statements_any_gone(mine(ses)))
        return false;
    uint64_t id = statement_id(named->statement);
    return server_statements_touch(on_server(ses), id) &&
           server_statements_unit(on_server(ses), id) == named->unit;
}

static enum request_verdict take_bind(struct session *ses, const struct request *r)
{
    struct frontend_bind_head head;
    if (frontend_parse_bind_head(body_of(r), r->body_len, &head) != FRAME_OK)
        return violation(ses, "broken Bind packet");
    if (!is_followed(ses)) {
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    if (!head.statement.n) {
        if (unnamed_is_uncertain(ses))
            return hold(ses);
        ensure_unnamed(ses);
        note_traits(ses, client_statements_unnamed_traits(mine(ses)), false);
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    struct client_named named = client_statements_look(mine(ses), head.statement);
    if (!prepare_named(ses, &named))
        return hold(ses);
    if (named.statement) {
        bind_named(ses, r, &head, &named);
    } else if (is_our_name(head.statement)) {
        provoke_undefined(ses, head.statement);
        ses->drop_body = !r->last;
    } else {
        /* Prepared by SQL, or not at all: the server knows. */
        ses->portal_drops = SQL_DROPS_NOTHING;
        pass(ses, r, EXPECT_BIND);
    }
    return REQUEST_TAKEN;
}

static enum request_verdict describe_statement(struct session *ses, const struct request *r,
                                               struct span name)
{
    char ours[STATEMENT_NAME];
    if (!name.n) {
        if (unnamed_is_uncertain(ses))
            return hold(ses);
        ensure_unnamed(ses);
        pass(ses, r, EXPECT_DESCRIBE);
        return REQUEST_TAKEN;
    }
    struct client_named named = client_statements_look(mine(ses), name);
    if (!prepare_named(ses, &named))
        return hold(ses);
    if (named.statement) {
        statement_server_name(statement_id(named.statement), ours);
        frontend_build_describe(composed(ses), 'S', span_str(ours));
        expect_answer_to(ses, EXPECT_DESCRIBE, EXPECT_CLIENT, 0, named.serial);
    } else if (is_our_name(name)) {
        provoke_undefined(ses, name);
    } else {
        pass(ses, r, EXPECT_DESCRIBE);
    }
    return REQUEST_TAKEN;
}

static enum request_verdict take_describe(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    if (!r->last || !frontend_parse_object(body_of(r), &m))
        return violation(ses, "broken Describe packet");
    if (m.kind == 'S' && is_followed(ses))
        return describe_statement(ses, r, m.name);
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
        client_statements_close_unnamed(mine(ses), ses->lent->unit);
        server_statements_set_unnamed(on_server(ses), 0, 0, 0);
        pass_as(ses, r, EXPECT_CLOSE, NAMES_UNNAMED);
        return REQUEST_TAKEN;
    }
    struct client_named named = client_statements_look(mine(ses), m.name);
    if (is_uncertain(ses, &named))
        return hold(ses);
    /* The server keeps its copy for others; one that does not exist is no error either. */
    uint32_t serial = client_statements_remove(mine(ses), m.name, ses->lent->unit);
    if (serial || is_our_name(m.name)) {
        expect_answer_to(ses, EXPECT_INJECT_CLOSE, EXPECT_CLIENT, 0, serial);
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
        client_statements_remove(mine(ses), m.name, 0);
    else
        client_statements_drop_unnamed(mine(ses));
    return true;
}

/* ---- Execute, and names that go with it ------------------------------------------------ */

static uint32_t drop_all(struct session *ses)
{
    uint64_t unit = ses->lent->unit;
    uint32_t serial = client_statements_remove_all(mine(ses), unit);
    server_statements_set_all_aside(on_server(ses), serial, unit);
    return serial;
}

static uint32_t drop_one(struct session *ses, struct span name, uint64_t id)
{
    uint64_t unit = ses->lent->unit;
    uint32_t serial = client_statements_remove(mine(ses), name, unit);
    server_statements_set_aside(on_server(ses), id, serial, unit);
    return serial;
}

static void take_execute(struct session *ses, const struct request *r)
{
    char folded[FOLDED];
    uint32_t serial = 0;
    struct statement *st = NULL;
    if (ses->portal_drops == SQL_DROPS_ONE)
        st = unnamed_deallocates(ses);
    if (st)
        serial = drop_one(ses, deallocated(client_statements_unnamed_query(mine(ses)), folded),
                          statement_id(st));
    else if (ses->portal_drops == SQL_DROPS_ALL)
        serial = drop_all(ses);
    ses->portal_drops = SQL_DROPS_NOTHING;
    expect_answer_to(ses, EXPECT_EXECUTE, EXPECT_CLIENT, 0, serial);
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
}

bool extended_drop_names(struct session *ses, const struct request *r, enum sql_drops drops,
                         uint32_t *serial_out, bool *rewritten_out)
{
    struct span text;
    char folded[FOLDED], command[64];
    if (!r->last || !is_followed(ses) || !frontend_parse_query(body_of(r), &text))
        return true;
    if (drops == SQL_DROPS_ALL) {
        *serial_out = drop_all(ses);
        return true;
    }
    struct span name = deallocated(text, folded);
    struct client_named named = client_statements_look(mine(ses), name);
    if (is_uncertain(ses, &named)) {
        ses->held_back = true;
        return false;
    }
    if (!named.statement)
        return true;
    frontend_build_query(composed(ses), deallocate_on_server(ses, named.statement, command));
    *serial_out = drop_one(ses, name, statement_id(named.statement));
    *rewritten_out = true;
    return true;
}

/* ---- the five -------------------------------------------------------------------------- */

enum request_verdict extended_request(struct session *ses, const struct request *r)
{
    enum request_verdict verdict;
    switch (r->type) {
    case FE_PARSE:
        verdict = take_parse(ses, r);
        if (verdict == REQUEST_TAKEN)
            counter_add(&ses->stats->client_parse, 1);
        return verdict;
    case FE_BIND:
        verdict = take_bind(ses, r);
        if (verdict == REQUEST_TAKEN)
            counter_add(&ses->stats->bind, 1);
        return verdict;
    case FE_DESCRIBE:
        return take_describe(ses, r);
    case FE_CLOSE:
        return take_close(ses, r);
    default:
        take_execute(ses, r);
        return REQUEST_TAKEN;
    }
}
