/* SPDX-License-Identifier: MIT */
/* Random numbers that a printed seed brings back: argv[1], else $SEED, else 1,
 * so that a run without either is always the same. */
#ifndef EVERGRANT_TESTS_RANDOM_H
#define EVERGRANT_TESTS_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state;

static inline uint64_t rnd(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state * 0x2545f4914f6cdd1du;
}

/* From 0 to n - 1. */
static inline uint32_t rnd_below(uint32_t n)
{
        return (uint32_t)((rnd() >> 32) % n);
}

static inline void rnd_start(int argc, char **argv)
{
        const char *text = argc > 1 ? argv[1] : getenv("SEED");
        uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

        printf("seed %llu (repeat with SEED=%llu)\n", (unsigned long long)seed,
               (unsigned long long)seed);
        fflush(stdout);
        random_state = (seed + 1) * 0x9e3779b97f4a7c15u;
}

#define check(ok, ...)                                                     \
        do {                                                               \
                if (!(ok)) {                                               \
                        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, \
                                #ok);                                      \
                        fprintf(stderr, __VA_ARGS__);                      \
                        fputc('\n', stderr);                               \
                        exit(1);                                           \
                }                                                          \
        } while (0)

#endif
