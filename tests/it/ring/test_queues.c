/* SPDX-License-Identifier: MIT */
/* Several rings a disk: negotiation, life, and what a frontend may lie about.
 * ring_queues.sh gave the daemon three I/O threads. */
#include "rig.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 3u

/* One page for each ring, and a pattern that says which. */
static void share(struct guest *g, struct page *p, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                guest_page(g, &p[i], true);
                memset(p[i].bytes, 0x40 + (int)i, 4096);
        }
}

/* Each ring writes at its own place, and reads what the next one wrote. */
static void all_rings_work(struct guest *g, struct page *p)
{
        unsigned n = g->queues;

        for (unsigned i = 0; i < n; i++) {
                guest_select(g, i);
                memset(p[i].bytes, 0x40 + (int)i, 4096);
                assert_int_equal(guest_io(g, BLK_WRITE, i * 8ull, &p[i], 1),
                                 BLK_OKAY);
        }
        for (unsigned i = 0; i < n; i++) {
                unsigned other = (i + 1) % n;

                guest_select(g, i);
                assert_int_equal(guest_io(g, BLK_READ, other * 8ull, &p[i], 1),
                                 BLK_OKAY);
                assert_int_equal(p[i].bytes[77], 0x40 + other);
        }
}

static struct connect_opts rings(unsigned queues, unsigned order)
{
        return (struct connect_opts){
                .persistent = true, .queues = queues, .order = order};
}

static void a_queue_for_each_io_thread_is_offered(void **state)
{
        struct guest *g = guest_create("ram:8M", "");

        guest_begin(g);
        assert_int_equal(guest_backend_key(g, "multi-queue-max-queues"),
                         THREADS);
        guest_destroy(g);
        g = guest_create("ram:8M", "--queues 16");
        guest_begin(g);
        assert_int_equal(guest_backend_key(g, "multi-queue-max-queues"), 16);
        guest_destroy(g);
}

static void every_number_of_rings_and_every_order_works(void **state)
{
        static const unsigned sizes[] = {2, 3, 16};
        struct page p[16];

        for (unsigned order = 0; order <= 4; order += 2) {
                for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
                        struct guest *g = guest_create("ram:8M", "--queues 16");

                        guest_connect(g, rings(sizes[i], order));
                        share(g, p, sizes[i]);
                        all_rings_work(g, p);
                        assert_int_equal(guest_counter(g, "queues"), sizes[i]);
                        assert_int_equal(guest_account(g).mapped,
                                         sizes[i] * (1 + (1u << order)));
                        guest_destroy(g);
                }
        }
}

/* Each ring on a thread of its own; counters of each, and their sum. */
static void rings_are_spread_and_counted_one_by_one(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p[THREADS];
        unsigned seen = 0;

        guest_connect(g, rings(THREADS, 0));
        share(g, p, THREADS);
        for (unsigned i = 0; i < THREADS; i++) {
                guest_select(g, i);
                for (unsigned n = 0; n <= i; n++)
                        guest_io(g, BLK_WRITE, 0, &p[i], 1);
        }
        for (unsigned i = 0; i < THREADS; i++) {
                seen |= 1u << guest_ring_counter(g, i, "io_thread");
                assert_int_equal(guest_ring_counter(g, i, "writes"), i + 1);
                assert_int_equal(guest_ring_counter(g, i, "kept"), 1);
        }
        assert_int_equal(seen, 7);
        assert_int_equal(guest_counter(g, "writes"), 1 + 2 + 3);
        assert_int_equal(guest_counter(g, "kept"), THREADS);
        assert_string_equal(guest_field(g, "queues"), "3");
        guest_destroy(g);
}

