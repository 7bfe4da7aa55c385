/* SPDX-License-Identifier: MIT */
/* The domains that the store has heard of, and what they hold of it. */
#include "store/internal.h"

struct domain *domain_find(const struct xstore *xs, uint32_t domid)
{
        struct domain *d = xs->domains[domid % DOMAIN_BUCKETS];

        while (d && d->domid != domid)
                d = d->chain;
        return d;
}

struct domain *domain_get(struct xstore *xs, uint32_t domid)
{
        struct domain *d = domain_find(xs, domid);

        if (d)
                return d;
        d = calloc(1, sizeof(*d));
        if (!d)
                return NULL;
        d->domid = domid;
        d->chain = xs->domains[domid % DOMAIN_BUCKETS];
        xs->domains[domid % DOMAIN_BUCKETS] = d;
        return d;
}

/* The domain of an owner exists from the moment that it may own: see
 * tree_set_perms and create in tree.c. */
void domain_account(struct xstore *xs, uint32_t domid, int delta)
{
        struct domain *d = domain_find(xs, domid);

        if (!d)
                return;
        d->nodes += (size_t)delta;
        d->seen = true;
}

bool domain_exists(const struct xstore *xs, uint32_t domid)
{
        if (domid == 0)
                return true;
        if (domid >= DOMID_FIRST_RESERVED)
                return false;
        return !xs->exists || xs->exists(xs->exists_arg, domid);
}

void domain_free_all(struct xstore *xs)
{
        for (unsigned i = 0; i < DOMAIN_BUCKETS; i++) {
                struct domain *next;

                for (struct domain *d = xs->domains[i]; d; d = next) {
                        next = d->chain;
                        free(d);
                }
                xs->domains[i] = NULL;
        }
}

bool quota_node_fits(const struct xstore *xs, const struct domain *actor,
                     size_t nperms, size_t value_len, size_t children_len)
{
        /* As large as xenstored's record of a node. */
        size_t bytes = 24 + 8 * nperms + value_len + children_len;

        return domain_is_privileged(actor) || bytes < xs->quota.value_bytes;
}
