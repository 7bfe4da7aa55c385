/* SPDX-License-Identifier: MIT */
/* What one connection holds: rings with their pages, ports and pools. Made anew
 * each time. */
#include "front.h"

#include <errno.h>
#include <string.h>

static int pool_create(struct eg_disk *d, struct front_queue *q)
{
        struct front_pool *p = calloc(1, sizeof(*p));
        int ret;

        if (!p)
                return -ENOMEM;
        ret = grant_pool_create(&p->grants, d->shares, d->backend_domid,
                                d->opts.pool_pages);
        if (ret < 0) {
                free(p);
                return ret;
        }
        p->queue = q;
        q->pool = p;
        return 0;
}

static void pool_destroy(struct eg_disk *d, struct front_pool *p)
{
        struct grant_pool_stats s;

        grant_pool_stats(p->grants, &s);
        d->past_shares += s.share_calls;
        d->past_unshares += s.share_calls; /* all of them, now */
        if (s.taken_high > d->stats.pool_taken_high)
                d->stats.pool_taken_high = s.taken_high;
        d->stats.pool_empty += s.empty;
        grant_pool_destroy(p->grants);
        free(p);
}

/* Buffers keep their pages, and with them the pool, until they are freed. */
void front_pool_release(struct eg_disk *d, struct front_pool *p)
{
        if (p && !p->queue && !p->bufs)
                pool_destroy(d, p);
}

static int queue_create(struct eg_disk *d, struct front_queue *q, struct err *e)
{
        int ret;

        memset(q, 0, sizeof(*q));
        q->port = -1;
        ret = xen_shares_share(d->shares, d->backend_domid, 1u << d->order,
                               true, q->ring_refs, &q->ring_pages);
        if (ret < 0) {
                q->ring_pages = NULL;
                return err_set(e, ret,
                               "cannot share %u pages for the ring: %s%s",
                               1u << d->order, strerror(-ret),
                               ret == -ENOSPC ? "; raise this domain's "
                                                "limit, " FRONT_SHARE_LIMIT
                                              : "");
        }
        d->past_shares++;
        front_ring_init(&q->ring, q->ring_pages, d->order, FRONT_ABI);
        front_shadow_init(&q->shadow,
                          (uint32_t)min_u64(q->ring.slots, FRONT_MAX_SLOTS));
        ret = xen_evtchn_bind_unbound(d->evtchn, d->backend_domid);
        if (ret < 0)
                return err_set(e, ret, "cannot make an event channel: %s",
                               strerror(-ret));
        q->port = ret;
        ret = pool_create(d, q);
        if (ret < 0)
                return err_set(e, ret, "cannot make the page pool: %s",
                               strerror(-ret));
        return 0;
}

int front_link_create(struct eg_disk *d, unsigned queues, struct err *e)
{
        int ret = 0;

        for (unsigned i = 0; ret == 0 && i < queues; i++) {
                d->nqueues = i + 1;
                ret = queue_create(d, &d->queue[i], e);
        }
        if (ret < 0)
                front_link_drop(d);
        return ret;
}

static void queue_drop(struct eg_disk *d, struct front_queue *q)
{
        struct front_pool *pool = q->pool;
        struct front_part *p;

        while ((p = front_shadow_oldest(&q->shadow)))
                front_part_park(d, p);
        xen_evtchn_unbind(d->evtchn, q->port);
        if (q->ring_pages) {
                xen_shares_unshare(d->shares, q->ring_pages, 1u << d->order);
                d->past_unshares++;
        }
        memset(q, 0, sizeof(*q));
        q->port = -1;
        if (pool)
                pool->queue = NULL;
        front_pool_release(d, pool);
}

void front_link_drop(struct eg_disk *d)
{
        for (unsigned i = 0; i < d->nqueues; i++)
                queue_drop(d, &d->queue[i]);
        d->nqueues = 0;
}

uint32_t front_inflight(const struct eg_disk *d)
{
        uint32_t n = 0;

        for (unsigned i = 0; i < d->nqueues; i++)
                n += d->queue[i].shadow.used;
        return n;
}

struct front_queue *front_queue_idlest(struct eg_disk *d)
{
        struct front_queue *best = NULL;

        for (unsigned i = 0; i < d->nqueues; i++) {
                struct front_queue *q = &d->queue[i];

                if (q->shadow.used < q->shadow.slots &&
                    (!best || q->shadow.used < best->shadow.used))
                        best = q;
        }
        return best;
}
