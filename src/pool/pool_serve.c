/* SPDX-License-Identifier: PostgreSQL */
/* pool_serve.c - who gets which server: acquire, release, and what becomes of promises. */
#include "pool/pool.h"

#include "pool/pool_impl.h"

/* ---- idle lists ---- */

static void publish_idle(struct pool *p)
{
    atomic_store_explicit(&p->n_idle, p->shared.count[POOL_SERVER_IDLE], memory_order_relaxed);
}

void pool_idle_push(struct pool *p, struct pool_server *s, uint64_t now_us)
{
    struct pool_share *mine = &p->shared.of[s->worker];

    s->idle_since_us = now_us;
    pool_server_enter(&p->shared, s, POOL_SERVER_IDLE);
    TAILQ_INSERT_HEAD(&mine->idle, s, link);
    mine->n_idle++;
    publish_idle(p);
    atomic_store_explicit(&p->last_idle_us, now_us, memory_order_relaxed);
}

void pool_idle_remove(struct pool *p, struct pool_server *s, enum pool_server_state state)
{
    struct pool_share *mine = &p->shared.of[s->worker];

    pool_rule(s->state == POOL_SERVER_IDLE);
    TAILQ_REMOVE(&mine->idle, s, link);
    mine->n_idle--;
    pool_server_enter(&p->shared, s, state);
    publish_idle(p);
}

/* ---- the queue ---- */

static void publish_oldest(struct pool *p)
{
    const struct pool_waiter *head = TAILQ_FIRST(&p->shared.waiting);

    atomic_store_explicit(&p->oldest_us, head != NULL ? head->since_us : 0, memory_order_relaxed);
}

static inline void enqueue(struct pool *p, struct pool_waiter *w, bool again)
{
    struct pool_shared *sh = &p->shared;
    struct pool_waiter *behind = NULL;

    /* A newcomer stands at the end even if its worker's clock lags a little. */
    if (again) {
        TAILQ_FOREACH(behind, &sh->waiting, link)
        {
            if (behind->since_us >= w->since_us)
                break;
        }
    }
    if (behind != NULL)
        TAILQ_INSERT_BEFORE(behind, w, link);
    else
        TAILQ_INSERT_TAIL(&sh->waiting, w, link);
    w->state = POOL_WAITER_QUEUED;
    w->granted = false;
    sh->n_waiting++;
    if (w->own)
        sh->n_waiting_own++;
    else
        sh->of[w->worker].n_waiting++;
    publish_oldest(p);
}

static inline void leave_queue(struct pool *p, struct pool_waiter *w, enum pool_waiter_state state)
{
    struct pool_shared *sh = &p->shared;

    pool_rule(w->state == POOL_WAITER_QUEUED);
    TAILQ_REMOVE(&sh->waiting, w, link);
    w->state = state;
    sh->n_waiting--;
    if (w->own)
        sh->n_waiting_own--;
    else
        sh->of[w->worker].n_waiting--;
    publish_oldest(p);
    if (sh->n_waiting == 0)
        pool_stop_starving(p);
}

void pool_leave_queue(struct pool *p, struct pool_waiter *w, enum pool_waiter_state state)
{
    leave_queue(p, w, state);
}

/* From w on, the first waiter that would take a free server. */
static struct pool_waiter *sharing(struct pool_waiter *w)
{
    while (w != NULL && w->own)
        w = TAILQ_NEXT(w, link);
    return w;
}

/* The next waiter for a server of this worker: a local one in the window, or the head. */
static struct pool_waiter *choose_waiter(struct pool_shared *sh, unsigned worker)
{
    struct pool_waiter *head = sharing(TAILQ_FIRST(&sh->waiting));
    struct pool_waiter *local = head;

    if (head->worker == worker || sh->of[worker].n_waiting == 0)
        return head;
    for (uint32_t i = 0;; i++, local = sharing(TAILQ_NEXT(local, link))) {
        if (i == sh->places || local == NULL)
            return head;
        if (local->worker == worker)
            break;
        if (local->passed_over >= sh->places)
            return head;
    }
    for (struct pool_waiter *w = head; w != local; w = sharing(TAILQ_NEXT(w, link)))
        w->passed_over++;
    return local;
}

/* ---- acquire ---- */

struct pool_server *pool_oldest_idle(const struct pool *p)
{
    struct pool_server *oldest = NULL;

    for (unsigned i = 0; i < p->n_workers; i++) {
        struct pool_server *s = TAILQ_LAST(&p->shared.of[i].idle, pool_server_list);

        if (s != NULL && (oldest == NULL || s->idle_since_us < oldest->idle_since_us))
            oldest = s;
    }
    return oldest;
}

