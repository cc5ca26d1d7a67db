/* SPDX-License-Identifier: PostgreSQL */
/* pool_dial.c - places for new servers, and what becomes of them when one is closed. */
#include "pool/pool.h"

#include "pool/pool_impl.h"

void pool_stop_starving(struct pool *p)
{
    if (!p->shared.starving)
        return;
    caps_leave(p->caps, p->seats);
    p->shared.starving = false;
}

/* ---- how many ---- */

static void grow(struct pool_shared *sh, uint64_t now_us)
{
    if (sh->target < sh->set.size && now_us >= sh->grow_us) {
        sh->target++;
        sh->grow_us = now_us + POOL_GROW_US;
    }
}

/* When the oldest waiter may call on the reserve; 0: never. There is none in a pool that the server
 * has refused to let grow. */
static uint64_t reserve_due_us(const struct pool_shared *sh)
{
    const struct pool_waiter *head = TAILQ_FIRST(&sh->waiting);

    if (head == NULL || sh->set.reserve_timeout_us == 0 || sh->most == sh->set.size ||
        sh->target < sh->set.size)
        return 0;
    return head->since_us + sh->set.reserve_timeout_us;
}

uint32_t pool_allowed(const struct pool_shared *sh, uint64_t now_us)
{
    uint64_t due_us = reserve_due_us(sh);

    return due_us != 0 && now_us >= due_us ? sh->most : sh->target;
}

bool pool_is_closed_for_dials(const struct pool_shared *sh)
{
    return sh->pause != POOL_PAUSE_NONE || sh->draining;
}

/* Would a reservation be granted, the caps aside? A starving pool need not ask again: it is named
 * when its turn has come. */
bool pool_wants_dial(struct pool *p, uint64_t now_us)
{
    struct pool_shared *sh = &p->shared;

    /* Full, and nothing to grow back to: so it is whenever clients wait in a healthy pool. */
    if (sh->total >= sh->most && sh->target >= sh->set.size)
        return false;
    if (sh->n_waiting <= sh->count[POOL_SERVER_OPENING] || sh->starving ||
        pool_is_closed_for_dials(sh))
        return false;
    grow(sh, now_us);
    return sh->total < pool_allowed(sh, now_us);
}

/* ---- reservations ---- */

static void full(const struct pool_shared *sh, uint64_t now_us, struct pool_dial_answer *out)
{
    uint64_t due_us = reserve_due_us(sh);

    out->what = POOL_DIAL_FULL;
    if (sh->target < sh->set.size && sh->total < sh->set.size)
        out->retry_us = sh->grow_us;
    else if (due_us > now_us && sh->total < sh->most)
        out->retry_us = due_us;
}

/* For whom the place is: the clients that wait, or one that needs a server of its own. */
static void grant(struct pool_shared *sh, bool for_waiters, struct pool_dial_answer *out)
{
    struct pool_waiter *w = for_waiters ? pool_own_due(sh) : NULL;

    if (w == NULL)
        return;
    w->granted = true;
    sh->n_own++;
    sh->opening_own++;
    out->own = true;
    out->client_id = w->id;
    out->client_worker = w->worker;
}

static void reserve_locked(struct pool *p, uint64_t now_us, bool may_starve,
                           struct pool_dial_answer *out)
{
    struct pool_shared *sh = &p->shared;

    switch (caps_take(p->caps, p->seats, may_starve ? now_us : 0, &out->cap)) {
    case CAP_TAKEN:
        out->what = POOL_DIAL_RESERVED;
        out->generation = sh->generation;
        out->from_reserve = sh->total >= sh->target;
        grant(sh, may_starve, out);
        sh->count[POOL_SERVER_OPENING]++;
        sh->total++;
        sh->starving = false;
        return;
    case CAP_FULL:
        out->what = POOL_DIAL_CAP_FULL;
        break;
    case CAP_COMING:
        out->what = POOL_DIAL_CAP_COMING;
        break;
    }
    sh->starving = sh->starving || may_starve;
}

bool pool_reserve_dial(struct pool *p, uint64_t now_us, struct pool_dial_answer *out)
{
    struct pool_shared *sh = pool_lock(p);

    *out = (struct pool_dial_answer){.what = POOL_DIAL_NOT_NEEDED};
    grow(sh, now_us);
    if (pool_is_closed_for_dials(sh))
        out->what = POOL_DIAL_PAUSED;
    else if (sh->n_waiting <= sh->count[POOL_SERVER_OPENING])
        out->what = POOL_DIAL_NOT_NEEDED;
    else if (sh->total >= pool_allowed(sh, now_us))
        full(sh, now_us, out);
    else
        reserve_locked(p, now_us, true, out);
    if (sh->n_waiting_own > 0 && (out->what == POOL_DIAL_FULL || out->what == POOL_DIAL_CAP_FULL))
        out->sweep = pool_own_make_room(p);
    /* It could not use a place now, so it must not keep others from it. */
    if (out->what == POOL_DIAL_PAUSED || out->what == POOL_DIAL_NOT_NEEDED ||
        out->what == POOL_DIAL_FULL)
        pool_stop_starving(p);
    pool_unlock(p);
    return out->what == POOL_DIAL_RESERVED;
}

/* Towards `wanted` servers, or min_pool_size if that is 0. */
static bool reserve_unasked(struct pool *p, uint32_t wanted, uint64_t now_us,
                            struct pool_dial_answer *out)
{
    struct pool_shared *sh = pool_lock(p);

