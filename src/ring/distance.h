/* SPDX-License-Identifier: MIT */
/* How far away the processor is that the other end runs on, told by the time
 * that the line with the indices takes from its caches to ours: now and then a
 * push is timed. Used by both ends, nobody else. */
#ifndef EVERGRANT_RING_DISTANCE_H
#define EVERGRANT_RING_DISTANCE_H

#include "common/clock.h"
#include "evidence.h"
#include "ring_barrier.h"

#define RING_DISTANCE_EVERY 8u /* pushes */
/* With the clock's own part. An EPYC of the 4th generation: 50 to 75 between
 * processors that have a cache in common, 110 to 200 between others; 25 to 35
 * when the line was still here. */
#define RING_DISTANCE_FAR_NS 100u

struct ring_distance {
        uint32_t score;
        uint32_t pushes; /* since the connect */
};

/* Before a push: 0, or when it begins, of one that is timed. */
static inline uint64_t ring_distance_begin(struct ring_distance *d)
{
        if (++d->pushes % RING_DISTANCE_EVERY)
                return 0;
        ring_fence_full(); /* what was stored before has its own way */
        return clock_ns();
}

static inline void ring_distance_note(struct ring_distance *d, uint64_t ns)
{
        ring_evidence_note(&d->score, ns >= RING_DISTANCE_FAR_NS);
}

/* After the push's fence. */
static inline void ring_distance_end(struct ring_distance *d, uint64_t begin_ns)
{
        if (begin_ns)
                ring_distance_note(d, clock_ns() - begin_ns);
}

static inline bool ring_distance_is_far(const struct ring_distance *d)
{
        return ring_evidence_holds(d->score);
}

#endif
