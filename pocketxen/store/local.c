/* SPDX-License-Identifier: MIT */
/* The store used from inside the server, as Domain-0 and at once. */
#include "store/internal.h"

static int local_path(struct xstore *xs, const char *name, char *path)
{
        return path_canonical(path, name, 0, xs->quota.path_bytes);
}

static int parse_list(const char *const *list, unsigned n, struct perms **p)
{
        char strings[XENSTORE_PAYLOAD_MAX];
        size_t at = 0;

        for (unsigned i = 0; i < n; i++) {
                size_t len = strlen(list[i]) + 1;

                if (at + len > sizeof(strings))
                        return -E2BIG;
                memcpy(strings + at, list[i], len);
                at += len;
        }
        return perms_parse(strings, at, n, p);
}

int xstore_write(struct xstore *xs, const char *name, const char *value,
                 const char *const *perms, unsigned nperms)
{
        const struct actor a = {xs, xs->dom0, NULL};
        struct perms *p = NULL;
        char path[PATH_BYTES];
        int len = local_path(xs, name, path);
        int ret = len;

        if (ret >= 0 && perms && nperms)
                ret = parse_list(perms, nperms, &p);
        if (ret < 0)
                return ret;
        ret = tree_write(&a, path, (size_t)len, value, strlen(value));
        if (ret < 0 || !p) {
                perms_unref(p);
                return ret;
        }
        return tree_set_perms(&a, path, (size_t)len, p);
}

int xstore_rm(struct xstore *xs, const char *name)
{
        const struct actor a = {xs, xs->dom0, NULL};
        char path[PATH_BYTES];
        int len = local_path(xs, name, path);

        return len < 0 ? len : tree_rm(&a, path, (size_t)len);
}

int xstore_read(struct xstore *xs, const char *name, char *value, size_t room)
{
        char path[PATH_BYTES];
        int len = local_path(xs, name, path);
        const struct node *n;
        size_t copy;

        if (len < 0)
                return len;
        n = table_find(&xs->table, path, (size_t)len);
        if (!n)
                return -ENOENT;
        copy = min_u64(n->value.len, room);
        if (copy)
                memcpy(value, n->value.p, copy);
        if (copy < room)
                value[copy] = '\0';
        return (int)n->value.len;
}
