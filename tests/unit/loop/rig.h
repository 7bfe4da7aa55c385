/* SPDX-License-Identifier: MIT */
/* Every test of the loop runs in both kinds of waiting. */
#ifndef TESTS_UNIT_LOOP_RIG_H
#define TESTS_UNIT_LOOP_RIG_H

#include "../common/test.h"

#include "loop/loop.h"

struct rig {
        struct loop *l;
        bool no_uring;
};

int rig_setup_uring(void **state);
int rig_setup_poll(void **state);
int rig_teardown(void **state);

#define BOTH_WAYS(f)                                                 \
        {#f " (uring)", f, rig_setup_uring, rig_teardown, NULL},     \
        {                                                            \
#f " (ppoll)", f, rig_setup_poll, rig_teardown, NULL \
        }

extern const struct CMUnitTest watch_tests[], op_tests[], call_tests[],
        spin_tests[];
extern const size_t watch_tests_n, op_tests_n, call_tests_n, spin_tests_n;

/* A loop_work and a loop_timer function that stop the loop in arg. */
void stop_work(void *arg);

#endif
