/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "grant/evict.h"

static void share_is_a_twentieth_and_at_least_one(void **state)
{
        assert_int_equal(evict_share(0), 1);
        assert_int_equal(evict_share(19), 1);
        assert_int_equal(evict_share(40), 2);
        assert_int_equal(evict_share(1056), 52);
        assert_int_equal(evict_share(UINT32_MAX), 214748364);
}

static void bound_comes_before_everything(void **state)
{
        struct evict_plan p = evict_plan_make(1000, true, 100, 1, 2);

        assert_int_equal(evict_next(&p, 1, 0), EVICT_IDLE);
        assert_int_equal(evict_next(&p, 2, 0), EVICT_STOP);
}

static void idle_pages_count_toward_the_room(void **state)
{
        struct evict_plan p = evict_plan_make(40, true, 100, 50, 99);

        assert_int_equal(evict_next(&p, 0, 50), EVICT_IDLE);
        assert_int_equal(evict_next(&p, 1, 51), EVICT_LRU);
        assert_int_equal(evict_next(&p, 2, 51), EVICT_STOP);
        assert_int_equal(evict_next(&p, 2, 50), EVICT_IDLE);
}

static void no_overflow_makes_no_room(void **state)
{
        struct evict_plan p = evict_plan_make(40, false, 100, 0, 99);

        assert_int_equal(evict_next(&p, 0, 0), EVICT_STOP);
}

static void time_may_not_run_backwards(void **state)
{
        struct evict_plan p = evict_plan_make(40, false, 100, 50, 99);

        assert_int_equal(evict_next(&p, 0, 101), EVICT_STOP);
        assert_int_equal(evict_next(&p, 0, UINT64_MAX), EVICT_STOP);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(share_is_a_twentieth_and_at_least_one),
                cmocka_unit_test(bound_comes_before_everything),
                cmocka_unit_test(idle_pages_count_toward_the_room),
                cmocka_unit_test(no_overflow_makes_no_room),
                cmocka_unit_test(time_may_not_run_backwards),
        };

        return cmocka_run_group_tests_name("evict policy", tests, NULL, NULL);
}
