/* SPDX-License-Identifier: PostgreSQL */
/* target.c - may another connection be opened now? */
#include "upstream/target.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"

#include <assert.h>
#include <stdlib.h>

/* Back-off by class: first pause and cap; target_pause_us halves them at worst. A limiter wants to
 * be left alone for a second, the far end keeps a slow refusal for 30 s: asking sooner gets the
 * same answer without any work being done. */
static const struct pause {
    uint64_t first_us, cap_us;
} pauses[] = {
    [FAILURE_PERMANENT] = {2 * US_PER_S, 60 * US_PER_S},
    [FAILURE_SLOW] = {30 * US_PER_S, 120 * US_PER_S},
    [FAILURE_FAST] = {200 * US_PER_MS, 5 * US_PER_S},
    [FAILURE_LIMITER] = {2 * US_PER_S, 10 * US_PER_S},
    [FAILURE_SLOTS] = {2 * US_PER_S, 10 * US_PER_S},
};

#define OPEN_DOUBLINGS 3

struct target {
    char *host;
    uint16_t port;
    struct {
        struct mutex m;
        struct target_limits limits;
        enum target_state state;
        enum target_state before_waking; /* what WAKING goes back to if nothing is learnt */
        enum breaker_state breaker;
        unsigned dialing;
        enum failure_class failed_as; /* class of the last failures ... */
        unsigned failures;            /* ... and how many in a row; 0: the last one succeeded */
        unsigned openings;            /* of the breaker, in a row */
        bool limited;                 /* a limiter refused us: one at a time until a success */
        /* A failure was counted and nothing has begun since. Then one attempt at a time begins, so
         * whatever else ends meanwhile began before that failure. */
        bool failed_since_begin;
        bool scram_seen;
        uint64_t not_before_us;
        uint64_t wakes;
        struct error last_error;
        struct error opened_by; /* why the breaker is open: what refused clients are told */
    } shared;
};

struct target *target_new(const char *host, uint16_t port, const struct target_limits *limits)
{
    struct target *t = xcalloc(1, sizeof *t);
    t->host = xstrdup(host);
    t->port = port;
    t->shared.limits = *limits;
    mutex_init(&t->shared.m);
    return t;
}

void target_free(struct target **t)
{
    if (!*t)
        return;
    mutex_fini(&(*t)->shared.m);
    free((*t)->host);
    free(*t);
    *t = NULL;
}

void target_set_limits(struct target *t, const struct target_limits *limits)
{
    mutex_lock(&t->shared.m);
    t->shared.limits = *limits;
    mutex_unlock(&t->shared.m);
}

const char *target_host(const struct target *t)
{
    return t->host;
}

uint16_t target_port(const struct target *t)
{
    return t->port;
}

static unsigned parallel_locked(const struct target *t)
{
    bool steady = t->shared.state == TARGET_AWAKE && !t->shared.limited;
    return steady && t->shared.limits.max_connects ? t->shared.limits.max_connects : 1;
}

void target_refusal(struct error *out, const struct error *cached, uint64_t left_us)
{
    /* PgBouncer's words, for scripts; and the time of the next try must not be what is cut off. */
    error_set(out, cached->sqlstate,
              "server login has been failing, cached error: %.160s (server_login_retry), next try "
              "in %llu.%llu s",
              cached->text, (unsigned long long)(left_us / US_PER_S),
              (unsigned long long)(left_us % US_PER_S / (US_PER_S / 10)));
}

static enum target_answer refuse_locked(const struct target *t, uint64_t now_us, struct error *err)
{
    target_refusal(err, &t->shared.opened_by, t->shared.not_before_us - now_us);
    return TARGET_REFUSE;
}

