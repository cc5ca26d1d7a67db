/* SPDX-License-Identifier: PostgreSQL */
/* histogram.c - latencies in log-linear buckets.
 *
 * Values below 2^SUB_BITS have a bucket each. Above, the octave is the position of the highest bit
 * and the SUB_BITS bits behind it select the bucket within the octave. */
#include "histogram.h"

#define SUB_BUCKETS (1U << HISTOGRAM_SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS)
        return (unsigned)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

static uint64_t middle_of(unsigned bucket)
{
    if (bucket < SUB_BUCKETS)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << HISTOGRAM_SUB_BITS)) << shift;
    return low + ((1ULL << shift) >> 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    unsigned bucket = bucket_of(value);

    h->buckets[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t rank = (uint64_t)(share * (double)h->count);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > rank)
            return middle_of(i) < h->max ? middle_of(i) : h->max;
    }
    return h->max;
}
