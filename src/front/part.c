/* SPDX-License-Identifier: MIT */
/* A part: what one ring request carries of an I/O, and its pages. */
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

static struct front_part *part_alloc(struct eg_disk *d)
{
        struct front_part *p = d->free_parts;

        if (p)
                d->free_parts = p->next;
        else
                p = malloc(sizeof(*p));
        if (p)
                memset(p, 0, sizeof(*p));
        return p;
}

void front_parts_free(struct eg_disk *d)
{
        while (d->free_parts) {
                struct front_part *p = d->free_parts;

                d->free_parts = p->next;
                free(p);
        }
}

/* ---- pages ------------------------------------------------------------- */

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
                p->mem[i] = (uint8_t *)p->shared + i * GRANT_PAGE_BYTES;
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

static void pages_give(struct eg_disk *d, struct front_part *p)
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

/* Pages filled from byte 0 on. */
static int part_copied(struct eg_disk *d, struct front_part *p)
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
                uint64_t in_page = min_u64(p->len_bytes - i * GRANT_PAGE_BYTES,
                                           GRANT_PAGE_BYTES);

                p->segs[i].first_sector = 0;
                p->segs[i].last_sector = (uint8_t)(in_page / SECTOR_BYTES - 1);
        }
        return 0;
}

/* The caller's own pool pages (S7 holds: they are pool pages too). */
static void part_direct(struct front_part *p, const struct eg_buf *buf,
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

/* ---- on the ring -------------------------------------------------------- */

static void part_put(struct eg_disk *d, struct front_part *p)
{
        struct blk_request req = {
                .wire_op = p->wire_op,
                .op = (enum blk_op)p->wire_op,
                .sector = p->offset_bytes / SECTOR_BYTES,
                .sectors = p->len_bytes / SECTOR_BYTES,
                .nsegs = p->nsegs,
        };

        memcpy(req.segs, p->segs, sizeof(req.segs));
        req.id = (uint64_t)front_shadow_put(&d->shadow, p);
        p->ring_index = d->ring.req_prod;
        front_ring_put(&d->ring, &req);
        d->stats.requests++;
        d->stats.segments += p->nsegs;
}

/* What goes on the wire; BLK_INDIRECT, which we never use, for "nothing". */
static uint8_t wire_op(const struct eg_disk *d, enum eg_op op)
{
        switch (op) {
        case EG_READ:
                return BLK_READ;
        case EG_WRITE:
                return BLK_WRITE;
        case EG_FLUSH:
                /* Some backends have only the older way to say it. */
                return d->facts.flush     ? BLK_FLUSH
                       : d->facts.barrier ? BLK_BARRIER
                                          : BLK_INDIRECT;
        case EG_DISCARD:
                return d->facts.discard ? BLK_DISCARD : BLK_INDIRECT;
        }
        return BLK_INDIRECT;
}

/* A flush has nothing to do where there is no cache; a discard cannot. */
static int without_op(const struct eg_io *io)
{
        return io->op == EG_FLUSH ? 0 : -EOPNOTSUPP;
}

static bool moves_data(const struct front_part *p)
{
        return p->wire_op == BLK_READ || p->wire_op == BLK_WRITE;
}

static bool is_direct(const struct eg_disk *d, const struct eg_io *io)
{
        return io->buf && io->buf->pool == d->pool;
}

/* Cuts p, at most max_pages long, from the front of what is left of io. */
static int part_cut(struct eg_disk *d, struct front_part *p, unsigned max_pages)
{
        const struct eg_io *io = p->io;
        const struct front_io *f = front_io(p->io);
        size_t at = io->buf_offset_bytes +
                    (size_t)(f->offset_bytes - io->offset_bytes);
        bool direct = is_direct(d, io);
        unsigned n;

        p->len_bytes =
                front_part_plan(f->rest_bytes, direct ? at : 0, max_pages, &n);
        if (direct) {
                part_direct(p, io->buf, at);
                return 0;
        }
        return part_copied(d, p);
}

static int part_fill(struct eg_disk *d, struct front_part *p)
{
        int ret = -ENOSPC;

        /* Where the platform grants little, small requests still work. */
        for (unsigned max = BLK_DIRECT_SEGS; max && ret == -ENOSPC; max /= 2)
                ret = part_cut(d, p, max);
        if (ret == 0 && p->wire_op == BLK_WRITE && !p->direct)
                front_cursor_to_pages(p->cursor, p->mem, p->len_bytes);
        return ret;
}

int front_part_start(struct eg_disk *d, struct eg_io *io)
{
        struct front_io *f = front_io(io);
        struct front_part *p;
        int ret = 0;

        if (d->shadow.used == d->shadow.slots)
                return -EAGAIN;
        p = part_alloc(d);
        if (!p)
                return -ENOMEM;
        p->io = io;
        p->wire_op = wire_op(d, io->op);
        p->offset_bytes = f->offset_bytes;
        p->cursor = f->cursor;
        if (moves_data(p))
                ret = part_fill(d, p);
        else
                p->len_bytes = io->op == EG_DISCARD ? io->length_bytes : 0;
        if (ret < 0) {
                p->next = d->free_parts;
                d->free_parts = p;
                return ret;
        }
        f->parts++;
        if (moves_data(p)) {
                f->offset_bytes += p->len_bytes;
                f->rest_bytes -= p->len_bytes;
                front_cursor_skip(&f->cursor, p->len_bytes);
        } else {
                f->rest_bytes = 0;
        }
        if (p->wire_op == BLK_INDIRECT)
                front_part_end(d, p, without_op(io));
        else
                part_put(d, p);
        return 0;
}

int front_part_again(struct eg_disk *d, struct front_part *p)
{
        int ret;

        if (d->shadow.used == d->shadow.slots)
                return -EAGAIN;
        p->wire_op = wire_op(d, p->io->op);
        if (p->wire_op == BLK_INDIRECT) {
                front_part_end(d, p, without_op(p->io));
                return 0;
        }
        if (moves_data(p)) {
                ret = part_copied(d, p);
                if (ret < 0)
                        return ret == -ENOSPC && d->shadow.used ? -EAGAIN : ret;
        }
        if (p->wire_op == BLK_WRITE)
                front_cursor_to_pages(p->cursor, p->mem, p->len_bytes);
        free(p->saved);
        p->saved = NULL;
        d->stats.resubmitted++;
        part_put(d, p);
        return 0;
}

/* ---- and off it -----------------------------------------------------------
 */

static int status_error(struct eg_disk *d, const struct front_part *p,
                        int status)
{
        if (status == BLK_OKAY)
                return 0;
        d->stats.errors++;
        if (status != BLK_EOPNOTSUPP)
                return -EIO;
        /* The backend may take an offer back (blkif.h); a disk without a
         * flush operation is one without a cache to flush. */
        if (p->wire_op == BLK_FLUSH || p->wire_op == BLK_BARRIER) {
                if (p->wire_op == BLK_FLUSH)
                        d->facts.flush = false;
                else
                        d->facts.barrier = false;
                front_log(d, EG_LOG_WARNING, "the backend cannot flush");
                return 0;
        }
        if (p->wire_op == BLK_DISCARD)
                d->facts.discard = false;
        return -EOPNOTSUPP;
}

void front_part_answered(struct eg_disk *d, struct front_part *p, int status)
{
        int error = status_error(d, p, status);

        if (!error && p->wire_op == BLK_READ) {
                /* The only read of these pages: the backend can write them
                 * at any time. */
                if (!p->direct)
                        front_cursor_from_pages(p->cursor, p->mem,
                                                p->len_bytes);
                d->stats.bytes_read += p->len_bytes;
        } else if (!error && p->wire_op == BLK_WRITE) {
                d->stats.bytes_written += p->len_bytes;
        }
        front_part_end(d, p, error);
}

void front_part_park(struct eg_disk *d, struct front_part *p)
{
        bool stable = p->direct || (p->io->flags & EG_IO_STABLE) ||
                      front_io(p->io)->blocking;

        if (p->wire_op == BLK_WRITE && !stable) {
                p->saved = malloc(p->len_bytes);
                if (!p->saved) {
                        front_part_end(d, p, -ENOMEM);
                        return;
                }
                for (unsigned i = 0; i < p->nsegs; i++)
                        memcpy((char *)p->saved + i * GRANT_PAGE_BYTES,
                               p->mem[i], blk_seg_bytes(&p->segs[i]));
                p->saved_iov = (struct iovec){p->saved, p->len_bytes};
                front_cursor_init(&p->cursor, &p->saved_iov, 0);
        }
        pages_give(d, p);
        p->nsegs = 0;
        p->next = NULL;
        *d->resend_tail = p;
        d->resend_tail = &p->next;
}

void front_part_end(struct eg_disk *d, struct front_part *p, int error)
{
        struct eg_io *io = p->io;

        pages_give(d, p);
        free(p->saved);
        p->next = d->free_parts;
        d->free_parts = p;
        front_io_part_done(d, io, error);
}
