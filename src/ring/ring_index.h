/* SPDX-License-Identifier: MIT */
/* Where things are in the shared pages of a ring: four index words, then slots
 * from byte 64 on, as in Xen's io/ring.h. Used by both ends, nobody else. */
#ifndef EVERGRANT_RING_INDEX_H
#define EVERGRANT_RING_INDEX_H

#include "request.h"
#include "ring_barrier.h"

#define RING_HEADER_BYTES 64u

enum ring_word {
        RING_REQ_PROD,  /* written by the frontend */
        RING_REQ_EVENT, /* by the backend: wants an event at this request */
        RING_RSP_PROD,  /* by the backend */
        RING_RSP_EVENT, /* by the frontend */
};

static inline uint32_t *ring_word(void *shared, enum ring_word w)
{
        return (uint32_t *)shared + w;
}

static inline void *ring_slot(void *shared, enum blk_abi abi, uint32_t slots,
                              uint32_t index)
{
        return (uint8_t *)shared + RING_HEADER_BYTES +
               (size_t)(index & (slots - 1)) * blk_layouts[abi].slot_bytes;
}

/* True if the producer's step from old to new passed the index at which the
 * other side asked for an event. All differences are modulo 2^32. */
static inline bool ring_event_due(uint32_t old, uint32_t new, uint32_t event)
{
        return new - event < new - old;
}

#endif
