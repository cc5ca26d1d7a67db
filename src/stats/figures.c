/* SPDX-License-Identifier: PostgreSQL */
/* figures.c - what was counted for one pool. */
#include "stats/figures.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"

#include <stdlib.h>
#include <string.h>

/* Rows of different workers must not share a cache line: each is written for every query. */
#define CACHE_LINE 64

struct figures_row {
    _Alignas(CACHE_LINE) struct stats stats;
};

struct figures {
    unsigned n_workers;
    struct figures_row *rows;
    struct {
        struct mutex m;
        struct stats_sum older, newer; /* at the start of the previous period, and of this one */
        uint64_t older_us, newer_us;
        struct latency_sum *older_latency, *newer_latency; /* NULL: nothing was noted before */
    } shared;
};

struct figures *figures_new(unsigned n_workers, uint64_t now_us)
{
    struct figures *f = xcalloc(1, sizeof *f);
    size_t size = n_workers * sizeof *f->rows;
    f->n_workers = n_workers;
    if (posix_memalign((void **)&f->rows, CACHE_LINE, size) != 0)
        abort();
    memset(f->rows, 0, size);
    mutex_init(&f->shared.m);
    f->shared.older_us = f->shared.newer_us = now_us;
    return f;
}

struct figures *figures_new_beside(struct figures *other)
{
    struct figures *f = figures_new(other->n_workers, 0);
    mutex_lock(&other->shared.m);
    f->shared.older_us = other->shared.older_us;
    f->shared.newer_us = other->shared.newer_us;
    mutex_unlock(&other->shared.m);
    return f;
}

void figures_free(struct figures **fp)
{
    struct figures *f = *fp;
    if (!f)
        return;
    mutex_fini(&f->shared.m);
    for (unsigned i = 0; i < f->n_workers; i++)
        free(f->rows[i].stats.latency);
    free(f->shared.older_latency);
    free(f->shared.newer_latency);
    free(f->rows);
    free(f);
    *fp = NULL;
}

struct stats *figures_row(struct figures *f, unsigned worker)
{
    return &f->rows[worker].stats;
}

static void sum_rows(const struct figures *f, struct stats_sum *sum)
{
    for (unsigned i = 0; i < f->n_workers; i++)
        stats_add(sum, &f->rows[i].stats);
}

/* NULL if nothing was noted. */
static struct latency_sum *sum_latency(const struct figures *f)
{
    struct latency_sum *sum = NULL;
    for (unsigned i = 0; i < f->n_workers; i++) {
        if (!atomic_load_explicit(&f->rows[i].stats.latency, memory_order_acquire))
            continue;
        if (!sum)
            sum = xcalloc(1, sizeof *sum);
        (void)stats_add_latency(sum, &f->rows[i].stats);
    }
    return sum;
}

/* Workers' clocks are read at different moments: one may lag behind the last roll. */
static bool is_due(const struct figures *f, uint64_t now_us, uint64_t period_us)
{
    return now_us > f->shared.newer_us && now_us - f->shared.newer_us >= period_us;
}

void figures_roll(struct figures *f, uint64_t now_us, uint64_t period_us)
{
    mutex_lock(&f->shared.m);
    bool due = is_due(f, now_us, period_us);
    mutex_unlock(&f->shared.m);
    if (!due)
        return;
    struct latency_sum *latency = sum_latency(f), *oldest = latency;
    mutex_lock(&f->shared.m);
    /* Another worker may have been quicker. */
    if (is_due(f, now_us, period_us)) {
        struct stats_sum sum = {0};
        sum_rows(f, &sum);
        oldest = f->shared.older_latency;
        f->shared.older_latency = f->shared.newer_latency;
        f->shared.newer_latency = latency;
        f->shared.older = f->shared.newer;
        f->shared.older_us = f->shared.newer_us;
        f->shared.newer = sum;
        f->shared.newer_us = now_us;
    }
    mutex_unlock(&f->shared.m);
    free(oldest);
}

/* Whole sums, to be added to what the caller has. */
static void merge_latency(struct latency_sum *into, const struct latency_sum *from)
{
    for (int kind = 0; kind < LATENCY_KINDS; kind++)
        histogram_merge(&into->each[kind], &from->each[kind]);
}

bool figures_read_latency(struct figures *f, struct latency_sum *total, struct latency_sum *since)
{
    struct latency_sum older = {0};
    struct stats_sum sum = {0};
    mutex_lock(&f->shared.m);
    uint64_t assigned_before = f->shared.older.server_assignment;
    if (f->shared.older_latency)
        older = *f->shared.older_latency;
    mutex_unlock(&f->shared.m);
    struct latency_sum *now = sum_latency(f);
    if (!now)
        return false;
    sum_rows(f, &sum);
    struct latency_sum recent = *now;
    latency_subtract(&recent, &older);
    latency_fill_waits(now, sum.server_assignment);
    latency_fill_waits(&recent, sum.server_assignment - assigned_before);
    merge_latency(total, now);
    if (since)
        merge_latency(since, &recent);
    free(now);
    return true;
}

#define RATE_S 1000

static uint64_t rate(uint64_t n, uint64_t us)
{
    return us ? (uint64_t)((double)n * (double)(RATE_S * US_PER_S) / (double)us) : 0;
}

void figures_read(struct figures *f, uint64_t now_us, struct figures_reading *out)
{
    struct stats_sum sum = {0}, older;
    mutex_lock(&f->shared.m);
    older = f->shared.older;
    uint64_t span_us = now_us > f->shared.older_us ? now_us - f->shared.older_us : 0;
    mutex_unlock(&f->shared.m);
    sum_rows(f, &sum);
#define READ(field)                                                                                \
    out->total.field += sum.field;                                                                 \
    out->since.field += sum.field - older.field;                                                   \
    out->rate.field += rate(sum.field - older.field, span_us);
    STATS_FIELDS(READ)
#undef READ
}

static uint64_t each(uint64_t time_us, uint64_t n)
{
    return n ? time_us / n : 0;
}

void figures_average(const struct figures_reading *reading, struct stats_sum *out)
{
    const struct stats_sum *since = &reading->since;
#define PER_SECOND(field) out->field = reading->rate.field / RATE_S;
    STATS_FIELDS(PER_SECOND)
#undef PER_SECOND
    out->xact_time = each(since->xact_time, since->xact);
    out->query_time = each(since->query_time, since->query);
    out->wait_time = each(since->wait_time, since->server_assignment);
}
