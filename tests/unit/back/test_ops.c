/* SPDX-License-Identifier: MIT */
/* What each operation asks of the store, and how it is answered. */
#include "rig.h"

#include <errno.h>
#include <string.h>

static void data_lands_where_it_was_asked(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 3, 0, 3);
        uint8_t *disk = test_store_data(rig->store);

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 3; i++)
                rig_fill(i, (uint8_t)(i + 1));
        req.segs[0].first_sector = 7;                           /* 1 sector */
        req.segs[1].first_sector = req.segs[1].last_sector = 2; /* 1 */
        req.segs[2].last_sector = 1;                            /* 2 */
        req.sectors = 4;
        memset(disk, 0xee, 8192);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        for (unsigned i = 0; i < 16; i++) {
                static const uint8_t expect[16] = {0xee, 0xee, 0xee, 1,   2,
                                                   3,    3,    0xee, 0xee};

                assert_int_equal(disk[i * 512], expect[i] ? expect[i] : 0xee);
                assert_int_equal(disk[i * 512 + 511],
                                 expect[i] ? expect[i] : 0xee);
        }
        /* … and back, into other pages, nothing beside. */
        for (unsigned i = 0; i < 3; i++)
                rig_fill(10 + i, 0x55);
        for (unsigned i = 0; i < 3; i++)
                req.segs[i].gref = rig_gref(10 + i);
        req.op = BLK_READ;
        req.wire_op = BLK_READ;
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(rig_page(10)[7 * 512 - 1], 0x55);
        assert_int_equal(rig_page(10)[7 * 512], 1);
        assert_int_equal(rig_page(11)[2 * 512 - 1], 0x55);
        assert_int_equal(rig_page(11)[2 * 512], 2);
        assert_int_equal(rig_page(11)[3 * 512], 0x55);
        assert_int_equal(rig_page(12)[1023], 3);
        assert_int_equal(rig_page(12)[1024], 0x55);
}

static void data_lands_by_copy_too(void **state)
{
        ((struct rig *)*state)->rings[0].p.grants = BACK_COPY;
        data_lands_where_it_was_asked(state);
}

static void data_lands_by_kept_grants_too(void **state)
{
        struct rig *rig = *state;

        rig->rings[0].p.persistent = true;
        rig->rings[0].p.max_persistent = 2; /* and some beyond it */
        data_lands_where_it_was_asked(state);
}

static void expect_ops(struct rig *rig, unsigned from, const enum store_op *ops,
                       unsigned n)
{
        assert_int_equal(test_store_count(rig->store), from + n);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(test_store_record(rig->store, from + i).op,
                                 ops[i]);
}

static void flush_is_a_flush_and_with_data_flush_then_write(void **state)
{
        static const enum store_op ops[] = {STORE_FLUSH, STORE_FLUSH,
                                            STORE_WRITE};
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_FLUSH, 1, 0, 0, 0);
        struct back_stats s;

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_record(rig->store, 0).len_bytes, 0);
        req = rig_request(BLK_FLUSH, 2, 8, 0, 1);
        rig_fill(0, 9);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        expect_ops(rig, 0, ops, 3);
        assert_int_equal(test_store_data(rig->store)[4096], 9);
        s = rig_stats(rig);
        assert_int_equal(s.flushes, 2);
        assert_int_equal(s.write_bytes, 4096);
        assert_int_equal(s.writes, 0);
}

