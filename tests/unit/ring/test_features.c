/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "ring/features.h"

/* A directory with a few nodes; name[i] NULL ends it. */
struct dir {
        struct {
                const char *name;
                uint64_t value;
        } node[32];
        unsigned n;
        int fail_at; /* this write fails, from 1 */
};

static int dir_write(void *arg, const char *name, uint64_t value)
{
        struct dir *d = arg;

        if (d->fail_at && (int)d->n + 1 == d->fail_at)
                return -EACCES;
        d->node[d->n].name = name;
        d->node[d->n].value = value;
        d->n++;
        return 0;
}

static int dir_read(void *arg, const char *name, uint64_t max, uint64_t absent,
                    uint64_t *value)
{
        struct dir *d = arg;

        *value = absent;
        for (unsigned i = 0; i < d->n; i++)
                if (strcmp(d->node[i].name, name) == 0)
                        *value = d->node[i].value;
        if (*value != absent && *value > max)
                return -EINVAL;
        return 0;
}

static bool has(const struct dir *d, const char *name, uint64_t value)
{
        for (unsigned i = 0; i < d->n; i++)
                if (strcmp(d->node[i].name, name) == 0)
                        return d->node[i].value == value;
        return false;
}

static void backend_writes_every_feature_also_as_0(void **state)
{
        static const char *const booleans[] = {
                "feature-persistent", "feature-flush-cache", "feature-barrier",
                "feature-discard",    "discard-secure",
        };
        uint64_t v[BLK_BACK_KEYS];
        struct dir d = {.n = 0};

        blk_keys_defaults(blk_back_keys, BLK_BACK_KEYS, v);
        v[BLK_BACK_SECTORS] = 2048;
        v[BLK_BACK_SECTOR_BYTES] = 512;
        assert_int_equal(blk_keys_write(blk_back_keys, BLK_BACK_KEYS,
                                        BLK_KEY_ANY, v, dir_write, &d),
                         0);
        assert_int_equal(d.n, BLK_BACK_KEYS);
        for (size_t i = 0; i < ARRAY_SIZE(booleans); i++)
                assert_true(has(&d, booleans[i], 0));
        assert_true(has(&d, "multi-queue-max-queues", 1));
        assert_true(has(&d, "max-ring-page-order", 0));
        assert_true(has(&d, "feature-max-indirect-segments", 0));
        assert_true(has(&d, "sectors", 2048));
        assert_true(has(&d, "info", 0));
}

static void booleans_are_written_as_1(void **state)
{
        uint64_t v[BLK_BACK_KEYS] = {0};
        struct dir d = {.n = 0};

        v[BLK_BACK_PERSISTENT] = 77;
        assert_int_equal(blk_keys_write(blk_back_keys, BLK_BACK_KEYS,
                                        BLK_KEY_ANY, v, dir_write, &d),
                         0);
        assert_true(has(&d, "feature-persistent", 1));
}

static void what_a_frontend_negotiates_on_is_early(void **state)
{
        uint64_t v[BLK_BACK_KEYS] = {0};
        struct dir d = {.n = 0};

        assert_int_equal(blk_keys_write(blk_back_keys, BLK_BACK_KEYS,
                                        BLK_KEY_EARLY, v, dir_write, &d),
                         0);
        assert_true(has(&d, "max-ring-page-order", 0));
        assert_true(has(&d, "multi-queue-max-queues", 0));
        assert_true(has(&d, "feature-max-indirect-segments", 0));
        assert_true(has(&d, "feature-persistent", 0));
        assert_false(has(&d, "sectors", 0));
}

