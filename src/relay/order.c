/* SPDX-License-Identifier: PostgreSQL */
/* order.c - the operator's orders, carried out in one worker. */
#include "relay/order.h"

#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/dial.h"
#include "relay/own.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

/* Closing one client or server may close others: each time the list is searched anew. */

static struct session *any_session(struct relay *r, const struct pool *p)
{
    struct session *ses;
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        if (ses->pool == p)
            return ses;
    }
    return NULL;
}

/* A server that died while it was promised is closed already, and stays until WANTED comes. */
static struct lent *any_open_lent(struct relay *r, const struct pool *p)
{
    struct lent *l;
    TAILQ_FOREACH(l, &r->servers, link)
    {
        if (l->pool == p && server_get_state(l->server) != SERVER_CLOSING)
            return l;
    }
    return NULL;
}

static void kill_server(struct lent *l, const char *reason)
{
    if (l->dialing) {
        l->dialing = false;
        target_abandoned(l->terms->targets[l->host]);
    }
    broker_close_server(l, reason);
}

void order_kill_pool(struct relay *r, struct pool *p, const struct error *err)
{
    struct session *ses;
    struct lent *l;
    while ((ses = any_session(r, p)) != NULL)
        client_fail(ses->client, err);
    while ((l = any_open_lent(r, p)) != NULL)
        kill_server(l, err->text);
}

bool order_kill_client(struct relay *r, uint64_t id, const struct error *err)
{
    struct session *ses = relay_find_session(r, id);
    if (!ses)
        return false;
    client_fail(ses->client, err);
    return true;
}

const uint8_t *order_cancel_key(struct relay *r, uint64_t client_id)
{
    struct session *ses = relay_find_session(r, client_id);
    cancel_enter_key(ses);
    return ses->key;
}

static struct session *any_waiting(struct relay *r)
{
    struct session *ses;
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        if (ses->wait_since_us)
            return ses;
    }
    return NULL;
}

void order_dismiss_waiting(struct relay *r, const struct error *err)
{
    struct session *ses;
    while ((ses = any_waiting(r)) != NULL)
        broker_fail_waiting(ses, err, true);
}

void order_end_replication(struct relay *r, const struct error *err)
{
    own_close_all(r, err);
}

void order_wake(struct relay *r, struct pool *p)
{
    dial_to_wake(r, p);
}

void order_resume(struct relay *r, struct pool *p)
{
    broker_serve(r, p);
    broker_dial_more(r, p);
}
