/* SPDX-License-Identifier: MIT */
/* The three data paths: what is mapped, copied, kept, and when it ends. */
#include "rig.h"

#include <errno.h>
#include <string.h>

/* Data pages mapped now; the ring is one more. */
static unsigned data_mapped(void)
{
        return fake_totals().mapped_pages - 1;
}

/* ---- map ---- */

static void map_mode_is_one_map_and_one_unmap_before_the_response(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 20; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, 0, 11);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
                assert_int_equal(data_mapped(), 0);
        }
        s = rig_stats(rig);
        assert_int_equal(s.map_calls, 1 + 20);
        assert_int_equal(s.map_pages, 1 + 20 * 11);
        assert_int_equal(s.unmap_calls, 20);
        assert_int_equal(s.unmap_pages, 20 * 11);
        assert_int_equal(s.via_map, 20);
        assert_int_equal(s.copy_calls, 0);
}

static void map_mode_maps_writes_readonly_and_reads_writable(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 1);

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(fake_gref(rig_gref(0)).readonly_map_calls, 1);
        req = rig_request(BLK_READ, 1, 0, 1, 1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(fake_gref(rig_gref(1)).readonly_map_calls, 0);
        assert_int_equal(fake_gref(rig_gref(1)).map_calls, 1);
}

static void whole_pages_of_one_mapping_join(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 4);

        assert_int_equal(rig_attach(rig, 0), 0);
        rig_do(rig, &req);
        assert_int_equal(test_store_record(rig->store, 0).niov, 1);
        req.segs[1].last_sector = 6;
        req.segs[3].first_sector = 1;
        req.sectors -= 2;
        rig_do(rig, &req);
        assert_int_equal(test_store_record(rig->store, 1).niov, 3);
        assert_int_equal(test_store_record(rig->store, 1).len_bytes, 30 * 512);
}

/* ---- persistent ---- */

static void a_kept_grant_is_mapped_once_and_writable(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        assert_int_equal(rig_attach_persistent(rig, 64), 0);
        for (unsigned i = 0; i < 10; i++) {
                struct blk_request req =
                        rig_request(i % 2 ? BLK_READ : BLK_WRITE, i, 0, 0, 5);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
        s = rig_stats(rig);
        assert_int_equal(s.map_calls, 1 + 5);
        assert_int_equal(s.unmap_calls, 0);
        assert_int_equal(s.hits, 45);
        assert_int_equal(s.misses, 5);
        assert_int_equal(s.kept, 5);
        assert_int_equal(s.cap, 64);
        assert_int_equal(s.via_persistent, 10);
        assert_int_equal(fake_gref(rig_gref(0)).writable_maps, 1);
        assert_int_equal(fake_gref(rig_gref(0)).map_calls, 1);
}

static void a_mixed_request_unmaps_only_what_is_not_kept(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 5);
        struct back_stats s;

        memset(test_store_data(rig->store), 7, 65536);
        assert_int_equal(rig_attach_persistent(rig, 2), 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
                assert_int_equal(data_mapped(), 2);
                assert_int_equal(fake_gref(rig_gref(0)).maps, 1);
                assert_int_equal(fake_gref(rig_gref(4)).maps, 0);
        }
        for (unsigned i = 0; i < 5; i++)
                assert_true(rig_page_is(i, 7));
        s = rig_stats(rig);
        assert_int_equal(s.kept, 2);
        assert_int_equal(s.kept_high, 2);
        assert_int_equal(s.overflows, 3 * 3);
        assert_int_equal(s.map_failures, 0);
        assert_int_equal(s.errors, 0);
}

static void over_the_cap_warm_grants_still_hit(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 2);

        assert_int_equal(rig_attach_persistent(rig, 2), 0);
        rig_do(rig, &req);
        req = rig_request(BLK_WRITE, 2, 0, 0, 4);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(fake_gref(rig_gref(0)).map_calls, 1);
        assert_int_equal(fake_gref(rig_gref(1)).map_calls, 1);
        assert_int_equal(fake_gref(rig_gref(3)).map_calls, 1);
        assert_int_equal(fake_gref(rig_gref(3)).readonly_map_calls, 1);
        assert_int_equal(data_mapped(), 2);
}

