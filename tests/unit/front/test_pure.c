/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "front/front.h"

static void plan_takes_at_most_eleven_pages(void **state)
{
        unsigned n;

        assert_int_equal(front_part_plan(1 << 20, 0, 11, &n), 45056);
        assert_int_equal(n, 11);
        assert_int_equal(front_part_plan(45056, 0, 11, &n), 45056);
        assert_int_equal(n, 11);
        assert_int_equal(front_part_plan(512, 0, 11, &n), 512);
        assert_int_equal(n, 1);
        assert_int_equal(front_part_plan(4608, 0, 11, &n), 4608);
        assert_int_equal(n, 2);
}

static void plan_counts_the_pages_that_an_offset_touches(void **state)
{
        unsigned n;

        assert_int_equal(front_part_plan(4096, 512, 11, &n), 4096);
        assert_int_equal(n, 2);
        assert_int_equal(front_part_plan(1 << 20, 3584, 11, &n), 45056 - 3584);
        assert_int_equal(n, 11);
        assert_int_equal(front_part_plan(512, 4096 * 3 + 3584, 11, &n), 512);
        assert_int_equal(n, 1);
}

static void plan_obeys_a_smaller_number_of_pages(void **state)
{
        unsigned n;

        assert_int_equal(front_part_plan(1 << 20, 0, 2, &n), 8192);
        assert_int_equal(n, 2);
}

static void cursor_walks_pieces_of_any_size(void **state)
{
        uint8_t from[9000], to[9000], p0[4096], p1[4096], p2[4096];
        uint8_t *mem[] = {p0, p1, p2};
        struct iovec src[] = {{from, 1},        {from + 1, 0},
                              {from + 1, 4999}, {from + 5000, 3},
                              {from + 5003, 0}, {from + 5003, 3997}};
        struct iovec dst[] = {{to, 4097}, {to + 4097, 1}, {to + 4098, 4902}};
        struct front_cursor c;

        for (size_t i = 0; i < sizeof(from); i++)
                from[i] = (uint8_t)(i * 7 + i / 256);
        memset(to, 0, sizeof(to));
        front_cursor_init(&c, src, 0);
        for (unsigned elsewhere = 0; elsewhere < 2; elsewhere++) {
                memset(p0, 0, 4096);
                memset(p1, 0, 4096);
                memset(p2, 0, 4096);
                front_cursor_to_pages(c, mem, 0, 9000, elsewhere);
                assert_memory_equal(p0, from, 4096);
                assert_memory_equal(p1, from + 4096, 4096);
                assert_memory_equal(p2, from + 8192, 808);
        }
        front_cursor_init(&c, dst, 0);
        front_cursor_from_pages(c, mem, 0, 9000);
        assert_memory_equal(to, from, 9000);
}

static void cursor_starts_in_the_middle(void **state)
{
        uint8_t from[1024], p0[4096] = {0};
        uint8_t *mem[] = {p0};
        struct iovec src[] = {{from, 100}, {from + 100, 924}};
        struct front_cursor c;

        for (size_t i = 0; i < sizeof(from); i++)
                from[i] = (uint8_t)i;
        front_cursor_init(&c, src, 90);
        front_cursor_to_pages(c, mem, 0, 512, false);
        assert_memory_equal(p0, from + 90, 512);
        assert_int_equal(p0[512], 0);
        front_cursor_skip(&c, 20);
        front_cursor_to_pages(c, mem, 0, 1, false);
        assert_int_equal(p0[0], 110);
}

static void iov_sum_is_checked(void **state)
{
        struct iovec v[] = {{NULL, SIZE_MAX}, {NULL, 2}};
        struct iovec zero = {NULL, 0};
        uint64_t bytes;

        assert_true(front_iov_bytes(v, 2, &bytes) < 0);
        assert_true(front_iov_bytes(&zero, 1, &bytes) < 0);
        assert_true(front_iov_bytes(NULL, 1, &bytes) < 0);
        assert_true(front_iov_bytes(NULL, 0, &bytes) < 0);
        v[0].iov_len = 510;
        assert_int_equal(front_iov_bytes(v, 2, &bytes), 0);
        assert_int_equal(bytes, 512);
}

