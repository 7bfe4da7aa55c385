/* SPDX-License-Identifier: MIT */
/* A request's end: what is counted of it, its response, the event. */
#include "common/clock.h"
#include "crowd.h"
#include "queue.h"
#include "stats.h"
#include "thread.h"

/* Responses that are worth an event of their own while more are to come: the
 * frontend works on them meanwhile, on another processor, if there is one.
 * Large ones are not worth one each: the frontend copies faster than the
 * backend and slept in between (128 KiB: 0.7 times as fast). */
#define PUSH_EARLY 8u

void back_count(struct back_stats *s, const struct blk_request *b, bool ok)
{
        uint64_t bytes = ok ? b->sectors * SECTOR_BYTES : 0;

        switch (b->op) {
        case BLK_READ:
                stat_add(&s->reads, 1);
                stat_add(&s->read_bytes, bytes);
                return;
        case BLK_DISCARD:
                stat_add(&s->discards, 1);
                stat_add(&s->discard_bytes, bytes);
                return;
        case BLK_WRITE:
                stat_add(&s->writes, 1);
                break;
        case BLK_FLUSH:
                stat_add(&s->flushes, 1);
                break;
        case BLK_BARRIER:
                stat_add(&s->barriers, 1);
                break;
        case BLK_INDIRECT:
                return; /* never an inner op */
        }
        stat_add(&s->write_bytes, b->nsegs ? bytes : 0);
}

static void count_latency(struct back_queue *q)
{
        uint64_t now = clock_ns();

        for (uint32_t i = 0; i < q->nanswered; i++)
                stat_add(
                        &q->stats.latency[latency_bucket(now - q->answered[i])],
                        1);
        q->nanswered = 0;
}

void back_respond(struct back_request *r, enum blk_status status)
{
        struct back_queue *q = r->q;

        if (status == BLK_ERROR)
                stat_add(&q->stats.errors, 1);
        if (status == BLK_EOPNOTSUPP)
                stat_add(&q->stats.unsupported, 1);
        back_ring_respond(&q->ring, r->blk.id, r->blk.wire_op, status);
        if (q->nanswered == q->nrequests)
                count_latency(q);
        q->answered[q->nanswered++] = r->taken_ns;
        if (q->barrier == r)
                q->barrier = NULL;
        r->state = BACK_FREE;
        r->next = q->free;
        q->free = r;
        q->inflight--;
        stat_set(&q->stats.inflight, q->inflight);
        back_thread_mark(q);
}

void back_push(struct back_queue *q)
{
        if (!q->nanswered && !q->owes_notify)
                return;
        if (back_ring_push(&q->ring) || q->owes_notify) {
                xen_evtchn_notify(q->thread->evtchn, q->port);
                stat_add(&q->stats.notifies, 1);
        }
        q->owes_notify = false;
        if (q->nanswered)
                count_latency(q);
}

void back_push_early(struct back_queue *q)
{
        if (q->nanswered >= PUSH_EARLY && crowd_has_room())
                back_push(q);
}
