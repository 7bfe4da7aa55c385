/* SPDX-License-Identifier: MIT */
/* Where a fault is set for this process's grant operations, the server decides
 * about each; where none is, this is one look at a word. */
#ifndef POCKETXEN_LIB_FAULT_H
#define POCKETXEN_LIB_FAULT_H

#include "gnttab.h"

static inline bool px_faulty(const xengnttab_handle *h, uint32_t op)
{
        return __builtin_expect(
                __atomic_load_n(&h->owner->faults, __ATOMIC_RELAXED) & op, 0);
}

/* The verdicts on n refs of one domain into status[n] (GNTST_okay, another
 * status, PXW_STATUS_UNTOUCHED); waits as long as a slow call is to take. The
 * errno with which the whole call fails, or 0. */
int px_fault_ask(xengnttab_handle *h, uint32_t op, uint32_t domid, uint32_t n,
                 const uint32_t *refs, int *status);

/* What a map call of these refs fails with, as the real library shows it, or
 * 0: EAGAIN where the granted page is paged out, EINVAL for any other status
 * that is not GNTST_okay, also a positive one (gntdev presets one, and looks
 * for zero). */
int px_fault_map(xengnttab_handle *h, uint32_t count, const uint32_t *domids,
                 unsigned step, const uint32_t *refs);

#endif
