/* SPDX-License-Identifier: MIT */
/* A new disk's nodes. */
#include "vbd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Many nodes are written in a row: the first failure is kept, later calls do
 * nothing, and one check at the end is enough. */
struct writer {
        struct xen_store *store;
        const char *dir;
        int error;
};

static void put(struct writer *w, const char *key, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

static void put(struct writer *w, const char *key, const char *fmt, ...)
{
        char path[XEN_STORE_PATH_BYTES + 64];
        CLEANUP_FREE char *value = NULL;
        va_list ap;
        int len;

        if (w->error)
                return;
        va_start(ap, fmt);
        len = vasprintf(&value, fmt, ap);
        va_end(ap);
        if (len < 0) {
                value = NULL;
                w->error = -ENOMEM;
                return;
        }
        snprintf(path, sizeof(path), "%s/%s", w->dir, key);
        w->error = xen_store_write(w->store, path, value);
}

/* An empty directory that belongs to owner and that reader may read. Nodes
 * made in it later inherit both. */
static void make_dir(struct writer *w, uint32_t owner, uint32_t reader)
{
        if (!w->error)
                w->error = xen_store_write(w->store, w->dir, "");
        if (!w->error)
                w->error = xen_store_set_owner(w->store, w->dir, owner, reader);
}

static int write_back(struct xen_store *s, const struct vbd *v,
                      const struct vbd_options *o)
{
        struct writer w = {.store = s, .dir = v->back};

        make_dir(&w, v->self, v->domid);
        put(&w, "frontend", "%s", v->front);
        put(&w, "frontend-id", "%u", v->domid);
        put(&w, "online", "1");
        put(&w, "removable", "0");
        put(&w, "bootable", "0");
        put(&w, "dev", "%s", v->name);
        put(&w, "type", VBD_KIND);
        put(&w, "mode", o->readonly ? "r" : "w");
        put(&w, "device-type", "disk");
        put(&w, "params", "%s", o->target);
        put(&w, "discard-enable", "1");
        if (o->grants)
                put(&w, "eg-grants", "%s", o->grants);
        if (o->has_max_persistent)
                put(&w, "eg-max-persistent", "%llu",
                    (unsigned long long)o->max_persistent);
        if (o->has_queues)
                put(&w, "eg-queues", "%llu", (unsigned long long)o->queues);
        if (o->has_ring_order)
                put(&w, "eg-ring-order", "%llu",
                    (unsigned long long)o->ring_order);
        if (o->block_size)
                put(&w, "eg-block-size", "%s", o->block_size);
        put(&w, "state", "%d", XENBUS_INITIALISING);
        return w.error;
}

/* The directories above F, where this is the domain's first disk: ours, and
 * the domain may list them, as with libxl. */
static int make_front_parents(struct xen_store *s, const struct vbd *v)
{
        static const char *const parents[] = {"device", "device/vbd"};
        char path[XEN_STORE_PATH_BYTES];
        struct writer w = {.store = s, .dir = path};

        for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
                snprintf(path, sizeof(path), "/local/domain/%u/%s", v->domid,
                         parents[i]);
                if (!xen_store_exists(s, path))
                        make_dir(&w, v->self, v->domid);
        }
        return w.error;
}

static int write_front(struct xen_store *s, const struct vbd *v)
{
        struct writer w = {.store = s, .dir = v->front};

        w.error = make_front_parents(s, v);
        make_dir(&w, v->domid, v->self);
        put(&w, "backend", "%s", v->back);
        put(&w, "backend-id", "%u", v->self);
        put(&w, "virtual-device", "%u", v->vdev);
        put(&w, "device-type", "disk");
        put(&w, "state", "%d", XENBUS_INITIALISING);
        return w.error;
}

static const char *state_of(struct xen_store *s, const char *dir)
{
        char path[XEN_STORE_PATH_BYTES + 64];

        snprintf(path, sizeof(path), "%s/state", dir);
        return xenbus_state_name(xen_store_read_state(s, path));
}

static int check_free(struct xen_store *s, const struct vbd *v, struct err *e)
{
        CLEANUP_FREE char *by = NULL;
        char path[XEN_STORE_PATH_BYTES + 64];

        if (xen_store_exists(s, v->back)) {
                by = vbd_text(s, v, "params");
                return err_set(e, -EEXIST,
                               "%s of domain %u is taken: evergrantd has %s "
                               "there (state %s); see `evergrant list`, "
                               "or remove it with `evergrant detach %u %s`",
                               v->name, v->domid, by && *by ? by : "a disk",
                               state_of(s, v->back), v->domid, v->name);
        }
        if (!xen_store_exists(s, v->front))
                return 0;
        snprintf(path, sizeof(path), "%s/backend", v->front);
        if (xen_store_read(s, path, &by) < 0)
                by = NULL;
        return err_set(e, -EEXIST,
                       "%s of domain %u is taken by backend %s (state %s); "
                       "choose another name, or remove that disk first",
                       v->name, v->domid, by ? by : "(unknown)",
                       state_of(s, v->front));
}

struct create {
        const struct vbd *vbd;
        const struct vbd_options *options;
        struct err *e;
};

static int create_body(struct xen_store *s, void *arg)
{
        struct create *c = arg;
        const struct vbd *v = c->vbd;
        char path[XEN_STORE_PATH_BYTES];
        int ret;

        err_set(c->e, 0, "%s", "");
        snprintf(path, sizeof(path), "/local/domain/%u", v->domid);
        if (!xen_store_exists(s, path))
                return err_set(c->e, -ENOENT, "domain %u has just ended",
                               v->domid);
        ret = check_free(s, v, c->e);
        if (!ret)
                ret = write_back(s, v, c->options);
        return ret ? ret : write_front(s, v);
}

int vbd_create(struct xen_store *s, const struct vbd *v,
               const struct vbd_options *o, struct err *e)
{
        struct create c = {.vbd = v, .options = o, .e = e};

        return vbd_transaction(s, v, create_body, &c,
                               "write the disk's nodes for", e);
}
