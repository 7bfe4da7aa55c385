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
                .block_bytes = k->config.block_bytes,
                .readonly = k->config.readonly,
                .max_indirect_segs = OFFERED_INDIRECT_SEGS,
                .flush = info.can_flush,
                .barrier = info.can_flush,
                .discard = info.can_discard && k->config.discard &&
                           !k->config.readonly,
        };
        lim->discard_secure = lim->discard && info.can_discard_secure;
}

static unsigned least_busy_thread(const struct daemon *d)
{
        unsigned best = 0;

        for (unsigned i = 1; i < d->nthreads; i++) {
                if (back_thread_queues(d->threads[i]) <
                    back_thread_queues(d->threads[best]))
                        best = i;
        }
        return best;
}

static void take_budget(struct disk *k, struct budget_share *share)
{
        uint32_t slots = blk_ring_slots(k->keys.abi, k->keys.ring_order);
        uint32_t asked = 0;

        if (k->params.persistent)
                asked = k->config.cap_given
                                ? k->config.cap
                                : budget_default_cap(slots,
                                                     OFFERED_INDIRECT_SEGS);
        budget_take(&k->daemon->budget, 1u << k->keys.ring_order, slots, asked,
                    share);
        k->params.max_persistent = share->cap;
        if (share->cap < asked)
                disk_log(k, LOG_LVL_WARNING,
                         "keeps at most %u guest pages mapped instead of %u: "
                         "the budget of %llu mappings is used up (raise "
                         "vm.max_map_count and --map-budget)",
                         share->cap, asked,
                         (unsigned long long)k->daemon->budget.total);
}

/* The ring is served; say so. What is written is an event that has us look
 * again; where nothing is, nobody else would. */
static bool announce(struct disk *k)
{
        int ret;

        k->connected_due = false;
        ret = k->reattached ? disk_write_sectors(k) : disk_write_connected(k);
        if (ret == -ENOTCONN || ret == -EAGAIN) {
                k->connected_due = true; /* as soon as xenstore takes it */
        } else if (ret < 0 && ret != -ENOENT && ret != -ECANCELED) {
                disk_fail(k, "cannot write the disk's nodes: %s",
                          strerror(-ret));
        } else if (ret == 0) {
                k->error[0] = '\0';
                disk_log(k, LOG_LVL_INFO,
                         "%s, queues %u, ring order %u, "
                         "grants %s",
                         k->reattached ? "serves the live ring again"
                                       : "connected",
                         k->nrings, k->keys.ring_order,
                         k->params.persistent
                                 ? "persistent"
                                 : back_grants_name(k->params.grants));
        }
        return ret == 0;
}

void disk_announce_due(struct disk *k)
{
        if (k->connected_due)
                (void)announce(k);
}

/* All rings are served, or one of them cannot be: then none is. */
static void attach_end(struct disk *k)
{
        bool written = false;

        k->job = DISK_IDLE;
        if (k->attach_failed)
                disk_fail(k, "%s", k->attach_error.text);
        else if (k->daemon->stopping)
                disk_stop(k);
        else
                written = announce(k);
        if (k->job == DISK_IDLE && !written)
                scan_mark(k->daemon, k);
}

static void note_attach_error(struct disk *k, const char *why)
{
        if (!k->attach_failed)
                err_set(&k->attach_error, -EIO,
                        "cannot serve the frontend's ring: %s", why);
        k->attach_failed = true;
}

/* All have reported. The rest needs xenstore, so that it is the crew's. */
static void due(struct disk *k)
{
        if (k->daemon->stopping && !k->crewed)
                disk_settle(k);
        else
                scan_mark_parts(k->daemon, k, 0);
}

static void attached(void *arg, int error, const char *why)
{
        struct disk *k = arg;

        if (error)
                note_attach_error(k, why && *why ? why : strerror(-error));
        if (--k->pending == 0)
                due(k);
}

static void trouble(void *arg, const char *what)
{
        disk_log(arg, LOG_LVL_WARNING, "%s", what);
}

