/* SPDX-License-Identifier: MIT */
/* What one request asks for: reach the data, ask the store, step by step, let
 * the data go, respond. */
#include "common/copy.h"
#include "queue.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>

static void finish(struct back_request *r, int error);

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

void back_serve(struct back_request *r)
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
