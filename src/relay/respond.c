/* SPDX-License-Identifier: PostgreSQL */
/* respond.c - server -> client: what each answer means for the pair.
 *
 * server_responses.c walks the messages and holds them against what was asked; this file knows
 * what an answer, an error or a skipped message means for the client, for the names of its
 * statements, and for the state that the server is believed to have.
 *
 * A gate (link.c) is refused: the server then skips what the client sent, up to a Sync. The client
 * must get, for every unit that is skipped (a simple Query, or an extended group up to its Sync),
 * one error and one ReadyForQuery, as if each had failed by itself. */
#include "base/clock.h"
#include "base/log.h"
#include "proto/backend.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "proto/report.h"
#include "proto/writer.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/care.h"
#include "relay/leave.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/pids.h"
#include "relay/places.h"
#include "relay/relay_impl.h"
#include "relay/reset.h"

static struct lent *lent_of(struct server *s)
{
    return server_owner(s);
}

static struct buf *answer_buf(struct lent *l)
{
    return outgoing_buf(&l->relay->to_client);
}

static void on_forward(struct server *s, struct span bytes)
{
    struct lent *l = lent_of(s);
    if (l->session)
        outgoing_ref(&l->relay->to_client, bytes.p, bytes.n);
}

static void on_inject(struct server *s, const struct expect *e)
{
    struct lent *l = lent_of(s);
    if (!l->session)
        return;
    if (e->kind == EXPECT_INJECT_PARSE)
        backend_build_parse_complete(answer_buf(l));
    else
        backend_build_close_complete(answer_buf(l));
}

/* The number of the process that has notified, as its client was told it. */
static void on_notification(struct server *s, struct span message)
{
    struct lent *l = lent_of(s);
    uint32_t pid = frame_u32(message.p + FRAME_HEADER);
    const struct target *target = l->terms->targets[l->host];
    if (!l->session)
        return;
    struct buf *b = answer_buf(l);
    buf_append(b, message.p, FRAME_HEADER);
    writer_u32(b, pids_told(l->relay->shared->pids, target, pid));
    buf_append(b, message.p + FRAME_HEADER + 4, message.n - FRAME_HEADER - 4);
}

/* ---- errors ---------------------------------------------------------------------------- */

/* Our provoked errors name a statement that never exists; put the words that the client would
 * have read from its own server. True if that was done. */
static bool reword_provoked(struct lent *l, const struct report *r)
{
    struct error err;
    if (!statement_reword_provoked(r->message, &err))
        return false;
    report_error(answer_buf(l), "ERROR", &err, NULL, NULL);
    return true;
}

/* query_timeout has cancelled the statement: the client should read that, not "user request". */
static bool reword_timeout(struct lent *l, const struct report *r, struct buf *out)
{
    struct session *ses = l->session;
    struct error err;
    if (!ses->query_overdue || !span_is(r->sqlstate, SQLSTATE_QUERY_CANCELED))
        return false;
    const struct config_user *user = client_setup_login(ses->client)->pool_user_line;
    uint64_t limit = effective_query_timeout_us(setup_config(l->relay->setup),
                                                client_setup_login(ses->client)->db, user);
    error_set(&err, SQLSTATE_QUERY_CANCELED, "query timeout: canceled after %llu.%llu s",
              (unsigned long long)(limit / US_PER_S),
              (unsigned long long)(limit % US_PER_S / (US_PER_S / 10)));
    report_error(out, "ERROR", &err, NULL, NULL);
    return true;
}

/* True if the client gets the error in other words, which are composed then. */
static bool reword(struct lent *l, const struct expect *e, const struct report *r,
                   struct span message)
{
    if (!l->session || e->owner != EXPECT_CLIENT)
        return false;
    return reword_timeout(l, r, answer_buf(l)) || names_reword(l, e, message, answer_buf(l)) ||
           (e->kind == EXPECT_DESCRIBE && reword_provoked(l, r));
}

static void fence_failed(struct lent *l)
{
    /* The statement behind it runs without the client's settings. Nothing of it may count. */
    struct error err;
    error_set(&err, SQLSTATE_CONNECTION_FAILURE,
              "the session's settings could not be restored on the server; the connection is "
              "closed so that nothing runs without them");
    l->close_when_idle = true;
    if (l->session)
        client_fail(l->session->client, &err);
}