/* The cap is a ring's, as Linux has it. */
static void each_ring_has_a_cap_of_its_own(void **state)
{
        struct guest *g = guest_create("ram:8M", "--max-persistent 5");
        struct page p[20];

        guest_connect(g, rings(2, 0));
        share(g, p, 20);
        for (unsigned i = 0; i < 20; i++) {
                guest_select(g, i % 2);
                assert_int_equal(guest_io(g, BLK_WRITE, 0, &p[i], 1), BLK_OKAY);
        }
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(guest_ring_counter(g, i, "max_persistent"), 5);
                assert_in_range(guest_ring_counter(g, i, "kept_high"), 1, 5);
        }
        assert_int_equal(guest_counter(g, "max_persistent"), 10);
        guest_destroy(g);
}

/* A column of a row of the table in the man page: "1,056" is 1056. */
static uint64_t column(FILE *f)
{
        char line[64], digits[64];
        unsigned n = 0;

        assert_non_null(fgets(line, sizeof(line), f));
        assert_true(line[0] == '|' || line[0] == ':');
        for (const char *c = line; *c; c++)
                if (*c >= '0' && *c <= '9')
                        digits[n++] = *c;
        digits[n] = '\0';
        return strtoull(digits, NULL, 10);
}

/* pages, requests, kept and mappings of a ring by order, as the man page says.
 */
static void read_man_page(uint64_t rows[5][4])
{
        FILE *f = fopen(getenv("MAN_PAGE"), "re");
        char line[512] = "";

        assert_non_null(f);
        while (!strstr(line, "*bounce memory*"))
                assert_non_null(fgets(line, sizeof(line), f));
        for (unsigned order = 0; order < 5; order++) {
                assert_int_equal(column(f), order);
                for (unsigned i = 0; i < 4; i++)
                        rows[order][i] = column(f);
                assert_non_null(fgets(line, sizeof(line), f)); /* bounce */
        }
        fclose(f);
}

/* What a setting takes: every number of rings that differs, every order, with
 * the default cap, with one of its own, and without kept pages. */
static void stat_agrees_with_the_table_of_the_man_page(void **state)
{
        static const unsigned sizes[] = {1, 2, 3, 16};
        static const struct {
                const char *options;
                bool persistent, capped;
        } ways[] = {{"--queues 16", true, false},
                    {"--queues 16 --max-persistent 300", true, true},
                    {"--queues 16", false, false},
                    {"--queues 16 --grants copy", true, false}};
        uint64_t man[5][4], before = rig_daemon_number("map_budget_used");

        read_man_page(man);
        for (unsigned w = 0; w < ARRAY_SIZE(ways); w++) {
                bool keeps =
                        ways[w].persistent && !strstr(ways[w].options, "copy");
                struct guest *g = guest_create("ram:8M", ways[w].options);

                for (unsigned i = 0; i < 20; i++) {
                        unsigned n = sizes[i / 5], order = i % 5;
                        uint64_t cap = !keeps           ? 0
                                       : ways[w].capped ? 300
                                                        : man[order][2];
                        struct connect_opts o = rings(n, order);

                        o.persistent = ways[w].persistent;
                        guest_connect(g, o);
                        assert_int_equal(man[order][0], 1u << order);
                        assert_int_equal(man[order][1], g->ring.slots);
                        assert_int_equal(man[order][3], man[order][0] +
                                                                man[order][1] +
                                                                man[order][2]);
                        /* The first and the last: each look is a process. */
                        for (unsigned r = 0; r<n; r += n> 1 ? n - 1 : 1)
                                assert_int_equal(
                                        guest_ring_counter(g, r,
                                                           "max_persistent"),
                                        cap);
                        assert_int_equal(
                                rig_daemon_number("map_budget_used") - before,
                                n * (man[order][0] + man[order][1] + cap));
                        guest_disconnect(g);
                        wait_until(rig_daemon_number("map_budget_used") ==
                                   before);
                }
                guest_destroy(g);
        }
}

static void a_number_that_was_not_offered_is_refused(void **state)
{
        static const unsigned wrong[] = {0, 3, 17, 1u << 31};
        struct guest *g = guest_create("ram:8M", "--queues 2");

        for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
                guest_begin(g);
                guest_publish(g, rings(2, 0));
                guest_key(g, "multi-queue-num-queues", wrong[i]);
                guest_state(g, XENBUS_INITIALISED);
                guest_refused(g, "queues, 1 to 2 are offered");
        }
        guest_connect(g, rings(2, 0));
        guest_destroy(g);
}

