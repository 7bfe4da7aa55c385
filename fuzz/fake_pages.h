/* SPDX-License-Identifier: MIT */
/* src/xen's grants and shares as plain memory, small enough to be made anew
 * for each input. Each mapping and each share is an allocation of its own, so
 * that a sanitizer sees every use after its end. */
#ifndef EVERGRANT_FUZZ_FAKE_PAGES_H
#define EVERGRANT_FUZZ_FAKE_PAGES_H

#include "xen/grants.h"
#include "xen/shares.h"

struct fake_pages {
        int map_error; /* what the next map calls return; 0: they work */
        uint32_t room; /* pages that can be shared at once */
        uint32_t live; /* pages mapped or shared now */
        uint64_t maps, unmaps;
        uint64_t attempts, shares, unshares; /* calls */
        uint32_t next_gref;
};
extern struct fake_pages fake_pages;

void fake_pages_reset(void);

#endif
