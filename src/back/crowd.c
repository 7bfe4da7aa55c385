/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <stdatomic.h>
#include <sys/sysinfo.h>

static atomic_uint busy_rings;
static atomic_uint processors; /* of the machine; 0: not asked yet */

void crowd_note(bool *counted, bool busy)
{
        if (busy && !*counted)
                atomic_fetch_add_explicit(&busy_rings, 1, memory_order_relaxed);
        if (!busy && *counted)
                atomic_fetch_sub_explicit(&busy_rings, 1, memory_order_relaxed);
        *counted = busy;
}

/* The machine's: frontends run in other domains, on other processors than this
 * process may be bound to. */
static unsigned ask(void)
{
        unsigned n = (unsigned)get_nprocs();

        atomic_store_explicit(&processors, n, memory_order_relaxed);
        return n;
}

bool crowd_has_room(void)
{
        unsigned n = atomic_load_explicit(&processors, memory_order_relaxed);

        if (!n)
                n = ask();
        return 2 * atomic_load_explicit(&busy_rings, memory_order_relaxed) <= n;
}
