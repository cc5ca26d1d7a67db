/* SPDX-License-Identifier: PostgreSQL */
/* sums.c - add up what workers counted. */
#include "stats/sums.h"

#include "base/mem.h"

void stats_add(struct stats_sum *sum, const struct stats *row)
{
#define STATS_ADD(field) sum->field += counter_get(&row->field);
    STATS_FIELDS(STATS_ADD)
#undef STATS_ADD
}

/* Readers of other threads must see zeroes behind the pointer. */
struct latency *stats_make_latency(struct stats *row)
{
    struct latency *fresh = xcalloc(1, sizeof *fresh);
    atomic_store_explicit(&row->latency, fresh, memory_order_release);
    return fresh;
}

bool stats_add_latency(struct latency_sum *sum, const struct stats *row)
{
    struct latency *latency = atomic_load_explicit(&row->latency, memory_order_acquire);
    if (latency)
        latency_add(sum, latency);
    return latency != NULL;
}
