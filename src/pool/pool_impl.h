/* SPDX-License-Identifier: PostgreSQL */
/* pool_impl.h - the struct behind pool.h; included by pool*.c only.
 *
 *   pool.c          birth and death, looking, the rules checked
 *   pool_serve.c    acquire and release: who gets which server
 *   pool_dial.c     places for new servers, and closed ones
 *   pool_own.c      places for servers of one client alone
 *   pool_control.c  pause, drain, generations, limits, sweeps */
#ifndef POOL_POOL_IMPL_H
#define POOL_POOL_IMPL_H

#include "base/mutex.h"
#include "pool/cap.h"
#include "pool/pool.h"

#include <stdatomic.h>
#include <stdlib.h>

TAILQ_HEAD(pool_server_list, pool_server);
TAILQ_HEAD(pool_waiter_list, pool_waiter);

/* What workers write for each transaction stands together, for each line of the cache that they
 * take from one another costs them more than the lock itself. */
#define POOL_CACHE_LINE 64

/* What the pool has of one worker. */
struct pool_share {
    _Alignas(POOL_CACHE_LINE) struct pool_server_list idle; /* newest first */
    struct pool_server_list condemned;
    uint32_t n_idle;
    uint32_t n_waiting; /* without those that need a server of their own */
};

struct pool_shared {
    struct mutex m;

    /* Servers; OPENING counts reservations. total is the sum. */
    uint32_t count[POOL_SERVER_STATES];
    uint32_t total;
    /* Clients. */
    uint32_t n_waiting;
    uint32_t n_waiting_own;          /* of these: need a server of their own */
    uint64_t taken, queued;          /* since the beginning */
    struct pool_waiter_list waiting; /* oldest first */

    /* What follows is written rarely. */
    struct pool_share *of; /* by worker */
    uint32_t n_pinned;
    uint32_t n_own;       /* open or being opened for one client alone */
    uint32_t opening_own; /* of OPENING: granted places, whose waiters are in the queue */

    /* Control. */
    enum pool_pause pause;
    bool disabled;
    bool draining;
    bool unserved; /* after a resume, until pool_serve has matched idle servers and waiters */
    bool starving; /* may have a seat at a cap */
    uint32_t generation;

    struct pool_settings set;
    /* Derived from set, so that no release has to compute them. */
    uint32_t most;            /* size + reserve */
    uint32_t places;          /* window x workers */
    uint64_t lifetime_gap_us; /* at least so long between two that are closed for their age */

    /* Limits in force. */
    uint32_t target;  /* set.size, or less after pool_shrink */
    uint64_t grow_us; /* when target may grow by one */
    uint32_t ceiling; /* most, or what there was when it was lowered: for pool_check */
    uint64_t next_lifetime_us;

    /* Since the beginning. */
    uint64_t asked, handovers, passed_on, evicted;
    uint64_t refused[POOL_REFUSALS];
};

struct pool {
    /* Set at birth. */
    char *database;
    char *user;
    void *owner;
    unsigned n_workers;
    struct cap *caps[POOL_CAPS];

    /* Under the caps' locks. */
    struct cap_seat seats[POOL_CAPS];

    /* Written under the pool's lock (refs: by anybody), read without. */
    _Atomic uint32_t refs;
    _Atomic uint32_t n_idle;
    _Atomic uint64_t last_idle_us;
    _Atomic uint64_t oldest_us;
    _Atomic uint32_t generation; /* as in shared */

    struct pool_shared shared;
};

/* A broken rule of ours ends the program: a wrong ledger would show one client another's answers.
 */
static inline void pool_rule(bool holds)
{
    if (!holds)
        abort();
}

static inline struct pool_shared *pool_lock(struct pool *p)
{
    mutex_lock(&p->shared.m);
    return &p->shared;
}

/* Waiters that an idle server would serve. */
static inline uint32_t pool_sharing_waiters(const struct pool_shared *sh)
{
    return sh->n_waiting - sh->n_waiting_own;
}

const char *pool_check_locked(struct pool *p);
void pool_check_or_abort(struct pool *p);

static inline void pool_unlock(struct pool *p)
{
    struct pool_shared *sh = &p->shared;

    if (sh->unserved && (pool_sharing_waiters(sh) == 0 || sh->count[POOL_SERVER_IDLE] == 0))
        sh->unserved = false;
#ifdef POOL_CHECK
    pool_check_or_abort(p);
#endif
    mutex_unlock(&sh->m);
}

/* Move between states; the counts follow. */
static inline void pool_server_enter(struct pool_shared *sh, struct pool_server *s,
                                     enum pool_server_state state)
{
    sh->count[s->state]--;
    sh->count[state]++;
    s->state = state;
}

/* Servers that will still be there when those on their way out are gone. */
static inline uint32_t pool_staying(const struct pool_shared *sh)
{
    return sh->total - sh->count[POOL_SERVER_CONDEMNED] - sh->count[POOL_SERVER_CLOSING] -
           sh->count[POOL_SERVER_DEAD];
}

/* pool_serve.c */
void pool_idle_push(struct pool *p, struct pool_server *s, uint64_t now_us);
void pool_idle_remove(struct pool *p, struct pool_server *s, enum pool_server_state state);
/* Over all workers; NULL if none is idle. */
struct pool_server *pool_oldest_idle(const struct pool *p);
/* The server is LINKED and free: to whom, or where to? */
void pool_settle(struct pool *p, struct pool_server *s, uint64_t now_us, struct pool_release *out);
void pool_unpin_locked(struct pool_shared *sh, struct pool_server *s);

void pool_leave_queue(struct pool *p, struct pool_waiter *w, enum pool_waiter_state state);

/* pool_dial.c */
bool pool_wants_dial(struct pool *p, uint64_t now_us);
void pool_stop_starving(struct pool *p);
/* How many servers there may be now. */
uint32_t pool_allowed(const struct pool_shared *sh, uint64_t now_us);
bool pool_is_closed_for_dials(const struct pool_shared *sh);
/* Takes back what reserving has counted. The caps follow when the lock is given back. */
void pool_unreserve_locked(struct pool_shared *sh);

/* pool_own.c: the waiter that the next place is for, if that needs a server of its own. */
struct pool_waiter *pool_own_due(const struct pool_shared *sh);
/* Is a server that falls free to be closed, so that there is a place for the oldest waiter? */
bool pool_own_needs_room(const struct pool_shared *sh, uint64_t now_us);
/* Condemns an idle server for it, if one is idle; bit set of workers to sweep. */
uint64_t pool_own_make_room(struct pool *p);

/* pool_control.c */
void pool_apply_settings(struct pool *p, const struct pool_settings *settings);
/* Condemns the server that was idle for longest; NULL if none is idle. */
struct pool_server *pool_evict_locked(struct pool *p);
bool pool_lifetime_over(struct pool_shared *sh, const struct pool_server *s, uint64_t now_us);

#endif
