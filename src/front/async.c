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

static int run_callbacks(struct eg_disk *d)
{
        int ran = front_run_callbacks(d);

        /* What the callbacks submitted. */
        front_publish(d);
        return ran;
}

/* What the caller gets after so many callbacks. */
static int result(struct eg_disk *d, int ran)
{
        if (ran || d->state != FRONT_DEAD || d->done.n)
                return ran;
        *front_err() = d->why;
        return front_dead_error(d);
}

/* Rounds of a few answers in one eg_process: its caller has other things to
 * look at. */
#define ROUNDS_PER_PROCESS 64u

static int process_more(struct eg_disk *d, enum front_take take)
{
        d->processing = true;
        front_process_responses(d, take);
        d->processing = false;
        return run_callbacks(d);
}

/* What the callbacks of a few answers submit keeps the backend awake while the
 * next few are taken. In the end all are, and an event is asked for. */
static int go_on(struct eg_disk *d)
{
        int ran = 0;

        for (unsigned i = 0;
             i < ROUNDS_PER_PROCESS && d->unasked && front_any_response(d); i++)
                ran += process_more(d, FRONT_TAKE_FOUND);
        return ran + process_more(d, FRONT_TAKE_ALL);
}

int eg_process(struct eg_disk *d)
{
        int ran;

        pthread_mutex_lock(&d->lock);
        d->processing = true;
        front_process(d, front_ready(d), FRONT_TAKE_SOME);
        d->processing = false;
        ran = run_callbacks(d);
        if (d->unasked)
                ran += go_on(d);
        ran = result(d, ran);
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
        ran = result(d, run_callbacks(d));
        pthread_mutex_unlock(&d->lock);
        return ran;
}
