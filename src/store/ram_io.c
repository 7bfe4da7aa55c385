/* SPDX-License-Identifier: MIT */
/* Serving a ram: disk. Several threads use one disk without a lock: taking
 * memory away (discard, shrink) clears the extents' bits first and then waits
 * until no queue is inside of a copy that may have seen them set. */
#include "common/copy.h"
#include "ram.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define DISCARD_STEP_EXTENTS 1024u /* 64 MiB; others are served between */
#define ROOM_STEP_BYTES (16ull << 20)
#define FETCH_BYTES 256u
#define STREAM_MOST_BYTES 8192u

void ram_wait_for_copies(struct ram *s)
{
        for (struct ram_queue *q = s->queues; q; q = q->next) {
                unsigned long at = atomic_load(&q->inside);

                while (at % 2 && atomic_load(&q->inside) == at)
                        sched_yield();
        }
}

static void copy_begin(struct ram_queue *q)
{
        atomic_fetch_add(&q->inside, 1);
}

static void copy_end(struct ram_queue *q)
{
        atomic_fetch_add_explicit(&q->inside, 1, memory_order_release);
}

/* Outside of a copy: wait_for_copies may wait for us with the lock held. */
static int fill_extent(struct ram *s, size_t extent)
{
        struct ram_view *v;
        int ret = 0;

        pthread_mutex_lock(&s->lock);
        v = atomic_load(&s->view);
        if (extent >= v->extents) {
                ret = -EIO;
                goto unlock;
        }
        if (ram_view_has(v, extent))
                goto unlock;
        if (s->room_bytes < RAM_EXTENT_BYTES)
                s->room_bytes = min_u64(ram_room_bytes(""), ROOM_STEP_BYTES);
        if (s->room_bytes < RAM_EXTENT_BYTES) {
                ret = -ENOSPC;
                goto unlock;
        }
        ret = ram_image_fill(s->head.keep_fd, extent);
        if (ret == 0) {
                s->room_bytes -= RAM_EXTENT_BYTES;
                /* One call in place of a fault for each page; may fail. */
                madvise(v->map + extent * RAM_EXTENT_BYTES, RAM_EXTENT_BYTES,
                        MADV_POPULATE_WRITE);
                ram_view_set(v, extent);
        }
unlock:
        pthread_mutex_unlock(&s->lock);
        return ret;
}

static copy_fn *copy_for_reader(const struct store_req *r)
{
        return r->read_elsewhere ? copy_past_caches : memcpy;
}

/* A disk is larger than the caches: what is written there only drives other
 * things out of them. Of long requests the processor fetches ahead what it is
 * about to overwrite, and memcpy is the faster one. */
static copy_fn *copy_to_disk(const struct store_req *r)
{
        return r->len_bytes <= STREAM_MOST_BYTES ? copy_past_caches : memcpy;
}

/* Copies one piece that lies in one extent. False: the extent has no memory
 * and the caller must get some. */
static bool copy_piece(struct ram_view *v, const struct store_req *r,
                       uint64_t offset_bytes, uint8_t *buf, size_t len)
{
        if (ram_view_has(v, offset_bytes / RAM_EXTENT_BYTES)) {
                uint8_t *at = v->map + offset_bytes;

                if (r->op == STORE_READ)
                        copy_for_reader(r)(buf, at, len);
                else
                        copy_to_disk(r)(at, buf, len);
                return true;
        }
        if (r->op == STORE_WRITE)
                return false;
        memset(buf, 0, len);
        return true;
}