static void shadow_gives_each_slot_once(void **state)
{
        static struct front_shadow s;
        struct front_part p[4] = {{.ring_index = 7},
                                  {.ring_index = 5},
                                  {.ring_index = UINT32_MAX},
                                  {.ring_index = 6}};
        bool used[4] = {false};

        front_shadow_init(&s, 4);
        for (int i = 0; i < 4; i++) {
                int slot = front_shadow_put(&s, &p[i]);

                assert_in_range(slot, 0, 3);
                assert_false(used[slot]);
                used[slot] = true;
        }
        assert_int_equal(front_shadow_put(&s, &p[0]), -1);
        /* In ring order, wrap-around included. */
        assert_ptr_equal(front_shadow_oldest(&s), &p[2]);
        assert_ptr_equal(front_shadow_oldest(&s), &p[1]);
        assert_ptr_equal(front_shadow_oldest(&s), &p[3]);
        assert_ptr_equal(front_shadow_oldest(&s), &p[0]);
        assert_null(front_shadow_oldest(&s));
        assert_int_equal(s.used, 0);
        for (int i = 0; i < 4; i++)
                assert_true(front_shadow_put(&s, &p[i]) >= 0);
}

static void shadow_matches_only_an_outstanding_request(void **state)
{
        static struct front_shadow s;
        struct front_part p = {.ring_index = 10, .wire_op = BLK_WRITE};
        struct blk_response good = {.op = BLK_WRITE}, r;
        const uint64_t ids[] = {0, 31, 32, UINT32_MAX, UINT64_MAX};
        const char *why = NULL;

        front_shadow_init(&s, 32);
        good.id = (uint64_t)front_shadow_put(&s, &p);
#define REFUSED(change, pushed)                                        \
        do {                                                           \
                r = good;                                              \
                change;                                                \
                why = NULL;                                            \
                assert_null(front_shadow_match(&s, &r, pushed, &why)); \
                assert_non_null(why);                                  \
        } while (0)
        REFUSED(r.id = 32, 11);
        REFUSED(r.id = UINT64_MAX, 11);
        REFUSED(r.id |= 1ull << 32, 11);
        REFUSED(r.id ^= 1, 11);
        REFUSED(r.op = BLK_READ, 11);
        REFUSED(r.status = 1, 11);
        REFUSED(r.status = -3, 11);
        REFUSED(r.status = 32767, 11);
        REFUSED((void)0, 10); /* not published yet */
        /* A hint takes all of these, and changes nothing. */
        for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
                r.id = ids[i];
                front_shadow_expect(&s, &r);
        }
        assert_ptr_equal(front_shadow_match(&s, &good, 11, &why), &p);
        REFUSED((void)0, 11); /* twice */
}

static void only_parts_of_many_pages_have_lists(void **state)
{
        struct eg_disk d = {.part_segs = 256};
        struct front_part *p = front_part_alloc(&d);

        assert_int_equal(front_part_lists(&d, p, FRONT_FEW_PAGES), 0);
        assert_ptr_equal(p->segs, p->few.segs);
        assert_null(p->many);
        assert_int_equal(front_part_lists(&d, p, FRONT_FEW_PAGES + 1), 0);
        assert_non_null(p->many);
        p->mem[256] = NULL;
        p->pages[256] = NULL;
        p->segs[255].gref = 7;
        assert_ptr_not_equal(p->segs, p->few.segs);
        /* They stay with it. */
        front_part_free(&d, p);
        assert_ptr_equal(front_part_alloc(&d), p);
        assert_non_null(p->many);
        assert_int_equal(front_part_lists(&d, p, 256), 0);
        assert_int_equal(p->segs[255].gref, 7);
        front_part_free(&d, p);
        front_parts_free(&d);
}

static void options_have_sane_defaults_and_bounds(void **state)
{
        struct eg_options o;
        struct err e;

        memset(&o, 0xff, sizeof(o));
        eg_options_init(&o);
        assert_int_equal(o.pool_pages, 1056);
        assert_true(o.persistent);
        assert_false(o.share_per_request);
        assert_int_equal(front_options_check(&o, &e), 0);
        o.ring_order = 5;
        assert_true(front_options_check(&o, &e) < 0);
        o.ring_order = 4;
        o.pool_pages = 21;
        assert_true(front_options_check(&o, &e) < 0);
        o.pool_pages = 65537;
        assert_true(front_options_check(&o, &e) < 0);
        o.pool_pages = 22;
        o.reserved[3] = 1;
        assert_true(front_options_check(&o, &e) < 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plan_takes_at_most_eleven_pages),
                cmocka_unit_test(plan_counts_the_pages_that_an_offset_touches),
                cmocka_unit_test(plan_obeys_a_smaller_number_of_pages),
                cmocka_unit_test(cursor_walks_pieces_of_any_size),
                cmocka_unit_test(cursor_starts_in_the_middle),
                cmocka_unit_test(iov_sum_is_checked),
                cmocka_unit_test(shadow_gives_each_slot_once),
                cmocka_unit_test(shadow_matches_only_an_outstanding_request),
                cmocka_unit_test(only_parts_of_many_pages_have_lists),
                cmocka_unit_test(options_have_sane_defaults_and_bounds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
