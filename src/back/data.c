/* SPDX-License-Identifier: MIT */
/* How a request's bytes are reached: kept mappings, one transient mapping, or
 * grant copy through a bounce block. */
#include "queue.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>
#include <string.h>

/* Idle kept grants to give up when this process can map no more. */
#define SHRINK_PAGES 32u

static bool reads(const struct back_request *r)
{
        return r->blk.op == BLK_READ;
}

static enum back_via choose(const struct back_queue *q, unsigned nsegs)
{
        if (q->cache)
                return BACK_VIA_PERSISTENT;
        if (q->p.grants == BACK_MAP)
                return BACK_VIA_MAP;
        if (q->p.grants == BACK_COPY)
                return BACK_VIA_COPY;
        return nsegs <= q->thread->opts.rule.copy_up_to_segs ? BACK_VIA_COPY
                                                             : BACK_VIA_MAP;
}

static void add_iov(struct back_request *r, void *base, size_t len_bytes)
{
        struct iovec *last = r->niov ? &r->iov[r->niov - 1] : NULL;

        /* Two pages join only where our own addresses do, which takes a
         * segment up to its page's end and one from its page's start; what is
         * adjacent for the guest says nothing (XSA-229). */
        if (last && (char *)last->iov_base + last->iov_len == base) {
                last->iov_len += len_bytes;
                return;
        }
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): has max_segs
        r->iov[r->niov++] = (struct iovec){base, len_bytes};
}

static void release_kept(struct back_request *r)
{
        for (unsigned i = 0; i < r->blk.nsegs; i++) {
                if (r->kept[i])
                        grant_cache_release(r->q->cache, r->kept[i],
                                            loop_now_ms(r->q->thread->loop));
                r->kept[i] = NULL;
        }
}

/* True if gref must be mapped for this request alone. -EINVAL in *error if it
 * cannot be mapped at all. */
static bool acquire_kept(struct back_request *r, unsigned i, int *error)
{
        switch (grant_cache_acquire(r->q->cache, r->segs[i].gref,
                                    &r->kept[i])) {
        case GRANT_HIT:
        case GRANT_MAPPED:
                return false;
        case GRANT_BAD_REF:
                r->kept[i] = NULL;
                /* Kept grants are mapped writable (S18), but all that a write
                 * needs is to read: the guest may have granted just that. */
                if (!reads(r))
                        return true;
                *error = -EINVAL;
                return false;
        case GRANT_GIVEN_UP:
                r->kept[i] = NULL;
                *error = -ETIMEDOUT;
                return false;
        case GRANT_IN_USE:
        case GRANT_OVER_LIMIT:
        case GRANT_NO_MEMORY:
                break;
        }
        r->kept[i] = NULL;
        return true;
}

static int map_transient(struct back_request *r, const uint32_t *refs,
                         unsigned n)
{
        struct back_queue *q = r->q;
        int ret;

        ret = xen_grants_map(q->grants->xen, q->p.domid, refs, n, reads(r),
                             &r->mapped);
        if (ret == -ENOMEM && q->cache &&
            grant_cache_shrink(q->cache, SHRINK_PAGES))
                ret = xen_grants_map(q->grants->xen, q->p.domid, refs, n,
                                     reads(r), &r->mapped);
        if (!ret)
                r->nmapped = n;
        return ret;
}

/* The mapped segments, in their order. */
static void list_pages(struct back_request *r)
{
        unsigned at = 0;

        r->niov = 0;
        for (unsigned i = 0; i < r->blk.nsegs; i++) {
                const struct blk_seg *s = &r->segs[i];
                char *page = r->kept[i]
                                     ? r->kept[i]->page
                                     : (char *)r->mapped +
                                               GRANT_PAGE_BYTES * (size_t)at++;

                add_iov(r, page + blk_seg_offset(s), blk_seg_bytes(s));
        }
}

/* All segments mapped, kept or for this request, or none held: -ENOMEM is
 * ours, anything else is the guest's. */
static int map_all(struct back_request *r)
{
        uint32_t *refs = r->q->refs;
        unsigned n = 0;
        int error = 0;

        memset(r->kept, 0, r->blk.nsegs * sizeof(*r->kept));
        for (unsigned i = 0; i < r->blk.nsegs && !error; i++) {
                if (!r->q->cache || acquire_kept(r, i, &error))
                        refs[n++] = r->segs[i].gref;
        }
        if (!error && n)
                error = map_transient(r, refs, n);
        if (error) {
                release_kept(r);
                return error;
        }
        list_pages(r);
        return 0;
}

