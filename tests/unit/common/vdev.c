/* SPDX-License-Identifier: MIT */
/* The numbers are those of xen-vbd-interface(7). */
#include "test.h"

#include "common/vdev.h"

#include <errno.h>

static const struct {
        const char *name;
        uint32_t vdev;
} pairs[] = {
        {"xvda", 51712},
        {"xvda1", 51713},
        {"xvdb", 51728},
        {"xvdp15", 202 << 8 | 15 << 4 | 15},
        {"xvda16", 1u << 28 | 16},
        {"xvdq", 1u << 28 | 16 << 8},
        {"xvdz", 1u << 28 | 25 << 8},
        {"xvdaa", 1u << 28 | 26 << 8},
        {"xvdaz3", 1u << 28 | 51 << 8 | 3},
        {"xvdba", 1u << 28 | 52 << 8},
};

static void names_and_numbers_agree(void **state)
{
        char name[32];
        uint32_t vdev;

        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                assert_int_equal(vdev_parse(pairs[i].name, &vdev), 0);
                assert_int_equal(vdev, pairs[i].vdev);
                assert_string_equal(vdev_name(name, sizeof(name), vdev),
                                    pairs[i].name);
        }
}

static void every_xvd_name_comes_back(void **state)
{
        char name[32];
        uint32_t vdev;

        for (uint32_t disk = 0; disk < 1u << 20; disk += 1 + disk / 100) {
                uint32_t want =
                        disk < 16 ? 202 << 8 | disk << 4 : 1u << 28 | disk << 8;

                vdev_name(name, sizeof(name), want);
                if (vdev_parse(name, &vdev) == 0)
                        assert_int_equal(vdev, want);
                else /* five letters */
                        assert_true(disk > 26 + 26 * 26);
        }
}

static void other_ways_to_say_it_are_taken(void **state)
{
        static const struct {
                const char *text;
                uint32_t vdev;
        } good[] = {
                {"51712", 51712},     {"0xca00", 51712},
                {"d0p1", 51713},      {"hda", 3 << 8},
                {"hdb", 3 << 8 | 64}, {"hdc1", 22 << 8 | 1},
                {"sda3", 8 << 8 | 3}, {"sdb", 8 << 8 | 16},
        };
        uint32_t vdev;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(vdev_parse(good[i].text, &vdev), 0);
                assert_int_equal(vdev, good[i].vdev);
        }
}

static void nonsense_is_refused(void **state)
{
        static const char *const bad[] = {
                "",          "xvd",    "xvda0",  "xvda256",
                "xvdA",      "xvd1",   "xvda1x", "xvdaaaaa",
                "hde",       "sdq",    "sda16",  "hda64",
                "disk",      "51712x", "d0",     "99999999999",
                "/dev/xvda",
        };
        uint32_t vdev;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(vdev_parse(bad[i], &vdev), -EINVAL);
}

static void numbers_without_a_name_stay_numbers(void **state)
{
        char name[32];

        assert_string_equal(vdev_name(name, sizeof(name), 768), "768");
        assert_string_equal(vdev_name(name, sizeof(name), 0), "0");
        assert_string_equal(vdev_name(name, sizeof(name), UINT32_MAX),
                            "4294967295");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_and_numbers_agree),
                cmocka_unit_test(every_xvd_name_comes_back),
                cmocka_unit_test(other_ways_to_say_it_are_taken),
                cmocka_unit_test(nonsense_is_refused),
                cmocka_unit_test(numbers_without_a_name_stay_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