static void always_new_grefs_stay_under_the_cap(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        for (unsigned i = 0; i < 300; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, 3 * i, 3);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
                assert_true(data_mapped() <= 8);
        }
        s = rig_stats(rig);
        assert_true(s.kept_high <= 8);
        assert_int_equal(s.errors, 0);
}

static void cap_zero_is_plain_mode(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 4);

        assert_int_equal(rig_attach_persistent(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(data_mapped(), 0);
        assert_int_equal(rig_stats(rig).map_calls, 2);
}

static void the_same_gref_twice_in_a_request_is_served(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 2);
        struct back_stats s;

        req.segs[1].gref = req.segs[0].gref;
        rig_fill(0, 0x33);
        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_data(rig->store)[8191], 0x33);
        assert_int_equal(fake_gref(rig_gref(0)).maps, 1);
        assert_int_equal(fake_gref(rig_gref(0)).maps_high, 2);
        s = rig_stats(rig);
        assert_int_equal(s.in_use, 1);
        assert_int_equal(s.kept, 1);
}

static void the_same_gref_in_two_requests_at_once_is_served(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        memset(test_store_data(rig->store), 7, 65536);
        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        test_store_hold(rig->store, true);
        for (unsigned i = 0; i < 2; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, 0, 1);

                rig_put(r, &req);
        }
        rig_push(r);
        rig_until(test_store_held(rig->store) == 2);
        assert_int_equal(data_mapped(), 2);
        test_store_let(rig->store, 1);
        rig_await(r);
        test_store_let(rig->store, 1);
        rig_await(r);
        assert_int_equal(data_mapped(), 1);
        assert_true(rig_page_is(0, 7));
        assert_int_equal(rig_stats(rig).in_use, 1);
}

static void unused_grants_are_given_up(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 4);
        struct back_stats s;

        rig_timers = true;
        rig->rings[0].p.idle_ms = 50;
        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        rig_do(rig, &req);
        rig_until(data_mapped() == 0);
        rig_until((s = rig_stats(rig), s.evicted_idle == 4));
        assert_int_equal(s.kept, 0);
        assert_int_equal(s.unmap_pages, 4);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
}

static void a_persistent_ring_keeps_nothing_of_a_plain_one(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 3);

        /* The operator wants it, the frontend cannot: as auto, by the rule
         * copy up to 4. */
        rig->rings[0].p.grants = BACK_PERSISTENT;
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(data_mapped(), 0);
        assert_int_equal(rig_stats(rig).via_copy, 1);
        assert_int_equal(rig_stats(rig).kept_high, 0);
}

/* ---- bad grants ---- */

static void expect_refused(struct rig *rig, struct blk_request *req,
                           unsigned bad_seg)
{
        unsigned before = test_store_count(rig->store);

        req->segs[bad_seg].gref = RIG_BAD_GREF;
        assert_int_equal(rig_do(rig, req), BLK_ERROR);
        assert_int_equal(test_store_count(rig->store), before);
}

static void a_bad_gref_in_the_middle_leaks_nothing(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        assert_int_equal(rig_attach_persistent(rig, 4), 0);
        for (unsigned bad = 0; bad < 8; bad++) {
                struct blk_request req = rig_request(
                        bad % 2 ? BLK_READ : BLK_WRITE, bad, 0, 0, 8);

                expect_refused(rig, &req, bad);
                /* Kept are those before it, up to the cap; nothing else. */
                assert_true(data_mapped() <= 4);
        }
        /* None of them is held any more: all four can hit. */
        {
                struct blk_request req = rig_request(BLK_READ, 9, 0, 0, 4);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
        s = rig_stats(rig);
        assert_int_equal(s.bad_grants, 8);
        assert_int_equal(s.errors, 8);
        assert_int_equal(s.in_use, 0);
        assert_int_equal(s.inflight, 0);
}

static void a_bad_gref_fails_one_mapped_request_only(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 3; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, i, 4);

                if (i == 1)
                        req.segs[2].gref = RIG_BAD_GREF;
                rig_put(r, &req);
        }
        rig_push(r);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(rig_await(r).status,
                                 i == 1 ? BLK_ERROR : BLK_OKAY);
        assert_int_equal(data_mapped(), 0);
        assert_int_equal(test_store_count(rig->store), 2);
        assert_int_equal(rig_stats(rig).map_failures, 1);
}

