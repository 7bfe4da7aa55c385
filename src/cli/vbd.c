/* SPDX-License-Identifier: MIT */
#include "vbd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/vdev.h"

int vbd_open_store(struct xen_store **s, uint32_t *self, struct err *e)
{
        int ret = xen_store_open(s, e);

        if (ret < 0)
                return ret;
        ret = xen_store_self(*s, self);
        if (ret < 0) {
                xen_store_close(*s);
                *s = NULL;
                return err_set(e, ret,
                               "cannot read this domain's own number from "
                               "xenstore: %s",
                               strerror(-ret));
        }
        return 0;
}

/* "0 (Domain-0), 1 (g1)": what the user could have meant. */
static void list_domains(struct xen_store *s, char *dst, size_t dst_bytes)
{
        CLEANUP_FREE char **ids = NULL;
        unsigned n;
        size_t at = 0;

        *dst = '\0';
        if (xen_store_list(s, "/local/domain", &ids, &n) < 0)
                return;
        for (unsigned i = 0; i < n && at < dst_bytes; i++) {
                char path[XEN_STORE_PATH_BYTES];
                CLEANUP_FREE char *name = NULL;

                snprintf(path, sizeof(path), "/local/domain/%s/name", ids[i]);
                if (xen_store_read(s, path, &name) < 0)
                        name = NULL;
                at += (size_t)snprintf(dst + at, dst_bytes - at, "%s%s%s%s%s",
                                       i ? ", " : "", ids[i], name ? " (" : "",
                                       name ? name : "", name ? ")" : "");
        }
}

int vbd_find_domain(struct xen_store *s, const char *dom, uint32_t *domid,
                    struct err *e)
{
        char there[300], why[sizeof(e->text)];
        int ret = xen_store_domain(s, dom, domid, e);

        if (ret != -ENOENT)
                return ret;
        list_domains(s, there, sizeof(there));
        memcpy(why, e->text, sizeof(why));
        return err_set(e, ret, "%.150s; there %s %s", why,
                       *there ? "are" : "is", *there ? there : "none");
}

void vbd_init(struct vbd *v, uint32_t self, uint32_t domid, uint32_t vdev)
{
        v->self = self;
        v->domid = domid;
        v->vdev = vdev;
        vdev_name(v->name, sizeof(v->name), vdev);
        snprintf(v->back, sizeof(v->back),
                 "/local/domain/%u/backend/" VBD_KIND "/%u/%u", self, domid,
                 vdev);
        snprintf(v->front, sizeof(v->front), "/local/domain/%u/device/vbd/%u",
                 domid, vdev);
}

char *vbd_text(struct xen_store *s, const struct vbd *v, const char *key)
{
        char path[XEN_STORE_PATH_BYTES + 64];
        char *value;

        snprintf(path, sizeof(path), "%s/%s", v->back, key);
        return xen_store_read(s, path, &value) == 0 ? value : strdup("");
}

/* A failure that no body has put in words. */
static int explain(int ret, const struct vbd *v, const char *doing,
                   struct err *e)
{
        if (ret == 0 || e->code)
                return ret;
        if (ret == -EACCES || ret == -EPERM)
                return err_set(e, ret,
                               "xenstore does not let this domain (%u) %s "
                               "domain %u: do it from Domain-0",
                               v->self, doing, v->domid);
        if (ret == -EAGAIN)
                return err_set(e, ret,
                               "xenstore is too busy to %s domain %u: try "
                               "again",
                               doing, v->domid);
        return err_set(e, ret, "cannot %s domain %u: xenstore says: %s", doing,
                       v->domid, strerror(-ret));
}

/* A toolstack that starts many guests has many of us write side by side; those
 * that others are too fast for wait, in all about five seconds. */
#define BUSY_TRIES 20u

int vbd_transaction(struct xen_store *s, const struct vbd *v,
                    int (*body)(struct xen_store *s, void *arg), void *arg,
                    const char *doing, struct err *e)
{
        int ret = -EAGAIN;

        e->code = 0;
        for (unsigned i = 0; i < BUSY_TRIES && ret == -EAGAIN; i++)
                ret = xen_store_transaction(s, body, arg);
        return explain(ret, v, doing, e);
}

struct close_args {
        const struct vbd *vbd;
        struct err *e;
};

static int close_body(struct xen_store *s, void *arg)
{
        struct close_args *c = arg;
        char path[XEN_STORE_PATH_BYTES + 64];
        int ret;

        err_set(c->e, 0, "%s", "");
        if (!xen_store_exists(s, c->vbd->back))
                return err_set(c->e, -ENOENT,
                               "%s of domain %u is not attached; see "
                               "`evergrant list`",
                               c->vbd->name, c->vbd->domid);
        snprintf(path, sizeof(path), "%s/online", c->vbd->back);
        ret = xen_store_write(s, path, "0");
        snprintf(path, sizeof(path), "%s/state", c->vbd->back);
        return ret ? ret : xen_store_printf(s, path, "%d", XENBUS_CLOSING);
}

int vbd_request_close(struct xen_store *s, const struct vbd *v, struct err *e)
{
        struct close_args c = {.vbd = v, .e = e};

        return vbd_transaction(s, v, close_body, &c, "detach a disk of", e);
}

static int remove_if_empty(struct xen_store *s, const char *path)
{
        CLEANUP_FREE char **names = NULL;
        unsigned n;
        int ret = xen_store_list(s, path, &names, &n);

        if (ret < 0)
                return ret == -ENOENT ? 0 : ret;
        return n ? 0 : xen_store_rm(s, path);
}

/* F may belong to another backend by now: then it is not ours to remove. */
static bool front_is_ours(struct xen_store *s, const struct vbd *v)
{
        char path[XEN_STORE_PATH_BYTES + 64];
        CLEANUP_FREE char *back = NULL;

        snprintf(path, sizeof(path), "%s/backend", v->front);
        return xen_store_read(s, path, &back) == 0 &&
               strcmp(back, v->back) == 0;
}

static int remove_body(struct xen_store *s, void *arg)
{
        const struct vbd *v = arg;
        char path[XEN_STORE_PATH_BYTES];
        int ret;

        if (front_is_ours(s, v)) {
                ret = xen_store_rm(s, v->front);
                snprintf(path, sizeof(path), "/local/domain/%u/device/vbd",
                         v->domid);
                if (!ret)
                        ret = remove_if_empty(s, path);
                if (ret)
                        return ret;
        }
        ret = xen_store_rm(s, v->back);
        snprintf(path, sizeof(path), "/local/domain/%u/backend/" VBD_KIND "/%u",
                 v->self, v->domid);
        return ret ? ret : remove_if_empty(s, path);
}

int vbd_remove(struct xen_store *s, const struct vbd *v, struct err *e)
{
        return vbd_transaction(s, v, remove_body, (void *)v,
                               "remove the disk's nodes of", e);
}
