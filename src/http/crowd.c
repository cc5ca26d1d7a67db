/* SPDX-License-Identifier: PostgreSQL */
/* crowd.c - the open connections of the HTTP server.
 *
 * evhttp tells when a connection begins (it asks for a bufferevent) and when a request is complete,
 * but not when a connection without a complete request has ended. So each bufferevent is held by a
 * reference of ours until it shows that evhttp has freed it: freeing takes the callbacks off. The
 * descriptor is evhttp's to close, and does not wait for us. */
#include "http/crowd.h"

#include "base/list.h"
#include "base/mem.h"

#include <event2/bufferevent.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Ended ones, beyond CROWD_MOST, that may wait for evhttp to notice. */
#define ENDED_MOST 32

struct member {
    struct bufferevent *bev; /* a reference */
    uint64_t heard_us;       /* its beginning, or its last request */
    bool is_ended;           /* we have; evhttp has not noticed yet */
    TAILQ_ENTRY(member) link;
};

struct crowd {
    TAILQ_HEAD(member_list, member) members; /* the one heard least recently first */
    unsigned n, n_ended;
};

struct crowd *crowd_new(void)
{
    struct crowd *c = xcalloc(1, sizeof *c);
    TAILQ_INIT(&c->members);
    return c;
}

static void forget(struct crowd *c, struct member *m)
{
    TAILQ_REMOVE(&c->members, m, link);
    c->n--;
    c->n_ended -= m->is_ended;
    bufferevent_decref(m->bev);
    free(m);
}

void crowd_free(struct crowd **cp)
{
    struct crowd *c = *cp;
    if (!c)
        return;
    while (!TAILQ_EMPTY(&c->members))
        forget(c, TAILQ_FIRST(&c->members));
    free(c);
    *cp = NULL;
}

/* evhttp sets its connection as the argument for as long as the bufferevent is in use. */
static bool is_closed(const struct member *m)
{
    void *connection = NULL;
    bufferevent_getcb(m->bev, NULL, NULL, NULL, &connection);
    return connection == NULL;
}

static void forget_closed(struct crowd *c)
{
    struct member *m, *next;
    TAILQ_FOREACH_SAFE(m, &c->members, link, next)
    {
        if (is_closed(m))
            forget(c, m);
    }
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
    forget_closed(c);
    if (c->n - c->n_ended >= CROWD_MOST)
        end_oldest(c);
    struct member *m = xcalloc(1, sizeof *m);
    bufferevent_incref(bev);
    m->bev = bev;
    m->heard_us = now_us;
    TAILQ_INSERT_TAIL(&c->members, m, link);
    c->n++;
}

void crowd_heard(struct crowd *c, const struct bufferevent *bev, uint64_t now_us)
{
    struct member *m;
    TAILQ_FOREACH(m, &c->members, link)
    {
        if (m->bev == bev) {
            m->heard_us = now_us;
            TAILQ_REMOVE(&c->members, m, link);
            TAILQ_INSERT_TAIL(&c->members, m, link);
            return;
        }
    }
}

void crowd_sweep(struct crowd *c, uint64_t now_us)
{
    struct member *m;
    forget_closed(c);
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
