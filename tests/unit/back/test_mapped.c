/* SPDX-License-Identifier: MIT */
/* What is mapped for one request is touched by the I/O thread alone: the store
 * never gets such a page. */
#include "rig.h"

#include <errno.h>
#include <string.h>

static unsigned data_mapped(void)
{
        return fake_totals().mapped_pages - 1;
}

/* Three whole pages that no one could join: the middle one has a gap at its
 * end. Direct I/O takes two pieces, a block one. */
static struct blk_request gapped(enum blk_op op, uint64_t id)
{
        struct blk_request req = rig_request(op, id, 0, 0, 3);

        req.segs[1].last_sector = 3;
        req.sectors -= 4;
        return req;
}

static void expect_gapped(const uint8_t *disk)
{
        assert_memory_equal(disk, rig_page(0), 4096);
        assert_memory_equal(disk + 4096, rig_page(1), 2048);
        assert_memory_equal(disk + 6144, rig_page(2), 4096);
}

static void fill_disk(struct rig *rig)
{
        for (unsigned i = 0; i < 16384; i++)
                test_store_data(rig->store)[i] = (uint8_t)(i * 7 + i / 512);
}

static void a_mapped_request_does_its_io_in_a_block(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = gapped(BLK_WRITE, 1);

        assert_int_equal(rig_attach(rig, 0), 0);
        rig_fill(0, 0x11);
        rig_fill(1, 0x22);
        rig_fill(2, 0x33);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_record(rig->store, 0).niov, 1);
        assert_int_equal(test_store_record(rig->store, 0).len_bytes, 20 * 512);
        expect_gapped(test_store_data(rig->store));
        assert_int_equal(data_mapped(), 0);
        fill_disk(rig);
        req = gapped(BLK_READ, 2);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_record(rig->store, 1).niov, 1);
        expect_gapped(test_store_data(rig->store));
        /* The gap is not ours. */
        assert_int_equal(rig_page(1)[2048], 0x22);
        assert_int_equal(rig_page(1)[4095], 0x22);
        assert_int_equal(data_mapped(), 0);
        assert_int_equal(rig_stats(rig).via_map, 2);
        assert_int_equal(rig_stats(rig).copy_calls, 0);
}

static void a_mixed_request_does_so_too_and_kept_pages_do_not(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = gapped(BLK_READ, 1);

        fill_disk(rig);
        assert_int_equal(rig_attach_persistent(rig, 2), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(data_mapped(), 2);
        assert_int_equal(test_store_record(rig->store, 0).niov, 1);
        expect_gapped(test_store_data(rig->store));
        req = gapped(BLK_WRITE, 2);
        memset(test_store_data(rig->store), 0, 16384);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_record(rig->store, 1).niov, 1);
        expect_gapped(test_store_data(rig->store));
        assert_int_equal(data_mapped(), 2);
        /* Both kept: in place. */
        req = rig_request(BLK_READ, 3, 0, 0, 2);
        req.segs[0].last_sector = 3;
        req.sectors -= 4;
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_record(rig->store, 2).niov, 2);
        rig_detach_start(rig, 0);
        rig_settle(rig);
        rig_fire_timer(rig);
        rig_await_detached(rig, 0);
}

/* The kernel may hold pages of the last I/O for a moment. */
static void kept_pages_stay_a_while_after_the_last_io(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 5);

        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        test_store_hold(rig->store, true);
        rig_put(&rig->rings[0], &req);
        rig_push(&rig->rings[0]);
        rig_until(test_store_held(rig->store));
        rig_detach_start(rig, 0);
        rig_settle(rig);
        test_store_let(rig->store, 1);
        rig_await(&rig->rings[0]);
        rig_settle(rig);
        back_control_run();
        assert_int_equal(data_mapped(), 5);
        assert_non_null(rig->rings[0].q);
        rig_fire_timer(rig);
        rig_await_detached(rig, 0);
        assert_int_equal(fake_totals().mapped_pages, 0);
}

static void what_was_just_in_use_is_not_unmapped_to_make_room(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 1);

        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        fake_map_enomem(1 + 1); /* the miss, the transient call */
        req = rig_request(BLK_READ, 2, 0, 1, 1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(data_mapped(), 1);
        assert_int_equal(rig_stats(rig).via_copy, 1);
        rig_detach_start(rig, 0);
        rig_settle(rig);
        rig_fire_timer(rig);
        rig_await_detached(rig, 0);
}

static void a_failed_read_brings_nothing_of_the_block(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = gapped(BLK_WRITE, 1);

        assert_int_equal(rig_attach(rig, 0), 0);
        rig_fill(0, 0x5a);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        rig_fill(0, 0x11);
        test_store_fail(rig->store, STORE_READ, -EIO);
        req = gapped(BLK_READ, 2);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        assert_true(rig_page_is(0, 0x11));
        assert_int_equal(data_mapped(), 0);
}

/* As with copies: what has no block holds nothing. */
static void without_a_block_nothing_stays_mapped(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        memset(test_store_data(rig->store), 0x21, 65536);
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
        /* The ring's 16 pages are mapped, too. */
        assert_int_equal(fake_totals().mapped_pages, 96 + 16);
        for (unsigned i = 0; i < 300; i++) {
                rig_until(test_store_held(rig->store));
                test_store_let(rig->store, 1);
                rig_await(r);
        }
        for (unsigned i = 0; i < 300; i++)
                assert_true(rig_page_is(i, 0x21));
        assert_int_equal(fake_totals().mapped_pages, 16);
        assert_int_equal(fake_totals().map_calls, 300 + 1);
}

static int setup(void **state)
{
        rig_bounce_mapped = true;
        return rig_setup(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_mapped_request_does_its_io_in_a_block),
                T(a_mixed_request_does_so_too_and_kept_pages_do_not),
                T(kept_pages_stay_a_while_after_the_last_io),
                T(what_was_just_in_use_is_not_unmapped_to_make_room),
                T(a_failed_read_brings_nothing_of_the_block),
                T(without_a_block_nothing_stays_mapped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
