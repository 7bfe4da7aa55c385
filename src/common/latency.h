/* SPDX-License-Identifier: MIT */
/* A log-linear histogram of nanoseconds: 16 buckets for each power of two, so
 * a quantile is right to 1/16; from 2^35 ns (34 s) on all share the last. */
#ifndef EVERGRANT_COMMON_LATENCY_H
#define EVERGRANT_COMMON_LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS 512

unsigned latency_bucket(uint64_t ns);
/* The largest value that falls into the bucket. */
uint64_t latency_bucket_max_ns(unsigned bucket);

uint64_t latency_count(const uint64_t buckets[LATENCY_BUCKETS]);
/* The smallest bucket bound that at least per_mille thousandths of the values
 * do not exceed: 500 is the median, 999 is p99.9. 0 if there are no values. */
uint64_t latency_quantile_ns(const uint64_t buckets[LATENCY_BUCKETS],
                             unsigned per_mille);

#endif
