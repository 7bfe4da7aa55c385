/* SPDX-License-Identifier: MIT */
/* pocketxen's grants through the drop-in libxengnttab, seen from both ends and
 * from the hypervisor's account. */
#include "../page_table.h"
#include "bench.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xengnttab.h>

#include <cmocka.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)

static uint32_t g1, g2;
static xengntshr_handle *shr;
static xengnttab_handle *tab;

static int set_up(void **state)
{
        if (bench_start(state) < 0)
                return -1;
        g1 = bench_create("g1");
        g2 = bench_create("g2");
        bench_enter(g1);
        shr = xengntshr_open(NULL, 0);
        bench_enter(0);
        tab = xengnttab_open(NULL, 0);
        return shr && tab ? 0 : -1;
}

static int tear_down(void **state)
{
        xengnttab_close(tab);
        xengntshr_close(shr);
        return bench_stop(state);
}

static void both_ends_see_the_same_bytes(void **state)
{
        uint32_t refs[3];
        char *mine = xengntshr_share_pages(shr, 0, 3, refs, 1);
        char *theirs;

        assert_non_null(mine);
        assert_int_equal(mine[5], 0); /* fresh pages are zero */
        theirs = xengnttab_map_domain_grant_refs(tab, 3, g1, refs, RW);
        assert_non_null(theirs);
        strcpy(mine + 2 * PAGE, "from the granter");
        assert_string_equal(theirs + 2 * PAGE, "from the granter");
        strcpy(theirs + PAGE, "from the mapper");
        assert_string_equal(mine + PAGE, "from the mapper");
        assert_int_equal(xengnttab_unmap(tab, theirs, 3), 0);
        assert_int_equal(xengntshr_unshare(shr, mine, 3), 0);
        assert_int_equal(bench_domain_u64(g1, "grants_used"), 0);
}

/* Also those that somebody has used before: more than the memory holds go by.
 */
static void fresh_pages_are_zero(void **state)
{
        static uint32_t refs[4096];

        for (int round = 0; round < 6; round++) {
                char *mine = xengntshr_share_pages(shr, 0, 4096, refs, 1);

                assert_non_null(mine);
                for (unsigned i = 0; i < 4096; i++) {
                        assert_int_equal(mine[i * PAGE], 0);
                        mine[i * PAGE] = 1;
                }
                xengntshr_unshare(shr, mine, 4096);
        }
}

static void scattered_refs_map_in_the_order_given(void **state)
{
        uint32_t a[4], order[3];
        char *mine = xengntshr_share_pages(shr, 0, 4, a, 1), *m;

        for (int i = 0; i < 4; i++)
                mine[i * PAGE] = (char)('0' + i);
        order[0] = a[3], order[1] = a[0], order[2] = a[1];
        m = xengnttab_map_domain_grant_refs(tab, 3, g1, order, PROT_READ);
        assert_int_equal(m[0], '3');
        assert_int_equal(m[PAGE], '0');
        assert_int_equal(m[2 * PAGE], '1');
        xengnttab_unmap(tab, m, 3);
        xengntshr_unshare(shr, mine, 4);
}

static void mapped_pages_are_there_before_they_are_touched(void **state)
{
        uint32_t refs[3];
        char *mine = xengntshr_share_pages(shr, 0, 3, refs, 1);
        char *one = xengnttab_map_grant_ref(tab, g1, refs[1], PROT_READ);
        char *all = xengnttab_map_domain_grant_refs(tab, 3, g1, refs, RW);

        assert_true(in_page_table(one));
        for (int i = 0; i < 3; i++)
                assert_true(in_page_table(all + i * PAGE));
        xengnttab_unmap(tab, one, 1);
        assert_false(in_page_table(one));
        xengnttab_unmap(tab, all, 3);
        xengntshr_unshare(shr, mine, 3);
}

