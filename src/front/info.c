/* SPDX-License-Identifier: MIT */
#include "front.h"

#include <errno.h>
#include <string.h>

void eg_info(struct eg_disk *d, struct eg_info *info)
{
        const struct front_facts *f = &d->facts;

        memset(info, 0, sizeof(*info));
        pthread_mutex_lock(&d->lock);
        info->size_bytes = f->sectors * SECTOR_BYTES;
        info->block_bytes = f->block_bytes;
        info->physical_block_bytes = f->physical_bytes;
        info->max_transfer_bytes = f->segs * GRANT_PAGE_BYTES;
        info->readonly = f->readonly;
        info->can_flush = f->flush || f->barrier;
        info->can_discard = f->discard;
        info->can_discard_secure = f->discard_secure;
        info->removable = f->removable;
        info->cdrom = f->cdrom;
        info->persistent = f->persistent && d->opts.persistent;
        info->untrusted = d->untrusted;
        info->discard_granularity_bytes = f->discard_granularity_bytes;
        info->ring_order = d->order;
        info->ring_slots = d->queue[0].shadow.slots;
        info->queues = d->nqueues;
        info->indirect_segs = f->segs > BLK_DIRECT_SEGS ? f->segs : 0;
        info->vdev = d->vdev;
        info->backend_domid = d->backend_domid;
        pthread_mutex_unlock(&d->lock);
}

static enum eg_state public_state(const struct eg_disk *d)
{
        if (d->state == FRONT_CONNECTED)
                return EG_STATE_CONNECTED;
        if (d->state != FRONT_DEAD)
                return EG_STATE_CONNECTING;
        return front_dead_error(d) == -ENODEV ? EG_STATE_GONE : EG_STATE_ERROR;
}

static void pools_stats(const struct eg_disk *d, struct grant_pool_stats *sum)
{
        memset(sum, 0, sizeof(*sum));
        for (unsigned i = 0; i < d->nqueues; i++) {
                struct grant_pool_stats s;

                if (!d->queue[i].pool)
                        continue;
                grant_pool_stats(d->queue[i].pool->grants, &s);
                sum->pages += s.pages;
                sum->taken += s.taken;
                sum->taken_high += s.taken_high;
                sum->share_calls += s.share_calls;
                sum->unshare_calls += s.unshare_calls;
                sum->empty += s.empty;
        }
}

void eg_stats(struct eg_disk *d, struct eg_stats *stats)
{
        struct grant_pool_stats s;

        pthread_mutex_lock(&d->lock);
        pools_stats(d, &s);
        *stats = d->stats;
        stats->state = public_state(d);
        stats->inflight = front_inflight(d);
        stats->waiting = d->waiting.n;
        stats->polls = d->polling.n.looks;
        stats->poll_finds = d->polling.n.finds;
        stats->pool_pages = s.pages;
        stats->pool_taken = s.taken;
        stats->pool_taken_high =
                max_u64(s.taken_high, d->stats.pool_taken_high);
        stats->pool_empty += s.empty;
        stats->share_calls = d->past_shares + s.share_calls;
        stats->unshare_calls = d->past_unshares + s.unshare_calls;
        pthread_mutex_unlock(&d->lock);
}
