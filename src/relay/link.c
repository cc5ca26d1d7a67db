/* SPDX-License-Identifier: PostgreSQL */
/* link.c - pair a client and a server; the difference of their session states goes first. */
#include "relay/link.h"

#include "base/log.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "relay/broker.h"
#include "relay/leave.h"
#include "relay/forward.h"
#include "relay/names.h"
#include "relay/pids.h"
#include "relay/places.h"
#include "relay/relay_impl.h"
#include "relay/reset.h"

/* ---- composing the difference ---------------------------------------------------------- */

struct diff_run {
    struct session *ses;
    enum expect_owner owner;
    struct buf *out; /* gated: messages; fenced: the text of one Query */
    bool may_fence;  /* all of it */
    bool may_gate;   /* all of it */
    unsigned n;
};

static struct param_accepted *accepted_by(const struct lent *l)
{
    return l->terms->findings->accepted;
}

static void diff_look(void *arg, struct span name, const struct span *value)
{
    struct diff_run *d = arg;
    d->n++;
    if (!value || !params_may_fence(accepted_by(d->ses->lent), name, *value))
        d->may_fence = false;
    if (!params_may_gate(name))
        d->may_gate = false;
}

/* Where the unnamed statement and portal are the client's. */
static void diff_ahead(void *arg, struct span name, const struct span *value)
{
    static const char own[] = "PGBALLAST_SET";
    struct diff_run *d = arg;
    struct buf command = {0};
    struct expect_queue *q = server_expects(d->ses->lent->server);
    /* A SET would make the client's own SET LOCAL outlive the transaction. Outside of one there is
     * none, and SET LOCAL would warn. */
    if (server_status(d->ses->lent->server) == 'I')
        params_command(&command, name, value);
    else
        params_command_local(&command, name, value);
    frontend_build_run(d->out, span_str(own), span_str(own), buf_span(&command));
    frontend_build_close(d->out, 'P', span_str(own));
    frontend_build_close(d->out, 'S', span_str(own));
    expect_push(q, EXPECT_PARSE, d->owner, 0);
    expect_push(q, EXPECT_BIND, d->owner, 0);
    expect_push(q, EXPECT_EXECUTE, d->owner, 0);
    expect_push(q, EXPECT_CLOSE, d->owner, 0);
    expect_push(q, EXPECT_CLOSE, d->owner, 0);
    buf_reset(&command);
}

static void diff_gate(void *arg, struct span name, const struct span *value)
{
    struct diff_run *d = arg;
    struct buf command = {0};
    params_command(&command, name, value);
    struct expect_queue *q = server_expects(d->ses->lent->server);
    frontend_build_run(d->out, span_str(""), span_str(""), buf_span(&command));
    expect_push(q, EXPECT_PARSE, d->owner, 0);
    expect_push(q, EXPECT_BIND, d->owner, 0);
    expect_push(q, EXPECT_EXECUTE, d->owner, 0);
    buf_reset(&command);
}

static void diff_text(void *arg, struct span name, const struct span *value)
{
    struct diff_run *d = arg;
    if (d->n++)
        buf_append(d->out, ";", 1);
    params_command(d->out, name, value);
}

static void diff_accepted(void *arg, struct span name, const struct span *value)
{
    struct diff_run *d = arg;
    if (value)
        params_note_accepted(accepted_by(d->ses->lent), name, *value);
}

/* At the start of a transaction: the unnamed statement and portal are free to be used. */
static void compose_gate(struct session *ses, struct param_set *want, struct param_set *have)
{
    struct server *s = ses->lent->server;
    struct diff_run d = {.ses = ses, .owner = EXPECT_GATE};
    d.out = outgoing_buf(&ses->relay->to_server);
    params_diff(want, have, server_base_params(s), diff_gate, &d);
    server_statements_set_unnamed(server_statements_of(s), 0, 0, 0);
}