static void a_bad_gref_fails_one_copied_write_only(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 4);

        rig->rings[0].p.grants = BACK_COPY;
        assert_int_equal(rig_attach(rig, 0), 0);
        expect_refused(rig, &req, 3);
        req = rig_request(BLK_WRITE, 2, 0, 0, 4);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(rig_stats(rig).bad_grants, 1);
}

static void a_copied_read_that_cannot_be_delivered_is_an_error(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 4);

        rig->rings[0].p.grants = BACK_COPY;
        fake_grant(rig_gref(2), 90, true);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        assert_int_equal(rig_stats(rig).bad_grants, 1);
        assert_int_equal(rig_stats(rig).read_bytes, 0);
}

static void a_page_granted_readonly_can_be_written_from(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 2);

        rig_fill(1, 0x44);
        fake_grant(rig_gref(1), 81, true);
        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_data(rig->store)[4096], 0x44);
        assert_int_equal(data_mapped(), 1);
        /* … but not read into. */
        req = rig_request(BLK_READ, 2, 0, 0, 2);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        assert_int_equal(data_mapped(), 1);
        assert_int_equal(rig_stats(rig).bad_grants, 1);
}

/* ---- copy ---- */

static void copy_mode_maps_nothing(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        rig->rings[0].p.grants = BACK_COPY;
        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 10; i++) {
                struct blk_request req =
                        rig_request(i % 2 ? BLK_READ : BLK_WRITE, i, 0, 0, 11);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
        s = rig_stats(rig);
        assert_int_equal(s.map_calls, 1);
        assert_int_equal(s.copy_calls, 10);
        assert_int_equal(s.copy_segments, 110);
        assert_int_equal(s.via_copy, 10);
        assert_int_equal(test_store_record(rig->store, 0).niov, 1);
}

static void a_failed_read_copies_nothing_out(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 1);

        rig->rings[0].p.grants = BACK_COPY;
        rig_fill(0, 0x66); /* goes through the bounce block */
        rig_fill(1, 0x77);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        test_store_fail(rig->store, STORE_READ, -EIO);
        req = rig_request(BLK_READ, 2, 0, 1, 1);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        assert_true(rig_page_is(1, 0x77));
        assert_int_equal(fake_totals().copy_calls, 1);
}

static void auto_copies_up_to_the_rule_and_maps_beyond(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        rig->rings[0].p.grants = BACK_AUTO;
        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned n = 1; n <= 11; n++) {
                struct blk_request req = rig_request(BLK_READ, n, 0, 0, n);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
        s = rig_stats(rig);
        assert_int_equal(s.via_copy, 4);
        assert_int_equal(s.via_map, 7);
        assert_int_equal(s.copy_segments, 1 + 2 + 3 + 4);
        assert_int_equal(data_mapped(), 0);
}

static void without_a_bounce_block_requests_wait(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        bool seen[300] = {false};

        memset(test_store_data(rig->store), 0x21, 65536);
        r->p.grants = BACK_COPY;
        r->p.ring_order = 4;
        front_ring_init(&r->front, r->front.shared, 4, BLK_ABI_NATIVE);
        assert_int_equal(rig_attach(rig, 0), 0);
        test_store_hold(rig->store, true);
        for (unsigned i = 0; i < 300; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, i, 1);

                rig_put(r, &req);
        }
        rig_push(r);
        rig_until(test_store_held(rig->store) >= 96);
        rig_settle(rig);
        assert_int_equal(test_store_held(rig->store), 96);
        assert_int_equal(rig_stats(rig).inflight, 300);
        for (unsigned i = 0; i < 300; i++) {
                rig_until(test_store_held(rig->store));
                test_store_let(rig->store, 1);
                seen[rig_await(r).id] = true;
        }
        for (unsigned i = 0; i < 300; i++) {
                assert_true(seen[i]);
                assert_true(rig_page_is(i, 0x21));
        }
}

