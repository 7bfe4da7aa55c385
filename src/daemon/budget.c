/* SPDX-License-Identifier: MIT */
#include "budget.h"

#define LINUX_DEFAULT_CAP 1056u /* max_persistent_grants of xen-blkback */

uint32_t budget_default_cap(uint32_t slots, uint32_t segs)
{
        return (uint32_t)min_u64((uint64_t)slots * segs, LINUX_DEFAULT_CAP);
}

void budget_take(struct budget *b, uint32_t ring_pages, uint32_t slots,
                 uint32_t asked, struct budget_share *share)
{
        uint64_t left;

        share->fixed = (uint64_t)ring_pages + slots;
        share->asked = asked;
        b->used += share->fixed;
        left = b->total > b->used ? b->total - b->used : 0;
        share->cap = (uint32_t)min_u64(asked, left);
        b->used += share->cap;
}

void budget_give(struct budget *b, struct budget_share *share)
{
        b->used -= share->fixed + share->cap;
        *share = (struct budget_share){0};
}
