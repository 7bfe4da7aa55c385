/* SPDX-License-Identifier: MIT */
/* The clock is the tests': every line holds on a busy machine too. */
#include "test.h"

#include "common/polling.h"

#include <errno.h>

#define US UINT64_C(1000)
#define MS (1000 * US)

static struct polling started(enum polling_mode mode)
{
        struct polling p;

        polling_init(&p, mode);
        return p;
}

#define CROWD_NS (POLLING_PERIOD_NS / 100 * POLLING_CROWD_PERCENT)

/* A look around that took from `start` to `now`, of which another thread had
 * the processor for taken_ns. */
static void looked(struct polling *p, uint64_t start_ns, uint64_t now_ns,
                   bool found, uint64_t taken_ns)
{
        polling_looked(p,
                       &(struct polling_look){.start_ns = start_ns,
                                              .now_ns = now_ns,
                                              .found = found,
                                              .late_ns = taken_ns},
                       p->preemptions + (taken_ns > 0));
}

/* Sleeps of `sleep` ns, n times; the window afterwards. */
static uint64_t after_sleeps(struct polling *p, uint64_t *now, unsigned n,
                             uint64_t sleep)
{
        for (unsigned i = 0; i < n; i++, *now += sleep)
                polling_slept(p, *now, *now + sleep);
        return polling_window(p, *now);
}

static void off_never_looks(void **state)
{
        struct polling p = started(POLLING_OFF);
        uint64_t now = 5 * MS;

        assert_int_equal(after_sleeps(&p, &now, 20, 10 * US), 0);
}

static void on_always_looks(void **state)
{
        struct polling p = started(POLLING_ON);
        uint64_t now = 5 * MS;

        assert_int_equal(polling_window(&p, 0), POLLING_ON_NS);
        looked(&p, now, now + POLLING_ON_NS, false, CROWD_NS);
        assert_int_equal(after_sleeps(&p, &now, 20, 900 * MS), POLLING_ON_NS);
}

static void short_sleeps_widen_the_window_and_long_ones_close_it(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = 5 * MS;

        assert_int_equal(polling_window(&p, now), 0);
        assert_int_equal(after_sleeps(&p, &now, 1, 20 * US), POLLING_FIRST_NS);
        assert_int_equal(after_sleeps(&p, &now, 1, 20 * US),
                         2 * POLLING_FIRST_NS);
        assert_int_equal(after_sleeps(&p, &now, 20, 100 * US), POLLING_MOST_NS);
        assert_int_equal(after_sleeps(&p, &now, 1, 101 * US),
                         POLLING_MOST_NS / 2);
        assert_int_equal(after_sleeps(&p, &now, 3, 1 * MS), 0);
        assert_int_equal(after_sleeps(&p, &now, 1, 20 * US), POLLING_FIRST_NS);
}

static void looking_in_vain_has_a_budget(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = POLLING_PERIOD_NS, begin, spent = 0;

        after_sleeps(&p, &now, 10, 10 * US);
        (void)polling_window(&p, now);
        begin = now;
        while (polling_window(&p, now)) {
                uint64_t took = polling_window(&p, now);

                looked(&p, now, now + took, false, 0);
                now += took;
                spent += took;
                assert_true(spent <= POLLING_PERIOD_NS);
        }
        /* a quarter of the period, and at most one look more */
        assert_in_range(spent, 25 * MS, 25 * MS + POLLING_MOST_NS);
        assert_int_equal(polling_window(&p, begin + POLLING_PERIOD_NS - 1), 0);
        assert_int_not_equal(polling_window(&p, begin + POLLING_PERIOD_NS), 0);
}

/* The short sleeps until it looks again. */
static unsigned sleeps_until_it_looks(struct polling *p, uint64_t *now)
{
        unsigned n = 0;

        assert_int_equal(after_sleeps(p, now, 4, 1 * MS), 0);
        do {
                assert_true(++n < 1000);
        } while (!after_sleeps(p, now, 1, 50 * US));
        return n;
}

static void each_look_in_vain_doubles_the_sleeps_until_the_next(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = 5 * MS;

        for (unsigned i = 0; i < 9; i++) {
                assert_int_equal(sleeps_until_it_looks(&p, &now),
                                 1u << min_u64(i, POLLING_VAIN_MOST));
                looked(&p, now, now + POLLING_FIRST_NS, false, 0);
        }
        looked(&p, now, now + POLLING_FIRST_NS, true, 0);
        assert_int_equal(sleeps_until_it_looks(&p, &now), 1);
}

