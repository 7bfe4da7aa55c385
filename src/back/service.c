/* SPDX-License-Identifier: MIT */
/* The life of requests, top to bottom: a kick, drain the ring, parse a copy,
 * serve it (serve.c), every so often, and at the end of the loop's turn: push,
 * notify (answer.c); and once then: look again.
 *
 * What the protocol leaves open:
 * - A flush with segments is a flush, then the write, as Linux and QEMU do
 *   (PROTOCOL.md Q16).
 * - A barrier holds for its own ring (Q17): what was taken before it is
 *   answered first; flush, write, flush; only then is anything taken that
 *   came after it.
 *
 * The clock is read once a batch, when requests are taken, and each time that
 * responses become visible (answer.c); that difference is the latency
 * counted. */
#include "common/clock.h"
#include "crowd.h"
#include "queue.h"
#include "stats.h"
#include "thread.h"

/* ---- drain ---------------------------------------------------------------*/

static bool may_take(const struct back_queue *q)
{
        return q->attached && !q->detaching && !q->barrier && q->free &&
               !q->ring.broken;
}

static void set_steps(struct back_request *r)
{
        static const enum store_op read[] = {STORE_READ};
        static const enum store_op write[] = {STORE_WRITE};
        static const enum store_op flush[] = {STORE_FLUSH, STORE_WRITE};
        static const enum store_op barrier[] = {STORE_FLUSH, STORE_WRITE,
                                                STORE_FLUSH};
        static const enum store_op discard[] = {STORE_DISCARD};
        static const struct {
                const enum store_op *steps;
                unsigned n, n_dataless;
        } plans[] = {
                [BLK_READ] = {read, 1, 0},       [BLK_WRITE] = {write, 1, 0},
                [BLK_BARRIER] = {barrier, 3, 1}, [BLK_FLUSH] = {flush, 2, 1},
                [BLK_DISCARD] = {discard, 1, 1},
        };

        r->steps = plans[r->blk.op].steps;
        r->nsteps =
                r->blk.nsegs ? plans[r->blk.op].n : plans[r->blk.op].n_dataless;
        if (r->blk.op == BLK_DISCARD && !r->blk.sectors)
                r->nsteps = 0;
}

/* The barrier starts when it is alone. */
static void start_barrier(struct back_queue *q)
{
        if (q->barrier && q->barrier->state == BACK_WAIT_DRAIN &&
            q->inflight == 1)
                back_serve(q->barrier);
}

/* The next request, parsed; NULL if that was the end of it, or if it waits. */
static struct back_request *take_one(struct back_queue *q)
{
        _Alignas(8) uint8_t slot[BLK_SLOT_BYTES];
        struct back_request *r = q->free;
        enum blk_verdict verdict;

        q->free = r->next;
        q->inflight++;
        stat_set(&q->stats.inflight, q->inflight);
        stat_high(&q->stats.inflight_high, q->inflight);
        r->taken_ns = q->batch_ns;
        r->must_copy = false;
        back_ring_take(&q->ring, slot);
        verdict = blk_parse(q->p.abi, slot, &q->p.limits, &r->blk);
        r->segs = r->blk.segs;
        if (verdict == BLK_VALID && r->blk.nindirect) {
                r->segs = r->big_segs;
                if (back_indirect_read(r, &verdict)) {
                        stat_add(&q->stats.bad_grants, 1);
                        back_respond(r, BLK_ERROR);
                        return NULL;
                }
        }
        if (verdict != BLK_VALID) {
                stat_add(&q->stats.refused[verdict], 1);
                back_respond(r, blk_verdict_status(verdict));
                return NULL;
        }
        set_steps(r);
        if (r->blk.op == BLK_BARRIER) {
                r->state = BACK_WAIT_DRAIN;
                q->barrier = r;
                start_barrier(q);
                return NULL;
        }
        return r;
}

/* Requests that are taken before the first of them is served. The walks of the
 * page tables to their places on the disk then go on together; one by one they
 * cost as much as the copies. */
#define AHEAD 8u

/* Some more, after the n that w has. How many it has then. */
static unsigned take_some(struct back_queue *q,
                          struct back_request *w[AHEAD + 1], unsigned n,
                          uint32_t *left)
{
        uint64_t at_bytes[AHEAD + 1];
        unsigned places = 0;

        for (; *left && n <= AHEAD && may_take(q); --*left) {
                struct back_request *r = take_one(q);

                if (!r)
                        continue;
                w[n++] = r;
                at_bytes[places++] = r->blk.sector * SECTOR_BYTES;
        }
        if (places)
                store_expect(q->store, at_bytes, places);
        return n;
}

