/* SPDX-License-Identifier: MIT */
/* S11, S14, S15 and what a frontend may do wrong: caps, duplicates, bad and
 * read-only grants, read-only disks, a broken index, the process's budget. */
#include "rig.h"

#include "ring/ring_barrier.h"

#include <stdlib.h>
#include <unistd.h>

static const struct connect_opts persistent = {.persistent = true};

/* S14, S15: always-new grefs stay within the cap, answer without error, and
 * leave what is warm alone. */
static void fresh_grefs_for_ever_stay_under_the_cap(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent "
                                                 "--max-persistent 16");
        struct page warm, p;

        guest_connect(g, persistent);
        guest_page(g, &warm, true);
        for (int i = 0; i < 200; i++) {
                guest_page(g, &p, true);
                assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
                assert_int_equal(guest_io(g, BLK_READ, 0, &warm, 1), BLK_OKAY);
                if (i % 50 == 49)
                        assert_in_range(guest_account(g).mapped, 1, 16 + 1 + 2);
                guest_unshare(g, &p);
        }
        assert_in_range(guest_counter(g, "kept_high"), 1, 16);
        assert_true(guest_counter(g, "overflows") > 0);
        assert_int_equal(guest_counter(g, "errors"), 0);
        guest_destroy(g);
}

/* An overflowing set gets its place after a while: LRU, in the background. */
static void a_working_set_that_moved_becomes_warm(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent "
                                                 "--max-persistent 20");
        struct page p[40];
        uint64_t maps;

        guest_connect(g, persistent);
        for (unsigned i = 0; i < 40; i++)
                guest_page(g, &p[i], true);
        for (unsigned i = 0; i < 20; i++)
                guest_io(g, BLK_WRITE, 0, &p[i], 1);
        /* The second half is all that is used now, ten of them. */
        for (int round = 0; round < 60; round++) {
                for (unsigned i = 20; i < 30; i++)
                        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p[i], 1),
                                         BLK_OKAY);
                usleep(50000);
        }
        maps = guest_account(g).map_pages;
        for (unsigned i = 20; i < 30; i++)
                guest_io(g, BLK_WRITE, 0, &p[i], 1);
        assert_int_equal(guest_account(g).map_pages, maps);
        assert_true(guest_counter(g, "evicted_lru") > 0);
        guest_destroy(g);
}

/* S11 and H18: the same gref in one request, and in two in flight. */
static void a_gref_twice_in_flight_is_safe(void **state)
{
        struct guest *g =
                guest_create("fault:delay-ms=50:ram:8M", "--grants persistent");
        struct page p[2], twice[2];

        guest_connect(g, persistent);
        guest_page(g, &p[0], true);
        memset(p[0].bytes, 0x77, 4096);
        twice[0] = twice[1] = p[0];
        assert_int_equal(guest_io(g, BLK_WRITE, 0, twice, 2), BLK_OKAY);
        for (int i = 0; i < 5; i++)
                guest_put(g, i & 1 ? BLK_WRITE : BLK_READ, 8, &p[0], 1);
        guest_kick(g);
        for (int i = 0; i < 5; i++)
                assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        assert_true(guest_counter(g, "in_use") >= 1);
        assert_int_equal(gref_pins(g, p[0].gref, false), 1);
        assert_int_equal(guest_counter(g, "kept"), 1);
        guest_page(g, &p[1], true);
        assert_int_equal(guest_io(g, BLK_READ, 8, &p[1], 1), BLK_OKAY);
        guest_destroy(g);
}

/* H13: one bad gref fails one request, nothing of it stays mapped, nothing of
 * it reaches the disk; the others of the batch succeed. */
static void one_bad_gref_fails_one_request(void **state)
{
        static const char *const modes[] = {"persistent", "map", "copy"};

        for (unsigned m = 0; m < 3; m++) {
                char opts[64];
                struct guest *g;
                struct page p[4], bad[4];
                uint64_t id, victim;

                snprintf(opts, sizeof(opts), "--grants %s", modes[m]);
                g = guest_create("ram:8M", opts);
                guest_connect(g, persistent);
                for (unsigned i = 0; i < 4; i++) {
                        guest_page(g, &p[i], true);
                        memset(p[i].bytes, 0x11, 4096);
                        bad[i] = p[i];
                }
                assert_int_equal(guest_io(g, BLK_WRITE, 0, p, 4), BLK_OKAY);
                for (unsigned at = 0; at < 4; at++) {
                        for (unsigned i = 0; i < 4; i++) {
                                bad[i] = p[i];
                                memset(p[i].bytes, 0x22, 4096);
                        }
                        bad[at].gref = 30000 + at;
                        guest_put(g, BLK_WRITE, 64, p, 4);
                        victim = guest_put(g, BLK_WRITE, 0, bad, 4);
                        guest_put(g, BLK_WRITE, 128, p, 4);
                        guest_kick(g);
                        for (int i = 0; i < 3; i++) {
                                int status = guest_answer(g, &id);

                                assert_int_equal(status, id == victim
                                                                 ? BLK_ERROR
                                                                 : BLK_OKAY);
                        }
                }
                for (unsigned i = 0; i < 4; i++)
                        memset(p[i].bytes, 0, 4096);
                assert_int_equal(guest_io(g, BLK_READ, 0, p, 4), BLK_OKAY);
                for (unsigned i = 0; i < 4; i++)
                        assert_int_equal(p[i].bytes[99], 0x11);
                assert_int_equal(guest_account(g).mapped, m == 0 ? 5 : 1);
                guest_destroy(g);
        }
}

