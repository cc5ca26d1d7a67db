/* SPDX-License-Identifier: PostgreSQL */
/* names.c - names of prepared statements while the messages that change them are on their way. */
#include "relay/names.h"

#include "base/log.h"
#include "relay/relay_impl.h"
#include "relay/reset.h"

static struct client_statements *names_of(const struct lent *l)
{
    return l->session ? client_statements_of(l->session->client) : NULL;
}

/* ---- units ----------------------------------------------------------------------------- */

/* All units of a session count up, whatever server it is linked to: what is older than the link is
 * answered. */
void names_begin(struct session *ses, struct lent *l)
{
    l->unit = l->first_unit = ses->relay->last_unit + 1;
    l->sets_unit = 0;
    ses->portal_drops = SQL_DROPS_NOTHING;
}

void names_end(struct session *ses, struct lent *l)
{
    if (ses->relay->last_unit < l->unit)
        ses->relay->last_unit = l->unit;
    client_statements_settle(client_statements_of(ses->client), client_params(ses->client));
}

void names_unit_sent(struct lent *l)
{
    l->unit++;
}

/* What a statement was parsed under that was sent in a unit which is over. */
static struct param_set *params_now(const struct lent *l)
{
    return server_status(l->server) == 'I' ? client_params(l->session->client)
                                           : server_params(l->server);
}

void names_settle_unit(struct lent *l)
{
    client_statements_unit_over(names_of(l), l->first_unit, params_now(l));
}

void names_at_rest(struct lent *l)
{
    l->first_unit = l->unit;
    server_statements_settle(server_statements_of(l->server));
    if (l->session && client_statements_exist(names_of(l)))
        client_statements_settle(names_of(l), params_now(l));
}

bool names_is_uncertain(const struct lent *l, uint64_t unit)
{
    return unit >= l->first_unit && unit < l->unit;
}

void names_note_sets(struct lent *l, struct span text, enum reset_text kind)
{
    l->sets_unit = l->unit;
    reset_note_sent(l, text, kind);
}

bool names_state_is_uncertain(const struct lent *l)
{
    return l->sets_unit >= l->first_unit;
}

/* ---- what becomes of a change ---------------------------------------------------------- */

void names_answered(struct lent *l, const struct expect *e)
{
    if (e->arg == NAMES_UNNAMED) {
        if (l->session && e->owner == EXPECT_CLIENT)
            client_statements_unnamed_answered(names_of(l), true);
        return;
    }
    if (!names_is_of_statement(e))
        return;
    if (e->kind == EXPECT_PARSE)
        server_statements_parsed(server_statements_of(l->server), e->arg);
    else
        server_statements_closed(server_statements_of(l->server), e->arg);
}

static void undo(struct lent *l, const struct expect *e)
{
    if (!e->serial || e->owner != EXPECT_CLIENT)
        return;
    if (names_of(l) && client_statements_undo(names_of(l), e->serial))
        server_statements_drop_undone(server_statements_of(l->server));
}

/* Does the error say that the server has not what we believe it has? */
static bool contradicts(struct lent *l, const struct expect *e, struct span sqlstate)
{
    struct server_statements *have = server_statements_of(l->server);
    struct statement *st;
    if (e->kind == EXPECT_PARSE)
        return names_is_of_statement(e) && span_is(sqlstate, SQLSTATE_DUPLICATE_STATEMENT);
    if (!e->serial || !names_of(l) || !span_is(sqlstate, SQLSTATE_UNDEFINED_STATEMENT))
        return false;
    (void)client_statements_name_of(names_of(l), e->serial, &st);
    return st && server_statements_has(have, statement_id(st));
}

/* In PgBouncer's words, which scripts look for. */
static void log_misuse(const struct lent *l, const struct expect *e, struct span sqlstate)
{
    static const char *const broken[EXPECT_INJECT_CLOSE + 1] = {[EXPECT_PARSE] = "Parse",
                                                                [EXPECT_BIND] = "Bind",
                                                                [EXPECT_DESCRIBE] = "Describe",
                                                                [EXPECT_CLOSE] = "Close"};
    struct client_statements *cs = names_of(l);
    if (!cs || e->owner != EXPECT_CLIENT || !setup_config(l->relay->setup)->log_pooler_errors)
        return;
    if (e->arg == NAMES_UNREADABLE)
        client_log(l->session->client, LOG_WARNING_LEVEL, "broken %s packet", broken[e->kind]);
    if (span_is(sqlstate, SQLSTATE_UNDEFINED_STATEMENT))
        client_log(l->session->client, LOG_WARNING_LEVEL, "prepared statement did not exist");
    struct span name = client_statements_name_of(cs, e->serial, NULL);
    if (name.n && span_is(sqlstate, SQLSTATE_DUPLICATE_STATEMENT))
        client_log(l->session->client, LOG_WARNING_LEVEL,
                   "prepared statement '%.*s' was already prepared",
                   (int)(name.n < 64 ? name.n : 64), (const char *)name.p);
}

