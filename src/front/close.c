/* SPDX-License-Identifier: MIT */
/* The goodbye. */
#include "front.h"

#include <errno.h>

static bool backend_over(struct eg_disk *d, bool closing_is_enough)
{
        switch (front_keys_backend_state(d)) {
        case XENBUS_CLOSING:
                return closing_is_enough;
        case XENBUS_INITIALISED:
        case XENBUS_CONNECTED:
        case XENBUS_RECONFIGURING:
        case XENBUS_RECONFIGURED:
                return false;
        default:
                return true;
        }
}

static bool wait_over(struct eg_disk *d, bool closing_is_enough)
{
        uint64_t deadline = clock_ms() + d->opts.close_timeout_ms;

        while (!backend_over(d, closing_is_enough)) {
                int left = front_remaining_ms(deadline);

                if (left == 0 || d->xs_lost)
                        return false;
                front_process(d, front_sleep_apart(d, left, false),
                              FRONT_TAKE_ALL);
        }
        return true;
}

/* Closing, Closed, and the backend's unmap in between or after: backends
 * differ. The pages go back last, when nobody has them mapped. */
static void goodbye(struct eg_disk *d)
{
        bool there = d->state == FRONT_CONNECTED && !d->xs_lost;

        d->state = FRONT_CLOSED; /* the ring is not served any more */
        if (there) {
                front_keys_set_state(d, XENBUS_CLOSING);
                there = wait_over(d, true);
        }
        if (!d->xs_lost)
                front_keys_set_state(d, XENBUS_CLOSED);
        if (there)
                wait_over(d, false);
}

void eg_close(struct eg_disk *d)
{
        uint64_t deadline;

        if (!d)
                return;
        pthread_mutex_lock(&d->lock);
        deadline = clock_ms() + d->opts.close_timeout_ms;
        front_dispatch(d);
        front_publish(d);
        while (d->accepted != d->finished && d->state != FRONT_DEAD) {
                int left = front_remaining_ms(deadline);

                if (left == 0)
                        break;
                front_process(d, front_sleep_apart(d, left, false),
                              FRONT_TAKE_ALL);
        }
        d->closing = true;
        front_fail_all(d, -ESHUTDOWN);
        if (d->state != FRONT_DEAD)
                goodbye(d);
        while (front_run_callbacks(d))
                ;
        pthread_mutex_unlock(&d->lock);
        front_disk_free(d);
}
