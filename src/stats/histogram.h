/* SPDX-License-Identifier: PostgreSQL */
/* histogram.h - how long things took: counts in fixed log-linear buckets.
 *
 * Unit: microseconds, 1 us to 1 h; what is shorter counts as 1 us, what is longer as 1 h. Every
 * power of two is cut into 16 buckets of equal width, and a percentile is the middle of its bucket:
 * at most 1/32 (3.1 %) away from the true value. Values below 32 us are exact.
 *
 * The buckets are the same everywhere, so histograms of workers, pools and periods are added bucket
 * by bucket and the percentile is read from the sum. (Averaging percentiles, or guessing them from
 * averages, gives figures that no request ever had.)
 *
 * One thread writes (see counter.h), any thread reads by histogram_add. No allocation. */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include "stats/counter.h"

#include <stddef.h>

#define HISTOGRAM_MAX_US 3600000000ULL /* 1 h */

enum {
    HISTOGRAM_STEPS_LOG2 = 4,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEPS_LOG2,
    /* 1 h lies between 2^31 and 2^32 us: the powers of two from 2^4 to 2^31 have 16 buckets each,
     * and the values below 2^4 one each. */
    HISTOGRAM_BUCKETS = (32 - HISTOGRAM_STEPS_LOG2 + 1) * HISTOGRAM_STEPS,
};

struct histogram {
    struct counter buckets[HISTOGRAM_BUCKETS];
    struct counter sum_us;
};

/* A reader's own: the sum over any number of histograms. Starts as all zeroes. */
struct histogram_sum {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum_us; /* of the values as they were, uncut */
};

/* The bucket of a value. Below 2 * 16 it is the value. Above, the value is shifted until its
 * leading one and the four bits behind it remain: row = how far, column = those four bits. */
static inline size_t histogram_bucket(uint64_t us)
{
    us += !us;
    if (us > HISTOGRAM_MAX_US)
        us = HISTOGRAM_MAX_US;
    /* The or makes the shift 0 for what is smaller than a row. */
    unsigned log2_floor = 63 - (unsigned)__builtin_clzll(us | HISTOGRAM_STEPS);
    unsigned shift = log2_floor - HISTOGRAM_STEPS_LOG2;
    return (size_t)shift * HISTOGRAM_STEPS + (size_t)(us >> shift);
}

/* The smallest and the largest value that a bucket holds. */
uint64_t histogram_bucket_low_us(size_t bucket);
uint64_t histogram_bucket_high_us(size_t bucket);

/* Writer's thread only. */
static inline void histogram_note_in(struct histogram *h, size_t bucket, uint64_t us)
{
    counter_add(&h->buckets[bucket], 1);
    counter_add(&h->sum_us, us);
}
static inline void histogram_note(struct histogram *h, uint64_t us)
{
    histogram_note_in(h, histogram_bucket(us), us);
}

/* Any thread: adds what was noted so far. `count` is always the total of `buckets`; sum_us may be
 * some values ahead of them or behind. */
void histogram_add(struct histogram_sum *sum, const struct histogram *h);
/* Adds one reader's sum to another's. */
void histogram_merge(struct histogram_sum *into, const struct histogram_sum *from);
/* What happened between two readings of the same histograms: subtracts the earlier one. */
void histogram_subtract(struct histogram_sum *later, const struct histogram_sum *earlier);

/* The value in us that `percent` (0 to 100) of all values do not exceed; 0 if there are none. */
uint64_t histogram_percentile_us(const struct histogram_sum *sum, double percent);

#endif
