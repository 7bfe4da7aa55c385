/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

/* While the platform refuses to share more but the pool could serve the caller
 * once pages come back, only every so many shortages ask it again. */
#define RETRY_EVERY 64u

/* What one share call returned: it can only be given back whole. */
struct pool_chunk {
        TAILQ_ENTRY(pool_chunk) link;
        void *base;
        unsigned n, taken;
        struct pool_page pages[];
};

TAILQ_HEAD(chunk_list, pool_chunk);

struct grant_pool {
        struct xen_shares *shares;
        uint32_t domid;
        struct chunk_list chunks; /* oldest first */
        /* Free pages. Given back at the front and taken from there, so that
         * what was used last is used next; new ones join at the far end. */
        struct pool_page *hot, *cold;
        bool refused;       /* the last share call failed */
        unsigned shortages; /* since then */
        struct grant_pool_stats stats;
};

int grant_pool_create(struct grant_pool **p, struct xen_shares *s,
                      uint32_t domid, uint32_t max_pages)
{
        struct grant_pool *new = calloc(1, sizeof(*new));

        *p = NULL;
        if (!new)
                return -ENOMEM;
        new->shares = s;
        new->domid = domid;
        new->stats.max_pages = max_pages;
        TAILQ_INIT(&new->chunks);
        *p = new;
        return 0;
}

static void chunk_unshare(struct grant_pool *p, struct pool_chunk *chunk)
{
        TAILQ_REMOVE(&p->chunks, chunk, link);
        xen_shares_unshare(p->shares, chunk->base, chunk->n);
        p->stats.unshare_calls++;
        p->stats.pages -= chunk->n;
        free(chunk);
}

void grant_pool_destroy(struct grant_pool *p)
{
        struct pool_chunk *chunk, *next;

        if (!p)
                return;
        for (chunk = TAILQ_FIRST(&p->chunks); chunk; chunk = next) {
                next = TAILQ_NEXT(chunk, link);
                chunk_unshare(p, chunk);
        }
        free(p);
}

static void push_cold(struct grant_pool *p, struct pool_page *page)
{
        page->next = NULL;
        if (p->cold)
                p->cold->next = page;
        else
                p->hot = page;
        p->cold = page;
}

static void push_hot(struct grant_pool *p, struct pool_page *page)
{
        page->next = p->hot;
        p->hot = page;
        if (!p->cold)
                p->cold = page;
}

static struct pool_page *pop_hot(struct grant_pool *p)
{
        struct pool_page *page = p->hot;

        /* The caller has counted the free pages: there is one. */
        p->hot = page->next; /* NOLINT(clang-analyzer-core.NullDereference) */
        if (!p->hot)
                p->cold = NULL;
        return page;
}

static int chunk_share(struct grant_pool *p, unsigned n)
{
        uint32_t refs[GRANT_POOL_CHUNK_PAGES];
        struct pool_chunk *chunk;
        int ret;

        chunk = calloc(1, sizeof(*chunk) + n * sizeof(chunk->pages[0]));
        if (!chunk)
                return -ENOMEM;
        ret = xen_shares_share(p->shares, p->domid, n, true, refs,
                               &chunk->base);
        if (ret < 0) {
                p->stats.share_failures++;
                free(chunk);
                return ret;
        }
        chunk->n = n;
        for (unsigned i = 0; i < n; i++) {
                struct pool_page *page = &chunk->pages[i];

                page->page =
                        (uint8_t *)chunk->base + (size_t)i * GRANT_PAGE_BYTES;
                page->gref = refs[i];
                page->chunk = chunk;
                push_cold(p, page);
        }
        TAILQ_INSERT_TAIL(&p->chunks, chunk, link);
        p->stats.pages += n;
        p->stats.share_calls++;
        return 0;
}

static uint32_t free_pages(const struct grant_pool *p)
{
        return p->stats.pages - p->stats.taken;
}

/* Shares chunks until n pages are free, smaller ones where the platform has
 * no room for a large one. */
static void grow(struct grant_pool *p, unsigned n)
{
        unsigned size = GRANT_POOL_CHUNK_PAGES;

        while (free_pages(p) < n && p->stats.pages < p->stats.max_pages) {
                uint32_t room = p->stats.max_pages - p->stats.pages;

                if (size > room)
                        size = room;
                if (chunk_share(p, size) == 0) {
                        p->refused = false;
                        continue;
                }
                if (size == 1) {
                        p->refused = true;
                        p->shortages = 0;
                        return;
                }
                size /= 2;
        }
}

int grant_pool_take(struct grant_pool *p, unsigned n, struct pool_page **pages)
{
        if (free_pages(p) < n && n <= p->stats.max_pages) {
                bool can_wait = p->stats.pages >= n;

                if (!p->refused || !can_wait ||
                    ++p->shortages % RETRY_EVERY == 0)
                        grow(p, n);
        }
        if (free_pages(p) < n) {
                p->stats.empty++;
                return p->stats.pages >= n ? -EAGAIN : -ENOSPC;
        }
        for (unsigned i = 0; i < n; i++) {
                pages[i] = pop_hot(p);
                pages[i]->taken = true;
                pages[i]->chunk->taken++;
        }
        p->stats.taken += n;
        if (p->stats.taken > p->stats.taken_high)
                p->stats.taken_high = p->stats.taken;
        return 0;
}

void grant_pool_give(struct grant_pool *p, struct pool_page *page, bool wipe)
{
        if (!page->taken)
                return;
        if (wipe)
                memset(page->page, 0, GRANT_PAGE_BYTES);
        page->taken = false;
        page->chunk->taken--;
        p->stats.taken--;
        push_hot(p, page);
}

/* Takes the pages of an idle chunk out of the free list. */
static void chunk_withdraw(struct grant_pool *p, const struct pool_chunk *chunk)
{
        struct pool_page *page = p->hot;

        p->hot = p->cold = NULL;
        while (page) {
                struct pool_page *next = page->next;

                if (page->chunk != chunk)
                        push_cold(p, page);
                page = next;
        }
}

unsigned grant_pool_trim(struct grant_pool *p, uint32_t keep_pages)
{
        struct pool_chunk *chunk = TAILQ_LAST(&p->chunks, chunk_list);
        unsigned given = 0;

        while (chunk && p->stats.pages > keep_pages) {
                struct pool_chunk *older = TAILQ_PREV(chunk, chunk_list, link);

                if (chunk->taken == 0) {
                        given += chunk->n;
                        chunk_withdraw(p, chunk);
                        chunk_unshare(p, chunk);
                }
                chunk = older;
        }
        return given;
}

void grant_pool_stats(const struct grant_pool *p, struct grant_pool_stats *out)
{
        *out = p->stats;
}