static void another_domain_is_refused(void **state)
{
        uint32_t ref;
        void *mine = xengntshr_share_pages(shr, g2, 1, &ref, 1);

        errno = 0;
        assert_null(xengnttab_map_grant_ref(tab, g1, ref, RW));
        assert_int_equal(errno, EINVAL);
        xengntshr_unshare(shr, mine, 1);
}

static void read_only_grant_maps_for_reading_only(void **state)
{
        uint32_t ref;
        void *mine = xengntshr_share_pages(shr, 0, 1, &ref, 0), *m;

        assert_null(xengnttab_map_grant_ref(tab, g1, ref, RW));
        m = xengnttab_map_grant_ref(tab, g1, ref, PROT_READ);
        assert_non_null(m);
        assert_int_equal(bench_grant_u64(g1, ref, "reading"), 1);
        assert_int_equal(bench_grant_u64(g1, ref, "writing"), 0);
        xengnttab_unmap(tab, m, 1);
        xengntshr_unshare(shr, mine, 1);
}

static void mappings_of_one_grant_are_counted(void **state)
{
        uint32_t ref;
        void *mine = xengntshr_share_pages(shr, 0, 1, &ref, 1);
        void *a = xengnttab_map_grant_ref(tab, g1, ref, RW);
        void *b = xengnttab_map_grant_ref(tab, g1, ref, PROT_READ);

        assert_int_equal(bench_grant_u64(g1, ref, "pins"), 2);
        assert_int_equal(bench_grant_u64(g1, ref, "pins_writing"), 1);
        xengnttab_unmap(tab, a, 1);
        assert_int_equal(bench_grant_u64(g1, ref, "pins"), 1);
        assert_int_equal(bench_grant_u64(g1, ref, "writing"), 0);
        assert_int_equal(bench_grant_u64(g1, ref, "reading"), 1);
        xengnttab_unmap(tab, b, 1);
        assert_int_equal(bench_grant_u64(g1, ref, "pins"), 0);
        assert_int_equal(bench_grant_u64(g1, ref, "reading"), 0);
        xengntshr_unshare(shr, mine, 1);
}

static void unshare_while_mapped_is_deferred(void **state)
{
        uint32_t ref;
        char *mine = xengntshr_share_pages(shr, 0, 1, &ref, 1);
        char *m = xengnttab_map_grant_ref(tab, g1, ref, RW);

        mine[0] = 'x';
        assert_int_equal(xengntshr_unshare(shr, mine, 1), 0);
        assert_int_equal(m[0], 'x');
        assert_int_equal(bench_domain_u64(g1, "grants_deferred"), 1);
        xengnttab_unmap(tab, m, 1);
        assert_int_equal(BENCH_WAIT(0, bench_domain_u64(g1, "grants_deferred")),
                         0);
        assert_null(xengnttab_map_grant_ref(tab, g1, ref, RW));
}

static void one_bad_ref_fails_the_whole_call(void **state)
{
        uint32_t refs[3];
        void *mine = xengntshr_share_pages(shr, 0, 3, refs, 1);
        uint32_t good = refs[1];

        refs[1] = 32767;
        errno = 0;
        assert_null(xengnttab_map_domain_grant_refs(tab, 3, g1, refs, RW));
        assert_int_equal(errno, EINVAL);
        refs[1] = 0xffffffff;
        assert_null(xengnttab_map_domain_grant_refs(tab, 3, g1, refs, RW));
        assert_int_equal(bench_domain_u64(g1, "pages_mapped"), 0);
        refs[1] = good;
        xengntshr_unshare(shr, mine, 3);
}