static struct pool_server *oldest_of_longest(const struct pool *p)
{
    const struct pool_share *longest = &p->shared.of[0];

    for (unsigned i = 1; i < p->n_workers; i++) {
        if (p->shared.of[i].n_idle > longest->n_idle)
            longest = &p->shared.of[i];
    }
    return TAILQ_LAST(&longest->idle, pool_server_list);
}

static struct pool_server *own_idle(const struct pool_shared *sh, unsigned worker)
{
    const struct pool_server_list *idle = &sh->of[worker].idle;
    return sh->set.round_robin ? TAILQ_LAST(idle, pool_server_list) : TAILQ_FIRST(idle);
}

/* One is idle. Taking turns means turns of all the pool's servers, at the price of hand-overs. */
static struct pool_server *choose_idle(const struct pool *p, unsigned worker)
{
    if (p->shared.set.round_robin)
        return pool_oldest_idle(p);

    struct pool_server *mine = own_idle(&p->shared, worker);
    return mine != NULL ? mine : oldest_of_longest(p);
}

static void take_idle(struct pool *p, struct pool_server *s, struct pool_decision *out)
{
    pool_idle_remove(p, s, POOL_SERVER_LINKED);
    p->shared.taken++;
    out->what = POOL_TAKE;
    out->server = s;
}

static void ask_for_idle(struct pool *p, struct pool_server *s, struct pool_waiter *w,
                         struct pool_decision *out)
{
    pool_idle_remove(p, s, POOL_SERVER_PROMISED);
    w->state = POOL_WAITER_PROMISED;
    w->promised_id = s->id;
    p->shared.asked++;
    out->what = POOL_ASK;
    out->server_id = s->id;
    out->server_worker = s->worker;
}

/* How many could be open at most, for the question whether one of them may ever be free. */
static uint32_t most_possible(struct pool *p)
{
    const struct pool_shared *sh = &p->shared;
    uint32_t most = sh->set.reserve_timeout_us != 0 ? sh->most : sh->set.size;

    for (int i = 0; i < POOL_CAPS; i++) {
        if (p->caps[i] == NULL)
            continue;
        uint32_t max = cap_max_servers(p->caps[i]);
        if (max < most)
            most = max;
    }
    return most;
}

static bool all_pinned(struct pool *p)
{
    return p->shared.n_pinned > 0 && p->shared.n_pinned >= most_possible(p);
}

/* May w enter the queue? */
static bool refused(struct pool *p, bool again, enum pool_refusal *reason_out)
{
    const struct pool_shared *sh = &p->shared;

    if (!again && sh->n_waiting >= sh->set.max_wait_queue)
        *reason_out = POOL_REFUSED_QUEUE_FULL;
    else if (all_pinned(p))
        *reason_out = POOL_REFUSED_PINNED;
    else
        return false;
    return true;
}

/* Once for each transaction with `again` known to be false, so this is compiled into its callers.
 */
__attribute__((always_inline)) static inline void acquire_locked(struct pool *p,
                                                                 struct pool_waiter *w,
                                                                 uint64_t now_us, bool again,
                                                                 struct pool_decision *out)
{
    struct pool_shared *sh = &p->shared;

    out->what = POOL_REFUSE;
    w->state = POOL_WAITER_NONE;
    if (!again) {
        w->since_us = now_us;
        w->passed_over = 0;
    }
    if (sh->draining) {
        out->reason = POOL_REFUSED_DRAINING;
        return;
    }
    if (sh->disabled && !again) {
        out->reason = POOL_REFUSED_DISABLED;
        return;
    }
    bool in_line = pool_sharing_waiters(sh) > 0;
    if (!w->own && !in_line && sh->pause == POOL_PAUSE_NONE && sh->count[POOL_SERVER_IDLE] > 0) {
        struct pool_server *s = choose_idle(p, w->worker);

        if (s->worker == w->worker)
            take_idle(p, s, out);
        else
            ask_for_idle(p, s, w, out);
        return;
    }
    if (refused(p, again, &out->reason))
        return;
    enqueue(p, w, again);
    if (!again)
        sh->queued++;
    out->what = POOL_WAIT;
    /* Where there is no place, asking for one makes room. */
    out->dial = w->own || pool_wants_dial(p, now_us);
}

static void pinned_error(const struct pool *p, uint32_t n_pinned, struct error *err)
{
    error_set(err, SQLSTATE_TOO_MANY_CONNECTIONS,
              "all %u server connections of database \"%s\" are pinned to clients by session "
              "state (see SHOW PINS)",
              n_pinned, p->database);
}

