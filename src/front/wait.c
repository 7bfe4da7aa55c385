/* SPDX-License-Identifier: MIT */
/* Waiting: a look around for a while, as long as that pays (common/polling.h),
 * before a descriptor is asked for. While it looks, no event is asked for
 * either, and the backend sends none. */
#include "front.h"

#include <sched.h>

#define LOOKS_PER_CLOCK 32u
/* Times that responses may be found by looking, until xenstore's and the
 * timer's descriptors are looked at too. */
#define LOOKS_PER_PROCESS 64u

static bool any_response(struct eg_disk *d)
{
        for (unsigned i = 0; i < d->nqueues; i++) {
                struct front_ring *r = &d->queue[i].ring;

                if (front_ring_waiting(r) || r->broken)
                        return true;
        }
        return false;
}

/* Other threads get the lock between two readings of the clock. */
static bool look(struct eg_disk *d, const bool *stop)
{
        uint64_t start = clock_ns(), now = start, before;
        uint64_t window_ns = polling_window(&d->polling, start);
        bool found = false, preempted = false;

        if (!window_ns || d->state != FRONT_CONNECTED)
                return false;
        do {
                for (unsigned i = 0; i < LOOKS_PER_CLOCK && !found; i++) {
                        found = any_response(d);
                        if (!found)
                                polling_relax();
                }
                before = now;
                now = clock_ns();
                preempted |= !found && now - before > POLLING_PREEMPTED_NS;
                if (!found) {
                        pthread_mutex_unlock(&d->lock);
                        /* Perhaps by the very thread that we wait for. */
                        if (preempted)
                                sched_yield();
                        pthread_mutex_lock(&d->lock);
                        found = (stop && *stop) || d->done.n;
                }
        } while (!found && now - start < window_ns &&
                 d->state == FRONT_CONNECTED);
        polling_looked(&d->polling, start, now, found, preempted);
        return found;
}

void front_wait_and_process(struct eg_disk *d, int timeout_ms, const bool *stop)
{
        uint64_t start;

        if (look(d, stop)) {
                if (++d->looks < LOOKS_PER_PROCESS) {
                        front_process_responses(d);
                        return;
                }
        } else if (timeout_ms) {
                /* What was found by looking since the last front_process has
                 * left its event pending: then this returns at once, and
                 * front_process asks for the next one. */
                start = clock_ns();
                front_wait(d, timeout_ms);
                polling_slept(&d->polling, start, clock_ns());
        }
        d->looks = 0;
        if (!stop || !*stop)
                front_process(d);
}