static bool on_error(struct server *s, const struct expect *e, struct span message)
{
    struct lent *l = lent_of(s);
    struct report r = {0};
    l->error_since_ready = true;
    if (message.n < FRAME_HEADER ||
        !report_parse(span_of(message.p + FRAME_HEADER, message.n - FRAME_HEADER), &r))
        r = (struct report){0}; /* too large to be looked at */
    bool reworded = reword(l, e, &r, message);
    names_failed(l, e, r.sqlstate);
    if (l->cancel != CANCEL_NONE && span_is(r.sqlstate, SQLSTATE_QUERY_CANCELED))
        cancel_has_hit(l); /* whoever sent it */
    if (!l->session) {
        if (e->owner == EXPECT_GATE || e->owner == EXPECT_FENCE)
            param_set_unref(&l->target);
        if (care_is_running(l))
            care_failed(l, message);
        else if (leave_is_running(l))
            leave_failed(l, e, &r);
        return false;
    }
    counter_add(&l->stats->errors, 1);
    switch ((enum expect_owner)e->owner) {
    case EXPECT_CLIENT:
        return !reworded;
    case EXPECT_FENCE:
        if (l->fence_wait) {
            buf_reset(&l->gate_error);
            if (!reword_timeout(l, &r, &l->gate_error))
                buf_append(&l->gate_error, message.p, message.n);
            return false;
        }
        fence_failed(l);
        return false;
    case EXPECT_GATE:
    case EXPECT_OURS:
        /* The server skips what the client sent behind it. */
        l->gate_failed = true;
        l->unit_answered = true;
        l->group_skipped = false;
        buf_reset(&l->gate_error);
        buf_append(&l->gate_error, message.p, message.n);
        return true;
    }
    return true;
}

/* Behind a refused gate, each unit of the client gets an error and a ReadyForQuery. A Query in an
 * open group is no unit: PostgreSQL skips it without a word, up to the Sync. */
static void answer_skipped_unit(struct lent *l, const struct expect *e)
{
    struct outgoing *out = &l->relay->to_client;
    bool alone = e->kind == EXPECT_QUERY || e->kind == EXPECT_FUNCTION_CALL;
    if (!l->unit_answered)
        buf_append(outgoing_buf(out), l->gate_error.data, buf_len(&l->gate_error));
    l->unit_answered = true;
    if (!alone) {
        l->group_skipped = true;
    } else if (!l->group_skipped) {
        backend_build_ready_for_query(outgoing_buf(out),
                                      server_status(l->server) == 'I' ? 'I' : 'E');
        l->unit_answered = false;
    }
}

static void on_dropped(struct server *s, const struct expect *e)
{
    struct lent *l = lent_of(s);
    names_skipped(l, e);
    if (e->owner == EXPECT_CLIENT && (e->kind == EXPECT_QUERY || e->kind == EXPECT_FUNCTION_CALL))
        names_unit_over(l);
    if (l->gate_failed && l->session && e->owner == EXPECT_CLIENT)
        answer_skipped_unit(l, e);
}

/* ---- state ----------------------------------------------------------------------------- */

/* Whose server serves nobody else hears its reports as they come, but for those about values that
 * we have given it or will give it: a RESET goes back to the server's own. */
static bool hears_as_it_comes(const struct lent *l)
{
    bool resets = l->reset != SQL_RESETS_NOTHING || l->was_reset || l->discarded;
    return (l->session->pins & PIN_SESSION_MODE) && !l->target && !l->gate_open && !resets;
}

static void tell_at_once(struct lent *l, struct span name, struct span value, struct span message)
{
    struct session *ses = l->session;
    struct param_set *told = params_with_report(ses->told, name, value);
    outgoing_ref(&l->relay->to_client, message.p, message.n);
    if (!told)
        return;
    param_set_unref(&ses->told);
    ses->told = told;
}

static void on_parameter(struct server *s, struct span name, struct span value, struct span message)
{
    struct lent *l = lent_of(s);
    link_note_report(l, name, value);
    if (!l->session)
        return;
    if (hears_as_it_comes(l)) {
        tell_at_once(l, name, value, message);
        return;
    }
    /* What a session can set is told with its ReadyForQuery (tell_parameters): the server's reports
     * are also about other clients' values that it had before, or goes back to. */
    struct span settable;
    if (!params_get(server_params(s), name, &settable))
        outgoing_ref(&l->relay->to_client, message.p, message.n);
}

/* Before its ReadyForQuery the client is told what has changed in its session: outside of a
 * transaction that is what will be restored for it anywhere, inside one what holds now. A failed
 * one that a gate began is back at the values that the server had for somebody else. */
static void tell_parameters(struct lent *l)
{
    struct session *ses = l->session;
    char status = server_status(l->server);
    struct param_set *view;
    if (status == 'I')
        view = param_set_ref(client_params(ses->client));
    else if (status == 'E' && l->gate_open)
        view = link_view_behind_gate(l);
    else
        view = param_set_ref(server_params(l->server));
    if (view != ses->told)
        params_build_reports(view, ses->told, answer_buf(l));
    param_set_unref(&ses->told);
    ses->told = view;
}

