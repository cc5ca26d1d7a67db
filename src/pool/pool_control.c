/* SPDX-License-Identifier: PostgreSQL */
/* pool_control.c - pause, drain, generations, limits, and the sweeps that close servers. */
#include "pool/pool.h"

#include "pool/pool_impl.h"

/* ---- limits ---- */

static uint32_t add_saturating(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

void pool_apply_settings(struct pool *p, const struct pool_settings *settings)
{
    struct pool_shared *sh = &p->shared;
    bool shrunk = sh->target < sh->set.size;
    uint64_t places = (uint64_t)settings->window * p->n_workers;

    sh->set = *settings;
    sh->most = add_saturating(settings->size, settings->reserve);
    sh->places = places > UINT32_MAX ? UINT32_MAX : (uint32_t)places;
    sh->lifetime_gap_us = settings->size > 0 ? settings->lifetime_us / settings->size : 0;
    if (!shrunk || sh->target > settings->size)
        sh->target = settings->size;
    sh->ceiling = sh->total > sh->most ? sh->total : sh->most;
}

bool pool_set_limits(struct pool *p, const struct pool_settings *settings, uint64_t now_us)
{
    struct pool_shared *sh = pool_lock(p);

    /* A lower window would find waiters that were passed over more often than it allows. */
    pool_apply_settings(p, settings);
    struct pool_waiter *w;
    TAILQ_FOREACH(w, &sh->waiting, link)
    {
        if (w->passed_over > sh->places)
            w->passed_over = sh->places;
    }
    bool dial = pool_wants_dial(p, now_us);
    pool_unlock(p);
    return dial;
}

/* Old enough to go, and long enough after the last one that went for its age: servers opened
 * together must not leave together. */
bool pool_lifetime_over(struct pool_shared *sh, const struct pool_server *s, uint64_t now_us)
{
    if (now_us <= s->opened_us || now_us - s->opened_us < sh->set.lifetime_us ||
        now_us < sh->next_lifetime_us)
        return false;
    sh->next_lifetime_us = now_us + sh->lifetime_gap_us;
    return true;
}

/* ---- sweeps ---- */

static void condemn(struct pool *p, struct pool_server *s, enum pool_close_reason reason)
{
    pool_idle_remove(p, s, POOL_SERVER_CONDEMNED);
    s->reason = reason;
    TAILQ_INSERT_TAIL(&p->shared.of[s->worker].condemned, s, link);
}

static uint64_t condemn_all(struct pool *p, enum pool_close_reason reason)
{
    uint64_t workers = 0;

    for (unsigned i = 0; i < p->n_workers; i++) {
        struct pool_server *s;

        while ((s = TAILQ_FIRST(&p->shared.of[i].idle)) != NULL) {
            condemn(p, s, reason);
            workers |= UINT64_C(1) << i;
        }
    }
    return workers;
}

uint64_t pool_condemn_idle(struct pool *p, enum pool_close_reason reason)
{
    pool_lock(p);
    uint64_t workers = condemn_all(p, reason);
    pool_unlock(p);
    return workers;
}

struct pool_server *pool_evict_locked(struct pool *p)
{
    struct pool_server *oldest = pool_oldest_idle(p);

    if (oldest != NULL) {
        condemn(p, oldest, POOL_CLOSE_EVICTED);
        p->shared.evicted++;
    }
    return oldest;
}

bool pool_condemn_one(struct pool *p, struct pool_server *s, enum pool_close_reason reason)
{
    pool_lock(p);
    bool idle = s->state == POOL_SERVER_IDLE;
    if (idle)
        condemn(p, s, reason);
    pool_unlock(p);
    return idle;
}

bool pool_evict(struct pool *p, enum pool_cap kind, unsigned *worker_out)
{
    pool_lock(p);
    struct pool_server *oldest = pool_evict_locked(p);

    if (oldest != NULL) {
        /* Before the owner can collect the server, so that the promise can't come too late. */
        cap_promise(p->caps[kind]);
        *worker_out = oldest->worker;
    }
    pool_unlock(p);
    return oldest != NULL;
}

static enum pool_close_reason expired(struct pool_shared *sh, const struct pool_server *s,
                                      uint64_t now_us)
{
    uint32_t staying = pool_staying(sh);

    if (staying > sh->most)
        return POOL_CLOSE_TOO_MANY;
    if (pool_lifetime_over(sh, s, now_us))
        return POOL_CLOSE_LIFETIME;
    if (sh->set.idle_timeout_us != 0 && now_us >= s->idle_since_us + sh->set.idle_timeout_us &&
        staying > sh->set.min)
        return POOL_CLOSE_IDLE;
    return POOL_CLOSE_NONE;
}

static struct pool_server *take_expired(struct pool *p, unsigned worker, uint64_t now_us)
{
    struct pool_shared *sh = &p->shared;
    struct pool_server *s = TAILQ_FIRST(&sh->of[worker].condemned);

    if (s != NULL) {
        TAILQ_REMOVE(&sh->of[worker].condemned, s, link);
        pool_server_enter(sh, s, POOL_SERVER_CLOSING);
        return s;
    }
    TAILQ_FOREACH_REVERSE(s, &sh->of[worker].idle, pool_server_list, link)
    {
        enum pool_close_reason reason = expired(sh, s, now_us);

        if (reason == POOL_CLOSE_NONE)
            continue;
        s->reason = reason;
        pool_idle_remove(p, s, POOL_SERVER_CLOSING);
        return s;
    }
    return NULL;
}

struct pool_server *pool_take_expired(struct pool *p, unsigned worker, uint64_t now_us)
{
    pool_lock(p);
    struct pool_server *s = take_expired(p, worker, now_us);
    pool_unlock(p);
    return s;
}

uint64_t pool_recycle(struct pool *p)
{
    struct pool_shared *sh = pool_lock(p);

    sh->generation++;
    atomic_store_explicit(&p->generation, sh->generation, memory_order_relaxed);
    uint64_t workers = condemn_all(p, POOL_CLOSE_RECYCLED);
    if (sh->n_own > 0)
        workers = UINT64_MAX >> (POOL_MAX_WORKERS - p->n_workers);
    pool_unlock(p);
    return workers;
}

/* ---- control ---- */

uint64_t pool_pause(struct pool *p, enum pool_pause how)
{
    struct pool_shared *sh = pool_lock(p);
    uint64_t workers = 0;

    pool_rule(how != POOL_PAUSE_NONE);
    sh->pause = how;
    pool_stop_starving(p);
    if (how == POOL_PAUSE_CLOSE)
        workers = condemn_all(p, POOL_CLOSE_PAUSED);
    pool_unlock(p);
    return workers;
}

uint64_t pool_resume(struct pool *p)
{
    struct pool_shared *sh = pool_lock(p);
    uint64_t workers = 0;

    sh->pause = POOL_PAUSE_NONE;
    for (unsigned i = 0; pool_sharing_waiters(sh) > 0 && i < p->n_workers; i++) {
        if (sh->of[i].n_idle > 0)
            workers |= UINT64_C(1) << i;
    }
    sh->unserved = workers != 0;
    pool_unlock(p);
    return workers;
}

bool pool_is_quiet(struct pool *p)
{
    const uint32_t *count = pool_lock(p)->count;
    bool quiet = count[POOL_SERVER_LINKED] + count[POOL_SERVER_PROMISED] + count[POOL_SERVER_DEAD] +
                     count[POOL_SERVER_MOVING] ==
                 0;

    pool_unlock(p);
    return quiet;
}

static void set_disabled(struct pool *p, bool disabled)
{
    pool_lock(p)->disabled = disabled;
    pool_unlock(p);
}

void pool_disable(struct pool *p)
{
    set_disabled(p, true);
}

void pool_enable(struct pool *p)
{
    set_disabled(p, false);
}

uint64_t pool_drain(struct pool *p)
{
    struct pool_shared *sh = pool_lock(p);

    sh->draining = true;
    pool_stop_starving(p);
    uint64_t workers = condemn_all(p, POOL_CLOSE_DRAINING);
    pool_unlock(p);
    return workers;
}
