/* SPDX-License-Identifier: MIT */
/* A part gets a ring and pages there, and goes out. */
#include "front.h"

#include <errno.h>
#include <string.h>

/* Requests that are worth an event of their own while more are to come: the
 * backend works on them meanwhile, on another processor. */
#define PUBLISH_EARLY 8u

static void part_put(struct eg_disk *d, struct front_part *p)
{
        struct front_queue *q = p->queue;
        struct blk_request req = {
                .wire_op = p->wire_op,
                .op = (enum blk_op)p->wire_op,
                .sector = p->offset_bytes / SECTOR_BYTES,
                .sectors = p->len_bytes / SECTOR_BYTES,
                .nsegs = p->nsegs,
                .secure = p->wire_op == BLK_DISCARD &&
                          (p->io->flags & EG_IO_SECURE),
        };

        if (p->indirect) {
                req.nindirect = 1;
                req.indirect_grefs[0] = p->desc_gref;
        } else {
                memcpy(req.segs, p->segs, p->nsegs * sizeof(req.segs[0]));
        }
        req.id = (uint64_t)front_shadow_put(&q->shadow, p);
        p->ring_index = q->ring.req_prod;
        front_ring_put(&q->ring, &req);
        d->stats.requests++;
        d->stats.segments += p->nsegs;
        if (q->ring.req_prod - q->ring.req_pushed >= PUBLISH_EARLY)
                front_publish(d);
}

