/* SPDX-License-Identifier: MIT */
/* S1 to S6, S10, S16 to S18: the three data paths and what is mapped when, by
 * pocketxen's own account. */
#include "rig.h"

#include "ring/back_ring.h"

#include <stdlib.h>
#include <unistd.h>

static const struct connect_opts persistent = {.persistent = true},
                                 plain = {.persistent = false};

/* One write and one read of n pages each; the bytes must come back. */
static void write_and_read(struct guest *g, struct page *pages, unsigned n,
                           uint64_t sector)
{
        for (unsigned i = 0; i < n; i++)
                memset(pages[i].bytes, (int)(0x40 + i), 4096);
        assert_int_equal(guest_io(g, BLK_WRITE, sector, pages, n), BLK_OKAY);
        for (unsigned i = 0; i < n; i++)
                memset(pages[i].bytes, 0, 4096);
        assert_int_equal(guest_io(g, BLK_READ, sector, pages, n), BLK_OKAY);
        for (unsigned i = 0; i < n; i++)
                for (unsigned k = 0; k < 4096; k += 511)
                        assert_int_equal(pages[i].bytes[k], 0x40 + i);
}

static void share_pages(struct guest *g, struct page *pages, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                guest_page(g, &pages[i], true);
}

/* S2, S10: a miss maps once, ever; hits map nothing; nothing is unmapped. */
static void persistent_maps_each_gref_once(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent");
        struct account before, after;
        struct page p[11];

        guest_connect(g, persistent);
        share_pages(g, p, 11);
        before = guest_account(g);
        write_and_read(g, p, 11, 0);
        after = guest_account(g);
        assert_int_equal(after.map_pages - before.map_pages, 11);
        assert_int_equal(after.map_calls - before.map_calls, 11);
        assert_int_equal(guest_counter(g, "misses"), 11);
        assert_int_equal(guest_counter(g, "hits"), 11);
        for (int i = 0; i < 50; i++)
                write_and_read(g, p, 11, 8 * 11);
        after = guest_account(g);
        assert_int_equal(after.map_pages - before.map_pages, 11);
        assert_int_equal(after.unmap_pages, before.unmap_pages);
        assert_int_equal(after.copy_segments, 0);
        assert_int_equal(guest_counter(g, "hits"), 11 + 100 * 11);
        guest_destroy(g);
}

/* S1, S6, Q12: without persistence each request maps and unmaps its segments,
 * in one call, before the response: every page is revocable then. */
static void assert_maps_per_request(struct guest *g)
{
        struct account before, after;
        struct page p[5];

        share_pages(g, p, 5);
        before = guest_account(g);
        for (int i = 0; i < 20; i++) {
                assert_int_equal(guest_io(g, BLK_WRITE, 0, p, 5), BLK_OKAY);
                for (int k = 0; i < 2 && k < 5; k++)
                        assert_int_equal(gref_pins(g, p[k].gref, false), 0);
        }
        after = guest_account(g);
        assert_int_equal(after.map_pages - before.map_pages, 100);
        assert_int_equal(after.unmap_pages - before.unmap_pages, 100);
        assert_int_equal(after.map_calls - before.map_calls, 20);
        assert_int_equal(after.unmap_calls - before.unmap_calls, 20);
        write_and_read(g, p, 5, 800);
}

static void map_mode_maps_and_unmaps_before_the_response(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants map");

        guest_connect(g, persistent);
        assert_maps_per_request(g);
        assert_int_equal(guest_counter(g, "kept"), 0);
        guest_destroy(g);
}

static void copy_mode_copies_each_segment_and_maps_none(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants copy");
        struct account before, after;
        struct page p[7];

        guest_connect(g, persistent);
        share_pages(g, p, 7);
        before = guest_account(g);
        write_and_read(g, p, 7, 0);
        after = guest_account(g);
        assert_int_equal(after.copy_segments - before.copy_segments, 14);
        assert_int_equal(after.map_pages, before.map_pages);
        guest_destroy(g);
}

static uint64_t offered(struct guest *g)
{
        uint64_t v = 99;
        char path[128];

        snprintf(path, sizeof(path),
                 "/local/domain/0/backend/evergrant/%u/%u/feature-persistent",
                 g->domid, RIG_VDEV);
        assert_int_equal(xen_store_read_u64(g->xs, path, 1, &v), 0);
        return v;
}