/* R1, R2 in flight, barrier, R3: nothing passes it in either direction. */
static void a_barrier_waits_and_holds_back(void **state)
{
        static const enum store_op ops[] = {STORE_FLUSH, STORE_WRITE,
                                            STORE_FLUSH, STORE_READ};
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        assert_int_equal(rig_attach(rig, 0), 0);
        test_store_hold(rig->store, true);
        for (unsigned i = 0; i < 4; i++) {
                struct blk_request req = rig_request(
                        i == 2 ? BLK_BARRIER : BLK_READ, i, i * 8, i, 1);

                rig_put(r, &req);
        }
        rig_push(r);
        rig_until(test_store_held(rig->store) == 2);
        rig_settle(rig);
        assert_int_equal(test_store_count(rig->store), 2);
        test_store_let(rig->store, 1);
        rig_await(r);
        rig_settle(rig);
        assert_int_equal(test_store_count(rig->store), 2);
        test_store_let(rig->store, 1);
        rig_await(r);
        for (unsigned i = 0; i < 4; i++) {
                rig_until(test_store_held(rig->store) == 1);
                rig_settle(rig);
                expect_ops(rig, 2, ops, i + 1);
                test_store_let(rig->store, 1);
                if (i >= 2)
                        assert_int_equal(rig_await(r).id, i);
        }
        assert_int_equal(rig_stats(rig).barriers, 1);
}

static void a_barrier_without_data_flushes(void **state)
{
        static const enum store_op ops[] = {STORE_FLUSH};
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_BARRIER, 1, 0, 0, 0);

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        expect_ops(rig, 0, ops, 1);
}

static void a_failed_flush_writes_nothing(void **state)
{
        static const enum store_op ops[] = {STORE_FLUSH};
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_BARRIER, 1, 0, 0, 1);

        test_store_fail(rig->store, STORE_FLUSH, -EIO);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        expect_ops(rig, 0, ops, 1);
        assert_int_equal(fake_totals().mapped_pages, 1);
        /* The ring goes on after it. */
        req = rig_request(BLK_READ, 2, 0, 0, 1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
}

static void discard_reaches_the_store(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = {.id = 4,
                                  .op = BLK_DISCARD,
                                  .wire_op = BLK_DISCARD,
                                  .sector = 8,
                                  .sectors = 24};

        memset(test_store_data(rig->store), 1, 65536);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_data(rig->store)[4095], 1);
        assert_int_equal(test_store_data(rig->store)[4096], 0);
        assert_int_equal(test_store_data(rig->store)[16383], 0);
        assert_int_equal(test_store_data(rig->store)[16384], 1);
        req.sectors = 0; /* nothing to do is done */
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_count(rig->store), 1);
        assert_int_equal(rig_stats(rig).discard_bytes, 24 * 512);
}

static void a_discard_the_store_cannot_do_is_eopnotsupp(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = {.id = 4,
                                  .op = BLK_DISCARD,
                                  .wire_op = BLK_DISCARD,
                                  .sectors = 8};

        test_store_fail(rig->store, STORE_DISCARD, -EOPNOTSUPP);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_EOPNOTSUPP);
        assert_int_equal(rig_stats(rig).unsupported, 1);
}

static const struct blk_request secure_discard = {.id = 4,
                                                  .op = BLK_DISCARD,
                                                  .wire_op = BLK_DISCARD,
                                                  .secure = true,
                                                  .sectors = 8};

/* Not offered, or offered for a store that cannot. */
static void secure_discard_is_never_half_done(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &secure_discard), BLK_EOPNOTSUPP);
        assert_int_equal(rig_stats(rig).refused[BLK_BAD_OP], 1);
        assert_int_equal(test_store_count(rig->store), 0);
}

static void secure_discard_beyond_the_store_is_eopnotsupp(void **state)
{
        struct rig *rig = *state;

        rig->rings[0].p.limits.discard_secure = true;
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &secure_discard), BLK_EOPNOTSUPP);
        assert_int_equal(test_store_count(rig->store), 0);
}

static void secure_discard_is_told_to_the_store(void **state)
{
        struct rig *rig = *state;
        struct blk_request plain = secure_discard;

        plain.secure = false;
        rig->rings[0].p.limits.discard_secure = true;
        rig->store->info.can_discard_secure = true;
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &secure_discard), BLK_OKAY);
        assert_true(test_store_record(rig->store, 0).secure);
        assert_int_equal(rig_do(rig, &plain), BLK_OKAY);
        assert_false(test_store_record(rig->store, 1).secure);
        test_store_fail(rig->store, STORE_DISCARD, -EINVAL);
        assert_int_equal(rig_do(rig, &secure_discard), BLK_ERROR);
}

