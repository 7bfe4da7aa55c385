/* SPDX-License-Identifier: MIT */
/* Connects of many disks at once. */
#include "life.h"

#include <stdlib.h>

#define DISKS 20u

static uint64_t connect_all(struct guest **g, unsigned n)
{
        uint64_t began = life_now_ns(), took;

        for (unsigned i = 0; i < n; i++)
                guest_state(g[i], XENBUS_INITIALISED);
        for (unsigned i = 0; i < n; i++)
                while (guest_backend_state(g[i]) != XENBUS_CONNECTED)
                        if (life_now_ns() - began > 60000000000u)
                                fail_msg("%u is not connected", i);
        took = life_now_ns() - began;
        for (unsigned i = 0; i < n; i++) {
                guest_state(g[i], XENBUS_CONNECTED);
                guest_disconnect(g[i]);
        }
        return took;
}

static void publish_all(struct guest **g, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                guest_begin(g[i]);
                guest_publish(g[i], (struct connect_opts){.persistent = true});
        }
}

static void twenty_connect_in_little_more_than_one(void **state)
{
        struct guest *g[DISKS];
        uint64_t one_us = UINT64_MAX, all_us = UINT64_MAX;

        for (unsigned i = 0; i < DISKS; i++)
                g[i] = guest_create("ram:1M", "");
        for (int round = 0; round < 5; round++) {
                publish_all(g, 1);
                one_us = min_u64(one_us, connect_all(g, 1) / 1000);
                publish_all(g, DISKS);
                all_us = min_u64(all_us, connect_all(g, DISKS) / 1000);
        }
        printf("one: %llu us, %u at once: %llu us\n",
               (unsigned long long)one_us, DISKS, (unsigned long long)all_us);
        for (unsigned i = 0; i < DISKS; i++)
                guest_destroy(g[i]);
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

        for (unsigned i = 0; i < DISKS; i++)
                g[i] = guest_create("ram:1M", "");
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
        for (unsigned i = 0; i < DISKS; i++)
                guest_destroy(g[i]);
        life_wait(guest_backend_state(slow) == XENBUS_CLOSED);
        guest_state(slow, XENBUS_CLOSED);
        guest_let_go(slow);
        guest_destroy(slow);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(twenty_connect_in_little_more_than_one),
                cmocka_unit_test(none_waits_for_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