static void part_of_a_mapping_cannot_be_unmapped(void **state)
{
        uint32_t refs[3];
        char *mine = xengntshr_share_pages(shr, 0, 3, refs, 1);
        char *m = xengnttab_map_domain_grant_refs(tab, 3, g1, refs, RW);

        assert_int_equal(xengnttab_unmap(tab, m + PAGE, 1), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(xengnttab_unmap(tab, m, 2), -1);
        m[2 * PAGE] = 1; /* still there */
        assert_int_equal(xengnttab_unmap(tab, m, 3), 0);
        xengntshr_unshare(shr, mine, 3);
}

static void segment_to(xengnttab_grant_copy_segment_t *s, uint32_t ref,
                       uint16_t offset, uint16_t len, void *virt)
{
        *s = (xengnttab_grant_copy_segment_t){
                .len = len, .flags = GNTCOPY_dest_gref, .status = 77};
        s->source.virt = virt;
        s->dest.foreign.ref = ref;
        s->dest.foreign.offset = offset;
        s->dest.foreign.domid = (uint16_t)g1;
}

static void copy_answers_per_segment(void **state)
{
        uint32_t refs[3];
        char *mine = xengntshr_share_pages(shr, 0, 3, refs, 1);
        xengnttab_grant_copy_segment_t s[4];
        char text[] = "0123456789abcdef";

        segment_to(&s[0], refs[0], 512, 4, text);
        segment_to(&s[1], 32000, 0, 4, text);
        segment_to(&s[2], refs[1], 4092, 4, text + 4);
        segment_to(&s[3], refs[2], 0, 4, text + 8);
        assert_int_equal(xengnttab_grant_copy(tab, 4, s), 0);
        assert_int_equal(s[0].status, GNTST_okay);
        assert_int_equal(s[1].status, GNTST_general_error);
        assert_int_equal(s[2].status, GNTST_okay);
        assert_int_equal(s[3].status, GNTST_okay);
        assert_memory_equal(mine + 512, "0123", 4);
        assert_memory_equal(mine + PAGE + 4092, "456789ab", 8);
        assert_int_equal(bench_pair_u64(0, g1, "copies_segments"), 3);
        xengntshr_unshare(shr, mine, 3);
}

static void copy_past_the_page_end_fails_whole_and_copies_nothing(void **s_)
{
        uint32_t ref;
        char *mine = xengntshr_share_pages(shr, 0, 1, &ref, 1), text[64] = "x";
        xengnttab_grant_copy_segment_t s[2];

        segment_to(&s[0], ref, 0, 4, text);
        segment_to(&s[1], ref, 4090, 8, text);
        errno = 0;
        assert_int_equal(xengnttab_grant_copy(tab, 2, s), -1);
        assert_int_equal(errno, EINVAL);
        /* As on Linux: it says so, and did not. */
        assert_int_equal(s[0].status, GNTST_okay);
        assert_int_equal(s[1].status, 77);
        assert_int_equal(mine[0], 0);
        xengntshr_unshare(shr, mine, 1);
}

static void copy_reads_and_respects_read_only(void **state)
{
        uint32_t ref;
        char *mine = xengntshr_share_pages(shr, 0, 1, &ref, 0), to[16];
        xengnttab_grant_copy_segment_t s = {.len = 5,
                                            .flags = GNTCOPY_source_gref};

        strcpy(mine + 100, "word");
        s.source.foreign.ref = ref;
        s.source.foreign.offset = 100;
        s.source.foreign.domid = (uint16_t)g1;
        s.dest.virt = to;
        assert_int_equal(xengnttab_grant_copy(tab, 1, &s), 0);
        assert_int_equal(s.status, GNTST_okay);
        assert_string_equal(to, "word");
        segment_to(&s, ref, 0, 4, to);
        assert_int_equal(xengnttab_grant_copy(tab, 1, &s), 0);
        assert_int_equal(s.status, GNTST_general_error);
        segment_to(&s, 100000, 0, 4, to);
        assert_int_equal(xengnttab_grant_copy(tab, 1, &s), 0);
        assert_int_equal(s.status, GNTST_bad_gntref);
        xengntshr_unshare(shr, mine, 1);
}

static void counts_are_exact_per_pair(void **state)
{
        uint64_t maps = bench_pair_u64(0, g1, "maps_pages");
        uint64_t calls = bench_pair_u64(0, g1, "maps_calls");
        uint64_t unmaps = bench_pair_u64(0, g1, "unmaps_pages");
        uint32_t refs[4];
        void *mine = xengntshr_share_pages(shr, 0, 4, refs, 1);

        for (int i = 0; i < 100; i++)
                xengnttab_unmap(
                        tab,
                        xengnttab_map_domain_grant_refs(tab, 4, g1, refs, RW),
                        4);
        assert_int_equal(bench_pair_u64(0, g1, "maps_pages"), maps + 400);
        assert_int_equal(bench_pair_u64(0, g1, "maps_calls"), calls + 100);
        assert_int_equal(bench_pair_u64(0, g1, "unmaps_pages"), unmaps + 400);
        xengntshr_unshare(shr, mine, 4);
}

/* The most of each handle, so that a bound can be held against any moment. */
static void the_most_mapped_at_once_is_kept(void **state)
{
        uint64_t before = bench_pair_u64(0, g1, "mapped_high");
        uint32_t refs[5];
        void *mine = xengntshr_share_pages(shr, 0, 5, refs, 1), *m[5];
        xengnttab_handle *t;

        bench_enter(0);
        t = xengnttab_open(NULL, 0);
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 4; i++)
                        m[i] = xengnttab_map_grant_ref(t, g1, refs[i], RW);
                for (int i = 0; i < 4; i++)
                        xengnttab_unmap(t, m[i], 1);
        }
        m[4] = xengnttab_map_grant_ref(t, g1, refs[4], RW);
        assert_int_equal(bench_pair_u64(0, g1, "mapped_high"), before + 4);
        xengnttab_unmap(t, m[4], 1);
        xengnttab_close(t);
        assert_int_equal(bench_pair_u64(0, g1, "mapped_high"), before + 4);
        xengntshr_unshare(shr, mine, 5);
}

