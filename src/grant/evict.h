/* SPDX-License-Identifier: MIT */
/* Which kept grants are given up, and how many: numbers in, numbers out. The
 * cache offers its idle pages, least recently used first, one after the other
 * and unmaps those that this says. */
#ifndef EVERGRANT_GRANT_EVICT_H
#define EVERGRANT_GRANT_EVICT_H

#include "common/util.h"

enum evict_reason {
        EVICT_STOP, /* this page stays, and so do all that were used later */
        EVICT_IDLE, /* unused for too long */
        EVICT_LRU,  /* to make room */
};

struct evict_plan {
        unsigned max_pages; /* of this run, whatever the reason */
        unsigned make_room; /* pages to free even if they are not idle */
        uint64_t now_ms;
        uint64_t idle_ms; /* 0: no idle rule */
};

/* Pages that one run frees when the cap was hit: Linux's 5 %, at least 1. */
unsigned evict_share(uint32_t cap);

/* overflowed: a page was wanted and did not fit since the last run. */
struct evict_plan evict_plan_make(uint32_t cap, bool overflowed,
                                  uint64_t now_ms, uint64_t idle_ms,
                                  unsigned max_pages);

/* What happens to the next page; `evicted` so far in this run. */
enum evict_reason evict_next(const struct evict_plan *plan, unsigned evicted,
                             uint64_t last_used_ms);

#endif
