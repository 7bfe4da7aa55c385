/* SPDX-License-Identifier: MIT */
/* A queue's two ends: attach builds everything that serving needs, so that no
 * request allocates; detach takes it down in the order that guests rely on. */
#include "queue.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVICT_PERIOD_MS 100u
/* Unmaps in one run of the timer: each is a TLB shootdown. */
#define EVICT_PAGES 64u
/* After its last I/O a kept page stays mapped for so long (data.c says why):
 * the kernel lets go of it within microseconds, if its CPU is let run. */
#define SETTLE_MS 50u

/* ---- attach, on the I/O thread -------------------------------------------*/

static void evict(struct loop_timer *timer)
{
        struct back_queue *q = timer->arg;

        grant_cache_evict(q->cache, loop_now_ms(q->thread->loop), q->p.idle_ms,
                          EVICT_PAGES);
        back_account(q);
        back_stats_sync_cache(q);
}

static int fail(struct back_queue *q, int error, const char *what)
{
        snprintf(q->why, sizeof(q->why), "%s: %s", what, strerror(-error));
        return error;
}

static int open_ring(struct back_queue *q)
{
        int ret;

        ret = xen_grants_map(q->grants->xen, q->p.domid, q->p.ring_refs,
                             1u << q->p.ring_order, true, &q->ring_pages);
        if (ret) {
                q->ring_pages = NULL;
                return fail(q, ret, "cannot map the frontend's ring");
        }
        if (!q->p.reattach) {
                back_ring_init(&q->ring, q->ring_pages, q->p.ring_order,
                               q->p.abi);
                return 0;
        }
        ret = back_ring_attach(&q->ring, q->ring_pages, q->p.ring_order,
                               q->p.abi);
        if (ret)
                return fail(q, ret, "the live ring's indices are impossible");
        if (q->p.only_if_quiet && back_ring_waiting(&q->ring))
                return fail(q, -EBUSY, "the live ring has unanswered requests");
        return 0;
}

static int open_port(struct back_queue *q)
{
        struct back_thread *t = q->thread;
        int ret;

        ret = xen_evtchn_bind_interdomain(t->evtchn, q->p.domid,
                                          q->p.remote_port);
        if (ret < 0)
                return fail(q, ret, "cannot bind the frontend's event channel");
        q->port = ret;
        ret = back_thread_route(t, q->port, q);
        return ret ? fail(q, ret, "cannot route the event channel") : 0;
}

/* Undoes what was done of attach, in whatever state. */
static void close_all(struct back_queue *q)
{
        struct back_thread *t = q->thread;

        if (q->evict.arg)
                loop_timer_remove(t->loop, &q->evict);
        q->evict.arg = NULL;
        back_storm_end(q);
        store_queue_close(q->store);
        q->store = NULL;
        grant_cache_destroy(q->cache);
        q->cache = NULL;
        if (q->ring_pages)
                xen_grants_unmap(q->grants->xen, q->ring_pages,
                                 1u << q->p.ring_order);
        q->ring_pages = NULL;
        if (q->port >= 0)
                back_thread_route(t, q->port, NULL);
        xen_evtchn_unbind(t->evtchn, q->port);
        q->port = -1;
        if (q->attached)
                LIST_REMOVE(q, attached_link);
        q->attached = false;
        if (q->unasked)
                LIST_REMOVE(q, unasked_link);
        q->unasked = false;
        back_account(q);
        back_thread_grants_put(t, q->grants);
        q->grants = NULL;
}

static int open_all(struct back_queue *q)
{
        struct back_thread *t = q->thread;
        int ret;

        q->grants = back_thread_grants_get(t);
        ret = open_ring(q);
        if (ret)
                return ret;
        ret = open_port(q);
        if (ret)
                return ret;
        if (q->p.persistent) {
                ret = grant_cache_create(&q->cache, q->grants->xen, q->p.domid,
                                         q->p.max_persistent);
                if (ret) {
                        q->cache = NULL;
                        return fail(q, ret, "no memory for the grant cache");
                }
                if (t->opts.bounce_mapped)
                        grant_cache_set_settle(q->cache, SETTLE_MS);
                q->evict = (struct loop_timer){
                        .period_ms = EVICT_PERIOD_MS, .fire = evict, .arg = q};
                loop_timer_add(t->loop, &q->evict);
        }
        ret = store_queue_open(q->p.store, t->loop, &q->store);
        if (ret) {
                q->store = NULL;
                return fail(q, ret, "cannot open a queue to the store");
        }
        return 0;
}

static void attach_on_thread(void *arg)
{
        struct back_queue *q = arg;

        q->attach_error = open_all(q);
        if (q->attach_error) {
                close_all(q);
        } else {
                q->attached = true;
                LIST_INSERT_HEAD(&q->thread->attached, q, attached_link);
                back_storm_begin(q);
                q->owes_notify = q->p.reattach;
                back_account(q);
                /* Whatever the frontend put in before the port was bound gave
                 * no event that we could see. */
                back_service_run(q);
        }
        back_control_post(&q->attach_done);
}

static void run_again(void *arg)
{
        struct back_queue *q = arg;

        q->posted = false;
        back_service_run(q);
}

/* ---- detach, on the I/O thread -------------------------------------------*/

static void detach_on_thread(void *arg)
{
        struct back_queue *q = arg;

        q->detaching = true;
        back_thread_mark(q); /* the end of a turn with nothing in flight */
}

static void settled(struct loop_timer *timer)
{
        struct back_queue *q = timer->arg;

        close_all(q);
        back_control_post(&q->detach_done);
}

