/* SPDX-License-Identifier: MIT */
/* Serving a ram: disk. Several threads use one disk without a lock: taking
 * memory away (discard, shrink) clears the extents' bits first and then waits
 * until no queue is inside of a copy that may have seen them set. */
#include "common/copy.h"
#include "ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define ROOM_STEP_BYTES (16ull << 20)

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
                ram_huge_join(v, extent);
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
        return r->len_bytes <= COPY_SHORT_BYTES ? copy_past_caches : memcpy;
}

/* Page by page, each fetched while the one before is copied; the first one was
 * when the request before was. */
static void copy_pages(copy_fn *copy, uint8_t *to, const uint8_t *from,
                       size_t len_bytes)
{
        for (size_t n; len_bytes; len_bytes -= n, to += n, from += n) {
                n = min_u64(len_bytes, COPY_FETCH_BYTES);
                copy_fetch(from + n, len_bytes - n);
                copy(to, from, n);
        }
}

/* Copies one piece that lies in one extent. False: the extent has no memory
 * and the caller must get some. */
static bool copy_piece(struct ram_view *v, const struct store_req *r,
                       uint64_t offset_bytes, uint8_t *buf, size_t len)
{
        if (ram_view_has(v, offset_bytes / RAM_EXTENT_BYTES)) {
                uint8_t *at = v->map + offset_bytes;

                if (r->op == STORE_READ)
                        copy_pages(copy_for_reader(r), buf, at, len);
                else
                        copy_pages(copy_to_disk(r), at, buf, len);
                return true;
        }
        if (r->op == STORE_WRITE)
                return false;
        memset(buf, 0, len);
        return true;
}

/* Inside of a copy. While memory is taken apart there is none: until then. */
static struct ram_view *current_view(struct ram_queue *q)
{
        struct ram *s = to_ram(q->head.store);
        struct ram_view *v;

        while (!(v = atomic_load(&s->view))) {
                ram_copy_end(q);
                pthread_mutex_lock(&s->lock);
                pthread_mutex_unlock(&s->lock);
                ram_copy_begin(q);
        }
        return v;
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
                struct ram_view *v = current_view(q);

                if (at + len > v->size_bytes)
                        return -EIO; /* it has shrunk */
                if (copy_piece(v, r, at, (uint8_t *)iov->iov_base + done,
                               len)) {
                        done += len;
                        continue;
                }
                ram_copy_end(q);
                ret = fill_extent(s, at / RAM_EXTENT_BYTES);
                ram_copy_begin(q);
                if (ret < 0)
                        return ret;
        }
        return 0;
}

static void fetch_from_disk(const struct ram_view *v, uint64_t at,
                            uint64_t len_bytes)
{
        if (at < v->size_bytes)
                copy_fetch(v->map + at, min_u64(len_bytes, v->size_bytes - at));
}

/* What is copied after the i-th piece; the next one is at `at` on the disk. */
static void fetch_next(const struct ram_view *v, const struct store_req *r,
                       unsigned i, uint64_t at)
{
        const struct iovec *next = &r->iov[i + 1];

        if (i + 1 == r->niov)
                fetch_from_disk(v, r->soon_offset_bytes, r->soon_len_bytes);
        else if (r->op == STORE_READ)
                fetch_from_disk(v, at, next->iov_len);
        else
                copy_fetch(next->iov_base, next->iov_len);
}

static void copy(struct ram_queue *q, struct store_req *r)
{
        uint64_t at = r->offset_bytes;
        int ret = 0;

        ram_copy_begin(q);
        for (unsigned i = 0; i < r->niov && ret == 0; i++) {
                uint64_t next_at = at + r->iov[i].iov_len;

                fetch_next(current_view(q), r, i, next_at);
                ret = copy_iov(q, r, at, &r->iov[i]);
                at = next_at;
        }
        ram_copy_end(q);
        r->done(r, ret);
}

/* One line of each, one right after the other: the processor walks the page
 * tables to several at a time, and each line is in the cache when the rest of
 * its page is fetched. */
void ram_expect(struct store_queue *head, const uint64_t *offset_bytes,
                unsigned n)
{
        struct ram_queue *q = container_of(head, struct ram_queue, head);
        const struct ram_view *v;

        ram_copy_begin(q);
        v = current_view(q);
        for (unsigned i = 0; i < n; i++)
                fetch_from_disk(v, offset_bytes[i], COPY_LINE_BYTES);
        ram_copy_end(q);
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
                ram_discard(q, r);
                break;
        }
}
