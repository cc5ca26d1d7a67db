/* SPDX-License-Identifier: PostgreSQL */
/* pool.h - the ledger of one pool: which client gets which server, and when another one may be
 * opened. It decides; relay/ carries it out. It never sends, waits, logs, allocates under its lock
 * or reads the clock.
 *
 * A pool is shared by all workers. Servers and clients belong to workers, and only the owner
 * touches them; the ledger knows them by the structs below, which the owner embeds in its own
 * objects.
 *
 *   idle[worker]       servers without a client, newest first: the newest is used next, so that
 *                      surplus ones age at the far end
 *   condemned[worker]  servers that were idle when it was decided to close them; the owner collects
 *                      them with pool_take_expired
 *   waiting            clients of all workers without a server, oldest first
 *
 * Rules that hold at the end of each locked section (pool_check looks):
 *   - unless paused or draining: a waiting client means that no server is idle anywhere
 *   - servers that are open or being opened never exceed the limits, unless these were lowered
 *   - a server is matched with one specific client, never "somebody has one, ask around"
 *   - first come, first served, but for the window: a released server may go to a waiter of its own
 *     worker among the first `window x workers` of the queue, and nobody is passed over more than
 *     `window x workers` times. A hand-over costs two mailbox hops, the window saves most of them.
 *
 * The life of a server in the ledger:
 *
 *   pool_reserve_dial, pool_server_init   OPENING    counted before the connection is begun
 *   pool_opened                           LINKED or IDLE, as if released
 *   pool_acquire: own worker              IDLE -> LINKED
 *   pool_acquire: another worker's        IDLE -> PROMISED: WANTED is on its way to the owner
 *   pool_wanted                           PROMISED -> MOVING: in a mailbox, belongs to nobody
 *   pool_release, waiter elsewhere        LINKED -> MOVING
 *   pool_handed                           MOVING -> LINKED at its new worker
 *   pool_idle_died                        IDLE -> CLOSING, or PROMISED -> DEAD until WANTED comes
 *   pool_condemn_idle, _recycle, _evict   IDLE -> CONDEMNED
 *   pool_take_expired, pool_release       -> CLOSING: the owner is to close it
 *   pool_closed                           any -> GONE: only now is its place free
 *
 * and of a waiter: NONE -> QUEUED -> NONE (served by a server of its own worker) or PROMISED (a
 * certain server is on its way) -> NONE by pool_handed, or back into the queue, at its old place,
 * by pool_gone.
 *
 * A waiter may need a server of its own (replication: what its start-up request asks for cannot be
 * asked for later). It stands in the same queue, takes no idle server, and is granted a place when
 * it stands in front of all whom no server that is being opened will serve; where there is no
 * place, a server that is idle or falls free is closed for it. Its server never becomes idle:
 *
 *   pool_reserve_dial with `own`         the place is granted, the waiter stays in the queue
 *   pool_own_begin, pool_server_init     OPENING; or pool_own_give_up
 *   pool_own_opened                      OPENING -> LINKED, the wait is over
 *
 * Nothing here keeps a pointer to a client or server of another worker beyond the lists: what is on
 * its way is named by id, because either side may die meanwhile.
 *
 * Threads: any, unless said otherwise. Lock order: registry, pool, cap; never two pools at once. */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct cap;
struct pool;

#define POOL_MAX_WORKERS 64
/* The largest value of a limit means that there is none. */
#define POOL_UNLIMITED UINT32_MAX
/* Places of the window per worker: four make hand-overs rare and cost hardly any fairness
 * (simulated by test_pool_window). 0 is strict order. */
#define POOL_WINDOW 4

enum pool_server_state {
    POOL_SERVER_GONE, /* not in the ledger: before pool_server_init, after pool_closed */
    POOL_SERVER_OPENING,
    POOL_SERVER_IDLE,
    POOL_SERVER_LINKED,
    POOL_SERVER_PROMISED,
    POOL_SERVER_DEAD,
    POOL_SERVER_MOVING,
    POOL_SERVER_CONDEMNED,
    POOL_SERVER_CLOSING,
    POOL_SERVER_STATES
};

enum pool_waiter_state { POOL_WAITER_NONE, POOL_WAITER_QUEUED, POOL_WAITER_PROMISED };

