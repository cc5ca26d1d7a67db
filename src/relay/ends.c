/* SPDX-License-Identifier: PostgreSQL */
/* ends.c - servers become ready, and servers are lost.
 *
 * What a loss means for the client that is linked:
 *
 *   outside a transaction,    each statement that was sent fails with 08006 (08007 if a COMMIT
 *   or while ending one       may have been in it: the outcome is unknown); the session goes on
 *   inside a transaction, or  the client's connection is closed as its own server would have
 *   with state on the server  closed it: going on would run the rest outside of the transaction
 *   in the middle of a row    the connection is closed, nothing else can be said any more
 *   out of step               the connection is closed: the client broke the protocol
 *
 * Nothing that was handed to send() is ever sent again. */
#include "base/clock.h"
#include "base/log.h"
#include "net/stream.h"
#include "proto/backend.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/care.h"
#include "relay/dial.h"
#include "relay/forward.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/own.h"
#include "relay/pids.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdio.h>
#include <string.h>

/* ---- ready ----------------------------------------------------------------------------- */

static void log_new(const struct lent *l)
{
    char from[ADDR_TEXT], tls[128];
    struct addr local;
    if (!setup_config(l->relay->setup)->log_connections)
        return;
    if (stream_local_addr(server_stream(l->server), &local) && !addr_is_unix(&local))
        lent_log(l, LOG_INFO_LEVEL, "new connection to server (from %s)",
                 addr_text(&local, from, sizeof from));
    else
        lent_log(l, LOG_INFO_LEVEL, "new connection to server");
    if (server_tls_text(l->server, tls, sizeof tls)[0])
        lent_log(l, LOG_INFO_LEVEL, "SSL established: %s", tls);
}

void broker_server_ready(struct server *s)
{
    struct lent *l = server_owner(s);
    log_new(l);
    /* Who replicates may be able to run no SQL at all. */
    if (l->own_of || !care_begin_connect(l))
        broker_server_opened(l);
}

void broker_server_opened(struct lent *l)
{
    struct relay *r = l->relay;
    dial_succeeded(l);
    struct target *target = l->terms->targets[l->host];
    struct pool *pool = pool_ref(l->pool);
    l->pid = pids_add(r->shared->pids, target, (uint32_t)server_pid(l->server));
    if (l->own_of) {
        own_ready(l);
    } else {
        findings_learn(l->terms->findings, l->server);
        session_welcome_everywhere(r, pool);
        broker_opened(l);
    }
    broker_dial_more(r, pool);
    dial_next_on_target(r, target);
    pool_unref(&pool);
}

/* ---- lost while a client was linked ---------------------------------------------------- */

/* One error and one ReadyForQuery for each unit that is owed an answer. */
static void answer_lost_units(struct session *ses, struct lent *l, const struct error *err,
                              struct span report)
{
    struct expect_queue *q = server_expects(l->server);
    struct buf *b = outgoing_buf(&ses->relay->to_client);
    bool told = false;
    bool open = false; /* a group whose Sync has not come yet */
    for (uint32_t i = 0; i < q->count; i++) {
        const struct expect *e = expect_at(q, i);
        if (e->owner != EXPECT_CLIENT || e->kind == EXPECT_COPY_END)
            continue;
        if (!told)
            report_relay(b, "ERROR", err, report,
                         "The statement may or may not have been executed.");
        told = open = true;
        if (e->kind == EXPECT_QUERY || e->kind == EXPECT_FUNCTION_CALL || e->kind == EXPECT_SYNC) {
            backend_build_ready_for_query(b, 'I');
            told = open = false;
        }
    }
    /* All of a group was answered but its Sync: nothing of it is committed. */
    if (l->group_open && !open && !q->skipping)
        report_relay(b, "ERROR", err, report, "The statements of this group were not committed.");
    ses->skip_to_sync = open || l->group_open || q->skipping;
}

static bool session_can_go_on(const struct session *ses, const struct lent *l,
                              const struct server_end *end)
{
    /* The server could not follow what the client says: a Query in a COPY. Nor can we. */
    if (end->said_goodbye && strcmp(end->error.sqlstate, SQLSTATE_PROTOCOL_VIOLATION) == 0)
        return false;
    /* A transaction that was being ended is over, one way or the other. */
    bool outside = server_status(l->server) == 'I' || ses->ending == SQL_ENDS_COMMIT ||
                   ses->ending == SQL_ENDS_ABORT;
    return outside && !ses->pins && !server_is_mid_message(l->server);
}

/* The server's own words where it gave any, but for the one thing that it cannot know: that the
 * client never heard whether its COMMIT was carried out. */
