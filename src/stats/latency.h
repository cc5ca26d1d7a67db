/* SPDX-License-Identifier: PostgreSQL */
/* latency.h - how long things took, not only on average: one histogram for each kind of time. */
#ifndef STATS_LATENCY_H
#define STATS_LATENCY_H

#include "stats/histogram.h"

enum latency_kind {
    LATENCY_WAIT,  /* of clients for a server; those who found one at once waited 0 */
    LATENCY_QUERY, /* first message of a query to ReadyForQuery */
    LATENCY_XACT,  /* first message of a transaction to its end */
    LATENCY_KINDS
};

/* One worker's. */
struct latency {
    struct histogram each[LATENCY_KINDS];
};

/* A reader's own: the sum over any number of them. Starts as all zeroes. */
struct latency_sum {
    struct histogram_sum each[LATENCY_KINDS];
};

/* "wait", "query", "transaction". */
const char *latency_kind_name(enum latency_kind kind);

/* Any thread. */
void latency_add(struct latency_sum *sum, const struct latency *row);
/* What happened between two readings. */
void latency_subtract(struct latency_sum *later, const struct latency_sum *earlier);
/* Enters what took no time and was not noted for that reason: `all` is how many there were. */
void latency_fill_waits(struct latency_sum *sum, uint64_t all);

#endif
