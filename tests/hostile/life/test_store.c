/* SPDX-License-Identifier: MIT */
/* T-WATCH, T-TXN, T-XSDEATH: what a guest can do to the daemon through
 * xenstore, and what it can make xenstore do. */
#include "life.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define RSS_GROWTH_KB 1024u /* HOSTILE.md C2 */

static uint64_t watches_of_dom0(void)
{
        struct json_object *v, *o = life_pocketxen("{\"command\":\"list\"}");
        uint64_t n;

        assert_true(json_object_object_get_ex(o, "domains", &v));
        n = life_number(json_object_array_get_idx(v, 0), "store_watches");
        json_object_put(o);
        return n;
}

static void put(struct guest *g, const char *key, unsigned value)
{
        guest_key(g, key, value);
}

/* Writes that the daemon watches, that it reads, and that are nothing to it. */
static void flood(struct guest *g, uint64_t writes)
{
        for (uint64_t i = 0; i < writes; i++) {
                switch (i % 4) {
                case 0:
                case 1:
                        put(g, "state", (unsigned)(i % 9));
                        break;
                case 2:
                        put(g, "ring-ref", (unsigned)i);
                        break;
                default:
                        put(g, i % 8 == 3 ? "state/below" : "elsewhere",
                            (unsigned)i);
                }
        }
}

/* The last state of a flood counts. */
static void check_after(struct guest *g, uint64_t rss_kb, const char *what)
{
        uint64_t now_kb;

        guest_state(g, XENBUS_CLOSED);
        life_wait(guest_backend_state(g) == XENBUS_CLOSED);
        guest_state(g, XENBUS_INITIALISING);
        life_wait(guest_backend_state(g) == XENBUS_INIT_WAIT);
        now_kb = life_daemon_use().rss_kb;
        printf("%s: %lld KiB more\n", what,
               (long long)now_kb - (long long)rss_kb);
        if (!life_scale("EG_SANITIZED", 0))
                assert_true(now_kb <= rss_kb + RSS_GROWTH_KB);
}

static void a_flood_of_watched_writes_costs_no_memory(void **state)
{
        uint64_t writes = life_scale("EG_WRITES", 8000);
        unsigned hold_ms = (unsigned)life_scale("EG_HOLD_MS", 200);
        struct guest *g = guest_create("ram:8M", ""),
                     *other = guest_create("ram:8M", "");
        uint64_t rss_kb, watches = watches_of_dom0();

        life_honest(g);
        flood(g, 2000); /* what is allocated once */
        check_after(g, life_daemon_use().rss_kb + 100000, "warm");
        rss_kb = life_daemon_use().rss_kb;
        kill(life_daemon_pid(), SIGSTOP);
        flood(g, writes);
        usleep(hold_ms * 1000);
        kill(life_daemon_pid(), SIGCONT);
        check_after(g, rss_kb, "held");
        flood(g, writes / 2);
        life_honest(other);
        flood(g, writes / 2);
        check_after(g, rss_kb, "not held");
        life_honest(g);
        assert_int_equal(watches_of_dom0(), watches);
        guest_destroy(g);
        guest_destroy(other);
}

static uint64_t eagains(const char *next)
{
        struct json_object *o = life_xenstore("%s", next);
        uint64_t n = life_number(o, "eagains");

        json_object_put(o);
        return n;
}

#define FOR_EVER ",\"eagain\":18446744073709551615"

/* 16 tries of one transaction take 255 ms, and then the disk rests for 200. */
#define TRIES 16u
#define TRIES_AND_REST_MS 455u

/* Tries are bounded, and so are the attempts: what one that never rests would
 * commit in this time is half as much again. */
