/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_uint busy_rings;
static atomic_uint processors; /* that this process may use; 0: not asked yet */

void crowd_note(bool *counted, bool busy)
{
        if (busy && !*counted)
                atomic_fetch_add_explicit(&busy_rings, 1, memory_order_relaxed);
        if (!busy && *counted)
                atomic_fetch_sub_explicit(&busy_rings, 1, memory_order_relaxed);
        *counted = busy;
}

static unsigned ask(void)
{
        cpu_set_t set;
        int n = 1;

        /* The main thread's: an I/O thread may be bound to one of them. */
        if (sched_getaffinity(getpid(), sizeof(set), &set) == 0)
                n = CPU_COUNT(&set);
        atomic_store_explicit(&processors, (unsigned)n, memory_order_relaxed);
        return (unsigned)n;
}

bool crowd_has_room(void)
{
        unsigned n = atomic_load_explicit(&processors, memory_order_relaxed);

        if (!n)
                n = ask();
        return 2 * atomic_load_explicit(&busy_rings, memory_order_relaxed) <= n;
}