static void refusal_error(const struct pool *p, enum pool_refusal reason, uint32_t n_waiting,
                          uint32_t n_pinned, struct error *err)
{
    switch (reason) {
    case POOL_REFUSED_QUEUE_FULL:
        error_set(err, SQLSTATE_TOO_MANY_CONNECTIONS,
                  "%u clients are waiting for a connection to database \"%s\" already "
                  "(max_wait_queue)",
                  n_waiting, p->database);
        break;
    case POOL_REFUSED_DISABLED:
        error_set(err, SQLSTATE_CANNOT_CONNECT_NOW, "database \"%s\" is disabled", p->database);
        break;
    case POOL_REFUSED_DRAINING:
        error_set(err, SQLSTATE_ADMIN_SHUTDOWN, "server shutting down");
        break;
    case POOL_REFUSED_PINNED:
        pinned_error(p, n_pinned, err);
        break;
    case POOL_REFUSALS:
        break;
    }
}

/* The text of a refusal is made outside the locked section. */
__attribute__((noinline, cold)) static void refusal_end(struct pool *p, struct pool_decision *out)
{
    struct pool_shared *sh = &p->shared;
    uint32_t n_waiting = sh->n_waiting, n_pinned = sh->n_pinned;

    sh->refused[out->reason]++;
    pool_unlock(p);
    refusal_error(p, out->reason, n_waiting, n_pinned, &out->error);
}

/* Ends the locked section. */
static inline void acquire_end(struct pool *p, struct pool_decision *out)
{
    if (out->what == POOL_REFUSE)
        refusal_end(p, out);
    else
        pool_unlock(p);
}

void pool_acquire(struct pool *p, struct pool_waiter *w, uint64_t now_us, struct pool_decision *out)
{
    pool_lock(p);
    pool_rule(w->state != POOL_WAITER_QUEUED && w->worker < p->n_workers);
    acquire_locked(p, w, now_us, false, out);
    acquire_end(p, out);
}

/* Ends the locked section. */
static void acquire_again(struct pool *p, struct pool_waiter *w, uint64_t now_us,
                          struct pool_decision *out)
{
    acquire_locked(p, w, now_us, true, out);
    acquire_end(p, out);
}

void pool_acquire_again(struct pool *p, struct pool_waiter *w, uint64_t now_us,
                        struct pool_decision *out)
{
    pool_lock(p);
    pool_rule(w->state != POOL_WAITER_QUEUED && w->worker < p->n_workers);
    acquire_again(p, w, now_us, out);
}

bool pool_gone(struct pool *p, struct pool_waiter *w, uint64_t server_id, uint64_t now_us,
               struct pool_decision *out)
{
    pool_lock(p);
    if (w->state != POOL_WAITER_PROMISED || w->promised_id != server_id) {
        pool_unlock(p);
        return false;
    }
    acquire_again(p, w, now_us, out);
    return true;
}

enum pool_cancelled pool_cancel_wait(struct pool *p, struct pool_waiter *w)
{
    enum pool_cancelled result = POOL_WAS_NOT_WAITING;

    pool_lock(p);
    switch (w->state) {
    case POOL_WAITER_NONE:
        break;
    case POOL_WAITER_QUEUED:
        pool_leave_queue(p, w, POOL_WAITER_NONE);
        result = POOL_WAIT_REMOVED;
        break;
    case POOL_WAITER_PROMISED:
        w->state = POOL_WAITER_NONE;
        result = POOL_WAIT_PROMISED;
        break;
    }
    pool_unlock(p);
    return result;
}

/* ---- release ---- */

static inline enum pool_close_reason must_close(struct pool *p, struct pool_server *s,
                                                uint64_t now_us)
{
    struct pool_shared *sh = &p->shared;
    const struct pool_waiter *head = TAILQ_FIRST(&sh->waiting);
    /* Waiters of a paused pool have no use for the server. */
    uint64_t oldest_us = head != NULL && sh->pause == POOL_PAUSE_NONE ? head->since_us : 0;

    if (sh->draining)
        return POOL_CLOSE_DRAINING;
    if (sh->pause == POOL_PAUSE_CLOSE)
        return POOL_CLOSE_PAUSED;
    if (s->generation != sh->generation)
        return POOL_CLOSE_NEEDED;
    if (sh->total > sh->most && pool_staying(sh) > sh->most)
        return POOL_CLOSE_TOO_MANY;
    if (pool_lifetime_over(sh, s, now_us))
        return POOL_CLOSE_LIFETIME;
    if (sh->n_waiting_own > 0 && pool_own_needs_room(sh, now_us))
        return POOL_CLOSE_EVICTED;
    switch (caps_pass_on(p->caps, oldest_us, &s->leaving)) {
    case CAP_STAY:
        break;
    case CAP_OVER:
        return POOL_CLOSE_TOO_MANY;
    case CAP_PASS_ON:
        sh->passed_on++;
        return POOL_CLOSE_PASSED_ON;
    }
    return POOL_CLOSE_NONE;
}

