/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/budget.h"

static void default_cap_is_a_full_ring_at_most_linux(void **state)
{
        assert_int_equal(budget_default_cap(32, 11), 352);
        assert_int_equal(budget_default_cap(64, 11), 704);
        assert_int_equal(budget_default_cap(512, 11), 1056);
        assert_int_equal(budget_default_cap(UINT32_MAX, 256), 1056);
}

static void a_share_holds_ring_transients_and_cap(void **state)
{
        struct budget b = {.total = 1000};
        struct budget_share s;

        budget_take(&b, 1, 32, 352, &s);
        assert_int_equal(s.cap, 352);
        assert_int_equal(b.used, 1 + 32 + 352);
        budget_give(&b, &s);
        assert_int_equal(b.used, 0);
        budget_give(&b, &s); /* zeroed: nothing twice */
        assert_int_equal(b.used, 0);
}

static void a_later_disk_gets_the_rest_and_an_even_later_one_nothing(
        void **state)
{
        struct budget b = {.total = 500};
        struct budget_share first, second, third;

        budget_take(&b, 1, 32, 352, &first);
        assert_int_equal(first.cap, 352);
        budget_take(&b, 1, 32, 352, &second);
        assert_int_equal(second.cap, 500 - 385 - 33);
        assert_int_equal(second.asked, 352);
        assert_int_equal(b.used, b.total);
        budget_take(&b, 1, 32, 352, &third);
        assert_int_equal(third.cap, 0);
        /* Overdrawn by what a ring cannot do without: then by no cap. */
        assert_int_equal(b.used, 533);
        budget_give(&b, &first);
        budget_take(&b, 1, 32, 352, &first);
        assert_int_equal(first.cap, 500 - 533 + 385 - 33);
}

static void a_ring_that_keeps_nothing_takes_no_cap(void **state)
{
        struct budget b = {.total = 100};
        struct budget_share s;

        budget_take(&b, 16, 64, 0, &s);
        assert_int_equal(s.cap, 0);
        assert_int_equal(b.used, 80);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(default_cap_is_a_full_ring_at_most_linux),
                cmocka_unit_test(a_share_holds_ring_transients_and_cap),
                cmocka_unit_test(
                        a_later_disk_gets_the_rest_and_an_even_later_one_nothing),
                cmocka_unit_test(a_ring_that_keeps_nothing_takes_no_cap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
