/* SPDX-License-Identifier: MIT */
/* Reading, creating and changing nodes, in a transaction or directly. */
#include "store/internal.h"

struct node *tree_find(const struct actor *a, const char *path, size_t len,
                       int *err)
{
        struct node *n;

        *err = -ENOENT;
        if (!a->tx)
                return table_find(&a->xs->table, path, len);
        n = transaction_node(a, path, len, err);
        return n && n->exists ? n : NULL;
}

void tree_touch(const struct actor *a, struct node *n)
{
        n->gen = ++a->xs->gen;
        if (a->tx)
                n->dirty = true;
}

/* What is not there is hidden from those who could not read it if it were:
 * the nearest ancestor decides. */
static int explain(const struct actor *a, const char *path, size_t len,
                   unsigned want, int why)
{
        struct node *n = NULL;
        int err;

        while (!n && len > 1) {
                len = path_parent(path, len);
                n = tree_find(a, path, len, &err);
                if (!n && err != -ENOENT)
                        return err;
        }
        return n && perms_of(n->perms, a->dom) & want ? why : -EACCES;
}

int tree_get(const struct actor *a, const char *path, size_t len, unsigned want,
             struct node **n)
{
        int err;

        *n = tree_find(a, path, len, &err);
        if (*n && (perms_of((*n)->perms, a->dom) & want) == want)
                return 0;
        if (*n)
                err = -EACCES;
        else if (err != -ENOENT)
                return err;
        return explain(a, path, len, want, err);
}

/* Watches fire, at once or when the transaction is committed. */
static void changed(const struct actor *a, struct node *n,
                    const struct perms *before)
{
        if (a->tx)
                n->noted = true;
        else
                watch_fire(a->xs, n->path, n->path_len, false, before);
}

/* A transaction that hit a limit has done half of a thing: it cannot be
 * committed any more. */
static int failed(const struct actor *a, int err)
{
        if (a->tx)
                a->tx->failed = true;
        return err;
}

/* A new node has its parent's permissions; who is not privileged owns it. */
static struct perms *inherit(const struct actor *a, struct perms *parent)
{
        struct perms *p;

        if (domain_is_privileged(a->dom) || parent->e[0].domid == a->dom->domid)
                return perms_ref(parent);
        p = perms_new(parent->n);
        if (p) {
                memcpy(p->e, parent->e, parent->n * sizeof(p->e[0]));
                p->e[0].domid = a->dom->domid;
        }
        return p;
}

static void unplace(const struct actor *a, struct node *n)
{
        if (a->tx) {
                n->exists = false;
                n->children.len = 0;
        } else {
                domain_account(a->xs, n->perms->e[0].domid, -1);
                table_remove(&a->xs->table, n);
        }
}

/* Puts one empty node into the view. */
static struct node *place(const struct actor *a, const char *path, size_t len,
                          struct perms *p)
{
        struct node *n;
        int err;

        if (a->tx) {
                n = transaction_node(a, path, len, &err);
                if (!n)
                        return NULL;
                perms_unref(n->perms);
        } else {
                n = table_add(&a->xs->table, path, len);
                if (!n)
                        return NULL;
                domain_account(a->xs, p->e[0].domid, 1);
        }
        n->perms = perms_ref(p);
        n->exists = true;
        n->value.len = 0;
        n->children.len = 0;
        return n;
}

/* The length of the path's next longer prefix that ends at a component. */
static size_t next_prefix(const char *path, size_t len, size_t at)
{
        for (at++; at < len && path[at] != '/'; at++)
                ;
        return at;
}

static int add_child(const struct actor *a, struct node *parent,
                     const char *path, size_t len)
{
        char name[PATH_BYTES];
        const char *last = path_name(path, len);
        size_t name_len = (size_t)(path + len - last);

        if (!quota_node_fits(a->xs, a->dom, parent->perms->n, parent->value.len,
                             parent->children.len + name_len + 1))
                return -ENOSPC;
        memcpy(name, last, name_len);
        name[name_len] = '\0';
        return children_add(&parent->children, name);
}

static void remove_child(struct node *parent, const char *path, size_t len)
{
        char name[PATH_BYTES];
        const char *last = path_name(path, len);
        size_t name_len = (size_t)(path + len - last);

        memcpy(name, last, name_len);
        name[name_len] = '\0';
        children_remove(&parent->children, name);
}

/* Takes back what place_chain has made so far, from n up to top. */
static void unplace_chain(const struct actor *a, struct node *top,
                          struct node *n, const char *path)
{
        while (n != top) {
                size_t len = n->path_len;
                int err;
                struct node *parent =
                        tree_find(a, path, path_parent(path, len), &err);

                unplace(a, n);
                remove_child(parent, path, len);
                n = parent;
        }
}