static inline void give(struct pool *p, struct pool_server *s, struct pool_release *out)
{
    struct pool_waiter *w = choose_waiter(&p->shared, s->worker);
    bool local = w->worker == s->worker;

    leave_queue(p, w, local ? POOL_WAITER_NONE : POOL_WAITER_PROMISED);
    if (local) {
        out->what = POOL_GIVE_LOCAL;
        out->waiter = w;
        return;
    }
    w->promised_id = s->id;
    pool_server_enter(&p->shared, s, POOL_SERVER_MOVING);
    p->shared.handovers++;
    out->what = POOL_GIVE_AWAY;
    out->client_id = w->id;
    out->client_worker = w->worker;
}

void pool_settle(struct pool *p, struct pool_server *s, uint64_t now_us, struct pool_release *out)
{
    struct pool_shared *sh = &p->shared;

    out->reason = must_close(p, s, now_us);
    if (out->reason != POOL_CLOSE_NONE) {
        s->reason = out->reason;
        pool_server_enter(sh, s, POOL_SERVER_CLOSING);
        out->what = POOL_CLOSE;
    } else if (pool_sharing_waiters(sh) > 0 && sh->pause == POOL_PAUSE_NONE) {
        give(p, s, out);
    } else {
        pool_idle_push(p, s, now_us);
        out->what = POOL_KEEP;
    }
}

void pool_release(struct pool *p, struct pool_server *s, uint64_t now_us, struct pool_release *out)
{
    struct pool_shared *sh = pool_lock(p);

    pool_rule(s->state == POOL_SERVER_LINKED);
    pool_unpin_locked(sh, s);
    pool_settle(p, s, now_us, out);
    pool_unlock(p);
}

bool pool_serve(struct pool *p, unsigned worker, uint64_t now_us, struct pool_server **s_out,
                struct pool_release *out)
{
    struct pool_shared *sh = pool_lock(p);
    struct pool_server *s = own_idle(sh, worker);
    bool work =
        s != NULL && pool_sharing_waiters(sh) > 0 && sh->pause == POOL_PAUSE_NONE && !sh->draining;

    if (work) {
        pool_idle_remove(p, s, POOL_SERVER_LINKED);
        pool_settle(p, s, now_us, out);
        *s_out = s;
    }
    pool_unlock(p);
    return work;
}

/* ---- promises ---- */

bool pool_wanted(struct pool *p, struct pool_server *s)
{
    struct pool_shared *sh = pool_lock(p);
    bool alive = s->state == POOL_SERVER_PROMISED;

    pool_rule(alive || s->state == POOL_SERVER_DEAD);
    if (alive) {
        pool_server_enter(sh, s, POOL_SERVER_MOVING);
        sh->handovers++;
    }
    pool_unlock(p);
    return alive;
}

bool pool_handed(struct pool *p, struct pool_server *s, unsigned worker, struct pool_waiter *w)
{
    struct pool_shared *sh = pool_lock(p);
    bool awaited = w != NULL && w->state == POOL_WAITER_PROMISED && w->promised_id == s->id;

    pool_rule(s->state == POOL_SERVER_MOVING && worker < p->n_workers);
    s->worker = (uint16_t)worker;
    pool_server_enter(sh, s, POOL_SERVER_LINKED);
    if (awaited)
        w->state = POOL_WAITER_NONE;
    pool_unlock(p);
    return awaited;
}

/* ---- pins ---- */

void pool_unpin_locked(struct pool_shared *sh, struct pool_server *s)
{
    sh->n_pinned -= s->pinned ? 1 : 0;
    s->pinned = false;
}

bool pool_pin(struct pool *p, struct pool_server *s)
{
    struct pool_shared *sh = pool_lock(p);
    bool within = s->pinned || sh->n_pinned < sh->set.max_pinned;

    pool_rule(s->state == POOL_SERVER_LINKED);
    sh->n_pinned += s->pinned ? 0 : 1;
    s->pinned = true;
    pool_unlock(p);
    return within;
}

void pool_unpin(struct pool *p, struct pool_server *s)
{
    pool_unpin_locked(pool_lock(p), s);
    pool_unlock(p);
}

bool pool_all_pinned(struct pool *p, struct error *err)
{
    uint32_t n = pool_lock(p)->n_pinned;
    bool all = all_pinned(p);

    pool_unlock(p);
    if (all)
        pinned_error(p, n, err);
    return all;
}
