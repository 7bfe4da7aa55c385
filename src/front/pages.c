/* SPDX-License-Identifier: MIT */
/* The pages of a part: from the pool, fresh ones (S1), or the caller's. */
#include "front.h"

#include <errno.h>

uint64_t front_part_plan(uint64_t rest_bytes, size_t buf_offset_bytes,
                         unsigned max_pages, unsigned *nsegs)
{
        unsigned in_page = buf_offset_bytes % GRANT_PAGE_BYTES;
        uint64_t room = (uint64_t)max_pages * GRANT_PAGE_BYTES - in_page;
        uint64_t bytes = min_u64(rest_bytes, room);

        *nsegs = (unsigned)((in_page + bytes + GRANT_PAGE_BYTES - 1) /
                            GRANT_PAGE_BYTES);
        return bytes;
}

/* S1: fresh pages for this request alone. */
static int share_fresh(struct eg_disk *d, struct front_part *p, unsigned n)
{
        uint32_t refs[BLK_DIRECT_SEGS];
        int ret = xen_shares_share(d->shares, d->backend_domid, n, true, refs,
                                   &p->shared);

        if (ret < 0) {
                p->shared = NULL;
                /* What is in flight comes back and makes room. */
                return ret == -ENOSPC && d->shadow.used ? -EAGAIN : ret;
        }
        d->past_shares++;
        for (unsigned i = 0; i < n; i++) {
                p->segs[i].gref = refs[i];
                p->mem[i] = (uint8_t *)p->shared + (size_t)i * GRANT_PAGE_BYTES;
        }
        return 0;
}

static int pages_take(struct eg_disk *d, struct front_part *p, unsigned n)
{
        int ret;

        if (d->opts.share_per_request)
                return share_fresh(d, p, n);
        ret = grant_pool_take(d->pool->grants, n, p->pages);
        if (ret < 0) {
                p->pages[0] = NULL;
                return ret;
        }
        for (unsigned i = 0; i < n; i++) {
                p->segs[i].gref = p->pages[i]->gref;
                p->mem[i] = p->pages[i]->page;
        }
        return 0;
}

void front_pages_give(struct eg_disk *d, struct front_part *p)
{
        if (p->shared) {
                xen_shares_unshare(d->shares, p->shared, p->nsegs);
                d->past_unshares++;
                p->shared = NULL;
        } else if (p->pages[0]) {
                /* The last first: the pool is a stack, so that the next
                 * request gets the first ones again. */
                for (unsigned i = p->nsegs; i > 0; i--)
                        grant_pool_give(d->pool->grants, p->pages[i - 1],
                                        d->untrusted);
                p->pages[0] = NULL;
        }
}

int front_part_copied(struct eg_disk *d, struct front_part *p)
{
        unsigned n;
        int ret;

        (void)front_part_plan(p->len_bytes, 0, BLK_DIRECT_SEGS, &n);
        ret = pages_take(d, p, n);
        if (ret < 0)
                return ret;
        p->nsegs = n;
        p->direct = false;
        for (unsigned i = 0; i < n; i++) {
                uint64_t in_page =
                        min_u64(p->len_bytes - (uint64_t)i * GRANT_PAGE_BYTES,
                                GRANT_PAGE_BYTES);

                p->segs[i].first_sector = 0;
                p->segs[i].last_sector = (uint8_t)(in_page / SECTOR_BYTES - 1);
        }
        return 0;
}

void front_part_direct(struct front_part *p, const struct eg_buf *buf,
                       size_t buf_offset_bytes)
{
        size_t at = buf_offset_bytes, end = at + p->len_bytes;

        p->direct = true;
        p->nsegs = 0;
        while (at < end) {
                size_t page = at / GRANT_PAGE_BYTES;
                size_t stop = min_u64(end, (page + 1) * GRANT_PAGE_BYTES);
                struct blk_seg *s = &p->segs[p->nsegs++];

                s->gref = buf->pages[page]->gref;
                s->first_sector =
                        (uint8_t)(at % GRANT_PAGE_BYTES / SECTOR_BYTES);
                s->last_sector =
                        (uint8_t)((stop - 1) % GRANT_PAGE_BYTES / SECTOR_BYTES);
                at = stop;
        }
}
