/* SPDX-License-Identifier: MIT */
#include "fake_xen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct fake_xen fake;

/* One slot a page: what is mapped there. Memory is only touched if used. */
struct slot {
        uint32_t gref;
        uint32_t n; /* > 0 at the first page of a mapping or share */
};
static struct slot slots[FAKE_PAGES];
static uint32_t spare[FAKE_PAGES];
static uint32_t nspare;
static uint32_t next_fresh;
static uint32_t next_gref;
static unsigned mapped;
static uint8_t *area;

void fake_reset(void)
{
        size_t bytes = (size_t)FAKE_PAGES * GRANT_PAGE_BYTES;

        if (area)
                munmap(area, bytes);
        area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (area == MAP_FAILED) {
                perror("fake_xen: mmap");
                exit(1);
        }
        memset(slots, 0, sizeof(slots));
        memset(&fake, 0, sizeof(fake));
        fake.share_limit = UINT32_MAX;
        nspare = next_fresh = mapped = 0;
        next_gref = 8;
}

struct xen_grants *fake_grants(void)
{
        return (struct xen_grants *)&fake;
}

struct xen_shares *fake_shares(void)
{
        return (struct xen_shares *)&fake;
}

unsigned fake_mapped(void)
{
        return mapped;
}

unsigned fake_mapped_gref(uint32_t gref)
{
        unsigned n = 0;

        for (uint32_t i = 0; i < next_fresh; i++)
                n += slots[i].n && slots[i].gref == gref;
        return n;
}

static void *slot_take(uint32_t gref, unsigned n)
{
        uint32_t i;

        if (n == 1 && nspare) {
                i = spare[--nspare];
        } else {
                if (next_fresh + n > FAKE_PAGES) {
                        fprintf(stderr, "fake_xen: out of pages\n");
                        exit(1);
                }
                i = next_fresh;
                next_fresh += n;
        }
        slots[i] = (struct slot){.gref = gref, .n = n};
        return area + (size_t)i * GRANT_PAGE_BYTES;
}

static bool slot_give(void *pages, unsigned n)
{
        size_t at = (size_t)((uint8_t *)pages - area);
        uint32_t i = (uint32_t)(at / GRANT_PAGE_BYTES);

        if (at % GRANT_PAGE_BYTES || i >= FAKE_PAGES || n == 0 ||
            slots[i].n != n) {
                fake.misuse++;
                return false;
        }
        slots[i].n = 0;
        if (n == 1)
                spare[nspare++] = i;
        return true;
}

int xen_grants_map(struct xen_grants *g, uint32_t domid, const uint32_t *refs,
                   unsigned n, bool writable, void **pages)
{
        uint64_t call = fake.count.map_calls + fake.count.map_failures + 1;

        *pages = NULL;
        fake.last_domid = domid;
        fake.last_writable = writable;
        if (fake.fail_all || call == fake.fail_map_call) {
                fake.count.map_failures++;
                return -fake.fail_errno;
        }
        *pages = slot_take(refs[0], n);
        fake.count.map_calls++;
        fake.count.map_pages += n;
        mapped += n;
        return 0;
}

void xen_grants_unmap(struct xen_grants *g, void *pages, unsigned n)
{
        if (!slot_give(pages, n))
                return;
        fake.count.unmap_calls++;
        fake.count.unmap_pages += n;
        mapped -= n;
}

int xen_shares_share(struct xen_shares *s, uint32_t domid, unsigned n,
                     bool writable, uint32_t *refs, void **pages)
{
        *pages = NULL;
        fake.share_attempts++;
        fake.last_domid = domid;
        fake.last_writable = writable;
        if (fake.shared_pages + n > fake.share_limit)
                return -ENOSPC;
        *pages = slot_take(0, n);
        memset(*pages, 0, (size_t)n * GRANT_PAGE_BYTES);
        for (unsigned i = 0; i < n; i++)
                refs[i] = next_gref++;
        fake.share_calls++;
        fake.shared_pages += n;
        if (n > fake.largest_share)
                fake.largest_share = n;
        return 0;
}

void xen_shares_unshare(struct xen_shares *s, void *pages, unsigned n)
{
        if (!slot_give(pages, n))
                return;
        fake.unshare_calls++;
        fake.shared_pages -= n;
}
