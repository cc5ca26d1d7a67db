/* SPDX-License-Identifier: PostgreSQL */
/* latency.c - how long things took. */
#include "stats/latency.h"

const char *latency_kind_name(enum latency_kind kind)
{
    static const char *const names[] = {
        [LATENCY_WAIT] = "wait",
        [LATENCY_QUERY] = "query",
        [LATENCY_XACT] = "transaction",
    };
    return names[kind];
}

void latency_add(struct latency_sum *sum, const struct latency *row)
{
    for (int kind = 0; kind < LATENCY_KINDS; kind++)
        histogram_add(&sum->each[kind], &row->each[kind]);
}

void latency_subtract(struct latency_sum *later, const struct latency_sum *earlier)
{
    for (int kind = 0; kind < LATENCY_KINDS; kind++)
        histogram_subtract(&later->each[kind], &earlier->each[kind]);
}

void latency_fill_waits(struct latency_sum *sum, uint64_t all)
{
    struct histogram_sum *waits = &sum->each[LATENCY_WAIT];
    if (all <= waits->count)
        return;
    waits->buckets[0] += all - waits->count;
    waits->count = all;
}
