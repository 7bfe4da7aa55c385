/* SPDX-License-Identifier: MIT */
/* T-WAKE (H26): events that are lost, doubled, late or for nothing; and
 * T-CLOSEDL (H23: XSA-441, XSA-331): the peer closes its port at each step of
 * our disconnect, and uses the number for something else. */
#include "ask.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGES 8u

static const struct connect_opts persistent = {.persistent = true};

struct rig {
        struct guest *g;
        struct page page[PAGES];
};

static void rig_create(struct rig *r, const char *target, enum blk_abi abi)
{
        r->g = guest_create(target, "");
        guest_connect(r->g,
                      (struct connect_opts){.persistent = true, .abi = abi});
        for (unsigned i = 0; i < PAGES; i++)
                guest_page(r->g, &r->page[i], true);
}

/* An answer, also without an event: what a frontend with a watchdog would do.
 * -1 after 30 s without one. */
static int patient_answer(struct guest *g, uint64_t *id)
{
        struct pollfd p = {.fd = xen_evtchn_fd(g->ev), .events = POLLIN};
        struct blk_response rsp;
        int port;

        for (int i = 0; i < 600; i++) {
                if (front_ring_waiting(&g->ring) ||
                    front_ring_final_check(&g->ring)) {
                        front_ring_take(&g->ring, &rsp);
                        *id = rsp.id;
                        assert_int_equal(rsp.status, BLK_OKAY);
                        return 0;
                }
                poll(&p, 1, 50);
                while ((port = xen_evtchn_pending(g->ev)) >= 0)
                        xen_evtchn_unmask(g->ev, port);
        }
        return -1;
}

/* Batches of 1 to PAGES requests; each is answered once. */
static void traffic(struct rig *r, unsigned batches, unsigned seed)
{
        for (unsigned b = 0; b < batches; b++) {
                unsigned n = 1 + (b * 7 + seed) % PAGES, seen = 0;
                uint64_t first = r->g->next_id, id = 0;

                for (unsigned i = 0; i < n; i++)
                        guest_put(r->g, (b + i) & 1 ? BLK_READ : BLK_WRITE,
                                  i * 8, &r->page[i], 1);
                guest_kick(r->g);
                for (unsigned i = 0; i < n; i++) {
                        if (patient_answer(r->g, &id) < 0)
                                fail_msg("no answer in 30 s, batch %u", b);
                        assert_in_range(id, first, first + n - 1);
                        assert_false(seen & 1u << (id - first));
                        seen |= 1u << (id - first);
                }
        }
        assert_int_equal(front_ring_waiting(&r->g->ring), 0);
}

static unsigned scaled(unsigned small, unsigned whole)
{
        return getenv("HOSTILE_WHOLE") ? whole : small;
}

static struct fault_opts seeded(const struct guest *by, uint64_t seed)
{
        return (struct fault_opts){.by = by, .seed = seed};
}

/* Lost on the way to us: the watch of the ring finds them (storm.c). */
static void t_wake_lost_on_the_way_to_the_backend(void **state)
{
        static const char *const rates[] = {"drop=1", "drop=20", "drop=50"};

        for (unsigned i = 0; i < 3; i++) {
                struct zombie_base base = zombie_base();
                unsigned id;
                struct rig r;

                rig_create(&r, "ram:8M",
                           i & 1 ? BLK_ABI_X86_32 : BLK_ABI_NATIVE);
                id = fault_set("event", rates[i], NULL, seeded(r.g, 3 + i));
                traffic(&r, scaled(12, 200), i);
                /* A lost event that nobody missed is none. */
                for (int more = 0;
                     i && more < 100 && !ask_counter(r.g, "lost_events");
                     more++)
                        traffic(&r, 1, i);
                assert_true(!i || fault_given(id) > 0);
                assert_true(!i || ask_counter(r.g, "lost_events") > 0);
                zombie_end(&base, r.g);
        }
}

static void t_wake_lost_on_the_way_to_the_frontend(void **state)
{
        struct zombie_base base = zombie_base();
        unsigned id;
        struct rig r;

        rig_create(&r, "ram:8M", BLK_ABI_NATIVE);
        id = fault_set("event", "drop=50", r.g, seeded(NULL, 11));
        traffic(&r, scaled(100, 2000), 1);
        assert_true(fault_given(id) > 0);
        zombie_end(&base, r.g);
}

static void t_wake_twice_and_late(void **state)
{
        static const char *const faults[] = {"dup=50", "delay=20", "delay=500"};

        for (unsigned i = 0; i < 3; i++) {
                struct zombie_base base = zombie_base();
                unsigned id[2];
                struct rig r;

                rig_create(&r, "fault:delay-ms=3@1-20:ram:8M", BLK_ABI_X86_32);
                id[0] = fault_set("event", faults[i], NULL, seeded(r.g, 5));
                id[1] = fault_set("event", faults[i], r.g, seeded(NULL, 6));
                traffic(&r, i == 2 ? scaled(6, 100) : scaled(40, 1000), i);
                assert_true(fault_given(id[0]) > 0);
                assert_true(fault_given(id[1]) > 0);
                zombie_end(&base, r.g);
        }
}

