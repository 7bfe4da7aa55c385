/* SPDX-License-Identifier: MIT */
#include "front.h"

#include <errno.h>
#include <string.h>

static struct eg_buf *buf_new(size_t bytes)
{
        size_t n = (bytes + GRANT_PAGE_BYTES - 1) / GRANT_PAGE_BYTES;
        struct eg_buf *b = calloc(1, sizeof(*b));

        if (!b)
                return NULL;
        b->bytes = bytes;
        b->n = (unsigned)n;
        b->pages = calloc(n, sizeof(struct pool_page *));
        b->iov = calloc(n, sizeof(*b->iov));
        if (b->pages && b->iov)
                return b;
        free(b->pages);
        free(b->iov);
        free(b);
        return NULL;
}

/* The pool that fewest buffers have pages of. */
static struct front_pool *buf_pool(struct eg_disk *d)
{
        struct front_pool *best = NULL;

        for (unsigned i = 0; i < d->nqueues; i++) {
                struct front_pool *p = d->queue[i].pool;

                if (!best || p->buf_pages < best->buf_pages)
                        best = p;
        }
        return best;
}

static int buf_fill(struct eg_disk *d, struct eg_buf *b)
{
        struct front_pool *pool = buf_pool(d);
        int ret;

        if (!pool)
                return err_set(front_err(), -EAGAIN,
                               "the backend is away: there is no pool");
        if (pool->buf_pages + b->n + FRONT_POOL_RESERVE > d->opts.pool_pages)
                return err_set(front_err(), -EAGAIN,
                               "%u pages asked, %u of %u are in buffers, and "
                               "some are kept for other I/O",
                               b->n, pool->buf_pages, d->opts.pool_pages);
        ret = grant_pool_take(pool->grants, b->n, b->pages);
        if (ret < 0)
                return err_set(front_err(), ret, "no %u pages to be had: %s",
                               b->n, strerror(-ret));
        pool->bufs++;
        pool->buf_pages += b->n;
        b->pool = pool;
        for (unsigned i = 0; i < b->n; i++) {
                size_t at = (size_t)i * GRANT_PAGE_BYTES;

                b->iov[i].iov_base = b->pages[i]->page;
                b->iov[i].iov_len = min_u64(b->bytes - at, GRANT_PAGE_BYTES);
        }
        return 0;
}

int eg_buf_alloc(struct eg_disk *d, size_t bytes, struct eg_buf **buf)
{
        struct eg_buf *b;
        int ret;

        if (bytes == 0)
                return err_set(front_err(), -EINVAL, "a buffer of no bytes");
        /* Before anything is allocated by it. */
        if (bytes > (size_t)d->opts.pool_pages * GRANT_PAGE_BYTES)
                return err_set(front_err(), -EAGAIN,
                               "%zu bytes are more than the pool", bytes);
        b = buf_new(bytes);
        if (!b)
                return err_set(front_err(), -ENOMEM, "out of memory");
        pthread_mutex_lock(&d->lock);
        if (d->state == FRONT_DEAD) {
                *front_err() = d->why;
                ret = front_dead_error(d);
        } else {
                ret = buf_fill(d, b);
        }
        pthread_mutex_unlock(&d->lock);
        if (ret == 0) {
                *buf = b;
                return 0;
        }
        free(b->pages);
        free(b->iov);
        free(b);
        return ret;
}

void eg_buf_free(struct eg_disk *d, struct eg_buf *b)
{
        if (!b)
                return;
        pthread_mutex_lock(&d->lock);
        for (unsigned i = b->n; i > 0; i--)
                grant_pool_give(b->pool->grants, b->pages[i - 1], d->untrusted);
        b->pool->bufs--;
        b->pool->buf_pages -= b->n;
        front_pool_release(d, b->pool);
        /* Someone may wait for pages. */
        front_dispatch(d);
        front_publish(d);
        pthread_mutex_unlock(&d->lock);
        free(b->pages);
        free(b->iov);
        free(b);
}

const struct iovec *eg_buf_iov(const struct eg_buf *b, unsigned *niov)
{
        *niov = b->n;
        return b->iov;
}