/* ---- no room for mappings ---- */

static void without_address_space_requests_are_copied(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 4);
        struct back_stats s;

        rig_fill(3, 0x5a);
        assert_int_equal(rig_attach(rig, 0), 0);
        fake_map_enomem(1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_data(rig->store)[3 * 4096], 0x5a);
        s = rig_stats(rig);
        assert_int_equal(s.via_copy, 1);
        assert_int_equal(s.via_map, 0);
        assert_int_equal(s.bad_grants, 0);
        assert_int_equal(s.map_failures, 1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(rig_stats(rig).via_map, 1);
}

static void persistent_without_address_space_is_copied_too(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 4);
        struct back_stats s;

        memset(test_store_data(rig->store), 0x13, 65536);
        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        fake_map_enomem(4 + 1); /* each miss, then the transient call */
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        for (unsigned i = 0; i < 4; i++)
                assert_true(rig_page_is(i, 0x13));
        s = rig_stats(rig);
        assert_int_equal(s.via_copy, 1);
        assert_int_equal(s.no_memory, 4);
        assert_int_equal(s.errors, 0);
        assert_int_equal(data_mapped(), 0);
        /* With one kept it is not lost on the way: held, then released. */
        req = rig_request(BLK_READ, 2, 0, 0, 1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        fake_map_enomem(100);
        req = rig_request(BLK_READ, 3, 0, 0, 4);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        fake_map_enomem(0);
        assert_int_equal(rig_stats(rig).in_use, 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(rig_stats(rig).in_use, 0);
}

static void idle_kept_grants_make_room(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 20, 8);
        struct back_stats s;

        assert_int_equal(rig_attach_persistent(rig, 64), 0);
        rig_do(rig, &req);
        assert_int_equal(data_mapped(), 8);
        fake_map_enomem(2 + 1);
        req = rig_request(BLK_READ, 2, 0, 0, 2);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        s = rig_stats(rig);
        assert_int_equal(s.via_persistent, 2);
        assert_int_equal(s.via_copy, 0);
        assert_int_equal(s.unmap_pages, 8 + 2);
        assert_int_equal(data_mapped(), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(map_mode_is_one_map_and_one_unmap_before_the_response),
                T(map_mode_maps_writes_readonly_and_reads_writable),
                T(whole_pages_of_one_mapping_join),
                T(a_kept_grant_is_mapped_once_and_writable),
                T(a_mixed_request_unmaps_only_what_is_not_kept),
                T(over_the_cap_warm_grants_still_hit),
                T(always_new_grefs_stay_under_the_cap),
                T(cap_zero_is_plain_mode),
                T(the_same_gref_twice_in_a_request_is_served),
                T(the_same_gref_in_two_requests_at_once_is_served),
                T(unused_grants_are_given_up),
                T(a_persistent_ring_keeps_nothing_of_a_plain_one),
                T(a_bad_gref_in_the_middle_leaks_nothing),
                T(a_bad_gref_fails_one_mapped_request_only),
                T(a_bad_gref_fails_one_copied_write_only),
                T(a_copied_read_that_cannot_be_delivered_is_an_error),
                T(a_page_granted_readonly_can_be_written_from),
                T(copy_mode_maps_nothing),
                T(a_failed_read_copies_nothing_out),
                T(auto_copies_up_to_the_rule_and_maps_beyond),
                T(without_a_bounce_block_requests_wait),
                T(without_address_space_requests_are_copied),
                T(persistent_without_address_space_is_copied_too),
                T(idle_kept_grants_make_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