void back_queue_finish_detach(struct back_queue *q)
{
        if (q->settling)
                return;
        q->settling = true;
        if (!q->cache || !q->thread->opts.bounce_mapped) {
                settled(&(struct loop_timer){.arg = q});
                return;
        }
        /* As with what is mapped for one request (data.c): direct I/O of kept
         * pages said that it is complete, no more. */
        loop_timer_remove(q->thread->loop, &q->evict);
        q->evict = (struct loop_timer){
                .period_ms = SETTLE_MS, .fire = settled, .arg = q};
        loop_timer_add(q->thread->loop, &q->evict);
}

/* ---- the control thread --------------------------------------------------*/

static void free_queue(struct back_queue *q)
{
        bounce_release(&q->bounce);
        bounce_release(&q->big_bounce);
        free(q->descriptors);
        free(q->copies);
        free(q->refs);
        free(q->arrays);
        free(q->answered);
        free(q->requests);
        free(q);
}

static void tell_attached(void *arg)
{
        struct back_queue *q = arg;

        q->attach_fn(q->attach_arg, q->attach_error, q->why);
}

static void tell_broken(void *arg)
{
        struct back_queue *q = arg;

        q->p.trouble(q->attach_arg, q->broken_why);
}

static void tell_unmaps(void *arg)
{
        struct back_queue *q = arg;
        char text[96];

        stat_set(&q->unmaps_posted, 0);
        snprintf(text, sizeof(text),
                 "cannot unmap what it granted: %llu times so far; those "
                 "pages stay mapped",
                 (unsigned long long)stat_get(&q->stats.unmap_failures));
        q->p.trouble(q->attach_arg, text);
}

static void tell_detached(void *arg)
{
        struct back_queue *q = arg;
        back_done fn = q->detach_fn;
        void *fn_arg = q->detach_arg;

        q->thread->queues--;
        free_queue(q);
        fn(fn_arg, 0, "");
}

/* Segments, kept pages and iovecs of all requests in one block: what a ring
 * costs is known when it connects. */
static int allocate_arrays(struct back_queue *q)
{
        size_t max = q->max_segs;
        size_t row = max * (sizeof(struct iovec) + sizeof(struct grant_page *) +
                            sizeof(struct blk_seg));
        char *at = calloc(q->nrequests, row);

        q->arrays = at;
        q->refs = calloc(max, sizeof(*q->refs));
        q->copies = calloc(max, sizeof(*q->copies));
        q->descriptors = calloc(max, BLK_SEG_WIRE_BYTES);
        if (!at || !q->refs || !q->copies || !q->descriptors)
                return -ENOMEM;
        for (uint32_t i = 0; i < q->nrequests; i++, at += row) {
                struct back_request *r = &q->requests[i];

                r->iov = (struct iovec *)(void *)at;
                r->kept = (struct grant_page **)(void *)(r->iov + max);
                r->big_segs = (struct blk_seg *)(void *)(r->kept + max);
        }
        return 0;
}

static int allocate(struct back_queue *q)
{
        uint32_t n = blk_ring_slots(q->p.abi, q->p.ring_order);

        q->nrequests = n;
        q->max_segs = (uint32_t)max_u64(BLK_DIRECT_SEGS,
                                        q->p.limits.max_indirect_segs);
        q->requests = calloc(n, sizeof(*q->requests));
        q->answered = calloc(n, sizeof(*q->answered));
        if (!q->requests || !q->answered)
                return -ENOMEM;
        for (uint32_t i = n; i-- > 0;) {
                q->requests[i].q = q;
                q->requests[i].next = q->free;
                q->free = &q->requests[i];
        }
        q->waiting_last = &q->waiting;
        if (allocate_arrays(q))
                return -ENOMEM;
        if (q->max_segs > BLK_DIRECT_SEGS &&
            bounce_init(&q->big_bounce, BOUNCE_BIG_BLOCKS,
                        (size_t)q->max_segs * GRANT_PAGE_BYTES))
                return -ENOMEM;
        return bounce_init(&q->bounce, n,
                           (size_t)BLK_DIRECT_SEGS * GRANT_PAGE_BYTES);
}

int back_queue_attach(struct back_thread *t, const struct back_queue_params *p,
                      struct back_queue **out, back_done done, void *arg)
{
        struct back_queue *q;
        int ret;

        *out = NULL;
        if (p->ring_order > BLK_MAX_RING_ORDER || !p->store ||
            p->limits.max_indirect_segs > BLK_MAX_INDIRECT_SEGS)
                return -EINVAL;
        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        q->thread = t;
        q->p = *p;
        q->sectors = p->limits.sectors;
        q->port = -1;
        ret = allocate(q);
        if (ret) {
                free_queue(q);
                return ret;
        }
        q->attach_fn = done;
        q->attach_arg = arg;
        q->attach_work = (struct loop_work){.fn = attach_on_thread, .arg = q};
        q->attach_done =
                (struct back_control_work){.fn = tell_attached, .arg = q};
        q->broken = (struct back_control_work){.fn = tell_broken, .arg = q};
        q->unmaps = (struct back_control_work){.fn = tell_unmaps, .arg = q};
        q->detach_work = (struct loop_work){.fn = detach_on_thread, .arg = q};
        q->detach_done =
                (struct back_control_work){.fn = tell_detached, .arg = q};
        q->again = (struct loop_work){.fn = run_again, .arg = q};
        t->queues++;
        loop_post(t->loop, &q->attach_work);
        *out = q;
        return 0;
}

void back_queue_detach(struct back_queue *q, back_done done, void *arg)
{
        q->detach_fn = done;
        q->detach_arg = arg;
        loop_post(q->thread->loop, &q->detach_work);
}

void back_queue_set_sectors(struct back_queue *q, uint64_t sectors)
{
        stat_set(&q->sectors, sectors);
}

struct back_thread *back_queue_thread(const struct back_queue *q)
{
        return q->thread;
}
