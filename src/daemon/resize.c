/* SPDX-License-Identifier: MIT */
#include "resize.h"

#include "common/parse.h"
#include "crew.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The target names the size of a ram: disk; the nodes are all that the next
 * daemon knows, so they have to say the new one. */
static int rename_target(struct disk *k, uint64_t size_bytes)
{
        const char *target = k->config.target;
        const char *ram = NULL;
        char *renamed, size[32];

        if (store_keep_fd(k->store) < 0)
                return 0;
        for (const char *at = target; (at = strstr(at, "ram:")); at++) {
                if (at == target || at[-1] == ':')
                        ram = at;
        }
        if (!ram)
                return 0;
        if (asprintf(&renamed, "%.*sram:%s", (int)(ram - target), target,
                     format_size(size, sizeof(size), size_bytes)) < 0)
                return -ENOMEM;
        free(k->config.target);
        k->config.target = renamed;
        return disk_write_target(k);
}

/* Requests past the new end must not be taken any more, and none may be on
 * its way. */
static int begin_shrink(struct disk *k, uint64_t size_bytes, uint64_t old_bytes,
                        struct err *e)
{
        struct back_stats s;

        uint64_t inflight = 0;

        disk_set_sectors(k, size_bytes / SECTOR_BYTES);
        for (unsigned i = 0; i < k->nrings; i++) {
                back_queue_stats(k->rings[i].queue, &s);
                inflight += s.inflight;
        }
        if (inflight == 0)
                return 0;
        disk_set_sectors(k, old_bytes / SECTOR_BYTES);
        return err_set(e, -EBUSY,
                       "the disk is busy: it can be cut only while its guest "
                       "does nothing with it; try again");
}

static int announce(struct disk *k, uint64_t size_bytes, struct err *e)
{
        int ret = rename_target(k, size_bytes);

        if (ret == 0 && k->nrings) {
                disk_set_sectors(k, size_bytes / SECTOR_BYTES);
                ret = disk_write_sectors(k);
        }
        if (ret == 0 || ret == -ENOENT || ret == -ECANCELED)
                return 0;
        return err_set(e, ret,
                       "the disk has its new size, but xenstore could not be "
                       "told: %s",
                       strerror(-ret));
}

int disk_resize(struct disk *k, uint64_t size_bytes, struct err *e)
{
        struct store_info info;
        int ret;

        crew_wait(k->daemon->crew, k);
        if (!k->store)
                return err_set(e, -ENODEV, "the disk is not open: %s",
                               k->error[0] ? k->error : "it is being detached");
        if (k->job != DISK_IDLE)
                return err_set(e, -EBUSY,
                               "the disk is just being connected or closed; "
                               "try again");
        if (size_bytes % k->config.block_bytes)
                return err_set(e, -EINVAL,
                               "the size is no multiple of %u bytes",
                               k->config.block_bytes);
        if (k->config.readonly)
                return err_set(e, -EROFS,
                               "the disk is read-only: its size stays");
        store_info(k->store, &info);
        if (size_bytes < info.size_bytes) {
                ret = begin_shrink(k, size_bytes, info.size_bytes, e);
                if (ret < 0)
                        return ret;
        }
        ret = store_resize(k->store, size_bytes, e);
        if (ret < 0) {
                disk_set_sectors(k, info.size_bytes / SECTOR_BYTES);
                return ret;
        }
        disk_log(k, LOG_LVL_INFO, "resized to %" PRIu64 " bytes", size_bytes);
        return announce(k, size_bytes, e);
}
