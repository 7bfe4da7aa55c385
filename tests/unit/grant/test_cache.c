/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "fake_xen.h"
#include "grant/cache.h"

#define DOMID 7

static struct grant_cache *make(uint32_t cap)
{
        struct grant_cache *c;

        fake_reset();
        assert_int_equal(grant_cache_create(&c, fake_grants(), DOMID, cap), 0);
        return c;
}

/* Every mapping that was made must be unmapped exactly once. */
static void destroy_and_balance(struct grant_cache *c)
{
        grant_cache_destroy(c);
        assert_int_equal(fake_mapped(), 0);
        assert_int_equal(fake.count.map_pages, fake.count.unmap_pages);
        assert_int_equal(fake.misuse, 0);
}

static struct grant_cache_stats stats_of(struct grant_cache *c)
{
        struct grant_cache_stats s;

        grant_cache_stats(c, &s);
        return s;
}

/* Acquires, expects the result, and gives the page back at now_ms. */
static void use(struct grant_cache *c, uint32_t gref, enum grant_result want,
                uint64_t now_ms)
{
        struct grant_page *p = NULL;

        assert_int_equal(grant_cache_acquire(c, gref, &p), want);
        if (want == GRANT_HIT || want == GRANT_MAPPED) {
                assert_non_null(p->page);
                assert_int_equal(p->gref, gref);
                grant_cache_release(c, p, now_ms);
        }
}

static void second_use_is_a_hit_and_maps_nothing(void **state)
{
        struct grant_cache *c = make(4);
        struct grant_page *first, *second;
        struct grant_cache_stats s;

        assert_int_equal(grant_cache_acquire(c, 9, &first), GRANT_MAPPED);
        grant_cache_release(c, first, 0);
        for (int i = 0; i < 100; i++) {
                assert_int_equal(grant_cache_acquire(c, 9, &second), GRANT_HIT);
                assert_ptr_equal(first->page, second->page);
                grant_cache_release(c, second, 0);
        }
        assert_int_equal(fake.count.map_calls, 1);
        assert_int_equal(fake.count.unmap_calls, 0);
        s = stats_of(c);
        assert_int_equal(s.hits, 100);
        assert_int_equal(s.misses, 1);
        assert_int_equal(s.kept, 1);
        assert_int_equal(s.kept_high, 1);
        assert_int_equal(s.held, 0);
        assert_int_equal(s.held_high, 1);
        destroy_and_balance(c);
}

static void maps_writable_from_the_right_domain(void **state)
{
        struct grant_cache *c = make(1);

        use(c, 5, GRANT_MAPPED, 0);
        assert_true(fake.last_writable);
        assert_int_equal(fake.last_domid, DOMID);
        destroy_and_balance(c);
}

static void over_limit_maps_nothing_and_keeps_the_warm_ones(void **state)
{
        struct grant_cache *c = make(3);
        struct grant_page *p;
        struct grant_cache_stats s;

        for (uint32_t g = 0; g < 3; g++)
                use(c, g, GRANT_MAPPED, 0);
        for (uint32_t g = 100; g < 200; g++)
                assert_int_equal(grant_cache_acquire(c, g, &p),
                                 GRANT_OVER_LIMIT);
        for (uint32_t g = 0; g < 3; g++)
                use(c, g, GRANT_HIT, 0);
        assert_int_equal(fake.count.map_calls, 3);
        s = stats_of(c);
        assert_int_equal(s.overflows, 100);
        assert_int_equal(s.kept, 3);
        assert_int_equal(s.kept_high, 3);
        assert_int_equal(s.cap, 3);
        destroy_and_balance(c);
}

static void cap_0_keeps_nothing(void **state)
{
        struct grant_cache *c = make(0);
        struct grant_page *p;

        for (uint32_t g = 0; g < 10; g++)
                assert_int_equal(grant_cache_acquire(c, g, &p),
                                 GRANT_OVER_LIMIT);
        assert_int_equal(fake.count.map_calls, 0);
        assert_int_equal(grant_cache_evict(c, 1, 1, 10), 0);
        destroy_and_balance(c);
}

