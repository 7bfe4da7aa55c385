/* SPDX-License-Identifier: MIT */
/* The grant wrappers over a libxengnttab that is played by this file. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xengnttab.h>

#include "xen/grants.h"
#include "xen/shares.h"

static struct {
        int map_errno, unmap_errno, copy_errno; /* 0: success */
        int prot;
        uint32_t domid, count, refs[8];
        int status[600]; /* what the copy answers with; 1: left as it was */
        unsigned copies, segments;
        xengnttab_grant_copy_segment_t seen[600];
        int share_writable, share_errno;
        long delay_ns;
        bool logger;              /* every handle was opened with one */
        unsigned paged_out, naps; /* rounds left; rounds that were waited */
} lib;

static char here[GRANT_PAGE_BYTES];

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned flags)
{
        lib.logger = logger != NULL;
        return (xengnttab_handle *)&lib;
}

int xengnttab_close(xengnttab_handle *h)
{
        return 0;
}

static void delay(void)
{
        struct timespec ts = {.tv_nsec = lib.delay_ns};

        if (lib.delay_ns)
                nanosleep(&ts, NULL);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count,
                                      uint32_t domid, uint32_t *refs, int prot)
{
        delay();
        for (; lib.paged_out; lib.paged_out--, lib.naps++)
                usleep(1000);
        lib.prot = prot;
        lib.domid = domid;
        lib.count = count;
        memcpy(lib.refs, refs, count * sizeof(refs[0]));
        errno = lib.map_errno;
        return lib.map_errno ? NULL : here;
}

int xengnttab_unmap(xengnttab_handle *h, void *start, uint32_t count)
{
        errno = lib.unmap_errno;
        return lib.unmap_errno ? -1 : 0;
}

int xengnttab_grant_copy(xengnttab_handle *h, uint32_t count,
                         xengnttab_grant_copy_segment_t *segs)
{
        if (lib.copy_errno) {
                errno = lib.copy_errno;
                return -1;
        }
        for (uint32_t i = 0; i < count; i++) {
                unsigned at = lib.segments++;

                lib.seen[at] = segs[i];
                if (lib.status[at] != 1)
                        segs[i].status = (int16_t)lib.status[at];
        }
        lib.copies++;
        return 0;
}

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger,
                                 unsigned flags)
{
        lib.logger = logger != NULL;
        return (xengntshr_handle *)&lib;
}

int xengntshr_close(xengntshr_handle *h)
{
        return 0;
}

void *xengntshr_share_pages(xengntshr_handle *h, uint32_t domid, int count,
                            uint32_t *refs, int writable)
{
        lib.domid = domid;
        lib.count = (uint32_t)count;
        lib.share_writable = writable;
        errno = lib.share_errno;
        return lib.share_errno ? NULL : here;
}

int xengntshr_unshare(xengntshr_handle *h, void *start, uint32_t count)
{
        lib.count = count;
        return 0;
}

static struct xen_grants *open_grants(void)
{
        struct xen_grants *g;

        memset(&lib, 0, sizeof(lib));
        assert_int_equal(xen_grants_open(&g), 0);
        /* The library would write to stderr on a peer's bad ref (XSA-180). */
        assert_true(lib.logger);
        return g;
}

static struct xen_grant_counters counters(struct xen_grants *g)
{
        struct xen_grant_counters c;

        xen_grants_counters(g, &c);
        return c;
}

/* H15: the library's endless wait for a page is left, once for each domain. */
static void a_page_that_stays_away_is_given_up(void **state)
{
        struct xen_grants *g = open_grants();
        const uint32_t ref = 9;
        void *p;

        lib.paged_out = 5;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), 0);
        assert_int_equal(lib.naps, 5);
        lib.paged_out = 1000000;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), -ETIMEDOUT);
        assert_null(p);
        assert_true(lib.naps > 5);
        lib.naps = 0;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), -ETIMEDOUT);
        assert_int_equal(lib.naps, 0);
        lib.paged_out = 3;
        assert_int_equal(xen_grants_map(g, 8, &ref, 1, true, &p), 0);
        assert_int_equal(lib.naps, 3);
        assert_int_equal(counters(g).maps_given_up, 2);
        assert_int_equal(counters(g).map_failures, 2);
        assert_int_equal(usleep(1), 0); /* outside of it nothing is different */
        xen_grants_close(g);
}

