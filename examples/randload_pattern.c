/* SPDX-License-Identifier: MIT */
#include "randload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t load_random(uint64_t *state)
{
        uint64_t x = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
}

int pattern_init(struct pattern *p, uint64_t seed, uint64_t blocks, size_t bs)
{
        p->seed = seed;
        p->blocks = blocks;
        p->bs = bs;
        p->version = calloc(blocks, sizeof(*p->version));
        p->busy = calloc(blocks, 1);
        return p->version && p->busy ? 0 : -ENOMEM;
}

void pattern_free(struct pattern *p)
{
        free(p->version);
        free(p->busy);
}

/* Each word of the block depends on seed, block, version and its place, so
 * that a piece of another block, of another version, or moved inside the block
 * is noticed. */
static uint64_t stream(const struct pattern *p, uint64_t block,
                       uint32_t version)
{
        uint64_t s = p->seed ^ block * 0xd6e8feb86659fd93;

        (void)load_random(&s);
        return s ^ (uint64_t)version << 32;
}

void pattern_fill(const struct pattern *p, uint64_t block, uint32_t version,
                  void *mem)
{
        uint64_t s = stream(p, block, version);

        for (size_t at = 0; at < p->bs; at += 8) {
                uint64_t w = load_random(&s);

                memcpy((char *)mem + at, &w, 8);
        }
}

bool pattern_check(const struct pattern *p, uint64_t block, uint32_t version,
                   const void *mem)
{
        uint64_t s = stream(p, block, version);

        for (size_t at = 0; at < p->bs; at += 8) {
                uint64_t w = load_random(&s);

                if (memcmp((const char *)mem + at, &w, 8) != 0)
                        return false;
        }
        return true;
}
