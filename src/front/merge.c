/* SPDX-License-Identifier: MIT */
/* Contiguous I/Os in one request. Only what waits for room is merged, and only
 * whole I/Os are: each is done once and for itself, and where the ring has
 * room none waits for another. */
#include "common/copy.h"
#include "front.h"

static bool continues(const struct front_part *p, const struct eg_io *io,
                      uint64_t end)
{
        const struct front_io *f = front_io((struct eg_io *)(uintptr_t)io);

        return io->op == p->io->op && !io->buf && !f->error &&
               f->offset_bytes == end;
}

uint64_t front_merge(struct eg_disk *d, struct front_part *p,
                     uint64_t rest_bytes, uint64_t max_bytes)
{
        struct front_part **end = &p->along;
        struct eg_io *io = front_io(p->io)->next;
        uint64_t total = rest_bytes;

        if (p->io->buf)
                return total;
        p->own_bytes = rest_bytes;
        for (; io; io = front_io(io)->next) {
                struct front_io *f = front_io(io);
                struct front_part *m;

                if (!continues(p, io, p->offset_bytes + total) ||
                    total + f->rest_bytes > max_bytes)
                        break;
                m = front_part_alloc(d);
                if (!m)
                        break; /* then with fewer */
                m->io = io;
                m->wire_op = p->wire_op;
                m->offset_bytes = f->offset_bytes;
                m->len_bytes = f->rest_bytes;
                m->cursor = f->cursor;
                total += m->len_bytes;
                *end = m;
                end = &m->next;
        }
        return total;
}

void front_merge_commit(struct eg_disk *d, struct front_part *p)
{
        for (struct front_part *m = p->along; m; m = m->next) {
                front_io(m->io)->rest_bytes = 0;
                front_io(m->io)->parts++;
                d->stats.merged++;
        }
}

void front_merge_undo(struct eg_disk *d, struct front_part *p)
{
        struct front_part *m;

        while ((m = p->along)) {
                p->along = m->next;
                front_part_free(d, m);
        }
}

static uint64_t own_bytes(const struct front_part *p)
{
        return p->along ? p->own_bytes : p->len_bytes;
}

/* Fewer requests use the same few pages again and again, and where the
 * processors have a cache in common the reader has the bytes out of it sooner
 * than out of memory. */
#define FEW 8u

/* At the same time, on two processors: both ends look, and this one with
 * success (where all processors are busy it waits in vain), or each goes on
 * while the other does. */
static bool is_read_elsewhere(const struct eg_disk *d,
                              const struct front_part *p)
{
        const struct front_ring *r = &p->queue->ring;

        if (!(d->polls && d->finds) && !front_ring_peer_overlaps(r))
                return false;
        if (p->len_bytes > COPY_SHORT_BYTES || p->queue->shadow.used < FEW)
                return front_ring_peer_is_far(r);
        return front_ring_peer_looks(r) || front_ring_peer_overlaps(r);
}

void front_merge_to_pages(const struct eg_disk *d, const struct front_part *p)
{
        bool elsewhere = is_read_elsewhere(d, p);
        uint64_t at_bytes = own_bytes(p);

        front_cursor_to_pages(p->cursor, p->mem, 0, at_bytes, elsewhere);
        for (const struct front_part *m = p->along; m; m = m->next) {
                front_cursor_to_pages(m->cursor, p->mem, at_bytes, m->len_bytes,
                                      elsewhere);
                at_bytes += m->len_bytes;
        }
}

void front_merge_from_pages(const struct front_part *p)
{
        uint64_t at_bytes = own_bytes(p);

        front_cursor_from_pages(p->cursor, p->mem, 0, at_bytes);
        for (const struct front_part *m = p->along; m; m = m->next) {
                front_cursor_from_pages(m->cursor, p->mem, at_bytes,
                                        m->len_bytes);
                at_bytes += m->len_bytes;
        }
}
