/* SPDX-License-Identifier: MIT */
/* Disks that a former daemon served: open what they had open, go on where it
 * stopped. What must never happen here is that a guest's acknowledged writes
 * are gone, or that a request is done twice against later ones. */
#include "disk.h"

#include "fdstore.h"

#include <errno.h>
#include <string.h>

/* Made anew: whatever is kept belongs to a disk that was here. */
static bool is_new(const struct disk *k)
{
        return k->view.own == XENBUS_INITIALISING ||
               k->view.hook != DISK_HOOK_DONE;
}

/* A disk that was connected once has contents; in memory that nobody held
 * they are lost, and zeroes are not what the guest wrote. */
static int check_contents(struct disk *k, bool kept, struct err *e)
{
        CLEANUP_FREE char *sectors = NULL;

        if (kept || is_new(k) || store_keep_fd(k->store) < 0 ||
            disk_read(k, "sectors", &sectors) == -ENOENT)
                return 0;
        return err_set(
                e, -ESTALE,
                "the contents of %s are lost: they were in the memory of "
                "an evergrantd that has ended, and nothing kept them "
                "(systemd does, see evergrantd(8)); detach the disk and "
                "attach it anew",
                k->config.target);
}

int disk_open_store(struct disk *k, struct err *e)
{
        struct store_open_opts opts = {
                .readonly = k->config.readonly,
                .no_uring = k->daemon->options.no_uring,
                .kept_fd = -1,
        };
        int ret;

        if (!is_new(k))
                opts.kept_fd = fdstore_claim(k->domid, k->vdev);
        ret = store_open(k->config.target, &opts, &k->store, e);
        if (ret < 0) {
                k->store = NULL;
                if (opts.kept_fd >= 0)
                        close(opts.kept_fd);
                return ret;
        }
        ret = check_contents(k, opts.kept_fd >= 0, e);
        if (ret < 0) {
                store_close(k->store);
                k->store = NULL;
                return ret;
        }
        if (store_keep_fd(k->store) >= 0)
                fdstore_push(k->domid, k->vdev, store_keep_fd(k->store));
        return 0;
}

int disk_adopt(struct disk *k)
{
        switch (k->view.own) {
        case XENBUS_INIT_WAIT:
        case XENBUS_INITIALISED:
        case XENBUS_CONNECTED:
        case XENBUS_CLOSING:
        case XENBUS_CLOSED:
                break;
        default:
                return 0; /* the table decides */
        }
        if (k->view.hook != DISK_HOOK_DONE)
                return 0; /* the same */
        if (!k->view.online && k->view.own != XENBUS_CONNECTED)
                return 0; /* on its way out, needs no store */
        disk_log(k, LOG_LVL_INFO, "found in state %s",
                 xenbus_state_name(k->view.own));
        return disk_prepare(k);
}

/* What was offered then, not what would be offered today. */
static int read_negotiated(struct disk *k, struct err *e)
{
        uint64_t order, queues, persistent, block;
        struct connect_offer offer;
        int ret;

        if (disk_read_number(k, "max-ring-page-order", BLK_MAX_RING_ORDER, 0,
                             &order) < 0 ||
            disk_read_number(k, "multi-queue-max-queues", CONNECT_MAX_QUEUES, 1,
                             &queues) < 0 ||
            disk_read_number(k, "feature-persistent", 1, 0, &persistent) < 0 ||
            disk_read_number(k, "sector-size", GRANT_PAGE_BYTES, SECTOR_BYTES,
                             &block) < 0 ||
            (block != SECTOR_BYTES && block != GRANT_PAGE_BYTES))
                return err_set(e, -EINVAL,
                               "what the former daemon wrote cannot be read");
        offer = (struct connect_offer){(unsigned)order, (unsigned)queues};
        if (k->kind == DISK_XL)
                offer = disk_offer(k);
        ret = disk_front_keys(k, &offer, &k->keys, e);
        k->config.block_bytes = (uint32_t)block;
        if (persistent == 0)
                k->keys.persistent = false;
        return ret;
}

void disk_reattach(struct disk *k)
{
        CLEANUP_FREE char *mark = NULL;
        struct err e = {0};
        bool clean;

        if (!k->store && disk_prepare(k) < 0)
                return;
        clean = disk_read(k, "eg-stopped", &mark) == 0 &&
                strcmp(mark, "clean") == 0;
        if (read_negotiated(k, &e) < 0) {
                if (disk_store_answers(k))
                        disk_fail(k, "%s", e.text);
                else
                        scan_store_trouble(k->daemon);
                return;
        }
        /* Before anything is taken from the ring: if we crash from here on,
         * the next one must not believe the mark. */
        if (disk_clear_stopped(k) < 0)
                return;
        if (!clean)
                disk_log(k, LOG_LVL_WARNING,
                         "the former evergrantd did not stop cleanly; serves "
                         "the ring again only if nothing was in flight");
        disk_attach(k, true, !clean);
}
