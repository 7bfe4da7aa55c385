/* SPDX-License-Identifier: MIT */
/* The pages of a part: from the pool, fresh ones (S1), or the caller's. */
#include "front.h"

#include <errno.h>
#include <string.h>

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
static int share_fresh(struct eg_disk *d, struct front_part *p, unsigned n,
                       uint32_t *refs)
{
        int ret = xen_shares_share(d->shares, d->backend_domid, n, true, refs,
                                   &p->shared);

        if (ret < 0) {
                p->shared = NULL;
                /* What is in flight comes back and makes room. */
                return ret == -ENOSPC && front_inflight(d) ? -EAGAIN : ret;
        }
        d->past_shares++;
        for (unsigned i = 0; i < n; i++)
                p->mem[i] = (uint8_t *)p->shared + (size_t)i * GRANT_PAGE_BYTES;
        return 0;
}

static int pages_take(struct eg_disk *d, struct front_part *p, unsigned n,
                      uint32_t *refs)
{
        int ret;

        if (d->opts.share_per_request) {
                ret = share_fresh(d, p, n, refs);
        } else {
                ret = grant_pool_take(p->queue->pool->grants, n, p->pages);
                for (unsigned i = 0; ret == 0 && i < n; i++) {
                        refs[i] = p->pages[i]->gref;
                        p->mem[i] = p->pages[i]->page;
                }
        }
        p->npages = ret == 0 ? (uint16_t)n : 0;
        return ret;
}

void front_pages_give(struct eg_disk *d, struct front_part *p)
{
        if (p->shared) {
                xen_shares_unshare(d->shares, p->shared, p->npages);
                d->past_unshares++;
                p->shared = NULL;
        } else {
                /* The last first: the pool is a stack, so that the next
                 * request gets the first ones again. */
                for (unsigned i = p->npages; i > 0; i--)
                        grant_pool_give(p->queue->pool->grants, p->pages[i - 1],
                                        d->untrusted);
        }
        p->npages = 0;
}

/* The segments of an indirect request, as they stand in shared memory: written
 * once, never read back. */
static void describe(struct front_part *p, uint8_t *page)
{
        for (unsigned i = 0; i < p->nsegs; i++) {
                const struct blk_seg *s = &p->segs[i];
                const uint8_t tail[4] = {s->first_sector, s->last_sector};

                memcpy(page + (size_t)i * BLK_SEG_WIRE_BYTES, &s->gref, 4);
                memcpy(page + (size_t)i * BLK_SEG_WIRE_BYTES + 4, tail, 4);
        }
}

int front_part_copied(struct eg_disk *d, struct front_part *p)
{
        uint32_t refs[FRONT_MAX_SEGS + 1];
        unsigned n;
        int ret;

        (void)front_part_plan(p->len_bytes, 0, d->part_segs, &n);
        p->indirect = n > BLK_DIRECT_SEGS;
        ret = front_part_lists(d, p, n);
        if (ret == 0)
                ret = pages_take(d, p, n + p->indirect, refs);
        if (ret < 0)
                return ret;
        p->nsegs = (uint16_t)n;
        p->direct = false;
        for (unsigned i = 0; i < n; i++) {
                uint64_t in_page =
                        min_u64(p->len_bytes - (uint64_t)i * GRANT_PAGE_BYTES,
                                GRANT_PAGE_BYTES);

                p->segs[i].gref = refs[i]; // NOLINT(*-core.uninitialized.*)
                p->segs[i].first_sector = 0;
                p->segs[i].last_sector = (uint8_t)(in_page / SECTOR_BYTES - 1);
        }
        if (p->indirect) {
                p->desc_gref = refs[n]; // NOLINT(*-core.uninitialized.*)
                describe(p, p->mem[n]);
        }
        return 0;
}

int front_part_direct(struct eg_disk *d, struct front_part *p,
                      const struct eg_buf *buf, size_t buf_offset_bytes)
{
        size_t at = buf_offset_bytes, end = at + p->len_bytes;
        unsigned n;
        int ret;

        (void)front_part_plan(p->len_bytes, at, d->part_segs, &n);
        ret = front_part_lists(d, p, n);
        if (ret < 0)
                return ret;
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
        p->indirect = p->nsegs > BLK_DIRECT_SEGS;
        if (p->indirect)
                ret = pages_take(d, p, 1, &p->desc_gref);
        if (p->indirect && ret == 0)
                describe(p, p->mem[0]);
        return ret;
}
