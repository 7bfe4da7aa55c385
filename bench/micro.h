/* SPDX-License-Identifier: MIT */
/* Small measurements side by side: each case is run in short turns, all cases
 * round after round, so that what the machine does meanwhile hits them alike.
 * A case's number is the median of its turns. */
#ifndef EVERGRANT_BENCH_MICRO_H
#define EVERGRANT_BENCH_MICRO_H

#include <stdbool.h>
#include <stdint.h>

struct micro_case {
        const char *name; /* of the number in ns that one repetition takes */
        /* Does it n times. */
        void (*run)(void *arg, uint64_t n);
        void *arg;
};

struct micro_plan {
        unsigned rounds;
        uint64_t turn_ns;
        /* What waits for somebody is measured by the clock on the wall; all
         * else by the thread's CPU time, which leaves out what other programs
         * do on this CPU meanwhile. */
        bool wall;
        int cpus[2]; /* two to use; the same one twice if there is one only */
};

/* Runs them all; ns[i] is that of cases[i]. */
void micro_measure(const struct micro_plan *plan,
                   const struct micro_case *cases, unsigned n, double *ns);
/* The same, and prints a member of a JSON object for each. */
void micro_print(const struct micro_plan *plan, const struct micro_case *cases,
                 unsigned n);

/* Sorts them. */
double micro_median(double *values, unsigned n);
uint64_t micro_now_ns(void);
uint64_t micro_random(uint64_t *state);
/* What is given to it counts as used: the work before it is not left out. */
static inline void micro_use(const void *p)
{
        __asm__ volatile("" : : "r"(p) : "memory");
}

/* Each prints its members. 0 or an exit status, with a sentence said. */
int micro_memory(const struct micro_plan *plan);
int micro_grants(const struct micro_plan *plan);
int micro_events(const struct micro_plan *plan);
int micro_index(const struct micro_plan *plan);

#endif
