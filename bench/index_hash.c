/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing, at most half full. The multiplier is
 * random for each table: the peer chooses the grefs and must not be able to
 * choose their places. Removal moves followers back, so there are no
 * tombstones. */
#include "index.h"

#include <stdlib.h>
#include <sys/random.h>

struct slot {
        uint32_t gref;
        struct index_entry *e; /* NULL: free */
};

struct index {
        uint64_t multiplier;
        unsigned shift; /* the product's top bits are the place */
        uint32_t mask;
        struct slot slots[];
};

static uint32_t place(const struct index *x, uint32_t gref)
{
        return (uint32_t)((gref + 1ull) * x->multiplier >> x->shift);
}

static struct index *create(uint32_t most)
{
        unsigned bits = 1;
        struct index *x;

        while (1ull << bits < 2ull * most)
                bits++;
        x = calloc(1, sizeof(*x) + (sizeof(struct slot) << bits));
        if (!x)
                return NULL;
        if (getrandom(&x->multiplier, sizeof(x->multiplier), 0) !=
            sizeof(x->multiplier)) {
                free(x);
                return NULL;
        }
        x->multiplier |= 1;
        x->shift = 64 - bits;
        x->mask = (1u << bits) - 1;
        return x;
}

static void destroy(struct index *x)
{
        free(x);
}

static struct index_entry *find(struct index *x, uint32_t gref)
{
        for (uint32_t i = place(x, gref); x->slots[i].e; i = (i + 1) & x->mask)
                if (x->slots[i].gref == gref)
                        return x->slots[i].e;
        return NULL;
}

static bool insert(struct index *x, struct index_entry *e)
{
        uint32_t i = place(x, e->gref);

        while (x->slots[i].e)
                i = (i + 1) & x->mask;
        x->slots[i] = (struct slot){e->gref, e};
        return true;
}

static void take_out(struct index *x, struct index_entry *e)
{
        uint32_t hole = place(x, e->gref), i;

        while (x->slots[hole].e != e)
                hole = (hole + 1) & x->mask;
        for (i = (hole + 1) & x->mask; x->slots[i].e; i = (i + 1) & x->mask) {
                uint32_t home = place(x, x->slots[i].gref);

                /* May it go back to the hole? Not to before its own place. */
                if (((i - home) & x->mask) < ((i - hole) & x->mask))
                        continue;
                x->slots[hole] = x->slots[i];
                hole = i;
        }
        x->slots[hole].e = NULL;
}

const struct index_kind index_hash = {"hash", create, destroy,
                                      find,   insert, take_out};
