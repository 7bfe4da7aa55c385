/* SPDX-License-Identifier: MIT */
/* Nodes that go: ours, when the guest is dead, and what a closed connection
 * left in the frontend's directory. */
#include "disk.h"

#include "ring/features.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int remove_if_empty(struct xen_store *s, const char *path)
{
        char **names = NULL;
        unsigned n = 0;
        int ret = xen_store_list(s, path, &names, &n);

        free(names);
        if (ret == -ENOENT)
                return 0;
        if (ret < 0 || n > 0)
                return ret;
        return xen_store_rm(s, path);
}

/* The error's node, and its directories where nobody else uses them. */
static int forget_error(struct xen_store *s, const struct disk *k)
{
        char path[XEN_STORE_PATH_BYTES];
        int ret;

        snprintf(path, sizeof(path), "error/%s", k->base);
        ret = xen_store_rm(s, path);
        for (char *end; ret == 0 && (end = strrchr(path, '/'));) {
                *end = '\0';
                if (strchr(path, '/')) /* "error" itself is everybody's */
                        ret = remove_if_empty(s, path);
        }
        return ret;
}

static int remove_body(struct xen_store *s, void *arg)
{
        struct disk *k = arg;
        char path[XEN_STORE_PATH_BYTES];
        int ret = forget_error(s, k);

        /* The number may belong to a new domain by now, with a disk of its
         * own here. */
        snprintf(path, sizeof(path), "/local/domain/%u", k->domid);
        if (ret < 0 || k->view.gone || xen_store_exists(s, path))
                return ret;
        ret = xen_store_rm(s, k->base);
        snprintf(path, sizeof(path), "%s/%u", disk_root(k->kind), k->domid);
        return ret ? ret : remove_if_empty(s, path);
}

int disk_remove_nodes(struct disk *k)
{
        struct xen_store *s = disk_conn(k);

        return s ? xen_store_transaction(s, remove_body, k) : -ENOTCONN;
}

static int forget_key(struct xen_store *s, const struct disk *k,
                      const char *key)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", k->front, key);
        return xen_store_rm(s, path);
}

static int forget_body(struct xen_store *s, void *arg)
{
        static const char *const keys[] = {
                "event-channel",   "feature-persistent",
                "ring-page-order", "num-ring-pages",
                "ring-ref",        "multi-queue-num-queues",
        };
        struct disk *k = arg;
        char name[32];
        int ret = 0;

        if (disk_check_front(k, NULL) < 0)
                return 0; /* it is not ours */
        for (unsigned i = 0; i < ARRAY_SIZE(keys) && ret == 0; i++)
                ret = forget_key(s, k, keys[i]);
        for (unsigned i = 0; i < 1u << k->keys.ring_order && ret == 0; i++) {
                if (k->keys.ring_order == 0)
                        break;
                blk_ring_ref_name(name, sizeof(name), k->keys.ring_order, i);
                ret = forget_key(s, k, name);
        }
        for (unsigned i = 0; k->keys.nrings > 1 && i < k->keys.nrings; i++) {
                snprintf(name, sizeof(name), "queue-%u", i);
                if (ret == 0)
                        ret = forget_key(s, k, name);
        }
        /* The directory is the guest's: if it went with its domain, nothing of
         * it may come back. */
        return ret;
}

void disk_forget_ring_keys(struct disk *k)
{
        /* Only where the frontend has closed and waits for us, so that nothing
         * fresh is lost: the next one inherits no order and no reference of
         * this one (PROTOCOL.md Q3). A backend in a driver domain may not do
         * this; then the rules of connect_keys.c have to do. */
        if (k->view.front != XENBUS_CLOSING && k->view.front != XENBUS_CLOSED)
                return;
        if (disk_conn(k))
                (void)xen_store_transaction(disk_conn(k), forget_body, k);
}
