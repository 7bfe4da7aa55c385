/* SPDX-License-Identifier: MIT */
/* Attach, detach, the ring itself. */
#include "rig.h"

#include <errno.h>
#include <string.h>

static uint32_t *ring_word(struct rig_ring *r, unsigned i)
{
        return (uint32_t *)r->front.shared + i; /* req_prod, req_event, … */
}

static void serves_what_was_put_in_before_the_attach(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 77, 8, 0, 1);

        rig_fill(0, 0xa5);
        rig_put(&rig->rings[0], &req);
        rig_push(&rig->rings[0]); /* no one is bound: this kick is lost */
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_await(&rig->rings[0]).id, 77);
        assert_int_equal(test_store_data(rig->store)[4096], 0xa5);
}

static void a_bad_ring_ref_fails_and_leaves_nothing(void **state)
{
        struct rig *rig = *state;

        rig->rings[0].p.ring_refs[0] = RIG_BAD_GREF;
        assert_int_equal(rig_attach(rig, 0), -EINVAL);
        assert_non_null(strstr(rig->rings[0].why, "ring"));
        assert_int_equal(fake_totals().mapped_pages, 0);
        assert_false(fake_port_bound(5));
        rig_detach(rig, 0);
        assert_int_equal(rig->rings[0].detached, 1);
        assert_int_equal(fake_totals().unmap_calls, 0);
}

static void a_bad_port_unmaps_the_ring(void **state)
{
        struct rig *rig = *state;

        rig->rings[0].p.remote_port = 40; /* never offered */
        assert_int_equal(rig_attach(rig, 0), -EINVAL);
        assert_non_null(strstr(rig->rings[0].why, "event channel"));
        assert_int_equal(fake_totals().map_pages, 1);
        assert_int_equal(fake_totals().mapped_pages, 0);
}

static void a_store_that_refuses_unbinds_and_unmaps(void **state)
{
        struct rig *rig = *state;

        test_store_fail_open(rig->store, -EMFILE);
        assert_int_equal(rig_attach_persistent(rig, 16), -EMFILE);
        assert_int_equal(fake_totals().mapped_pages, 0);
        assert_false(fake_port_bound(5));
        test_store_fail_open(rig->store, 0);
}

static void detach_right_after_attach_gives_both_dones(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(back_thread_queues(rig->t), 1);
        assert_true(fake_port_bound(5));
        rig_detach_start(rig, 0);
        rig_await_detached(rig, 0);
        assert_int_equal(r->attached, 1);
        assert_int_equal(r->detached, 1);
        assert_int_equal(back_thread_queues(rig->t), 0);
        assert_false(fake_port_bound(5));
        assert_int_equal(fake_totals().mapped_pages, 0);
}

static void detach_answers_what_was_taken_then_unmaps(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req;

        assert_int_equal(rig_attach_persistent(rig, 16), 0);
        test_store_hold(rig->store, true);
        for (unsigned i = 0; i < 3; i++) {
                req = rig_request(BLK_READ, i, i * 8, i, 1);
                rig_put(r, &req);
        }
        rig_push(r);
        rig_until(test_store_held(rig->store) == 3);
        rig_detach_start(rig, 0);
        rig_settle(rig);
        /* What comes now is the next backend's. */
        req = rig_request(BLK_READ, 99, 0, 5, 1);
        rig_put(r, &req);
        rig_push(r);
        rig_settle(rig);
        back_control_run();
        assert_int_equal(r->detached, 0);
        assert_int_equal(fake_totals().mapped_pages, 4);
        assert_int_equal(test_store_held(rig->store), 3);
        test_store_let(rig->store, 3);
        rig_await_detached(rig, 0);
        assert_int_equal(fake_totals().mapped_pages, 0);
        assert_false(fake_port_bound(5));
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(rig_await(r).id, i);
        assert_false(rig_response_waits(r));
        assert_int_equal(test_store_count(rig->store), 3);
}

