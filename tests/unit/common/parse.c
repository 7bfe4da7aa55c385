/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "common/parse.h"

#include <errno.h>

static void plain_numbers_are_taken(void **state)
{
        uint64_t v;

        assert_int_equal(parse_u64("0", 10, &v), 0);
        assert_int_equal(v, 0);
        assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &v), 0);
        assert_true(v == UINT64_MAX);
        assert_int_equal(parse_u64("10", 10, &v), 0);
}

static void other_numbers_are_refused(void **state)
{
        static const char *const bad[] = {"",     " 1", "1 ",  "+1", "-1",
                                          "0x10", "1k", "1.5", "a",  "1\n"};
        uint64_t v = 77;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(parse_u64(bad[i], UINT64_MAX, &v), -EINVAL);
        assert_int_equal(parse_u64("11", 10, &v), -ERANGE);
        assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &v),
                         -ERANGE);
        assert_int_equal(parse_u64("99999999999999999999999", UINT64_MAX, &v),
                         -ERANGE);
        assert_int_equal(v, 77);
}

static void sizes_have_units_of_1024(void **state)
{
        static const struct {
                const char *text;
                uint64_t bytes;
        } good[] = {
                {"512", 512},
                {"1k", 1024},
                {"1K", 1024},
                {"64M", 64ull << 20},
                {"2g", 2ull << 30},
                {"1T", 1ull << 40},
                {"16777215T", 16777215ull << 40},
        };
        uint64_t v;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(parse_size(good[i].text, &v), 0);
                assert_true(v == good[i].bytes);
        }
}

static void bad_sizes_are_refused(void **state)
{
        uint64_t v;

        assert_int_equal(parse_size("16777216T", &v), -ERANGE);
        assert_int_equal(parse_size("1P", &v), -EINVAL);
        assert_int_equal(parse_size("1kk", &v), -EINVAL);
        assert_int_equal(parse_size("1kB", &v), -EINVAL);
        assert_int_equal(parse_size("k", &v), -EINVAL);
        assert_int_equal(parse_size("", &v), -EINVAL);
        assert_int_equal(parse_size("-1k", &v), -EINVAL);
}

static void sizes_are_written_in_the_largest_unit(void **state)
{
        char text[32];

        assert_string_equal(format_size(text, sizeof(text), 0), "0");
        assert_string_equal(format_size(text, sizeof(text), 512), "512");
        assert_string_equal(format_size(text, sizeof(text), 1536), "1536");
        assert_string_equal(format_size(text, sizeof(text), 64 << 20), "64M");
        assert_string_equal(format_size(text, sizeof(text), 1ull << 50),
                            "1024T");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_numbers_are_taken),
                cmocka_unit_test(other_numbers_are_refused),
                cmocka_unit_test(sizes_have_units_of_1024),
                cmocka_unit_test(bad_sizes_are_refused),
                cmocka_unit_test(sizes_are_written_in_the_largest_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
