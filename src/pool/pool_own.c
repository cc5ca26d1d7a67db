/* SPDX-License-Identifier: PostgreSQL */
/* pool_own.c - places for servers that are opened for one client alone. */
#include "pool/pool.h"

#include "pool/pool_impl.h"

/* Servers that are being opened for whoever comes first serve those who stand in front. */
struct pool_waiter *pool_own_due(const struct pool_shared *sh)
{
    uint32_t served = sh->count[POOL_SERVER_OPENING] - sh->opening_own;
    struct pool_waiter *w;

    if (sh->n_waiting_own == 0)
        return NULL;
    TAILQ_FOREACH(w, &sh->waiting, link)
    {
        if (w->own && !w->granted)
            return w;
        if (!w->own && served-- == 0)
            return NULL;
    }
    return NULL;
}

static uint32_t leaving(const struct pool_shared *sh)
{
    return sh->total - pool_staying(sh);
}

bool pool_own_needs_room(const struct pool_shared *sh, uint64_t now_us)
{
    if (pool_is_closed_for_dials(sh) || pool_own_due(sh) == NULL)
        return false;
    return pool_staying(sh) >= pool_allowed(sh, now_us) || (sh->starving && leaving(sh) == 0);
}

uint64_t pool_own_make_room(struct pool *p)
{
    struct pool_shared *sh = &p->shared;

    /* One at a time: what is leaving makes room already. */
    if (pool_own_due(sh) == NULL || leaving(sh) > 0)
        return 0;
    const struct pool_server *s = pool_evict_locked(p);
    return s != NULL ? UINT64_C(1) << s->worker : 0;
}

static bool give_back(struct pool *p, uint64_t now_us)
{
    struct pool_shared *sh = &p->shared;

    sh->n_own--;
    sh->opening_own--;
    pool_unreserve_locked(sh);
    bool dial = pool_wants_dial(p, now_us);
    pool_unlock(p);
    caps_give_back(p->caps, 0);
    return dial;
}

bool pool_own_begin(struct pool *p, struct pool_waiter *w, uint64_t now_us, bool *dial_out)
{
    pool_lock(p);
    if (w != NULL && w->state == POOL_WAITER_QUEUED && w->granted) {
        pool_unlock(p);
        return true;
    }
    *dial_out = give_back(p, now_us);
    return false;
}

bool pool_own_give_up(struct pool *p, struct pool_waiter *w, uint64_t now_us)
{
    pool_lock(p);
    w->granted = false;
    return give_back(p, now_us);
}

void pool_own_failed(struct pool *p, struct pool_waiter *w)
{
    pool_lock(p);
    w->granted = false;
    pool_unlock(p);
}

enum pool_close_reason pool_own_opened(struct pool *p, struct pool_server *s, struct pool_waiter *w,
                                       uint64_t now_us)
{
    struct pool_shared *sh = pool_lock(p);
    enum pool_close_reason reason = POOL_CLOSE_NONE;

    pool_rule(s->own && s->state == POOL_SERVER_OPENING);
    s->opened_us = now_us;
    sh->opening_own--;
    if (sh->draining)
        reason = POOL_CLOSE_DRAINING;
    else if (sh->pause != POOL_PAUSE_NONE)
        reason = POOL_CLOSE_PAUSED;
    else if (s->generation != sh->generation)
        reason = POOL_CLOSE_RECYCLED;
    pool_server_enter(sh, s, reason == POOL_CLOSE_NONE ? POOL_SERVER_LINKED : POOL_SERVER_CLOSING);
    if (reason == POOL_CLOSE_NONE)
        pool_leave_queue(p, w, POOL_WAITER_NONE);
    w->granted = false;
    pool_unlock(p);
    return reason;
}