static void map_for_ever(const uint32_t *refs)
{
        xengnttab_handle *t;
        void *m[8];

        bench_enter(0);
        t = xengnttab_open(NULL, 0);
        for (;;) {
                for (int i = 0; i < 8; i++)
                        m[i] = xengnttab_map_grant_ref(t, g1, refs[i], RW);
                for (int i = 0; i < 8; i++)
                        xengnttab_unmap(t, m[i], 1);
        }
}

static void a_killed_mapper_leaves_no_pin(void **state)
{
        uint32_t refs[8];
        void *mine = xengntshr_share_pages(shr, 0, 8, refs, 1);
        void *own = xengnttab_map_grant_ref(tab, g1, refs[0], RW);

        for (int round = 0; round < 40; round++) {
                pid_t pid[2];

                for (int k = 0; k < 2; k++) {
                        pid[k] = fork();
                        if (pid[k] == 0)
                                map_for_ever(refs);
                }
                usleep((useconds_t)(2000 + round * 371));
                for (int k = 0; k < 2; k++)
                        kill(pid[k], SIGKILL);
                for (int k = 0; k < 2; k++)
                        waitpid(pid[k], NULL, 0);
                /* All but the one that lives is undone. */
                assert_int_equal(
                        BENCH_WAIT(1, bench_domain_u64(g1, "pages_mapped")), 1);
                assert_int_equal(bench_grant_u64(g1, refs[0], "pins"), 1);
                assert_int_equal(bench_grant_u64(g1, refs[3], "reading"), 0);
        }
        xengnttab_unmap(tab, own, 1);
        xengntshr_unshare(shr, mine, 8);
        assert_int_equal(bench_domain_u64(g1, "grants_used"), 0);
}