static int copy_all(struct back_request *r, bool to_guest)
{
        struct xen_copy_seg *segs = r->q->copies;
        char *at = r->bounce;

        for (unsigned i = 0; i < r->blk.nsegs; i++) {
                const struct blk_seg *s = &r->segs[i];

                segs[i] = (struct xen_copy_seg){
                        .gref = s->gref,
                        .offset_bytes = (uint16_t)blk_seg_offset(s),
                        .len_bytes = (uint16_t)blk_seg_bytes(s),
                        .local = at,
                };
                at += blk_seg_bytes(s);
        }
        return xen_grants_copy(r->q->grants->xen, r->q->p.domid, to_guest, segs,
                               r->blk.nsegs);
}

static bool take_block(struct back_request *r)
{
        if (!r->bounce)
                r->bounce = bounce_take(back_bounce_of(r));
        return r->bounce;
}

static void give_block(struct back_request *r)
{
        if (r->bounce)
                bounce_give(back_bounce_of(r), r->bounce);
        r->bounce = NULL;
}

static enum back_data bounce_in(struct back_request *r)
{
        if (!take_block(r))
                return BACK_DATA_WAIT;
        if (!reads(r) && copy_all(r, false)) {
                give_block(r);
                return BACK_DATA_BAD;
        }
        /* Packed, so that the store gets one piece. */
        add_iov(r, r->bounce, r->blk.sectors * SECTOR_BYTES);
        return BACK_DATA_READY;
}

static void unmap_transient(struct back_request *r)
{
        struct back_queue *q = r->q;

        if (!r->nmapped)
                return;
        xen_grants_unmap(q->grants->xen, r->mapped, r->nmapped);
        r->mapped = NULL;
        r->nmapped = 0;
        back_account(q);
}

/* Direct I/O says that it is complete before it lets go of its pages, and Linux
 * (since 5.19) puts off the unmap of a page that somebody holds: the guest
 * gets its response while its page is still mapped, and a PV Dom0 a page table
 * that it calls bad. So what is mapped for one request is touched by this
 * thread alone, and the I/O has a block of ours. */
static enum back_data bounce_mapped(struct back_request *r)
{
        char *at;

        if (!take_block(r)) {
                unmap_transient(r);
                release_kept(r);
                return BACK_DATA_WAIT;
        }
        at = r->bounce;
        for (unsigned i = 0; !reads(r) && i < r->niov; i++) {
                memcpy(at, r->iov[i].iov_base, r->iov[i].iov_len);
                at += r->iov[i].iov_len;
        }
        r->niov = 0;
        add_iov(r, r->bounce, r->blk.sectors * SECTOR_BYTES);
        return BACK_DATA_READY;
}

static void unbounce_mapped(struct back_request *r, bool ok)
{
        const char *at = r->bounce;

        list_pages(r);
        for (unsigned i = 0; ok && reads(r) && i < r->niov; i++) {
                memcpy(r->iov[i].iov_base, at, r->iov[i].iov_len);
                at += r->iov[i].iov_len;
        }
        give_block(r);
}

enum back_data back_data_get(struct back_request *r)
{
        struct back_stats *s = &r->q->stats;
        enum back_data got;
        int ret;

        r->niov = 0;
        r->bounce = NULL;
        r->via = r->must_copy ? BACK_VIA_COPY : choose(r->q, r->blk.nsegs);
        if (r->via != BACK_VIA_COPY) {
                if (r->q->gave_up)
                        return BACK_DATA_BAD;
                /* Before the map, which would be for nothing. */
                if (r->via == BACK_VIA_MAP &&
                    r->q->thread->opts.bounce_mapped && !take_block(r))
                        return BACK_DATA_WAIT;
                ret = map_all(r);
                /* Each such call costs what the library leaves behind. */
                if (ret == -ETIMEDOUT)
                        r->q->ring.broken = r->q->gave_up = true;
                if (ret && ret != -ENOMEM) {
                        give_block(r);
                        return BACK_DATA_BAD;
                }
                if (!ret && r->nmapped && r->q->thread->opts.bounce_mapped &&
                    bounce_mapped(r) == BACK_DATA_WAIT)
                        return BACK_DATA_WAIT;
                if (!ret) {
                        stat_add(r->via == BACK_VIA_MAP ? &s->via_map
                                                        : &s->via_persistent,
                                 1);
                        return BACK_DATA_READY;
                }
                /* A copy takes no address space: our limits are no error of
                 * the guest's. */
                r->must_copy = true;
                r->via = BACK_VIA_COPY;
        }
        got = bounce_in(r);
        if (got == BACK_DATA_READY)
                stat_add(&s->via_copy, 1);
        return got;
}

int back_data_put(struct back_request *r, bool ok)
{
        struct back_queue *q = r->q;
        int error = 0;

        if (r->via == BACK_VIA_COPY) {
                /* After a failed read the block holds something older. */
                if (ok && reads(r) && copy_all(r, true))
                        error = -EIO;
                give_block(r);
                back_account(q);
                return error;
        }
        if (r->bounce)
                unbounce_mapped(r, ok);
        unmap_transient(r);
        release_kept(r);
        return 0;
}
