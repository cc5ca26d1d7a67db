/* SPDX-License-Identifier: PostgreSQL */
/* wait.c - requests that are answered later. */
#include "http/wait.h"

#include "base/list.h"
#include "base/mem.h"
#include "http/crowd.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <stdlib.h>

#define LOOK_US 50000

struct wait {
    struct waits *waits;
    struct evhttp_request *req;
    uint64_t until_us;
    TAILQ_ENTRY(wait) link;
};

struct waits {
    struct crowd *crowd;
    bool (*is_settled)(void *owner);
    void (*reply)(void *owner, struct evhttp_request *req);
    uint64_t (*now)(void *owner);
    void *owner;
    struct event timer;
    TAILQ_HEAD(wait_list, wait) all;
};

static void forget(struct wait *w)
{
    TAILQ_REMOVE(&w->waits->all, w, link);
    free(w);
}

/* The client has left; evhttp frees the request. */
static void on_close(void *arg)
{
    forget(arg);
}

static void end(struct wait *w)
{
    struct waits *all = w->waits;
    struct evhttp_request *req = w->req;
    crowd_on_close(all->crowd, evhttp_request_get_connection(req), NULL, NULL);
    forget(w);
    all->reply(all->owner, req);
}

static void look_again(struct waits *w)
{
    const struct timeval soon = {.tv_usec = LOOK_US};
    if (!TAILQ_EMPTY(&w->all))
        event_add(&w->timer, &soon);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct waits *w = arg;
    struct wait *each, *next;
    bool settled = w->is_settled(w->owner);
    uint64_t now = w->now(w->owner);
    (void)fd;
    (void)what;
    TAILQ_FOREACH_SAFE(each, &w->all, link, next)
    {
        if (settled || now >= each->until_us)
            end(each);
    }
    look_again(w);
}

struct waits *waits_new(struct event_base *base, struct crowd *crowd, const struct waits_ops *ops,
                        void *owner)
{
    struct waits *w = xcalloc(1, sizeof *w);
    w->crowd = crowd;
    w->is_settled = ops->is_settled;
    w->reply = ops->reply;
    w->now = ops->now;
    w->owner = owner;
    TAILQ_INIT(&w->all);
    event_assign(&w->timer, base, -1, 0, on_timer, w);
    return w;
}

void waits_free(struct waits **wp)
{
    struct waits *w = *wp;
    struct wait *each, *next;
    if (!w)
        return;
    event_del(&w->timer);
    TAILQ_FOREACH_SAFE(each, &w->all, link, next)
    {
        crowd_on_close(w->crowd, evhttp_request_get_connection(each->req), NULL, NULL);
        forget(each);
    }
    free(w);
    *wp = NULL;
}

void waits_add(struct waits *w, struct evhttp_request *req)
{
    struct wait *one = xcalloc(1, sizeof *one);
    one->waits = w;
    one->req = req;
    one->until_us = w->now(w->owner) + WAIT_MOST_US;
    TAILQ_INSERT_TAIL(&w->all, one, link);
    crowd_on_close(w->crowd, evhttp_request_get_connection(req), on_close, one);
    look_again(w);
}