static void map_passes_everything_and_counts(void **state)
{
        struct xen_grants *g = open_grants();
        const uint32_t refs[3] = {9, 0, 0xffffffff};
        void *p;

        assert_int_equal(xen_grants_map(g, 7, refs, 3, true, &p), 0);
        assert_ptr_equal(p, here);
        assert_int_equal(lib.prot, PROT_READ | PROT_WRITE);
        assert_int_equal(lib.domid, 7);
        assert_memory_equal(lib.refs, refs, sizeof(refs));
        assert_int_equal(xen_grants_map(g, 7, refs, 1, false, &p), 0);
        assert_int_equal(lib.prot, PROT_READ);
        xen_grants_unmap(g, p, 1);
        assert_int_equal(counters(g).map_calls, 2);
        assert_int_equal(counters(g).map_pages, 4);
        assert_int_equal(counters(g).unmap_calls, 1);
        assert_int_equal(counters(g).unmap_pages, 1);
        xen_grants_close(g);
        xen_grants_close(NULL);
}

static void failures_are_counted_and_told(void **state)
{
        struct xen_grants *g = open_grants();
        uint32_t ref = 1;
        void *p = here;

        lib.map_errno = ENOMEM;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), -ENOMEM);
        assert_null(p);
        lib.map_errno = EINVAL;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), -EINVAL);
        lib.unmap_errno = EINVAL;
        xen_grants_unmap(g, here, 1);
        xen_grants_unmap(g, NULL, 1);
        assert_int_equal(counters(g).map_failures, 2);
        assert_int_equal(counters(g).map_calls, 0);
        assert_int_equal(counters(g).unmap_failures, 1);
        assert_int_equal(counters(g).unmap_calls, 0);
        assert_int_equal(xen_grants_map(g, 7, &ref, 0, true, &p), -EINVAL);
        xen_grants_close(g);
}

static void copy_goes_the_right_way(void **state)
{
        struct xen_grants *g = open_grants();
        struct xen_copy_seg seg = {.gref = 5,
                                   .offset_bytes = 512,
                                   .len_bytes = 3584,
                                   .local = here};

        assert_int_equal(xen_grants_copy(g, 9, true, &seg, 1), 0);
        assert_true(seg.ok);
        assert_int_equal(lib.seen[0].flags, GNTCOPY_dest_gref);
        assert_ptr_equal(lib.seen[0].source.virt, here);
        assert_int_equal(lib.seen[0].dest.foreign.ref, 5);
        assert_int_equal(lib.seen[0].dest.foreign.offset, 512);
        assert_int_equal(lib.seen[0].dest.foreign.domid, 9);
        assert_int_equal(lib.seen[0].len, 3584);
        assert_int_equal(xen_grants_copy(g, 9, false, &seg, 1), 0);
        assert_int_equal(lib.seen[1].flags, GNTCOPY_source_gref);
        assert_ptr_equal(lib.seen[1].dest.virt, here);
        assert_int_equal(lib.seen[1].source.foreign.ref, 5);
        xen_grants_close(g);
}

static void only_a_written_okay_counts_as_copied(void **state)
{
        struct xen_grants *g = open_grants();
        struct xen_copy_seg segs[4] = {{.len_bytes = 8, .local = here},
                                       {.len_bytes = 8, .local = here},
                                       {.len_bytes = 8, .local = here},
                                       {.len_bytes = 8, .local = here}};

        lib.status[1] = GNTST_bad_gntref;
        lib.status[2] = 1; /* forgotten, as on an early exit (XSA-318) */
        lib.status[3] = GNTST_eagain;
        assert_int_equal(xen_grants_copy(g, 1, false, segs, 4), -EIO);
        assert_true(segs[0].ok);
        assert_false(segs[1].ok);
        assert_false(segs[2].ok);
        assert_false(segs[3].ok);
        assert_int_equal(counters(g).copy_calls, 1);
        assert_int_equal(counters(g).copy_segments, 1);
        xen_grants_close(g);
}

