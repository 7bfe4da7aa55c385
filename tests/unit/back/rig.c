/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "back/thread.h"
#include "loop/loop.h"

#define RING_GREF 10u /* ring r, page k: RING_GREF + 20 r + k, same page */
#define DATA_PAGE 80u

bool rig_timers;

void __real_loop_timer_add(struct loop *l, struct loop_timer *t);
void __wrap_loop_timer_add(struct loop *l, struct loop_timer *t);
static struct loop_timer *last_timer;

void __wrap_loop_timer_add(struct loop *l, struct loop_timer *t)
{
        last_timer = t;
        if (rig_timers)
                __real_loop_timer_add(l, t);
}

static void fire(void *arg)
{
        last_timer->fire(last_timer);
}

void rig_fire_timer(struct rig *rig)
{
        static struct loop_work work = {.fn = fire};

        loop_post(rig->t->loop, &work);
}

void rig_give_up(const char *expr, const char *file, int line)
{
        fprintf(stderr, "%s:%d: waited in vain for %s\n", file, line, expr);
        exit(1);
}

bool rig_bounce_mapped;
enum polling_mode rig_polling = POLLING_OFF;

int rig_setup(void **state)
{
        struct rig *rig = calloc(1, sizeof(*rig));
        struct back_thread_opts opts = {.no_uring = getenv("RIG_NO_URING"),
                                        .polling = rig_polling,
                                        .bounce_mapped = rig_bounce_mapped,
                                        .rule = {.copy_up_to_segs = 4}};

        rig_timers = false;
        fake_reset();
        assert_int_equal(back_control_init(), 0);
        assert_int_equal(back_thread_start(&rig->t, 0, &opts, NULL), 0);
        rig->store = test_store_create();
        for (unsigned i = 0; i < RIG_DATA_PAGES; i++)
                fake_grant(rig_gref(i), DATA_PAGE + i, false);
        for (unsigned i = 0; i < RIG_RINGS; i++) {
                struct rig_ring *r = &rig->rings[i];

                r->remote_port = 5 + i;
                fake_port_offer(r->remote_port);
                r->p = (struct back_queue_params){
                        .domid = 7,
                        .remote_port = r->remote_port,
                        .grants = BACK_MAP,
                        .limits = {.sectors = TEST_STORE_BYTES / SECTOR_BYTES,
                                   .block_bytes = 512,
                                   .flush = true,
                                   .barrier = true,
                                   .discard = true},
                        .store = rig->store,
                };
                for (unsigned k = 0; k < BLK_MAX_RING_PAGES; k++) {
                        r->p.ring_refs[k] = RING_GREF + 20 * i + k;
                        fake_grant(r->p.ring_refs[k], RING_GREF + 20 * i + k,
                                   false);
                }
                front_ring_init(&r->front, fake_page(RING_GREF + 20 * i), 0,
                                BLK_ABI_NATIVE);
        }
        *state = rig;
        return 0;
}

int rig_teardown(void **state)
{
        struct rig *rig = *state;

        test_store_hold(rig->store, false);
        test_store_go(rig->store);
        for (unsigned i = 0; i < RIG_RINGS; i++)
                if (rig->rings[i].q)
                        rig_detach(rig, i);
        assert_int_equal(back_thread_queues(rig->t), 0);
        assert_int_equal(test_store_open_queues(rig->store), 0);
        assert_int_equal(fake_totals().mapped_pages, 0);
        back_thread_stop(rig->t);
        assert_int_equal(fake_totals().handles, 0);
        test_store_destroy(rig->store);
        free(rig);
        return 0;
}

static void attach_done(void *arg, int error, const char *why)
{
        struct rig_ring *r = arg;

        r->attach_error = error;
        r->attached++;
        snprintf(r->why, sizeof(r->why), "%s", why);
}

static void detach_done(void *arg, int error, const char *why)
{
        struct rig_ring *r = arg;

        assert_int_equal(error, 0);
        r->detached++;
        r->q = NULL;
}

int rig_attach(struct rig *rig, unsigned i)
{
        struct rig_ring *r = &rig->rings[i];
        unsigned before = r->attached;

        assert_int_equal(
                back_queue_attach(rig->t, &r->p, &r->q, attach_done, r), 0);
        rig_until((back_control_run(), r->attached == before + 1));
        return r->attach_error;
}

