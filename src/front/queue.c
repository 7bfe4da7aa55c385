/* SPDX-License-Identifier: MIT */
/* From accepted to done: what waits for room, and how an I/O ends. */
#include "front.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

void front_io_list_init(struct front_io_list *l)
{
        l->head = NULL;
        l->tail = &l->head;
        l->n = 0;
}

void front_io_list_add(struct front_io_list *l, struct eg_io *io)
{
        front_io(io)->next = NULL;
        *l->tail = io;
        l->tail = &front_io(io)->next;
        l->n++;
}

struct eg_io *front_io_list_take(struct front_io_list *l)
{
        struct eg_io *io = l->head;

        if (!io)
                return NULL;
        l->head = front_io(io)->next;
        if (!l->head)
                l->tail = &l->head;
        l->n--;
        return io;
}

/* ---- accepting ----------------------------------------------------------- */

static int check_place(const struct eg_disk *d, const struct eg_io *io,
                       uint64_t len_bytes)
{
        uint32_t block = d->facts.block_bytes;
        uint64_t end;

        if (len_bytes == 0 || io->offset_bytes % block || len_bytes % block)
                return err_set(front_err(), -EINVAL,
                               "%llu bytes at %llu: not whole blocks of %u",
                               (unsigned long long)len_bytes,
                               (unsigned long long)io->offset_bytes, block);
        if (!add_u64(io->offset_bytes, len_bytes, &end) ||
            end > d->facts.sectors * SECTOR_BYTES)
                return err_set(front_err(), -EINVAL,
                               "%llu bytes at %llu: past the end of the disk",
                               (unsigned long long)len_bytes,
                               (unsigned long long)io->offset_bytes);
        return 0;
}

static int check_data(const struct eg_disk *d, const struct eg_io *io,
                      uint64_t *len_bytes)
{
        uint64_t end;

        if (!io->buf) {
                if (front_iov_bytes(io->iov, io->niov, len_bytes) < 0)
                        return err_set(front_err(), -EINVAL, "no memory given");
                return 0;
        }
        *len_bytes = io->length_bytes;
        if (io->buf_offset_bytes % d->facts.block_bytes ||
            !add_u64(io->buf_offset_bytes, *len_bytes, &end) ||
            end > io->buf->bytes)
                return err_set(front_err(), -EINVAL,
                               "not a part of the buffer on the block size");
        return 0;
}

static int check_io(const struct eg_disk *d, const struct eg_io *io,
                    uint64_t *len_bytes)
{
        bool changes = io->op == EG_WRITE || io->op == EG_DISCARD;
        int ret = 0;

        if (d->state == FRONT_DEAD) {
                *front_err() = d->why;
                return front_dead_error(d);
        }
        if (d->closing)
                return err_set(front_err(), -ESHUTDOWN,
                               "the disk is being closed");
        if (changes && d->facts.readonly)
                return err_set(front_err(), -EROFS, "%s is read-only", d->name);
        switch (io->op) {
        case EG_READ:
        case EG_WRITE:
                ret = check_data(d, io, len_bytes);
                return ret < 0 ? ret : check_place(d, io, *len_bytes);
        case EG_FLUSH:
                *len_bytes = 1;
                return 0;
        case EG_DISCARD:
                if (!front_discards(d, io))
                        return err_set(front_err(), -EOPNOTSUPP,
                                       "%s has no %sdiscard operation", d->name,
                                       d->facts.discard ? "secure " : "");
                *len_bytes = 1;
                return check_place(d, io, io->length_bytes);
        }
        return err_set(front_err(), -EINVAL, "unknown operation %u",
                       (unsigned)io->op);
}

/* S9 for what found no page yet: a private copy, so that the caller may change
 * its memory. */
static void set_aside(struct eg_disk *d, struct eg_io *io)
{
        struct front_io *f = front_io(io);

        f->bounce = malloc(f->rest_bytes);
        if (!f->bounce) {
                f->error = -ENOMEM; /* the dispatcher ends it */
                return;
        }
        front_cursor_copy_out(f->cursor, f->bounce, f->rest_bytes);
        f->bounce_bytes = f->rest_bytes;
        f->bounce_iov = (struct iovec){f->bounce, f->rest_bytes};
        front_cursor_init(&f->cursor, &f->bounce_iov, 0);
        d->queued_bytes += f->bounce_bytes;
        d->stats.bounced_bytes += f->bounce_bytes;
}