static void gref_in_flight_twice_is_in_use(void **state)
{
        struct grant_cache *c = make(4);
        struct grant_page *p, *q;

        assert_int_equal(grant_cache_acquire(c, 1, &p), GRANT_MAPPED);
        assert_int_equal(grant_cache_acquire(c, 1, &q), GRANT_IN_USE);
        assert_int_equal(grant_cache_acquire(c, 1, &q), GRANT_IN_USE);
        assert_int_equal(fake.count.map_calls, 1);
        assert_int_equal(stats_of(c).in_use, 2);
        assert_int_equal(stats_of(c).held, 1);
        grant_cache_release(c, p, 0);
        use(c, 1, GRANT_HIT, 0);
        destroy_and_balance(c);
}

static void failed_map_changes_nothing(void **state)
{
        struct grant_cache *c = make(2);
        struct grant_page *p;
        struct grant_cache_stats s;

        fake.fail_map_call = 1;
        fake.fail_errno = EINVAL;
        assert_int_equal(grant_cache_acquire(c, 1, &p), GRANT_BAD_REF);
        fake.fail_map_call = 2;
        fake.fail_errno = ENOMEM;
        assert_int_equal(grant_cache_acquire(c, 1, &p), GRANT_NO_MEMORY);
        s = stats_of(c);
        assert_int_equal(s.bad_refs, 1);
        assert_int_equal(s.no_memory, 1);
        assert_int_equal(s.misses, 0);
        assert_int_equal(s.kept, 0);
        assert_int_equal(s.held, 0);
        /* Both entries are still there to be used. */
        use(c, 1, GRANT_MAPPED, 0);
        use(c, 2, GRANT_MAPPED, 0);
        assert_int_equal(grant_cache_acquire(c, 3, &p), GRANT_OVER_LIMIT);
        destroy_and_balance(c);
}

static void extreme_grefs_are_different_grefs(void **state)
{
        static const uint32_t grefs[] = {0,          1,          0x7fffffff,
                                         0x80000000, 0xfffffffe, 0xffffffff};
        struct grant_cache *c = make(ARRAY_SIZE(grefs));

        for (size_t i = 0; i < ARRAY_SIZE(grefs); i++)
                use(c, grefs[i], GRANT_MAPPED, 0);
        for (size_t i = 0; i < ARRAY_SIZE(grefs); i++) {
                use(c, grefs[i], GRANT_HIT, 0);
                assert_int_equal(fake_mapped_gref(grefs[i]), 1);
        }
        destroy_and_balance(c);
}

static void idle_rule_takes_only_what_was_unused_so_long(void **state)
{
        struct grant_cache *c = make(8);

        use(c, 1, GRANT_MAPPED, 1000);
        use(c, 2, GRANT_MAPPED, 2000);
        use(c, 3, GRANT_MAPPED, 3000);
        assert_int_equal(grant_cache_evict(c, 4999, 4000, 100), 0);
        assert_int_equal(grant_cache_evict(c, 5000, 4000, 100), 1);
        assert_int_equal(fake_mapped_gref(1), 0);
        assert_int_equal(fake_mapped_gref(2), 1);
        /* No rule, no eviction; nor if the clock runs behind. */
        assert_int_equal(grant_cache_evict(c, 1000000, 0, 100), 0);
        assert_int_equal(grant_cache_evict(c, 0, 1, 100), 0);
        assert_int_equal(grant_cache_evict(c, 1000000, 10, 1), 1);
        assert_int_equal(stats_of(c).evicted_idle, 2);
        assert_int_equal(stats_of(c).evicted_lru, 0);
        assert_int_equal(stats_of(c).kept, 1);
        destroy_and_balance(c);
}

