/* SPDX-License-Identifier: MIT */
#include "evict.h"

#define SHARE_PERCENT 5u

unsigned evict_share(uint32_t cap)
{
        unsigned share = (unsigned)((uint64_t)cap * SHARE_PERCENT / 100);

        return share ? share : 1;
}

struct evict_plan evict_plan_make(uint32_t cap, bool overflowed,
                                  uint64_t now_ms, uint64_t idle_ms,
                                  unsigned max_pages)
{
        return (struct evict_plan){
                .max_pages = max_pages,
                .make_room = overflowed ? evict_share(cap) : 0,
                .now_ms = now_ms,
                .idle_ms = idle_ms,
        };
}

static bool is_idle(const struct evict_plan *plan, uint64_t last_used_ms)
{
        /* Used "after" now: the caller's clocks differ a little. */
        if (plan->idle_ms == 0 || plan->now_ms < last_used_ms)
                return false;
        return plan->now_ms - last_used_ms >= plan->idle_ms;
}

enum evict_reason evict_next(const struct evict_plan *plan, unsigned evicted,
                             uint64_t last_used_ms)
{
        if (evicted >= plan->max_pages)
                return EVICT_STOP;
        if (is_idle(plan, last_used_ms))
                return EVICT_IDLE;
        /* What went for being idle made room as well. */
        return evicted < plan->make_room ? EVICT_LRU : EVICT_STOP;
}