static int copy_iov(struct ram_queue *q, const struct store_req *r,
                    uint64_t offset_bytes, const struct iovec *iov)
{
        struct ram *s = to_ram(q->head.store);
        size_t done = 0;
        int ret;

        while (done < iov->iov_len) {
                uint64_t at = offset_bytes + done;
                size_t len = (size_t)min_u64(iov->iov_len - done,
                                             RAM_EXTENT_BYTES -
                                                     at % RAM_EXTENT_BYTES);
                struct ram_view *v = atomic_load(&s->view);

                if (at + len > v->size_bytes)
                        return -EIO; /* it has shrunk */
                if (copy_piece(v, r, at, (uint8_t *)iov->iov_base + done,
                               len)) {
                        done += len;
                        continue;
                }
                copy_end(q);
                ret = fill_extent(s, at / RAM_EXTENT_BYTES);
                copy_begin(q);
                if (ret < 0)
                        return ret;
        }
        return 0;
}

/* The walk of the page tables and the first lines take as long as the copy of
 * a page: they come while another one is copied. */
static void fetch(const struct ram_view *v, uint64_t at)
{
        if (at >= v->size_bytes)
                return;
        for (unsigned i = 0; i < FETCH_BYTES; i += 64)
                __builtin_prefetch(v->map + at + i);
}

static void copy(struct ram_queue *q, struct store_req *r)
{
        uint64_t at = r->offset_bytes;
        int ret = 0;

        copy_begin(q);
        fetch(atomic_load(&to_ram(q->head.store)->view), r->soon_bytes);
        for (unsigned i = 0; i < r->niov && ret == 0; i++) {
                ret = copy_iov(q, r, at, &r->iov[i]);
                at += r->iov[i].iov_len;
        }
        copy_end(q);
        r->done(r, ret);
}

static int discard_extents(struct ram *s, size_t first, size_t n)
{
        struct ram_view *v;
        bool any = false;
        int ret = 0;

        pthread_mutex_lock(&s->lock);
        v = atomic_load(&s->view);
        for (size_t i = first; i < first + n && i < v->extents; i++)
                any |= ram_view_clear(v, i);
        if (any) {
                ram_wait_for_copies(s);
                ret = ram_image_punch(s->head.keep_fd, first, n);
        }
        pthread_mutex_unlock(&s->lock);
        return ret;
}

struct discard {
        struct loop_work again;
        struct store_req *req;
        struct ram_queue *q;
        size_t at, end; /* extents */
};

static void discard_step(void *arg)
{
        struct discard *d = arg;
        struct store_req *r = d->req;
        int ret = 0;

        if (d->at < d->end) {
                size_t n = min_u64(d->end - d->at, DISCARD_STEP_EXTENTS);

                ret = discard_extents(to_ram(d->q->head.store), d->at, n);
                d->at += n;
        }
        if (ret == 0 && d->at < d->end) {
                loop_post(d->q->head.loop, &d->again);
                return;
        }
        free(d);
        r->done(r, ret);
}

/* Whole extents only: a discard is advice. The last extent counts as whole
 * when the request ends where the disk ends. */
static void discard(struct ram_queue *q, struct store_req *r)
{
        uint64_t end_bytes = r->offset_bytes + r->len_bytes;
        struct ram *s = to_ram(q->head.store);
        struct discard *d = calloc(1, sizeof(*d));

        if (!d) {
                r->done(r, -ENOMEM);
                return;
        }
        pthread_mutex_lock(&s->lock);
        if (end_bytes == atomic_load(&s->view)->size_bytes)
                end_bytes += RAM_EXTENT_BYTES - 1;
        pthread_mutex_unlock(&s->lock);
        *d = (struct discard){
                .again = {.fn = discard_step, .arg = d},
                .req = r,
                .q = q,
                .at = (r->offset_bytes + RAM_EXTENT_BYTES - 1) /
                      RAM_EXTENT_BYTES,
                .end = end_bytes / RAM_EXTENT_BYTES,
        };
        discard_step(d);
}

void ram_submit(struct store_queue *head, struct store_req *r)
{
        struct ram_queue *q = container_of(head, struct ram_queue, head);

        switch (r->op) {
        case STORE_READ:
        case STORE_WRITE:
                copy(q, r);
                break;
        case STORE_FLUSH:
                r->done(r, 0);
                break;
        case STORE_DISCARD:
                discard(q, r);
                break;
        }
}