static void what_is_not_offered_is_eopnotsupp(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        static const uint8_t ops[] = {BLK_BARRIER, BLK_FLUSH, BLK_DISCARD};

        r->p.limits.flush = r->p.limits.barrier = r->p.limits.discard = false;
        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
                struct blk_request req =
                        rig_request((enum blk_op)ops[i], i, 0, 0, 0);

                assert_int_equal(rig_do(rig, &req), BLK_EOPNOTSUPP);
        }
        assert_int_equal(rig_stats(rig).unsupported, 3);
        assert_int_equal(rig_stats(rig).refused[BLK_BAD_OP], 3);
        assert_int_equal(test_store_count(rig->store), 0);
}

static void an_unknown_operation_is_eopnotsupp(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 1);
        struct blk_response rsp;

        assert_int_equal(rig_attach(rig, 0), 0);
        rig_put(r, &req);
        *((uint8_t *)r->front.shared + 64) = 77; /* slot 0's operation */
        rig_push(r);
        rsp = rig_await(r);
        assert_int_equal(rsp.status, BLK_EOPNOTSUPP);
        assert_int_equal(rsp.op, 77);
        assert_int_equal(rsp.id, 1);
}

static void a_readonly_disk_refuses_by_itself(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 1);

        rig->rings[0].p.limits.readonly = true;
        assert_int_equal(rig_attach_persistent(rig, 8), 0);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        req = rig_request(BLK_READ, 1, 0, 0, 1);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(test_store_count(rig->store), 1);
        assert_int_equal(rig_stats(rig).refused[BLK_BAD_READONLY], 1);
}

static void a_refused_request_touches_no_grant(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 1u << 30, 0, 1);

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        req = rig_request(BLK_READ, 2, 0, 0, 0);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        assert_int_equal(rig_stats(rig).map_pages, 1);
        assert_int_equal(rig_stats(rig).errors, 2);
        assert_int_equal(rig_stats(rig).refused[BLK_BAD_RANGE], 1);
        assert_int_equal(rig_stats(rig).refused[BLK_BAD_NSEGS], 1);
}

static void a_store_error_is_the_guests_error(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 1, 0, 0, 2);
        struct back_stats s;

        test_store_fail(rig->store, STORE_WRITE, -ENOSPC);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        s = rig_stats(rig);
        assert_int_equal(s.writes, 1);
        assert_int_equal(s.write_bytes, 0);
        assert_int_equal(s.errors, 1);
        assert_int_equal(s.bad_grants, 0);
        assert_int_equal(fake_totals().mapped_pages, 1);
}

static void each_answer_is_in_the_histogram(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;
        uint64_t n = 0;

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 50; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, 0, 1);

                rig_do(rig, &req);
        }
        s = rig_stats(rig);
        for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
                n += s.latency[i];
        assert_int_equal(n, 50);
        assert_int_equal(s.latency[0], 0); /* no I/O takes 0 ns */
        assert_int_equal(s.inflight, 0);
        assert_int_equal(s.inflight_high, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(data_lands_where_it_was_asked),
                T(data_lands_by_copy_too),
                T(data_lands_by_kept_grants_too),
                T(flush_is_a_flush_and_with_data_flush_then_write),
                T(a_barrier_waits_and_holds_back),
                T(a_barrier_without_data_flushes),
                T(a_failed_flush_writes_nothing),
                T(discard_reaches_the_store),
                T(a_discard_the_store_cannot_do_is_eopnotsupp),
                T(secure_discard_is_never_half_done),
                T(secure_discard_beyond_the_store_is_eopnotsupp),
                T(secure_discard_is_told_to_the_store),
                T(what_is_not_offered_is_eopnotsupp),
                T(an_unknown_operation_is_eopnotsupp),
                T(a_readonly_disk_refuses_by_itself),
                T(a_refused_request_touches_no_grant),
                T(a_store_error_is_the_guests_error),
                T(each_answer_is_in_the_histogram),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
