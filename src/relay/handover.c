/* SPDX-License-Identifier: PostgreSQL */
/* handover.c - a server moves from one worker to another. */
#include "relay/handover.h"

#include "base/mem.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/care.h"
#include "relay/relay_impl.h"

#include <stdlib.h>

struct handover_message {
    struct message message;
    uint64_t server_id;
    uint64_t client_id;
    unsigned from;     /* WANTED: who asks */
    struct lent *lent; /* HANDED: owned */
};

static void post(struct relay *r, unsigned worker, struct handover_message *m)
{
    mailbox_post(relay_mailbox(r->shared->relays[worker]), &m->message);
}

/* ---- GONE ------------------------------------------------------------------------------ */

static void deliver_gone(struct message *m, void *receiver)
{
    struct handover_message *h = container_of(m, struct handover_message, message);
    struct relay *r = receiver;
    struct session *ses = r ? relay_find_session(r, h->client_id) : NULL;
    struct pool_decision d;
    if (ses && ses->pool && pool_gone(ses->pool, &ses->waiter, h->server_id, loop_now(r->loop), &d))
        broker_decided(ses, &d);
    free(h);
}

static void post_gone(struct relay *r, unsigned worker, uint64_t server_id, uint64_t client_id)
{
    struct handover_message *h = xcalloc(1, sizeof *h);
    h->message.deliver = deliver_gone;
    h->server_id = server_id;
    h->client_id = client_id;
    post(r, worker, h);
}

/* ---- HANDED ---------------------------------------------------------------------------- */

static void deliver_handed(struct message *m, void *receiver)
{
    struct handover_message *h = container_of(m, struct handover_message, message);
    struct relay *r = receiver;
    struct lent *l = h->lent;
    uint64_t client_id = h->client_id;
    free(h);
    if (!r) {
        relay_discard_lent(l);
        return;
    }
    relay_add_lent(r, l);
    server_attach(l->server, &r->server_context, l);
    server_freeze(l->server, r->is_suspended);
    counter_add(&l->stats->handover, 1);
    struct session *ses = relay_find_session(r, client_id);
    if (ses && ses->pool != l->pool)
        ses = NULL;
    if (!pool_handed(l->pool, &l->ledger, (unsigned)r->worker, ses ? &ses->waiter : NULL))
        broker_release(l);
    else if (!care_begin_check(l, ses))
        broker_got_server(ses, l);
}

void handover_give(struct lent *l, uint64_t client_id, unsigned worker)
{
    struct relay *r = l->relay;
    if (!server_detach(l->server)) {
        /* Half a TLS record has come: rare, and a server that talks unasked is no loss. */
        post_gone(r, worker, l->id, client_id);
        broker_close_server(l, "not quiet enough to be handed over");
        return;
    }
    relay_remove_lent(l);
    l->relay = NULL;
    struct handover_message *h = xcalloc(1, sizeof *h);
    h->message.deliver = deliver_handed;
    h->client_id = client_id;
    h->lent = l;
    post(r, worker, h);
}

/* ---- WANTED ---------------------------------------------------------------------------- */

static void deliver_wanted(struct message *m, void *receiver)
{
    struct handover_message *h = container_of(m, struct handover_message, message);
    struct relay *r = receiver;
    struct lent *l = r ? relay_find_lent(r, h->server_id) : NULL;
    if (r && l && pool_wanted(l->pool, &l->ledger)) {
        handover_give(l, h->client_id, h->from);
    } else if (r) {
        post_gone(r, h->from, h->server_id, h->client_id);
        if (l)
            broker_forget(l);
    }
    free(h);
}

void handover_want(struct session *ses, uint64_t server_id, unsigned owner)
{
    struct handover_message *h = xcalloc(1, sizeof *h);
    h->message.deliver = deliver_wanted;
    h->server_id = server_id;
    h->client_id = ses->id;
    h->from = (unsigned)ses->relay->worker;
    post(ses->relay, owner, h);
}
