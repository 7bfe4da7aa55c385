/* SPDX-License-Identifier: MIT */
/* Faults that somebody has set: what a program sees of them is what
 * libxengnttab 4.17 on Linux's gntdev shows it. */
#include "bench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xengnttab.h>

#include <cmocka.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)
#define N 4

static uint32_t g1, refs[N];
static xengntshr_handle *shr;
static xengnttab_handle *tab;
static char *mine;
static unsigned naps; /* of the library, in place of libc's */

int usleep(useconds_t us)
{
        naps++;
        return 0;
}

static int set_up(void **state)
{
        if (bench_start(state) < 0)
                return -1;
        g1 = bench_create("g1");
        bench_enter(g1);
        shr = xengntshr_open(NULL, 0);
        bench_enter(0);
        tab = xengnttab_open(NULL, 0);
        mine = shr ? xengntshr_share_pages(shr, 0, N, refs, 1) : NULL;
        return mine && tab ? 0 : -1;
}

static int tear_down(void **state)
{
        xengntshr_unshare(shr, mine, N);
        xengnttab_close(tab);
        xengntshr_close(shr);
        return bench_stop(state);
}

static int no_faults(void **state)
{
        return bench_fault("clear") ? 0 : -1;
}

static void set(const char *op, const char *result, unsigned ref,
                const char *more)
{
        char words[128];

        snprintf(words, sizeof(words), "%s %s --of g1 --ref %u %s", op, result,
                 refs[ref], more);
        assert_non_null(bench_fault(words));
}

static void *map(unsigned n)
{
        errno = 0;
        return xengnttab_map_domain_grant_refs(tab, n, g1, refs, RW);
}

static void a_status_of_one_ref_fails_the_whole_map(void **state)
{
        static const char *const results[] = {"bad_gntref", "no_space", "+1",
                                              "untouched", "EINVAL"};

        for (unsigned i = 0; i < 5; i++) {
                set("map", results[i], i % N, "");
                assert_null(map(N));
                assert_int_equal(errno, EINVAL);
                assert_int_equal(bench_domain_u64(g1, "pages_mapped"), 0);
                assert_non_null(bench_fault("clear"));
        }
        set("map", "ENOMEM", 0, "");
        assert_null(map(N));
        assert_int_equal(errno, ENOMEM);
}

static void the_nth_and_so_many_times(void **state)
{
        void *p;

        set("map", "bad_page", 1, "--nth 2 --times 2");
        for (int i = 1; i <= 5; i++) {
                p = map(N);
                assert_int_equal(p == NULL, i == 2 || i == 3);
                if (p)
                        assert_int_equal(xengnttab_unmap(tab, p, N), 0);
        }
}

/* Only the domain that was named. */
static void others_are_left_alone(void **state)
{
        void *p;

        assert_non_null(bench_fault("map bad_gntref --by g1"));
        assert_non_null(bench_fault("map bad_gntref --of 0"));
        p = map(N);
        assert_non_null(p);
        assert_int_equal(xengnttab_unmap(tab, p, N), 0);
}

static void paged_out_pages_are_tried_again_and_again(void **state)
{
        void *p;

        naps = 0;
        set("map", "eagain", 2, "--times 7");
        p = map(N);
        assert_non_null(p);
        assert_int_equal(naps, 7);
        assert_int_equal(xengnttab_unmap(tab, p, N), 0);
}

static void copy(xengnttab_grant_copy_segment_t *s, char *to)
{
        memset(s, 0, N * sizeof(*s));
        for (unsigned i = 0; i < N; i++) {
                s[i].source.foreign.domid = (domid_t)g1;
                s[i].source.foreign.ref = refs[i];
                s[i].dest.virt = to + i * PAGE;
                s[i].len = PAGE;
                s[i].flags = GNTCOPY_source_gref;
                s[i].status = 77;
        }
}

