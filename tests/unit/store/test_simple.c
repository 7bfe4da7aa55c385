/* SPDX-License-Identifier: MIT */
/* Targets, and null. */
#include "rig.h"

#include <errno.h>
#include <string.h>

static void unknown_drivers_are_refused_and_those_there_are_named(void **state)
{
        static const char *const targets[] = {
                "foo:bar",        "nbd://host/x", "nbd+unix:///x?socket=/y",
                "rbd:pool/image", "RAM:64M",      "image:with-colon",
        };

        for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
                rig_refused(*state, targets[i], false, -EPROTONOSUPPORT,
                            "driver \"");
                rig_refused(*state, targets[i], false, -EPROTONOSUPPORT,
                            "ram:SIZE, null:SIZE");
        }
        rig_refused(*state, "nbd://x", false, -EPROTONOSUPPORT,
                    "this version has no driver \"nbd:\"");
        rig_refused(*state, "foo:bar", false, -EPROTONOSUPPORT,
                    "unknown driver \"foo:\"");
        rig_refused(*state, "", false, -EINVAL, "empty");
}

static void bad_sizes_are_refused(void **state)
{
        rig_refused(*state, "ram:", false, -EINVAL, "not a size");
        rig_refused(*state, "ram:x", false, -EINVAL, "not a size");
        rig_refused(*state, "null:64Q", false, -EINVAL, "not a size");
        rig_refused(*state, "null:-1", false, -EINVAL, "not a size");
        rig_refused(*state, "ram:0", false, -EINVAL, "zero");
        rig_refused(*state, "ram:1000", false, -EINVAL,
                    "multiple of 512; the next one is 1024");
        rig_refused(*state, "null:8388608T", false, -ERANGE, "too large");
        rig_refused(*state, "null:99999999T", false, -ERANGE, "too large");
        rig_refused(*state, "ram:4000000T", false, -ENOMEM, "smaller");
}

static void null_reads_zeroes_and_drops_writes(void **state)
{
        struct rig *r = *state;
        uint8_t buf[1024], zero[1024] = {0};
        struct store_info info;

        rig_open(r, "null:1T");
        store_info(r->s, &info);
        assert_true(info.size_bytes == 1ull << 40);
        assert_false(info.can_flush || info.can_discard || info.readonly);
        assert_string_equal(store_driver(r->s), "null");
        assert_int_equal(store_keep_fd(r->s), -1);
        assert_false(store_is_direct(r->s));
        memset(buf, 7, sizeof(buf));
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 1024), 0);
        assert_int_equal(buf[0], 7);
        assert_int_equal(rig_do(r, STORE_READ, (1ull << 40) - 1024, buf, 1024),
                         0);
        assert_memory_equal(buf, zero, 1024);
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), 0);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 1024), -EOPNOTSUPP);
}

static void read_only_disks_are_never_written(void **state)
{
        struct rig *r = *state;
        uint8_t buf[512] = {0};
        struct store_info info;
        struct err e;

        rig_open_readonly(r, "ram:1M");
        store_info(r->s, &info);
        assert_true(info.readonly);
        assert_false(info.can_discard);
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 512), -EROFS);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 512), -EROFS);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 512), 0);
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), 0);
        assert_int_equal(store_resize(r->s, 2 << 20, &e), -EROFS);
}

static void resize_checks_the_size(void **state)
{
        struct rig *r = *state;
        struct store_info info;
        struct err e;

        rig_open(r, "null:1M");
        assert_int_equal(store_resize(r->s, 0, &e), -EINVAL);
        assert_int_equal(store_resize(r->s, 1000, &e), -EINVAL);
        assert_int_equal(store_resize(r->s, 4096, &e), 0);
        store_info(r->s, &info);
        assert_true(info.size_bytes == 4096);
}

static void closing_nothing_is_no_harm(void **state)
{
        store_close(NULL);
        store_queue_close(NULL);
}

const struct CMUnitTest simple_tests[] = {
        ONE_WAY(unknown_drivers_are_refused_and_those_there_are_named),
        ONE_WAY(bad_sizes_are_refused),
        ONE_WAY(null_reads_zeroes_and_drops_writes),
        ONE_WAY(read_only_disks_are_never_written),
        ONE_WAY(resize_checks_the_size),
        ONE_WAY(closing_nothing_is_no_harm),
};
const size_t simple_tests_n = ARRAY_SIZE(simple_tests);
