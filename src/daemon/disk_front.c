/* SPDX-License-Identifier: MIT */
/* Whose a frontend is. Nodes of ours may outlive their domain, and its number
 * and the disk's name then be another's, whom another backend serves: its ring
 * is none of ours, and the dead one's disk none of its. */
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* backend: NULL if there is none. */
static int not_ours(const struct disk *k, const char *backend, const char *ours,
                    struct err *e)
{
        char shown[128] = "(missing)", remove[XEN_STORE_PATH_BYTES + 16];

        if (backend)
                log_escape(shown, sizeof(shown), backend, strlen(backend));
        if (k->kind == DISK_XL)
                snprintf(remove, sizeof(remove), "xenstore-rm %s", ours);
        else
                snprintf(remove, sizeof(remove), "evergrant detach %u %s",
                         k->domid, k->name);
        return err_set(e, -EINVAL,
                       "the frontend's backend is \"%s\", not \"%s\": "
                       "another backend serves it, or the guest has changed "
                       "this key; if this disk was left by a former domain "
                       "%u, remove it with `%s`",
                       shown, ours, k->domid, remove);
}

/* Every frontend finds its backend by this one key, and every toolstack writes
 * it with the directory: where it is missing nobody was told of us. The guest
 * may change it, on stock Xen; then it has no disk. */
int disk_check_front(struct disk *k, struct err *e)
{
        CLEANUP_FREE char *backend = NULL;
        char ours[XEN_STORE_PATH_BYTES];
        int ret = disk_read_front(k, "backend", &backend);

        if (ret < 0 && ret != -ENOENT)
                return err_set(e, ret,
                               "the frontend's backend cannot be read: %s",
                               strerror(-ret));
        snprintf(ours, sizeof(ours), "/local/domain/%u/%s",
                 k->daemon->self_domid, k->base);
        if (backend && strcmp(backend, ours) == 0)
                return 0;
        return not_ours(k, backend, ours, e);
}

int disk_front_keys(struct disk *k, const struct connect_offer *offer,
                    struct connect_keys *keys, struct err *e)
{
        int ret = disk_check_front(k, e);

        return ret < 0 ? ret
                       : connect_keys_read(disk_read_front, k, offer, keys, e);
}
