/* SPDX-License-Identifier: MIT */
/* The event loop of one I/O thread: one io_uring for descriptors, timers,
 * wake-up and file I/O; ppoll(2) where io_uring is forbidden or absent. All
 * calls are of the loop's own thread, except loop_post. */
#ifndef EVERGRANT_LOOP_LOOP_H
#define EVERGRANT_LOOP_LOOP_H

#include "common/polling.h"
#include "common/util.h"
#include <sys/uio.h>

struct loop;
struct io_uring;

struct loop_opts {
        bool no_uring;             /* behave as if io_uring were forbidden */
        enum polling_mode polling; /* only with a loop_poller */
};

/* -errno when not even ppoll's side can be set up. */
int loop_create(struct loop **l, const struct loop_opts *opts);
void loop_destroy(struct loop *l); /* accepts NULL */

/* NULL when the loop runs on ppoll. `why` (may be NULL) then says why. */
bool loop_has_uring(const struct loop *l, const char **why);

/* Milliseconds of CLOCK_MONOTONIC, read once a turn of the loop: the engine's
 * only clock. */
uint64_t loop_now_ms(const struct loop *l);

/* A descriptor that is watched for POLLIN until removed, level-triggered. */
struct loop_fd {
        int fd;
        void (*ready)(struct loop_fd *self);
        void *arg;
        void *impl; /* the loop's */
};
int loop_fd_add(struct loop *l, struct loop_fd *f);
void loop_fd_remove(struct loop *l, struct loop_fd *f);

/* Fires every period_ms until removed. */
struct loop_timer {
        uint64_t period_ms;
        void (*fire)(struct loop_timer *self);
        void *arg;
        uint64_t due_ms; /* the loop's */
        struct loop_timer *next;
};
void loop_timer_add(struct loop *l, struct loop_timer *t);
void loop_timer_remove(struct loop *l, struct loop_timer *t);

/* Runs fn(arg) on the loop's thread, soon and in order. Any thread. The node
 * is the caller's and is free again when fn runs. */
struct loop_work {
        void (*fn)(void *arg);
        void *arg;
        struct loop_work *next; /* the loop's */
};
void loop_post(struct loop *l, struct loop_work *w);

/* Called at the end of each turn, after all events of the turn: the place to
 * batch (submit, push responses, notify). */
struct loop_turn {
        void (*end)(struct loop_turn *self);
        void *arg;
        struct loop_turn *next; /* the loop's */
};
void loop_turn_add(struct loop *l, struct loop_turn *t);
void loop_turn_remove(struct loop *l, struct loop_turn *t);

/* What has no descriptor, or is quicker to look at than to be told of: the
 * rings' indices in shared memory. */
struct loop_poller {
        /* Instead of sleeping, again and again for a while. Takes what is
         * there and returns true, or returns false: cheap then. */
        bool (*look)(struct loop_poller *self);
        /* The loop is going to sleep: ask for events from here on, then look.
         * True: there is something to do, the loop does not sleep. */
        bool (*sleep)(struct loop_poller *self);
        void *arg;
};
/* NULL: none. One a loop. */
void loop_set_poller(struct loop *l, struct loop_poller *p);
/* Whether it would look around before it sleeps now; on the loop's thread. */
bool loop_looks(struct loop *l, uint64_t now_ns);
/* Of this loop so far; any thread, each word by itself. */
struct polling_counters loop_polling(const struct loop *l);

/* File I/O on the loop's io_uring; only where loop_has_uring. done gets the
 * completion's result (bytes or -errno). The op is the caller's and must stay
 * until done runs. */
enum loop_op_kind { LOOP_READV, LOOP_WRITEV, LOOP_FSYNC, LOOP_FALLOCATE };
struct loop_op {
        enum loop_op_kind kind;
        int fd;
        const struct iovec *iov;
        unsigned niov;
        uint64_t offset_bytes;
        uint64_t len_bytes; /* FALLOCATE */
        int mode;           /* FALLOCATE */
        void (*done)(struct loop_op *self, int result);
        void *arg;
};
/* Queued; submitted at the end of the turn. Never fails: when the submission
 * queue is full it is submitted at once. */
void loop_op_start(struct loop *l, struct loop_op *op);

/* Runs until loop_stop (which any callback may call). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
