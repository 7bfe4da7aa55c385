/* SPDX-License-Identifier: MIT */
/* The product's tree, and in front of it a table of the latest finds by the low
 * bits of gref. One load where grefs are neighbours; the tree where they
 * collide. */
#include "index.h"

#include <stdlib.h>

struct index {
        struct index *tree;
        uint32_t mask;
        struct index_entry *near[];
};

static struct index *create(uint32_t most)
{
        uint32_t mask = 0;
        struct index *x;

        while (mask + 1ull < most)
                mask = mask * 2 + 1;
        x = calloc(1, sizeof(*x) + (mask + 1ull) * sizeof(x->near[0]));
        if (!x)
                return NULL;
        x->mask = mask;
        x->tree = index_tree.create(most);
        if (x->tree)
                return x;
        free(x);
        return NULL;
}

static void destroy(struct index *x)
{
        if (x)
                index_tree.destroy(x->tree);
        free(x);
}

static struct index_entry *find(struct index *x, uint32_t gref)
{
        struct index_entry **near = &x->near[gref & x->mask], *e = *near;

        if (e && e->gref == gref)
                return e;
        e = index_tree.find(x->tree, gref);
        if (e)
                *near = e;
        return e;
}

static bool insert(struct index *x, struct index_entry *e)
{
        return index_tree.insert(x->tree, e);
}

static void take_out(struct index *x, struct index_entry *e)
{
        struct index_entry **near = &x->near[e->gref & x->mask];

        if (*near == e)
                *near = NULL;
        index_tree.remove(x->tree, e);
}

const struct index_kind index_near = {"near", create, destroy,
                                      find,   insert, take_out};
