/* SPDX-License-Identifier: PostgreSQL */
/* pool.c - the ledger of one pool: birth, death, looking at it, and its rules checked. */
#include "pool/pool.h"

#include "base/mem.h"
#include "pool/pool_impl.h"

#include <stdio.h>
#include <string.h>

static struct pool_share *new_shares(unsigned n_workers)
{
    size_t size = n_workers * sizeof(struct pool_share);
    struct pool_share *shares = aligned_alloc(POOL_CACHE_LINE, size);

    if (shares == NULL)
        abort();
    memset(shares, 0, size);
    return shares;
}

struct pool *pool_new(const char *database, const char *user, unsigned n_workers,
                      const struct pool_settings *settings, struct cap *const caps[POOL_CAPS])
{
    struct pool *p = xcalloc(1, sizeof(*p));

    pool_rule(n_workers >= 1 && n_workers <= POOL_MAX_WORKERS);
    p->database = xstrdup(database);
    p->user = xstrdup(user);
    p->n_workers = n_workers;
    for (int i = 0; i < POOL_CAPS; i++) {
        p->caps[i] = caps[i];
        p->seats[i].pool = p;
    }
    atomic_init(&p->refs, 1);

    mutex_init(&p->shared.m);
    TAILQ_INIT(&p->shared.waiting);
    p->shared.of = new_shares(n_workers);
    for (unsigned i = 0; i < n_workers; i++) {
        TAILQ_INIT(&p->shared.of[i].idle);
        TAILQ_INIT(&p->shared.of[i].condemned);
    }
    p->shared.target = settings->size;
    pool_apply_settings(p, settings);
    return p;
}

void pool_free(struct pool **p)
{
    struct pool *old = *p;

    if (old == NULL)
        return;
    pool_rule(old->shared.total == 0 && old->shared.n_waiting == 0 && !old->shared.starving);
    mutex_fini(&old->shared.m);
    free(old->shared.of);
    free(old->database);
    free(old->user);
    free(old);
    *p = NULL;
}

