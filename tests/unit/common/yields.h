/* SPDX-License-Identifier: MIT */
/* For programs linked with --wrap=sched_yield: each time somebody else takes
 * the processor. */
#ifndef EVERGRANT_TESTS_COMMON_YIELDS_H
#define EVERGRANT_TESTS_COMMON_YIELDS_H

#include "common/polling.h"

#include <time.h>

static unsigned yields;

int __wrap_sched_yield(void);

int __wrap_sched_yield(void)
{
        struct timespec t = {0, 2 * POLLING_SHARED_NS};

        yields++;
        return nanosleep(&t, NULL);
}

#endif