static void lru_goes_first_and_use_makes_young(void **state)
{
        struct grant_cache *c = make(4);
        struct grant_page *p;

        for (uint32_t g = 0; g < 4; g++)
                use(c, g, GRANT_MAPPED, g);
        use(c, 0, GRANT_HIT, 10); /* now 1 is the oldest */
        assert_int_equal(grant_cache_acquire(c, 9, &p), GRANT_OVER_LIMIT);
        assert_int_equal(grant_cache_evict(c, 11, 0, 100), 1);
        assert_int_equal(fake_mapped_gref(1), 0);
        assert_int_equal(fake_mapped_gref(0), 1);
        use(c, 9, GRANT_MAPPED, 12);
        assert_int_equal(stats_of(c).evicted_lru, 1);
        destroy_and_balance(c);
}

static void without_an_overflow_nothing_makes_room(void **state)
{
        struct grant_cache *c = make(2);

        use(c, 0, GRANT_MAPPED, 0);
        use(c, 1, GRANT_MAPPED, 0);
        assert_int_equal(grant_cache_evict(c, 100, 0, 100), 0);
        /* One overflow is paid for once. */
        use(c, 2, GRANT_OVER_LIMIT, 0);
        assert_int_equal(grant_cache_evict(c, 100, 0, 100), 1);
        assert_int_equal(grant_cache_evict(c, 100, 0, 100), 0);
        destroy_and_balance(c);
}

static void share_is_5_percent_and_bounded(void **state)
{
        struct grant_cache *c = make(200);

        for (uint32_t g = 0; g < 200; g++)
                use(c, g, GRANT_MAPPED, 0);
        use(c, 999, GRANT_OVER_LIMIT, 0);
        assert_int_equal(grant_cache_evict(c, 1, 0, 1000), 10);
        for (uint32_t g = 0; g < 10; g++)
                assert_int_equal(fake_mapped_gref(g), 0);
        for (uint32_t g = 0; g < 10; g++)
                use(c, g, GRANT_MAPPED, 2);
        use(c, 999, GRANT_OVER_LIMIT, 0);
        assert_int_equal(grant_cache_evict(c, 1, 0, 3), 3);
        destroy_and_balance(c);
}

static void held_pages_are_never_evicted(void **state)
{
        struct grant_cache *c = make(3);
        struct grant_page *held;

        assert_int_equal(grant_cache_acquire(c, 1, &held), GRANT_MAPPED);
        use(c, 2, GRANT_MAPPED, 0);
        use(c, 3, GRANT_MAPPED, 0);
        use(c, 4, GRANT_OVER_LIMIT, 0);
        assert_int_equal(grant_cache_evict(c, 1000000, 1, 100), 2);
        assert_int_equal(grant_cache_shrink(c, 100), 0);
        assert_int_equal(fake_mapped_gref(1), 1);
        ((uint8_t *)held->page)[0] = 1;
        grant_cache_release(c, held, 0);
        assert_int_equal(grant_cache_shrink(c, 100), 1);
        destroy_and_balance(c);
}

/* I/O of what was just in use may hold the page a moment longer. */
static void what_was_just_in_use_stays(void **state)
{
        struct grant_cache *c = make(2);

        grant_cache_set_settle(c, 50);
        use(c, 1, GRANT_MAPPED, 100);
        use(c, 2, GRANT_MAPPED, 110);
        use(c, 3, GRANT_OVER_LIMIT, 0);
        assert_int_equal(grant_cache_evict(c, 149, 1, 100), 0);
        assert_int_equal(grant_cache_evict(c, 159, 1, 100), 1);
        assert_int_equal(fake_mapped_gref(1), 0);
        assert_int_equal(grant_cache_shrink(c, 100), 0);
        use(c, 4, GRANT_MAPPED, 160);
        assert_int_equal(grant_cache_shrink(c, 100), 1);
        assert_int_equal(fake_mapped_gref(2), 0);
        assert_int_equal(fake_mapped_gref(4), 1);
        destroy_and_balance(c);
}

