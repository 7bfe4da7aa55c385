/* SPDX-License-Identifier: MIT */
/* T-LOG (XSA-180): a guest that does wrong as fast as it can, on several disks
 * at once, for EG_SECONDS. What it caused in the log is for log.sh to count. */
#include "life.h"

#include "ring/ring_barrier.h"

#include <stdlib.h>

#define DISKS 3u

static void text_key(struct guest *g, const char *key, const char *value)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", g->dir, key);
        assert_int_equal(xen_store_write(g->xs, path, value), 0);
}

static void wait_closed(struct guest *g)
{
        life_wait(guest_backend_state(g) == XENBUS_CLOSED);
        guest_state(g, XENBUS_CLOSED);
        guest_let_go(g);
}

/* Bytes that would be a line, a colour, a terminal's title. */
static void bad_keys(struct guest *g)
{
        guest_begin(g);
        guest_publish(g, (struct connect_opts){0});
        text_key(g, "protocol", "\nevergrantd: error: \033[31mforged\007\x80");
        guest_state(g, XENBUS_INITIALISED);
        wait_closed(g);
}

static void bad_requests(struct guest *g)
{
        struct page p = {NULL, 30000};

        guest_connect(g, (struct connect_opts){.persistent = true});
        for (int i = 0; i < 200; i++) {
                guest_put(g, (enum blk_op)(i % 7), UINT64_MAX - 7, &p, 1);
                guest_kick(g);
                assert_int_not_equal(guest_answer(g, NULL), BLK_OKAY);
        }
}

/* The index of requests, the first word of the ring. */
static void broken_ring(struct guest *g)
{
        ring_store_release((uint32_t *)(void *)g->ring_pages, 0x80000000u);
        xen_evtchn_notify(g->ev, g->port);
        life_wait(guest_counter(g, "ring_broken") == 1);
        guest_state(g, XENBUS_CLOSING);
        wait_closed(g);
}

static void wrong_as_fast_as_it_can(void **state)
{
        uint64_t ns = life_scale("EG_SECONDS", 3) * 1000000000u;
        struct guest *g[DISKS];
        uint64_t began, n = 0;

        g[0] = guest_create("ram:8M", "");
        g[1] = guest_add_disk(g[0], "xvdb", RIG_VDEV + 16, "ram:8M", "");
        g[2] = guest_add_disk(g[0], "xvdc", RIG_VDEV + 32, "ram:8M", "");
        began = life_now_ns();
        for (; life_now_ns() - began < ns; n++) {
                for (unsigned i = 0; i < DISKS; i++) {
                        bad_keys(g[i]);
                        bad_requests(g[i]);
                        broken_ring(g[i]);
                }
        }
        printf("rounds %llu\nns %llu\n", (unsigned long long)n,
               (unsigned long long)(life_now_ns() - began));
        for (unsigned i = DISKS; i-- > 0;)
                guest_destroy(g[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(wrong_as_fast_as_it_can),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