/* A page granted read-only can be written from, never read into. */
static void a_read_only_grant_serves_writes_only(void **state)
{
        static const char *const modes[] = {"persistent", "map", "copy"};

        for (unsigned m = 0; m < 3; m++) {
                char opts[64];
                struct guest *g;
                struct page p;

                snprintf(opts, sizeof(opts), "--grants %s", modes[m]);
                g = guest_create("ram:8M", opts);
                guest_connect(g, persistent);
                guest_page(g, &p, false);
                assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
                assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_ERROR);
                assert_int_equal(gref_pins(g, p.gref, false), 0);
                guest_destroy(g);
        }
}

/* S18: a read-only disk refuses by itself whatever would change it. */
static void a_read_only_disk_refuses_every_change(void **state)
{
        struct guest *g = guest_create("ram:8M", "--readonly");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
        assert_int_not_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        assert_int_not_equal(guest_io(g, BLK_BARRIER, 0, &p, 1), BLK_OKAY);
        assert_int_not_equal(guest_io(g, BLK_DISCARD, 0, NULL, 1), BLK_OKAY);
        guest_destroy(g);
}

static void the_end_of_the_disk_is_the_end(void **state)
{
        struct guest *g = guest_create("ram:1M", "");
        struct page p[2];

        guest_connect(g, persistent);
        guest_page(g, &p[0], true);
        guest_page(g, &p[1], true);
        assert_int_equal(guest_io(g, BLK_WRITE, 2048 - 8, p, 1), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_WRITE, 2048 - 8, p, 2), BLK_ERROR);
        assert_int_equal(guest_io(g, BLK_READ, 2048, p, 1), BLK_ERROR);
        assert_int_equal(guest_io(g, BLK_READ, ~0ull - 3, p, 1), BLK_ERROR);
        guest_destroy(g);
}

/* H2: more requests than the ring has: this ring stops, others do not, and a
 * reconnect heals it. */
static void an_impossible_index_stops_that_ring_only(void **state)
{
        struct guest *bad = guest_create("ram:8M", ""), *good;
        struct page p, q;

        good = guest_create("ram:8M", "");
        guest_connect(bad, persistent);
        guest_connect(good, persistent);
        guest_page(bad, &p, true);
        guest_page(good, &q, true);
        assert_int_equal(guest_io(bad, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        ring_store_release((uint32_t *)(void *)bad->ring_pages, 1u << 30);
        xen_evtchn_notify(bad->ev, bad->port);
        wait_until(guest_counter(bad, "ring_broken") == 1);
        assert_int_equal(guest_io(good, BLK_WRITE, 0, &q, 1), BLK_OKAY);
        guest_disconnect(bad);
        guest_connect(bad, persistent);
        assert_int_equal(guest_io(bad, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        guest_destroy(bad);
        guest_destroy(good);
}

/* DESIGN.md 6: ring.sh gave the daemon a budget that two disks exceed. */
static void the_process_budget_shrinks_the_second_disks_cap(void **state)
{
        struct guest *a = guest_create("ram:8M", "--grants persistent"), *b;
        struct page pa[100], pb[400];
        uint64_t hits, maps;

        b = guest_create("ram:8M", "--grants persistent");
        guest_connect(a, persistent);
        guest_connect(b, persistent);
        assert_int_equal(guest_counter(a, "max_persistent"), 1056);
        assert_in_range(guest_counter(b, "max_persistent"), 0, 1055);
        assert_int_equal(guest_counter(b, "max_persistent_asked"), 1056);
        for (unsigned i = 0; i < 100; i++) {
                guest_page(a, &pa[i], true);
                assert_int_equal(guest_io(a, BLK_WRITE, 0, &pa[i], 1),
                                 BLK_OKAY);
        }
        for (unsigned i = 0; i < 400; i++) {
                guest_page(b, &pb[i], true);
                assert_int_equal(guest_io(b, BLK_WRITE, 0, &pb[i], 1),
                                 BLK_OKAY);
        }
        assert_int_equal(guest_counter(b, "errors"), 0);
        maps = guest_account(a).map_pages;
        hits = guest_counter(a, "hits");
        for (unsigned i = 0; i < 100; i++)
                guest_io(a, BLK_WRITE, 0, &pa[i], 1);
        assert_int_equal(guest_account(a).map_pages, maps);
        assert_int_equal(guest_counter(a, "hits"), hits + 100);
        guest_destroy(a);
        guest_destroy(b);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fresh_grefs_for_ever_stay_under_the_cap),
                cmocka_unit_test(a_working_set_that_moved_becomes_warm),
                cmocka_unit_test(a_gref_twice_in_flight_is_safe),
                cmocka_unit_test(one_bad_gref_fails_one_request),
                cmocka_unit_test(a_read_only_grant_serves_writes_only),
                cmocka_unit_test(a_read_only_disk_refuses_every_change),
                cmocka_unit_test(the_end_of_the_disk_is_the_end),
                cmocka_unit_test(an_impossible_index_stops_that_ring_only),
        };
        const struct CMUnitTest budget[] = {
                cmocka_unit_test(
                        the_process_budget_shrinks_the_second_disks_cap),
        };

        if (argc > 1 && strcmp(argv[1], "budget") == 0)
                return cmocka_run_group_tests(budget, NULL, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