static void absent_keys_take_their_defaults(void **state)
{
        struct dir d = {
                .node = {{"sectors", 100}, {"sector-size", 4096}},
                .n = 2,
        };
        uint64_t v[BLK_BACK_KEYS];

        assert_int_equal(blk_keys_read(blk_back_keys, BLK_BACK_KEYS, v,
                                       dir_read, &d, NULL),
                         0);
        assert_int_equal(v[BLK_BACK_SECTORS], 100);
        assert_int_equal(v[BLK_BACK_SECTOR_BYTES], 4096);
        /* These two stand for the logical block if absent. */
        assert_int_equal(v[BLK_BACK_PHYSICAL_SECTOR_BYTES], 4096);
        assert_int_equal(v[BLK_BACK_DISCARD_GRANULARITY], 4096);
        assert_int_equal(v[BLK_BACK_PERSISTENT], 0);
        assert_int_equal(v[BLK_BACK_MAX_QUEUES], 1);
        assert_int_equal(v[BLK_BACK_MAX_RING_ORDER], 0);
}

static void required_keys_must_be_there(void **state)
{
        struct dir d = {.node = {{"sector-size", 512}}, .n = 1};
        uint64_t v[BLK_BACK_KEYS], f[BLK_FRONT_KEYS];
        const char *failed = NULL;

        assert_int_equal(blk_keys_read(blk_back_keys, BLK_BACK_KEYS, v,
                                       dir_read, &d, &failed),
                         -ENOENT);
        assert_string_equal(failed, "sectors");
        d.n = 0;
        assert_int_equal(blk_keys_read(blk_front_keys, BLK_FRONT_KEYS, f,
                                       dir_read, &d, &failed),
                         -ENOENT);
        assert_string_equal(failed, "ring-ref");
}

static void bounds_are_enforced_both_ways(void **state)
{
        struct dir d = {
                .node = {{"feature-persistent", 2},
                         {"sectors", 1},
                         {"sector-size", 512}},
                .n = 3,
        };
        uint64_t v[BLK_BACK_KEYS] = {0};
        const char *failed = NULL;

        assert_int_equal(blk_keys_read(blk_back_keys, BLK_BACK_KEYS, v,
                                       dir_read, &d, &failed),
                         -EINVAL);
        assert_string_equal(failed, "feature-persistent");
        d.n = 0;
        v[BLK_BACK_SECTORS] = UINT64_MAX - 1;
        assert_int_equal(blk_keys_write(blk_back_keys, BLK_BACK_KEYS,
                                        BLK_KEY_ANY, v, dir_write, &d),
                         -ERANGE);
}

static void failed_write_stops(void **state)
{
        struct dir d = {.fail_at = 3};
        uint64_t v[BLK_BACK_KEYS] = {0};

        assert_int_equal(blk_keys_write(blk_back_keys, BLK_BACK_KEYS,
                                        BLK_KEY_ANY, v, dir_write, &d),
                         -EACCES);
        assert_int_equal(d.n, 2);
}

static void tables_are_complete(void **state)
{
        for (unsigned i = 0; i < BLK_BACK_KEYS; i++) {
                assert_non_null(blk_back_keys[i].name);
                assert_non_null(blk_back_keys[i].meaning);
                assert_true(blk_back_keys[i].absent_from <= i);
        }
        for (unsigned i = 0; i < BLK_FRONT_KEYS; i++) {
                assert_non_null(blk_front_keys[i].name);
                assert_true(blk_front_keys[i].absent_from <= i);
        }
}

static void one_page_ring_has_no_number(void **state)
{
        char name[16];

        assert_string_equal(blk_ring_ref_name(name, sizeof(name), 0, 0),
                            "ring-ref");
        assert_string_equal(blk_ring_ref_name(name, sizeof(name), 1, 0),
                            "ring-ref0");
        assert_string_equal(blk_ring_ref_name(name, sizeof(name), 4, 15),
                            "ring-ref15");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(backend_writes_every_feature_also_as_0),
                cmocka_unit_test(booleans_are_written_as_1),
                cmocka_unit_test(what_a_frontend_negotiates_on_is_early),
                cmocka_unit_test(absent_keys_take_their_defaults),
                cmocka_unit_test(required_keys_must_be_there),
                cmocka_unit_test(bounds_are_enforced_both_ways),
                cmocka_unit_test(failed_write_stops),
                cmocka_unit_test(tables_are_complete),
                cmocka_unit_test(one_page_ring_has_no_number),
        };

        return cmocka_run_group_tests_name("feature keys", tests, NULL, NULL);
}
