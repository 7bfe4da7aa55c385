/* SPDX-License-Identifier: MIT */
/* Events of xenstore become marks, marks become one look a disk: a guest that
 * writes a watched node a million times costs a look now and then (XSA-349). */
#include "crew.h"
#include "disk.h"

#include "common/parse.h"
#include "fdstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- marks -------------------------------------------------------------- */

void scan_mark_parts(struct daemon *d, struct disk *k, unsigned parts)
{
        k->dirty = true;
        k->stale |= parts;
}

void scan_mark(struct daemon *d, struct disk *k)
{
        scan_mark_parts(d, k, DISK_LOOK_ALL);
}

void scan_mark_all(struct daemon *d)
{
        d->rescan = true;
}

void scan_hurry(struct daemon *d)
{
        d->hurry_due = true;
}

void scan_store_trouble(struct daemon *d)
{
        d->trouble = true;
}

/* ---- watches --------------------------------------------------------------
 */

static void front_watch(const struct disk *k, char *path, size_t path_bytes,
                        char *token, size_t token_bytes)
{
        snprintf(path, path_bytes, "%s/state", k->front);
        /* Two kinds may have a disk of the same name, if only for a moment. */
        snprintf(token, token_bytes, "F%d/%u/%u", k->kind, k->domid, k->vdev);
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

/* The disk, also if it was not known before. NULL: not ours, or no memory. */
static struct disk *discover(struct daemon *d, enum disk_kind kind,
                             uint32_t domid, uint32_t vdev)
{
        char base[sizeof(((struct disk *)0)->base)];
        struct disk *k = disk_find(d, kind, domid, vdev);

        if (k)
                return k;
        snprintf(base, sizeof(base), "%s/%u/%u", disk_root(kind), domid, vdev);
        if (kind == DISK_XL && disk_check_script(d->store, base) < 0)
                return NULL;
        return disk_create(d, kind, domid, vdev);
}

static void front_event(struct daemon *d, enum disk_kind kind, const char *ids)
{
        uint32_t domid, vdev;
        struct disk *k;

        if (!parse_ids(ids, &domid, &vdev))
                return;
        k = disk_find(d, kind, domid, vdev);
        if (k)
                scan_mark_parts(d, k, DISK_LOOK_FRONT);
}

/* Of "DOM/VDEV/KEY"; "" if there is none. */
static const char *key_of(const char *ids)
{
        const char *slash = strchr(ids, '/');

        slash = slash ? strchr(slash + 1, '/') : NULL;
        return slash ? slash + 1 : "";
}

/* False: it tells of no one disk. */
static bool back_event(struct daemon *d, enum disk_kind kind, const char *path)
{
        const size_t root = strlen(disk_root(kind));
        uint32_t domid, vdev;
        unsigned parts;
        struct disk *k;

        if (strncmp(path, disk_root(kind), root) != 0 || path[root] != '/' ||
            !parse_ids(path + root + 1, &domid, &vdev))
                return false;
        parts = disk_look_parts(key_of(path + root + 1));
        k = parts ? discover(d, kind, domid, vdev) : NULL;
        if (k)
                scan_mark_parts(d, k, parts);
        return true;
}

/* Tokens: "D"; "F" or "B" with the kind's digit, and "/DOM/VDEV" after F. */
void scan_event(struct daemon *d, const char *path, const char *token)
{
        unsigned kind = (unsigned)(token[0] ? token[1] - '0' : 0);

        if (kind < DISK_KINDS && token[0] == 'F' && token[2] == '/')
                front_event(d, kind, token + 3);
        else if (kind >= DISK_KINDS || token[0] != 'B' ||
                 !back_event(d, kind, path))
                scan_mark_all(d);
}

/* ---- work -------------------------------------------------------------------
 */

static void add_disks_of(struct daemon *d, enum disk_kind kind,
                         const char *domain)
{
        CLEANUP_FREE char **vdevs = NULL;
        char path[XEN_STORE_PATH_BYTES], ids[64];
        unsigned n = 0;

        snprintf(path, sizeof(path), "%s/%.16s", disk_root(kind), domain);
        if (xen_store_list(d->store, path, &vdevs, &n) < 0)
                return;
        for (unsigned i = 0; i < n; i++) {
                uint32_t domid, vdev;

                snprintf(ids, sizeof(ids), "%.16s/%.16s", domain, vdevs[i]);
                if (parse_ids(ids, &domid, &vdev))
                        (void)discover(d, kind, domid, vdev);
        }
}

static void list_kind(struct daemon *d, enum disk_kind kind)
{
        CLEANUP_FREE char **domains = NULL;
        unsigned n = 0;

        if (!d->store ||
            xen_store_list(d->store, disk_root(kind), &domains, &n) < 0)
                return;
        for (unsigned i = 0; i < n; i++)
                add_disks_of(d, kind, domains[i]);
}

static void list_disks(struct daemon *d)
{
        for (unsigned kind = 0; kind < DISK_KINDS; kind++)
                list_kind(d, kind);
        for (struct disk *k = d->disks; k; k = k->next)
                scan_mark(d, k);
}

static void free_removed(struct daemon *d)
{
        struct disk *next;

        for (struct disk *k = d->disks; k; k = next) {
                next = k->next;
                if (k->removed && !k->crewed)
                        disk_destroy(k);
        }
}

/* What was with the crew when the daemon was told to stop. */
static void go_on_stopping(struct daemon *d)
{
        for (struct disk *k = d->disks; k; k = k->next) {
                if (k->crewed)
                        continue;
                if (!disk_is_settled(k) && !k->pending)
                        disk_settle(k);
                disk_stop(k);
        }
        daemon_stop_check(d);
}

static void hand_out(struct daemon *d)
{
        for (struct disk *k = d->disks; k && d->store; k = k->next) {
                if (!k->dirty || k->crewed)
                        continue;
                k->dirty = false;
                crew_give(d->crew, k);
        }
}

/* When all that is there has been looked at once. */
static void sweep(struct daemon *d)
{
        if (d->swept || !d->store)
                return;
        for (struct disk *k = d->disks; k; k = k->next)
                if (k->crewed || k->dirty)
                        return;
        d->swept = true;
        fdstore_drop_unclaimed();
}

int scan_turn(sd_event_source *src, void *arg)
{
        struct daemon *d = arg;

        if (d->stopping) {
                go_on_stopping(d);
                return 0;
        }
        if (d->trouble) {
                d->trouble = false;
                scan_check_store(d);
                scan_hurry(d);
        }
        if (d->hurry_due) {
                d->hurry_due = false;
                scan_set_patrol(d);
        }
        free_removed(d);
        if (d->rescan) {
                d->rescan = false;
                list_disks(d);
        }
        hand_out(d);
        sweep(d);
        return 0;
}
