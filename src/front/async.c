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

int eg_process(struct eg_disk *d)
{
        int ran;

        pthread_mutex_lock(&d->lock);
        d->processing = true;
        front_process(d);
        d->processing = false;
        ran = front_run_callbacks(d);
        /* What the callbacks submitted. */
        front_publish(d);
        if (!ran && d->state == FRONT_DEAD && !d->done.n) {
                *front_err() = d->why;
                ran = front_dead_error(d);
        }
        pthread_mutex_unlock(&d->lock);
        return ran;
}
