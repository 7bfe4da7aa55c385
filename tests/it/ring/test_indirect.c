/* SPDX-License-Identifier: MIT */
/* Indirect requests, and T-IND and H7: descriptor pages that lie. */
#include "rig.h"

#include <stdlib.h>
#include <unistd.h>

#define MOST 256u

static const struct connect_opts persistent = {.persistent = true};
static const char *const modes[] = {"persistent", "map", "copy"};

struct set {
        struct guest *g;
        struct page data[MOST + 1], table[1];
};

static struct set *set_create(const char *mode)
{
        struct set *s = calloc(1, sizeof(*s));
        char opts[64];

        snprintf(opts, sizeof(opts), "--grants %s", mode);
        s->g = guest_create("ram:16M", opts);
        guest_connect(s->g, persistent);
        for (unsigned i = 0; i < MOST; i++)
                guest_page(s->g, &s->data[i], true);
        s->data[MOST] = s->data[0];
        guest_page(s->g, &s->table[0], true);
        return s;
}

static void set_destroy(struct set *s)
{
        guest_destroy(s->g);
        free(s);
}

static int io(struct set *s, enum blk_op op, uint64_t sector, unsigned n)
{
        uint64_t id, want = guest_put_indirect(s->g, op, sector, s->data, n,
                                               s->table);
        int status;

        guest_kick(s->g);
        status = guest_answer(s->g, &id);
        assert_int_equal(id, want);
        return status;
}

static void round_trip(struct set *s, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                memset(s->data[i].bytes, (int)(i * 7 + n), 4096);
        assert_int_equal(io(s, BLK_WRITE, 16, n), BLK_OKAY);
        for (unsigned i = 0; i < n; i++)
                memset(s->data[i].bytes, 0xee, 4096);
        assert_int_equal(io(s, BLK_READ, 16, n), BLK_OKAY);
        for (unsigned i = 0; i < n; i++)
                for (unsigned at = 0; at < 4096; at += 1023)
                        assert_int_equal(s->data[i].bytes[at],
                                         (uint8_t)(i * 7 + n));
}

static void every_size_works_in_every_mode(void **state)
{
        static const unsigned sizes[] = {1, 2, 11, 12, 32, 255, 256};

        for (unsigned m = 0; m < 3; m++) {
                struct set *s = set_create(modes[m]);

                for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
                        round_trip(s, sizes[i]);
                set_destroy(s);
        }
}

/* The descriptor page shares the cache: warm requests map nothing. */
static void descriptor_pages_are_kept_like_data(void **state)
{
        struct set *s = set_create("persistent");
        struct account before, after;

        round_trip(s, 64);
        before = guest_account(s->g);
        round_trip(s, 64);
        after = guest_account(s->g);
        assert_int_equal(after.map_pages, before.map_pages);
        assert_int_equal(after.unmap_pages, before.unmap_pages);
        assert_int_equal(guest_counter(s->g, "kept"), 65);
        assert_int_equal(gref_pins(s->g, s->table[0].gref, false), 1);
        set_destroy(s);
}

static void map_mode_lets_go_of_descriptors_too(void **state)
{
        struct set *s = set_create("map");
        struct account a;

        round_trip(s, 20);
        a = guest_account(s->g);
        assert_int_equal(a.mapped, 1); /* the ring */
        assert_int_equal(a.map_pages - 1, a.unmap_pages);
        assert_int_equal(a.map_pages - 1, 2 * 21);
        set_destroy(s);
}

/* Many large ones in flight in copy mode: they wait for bounce blocks, and all
 * are answered. */
static void large_copies_queue_and_all_are_answered(void **state)
{
        struct set *s = set_create("copy");

        for (unsigned i = 0; i < 32; i++)
                guest_put_indirect(s->g, BLK_WRITE, 0, s->data, MOST, s->table);
        guest_kick(s->g);
        for (unsigned i = 0; i < 32; i++)
                assert_int_equal(guest_answer(s->g, NULL), BLK_OKAY);
        set_destroy(s);
}

static void too_many_segments_are_an_error(void **state)
{
        struct set *s = set_create("persistent");

        assert_int_equal(io(s, BLK_WRITE, 0, MOST + 1), BLK_ERROR);
        round_trip(s, 3);
        set_destroy(s);
}

/* Each descriptor is judged by the copy, with the same rules as a direct one;
 * the data of the others stays where it was. */
static void bad_descriptors_fail_the_request_only(void **state)
{
        for (unsigned m = 0; m < 3; m++) {
                struct set *s = set_create(modes[m]);
                uint8_t *at;
                uint64_t id;

                round_trip(s, 40);
                for (unsigned bad = 0; bad < 4; bad++) {
                        id = guest_put_indirect(s->g, BLK_READ, 16, s->data, 40,
                                                s->table);
                        at = s->table[0].bytes + (size_t)39 * 8;
                        if (bad == 0)
                                at[5] = 8; /* past the page */
                        if (bad == 1)
                                at[4] = 5, at[5] = 4;
                        if (bad == 2)
                                memset(at, 0xff, 4); /* no such gref */
                        if (bad == 3)
                                at[5] = 255;
                        guest_kick(s->g);
                        assert_int_equal(guest_answer(s->g, &id), BLK_ERROR);
                }
                round_trip(s, 40);
                assert_int_equal(guest_account(s->g).mapped, m == 0 ? 42 : 1);
                set_destroy(s);
        }
}

static void a_revoked_descriptor_page_is_an_error(void **state)
{
        for (unsigned m = 0; m < 3; m++) {
                struct set *s = set_create(modes[m]);
                struct page real = s->table[0], gone;

                guest_page(s->g, &gone, true);
                s->table[0].bytes = real.bytes;
                s->table[0].gref = 31000;
                assert_int_equal(io(s, BLK_WRITE, 0, 20), BLK_ERROR);
                s->table[0] = real;
                round_trip(s, 20);
                guest_unshare(s->g, &gone);
                set_destroy(s);
        }
}

/* The descriptor page as its own data page, the ring's page as a data page's
 * neighbour: odd, and harmless. */
static void a_descriptor_page_may_be_a_data_page(void **state)
{
        for (unsigned m = 0; m < 3; m++) {
                struct set *s = set_create(modes[m]);
                struct page first = s->data[0];

                s->data[0] = s->table[0];
                assert_int_equal(io(s, BLK_WRITE, 0, 15), BLK_OKAY);
                s->data[0] = first;
                round_trip(s, 15);
                set_destroy(s);
        }
}

static void inner_operations_are_read_and_write_only(void **state)
{
        static const enum blk_op inner[] = {BLK_FLUSH, BLK_BARRIER, BLK_DISCARD,
                                            BLK_INDIRECT, 255};
        struct set *s = set_create("persistent");

        for (unsigned i = 0; i < ARRAY_SIZE(inner); i++) {
                int status = io(s, inner[i], 0, 20);

                assert_true(status == BLK_ERROR || status == BLK_EOPNOTSUPP);
        }
        round_trip(s, 20);
        set_destroy(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_size_works_in_every_mode),
                cmocka_unit_test(descriptor_pages_are_kept_like_data),
                cmocka_unit_test(map_mode_lets_go_of_descriptors_too),
                cmocka_unit_test(large_copies_queue_and_all_are_answered),
                cmocka_unit_test(too_many_segments_are_an_error),
                cmocka_unit_test(bad_descriptors_fail_the_request_only),
                cmocka_unit_test(a_revoked_descriptor_page_is_an_error),
                cmocka_unit_test(a_descriptor_page_may_be_a_data_page),
                cmocka_unit_test(inner_operations_are_read_and_write_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
