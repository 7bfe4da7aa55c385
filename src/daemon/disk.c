/* SPDX-License-Identifier: MIT */
/* A disk as an object: made, found, logged about, freed. */
#include "disk.h"

#include "common/clock.h"
#include "common/vdev.h"
#include "fdstore.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *disk_root(enum disk_kind kind)
{
        static const char *const roots[DISK_KINDS] = {
                [DISK_OWN] = "backend/evergrant",
                [DISK_XL] = "backend/vbd",
        };

        return roots[kind];
}

struct disk *disk_create(struct daemon *d, enum disk_kind kind, uint32_t domid,
                         uint32_t vdev)
{
        struct disk *k = calloc(1, sizeof(*k));

        if (!k)
                return NULL;
        k->daemon = d;
        k->kind = kind;
        k->stale = DISK_LOOK_ALL;
        k->domid = domid;
        k->vdev = vdev;
        vdev_name(k->name, sizeof(k->name), vdev);
        snprintf(k->base, sizeof(k->base), "%s/%u/%u", disk_root(kind), domid,
                 vdev);
        snprintf(k->front, sizeof(k->front), "/local/domain/%u/device/vbd/%u",
                 domid, vdev);
        k->next = d->disks;
        d->disks = k;
        return k;
}

struct disk *disk_find(struct daemon *d, enum disk_kind kind, uint32_t domid,
                       uint32_t vdev)
{
        for (struct disk *k = d->disks; k; k = k->next) {
                if (k->kind == kind && k->domid == domid && k->vdev == vdev)
                        return k;
        }
        return NULL;
}

void disk_destroy(struct disk *k)
{
        if (!k)
                return;
        for (struct disk **p = &k->daemon->disks; *p; p = &(*p)->next) {
                if (*p == k) {
                        *p = k->next;
                        break;
                }
        }
        scan_unwatch_front(k->daemon, k);
        store_close(k->store);
        disk_config_release(&k->config);
        free(k);
}

/* Less than the next patrol, which disk_pause asks for. */
#define PAUSE_US 200000u

static uint64_t now_us(void)
{
        return clock_ns() / 1000;
}

void disk_pause(struct disk *k)
{
        k->pause_until_us = now_us() + PAUSE_US;
        scan_hurry(k->daemon);
}

bool disk_is_paused(struct disk *k)
{
        if (k->pause_until_us && now_us() < k->pause_until_us)
                return true;
        k->pause_until_us = 0;
        return false;
}

static _Thread_local struct xen_store *conn_of_thread;

void disk_use_conn(struct xen_store *s)
{
        conn_of_thread = s;
}

struct xen_store *disk_conn(const struct disk *k)
{
        return conn_of_thread ? conn_of_thread : k->daemon->store;
}

bool disk_is_idle(const struct disk *k)
{
        return k->job == DISK_IDLE && !k->nrings && !k->crewed;
}

/* A domain has one, however many disks: that of the first on the list. */
static struct log_bucket *bucket_of(struct disk *k)
{
        for (struct disk *other = k->daemon->disks; other; other = other->next)
                if (other->domid == k->domid)
                        return &other->log;
        return &k->log;
}

void disk_log(struct disk *k, enum log_level level, const char *fmt, ...)
{
        struct timespec now;
        char text[768], more[48] = "";
        uint64_t suppressed;
        va_list ap;

        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!log_bucket_take(bucket_of(k), (uint64_t)now.tv_sec * 1000,
                             &suppressed))
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (suppressed)
                snprintf(more, sizeof(more), " (%llu lines left out)",
                         (unsigned long long)suppressed);
        log_line(level, "domain %u %s: %s%s", k->domid, k->name, text, more);
}

void disk_close_store(struct disk *k)
{
        if (!k->store)
                return;
        if (store_keep_fd(k->store) >= 0)
                fdstore_remove(k->domid, k->vdev);
        store_close(k->store);
        k->store = NULL;
}
