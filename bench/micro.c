/* SPDX-License-Identifier: MIT */
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_CASES 64u
#define MAX_ROUNDS 101u

static uint64_t clock_ns(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t micro_now_ns(void)
{
        return clock_ns(CLOCK_MONOTONIC);
}

uint64_t micro_random(uint64_t *state)
{
        uint64_t x = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
}

static int ascending(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double once(const struct micro_plan *plan, const struct micro_case *c,
                   uint64_t n)
{
        clockid_t clock =
                plan->wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
        uint64_t start = clock_ns(clock);

        c->run(c->arg, n);
        return (double)(clock_ns(clock) - start) / (double)n;
}

double micro_median(double *values, unsigned n)
{
        qsort(values, n, sizeof(*values), ascending);
        return values[n / 2];
}

/* How many repetitions fill a turn. Also its warm-up. */
static uint64_t calibrate(const struct micro_plan *plan,
                          const struct micro_case *c)
{
        uint64_t n = 1, turn_ns = plan->turn_ns;

        for (;;) {
                double ns = once(plan, c, n) * (double)n;

                if (ns * 4 >= (double)turn_ns || n >= 1u << 30)
                        return (uint64_t)((double)n * (double)turn_ns /
                                          (ns > 1 ? ns : 1)) +
                               1;
                n *= 2;
        }
}

void micro_measure(const struct micro_plan *plan,
                   const struct micro_case *cases, unsigned n, double *ns)
{
        static double took[MAX_CASES][MAX_ROUNDS];
        uint64_t reps[MAX_CASES];
        unsigned rounds = plan->rounds < MAX_ROUNDS ? plan->rounds : MAX_ROUNDS;

        if (n > MAX_CASES)
                abort(); /* a table of ours is too long */
        for (unsigned i = 0; i < n; i++)
                reps[i] = calibrate(plan, &cases[i]);
        for (unsigned r = 0; r < rounds; r++)
                for (unsigned i = 0; i < n; i++)
                        took[i][r] = once(plan, &cases[i], reps[i]);
        for (unsigned i = 0; i < n; i++)
                ns[i] = micro_median(took[i], rounds);
}

void micro_print(const struct micro_plan *plan, const struct micro_case *cases,
                 unsigned n)
{
        double ns[MAX_CASES];

        micro_measure(plan, cases, n, ns);
        for (unsigned i = 0; i < n; i++)
                printf("\"%s\":%.2f,\n", cases[i].name, ns[i]);
}
