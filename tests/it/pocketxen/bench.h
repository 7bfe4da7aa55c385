/* SPDX-License-Identifier: MIT */
/* A pocketxen of its own for a test program, which plays all domains itself:
 * the environment decides which one a handle belongs to when it is opened. */
#ifndef TESTS_IT_POCKETXEN_BENCH_H
#define TESTS_IT_POCKETXEN_BENCH_H

#include <stdint.h>

/* setup and teardown for cmocka groups */
int bench_start(void **state);
int bench_stop(void **state);

uint32_t bench_create(const char *name);
void bench_destroy(uint32_t domid);
/* `pocketxen fault WORDS`; what it printed, NULL if it failed. */
const char *bench_fault(const char *words);
/* Handles that are opened from now on belong to that domain. */
void bench_enter(uint32_t domid);
/* A number out of `pocketxen list --json`, by a jq-like path of our own:
 * field of the domain; ~0 if there is no such domain. */
uint64_t bench_domain_u64(uint32_t domid, const char *field);
uint64_t bench_pair_u64(uint32_t mapper, uint32_t granter, const char *field);
/* Of a grant entry; ~0 if the ref is not in use. */
uint64_t bench_grant_u64(uint32_t domid, uint32_t ref, const char *field);
/* Polls until it returns want, 10 s at most; returns the last value. */
#define BENCH_WAIT(want, expression)                  \
        ({                                            \
                uint64_t got_;                        \
                for (int i_ = 0; i_ < 1000; i_++) {   \
                        got_ = (expression);          \
                        if (got_ == (uint64_t)(want)) \
                                break;                \
                        usleep(10000);                \
                }                                     \
                got_;                                 \
        })

#endif