/* May a text that was parsed before mean something else now? Of CREATE only what may replace:
 * temporary tables are created all the time. */
static bool changes_definitions(struct span tag)
{
    return span_starts(tag, "ALTER ") || span_starts(tag, "DROP ") || span_is(tag, "CREATE VIEW");
}

/* Commands that count no rows. */
static void note_command(struct lent *l, const struct expect *e, struct span tag)
{
    if (span_is(tag, "COMMIT") || span_is(tag, "PREPARE TRANSACTION"))
        link_committed(l);
    if (span_is(tag, "ROLLBACK"))
        l->saw_rollback = true;
    /* RELEASE ends one of them, and all behind it: which are left is not known. */
    if (span_is(tag, "SAVEPOINT") || span_is(tag, "RELEASE"))
        l->in_savepoint = tag.p[0] == 'S';
    if (changes_definitions(tag))
        definitions_changed(definitions_of(l->terms->database));
    reset_note_run(l, tag);
    if (span_is(tag, "DISCARD ALL") || span_is(tag, "DEALLOCATE ALL")) {
        /* Alone, it has a serial and was seen when it was sent. */
        server_statements_dropped(server_statements_of(l->server), e->serial != 0);
        if (!e->serial && l->session)
            client_statements_clear(client_statements_of(l->session->client), l->first_unit);
    }
}

static void on_complete(struct server *s, const struct expect *e, struct span tag)
{
    struct lent *l = lent_of(s);
    bool counts_rows = tag.n && tag.p[tag.n - 1] >= '0' && tag.p[tag.n - 1] <= '9';
    if (!counts_rows)
        note_command(l, e, tag);
    if (e->kind == EXPECT_EXECUTE && server_expects(s)->swallowed_sync)
        l->group_open = true;
}

static void on_answered(struct server *s, const struct expect *e)
{
    struct lent *l = lent_of(s);
    names_answered(l, e);
    if (e->kind == EXPECT_PARSE && names_is_of_statement(e)) {
        counter_add(&l->stats->server_parse, 1);
        findings_note_parsed(l->terms->findings, e->arg);
    }
    if (e->owner == EXPECT_GATE && e->kind == EXPECT_EXECUTE && e->arg)
        link_gate_passed(l);
}

static void count_ready(struct lent *l, bool ends_xact)
{
    struct session *ses = l->session;
    uint64_t now = loop_now(l->relay->loop);
    struct stats *stats = ses->stats;
    uint64_t query_since_us = ses->query_since_us, xact_since_us = ses->xact_since_us;
    counter_add(&stats->query, 1);
    ses->query_since_us = 0;
    ses->ready_us = now;
    ses->query_overdue = false;
    ses->ending = SQL_ENDS_NOTHING;
    if (ends_xact) {
        counter_add(&stats->xact, 1);
        ses->xact_since_us = 0;
        if (query_since_us && query_since_us == xact_since_us) {
            stats_note_single(stats, now - query_since_us);
            return;
        }
        if (xact_since_us)
            stats_note(stats, LATENCY_XACT, now - xact_since_us);
    }
    if (query_since_us)
        stats_note(stats, LATENCY_QUERY, now - query_since_us);
}

/* Nearly always: it ends a transaction of the client's that has left nothing to see to. */
static inline bool ends_plainly(const struct lent *l, const struct expect *e)
{
    return server_status(l->server) == 'I' && e->owner == EXPECT_CLIENT && !e->arg && !l->rare &&
           !l->target && l->session &&
           client_params(l->session->client) == server_params(l->server);
}

/* What it says about our own entries, and about the server's values. False: it is not the client's.
 */
__attribute__((noinline)) static bool see_to_ready(struct lent *l, const struct expect *e)
{
    l->gate_failed = false;
    link_trust_reports(l);
    if (server_status(l->server) == 'I')
        link_settle(l);
    l->error_since_ready = false;
    if (e->owner == EXPECT_FENCE && !l->fence_wait)
        link_gate_passed(l);
    if (e->owner != EXPECT_CLIENT)
        return false;
    if (e->arg)
        names_answered(l, e);
    return true;
}