static void commits_that_conflict_for_ever_end_in_a_pause(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        uint64_t began, ms, n;

        guest_begin(g);
        guest_publish(g, (struct connect_opts){0});
        eagains(FOR_EVER);
        began = life_now_ns();
        guest_state(g, XENBUS_INITIALISED);
        sleep(3);
        n = eagains(" ");
        ms = (life_now_ns() - began) / 1000000u;
        printf("%llu commits in %llu ms\n", (unsigned long long)n,
               (unsigned long long)ms);
        assert_in_range(n, TRIES, (ms / TRIES_AND_REST_MS + 1) * TRIES);
        /* It is not forgotten either. */
        life_wait(guest_backend_state(g) == XENBUS_CONNECTED ||
                  guest_backend_state(g) == XENBUS_CLOSED);
        life_honest(g);
        guest_destroy(g);
}

static bool enough;

static void *rewrite_state(void *arg)
{
        struct guest *g = arg;
        struct xen_store *xs = g->xs;
        char path[96];

        snprintf(path, sizeof(path), "%s/state", g->dir);
        while (!__atomic_load_n(&enough, __ATOMIC_RELAXED))
                (void)xen_store_write(xs, path, "3");
        return NULL;
}

/* The real thing (XSA-206): the guest writes what the daemon's transaction has
 * read, all the time. */
static void a_guest_that_makes_commits_conflict_harms_itself(void **state)
{
        struct guest *g = guest_create("ram:8M", ""),
                     *other = guest_create("ram:8M", "");
        pthread_t t;

        guest_begin(g);
        guest_publish(g, (struct connect_opts){0});
        __atomic_store_n(&enough, false, __ATOMIC_RELAXED);
        assert_int_equal(pthread_create(&t, NULL, rewrite_state, g), 0);
        for (int i = 0; i < 3; i++)
                life_honest(other);
        __atomic_store_n(&enough, true, __ATOMIC_RELAXED);
        pthread_join(t, NULL);
        life_honest(g);
        guest_destroy(g);
        guest_destroy(other);
}

/* One connect, I/O and close; true if xenstore was lost in the middle. */
static bool lost_at(struct guest *g, unsigned request, bool reply)
{
        struct json_object *o;
        uint64_t left;

        json_object_put(life_xenstore(",\"lose_in\":%u,\"lose_reply\":%d",
                                      request, reply));
        life_honest(g);
        o = life_xenstore(" ");
        left = life_number(o, "lose_in");
        json_object_put(o);
        return left == 0;
}

/* Each request that the daemon makes for a connect, its I/O and its close is
 * one step; EG_STRIDE=1 takes all. */
static void xenstore_may_be_lost_at_each_step(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        unsigned stride = (unsigned)life_scale("EG_STRIDE", 13), n = 1;
        uint64_t watches;

        life_honest(g);
        watches = watches_of_dom0();
        for (; lost_at(g, n, false) && lost_at(g, n + stride / 2, true);
             n += stride)
                assert_true(n < 2000);
        printf("%u requests, watched in steps of %u\n", n, stride);
        assert_true(n > 30);
        life_wait(watches_of_dom0() == watches);
        guest_destroy(g);
}

static void a_ring_is_served_without_xenstore(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        uint64_t watches = watches_of_dom0();
        struct page p;

        guest_connect(g, (struct connect_opts){.persistent = true});
        guest_page(g, &p, true);
        for (int round = 0; round < 3; round++) {
                json_object_put(life_xenstore(",\"state\":\"down\""));
                for (int i = 0; i < 200; i++)
                        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1),
                                         BLK_OKAY);
                json_object_put(life_xenstore(",\"state\":\"up\""));
        }
        life_wait(watches_of_dom0() == watches);
        guest_disconnect(g); /* its watch is there again */
        life_honest(g);
        guest_destroy(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_flood_of_watched_writes_costs_no_memory),
                cmocka_unit_test(commits_that_conflict_for_ever_end_in_a_pause),
                cmocka_unit_test(
                        a_guest_that_makes_commits_conflict_harms_itself),
                cmocka_unit_test(a_ring_is_served_without_xenstore),
                cmocka_unit_test(xenstore_may_be_lost_at_each_step),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
