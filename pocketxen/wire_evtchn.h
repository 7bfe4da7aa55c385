/* SPDX-License-Identifier: MIT */
/* Raising, taking and unmasking an event in shared memory. The receiver's
 * eventfd (a semaphore) holds one token for each port that is pending and not
 * masked, so its descriptor is readable exactly then. */
#ifndef POCKETXEN_WIRE_EVTCHN_H
#define POCKETXEN_WIRE_EVTCHN_H

#include "wire.h"

#include <stdio.h>

enum pxw_raise { PXW_RAISE_STALE, PXW_RAISE_QUIET, PXW_RAISE_WAKE };

/* Sets a port pending. STALE: it is not of that generation any more; WAKE: the
 * caller owes the receiver's eventfd a token. */
static inline enum pxw_raise pxw_raise(struct pxw_port *p, uint32_t generation)
{
        uint32_t old = __atomic_load_n(&p->word, __ATOMIC_RELAXED);

        do {
                if (old >> 2 != generation)
                        return PXW_RAISE_STALE;
        } while (!__atomic_compare_exchange_n(
                &p->word, &old, old | PXW_EV_PENDING, 0, __ATOMIC_SEQ_CST,
                __ATOMIC_RELAXED));
        return (old & (PXW_EV_PENDING | PXW_EV_MASKED)) ? PXW_RAISE_QUIET
                                                        : PXW_RAISE_WAKE;
}

/* Takes a pending event: clears it and masks the port. 0 if there is none. */
static inline int pxw_take(struct pxw_port *p)
{
        uint32_t old = __atomic_load_n(&p->word, __ATOMIC_SEQ_CST);

        while ((old & (PXW_EV_PENDING | PXW_EV_MASKED)) == PXW_EV_PENDING)
                if (__atomic_compare_exchange_n(
                            &p->word, &old,
                            (old & ~PXW_EV_PENDING) | PXW_EV_MASKED, 0,
                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
                        return 1;
        return 0;
}

/* True if the port is pending behind its mask: the caller owes a token. */
static inline int pxw_unmask(struct pxw_port *p)
{
        uint32_t old =
                __atomic_fetch_and(&p->word, ~PXW_EV_MASKED, __ATOMIC_SEQ_CST);

        return (old & PXW_EV_MASKED) && (old & PXW_EV_PENDING);
}

/* The kernel's number of an eventfd, the same in every process; 0 if unknown.
 * What PXW_EV_ADOPT names a handle by. */
static inline uint32_t pxw_eventfd_id(int fd)
{
        char path[64], line[128];
        uint32_t id = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        f = fopen(path, "re");
        if (!f)
                return 0;
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "eventfd-id: %u", &id) == 1)
                        break;
        fclose(f);
        return id;
}

#endif