struct pool *pool_ref(struct pool *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

size_t pool_object_size(void)
{
    return sizeof(struct pool);
}

void pool_unref(struct pool **p)
{
    if (*p == NULL)
        return;
    /* Release: what was done under this reference happens before the registry frees the pool. */
    pool_rule(atomic_fetch_sub_explicit(&(*p)->refs, 1, memory_order_release) > 0);
    *p = NULL;
}

const char *pool_database(const struct pool *p)
{
    return p->database;
}

const char *pool_user(const struct pool *p)
{
    return p->user;
}

void *pool_owner(const struct pool *p)
{
    return p->owner;
}

void pool_set_owner(struct pool *p, void *owner)
{
    p->owner = owner;
}

uint32_t pool_ref_count(const struct pool *p)
{
    return atomic_load_explicit(&p->refs, memory_order_acquire);
}

uint32_t pool_idle_hint(const struct pool *p)
{
    return atomic_load_explicit(&p->n_idle, memory_order_relaxed);
}

uint64_t pool_last_idle_us(const struct pool *p)
{
    return atomic_load_explicit(&p->last_idle_us, memory_order_relaxed);
}

uint64_t pool_oldest_us(const struct pool *p)
{
    return atomic_load_explicit(&p->oldest_us, memory_order_relaxed);
}

uint32_t pool_generation(const struct pool *p)
{
    return atomic_load_explicit(&p->generation, memory_order_relaxed);
}

struct cap *pool_cap(const struct pool *p, enum pool_cap kind)
{
    return p->caps[kind];
}

static uint64_t since(uint64_t now_us, uint64_t then_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

void pool_inspect(struct pool *p, uint64_t now_us, struct pool_numbers *out)
{
    const struct pool_shared *sh = pool_lock(p);
    const uint32_t *count = sh->count;
    const struct pool_waiter *head = TAILQ_FIRST(&sh->waiting);

    *out = (struct pool_numbers){
        .waiting = sh->n_waiting,
        .oldest_wait_us = head != NULL ? since(now_us, head->since_us) : 0,
        .opening = count[POOL_SERVER_OPENING],
        .idle = count[POOL_SERVER_IDLE],
        .active = count[POOL_SERVER_LINKED],
        .moving = count[POOL_SERVER_PROMISED] + count[POOL_SERVER_DEAD] + count[POOL_SERVER_MOVING],
        .closing = count[POOL_SERVER_CONDEMNED] + count[POOL_SERVER_CLOSING],
        .pinned = sh->n_pinned,
        .size = sh->set.size,
        .target_size = sh->target,
        .reserve_used = sh->total > sh->target ? sh->total - sh->target : 0,
        .generation = sh->generation,
        .pause = sh->pause,
        .disabled = sh->disabled,
        .draining = sh->draining,
        .starving = sh->starving,
        .taken = sh->taken,
        .asked = sh->asked,
        .queued = sh->queued,
        .handovers = sh->handovers,
        .passed_on = sh->passed_on,
        .evicted = sh->evicted,
    };
    memcpy(out->refused, sh->refused, sizeof(out->refused));
    pool_unlock(p);
}

const char *pool_close_text(enum pool_close_reason reason)
{
    switch (reason) {
    case POOL_CLOSE_NONE:
        break;
    case POOL_CLOSE_TOO_MANY:
        return "too many servers in the pool";
    case POOL_CLOSE_RECYCLED:
        return "database configuration changed";
    case POOL_CLOSE_NEEDED:
        return "close_needed";
    case POOL_CLOSE_PAUSED:
        return "pause mode";
    case POOL_CLOSE_DRAINING:
        return "server shutting down";
    case POOL_CLOSE_LIFETIME:
        return "server lifetime over";
    case POOL_CLOSE_IDLE:
        return "server idle timeout";
    case POOL_CLOSE_EVICTED:
        return "evicted";
    case POOL_CLOSE_PASSED_ON:
        return "evicted: another pool has waited longer";
    case POOL_CLOSE_VANISHED:
        return "obsolete connection";
    case POOL_CLOSE_ASKED_FOR:
        return "idle connections of the database are not wanted";
    }
    return "";
}

const char *pool_server_state_name(enum pool_server_state state)
{
    static const char *const names[POOL_SERVER_STATES] = {
        [POOL_SERVER_GONE] = "gone",         [POOL_SERVER_OPENING] = "opening",
        [POOL_SERVER_IDLE] = "idle",         [POOL_SERVER_LINKED] = "linked",
        [POOL_SERVER_PROMISED] = "promised", [POOL_SERVER_DEAD] = "dead",
        [POOL_SERVER_MOVING] = "moving",     [POOL_SERVER_CONDEMNED] = "condemned",
        [POOL_SERVER_CLOSING] = "closing",
    };

    return names[state];
}

/* ---- the rules ---- */

static bool lists_match(const struct pool *p, uint32_t *n_idle_out)
{
    const struct pool_shared *sh = &p->shared;
    uint32_t n_all = 0, n_condemned = 0;

    for (unsigned i = 0; i < p->n_workers; i++) {
        const struct pool_server *s;
        uint32_t n = 0;

        TAILQ_FOREACH(s, &sh->of[i].idle, link)
        {
            if (s->state != POOL_SERVER_IDLE || s->worker != i)
                return false;
            n++;
        }
        if (n != sh->of[i].n_idle)
            return false;
        n_all += n;
        TAILQ_FOREACH(s, &sh->of[i].condemned, link)
        {
            if (s->state != POOL_SERVER_CONDEMNED || s->worker != i)
                return false;
            n_condemned++;
        }
    }
    *n_idle_out = n_all;
    return n_all == sh->count[POOL_SERVER_IDLE] && n_condemned == sh->count[POOL_SERVER_CONDEMNED];
}

static bool queue_matches(const struct pool *p)
{
    const struct pool_shared *sh = &p->shared;
    const struct pool_waiter *w;
    uint32_t of[POOL_MAX_WORKERS] = {0};
    uint32_t n = 0, n_own = 0;

    TAILQ_FOREACH(w, &sh->waiting, link)
    {
        if (w->state != POOL_WAITER_QUEUED || w->worker >= p->n_workers ||
            (sh->places > 0 && w->passed_over > sh->places))
            return false;
        of[w->worker] += w->own ? 0 : 1;
        n_own += w->own ? 1 : 0;
        n++;
    }
    for (unsigned i = 0; i < p->n_workers; i++) {
        if (of[i] != sh->of[i].n_waiting)
            return false;
    }
    return n == sh->n_waiting && n_own == sh->n_waiting_own;
}

const char *pool_check_locked(struct pool *p)
{
    const struct pool_shared *sh = &p->shared;
    uint32_t n_idle = 0, total = 0;

    if (!lists_match(p, &n_idle))
        return "a server list differs from its count or from the states of its members";
    if (!queue_matches(p))
        return "the queue differs from its counts or from the states of its members";
    for (int i = POOL_SERVER_OPENING; i < POOL_SERVER_STATES; i++)
        total += sh->count[i];
    if (total != sh->total)
        return "the counts by state do not add up to the total";
    if (sh->opening_own > sh->n_own || sh->opening_own > sh->count[POOL_SERVER_OPENING])
        return "more servers of one client than there are";
    if (pool_sharing_waiters(sh) > 0 && n_idle > 0 && sh->pause == POOL_PAUSE_NONE &&
        !sh->draining && !sh->unserved)
        return "a client waits while a server is idle";
    if (sh->total > sh->ceiling)
        return "more servers than the limits allow";
    if (sh->n_pinned > sh->count[POOL_SERVER_LINKED])
        return "more servers pinned than linked";
    return NULL;
}

const char *pool_check(struct pool *p)
{
    pool_lock(p);
    const char *broken = pool_check_locked(p);
    mutex_unlock(&p->shared.m);
    return broken;
}

void pool_check_or_abort(struct pool *p)
{
    const char *broken = pool_check_locked(p);

    if (broken != NULL) {
        fprintf(stderr, "pool %s/%s: %s\n", p->database, p->user, broken);
        abort();
    }
}
