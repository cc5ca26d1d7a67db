/* SPDX-License-Identifier: PostgreSQL */
/* snapshot.c - the state of all pools and targets at one moment. */
#include "worker/snapshot.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "pool/cap.h"
#include "pool/registry.h"
#include "relay/control.h"
#include "relay/places.h"
#include "relay/relay.h"
#include "relay/terms.h"
#include "stats/figures.h"
#include "worker/words.h"

#include <stdatomic.h>
#include <stdlib.h>

struct snapshot_run {
    struct snapshot *snapshot;
    uint64_t now_us;
};

/* False if the text has no place in a page. */
static bool copy_name(char *out, size_t size, const char *text)
{
    return utf8_is_valid(span_str(text)) && span_to_str(span_str(text), out, size);
}

/* ---- pools ----------------------------------------------------------------------------- */

static uint64_t servers_of(const struct pool_numbers *n)
{
    return (uint64_t)n->opening + n->idle + n->active + n->moving + n->closing;
}

/* Each client and each server holds a reference to its pool, and so does who walks the registry. */
static uint64_t clients_of(const struct pool *p, const struct pool_numbers *n)
{
    uint64_t others = servers_of(n) + 1, all = pool_ref_count(p);
    uint64_t clients = all > others ? all - others : 0;
    return clients > n->waiting ? clients : n->waiting;
}

static void fill_numbers(struct snapshot_pool *row, struct pool *p, uint64_t now_us)
{
    struct pool_numbers n;
    pool_inspect(p, now_us, &n);
    row->clients = clients_of(p, &n);
    row->waiting = n.waiting;
    row->oldest_wait_us = n.oldest_wait_us;
    row->size = n.size == POOL_UNLIMITED ? 0 : n.size;
    row->reserve_used = n.reserve_used;
    row->idle = n.idle;
    row->active = (uint64_t)n.active + n.moving;
    row->opening = n.opening;
    row->closing = n.closing;
    row->pinned = n.pinned;
    row->paused = n.pause != POOL_PAUSE_NONE;
    row->disabled = n.disabled;
    row->served_at_once = n.taken + n.asked;
    row->queued = n.queued;
    row->passed_on = n.passed_on;
    row->evicted = n.evicted;
    row->refused[SNAPSHOT_REFUSED_QUEUE_FULL] = n.refused[POOL_REFUSED_QUEUE_FULL];
    row->refused[SNAPSHOT_REFUSED_DISABLED] = n.refused[POOL_REFUSED_DISABLED];
    row->refused[SNAPSHOT_REFUSED_DRAINING] = n.refused[POOL_REFUSED_DRAINING];
    row->refused[SNAPSHOT_REFUSED_PINNED] = n.refused[POOL_REFUSED_PINNED];
}

static void fill_last_login(struct snapshot_pool *row, struct findings *f)
{
    mutex_lock(&f->shared.m);
    bool refused = f->shared.refusals > 0;
    row->accepted = f->shared.known && !refused;
    if (refused)
        (void)span_to_str(span_str(f->shared.refusal.text), row->refusal, sizeof row->refusal);
    mutex_unlock(&f->shared.m);
}

static void fill_terms(struct snapshot_pool *row, struct place *place)
{
    struct terms *terms = place_terms(place);
    row->mode = words_pool_mode((int)terms->mode);
    fill_last_login(row, terms->findings);
    terms_unref(&terms);
}

#define FIRST_BUCKET_US 128

uint64_t snapshot_bucket_us(size_t bucket)
{
    return bucket + 1 < SNAPSHOT_BUCKETS ? (uint64_t)FIRST_BUCKET_US << bucket : UINT64_MAX;
}

/* The bounds are bounds of the histogram's own buckets, too: nothing is estimated. */
static void reduce(struct snapshot_latency *row, const struct histogram_sum *sum)
{
    size_t from = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < SNAPSHOT_BUCKETS; i++) {
        uint64_t bound = snapshot_bucket_us(i);
        while (from < HISTOGRAM_BUCKETS && histogram_bucket_low_us(from) < bound)
            count += sum->buckets[from++];
        row->cumulated[i] = count;
    }
    row->sum_us = sum->sum_us;
}

static void fill_latency(struct snapshot_pool *row, struct figures *f)
{
    struct latency_sum total = {0}, since = {0};
    if (!figures_read_latency(f, &total, &since))
        return;
    for (int kind = 0; kind < LATENCY_KINDS; kind++) {
        struct snapshot_latency *l = &row->latency[kind];
        const struct histogram_sum *recent = &since.each[kind];
        reduce(l, &total.each[kind]);
        l->recent = recent->count;
        l->p50_us = histogram_percentile_us(recent, 50);
        l->p95_us = histogram_percentile_us(recent, 95);
        l->p99_us = histogram_percentile_us(recent, 99);
    }
}

