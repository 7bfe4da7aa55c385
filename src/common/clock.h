/* SPDX-License-Identifier: MIT */
/* The one clock: it does not jump, and every length of time is taken by it. */
#ifndef EVERGRANT_COMMON_CLOCK_H
#define EVERGRANT_COMMON_CLOCK_H

#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#define CLOCK_NS_PER_MS 1000000u

static inline uint64_t clock_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock_ms(void)
{
        return clock_ns() / CLOCK_NS_PER_MS;
}

/* That this thread has had a processor. */
static inline uint64_t clock_thread_cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Times that this thread has left its processor: by itself, and because
 * another one was to have it. */
struct clock_leaves {
        uint64_t slept, preempted;
};

static inline struct clock_leaves clock_thread_leaves(void)
{
        struct rusage u = {0};

        (void)getrusage(RUSAGE_THREAD, &u);
        return (struct clock_leaves){.slept = (uint64_t)u.ru_nvcsw,
                                     .preempted = (uint64_t)u.ru_nivcsw};
}

static inline uint64_t clock_preemptions(void)
{
        return clock_thread_leaves().preempted;
}

#endif
