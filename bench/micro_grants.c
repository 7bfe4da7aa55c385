/* SPDX-License-Identifier: MIT */
/* Map, unmap, copy and look-up of grants, beside the bare system calls under
 * them: an mmap of a page of a memfd that is touched and unmapped again, a
 * pread and a pwrite of it. The domain grants to itself. Each is measured alone
 * and ("_2") while another thread of the process runs, which makes an unmap of
 * a touched page a TLB shootdown. */
#include "micro.h"

#include "grant/cache.h"
#include "xen/grants.h"
#include "xen/shares.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 32u
#define BATCH 16u /* maps one after another, before they are unmapped */
#define MEMORY_BYTES (64u << 20)
#define CACHE_PAGES 1056u

struct rig {
        struct xen_grants *grants;
        struct xen_shares *shares;
        uint32_t domid;
        uint32_t refs[CACHE_PAGES];
        void *shared;
        struct grant_cache *cache;
        int memfd;
        uint8_t *page;
        uint64_t random;
        bool failed;
};

static void touch(void *page)
{
        *(volatile uint8_t *)page = 1;
}

/* ---- the bare calls ---------------------------------------------------------
 */

static void *bare_map(const struct rig *r, uint64_t i)
{
        return mmap(NULL, GRANT_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                    r->memfd, (off_t)(i % PAGES * GRANT_PAGE_BYTES));
}

static void run_bare_mmap(void *arg, uint64_t n)
{
        struct rig *r = arg;

        for (uint64_t i = 0; i < n; i++) {
                void *page = bare_map(r, i);

                if (page == MAP_FAILED) {
                        r->failed = true;
                        return;
                }
                touch(page);
                munmap(page, GRANT_PAGE_BYTES);
        }
}

static void run_pread(void *arg, uint64_t n)
{
        struct rig *r = arg;

        for (uint64_t i = 0; i < n; i++)
                r->failed |= pread(r->memfd, r->page, GRANT_PAGE_BYTES,
                                   (off_t)(i % PAGES * GRANT_PAGE_BYTES)) < 0;
}

static void run_pwrite(void *arg, uint64_t n)
{
        struct rig *r = arg;

        for (uint64_t i = 0; i < n; i++)
                r->failed |= pwrite(r->memfd, r->page, GRANT_PAGE_BYTES,
                                    (off_t)(i % PAGES * GRANT_PAGE_BYTES)) < 0;
}

/* ---- what Xen's interface makes of them
 * --------------------------------------
 */

static void run_map_unmap(void *arg, uint64_t n)
{
        struct rig *r = arg;
        void *page;

        for (uint64_t i = 0; i < n; i++) {
                if (xen_grants_map(r->grants, r->domid, &r->refs[i % PAGES], 1,
                                   true, &page) < 0) {
                        r->failed = true;
                        return;
                }
                touch(page);
                xen_grants_unmap(r->grants, page, 1);
        }
}

static void copy(struct rig *r, bool to_guest, uint64_t n)
{
        struct xen_copy_seg seg = {.len_bytes = GRANT_PAGE_BYTES,
                                   .local = r->page};

        for (uint64_t i = 0; i < n; i++) {
                seg.gref = r->refs[i % PAGES];
                r->failed |= xen_grants_copy(r->grants, r->domid, to_guest,
                                             &seg, 1) < 0;
        }
}

static void run_copy_from(void *arg, uint64_t n)
{
        copy(arg, false, n);
}

static void run_copy_to(void *arg, uint64_t n)
{
        copy(arg, true, n);
}

/* A hit, and letting it go: the whole cost of a warm persistent page. */
static void look_up(struct rig *r, uint32_t spread, uint64_t n)
{
        struct grant_page *page;

        for (uint64_t i = 0; i < n; i++) {
                uint32_t ref = r->refs[micro_random(&r->random) % spread];

                if (grant_cache_acquire(r->cache, ref, &page) > GRANT_MAPPED) {
                        r->failed = true;
                        return;
                }
                grant_cache_release(r->cache, page, i);
        }
}

static void run_hit_32(void *arg, uint64_t n)
{
        look_up(arg, 32, n);
}

static void run_hit_352(void *arg, uint64_t n)
{
        look_up(arg, 352, n);
}

static void run_hit_1056(void *arg, uint64_t n)
{
        look_up(arg, CACHE_PAGES, n);
}

/* ---- map and unmap apart
 * ------------------------------------------------------
 */

#define KEPT 512u /* batches, the latest */

struct halves {
        struct rig *rig;
        bool bare;
        double map_ns[KEPT], unmap_ns[KEPT]; /* of one page */
        uint64_t batches;
};

static void halves_note(struct halves *h, uint64_t map_ns, uint64_t unmap_ns)
{
        h->map_ns[h->batches % KEPT] = (double)map_ns / BATCH;
        h->unmap_ns[h->batches % KEPT] = (double)unmap_ns / BATCH;
        h->batches++;
}

static void halves_batch(struct halves *h, void **pages)
{
        struct rig *r = h->rig;
        uint64_t a = micro_now_ns(), b, c;

        for (unsigned i = 0; i < BATCH; i++) {
                pages[i] = bare_map(r, i);
                r->failed |= pages[i] == MAP_FAILED;
        }
        b = micro_now_ns();
        for (unsigned i = 0; i < BATCH && !r->failed; i++)
                touch(pages[i]);
        c = micro_now_ns();
        for (unsigned i = 0; i < BATCH; i++)
                munmap(pages[i], GRANT_PAGE_BYTES);
        halves_note(h, b - a, micro_now_ns() - c);
}

