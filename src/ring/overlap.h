/* SPDX-License-Identifier: MIT */
/* Whether the other end runs at the same time as this one, so on a processor
 * of its own: its index has moved although this thread was not off its
 * processor since it took a batch. Not said where others wait for this
 * processor: who stays awake then keeps them from it. Used by both ends,
 * nobody else. */
#ifndef EVERGRANT_RING_OVERLAP_H
#define EVERGRANT_RING_OVERLAP_H

#include "common/clock.h"
#include "evidence.h"

/* Batches: a sample is a few system calls. */
#define RING_OVERLAP_EVERY 64u
/* That others had the processor between two samples: more than the system's
 * own small work. */
#define RING_OVERLAP_LOST_NS 100000u
/* Then nothing is said for so long: whoever shares a processor has it to
 * itself for some milliseconds at a time. */
#define RING_OVERLAP_REST_NS 100000000u

/* Of the calling thread. */
struct ring_overlap_use {
        uint64_t now_ns, cpu_ns;
        struct clock_leaves leaves;
};

struct ring_overlap {
        uint32_t score;
        uint32_t batches;            /* since the connect */
        bool watches;                /* since the batch of the last sample */
        uint32_t index;              /* the peer's, then */
        struct ring_overlap_use use; /* likewise */
        uint64_t rest_until_ns;
};

/* Of a batch that is sampled, when it is taken and when what came of it is
 * pushed; pure. */
void ring_overlap_sample(struct ring_overlap *o, uint32_t index,
                         const struct ring_overlap_use *now);
void ring_overlap_result(struct ring_overlap *o, uint32_t index,
                         const struct ring_overlap_use *now);
void ring_overlap_use_now(struct ring_overlap_use *u);

/* A batch is taken; index: the peer's, as it was read for that. */
static inline void ring_overlap_begin(struct ring_overlap *o, uint32_t index)
{
        struct ring_overlap_use now;

        if (++o->batches % RING_OVERLAP_EVERY)
                return;
        ring_overlap_use_now(&now);
        ring_overlap_sample(o, index, &now);
}

/* What came of it is pushed, and o->watches; index: the peer's at present. */
static inline void ring_overlap_end(struct ring_overlap *o, uint32_t index)
{
        struct ring_overlap_use now;

        ring_overlap_use_now(&now);
        ring_overlap_result(o, index, &now);
}

static inline bool ring_overlap_is_seen(const struct ring_overlap *o)
{
        return ring_evidence_holds(o->score);
}

#endif