/* Makes the nodes of path below top, all or none. *made: the last one. */
static int place_chain(const struct actor *a, struct node *top,
                       const char *path, size_t len, struct node **made)
{
        struct perms *p = inherit(a, top->perms);
        size_t at = top->path_len > 1 ? top->path_len : 0;
        struct node *n = top, *child;
        int ret = p ? 0 : -ENOMEM;

        while (ret == 0 && at < len) {
                at = next_prefix(path, len, at);
                ret = add_child(a, n, path, at);
                if (ret < 0)
                        break;
                child = place(a, path, at, p);
                if (child) {
                        tree_touch(a, child);
                        n = child;
                } else {
                        remove_child(n, path, at);
                        ret = -ENOMEM;
                }
        }
        if (ret < 0)
                unplace_chain(a, top, n, path);
        perms_unref(p);
        *made = n;
        return ret;
}

static size_t missing_components(const char *path, size_t from, size_t len)
{
        size_t count = 0;

        for (size_t i = from; i < len; i++)
                count += path[i] == '/';
        return count;
}

static int create(const struct actor *a, const char *path, size_t len,
                  const void *value, size_t value_len, struct node **n)
{
        size_t top_len = len;
        struct node *top = NULL;
        int ret;

        while (!top) {
                if (top_len == 1)
                        return -ENOENT;
                top_len = path_parent(path, top_len);
                top = tree_find(a, path, top_len, &ret);
                if (!top && ret != -ENOENT)
                        return ret;
        }
        if (!domain_is_privileged(a->dom) &&
            a->dom->nodes + missing_components(path, top_len > 1 ? top_len : 0,
                                               len) >
                    a->xs->quota.nodes)
                return failed(a, -ENOSPC);
        if (!quota_node_fits(a->xs, a->dom, top->perms->n, value_len, 0))
                return failed(a, -ENOSPC);
        ret = place_chain(a, top, path, len, n);
        if (ret == 0)
                ret = bytes_set(&(*n)->value, value, value_len);
        if (ret < 0)
                return failed(a, ret);
        tree_touch(a, top);
        return 0;
}

int tree_write(const struct actor *a, const char *path, size_t len,
               const void *value, size_t value_len)
{
        struct node *n;
        int ret = tree_get(a, path, len, PERM_WRITE, &n);

        if (ret == -ENOENT) {
                ret = create(a, path, len, value, value_len, &n);
        } else if (ret == 0) {
                if (!quota_node_fits(a->xs, a->dom, n->perms->n, value_len,
                                     n->children.len))
                        return failed(a, -ENOSPC);
                ret = bytes_set(&n->value, value, value_len);
                tree_touch(a, n);
        }
        if (ret == 0) {
                if (!a->tx)
                        journal_note(a->xs, path, len, value, value_len);
                changed(a, n, NULL);
        }
        return ret;
}

int tree_mkdir(const struct actor *a, const char *path, size_t len)
{
        struct node *n;
        int ret = tree_get(a, path, len, PERM_WRITE, &n);

        if (ret != -ENOENT)
                return ret;
        ret = create(a, path, len, NULL, 0, &n);
        if (ret == 0)
                changed(a, n, NULL);
        return ret;
}

static int replace_perms(const struct actor *a, struct node *n, struct perms *p)
{
        uint32_t owner = p->e[0].domid;

        if (!domain_is_privileged(a->dom) && owner != n->perms->e[0].domid)
                return -EPERM;
        if (!quota_node_fits(a->xs, a->dom, p->n, n->value.len,
                             n->children.len))
                return failed(a, -ENOSPC);
        if (!domain_get(a->xs, owner))
                return -ENOMEM;
        if (!a->tx) {
                domain_account(a->xs, n->perms->e[0].domid, -1);
                domain_account(a->xs, owner, 1);
        }
        n->perms = p;
        tree_touch(a, n);
        return 0;
}

int tree_set_perms(const struct actor *a, const char *path, size_t len,
                   struct perms *p)
{
        struct perms *before = NULL;
        struct node *n;
        int ret = tree_get(a, path, len, PERM_WRITE | PERM_OWNER, &n);

        if (ret == 0) {
                before = n->perms;
                ret = replace_perms(a, n, p);
        }
        if (ret < 0) {
                perms_unref(p);
                return ret;
        }
        changed(a, n, before);
        perms_unref(before);
        return 0;
}
