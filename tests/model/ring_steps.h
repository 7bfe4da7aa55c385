/* SPDX-License-Identifier: MIT */
/* Takes the place of src/ring/ring_barrier.h in this test's own build of the
 * ring: the same functions, but each access to an index is a step at which the
 * explorer may let the other side run, and stores wait in a buffer for a fence
 * as they do in a processor (x86's order: first in, first out). */
#ifndef EVERGRANT_RING_BARRIER_H
#define EVERGRANT_RING_BARRIER_H

#include <string.h>

#include "common/util.h"

uint32_t steps_load(const uint32_t *p);
void steps_store(uint32_t *p, uint32_t v);
void steps_fence(void);

static inline uint32_t ring_load_acquire(const uint32_t *p)
{
        return steps_load(p);
}
static inline uint32_t ring_load_once(const uint32_t *p)
{
        return steps_load(p);
}
static inline void ring_store_release(uint32_t *p, uint32_t v)
{
        steps_store(p, v);
}
static inline void ring_store_once(uint32_t *p, uint32_t v)
{
        steps_store(p, v);
}
static inline void ring_fence_full(void)
{
        steps_fence();
}
static inline void ring_copy_from_shared(void *dst, const void *src,
                                         size_t len_bytes)
{
        memcpy(dst, src, len_bytes);
}

#endif
