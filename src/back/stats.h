/* SPDX-License-Identifier: MIT */
/* Counters with one writer, the queue's I/O thread, and any number of readers:
 * each word is loaded and stored whole, without a lock or a locked
 * instruction. Reads, writes, … are counted when they are answered, bytes only
 * when they were answered with success. */
#ifndef EVERGRANT_BACK_STATS_H
#define EVERGRANT_BACK_STATS_H

#include "back.h"

static inline void stat_set(uint64_t *word, uint64_t v)
{
        __atomic_store_n(word, v, __ATOMIC_RELAXED);
}

static inline uint64_t stat_get(const uint64_t *word)
{
        return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Not a locked add: only the single writer may call it. */
static inline void stat_add(uint64_t *word, uint64_t n)
{
        stat_set(word, *word + n);
}

static inline void stat_high(uint64_t *high, uint64_t v)
{
        if (v > *high)
                stat_set(high, v);
}

/* What q's grant handle did since the last call belongs to q: one thread works
 * for one queue at a time, and each piece of work that may have used the
 * handle ends with this. Logs unmaps that failed. */
void back_account(struct back_queue *q);
/* Publishes the cache's own counters. */
void back_stats_sync_cache(struct back_queue *q);

#endif
