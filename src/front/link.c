/* SPDX-License-Identifier: MIT */
/* What one connection holds: ring pages, port, pool. Made anew each time. */
#include "front.h"

#include <errno.h>
#include <string.h>

static int pool_create(struct eg_disk *d)
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
        d->pool = p;
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
        if (p && p != d->pool && !p->bufs)
                pool_destroy(d, p);
}

int front_link_create(struct eg_disk *d, struct err *e)
{
        int ret;

        ret = xen_shares_share(d->shares, d->backend_domid, 1u << d->order,
                               true, d->ring_refs, &d->ring_pages);
        if (ret < 0) {
                d->ring_pages = NULL;
                return err_set(e, ret, "cannot share %u pages for the ring: %s",
                               1u << d->order, strerror(-ret));
        }
        d->past_shares++;
        front_ring_init(&d->ring, d->ring_pages, d->order, FRONT_ABI);
        front_shadow_init(&d->shadow,
                          (uint32_t)min_u64(d->ring.slots, FRONT_MAX_SLOTS));
        ret = xen_evtchn_bind_unbound(d->evtchn, d->backend_domid);
        if (ret < 0) {
                err_set(e, ret, "cannot make an event channel: %s",
                        strerror(-ret));
                goto drop;
        }
        d->port = ret;
        ret = pool_create(d);
        if (ret < 0) {
                err_set(e, ret, "cannot make the page pool: %s",
                        strerror(-ret));
                goto drop;
        }
        return 0;
drop:
        front_link_drop(d);
        return ret;
}

void front_link_drop(struct eg_disk *d)
{
        struct front_pool *pool = d->pool;
        struct front_part *p;

        while ((p = front_shadow_oldest(&d->shadow)))
                front_part_park(d, p);
        xen_evtchn_unbind(d->evtchn, d->port);
        d->port = -1;
        if (d->ring_pages) {
                xen_shares_unshare(d->shares, d->ring_pages, 1u << d->order);
                d->past_unshares++;
        }
        d->ring_pages = NULL;
        memset(&d->ring, 0, sizeof(d->ring));
        front_shadow_init(&d->shadow, 0);
        d->pool = NULL;
        front_pool_release(d, pool);
}