int rig_attach_persistent(struct rig *rig, uint32_t cap)
{
        rig->rings[0].p.persistent = true;
        rig->rings[0].p.max_persistent = cap;
        return rig_attach(rig, 0);
}

void rig_detach_start(struct rig *rig, unsigned i)
{
        back_queue_detach(rig->rings[i].q, detach_done, &rig->rings[i]);
}

void rig_await_detached(struct rig *rig, unsigned i)
{
        rig_until((back_control_run(), !rig->rings[i].q));
}

void rig_detach(struct rig *rig, unsigned i)
{
        struct rig_ring *r = &rig->rings[i];

        if (test_store_held(rig->store))
                test_store_let(rig->store, test_store_held(rig->store));
        back_queue_stats(r->q, &r->last);
        rig_detach_start(rig, i);
        rig_await_detached(rig, i);
}

uint32_t rig_gref(unsigned page)
{
        return RIG_GREF + page;
}

uint8_t *rig_page(unsigned page)
{
        return fake_page(DATA_PAGE + page);
}

void rig_fill(unsigned page, uint8_t with)
{
        memset(rig_page(page), with, GRANT_PAGE_BYTES);
}

bool rig_page_is(unsigned page, uint8_t what)
{
        for (unsigned i = 0; i < GRANT_PAGE_BYTES; i++)
                if (rig_page(page)[i] != what)
                        return false;
        return true;
}

struct blk_request rig_request(enum blk_op op, uint64_t id, uint64_t sector,
                               unsigned page, unsigned npages)
{
        struct blk_request req = {.id = id,
                                  .op = op,
                                  .wire_op = (uint8_t)op,
                                  .sector = sector,
                                  .sectors = npages * SECTORS_PER_PAGE,
                                  .nsegs = npages};

        for (unsigned i = 0; i < npages; i++)
                req.segs[i] = (struct blk_seg){rig_gref(page + i), 0,
                                               SECTORS_PER_PAGE - 1};
        return req;
}

void rig_put(struct rig_ring *r, const struct blk_request *req)
{
        assert_true(front_ring_free(&r->front) > 0);
        front_ring_put(&r->front, req);
}

/* The ring orders memory between guest and backend, but through two mappings
 * of one page, which ThreadSanitizer cannot know. */
static void tell_tsan(struct rig_ring *r)
{
        test_store_count(r->p.store);
        fake_totals();
}

void rig_push(struct rig_ring *r)
{
        tell_tsan(r);
        if (front_ring_push(&r->front))
                fake_port_kick(r->remote_port);
}

bool rig_response_waits(struct rig_ring *r)
{
        bool waits = front_ring_waiting(&r->front) > 0;

        assert_false(r->front.broken);
        return waits;
}

struct blk_response rig_await(struct rig_ring *r)
{
        struct blk_response rsp;

        rig_until(rig_response_waits(r));
        tell_tsan(r);
        front_ring_take(&r->front, &rsp);
        /* As a frontend does before it sleeps. */
        front_ring_final_check(&r->front);
        return rsp;
}

int rig_do(struct rig *rig, const struct blk_request *req)
{
        struct blk_response rsp;

        rig_put(&rig->rings[0], req);
        rig_push(&rig->rings[0]);
        rsp = rig_await(&rig->rings[0]);
        assert_int_equal(rsp.id, req->id);
        assert_int_equal(rsp.op, req->wire_op);
        return rsp.status;
}

struct back_stats rig_stats(struct rig *rig)
{
        struct back_stats s;

        rig_settle(rig);
        back_queue_stats(rig->rings[0].q, &s);
        return s;
}

static void nothing(void *arg, int error, const char *why)
{
        *(bool *)arg = true;
}

/* An attach that fails, and its detach, pass through the thread twice: what
 * was going on in its turns before that is over. */
void rig_settle(struct rig *rig)
{
        struct back_queue_params p = rig->rings[0].p;
        struct back_queue *q;
        bool done = false;

        p.ring_refs[0] = RIG_BAD_GREF;
        for (unsigned i = 0; i < 2; i++) {
                done = false;
                assert_int_equal(
                        back_queue_attach(rig->t, &p, &q, nothing, &done), 0);
                rig_until((back_control_run(), done));
                done = false;
                back_queue_detach(q, nothing, &done);
                rig_until((back_control_run(), done));
        }
}
