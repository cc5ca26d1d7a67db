/* SPDX-License-Identifier: PostgreSQL */
/* crowd.c - the open connections of the HTTP server.
 *
 * evhttp asks for a bufferevent when a connection begins, and has a connection to speak of only
 * behind that: it is the argument of the bufferevent's callbacks. Behind the turn in which it was
 * accepted each one gets its closing callback. That runs before evhttp frees the bufferevent and
 * closes the descriptor; our reference ends there, for events that outlive the descriptor would be
 * on whatever has its number next. */
#include "http/crowd.h"

#include "base/list.h"
#include "base/mem.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Ended ones, beyond CROWD_MOST, that may wait for evhttp to notice. */
#define ENDED_MOST 32

struct member {
    struct crowd *crowd;
    struct bufferevent *bev;     /* a reference */
    uint64_t heard_us;           /* its beginning, or its last request */
    bool is_ended;               /* we have; evhttp has not noticed yet */
    bool is_greeted;             /* has the closing callback */
    void (*on_close)(void *arg); /* of whoever else wants to know; NULL: nobody */
    void *on_close_arg;
    TAILQ_ENTRY(member) link;
};

struct crowd {
    TAILQ_HEAD(member_list, member) members; /* the one heard least recently first */
    unsigned n, n_ended;
    struct event greet;
};

static void forget(struct crowd *c, struct member *m)
{
    TAILQ_REMOVE(&c->members, m, link);
    c->n--;
    c->n_ended -= m->is_ended;
    bufferevent_decref(m->bev);
    free(m);
}

static void on_closing(struct evhttp_connection *connection, void *arg)
{
    struct member *m = arg;
    void (*tell)(void *) = m->on_close;
    void *tell_arg = m->on_close_arg;
    (void)connection;
    /* Closed from a callback of its own, as behind a reply, it keeps its events until that returns:
     * libevent would take them off behind the close. */
    bufferevent_disable(m->bev, EV_READ | EV_WRITE);
    forget(m->crowd, m);
    if (tell)
        tell(tell_arg);
}

/* One without a connection could not be had, and is freed already but for our reference. */
static void on_greet(evutil_socket_t fd, short what, void *arg)
{
    struct crowd *c = arg;
    struct member *m, *next;
    (void)fd;
    (void)what;
    TAILQ_FOREACH_SAFE(m, &c->members, link, next)
    {
        void *connection = NULL;
        if (m->is_greeted)
            continue;
        bufferevent_getcb(m->bev, NULL, NULL, NULL, &connection);
        m->is_greeted = true;
        if (connection)
            evhttp_connection_set_closecb(connection, on_closing, m);
        else
            forget(c, m);
    }
}

struct crowd *crowd_new(struct event_base *base)
{
    struct crowd *c = xcalloc(1, sizeof *c);
    TAILQ_INIT(&c->members);
    event_assign(&c->greet, base, -1, 0, on_greet, c);
    return c;
}

void crowd_free(struct crowd **cp)
{
    struct crowd *c = *cp;
    if (!c)
        return;
    event_del(&c->greet);
    while (!TAILQ_EMPTY(&c->members))
        forget(c, TAILQ_FIRST(&c->members));
    free(c);
    *cp = NULL;
}

/* evhttp reads an end of stream, or fails to write, and closes. */
static void end(struct crowd *c, struct member *m)
{
    (void)shutdown(bufferevent_getfd(m->bev), SHUT_RDWR);
    m->is_ended = true;
    c->n_ended++;
}

static void end_oldest(struct crowd *c)
{
    struct member *m;
    TAILQ_FOREACH(m, &c->members, link)
    {
        if (!m->is_ended) {
            end(c, m);
            return;
        }
    }
}

void crowd_add(struct crowd *c, struct bufferevent *bev, uint64_t now_us)
{
    if (c->n - c->n_ended >= CROWD_MOST)
        end_oldest(c);
    struct member *m = xcalloc(1, sizeof *m);
    m->crowd = c;
    bufferevent_incref(bev);
    m->bev = bev;
    m->heard_us = now_us;
    TAILQ_INSERT_TAIL(&c->members, m, link);
    c->n++;
    /* Behind what is under way, before anything can be read from it. */
    event_active(&c->greet, 0, 0);
}

static struct member *find(struct crowd *c, struct evhttp_connection *connection)
{
    struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);
    struct member *m;
    TAILQ_FOREACH(m, &c->members, link)
    {
        if (m->bev == bev)
            return m;
    }
    return NULL;
}

void crowd_heard(struct crowd *c, struct evhttp_connection *connection, uint64_t now_us)
{
    struct member *m = find(c, connection);
    if (!m)
        return;
    m->heard_us = now_us;
    TAILQ_REMOVE(&c->members, m, link);
    TAILQ_INSERT_TAIL(&c->members, m, link);
}

void crowd_on_close(struct crowd *c, struct evhttp_connection *connection, void (*tell)(void *arg),
                    void *arg)
{
    struct member *m = find(c, connection);
    if (!m)
        return;
    m->on_close = tell;
    m->on_close_arg = arg;
}

void crowd_sweep(struct crowd *c, uint64_t now_us)
{
    struct member *m;
    TAILQ_FOREACH(m, &c->members, link)
    {
        if (!m->is_ended && now_us - m->heard_us >= CROWD_PATIENCE_US)
            end(c, m);
    }
}

bool crowd_is_pressing(struct crowd *c)
{
    return c->n_ended >= ENDED_MOST;
}
