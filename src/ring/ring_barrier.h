/* SPDX-License-Identifier: MIT */
/* The only accesses to memory that a peer can change. Each load happens once:
 * the compiler can neither repeat nor tear it (XSA-155). What comes back is a
 * private copy: validate that, forget the original. */
#ifndef EVERGRANT_RING_BARRIER_H
#define EVERGRANT_RING_BARRIER_H

#include <string.h>

#include "common/util.h"

/* The index first, then the slots that it covers. Pairs with the peer's
 * ring_store_release after it filled the slots. */
static inline uint32_t ring_load_acquire(const uint32_t *p)
{
        return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint32_t ring_load_once(const uint32_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* The slots first, then the index that makes them visible. */
static inline void ring_store_release(uint32_t *p, uint32_t v)
{
        __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void ring_store_once(uint32_t *p, uint32_t v)
{
        __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

/* A store before it is seen before a load after it is done: both sides of the
 * notification hold-off need this between publishing an index and reading the
 * peer's event index (or the other way round), or a wake-up gets lost. */
static inline void ring_fence_full(void)
{
        /* The same instruction as a sequentially consistent C11 fence, which
         * gcc rejects under -fsanitize=thread. */
        __sync_synchronize();
}

/* Copies a slot out of shared memory, each byte read exactly once. src is 4
 * aligned, len_bytes is a multiple of 4; dst is anywhere. */
static inline void ring_copy_from_shared(void *dst, const void *src,
                                         size_t len_bytes)
{
        uint8_t *d = dst;
        const uint32_t *s = src;

        for (size_t i = 0; i < len_bytes / 4; i++) {
                uint32_t word = __atomic_load_n(s + i, __ATOMIC_RELAXED);

                memcpy(d + 4 * i, &word, sizeof(word));
        }
}

#endif