/* "cached plan must not change result type", or whatever is wrong with the text under the old types
 * of its parameters (42xxx): its table has been altered. A client that parses the
 * text again, as drivers then do, is to get what it is now; else it had to wait until the last one
 * that has prepared it was gone. */
static void note_outdated(struct lent *l, const struct expect *e, struct span sqlstate)
{
    struct statement *st = NULL;
    bool is_outdated =
        span_is(sqlstate, SQLSTATE_FEATURE_NOT_SUPPORTED) || span_starts(sqlstate, "42");
    if ((e->kind != EXPECT_BIND && e->kind != EXPECT_DESCRIBE) || !e->serial || !names_of(l) ||
        !is_outdated)
        return;
    (void)client_statements_name_of(names_of(l), e->serial, &st);
    if (st)
        statement_outdate(st);
}

void names_failed(struct lent *l, const struct expect *e, struct span sqlstate)
{
    struct server_statements *have = server_statements_of(l->server);
    log_misuse(l, e, sqlstate);
    note_outdated(l, e, sqlstate);
    if (contradicts(l, e, sqlstate)) {
        lent_log(l, LOG_WARNING_LEVEL,
                 "the server's prepared statements are not what was expected");
        l->close_when_idle = true;
    }
    if (names_is_of_statement(e))
        server_statements_undone(have, e->arg);
    switch ((enum expect_kind)e->kind) {
    case EXPECT_PARSE:
        if (!e->arg || e->arg == NAMES_UNNAMED)
            server_statements_set_unnamed(have, 0, 0, 0);
        if (e->arg == NAMES_UNNAMED && names_of(l))
            client_statements_unnamed_answered(names_of(l), false);
        undo(l, e);
        break;
    case EXPECT_QUERY:
    case EXPECT_EXECUTE:
        undo(l, e);
        break;
    default:
        break;
    }
}

void names_unnamed_changes(struct session *ses)
{
    struct client_statements *cs = client_statements_of(ses->client);
    struct server_statements *have = server_statements_of(ses->lent->server);
    uint64_t generation = client_statements_unnamed_generation(cs);
    client_statements_note_unnamed_there(cs,
                                         server_statements_unnamed_is(have, ses->id, generation));
    server_statements_set_unnamed(have, 0, 0, 0);
}

/* The server has what it had; what the client's last Parse was, it may know alone. */
static void unnamed_skipped(struct lent *l)
{
    struct client_statements *cs = names_of(l);
    struct server_statements *have = server_statements_of(l->server);
    if (!cs) {
        server_statements_set_unnamed(have, 0, 0, 0);
        return;
    }
    client_statements_unnamed_skipped(cs);
    uint64_t generation = client_statements_unnamed_generation(cs);
    if (server_statements_unnamed_is(have, l->session->id, generation))
        return; /* it was sent behind what was skipped */
    server_statements_set_unnamed(have, 0, 0, 0);
    if (!client_statements_unnamed_query(cs).p && client_statements_unnamed_was_there(cs))
        server_statements_set_unnamed(have, l->session->id, generation, 0);
}

void names_skipped(struct lent *l, const struct expect *e)
{
    struct server_statements *have = server_statements_of(l->server);
    if (e->owner == EXPECT_CLIENT && e->arg == NAMES_UNNAMED) {
        unnamed_skipped(l);
        undo(l, e); /* a Query may be a DEALLOCATE as well */
        return;
    }
    if (names_is_of_statement(e))
        server_statements_undone(have, e->arg);
    switch ((enum expect_kind)e->kind) {
    case EXPECT_PARSE:
        if (!e->arg || e->arg == NAMES_UNNAMED)
            server_statements_set_unnamed(have, 0, 0, 0);
        break;
    case EXPECT_CLOSE:
    case EXPECT_INJECT_PARSE:
    case EXPECT_INJECT_CLOSE:
    case EXPECT_QUERY:
    case EXPECT_EXECUTE:
        break;
    default:
        return; /* the serial of a Bind or Describe says only what it is about */
    }
    undo(l, e);
}

__attribute__((noinline, cold)) void names_skipped_at_once(struct lent *l, struct expect e)
{
    names_skipped(l, &e);
}

void names_lost(struct session *ses, struct lent *l)
{
    struct expect_queue *q = server_expects(l->server);
    struct client_statements *cs = client_statements_of(ses->client);
    for (uint32_t i = 0; i < q->count; i++) {
        const struct expect *e = expect_at(q, i);
        bool defines = e->kind == EXPECT_PARSE || e->kind == EXPECT_INJECT_PARSE;
        if (e->owner != EXPECT_CLIENT)
            continue;
        if (e->arg == NAMES_UNNAMED)
            client_statements_drop_unnamed(cs);
        else if (defines)
            (void)client_statements_undo(cs, e->serial);
    }
}

bool names_reword(struct lent *l, const struct expect *e, struct span message, struct buf *out)
{
    struct client_statements *cs = names_of(l);
    if (!cs || !e->serial)
        return false;
    struct span name = client_statements_name_of(cs, e->serial, NULL);
    return name.n && statement_reword_name(message, name, out);
}
