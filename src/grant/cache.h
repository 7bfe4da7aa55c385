/* SPDX-License-Identifier: MIT */
/* The backend's memory of persistent grants: gref -> mapped page, kept until
 * the connection breaks (S2, S3, S10). A red-black tree keyed by gref (S12),
 * and an LRU list of what is idle. One cache belongs to one ring's connection:
 * a new connection starts an empty one, so no old mapping can serve it. One
 * thread. */
#ifndef EVERGRANT_GRANT_CACHE_H
#define EVERGRANT_GRANT_CACHE_H

#include "xen/grants.h"

enum grant_result {
        GRANT_HIT,        /* was mapped; nothing was done */
        GRANT_MAPPED,     /* a miss: one map call, and it is kept */
        GRANT_IN_USE,     /* another request holds it: map it transiently */
        GRANT_OVER_LIMIT, /* the cap is reached: map it transiently */
        GRANT_NO_MEMORY,  /* this process can map no more now: transient miss */
        GRANT_BAD_REF,    /* the peer's fault: the request fails */
        GRANT_GIVEN_UP,   /* the same, and it must not be asked again */
};

struct grant_page {
        void *page; /* 4 KiB, writable, valid until grant_cache_release() */
        uint32_t gref;
};

struct grant_cache_stats {
        /* acquire's answers, in its order; a miss is a MAPPED */
        uint64_t hits, misses, in_use, overflows, no_memory, bad_refs;
        uint64_t evicted_lru, evicted_idle; /* purges */
        uint32_t kept, kept_high;           /* pages mapped now; the most */
        uint32_t held, held_high;           /* of them in flight */
        uint32_t cap;
};

struct grant_cache;

/* cap in pages, 0 keeps nothing. Allocates all entries now: none later. */
int grant_cache_create(struct grant_cache **c, struct xen_grants *g,
                       uint32_t domid, uint32_t cap);
/* Unmaps everything and frees the cache. Nothing may be held (what is held all
 * the same is unmapped too). Accepts NULL. */
void grant_cache_destroy(struct grant_cache *c);

/* Maps gref writable, or reuses the mapping. On HIT and MAPPED *page is held
 * until grant_cache_release(); on anything else nothing changed. */
enum grant_result grant_cache_acquire(struct grant_cache *c, uint32_t gref,
                                      struct grant_page **page);
/* now_ms is the time of last use for the idle rule. */
void grant_cache_release(struct grant_cache *c, struct grant_page *page,
                         uint64_t now_ms);

/* No page that was in use less than ms ago is evicted or given up to make room:
 * I/O on it that has said that it is complete may still hold it. 0 at first. */
void grant_cache_set_settle(struct grant_cache *c, uint64_t ms);

/* Eviction, outside the request path: unmaps at most max_pages idle pages that
 * were unused for idle_ms (0: no idle rule), and, if there were overflows since
 * the last call, the least recently used ones up to 5 % of the cap (Linux's
 * share), so that a working set that moved gets its place. Returns the number
 * unmapped. */
unsigned grant_cache_evict(struct grant_cache *c, uint64_t now_ms,
                           uint64_t idle_ms, unsigned max_pages);
/* Unmaps up to n idle pages, least recently used first, to make room. */
unsigned grant_cache_shrink(struct grant_cache *c, unsigned n);

void grant_cache_stats(const struct grant_cache *c,
                       struct grant_cache_stats *out);

/* Nodes on the longest way down the tree, for the tests of S12. */
unsigned grant_cache_tree_depth(const struct grant_cache *c);

#endif
