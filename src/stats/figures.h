/* SPDX-License-Identifier: PostgreSQL */
/* figures.h - what was counted for one pool: a row per worker, their sum, and averages.
 *
 * Averages are those of PgBouncer's SHOW STATS: over the time since the start of the previous
 * period, so over one to two periods. Rates are per second; the three times are per transaction,
 * per query and per assignment. Nobody has to look at the figures at a certain moment: whoever
 * comes by calls figures_roll, and a late roll only makes the period longer. */
#ifndef STATS_FIGURES_H
#define STATS_FIGURES_H

#include "stats/sums.h"

#include <stdint.h>

struct figures;

/* The first period begins now. */
struct figures *figures_new(unsigned n_workers, uint64_t now_us);
/* Its periods are those of `other`: it may be young, but its averages are over the same time. */
struct figures *figures_new_beside(struct figures *other);
void figures_free(struct figures **f);

/* The row that a worker counts in; lives as long as f. */
struct stats *figures_row(struct figures *f, unsigned worker);

/* Begins the next period if this one has lasted for period_us. Any thread. */
void figures_roll(struct figures *f, uint64_t now_us, uint64_t period_us);

/* Figures of one pool, or added up over several. */
struct figures_reading {
    struct stats_sum total;
    struct stats_sum since; /* since the start of the previous period */
    struct stats_sum rate;  /* ... per 1000 s: many slow pools add up to something */
};
/* The histograms since the beginning, and (may be NULL) those since the start of the previous
 * period. Adds to both, which start as all zeroes. False if nothing was ever noted. Any thread. */
bool figures_read_latency(struct figures *f, struct latency_sum *total, struct latency_sum *since);
/* Adds to *out, which starts as all zeroes. Any thread. */
void figures_read(struct figures *f, uint64_t now_us, struct figures_reading *out);
/* The averages of everything that was added. */
void figures_average(const struct figures_reading *reading, struct stats_sum *out);

#endif