/* Why a server is to be closed. pool_close_text has them in PgBouncer's words where it has some. */
enum pool_close_reason {
    POOL_CLOSE_NONE,
    POOL_CLOSE_TOO_MANY,  /* a limit was lowered */
    POOL_CLOSE_RECYCLED,  /* idle when a new generation began */
    POOL_CLOSE_NEEDED,    /* of an older generation, when it was released */
    POOL_CLOSE_PAUSED,    /* the pool is paused and its servers are to go */
    POOL_CLOSE_DRAINING,  /* we are shutting down */
    POOL_CLOSE_LIFETIME,  /* server_lifetime */
    POOL_CLOSE_IDLE,      /* server_idle_timeout */
    POOL_CLOSE_EVICTED,   /* idle while another pool starved for the same cap */
    POOL_CLOSE_PASSED_ON, /* another pool has waited too long for the same cap */
    POOL_CLOSE_VANISHED,  /* its address is not its host's any more */
    POOL_CLOSE_ASKED_FOR, /* pool_condemn_idle */
};

/* A server's entry in the ledger, embedded in the owner's object. */
struct pool_server {
    /* Set by pool_server_init; `own` by the caller behind it. */
    uint64_t id;
    uint32_t generation;

    /* Under the pool's lock. */
    enum pool_server_state state;
    enum pool_close_reason reason; /* CONDEMNED, CLOSING */
    uint16_t worker;               /* whose it is; while MOVING, whose it was */
    bool pinned;
    bool own;        /* opened for one client, which never gives it back */
    uint8_t leaving; /* bit per cap that counts on its going (POOL_CAPS) */
    uint64_t opened_us;
    uint64_t idle_since_us;
    TAILQ_ENTRY(pool_server) link; /* idle[worker] or condemned[worker] */
};

/* A client's entry in the ledger, embedded in the owner's object. All zero but for the first three
 * fields before first use. */
struct pool_waiter {
    /* Set by the owner before first use. */
    uint64_t id;
    uint16_t worker;
    bool own; /* needs a server that is opened for it alone */

    /* Under the pool's lock. */
    bool granted; /* own: a place is counted for its server */
    enum pool_waiter_state state;
    uint32_t passed_over;
    uint64_t since_us;             /* when it began to want a server; its place in the queue */
    uint64_t promised_id;          /* PROMISED: the server that is on its way */
    TAILQ_ENTRY(pool_waiter) link; /* waiting */
};

/* Times in microseconds. */
struct pool_settings {
    uint32_t size;
    uint32_t reserve;            /* more, once the oldest waiter has waited reserve_timeout_us */
    uint32_t min;                /* kept open (pool_reserve_min), not closed for idleness */
    uint32_t max_wait_queue;     /* waiting clients */
    uint32_t max_pinned;         /* servers that may be pinned at once; pool_pin says when beyond */
    uint32_t window;             /* POOL_WINDOW; 0: strict order */
    bool round_robin;            /* idle servers take turns; else the newest is used again */
    uint64_t reserve_timeout_us; /* 0: the reserve is not used */
    uint64_t idle_timeout_us;    /* 0: none */
    uint64_t lifetime_us;        /* 0: after one use; UINT64_MAX: none */
};

/* The caps a pool is under, each may be NULL; borrowed for the pool's life (see pool/limits.h). */
enum pool_cap { POOL_CAP_DATABASE, POOL_CAP_USER, POOL_CAP_TOTAL, POOL_CAPS };

/* Copies the names, which are for messages. n_workers: 1 to POOL_MAX_WORKERS. The caller has the
 * one reference. */
struct pool *pool_new(const char *database, const char *user, unsigned n_workers,
                      const struct pool_settings *settings, struct cap *const caps[POOL_CAPS]);
/* Nobody may hold a reference but the caller; no server and no waiter is left. */
void pool_free(struct pool **p);

/* A reference keeps a pool from being reaped (pool/registry.h): each client that is logged in and
 * each server holds one. pool_unref never frees, the registry does; it clears the pointer. */
struct pool *pool_ref(struct pool *p);
void pool_unref(struct pool **p);
size_t pool_object_size(void);

const char *pool_database(const struct pool *p);
const char *pool_user(const struct pool *p);
/* What the registry was given to keep beside the pool; set before the pool is published. */
void *pool_owner(const struct pool *p);
void pool_set_owner(struct pool *p, void *owner);

/* ---- clients ---- */

enum pool_acquired { POOL_TAKE, POOL_ASK, POOL_WAIT, POOL_REFUSE };

enum pool_refusal {
    POOL_REFUSED_QUEUE_FULL,
    POOL_REFUSED_DISABLED,
    POOL_REFUSED_DRAINING,
    POOL_REFUSED_PINNED,
    POOL_REFUSALS
};