static void reattach_goes_on_at_rsp_prod_and_notifies_once(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req;
        unsigned events;

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 5; i++) {
                req = rig_request(BLK_WRITE, i, i * 8, 0, 1);
                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
        rig_detach(rig, 0);
        /* While nobody serves, the guest goes on. */
        req = rig_request(BLK_READ, 1234, 0, 1, 1);
        rig_put(r, &req);
        rig_push(r);
        events = fake_port_events(5);
        r->p.reattach = true;
        r->p.only_if_quiet = false;
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_await(r).id, 1234);
        assert_false(rig_response_waits(r));
        assert_int_equal(test_store_count(rig->store), 6);
        rig_settle(rig);
        assert_int_equal(fake_port_events(5), events + 1);
        /* … and an idle ring is notified too: its frontend may wait. */
        rig_detach(rig, 0);
        assert_int_equal(rig_attach(rig, 0), 0);
        rig_settle(rig);
        assert_int_equal(fake_port_events(5), events + 2);
}

static void reattach_to_impossible_indices_is_refused(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        *ring_word(r, 0) = 40; /* of 32 */
        r->p.reattach = true;
        assert_int_equal(rig_attach(rig, 0), -EPROTO);
        assert_int_equal(fake_totals().mapped_pages, 0);
}

static void after_a_crash_only_a_quiet_ring_is_taken(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req = rig_request(BLK_READ, 1, 0, 1, 1);

        r->p.reattach = r->p.only_if_quiet = true;
        assert_int_equal(rig_attach(rig, 0), 0);
        rig_detach(rig, 0);
        rig_put(r, &req);
        rig_push(r);
        assert_int_equal(rig_attach(rig, 0), -EBUSY);
        assert_int_equal(fake_totals().mapped_pages, 0);
}

static void an_impossible_index_stops_this_ring_only(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 3, 0, 0, 1);
        struct back_stats s;

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_attach(rig, 1), 0);
        rig_put(&rig->rings[0], &req);
        rig_push(&rig->rings[0]);
        rig_await(&rig->rings[0]);
        __atomic_store_n(ring_word(&rig->rings[0], 0), 1 + 33,
                         __ATOMIC_RELEASE);
        fake_port_kick(5);
        rig_until((back_queue_stats(rig->rings[0].q, &s), s.ring_broken));
        assert_int_equal(s.reads, 1);
        /* Also a legal index comes too late now. */
        __atomic_store_n(ring_word(&rig->rings[0], 0), 2, __ATOMIC_RELEASE);
        fake_port_kick(5);
        rig_put(&rig->rings[1], &req);
        rig_push(&rig->rings[1]);
        assert_int_equal(rig_await(&rig->rings[1]).status, BLK_OKAY);
        s = rig_stats(rig);
        assert_int_equal(s.reads, 1);
        assert_int_equal(*ring_word(&rig->rings[0], 2), 1);
}

static void a_broken_ring_still_ends_what_is_in_flight(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req = rig_request(BLK_READ, 3, 0, 0, 2);
        struct back_stats s;

        assert_int_equal(rig_attach(rig, 0), 0);
        test_store_hold(rig->store, true);
        rig_put(r, &req);
        rig_push(r);
        rig_until(test_store_held(rig->store) == 1);
        /* One in flight: a full ring more is one too many. */
        __atomic_store_n(ring_word(r, 0), 33, __ATOMIC_RELEASE);
        fake_port_kick(5);
        rig_until((back_queue_stats(r->q, &s), s.ring_broken));
        test_store_let(rig->store, 1);
        rig_until((back_queue_stats(r->q, &s), !s.inflight));
        rig_settle(rig);
        assert_int_equal(test_store_count(rig->store), 1);
        assert_int_equal(fake_totals().mapped_pages, 1);
}

static void a_short_ring_wraps(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        uint64_t next = 0, expect = 0;

        assert_int_equal(rig_attach(rig, 0), 0);
        while (expect < 1000) {
                while (next < 1000 && front_ring_free(&r->front)) {
                        struct blk_request req = rig_request(
                                BLK_READ, next, next % 100, next % 100, 1);

                        rig_put(r, &req);
                        next++;
                }
                rig_push(r);
                assert_int_equal(rig_await(r).id, expect++);
        }
        assert_int_equal(rig_stats(rig).reads, 1000);
}

static void indices_may_pass_two_to_the_32(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        for (unsigned i = 0; i < 4; i += 2)
                *ring_word(r, i) = 0xfffffff0;
        *ring_word(r, 1) = *ring_word(r, 3) = 0xfffffff1;
        r->front.req_prod = r->front.req_pushed = r->front.rsp_cons =
                0xfffffff0;
        r->p.reattach = true;
        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 64; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, i, 1);

                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
}

