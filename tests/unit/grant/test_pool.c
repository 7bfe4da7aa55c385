/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "fake_xen.h"
#include "grant/pool.h"

#define DOMID 3

static struct grant_pool *make(uint32_t max_pages, uint32_t platform_limit)
{
        struct grant_pool *p;

        fake_reset();
        fake.share_limit = platform_limit;
        assert_int_equal(grant_pool_create(&p, fake_shares(), DOMID, max_pages),
                         0);
        assert_int_equal(fake.share_attempts, 0);
        return p;
}

static void destroy_and_balance(struct grant_pool *p)
{
        grant_pool_destroy(p);
        assert_int_equal(fake.shared_pages, 0);
        assert_int_equal(fake.share_calls, fake.unshare_calls);
        assert_int_equal(fake.misuse, 0);
}

static struct grant_pool_stats stats_of(struct grant_pool *p)
{
        struct grant_pool_stats s;

        grant_pool_stats(p, &s);
        return s;
}

static void give_all(struct grant_pool *p, struct pool_page **pages, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                grant_pool_give(p, pages[i], false);
}

static void depth_1_uses_one_gref_for_ever(void **state)
{
        struct grant_pool *p = make(1056, 100000);
        struct pool_page *page;
        uint32_t gref = 0;

        for (int i = 0; i < 1000; i++) {
                assert_int_equal(grant_pool_take(p, 1, &page), 0);
                if (i == 0)
                        gref = page->gref;
                assert_int_equal(page->gref, gref);
                grant_pool_give(p, page, false);
        }
        assert_int_equal(stats_of(p).share_calls, 1);
        assert_int_equal(stats_of(p).taken_high, 1);
        assert_true(fake.last_writable);
        assert_int_equal(fake.last_domid, DOMID);
        destroy_and_balance(p);
}

static void hot_pages_are_used_before_new_ones(void **state)
{
        struct grant_pool *p = make(1056, 100000);
        struct pool_page *few[20], *many[40];
        unsigned again = 0;

        assert_int_equal(grant_pool_take(p, 20, few), 0);
        give_all(p, few, 20);
        assert_int_equal(grant_pool_take(p, 40, many), 0);
        for (unsigned i = 0; i < 20; i++)
                for (unsigned j = 0; j < 20; j++)
                        again += many[i] == few[j];
        assert_int_equal(again, 20);
        give_all(p, many, 40);
        destroy_and_balance(p);
}

static void steady_state_shares_nothing(void **state)
{
        struct grant_pool *p = make(1056, 100000);
        struct pool_page *pages[300];
        uint64_t shares;

        assert_int_equal(grant_pool_take(p, 300, pages), 0);
        give_all(p, pages, 300);
        shares = stats_of(p).share_calls;
        assert_int_equal(fake.largest_share, GRANT_POOL_CHUNK_PAGES);
        for (int i = 0; i < 100; i++) {
                assert_int_equal(grant_pool_take(p, 1 + i * 2, pages), 0);
                give_all(p, pages, 1 + i * 2);
        }
        assert_int_equal(stats_of(p).share_calls, shares);
        assert_int_equal(stats_of(p).unshare_calls, 0);
        destroy_and_balance(p);
}

static void pages_are_distinct_and_granted_once(void **state)
{
        struct grant_pool *p = make(200, 100000);
        struct pool_page *pages[200];

        assert_int_equal(grant_pool_take(p, 200, pages), 0);
        for (int i = 0; i < 200; i++) {
                for (int j = 0; j < i; j++) {
                        assert_int_not_equal(pages[i]->gref, pages[j]->gref);
                        assert_ptr_not_equal(pages[i]->page, pages[j]->page);
                }
        }
        give_all(p, pages, 200);
        destroy_and_balance(p);
}

static void bound_is_exact_and_asks_to_wait(void **state)
{
        struct grant_pool *p = make(50, 100000);
        struct pool_page *a[50], *b[1];

        assert_int_equal(grant_pool_take(p, 49, a), 0);
        assert_int_equal(grant_pool_take(p, 2, b), -EAGAIN);
        assert_int_equal(grant_pool_take(p, 1, a + 49), 0);
        assert_int_equal(grant_pool_take(p, 1, b), -EAGAIN);
        assert_int_equal(stats_of(p).pages, 50);
        assert_int_equal(stats_of(p).taken, 50);
        assert_int_equal(stats_of(p).empty, 2);
        grant_pool_give(p, a[7], false);
        assert_int_equal(grant_pool_take(p, 1, b), 0);
        assert_ptr_equal(b[0], a[7]);
        give_all(p, a, 50);
        destroy_and_balance(p);
}

static void more_than_the_bound_never_fits(void **state)
{
        struct grant_pool *p = make(10, 100000);
        struct pool_page *pages[11];

        assert_int_equal(grant_pool_take(p, 11, pages), -ENOSPC);
        assert_int_equal(fake.share_attempts, 0);
        assert_int_equal(grant_pool_take(p, 10, pages), 0);
        give_all(p, pages, 10);
        destroy_and_balance(p);
}

static void smaller_chunks_where_the_platform_is_short(void **state)
{
        /* 32 + 16 + 4 + 2 + 1 is all of the 55 pages that there are. */
        struct grant_pool *p = make(1000, 55);
        struct pool_page *pages[55], *one;

        assert_int_equal(grant_pool_take(p, 55, pages), 0);
        assert_int_equal(stats_of(p).pages, 55);
        assert_int_equal(stats_of(p).share_calls, 5);
        /* None left: but these pages will come back. */
        assert_int_equal(grant_pool_take(p, 1, &one), -EAGAIN);
        give_all(p, pages, 55);
        assert_int_equal(grant_pool_take(p, 56, pages), -ENOSPC);
        assert_int_equal(stats_of(p).taken, 0);
        destroy_and_balance(p);
}

