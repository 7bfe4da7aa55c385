/* SPDX-License-Identifier: MIT */
/* Many requests at a time: in which order they are taken, told to the store,
 * served and answered. */
#include "back/crowd.h"
#include "rig.h"

#include <string.h>
#include <sys/sysinfo.h>

/* A batch of n reads, of which all but one are done. */
static void stop_before_the_last(struct rig *rig, unsigned n)
{
        struct rig_ring *r = &rig->rings[0];

        test_store_stop_at(rig->store, n - 1);
        for (unsigned i = 0; i < n; i++) {
                struct blk_request req = rig_request(BLK_READ, i, i * 8, i, 1);

                rig_put(r, &req);
        }
        rig_push(r);
        rig_until(test_store_stopped(rig->store));
}

/* The frontend has something to do before the last of a batch is done. */
static void responses_of_a_long_batch_come_early(void **state)
{
        enum { PUT = 12, EARLY = 8 };
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        unsigned events;

        if (get_nprocs() < 2)
                skip(); /* one ring is a crowd */
        assert_int_equal(rig_attach(rig, 0), 0);
        events = fake_port_events(r->remote_port);
        stop_before_the_last(rig, PUT);
        assert_int_equal(front_ring_waiting(&r->front), EARLY);
        for (unsigned i = 0; i < EARLY; i++)
                assert_int_equal(rig_await(r).id, i);
        assert_int_equal(fake_port_events(r->remote_port), events + 1);
        test_store_go(rig->store);
        for (unsigned i = EARLY; i < PUT; i++)
                assert_int_equal(rig_await(r).id, i);
}

/* Where processors are scarce a wake-up more is worse than a wait. */
static void in_a_crowd_responses_come_together(void **state)
{
        enum { PUT = 12, CROWD = 4096 };
        static bool counted[CROWD];
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_true(crowd_has_room());
        for (unsigned i = 0; i < CROWD; i++)
                crowd_note(&counted[i], true);
        assert_false(crowd_has_room());
        stop_before_the_last(rig, PUT);
        assert_int_equal(front_ring_waiting(&r->front), 0);
        test_store_go(rig->store);
        for (unsigned i = 0; i < PUT; i++)
                assert_int_equal(rig_await(r).id, i);
        rig_detach(rig, 0);
        for (unsigned i = 0; i < CROWD; i++)
                crowd_note(&counted[i], false);
        assert_true(crowd_has_room());
}

/* Puts n reads and writes at scattered places, and waits for the answers. */
static void do_scattered(struct rig *rig, unsigned n, uint64_t *offset_bytes)
{
        struct rig_ring *r = &rig->rings[0];

        for (unsigned i = 0; i < n; i++) {
                uint64_t sector = i * 5077 % 1000 * 8;
                struct blk_request req = rig_request(
                        i % 3 ? BLK_READ : BLK_WRITE, i, sector, i, 1);

                offset_bytes[i] = sector * SECTOR_BYTES;
                rig_put(r, &req);
        }
        rig_push(r);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(rig_await(r).status, BLK_OKAY);
}

/* … so that it can bring several at a time nearer. */
static void the_store_knows_places_before_it_is_asked(void **state)
{
        enum { AHEAD = 8, MOST = 32 };
        static const unsigned counts[] = {1, 2, 8, 9, 10, 17, 18, MOST};
        struct rig *rig = *state;
        uint64_t at_bytes[MOST];

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned c = 0; c < ARRAY_SIZE(counts); c++) {
                unsigned n = counts[c], from = test_store_count(rig->store);

                do_scattered(rig, n, at_bytes);
                assert_int_equal(test_store_count(rig->store), from + n);
                for (unsigned i = 0; i < n; i++) {
                        struct test_store_record rec =
                                test_store_record(rig->store, from + i);

                        assert_int_equal(rec.offset_bytes, at_bytes[i]);
                        assert_int_equal(
                                test_store_expected(rig->store, from + i),
                                at_bytes[i]);
                        /* Groups; the last of one waits for the next one. */
                        assert_int_equal(
                                rec.expected - from,
                                min_u64(n, AHEAD + 1 + i / AHEAD * AHEAD));
                }
        }
}

/* What is refused, and a barrier, at each place of a group. */
static void a_batch_is_whole_whatever_is_in_it(void **state)
{
        enum { PUT = 24 };
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned at = 0; at < PUT * 2; at++) {
                bool seen[PUT] = {false};

                for (unsigned i = 0; i < PUT; i++) {
                        bool odd = i == at / 2 || i == at / 2 + 9;
                        struct blk_request req = rig_request(
                                odd && at % 2 ? BLK_BARRIER : BLK_READ, i,
                                odd && at % 2 == 0 ? UINT64_MAX - 7 : i * 8, i,
                                1);

                        rig_put(r, &req);
                }
                rig_push(r);
                for (unsigned i = 0; i < PUT; i++) {
                        struct blk_response rsp = rig_await(r);
                        bool odd = rsp.id == at / 2 || rsp.id == at / 2 + 9;

                        assert_true(rsp.id < PUT && !seen[rsp.id]);
                        seen[rsp.id] = true;
                        assert_int_equal(rsp.status, odd && at % 2 == 0
                                                             ? BLK_ERROR
                                                             : BLK_OKAY);
                }
        }
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(responses_of_a_long_batch_come_early),
                T(in_a_crowd_responses_come_together),
                T(the_store_knows_places_before_it_is_asked),
                T(a_batch_is_whole_whatever_is_in_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
