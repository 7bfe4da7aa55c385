/* SPDX-License-Identifier: MIT */
/* Removing nodes with all below them. */
#include "store/internal.h"

/* A path that grows and shrinks while a subtree is walked. */
struct walk {
        const struct actor *a;
        size_t len;
        char path[PATH_BYTES + 1];
};

static void remove_one(const struct actor *a, struct node *n, bool exact)
{
        if (a->tx) {
                n->exists = false;
                n->value.len = 0;
                n->children.len = 0;
                tree_touch(a, n);
                if (exact)
                        n->noted_exact = true;
                else
                        n->noted = true;
                return;
        }
        /* While it is still there: its permissions decide who is told. */
        watch_fire(a->xs, n->path, n->path_len, exact, NULL);
        domain_account(a->xs, n->perms->e[0].domid, -1);
        table_remove(&a->xs->table, n);
}

/* The children first. Watches below the removed node get one event each, for
 * their own node. n's list of children stays as it is until n itself goes. */
static int remove_walk(struct walk *w, bool exact)
{
        size_t len = w->len;
        struct node *n;
        int ret;

        n = tree_find(w->a, w->path, w->len, &ret);
        if (!n)
                return ret == -ENOENT ? 0 : ret;
        for (size_t at = 0; at < n->children.len;) {
                const char *name = n->children.p + at;
                size_t name_len = strlen(name);

                if (len + 1 + name_len >= sizeof(w->path))
                        return -EIO;
                w->path[len] = '/';
                memcpy(w->path + len + 1, name, name_len);
                w->len = len + 1 + name_len;
                ret = remove_walk(w, true);
                w->len = len;
                if (ret < 0)
                        return ret;
                at += name_len + 1;
        }
        remove_one(w->a, n, exact);
        return 0;
}

int tree_remove_subtree(const struct actor *a, const char *path, size_t len)
{
        size_t parent_len = path_parent(path, len);
        struct walk w = {.a = a, .len = len};
        struct node *parent;
        int ret;

        parent = tree_find(a, path, parent_len, &ret);
        if (!parent)
                return ret;
        memcpy(w.path, path, len);
        ret = remove_walk(&w, false);
        if (ret < 0) {
                if (a->tx)
                        a->tx->failed = true;
                return ret;
        }
        w.path[len] = '\0';
        children_remove(&parent->children, path_name(w.path, len));
        tree_touch(a, parent);
        return 0;
}

int tree_rm(const struct actor *a, const char *path, size_t len)
{
        struct node *n;
        int err;
        int ret = tree_get(a, path, len, PERM_WRITE, &n);

        if (ret == -ENOENT) {
                /* Nothing there: done already, if there could have been. */
                if (tree_find(a, path, path_parent(path, len), &err))
                        return 0;
                return err;
        }
        if (ret < 0)
                return ret;
        if (len == 1)
                return -EINVAL;
        return tree_remove_subtree(a, path, len);
}

static int by_path(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Copies of the paths of nodes that domid owns, shortest ancestors first;
 * fewer than there are when memory is short. */
static char **owned_paths(struct xstore *xs, uint32_t domid, size_t *count)
{
        struct domain *d = domain_find(xs, domid);
        size_t room = d ? d->nodes : 0;
        char **paths = calloc(room + 1, sizeof(paths[0]));

        *count = 0;
        for (size_t i = 0; paths && i < xs->table.size; i++) {
                struct node *n = xs->table.slots[i];

                for (; n && *count < room; n = n->chain) {
                        if (n->perms->e[0].domid != domid || n->path_len == 1)
                                continue;
                        paths[*count] = strdup(n->path);
                        *count += paths[*count] != NULL;
                }
        }
        if (paths)
                qsort(paths, *count, sizeof(paths[0]), by_path);
        return paths;
}

/* Takes the entries of domid out of a list that does not belong to it. */
static void drop_entries(struct perms **at, uint32_t domid)
{
        struct perms *p = *at, *new;
        unsigned keep = 1;

        for (unsigned i = 1; i < p->n; i++)
                keep += p->e[i].domid != domid;
        if (keep == p->n && p->e[0].domid != domid)
                return;
        new = perms_new(keep);
        if (!new)
                return;
        if (p->e[0].domid != domid)
                new->e[0] = p->e[0];
        keep = 1;
        for (unsigned i = 1; i < p->n; i++)
                if (p->e[i].domid != domid)
                        new->e[keep++] = p->e[i];
        *at = new;
        perms_unref(p);
}

void tree_forget_domain(struct xstore *xs, uint32_t domid)
{
        struct actor a = {.xs = xs, .dom = xs->dom0};
        size_t count;
        char **paths = owned_paths(xs, domid, &count);

        for (size_t i = 0; i < count; i++) {
                size_t len = strlen(paths[i]);

                if (table_find(&xs->table, paths[i], len))
                        tree_remove_subtree(&a, paths[i], len);
                free(paths[i]);
        }
        free(paths);
        for (size_t i = 0; i < xs->table.size; i++) {
                struct node *n = xs->table.slots[i];

                for (; n; n = n->chain) {
                        uint32_t owner = n->perms->e[0].domid;

                        drop_entries(&n->perms, domid);
                        if (owner == domid) {
                                domain_account(xs, domid, -1);
                                domain_account(xs, n->perms->e[0].domid, 1);
                        }
                }
        }
        for (unsigned i = 0; i < NSPECIALS; i++)
                drop_entries(&xs->special[i], domid);
}
