/* SPDX-License-Identifier: MIT */
/* gref -> entry, in four ways: a red-black tree; the product's, which is that
 * tree behind a table of the latest finds; a hash table with open addressing;
 * an array in leaves of a page. They are here to be compared (S12). All know
 * the most entries in advance and allocate nothing later, but for the array's
 * leaves. */
#ifndef EVERGRANT_BENCH_INDEX_H
#define EVERGRANT_BENCH_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/* The user's; the bytes of a node are the tree's. */
struct index_entry {
        uint32_t gref;
        uint64_t node[4];
};

struct index;
struct index_kind {
        const char *name;
        struct index *(*create)(uint32_t most); /* NULL: no memory */
        void (*destroy)(struct index *x);       /* accepts NULL */
        struct index_entry *(*find)(struct index *x, uint32_t gref);
        /* It is not there yet, and there is room. False: no memory. */
        bool (*insert)(struct index *x, struct index_entry *e);
        void (*remove)(struct index *x, struct index_entry *e); /* is there */
};

extern const struct index_kind index_tree, index_near, index_hash, index_array;

#endif
