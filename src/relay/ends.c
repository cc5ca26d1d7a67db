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
 *
 * Nothing that was handed to send() is ever sent again. */
#include "base/clock.h"
#include "base/log.h"
#include "proto/backend.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/dial.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

/* ---- ready ----------------------------------------------------------------------------- */

void broker_server_ready(struct server *s)
{
    struct lent *l = server_owner(s);
    struct relay *r = l->relay;
    char address[ADDR_TEXT], tls[128];
    if (setup_config(r->setup)->log_connections)
        lent_log(l, LOG_INFO_LEVEL, "new connection to server %s%s%s",
                 addr_text(server_address(s), address, sizeof address),
                 server_tls_text(s, tls, sizeof tls)[0] ? " " : "", tls);
    dial_succeeded(l);
    findings_learn(l->terms->findings, s);
    struct target *target = l->terms->targets[l->host];
    struct pool *pool = pool_ref(l->pool);
    session_welcome_everywhere(r, pool);
    broker_opened(l);
    broker_dial_more(r, pool);
    dial_next_on_target(r, target);
    pool_unref(&pool);
}

/* ---- lost while a client was linked ---------------------------------------------------- */

/* One error and one ReadyForQuery for each unit that is owed an answer. */
static void answer_lost_units(struct session *ses, struct lent *l, const struct error *err)
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
            report_error(b, "ERROR", err, NULL, "The statement may or may not have been executed.");
        told = open = true;
        if (e->kind == EXPECT_QUERY || e->kind == EXPECT_FUNCTION_CALL || e->kind == EXPECT_SYNC) {
            backend_build_ready_for_query(b, 'I');
            told = open = false;
        }
    }
    /* All of a group was answered but its Sync: nothing of it is committed. */
    if (l->group_open && !open && !q->skipping)
        report_error(b, "ERROR", err, NULL, "The statements of this group were not committed.");
    ses->skip_to_sync = open || l->group_open || q->skipping;
}

static bool session_can_go_on(const struct session *ses, const struct lent *l)
{
    /* A transaction that was being ended is over, one way or the other. */
    bool outside = server_status(l->server) == 'I' || ses->ending == SQL_ENDS_COMMIT ||
                   ses->ending == SQL_ENDS_ABORT;
    return outside && !ses->pins && !server_is_mid_message(l->server);
}

static void lose_client(struct session *ses, struct lent *l, const struct server_end *end)
{
    struct error err;
    struct relay *r = ses->relay;
    bool words = end->said_goodbye;
    bool unknown = ses->ending == SQL_ENDS_COMMIT || ses->ending == SQL_ENDS_MAYBE;
    if (unknown && end->while_busy)
        error_set(&err, SQLSTATE_TRANSACTION_UNKNOWN,
                  "the outcome of the transaction is unknown: %s (server conn crashed?)",
                  end->error.text);
    else
        error_set(&err, words ? end->error.sqlstate : SQLSTATE_CONNECTION_FAILURE, "%s%s",
                  end->error.text, words ? "" : " (server conn crashed?)");
    bool owed = !expect_is_empty(server_expects(l->server)) || l->group_open;
    names_lost(ses, l);
    names_end(ses, l);
    ses->lent = NULL;
    l->session = NULL;
    if (!session_can_go_on(ses, l)) {
        client_send(ses->client, &r->to_client);
        if (server_is_mid_message(l->server))
            client_close(ses->client, "server conn crashed?");
        else
            client_fail(ses->client, &err);
        return;
    }
    answer_lost_units(ses, l, &err);
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

/* ---- the end --------------------------------------------------------------------------- */

static void end_while_dialing(struct lent *l, const struct server_end *end)
{
    struct relay *r = l->relay;
    struct target *target = l->terms->targets[l->host];
    struct pool *pool = pool_ref(l->pool);
    dial_failed(l, end);
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
    if (setup_config(l->relay->setup)->log_disconnections)
        lent_log(l, LOG_INFO_LEVEL, "closing because: %s (age=%llus)", end->error.text,
                 (unsigned long long)((loop_now(l->relay->loop) - server_connected_us(l->server)) /
                                      US_PER_S));
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
    broker_close_server(l, end->error.text);
}
