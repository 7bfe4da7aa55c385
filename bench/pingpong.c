/* SPDX-License-Identifier: MIT */
/* evergrant-bench-pingpong CPU CPU [MS]: how long a cache line takes from one
 * CPU to the other and back, in ns. What two processes can do together over
 * shared memory depends on it, and it differs between pairs of CPUs and, in
 * virtual machines, from moment to moment. The lower quartile of short batches:
 * whatever else runs here makes some of them longer. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 50u
#define BATCHES 16384u
#define ENOUGH 64u /* batches; for them it takes up to 10 times the time */

static struct {
        _Alignas(128) uint32_t ball; /* odd: the other one's turn */
        _Alignas(128) uint32_t stop;
} shared;

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool stay_on(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void *other(void *arg)
{
        uint32_t turn = 1;

        if (!stay_on(*(const int *)arg))
                exit(1);
        while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
                if (__atomic_load_n(&shared.ball, __ATOMIC_ACQUIRE) != turn)
                        continue;
                __atomic_store_n(&shared.ball, turn + 1, __ATOMIC_RELEASE);
                turn += 2;
        }
        return NULL;
}

static int ascending(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static unsigned play(uint64_t *batch_ns, uint64_t budget_ns)
{
        uint64_t began = now_ns(), start;
        uint32_t turn = 0;
        unsigned n = 0;

        for (;;) {
                start = now_ns();
                if (n && (n == BATCHES ||
                          start - began > budget_ns * (n < ENOUGH ? 10 : 1)))
                        return n;

                for (unsigned i = 0; i < ROUNDS; i++, turn += 2) {
                        __atomic_store_n(&shared.ball, turn + 1,
                                         __ATOMIC_RELEASE);
                        while (__atomic_load_n(&shared.ball,
                                               __ATOMIC_ACQUIRE) != turn + 2)
                                ;
                }
                batch_ns[n++] = now_ns() - start;
        }
}

int main(int argc, char **argv)
{
        static uint64_t batch_ns[BATCHES];
        int here, there, ms;
        pthread_t t;
        unsigned n;

        if (argc < 3) {
                fputs("usage: evergrant-bench-pingpong CPU CPU [MS]\n", stderr);
                return 2;
        }
        here = atoi(argv[1]);
        there = atoi(argv[2]);
        ms = argc > 3 ? atoi(argv[3]) : 20;
        if (!stay_on(here) || pthread_create(&t, NULL, other, &there) != 0) {
                fputs("evergrant-bench-pingpong: cannot use these CPUs\n",
                      stderr);
                return 1;
        }
        n = play(batch_ns, (uint64_t)ms * 1000000u);
        __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
        pthread_join(t, NULL);
        if (n < ENOUGH) {
                fputs("evergrant-bench-pingpong: these CPUs are too busy\n",
                      stderr);
                return 1;
        }
        qsort(batch_ns, n, sizeof(batch_ns[0]), ascending);
        n /= 4;
        printf("%.1f\n", (double)batch_ns[n] / ROUNDS);
        return 0;
}
