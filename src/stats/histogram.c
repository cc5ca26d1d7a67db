/* SPDX-License-Identifier: PostgreSQL */
/* histogram.c - log-linear buckets. */
#include "stats/histogram.h"

uint64_t histogram_bucket_low_us(size_t bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    size_t shift = bucket / HISTOGRAM_STEPS - 1;
    return (uint64_t)(bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << shift;
}

uint64_t histogram_bucket_high_us(size_t bucket)
{
    return histogram_bucket_low_us(bucket + 1) - 1;
}

void histogram_add(struct histogram_sum *sum, const struct histogram *h)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t n = counter_get(&h->buckets[i]);
        sum->buckets[i] += n;
        sum->count += n;
    }
    sum->sum_us += counter_get(&h->sum_us);
}

void histogram_merge(struct histogram_sum *into, const struct histogram_sum *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    into->sum_us += from->sum_us;
}

void histogram_subtract(struct histogram_sum *later, const struct histogram_sum *earlier)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        later->buckets[i] -= earlier->buckets[i];
    later->count -= earlier->count;
    later->sum_us -= earlier->sum_us;
}

/* How many values must lie at or below the percentile: rounded up, at least one, at most all. */
static uint64_t rank(uint64_t count, double percent)
{
    double exact = percent / 100 * (double)count;
    if (!(exact > 1))
        return 1;
    if (exact >= (double)count)
        return count;
    uint64_t down = (uint64_t)exact;
    return (double)down < exact ? down + 1 : down;
}

uint64_t histogram_percentile_us(const struct histogram_sum *sum, double percent)
{
    if (sum->count == 0)
        return 0;
    uint64_t wanted = rank(sum->count, percent), seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += sum->buckets[i];
        if (seen < wanted)
            continue;
        uint64_t low = histogram_bucket_low_us(i);
        return low + (histogram_bucket_high_us(i) - low) / 2;
    }
    return HISTOGRAM_MAX_US;
}
