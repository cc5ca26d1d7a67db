/* SPDX-License-Identifier: PostgreSQL */
/* session.c - a client of a pool from its login to its end.
 *
 * A login does not touch the database when the pool has been seen before: it is answered from the
 * parameters that the pool's servers reported last. The first login of a pool waits in the queue
 * for a server like a query does, and that server then stays in the pool. */
#include "base/log.h"
#include "base/mem.h"
#include "proto/backend.h"
#include "relay/auth_query.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/control.h"
#include "relay/forward.h"
#include "relay/leave.h"
#include "relay/link.h"
#include "relay/own.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdlib.h>

static void welcome(struct session *ses)
{
    struct param_set *base;
    struct buf reports = {0};
    if (!place_welcome(ses->place, &reports, &base))
        return;
    broker_stop_waiting(ses);
    cancel_enter_key(ses);
    counter_add(&ses->stats->client_login, 1);
    client_welcome(ses->client, buf_span(&reports), base, span_of(ses->key, sizeof ses->key));
    buf_reset(&reports);
    param_set_unref(&base);
    if (!ses->gone)
        ses->told = param_set_ref(client_params(ses->client));
}

struct welcome_message {
    struct message message;
    struct pool *pool;
};

static void deliver_welcome(struct message *m, void *receiver)
{
    struct welcome_message *w = container_of(m, struct welcome_message, message);
    struct relay *r = receiver;
    struct session *ses, *next;
    if (r) {
        TAILQ_FOREACH_SAFE(ses, &r->sessions, link, next)
        {
            if (ses->pool == w->pool && !ses->own &&
                client_get_state(ses->client) == CLIENT_WELCOME)
                welcome(ses);
        }
    }
    pool_unref(&w->pool);
    free(w);
}

void session_welcome_everywhere(struct relay *r, struct pool *p)
{
    for (int i = 0; i < r->shared->n_workers; i++) {
        struct welcome_message *w = xcalloc(1, sizeof *w);
        w->message.deliver = deliver_welcome;
        w->pool = pool_ref(p);
        mailbox_post(relay_mailbox(r->shared->relays[i]), &w->message);
    }
}

static void take_mode(struct session *ses)
{
    struct terms *t = place_terms(ses->place);
    ses->mode = t->mode;
    ses->follows_statements = t->follows_statements;
    if (ses->mode == POOL_MODE_SESSION)
        ses->pins |= PIN_SESSION_MODE;
    terms_unref(&t);
}

static bool admit(struct session *ses, struct error *err)
{
    return place_admit(ses->place, ses->relay->setup, client_setup_login(ses->client),
                       client_user(ses->client), &ses->admission, err);
}

static void on_login(struct client *c)
{
    struct session *ses = client_data(c);
    struct relay *r = ses->relay;
    struct error err;
    /* A reload may have come while it was proving who it is. */
    if (!client_refresh_setup(c)) {
        error_set(&err, SQLSTATE_UNDEFINED_DATABASE, "database \"%s\" does not exist",
                  client_database(c));
        client_fail(c, &err);
        return;
    }
    ses->pool = places_find(r->shared->places, r->setup, client_setup_login(c), client_database(c),
                            client_user(c));
    ses->place = pool_owner(ses->pool);
    place_follow_secret(ses->place, client_setup_login(c));
    ses->stats = figures_row(ses->place->figures, (unsigned)r->worker);
    if (!control_login(r->shared->control, ses->pool, &err) || !admit(ses, &err)) {
        client_fail(c, &err);
        return;
    }
    take_mode(ses);
    own_begin(ses);
    if (place_is_known(ses->place))
        welcome(ses);
    else
        broker_want_first(ses);
}

static void on_cancel(struct client *c, struct span key)
{
    struct session *ses = client_data(c);
    cancel_requested(ses->relay, c, key);
}

static void on_drained(struct client *c)
{
    struct session *ses = client_data(c);
    if (ses->lent)
        server_resume(ses->lent->server);
}

/* What the server is left with, and who takes care of it. */
static void leave_server(struct session *ses)
{
    struct lent *l = ses->lent;
    bool mid = client_is_mid_message(ses->client);
    if (!l)
        return;
    ses->lent = NULL;
    l->session = NULL;
    link_abandon(l);
    if (l->ledger.own) {
        broker_close_server(l, "replication client was closed");
        return;
    }
    if (ses->pins & PIN_SESSION_MODE)
        l->reset_wanted = true;
    if (ses->pins & PIN_LARGE_PARSE)
        l->close_when_idle = true;
    bool rest = server_is_at_rest(l->server) && server_status(l->server) == 'I' && !mid;
    if (rest && !l->reset_wanted && !l->group_open)
        broker_release(l);
    else
        leave_begin(l, mid);
}

static void on_gone(struct client *c)
{
    struct session *ses = client_data(c);
    if (!ses)
        return;
    auth_query_gone(ses);
    if (ses->pool)
        broker_stop_waiting(ses);
    cancel_forget_key(ses);
    leave_server(ses);
    places_dismiss(ses->relay->shared->places, ses->place, &ses->admission);
    relay_bury_session(ses);
}

const struct client_ops session_ops = {
    .on_login = on_login,
    .on_request = forward_request,
    .on_input_done = forward_input_done,
    .on_drained = on_drained,
    .on_cancel = on_cancel,
    .on_gone = on_gone,
};