/* All at once, both ways. */
static void t_wake_everything(void **state)
{
        struct zombie_base base = zombie_base();
        struct rig r;

        rig_create(&r, "ram:8M", BLK_ABI_NATIVE);
        for (int way = 0; way < 2; way++) {
                const struct guest *of = way ? r.g : NULL;

                fault_set("event", "drop=20", of, seeded(way ? NULL : r.g, 21));
                fault_set("event", "dup=30", of, seeded(way ? NULL : r.g, 22));
                fault_set("event", "delay=30", of,
                          seeded(way ? NULL : r.g, 23));
        }
        traffic(&r, scaled(12, 300), 2);
        zombie_end(&base, r.g);
}

/* Events that nobody sent, on every port of Domain-0. */
static void t_wake_for_nothing(void **state)
{
        struct zombie_base base = zombie_base();
        struct rig r;
        char command[512];

        rig_create(&r, "ram:8M", BLK_ABI_NATIVE);
        for (unsigned port = 1; port < 12; port++) {
                snprintf(command, sizeof(command),
                         "%s fault raise 0 %u --times 300 2>/dev/null",
                         getenv("POCKETXEN"), port);
                rig_run("%s", command);
        }
        traffic(&r, scaled(100, 1000), 3);
        wait_until(ask_counter(r.g, "empty_kicks") > 2);
        zombie_end(&base, r.g);
}

/* ---- T-CLOSEDL -------------------------------------------------------------
 */
enum step {
        BEFORE_ANYTHING,  /* connected, nothing was asked yet */
        IN_FLIGHT,        /* requests are at the store */
        WITH_THE_ANSWERS, /* instead of our notification */
        AT_CLOSING,       /* the frontend says Closing */
        BEFORE_CLOSED,    /* we have seen that */
        STEPS
};

static void close_port(struct guest *g)
{
        rig_run("%s fault close %u %d", getenv("POCKETXEN"), g->domid, g->port);
}

/* The number again, for another peer: nothing of ours may arrive there. */
static void use_again(struct guest *g)
{
        int port = xen_evtchn_bind_unbound(g->ev, 0);

        assert_int_equal(port, g->port);
}

static void orderly_end(struct guest *g, enum step step, bool again)
{
        int port;

        guest_state(g, XENBUS_CLOSING);
        if (step == AT_CLOSING)
                close_port(g);
        if (step == BEFORE_CLOSED) {
                wait_until(guest_backend_state(g) != XENBUS_CONNECTED);
                close_port(g);
        }
        if (step >= AT_CLOSING && again)
                use_again(g);
        guest_wait_backend(g, XENBUS_CLOSED);
        assert_int_equal(guest_account(g).mapped, 0);
        if (again)
                while ((port = xen_evtchn_pending(g->ev)) >= 0)
                        assert_int_not_equal(port, g->port);
}

static void one_close(enum step step, bool again, unsigned nrequests)
{
        struct zombie_base base = zombie_base();
        struct rig r;

        rig_create(&r, "fault:delay-ms=50:ram:8M",
                   step & 1 ? BLK_ABI_X86_32 : BLK_ABI_NATIVE);
        if (step == BEFORE_ANYTHING)
                close_port(r.g);
        if (step == WITH_THE_ANSWERS)
                fault_set("event", "close", r.g,
                          (struct fault_opts){.times = 1});
        for (unsigned i = 0; i < nrequests; i++)
                guest_put(r.g, BLK_WRITE, i * 8, &r.page[i], 1);
        if (nrequests)
                guest_kick(r.g);
        if (step == IN_FLIGHT)
                close_port(r.g);
        if (step < AT_CLOSING && step != WITH_THE_ANSWERS && again)
                use_again(r.g);
        orderly_end(r.g, step, again);
        /* And a well-behaved frontend is served. */
        guest_state(r.g, XENBUS_CLOSED);
        fault_clear();
        guest_let_go(r.g);
        guest_connect(r.g, persistent);
        assert_int_equal(guest_io(r.g, BLK_READ, 0, &r.page[0], 1), BLK_OKAY);
        zombie_end(&base, r.g);
}

static void t_closedl_the_peer_closes_at_each_step(void **state)
{
        for (enum step step = 0; step < STEPS; step++) {
                one_close(step, false, PAGES);
                one_close(step, false, 0);
        }
}

static void t_closedl_and_uses_the_port_again(void **state)
{
        for (enum step step = 0; step < STEPS; step++)
                if (step != WITH_THE_ANSWERS)
                        one_close(step, true, PAGES);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(t_wake_lost_on_the_way_to_the_backend),
                cmocka_unit_test(t_wake_lost_on_the_way_to_the_frontend),
                cmocka_unit_test(t_wake_twice_and_late),
                cmocka_unit_test(t_wake_everything),
                cmocka_unit_test(t_wake_for_nothing),
                cmocka_unit_test(t_closedl_the_peer_closes_at_each_step),
                cmocka_unit_test(t_closedl_and_uses_the_port_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
