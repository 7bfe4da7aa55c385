/* SPDX-License-Identifier: MIT */
/* As in src/grant/cache.c: libbsd's tree, keyed by all 32 bits. */
#include "index.h"

#include <bsd/sys/tree.h>
#include <stddef.h>
#include <stdlib.h>

struct node {
        uint32_t gref;
        RB_ENTRY(node) link;
};
_Static_assert(sizeof(struct node) <= sizeof(struct index_entry),
               "the tree's links have outgrown the entry");
_Static_assert(offsetof(struct node, gref) ==
                       offsetof(struct index_entry, gref),
               "a node is an entry");

RB_HEAD(node_tree, node);

static int compare(const struct node *a, const struct node *b)
{
        return (a->gref > b->gref) - (a->gref < b->gref);
}

RB_GENERATE_INTERNAL(node_tree, node, link, compare,
                     static __attribute__((unused)))

static struct index *create(uint32_t most)
{
        struct node_tree *t = malloc(sizeof(*t));

        (void)most;
        if (t)
                RB_INIT(t);
        return (struct index *)t;
}

static void destroy(struct index *x)
{
        free(x);
}

static struct index_entry *find(struct index *x, uint32_t gref)
{
        struct node key = {.gref = gref};

        return (struct index_entry *)RB_FIND(node_tree, (struct node_tree *)x,
                                             &key);
}

static bool insert(struct index *x, struct index_entry *e)
{
        RB_INSERT(node_tree, (struct node_tree *)x, (struct node *)e);
        return true;
}

static void take_out(struct index *x, struct index_entry *e)
{
        RB_REMOVE(node_tree, (struct node_tree *)x, (struct node *)e);
}

const struct index_kind index_tree = {"tree", create, destroy,
                                      find,   insert, take_out};
