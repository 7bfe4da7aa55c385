/* SPDX-License-Identifier: MIT */
/* What an I/O thread does about events that say nothing, and about those that
 * never came. */
#ifndef EVERGRANT_BACK_STORM_H
#define EVERGRANT_BACK_STORM_H

#include "loop/loop.h"

struct back_queue;

struct back_storm {
        uint32_t seen_cons; /* ring.req_cons after the last event */
        unsigned empty;     /* events in a row that brought nothing */
        bool held;          /* the port stays masked until the timer */
        struct loop_timer hold;

        uint32_t watch_cons; /* ring.req_cons at the last look */
        bool watch_left;     /* … when requests were waiting, unannounced */
        bool busy; /* has had requests since the last look or the one before */
        struct loop_timer watch;
};

/* When the queue is served, and when it is no more. */
void back_storm_begin(struct back_queue *q);
void back_storm_end(struct back_queue *q);
/* Requests were found in the ring: it counts as busy at once (crowd.h), and no
 * more when a period of the watch brought none. */
void back_storm_busy(struct back_queue *q);
/* After an event was served: unmasks its port, at once or later. */
void back_storm_event(struct back_queue *q);

#endif