struct pool_decision {
    enum pool_acquired what;
    struct pool_server *server; /* TAKE: of the waiter's worker, LINKED already */
    uint64_t server_id;         /* ASK: post WANTED (client id, this id) to this worker */
    unsigned server_worker;
    bool dial;                /* WAIT: worth calling pool_reserve_dial */
    enum pool_refusal reason; /* REFUSE */
    struct error error;       /* REFUSE: for the client; else not set */
};

/* A client wants a server. Called by its worker. TAKE: the newest idle server of that worker. ASK:
 * the oldest of the longest idle list of another; it is PROMISED to this client, which must wait
 * for HANDED or GONE. (round_robin: the oldest of all, by TAKE or ASK.) WAIT: the client is in the
 * queue, *behind everybody who was there*. The waiter's since_us becomes now_us. */
void pool_acquire(struct pool *p, struct pool_waiter *w, uint64_t now_us,
                  struct pool_decision *out);
/* The same for a client whose server was of no use (found dead before anything was sent): it keeps
 * since_us, hence its place. Never refused for a full queue. */
void pool_acquire_again(struct pool *p, struct pool_waiter *w, uint64_t now_us,
                        struct pool_decision *out);
/* GONE came for the server that was promised: acquires again, at the old place. False, and nothing
 * done, if the client is not waiting for that server any more. */
bool pool_gone(struct pool *p, struct pool_waiter *w, uint64_t server_id, uint64_t now_us,
               struct pool_decision *out);

enum pool_cancelled {
    POOL_WAS_NOT_WAITING,
    POOL_WAIT_REMOVED,
    POOL_WAIT_PROMISED, /* a server is on its way; on HANDED, pool_handed(…, NULL) and release */
};

/* The client stops waiting (left, timed out, cancelled). The waiter may then be freed or reused. */
enum pool_cancelled pool_cancel_wait(struct pool *p, struct pool_waiter *w);

/* ---- servers ---- */

enum pool_released { POOL_KEEP, POOL_GIVE_LOCAL, POOL_GIVE_AWAY, POOL_CLOSE };

struct pool_release {
    enum pool_released what;
    struct pool_waiter *waiter; /* GIVE_LOCAL: of this worker, its wait is over; server is LINKED */
    uint64_t client_id;         /* GIVE_AWAY: detach, post HANDED (this id) to this worker */
    unsigned client_worker;
    enum pool_close_reason reason; /* CLOSE: close it, then pool_closed */
};

/* The server (LINKED) has no client any more and is quiet. Called by its worker. */
void pool_release(struct pool *p, struct pool_server *s, uint64_t now_us, struct pool_release *out);

/* A server is about to be dialled by `worker` under a reservation; -> OPENING. */
void pool_server_init(struct pool_server *s, uint64_t id, unsigned worker, uint32_t generation);
/* It is ready: as pool_release. Called by its worker. */
void pool_opened(struct pool *p, struct pool_server *s, uint64_t now_us, struct pool_release *out);
/* Its connection is closed, whatever its state was (an OPENING one gives its reservation back). The
 * entry may then be freed. True: waiters justify a dial, call pool_reserve_dial. In any case call
 * pool_next_hungry. */
bool pool_closed(struct pool *p, struct pool_server *s, uint64_t now_us);

/* The owner received WANTED. True: it is MOVING, detach it and post HANDED. False: it has died
 * meanwhile; call pool_closed and post GONE. */
bool pool_wanted(struct pool *p, struct pool_server *s);
/* HANDED arrived at `worker`, the new owner; w is the client it was meant for, or NULL if that has
 * left. The server is LINKED. True: link it to w. False: w is NULL or does not wait for this server
 * any more; call pool_release. */
bool pool_handed(struct pool *p, struct pool_server *s, unsigned worker, struct pool_waiter *w);

enum pool_died {
    POOL_DIED_REMOVED,  /* nobody counted on it: close it, then pool_closed */
    POOL_DIED_PROMISED, /* close the socket, keep the object until WANTED comes, see pool_wanted */
};

/* The owner saw an idle (or promised, or condemned) server fail. */
enum pool_died pool_idle_died(struct pool *p, struct pool_server *s);

/* The linked server must stay with its client beyond the transaction, or no longer so; forgotten by
 * release and close. Session pools don't report it: there, waiting for a client to leave is normal.
 * Setting it answers false when max_pinned servers are pinned already: it is counted all the same,
 * the caller decides whether to refuse. */
bool pool_pin(struct pool *p, struct pool_server *s);
void pool_unpin(struct pool *p, struct pool_server *s);
/* Every server that the limits allow is pinned: waiting is pointless, and *err (may be NULL) says
 * so. New waiters are refused by pool_acquire; this is for those already in the queue. */
