/* SPDX-License-Identifier: MIT */
/* A guest with one or more rings, and the control thread, both played by the
 * test: the queue under test runs on a real I/O thread. */
#ifndef EVERGRANT_TESTS_BACK_RIG_H
#define EVERGRANT_TESTS_BACK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs what is above */
#include <cmocka.h>

#include "back/back.h"
#include "fake_xen.h"
#include "ring/front_ring.h"
#include "test_store.h"

#define RIG_RINGS 3u
/* Data page i is granted as gref RIG_GREF + i; ring r's pages before them. */
#define RIG_GREF 100u
#define RIG_DATA_PAGES 900u
#define RIG_BAD_GREF 4000u

struct rig_ring {
        struct back_queue_params p;
        struct back_queue *q;
        struct front_ring front;
        uint32_t remote_port;
        int attach_error;
        char why[160];
        unsigned attached, detached; /* times that done was called */
        struct back_stats last;      /* of the moment before the detach */
};

struct rig {
        struct back_thread *t;
        struct store *store;
        struct rig_ring rings[RIG_RINGS];
};

/* The queues' timers run only if this is set before the attach: elsewhere
 * nothing may be evicted because the machine is slow. Wraps loop_timer_add. */
extern bool rig_timers;

/* Calls the timer that was added last and did not run, on the I/O thread. */
void rig_fire_timer(struct rig *rig);

/* How rig_setup's threads look before they sleep; off by itself. */
extern enum polling_mode rig_polling;

/* rig_setup's threads bounce what is mapped for one request. */
extern bool rig_bounce_mapped;

/* A thread, a store, prepared params: writable disk that offers all, mode map,
 * rings of order 0. Nothing is attached. */
int rig_setup(void **state);
int rig_teardown(void **state); /* detaches what is attached */

/* Changes before this: r->p. Waits for done; its error. */
int rig_attach(struct rig *rig, unsigned i);
/* Posts only; rig_await_detached waits for done. */
void rig_detach_start(struct rig *rig, unsigned i);
void rig_await_detached(struct rig *rig, unsigned i);
void rig_detach(struct rig *rig, unsigned i);
/* Persistent, with this cap. */
int rig_attach_persistent(struct rig *rig, uint32_t cap);

uint32_t rig_gref(unsigned page);
uint8_t *rig_page(unsigned page);
void rig_fill(unsigned page, uint8_t with);
bool rig_page_is(unsigned page, uint8_t what);

/* Whole pages from `page` on, at a sector. */
struct blk_request rig_request(enum blk_op op, uint64_t id, uint64_t sector,
                               unsigned page, unsigned npages);
void rig_put(struct rig_ring *r, const struct blk_request *req);
/* Pushes, and kicks if the backend asked for it. */
void rig_push(struct rig_ring *r);
/* Waits for the next response, by default on ring 0. */
struct blk_response rig_await(struct rig_ring *r);
bool rig_response_waits(struct rig_ring *r);
/* put, push, await; checks id and op; the status. */
int rig_do(struct rig *rig, const struct blk_request *req);
struct back_stats rig_stats(struct rig *rig);

/* Polls until expr is true, for 10 s at least. If it does not get so, all
 * is over: the teardown would wait in vain as well. */
#define rig_until(expr)                                                 \
        do {                                                            \
                unsigned rig_tries_ = 0;                                \
                while (!(expr)) {                                       \
                        if (++rig_tries_ > 50000)                       \
                                rig_give_up(#expr, __FILE__, __LINE__); \
                        usleep(200);                                    \
                }                                                       \
        } while (0)
_Noreturn void rig_give_up(const char *expr, const char *file, int line);
/* Lets the I/O thread come to rest: what it would do wrong, it has done. */
void rig_settle(struct rig *rig);

#endif
