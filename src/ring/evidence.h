/* SPDX-License-Identifier: MIT */
/* Something about the other end that a sample now and then speaks for: one in
 * five is enough, one alone is not. Used by both ends, nobody else. */
#ifndef EVERGRANT_RING_EVIDENCE_H
#define EVERGRANT_RING_EVIDENCE_H

#include "common/util.h"

#define RING_EVIDENCE_UP 4u
#define RING_EVIDENCE_MOST 32u
#define RING_EVIDENCE_ENOUGH 16u

static inline void ring_evidence_note(uint32_t *score, bool speaks_for_it)
{
        if (speaks_for_it)
                *score = (uint32_t)min_u64(*score + RING_EVIDENCE_UP,
                                           RING_EVIDENCE_MOST);
        else
                *score -= *score > 0;
}

static inline bool ring_evidence_holds(uint32_t score)
{
        return score >= RING_EVIDENCE_ENOUGH;
}

#endif
