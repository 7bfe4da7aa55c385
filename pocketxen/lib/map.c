/* SPDX-License-Identifier: MIT */
/* map = pin each entry, mmap the granter's memory; unmap = munmap, unpin. These
 * are real system calls with real costs, and nothing is added to them. */
#include "fault.h"
#include "gnttab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static unsigned bucket(const void *start)
{
        uintptr_t page = (uintptr_t)start / PXW_PAGE;

        return (unsigned)((page * 0x9e3779b97f4a7c15ull) >>
                          (64 - PX_HASH_BITS));
}

static struct px_mapping *mapping_new(xengnttab_handle *h, uint32_t count,
                                      bool several_domains)
{
        struct px_mapping *m = h->spare;

        if (m)
                h->spare = m->next;
        else
                m = malloc(sizeof(*m));
        if (!m)
                return NULL;
        *m = (struct px_mapping){.count = count};
        if (count > 1)
                m->many = malloc(count * sizeof(*m->many));
        if (several_domains)
                m->from_each = calloc(count, sizeof(struct px_attached *));
        if ((count > 1 && !m->many) || (several_domains && !m->from_each)) {
                free(m->many);
                free(m->from_each);
                free(m);
                return NULL;
        }
        return m;
}

static void mapping_free(xengnttab_handle *h, struct px_mapping *m)
{
        free(m->many);
        free(m->from_each);
        m->many = NULL;
        m->from_each = NULL;
        m->next = h->spare;
        h->spare = m;
}

static struct px_attached *page_from(const struct px_mapping *m, uint32_t i)
{
        return m->from_each ? m->from_each[i] : m->from;
}

static void unpin_pages(xengnttab_handle *h, struct px_mapping *m, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                struct px_attached *a = page_from(m, i);

                if ((m->many ? m->many[i] : m->one) != PX_RECORD_LOST)
                        px_unpin_ref(h, a, m->many ? m->many[i] : m->one);
                px_detach(a);
        }
}

/* As gntdev's mmap does: the pages are in the page table when it returns, and
 * no first touch of one is a fault. */
#define MAP_PRESENT (MAP_SHARED | MAP_POPULATE)

/* Pages that follow one another in the same file are one mmap. */
static int map_runs(char *at, const struct px_mapping *m,
                    const uint32_t *frames, int prot)
{
        for (uint32_t i = 0, n; i < m->count; i += n) {
                for (n = 1; i + n < m->count; n++)
                        if (page_from(m, i + n) != page_from(m, i) ||
                            frames[i + n] != frames[i] + n)
                                break;
                if (mmap(at + (size_t)i * PXW_PAGE, (size_t)n * PXW_PAGE, prot,
                         MAP_PRESENT | MAP_FIXED, page_from(m, i)->mem_fd,
                         (off_t)frames[i] * PXW_PAGE) == MAP_FAILED)
                        return -1;
        }
        return 0;
}

static void *map_frames(const struct px_mapping *m, const uint32_t *frames,
                        int prot)
{
        size_t bytes = (size_t)m->count * PXW_PAGE;
        void *at;

        if (m->count == 1)
                return mmap(NULL, PXW_PAGE, prot, MAP_PRESENT,
                            page_from(m, 0)->mem_fd,
                            (off_t)frames[0] * PXW_PAGE);
        at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
                return at;
        if (map_runs(at, m, frames, prot) < 0) {
                munmap(at, bytes);
                return MAP_FAILED;
        }
        return at;
}

/* All refs or none. Sets errno as the kernel's gntdev does: one bad ref is
 * EINVAL for the whole call. */
static uint32_t pin_pages(xengnttab_handle *h, struct px_mapping *m,
                          const uint32_t *domids, unsigned step,
                          const uint32_t *refs, int prot, uint32_t *frames)
{
        for (uint32_t i = 0; i < m->count; i++) {
                struct px_attached *a;
                uint32_t *record = m->many ? &m->many[i] : &m->one;

                a = px_warm(h, domids[(size_t)i * step]);
                if (!a || px_pin_ref(h, a, refs[i], (prot & PROT_WRITE) != 0,
                                     record, &frames[i]) != GNTST_okay) {
                        errno = EINVAL;
                        return i;
                }
                /* Each page keeps its domain attached, whatever happens to the
                 * handle's cache of warm ones. */
                px_attach_more(a);
                if (m->from_each)
                        m->from_each[i] = a;
                else
                        m->from = a;
        }
        return m->count;
}

/* In shared memory, where the server reads it at any time; this handle is its
 * only writer. */
static void note_high(struct pxw_counts *c)
{
        uint64_t now = c->map_pages - c->unmap_pages;

        if (now > c->mapped_high)
                __atomic_store_n(&c->mapped_high, now, __ATOMIC_RELAXED);
}

