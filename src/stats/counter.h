/* SPDX-License-Identifier: PostgreSQL */
/* counter.h - figures that one thread writes and others read.
 *
 * A counter has one writer, so adding is a relaxed load and a relaxed store: no locked
 * instruction. Readers add up what the workers have; the sum may be a moment old, never torn. */
#ifndef STATS_COUNTER_H
#define STATS_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

/* Writer's thread only. */
static inline void counter_add(struct counter *c, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&c->value, memory_order_relaxed);
    atomic_store_explicit(&c->value, v + n, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t counter_get(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

#endif