static enum target_answer begin_locked(struct target *t, uint64_t now_us, uint64_t *until_us,
                                       struct error *err)
{
    bool early = t->shared.not_before_us > now_us;
    *until_us = 0;
    if (early && t->shared.breaker == BREAKER_OPEN)
        return refuse_locked(t, now_us, err);
    if (t->shared.dialing >= parallel_locked(t))
        return TARGET_WAIT;
    if (early) {
        *until_us = t->shared.not_before_us;
        return TARGET_WAIT;
    }
    if (t->shared.breaker == BREAKER_OPEN)
        t->shared.breaker = BREAKER_HALF_OPEN;
    if (t->shared.state == TARGET_UNKNOWN || t->shared.state == TARGET_ASLEEP) {
        t->shared.before_waking = t->shared.state;
        t->shared.state = TARGET_WAKING;
    }
    t->shared.failed_since_begin = false;
    t->shared.dialing++;
    return TARGET_GO;
}

enum target_answer target_begin(struct target *t, uint64_t now_us, uint64_t *until_us,
                                struct error *err)
{
    mutex_lock(&t->shared.m);
    enum target_answer answer = begin_locked(t, now_us, until_us, err);
    mutex_unlock(&t->shared.m);
    return answer;
}

static void ended_locked(struct target *t)
{
    assert(t->shared.dialing > 0);
    t->shared.dialing--;
}

/* An attempt ended without saying whether the database is awake. */
static void rest_locked(struct target *t)
{
    if (t->shared.state == TARGET_WAKING)
        t->shared.state = t->shared.before_waking;
}

void target_succeeded(struct target *t, uint64_t now_us, bool scram)
{
    (void)now_us;
    mutex_lock(&t->shared.m);
    ended_locked(t);
    if (t->shared.state != TARGET_AWAKE)
        t->shared.wakes++;
    t->shared.state = TARGET_AWAKE;
    t->shared.breaker = BREAKER_CLOSED;
    t->shared.scram_seen |= scram;
    if (!t->shared.limited || !t->shared.failed_since_begin) {
        t->shared.failures = t->shared.openings = 0;
        t->shared.limited = false;
        t->shared.not_before_us = 0;
    }
    mutex_unlock(&t->shared.m);
}

/* Doubles from the first pause to the cap, with jitter over the upper half: never zero, so that a
 * herd of processes spreads and none hammers. */
static uint64_t pause_us(const struct pause *p, enum failure_class class, unsigned failures,
                         uint64_t jitter)
{
    uint64_t us = p->first_us;
    for (unsigned i = 1; i < failures && us < p->cap_us; i++)
        us *= 2;
    if (us > p->cap_us)
        us = p->cap_us;
    if (class == FAILURE_SLOW)
        return us + jitter % (us / 4 + 1);
    return us / 2 + jitter % (us / 2 + 1);
}

uint64_t target_pause_us(enum failure_class class, unsigned failures, uint64_t jitter)
{
    return pause_us(&pauses[class], class, failures, jitter);
}

static struct pause pause_of(const struct target_limits *limits, enum failure_class class)
{
    struct pause p = pauses[class];
    if (class == FAILURE_FAST) {
        p.first_us = limits->retry_min_us ? limits->retry_min_us : p.first_us;
        p.cap_us = limits->retry_max_us ? limits->retry_max_us : p.cap_us;
    } else if (class == FAILURE_SLOW && limits->retry_slow_us) {
        p.first_us = limits->retry_slow_us;
        p.cap_us = p.cap_us < p.first_us ? p.first_us : p.cap_us;
    }
    return p;
}

static void pause_locked(struct target *t, uint64_t now_us, uint64_t pause)
{
    uint64_t longest = t->shared.limits.longest_us;
    uint64_t until = now_us + (longest && pause > longest ? longest : pause);
    if (t->shared.not_before_us < until)
        t->shared.not_before_us = until;
}

static void open_breaker_locked(struct target *t, uint64_t now_us, const struct error *tell)
{
    uint64_t open_us = t->shared.limits.breaker_open_us << t->shared.openings;
    if (t->shared.openings < OPEN_DOUBLINGS)
        t->shared.openings++;
    t->shared.breaker = BREAKER_OPEN;
    t->shared.opened_by = *tell;
    pause_locked(t, now_us, open_us);
}

