/* SPDX-License-Identifier: PostgreSQL */
/* snapshot.h - the state of all pools and targets at one moment, as plain values: what http shows.
 *
 * It is read from the pools' ledgers, the targets and the counters, none of which makes a worker do
 * anything: a look costs each pool one short lock. What only the workers know (who is being
 * cancelled or reset) is not in it; see census.h. */
#ifndef WORKER_SNAPSHOT_H
#define WORKER_SNAPSHOT_H

#include "stats/sums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history;
struct relay_shared;

/* A page about so many pools stays below 1 MB: about 12 KB each, with names of usual length. */
#define SNAPSHOT_POOLS_MAX 80
#define SNAPSHOT_TARGETS_MAX 64
#define SNAPSHOT_NAME_SIZE 128
#define SNAPSHOT_HOST_SIZE 256
#define SNAPSHOT_TEXT_SIZE 256

enum snapshot_refusal {
    SNAPSHOT_REFUSED_QUEUE_FULL,
    SNAPSHOT_REFUSED_DISABLED,
    SNAPSHOT_REFUSED_DRAINING,
    SNAPSHOT_REFUSED_PINNED,
    SNAPSHOT_REFUSALS
};

/* Times of one kind: counts since the pool was made, in wider buckets than they were noted in.
 * Bucket i is what took less than snapshot_bucket_us(i), the last one everything. */
#define SNAPSHOT_BUCKETS 20
struct snapshot_latency {
    uint64_t cumulated[SNAPSHOT_BUCKETS];
    uint64_t sum_us;
    uint64_t recent; /* how many since the start of the previous stats_period, and of those: */
    uint64_t p50_us, p95_us, p99_us;
};

/* A pool. All numbers are of one type, so that tables can say where each stands. */
struct snapshot_pool {
    char database[SNAPSHOT_NAME_SIZE], user[SNAPSHOT_NAME_SIZE]; /* UTF-8 */
    const char *mode;                                            /* static */
    /* Now. */
    uint64_t clients; /* logged in; may be off by those just coming or leaving */
    uint64_t waiting;
    uint64_t oldest_wait_us;
    uint64_t size;         /* 0: no limit */
    uint64_t reserve_used; /* servers beyond size */
    uint64_t idle, active, opening, closing;
    uint64_t pinned;
    uint64_t paused, disabled; /* 0 or 1 */
    /* Since it was made. */
    uint64_t served_at_once; /* statements that found an idle server */
    uint64_t queued;         /* ... that did not */
    uint64_t passed_on;      /* servers closed so that another pool may have the place */
    uint64_t evicted;        /* ... that were idle */
    uint64_t refused[SNAPSHOT_REFUSALS];
    struct stats_sum total;
    struct snapshot_latency latency[LATENCY_KINDS];
    /* How the last log-in at a server ended. */
    bool accepted; /* well */
    char
        refusal[SNAPSHOT_TEXT_SIZE]; /* not: the user or the database was refused, as it says; "" */
};

enum snapshot_target_state {
    SNAPSHOT_TARGET_UNKNOWN, /* never contacted */
    SNAPSHOT_TARGET_AWAKE,
    SNAPSHOT_TARGET_ASLEEP,
    SNAPSHOT_TARGET_WAKING,
    SNAPSHOT_TARGET_FAILING,
    SNAPSHOT_TARGET_STATES
};

struct snapshot_target {
    char host[SNAPSHOT_HOST_SIZE];
    uint16_t port;
    enum snapshot_target_state state;
    bool breaker_closed;
    const char *breaker; /* static: closed, open, half-open */
    uint64_t connecting; /* attempts under way */
    uint64_t failures;   /* in a row */
    uint64_t wakes;      /* since the start */
    uint64_t next_try_ms;
    char last_error[SNAPSHOT_TEXT_SIZE]; /* "" if there was none; may be long past */
};

struct snapshot {
    uint64_t clients; /* connections of applications, those that log in included */
    uint64_t clients_unauthenticated;
    uint64_t servers;
    uint64_t max_servers; /* over all pools; 0: no limit */
    bool draining;        /* the program is to end, and waits for servers or clients to go */
    /* Of pools and targets beyond the maximum, or with names that a page cannot hold (too long, not
     * UTF-8), only the number is known: n_…_all counts every one. */
    struct snapshot_pool *pools; /* in the order of their making */
    size_t n_pools, n_pools_all;
    struct snapshot_target *targets;
    size_t n_targets, n_targets_all;
};

/* Any thread, while the workers exist. Owned by the caller. */
struct snapshot *snapshot_take(struct relay_shared *shared, uint64_t now_us);
void snapshot_free(struct snapshot **s);
/* What happened lately (worker/history.h); NULL if nobody keeps it. */
struct history *snapshot_history(struct relay_shared *shared);

/* Doubles from bucket to bucket; UINT64_MAX for the last. */
uint64_t snapshot_bucket_us(size_t bucket);
const char *snapshot_target_state_name(enum snapshot_target_state state);

#endif