void link_set_ahead(struct session *ses, struct param_set *want, struct param_set *have,
                    enum expect_owner owner)
{
    struct diff_run d = {.ses = ses, .owner = (uint8_t)owner};
    d.out = outgoing_buf(&ses->relay->to_server);
    params_diff(want, have, server_base_params(ses->lent->server), diff_ahead, &d);
}

static void compose_fence(struct session *ses, struct param_set *want, struct param_set *have)
{
    struct server *s = ses->lent->server;
    struct buf text = {0};
    struct diff_run d = {.ses = ses, .out = &text};
    params_diff(want, have, server_base_params(s), diff_text, &d);
    frontend_build_query(outgoing_buf(&ses->relay->to_server), buf_span(&text));
    expect_push(server_expects(s), EXPECT_QUERY, EXPECT_FENCE, 0);
    server_statements_set_unnamed(server_statements_of(s), 0, 0, 0);
    buf_reset(&text);
}

static enum link_result wait_for_fence(struct lent *l)
{
    l->fence_wait = true;
    buf_reset(&l->gate_error); /* of something that failed before */
    server_send(l->server, &l->relay->to_server);
    return LINK_HOLD;
}

void link_wait(struct session *ses)
{
    frontend_build_sync(outgoing_buf(&ses->relay->to_server));
    expect_push(server_expects(ses->lent->server), EXPECT_SYNC, EXPECT_FENCE, 0);
    (void)wait_for_fence(ses->lent);
}

/* May the client's first message run behind SETs of ours in one pipeline? */
static bool gate_safe(struct session *ses, const struct request *first)
{
    struct span text = forward_statement_text(ses, first);
    return text.p == NULL || sql_head_class(text) == SQL_GATE_SAFE;
}

static void diff_log(void *arg, struct span name, const struct span *value)
{
    struct buf *out = arg;
    buf_append(out, value ? "SET " : "RESET ", value ? 4 : 6);
    buf_append(out, name.p, name.n);
    if (value) {
        buf_append(out, "='", 2);
        buf_append(out, value->p, value->n);
        buf_append(out, "'", 1);
    }
    buf_append(out, ";", 1);
}

/* In PgBouncer's words, as it would send it. */
__attribute__((noinline, cold)) static void log_difference(struct lent *l, struct param_set *want,
                                                           struct param_set *have)
{
    struct buf text = {0};
    params_diff(want, have, server_base_params(l->server), diff_log, &text);
    lent_log(l, LOG_DEBUG_LEVEL, "varcache_apply: %.*s", (int)buf_len(&text),
             (const char *)buf_span(&text).p);
    buf_reset(&text);
}

/* The client's values become the target. False: the server has them. */
static bool take_aim(struct session *ses, struct diff_run *d)
{
    struct lent *l = ses->lent;
    struct param_set *want = client_params(ses->client);
    struct param_set *have = server_params(l->server);
    *d = (struct diff_run){.ses = ses, .may_fence = true, .may_gate = true};
    params_diff(want, have, server_base_params(l->server), diff_look, d);
    if (d->n == 0) {
        l->gate_undone = false;
        return false;
    }
    link_forget(l);
    if (log_wants(LOG_DEBUG_LEVEL))
        log_difference(l, want, have);
    l->target = param_set_ref(want);
    return true;
}

__attribute__((noinline)) static enum link_result send_difference(struct session *ses,
                                                                  const struct request *first)
{
    struct lent *l = ses->lent;
    struct param_set *want = client_params(ses->client);
    struct param_set *have = server_params(l->server);
    struct diff_run d;
    if (!take_aim(ses, &d))
        return LINK_GO;
    if (d.may_fence) {
        compose_fence(ses, want, have);
        return LINK_GO;
    }
    /* What is linked for longer than a transaction gets its values once, not with each of them. */
    if (d.may_gate && !ses->pins && gate_safe(ses, first)) {
        l->before_gate = param_set_ref(have);
        l->gate_origin = param_set_ref(have);
        l->gate_open = l->gate_bare = true;
        l->saw_rollback = l->committed_behind_rollback = l->in_savepoint = false;
        l->gate_committed = false;
        compose_gate(ses, want, have);
        struct expect_queue *q = server_expects(l->server);
        expect_at(q, q->count - 1)->arg = 1; /* the last command of the gate */
        return LINK_GO;
    }
    compose_fence(ses, want, have);
    return wait_for_fence(l);
}

