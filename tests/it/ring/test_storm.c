/* SPDX-License-Identifier: MIT */
/* T-STORM and T-WAKE: events without requests, requests without events. */
#include "rig.h"

#include "ring/ring_barrier.h"

#include <stdlib.h>
#include <unistd.h>

static const struct connect_opts persistent = {.persistent = true};

/* Sends events until the daemon has held the port `holds` times more. */
static void storm(struct guest *g, uint64_t holds)
{
        uint64_t until = guest_counter(g, "held_events") + holds;
        int rounds = 0;

        while (guest_counter(g, "held_events") < until) {
                for (int i = 0; i < 2000; i++)
                        xen_evtchn_notify(g->ev, g->port);
                if (++rounds > 2000)
                        fail_msg("the port is never held");
        }
}

/* Each hold ends with one wake-up at most, however many events came. */
static void a_storm_is_held_off(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;
        uint64_t kicks, held;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        assert_int_equal(guest_counter(g, "held_events"), 0);
        storm(g, 12);
        kicks = guest_counter(g, "empty_kicks");
        held = guest_counter(g, "held_events");
        assert_in_range(kicks, held, held + 3);
        for (int i = 0; i < 20; i++)
                assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
        guest_destroy(g);
}

/* In the middle of it requests are served, and the neighbour's as ever. */
static void a_storm_harms_nobody(void **state)
{
        struct guest *bad = guest_create("ram:8M", ""), *good;
        struct page p, q;

        good = guest_create("ram:8M", "");
        guest_connect(bad, persistent);
        guest_connect(good, persistent);
        guest_page(bad, &p, true);
        guest_page(good, &q, true);
        for (int round = 0; round < 5; round++) {
                storm(bad, 4);
                for (int i = 0; i < 200; i++) {
                        xen_evtchn_notify(bad->ev, bad->port);
                        assert_int_equal(guest_io(good, BLK_WRITE, 0, &q, 1),
                                         BLK_OKAY);
                }
                assert_int_equal(guest_io(bad, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        }
        assert_int_equal(guest_counter(good, "held_events"), 0);
        guest_destroy(bad);
        guest_destroy(good);
}

/* A disk in the middle of a hold closes as any other. */
static void a_held_port_closes(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_page(g, &p, true);
        for (int round = 0; round < 3; round++) {
                guest_connect(g, persistent);
                storm(g, 8);
                guest_disconnect(g);
        }
        guest_connect(g, persistent);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        guest_destroy(g);
}

static uint32_t *req_event(struct guest *g)
{
        return (uint32_t *)(void *)g->ring_pages + 1;
}

/* The event of a request got lost: it is found nevertheless. */
static void a_lost_event_is_no_lost_request(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        for (int i = 0; i < 300; i++)
                assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        for (int i = 0; i < 2; i++) {
                guest_put(g, BLK_WRITE, 8, &p, 1);
                /* The daemon sleeps, and waits for an event. */
                wait_until(ring_load_once(req_event(g)) == g->ring.req_prod);
                assert_true(front_ring_push(&g->ring)); /* … but is not sent */
                assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        }
        assert_int_equal(guest_counter(g, "lost_events"), 2);
        guest_destroy(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_storm_is_held_off),
                cmocka_unit_test(a_storm_harms_nobody),
                cmocka_unit_test(a_held_port_closes),
                cmocka_unit_test(a_lost_event_is_no_lost_request),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
