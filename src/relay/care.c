/* SPDX-License-Identifier: PostgreSQL */
/* care.c - connect_query, server_check_query, server_fast_close.
 *
 *   connect_query        behind the log-in, which is over when it is answered: its time-out, the
 *                        target's back-off and "one at a time" hold until then. What it sets is
 * what the server is taken to have started with. An error in it is logged, no more; a transaction
 * that it leaves open ends the server. server_check_query   when a client is to get a server that
 * has been idle for server_check_delay; never because of time alone, so that an idle database hears
 * nothing of it. An error, an open transaction or no answer closes the server, and the client gets
 * another, at its old place in the queue. The default, <empty>, is answered without the server:
 * what it has said meanwhile is read before anything is sent (broker.c), which finds a dead
 * connection as well. */
#include "relay/care.h"

#include "base/log.h"
#include "proto/backend.h"
#include "proto/frontend.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <string.h>

bool care_is_running(const struct lent *l)
{
    return l->care != CARE_NONE;
}

static void ask(struct lent *l, enum care care, const char *query, uint64_t patience_us)
{
    struct outgoing *out = &l->relay->to_server;
    l->care = care;
    l->care_has_failed = false;
    l->care_deadline_us = patience_us ? loop_now(l->relay->loop) + patience_us : 0;
    frontend_build_query(outgoing_buf(out), span_str(query));
    expect_push(server_expects(l->server), EXPECT_QUERY, EXPECT_OURS, 0);
    server_send(l->server, out);
    relay_tick_soon(l->relay);
}

static const char *name_of(enum care care)
{
    return care == CARE_CONNECT ? "connect_query" : "server_check_query";
}

void care_failed(struct lent *l, struct span message)
{
    struct report r;
    l->care_has_failed = true;
    if (message.n < FRAME_HEADER ||
        !report_parse(span_of(message.p + FRAME_HEADER, message.n - FRAME_HEADER), &r))
        return;
    lent_log(l, LOG_WARNING_LEVEL, "%s failed: %.*s", name_of(l->care),
             (int)(r.message.n < 500 ? r.message.n : 500), (const char *)r.message.p);
}

/* ---- connect_query --------------------------------------------------------------------- */

bool care_begin_connect(struct lent *l)
{
    const char *query = l->terms->db->connect_query;
    if (!query)
        return false;
    ask(l, CARE_CONNECT, query, setup_config(l->relay->setup)->server_connect_timeout_us);
    return true;
}

static void end_connect(struct lent *l, const char *text)
{
    struct server_end end = {.phase = SERVER_PHASE_READY, .phrase = "exec_on_connect query failed"};
    error_set(&end.error, SQLSTATE_CANNOT_CONNECT_NOW, "%s", text);
    broker_server_ended(l->server, &end);
}

static void connect_over(struct lent *l)
{
    if (server_status(l->server) != 'I') {
        end_connect(l, "connect_query has left a transaction open");
        return;
    }
    server_rebase(l->server);
    broker_server_opened(l);
}

/* ---- server_check_query ---------------------------------------------------------------- */

bool care_check(struct lent *l, struct session *ses)
{
    const struct config *cfg = setup_config(l->relay->setup);
    if (strcmp(cfg->server_check_query, "<empty>") == 0)
        return false;
    l->checked_for = ses;
    ses->checking = l;
    server_enter(l->server, SERVER_RESETTING);
    ask(l, CARE_CHECK, cfg->server_check_query, cfg->cancel_wait_timeout_us);
    return true;
}

static void check_over(struct lent *l)
{
    struct session *ses = l->checked_for;
    if (l->care_has_failed || server_status(l->server) != 'I') {
        broker_close_server(l, "test query failed");
        return;
    }
    server_enter(l->server, SERVER_IDLE);
    if (!ses) {
        broker_release(l);
        return;
    }
    care_forget_session(ses);
    l->checked = true;
    broker_got_server(ses, l);
}

void care_forget_session(struct session *ses)
{
    if (!ses->checking)
        return;
    ses->checking->checked_for = NULL;
    ses->checking = NULL;
}

void care_forget_server(struct lent *l)
{
    struct session *ses = l->checked_for;
    l->care = CARE_NONE;
    if (!ses)
        return;
    care_forget_session(ses);
    broker_acquire_again(ses);
}

/* ---- both ------------------------------------------------------------------------------ */

void care_step(struct lent *l)
{
    enum care care = l->care;
    l->care = CARE_NONE;
    l->care_deadline_us = 0;
    if (care == CARE_CONNECT)
        connect_over(l);
    else
        check_over(l);
}

void care_sweep(struct lent *l, uint64_t now_us)
{
    if (l->care == CARE_NONE || !l->care_deadline_us || now_us < l->care_deadline_us)
        return;
    if (l->care == CARE_CONNECT)
        end_connect(l, "connect timeout: connect_query was not answered");
    else
        broker_close_server(l, "test query failed: no answer");
}

/* ---- server_fast_close ----------------------------------------------------------------- */

bool care_close_outdated(struct session *ses)
{
    struct lent *l = ses->lent;
    struct error err;
    if (!setup_config(ses->relay->setup)->server_fast_close ||
        (l->ledger.generation == pool_generation(l->pool) && !l->vanished) ||
        !server_is_at_rest(l->server) || server_status(l->server) != 'I' || l->group_open ||
        client_is_mid_message(ses->client))
        return false;
    error_set(&err, SQLSTATE_ADMIN_SHUTDOWN, "database configuration changed");
    client_fail(ses->client, &err);
    broker_close_server(l, err.text);
    return true;
}
