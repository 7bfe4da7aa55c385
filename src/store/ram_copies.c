/* SPDX-License-Identifier: MIT */
/* Whoever takes memory away waits for the copies that may still use it. Copies
 * are many and takers few, so these pay for both: a copy says that it begins by
 * a plain store, and a taker has the kernel put a fence into each thread that
 * runs (membarrier). A fence a copy costs as much as a tenth of it, and makes
 * what was copied past the caches arrive in memory first. */
#include "ram.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

bool ram_copies_cheap;

static void barrier_init(void)
{
        ram_copies_cheap =
                syscall(SYS_membarrier,
                        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void ram_copies_init(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, barrier_init);
}

static void fence_everywhere(void)
{
        if (ram_copies_cheap)
                syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

void ram_wait_for_copies(struct ram *s)
{
        /* Who has not said by now that it began sees what the caller changed.
         */
        fence_everywhere();
        for (struct ram_queue *q = s->queues; q; q = q->next) {
                unsigned long at = atomic_load(&q->inside);

                while (at % 2 && atomic_load(&q->inside) == at)
                        sched_yield();
        }
        /* What was copied past the caches is in memory. */
        fence_everywhere();
}
