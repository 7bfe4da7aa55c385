/* SPDX-License-Identifier: MIT */
#include "overlap.h"

#include "common/clock.h"

void ring_overlap_use_now(struct ring_overlap_use *u)
{
        struct rusage r = {0};

        getrusage(RUSAGE_THREAD, &r);
        *u = (struct ring_overlap_use){
                .now_ns = clock_ns(),
                .cpu_ns = clock_thread_cpu_ns(),
                .slept = (uint64_t)r.ru_nvcsw,
                .preempted = (uint64_t)r.ru_nivcsw,
        };
}

/* Nobody else had the processor but others who waited for it: a sleep would
 * hide how long. */
static bool others_wait(const struct ring_overlap_use *before,
                        const struct ring_overlap_use *now)
{
        uint64_t cpu_ns = now->cpu_ns - before->cpu_ns;
        uint64_t ns = now->now_ns - before->now_ns;

        return before->now_ns && now->slept == before->slept &&
               now->preempted != before->preempted && ns > cpu_ns &&
               ns - cpu_ns > RING_OVERLAP_LOST_NS;
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
        o->watches = false;
        ring_evidence_note(&o->score,
                           index != o->index && now->slept == o->use.slept &&
                                   now->preempted == o->use.preempted);
}
