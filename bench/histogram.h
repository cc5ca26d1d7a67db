/* SPDX-License-Identifier: PostgreSQL */
/* histogram.h - latencies in log-linear buckets: 64 to an octave, so within 1.6 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
/* Up to 2^63 ns. */
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

/* All zero is empty. */
struct histogram {
    uint64_t count, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value below which this share (0 to 1) of all lies: the middle of its bucket, at most max. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
