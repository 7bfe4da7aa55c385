/* SPDX-License-Identifier: MIT */
/* Inside of the loop only. loop.c is what both kinds of waiting share;
 * loop_uring.c and loop_poll.c are the two kinds. */
#ifndef EVERGRANT_LOOP_LOOP_IMPL_H
#define EVERGRANT_LOOP_LOOP_IMPL_H

#include "loop.h"

#include "common/clock.h"
#include "common/log.h"

#include <liburing.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* What stands for a loop_fd in the kernel. It outlives the loop_fd when a poll
 * of a removed one is still to be cancelled: user is NULL then. */
struct loop_watch {
        struct loop_fd *user;
        int fd;
        bool armed;   /* uring: a poll is in the kernel or on its way */
        size_t index; /* ppoll: place in the arrays, or NOT_PLACED */
        LIST_ENTRY(loop_watch) link;
};
LIST_HEAD(loop_watches, loop_watch);
#define NOT_PLACED SIZE_MAX

struct loop {
        bool uring_ok, enabled, stop;
        char why[160]; /* why there is no io_uring */
        uint64_t now_ms;
        struct log_bucket errors;
        struct loop_poller *poller;
        struct polling polling;
        struct polling_counters polled; /* of it, for other threads */
        struct loop_timer *timers, *timer_next;
        struct loop_turn *turns, *turn_next;

        /* Other threads push here; sleeping tells them to write wake_fd. */
        _Atomic(struct loop_work *) posted;
        atomic_bool sleeping;
        int wake_fd;

        /* uring: idle ones get a poll before the next wait. ppoll: all are in
         * idle. dying: removed, their cancellation has not come back.
         * failed: not pollable, left alone until removed. */
        struct loop_watches idle, armed, dying, failed;
        struct io_uring ring;
        bool wake_armed;
        uint64_t wake_count; /* where the kernel puts the eventfd's value */

        struct pollfd *pollfds; /* [0] is wake_fd, [i + 1] is placed[i] */
        struct loop_watch **placed;
        size_t nplaced, room;
        bool changed; /* the arrays do not show idle any more */
};

/* loop.c */
#define WAIT_FOREVER UINT64_MAX
void loop_watch_ready(struct loop_watch *w);

/* loop_spin.c. True: there is something to do, the loop must not sleep. */
bool loop_spin(struct loop *l);

/* loop_timer.c */
void loop_timers_fire(struct loop *l);
void loop_turns_end(struct loop *l);

/* 0, or -errno with l->why filled. */
int loop_uring_init(struct loop *l);
void loop_uring_exit(struct loop *l);
void loop_uring_begin(struct loop *l);
void loop_uring_end(struct loop *l);
/* Submits what is queued and waits for at most timeout_ms (0: does not wait),
 * in one system call; none if there is nothing to do. */
void loop_uring_wait(struct loop *l, uint64_t timeout_ms);
/* A completion, or work that would give one: seen without a system call. */
bool loop_uring_has_news(struct loop *l);
void loop_uring_dispatch(struct loop *l);
void loop_uring_cancel(struct loop *l, struct loop_watch *w);

void loop_poll_wait(struct loop *l, uint64_t timeout_ms);
void loop_poll_dispatch(struct loop *l);
void loop_poll_forget(struct loop *l, struct loop_watch *w);

#endif