static void count_maps(xengnttab_handle *h, const struct px_mapping *m)
{
        for (uint32_t i = 0; i < m->count; i++) {
                struct pxw_counts *c = &h->owner->counts[page_from(m, i)->slot];

                __atomic_store_n(&c->map_pages, c->map_pages + 1,
                                 __ATOMIC_RELAXED);
                if (i == 0 || page_from(m, i) != page_from(m, i - 1))
                        __atomic_store_n(&c->map_calls, c->map_calls + 1,
                                         __ATOMIC_RELAXED);
                note_high(c);
        }
}

static void count_unmaps(xengnttab_handle *h, const struct px_mapping *m)
{
        for (uint32_t i = 0; i < m->count; i++) {
                struct pxw_counts *c = &h->owner->counts[page_from(m, i)->slot];

                __atomic_store_n(&c->unmap_pages, c->unmap_pages + 1,
                                 __ATOMIC_RELAXED);
                if (i == 0 || page_from(m, i) != page_from(m, i - 1))
                        __atomic_store_n(&c->unmap_calls, c->unmap_calls + 1,
                                         __ATOMIC_RELAXED);
        }
}

static bool one_domain(const uint32_t *domids, unsigned step, uint32_t count)
{
        for (uint32_t i = 1; step && i < count; i++)
                if (domids[i] != domids[0])
                        return false;
        return true;
}

void *px_map(xengnttab_handle *h, uint32_t count, const uint32_t *domids,
             unsigned domid_step, const uint32_t *refs, int prot)
{
        uint32_t one_frame, *frames = &one_frame;
        struct px_mapping *m;
        uint32_t pinned;

        if (count == 0 || count > PXW_RECORDS / 2) {
                errno = EINVAL;
                return NULL;
        }
        if (px_faulty(h, PXW_FAULT_MAP)) {
                int error = px_fault_map(h, count, domids, domid_step, refs);

                if (error) {
                        errno = error;
                        return NULL;
                }
        }
        m = mapping_new(h, count, !one_domain(domids, domid_step, count));
        if (count > 1)
                frames = malloc(count * sizeof(*frames));
        if (!m || !frames)
                goto no_memory;
        pinned = pin_pages(h, m, domids, domid_step, refs, prot, frames);
        if (pinned < count)
                goto unpin;
        m->start = map_frames(m, frames, prot);
        if (m->start == MAP_FAILED) {
                errno = ENOMEM;
                goto unpin;
        }
        m->next = h->hash[bucket(m->start)];
        h->hash[bucket(m->start)] = m;
        h->live++;
        count_maps(h, m);
        if (count > 1)
                free(frames);
        return m->start;
unpin:
        unpin_pages(h, m, pinned);
        goto out;
no_memory:
        errno = ENOMEM;
out:
        if (m)
                mapping_free(h, m);
        if (count > 1)
                free(frames);
        return NULL;
}

struct px_mapping *px_mapping_find(xengnttab_handle *h, void *start)
{
        struct px_mapping *m = h->hash[bucket(start)];

        while (m && m->start != start)
                m = m->next;
        return m;
}

/* 0, or -1 and errno, and everything stays mapped. A status is what the
 * hypervisor tells the kernel, which tells nobody: the memory goes, the grant
 * stays pinned until the handle is closed. */
static int unmap_faults(xengnttab_handle *h, struct px_mapping *m)
{
        uint32_t *records = m->many ? m->many : &m->one;
        int status, error;

        for (uint32_t i = 0; i < m->count; i++) {
                uint32_t ref = pxw_record_ref(__atomic_load_n(
                        &h->owner->records[records[i]], __ATOMIC_RELAXED));

                if (records[i] == PX_RECORD_LOST)
                        continue;
                error = px_fault_ask(h, PXW_FAULT_UNMAP, page_from(m, i)->domid,
                                     1, &ref, &status);
                if (error) {
                        errno = error;
                        return -1;
                }
                if (status != GNTST_okay)
                        records[i] = PX_RECORD_LOST;
        }
        return 0;
}

int px_unmap(xengnttab_handle *h, struct px_mapping *m)
{
        struct px_mapping **p = &h->hash[bucket(m->start)];
        bool dead;

        if (px_faulty(h, PXW_FAULT_UNMAP) && unmap_faults(h, m) < 0)
                return -1;
        if (munmap(m->start, (size_t)m->count * PXW_PAGE) < 0)
                return -1;
        while (*p != m)
                p = &(*p)->next;
        *p = m->next;
        h->live--;
        count_unmaps(h, m);
        dead = px_attach_dying(page_from(m, 0)); /* before it may be freed */
        unpin_pages(h, m, m->count);
        mapping_free(h, m);
        if (dead)
                px_warm_sweep(h);
        return 0;
}
