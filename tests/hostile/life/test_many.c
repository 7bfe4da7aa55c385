/* SPDX-License-Identifier: MIT */
/* Connects of many disks at once. */
#include "life.h"

#include <stdlib.h>

#define DISKS 20u
#define CREW 19u /* of them wait at once; the daemon has more threads */
#define DELAY_US 10000u
#define LOOK_US 50u /* leaves the machine to those who connect */

static uint64_t connect_only(struct guest **g, unsigned n)
{
        uint64_t began = life_now_ns(), took;

        for (unsigned i = 0; i < n; i++)
                guest_state(g[i], XENBUS_INITIALISED);
        for (unsigned i = 0; i < n; i++)
                while (guest_backend_state(g[i]) != XENBUS_CONNECTED) {
                        if (life_now_ns() - began > 60000000000u)
                                fail_msg("%u is not connected", i);
                        usleep(LOOK_US);
                }
        took = life_now_ns() - began;
        for (unsigned i = 0; i < n; i++)
                guest_state(g[i], XENBUS_CONNECTED);
        return took;
}

static void disconnect_all(struct guest **g, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                guest_disconnect(g[i]);
}

static uint64_t connect_all(struct guest **g, unsigned n)
{
        uint64_t took = connect_only(g, n);

        disconnect_all(g, n);
        return took;
}

static uint64_t requests(void)
{
        struct json_object *o = life_xenstore(" ");
        uint64_t n = life_number(o, "requests");

        json_object_put(o);
        return n;
}

static void publish_all(struct guest **g, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                guest_begin(g[i]);
                guest_publish(g[i], (struct connect_opts){.persistent = true});
        }
}

static void create_all(struct guest **g)
{
        for (unsigned i = 0; i < DISKS; i++)
                g[i] = guest_create("ram:1M", "");
}

static void destroy_all(struct guest **g)
{
        for (unsigned i = 0; i < DISKS; i++)
                guest_destroy(g[i]);
}

/* The least of some connects, since every ten seconds the daemon looks at
 * everything; and as many as follow from what a connect is: two states, whose
 * the frontend is and six keys, a transaction of eleven, and the states that
 * come of it. */
static void a_connect_asks_xenstore_for_little(void **state)
{
        struct guest *g = guest_create("ram:1M", "");
        uint64_t least = UINT64_MAX;

        for (int round = 0; round < 5; round++) {
                uint64_t n;

                publish_all(&g, 1);
                usleep(50000); /* what it made of the states before */
                json_object_put(life_xenstore(" "));
                connect_only(&g, 1);
                usleep(50000);
                n = requests();
                least = min_u64(least, n);
                disconnect_all(&g, 1);
        }
        printf("requests of a connect: %llu\n", (unsigned long long)least);
        assert_in_range(least, 20, 23);
        guest_destroy(g);
}

/* On a xenstore that is far away, what counts is how many requests wait for it
 * at once: with one at a time, twenty disks would take twenty times as long. */
static void twenty_wait_for_xenstore_at_once(void **state)
{
        struct guest *g[DISKS];
        uint64_t one_us, all_us, alone;
        struct json_object *o;

        create_all(g);
        publish_all(g, DISKS);
        connect_all(g, DISKS);
        publish_all(g, DISKS);
        json_object_put(life_xenstore(",\"delay_us\":%u", DELAY_US));
        one_us = connect_only(g, 1) / 1000;
        o = life_xenstore(",\"delay_us\":%u", DELAY_US);
        alone = life_number(o, "waiting_high");
        json_object_put(o);
        all_us = connect_only(g + 1, DISKS - 1) / 1000;
        o = life_xenstore(" ");
        printf("at %u us a request one takes %llu us, %u at once %llu us; "
               "requests that waited at once: %llu and %llu\n",
               DELAY_US, (unsigned long long)one_us, DISKS - 1,
               (unsigned long long)all_us, (unsigned long long)alone,
               (unsigned long long)life_number(o, "waiting_high"));
        assert_true(life_number(o, "waiting_high") >= CREW);
        json_object_put(o);
        disconnect_all(g, DISKS);
        destroy_all(g);
}

/* Microseconds on the clock, and on CPUs. */
struct cost {
        uint64_t clock, daemon, pocketxen, guests;
};

static struct cost least_cost(struct cost a, struct cost b)
{
        return a.clock < b.clock ? a : b;
}

static struct cost cost_of(struct guest **g, unsigned n)
{
        uint64_t daemon, pocketxen, guests;
        struct cost c;

        publish_all(g, n);
        daemon = life_daemon_use().cpu_ns;
        pocketxen = life_pocketxen_cpu_ns();
        guests = life_own_cpu_ns();
        c.clock = connect_only(g, n) / 1000;
        c.guests = (life_own_cpu_ns() - guests) / 1000;
        c.pocketxen = (life_pocketxen_cpu_ns() - pocketxen) / 1000;
        c.daemon = (life_daemon_use().cpu_ns - daemon) / 1000;
        disconnect_all(g, n);
        return c;
}

static void print_cost(const char *what, const struct cost *c)
{
        printf("%s: %llu us; on CPUs: evergrantd %llu us, pocketxen %llu us, "
               "guests %llu us\n",
               what, (unsigned long long)c->clock,
               (unsigned long long)c->daemon, (unsigned long long)c->pocketxen,
               (unsigned long long)c->guests);
}

/* Prints only: here all of Xen is a program that needs its share of the CPUs,
 * and what each guest does takes as long as it takes. */
static void twenty_connect_in_little_more_than_one(void **state)
{
        struct cost one = {.clock = UINT64_MAX}, all = one;
        struct guest *g[DISKS];

        create_all(g);
        for (int round = 0; round < 10; round++) {
                one = least_cost(one, cost_of(g, 1));
                all = least_cost(all, cost_of(g, DISKS));
        }
        print_cost("one", &one);
        print_cost("20 at once", &all);
        destroy_all(g);
}

/* One of them is being closed, which takes as long as its storage: the others
 * connect meanwhile. (On a machine so busy that they need longer than that
 * nothing is shown, and said so.) */
static void none_waits_for_another(void **state)
{
        struct guest *slow =
                guest_create("fault:write-delay-ms=6000@1:ram:1M", "");
        struct guest *g[DISKS];
        struct page p;

        create_all(g);
        publish_all(g, DISKS);
        guest_connect(slow, (struct connect_opts){0});
        guest_page(slow, &p, true);
        guest_put(slow, BLK_WRITE, 0, &p, 1);
        guest_kick(slow);
        guest_state(slow, XENBUS_CLOSING);
        life_wait(guest_backend_state(slow) >= XENBUS_CLOSING);
        connect_all(g, DISKS);
        if (guest_backend_state(slow) != XENBUS_CLOSING)
                printf("too slow a machine: nothing shown\n");
        destroy_all(g);
        life_wait(guest_backend_state(slow) == XENBUS_CLOSED);
        guest_state(slow, XENBUS_CLOSED);
        guest_let_go(slow);
        guest_destroy(slow);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_connect_asks_xenstore_for_little),
                cmocka_unit_test(twenty_wait_for_xenstore_at_once),
                cmocka_unit_test(twenty_connect_in_little_more_than_one),
                cmocka_unit_test(none_waits_for_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
