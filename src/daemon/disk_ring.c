/* SPDX-License-Identifier: MIT */
/* Between a disk and its I/O thread: attach, detach, and what comes back. */
#include "disk.h"

#include "ring/back_ring.h"

#include <errno.h>
#include <string.h>

bool disk_offers_persistent(const struct disk *k)
{
        /* A guest should not copy into its pool for a backend that does not
         * keep the pages (PROTOCOL.md Q11). */
        return k->config.grants == BACK_AUTO ||
               k->config.grants == BACK_PERSISTENT;
}

/* Segments of an indirect request, as xen-blkback offers: 1 MiB. */
#define OFFERED_INDIRECT_SEGS 256u

void disk_limits(const struct disk *k, struct blk_limits *lim)
{
        struct store_info info;

        store_info(k->store, &info);
        *lim = (struct blk_limits){
                .sectors = info.size_bytes / SECTOR_BYTES,
                .block_bytes = SECTOR_BYTES,
                .readonly = k->config.readonly,
                .max_indirect_segs = OFFERED_INDIRECT_SEGS,
                .flush = info.can_flush,
                .barrier = info.can_flush,
                .discard = info.can_discard && k->config.discard &&
                           !k->config.readonly,
        };
}

unsigned disk_io_thread(const struct disk *k)
{
        const struct daemon *d = k->daemon;
        unsigned i = 0;

        while (i + 1 < d->nthreads &&
               d->threads[i] != back_queue_thread(k->queue))
                i++;
        return i;
}

static struct back_thread *least_busy_thread(struct daemon *d)
{
        struct back_thread *best = d->threads[0];

        for (unsigned i = 1; i < d->nthreads; i++) {
                if (back_thread_queues(d->threads[i]) <
                    back_thread_queues(best))
                        best = d->threads[i];
        }
        return best;
}

static void take_budget(struct disk *k, uint32_t slots)
{
        uint32_t asked = 0;

        if (k->params.persistent)
                asked = k->config.cap_given
                                ? k->config.cap
                                : budget_default_cap(slots,
                                                     OFFERED_INDIRECT_SEGS);
        budget_take(&k->daemon->budget, 1u << k->keys.ring_order, slots, asked,
                    &k->share);
        k->params.max_persistent = k->share.cap;
        if (k->share.cap < asked)
                disk_log(k, LOG_LVL_WARNING,
                         "keeps at most %u guest pages mapped instead of %u: "
                         "the budget of %llu mappings is used up (raise "
                         "vm.max_map_count and --map-budget)",
                         k->share.cap, asked,
                         (unsigned long long)k->daemon->budget.total);
}

/* The ring is served; say so. */
static void announce(struct disk *k)
{
        int ret;

        k->connected_due = false;
        ret = k->reattached ? disk_write_sectors(k) : disk_write_connected(k);
        if (ret == -ENOTCONN) {
                k->connected_due = true; /* as soon as there is a xenstore */
        } else if (ret < 0 && ret != -ENOENT && ret != -ECANCELED) {
                disk_fail(k, "cannot write the disk's nodes: %s",
                          strerror(-ret));
        } else if (ret == 0) {
                k->error[0] = '\0';
                disk_log(k, LOG_LVL_INFO, "%s, ring order %u, grants %s",
                         k->reattached ? "serves the live ring again"
                                       : "connected",
                         k->keys.ring_order,
                         k->params.persistent
                                 ? "persistent"
                                 : back_grants_name(k->params.grants));
        }
}

void disk_announce_due(struct disk *k)
{
        if (k->connected_due)
                announce(k);
}

static void attached(void *arg, int error, const char *why)
{
        struct disk *k = arg;

        k->job = DISK_IDLE;
        if (error)
                disk_fail(k, "cannot serve the frontend's ring: %s",
                          why && *why ? why : strerror(-error));
        else if (k->daemon->stopping)
                disk_stop(k);
        else
                announce(k);
        if (k->job == DISK_IDLE)
                scan_mark(k->daemon, k);
}

void disk_attach(struct disk *k, bool reattach, bool only_if_quiet)
{
        struct back_queue_params *p = &k->params;
        int ret;

        *p = (struct back_queue_params){
                .domid = k->domid,
                .ring_order = k->keys.ring_order,
                .remote_port = k->keys.event_channel,
                .abi = k->keys.abi,
                .persistent = k->keys.persistent,
                .grants = disk_offers_persistent(k) ? BACK_AUTO
                                                    : k->config.grants,
                .idle_ms = k->daemon->options.idle_ms,
                .store = k->store,
                .reattach = reattach,
                .only_if_quiet = only_if_quiet,
        };
        memcpy(p->ring_refs, k->keys.ring_refs, sizeof(p->ring_refs));
        disk_limits(k, &p->limits);
        take_budget(k, blk_ring_slots(p->abi, p->ring_order));
        k->reattached = reattach;
        k->job = DISK_ATTACHING;
        ret = back_queue_attach(least_busy_thread(k->daemon), p, &k->queue,
                                attached, k);
        if (ret == 0)
                return;
        k->queue = NULL;
        k->job = DISK_IDLE;
        budget_give(&k->daemon->budget, &k->share);
        disk_fail(k, "cannot serve the frontend's ring: %s", strerror(-ret));
}

/* Nothing is held any more. May destroy k. */
static void let_go(struct disk *k)
{
        struct daemon *d = k->daemon;

        switch (k->after) {
        case DISK_AFTER_CLOSE:
                /* Who sees state 6 may use the image elsewhere at once. */
                if (!k->view.online)
                        disk_close_store(k);
                disk_forget_ring_keys(k);
                (void)disk_write_state(k, XENBUS_CLOSED);
                break;
        case DISK_AFTER_REMOVE:
                disk_close_store(k);
                (void)disk_remove_nodes(k);
                disk_destroy(k);
                scan_mark_all(d);
                return;
        case DISK_AFTER_RESTART:
                disk_close_store(k);
                break;
        case DISK_AFTER_STOP:
                if (!k->connected_due)
                        (void)disk_write_stopped(k);
                break;
        }
        scan_mark(d, k);
}

static void detached(void *arg, int error, const char *why)
{
        struct disk *k = arg;
        struct daemon *d = k->daemon;

        k->queue = NULL;
        k->job = DISK_IDLE;
        k->connected_due = false;
        budget_give(&d->budget, &k->share);
        let_go(k);
        if (d->stopping)
                daemon_stop_check(d);
}

void disk_detach(struct disk *k, enum disk_after after)
{
        k->after = after;
        if (!k->queue) {
                let_go(k);
                return;
        }
        k->job = DISK_DETACHING;
        back_queue_detach(k->queue, detached, k);
}
