/* SPDX-License-Identifier: MIT */
/* The store as its owner sees it: life cycle, connections, domains. */
#include "store/internal.h"

const struct xstore_quota xstore_default_quota = {
        .nodes = 1000,
        .watches = 128,
        .value_bytes = 2048,
        .transactions = 10,
        .transaction_nodes = 1024,
        .permissions = 5,
        .outstanding = 20,
        .path_bytes = XENSTORE_REL_PATH_MAX,
};

static int add_first_nodes(struct xstore *xs)
{
        static const char first[] = "/tool/xenstored";
        const struct actor a = {xs, xs->dom0, NULL};
        struct node *root = table_add(&xs->table, "/", 1);

        if (!root)
                return -ENOMEM;
        root->gen = ++xs->gen;
        root->perms = perms_new(1); /* n0 */
        if (!root->perms)
                return -ENOMEM;
        domain_account(xs, 0, 1);
        return tree_mkdir(&a, first, sizeof(first) - 1);
}

int xstore_create(struct xstore **out, const struct xstore_quota *quota)
{
        struct xstore *xs = calloc(1, sizeof(*xs));

        if (!xs)
                return -ENOMEM;
        xs->quota = quota ? *quota : xstore_default_quota;
        xs->dom0 = domain_get(xs, 0);
        for (unsigned i = 0; i < NSPECIALS; i++)
                xs->special[i] = perms_new(1);
        if (!xs->dom0 || !xs->special[0] || !xs->special[1] ||
            table_init(&xs->table) < 0 || add_first_nodes(xs) < 0) {
                xstore_destroy(xs);
                return -ENOMEM;
        }
        xs->dom0->introduced = true;
        *out = xs;
        return 0;
}

void xstore_destroy(struct xstore *xs)
{
        if (!xs)
                return;
        while (xs->conns)
                /* It takes itself off the list, which clang-tidy misses. */
                xstore_conn_close(xs->conns); // NOLINT(*-unix.Malloc)
        table_release(&xs->table);
        free(xs->watches.slots);
        free(xs->watches.matches);
        for (unsigned i = 0; i < NSPECIALS; i++)
                perms_unref(xs->special[i]);
        domain_free_all(xs);
        (void)xstore_journal(xs, NULL);
        free(xs);
}

const struct xstore_quota *xstore_get_quota(const struct xstore *xs)
{
        return &xs->quota;
}

int xstore_conn_open(struct xstore *xs, uint32_t domid, xstore_send send,
                     void *arg, struct xstore_conn **out)
{
        struct xstore_conn *c = calloc(1, sizeof(*c));
        struct domain *d = domain_get(xs, domid);

        if (!c || !d) {
                free(c);
                return -ENOMEM;
        }
        d->seen = true;
        c->xs = xs;
        c->dom = d;
        c->send = send;
        c->arg = arg;
        c->last_watch = &c->watches;
        c->next_transaction = 1;
        c->next = xs->conns;
        c->link = &xs->conns;
        if (c->next)
                c->next->link = &c->next;
        xs->conns = c;
        *out = c;
        return 0;
}

void xstore_conn_close(struct xstore_conn *c)
{
        if (!c)
                return;
        watch_remove_all(c);
        transaction_end_all(c);
        *c->link = c->next;
        if (c->next)
                c->next->link = c->link;
        free(c->in);
        free(c);
}

void xstore_set_exists(struct xstore *xs, xstore_exists exists, void *arg)
{
        xs->exists = exists;
        xs->exists_arg = arg;
}

void xstore_domain_introduce(struct xstore *xs, uint32_t domid)
{
        struct domain *d = domain_get(xs, domid);

        if (!d || d->introduced)
                return;
        d->introduced = true;
        special_fire(xs, SPECIAL_INTRODUCE);
}

void xstore_domain_release(struct xstore *xs, uint32_t domid)
{
        struct domain *d = domain_find(xs, domid);

        if (!d || domid == 0 || !(d->introduced || d->seen))
                return;
        /* It must not hear of its own end (and would, of each node). */
        for (struct xstore_conn *c = xs->conns; c; c = c->next) {
                if (c->dom == d) {
                        watch_remove_all(c);
                        transaction_end_all(c);
                }
        }
        tree_forget_domain(xs, domid);
        for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
                for (struct domain *o = xs->domains[i]; o; o = o->chain)
                        if (o->target == domid)
                                o->has_target = false;
        d->introduced = d->seen = d->has_target = false;
        special_fire(xs, SPECIAL_RELEASE);
}

void xstore_domain_dying(struct xstore *xs)
{
        special_fire(xs, SPECIAL_RELEASE);
}

void xstore_count(const struct xstore *xs, uint32_t domid,
                  struct xstore_count *count)
{
        const struct domain *d =
                domid == UINT32_MAX ? NULL : domain_find(xs, domid);

        *count = (struct xstore_count){0};
        if (domid == UINT32_MAX) {
                count->nodes = xs->table.count;
                count->watches = xs->watches.count;
        } else if (d) {
                count->nodes = d->nodes;
                count->watches = d->watches;
        }
        for (const struct xstore_conn *c = xs->conns; c; c = c->next) {
                if (domid == UINT32_MAX || c->dom == d) {
                        count->connections++;
                        count->transactions += c->ntransactions;
                }
        }
}
