/* SPDX-License-Identifier: MIT */
/* Events without requests, and requests without events. */
#include "rig.h"

#include <string.h>

static struct back_stats stats_of(struct rig *rig, unsigned i)
{
        struct back_stats s;

        back_queue_stats(rig->rings[i].q, &s);
        return s;
}

static void setup_ring(struct rig *rig, unsigned i)
{
        rig_timers = true;
        assert_int_equal(rig_attach(rig, i), 0);
}

/* Kicks until ring 0's port was held so many times. */
static void storm(struct rig *rig, uint64_t held)
{
        rig_until((fake_port_kick(5), stats_of(rig, 0).held_events >= held));
}

static void three_empty_events_in_a_row_hold_the_port(void **state)
{
        struct rig *rig = *state;

        setup_ring(rig, 0);
        for (unsigned i = 1; i <= 2; i++) {
                fake_port_kick(5);
                rig_until(stats_of(rig, 0).kicks == i);
        }
        rig_settle(rig);
        assert_int_equal(stats_of(rig, 0).held_events, 0);
        fake_port_kick(5);
        rig_until(stats_of(rig, 0).held_events == 1);
        assert_int_equal(stats_of(rig, 0).kicks, 3);
}

/* One wake-up a hold; the holds get longer, so that a storm is few of them. */
static void a_storm_is_one_wake_up_a_hold(void **state)
{
        struct rig *rig = *state;
        struct back_stats s;

        setup_ring(rig, 0);
        storm(rig, 12);
        s = stats_of(rig, 0);
        assert_in_range(s.kicks, s.held_events + 2, s.held_events + 3);
        assert_in_range(s.empty_kicks, s.held_events + 2, s.held_events + 3);
}

static void what_comes_while_held_is_served(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 7, 0, 0, 1);

        setup_ring(rig, 0);
        for (unsigned i = 0; i < 4; i++) {
                storm(rig, stats_of(rig, 0).held_events + 3);
                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        }
}

/* An event with a request starts the count again. */
static void a_useful_event_ends_the_suspicion(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_WRITE, 7, 0, 0, 1);

        setup_ring(rig, 0);
        for (unsigned i = 0; i < 50; i++) {
                uint64_t kicks = stats_of(rig, 0).kicks;

                fake_port_kick(5);
                rig_until(stats_of(rig, 0).kicks == kicks + 1);
                fake_port_kick(5);
                rig_until(stats_of(rig, 0).kicks == kicks + 2);
                assert_int_equal(rig_do(rig, &req), BLK_OKAY);
                rig_settle(rig);
        }
        assert_int_equal(stats_of(rig, 0).held_events, 0);
}

static void the_neighbour_on_the_thread_is_not_held(void **state)
{
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 9, 0, 0, 1);

        setup_ring(rig, 0);
        setup_ring(rig, 1);
        storm(rig, 6);
        for (unsigned i = 0; i < 100; i++) {
                fake_port_kick(5);
                rig_put(&rig->rings[1], &req);
                rig_push(&rig->rings[1]);
                assert_int_equal(rig_await(&rig->rings[1]).status, BLK_OKAY);
        }
        assert_int_equal(stats_of(rig, 1).held_events, 0);
}

static void a_held_ring_is_detached(void **state)
{
        struct rig *rig = *state;

        for (unsigned i = 0; i < 3; i++) {
                setup_ring(rig, 0);
                storm(rig, 9);
                rig_detach(rig, 0);
                assert_false(fake_port_bound(5));
        }
}

/* The index is there, the event is not. */
static void a_lost_event_is_found(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req = rig_request(BLK_WRITE, 7, 0, 0, 1);

        setup_ring(rig, 0);
        rig_settle(rig);
        rig_put(r, &req);
        (void)front_ring_push(&r->front);
        assert_int_equal(rig_await(r).status, BLK_OKAY);
        assert_int_equal(stats_of(rig, 0).lost_events, 1);
        assert_int_equal(stats_of(rig, 0).kicks, 0);
}

/* Nothing is in flight, nor will be: only the watch can find it. */
static void an_impossible_index_without_an_event_is_told(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];
        struct blk_request req = rig_request(BLK_WRITE, 7, 0, 0, 1);

        setup_ring(rig, 0);
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        rig_settle(rig);
        assert_int_equal(stats_of(rig, 0).ring_broken, 0);
        r->front.req_prod += 1000;
        (void)front_ring_push(&r->front);
        rig_until(stats_of(rig, 0).ring_broken == 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
                T(three_empty_events_in_a_row_hold_the_port),
                T(a_storm_is_one_wake_up_a_hold),
                T(what_comes_while_held_is_served),
                T(a_useful_event_ends_the_suspicion),
                T(the_neighbour_on_the_thread_is_not_held),
                T(a_held_ring_is_detached),
                T(a_lost_event_is_found),
                T(an_impossible_index_without_an_event_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