    *out = (struct pool_dial_answer){.what = POOL_DIAL_NOT_NEEDED};
    grow(sh, now_us);
    if (pool_is_closed_for_dials(sh) || sh->disabled)
        out->what = POOL_DIAL_PAUSED;
    else if (sh->n_waiting > 0 || pool_staying(sh) >= (wanted ? wanted : sh->set.min))
        out->what = POOL_DIAL_NOT_NEEDED;
    else if (sh->total >= sh->target)
        full(sh, now_us, out);
    else
        reserve_locked(p, now_us, false, out);
    pool_unlock(p);
    return out->what == POOL_DIAL_RESERVED;
}

bool pool_reserve_min(struct pool *p, uint64_t now_us, struct pool_dial_answer *out)
{
    return reserve_unasked(p, 0, now_us, out);
}

bool pool_reserve_wake(struct pool *p, uint64_t now_us, struct pool_dial_answer *out)
{
    return reserve_unasked(p, 1, now_us, out);
}

/* Takes a server that is in no list any more out of the count. */
static void forget(struct pool_shared *sh)
{
    pool_rule(sh->total > 0);
    sh->total--;
    if (sh->ceiling > sh->most)
        sh->ceiling = sh->total > sh->most ? sh->total : sh->most;
}

void pool_unreserve_locked(struct pool_shared *sh)
{
    pool_rule(sh->count[POOL_SERVER_OPENING] > 0);
    sh->count[POOL_SERVER_OPENING]--;
    forget(sh);
}

bool pool_unreserve_dial(struct pool *p, uint64_t now_us)
{
    struct pool_shared *sh = pool_lock(p);

    pool_unreserve_locked(sh);
    bool dial = pool_wants_dial(p, now_us);
    pool_unlock(p);
    caps_give_back(p->caps, 0);
    return dial;
}

/* ---- servers ---- */

void pool_server_init(struct pool_server *s, uint64_t id, unsigned worker, uint32_t generation)
{
    *s = (struct pool_server){
        .id = id,
        .generation = generation,
        .state = POOL_SERVER_OPENING,
        .worker = (uint16_t)worker,
    };
}

void pool_opened(struct pool *p, struct pool_server *s, uint64_t now_us, struct pool_release *out)
{
    struct pool_shared *sh = pool_lock(p);

    pool_rule(s->state == POOL_SERVER_OPENING && s->worker < p->n_workers);
    s->opened_us = now_us;
    pool_server_enter(sh, s, POOL_SERVER_LINKED);
    pool_settle(p, s, now_us, out);
    pool_unlock(p);
}

bool pool_closed(struct pool *p, struct pool_server *s, uint64_t now_us)
{
    struct pool_shared *sh = pool_lock(p);
    uint8_t leaving = s->leaving;

    pool_rule(s->state != POOL_SERVER_GONE);
    pool_unpin_locked(sh, s);
    if (s->state == POOL_SERVER_IDLE)
        pool_idle_remove(p, s, POOL_SERVER_CLOSING);
    else if (s->state == POOL_SERVER_CONDEMNED)
        TAILQ_REMOVE(&sh->of[s->worker].condemned, s, link);
    if (s->own) {
        sh->n_own--;
        sh->opening_own -= s->state == POOL_SERVER_OPENING ? 1 : 0;
    }
    sh->count[s->state]--;
    s->state = POOL_SERVER_GONE;
    forget(sh);
    bool dial = pool_wants_dial(p, now_us);
    pool_unlock(p);
    caps_give_back(p->caps, leaving);
    return dial;
}

enum pool_died pool_idle_died(struct pool *p, struct pool_server *s)
{
    struct pool_shared *sh = pool_lock(p);
    enum pool_died result = POOL_DIED_REMOVED;

    switch (s->state) {
    case POOL_SERVER_IDLE:
        pool_idle_remove(p, s, POOL_SERVER_CLOSING);
        break;
    case POOL_SERVER_CONDEMNED:
        TAILQ_REMOVE(&sh->of[s->worker].condemned, s, link);
        pool_server_enter(sh, s, POOL_SERVER_CLOSING);
        break;
    case POOL_SERVER_PROMISED:
        pool_server_enter(sh, s, POOL_SERVER_DEAD);
        result = POOL_DIED_PROMISED;
        break;
    case POOL_SERVER_DEAD:
        result = POOL_DIED_PROMISED;
        break;
    case POOL_SERVER_CLOSING:
        break;
    case POOL_SERVER_GONE:
    case POOL_SERVER_OPENING:
    case POOL_SERVER_LINKED:
    case POOL_SERVER_MOVING:
    case POOL_SERVER_STATES:
        pool_rule(false);
    }
    pool_unlock(p);
    return result;
}

struct pool *pool_next_hungry(struct pool *p)
{
    struct pool *hungry = NULL;

    for (int i = 0; i < POOL_CAPS && hungry == NULL; i++) {
        if (p->caps[i] != NULL)
            hungry = cap_next_hungry(p->caps[i]);
    }
    return hungry;
}

void pool_decline(struct pool *p)
{
    pool_lock(p);
    pool_stop_starving(p);
    pool_unlock(p);
}

void pool_shrink(struct pool *p, uint64_t now_us)
{
    struct pool_shared *sh = pool_lock(p);
    uint32_t established = pool_staying(sh) - sh->count[POOL_SERVER_OPENING];

    if (established == 0)
        established = 1;
    if (established < sh->target)
        sh->target = established;
    sh->grow_us = now_us + POOL_GROW_US;
    pool_unlock(p);
}
