/* SPDX-License-Identifier: MIT */
#include "fake_pages.h"

#include <errno.h>
#include <string.h>

struct fake_pages fake_pages;

void fake_pages_reset(void)
{
        memset(&fake_pages, 0, sizeof(fake_pages));
        fake_pages.room = UINT32_MAX;
        fake_pages.next_gref = 8;
}

static void *pages_new(unsigned n)
{
        void *p = aligned_alloc(GRANT_PAGE_BYTES, (size_t)n * GRANT_PAGE_BYTES);

        if (!p)
                abort();
        memset(p, 0, (size_t)n * GRANT_PAGE_BYTES);
        fake_pages.live += n;
        return p;
}

int xen_grants_map(struct xen_grants *g, uint32_t domid, const uint32_t *refs,
                   unsigned n, bool writable, void **pages)
{
        *pages = NULL;
        if (fake_pages.map_error)
                return fake_pages.map_error;
        *pages = pages_new(n);
        memcpy(*pages, refs, n * sizeof(*refs));
        fake_pages.maps++;
        return 0;
}

void xen_grants_unmap(struct xen_grants *g, void *pages, unsigned n)
{
        fake_pages.live -= n;
        fake_pages.unmaps++;
        free(pages);
}

int xen_shares_share(struct xen_shares *s, uint32_t domid, unsigned n,
                     bool writable, uint32_t *refs, void **pages)
{
        *pages = NULL;
        fake_pages.attempts++;
        if (n > fake_pages.room || fake_pages.live > fake_pages.room - n)
                return -ENOSPC;
        *pages = pages_new(n);
        for (unsigned i = 0; i < n; i++)
                refs[i] = fake_pages.next_gref++;
        fake_pages.shares++;
        return 0;
}

void xen_shares_unshare(struct xen_shares *s, void *pages, unsigned n)
{
        fake_pages.live -= n;
        fake_pages.unshares++;
        free(pages);
}