enum link_result link_refresh(struct session *ses)
{
    struct lent *l = ses->lent;
    struct diff_run d;
    if (!server_is_at_rest(l->server) || server_status(l->server) != 'I' || l->group_open ||
        !take_aim(ses, &d))
        return LINK_GO;
    /* The client may have a statement without a name, which a Query would destroy. */
    link_set_ahead(ses, l->target, server_params(l->server), EXPECT_FENCE);
    link_wait(ses);
    return LINK_HOLD;
}

/* ---- what the client sends behind a gate ------------------------------------------------ */

/* Is it known to be a statement that must not run in one pipeline with the gate? */
static bool is_unsafe_behind_gate(struct session *ses, const struct request *r)
{
    struct frontend_bind_head head;
    struct span body = span_of(r->bytes.p + FRAME_HEADER, r->bytes.n - FRAME_HEADER);
    struct span text = forward_statement_text(ses, r);
    if (r->type == FE_BIND) {
        if (frontend_parse_bind_head(body, r->body_len, &head) != FRAME_OK)
            return false;
        if (!head.statement.n)
            text = client_statements_unnamed_query(client_statements_of(ses->client));
        else if (!client_statements_find(client_statements_of(ses->client), head.statement))
            return false;
    }
    return text.p && sql_head_class(text) == SQL_GATE_UNSAFE;
}

/* The gate and what the client has parsed are to be a transaction of their own. Whether that is
 * well must be known first: if not, what the client has sent is skipped to its own Sync. */
static enum link_result end_gate(struct session *ses)
{
    struct expect_queue *q = server_expects(ses->lent->server);
    if (q->count) {
        frontend_build_flush(outgoing_buf(&ses->relay->to_server));
        ses->held_back = true;
        return LINK_HOLD;
    }
    if (!q->skipping) {
        frontend_build_sync(outgoing_buf(&ses->relay->to_server));
        expect_push(q, EXPECT_SYNC, EXPECT_OURS, 0);
    }
    ses->lent->gate_bare = false;
    return LINK_GO;
}

/* The portal without a name is the one of our SET: to the client there is none. */
static void close_gate_portal(struct session *ses)
{
    frontend_build_close(outgoing_buf(&ses->relay->to_server), 'P', span_str(""));
    expect_push(server_expects(ses->lent->server), EXPECT_CLOSE, EXPECT_OURS, 0);
    ses->lent->gate_bare = false;
}

static bool has_at(const struct request *r, size_t at, char byte)
{
    return r->bytes.n > FRAME_HEADER + at && r->bytes.p[FRAME_HEADER + at] == (uint8_t)byte;
}

enum link_result link_behind_gate(struct session *ses, const struct request *r)
{
    struct lent *l = ses->lent;
    switch (r->type) {
    case FE_PARSE:
    case FE_CLOSE:
        /* Its names are not followed: what it will bind is not known. */
        if (r->type == FE_PARSE && !ses->follows_statements && l->group_open &&
            is_unsafe_behind_gate(ses, r))
            return end_gate(ses);
        return LINK_GO;
    case FE_FLUSH:
        return LINK_GO;
    case FE_DESCRIBE:
        if (has_at(r, 0, 'P') && has_at(r, 1, '\0'))
            close_gate_portal(ses);
        return LINK_GO;
    case FE_EXECUTE:
        if (has_at(r, 0, '\0'))
            close_gate_portal(ses);
        return LINK_GO;
    case FE_BIND:
    case FE_QUERY:
        if (l->group_open && is_unsafe_behind_gate(ses, r))
            return end_gate(ses);
        /* Bound without a name it takes the place of ours. */
        if (r->type == FE_BIND && !has_at(r, 0, '\0'))
            close_gate_portal(ses);
        break;
    default:
        break;
    }
    l->gate_bare = false;
    return LINK_GO;
}

