/* SPDX-License-Identifier: PostgreSQL */
/* pool_fixture.h - what the tests of pool/ share: settings, invented servers and clients. */
#ifndef TEST_POOL_FIXTURE_H
#define TEST_POOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool/cap.h"
#include "pool/pool.h"

#define assert_sound(p) assert_ptr_equal(pool_check(p), NULL)

/* A size, and bounds that no test meets by chance. */
static inline struct pool_settings sized(uint32_t size)
{
    return (struct pool_settings){
        .size = size,
        .min = size == POOL_UNLIMITED ? 0 : size,
        .max_wait_queue = POOL_UNLIMITED,
        .max_pinned = POOL_UNLIMITED,
        .window = POOL_WINDOW,
        .lifetime_us = UINT64_MAX,
    };
}

static inline struct pool *pool_with(unsigned n_workers, struct pool_settings set,
                                     struct cap *const caps[POOL_CAPS])
{
    static struct cap *const none[POOL_CAPS];

    return pool_new("shop", "app", n_workers, &set, caps != NULL ? caps : none);
}

static inline struct pool *pool_sized(unsigned n_workers, uint32_t size)
{
    return pool_with(n_workers, sized(size), NULL);
}

static inline struct pool_waiter client_of(uint64_t id, unsigned worker)
{
    return (struct pool_waiter){.id = id, .worker = (uint16_t)worker};
}

/* A reservation, whether clients wait or only min asks for it. */
static inline enum pool_dial reserve(struct pool *p, uint64_t now_us)
{
    struct pool_dial_answer answer;

    if (!pool_reserve_dial(p, now_us, &answer) && answer.what == POOL_DIAL_NOT_NEEDED)
        pool_reserve_min(p, now_us, &answer);
    return answer.what;
}

/* A server dialled by `worker` and ready at now_us. */
static inline struct pool_release opened(struct pool *p, struct pool_server *s, uint64_t id,
                                         unsigned worker, uint64_t now_us)
{
    struct pool_numbers n;
    struct pool_release r;

    assert_int_equal(reserve(p, now_us), POOL_DIAL_RESERVED);
    pool_inspect(p, now_us, &n);
    pool_server_init(s, id, worker, n.generation);
    pool_opened(p, s, now_us, &r);
    assert_sound(p);
    return r;
}

static inline void opened_idle(struct pool *p, struct pool_server *s, uint64_t id, unsigned worker,
                               uint64_t now_us)
{
    assert_int_equal(opened(p, s, id, worker, now_us).what, POOL_KEEP);
}

static inline struct pool_decision acquire(struct pool *p, struct pool_waiter *w, uint64_t now_us)
{
    struct pool_decision d;

    pool_acquire(p, w, now_us, &d);
    assert_sound(p);
    return d;
}

static inline struct pool_release release(struct pool *p, struct pool_server *s, uint64_t now_us)
{
    struct pool_release r;

    pool_release(p, s, now_us, &r);
    assert_sound(p);
    return r;
}

static inline struct pool_numbers numbers(struct pool *p, uint64_t now_us)
{
    struct pool_numbers n;

    pool_inspect(p, now_us, &n);
    return n;
}

/* Ends a test: everything that is left is closed. */
static inline void close_all(struct pool *p, struct pool_server *servers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (servers[i].state != POOL_SERVER_GONE)
            pool_closed(p, &servers[i], 1);
    }
    assert_sound(p);
}

#endif
