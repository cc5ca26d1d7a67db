/* SPDX-License-Identifier: PostgreSQL */
/* leave.c - a client has left in the middle; its work is ended and the server is kept.
 *
 *   still running   wait LEAVE_GRACE for it to end, then cancel it; no end within
 *                   cancel_wait_timeout: close the server, which ends it for certain
 *   in COPY IN      CopyFail
 *   group open      Sync, so that the server becomes ready
 *   in transaction  ROLLBACK; no answer within cancel_wait_timeout: close
 *   half a message  cannot be completed: close
 *
 * Each step waits for the server to be at rest; answers go nowhere. */
#include "relay/leave.h"

#include "base/clock.h"
#include "base/log.h"
#include "proto/frontend.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/link.h"
#include "relay/relay_impl.h"

#include <string.h>

/* A statement that is nearly over need not be cancelled. */
#define LEAVE_GRACE_US (100 * US_PER_MS)

bool leave_is_running(const struct lent *l)
{
    return l->leaving;
}

/* What we ask ourselves is never cancelled: it is answered in time, or the server is closed. */
static void ask(struct lent *l, const char *text)
{
    struct outgoing *out = &l->relay->to_server;
    uint64_t patience = setup_config(l->relay->setup)->cancel_wait_timeout_us;
    l->leave_deadline_us = patience ? loop_now(l->relay->loop) + patience : 0;
    frontend_build_query(outgoing_buf(out), span_str(text));
    expect_push(server_expects(l->server), EXPECT_QUERY, EXPECT_OURS, 0);
    server_send(l->server, out);
}

static bool runs_ours(const struct lent *l)
{
    struct expect_queue *q = server_expects(l->server);
    return !expect_is_empty(q) && expect_at(q, 0)->owner == EXPECT_OURS &&
           expect_at(q, 0)->kind == EXPECT_QUERY;
}

/* Ends what only the client could have ended: an open COPY, an unfinished group. */
static void close_group(struct lent *l)
{
    struct outgoing *out = &l->relay->to_server;
    struct expect_queue *q = server_expects(l->server);
    if (q->copy_in) {
        frontend_build_copy_fail(outgoing_buf(out), span_str("client disconnected"));
        expect_push(q, EXPECT_COPY_END, EXPECT_OURS, 0);
        /* In a group: the client's own Sync, if it has come, was ignored by the COPY. */
        l->group_open |= expect_at(q, 0)->kind == EXPECT_EXECUTE;
    }
    if (l->group_open) {
        frontend_build_sync(outgoing_buf(out));
        expect_push(q, EXPECT_SYNC, EXPECT_OURS, 0);
        l->group_open = false;
    }
    if (outgoing_bytes(out))
        server_send(l->server, out);
}

void leave_begin(struct lent *l, bool mid_message)
{
    struct relay *r = l->relay;
    l->leaving = true;
    server_enter(l->server, SERVER_RESETTING);
    server_resume(l->server);
    if (mid_message) {
        broker_close_server(l, "client disconnected in the middle of a message");
        return;
    }
    close_group(l);
    l->leave_deadline_us = loop_now(r->loop) + LEAVE_GRACE_US;
    relay_tick_soon(r);
    if (server_is_at_rest(l->server))
        leave_step(l);
}

void leave_failed(struct lent *l, const struct expect *e, const struct report *r)
{
    if (e->owner != EXPECT_OURS || !l->was_cleaned)
        return;
    l->clean_failed = true;
    lent_log(l, LOG_WARNING_LEVEL, "server_reset_query failed: %.*s",
             (int)(r->message.n < 500 ? r->message.n : 500), (const char *)r->message.p);
}

/* server_reset_query has run. What it has not done, or begun and not ended, the next client would
 * meet. */
static void cleaned(struct lent *l)
{
    bool failed = l->clean_failed || server_status(l->server) != 'I';
    l->was_cleaned = l->clean_failed = false;
    if (failed)
        broker_close_server(l, "reset query failed");
}

/* The server is at rest: what next? */
void leave_step(struct lent *l)
{
    if (!cancel_is_over(l))
        return; /* broker_cancel_over comes back here */
    if (l->was_cleaned)
        cleaned(l);
    if (server_get_state(l->server) == SERVER_CLOSING)
        return;
    if (server_status(l->server) != 'I' && !l->rolled_back) {
        l->rolled_back = l->saw_rollback = true; /* also what was set at its start */
        ask(l, "ROLLBACK");
        return;
    }
    if (l->reset_wanted) {
        l->reset_wanted = false;
        const char *reset = setup_config(l->relay->setup)->server_reset_query;
        if (reset[0]) {
            bool discards = strcasestr(reset, "DISCARD ALL") != NULL;
            if (discards || strcasestr(reset, "DEALLOCATE ALL"))
                server_statements_dropped(server_statements_of(l->server), false);
            if (discards || strcasestr(reset, "RESET ALL"))
                server_set_params(l->server, server_base_params(l->server));
            l->was_cleaned = true;
            ask(l, reset);
            return;
        }
    }
    l->leaving = l->rolled_back = false;
    l->leave_deadline_us = 0;
    link_forget(l);
    if (server_status(l->server) != 'I') {
        broker_close_server(l, "reset query failed");
        return;
    }
    server_enter(l->server, SERVER_IDLE);
    broker_release(l);
}

void leave_sweep(struct lent *l, uint64_t now_us)
{
    if (!l->leaving || !l->leave_deadline_us || now_us < l->leave_deadline_us)
        return;
    /* COPY may have begun after the client went. */
    if (server_expects(l->server)->copy_in)
        close_group(l);
    if (!runs_ours(l) && l->cancel == CANCEL_NONE && cancel_server(l)) {
        l->leave_deadline_us = l->cancel_deadline_us;
        return;
    }
    broker_close_server(l, "client disconnect while server was not ready");
}
