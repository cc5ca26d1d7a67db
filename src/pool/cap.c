/* SPDX-License-Identifier: PostgreSQL */
/* cap.c - a bound that several pools share; who gets the next place. */
#include "pool/cap.h"

#include "base/mem.h"
#include "base/mutex.h"

#include <stdatomic.h>
#include <stdlib.h>

TAILQ_HEAD(cap_seat_list, cap_seat);

struct cap_shared {
    struct mutex m;
    uint32_t max;
    uint32_t used;    /* places taken */
    uint32_t leaving; /* of these, on their way out because the cap was lowered */
    uint32_t called;  /* seats CALLED: so many free places are spoken for */
    uint32_t n_starving;
    uint32_t n_coming;
    struct cap_seat_list starving; /* oldest since_us first */
    struct cap_seat_list coming;   /* in the order in which they were promised a place */
};

struct cap {
    char *name; /* set at birth */

    _Atomic uint32_t clients;
    _Atomic uint32_t max_clients;
    /* Somebody starves or too many places are taken: a released server has to ask. Written under
     * the lock. Reading an old value delays the remedy to the next release or sweep. */
    _Atomic bool pressed;

    struct cap_shared shared;
};

static struct cap_shared *cap_lock(struct cap *cap)
{
    mutex_lock(&cap->shared.m);
    return &cap->shared;
}

static void cap_unlock(struct cap *cap)
{
    const struct cap_shared *sh = &cap->shared;
    bool pressed = sh->n_starving + sh->n_coming > 0 || sh->used > sh->max;

    atomic_store_explicit(&cap->pressed, pressed, memory_order_relaxed);
    mutex_unlock(&cap->shared.m);
}

struct cap *cap_new(const char *name, const struct cap_settings *settings)
{
    struct cap *cap = xcalloc(1, sizeof(*cap));

    cap->name = xstrdup(name);
    mutex_init(&cap->shared.m);
    TAILQ_INIT(&cap->shared.starving);
    TAILQ_INIT(&cap->shared.coming);
    cap->shared.max = settings->max_servers;
    atomic_init(&cap->max_clients, settings->max_clients);
    return cap;
}

void cap_free(struct cap **cap)
{
    struct cap *c = *cap;

    if (c == NULL)
        return;
    if (c->shared.used != 0 || c->shared.n_starving + c->shared.n_coming + c->shared.called != 0 ||
        atomic_load(&c->clients) != 0)
        abort();
    mutex_fini(&c->shared.m);
    free(c->name);
    free(c);
    *cap = NULL;
}

const char *cap_name(const struct cap *cap)
{
    return cap->name;
}

/* ---- clients ---- */

