/* SPDX-License-Identifier: PostgreSQL */
/* suspend.c - nothing is read, what is due is sent.
 *
 * A server that is on its way up goes on: since its pool is paused, nobody gets it. */
#include "relay/suspend.h"

#include "net/stream.h"
#include "relay/broker.h"
#include "relay/relay_impl.h"

static void freeze(struct relay *r, bool on)
{
    struct session *ses;
    struct lent *l;
    r->is_suspended = on;
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        if (!ses->is_operator)
            client_freeze(ses->client, on);
    }
    TAILQ_FOREACH(l, &r->servers, link)
    {
        if (!l->dialing)
            server_freeze(l->server, on);
    }
}

void suspend_begin(struct relay *r)
{
    freeze(r, true);
}

void suspend_end(struct relay *r)
{
    freeze(r, false);
}

/* ---- what is still to be sent ---------------------------------------------------------- */

static bool session_is_unflushed(const struct session *ses)
{
    return !ses->is_operator && client_is_blocked(ses->client);
}

static bool lent_is_unflushed(const struct lent *l)
{
    return server_get_state(l->server) != SERVER_CLOSING &&
           stream_is_blocked(server_stream(l->server));
}

size_t suspend_unflushed(struct relay *r)
{
    const struct session *ses;
    const struct lent *l;
    size_t n = 0;
    TAILQ_FOREACH(ses, &r->sessions, link)
    n += session_is_unflushed(ses);
    TAILQ_FOREACH(l, &r->servers, link)
    n += lent_is_unflushed(l);
    return n;
}

/* Closing one client or server may close others: each time the lists are searched anew. */

static struct session *any_unflushed_session(struct relay *r)
{
    struct session *ses;
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        if (session_is_unflushed(ses))
            return ses;
    }
    return NULL;
}

static struct lent *any_unflushed_lent(struct relay *r)
{
    struct lent *l;
    TAILQ_FOREACH(l, &r->servers, link)
    {
        if (lent_is_unflushed(l))
            return l;
    }
    return NULL;
}

void suspend_drop_unflushed(struct relay *r, const struct error *err)
{
    struct session *ses;
    struct lent *l;
    while ((ses = any_unflushed_session(r)) != NULL)
        client_fail(ses->client, err);
    while ((l = any_unflushed_lent(r)) != NULL)
        broker_close_server(l, err->text);
}