static void a_killed_sharer_gives_its_pages_back(void **state)
{
        pid_t pid = fork();
        void *m;
        int fds[2];

        (void)fds;
        if (pid == 0) {
                uint32_t refs[5];
                xengntshr_handle *s;

                bench_enter(g2);
                s = xengntshr_open(NULL, 0);
                xengntshr_share_pages(s, 0, 5, refs, 1);
                for (;;)
                        pause();
        }
        assert_int_equal(BENCH_WAIT(5, bench_domain_u64(g2, "grants_used")), 5);
        m = xengnttab_map_grant_ref(tab, g2, 8, PROT_READ);
        assert_non_null(m);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_int_equal(BENCH_WAIT(1, bench_domain_u64(g2, "grants_used")), 1);
        xengnttab_unmap(tab, m, 1);
        assert_int_equal(BENCH_WAIT(0, bench_domain_u64(g2, "grants_used")), 0);
}

static void a_destroyed_domain_is_dying_until_unmapped(void **state)
{
        uint32_t g3 = bench_create("g3"), ref;
        xengntshr_handle *s;
        char *mine, *m;

        bench_enter(g3);
        s = xengntshr_open(NULL, 0);
        /* This very process speaks for g3: it must not be killed as one of its
         * processes. */
        bench_enter(0);
        mine = xengntshr_share_pages(s, 0, 1, &ref, 1);
        mine[7] = 'k';
        m = xengnttab_map_grant_ref(tab, g3, ref, RW);
        bench_destroy(g3);
        assert_int_equal(bench_domain_u64(g3, "pages_mapped"), 1);
        assert_int_equal(m[7], 'k'); /* stays readable, no SIGBUS */
        assert_null(xengnttab_map_grant_ref(tab, g3, ref, RW));
        xengnttab_unmap(tab, m, 1);
        assert_int_equal(BENCH_WAIT(~0ull, bench_domain_u64(g3, "domid")),
                         ~0ull);
}

static void a_full_table_is_ENOSPC_and_heals(void **state)
{
        static uint32_t refs[8192];
        void *m[4];
        int n = 0;

        for (; n < 4; n++) {
                m[n] = xengntshr_share_pages(shr, 0, n < 3 ? 4096 : 3000, refs,
                                             1);
                assert_non_null(m[n]);
        }
        /* 64 MiB are 16,384 pages: the memory is what ends first. */
        errno = 0;
        assert_null(xengntshr_share_pages(shr, 0, 4096, refs, 1));
        assert_true(errno == ENOSPC || errno == ENOMEM);
        for (int i = 0; i < n; i++)
                xengntshr_unshare(shr, m[i], i < 3 ? 4096 : 3000);
        assert_int_equal(bench_domain_u64(g1, "grants_used"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_ends_see_the_same_bytes),
                cmocka_unit_test(fresh_pages_are_zero),
                cmocka_unit_test(scattered_refs_map_in_the_order_given),
                cmocka_unit_test(
                        mapped_pages_are_there_before_they_are_touched),
                cmocka_unit_test(another_domain_is_refused),
                cmocka_unit_test(read_only_grant_maps_for_reading_only),
                cmocka_unit_test(mappings_of_one_grant_are_counted),
                cmocka_unit_test(unshare_while_mapped_is_deferred),
                cmocka_unit_test(one_bad_ref_fails_the_whole_call),
                cmocka_unit_test(part_of_a_mapping_cannot_be_unmapped),
                cmocka_unit_test(copy_answers_per_segment),
                cmocka_unit_test(
                        copy_past_the_page_end_fails_whole_and_copies_nothing),
                cmocka_unit_test(copy_reads_and_respects_read_only),
                cmocka_unit_test(counts_are_exact_per_pair),
                cmocka_unit_test(the_most_mapped_at_once_is_kept),
                cmocka_unit_test(a_killed_mapper_leaves_no_pin),
                cmocka_unit_test(a_killed_sharer_gives_its_pages_back),
                cmocka_unit_test(a_destroyed_domain_is_dying_until_unmapped),
                cmocka_unit_test(a_full_table_is_ENOSPC_and_heals),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
