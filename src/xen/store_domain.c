/* SPDX-License-Identifier: MIT */
/* Owners of nodes, and domains by id and by name. */
#include "store_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "quiet.h"

/* Xen's DOMID_FIRST_RESERVED less one. */
#define DOMID_MAX 0x7fefu

int xen_store_set_owner(struct xen_store *s, const char *path, uint32_t owner,
                        uint32_t reader)
{
        struct xs_permissions perms[2] = {
                {.id = owner, .perms = XS_PERM_NONE},
                {.id = reader, .perms = XS_PERM_READ},
        };
        unsigned n = reader == ~0u ? 1 : 2;
        bool done;

        if (!xen_store_path_ok(path))
                return -EINVAL;
        store_wait_begin(s);
        done = xs_set_permissions(s->xs, s->transaction, path, perms, n);
        store_wait_end(s);
        return done ? 0 : xen_call_error();
}

int xen_store_owner(struct xen_store *s, const char *path, uint32_t *domid)
{
        CLEANUP_FREE struct xs_permissions *perms = NULL;
        unsigned n = 0;

        if (!xen_store_path_ok(path))
                return -EINVAL;
        store_wait_begin(s);
        perms = xs_get_permissions(s->xs, s->transaction, path, &n);
        store_wait_end(s);
        if (!perms)
                return xen_call_error();
        if (n == 0)
                return -EINVAL;
        *domid = perms[0].id;
        return 0;
}

int xen_store_self(struct xen_store *s, uint32_t *domid)
{
        uint64_t v;
        int ret = xen_store_read_u64_or(s, "domid", DOMID_MAX, 0, &v);

        if (ret == 0)
                *domid = (uint32_t)v;
        return ret;
}

static bool has_name(struct xen_store *s, const char *domid, const char *name)
{
        char path[XEN_STORE_PATH_BYTES];
        CLEANUP_FREE char *found = NULL;

        snprintf(path, sizeof(path), "/local/domain/%s/name", domid);
        return xen_store_read(s, path, &found) == 0 && !strcmp(found, name);
}

int xen_store_domain(struct xen_store *s, const char *dom, uint32_t *domid,
                     struct err *e)
{
        CLEANUP_FREE char **domains = NULL;
        char path[XEN_STORE_PATH_BYTES];
        uint64_t v = 0;
        unsigned n;
        int ret;

        if (parse_u64(dom, DOMID_MAX, &v) == 0) {
                snprintf(path, sizeof(path), "/local/domain/%u", (unsigned)v);
                if (v != 0 && !xen_store_exists(s, path))
                        return err_set(e, -ENOENT,
                                       "there is no domain with the id %s",
                                       dom);
                *domid = (uint32_t)v;
                return 0;
        }
        ret = xen_store_list(s, "/local/domain", &domains, &n);
        if (ret < 0)
                return err_set(e, ret, "cannot list the domains: %s",
                               strerror(-ret));
        for (unsigned i = 0; i < n; i++) {
                if (parse_u64(domains[i], DOMID_MAX, &v) == 0 &&
                    has_name(s, domains[i], dom)) {
                        *domid = (uint32_t)v;
                        return 0;
                }
        }
        return err_set(e, -ENOENT, "there is no domain called '%s'", dom);
}
