/* SPDX-License-Identifier: MIT */
#include "front.h"

#include <errno.h>

int eg_submit(struct eg_disk *d, struct eg_io *io)
{
        int ret;

        pthread_mutex_lock(&d->lock);
        ret = front_submit(d, io, false);
        pthread_mutex_unlock(&d->lock);
        return ret;
}

void eg_kick(struct eg_disk *d)
{
        pthread_mutex_lock(&d->lock);
        front_dispatch(d);
        front_publish(d);
        pthread_mutex_unlock(&d->lock);
}

int eg_fd(struct eg_disk *d)
{
        return d->epoll_fd;
}

static int finish(struct eg_disk *d)
{
        int ran = front_run_callbacks(d);

        /* What the callbacks submitted. */
        front_publish(d);
        if (!ran && d->state == FRONT_DEAD && !d->done.n) {
                *front_err() = d->why;
                ran = front_dead_error(d);
        }
        return ran;
}

int eg_process(struct eg_disk *d)
{
        int ran;

        pthread_mutex_lock(&d->lock);
        d->processing = true;
        front_process(d, FRONT_TAKE_ALL);
        d->processing = false;
        ran = finish(d);
        pthread_mutex_unlock(&d->lock);
        return ran;
}

int eg_wait(struct eg_disk *d, int timeout_ms)
{
        int ran;

        pthread_mutex_lock(&d->lock);
        d->processing = true;
        /* With callbacks due, or nobody to wait for, it does not wait. */
        front_wait_and_process(
                d, d->done.n || d->state == FRONT_DEAD ? 0 : timeout_ms, NULL);
        d->processing = false;
        ran = finish(d);
        pthread_mutex_unlock(&d->lock);
        return ran;
}