static void failed_copy_call_copies_nothing(void **state)
{
        struct xen_grants *g = open_grants();
        struct xen_copy_seg seg = {.len_bytes = 8, .local = here, .ok = true};

        lib.copy_errno = EINVAL;
        assert_int_equal(xen_grants_copy(g, 1, false, &seg, 1), -EINVAL);
        assert_false(seg.ok);
        assert_int_equal(counters(g).copy_calls, 0);
        xen_grants_close(g);
}

static void copy_never_crosses_a_page_end(void **state)
{
        struct xen_grants *g = open_grants();
        struct xen_copy_seg segs[2] = {
                {.len_bytes = 4096, .local = here},
                {.offset_bytes = 1, .len_bytes = 4096, .local = here}};

        assert_int_equal(xen_grants_copy(g, 1, false, segs, 1), 0);
        assert_int_equal(xen_grants_copy(g, 1, false, segs, 2), -EINVAL);
        assert_false(segs[0].ok);
        segs[1] = (struct xen_copy_seg){
                .offset_bytes = 65535, .len_bytes = 65535, .local = here};
        assert_int_equal(xen_grants_copy(g, 1, false, segs, 2), -EINVAL);
        assert_int_equal(lib.copies, 1);
        xen_grants_close(g);
}

static void large_copies_go_in_several_calls(void **state)
{
        struct xen_grants *g = open_grants();
        static struct xen_copy_seg segs[600];

        for (unsigned i = 0; i < 600; i++)
                segs[i] = (struct xen_copy_seg){
                        .gref = i, .len_bytes = 8, .local = here};
        lib.status[599] = GNTST_general_error;
        assert_int_equal(xen_grants_copy(g, 1, false, segs, 600), -EIO);
        assert_int_equal(lib.segments, 600);
        for (unsigned i = 0; i < 600; i++) {
                assert_int_equal(lib.seen[i].source.foreign.ref, i);
                assert_int_equal(segs[i].ok, i != 599);
        }
        assert_int_equal(counters(g).copy_calls, 3);
        assert_int_equal(counters(g).copy_segments, 599);
        xen_grants_close(g);
}

static void slow_calls_are_counted(void **state)
{
        struct xen_grants *g = open_grants();
        uint32_t ref = 1;
        void *p;

        lib.delay_ns = 30000000;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), 0);
        lib.map_errno = ENOMEM;
        assert_int_equal(xen_grants_map(g, 7, &ref, 1, true, &p), -ENOMEM);
        assert_int_equal(counters(g).slow_calls, 2);
        xen_grants_close(g);
}

static void shares_pass_everything(void **state)
{
        struct xen_shares *s;
        uint32_t refs[4];
        void *p;

        memset(&lib, 0, sizeof(lib));
        assert_int_equal(xen_shares_open(&s), 0);
        assert_true(lib.logger);
        assert_int_equal(xen_shares_share(s, 3, 4, true, refs, &p), 0);
        assert_ptr_equal(p, here);
        assert_int_equal(lib.domid, 3);
        assert_int_equal(lib.count, 4);
        assert_int_equal(lib.share_writable, 1);
        lib.share_errno = ENOSPC;
        assert_int_equal(xen_shares_share(s, 3, 4, false, refs, &p), -ENOSPC);
        assert_null(p);
        assert_int_equal(xen_shares_share(s, 3, 0, false, refs, &p), -EINVAL);
        xen_shares_unshare(s, here, 2);
        assert_int_equal(lib.count, 2);
        xen_shares_unshare(s, NULL, 9);
        assert_int_equal(lib.count, 2);
        xen_shares_close(s);
        xen_shares_close(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(map_passes_everything_and_counts),
                cmocka_unit_test(a_page_that_stays_away_is_given_up),
                cmocka_unit_test(failures_are_counted_and_told),
                cmocka_unit_test(copy_goes_the_right_way),
                cmocka_unit_test(only_a_written_okay_counts_as_copied),
                cmocka_unit_test(failed_copy_call_copies_nothing),
                cmocka_unit_test(copy_never_crosses_a_page_end),
                cmocka_unit_test(large_copies_go_in_several_calls),
                cmocka_unit_test(slow_calls_are_counted),
                cmocka_unit_test(shares_pass_everything),
        };

        return cmocka_run_group_tests_name("grant wrappers", tests, NULL, NULL);
}
