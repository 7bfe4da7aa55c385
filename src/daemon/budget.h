/* SPDX-License-Identifier: MIT */
/* Mappings are a limit of the whole process (vm.max_map_count): every kept
 * grant is one. Each ring gets its share before it is attached; what is not
 * there cannot be kept, so a ring keeps fewer grants instead of failing. Pure;
 * control thread. */
#ifndef EVERGRANT_DAEMON_BUDGET_H
#define EVERGRANT_DAEMON_BUDGET_H

#include "common/util.h"

struct budget {
        uint64_t total, used;
};

struct budget_share {
        uint64_t fixed; /* ring pages, and one transient mapping a slot */
        uint32_t asked; /* kept grants that the ring would like */
        uint32_t cap;   /* that it may have: 0 to asked */
};

/* Default cap of a ring: a page for each segment of a full ring, at most
 * Linux's 1,056. segs: the most that a request may have. */
uint32_t budget_default_cap(uint32_t slots, uint32_t segs);

/* Reserves a share. Always succeeds; the cap is what is left after the fixed
 * part, which is taken even if it overdraws the budget: a disk without a ring
 * page is no disk. */
void budget_take(struct budget *b, uint32_t ring_pages, uint32_t slots,
                 uint32_t asked, struct budget_share *share);
/* Gives it back and zeroes it; a zeroed share is fine. */
void budget_give(struct budget *b, struct budget_share *share);

#endif