/* With the address of the one after it, which the store can fetch meanwhile. */
static void serve_before(struct back_request *r,
                         const struct back_request *next)
{
        r->io.soon_len_bytes = 0;
        if (next && next->blk.op == BLK_READ) {
                r->io.soon_offset_bytes = next->blk.sector * SECTOR_BYTES;
                r->io.soon_len_bytes =
                        (uint32_t)(next->blk.sectors * SECTOR_BYTES);
        }
        back_serve(r);
        back_push_early(r->q);
}

static void take_all(struct back_queue *q, uint32_t left)
{
        struct back_request *w[AHEAD + 1];
        unsigned n = take_some(q, w, 0, &left);

        while (n > 1) {
                for (unsigned i = 0; i + 1 < n; i++)
                        serve_before(w[i], w[i + 1]);
                /* The last is served when the one after it is known. */
                w[0] = w[n - 1];
                n = take_some(q, w, 1, &left);
        }
        if (n)
                serve_before(w[0], NULL);
}

static void start_waiting(struct back_queue *q)
{
        while (q->waiting && bounce_available(back_bounce_of(q->waiting))) {
                struct back_request *r = q->waiting;

                q->waiting = r->next;
                if (!q->waiting)
                        q->waiting_last = &q->waiting;
                back_serve(r);
        }
}

static void note_broken(struct back_queue *q)
{
        if (!q->ring.broken || q->stats.ring_broken)
                return;
        stat_set(&q->stats.ring_broken, 1);
        q->broken_why =
                stat_get(&q->stats.maps_given_up)
                        ? "a page that the frontend granted stays paged out; "
                          "nothing is taken from it until it reconnects"
                        : "the frontend claims more requests than its ring "
                          "holds; nothing is taken from it until it "
                          "reconnects";
        /* The control thread has the domain's log, which outlives any number
         * of connections. Before the queue's end, so it still exists then. */
        if (q->p.trouble)
                back_control_post(&q->broken);
}

void back_service_run(struct back_queue *q)
{
        uint32_t left = 0;

        q->p.limits.sectors = stat_get(&q->sectors);
        start_waiting(q);
        start_barrier(q);
        if (may_take(q))
                left = back_ring_waiting(&q->ring);
        if (left) {
                q->batch_ns = clock_ns();
                q->looks = loop_looks(q->thread->loop, q->batch_ns);
                back_storm_busy(q);
                q->apart = crowd_has_room();
                back_ring_batch(&q->ring, left);
        }
        /* At most a ring full: other queues of this thread wait. */
        take_all(q, left);
        back_account(q);
        note_broken(q);
        back_thread_mark(q);
}

/* ---- look again ----------------------------------------------------------*/

/* Requests, or the discovery that the ring is broken. */
static bool news(struct back_queue *q)
{
        return may_take(q) && (back_ring_waiting(&q->ring) || q->ring.broken);
}

static bool more_to_do(struct back_queue *q)
{
        if (q->waiting && bounce_available(back_bounce_of(q->waiting)))
                return true;
        if (q->barrier && q->barrier->state == BACK_WAIT_DRAIN &&
            q->inflight == 1)
                return true;
        return news(q);
}

bool back_service_look(struct back_queue *q)
{
        if (!news(q))
                return false;
        back_service_run(q);
        return true;
}

bool back_service_ask(struct back_queue *q)
{
        q->unasked = false;
        LIST_REMOVE(q, unasked_link);
        /* Only when one would be acted on; else what is in flight brings it
         * back here. */
        if (!may_take(q) ||
            (!back_ring_final_check(&q->ring) && !q->ring.broken))
                return false;
        back_service_run(q);
        return true;
}

bool back_service_again(struct back_queue *q)
{
        if (!q->posted && more_to_do(q)) {
                q->posted = true;
                loop_post(q->thread->loop, &q->again);
        }
        return q->posted;
}

static void ask_later(struct back_queue *q)
{
        if (q->unasked)
                return;
        q->unasked = true;
        LIST_INSERT_HEAD(&q->thread->unasked, q, unasked_link);
}

void back_service_turn_end(struct back_queue *q)
{
        if (q->attached) {
                back_push(q);
                back_stats_sync_cache(q);
                if (!back_service_again(q))
                        ask_later(q);
                /* The watch of storm.c may have found it, and only that. */
                note_broken(q);
        }
        if (q->detaching && !q->inflight && !q->posted)
                back_queue_finish_detach(q);
}
