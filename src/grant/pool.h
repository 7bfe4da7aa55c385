/* SPDX-License-Identifier: MIT */
/* The frontend's pool of pages that are granted once (S7) and handed out last
 * in, first out (S13), so that a light load touches a small hot set. Shared in
 * chunks of at most 32 pages, given back by whole chunks. One thread at a
 * time. */
#ifndef EVERGRANT_GRANT_POOL_H
#define EVERGRANT_GRANT_POOL_H

#include "xen/shares.h"

#define GRANT_POOL_CHUNK_PAGES 32u

struct pool_page {
        uint8_t *page; /* 4 KiB */
        uint32_t gref;
        /* the rest is the pool's */
        bool taken;
        struct pool_chunk *chunk;
        struct pool_page *next;
};

struct grant_pool_stats {
        uint32_t pages; /* shared now */
        uint32_t taken, taken_high;
        uint32_t max_pages;
        uint64_t share_calls, unshare_calls; /* flat in steady state (S22) */
        uint64_t share_failures; /* calls that the platform refused */
        uint64_t empty;          /* times that a taker found too little */
};

struct grant_pool;

/* At most max_pages, shared with domid when they are first needed. */
int grant_pool_create(struct grant_pool **p, struct xen_shares *s,
                      uint32_t domid, uint32_t max_pages);
/* Unshares everything, taken or not: the connection is over. Accepts NULL. */
void grant_pool_destroy(struct grant_pool *p);

/* Takes n >= 1 pages or none, the last given first: 0, -EAGAIN (the bound is
 * reached: wait until some come back) or -ENOSPC (the platform grants no more
 * and the pool is too small for n even when idle). */
int grant_pool_take(struct grant_pool *p, unsigned n, struct pool_page **pages);
/* wipe: zero the page first (an untrusted backend must not see old data). */
void grant_pool_give(struct grant_pool *p, struct pool_page *page, bool wipe);

/* Gives back chunks none of whose pages are taken, until at most keep_pages
 * are shared. Returns the pages given back. */
unsigned grant_pool_trim(struct grant_pool *p, uint32_t keep_pages);

void grant_pool_stats(const struct grant_pool *p, struct grant_pool_stats *out);

#endif