static void a_status_is_that_of_its_copied_segment(void **state)
{
        static char to[N * PAGE];
        xengnttab_grant_copy_segment_t s[N];

        memset(mine, 'm', N * PAGE);
        memset(to, 't', sizeof(to));
        set("copy", "+1", 0, "");
        set("copy", "untouched", 1, "");
        set("copy", "bad_page", 3, "");
        copy(s, to);
        assert_int_equal(xengnttab_grant_copy(tab, N, s), 0);
        assert_int_equal(s[0].status, 1);
        assert_int_equal(s[1].status, 77);
        assert_int_equal(s[2].status, GNTST_okay);
        assert_int_equal(s[3].status, GNTST_bad_page);
        assert_int_equal(to[0], 't');
        assert_int_equal(to[PAGE], 't');
        assert_int_equal(to[2 * PAGE], 'm');
        assert_int_equal(to[3 * PAGE], 't');
        set("copy", "EFAULT", 2, "");
        copy(s, to);
        errno = 0;
        assert_int_equal(xengnttab_grant_copy(tab, N, s), -1);
        assert_int_equal(errno, EFAULT);
        assert_int_equal(s[3].status, 77);
}

static void an_unmap_may_fail_and_be_tried_again(void **state)
{
        void *p = map(N);

        set("unmap", "EFAULT", 1, "--times 1");
        errno = 0;
        assert_int_equal(xengnttab_unmap(tab, p, N), -1);
        assert_int_equal(errno, EFAULT);
        assert_int_equal(bench_domain_u64(g1, "pages_mapped"), N);
        ((char *)p)[0] = 1; /* still there */
        assert_int_equal(xengnttab_unmap(tab, p, N), 0);
        assert_int_equal(bench_domain_u64(g1, "pages_mapped"), 0);
}

/* The kernel hears of it and tells nobody. */
static void a_refused_unmap_leaves_the_grant_pinned(void **state)
{
        xengnttab_handle *t = tab;
        void *p;

        tab = xengnttab_open(NULL, 0);
        p = map(N);
        set("unmap", "bad_handle", 1, "");
        assert_int_equal(xengnttab_unmap(tab, p, N), 0);
        assert_int_equal(bench_domain_u64(g1, "pages_mapped"), 1);
        assert_int_equal(bench_grant_u64(g1, refs[1], "pins"), 1);
        xengnttab_close(tab);
        tab = t;
        assert_int_equal(BENCH_WAIT(0, bench_domain_u64(g1, "pages_mapped")),
                         0);
}

static void a_revoke_may_be_allowed_wrongly(void **state)
{
        uint32_t ref;
        char *page = xengntshr_share_pages(shr, 0, 1, &ref, 1), *p;

        p = xengnttab_map_grant_ref(tab, g1, ref, RW);
        assert_non_null(p);
        assert_non_null(bench_fault("revoke allowed --of g1"));
        page[0] = 'x';
        assert_int_equal(xengntshr_unshare(shr, page, 1), 0);
        assert_int_equal(bench_domain_u64(g1, "grants_deferred"), 0);
        assert_int_equal(p[0], 0); /* the frame is a fresh one by now */
        assert_int_equal(xengnttab_unmap(tab, p, 1), 0);
        assert_int_equal(bench_domain_u64(g1, "pages_mapped"), 0);
}

static void nonsense_is_refused(void **state)
{
        static const char *const bad[] = {"map nonsense",
                                          "nonsense EINVAL",
                                          "map slow",
                                          "map slow=70000",
                                          "event drop=101",
                                          "event bad_gntref",
                                          "map EINVAL --of x",
                                          "map",
                                          "map EINVAL --ref 9-8",
                                          "clear 999",
                                          "raise g1 4000",
                                          "close g1 0",
                                          "map EINVAL --nth x"};

        for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                if (bench_fault(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(
                        a_status_of_one_ref_fails_the_whole_map, no_faults),
                cmocka_unit_test_teardown(the_nth_and_so_many_times, no_faults),
                cmocka_unit_test_teardown(others_are_left_alone, no_faults),
                cmocka_unit_test_teardown(
                        paged_out_pages_are_tried_again_and_again, no_faults),
                cmocka_unit_test_teardown(
                        a_status_is_that_of_its_copied_segment, no_faults),
                cmocka_unit_test_teardown(an_unmap_may_fail_and_be_tried_again,
                                          no_faults),
                cmocka_unit_test_teardown(
                        a_refused_unmap_leaves_the_grant_pinned, no_faults),
                cmocka_unit_test_teardown(a_revoke_may_be_allowed_wrongly,
                                          no_faults),
                cmocka_unit_test(nonsense_is_refused),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
