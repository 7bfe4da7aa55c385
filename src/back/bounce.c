/* SPDX-License-Identifier: MIT */
#include "bounce.h"

#include <errno.h>
#include <sys/mman.h>

static bool make_block(struct bounce *b)
{
        void *block;

        if (b->made >= b->max)
                return false;
        block = mmap(NULL, b->block_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
                return false;
        b->blocks[b->made++] = block;
        b->idle[b->nfree++] = block;
        return true;
}

int bounce_init(struct bounce *b, uint32_t max_blocks, size_t block_bytes)
{
        *b = (struct bounce){.block_bytes = block_bytes};
        b->max = max_blocks < BOUNCE_BLOCKS ? max_blocks : BOUNCE_BLOCKS;
        return make_block(b) ? 0 : -ENOMEM;
}

void bounce_release(struct bounce *b)
{
        for (uint32_t i = 0; i < b->made; i++)
                munmap(b->blocks[i], b->block_bytes);
        *b = (struct bounce){0};
}

bool bounce_available(const struct bounce *b)
{
        return b->nfree > 0;
}

void *bounce_take(struct bounce *b)
{
        if (!b->nfree && !make_block(b))
                return NULL;
        return b->idle[--b->nfree];
}

void bounce_give(struct bounce *b, void *block)
{
        b->idle[b->nfree++] = block;
}
