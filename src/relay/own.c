/* SPDX-License-Identifier: PostgreSQL */
/* own.c - clients that need a server of their own: replication. */
#include "relay/own.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/dial.h"
#include "relay/link.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdlib.h>

struct own {
    char *options; /* as the client gave them, behind those of the terms it was dialled under */
    struct param_set *params;
    struct lent *dialed; /* is being opened */
};

void own_begin(struct session *ses)
{
    struct client *c = ses->client;
    const char *options = client_raw_options(c);
    if (client_replication(c) == REPLICATION_NONE)
        return;
    ses->own = xcalloc(1, sizeof *ses->own);
    ses->own->params = param_set_ref(client_params(c));
    ses->own->options = options ? xstrdup(options) : NULL;
    ses->waiter.own = true;
    ses->mode = POOL_MODE_SESSION;
    ses->follows_statements = false;
    ses->pins |= PIN_SESSION_MODE;
}

void own_free(struct session *ses)
{
    if (!ses->own)
        return;
    free(ses->own->options);
    param_set_unref(&ses->own->params);
    free(ses->own);
    ses->own = NULL;
}

void own_login(struct session *ses, struct server_login *login)
{
    struct own *own = ses->own;
    login->replication =
        client_replication(ses->client) == REPLICATION_LOGICAL ? "database" : "true";
    login->params = own->params;
    if (own->options && login->options) {
        char *both = xasprintf("%s %s", login->options, own->options);
        free(own->options);
        own->options = both;
    }
    if (own->options)
        login->options = own->options;
}

void own_stop_dialing(struct session *ses)
{
    struct lent *l = ses->own ? ses->own->dialed : NULL;
    if (!l)
        return;
    ses->own->dialed = NULL;
    l->own_of = NULL;
    l->dialing = false;
    target_abandoned(l->terms->targets[l->host]);
    broker_close_server(l, "replication client was closed");
}

/* ---- a place is granted ---------------------------------------------------------------- */

struct grant {
    struct message message;
    struct pool *pool;
    uint64_t client_id;
    uint32_t generation;
};

static void begin(struct session *ses, uint32_t generation)
{
    struct relay *r = ses->relay;
    struct error err;
    switch (dial_for_one(ses, generation, &ses->own->dialed, &err)) {
    case TARGET_GO:
        ses->own->dialed->own_of = ses;
        return;
    case TARGET_WAIT:
        (void)pool_own_give_up(ses->pool, &ses->waiter, loop_now(r->loop));
        break;
    case TARGET_REFUSE:
        (void)pool_own_give_up(ses->pool, &ses->waiter, loop_now(r->loop));
        broker_fail_waiting(ses, &err, setup_config(r->setup)->profile == CONFIG_INI);
        break;
    }
    dial_for_hungry(r, ses->pool);
}

static void take_grant(struct relay *r, const struct grant *g)
{
    struct session *ses = relay_find_session(r, g->client_id);
    bool dial = false;
    if (ses && (ses->pool != g->pool || ses->own->dialed))
        ses = NULL;
    if (pool_own_begin(g->pool, ses ? &ses->waiter : NULL, loop_now(r->loop), &dial)) {
        begin(ses, g->generation);
        return;
    }
    if (dial)
        broker_dial_more(r, g->pool);
    dial_for_hungry(r, g->pool);
}

static void deliver_grant(struct message *m, void *receiver)
{
    struct grant *g = container_of(m, struct grant, message);
    bool dial;
    if (receiver)
        take_grant(receiver, g);
    else
        (void)pool_own_begin(g->pool, NULL, 0, &dial);
    pool_unref(&g->pool);
    free(g);
}

void own_granted(struct relay *r, struct pool *p, const struct pool_dial_answer *a)
{
    struct grant *g = xcalloc(1, sizeof *g);
    g->message.deliver = deliver_grant;
    g->pool = pool_ref(p);
    g->client_id = a->client_id;
    g->generation = a->generation;
    mailbox_post(relay_mailbox(r->shared->relays[a->client_worker]), &g->message);
}

/* ---- the server is there --------------------------------------------------------------- */

/* The pool's servers have told nobody yet what they report; this one does so for its client. */
static void welcome(struct session *ses, struct lent *l)
{
    struct param_set *none = param_set_empty();
    cancel_enter_key(ses);
    counter_add(&ses->stats->client_login, 1);
    client_set_params(ses->client, none);
    client_welcome(ses->client, server_welcome(l->server), server_base_params(l->server),
                   span_of(ses->key, sizeof ses->key));
    param_set_unref(&none);
}

static void meet(struct session *ses, struct lent *l)
{
    struct client *c = ses->client;
    ses->given = l;
    if (client_get_state(c) == CLIENT_WELCOME) {
        ses->told = param_set_ref(server_base_params(l->server));
        welcome(ses, l);
    } else {
        client_enter(c, CLIENT_IDLE);
        client_continue(c);
    }
    if (ses->given != l)
        return;
    ses->given = NULL;
    if (ses->gone)
        broker_close_server(l, "replication client was closed");
    else
        link_own(ses, l);
}

void own_dial_failed(struct lent *l)
{
    struct session *ses = l->own_of;
    if (!ses)
        return;
    ses->own->dialed = NULL;
    pool_own_failed(ses->pool, &ses->waiter);
}

void own_ready(struct lent *l)
{
    struct session *ses = l->own_of;
    l->own_of = NULL;
    ses->own->dialed = NULL;
    enum pool_close_reason reason =
        pool_own_opened(ses->pool, &l->ledger, &ses->waiter, loop_now(l->relay->loop));
    if (reason != POOL_CLOSE_NONE) {
        broker_close_server(l, pool_close_text(reason));
        return;
    }
    broker_wait_is_over(ses);
    meet(ses, l);
}

static char *text_of(struct span s)
{
    return s.n ? xstrndup(s.p, s.n) : NULL;
}

void own_refused(struct session *ses, const struct error *tell, struct span report)
{
    struct error err;
    struct report r;
    if (!report.n || !report_parse(report, &r))
        r = (struct report){0};
    char *detail = text_of(r.detail), *hint = text_of(r.hint);
    error_set(&err, tell->sqlstate, "login failed: %s", tell->text);
    broker_stop_waiting(ses);
    counter_add(&ses->stats->refused, 1);
    client_fail_because(ses->client, &err, detail, hint, "login failed");
    free(detail);
    free(hint);
}

/* ---- it must go ------------------------------------------------------------------------ */

/* Failing one client may close others: each time the list is searched anew. */
static struct lent *any_linked(struct relay *r, const struct pool *p, uint32_t current)
{
    struct lent *l;
    TAILQ_FOREACH(l, &r->servers, link)
    {
        if (l->ledger.own && l->session && (!p || l->pool == p) && l->ledger.generation != current)
            return l;
    }
    return NULL;
}

void own_close_obsolete(struct relay *r, struct pool *p)
{
    struct error err;
    struct lent *l;
    uint32_t current = pool_generation(p);
    error_set(&err, SQLSTATE_ADMIN_SHUTDOWN, "database configuration changed");
    while ((l = any_linked(r, p, current)) != NULL)
        client_fail(l->session->client, &err);
}

void own_close_all(struct relay *r, const struct error *err)
{
    struct lent *l;
    while ((l = any_linked(r, NULL, UINT32_MAX)) != NULL)
        client_fail(l->session->client, err);
}