/* ---- linking --------------------------------------------------------------------------- */

__attribute__((always_inline)) static inline void join(struct session *ses, struct lent *l)
{
    ses->lent = l;
    l->session = ses;
    l->error_since_ready = l->group_open = l->gate_undone = false;
    reset_forget(l);
    l->gate_unit = 0;
    names_begin(ses, l);
    client_enter(ses->client, CLIENT_LINKED);
    server_enter(l->server, SERVER_LINKED);
    place_note_active(l->place, loop_now(ses->relay->loop));
    counter_add(&ses->stats->server_assignment, 1);
    pids_note_client(l->pid, ses->key);
    if (l->ledger.own) /* it was opened with all that the client wants */
        client_start_from(ses->client, server_params(l->server));
}

void link_own(struct session *ses, struct lent *l)
{
    join(ses, l);
}

enum link_result link_begin(struct session *ses, struct lent *l, const struct request *first)
{
    join(ses, l);
    if (client_params(ses->client) == server_params(l->server))
        return LINK_GO;
    return send_difference(ses, first);
}

void link_end(struct session *ses)
{
    struct lent *l = ses->lent;
    names_end(ses, l);
    ses->lent = NULL;
    l->session = NULL;
    if (client_get_state(ses->client) == CLIENT_LINKED)
        client_enter(ses->client, CLIENT_IDLE);
    const struct config *cfg = setup_config(ses->relay->setup);
    /* Who logged in before a reload may still share a server that is for sessions by now. */
    bool resets = cfg->server_reset_query_always || l->terms->mode == POOL_MODE_SESSION;
    if (resets && cfg->server_reset_query[0]) {
        l->reset_wanted = true;
        leave_begin(l, false);
        return;
    }
    broker_release(l);
}

/* ---- what became of it ----------------------------------------------------------------- */

/* The server has the target now: with the spelling it reported, where it reported one. */
void link_gate_passed(struct lent *l)
{
    if (!l->target)
        return;
    struct diff_run d = {.ses = l->session};
    if (l->session)
        params_diff(l->target, server_params(l->server), server_base_params(l->server),
                    diff_accepted, &d);
    server_set_params(l->server, l->target);
    if (!l->gate_open && l->session)
        client_set_params(l->session->client, l->target);
    param_set_unref(&l->target);
}

void link_committed(struct lent *l)
{
    /* Behind a ROLLBACK, be it to a savepoint, it may have been another transaction. */
    l->committed_behind_rollback |= l->saw_rollback;
    l->gate_committed = l->gate_open && !l->saw_rollback;
}

static void overlay(struct param_set **set, struct span name, struct span value)
{
    if (!*set)
        return;
    struct param_set *next = params_with_report(*set, name, value);
    if (next) {
        param_set_unref(set);
        *set = next;
    }
}

/* We have set what the client wants, and the server calls it by another name. */
__attribute__((noinline, cold)) static void log_canonical(const struct lent *l, struct span name,
                                                          struct span value)
{
    struct param_set *set =
        l->gate_open && l->session ? client_params(l->session->client) : l->target;
    struct span own;
    if (set && params_get(set, name, &own) && !span_equal(own, value))
        lent_log(l, LOG_DEBUG_LEVEL,
                 "varcache_set_canonical: setting %.*s to its canonical version %.*s -> %.*s",
                 (int)name.n, (const char *)name.p, (int)own.n, (const char *)own.p, (int)value.n,
                 (const char *)value.p);
}

void link_note_report(struct lent *l, struct span name, struct span value)
{
    if (log_wants(LOG_DEBUG_LEVEL))
        log_canonical(l, name, value);
    overlay(&l->before_gate, name, value);
    if (!l->gate_open)
        overlay(&l->target, name, value);
}

