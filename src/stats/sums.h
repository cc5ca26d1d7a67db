/* SPDX-License-Identifier: PostgreSQL */
/* sums.h - what is counted per pool and worker, and how workers are added up.
 *
 * The names and meanings are those of PgBouncer's SHOW STATS, then ours. One row is written by one
 * worker; readers call stats_add over all of them. */
#ifndef STATS_SUMS_H
#define STATS_SUMS_H

#include "stats/counter.h"
#include "stats/latency.h"

#include <stdbool.h>

/* X(field): the table from which the struct, the sum and the console's columns are made. */
#define STATS_FIELDS(X)                                                                            \
    X(server_assignment) /* client-server links made */                                            \
    X(xact)              /* transactions */                                                        \
    X(query)             /* ReadyForQuery of a client: a pipelined batch counts once */            \
    X(received)          /* bytes from clients */                                                  \
    X(sent)              /* bytes to clients */                                                    \
    X(xact_time)         /* us */                                                                  \
    X(query_time)        /* us */                                                                  \
    X(wait_time)         /* us that clients were queued */                                         \
    X(client_parse)      /* Parse of a name that is followed */                                    \
    X(server_parse)      /* ... that a server was made to know */                                  \
    X(bind)              /* Bind of such a name */                                                 \
    X(client_login)                                                                                \
    X(handover)      /* servers that came from another worker */                                   \
    X(refused)       /* clients refused: queue full, waited too long, no upstream */               \
    X(errors)        /* ErrorResponses forwarded to clients */                                     \
    X(server_opened) /* logins to servers that succeeded */                                        \
    X(server_failed) /* ... that failed */                                                         \
    X(canceled)      /* cancel requests forwarded */

struct stats {
#define STATS_COUNTER(field) struct counter field;
    STATS_FIELDS(STATS_COUNTER)
#undef STATS_COUNTER
    /* NULL until something was noted: most pools of a large installation are never used. The
     * histograms are the figures' to free. */
    struct latency *_Atomic latency;
};

struct stats_sum {
#define STATS_SUM(field) uint64_t field;
    STATS_FIELDS(STATS_SUM)
#undef STATS_SUM
};

/* Private: the first time that something is noted. */
struct latency *stats_make_latency(struct stats *row);

static inline struct counter *stats_time(struct stats *row, enum latency_kind kind)
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

/* Counts a time, and notes it in its histogram. Writer's thread only. Inline: three times for each
 * transaction, each with a kind that the compiler knows. */
static inline void stats_note(struct stats *row, enum latency_kind kind, uint64_t us)
{
    struct latency *latency = atomic_load_explicit(&row->latency, memory_order_relaxed);
    if (!latency)
        latency = stats_make_latency(row);
    counter_add(stats_time(row, kind), us);
    histogram_note(&latency->each[kind], us);
}

/* A query that was a transaction by itself: the same time for both. */
static inline void stats_note_single(struct stats *row, uint64_t us)
{
    struct latency *latency = atomic_load_explicit(&row->latency, memory_order_relaxed);
    size_t bucket = histogram_bucket(us);
    if (!latency)
        latency = stats_make_latency(row);
    counter_add(&row->query_time, us);
    counter_add(&row->xact_time, us);
    histogram_note_in(&latency->each[LATENCY_QUERY], bucket, us);
    histogram_note_in(&latency->each[LATENCY_XACT], bucket, us);
}

/* Adds one worker's row; any thread. */
void stats_add(struct stats_sum *sum, const struct stats *row);
/* The same for its histograms. False if it has none. */
bool stats_add_latency(struct latency_sum *sum, const struct stats *row);

#endif
