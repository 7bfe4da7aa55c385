/* SPDX-License-Identifier: MIT */
/* A transaction sees each node as it was when the transaction touched it first,
 * and changes its own copies. At the end every node that it touched, read,
 * written or found absent, must be as it was then; otherwise EAGAIN. This is
 * how xenstored does it: no snapshot of the whole store is taken, and still
 * what is committed is as if it had been done in one moment. */
#include "store/internal.h"

int transaction_start(struct xstore_conn *c, uint32_t *id)
{
        struct transaction *tx, **at = &c->transactions;

        if (!domain_is_privileged(c->dom) &&
            c->ntransactions > c->xs->quota.transactions)
                return -ENOSPC;
        tx = calloc(1, sizeof(*tx));
        if (!tx)
                return -ENOMEM;
        if (table_init(&tx->table) < 0) {
                free(tx);
                return -ENOMEM;
        }
        tx->last = &tx->first;
        do
                tx->id = c->next_transaction++;
        while (tx->id == 0 || transaction_find(c, tx->id));
        while (*at)
                at = &(*at)->next;
        *at = tx;
        c->ntransactions++;
        *id = tx->id;
        return 0;
}

struct transaction *transaction_find(const struct xstore_conn *c, uint32_t id)
{
        struct transaction *tx = c->transactions;

        while (tx && tx->id != id)
                tx = tx->next;
        return tx;
}

static int copy_node(struct node *n, const struct node *live)
{
        n->exists = true;
        n->gen = n->seen = live->gen;
        n->perms = perms_ref(live->perms);
        if (bytes_set(&n->value, live->value.p, live->value.len) < 0 ||
            bytes_set(&n->children, live->children.p, live->children.len) < 0)
                return -ENOMEM;
        return 0;
}

struct node *transaction_node(const struct actor *a, const char *path,
                              size_t len, int *err)
{
        struct transaction *tx = a->tx;
        struct node *n = table_find(&tx->table, path, len);
        const struct node *live;

        *err = -ENOENT;
        if (n)
                return n;
        if (!domain_is_privileged(a->dom) &&
            tx->table.count >= a->xs->quota.transaction_nodes) {
                tx->failed = true;
                *err = -ENOSPC;
                return NULL;
        }
        live = table_find(&a->xs->table, path, len);
        n = table_add(&tx->table, path, len);
        if (n && live && copy_node(n, live) < 0) {
                table_remove(&tx->table, n);
                n = NULL;
        }
        if (!n) {
                tx->failed = true;
                *err = -ENOMEM;
                return NULL;
        }
        *tx->last = n;
        tx->last = &n->next;
        return n;
}

/* How many nodes more the domain owns after it. */
static long owned_change(const struct xstore *xs, const struct transaction *tx,
                         uint32_t domid)
{
        long sum = 0;

        for (const struct node *n = tx->first; n; n = n->next) {
                const struct node *live =
                        table_find(&xs->table, n->path, n->path_len);

                sum -= live && live->perms->e[0].domid == domid;
                sum += n->exists && n->perms->e[0].domid == domid;
        }
        return sum;
}

static int check(const struct xstore_conn *c, const struct transaction *tx)
{
        const struct xstore *xs = c->xs;
        const struct domain *d = c->dom;
        long more;

        if (tx->failed)
                return -ENOMEM;
        for (const struct node *n = tx->first; n; n = n->next) {
                const struct node *live =
                        table_find(&xs->table, n->path, n->path_len);

                if ((live ? live->gen : 0) != n->seen)
                        return -EAGAIN;
        }
        if (domain_is_privileged(d))
                return 0;
        more = owned_change(xs, tx, d->domid);
        if (more > 0 && d->nodes + (size_t)more > xs->quota.nodes)
                return -ENOSPC;
        return 0;
}

/* Makes room for what is new, so that the rest cannot fail half way. */
static int prepare(struct xstore *xs, struct transaction *tx)
{
        struct node *n, *live;

        for (n = tx->first; n; n = n->next) {
                if (!n->dirty || !n->exists || n->seen)
                        continue;
                live = table_add(&xs->table, n->path, n->path_len);
                if (!live)
                        goto undo;
                live->perms = perms_ref(n->perms);
                domain_account(xs, live->perms->e[0].domid, 1);
        }
        return 0;
undo:
        for (struct node *u = tx->first; u != n; u = u->next) {
                if (!u->dirty || !u->exists || u->seen)
                        continue;
                domain_account(xs, u->perms->e[0].domid, -1);
                table_remove(&xs->table,
                             table_find(&xs->table, u->path, u->path_len));
        }
        return -ENOMEM;
}

static void swap_bytes(struct bytes *a, struct bytes *b)
{
        struct bytes t = *a;

        *a = *b;
        *b = t;
}

static void apply_node(struct xstore *xs, struct node *n)
{
        struct node *live = table_find(&xs->table, n->path, n->path_len);

        if (!live)
                return; /* created and removed again in the transaction */
        domain_account(xs, live->perms->e[0].domid, -1);
        if (!n->exists) {
                table_remove(&xs->table, live);
                return;
        }
        if (n->noted)
                journal_note(xs, n->path, n->path_len, n->value.p,
                             n->value.len);
        swap_bytes(&live->value, &n->value);
        swap_bytes(&live->children, &n->children);
        perms_unref(live->perms);
        live->perms = perms_ref(n->perms);
        live->gen = ++xs->gen;
        domain_account(xs, live->perms->e[0].domid, 1);
}

/* Who could see the changed nodes before. */
static void remember(struct xstore *xs, struct transaction *tx)
{
        for (struct node *n = tx->first; n; n = n->next) {
                struct node *live =
                        table_find(&xs->table, n->path, n->path_len);

                if (live && (n->noted || n->noted_exact))
                        n->before = perms_ref(live->perms);
        }
}

/* In the order in which the transaction touched the nodes first. What it
 * created and removed again nobody hears of. */
static void fire(struct xstore *xs, const struct transaction *tx)
{
        for (const struct node *n = tx->first; n; n = n->next)
                if ((n->noted || n->noted_exact) && (n->seen || n->exists))
                        watch_fire(xs, n->path, n->path_len, !n->noted,
                                   n->before);
}

static int apply(struct xstore *xs, struct transaction *tx)
{
        remember(xs, tx);
        if (prepare(xs, tx) < 0)
                return -ENOMEM;
        for (struct node *n = tx->first; n; n = n->next)
                if (n->dirty)
                        apply_node(xs, n);
        fire(xs, tx);
        return 0;
}

int transaction_end(struct xstore_conn *c, struct transaction *tx, bool commit)
{
        struct transaction **at = &c->transactions;
        int ret = commit ? check(c, tx) : 0;

        if (commit && ret == 0)
                ret = apply(c->xs, tx);
        while (*at != tx)
                at = &(*at)->next;
        *at = tx->next;
        c->ntransactions--;
        table_release(&tx->table);
        free(tx);
        return ret;
}

void transaction_end_all(struct xstore_conn *c)
{
        while (c->transactions)
                transaction_end(c, c->transactions, false);
}
