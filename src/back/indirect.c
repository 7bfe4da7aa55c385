/* SPDX-License-Identifier: MIT */
/* The pages that carry an indirect request's segments. They share the cache
 * with the data pages, are read exactly once, and are let go before anything
 * is decided. */
#include "queue.h"
#include "ring/ring_barrier.h"
#include "thread.h"

#include <errno.h>

static size_t bytes_of_page(const struct back_request *r, unsigned i)
{
        unsigned first = i * BLK_SEGS_PER_INDIRECT_PAGE;

        return min_u64(r->blk.nsegs - first, BLK_SEGS_PER_INDIRECT_PAGE) *
               BLK_SEG_WIRE_BYTES;
}

static uint8_t *copy_of_page(const struct back_request *r, unsigned i)
{
        return r->q->descriptors +
               (size_t)i * BLK_SEGS_PER_INDIRECT_PAGE * BLK_SEG_WIRE_BYTES;
}

/* 0 if a kept mapping served; -EAGAIN: another way must; -ETIMEDOUT: none
 * may. */
static int read_kept(struct back_request *r, unsigned i)
{
        struct back_queue *q = r->q;
        struct grant_page *page;

        switch (grant_cache_acquire(q->cache, r->blk.indirect_grefs[i],
                                    &page)) {
        case GRANT_HIT:
        case GRANT_MAPPED:
                ring_copy_from_shared(copy_of_page(r, i), page->page,
                                      bytes_of_page(r, i));
                grant_cache_release(q->cache, page,
                                    loop_now_ms(q->thread->loop));
                return 0;
        case GRANT_GIVEN_UP:
                return -ETIMEDOUT;
        case GRANT_BAD_REF: /* perhaps granted for reading only */
        case GRANT_IN_USE:
        case GRANT_OVER_LIMIT:
        case GRANT_NO_MEMORY:
                break;
        }
        return -EAGAIN;
}

static int read_mapped(struct back_request *r, unsigned i)
{
        struct back_queue *q = r->q;
        void *page;
        int ret = xen_grants_map(q->grants->xen, q->p.domid,
                                 &r->blk.indirect_grefs[i], 1, false, &page);

        if (ret)
                return ret;
        ring_copy_from_shared(copy_of_page(r, i), page, bytes_of_page(r, i));
        xen_grants_unmap(q->grants->xen, page, 1);
        return 0;
}

static int read_copied(struct back_request *r, unsigned i)
{
        struct back_queue *q = r->q;
        struct xen_copy_seg seg = {
                .gref = r->blk.indirect_grefs[i],
                .len_bytes = (uint16_t)bytes_of_page(r, i),
                .local = copy_of_page(r, i),
        };

        return xen_grants_copy(q->grants->xen, q->p.domid, false, &seg, 1);
}

int back_indirect_read(struct back_request *r, enum blk_verdict *verdict)
{
        struct back_queue *q = r->q;

        for (unsigned i = 0; i < r->blk.nindirect; i++) {
                int ret = q->cache ? read_kept(r, i) : -EAGAIN;

                /* A copy is one call instead of two, and needs no room. */
                if (ret == -EAGAIN && (q->cache || q->p.grants == BACK_MAP))
                        ret = read_mapped(r, i);
                if (ret == -EAGAIN || ret == -ENOMEM)
                        ret = read_copied(r, i);
                if (ret == -ETIMEDOUT)
                        q->ring.broken = true;
                if (ret)
                        return -EINVAL;
        }
        *verdict = blk_parse_indirect(q->descriptors, &q->p.limits, &r->blk,
                                      r->segs);
        return 0;
}
