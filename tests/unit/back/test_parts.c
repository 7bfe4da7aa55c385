/* SPDX-License-Identifier: MIT */
/* The pieces that need no queue: histogram, rule, modes, the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs what is above */
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "back/back.h"
#include "back/bounce.h"
#include "back/control.h"
#include "common/latency.h"
#include "fake_xen.h"

static void buckets_cover_all_values_in_order(void **state)
{
        unsigned last = 0;

        for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
                uint64_t max = latency_bucket_max_ns(b);

                assert_int_equal(latency_bucket(max), b);
                if (b + 1 < LATENCY_BUCKETS)
                        assert_int_equal(latency_bucket(max + 1), b + 1);
        }
        for (unsigned shift = 0; shift < 64; shift++) {
                unsigned b = latency_bucket(1ull << shift);

                assert_true(b >= last && b < LATENCY_BUCKETS);
                last = b;
        }
        assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void a_bucket_is_right_to_a_sixteenth(void **state)
{
        for (uint64_t v = 16; v < 1ull << 34; v = v * 5 / 4 + 1) {
                uint64_t max = latency_bucket_max_ns(latency_bucket(v));

                assert_true(max >= v && max - v <= v / 16);
        }
}

static void quantiles_are_where_they_belong(void **state)
{
        uint64_t h[LATENCY_BUCKETS] = {0};

        assert_int_equal(latency_quantile_ns(h, 500), 0);
        for (uint64_t v = 1; v <= 1000; v++)
                h[latency_bucket(v * 1000)]++;
        assert_int_equal(latency_count(h), 1000);
        assert_in_range(latency_quantile_ns(h, 500), 500000, 532000);
        assert_in_range(latency_quantile_ns(h, 990), 990000, 1053000);
        assert_in_range(latency_quantile_ns(h, 999), 999000, 1063000);
        assert_in_range(latency_quantile_ns(h, 0), 1000, 1063);
        assert_true(latency_quantile_ns(h, 1000) >= 1000000);
}

static void modes_parse_as_they_are_named(void **state)
{
        enum back_grants g;

        for (unsigned i = BACK_AUTO; i <= BACK_COPY; i++) {
                const char *name = back_grants_name((enum back_grants)i);

                assert_int_equal(back_grants_parse(name, &g), 0);
                assert_int_equal(g, i);
        }
        assert_int_equal(back_grants_parse("Map", &g), -EINVAL);
        assert_int_equal(back_grants_parse("", &g), -EINVAL);
        assert_string_equal(back_grants_name((enum back_grants)9), "unknown");
}

static void without_shares_the_rule_is_what_xen_measured(void **state)
{
        struct back_rule r;

        fake_reset();
        back_rule_measure(&r, 0);
        assert_false(r.measured);
        assert_int_equal(r.copy_up_to_segs, 11);
        assert_true(r.copy_base_ns + r.copy_seg_ns * 11 <
                    r.map_base_ns + r.map_seg_ns * 11);
}

static void with_shares_the_rule_is_measured_and_cleans_up(void **state)
{
        struct back_rule r;
        struct fake_totals t;

        fake_reset();
        fake_shares_work(true);
        back_rule_measure(&r, 0);
        assert_true(r.measured);
        assert_true(r.map_base_ns + r.map_seg_ns > 0);
        assert_true(r.copy_up_to_segs <= 11);
        for (unsigned n = 1; n <= r.copy_up_to_segs; n++)
                assert_true(r.copy_base_ns + n * r.copy_seg_ns <=
                            r.map_base_ns + n * r.map_seg_ns);
        if (r.copy_up_to_segs < 11)
                assert_true(r.copy_base_ns +
                                    (r.copy_up_to_segs + 1) * r.copy_seg_ns >
                            r.map_base_ns +
                                    (r.copy_up_to_segs + 1) * r.map_seg_ns);
        t = fake_totals();
        assert_true(t.map_calls > 2 && t.copy_calls > 2);
        assert_int_equal(t.map_calls, t.unmap_calls);
        assert_int_equal(t.mapped_pages, 0);
        assert_int_equal(t.handles, 0);
}

static void a_failing_map_falls_back_to_constants(void **state)
{
        struct back_rule r;

        fake_reset();
        fake_shares_work(true);
        fake_map_enomem(3);
        back_rule_measure(&r, 0);
        assert_false(r.measured);
        assert_int_equal(r.copy_up_to_segs, 11);
        assert_int_equal(fake_totals().handles, 0);
}

static void blocks_are_bounded_and_come_back(void **state)
{
        struct bounce b;
        void *got[3];

        assert_int_equal(bounce_init(&b, 3, 3 * GRANT_PAGE_BYTES), 0);
        assert_true(bounce_available(&b));
        for (unsigned i = 0; i < 3; i++) {
                got[i] = bounce_take(&b);
                assert_non_null(got[i]);
                memset(got[i], (int)i, 3 * GRANT_PAGE_BYTES);
        }
        assert_null(bounce_take(&b));
        assert_false(bounce_available(&b));
        bounce_give(&b, got[1]);
        assert_ptr_equal(bounce_take(&b), got[1]);
        bounce_release(&b);
        bounce_release(&b);
}

struct note {
        struct back_control_work work;
        char *log;
        char what;
};

static void take_note(void *arg)
{
        struct note *n = arg;

        n->log[strlen(n->log)] = n->what;
        free(n);
}

static void the_control_thread_hears_in_order_and_once(void **state)
{
        char log[8] = "";
        struct pollfd p = {.events = POLLIN};

        assert_int_equal(back_control_init(), 0);
        p.fd = back_control_fd();
        assert_int_equal(poll(&p, 1, 0), 0);
        for (char c = 'a'; c < 'd'; c++) {
                struct note *n = calloc(1, sizeof(*n));

                *n = (struct note){{take_note, n, NULL}, log, c};
                back_control_post(&n->work);
        }
        assert_int_equal(poll(&p, 1, 0), 1);
        back_control_run();
        assert_string_equal(log, "abc");
        assert_int_equal(poll(&p, 1, 0), 0);
        back_control_run();
        assert_string_equal(log, "abc");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(buckets_cover_all_values_in_order),
                cmocka_unit_test(a_bucket_is_right_to_a_sixteenth),
                cmocka_unit_test(quantiles_are_where_they_belong),
                cmocka_unit_test(modes_parse_as_they_are_named),
                cmocka_unit_test(without_shares_the_rule_is_what_xen_measured),
                cmocka_unit_test(
                        with_shares_the_rule_is_measured_and_cleans_up),
                cmocka_unit_test(a_failing_map_falls_back_to_constants),
                cmocka_unit_test(blocks_are_bounded_and_come_back),
                cmocka_unit_test(the_control_thread_hears_in_order_and_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
