/* SPDX-License-Identifier: MIT */
/* Events of xenstore become marks, marks become one look a disk: a guest that
 * writes a watched node a million times costs a look now and then (XSA-349). */
#include "disk.h"

#include "common/parse.h"
#include "fdstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROOT SCAN_ROOT
/* ---- marks -------------------------------------------------------------- */

static void want_work(struct daemon *d)
{
        if (!d->stopping)
                sd_event_source_set_enabled(d->work_source, SD_EVENT_ONESHOT);
}

void scan_mark(struct daemon *d, struct disk *k)
{
        k->dirty = true;
        want_work(d);
}

void scan_mark_all(struct daemon *d)
{
        d->rescan = true;
        want_work(d);
}

/* ---- watches --------------------------------------------------------------
 */

static void front_watch(const struct disk *k, char *path, size_t path_bytes,
                        char *token, size_t token_bytes)
{
        snprintf(path, path_bytes, "%s/state", k->front);
        snprintf(token, token_bytes, "F/%u/%u", k->domid, k->vdev);
}

int scan_watch_front(struct daemon *d, struct disk *k)
{
        char path[XEN_STORE_PATH_BYTES], token[40];
        int ret;

        if (k->watched || !d->store || k->view.gone || k->view.dead)
                return 0;
        front_watch(k, path, sizeof(path), token, sizeof(token));
        ret = xen_store_watch(d->store, path, token);
        if (ret == -EEXIST)
                ret = 0;
        k->watched = ret == 0;
        if (ret < 0)
                disk_log(k, LOG_LVL_ERR, "cannot watch the frontend: %s",
                         strerror(-ret));
        return ret;
}

void scan_unwatch_front(struct daemon *d, struct disk *k)
{
        char path[XEN_STORE_PATH_BYTES], token[40];

        if (!k->watched || !d->store)
                return;
        front_watch(k, path, sizeof(path), token, sizeof(token));
        /* libxenstore leaks the events that an unwatch filters out. */
        (void)scan_drain(d);
        xen_store_unwatch(d->store, path, token);
        k->watched = false;
}

/* "DOM/VDEV" or "DOM/VDEV/…". */
static bool parse_ids(const char *s, uint32_t *domid, uint32_t *vdev)
{
        char first[16], second[16];
        uint64_t a, b;

        if (sscanf(s, "%15[0-9]/%15[0-9]", first, second) != 2 ||
            parse_u64(first, UINT16_MAX, &a) < 0 ||
            parse_u64(second, UINT32_MAX, &b) < 0)
                return false;
        *domid = (uint32_t)a;
        *vdev = (uint32_t)b;
        return true;
}

static void mark_ids(struct daemon *d, const char *ids, bool create)
{
        uint32_t domid, vdev;
        struct disk *k;

        if (!parse_ids(ids, &domid, &vdev)) {
                if (create)
                        scan_mark_all(d);
                return;
        }
        k = disk_find(d, domid, vdev);
        if (!k && create)
                k = disk_create(d, domid, vdev);
        if (k)
                scan_mark(d, k);
}

void scan_event(struct daemon *d, const char *path, const char *token)
{
        const size_t root = strlen(ROOT);

        if (strncmp(token, "F/", 2) == 0)
                mark_ids(d, token + 2, false);
        else if (strcmp(token, "D") == 0)
                scan_mark_all(d);
        else if (strcmp(token, "B") == 0 && strncmp(path, ROOT, root) == 0 &&
                 path[root] == '/')
                mark_ids(d, path + root + 1, true);
        else
                scan_mark_all(d);
}

/* ---- work -------------------------------------------------------------------
 */

static void add_disks_of(struct daemon *d, const char *domain)
{
        CLEANUP_FREE char **vdevs = NULL;
        char path[XEN_STORE_PATH_BYTES], ids[64];
        unsigned n = 0;

        snprintf(path, sizeof(path), ROOT "/%.16s", domain);
        if (xen_store_list(d->store, path, &vdevs, &n) < 0)
                return;
        for (unsigned i = 0; i < n; i++) {
                uint32_t domid, vdev;

                snprintf(ids, sizeof(ids), "%.16s/%.16s", domain, vdevs[i]);
                if (parse_ids(ids, &domid, &vdev) && !disk_find(d, domid, vdev))
                        (void)disk_create(d, domid, vdev);
        }
}

static void list_disks(struct daemon *d)
{
        CLEANUP_FREE char **domains = NULL;
        unsigned n = 0;

        if (d->store && xen_store_list(d->store, ROOT, &domains, &n) == 0) {
                for (unsigned i = 0; i < n; i++)
                        add_disks_of(d, domains[i]);
        }
        for (struct disk *k = d->disks; k; k = k->next)
                k->dirty = true;
}

int scan_work(sd_event_source *src, void *arg)
{
        struct daemon *d = arg;
        struct disk *k, *next;

        if (d->stopping)
                return 0;
        if (d->rescan) {
                d->rescan = false;
                list_disks(d);
        }
        for (k = d->disks; k && d->store; k = next) {
                next = k->next;
                if (!k->dirty)
                        continue;
                k->dirty = false;
                disk_reconcile(k);
        }
        if (!d->swept && d->store) {
                d->swept = true;
                fdstore_drop_unclaimed();
        }
        return 0;
}