static void a_ring_of_sixteen_pages_is_mapped_in_one_call(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        r->p.ring_order = 4;
        front_ring_init(&r->front, r->front.shared, 4, BLK_ABI_NATIVE);
        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(fake_totals().map_calls, 1);
        assert_int_equal(fake_totals().map_pages, 16);
        for (unsigned i = 0; i < 512; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, i, 1);

                rig_put(r, &req);
        }
        rig_push(r);
        for (unsigned i = 0; i < 512; i++)
                assert_int_equal(rig_await(r).id, i);
}

static void too_large_an_order_is_refused_at_once(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        r->p.ring_order = 5;
        assert_int_equal(back_queue_attach(rig->t, &r->p, &r->q, NULL, NULL),
                         -EINVAL);
        assert_null(r->q);
}

static void events_reach_the_queue_of_their_port(void **state)
{
        struct rig *rig = *state;
        struct back_stats s[2];

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_attach(rig, 1), 0);
        for (unsigned i = 0; i < 10; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, i, 1);

                rig_put(&rig->rings[1], &req);
                rig_push(&rig->rings[1]);
                assert_int_equal(rig_await(&rig->rings[1]).id, i);
        }
        rig_settle(rig);
        for (unsigned i = 0; i < 2; i++)
                back_queue_stats(rig->rings[i].q, &s[i]);
        assert_int_equal(s[0].kicks, 0);
        assert_int_equal(s[0].reads, 0);
        assert_true(s[1].kicks > 0);
        assert_int_equal(s[1].reads, 10);
        assert_true(s[1].notifies > 0);
        /* The ring page is the only thing that ring 0 ever mapped. */
        assert_int_equal(s[0].map_pages, 1);
        assert_int_equal(s[1].map_pages, 11);
        assert_int_equal(s[1].unmap_pages, 10);
}

static void an_event_for_nothing_is_counted_and_unmasked(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        rig_timers = true; /* after three of them it takes one, storm.c */
        assert_int_equal(rig_attach(rig, 0), 0);
        for (uint64_t i = 1; i <= 5; i++) {
                fake_port_kick(5);
                rig_until((back_queue_stats(rig->rings[0].q, &s),
                           s.empty_kicks == i));
        }
        assert_int_equal(s.kicks, 5);
        assert_int_equal(s.notifies, 0);
}

static void a_new_size_holds_from_the_next_request(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 100, 0, 1);

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        back_queue_set_sectors(rig->rings[0].q, 100);
        assert_int_equal(rig_do(rig, &req), BLK_ERROR);
        back_queue_set_sectors(rig->rings[0].q, 108);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_int_equal(rig_stats(rig).refused[BLK_BAD_RANGE], 1);
}

static void toggling_leaves_nothing_behind(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        for (unsigned i = 0; i < 200; i++) {
                struct blk_request req = rig_request(BLK_READ, i, 0, 0, 3);

                front_ring_init(&r->front, r->front.shared, 0, BLK_ABI_NATIVE);
                rig_put(r, &req);
                rig_push(r);
                assert_int_equal(rig_attach_persistent(rig, 2), 0);
                if (i % 2)
                        rig_await(r);
                rig_detach(rig, 0);
                assert_int_equal(fake_totals().mapped_pages, 0);
        }
        assert_int_equal(fake_totals().map_pages, fake_totals().unmap_pages);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(serves_what_was_put_in_before_the_attach),
                T(a_bad_ring_ref_fails_and_leaves_nothing),
                T(a_bad_port_unmaps_the_ring),
                T(a_store_that_refuses_unbinds_and_unmaps),
                T(detach_right_after_attach_gives_both_dones),
                T(detach_answers_what_was_taken_then_unmaps),
                T(reattach_goes_on_at_rsp_prod_and_notifies_once),
                T(reattach_to_impossible_indices_is_refused),
                T(after_a_crash_only_a_quiet_ring_is_taken),
                T(an_impossible_index_stops_this_ring_only),
                T(a_broken_ring_still_ends_what_is_in_flight),
                T(a_short_ring_wraps),
                T(indices_may_pass_two_to_the_32),
                T(a_ring_of_sixteen_pages_is_mapped_in_one_call),
                T(too_large_an_order_is_refused_at_once),
                T(events_reach_the_queue_of_their_port),
                T(an_event_for_nothing_is_counted_and_unmasked),
                T(a_new_size_holds_from_the_next_request),
                T(toggling_leaves_nothing_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
