/* SPDX-License-Identifier: MIT */
/* The life of requests, top to bottom: a kick, drain the ring, parse a copy,
 * reach the data, ask the store, let the data go, respond; every so often, and
 * at the end of the loop's turn: push, notify; and once then: look again.
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
#include "common/copy.h"
#include "crowd.h"
#include "queue.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>

static void start(struct back_request *r);
static void finish(struct back_request *r, int error);

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
                start(q->barrier);
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

/* With the address of the one after it, which the store can fetch meanwhile. */
static void start_before(struct back_request *r,
                         const struct back_request *next)
{
        if (!r)
                return;
        r->io.soon_len_bytes = 0;
        if (next && next->blk.op == BLK_READ) {
                r->io.soon_offset_bytes = next->blk.sector * SECTOR_BYTES;
                r->io.soon_len_bytes =
                        (uint32_t)(next->blk.sectors * SECTOR_BYTES);
        }
        start(r);
}

static void take_all(struct back_queue *q, uint32_t left)
{
        struct back_request *r = NULL;

        for (; left && may_take(q); left--) {
                struct back_request *next = take_one(q);

                start_before(r, next);
                r = next;
                back_push_early(q);
        }
        start_before(r, NULL);
}

static void start_waiting(struct back_queue *q)
{
        while (q->waiting && bounce_available(back_bounce_of(q->waiting))) {
                struct back_request *r = q->waiting;

                q->waiting = r->next;
                if (!q->waiting)
                        q->waiting_last = &q->waiting;
                start(r);
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
                q->apart = crowd_has_room();
                back_ring_batch(&q->ring, left);
        }
        /* At most a ring full: other queues of this thread wait. */
        take_all(q, left);
        back_account(q);
        note_broken(q);
        back_thread_mark(q);
}

/* ---- serve ---------------------------------------------------------------*/

/* At the same time, on two processors: both ends look, or each is seen to go
 * on while the other does, where there is a processor for each. */
static bool runs_with_us(const struct back_queue *q)
{
        return (q->looks && back_ring_peer_looks(&q->ring)) ||
               (q->apart && back_ring_peer_overlaps(&q->ring));
}

static bool is_read_elsewhere(const struct back_queue *q, uint64_t len_bytes)
{
        if (len_bytes <= COPY_SHORT_BYTES && runs_with_us(q))
                return true;
        return q->apart && back_ring_peer_is_far(&q->ring);
}

static void next_step(struct back_request *r)
{
        struct store_req *io = &r->io;

        if (!r->nsteps) {
                finish(r, 0);
                return;
        }
        io->op = *r->steps++;
        io->secure = r->blk.secure;
        r->nsteps--;
        io->offset_bytes = r->blk.sector * SECTOR_BYTES;
        io->len_bytes = r->blk.sectors * SECTOR_BYTES;
        io->iov = r->iov;
        io->niov = r->niov;
        io->read_elsewhere = is_read_elsewhere(r->q, io->len_bytes);
        if (io->op == STORE_FLUSH)
                io->offset_bytes = io->len_bytes = 0;
        if (io->op == STORE_FLUSH || io->op == STORE_DISCARD) {
                io->iov = NULL;
                io->niov = 0;
        }
        store_submit(r->q->store, io);
}

static void store_done(struct store_req *io, int error)
{
        struct back_request *r = io->arg;

        if (error)
                finish(r, error);
        else
                next_step(r);
}

static void start(struct back_request *r)
{
        struct back_queue *q = r->q;

        switch (r->blk.nsegs ? back_data_get(r) : BACK_DATA_READY) {
        case BACK_DATA_READY:
                r->state = BACK_AT_STORE;
                r->io.done = store_done;
                r->io.arg = r;
                next_step(r);
                return;
        case BACK_DATA_WAIT:
                r->state = BACK_WAIT_BOUNCE;
                r->next = NULL;
                *q->waiting_last = r;
                q->waiting_last = &r->next;
                return;
        case BACK_DATA_BAD:
                stat_add(&q->stats.bad_grants, 1);
                back_respond(r, BLK_ERROR);
                return;
        }
}

static void finish(struct back_request *r, int error)
{
        struct back_queue *q = r->q;

        if (r->blk.nsegs) {
                int put = back_data_put(r, !error);

                if (put) {
                        stat_add(&q->stats.bad_grants, 1);
                        error = put;
                }
        }
        back_count(&q->stats, &r->blk, !error);
        back_respond(r, !error                 ? BLK_OKAY
                        : error == -EOPNOTSUPP ? BLK_EOPNOTSUPP
                                               : BLK_ERROR);
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
