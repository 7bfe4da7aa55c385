/* SPDX-License-Identifier: MIT */
/* Blocking I/O over the same queue. One of the callers polls (the leader), the
 * others sleep; whoever processes a response wakes its owner. */
#include "front.h"

#include <errno.h>
#include <string.h>

struct front_waiter {
        struct eg_io io;
        struct front_waiter *next;
        pthread_cond_t cond;
        bool done, polling;
        int error;
};

void front_wake_waiter(struct eg_disk *d, struct eg_io *io, int error)
{
        struct front_waiter *w = container_of(io, struct front_waiter, io);

        w->done = true;
        w->error = error;
        if (!w->polling)
                pthread_cond_signal(&w->cond);
        else
                front_wake_leader(d);
}

static void waiter_remove(struct eg_disk *d, struct front_waiter *w)
{
        struct front_waiter **at = &d->waiters;

        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
}

static void lead(struct eg_disk *d, struct front_waiter *w)
{
        d->leading = true;
        while (!w->done) {
                w->polling = true;
                front_wait_and_process(d, -1, &w->done);
                w->polling = false;
        }
        d->leading = false;
        if (d->waiters)
                pthread_cond_signal(&d->waiters->cond);
}

static int run(struct eg_disk *d, struct front_waiter *w)
{
        int ret;

        w->done = w->polling = false;
        w->error = 0;
        pthread_cond_init(&w->cond, NULL);
        pthread_mutex_lock(&d->lock);
        ret = front_submit(d, &w->io, true);
        if (ret < 0)
                goto out;
        w->next = d->waiters;
        d->waiters = w;
        front_publish(d);
        while (!w->done && d->leading)
                pthread_cond_wait(&w->cond, &d->lock);
        waiter_remove(d, w);
        if (!w->done)
                lead(d, w);
        else if (!d->leading && d->waiters)
                /* The leader's last signal may have been for us. */
                pthread_cond_signal(&d->waiters->cond);
        ret = w->error;
        if (ret < 0 && d->state == FRONT_DEAD)
                *front_err() = d->why;
        else if (ret < 0)
                err_set(front_err(), ret, "%s: %s", d->name, strerror(-ret));
out:
        pthread_mutex_unlock(&d->lock);
        pthread_cond_destroy(&w->cond);
        return ret;
}

static int transfer(struct eg_disk *d, enum eg_op op, const struct iovec *iov,
                    unsigned niov, uint64_t offset_bytes)
{
        struct front_waiter w;

        memset(&w.io, 0, offsetof(struct eg_io, priv));
        w.io.op = op;
        w.io.offset_bytes = offset_bytes;
        w.io.iov = iov;
        w.io.niov = niov;
        return run(d, &w);
}

int eg_preadv(struct eg_disk *d, const struct iovec *iov, unsigned niov,
              uint64_t offset_bytes)
{
        return transfer(d, EG_READ, iov, niov, offset_bytes);
}

int eg_pwritev(struct eg_disk *d, const struct iovec *iov, unsigned niov,
               uint64_t offset_bytes)
{
        return transfer(d, EG_WRITE, iov, niov, offset_bytes);
}

int eg_pread(struct eg_disk *d, void *buf, size_t len_bytes,
             uint64_t offset_bytes)
{
        struct iovec v = {buf, len_bytes};

        return transfer(d, EG_READ, &v, 1, offset_bytes);
}

int eg_pwrite(struct eg_disk *d, const void *buf, size_t len_bytes,
              uint64_t offset_bytes)
{
        struct iovec v = {(void *)(uintptr_t)buf, len_bytes};

        return transfer(d, EG_WRITE, &v, 1, offset_bytes);
}

int eg_flush(struct eg_disk *d)
{
        return transfer(d, EG_FLUSH, NULL, 0, 0);
}

static int discard(struct eg_disk *d, uint64_t offset_bytes,
                   uint64_t length_bytes, unsigned flags)
{
        struct front_waiter w;

        memset(&w.io, 0, offsetof(struct eg_io, priv));
        w.io.op = EG_DISCARD;
        w.io.flags = flags;
        w.io.offset_bytes = offset_bytes;
        w.io.length_bytes = length_bytes;
        return run(d, &w);
}

int eg_discard(struct eg_disk *d, uint64_t offset_bytes, uint64_t length_bytes)
{
        return discard(d, offset_bytes, length_bytes, 0);
}

int eg_discard_secure(struct eg_disk *d, uint64_t offset_bytes,
                      uint64_t length_bytes)
{
        return discard(d, offset_bytes, length_bytes, EG_IO_SECURE);
}
