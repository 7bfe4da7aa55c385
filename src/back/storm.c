/* SPDX-License-Identifier: MIT */
/* An event costs its sender nothing and us a wake-up (XSA-332). A port is
 * masked while its event is served, so there is at most one wake-up for each
 * unmasking; after some in a row that brought no request the port stays masked
 * for a while, which doubles as long as that goes on. Nothing is lost by it:
 * what comes meanwhile is pending when the port is unmasked, and the ring is
 * looked at then in any case.
 *
 * The other way round, an event may get lost underneath. A ring whose requests
 * nobody has announced between two looks is served without an event. */
#include "storm.h"
#include "crowd.h"
#include "queue.h"
#include "stats.h"
#include "thread.h"

#define EMPTY_EVENTS 3u /* in a row, until a port is held */
#define HOLD_FIRST_MS 1u
#define HOLD_MOST_MS 100u
/* Half of the second that a request may lie there for a lost event. */
#define WATCH_PERIOD_MS 500u

/* Whether it could have taken a request: an event during a barrier, or with
 * the ring full, is not the frontend's fault. */
static bool could_take(const struct back_queue *q)
{
        return q->ring.broken || (!q->barrier && q->free);
}

static void hold_ended(struct loop_timer *timer)
{
        struct back_queue *q = timer->arg;

        loop_timer_remove(q->thread->loop, timer);
        q->storm.held = false;
        if (q->attached)
                back_service_run(q);
        xen_evtchn_unmask(q->thread->evtchn, q->port);
}

static void hold(struct back_queue *q)
{
        struct back_storm *s = &q->storm;
        unsigned doublings = s->empty - EMPTY_EVENTS;

        s->held = true;
        s->hold = (struct loop_timer){
                .period_ms = doublings < 7 ? HOLD_FIRST_MS << doublings
                                           : HOLD_MOST_MS,
                .fire = hold_ended,
                .arg = q,
        };
        stat_add(&q->stats.held_events, 1);
        loop_timer_add(q->thread->loop, &s->hold);
}

void back_storm_event(struct back_queue *q)
{
        struct back_storm *s = &q->storm;

        /* Also what was taken without an event: it announced that. */
        if (q->ring.req_cons != s->seen_cons)
                s->empty = 0;
        else if (could_take(q) && s->empty < 1000)
                s->empty++;
        s->seen_cons = q->ring.req_cons;
        s->watch_left = false;
        if (s->empty >= EMPTY_EVENTS)
                hold(q);
        else
                xen_evtchn_unmask(q->thread->evtchn, q->port);
}

void back_storm_busy(struct back_queue *q)
{
        crowd_note(&q->storm.busy, true);
}

static void watch(struct loop_timer *timer)
{
        struct back_queue *q = timer->arg;
        struct back_storm *s = &q->storm;
        bool left = q->attached && !q->detaching && !q->posted && !s->held &&
                    !q->barrier && q->free && !q->ring.broken &&
                    back_ring_waiting(&q->ring);

        /* Seen twice: the event of the first look was not just on its way. */
        if (left && s->watch_left && s->watch_cons == q->ring.req_cons) {
                stat_add(&q->stats.lost_events, 1);
                back_service_run(q);
                left = false;
        }
        if (q->ring.broken && !q->stats.ring_broken)
                back_thread_mark(q); /* it is told at the end of the turn */
        crowd_note(&s->busy, s->watch_cons != q->ring.req_cons);
        s->watch_left = left;
        s->watch_cons = q->ring.req_cons;
}

void back_storm_begin(struct back_queue *q)
{
        q->storm = (struct back_storm){.watch = {.period_ms = WATCH_PERIOD_MS,
                                                 .fire = watch,
                                                 .arg = q}};
        q->storm.seen_cons = q->storm.watch_cons = q->ring.req_cons;
        loop_timer_add(q->thread->loop, &q->storm.watch);
}

void back_storm_end(struct back_queue *q)
{
        if (q->storm.held)
                loop_timer_remove(q->thread->loop, &q->storm.hold);
        if (q->storm.watch.arg)
                loop_timer_remove(q->thread->loop, &q->storm.watch);
        crowd_note(&q->storm.busy, false);
        q->storm = (struct back_storm){0};
}