static void lost_error(const struct session *ses, const struct server_end *end, struct error *err,
                       struct span *report_out)
{
    bool unknown = ses->ending == SQL_ENDS_COMMIT || ses->ending == SQL_ENDS_MAYBE;
    /* Whoever has its server for good hears what it would hear from it alone. */
    if (ses->pins && end->said_goodbye)
        unknown = false;
    *report_out = span_of(NULL, 0);
    if (unknown && end->while_busy) {
        error_set(err, SQLSTATE_TRANSACTION_UNKNOWN,
                  "the outcome of the transaction is unknown: %.150s (server conn crashed?)",
                  end->error.text);
    } else if (end->said_goodbye) {
        *err = end->error;
        *report_out = end->report;
    } else if (strcmp(end->error.sqlstate, SQLSTATE_CONNECTION_FAILURE) != 0) {
        *err = end->error; /* it is we who have ended it */
    } else {
        error_set(err, SQLSTATE_CONNECTION_FAILURE, "%.200s (server conn crashed?)",
                  end->error.text);
    }
}

/* The statement was not sent: another server can have it. But if one after the other goes when it
 * is given the client's values, it is they. */
#define FENCES_LOST_MOST 3

static void lose_fence(struct session *ses, const struct error *err, struct span report)
{
    ses->held_back = true;
    if (++ses->fences_lost < FENCES_LOST_MOST)
        return;
    ses->fences_lost = 0;
    forward_refuse_next(ses, err, report);
}

static void lose_client(struct session *ses, struct lent *l, const struct server_end *end)
{
    struct error err;
    struct span report;
    struct relay *r = ses->relay;
    lost_error(ses, end, &err, &report);
    /* While the client's values are on their way nothing of its own is. */
    bool owed = !l->fence_wait && (!expect_is_empty(server_expects(l->server)) || l->group_open);
    if (l->fence_wait)
        lose_fence(ses, &err, report);
    names_lost(ses, l);
    names_end(ses, l);
    ses->lent = NULL;
    l->session = NULL;
    if (!session_can_go_on(ses, l, end)) {
        client_send(ses->client, &r->to_client);
        if (server_is_mid_message(l->server))
            client_close(ses->client, "server conn crashed?");
        else
            client_fail_report(ses->client, &err, report);
        return;
    }
    answer_lost_units(ses, l, &err, report);
    ses->query_since_us = ses->xact_since_us = 0;
    ses->query_overdue = false;
    ses->ending = SQL_ENDS_NOTHING;
    ses->drop_body = client_is_mid_message(ses->client);
    client_enter(ses->client, CLIENT_IDLE);
    if (owed)
        client_log(ses->client, LOG_WARNING_LEVEL, "server lost while a statement was running: %s",
                   err.text);
    client_send(ses->client, &r->to_client);
    client_resume(ses->client);
}

/* What was to wait for the server that is lost was not sent: it goes to another one, or is a part
 * of what has just been told to have failed. */
static void continue_without(struct session *ses)
{
    if (ses->gone || ses->lent || !ses->held_back)
        return;
    ses->held_back = false;
    client_continue(ses->client);
}

/* ---- the end --------------------------------------------------------------------------- */

#define REASON_TEXT 320

/* PgBouncer's reason, if it has one, and what that was in this case. */
static const char *end_reason(const struct server_end *end, char out[static REASON_TEXT])
{
    if (!end->phrase)
        return end->error.text;
    /* Whole lines of scripts' patterns end in `login failed (age`; what was said stands above. */
    if (end->said_goodbye && end->phase != SERVER_PHASE_READY)
        return end->phrase;
    snprintf(out, REASON_TEXT, "%s (%s)", end->phrase, end->error.text);
    return out;
}

static void end_while_dialing(struct lent *l, const struct server_end *end)
{
    struct relay *r = l->relay;
    struct target *target = l->terms->targets[l->host];
    struct pool *pool = pool_ref(l->pool);
    own_dial_failed(l);
    dial_failed(l, end);
    l->own_of = NULL;
    char reason[REASON_TEXT];
    broker_log_closing(l, end_reason(end, reason));
    server_close(l->server);
    pool_closed(pool, &l->ledger, loop_now(r->loop));
    relay_bury_lent(l);
    broker_dial_more(r, pool);
    dial_for_hungry(r, pool);
    dial_next_on_target(r, target);
    pool_unref(&pool);
}

static void end_while_idle(struct lent *l, const struct server_end *end)
{
    char reason[REASON_TEXT];
    broker_log_closing(l, end_reason(end, reason));
    target_slept(l->terms->targets[l->host]);
    /* Whoever was active before: nobody asks for the database that has just gone to sleep. */
    atomic_store_explicit(&l->place->active_us, 0, memory_order_relaxed);
    server_close(l->server);
    if (pool_idle_died(l->pool, &l->ledger) == POOL_DIED_REMOVED)
        broker_forget(l);
}

void broker_server_ended(struct server *s, const struct server_end *end)
{
    struct lent *l = server_owner(s);
    struct session *ses = l->session;
    cancel_abandon(l);
    if (l->dialing) {
        end_while_dialing(l, end);
        return;
    }
    if (server_get_state(s) == SERVER_IDLE && !l->release_waits) {
        end_while_idle(l, end);
        return;
    }
    if (ses)
        lose_client(ses, l, end);
    link_forget(l);
    char reason[REASON_TEXT];
    broker_close_server(l, end_reason(end, reason));
    if (ses)
        continue_without(ses);
}