/* S4: persistent only if both say 1, whatever was agreed the time before. */
static void persistence_needs_both_and_is_decided_at_every_connect(void **state)
{
        static const char *const modes[] = {"--grants persistent",
                                            "--grants map"};

        for (unsigned back = 0; back < 2; back++) {
                struct guest *g = guest_create("ram:8M", modes[1 - back]);
                struct page p[1];

                for (unsigned round = 0; round < 4; round++) {
                        bool front = round == 1 || round == 2;
                        struct account a, b;

                        guest_connect(g, front ? persistent : plain);
                        assert_int_equal(offered(g), back);
                        share_pages(g, p, 1);
                        write_and_read(g, p, 1, 0);
                        a = guest_account(g);
                        write_and_read(g, p, 1, 0);
                        b = guest_account(g);
                        assert_int_equal(guest_counter(g, "kept"),
                                         back && front);
                        if (back && front)
                                assert_int_equal(b.map_pages, a.map_pages);
                        else if (!back)
                                assert_int_equal(b.map_pages - a.map_pages, 2);
                        guest_disconnect(g);
                        guest_unshare(g, &p[0]);
                }
                guest_destroy(g);
        }
}

/* S3: everything is unmapped before the backend says Closed, so that the
 * frontend can revoke at once. */
static void disconnect_unmaps_everything_before_closed(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent");
        struct account a;
        struct page p[32];

        for (int round = 0; round < 3; round++) {
                guest_connect(g, persistent);
                share_pages(g, p, 32);
                for (unsigned i = 0; i < 32; i++)
                        assert_int_equal(
                                guest_io(g, BLK_WRITE, 8 * i, &p[i], 1),
                                BLK_OKAY);
                assert_int_equal(guest_account(g).mapped, 33);
                guest_disconnect(g);
                a = guest_account(g);
                assert_int_equal(a.mapped, 0);
                assert_int_equal(a.deferred, 0);
                assert_int_equal(a.map_pages, a.unmap_pages);
                for (unsigned i = 0; i < 32; i++)
                        guest_unshare(g, &p[i]);
        }
        guest_destroy(g);
}

/* S3: the same when the domain dies in the middle. */
static void domain_death_unmaps_everything(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent");
        struct page p[4];

        guest_connect(g, persistent);
        share_pages(g, p, 4);
        write_and_read(g, p, 4, 0);
        assert_int_equal(rig_run("%s destroy %s", getenv("POCKETXEN"), g->name),
                         0);
        wait_until(rig_run("%s list | grep -w %s", getenv("POCKETXEN"),
                           g->name) != 0);
        wait_until(rig_run("%s exec 0 -- xenstore-exists "
                           "/local/domain/0/backend/evergrant/%u",
                           getenv("POCKETXEN"), g->domid) != 0);
        xen_evtchn_close(g->ev);
        xen_shares_close(g->shares);
        xen_store_close(g->xs);
        free(g);
}

/* S16: kept and transient grants in one request. */
/* The timer that makes room 100 ms after an overflow gives up one page at most:
 * what it did must not be taken for the request's doing. */
static void a_mixed_request_unmaps_only_what_is_transient(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent "
                                                 "--max-persistent 3");
        struct account before, after;
        struct page p[8];
        uint64_t evicted;
        unsigned kept = 0;

        guest_connect(g, persistent);
        share_pages(g, p, 8);
        write_and_read(g, p, 3, 0); /* these three are kept */
        before = guest_account(g);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, p, 8), BLK_OKAY);
        after = guest_account(g);
        evicted = guest_counter(g, "evicted_lru");
        assert_true(evicted <= 1);
        assert_int_equal(after.map_pages - before.map_pages, 5);
        assert_int_equal(after.map_calls - before.map_calls, 1);
        assert_in_range(after.unmap_pages - before.unmap_pages, 5, 5 + evicted);
        assert_in_range(after.unmap_calls - before.unmap_calls, 1, 1 + evicted);
        for (unsigned i = 0; i < 3; i++)
                kept += gref_pins(g, p[i].gref, false);
        assert_in_range(kept, 2, 3);
        for (unsigned i = 3; i < 8; i++)
                assert_false(gref_pins(g, p[i].gref, false));
        write_and_read(g, p, 8, 64);
        guest_destroy(g);
}

