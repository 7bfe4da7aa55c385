/* SPDX-License-Identifier: MIT */
/* A part: what one ring request carries of an I/O, and its pages. */
#include "front.h"

#include <errno.h>
#include <string.h>

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

/* ---- on the ring --------------------------------------------------------- */

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
                front_part_direct(p, io->buf, at);
                return 0;
        }
        return front_part_copied(d, p);
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
                ret = front_part_copied(d, p);
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

/* ---- and off it ---------------------------------------------------------- */

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
                        memcpy((char *)p->saved + (size_t)i * GRANT_PAGE_BYTES,
                               p->mem[i], blk_seg_bytes(&p->segs[i]));
                p->saved_iov = (struct iovec){p->saved, p->len_bytes};
                front_cursor_init(&p->cursor, &p->saved_iov, 0);
        }
        front_pages_give(d, p);
        p->nsegs = 0;
        p->next = NULL;
        *d->resend_tail = p;
        d->resend_tail = &p->next;
}

void front_part_end(struct eg_disk *d, struct front_part *p, int error)
{
        struct eg_io *io = p->io;

        front_pages_give(d, p);
        free(p->saved);
        p->next = d->free_parts;
        d->free_parts = p;
        front_io_part_done(d, io, error);
}