static void a_queue_without_keys_is_refused_and_leaves_nothing(void **state)
{
        static const char *const missing[] = {"queue-0/ring-ref",
                                              "queue-2/ring-ref",
                                              "queue-1/event-channel"};
        struct guest *g = guest_create("ram:8M", "");

        for (unsigned i = 0; i < ARRAY_SIZE(missing); i++) {
                guest_begin(g);
                guest_publish(g, rings(3, 0));
                guest_drop(g, missing[i]);
                guest_state(g, XENBUS_INITIALISED);
                guest_refused(g, missing[i]);
        }
        guest_connect(g, rings(3, 0));
        guest_destroy(g);
}

/* A third ring that cannot be had takes the first two away again. */
static void one_bad_ring_undoes_the_others(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p[3];

        for (unsigned bad = 0; bad < 3; bad++) {
                char key[32];

                guest_begin(g);
                guest_publish(g, rings(3, 0));
                snprintf(key, sizeof(key), "queue-%u/%s", bad,
                         bad == 1 ? "event-channel" : "ring-ref");
                guest_key(g, key, 33333);
                guest_state(g, XENBUS_INITIALISED);
                guest_refused(g, "cannot serve the frontend's ring");
                assert_int_equal(guest_account(g).map_pages,
                                 guest_account(g).unmap_pages);
        }
        guest_connect(g, rings(3, 0));
        share(g, p, 3);
        all_rings_work(g, p);
        guest_destroy(g);
}

/* Two queues that name one port: the second cannot be bound. */
static void a_port_twice_is_refused(void **state)
{
        struct guest *g = guest_create("ram:8M", "");

        guest_begin(g);
        guest_publish(g, rings(2, 0));
        guest_key(g, "queue-1/event-channel", (uint64_t)g->rings[0].port);
        guest_state(g, XENBUS_INITIALISED);
        guest_refused(g, "event channel");
        guest_connect(g, rings(2, 0));
        guest_destroy(g);
}

/* Two queues on one page: nobody can mean that. */
static void a_ring_twice_is_refused(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p[2];

        guest_begin(g);
        guest_publish(g, rings(2, 0));
        guest_key(g, "queue-1/ring-ref", g->rings[0].refs[0]);
        guest_state(g, XENBUS_INITIALISED);
        guest_refused(g, "twice");
        assert_int_equal(guest_account(g).mapped, 0);
        guest_connect(g, rings(2, 0));
        share(g, p, 2);
        all_rings_work(g, p);
        guest_destroy(g);
}

/* What is in flight on every ring is answered before Closed. */
static void all_rings_are_let_go_before_closed(void **state)
{
        struct guest *g = guest_create("fault:write-delay-ms=300,"
                                       "write-delay-ms=2000@1:ram:8M",
                                       "");
        struct page p[3];

        for (int round = 0; round < 3; round++) {
                guest_connect(g, rings(3, 1));
                share(g, p, 3);
                for (unsigned i = 0; i < 3; i++) {
                        guest_select(g, i);
                        guest_put(g, BLK_WRITE, 0, &p[i], 1);
                        guest_kick(g);
                }
                wait_until(guest_counter(g, "inflight") == 3 ||
                           guest_counter(g, "writes") > 0);
                guest_state(g, XENBUS_CLOSING);
                /* Those that are gone are no more looked at. */
                for (unsigned i = 0; i < 5; i++)
                        assert_int_equal(guest_counter(g, "errors"), 0);
                guest_wait_backend(g, XENBUS_CLOSED);
                assert_int_equal(guest_account(g).mapped, 0);
                for (unsigned i = 0; i < 3; i++) {
                        guest_select(g, i);
                        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
                }
                guest_disconnect(g);
        }
        guest_destroy(g);
        assert_int_equal(rig_daemon_number("map_budget_used"), 0);
}