bool pool_all_pinned(struct pool *p, struct error *err);

/* ---- opening servers ---- */

enum pool_dial {
    POOL_DIAL_RESERVED,   /* a place is counted: dial, or pool_unreserve_dial */
    POOL_DIAL_NOT_NEEDED, /* as many are being opened as clients wait; min: reached, or clients wait
                           */
    POOL_DIAL_FULL,       /* the pool has its size; retry_us says when the reserve may be used */
    POOL_DIAL_CAP_FULL,   /* see cap: worth calling registry_evict */
    POOL_DIAL_CAP_COMING, /* a place under the cap is being made for this pool already */
    POOL_DIAL_PAUSED,     /* or draining */
};

struct pool_dial_answer {
    enum pool_dial what;
    uint32_t generation; /* RESERVED: for pool_server_init */
    bool from_reserve;   /* RESERVED: beyond the size */
    uint64_t retry_us;   /* FULL: ask again then; 0: not before a server is closed */
    enum pool_cap cap;   /* CAP_FULL, CAP_COMING */
    /* RESERVED: for the server of this client alone; its worker is to call pool_own_begin. */
    bool own;
    uint64_t client_id;
    unsigned client_worker;
    /* FULL, CAP_FULL: idle servers were condemned to make room; these workers must sweep. */
    uint64_t sweep;
};

/* May another server be opened for the clients that wait? All dials start here or in
 * pool_reserve_min. Call it when a decision or a result says so, and about once a second for a pool
 * with waiters: the reserve and the growth after pool_shrink come with time. One call is one
 * server: repeat until it says false. On CAP_FULL the pool joins the cap's queue of starving pools
 * and will be named by pool_next_hungry. True if RESERVED. */
bool pool_reserve_dial(struct pool *p, uint64_t now_us, struct pool_dial_answer *out);
/* The same to reach min_pool_size. Never starves and never evicts: nobody waits for it. */
bool pool_reserve_min(struct pool *p, uint64_t now_us, struct pool_dial_answer *out);
/* The same to reach one, whatever min_pool_size. */
bool pool_reserve_wake(struct pool *p, uint64_t now_us, struct pool_dial_answer *out);
/* A reserved dial was not begun. (One that was begun and failed: pool_closed.) True: waiters
 * justify another dial. Then call pool_next_hungry. */
bool pool_unreserve_dial(struct pool *p, uint64_t now_us);

/* The client's worker learns of the place that was granted. True: dial for it, or
 * pool_own_give_up. False: it does not wait any more, or was granted another one; the place was
 * given back as by pool_unreserve_dial: dial if *dial_out says so, and call pool_next_hungry. w is
 * NULL if the client has left. */
bool pool_own_begin(struct pool *p, struct pool_waiter *w, uint64_t now_us, bool *dial_out);
/* The dial was not begun; the waiter stays in the queue. As pool_unreserve_dial. */
bool pool_own_give_up(struct pool *p, struct pool_waiter *w, uint64_t now_us);
/* The dial has failed; before pool_closed, if the client still waits. */
void pool_own_failed(struct pool *p, struct pool_waiter *w);
/* The server is ready. NONE: it is LINKED, the wait is over. Else close it, then pool_closed; the
 * waiter stays in the queue. */
enum pool_close_reason pool_own_opened(struct pool *p, struct pool_server *s, struct pool_waiter *w,
                                       uint64_t now_us);

/* Another pool (or this one) that has starved for a cap of this pool and may now have a place:
 * call pool_reserve_dial for it - its turn is reserved until then - and dial, then pool_unref.
 * Returns a reference, NULL when there is none; to be called until then after pool_closed,
 * pool_unreserve_dial and a pool_reserve_dial that ended in anything but RESERVED. */
struct pool *pool_next_hungry(struct pool *p);
/* For a pool that was named and cannot even ask now (its target is failing): gives its turn up, so
 * that no place is kept for it. Then call pool_next_hungry. */
void pool_decline(struct pool *p);

/* The server refused a log-in with 53300: the pool makes do with what it has now (at least one),
 * and tries one more each POOL_GROW_US. Existing servers stay. */
void pool_shrink(struct pool *p, uint64_t now_us);
/* Long enough that probing a full server is no load; some client there has left by then. */
#define POOL_GROW_US (10 * 1000000ULL)

/* ---- closing servers ---- */

