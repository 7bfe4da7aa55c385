/* SPDX-License-Identifier: MIT */
/* Stands in for src/xen at link time: hands out memory of its own, keeps
 * account, and fails when told to. The real library cannot be made to show
 * these faults. One state, reset by each test. */
#ifndef EVERGRANT_TESTS_FAKE_XEN_H
#define EVERGRANT_TESTS_FAKE_XEN_H

#include "xen/grants.h"
#include "xen/shares.h"

#define FAKE_PAGES (1u << 17)

struct fake_xen {
        struct xen_grant_counters count;
        /* The map call of this number (from 1; 0: none) fails. */
        uint64_t fail_map_call;
        int fail_errno; /* positive */
        bool fail_all;  /* every map call */
        uint32_t last_domid;
        bool last_writable;

        uint64_t share_calls, unshare_calls;
        uint32_t shared_pages;   /* now */
        uint32_t share_limit;    /* pages, as gntalloc's limit */
        uint64_t share_attempts; /* failures included */
        uint32_t largest_share;  /* pages in one call */

        unsigned misuse; /* unmapped or unshared what was not there, or with
                            another size */
};

extern struct fake_xen fake;

/* Forgets everything; what was mapped or shared is gone. */
void fake_reset(void);
/* Only for handing to the code under test. */
struct xen_grants *fake_grants(void);
struct xen_shares *fake_shares(void);
/* Mappings that exist now, and those of one gref. */
unsigned fake_mapped(void);
unsigned fake_mapped_gref(uint32_t gref);

#endif
