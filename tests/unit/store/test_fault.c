/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "store/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_one(struct rig *r)
{
        uint8_t buf[512];

        return rig_do(r, STORE_READ, 0, buf, 512);
}

static int write_one(struct rig *r)
{
        uint8_t buf[512] = {1};

        return rig_do(r, STORE_WRITE, 0, buf, 512);
}

static void the_named_request_fails_and_no_other(void **state)
{
        struct rig *r = *state;

        rig_open(r, "fault:read-error=EIO@3,write-error=ENOSPC@2+:ram:1M");
        assert_string_equal(store_driver(r->s), "fault");
        assert_true(store_keep_fd(r->s) >= 0);
        for (int i = 1; i <= 5; i++) {
                assert_int_equal(read_one(r), i == 3 ? -EIO : 0);
                assert_int_equal(write_one(r), i >= 2 ? -ENOSPC : 0);
        }
}

static void ranges_and_all_kinds_are_counted(void **state)
{
        struct rig *r = *state;

        rig_open(r, "fault:error=ENOMEM@2-3,flush-error=EROFS:null:1M");
        assert_int_equal(read_one(r), 0);
        assert_int_equal(write_one(r), -ENOMEM);
        assert_int_equal(read_one(r), -ENOMEM);
        assert_int_equal(write_one(r), 0);
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), -EROFS);
        rig_open(r, "fault:discard-error=EOPNOTSUPP@1:ram:1M");
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 65536), -EOPNOTSUPP);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 65536), 0);
}

static void a_failed_write_does_not_reach_the_disk(void **state)
{
        struct rig *r = *state;
        uint8_t buf[512];

        rig_open(r, "fault:write-error=EIO:ram:1M");
        assert_int_equal(write_one(r), -EIO);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 512), 0);
        assert_int_equal(buf[0], 0);
}

static void slow_has_not_ended(struct io *io)
{
        struct io *slow = io->arg;

        assert_int_equal(slow->calls, 0);
}

static void delays_delay_and_order_by_when_they_are_due(void **state)
{
        struct rig *r = *state;
        struct io slow = {.req = {.op = STORE_FLUSH}}, fast = slow;
        uint8_t buf[512];
        uint64_t start_ms;

        rig_open(r, "fault:flush-delay-ms=30,read-delay-ms=5,"
                    "read-error=EIO:null:1M");
        fast.req = (struct store_req){
                .op = STORE_READ, .len_bytes = 512, .niov = 1};
        fast.iov[0] = (struct iovec){buf, 512};
        fast.then = slow_has_not_ended;
        fast.arg = &slow;
        for (int round = 0; round < 2; round++) {
                start_ms = loop_now_ms(r->l);
                slow.calls = 0;
                rig_submit(r, round ? &slow : &fast);
                rig_submit(r, round ? &fast : &slow);
                assert_int_equal(r->pending, 2);
                rig_wait(r);
                assert_int_equal(fast.calls, 1);
                assert_int_equal(fast.error, -EIO);
                assert_int_equal(slow.error, 0);
                assert_true(loop_now_ms(r->l) - start_ms >= 30);
        }
}

static void many_delayed_requests_all_end(void **state)
{
        struct rig *r = *state;

        rig_open(r, "fault:write-delay-ms=1,read-delay-ms=2@5+:ram:1M");
        rig_random_io(r, 1000, 7, false);
}

static void bad_rules_are_refused(void **state)
{
        static const char *const bad[] = {
                "read-error",
                "read-error=",
                "read-error=EWHAT",
                "error=EIO@0",
                "error=EIO@",
                "error=EIO@x",
                "error=EIO@5-3",
                "error=EIO@1+2",
                "sync-error=EIO",
                "delay-ms=x",
                "delay-ms=3600001",
                "delay=5",
                "=",
                "@",
                "read@3=EIO",
                "error=EIO,,error=EIO",
                "error=EIO@1000000000000000000000000000000000000000000000000",
        };
        char target[200];

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                snprintf(target, sizeof(target), "fault:%s:null:1M", bad[i]);
                rig_refused(*state, target, false, -EINVAL, "is no rule");
        }
        rig_refused(*state, "fault:error=EIO", false, -EINVAL,
                    "fault:RULES:TARGET");
        rig_refused(*state,
                    "fault:delay-ms=1,delay-ms=1,delay-ms=1,delay-ms=1,"
                    "delay-ms=1,delay-ms=1,delay-ms=1,delay-ms=1,delay-ms=1,"
                    "delay-ms=1,delay-ms=1,delay-ms=1,delay-ms=1,delay-ms=1,"
                    "delay-ms=1,delay-ms=1,delay-ms=1:null:1M",
                    false, -E2BIG, "more than 16");
        rig_refused(*state, "fault::foo:x", false, -EPROTONOSUPPORT,
                    "unknown driver");
        rig_refused(*state, "fault:delay-ms=1:ram:7", false, -EINVAL, "512");
}

static void no_rules_change_nothing(void **state)
{
        struct rig *r = *state;
        struct store_info info;
        struct err e;

        rig_open(r, "fault::ram:1M");
        assert_int_equal(store_resize(r->s, 2 << 20, &e), 0);
        store_info(r->s, &info);
        assert_int_equal(info.size_bytes, 2 << 20);
        rig_random_io(r, 1000, 8, false);
}

const struct CMUnitTest fault_tests[] = {
        ONE_WAY(the_named_request_fails_and_no_other),
        ONE_WAY(ranges_and_all_kinds_are_counted),
        ONE_WAY(a_failed_write_does_not_reach_the_disk),
        ALL_WAYS(delays_delay_and_order_by_when_they_are_due),
        ALL_WAYS(many_delayed_requests_all_end),
        ONE_WAY(bad_rules_are_refused),
        ONE_WAY(no_rules_change_nothing),
};
const size_t fault_tests_n = ARRAY_SIZE(fault_tests);
