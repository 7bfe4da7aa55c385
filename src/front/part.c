/* SPDX-License-Identifier: MIT */
/* A part: what one ring request carries of an I/O, and its pages. */
#include "front.h"

#include <errno.h>
#include <string.h>

static void use_few(struct front_part *p)
{
        p->mem = p->few.mem;
        p->pages = p->few.pages;
        p->segs = p->few.segs;
}

struct front_part *front_part_alloc(struct eg_disk *d)
{
        struct front_part *p = d->free_parts;
        void *many = NULL;

        if (p) {
                d->free_parts = p->next;
                many = p->many;
        } else {
                p = aligned_alloc(COPY_LINE_BYTES, sizeof(*p));
        }
        if (!p)
                return NULL;
        memset(p, 0, offsetof(struct front_part, few));
        p->many = many;
        use_few(p);
        return p;
}

int front_part_lists(const struct eg_disk *d, struct front_part *p, unsigned n)
{
        size_t most = d->part_segs;

        if (n <= FRONT_FEW_PAGES) {
                use_few(p);
                return 0;
        }
        if (!p->many)
                p->many = malloc((most + 1) *
                                 (sizeof(*p->mem) + sizeof(*p->pages) +
                                  sizeof(*p->segs)));
        if (!p->many)
                return -ENOMEM;
        p->mem = p->many;
        p->pages = (struct pool_page **)(void *)(p->mem + most + 1);
        p->segs = (struct blk_seg *)(void *)(p->pages + most + 1);
        return 0;
}

void front_part_free(struct eg_disk *d, struct front_part *p)
{
        free(p->saved);
        p->next = d->free_parts;
        d->free_parts = p;
}

void front_parts_free(struct eg_disk *d)
{
        while (d->free_parts) {
                struct front_part *p = d->free_parts;

                d->free_parts = p->next;
                free(p->many);
                free(p);
        }
}

/* ---- off the ring -------------------------------------------------------- */

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
        if (p->wire_op == BLK_DISCARD) {
                d->facts.discard_secure = false;
                if (!(p->io->flags & EG_IO_SECURE))
                        d->facts.discard = false;
        }
        return -EOPNOTSUPP;
}

void front_part_answered(struct eg_disk *d, struct front_part *p, int status)
{
        int error = status_error(d, p, status);

        /* Whose fault it was is found out one by one: an I/O fails for itself
         * only. */
        if (error && p->along) {
                front_part_park(d, p);
                return;
        }
        if (!error && p->wire_op == BLK_READ) {
                /* The only read of these pages: the backend can write them
                 * at any time. */
                if (!p->direct)
                        front_merge_from_pages(p);
                d->stats.bytes_read += p->len_bytes;
        } else if (!error && p->wire_op == BLK_WRITE) {
                d->stats.bytes_written += p->len_bytes;
        }
        front_part_end(d, p, error);
}

/* r's bytes, which are in p's pages from at_bytes on, if nobody else keeps
 * them. */
static int save(struct front_part *r, const struct front_part *p,
                uint64_t at_bytes)
{
        bool stable = p->direct || (r->io->flags & EG_IO_STABLE) ||
                      front_io(r->io)->blocking;

        if (r->wire_op != BLK_WRITE || stable)
                return 0;
        r->saved = malloc(r->len_bytes);
        if (!r->saved)
                return -ENOMEM;
        r->saved_iov = (struct iovec){r->saved, r->len_bytes};
        front_cursor_init(&r->cursor, &r->saved_iov, 0);
        front_cursor_from_pages(r->cursor, p->mem, at_bytes, r->len_bytes);
        return 0;
}

static void resend(struct eg_disk *d, struct front_part *p, int error)
{
        if (error) {
                front_part_end(d, p, error);
                return;
        }
        p->nsegs = 0;
        p->next = NULL;
        *d->resend_tail = p;
        d->resend_tail = &p->next;
}

void front_part_park(struct eg_disk *d, struct front_part *p)
{
        struct front_part *m, *along = p->along, *first = NULL, **end = &first;
        uint64_t at_bytes = 0;
        int error;

        if (along)
                p->len_bytes = p->own_bytes;
        p->along = NULL;
        error = save(p, p, 0);
        at_bytes = p->len_bytes;
        while ((m = along)) {
                uint64_t len_bytes = m->len_bytes;
                int ret = save(m, p, at_bytes);

                along = m->next;
                at_bytes += len_bytes;
                if (ret < 0) {
                        front_part_end(d, m, ret);
                        continue;
                }
                *end = m;
                end = &m->next;
        }
        *end = NULL;
        front_pages_give(d, p);
        resend(d, p, error);
        while ((m = first)) {
                first = m->next;
                resend(d, m, 0);
        }
}

void front_part_end(struct eg_disk *d, struct front_part *p, int error)
{
        struct front_part *m = p->along;
        struct eg_io *io = p->io;

        front_pages_give(d, p);
        front_part_free(d, p);
        front_io_part_done(d, io, error);
        while ((p = m)) {
                m = p->next;
                io = p->io;
                front_part_free(d, p);
                front_io_part_done(d, io, error);
        }
}
