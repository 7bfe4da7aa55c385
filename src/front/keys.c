/* SPDX-License-Identifier: MIT */
/* The frontend's half of PROTOCOL.md 2.4: which nodes, which values. */
#include "keys.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "ring/features.h"

#define DOMID_MAX 0x7fefu

/* ---- which backend ------------------------------------------------------- */

/* The path must be the one that backend-id's domain has for this very device:
 * nothing else may stand in a node that others can write (XSA-57, XSA-175). */
static bool backend_path_ok(const struct eg_disk *d, uint32_t back_domid,
                            const char *path)
{
        char head[64], tail[64];
        size_t kind;
        int n = snprintf(head, sizeof(head), "/local/domain/%u/backend/",
                         back_domid);

        snprintf(tail, sizeof(tail), "/%u/%u", d->self, d->vdev);
        if (strncmp(path, head, (size_t)n) != 0)
                return false;
        path += n;
        kind = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789_-");
        return kind > 0 && kind < 32 && strcmp(path + kind, tail) == 0;
}

/* Where the backend names its frontend, that must be us. */
static bool backend_means_us(const struct eg_disk *d, const char *path)
{
        struct path p;
        CLEANUP_FREE char *front = NULL;
        uint64_t id;
        int ret;

        snprintf(p.s, sizeof(p.s), "%s/frontend", path);
        ret = xen_store_read(d->xs, p.s, &front);
        if (ret == 0 && strcmp(front, d->front_path) != 0)
                return false;
        snprintf(p.s, sizeof(p.s), "%s/frontend-id", path);
        ret = xen_store_read_u64_or(d->xs, p.s, DOMID_MAX, d->self, &id);
        return ret < 0 || id == d->self;
}

int front_keys_find(struct eg_disk *d, struct err *e)
{
        CLEANUP_FREE char *path = NULL;
        char shown[XEN_STORE_PATH_BYTES];
        struct path p;
        uint64_t domid = 0;
        int ret;

        ret = xen_store_read(d->xs, front_key(d, "backend", &p), &path);
        if (ret == -ENOENT)
                return err_set(e, ret, "this domain has no disk %s", d->name);
        if (ret == 0)
                ret = xen_store_read_u64(d->xs, front_key(d, "backend-id", &p),
                                         DOMID_MAX, &domid);
        if (ret < 0)
                return err_set(e, ret == -ENOENT ? -EPERM : ret,
                               "cannot read %s: %s", p.s, strerror(-ret));
        if (!backend_path_ok(d, (uint32_t)domid, path) ||
            !backend_means_us(d, path))
                return err_set(
                        e, -EPERM,
                        "%s/backend is '%s', which is not domain %u's "
                        "backend of this disk: refused",
                        d->front_path,
                        log_escape(shown, sizeof(shown), path, strlen(path)),
                        (unsigned)domid);
        snprintf(d->back_path, sizeof(d->back_path), "%s", path);
        d->backend_domid = (uint32_t)domid;
        return 0;
}

/* ---- states -------------------------------------------------------------- */

enum xenbus_state front_keys_backend_state(struct eg_disk *d)
{
        struct path p;

        return xen_store_read_state(d->xs, back_key(d, "state", &p));
}

enum xenbus_state front_keys_own_state(struct eg_disk *d)
{
        struct path p;

        return xen_store_read_state(d->xs, front_key(d, "state", &p));
}

void front_keys_set_state(struct eg_disk *d, enum xenbus_state s)
{
        struct path p;
        int ret = xen_store_printf(d->xs, front_key(d, "state", &p), "%d",
                                   (int)s);

        if (ret < 0)
                front_log(d, EG_LOG_WARNING, "cannot write %s: %s", p.s,
                          strerror(-ret));
}

bool front_keys_offline(struct eg_disk *d)
{
        struct path p;
        uint64_t online;
        int ret = xen_store_read_u64_or(d->xs, back_key(d, "online", &p), 1, 1,
                                        &online);

        return ret == 0 && !online;
}

/* ---- what we offer ------------------------------------------------------- */

/* Whatever an earlier frontend published must not survive into this
 * connection (PROTOCOL.md Q3). */
static bool is_connection_key(const char *key)
{
        static const char *const exact[] = {
                "ring-page-order",        "num-ring-pages",     "event-channel",
                "multi-queue-num-queues", "feature-persistent", "protocol",
        };

        for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
                if (strcmp(key, exact[i]) == 0)
                        return true;
        }
        return strncmp(key, "ring-ref", 8) == 0 ||
               strncmp(key, "queue-", 6) == 0;
}

static int remove_stale(struct eg_disk *d)
{
        CLEANUP_FREE char **names = NULL;
        unsigned n;
        int ret = xen_store_list(d->xs, d->front_path, &names, &n);

        for (unsigned i = 0; ret == 0 && i < n; i++) {
                struct path p;

                if (strlen(names[i]) < 32 && is_connection_key(names[i]))
                        ret = xen_store_rm(d->xs, front_key(d, names[i], &p));
        }
        return ret;
}

static int put_u32(struct eg_disk *d, const char *key, uint32_t v)
{
        struct path p;

        return xen_store_printf(d->xs, front_key(d, key, &p), "%u", v);
}

/* ring-page-order = 0 would make some backends look for ring-ref0 (Q2), so one
 * page is announced in the old way. */
static int publish_ring(struct eg_disk *d, const struct front_queue *q,
                        const char *dir)
{
        char name[32], key[64];
        int ret = 0;

        for (unsigned i = 0; ret == 0 && i < 1u << d->order; i++) {
                blk_ring_ref_name(name, sizeof(name), d->order, i);
                snprintf(key, sizeof(key), "%s%s", dir, name);
                ret = put_u32(d, key, q->ring_refs[i]);
        }
        snprintf(key, sizeof(key), "%sevent-channel", dir);
        return ret ? ret : put_u32(d, key, (uint32_t)q->port);
}

/* One ring stands where it always did; several have a directory each, and
 * nothing stands there then. */
static int publish_rings(struct eg_disk *d)
{
        char dir[32];
        int ret = 0;

        if (d->order)
                ret = put_u32(d, "ring-page-order", d->order);
        if (ret == 0 && d->nqueues == 1)
                return publish_ring(d, &d->queue[0], "");
        if (ret == 0)
                ret = put_u32(d, "multi-queue-num-queues", d->nqueues);
        for (unsigned i = 0; ret == 0 && i < d->nqueues; i++) {
                snprintf(dir, sizeof(dir), "queue-%u/", i);
                ret = publish_ring(d, &d->queue[i], dir);
        }
        return ret;
}

static int publish(struct xen_store *s, void *arg)
{
        struct eg_disk *d = arg;
        struct path p;
        int ret = remove_stale(d);

        if (ret == 0)
                ret = publish_rings(d);
        if (ret == 0)
                ret = put_u32(d, "feature-persistent", d->opts.persistent);
        if (ret == 0)
                ret = xen_store_write(s, front_key(d, "protocol", &p),
                                      blk_layouts[FRONT_ABI].name);
        return ret;
}

int front_keys_publish(struct eg_disk *d)
{
        return xen_store_transaction(d->xs, publish, d);
}