static void add_pool(struct pool *p, void *arg)
{
    const struct snapshot_run *run = arg;
    struct snapshot *s = run->snapshot;
    struct place *place = pool_owner(p);
    struct figures_reading reading = {0};
    s->n_pools_all++;
    if (s->n_pools == SNAPSHOT_POOLS_MAX)
        return;
    struct snapshot_pool *row = &s->pools[s->n_pools];
    if (!copy_name(row->database, sizeof row->database, pool_database(p)) ||
        !copy_name(row->user, sizeof row->user, pool_user(p)))
        return;
    s->n_pools++;
    fill_terms(row, place);
    fill_numbers(row, p, run->now_us);
    figures_read(place->figures, run->now_us, &reading);
    row->total = reading.total;
    fill_latency(row, place->figures);
}

/* ---- targets --------------------------------------------------------------------------- */

static enum snapshot_target_state state_of(enum target_state state)
{
    switch (state) {
    case TARGET_UNKNOWN:
        break;
    case TARGET_AWAKE:
        return SNAPSHOT_TARGET_AWAKE;
    case TARGET_ASLEEP:
        return SNAPSHOT_TARGET_ASLEEP;
    case TARGET_WAKING:
        return SNAPSHOT_TARGET_WAKING;
    case TARGET_FAILING:
        return SNAPSHOT_TARGET_FAILING;
    }
    return SNAPSHOT_TARGET_UNKNOWN;
}

/* Called under the lock of the table of targets: no allocation. */
static void add_target(struct target *t, void *arg)
{
    const struct snapshot_run *run = arg;
    struct snapshot *s = run->snapshot;
    struct target_numbers n;
    s->n_targets_all++;
    if (s->n_targets == SNAPSHOT_TARGETS_MAX)
        return;
    struct snapshot_target *row = &s->targets[s->n_targets];
    if (!copy_name(row->host, sizeof row->host, target_host(t)))
        return;
    s->n_targets++;
    target_inspect(t, &n);
    row->port = target_port(t);
    row->state = state_of(n.state);
    row->breaker_closed = n.breaker == BREAKER_CLOSED;
    row->breaker = breaker_state_name(n.breaker);
    row->connecting = n.dialing;
    row->failures = n.failures;
    row->wakes = n.wakes;
    if (n.next_try_us > run->now_us)
        row->next_try_ms = (n.next_try_us - run->now_us) / US_PER_MS;
    (void)span_to_str(span_str(n.last_error.text), row->last_error, sizeof row->last_error);
}

const char *snapshot_target_state_name(enum snapshot_target_state state)
{
    static const char *const names[] = {
        [SNAPSHOT_TARGET_UNKNOWN] = "unknown", [SNAPSHOT_TARGET_AWAKE] = "awake",
        [SNAPSHOT_TARGET_ASLEEP] = "asleep",   [SNAPSHOT_TARGET_WAKING] = "waking",
        [SNAPSHOT_TARGET_FAILING] = "failing",
    };
    return names[state];
}

/* ---- all of it ------------------------------------------------------------------------- */

struct snapshot *snapshot_take(struct relay_shared *shared, uint64_t now_us)
{
    struct snapshot *s = xcalloc(1, sizeof *s);
    struct snapshot_run run = {.snapshot = s, .now_us = now_us};
    struct cap_numbers total;
    s->pools = xcalloc(SNAPSHOT_POOLS_MAX, sizeof *s->pools);
    s->targets = xcalloc(SNAPSHOT_TARGETS_MAX, sizeof *s->targets);
    s->clients = atomic_load_explicit(&shared->n_clients, memory_order_relaxed);
    s->clients_unauthenticated =
        atomic_load_explicit(&shared->n_unauthenticated, memory_order_relaxed);
    cap_inspect(limits_total(registry_limits(shared->registry)), &total);
    s->servers = total.servers;
    s->max_servers = total.max_servers == POOL_UNLIMITED ? 0 : total.max_servers;
    control_enter(shared->control);
    s->draining = control_is_ending(shared->control);
    control_leave(shared->control);
    s->draining |= atomic_load_explicit(&shared->is_stopping, memory_order_relaxed);
    registry_each(shared->registry, add_pool, &run);
    places_each_target(shared->places, add_target, &run);
    return s;
}

void snapshot_free(struct snapshot **s)
{
    if (!*s)
        return;
    free((*s)->pools);
    free((*s)->targets);
    free(*s);
    *s = NULL;
}

struct history *snapshot_history(struct relay_shared *shared)
{
    return shared->history;
}
