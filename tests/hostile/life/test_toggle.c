/* SPDX-License-Identifier: MIT */
/* T-TOGGLE (XSA-350, XSA-331): a frontend that connects and disconnects without
 * sense, with requests in flight and storage that answers after the close.
 * EG_TOGGLES says how many states are written, EG_SEED which. */
#include "life.h"

#include <stdlib.h>

#define INFLIGHT 32u
#define TOGGLES_A_ROUND 20u

static struct page pages[INFLIGHT];
static unsigned seed;

static unsigned dice(unsigned sides)
{
        return (unsigned)rand_r(&seed) % sides;
}

/* States 1 to 8, one that there is not, and none at all. */
static void any_state(struct guest *g)
{
        unsigned s = 1 + dice(10);

        if (s == 10)
                guest_drop(g, "state");
        else
                guest_key(g, "state", s == 9 ? 99 : s);
}

/* Rings and keys, now and then with one that makes a step of the connect
 * fail. The ones before go, mapped or not. */
static void publish(struct guest *g)
{
        struct connect_opts o = {.order = dice(2),
                                 .persistent = dice(2),
                                 .queues = 1 + dice(2),
                                 .keep_old_keys = dice(4) == 0};

        guest_let_go(g);
        guest_publish(g, o);
        switch (dice(6)) {
        case 0: /* cannot map */
                guest_key(g, o.queues > 1 ? "queue-1/ring-ref" : "ring-ref",
                          30000);
                break;
        case 1: /* cannot bind */
                guest_key(g,
                          o.queues > 1 ? "queue-1/event-channel"
                                       : "event-channel",
                          4000);
                break;
        case 2: /* is gone before it is mapped */
                guest_let_go(g);
                break;
        default:
                break;
        }
        guest_state(g, dice(2) ? XENBUS_INITIALISED : XENBUS_CONNECTED);
}

static void requests(struct guest *g)
{
        unsigned n = dice(INFLIGHT + 1);

        if (!g->ring_pages)
                return;
        guest_select(g, dice(g->queues));
        for (unsigned i = 0; i < n && front_ring_free(&g->ring); i++)
                guest_put(g, dice(2) ? BLK_WRITE : BLK_READ, dice(64) * 8u,
                          &pages[i], 1);
        front_ring_push(&g->ring);
        xen_evtchn_notify(g->ev, g->port);
}

static void answers(struct guest *g)
{
        struct blk_response rsp;
        int port;

        if (!g->ring_pages)
                return;
        while ((port = xen_evtchn_pending(g->ev)) >= 0)
                xen_evtchn_unmask(g->ev, port);
        while (front_ring_waiting(&g->ring))
                front_ring_take(&g->ring, &rsp);
}

static void wait_a_moment(struct guest *g)
{
        enum xenbus_state before = guest_backend_state(g);

        switch (dice(4)) {
        case 0:
                usleep(dice(2000));
                break;
        case 1: /* so that each state is seen now and then */
                for (int i = 0; i < 20 && guest_backend_state(g) == before; i++)
                        usleep(1000);
                break;
        default:
                break;
        }
}

static void step(struct guest *g)
{
        switch (dice(8)) {
        case 0:
                publish(g);
                break;
        case 1:
        case 2:
                requests(g);
                break;
        case 3:
                for (int i = 0; g->ring_pages && i < 20; i++)
                        xen_evtchn_notify(g->ev, g->port);
                break;
        case 4:
                answers(g);
                break;
        default:
                break;
        }
}

/* What a backend may write after what; the toolstack writes the first 1. */
static void check_states(const char *states)
{
        static const char allowed[] = "12 24 25 45 56 62 ";

        for (; states[0] && states[1]; states++) {
                char edge[4] = {states[0], states[1], ' ', 0};

                if (!strstr(allowed, edge))
                        fail_msg("the backend went from state %c to %c",
                                 states[0], states[1]);
        }
}

static void toggles_without_end(void **state)
{
        uint64_t toggles = life_scale("EG_TOGGLES", 400), n = 0, took_ns;
        struct guest *g = guest_create(
                "fault:write-delay-ms=15,read-delay-ms=3:ram:8M", "");
        char states[4096];

        (void)life_states(g); /* the journal begins */
        seed = (unsigned)life_scale("EG_SEED", 1);
        printf("seed %u\n", seed);
        for (unsigned i = 0; i < INFLIGHT; i++)
                guest_page(g, &pages[i], true);
        took_ns = life_now_ns();
        snprintf(states, sizeof(states), "2");
        while (n < toggles) {
                for (unsigned i = 0; i < TOGGLES_A_ROUND; i++, n++) {
                        step(g);
                        any_state(g);
                        wait_a_moment(g);
                }
                life_honest(g);
                assert_int_equal(guest_account(g).mapped, 0);
                snprintf(states + 1, sizeof(states) - 1, "%s", life_states(g));
                check_states(states);
                states[0] = states[strlen(states) - 1];
        }
        took_ns = life_now_ns() - took_ns;
        printf("%llu toggles, %llu us each with their honest connects\n",
               (unsigned long long)n, (unsigned long long)(took_ns / 1000 / n));
        for (unsigned i = 0; i < INFLIGHT; i++)
                guest_unshare(g, &pages[i]);
        guest_destroy(g);
}

/* A frontend whose n-th step of the connect cannot be done. */
enum bad {
        BAD_REF_FIRST,
        BAD_REF_LAST,
        BAD_REF_READONLY,
        BAD_REF_REVOKED,
        BAD_PORT_FREE,
        BAD_PORT_TAKEN,
        BAD_PORT_CLOSED,
        BADS
};

static void spoil(struct guest *g, enum bad how, unsigned queue)
{
        char key[64];
        struct page p;

        guest_select(g, queue);
        snprintf(key, sizeof(key), "queue-%u/%s", queue,
                 how >= BAD_PORT_FREE  ? "event-channel"
                 : how == BAD_REF_LAST ? "ring-ref1"
                                       : "ring-ref0");
        switch (how) {
        case BAD_REF_READONLY:
                guest_page(g, &p, false);
                guest_key(g, key, p.gref);
                return;
        case BAD_REF_REVOKED:
                guest_page(g, &p, true);
                guest_unshare(g, &p);
                guest_key(g, key, p.gref);
                return;
        case BAD_PORT_TAKEN: /* by the queue before */
                guest_key(g, key, (uint64_t)g->rings[(queue + 1) % 3].port);
                return;
        case BAD_PORT_CLOSED:
                xen_evtchn_unbind(g->ev, g->rings[queue].port);
                g->rings[queue].port = -1;
                return;
        default:
                guest_key(g, key, how == BAD_PORT_FREE ? 4000 : 30000);
        }
}

static void each_step_of_a_connect_may_fail(void **state)
{
        const struct connect_opts o = {.order = 1, .queues = 3};
        struct guest *g = guest_create("ram:8M", "--queues 3");

        for (unsigned how = 0; how < BADS; how++) {
                for (unsigned queue = 0; queue < 3; queue++) {
                        guest_begin(g);
                        guest_publish(g, o);
                        spoil(g, (enum bad)how, queue);
                        guest_state(g, XENBUS_INITIALISED);
                        life_wait(guest_backend_state(g) == XENBUS_CLOSED);
                        assert_int_equal(guest_account(g).mapped, 0);
                        assert_non_null(guest_backend_text(g, "hotplug-error"));
                        guest_state(g, XENBUS_CLOSED);
                        guest_let_go(g);
                }
                life_honest(g);
        }
        guest_destroy(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_step_of_a_connect_may_fail),
                cmocka_unit_test(toggles_without_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
