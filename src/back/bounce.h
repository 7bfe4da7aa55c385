/* SPDX-License-Identifier: MIT */
/* Where the data of a request stays between a grant copy and the store. A
 * block holds the largest request of its kind, direct or indirect; a queue has
 * at most BOUNCE_BLOCKS small ones (as many pages as Linux lets a ring keep)
 * and BOUNCE_BIG_BLOCKS large ones, and never shares them, so no byte of one
 * domain can reach another through them. */
#ifndef EVERGRANT_BACK_BOUNCE_H
#define EVERGRANT_BACK_BOUNCE_H

#include "ring/request.h"

#define BOUNCE_BLOCKS 96u
#define BOUNCE_BIG_BLOCKS 4u

struct bounce {
        size_t block_bytes;
        uint32_t max, made, nfree;
        void *blocks[BOUNCE_BLOCKS]; /* all that were made */
        void *idle[BOUNCE_BLOCKS];   /* a stack: the last used is in cache */
};

/* Makes one block at once, so that there is always one to serve a request
 * with, however little memory is left later. -ENOMEM. */
int bounce_init(struct bounce *b, uint32_t max_blocks, size_t block_bytes);
void bounce_release(struct bounce *b); /* accepts zeroed */
bool bounce_available(const struct bounce *b);
/* Page-aligned, or NULL: wait until one is given back. */
void *bounce_take(struct bounce *b);
void bounce_give(struct bounce *b, void *block);

#endif