static void set_params(struct disk *k, bool reattach, bool only_if_quiet)
{
        struct back_queue_params *p = &k->params;

        *p = (struct back_queue_params){
                .domid = k->domid,
                .ring_order = k->keys.ring_order,
                .abi = k->keys.abi,
                .persistent = k->keys.persistent,
                .grants = disk_offers_persistent(k) ? BACK_AUTO
                                                    : k->config.grants,
                .idle_ms = k->daemon->options.idle_ms,
                .store = k->store,
                .reattach = reattach,
                .only_if_quiet = only_if_quiet,
                .trouble = trouble,
        };
        disk_limits(k, &p->limits);
}

/* Each ring has caps of its own, and goes to the thread that has the fewest:
 * as many rings as threads means one each. */
static int attach_ring(struct disk *k, const struct connect_ring *keys)
{
        struct disk_ring *r = &k->rings[k->nrings];
        int ret;

        memcpy(k->params.ring_refs, keys->refs, sizeof(k->params.ring_refs));
        k->params.remote_port = keys->event_channel;
        take_budget(k, &r->share);
        r->disk = k;
        r->io_thread = least_busy_thread(k->daemon);
        ret = back_queue_attach(k->daemon->threads[r->io_thread], &k->params,
                                &r->queue, attached, k);
        if (ret < 0) {
                budget_give(&k->daemon->budget, &r->share);
                return ret;
        }
        k->nrings++;
        k->pending++;
        return 0;
}

void disk_attach(struct disk *k, bool reattach, bool only_if_quiet)
{
        int ret = 0;

        set_params(k, reattach, only_if_quiet);
        k->reattached = reattach;
        k->attach_failed = false;
        k->connections++;
        k->job = DISK_ATTACHING;
        for (unsigned i = 0; i < k->keys.nrings && ret == 0; i++)
                ret = attach_ring(k, &k->keys.rings[i]);
        if (ret < 0)
                note_attach_error(k, strerror(-ret));
        if (!k->pending)
                attach_end(k);
}

/* Nothing is held any more. */
static void let_go(struct disk *k)
{
        struct daemon *d = k->daemon;

        switch (k->after) {
        case DISK_AFTER_CLOSE:
                /* Who sees state 6 may use the image elsewhere at once. */
                if (!k->view.online)
                        disk_close_store(k);
                disk_forget_ring_keys(k);
                (void)disk_write_closed(k);
                break;
        case DISK_AFTER_REMOVE:
                disk_close_store(k);
                if (disk_remove_nodes(k) == -EAGAIN) {
                        disk_pause(k);
                        return;
                }
                k->removed = true;
                scan_mark_all(d);
                return;
        case DISK_AFTER_RESTART:
                /* In state 2 the disk is still the same one, only its frontend
                 * went away while it was being connected: what ram: holds is
                 * to stay. */
                if (k->view.own == XENBUS_INITIALISING)
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
        struct disk_ring *r = arg;
        struct disk *k = r->disk;

        r->queue = NULL;
        if (--k->pending == 0)
                due(k);
}

static void detach_end(struct disk *k)
{
        for (unsigned i = 0; i < k->nrings; i++)
                budget_give(&k->daemon->budget, &k->rings[i].share);
        k->nrings = 0;
        k->job = DISK_IDLE;
        k->connected_due = false;
        let_go(k);
}

void disk_settle(struct disk *k)
{
        if (k->job == DISK_ATTACHING)
                attach_end(k);
        else if (k->job == DISK_DETACHING)
                detach_end(k);
        if (k->daemon->stopping)
                scan_mark(k->daemon, k);
}

bool disk_is_settled(const struct disk *k)
{
        return k->job == DISK_IDLE;
}

void disk_detach(struct disk *k, enum disk_after after)
{
        k->after = after;
        if (!k->nrings) {
                let_go(k);
                return;
        }
        k->job = DISK_DETACHING;
        k->pending = k->nrings;
        for (unsigned i = 0; i < k->nrings; i++)
                back_queue_detach(k->rings[i].queue, detached, &k->rings[i]);
}

void disk_set_sectors(struct disk *k, uint64_t sectors)
{
        for (unsigned i = 0; i < k->nrings; i++)
                back_queue_set_sectors(k->rings[i].queue, sectors);
}
