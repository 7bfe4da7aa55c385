/* SPDX-License-Identifier: MIT */
/* A grant call is the one thing in which an I/O thread may be kept: by Linux,
 * for as long as a page of a guest is paged out. It can be seen from here. */
#include "daemon.h"

#include "common/log.h"

#define LOOK_US 1000000u
#define LONG_MS 1000u

static void look(struct daemon *d, unsigned i)
{
        uint64_t ms = back_thread_stuck_ms(d->threads[i]);

        if (ms >= LONG_MS && !d->stalled[i]) {
                d->stalls++;
                log_warn("I/O thread %u is inside of a grant call since %llu "
                         "ms; its disks wait",
                         i, (unsigned long long)ms);
        }
        d->stalled[i] = ms >= LONG_MS;
}

static int on_look(sd_event_source *src, uint64_t usec, void *arg)
{
        struct daemon *d = arg;

        for (unsigned i = 0; i < d->nthreads; i++)
                look(d, i);
        sd_event_source_set_time_relative(src, LOOK_US);
        return sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
}

int stall_start(struct daemon *d)
{
        return sd_event_add_time_relative(d->event, &d->stall_source,
                                          CLOCK_MONOTONIC, LOOK_US, 0, on_look,
                                          d);
}

void stall_stop(struct daemon *d)
{
        d->stall_source = sd_event_source_disable_unref(d->stall_source);
}
