/* SPDX-License-Identifier: MIT */
/* The hypervisor's own counts of maps, unmaps and copies for each pair of
 * domains: live ones in the handles' shared pages, older ones in the pairs. */
#include "world.h"

#include <stdlib.h>

#define MAX_PAIRS 4096u

static void add(struct pxw_counts *sum, const struct pxw_counts *more)
{
        uint64_t *to = (uint64_t *)sum;
        const uint64_t *from = (const uint64_t *)more;

        for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
                to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static bool is_zero(const struct pxw_counts *c)
{
        struct pxw_counts sum = {0};

        add(&sum, c);
        return !(sum.map_calls | sum.unmap_calls | sum.copy_calls);
}

struct px_pair *px_pair_get(struct px_world *w, uint32_t mapper,
                            uint32_t granter)
{
        struct px_pair *p;

        LIST_FOREACH(p, &w->pairs, link)
        if (p->mapper == mapper && p->granter == granter)
                return p;
        if (w->npairs >= MAX_PAIRS)
                return NULL;
        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        p->mapper = mapper;
        p->granter = granter;
        LIST_INSERT_HEAD(&w->pairs, p, link);
        w->npairs++;
        return p;
}

static void fold_one(struct px_handle *h, struct px_domain *granter)
{
        struct pxw_counts *c = &h->owner->counts[granter->slot];
        struct px_pair *p;

        if (is_zero(c))
                return;
        p = px_pair_get(h->world, h->dom->domid, granter->domid);
        if (p)
                add(&p->counts, c);
        *c = (struct pxw_counts){0};
}

void px_account_fold(struct px_handle *h)
{
        for (unsigned i = 0; i < PXW_SLOTS; i++)
                if (h->world->domains[i])
                        fold_one(h, h->world->domains[i]);
}

void px_account_fold_slot(struct px_world *w, struct px_domain *granter)
{
        struct px_handle *h;

        LIST_FOREACH(h, &w->handles, link)
        if (h->owner)
                fold_one(h, granter);
}

struct pxw_counts px_counts(struct px_world *w, uint32_t mapper,
                            uint32_t granter)
{
        struct pxw_counts sum = {0};
        struct px_domain *d = px_domain_find(w, granter);
        struct px_handle *h;
        struct px_pair *p;

        LIST_FOREACH(p, &w->pairs, link)
        if (p->mapper == mapper && p->granter == granter)
                add(&sum, &p->counts);
        LIST_FOREACH(h, &w->handles, link)
        if (h->owner && d && h->dom->domid == mapper)
                add(&sum, &h->owner->counts[d->slot]);
        return sum;
}