static void a_new_size_holds_for_every_ring(void **state)
{
        struct guest *g = guest_create("ram:1M", "");
        struct page p[3];

        guest_connect(g, rings(3, 0));
        share(g, p, 3);
        for (unsigned i = 0; i < 3; i++) {
                guest_select(g, i);
                assert_int_equal(guest_io(g, BLK_WRITE, 2048, &p[i], 1),
                                 BLK_ERROR);
        }
        assert_int_equal(rig_run("%s resize %s xvda 2M 2>&1",
                                 getenv("EVERGRANT"), g->name),
                         0);
        assert_int_equal(guest_backend_key(g, "sectors"), 4096);
        for (unsigned i = 0; i < 3; i++) {
                guest_select(g, i);
                assert_int_equal(guest_io(g, BLK_WRITE, 2048, &p[i], 1),
                                 BLK_OKAY);
        }
        guest_destroy(g);
}

/* A boot loader with one ring, a kernel with three, a boot loader again, each
 * without tidying up. */
static void the_number_of_rings_may_change_at_each_connect(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p[3];

        share(g, p, 3);
        for (int round = 0; round < 2; round++) {
                struct connect_opts o = rings(1, 0);

                o.keep_old_keys = true;
                guest_connect(g, o);
                all_rings_work(g, p);
                guest_disconnect(g);
                o = rings(3, 2);
                o.keep_old_keys = true;
                guest_connect(g, o);
                all_rings_work(g, p);
                guest_disconnect(g);
                assert_false(guest_has_key(g, "queue-0"));
                assert_false(guest_has_key(g, "queue-2/ring-ref0"));
                assert_false(guest_has_key(g, "multi-queue-num-queues"));
        }
        guest_destroy(g);
}

static void restart_daemon(void)
{
        pid_t shell = (pid_t)atoi(getenv("RESTART_PID"));

        assert_int_equal(unlink(getenv("RESTARTED")) == 0 || true, true);
        assert_int_equal(kill(shell, SIGUSR1), 0);
        wait_until(access(getenv("RESTARTED"), F_OK) == 0);
}

/* A stop lets all rings go, a start takes them all up where they were. */
static void a_restart_goes_on_with_every_ring(void **state)
{
        char target[256];
        struct guest *g;
        struct page p[3];

        snprintf(target, sizeof(target), "%s", getenv("IMAGE"));
        g = guest_create(target, "");
        guest_connect(g, rings(3, 1));
        share(g, p, 3);
        all_rings_work(g, p);
        restart_daemon();
        guest_wait_backend(g, XENBUS_CONNECTED);
        wait_until(rig_run("%s list 2>&1", getenv("EVERGRANT")) == 0);
        wait_until(strcmp(guest_field(g, "queues"), "3") == 0);
        all_rings_work(g, p);
        assert_int_equal(guest_counter(g, "errors"), 0);
        guest_destroy(g);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_queue_for_each_io_thread_is_offered),
                cmocka_unit_test(every_number_of_rings_and_every_order_works),
                cmocka_unit_test(rings_are_spread_and_counted_one_by_one),
                cmocka_unit_test(each_ring_has_a_cap_of_its_own),
                cmocka_unit_test(stat_agrees_with_the_table_of_the_man_page),
                cmocka_unit_test(a_number_that_was_not_offered_is_refused),
                cmocka_unit_test(
                        a_queue_without_keys_is_refused_and_leaves_nothing),
                cmocka_unit_test(one_bad_ring_undoes_the_others),
                cmocka_unit_test(a_port_twice_is_refused),
                cmocka_unit_test(a_ring_twice_is_refused),
                cmocka_unit_test(all_rings_are_let_go_before_closed),
                cmocka_unit_test(a_new_size_holds_for_every_ring),
                cmocka_unit_test(
                        the_number_of_rings_may_change_at_each_connect),
                cmocka_unit_test(a_restart_goes_on_with_every_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
