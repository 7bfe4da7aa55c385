/* SPDX-License-Identifier: MIT */
#include "overlap.h"

void ring_overlap_use_now(struct ring_overlap_use *u)
{
        *u = (struct ring_overlap_use){
                .now_ns = clock_ns(),
                .cpu_ns = clock_thread_cpu_ns(),
                .leaves = clock_thread_leaves(),
        };
}

/* Others had this processor for long while this thread wanted it. After a sleep
 * nobody can tell: then no. */
static bool others_wait(const struct ring_overlap_use *before,
                        const struct ring_overlap_use *now)
{
        uint64_t cpu_ns = now->cpu_ns - before->cpu_ns;
        uint64_t ns = now->now_ns - before->now_ns;

        return before->now_ns && now->leaves.slept == before->leaves.slept &&
               now->leaves.preempted != before->leaves.preempted &&
               ns > cpu_ns && ns - cpu_ns > RING_OVERLAP_LOST_NS;
}

void ring_overlap_sample(struct ring_overlap *o, uint32_t index,
                         const struct ring_overlap_use *now)
{
        if (others_wait(&o->use, now)) {
                o->score = 0;
                o->rest_until_ns = now->now_ns + RING_OVERLAP_REST_NS;
        }
        o->use = *now;
        o->index = index;
        o->watches = now->now_ns >= o->rest_until_ns;
}

void ring_overlap_result(struct ring_overlap *o, uint32_t index,
                         const struct ring_overlap_use *now)
{
        const struct clock_leaves *then = &o->use.leaves;
        bool stayed = now->leaves.slept == then->slept &&
                      now->leaves.preempted == then->preempted;

        o->watches = false;
        ring_evidence_note(&o->score, stayed && index != o->index);
}