static void a_clock_that_goes_back_keeps_nothing(void **state)
{
        struct grant_cache *c = make(2);

        use(c, 1, GRANT_MAPPED, 100);
        use(c, 2, GRANT_MAPPED, 40);
        use(c, 3, GRANT_OVER_LIMIT, 0);
        assert_int_equal(grant_cache_evict(c, 50, 0, 100), 1);
        assert_int_equal(fake_mapped_gref(1), 0);
        assert_int_equal(grant_cache_shrink(c, 100), 1);
        destroy_and_balance(c);
}

static void shrink_takes_the_oldest_n(void **state)
{
        struct grant_cache *c = make(5);

        for (uint32_t g = 0; g < 5; g++)
                use(c, g, GRANT_MAPPED, g);
        assert_int_equal(grant_cache_shrink(c, 2), 2);
        assert_int_equal(fake_mapped_gref(0) + fake_mapped_gref(1), 0);
        assert_int_equal(fake_mapped_gref(2), 1);
        assert_int_equal(stats_of(c).evicted_lru, 2);
        assert_int_equal(stats_of(c).kept, 3);
        assert_int_equal(stats_of(c).kept_high, 5);
        destroy_and_balance(c);
}

static void destroy_unmaps_all_also_what_is_held(void **state)
{
        struct grant_cache *c = make(3);
        struct grant_page *held;

        use(c, 1, GRANT_MAPPED, 0);
        use(c, 2, GRANT_MAPPED, 0);
        assert_int_equal(grant_cache_acquire(c, 3, &held), GRANT_MAPPED);
        destroy_and_balance(c);
        assert_int_equal(fake.count.unmap_calls, 3);
        grant_cache_destroy(NULL);
}

static void released_twice_is_on_the_list_once(void **state)
{
        struct grant_cache *c = make(2);
        struct grant_page *p;

        assert_int_equal(grant_cache_acquire(c, 1, &p), GRANT_MAPPED);
        grant_cache_release(c, p, 0);
        grant_cache_release(c, p, 0);
        assert_int_equal(stats_of(c).held, 0);
        assert_int_equal(grant_cache_shrink(c, 9), 1);
        destroy_and_balance(c);
}

static void fresh_grefs_for_ever_stay_under_the_cap(void **state)
{
        struct grant_cache *c = make(352);
        uint64_t now = 0;

        for (uint32_t g = 0; g < 100000; g++) {
                struct grant_page *p;

                if (grant_cache_acquire(c, g * 2654435761u, &p) == GRANT_MAPPED)
                        grant_cache_release(c, p, now);
                if (g % 1000 == 0)
                        grant_cache_evict(c, ++now, 0, 64);
                assert_true(fake_mapped() <= 352);
        }
        assert_int_equal(stats_of(c).kept_high, 352);
        destroy_and_balance(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(second_use_is_a_hit_and_maps_nothing),
                cmocka_unit_test(maps_writable_from_the_right_domain),
                cmocka_unit_test(
                        over_limit_maps_nothing_and_keeps_the_warm_ones),
                cmocka_unit_test(cap_0_keeps_nothing),
                cmocka_unit_test(gref_in_flight_twice_is_in_use),
                cmocka_unit_test(failed_map_changes_nothing),
                cmocka_unit_test(extreme_grefs_are_different_grefs),
                cmocka_unit_test(idle_rule_takes_only_what_was_unused_so_long),
                cmocka_unit_test(lru_goes_first_and_use_makes_young),
                cmocka_unit_test(without_an_overflow_nothing_makes_room),
                cmocka_unit_test(share_is_5_percent_and_bounded),
                cmocka_unit_test(held_pages_are_never_evicted),
                cmocka_unit_test(what_was_just_in_use_stays),
                cmocka_unit_test(a_clock_that_goes_back_keeps_nothing),
                cmocka_unit_test(shrink_takes_the_oldest_n),
                cmocka_unit_test(destroy_unmaps_all_also_what_is_held),
                cmocka_unit_test(released_twice_is_on_the_list_once),
                cmocka_unit_test(fresh_grefs_for_ever_stay_under_the_cap),
        };

        return cmocka_run_group_tests_name("grant cache", tests, NULL, NULL);
}
