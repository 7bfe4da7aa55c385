/* SPDX-License-Identifier: MIT */
/* Waiting: a look around for a while, as long as that pays (common/polling.h),
 * before a descriptor is asked for. While it looks, no event is asked for
 * either, and the backend sends none. */
#include "front.h"

/* Times that responses may be found by looking, until xenstore's and the
 * timer's descriptors are looked at too. */
#define LOOKS_PER_PROCESS 64u

bool front_any_response(struct eg_disk *d)
{
        if (d->state != FRONT_CONNECTED)
                return false;
        for (unsigned i = 0; i < d->nqueues; i++) {
                struct front_ring *r = &d->queue[i].ring;

                if (front_ring_waiting(r) || r->broken)
                        return true;
        }
        return false;
}

/* Other threads get the lock between two readings of the clock. */
static bool look_around(struct eg_disk *d, const bool *stop)
{
        struct polling_look look;
        uint64_t now = clock_ns(), window_ns = polling_window(&d->polling, now);
        bool goes_on;

        d->polls = window_ns;
        if (!window_ns || d->state != FRONT_CONNECTED)
                return false;
        polling_look_begin(&look, window_ns, now);
        for (;;) {
                for (unsigned i = 0; i < POLLING_LOOKS && !look.found; i++) {
                        look.found = front_any_response(d);
                        if (!look.found)
                                polling_relax();
                }
                if (!polling_look_again(&look, clock_ns()))
                        break;
                pthread_mutex_unlock(&d->lock);
                goes_on = polling_let_others(&d->polling, &look);
                pthread_mutex_lock(&d->lock);
                look.found = (stop && *stop) || d->done.n;
                if (!goes_on || look.found || d->state != FRONT_CONNECTED)
                        break;
        }
        polling_looked(&d->polling, &look,
                       look.late_ns ? clock_preemptions() : 0);
        d->finds = look.found && !polling_look_is_long(&look);
        return look.found;
}

/* After this the backend owes an event, or has sent one. */
static bool ask(struct eg_disk *d)
{
        bool any = false;

        d->unasked = false;
        for (unsigned i = 0; i < d->nqueues; i++) {
                struct front_ring *r = &d->queue[i].ring;

                any |= front_ring_final_check(r) || r->broken;
        }
        return any;
}

static unsigned wait_for_event(struct eg_disk *d, int timeout_ms, bool leads)
{
        uint64_t start = clock_ns();
        unsigned ready = leads ? front_sleep_apart(d, timeout_ms, true)
                               : front_sleep(d, timeout_ms);

        polling_slept(&d->polling, start, clock_ns());
        return ready;
}

void front_wait_and_process(struct eg_disk *d, int timeout_ms, const bool *stop)
{
        /* A leader may leave at any time, and with it who looks. */
        enum front_take take = stop ? FRONT_TAKE_ALL : FRONT_TAKE_SOME;
        bool found =
                (d->unasked && front_any_response(d)) || look_around(d, stop);
        unsigned ready;

        if (found && ++d->looks < LOOKS_PER_PROCESS) {
                front_process_responses(d, FRONT_TAKE_FOUND);
                return;
        }
        /* What was found by looking since the last front_process has left its
         * event pending: then a sleep ends at once, and front_process asks for
         * the next one. */
        if (found || !timeout_ms || (d->unasked && ask(d)))
                ready = front_ready(d);
        else
                ready = wait_for_event(d, timeout_ms, stop);
        d->looks = 0;
        if (!stop || !*stop)
                front_process(d, ready, take);
}
