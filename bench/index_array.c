/* SPDX-License-Identifier: MIT */
/* An array by gref in leaves of a page (512 entries), found through two levels
 * of 2,048 and 4,096: two loads more than the entry. Fast where grefs are
 * close together; a peer that spreads them makes each entry cost a leaf, so
 * memory is bounded by most x 4 KiB only. Leaves go when they are empty. */
#include "index.h"

#include <stdlib.h>

#define LEAF_BITS 9u
#define MIDDLE_BITS 12u
#define TOP_BITS 11u

struct leaf {
        struct index_entry *e[1u << LEAF_BITS];
};
struct middle {
        struct leaf *leaf[1u << MIDDLE_BITS];
        uint16_t in_leaf[1u << MIDDLE_BITS];
        uint32_t leaves;
};
struct index {
        struct middle *middle[1u << TOP_BITS];
};

static uint32_t top_of(uint32_t gref)
{
        return gref >> (LEAF_BITS + MIDDLE_BITS);
}

static uint32_t middle_of(uint32_t gref)
{
        return gref >> LEAF_BITS & ((1u << MIDDLE_BITS) - 1);
}

static uint32_t leaf_of(uint32_t gref)
{
        return gref & ((1u << LEAF_BITS) - 1);
}

static struct index *create(uint32_t most)
{
        (void)most;
        return calloc(1, sizeof(struct index));
}

static void destroy(struct index *x)
{
        for (uint32_t t = 0; x && t < 1u << TOP_BITS; t++) {
                for (uint32_t m = 0; x->middle[t] && m < 1u << MIDDLE_BITS; m++)
                        free(x->middle[t]->leaf[m]);
                free(x->middle[t]);
        }
        free(x);
}

static struct index_entry *find(struct index *x, uint32_t gref)
{
        const struct middle *m = x->middle[top_of(gref)];
        const struct leaf *l = m ? m->leaf[middle_of(gref)] : NULL;

        return l ? l->e[leaf_of(gref)] : NULL;
}

static bool insert(struct index *x, struct index_entry *e)
{
        struct middle **m = &x->middle[top_of(e->gref)];
        struct leaf **l;

        if (!*m)
                *m = calloc(1, sizeof(**m));
        if (!*m)
                return false;
        l = &(*m)->leaf[middle_of(e->gref)];
        if (!*l) {
                *l = calloc(1, sizeof(**l));
                (*m)->leaves += *l != NULL;
        }
        if (!*l)
                return false;
        (*l)->e[leaf_of(e->gref)] = e;
        (*m)->in_leaf[middle_of(e->gref)]++;
        return true;
}

static void take_out(struct index *x, struct index_entry *e)
{
        struct middle **m = &x->middle[top_of(e->gref)];
        uint32_t at = middle_of(e->gref);

        (*m)->leaf[at]->e[leaf_of(e->gref)] = NULL;
        if (--(*m)->in_leaf[at])
                return;
        free((*m)->leaf[at]);
        (*m)->leaf[at] = NULL;
        if (--(*m)->leaves)
                return;
        free(*m);
        *m = NULL;
}

const struct index_kind index_array = {"array", create, destroy,
                                       find,    insert, take_out};