static void halves_grants(struct halves *h, void **pages)
{
        struct rig *r = h->rig;
        uint64_t a = micro_now_ns(), b, c;

        for (unsigned i = 0; i < BATCH; i++)
                if (xen_grants_map(r->grants, r->domid, &r->refs[i], 1, true,
                                   &pages[i]) < 0)
                        r->failed = true;
        b = micro_now_ns();
        for (unsigned i = 0; i < BATCH && !r->failed; i++)
                touch(pages[i]);
        c = micro_now_ns();
        for (unsigned i = 0; i < BATCH && !r->failed; i++)
                xen_grants_unmap(r->grants, pages[i], 1);
        halves_note(h, b - a, micro_now_ns() - c);
}

static void run_halves(void *arg, uint64_t n)
{
        struct halves *h = arg;
        void *pages[BATCH];

        for (uint64_t i = 0; i < n && !h->rig->failed; i++) {
                if (h->bare)
                        halves_batch(h, pages);
                else
                        halves_grants(h, pages);
        }
}

static double halves_median(double *ns, uint64_t batches)
{
        return micro_median(ns, batches < KEPT ? (unsigned)batches : KEPT);
}

static void print_halves(const struct micro_plan *plan, struct rig *r)
{
        static struct halves grants, bare;
        const struct micro_case cases[] = {
                {"bare_mmap_batch_ns", run_halves, &bare},
                {"map_batch_ns", run_halves, &grants},
        };
        double ns[2];

        grants.rig = bare.rig = r;
        bare.bare = true;
        micro_measure(plan, cases, 2, ns);
        printf("\"map_ns\":%.2f,\n\"unmap_ns\":%.2f,\n\"bare_mmap_ns\":%.2f,\n"
               "\"bare_munmap_ns\":%.2f,\n",
               halves_median(grants.map_ns, grants.batches),
               halves_median(grants.unmap_ns, grants.batches),
               halves_median(bare.map_ns, bare.batches),
               halves_median(bare.unmap_ns, bare.batches));
}

/* ---- the other thread
 * ---------------------------------------------------------
 */

static bool other_stops;

static void *other_runs(void *unused)
{
        while (!__atomic_load_n(&other_stops, __ATOMIC_RELAXED))
                ;
        return NULL;
}

static void print_two_threads(const struct micro_plan *plan, struct rig *r)
{
        const struct micro_case cases[] = {
                {"bare_mmap_munmap_2_ns", run_bare_mmap, r},
                {"map_unmap_2_ns", run_map_unmap, r},
        };
        pthread_t t;

        if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
            pthread_create(&t, NULL, other_runs, NULL) != 0)
                return;
        micro_print(plan, cases, 2);
        __atomic_store_n(&other_stops, true, __ATOMIC_RELAXED);
        pthread_join(t, NULL);
}

/* ---- all of it
 * ----------------------------------------------------------------
 */

static void measure(const struct micro_plan *plan, struct rig *r)
{
        const struct micro_case cases[] = {
                {"bare_mmap_munmap_ns", run_bare_mmap, r},
                {"map_unmap_ns", run_map_unmap, r},
                {"bare_pread_4k_ns", run_pread, r},
                {"copy_from_4k_ns", run_copy_from, r},
                {"bare_pwrite_4k_ns", run_pwrite, r},
                {"copy_to_4k_ns", run_copy_to, r},
                {"hit_32_ns", run_hit_32, r},
                {"hit_352_ns", run_hit_352, r},
                {"hit_1056_ns", run_hit_1056, r},
        };

        micro_print(plan, cases, sizeof(cases) / sizeof(cases[0]));
        print_halves(plan, r);
        print_two_threads(plan, r);
}

static int say(const char *what, int ret)
{
        fprintf(stderr, "evergrant-bench-micro: %s: %s\n", what,
                strerror(-ret));
        return 1;
}

static int prepare(struct rig *r)
{
        int ret;

        r->memfd = memfd_create("evergrant-bench", MFD_CLOEXEC);
        r->page = aligned_alloc(GRANT_PAGE_BYTES, GRANT_PAGE_BYTES);
        if (r->memfd < 0 || !r->page || ftruncate(r->memfd, MEMORY_BYTES) < 0)
                return say("memory", -errno);
        memset(r->page, 0x5a, GRANT_PAGE_BYTES);
        ret = xen_grants_open(&r->grants);
        if (ret == 0)
                ret = xen_shares_open(&r->shares);
        if (ret < 0)
                return say("grants (not in a domain?)", ret);
        ret = xen_shares_share(r->shares, r->domid, CACHE_PAGES, true, r->refs,
                               &r->shared);
        if (ret == 0)
                ret = grant_cache_create(&r->cache, r->grants, r->domid,
                                         CACHE_PAGES);
        if (ret < 0)
                return say("sharing pages", ret);
        memset(r->shared, 0x5a, (size_t)CACHE_PAGES * GRANT_PAGE_BYTES);
        return 0;
}

int micro_grants(const struct micro_plan *plan)
{
        struct rig r = {.memfd = -1, .domid = 0};
        int ret = prepare(&r);

        if (ret == 0) {
                run_pwrite(&r, PAGES);           /* its pages exist */
                look_up(&r, CACHE_PAGES, 65536); /* and are all mapped */
                measure(plan, &r);
                if (r.failed)
                        ret = say("a call failed", -EIO);
        }
        grant_cache_destroy(r.cache);
        if (r.shared)
                xen_shares_unshare(r.shares, r.shared, CACHE_PAGES);
        xen_shares_close(r.shares);
        xen_grants_close(r.grants);
        free(r.page);
        if (r.memfd >= 0)
                close(r.memfd);
        return ret;
}