/* What goes on the wire; BLK_INDIRECT, which is no operation, for "nothing". */
static uint8_t wire_op(const struct eg_disk *d, const struct eg_io *io)
{
        switch (io->op) {
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
                return front_discards(d, io) ? BLK_DISCARD : BLK_INDIRECT;
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

/* The queue whose pool the caller's buffer has its pages of; NULL if there is
 * none, or the buffer is older than the connection. */
static struct front_queue *buf_queue(const struct eg_io *io)
{
        return io->buf ? io->buf->pool->queue : NULL;
}

/* Pages that a request can wait for in vain are those of buffers. */
static unsigned segs_limit(const struct eg_disk *d, const struct front_queue *q)
{
        uint32_t pages = d->opts.pool_pages - q->pool->buf_pages;
        uint32_t segs = d->facts.segs;

        if (segs > BLK_DIRECT_SEGS && segs + 1 > pages)
                segs = (uint32_t)max_u64(pages - 1, BLK_DIRECT_SEGS);
        return segs;
}

/* Gives p, at most max pages of the rest, its pages. */
static int part_cut(struct eg_disk *d, struct front_part *p, uint64_t rest,
                    unsigned max, bool direct)
{
        const struct eg_io *io = p->io;
        size_t at = 0;
        unsigned n;

        if (direct)
                at = io->buf_offset_bytes +
                     (size_t)(p->offset_bytes - io->offset_bytes);
        p->len_bytes = front_part_plan(rest, at, max, &n);
        return direct ? front_part_direct(d, p, io->buf, at)
                      : front_part_copied(d, p);
}

static int part_fill(struct eg_disk *d, struct front_part *p,
                     struct front_queue *q, uint64_t rest, bool direct)
{
        int ret = -ENOSPC;

        p->queue = q;
        /* Where the platform grants little, or nothing is under way that would
         * bring pages back, small requests still work. */
        for (unsigned max = segs_limit(d, q); max; max /= 2) {
                ret = part_cut(d, p, rest, max, direct);
                if (ret != -ENOSPC && !(ret == -EAGAIN && !q->shadow.used))
                        break;
        }
        return ret;
}

/* Finds p a queue, and pages for as much of the rest as a request takes. */
static int part_place(struct eg_disk *d, struct front_part *p, uint64_t rest,
                      struct front_queue *direct)
{
        struct front_queue *first = front_queue_idlest(d);
        int ret = -EAGAIN;

        if (direct && direct->shadow.used == direct->shadow.slots)
                return -EAGAIN;
        if (direct)
                return part_fill(d, p, direct, rest, true);
        if (!first)
                return -EAGAIN;
        p->queue = first;
        if (!moves_data(p))
                return 0;
        ret = part_fill(d, p, first, rest, false);
        /* Other pools may have what the platform does not give to this one. */
        for (unsigned i = 0; ret == -ENOSPC && i < d->nqueues; i++) {
                struct front_queue *q = &d->queue[i];

                if (q == first)
                        continue;
                ret = q->shadow.used == q->shadow.slots
                              ? -EAGAIN
                              : part_fill(d, p, q, rest, false);
        }
        return ret;
}

/* With what waits behind it and continues it; alone if there is no room for
 * that. Where the ring has room nothing waits, so nothing waits to be merged
 * either. */
static int place_with_others(struct eg_disk *d, struct front_part *p,
                             uint64_t rest)
{
        struct front_queue *direct = moves_data(p) ? buf_queue(p->io) : NULL;
        struct front_queue *q = front_queue_idlest(d);
        uint64_t total = rest;
        int ret;

        if (moves_data(p) && !direct && q)
                total = front_merge(d, p, rest,
                                    (uint64_t)segs_limit(d, q) *
                                            GRANT_PAGE_BYTES);
        ret = part_place(d, p, total, direct);
        if (p->along && (ret < 0 || p->len_bytes < total)) {
                if (ret == 0)
                        front_pages_give(d, p);
                front_merge_undo(d, p);
                ret = part_place(d, p, rest, direct);
        }
        return ret;
}

int front_part_start(struct eg_disk *d, struct eg_io *io)
{
        struct front_io *f = front_io(io);
        struct front_part *p = front_part_alloc(d);
        int ret;

        if (!p)
                return -ENOMEM;
        p->io = io;
        p->wire_op = wire_op(d, io);
        p->offset_bytes = f->offset_bytes;
        p->cursor = f->cursor;
        if (!moves_data(p))
                p->len_bytes = io->op == EG_DISCARD ? io->length_bytes : 0;
        ret = place_with_others(d, p, f->rest_bytes);
        if (ret < 0) {
                front_part_free(d, p);
                return ret;
        }
        f->parts++;
        if (p->along) {
                f->rest_bytes = 0;
                front_merge_commit(d, p);
        } else if (moves_data(p)) {
                f->offset_bytes += p->len_bytes;
                f->rest_bytes -= p->len_bytes;
                front_cursor_skip(&f->cursor, p->len_bytes);
        } else {
                f->rest_bytes = 0;
        }
        if (p->wire_op == BLK_INDIRECT) {
                front_part_end(d, p, without_op(io));
                return 0;
        }
        if (p->wire_op == BLK_WRITE && !p->direct)
                front_merge_to_pages(d, p);
        part_put(d, p);
        return 0;
}

/* p has pages for the first of its bytes only: the others become a part of
 * their own, with the memory that they are in. */
static struct front_part *part_split(struct eg_disk *d, struct front_part *p,
                                     uint64_t total)
{
        struct front_part *r = front_part_alloc(d);

        if (!r)
                return NULL;
        r->io = p->io;
        r->wire_op = p->wire_op;
        r->direct = p->direct;
        r->offset_bytes = p->offset_bytes + p->len_bytes;
        r->len_bytes = total - p->len_bytes;
        r->cursor = p->cursor;
        front_cursor_skip(&r->cursor, p->len_bytes);
        if (p->saved) {
                r->saved = p->saved;
                r->saved_iov = p->saved_iov;
                r->cursor.iov = &r->saved_iov;
                p->saved = NULL;
        }
        front_io(r->io)->parts++;
        return r;
}

int front_part_again(struct eg_disk *d, struct front_part *p,
                     struct front_part **rest)
{
        uint64_t total = p->len_bytes;
        int ret;

        *rest = NULL;
        p->wire_op = wire_op(d, p->io);
        if (p->wire_op == BLK_INDIRECT) {
                front_part_end(d, p, without_op(p->io));
                return 0;
        }
        ret = part_place(d, p, total, NULL);
        if (ret == 0 && p->len_bytes < total) {
                *rest = part_split(d, p, total);
                if (!*rest)
                        ret = -ENOMEM; /* the caller ends it */
        }
        if (ret < 0) {
                if (ret != -ENOMEM)
                        p->len_bytes = total;
                return ret == -ENOSPC && front_inflight(d) ? -EAGAIN : ret;
        }
        if (p->wire_op == BLK_WRITE && !p->direct)
                front_merge_to_pages(d, p);
        free(p->saved);
        p->saved = NULL;
        d->stats.resubmitted++;
        part_put(d, p);
        return 0;
}
