/* SPDX-License-Identifier: MIT */
#include "latency.h"

#define SUB_BITS 4u /* 16 buckets a power of two */
#define SUBS (1u << SUB_BITS)

unsigned latency_bucket(uint64_t ns)
{
        unsigned top, bucket;

        if (ns < SUBS)
                return (unsigned)ns;
        top = 63u - (unsigned)__builtin_clzll(ns);
        bucket = (top - SUB_BITS + 1) * SUBS +
                 (unsigned)((ns >> (top - SUB_BITS)) & (SUBS - 1));
        return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

uint64_t latency_bucket_max_ns(unsigned bucket)
{
        unsigned shift;

        if (bucket < SUBS)
                return bucket;
        shift = bucket / SUBS - 1;
        return ((SUBS + bucket % SUBS + 1ull) << shift) - 1;
}

uint64_t latency_count(const uint64_t buckets[LATENCY_BUCKETS])
{
        uint64_t n = 0;

        for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
                n += buckets[i];
        return n;
}

uint64_t latency_quantile_ns(const uint64_t buckets[LATENCY_BUCKETS],
                             unsigned per_mille)
{
        uint64_t n = latency_count(buckets), want, seen = 0;

        if (!n)
                return 0;
        want = (n / 1000) * per_mille + (n % 1000 * per_mille + 999) / 1000;
        if (!want)
                want = 1;
        for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
                seen += buckets[i];
                if (seen >= want)
                        return latency_bucket_max_ns(i);
        }
        return latency_bucket_max_ns(LATENCY_BUCKETS - 1);
}