static enum server_ready on_ready_for_query(struct server *s, const struct expect *e)
{
    struct lent *l = lent_of(s);
    /* Nothing was sent behind what this ends, be it a Sync or a Query in a group without one. */
    if (expect_is_empty(server_expects(s)))
        l->group_open = false;
    if (!ends_plainly(l, e) && !see_to_ready(l, e))
        return SERVER_READY_DROP;
    names_unit_over(l);
    if (!l->session)
        return SERVER_READY_DROP;
    count_ready(l, server_status(s) == 'I');
    /* Nearly always. References are counted where all workers write, so none is taken for this. */
    if (server_status(s) == 'I' && client_params(l->session->client) == l->session->told)
        return SERVER_READY_FORWARD;
    return SERVER_READY_TELL;
}

static bool on_tell(struct server *s)
{
    struct lent *l = lent_of(s);
    if (l->session->mode == POOL_MODE_STATEMENT && server_status(s) != 'I') {
        struct error err;
        error_set(&err, SQLSTATE_FEATURE_NOT_SUPPORTED,
                  "transaction blocks not allowed in statement pooling mode");
        client_send(l->session->client, &l->relay->to_client);
        client_fail(l->session->client, &err);
        return false;
    }
    tell_parameters(l);
    return true;
}

/* ---- the end of an input --------------------------------------------------------------- */

static void on_flush(struct server *s)
{
    struct lent *l = lent_of(s);
    struct outgoing *out = &l->relay->to_client;
    if (!outgoing_bytes(out))
        return;
    if (!l->session) {
        outgoing_clear(out);
        return;
    }
    struct client *c = l->session->client;
    counter_add(&l->stats->sent, outgoing_bytes(out));
    client_send(c, out);
    if (client_is_blocked(c))
        server_pause(s);
}

/* A refused gate in front of a simple Query: nobody has sent the Sync that the server waits for. */
__attribute__((noinline, cold)) static void sync_after_gate(struct lent *l)
{
    struct expect_queue *q = server_expects(l->server);
    if (!l->gate_failed || l->unit_answered || !q->skipping)
        return;
    struct outgoing *out = &l->relay->to_server;
    frontend_build_sync(outgoing_buf(out));
    expect_push(q, EXPECT_SYNC, EXPECT_OURS, 0);
    server_send(l->server, out);
}

/* The client was kept from sending more (forward.c). */
static void continue_held(struct session *ses)
{
    if (!ses || !ses->held_back)
        return;
    ses->held_back = false;
    client_continue(ses->client);
}

/* The server has come to rest. False: that was the end of something of ours, which goes on. */
__attribute__((noinline)) static bool is_the_clients(struct lent *l)
{
    if (care_is_running(l)) {
        care_step(l);
        return false;
    }
    if (leave_is_running(l)) {
        leave_step(l);
        return false;
    }
    if (l->fence_wait) {
        link_fence_over(l);
        return false;
    }
    if (l->reset != SQL_RESETS_NOTHING && server_status(l->server) == 'I' && !l->group_open)
        reset_forget(l); /* what was to be reset is, or will not be */
    return true;
}

static void on_input_done(struct server *s)
{
    struct lent *l = lent_of(s);
    if (server_get_state(s) == SERVER_CLOSING)
        return;
    if (l->rare)
        sync_after_gate(l);
    if (!server_is_at_rest(s)) {
        if ((!l->gate_unit || expect_is_empty(server_expects(s))) &&
            server_expects(s)->count <= EXPECT_MAX / 2)
            continue_held(l->session);
        return;
    }
    l->gate_unit = 0;
    names_at_rest(l);
    /* Whether a Sync beside a failing COPY is still to be answered cannot be seen from here. */
    if (expect_is_unsure(server_expects(s)))
        l->close_when_idle = true;
    if ((l->rare || !l->session) && !is_the_clients(l))
        return;
    /* Before its Sync a group is a transaction that the status does not show. */
    struct session *ses = l->session;
    if (ses && server_status(s) == 'I' && !l->group_open && !ses->pins &&
        !client_is_mid_message(ses->client))
        link_end(ses);
    continue_held(ses);
    if (ses && ses->lent && (ses->pins & PIN_SESSION_MODE))
        (void)care_close_outdated(ses);
}

static void on_drained(struct server *s)
{
    struct lent *l = lent_of(s);
    if (l->session)
        client_resume(l->session->client);
}

const struct server_ops respond_ops = {
    .on_ready = broker_server_ready,
    .on_forward = on_forward,
    .on_inject = on_inject,
    .on_notification = on_notification,
    .on_parameter = on_parameter,
    .on_error = on_error,
    .on_dropped = on_dropped,
    .on_answered = on_answered,
    .on_ready_for_query = on_ready_for_query,
    .on_tell = on_tell,
    .on_complete = on_complete,
    .on_flush = on_flush,
    .on_input_done = on_input_done,
    .on_drained = on_drained,
    .on_end = broker_server_ended,
};
