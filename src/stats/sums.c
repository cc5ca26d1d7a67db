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

static struct counter *time_of(struct stats *row, enum latency_kind kind)
{
    switch (kind) {
    case LATENCY_WAIT:
        return &row->wait_time;
    case LATENCY_QUERY:
        return &row->query_time;
    case LATENCY_XACT:
    case LATENCY_KINDS:
        break;
    }
    return &row->xact_time;
}

/* Readers of other threads must see zeroes behind the pointer. */
static struct latency *make_latency(struct stats *row)
{
    struct latency *fresh = xcalloc(1, sizeof *fresh);
    atomic_store_explicit(&row->latency, fresh, memory_order_release);
    return fresh;
}

void stats_note(struct stats *row, enum latency_kind kind, uint64_t us)
{
    struct latency *latency = atomic_load_explicit(&row->latency, memory_order_relaxed);
    if (!latency)
        latency = make_latency(row);
    counter_add(time_of(row, kind), us);
    histogram_note(&latency->each[kind], us);
}

bool stats_add_latency(struct latency_sum *sum, const struct stats *row)
{
    struct latency *latency = atomic_load_explicit(&row->latency, memory_order_acquire);
    if (latency)
        latency_add(sum, latency);
    return latency != NULL;
}
