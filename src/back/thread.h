/* SPDX-License-Identifier: MIT */
/* An I/O thread, inside the data plane: a loop, a grant handle and an
 * event-channel handle, and the queues whose ports were bound through it. */
#ifndef EVERGRANT_BACK_THREAD_H
#define EVERGRANT_BACK_THREAD_H

#include "back.h"
#include "loop/loop.h"
#include "xen/evtchn.h"
#include "xen/grants.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/queue.h>

LIST_HEAD(back_queues, back_queue);

/* A grant handle and what uses it. One that the library left something in is
 * replaced for those who come, and closed when the last one goes. */
struct back_grant_handle {
        struct xen_grants *xen;
        struct xen_grant_counters accounted; /* see stats.h */
        unsigned queues;
};

struct back_thread {
        unsigned index;
        struct back_thread_opts opts;
        pthread_t id;
        unsigned queues; /* the control thread's */

        /* start: the thread sets itself up and reports */
        sem_t started;
        int start_error;
        const char *start_what;

        /* the I/O thread's own from here */
        struct loop *loop;
        struct back_grant_handle *grants; /* for the next queue */
        uint64_t in_call_ns; /* the control thread reads it, relaxed */
        struct xen_evtchn *evtchn;
        struct loop_fd events;
        struct loop_turn turn;
        struct loop_work stop;
        struct back_queue **by_port;
        unsigned nports;
        struct loop_poller poller;
        struct back_queues attached;
        struct back_queues unasked; /* to ask for an event before sleeping */
        struct back_queue *dirty;   /* to be looked at when the turn ends */
};

/* Events of port go to q (NULL: to nobody). -ENOMEM. */
int back_thread_route(struct back_thread *t, int port, struct back_queue *q);
/* q has something to push, or to look at, at the end of this turn. */
void back_thread_mark(struct back_queue *q);

/* Never NULL: the thread would not run without one. */
struct back_grant_handle *back_thread_grants_get(struct back_thread *t);
/* Everything that was mapped through it for this queue has been unmapped.
 * Accepts NULL. */
void back_thread_grants_put(struct back_thread *t, struct back_grant_handle *g);

#endif