bool cap_take_client(struct cap *cap)
{
    uint32_t max = atomic_load_explicit(&cap->max_clients, memory_order_relaxed);
    uint32_t n = atomic_load_explicit(&cap->clients, memory_order_relaxed);

    do {
        if (n >= max)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&cap->clients, &n, n + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void cap_give_back_client(struct cap *cap)
{
    if (atomic_fetch_sub_explicit(&cap->clients, 1, memory_order_relaxed) == 0)
        abort();
}

/* ---- seats ---- */

static void seat_leave(struct cap_shared *sh, struct cap_seat *seat)
{
    switch (seat->state) {
    case CAP_SEAT_NONE:
        break;
    case CAP_SEAT_STARVING:
        TAILQ_REMOVE(&sh->starving, seat, link);
        sh->n_starving--;
        break;
    case CAP_SEAT_COMING:
        TAILQ_REMOVE(&sh->coming, seat, link);
        sh->n_coming--;
        break;
    case CAP_SEAT_CALLED:
        sh->called--;
        break;
    }
    seat->state = CAP_SEAT_NONE;
}

/* Keeps the place of a seat that has starved here before. */
static void seat_starve(struct cap_shared *sh, struct cap_seat *seat, uint64_t now_us)
{
    struct cap_seat *before;

    if (seat->since_us == 0)
        seat->since_us = now_us;
    TAILQ_FOREACH_REVERSE(before, &sh->starving, cap_seat_list, link)
    {
        if (before->since_us <= seat->since_us)
            break;
    }
    if (before != NULL)
        TAILQ_INSERT_AFTER(&sh->starving, before, seat, link);
    else
        TAILQ_INSERT_HEAD(&sh->starving, seat, link);
    sh->n_starving++;
    seat->state = CAP_SEAT_STARVING;
}

static void promise_locked(struct cap_shared *sh)
{
    struct cap_seat *seat = TAILQ_FIRST(&sh->starving);

    if (seat == NULL)
        return;
    seat_leave(sh, seat);
    TAILQ_INSERT_TAIL(&sh->coming, seat, link);
    sh->n_coming++;
    seat->state = CAP_SEAT_COMING;
}

static struct cap_seat *first_in_turn(struct cap_shared *sh)
{
    struct cap_seat *seat = TAILQ_FIRST(&sh->coming);

    return seat != NULL ? seat : TAILQ_FIRST(&sh->starving);
}

/* Is there a place that nobody else has a better claim to? */
static bool has_room(struct cap_shared *sh, const struct cap_seat *seat)
{
    uint64_t spoken_for = (uint64_t)sh->used + sh->called;

    if (seat != NULL && seat->state == CAP_SEAT_CALLED)
        return sh->used < sh->max;
    if (seat == NULL || first_in_turn(sh) != seat)
        spoken_for += sh->n_coming + sh->n_starving;
    if (seat != NULL && seat->state != CAP_SEAT_NONE && first_in_turn(sh) != seat)
        spoken_for--;
    return spoken_for < sh->max;
}

/* ---- servers ---- */

bool cap_take_server(struct cap *cap)
{
    struct cap_shared *sh = cap_lock(cap);
    bool room = has_room(sh, NULL);

    if (room)
        sh->used++;
    cap_unlock(cap);
    return room;
}

static void give_back_one(struct cap *cap, bool leaving)
{
    struct cap_shared *sh = cap_lock(cap);

    if (sh->used == 0 || (leaving && sh->leaving == 0))
        abort();
    sh->used--;
    sh->leaving -= leaving ? 1 : 0;
    cap_unlock(cap);
}

void cap_give_back_server(struct cap *cap)
{
    give_back_one(cap, false);
}

struct pool *cap_next_hungry(struct cap *cap)
{
    struct pool *pool = NULL;

    if (!atomic_load_explicit(&cap->pressed, memory_order_relaxed))
        return NULL;

    struct cap_shared *sh = cap_lock(cap);
    struct cap_seat *seat = first_in_turn(sh);

    if (seat != NULL && (uint64_t)sh->used + sh->called < sh->max) {
        seat_leave(sh, seat);
        seat->state = CAP_SEAT_CALLED;
        sh->called++;
        /* It has waiters, hence references: taking one more can't revive it. */
        pool = pool_ref(seat->pool);
    }
    cap_unlock(cap);
    return pool;
}

void cap_set(struct cap *cap, const struct cap_settings *settings)
{
    struct cap_shared *sh = cap_lock(cap);
    struct cap_seat *seat;

    /* Places that were promised may never come under a lower bound: starve on, so that released
     * servers see it. */
    while (settings->max_servers < sh->max && (seat = TAILQ_FIRST(&sh->coming)) != NULL) {
        seat_leave(sh, seat);
        seat_starve(sh, seat, 0);
    }
    sh->max = settings->max_servers;
    atomic_store_explicit(&cap->max_clients, settings->max_clients, memory_order_relaxed);
    cap_unlock(cap);
}

void cap_inspect(struct cap *cap, struct cap_numbers *out)
{
    const struct cap_shared *sh = cap_lock(cap);

    *out = (struct cap_numbers){
        .servers = sh->used,
        .max_servers = sh->max,
        .clients = atomic_load_explicit(&cap->clients, memory_order_relaxed),
        .max_clients = atomic_load_explicit(&cap->max_clients, memory_order_relaxed),
        .starving = sh->n_starving + sh->n_coming + sh->called,
    };
    cap_unlock(cap);
}

uint32_t cap_max_servers(struct cap *cap)
{
    uint32_t max = cap_lock(cap)->max;

    cap_unlock(cap);
    return max;
}

void cap_promise(struct cap *cap)
{
    promise_locked(cap_lock(cap));
    cap_unlock(cap);
}

/* ---- all caps of a pool ---- */

static void take_locked(struct cap_shared *sh, struct cap_seat *seat)
{
    sh->used++;
    seat_leave(sh, seat);
    seat->since_us = 0;
}

/* Where it can't use a place now it gives up its seat, but since_us keeps its turn. */
static void starve_locked(struct cap_shared *sh, struct cap_seat *seat, bool full, uint64_t now_us)
{
    if (full && (seat->state == CAP_SEAT_STARVING || seat->state == CAP_SEAT_COMING))
        return;
    seat_leave(sh, seat);
    if (full)
        seat_starve(sh, seat, now_us);
}

enum cap_taken caps_take(struct cap *const caps[POOL_CAPS], struct cap_seat seats[POOL_CAPS],
                         uint64_t now_us, enum pool_cap *full_out)
{
    enum cap_taken result = CAP_TAKEN;
    int full = -1;

    /* All locks together: a place taken and given back would make others starve for nothing. */
    for (int i = 0; i < POOL_CAPS; i++) {
        if (caps[i] != NULL && !has_room(cap_lock(caps[i]), &seats[i]) && full < 0)
            full = i;
    }
    if (full >= 0) {
        *full_out = (enum pool_cap)full;
        result = seats[full].state == CAP_SEAT_COMING ? CAP_COMING : CAP_FULL;
    }
    for (int i = POOL_CAPS - 1; i >= 0; i--) {
        if (caps[i] == NULL)
            continue;
        if (full < 0)
            take_locked(&caps[i]->shared, &seats[i]);
        else if (now_us != 0)
            starve_locked(&caps[i]->shared, &seats[i], i == full, now_us);
        cap_unlock(caps[i]);
    }
    return result;
}

void caps_give_back(struct cap *const caps[POOL_CAPS], uint8_t leaving)
{
    for (int i = 0; i < POOL_CAPS; i++) {
        if (caps[i] != NULL)
            give_back_one(caps[i], (leaving & (1u << i)) != 0);
    }
}

void caps_leave(struct cap *const caps[POOL_CAPS], struct cap_seat seats[POOL_CAPS])
{
    for (int i = 0; i < POOL_CAPS; i++) {
        if (caps[i] == NULL)
            continue;
        seat_leave(cap_lock(caps[i]), &seats[i]);
        seats[i].since_us = 0;
        cap_unlock(caps[i]);
    }
}

static enum cap_verdict pass_on_locked(struct cap_shared *sh, uint64_t oldest_us)
{
    const struct cap_seat *first = TAILQ_FIRST(&sh->starving);

    if (sh->used > (uint64_t)sh->max + sh->leaving) {
        sh->leaving++;
        return CAP_OVER;
    }
    /* Free places are about to be offered to those who starve: are there too few? */
    if (first == NULL || (uint64_t)sh->used + sh->called + sh->n_starving <= sh->max)
        return CAP_STAY;

    /* This pool's own seat, if it has one, is as old as its oldest waiter. */
    uint64_t other_us = pool_oldest_us(first->pool);
    if (other_us == 0 || (oldest_us != 0 && other_us + CAP_PATIENCE_US > oldest_us))
        return CAP_STAY;
    promise_locked(sh);
    return CAP_PASS_ON;
}

static bool is_pressed(const struct cap *cap)
{
    return cap != NULL && atomic_load_explicit(&cap->pressed, memory_order_relaxed);
}

__attribute__((noinline, cold)) static enum cap_verdict
pressed_pass_on(struct cap *const caps[POOL_CAPS], uint64_t oldest_us, uint8_t *leaving_out)
{
    for (int i = 0; i < POOL_CAPS; i++) {
        enum cap_verdict verdict;

        if (!is_pressed(caps[i]))
            continue;
        verdict = pass_on_locked(cap_lock(caps[i]), oldest_us);
        cap_unlock(caps[i]);
        if (verdict == CAP_OVER)
            *leaving_out |= (uint8_t)(1u << i);
        if (verdict != CAP_STAY)
            return verdict;
    }
    return CAP_STAY;
}

/* Asked at each release; hardly ever is there anything to do. */
enum cap_verdict caps_pass_on(struct cap *const caps[POOL_CAPS], uint64_t oldest_us,
                              uint8_t *leaving_out)
{
    bool pressed = is_pressed(caps[POOL_CAP_DATABASE]) || is_pressed(caps[POOL_CAP_USER]) ||
                   is_pressed(caps[POOL_CAP_TOTAL]);

    return pressed ? pressed_pass_on(caps, oldest_us, leaving_out) : CAP_STAY;
}
