/* SPDX-License-Identifier: MIT */
/* T-STORM (XSA-332): events as fast as they can be sent. EG_EVENTS says how
 * many each storm has at least. What is asserted is counted: wake-ups for each
 * unmasking, that the back-off is reached, and the daemon's share of a CPU in
 * the storm's second half. */
#include "life.h"

#include <stdlib.h>

#define CPU_SHARE_PERMILLE 50u /* HOSTILE.md C5 */
/* Long enough for the share to mean something at the steady state of ten
 * wake-ups a second. */
#define STORM_MS 1500u

static const struct connect_opts persistent = {.persistent = true};

struct storm {
        struct guest *g;
        bool all_ports;
        unsigned events_a_request; /* 0: none */
        struct page *page;
        uint64_t events, requests;
};

static void notify(struct storm *s)
{
        unsigned n = s->all_ports ? s->g->queues : 1;

        for (unsigned i = 0; i < n; i++)
                xen_evtchn_notify(s->g->ev, s->g->rings[i].port);
        s->events += n;
        if (!s->events_a_request || s->events % s->events_a_request >= n)
                return;
        guest_select(s->g, 0);
        assert_int_equal(guest_io(s->g, BLK_WRITE, 0, s->page, 1), BLK_OKAY);
        s->requests++;
}

static void storm_for(struct storm *s, unsigned ms, uint64_t events)
{
        uint64_t until = life_now_ns() + ms * 1000000ull;

        events += s->events;
        while (life_now_ns() < until || s->events < events)
                for (int i = 0; i < 256; i++)
                        notify(s);
}

/* Until the port has been held for so long that the delay is at its most. */
static void storm_until_held(struct storm *s)
{
        uint64_t until = guest_counter(s->g, "held_events") + 12 * s->g->queues;

        while (guest_counter(s->g, "held_events") < until)
                storm_for(s, 50, 0);
}

struct measured {
        uint64_t ms, cpu_permille, kicks, empty, held, requests;
};

/* CPU of the whole daemon, whose other disks and clients are silent. */
static struct measured steady(struct storm *s)
{
        uint64_t events = life_scale("EG_EVENTS", 100000);
        uint64_t kicks = guest_counter(s->g, "kicks"),
                 empty = guest_counter(s->g, "empty_kicks"),
                 held = guest_counter(s->g, "held_events"),
                 requests = s->requests, cpu = life_daemon_use().cpu_ns,
                 began = life_now_ns();
        struct measured m;

        storm_for(s, STORM_MS, events);
        m.ms = (life_now_ns() - began) / 1000000;
        m.cpu_permille = (life_daemon_use().cpu_ns - cpu) / 1000 / m.ms;
        m.kicks = guest_counter(s->g, "kicks") - kicks;
        m.empty = guest_counter(s->g, "empty_kicks") - empty;
        m.held = guest_counter(s->g, "held_events") - held;
        m.requests = s->requests - requests;
        printf("%u port(s), a request in %u events: %llu events in %llu ms, "
               "%llu wake-ups, %llu empty, %llu holds, %llu requests, "
               "%llu.%llu %% of a core\n",
               s->all_ports ? s->g->queues : 1, s->events_a_request,
               (unsigned long long)s->events, (unsigned long long)m.ms,
               (unsigned long long)m.kicks, (unsigned long long)m.empty,
               (unsigned long long)m.held, (unsigned long long)m.requests,
               (unsigned long long)m.cpu_permille / 10,
               (unsigned long long)m.cpu_permille % 10);
        return m;
}

/* Sanitizers cost what they cost; there only the counts are asserted. */
static void check_cpu(const struct measured *m)
{
        if (!life_scale("EG_SANITIZED", 0))
                assert_in_range(m->cpu_permille, 0, CPU_SHARE_PERMILLE);
}

static void storm_without_requests(bool all_ports)
{
        struct guest *g = guest_create("ram:8M", "--queues 4");
        struct storm s = {.g = g, .all_ports = all_ports};
        struct measured m;

        guest_connect(g, (struct connect_opts){.persistent = true,
                                               .queues = all_ports ? 4 : 1});
        storm_until_held(&s);
        m = steady(&s);
        check_cpu(&m);
        /* Each port ends a hold of 100 ms with one wake-up; those that were
         * under way count for the next. */
        assert_in_range(m.empty, 1, m.held + 2 * g->queues);
        assert_in_range(m.held, 1, (m.ms / 100 + 2) * g->queues);
        guest_destroy(g);
}

static void from_one_port(void **state)
{
        storm_without_requests(false);
}

static void from_all_ports(void **state)
{
        storm_without_requests(true);
}

/* A request now and then starts the back-off anew: three wake-ups, then holds
 * from 1 ms on. Wake-ups per request are bounded, whatever the events. */
static void with_a_request_in_ten_thousand_events(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct storm s = {.g = g, .events_a_request = 10000};
        struct measured m;
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        s.page = &p;
        storm_for(&s, 200, 0);
        m = steady(&s);
        assert_true(m.requests > 0);
        /* 3 before the first hold, 7 until the delay is 100 ms, 1 for itself
         * and one hold each 100 ms. */
        assert_in_range(m.kicks, 1, m.requests * 12 + m.ms / 100 + 12);
        guest_destroy(g);
}

/* The port is bound, the connect is not over: the storm begins before the ring
 * is served. Nothing wakes for a frontend that has only written its keys. */
static void before_the_ring_is_connected(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct storm s = {.g = g};
        struct page p;
        uint64_t cpu, began, permille;

        guest_begin(g);
        guest_publish(g, persistent);
        cpu = life_daemon_use().cpu_ns;
        began = life_now_ns();
        storm_for(&s, 500, 0);
        permille = (life_daemon_use().cpu_ns - cpu) * 1000 /
                   (life_now_ns() - began);
        printf("not connected yet: %llu.%llu %% of a core\n",
               (unsigned long long)permille / 10,
               (unsigned long long)permille % 10);
        if (!life_scale("EG_SANITIZED", 0))
                assert_in_range(permille, 0, CPU_SHARE_PERMILLE);
        guest_state(g, XENBUS_INITIALISED);
        for (int i = 0; i < 60000 && guest_backend_state(g) != XENBUS_CONNECTED;
             i++)
                storm_for(&s, 1, 0);
        assert_int_equal(guest_backend_state(g), XENBUS_CONNECTED);
        guest_state(g, XENBUS_CONNECTED);
        storm_until_held(&s);
        guest_page(g, &p, true);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        guest_destroy(g);
}

static uint64_t requests_in(struct guest *g, struct page *p, unsigned ms)
{
        uint64_t until = life_now_ns() + ms * 1000000ull, n = 0;

        for (; life_now_ns() < until; n++)
                assert_int_equal(guest_io(g, BLK_READ, 0, p, 1), BLK_OKAY);
        return n;
}

/* An honest request in the middle of it waits for one hold at most: counted in
 * holds, not in time. */
static void an_honest_request_waits_for_one_hold(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct storm s = {.g = g};
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        assert_true(requests_in(g, &p, 100) > 0);
        for (int i = 0; i < 3; i++) {
                uint64_t held;

                storm_until_held(&s);
                held = guest_counter(g, "held_events");
                assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
                assert_in_range(guest_counter(g, "held_events"), held,
                                held + 2);
        }
        guest_destroy(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(from_one_port),
                cmocka_unit_test(from_all_ports),
                cmocka_unit_test(with_a_request_in_ten_thousand_events),
                cmocka_unit_test(before_the_ring_is_connected),
                cmocka_unit_test(an_honest_request_waits_for_one_hold),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
