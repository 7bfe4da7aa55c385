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
        info->max_transfer_bytes = FRONT_PART_BYTES;
        info->readonly = f->readonly;
        info->can_flush = f->flush || f->barrier;
        info->can_discard = f->discard;
        info->removable = f->removable;
        info->cdrom = f->cdrom;
        info->persistent = f->persistent && d->opts.persistent;
        info->untrusted = d->untrusted;
        info->discard_granularity_bytes = f->discard_granularity_bytes;
        info->ring_order = d->order;
        info->ring_slots = d->shadow.slots;
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

void eg_stats(struct eg_disk *d, struct eg_stats *stats)
{
        struct grant_pool_stats s = {0};

        pthread_mutex_lock(&d->lock);
        if (d->pool)
                grant_pool_stats(d->pool->grants, &s);
        *stats = d->stats;
        stats->state = public_state(d);
        stats->inflight = d->shadow.used;
        stats->waiting = d->waiting.n;
        stats->pool_pages = s.pages;
        stats->pool_taken = s.taken;
        stats->pool_taken_high =
                max_u64(s.taken_high, d->stats.pool_taken_high);
        stats->pool_empty += s.empty;
        stats->share_calls = d->past_shares + s.share_calls;
        stats->unshare_calls = d->past_unshares + s.unshare_calls;
        pthread_mutex_unlock(&d->lock);
}