/* Attempts in parallel that meet the same trouble are one failure. */
static void count_locked(struct target *t, uint64_t now_us, enum failure_class class,
                         uint64_t jitter)
{
    bool same = t->shared.failures > 0 && t->shared.failed_as == class;
    if (t->shared.breaker == BREAKER_OPEN || (same && t->shared.failed_since_begin))
        return;
    t->shared.failures = same ? t->shared.failures + 1 : 1;
    t->shared.failed_as = class;
    t->shared.failed_since_begin = true;
    struct pause p = pause_of(&t->shared.limits, class);
    pause_locked(t, now_us, pause_us(&p, class, t->shared.failures, jitter));
}

/* Nothing is known against the far end any more: it answered. */
static void answered_locked(struct target *t)
{
    rest_locked(t);
    if (t->shared.breaker == BREAKER_HALF_OPEN)
        t->shared.breaker = BREAKER_CLOSED;
}

static void unreachable_locked(struct target *t, uint64_t now_us, enum failure_class class,
                               const struct error *tell)
{
    bool enough = class == FAILURE_SLOW || t->shared.failures >= t->shared.limits.breaker_failures;
    t->shared.state = TARGET_FAILING;
    /* While it is open, only attempts from before its opening end: no news. */
    if (t->shared.breaker == BREAKER_HALF_OPEN || (t->shared.breaker == BREAKER_CLOSED && enough))
        open_breaker_locked(t, now_us, tell);
}

static void failed_locked(struct target *t, uint64_t now_us, enum failure_class class,
                          const struct error *tell, uint64_t jitter)
{
    ended_locked(t);
    t->shared.last_error = *tell;
    if (class != FAILURE_PERMANENT)
        count_locked(t, now_us, class, jitter);
    switch (class) {
    case FAILURE_PERMANENT:
        /* About this user or database, not about the host. The pool pauses. */
        answered_locked(t);
        break;
    case FAILURE_SLOTS:
    case FAILURE_LIMITER:
        /* About how many we are. */
        answered_locked(t);
        t->shared.limited = true;
        break;
    case FAILURE_SLOW:
    case FAILURE_FAST:
        unreachable_locked(t, now_us, class, tell);
        break;
    }
}

void target_failed(struct target *t, uint64_t now_us, enum failure_class class,
                   const struct error *tell, uint64_t jitter)
{
    mutex_lock(&t->shared.m);
    failed_locked(t, now_us, class, tell, jitter);
    mutex_unlock(&t->shared.m);
}

void target_abandoned(struct target *t)
{
    mutex_lock(&t->shared.m);
    ended_locked(t);
    if (t->shared.breaker == BREAKER_HALF_OPEN)
        t->shared.breaker = BREAKER_OPEN;
    rest_locked(t);
    mutex_unlock(&t->shared.m);
}

void target_slept(struct target *t)
{
    mutex_lock(&t->shared.m);
    if (t->shared.state == TARGET_AWAKE)
        t->shared.state = TARGET_ASLEEP;
    mutex_unlock(&t->shared.m);
}

bool target_scram_seen(const struct target *t)
{
    struct target *unconst = (struct target *)t;
    mutex_lock(&unconst->shared.m);
    bool seen = t->shared.scram_seen;
    mutex_unlock(&unconst->shared.m);
    return seen;
}

void target_inspect(struct target *t, struct target_numbers *out)
{
    mutex_lock(&t->shared.m);
    *out = (struct target_numbers){
        .state = t->shared.state,
        .breaker = t->shared.breaker,
        .dialing = t->shared.dialing,
        .failures = t->shared.failures,
        .wakes = t->shared.wakes,
        .next_try_us = t->shared.not_before_us,
        .last_error = t->shared.last_error,
    };
    mutex_unlock(&t->shared.m);
}

const char *target_state_name(enum target_state s)
{
    static const char *const names[] = {
        [TARGET_UNKNOWN] = "unknown", [TARGET_AWAKE] = "awake",     [TARGET_ASLEEP] = "asleep",
        [TARGET_WAKING] = "waking",   [TARGET_FAILING] = "failing",
    };
    return names[s];
}

const char *breaker_state_name(enum breaker_state state)
{
    switch (state) {
    case BREAKER_CLOSED:
        return "closed";
    case BREAKER_OPEN:
        return "open";
    case BREAKER_HALF_OPEN:
        break;
    }
    return "half-open";
}