/* S17: any cap is correct, 0 is the plain mode. */
static void a_cap_of_zero_keeps_nothing(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants persistent "
                                                 "--max-persistent 0");

        guest_connect(g, persistent);
        assert_maps_per_request(g);
        guest_destroy(g);
}

/* S18: a persistent grant is mapped writable even for a write request; without
 * persistence a write request maps for reading only. */
static void persistent_maps_are_writable_and_plain_writes_read_only(void **s)
{
        struct guest *g = guest_create("fault:delay-ms=2500:ram:8M",
                                       "--grants persistent");
        struct page p[1];

        guest_connect(g, persistent);
        share_pages(g, p, 1);
        guest_put(g, BLK_WRITE, 0, p, 1);
        guest_kick(g);
        wait_until(gref_pins(g, p[0].gref, false) == 1);
        assert_int_equal(gref_pins(g, p[0].gref, true), 1);
        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        guest_destroy(g);

        g = guest_create("fault:delay-ms=2500:ram:8M", "--grants map");
        guest_connect(g, plain);
        share_pages(g, p, 1);
        guest_put(g, BLK_WRITE, 0, p, 1);
        guest_kick(g);
        wait_until(gref_pins(g, p[0].gref, false) == 1);
        assert_int_equal(gref_pins(g, p[0].gref, true), 0);
        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        guest_destroy(g);
}

/* DESIGN.md 5, and PROTOCOL.md Q11. */
static void auto_serves_old_frontends_by_the_measured_rule(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants auto");
        struct account before, after;
        struct page p[1];

        guest_connect(g, plain);
        share_pages(g, p, 1);
        before = guest_account(g);
        write_and_read(g, p, 1, 0);
        after = guest_account(g);
        assert_int_equal((after.copy_segments - before.copy_segments) +
                                 (after.map_pages - before.map_pages),
                         2);
        assert_int_equal(after.mapped, before.mapped);
        assert_int_equal(rig_run("%s stat --json", getenv("EVERGRANT")), 0);
        assert_non_null(strstr(rig_said, "copy_up_to_segs"));
        guest_destroy(g);
}

static void every_ring_order_works(void **state)
{
        for (unsigned order = 0; order <= BLK_MAX_RING_ORDER; order++) {
                struct guest *g = guest_create("ram:64M", "");
                struct page p[4];
                unsigned slots = blk_ring_slots(BLK_ABI_NATIVE, order);

                guest_connect(g, (struct connect_opts){.order = order,
                                                       .persistent = true});
                share_pages(g, p, 4);
                /* Twice around the ring, a full ring at a time. */
                for (int round = 0; round < 2; round++) {
                        for (unsigned i = 0; i < slots; i++)
                                guest_put(g, BLK_WRITE, i, &p[i % 4], 1);
                        guest_kick(g);
                        for (unsigned i = 0; i < slots; i++)
                                assert_int_equal(guest_answer(g, NULL),
                                                 BLK_OKAY);
                }
                write_and_read(g, p, 4, 1024);
                guest_destroy(g);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(persistent_maps_each_gref_once),
                cmocka_unit_test(map_mode_maps_and_unmaps_before_the_response),
                cmocka_unit_test(copy_mode_copies_each_segment_and_maps_none),
                cmocka_unit_test(
                        persistence_needs_both_and_is_decided_at_every_connect),
                cmocka_unit_test(disconnect_unmaps_everything_before_closed),
                cmocka_unit_test(domain_death_unmaps_everything),
                cmocka_unit_test(a_mixed_request_unmaps_only_what_is_transient),
                cmocka_unit_test(a_cap_of_zero_keeps_nothing),
                cmocka_unit_test(
                        persistent_maps_are_writable_and_plain_writes_read_only),
                cmocka_unit_test(
                        auto_serves_old_frontends_by_the_measured_rule),
                cmocka_unit_test(every_ring_order_works),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