/* What it finds then, the other one's turn has brought. */
static void who_finds_the_processor_wanted_stops_looking(void **state)
{
        struct polling p = started(POLLING_AUTO);
        struct polling_look shared = {.found = true, .shared = true};
        uint64_t now = 5 * MS;

        for (unsigned i = 0; i < 3; i++) {
                after_sleeps(&p, &now, 10, 50 * US);
                polling_looked(&p, &shared, 0);
                assert_int_equal(polling_window(&p, now), POLLING_MOST_NS);
                /* Between two of them a find of its own: accidents. */
                looked(&p, now, now, true, 0);
        }
        polling_looked(&p, &shared, 0);
        polling_looked(&p, &shared, 0);
        assert_int_equal(polling_window(&p, now), 0);
        assert_int_equal(sleeps_until_it_looks(&p, &now), 4);
}

static void a_look_ends_when_the_processor_was_wanted(void **state)
{
        struct polling p = started(POLLING_AUTO), on = started(POLLING_ON);
        struct polling_look l;

        polling_look_begin(&l, 90 * US, 7 * MS);
        assert_true(polling_look_again(&l, 7 * MS + 20 * US));
        assert_true(polling_look_yielded(&p, &l, 7 * MS + 25 * US));
        assert_false(l.shared);
        assert_false(polling_look_yielded(&p, &l, 7 * MS + 31 * US));
        assert_true(l.shared);
        assert_true(polling_look_yielded(&on, &l, 7 * MS + 41 * US));
}

static void quick_finds_cost_nothing_and_slow_ones_do(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = POLLING_PERIOD_NS;

        after_sleeps(&p, &now, 10, 10 * US);
        for (unsigned i = 0; i < 9000; i++, now += 10 * US) {
                assert_int_not_equal(polling_window(&p, now), 0);
                looked(&p, now, now + POLLING_FREE_NS, true, 0);
        }
        now += POLLING_PERIOD_NS;
        (void)polling_window(&p, now);
        for (unsigned i = 0; i < 500; i++, now += 51 * US)
                looked(&p, now, now + 50 * US, true, 0);
        assert_int_equal(polling_window(&p, now), 0);
}

static void who_is_preempted_rests_twice_as_long_each_time(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = 7 * MS, rest = POLLING_REST_FIRST_NS;

        for (unsigned i = 0; i < 4; i++, rest *= 2) {
                after_sleeps(&p, &now, 10, 10 * US);
                assert_int_not_equal(polling_window(&p, now), 0);
                looked(&p, now, now, false, CROWD_NS);
                assert_int_equal(polling_window(&p, now + rest - 1), 0);
                assert_int_not_equal(polling_window(&p, now + rest), 0);
                now += rest;
        }
        assert_int_equal(p.n.preempted, 4);
        /* Long after: from the beginning. */
        now += 1000 * MS;
        looked(&p, now, now, false, CROWD_NS);
        assert_int_equal(polling_window(&p, now + POLLING_REST_FIRST_NS - 1),
                         0);
        assert_int_not_equal(polling_window(&p, now + POLLING_REST_FIRST_NS),
                             0);
}

/* Late, but no other thread had the processor: the machine itself stood. */
static void who_is_late_without_a_preemption_does_not_rest(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = 7 * MS;

        after_sleeps(&p, &now, 10, 10 * US);
        looked(&p, now, now, false, CROWD_NS);
        now = p.rest_until_ns;
        polling_looked(&p,
                       &(struct polling_look){.start_ns = now,
                                              .now_ns = now,
                                              .late_ns = CROWD_NS},
                       p.preemptions);
        assert_int_not_equal(polling_window(&p, now), 0);
        assert_int_equal(p.n.preempted, 1);
        /* It counts as time spent. */
        polling_looked(&p,
                       &(struct polling_look){.start_ns = now,
                                              .now_ns = now + 25 * MS,
                                              .late_ns = 25 * MS},
                       p.preemptions);
        assert_int_equal(polling_window(&p, now + 25 * MS), 0);
}