static void refused_platform_is_asked_again_but_not_always(void **state)
{
        struct grant_pool *p = make(1000, 8);
        struct pool_page *pages[8], *one;
        uint64_t attempts;

        assert_int_equal(grant_pool_take(p, 8, pages), 0);
        assert_int_equal(grant_pool_take(p, 1, &one), -EAGAIN);
        attempts = fake.share_attempts;
        for (int i = 0; i < 63; i++)
                assert_int_equal(grant_pool_take(p, 1, &one), -EAGAIN);
        assert_int_equal(fake.share_attempts, attempts);
        fake.share_limit = 1000;
        assert_int_equal(grant_pool_take(p, 1, &one), 0);
        give_all(p, pages, 8);
        destroy_and_balance(p);
}

static void nothing_granted_at_all_is_no_space(void **state)
{
        struct grant_pool *p = make(1000, 0);
        struct pool_page *one;

        for (int i = 0; i < 3; i++)
                assert_int_equal(grant_pool_take(p, 1, &one), -ENOSPC);
        /* Too small for anybody: then every taker asks the platform. */
        fake.share_limit = 1;
        assert_int_equal(grant_pool_take(p, 1, &one), 0);
        assert_true(stats_of(p).share_failures >= 3);
        destroy_and_balance(p);
}

static void trim_gives_back_only_idle_chunks(void **state)
{
        struct grant_pool *p = make(1000, 1000);
        struct pool_page *pages[96], *some[64];

        assert_int_equal(grant_pool_take(p, 96, pages), 0);
        for (int i = 0; i < 96; i++)
                if (i != 40) /* in the second chunk */
                        grant_pool_give(p, pages[i], false);
        assert_int_equal(grant_pool_trim(p, 96), 0);
        assert_int_equal(grant_pool_trim(p, 95), 32);
        assert_int_equal(grant_pool_trim(p, 0), 32);
        assert_int_equal(stats_of(p).pages, 32);
        assert_int_equal(fake.shared_pages, 32);
        /* What is left of the free list belongs to the chunk that stays. */
        assert_int_equal(grant_pool_take(p, 31, some), 0);
        for (int i = 0; i < 31; i++) {
                bool of_that_chunk = false;

                for (int j = 32; j < 64; j++)
                        of_that_chunk |= some[i] == pages[j];
                assert_true(of_that_chunk);
        }
        assert_int_equal(stats_of(p).pages, 32);
        assert_int_equal(grant_pool_trim(p, 0), 0);
        give_all(p, some, 31);
        grant_pool_give(p, pages[40], false);
        assert_int_equal(grant_pool_trim(p, 0), 32);
        assert_int_equal(grant_pool_take(p, 2, some), 0);
        give_all(p, some, 2);
        destroy_and_balance(p);
}

static void wipe_leaves_no_old_byte(void **state)
{
        struct grant_pool *p = make(32, 1000);
        struct pool_page *page;

        assert_int_equal(grant_pool_take(p, 1, &page), 0);
        for (unsigned i = 0; i < GRANT_PAGE_BYTES; i++)
                assert_int_equal(page->page[i], 0);
        page->page[0] = page->page[GRANT_PAGE_BYTES - 1] = 0x5a;
        grant_pool_give(p, page, false);
        assert_int_equal(grant_pool_take(p, 1, &page), 0);
        assert_int_equal(page->page[0], 0x5a);
        grant_pool_give(p, page, true);
        assert_int_equal(page->page[0], 0);
        assert_int_equal(page->page[GRANT_PAGE_BYTES - 1], 0);
        destroy_and_balance(p);
}

static void given_twice_is_free_once(void **state)
{
        struct grant_pool *p = make(2, 1000);
        struct pool_page *pages[2];

        assert_int_equal(grant_pool_take(p, 2, pages), 0);
        grant_pool_give(p, pages[0], false);
        grant_pool_give(p, pages[0], false);
        assert_int_equal(stats_of(p).taken, 1);
        assert_int_equal(grant_pool_take(p, 1, pages), 0);
        assert_int_equal(grant_pool_take(p, 1, pages), -EAGAIN);
        destroy_and_balance(p);
}

static void destroy_takes_back_what_is_taken(void **state)
{
        struct grant_pool *p = make(64, 1000);
        struct pool_page *pages[40];

        assert_int_equal(grant_pool_take(p, 40, pages), 0);
        destroy_and_balance(p);
        grant_pool_destroy(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(depth_1_uses_one_gref_for_ever),
                cmocka_unit_test(hot_pages_are_used_before_new_ones),
                cmocka_unit_test(steady_state_shares_nothing),
                cmocka_unit_test(pages_are_distinct_and_granted_once),
                cmocka_unit_test(bound_is_exact_and_asks_to_wait),
                cmocka_unit_test(more_than_the_bound_never_fits),
                cmocka_unit_test(smaller_chunks_where_the_platform_is_short),
                cmocka_unit_test(
                        refused_platform_is_asked_again_but_not_always),
                cmocka_unit_test(nothing_granted_at_all_is_no_space),
                cmocka_unit_test(trim_gives_back_only_idle_chunks),
                cmocka_unit_test(wipe_leaves_no_old_byte),
                cmocka_unit_test(given_twice_is_free_once),
                cmocka_unit_test(destroy_takes_back_what_is_taken),
        };

        return cmocka_run_group_tests_name("grant pool", tests, NULL, NULL);
}