static void close_gate(struct lent *l)
{
    l->gate_open = l->gate_committed = l->gate_bare = false;
    param_set_unref(&l->gate_origin);
    param_set_unref(&l->before_gate);
}

void link_settle(struct lent *l)
{
    if (l->gate_open) {
        /* Was it to a savepoint, or did the COMMIT end another transaction? */
        bool ambiguous = l->committed_behind_rollback;
        bool rolled_back = !ambiguous && (l->error_since_ready || l->saw_rollback);
        if (ambiguous) {
            l->close_when_idle = true;
            if (l->session) {
                struct param_set *view = link_view_behind_gate(l);
                client_set_params(l->session->client, view);
                param_set_unref(&view);
            }
        }
        if (rolled_back)
            server_set_params(l->server, l->before_gate);
        close_gate(l);
        l->gate_undone = rolled_back || ambiguous;
    }
    if (reset_settle(l)) {
        l->gate_undone =
            l->session && client_params(l->session->client) != server_params(l->server);
        return;
    }
    /* Outside a transaction, what the server reports is the client's session, but for a bare Sync
     * behind a gate that was rolled back, or behind a RESET: then it is at somebody else's values,
     * or at its own. */
    if (l->session && !l->gate_undone && !l->target &&
        client_params(l->session->client) != server_params(l->server))
        client_set_params(l->session->client, server_params(l->server));
}

void link_fence_over(struct lent *l)
{
    struct session *ses = l->session;
    l->fence_wait = false;
    if (!ses)
        return;
    ses->fences_lost = 0;
    if (buf_is_empty(&l->gate_error)) {
        link_gate_passed(l);
        client_continue(ses->client);
        return;
    }
    /* The client's first statement gets the error; the server is as it was. */
    ses->query_since_us = ses->xact_since_us = 0;
    ses->query_overdue = false;
    ses->refusal = l->gate_error;
    l->gate_error = (struct buf){0};
    param_set_unref(&l->target);
    if (!ses->pins)
        link_end(ses);
    client_continue(ses->client);
}

/* `from` with the values of `values` for all names that the server reports. */
static struct param_set *with_reported(struct lent *l, struct param_set *from,
                                       struct param_set *values)
{
    struct param_set *base = server_base_params(l->server);
    struct param_builder *b = param_builder_new(from);
    struct span name, value;
    for (unsigned i = 0; i < param_set_count(base); i++) {
        param_set_at(base, i, &name, &value);
        if (params_get(values, name, &value) && !param_builder_put(b, name, value))
            l->close_when_idle = true;
    }
    return param_builder_finish(&b);
}

void link_trust_reports(struct lent *l)
{
    if (!l->gate_open || l->target || !l->before_gate)
        return;
    struct param_set *has = with_reported(l, server_params(l->server), l->before_gate);
    server_set_params(l->server, has);
    param_set_unref(&has);
    if (l->gate_committed)
        close_gate(l);
}

struct param_set *link_view_behind_gate(struct lent *l)
{
    struct param_set *live = server_params(l->server), *mine = client_params(l->session->client);
    /* Then only what was done behind the savepoint is undone, and the gate is in front of it. */
    if (l->in_savepoint)
        return param_set_ref(live);
    struct param_builder *b = param_builder_new(live);
    struct span name, is, was, own;
    for (unsigned i = 0; i < param_set_count(live); i++) {
        param_set_at(live, i, &name, &is);
        if (params_get(l->gate_origin, name, &was) && span_equal(is, was) &&
            params_get(mine, name, &own) && !param_builder_put(b, name, own))
            l->close_when_idle = true;
    }
    return param_builder_finish(&b);
}

void link_abandon(struct lent *l)
{
    l->gate_failed = l->fence_wait = l->unit_answered = false;
    buf_reset(&l->gate_error);
}

void link_forget(struct lent *l)
{
    close_gate(l);
    param_set_unref(&l->target);
    link_abandon(l);
    l->gate_undone = false;
}