int front_submit(struct eg_disk *d, struct eg_io *io, bool blocking)
{
        struct front_io *f = front_io(io);
        uint64_t len_bytes = 0;
        bool keeps = io->op == EG_WRITE && !io->buf && !blocking &&
                     !(io->flags & EG_IO_STABLE);
        int ret = check_io(d, io, &len_bytes);

        if (ret < 0)
                return ret;
        if (keeps && d->waiting.n && d->queued_bytes &&
            d->queued_bytes + len_bytes > d->opts.queue_bytes)
                return err_set(front_err(), -EAGAIN,
                               "%llu bytes of writes wait already",
                               (unsigned long long)d->queued_bytes);
        memset(f, 0, sizeof(*f));
        f->offset_bytes = io->offset_bytes;
        f->rest_bytes = len_bytes;
        f->blocking = blocking;
        if (io->op == EG_READ || io->op == EG_WRITE)
                front_cursor_init(&f->cursor, io->buf ? io->buf->iov : io->iov,
                                  io->buf ? io->buf_offset_bytes : 0);
        d->accepted++;
        d->stats.ios++;
        front_io_list_add(&d->waiting, io);
        front_dispatch(d);
        if (keeps && f->rest_bytes)
                set_aside(d, io);
        return 0;
}

/* ---- ending -------------------------------------------------------------- */

static void io_finish(struct eg_disk *d, struct eg_io *io)
{
        struct front_io *f = front_io(io);

        free(f->bounce);
        f->bounce = NULL;
        d->queued_bytes -= f->bounce_bytes;
        d->finished++;
        if (f->blocking) {
                front_wake_waiter(d, io, f->error);
                return;
        }
        if (!d->done.n && !d->processing) {
                eventfd_write(d->wake_fd, 1);
                d->woken = true;
        }
        front_io_list_add(&d->done, io);
}

void front_io_part_done(struct eg_disk *d, struct eg_io *io, int error)
{
        struct front_io *f = front_io(io);

        if (error && !f->error)
                f->error = error;
        f->parts--;
        /* With a rest it is in `waiting`, whose end the dispatcher is. */
        if (!f->parts && !f->rest_bytes && io != d->waiting.head)
                io_finish(d, io);
}

/* ---- onto the ring ------------------------------------------------------- */

static bool resend_some(struct eg_disk *d)
{
        while (d->resend) {
                struct front_part *p = d->resend, *next = p->next, *rest;
                int ret = front_part_again(d, p, &rest);

                if (ret == -EAGAIN)
                        return false;
                if (rest) {
                        rest->next = next;
                        next = rest;
                }
                d->resend = next;
                if (!next)
                        d->resend_tail = &d->resend;
                else if (!next->next)
                        d->resend_tail = &next->next;
                if (ret < 0)
                        front_part_end(d, p, ret);
        }
        return true;
}

void front_dispatch(struct eg_disk *d)
{
        struct eg_io *io;

        if (d->state != FRONT_CONNECTED || !resend_some(d))
                return;
        while ((io = d->waiting.head)) {
                struct front_io *f = front_io(io);
                int ret = 0;

                if (f->rest_bytes) /* none: it went along with another */
                        ret = f->error ? f->error : front_part_start(d, io);
                if (ret == -EAGAIN)
                        return;
                if (ret < 0) {
                        f->error = f->error ? f->error : ret;
                        f->rest_bytes = 0;
                }
                if (f->rest_bytes)
                        continue;
                front_io_list_take(&d->waiting);
                if (!f->parts)
                        io_finish(d, io);
        }
}

void front_publish(struct eg_disk *d)
{
        if (d->state != FRONT_CONNECTED)
                return;
        for (unsigned i = 0; i < d->nqueues; i++) {
                struct front_queue *q = &d->queue[i];

                if (q->ring.req_prod == q->ring.req_pushed ||
                    !front_ring_push(&q->ring))
                        continue;
                d->stats.notifications++;
                xen_evtchn_notify(d->evtchn, q->port);
        }
}

void front_fail_all(struct eg_disk *d, int error)
{
        struct front_part *p;
        struct eg_io *io;

        for (unsigned i = 0; i < d->nqueues; i++) {
                while ((p = front_shadow_oldest(&d->queue[i].shadow)))
                        front_part_end(d, p, error);
        }
        while ((p = d->resend)) {
                d->resend = p->next;
                front_part_end(d, p, error);
        }
        d->resend_tail = &d->resend;
        while ((io = front_io_list_take(&d->waiting))) {
                struct front_io *f = front_io(io);

                f->error = f->error ? f->error : error;
                f->rest_bytes = 0;
                io_finish(d, io);
        }
}
