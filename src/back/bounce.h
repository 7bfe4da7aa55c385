/* SPDX-License-Identifier: MIT */
/* Where the data of a request stays between a grant copy and the store. A
 * block holds the largest direct request; a queue has at most BOUNCE_BLOCKS of
 * them (as many pages as Linux lets a ring keep), and never shares them, so no
 * byte of one domain can reach another through them. */
#ifndef EVERGRANT_BACK_BOUNCE_H
#define EVERGRANT_BACK_BOUNCE_H

#include "ring/request.h"

#define BOUNCE_BLOCK_BYTES ((size_t)BLK_DIRECT_SEGS * GRANT_PAGE_BYTES)
#define BOUNCE_BLOCKS 96u

struct bounce {
        uint32_t max, made, nfree;
        void *blocks[BOUNCE_BLOCKS]; /* all that were made */
        void *idle[BOUNCE_BLOCKS];   /* a stack: the last used is in cache */
};

/* Makes one block at once, so that there is always one to serve a request
 * with, however little memory is left later. -ENOMEM. */
int bounce_init(struct bounce *b, uint32_t max_blocks);
void bounce_release(struct bounce *b); /* accepts zeroed */
bool bounce_available(const struct bounce *b);
/* Page-aligned, or NULL: wait until one is given back. */
void *bounce_take(struct bounce *b);
void bounce_give(struct bounce *b, void *block);

#endif