/* The owner's sweep: the next server of `worker` to be closed, or NULL. First the condemned ones,
 * then from the old end of the idle list those that are too many, too old or idle for too long (the
 * last not below min). The reason is in s->reason; close it, then pool_closed. Once a second, and
 * when another worker says that it condemned some. */
struct pool_server *pool_take_expired(struct pool *p, unsigned worker, uint64_t now_us);

/* Condemns all idle servers, of all workers: each must then sweep (bit set of workers returned). */
uint64_t pool_condemn_idle(struct pool *p, enum pool_close_reason reason);
/* Condemns this server; false if it is not idle. Called by its worker, which must sweep. */
bool pool_condemn_one(struct pool *p, struct pool_server *s, enum pool_close_reason reason);
/* Condemns the server that was idle for longest, for the sake of the pool that has starved longest
 * for this cap. False if none was idle; else *worker_out must sweep. */
bool pool_evict(struct pool *p, enum pool_cap kind, unsigned *worker_out);
/* A new generation: credentials or target have changed. Idle servers are condemned, others are
 * closed on release; those that are never released are for their workers to close. Returns the
 * workers that must sweep. */
uint64_t pool_recycle(struct pool *p);

/* ---- control ---- */

enum pool_pause {
    POOL_PAUSE_NONE,
    POOL_PAUSE_KEEP,  /* clients wait, released servers stay */
    POOL_PAUSE_CLOSE, /* clients wait, released servers are closed, idle ones condemned */
};

/* KEEP or CLOSE. Returns the workers that must sweep. */
uint64_t pool_pause(struct pool *p, enum pool_pause how);
/* Returns the workers with idle servers that waiters want now: each must call pool_serve until it
 * says false. If clients wait, pool_reserve_dial is worth calling. */
uint64_t pool_resume(struct pool *p);
/* After pool_resume, by `worker`: takes one of its idle servers and gives it to the queue, as if
 * released. False: nothing (more) to do. */
bool pool_serve(struct pool *p, unsigned worker, uint64_t now_us, struct pool_server **s_out,
                struct pool_release *out);
/* No server has a client or is on its way to one: PAUSE is complete. */
bool pool_is_quiet(struct pool *p);
/* New clients are refused until pool_enable; those in the queue are served. */
void pool_disable(struct pool *p);
void pool_enable(struct pool *p);
/* For good: acquire refuses, released servers are closed, idle ones condemned; those who wait are
 * for their workers to refuse. Returns the workers that must sweep. */
uint64_t pool_drain(struct pool *p);

/* A reload. Surplus servers go on release and by the sweep. True: waiters justify a dial. */
bool pool_set_limits(struct pool *p, const struct pool_settings *settings, uint64_t now_us);

/* ---- looking ---- */

struct pool_numbers {
    uint32_t waiting;
    uint64_t oldest_wait_us;
    uint32_t opening;
    uint32_t idle;
    uint32_t active;  /* LINKED */
    uint32_t moving;  /* PROMISED, DEAD, MOVING */
    uint32_t closing; /* CONDEMNED, CLOSING */
    uint32_t pinned;
    uint32_t size;         /* as set */
    uint32_t target_size;  /* less while shrunk */
    uint32_t reserve_used; /* open or opening beyond target_size */
    uint32_t generation;
    enum pool_pause pause;
    bool disabled, draining, starving;

    /* Since the beginning. */
    uint64_t taken; /* served at once by an idle server of the own worker */
    uint64_t asked; /* served at once by one of another worker */
    uint64_t queued;
    uint64_t handovers; /* servers that changed workers */
    uint64_t passed_on; /* closed so that another pool may have the place */
    uint64_t evicted;
    uint64_t refused[POOL_REFUSALS];
};

/* Read without the lock, for choosing among pools: how many hold it, how many servers are idle,
 * when one last became idle, since when the oldest waiter waits (0: nobody does), the generation.
 */
uint32_t pool_ref_count(const struct pool *p);
uint32_t pool_idle_hint(const struct pool *p);
uint64_t pool_last_idle_us(const struct pool *p);
uint64_t pool_oldest_us(const struct pool *p);
uint32_t pool_generation(const struct pool *p);
struct cap *pool_cap(const struct pool *p, enum pool_cap kind); /* set at birth; may be NULL */

void pool_inspect(struct pool *p, uint64_t now_us, struct pool_numbers *out);
const char *pool_close_text(enum pool_close_reason reason);
const char *pool_server_state_name(enum pool_server_state state);

/* The broken rule, or NULL; walks all lists. Built with -DPOOL_CHECK, each locked section ends with
 * it and aborts. */
const char *pool_check(struct pool *p);

#endif
