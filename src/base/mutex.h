/* SPDX-License-Identifier: PostgreSQL */
/* mutex.h - a mutex whose failures are bugs. Under it: arithmetic and list surgery only.
 *
 * One word that is waited on by futex(2), without owner, kind or recursion: taking a free one is
 * one instruction that the compiler sees. The library's costs 60 each time, and the ledger's is
 * taken twice for each transaction. After Drepper, "Futexes Are Tricky", section 5. */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

#include <stdatomic.h>

enum mutex_word {
    MUTEX_FREE,
    MUTEX_HELD,
    MUTEX_AWAITED, /* held, and somebody may sleep until it is not */
};

struct mutex {
    _Atomic int word; /* enum mutex_word */
};

#define MUTEX_INITIALIZER                                                                          \
    {                                                                                              \
        MUTEX_FREE                                                                                 \
    }

/* Out of line: returns when it is held. */
void mutex_wait(struct mutex *m);
void mutex_wake(struct mutex *m);

static inline void mutex_init(struct mutex *m)
{
    atomic_init(&m->word, MUTEX_FREE);
}

/* Nobody may hold it: aborts. */
void mutex_fini(struct mutex *m);

static inline void mutex_lock(struct mutex *m)
{
    int word = MUTEX_FREE;
    if (!atomic_compare_exchange_strong_explicit(&m->word, &word, MUTEX_HELD, memory_order_acquire,
                                                 memory_order_relaxed))
        mutex_wait(m);
}

static inline void mutex_unlock(struct mutex *m)
{
    if (atomic_exchange_explicit(&m->word, MUTEX_FREE, memory_order_release) == MUTEX_AWAITED)
        mutex_wake(m);
}

#endif