/* A kernel thread's moment now and then is no crowd. */
static void little_that_is_taken_is_not_rested_for(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = POLLING_PERIOD_NS;

        after_sleeps(&p, &now, 10, 10 * US);
        for (unsigned i = 0; i < 50; i++, now += POLLING_PERIOD_NS) {
                assert_int_not_equal(polling_window(&p, now), 0);
                looked(&p, now, now, false, CROWD_NS / 2);
                looked(&p, now, now, false, CROWD_NS / 2 - 1);
                assert_int_not_equal(polling_window(&p, now), 0);
        }
        assert_int_equal(p.n.preempted, 100);
        assert_int_not_equal(polling_window(&p, now), 0);
        looked(&p, now, now, false, CROWD_NS / 2);
        looked(&p, now, now, false, CROWD_NS / 2);
        assert_int_equal(polling_window(&p, now), 0);
}

static void a_rest_has_an_end(void **state)
{
        struct polling p = started(POLLING_AUTO);
        uint64_t now = 7 * MS;

        after_sleeps(&p, &now, 10, 10 * US);
        for (unsigned i = 0; i < 64; i++)
                looked(&p, now, now, false, CROWD_NS);
        assert_int_not_equal(polling_window(&p, now + POLLING_REST_MOST_NS), 0);
}

static void a_look_ends_with_a_find_or_with_its_window(void **state)
{
        struct polling_look l;

        polling_look_begin(&l, 50 * US, 7 * MS);
        assert_true(polling_look_again(&l, 7 * MS + 49 * US));
        assert_false(polling_look_again(&l, 7 * MS + 50 * US));
        polling_look_begin(&l, 50 * US, 7 * MS);
        l.found = true;
        assert_false(polling_look_again(&l, 7 * MS + 1));
}

/* A find that came late is no sign: what was found may have taken the time. */
static void a_gap_between_two_readings_is_late(void **state)
{
        struct polling_look l;

        polling_look_begin(&l, 10 * MS, 0);
        assert_true(polling_look_again(&l, POLLING_LATE_NS));
        assert_int_equal(l.late_ns, 0);
        assert_true(polling_look_again(&l, 2 * POLLING_LATE_NS + 1));
        assert_int_equal(l.late_ns, POLLING_LATE_NS + 1);
        polling_look_begin(&l, 10 * MS, 0);
        l.found = true;
        assert_false(polling_look_again(&l, 5 * MS));
        assert_int_equal(l.late_ns, 0);
}

static void a_long_look_lets_others_have_the_processor(void **state)
{
        struct polling_look l;

        polling_look_begin(&l, 50 * US, 7 * MS);
        assert_true(polling_look_again(&l, 7 * MS + POLLING_FREE_NS));
        assert_false(polling_look_is_long(&l));
        assert_true(polling_look_again(&l, 7 * MS + POLLING_FREE_NS + 1));
        assert_true(polling_look_is_long(&l));
}

static void names_come_back(void **state)
{
        enum polling_mode mode = POLLING_OFF;

        assert_int_equal(polling_parse("auto", &mode), 0);
        assert_int_equal(mode, POLLING_AUTO);
        assert_string_equal(polling_name(mode), "auto");
        assert_int_equal(polling_parse("", &mode), -EINVAL);
        assert_int_equal(polling_parse("ON", &mode), -EINVAL);
        assert_int_equal(polling_parse("off ", &mode), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(off_never_looks),
                cmocka_unit_test(on_always_looks),
                cmocka_unit_test(
                        short_sleeps_widen_the_window_and_long_ones_close_it),
                cmocka_unit_test(looking_in_vain_has_a_budget),
                cmocka_unit_test(
                        each_look_in_vain_doubles_the_sleeps_until_the_next),
                cmocka_unit_test(who_finds_the_processor_wanted_stops_looking),
                cmocka_unit_test(a_look_ends_when_the_processor_was_wanted),
                cmocka_unit_test(quick_finds_cost_nothing_and_slow_ones_do),
                cmocka_unit_test(
                        who_is_preempted_rests_twice_as_long_each_time),
                cmocka_unit_test(
                        who_is_late_without_a_preemption_does_not_rest),
                cmocka_unit_test(little_that_is_taken_is_not_rested_for),
                cmocka_unit_test(a_rest_has_an_end),
                cmocka_unit_test(a_look_ends_with_a_find_or_with_its_window),
                cmocka_unit_test(a_gap_between_two_readings_is_late),
                cmocka_unit_test(a_long_look_lets_others_have_the_processor),
                cmocka_unit_test(names_come_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
