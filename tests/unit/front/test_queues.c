/* SPDX-License-Identifier: MIT */
/* Several rings a disk. */
#include "harness.h"

#include <poll.h>
#include <stdio.h>

#define PAGE 4096u

static uint8_t mem[2 << 20];
static struct probe p[256];

static struct eg_disk *open_queues(const char *max, unsigned queues,
                                   unsigned order)
{
        struct eg_options o = quiet_options();

        if (max)
                fake_set(FAKE_B "/multi-queue-max-queues", max);
        o.queues = queues;
        o.ring_order = order;
        return open_disk(&o);
}

static void each_ring_has_a_directory(void **state)
{
        struct eg_disk *d;
        struct eg_info i;

        /* What others left. */
        fake_set(FAKE_F "/ring-ref", "77");
        fake_set(FAKE_F "/ring-ref3", "77");
        fake_set(FAKE_F "/event-channel", "77");
        fake_set(FAKE_F "/queue-9/ring-ref", "77");
        fake_set(FAKE_F "/multi-queue-num-queues", "10");
        d = open_queues("4", 8, 0);
        eg_info(d, &i);
        assert_int_equal(i.queues, 4);
        assert_string_equal(fake_get(FAKE_F "/multi-queue-num-queues"), "4");
        for (unsigned q = 0; q < 10; q++) {
                char ref[100], port[100];

                snprintf(ref, sizeof(ref), FAKE_F "/queue-%u/ring-ref", q);
                snprintf(port, sizeof(port), FAKE_F "/queue-%u/event-channel",
                         q);
                assert_int_equal(!fake_get(ref), q >= 4);
                assert_int_equal(!fake_get(port), q >= 4);
        }
        assert_null(fake_get(FAKE_F "/ring-ref"));
        assert_null(fake_get(FAKE_F "/ring-ref3"));
        assert_null(fake_get(FAKE_F "/event-channel"));
        assert_null(fake_get(FAKE_F "/ring-page-order"));
        assert_non_null(fake_get(FAKE_F "/protocol"));
        assert_non_null(fake_get(FAKE_F "/feature-persistent"));
        eg_close(d);
}

static void larger_rings_have_their_order_at_the_top(void **state)
{
        struct eg_disk *d = open_queues("2", 2, 2);

        assert_string_equal(fake_get(FAKE_F "/ring-page-order"), "2");
        assert_non_null(fake_get(FAKE_F "/queue-1/ring-ref3"));
        assert_null(fake_get(FAKE_F "/queue-1/ring-ref"));
        assert_null(fake_get(FAKE_F "/queue-1/ring-ref4"));
        assert_null(fake_get(FAKE_F "/queue-1/ring-page-order"));
        eg_close(d);
}

static void number_is_agreed(void **state)
{
        static const struct {
                const char *max;
                unsigned option, queues;
        } rows[] = {
                {NULL, 4, 1},         {"1", 4, 1},
                {"0", 4, 1},          {"4", 1, 1},
                {"2", 4, 2},          {"4", 2, 2},
                {"16", 16, 16},       {"4294967295", 16, 16},
                {"4294967296", 4, 1}, {"x", 4, 1},
                {"-3", 4, 1},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct eg_disk *d;
                struct eg_info info;

                fake_reset();
                d = open_queues(rows[i].max, rows[i].option, 0);
                eg_info(d, &info);
                assert_int_equal(info.queues, rows[i].queues);
                assert_int_equal(fake.queues, rows[i].queues);
                if (rows[i].queues == 1) {
                        assert_null(fake_get(FAKE_F "/multi-queue-num-queues"));
                        assert_non_null(fake_get(FAKE_F "/ring-ref"));
                        assert_null(fake_get(FAKE_F "/queue-0/ring-ref"));
                }
                assert_int_equal(eg_pwrite(d, mem, PAGE, 0), 0);
                eg_close(d);
                fake_check_clean();
        }
}

static void silly_numbers_are_refused(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;

        o.queues = 0;
        assert_int_equal(eg_open(&d, "xvda", &o), -EINVAL);
        o.queues = 17;
        assert_int_equal(eg_open(&d, "xvda", &o), -EINVAL);
}

static void submit_pages(struct eg_disk *d, enum eg_op op, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(
                        eg_submit(d, probe_io(&p[i], op, mem + i * PAGE, PAGE,
                                              i * PAGE)),
                        0);
        eg_kick(d);
}

static void check_done(unsigned n, int error)
{
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(p[i].calls, 1);
                assert_int_equal(p[i].error, error);
        }
}

static void load_spreads_over_all_rings(void **state)
{
        struct eg_disk *d = open_queues("4", 4, 0);
        struct eg_stats s;

        fake.hold = true;
        paint(mem, 200 * PAGE, 3);
        submit_pages(d, EG_WRITE, 200);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 4 * 32);
        assert_int_equal(s.waiting, 200 - 4 * 32);
        for (unsigned done = 0; done < 200;) {
                int ran;

                assert_true(fake_serve(~0u, true) > 0);
                ran = eg_process(d);
                assert_true(ran > 0);
                done += (unsigned)ran;
        }
        check_done(200, 0);
        for (unsigned q = 0; q < 4; q++)
                assert_true(fake.taken_of[q] >= 32);
        paint(mem, 200 * PAGE, 3);
        assert_memory_equal(fake.disk, mem, 200 * PAGE);
        eg_close(d);
}

/* S13: what one ring can do stays on its few pages. */
static void light_load_stays_on_one_ring(void **state)
{
        struct eg_disk *d = open_queues("4", 4, 0);

        for (int i = 0; i < 20; i++)
                assert_int_equal(eg_pwrite(d, mem, PAGE, 0), 0);
        assert_int_equal(fake.taken_of[0], 20);
        assert_int_equal(fake.grefs_seen, 1);
        eg_close(d);
}

/* A backend that keeps what it maps would map it once for each ring. */
static void page_stays_on_its_ring(void **state)
{
        struct eg_disk *d = open_queues("4", 4, 0);

        fake.hold = true;
        for (int round = 0; round < 6; round++) {
                submit_pages(d, EG_READ, 100 + (unsigned)round * 5);
                while (fake_serve(7, round & 1))
                        assert_true(eg_process(d) >= 0);
        }
        assert_int_equal(fake.wandered, 0);
        assert_in_range(fake.grefs_seen, 100, 128);
        eg_close(d);
}

/* Each ring has a pool of its own, with the bound of one. */
static void bound_of_the_pool_is_each_rings(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_stats s;
        struct eg_disk *d;

        fake_set(FAKE_B "/multi-queue-max-queues", "3");
        o.queues = 3;
        o.pool_pages = 24;
        d = open_disk(&o);
        fake.hold = true;
        submit_pages(d, EG_READ, 100);
        eg_stats(d, &s);
        assert_int_equal(s.pool_taken, 3 * 24);
        assert_int_equal(s.inflight, 3 * 24);
        while (fake_serve(~0u, false))
                assert_true(eg_process(d) >= 0);
        check_done(100, 0);
        assert_int_equal(fake.live_pages_high, 3 * 24 + 3);
        eg_close(d);
}

static void platform_that_serves_one_pool_is_enough(void **state)
{
        struct eg_disk *d = open_queues("4", 4, 0);

        fake.max_shares = 4 + 40;
        fake.hold = true;
        submit_pages(d, EG_READ, 100);
        while (fake_serve(~0u, false))
                assert_true(eg_process(d) >= 0);
        check_done(100, 0);
        eg_close(d);
}

static void each_rings_events_are_heard(void **state)
{
        struct eg_disk *d = open_queues("4", 4, 0);

        fake.hold = true;
        for (int round = 0; round < 3; round++) {
                submit_pages(d, EG_READ, 4);
                for (unsigned q = 4; q-- > 0;) {
                        struct pollfd f = {.fd = eg_fd(d), .events = POLLIN};
                        struct blk_request r;

                        assert_true(fake_take_on(q, &r));
                        fake_answer_on(q, r.id, r.wire_op, BLK_OKAY);
                        fake_push_on(q);
                        assert_int_equal(poll(&f, 1, 0), 1);
                        assert_int_equal(eg_process(d), 1);
                        assert_int_equal(poll(&f, 1, 0), 0);
                }
                check_done(4, 0);
        }
        eg_close(d);
}

/* T-BADRSP: each ring's ids are its own. */
static void answer_on_another_ring_ends_the_disk(void **state)
{
        struct eg_disk *d = open_queues("2", 2, 0);
        struct blk_request r;

        fake.hold = true;
        submit_pages(d, EG_READ, 3); /* two on ring 0, one on ring 1 */
        assert_true(fake_take_on(0, &r));
        assert_true(fake_take_on(0, &r));
        fake_answer_on(1, r.id, r.wire_op, BLK_OKAY);
        fake_push_on(1);
        assert_int_equal(eg_process(d), 3);
        check_done(3, -EIO);
        assert_int_equal(eg_process(d), -EIO);
        assert_int_equal(fake.live_pages, 0);
        eg_close(d);
}

static void storm_on_all_ports_does_no_harm(void **state)
{
        struct eg_disk *d = open_queues("4", 4, 0);
        struct eg_stats s;

        for (int i = 0; i < 500; i++) {
                for (unsigned q = 0; q < 4; q++)
                        fake_event_on(q);
                assert_int_equal(eg_process(d), 0);
        }
        eg_stats(d, &s);
        assert_int_equal(s.events, 2000);
        assert_int_equal(eg_pwrite(d, mem, PAGE, 0), 0);
        eg_close(d);
}

static void come_back(const char *max)
{
        fake_back_away(XENBUS_CLOSED);
        fake_set(FAKE_B "/multi-queue-max-queues", max);
        fake_back_state(XENBUS_INIT_WAIT);
}

static void unanswered_requests_move_to_other_rings(void **state)
{
        static const char *const max[] = {"1", "3", "16", "2"};
        struct eg_disk *d = open_queues("4", 4, 0);
        struct eg_stats s;

        fake.hold = true;
        paint(mem, 150 * PAGE, 3);
        submit_pages(d, EG_WRITE, 150);
        memset(mem, 0, 150 * PAGE); /* is ours again */
        for (size_t i = 0; i < ARRAY_SIZE(max); i++) {
                fake_serve(11, false);
                come_back(max[i]);
                for (int j = 0; j < 8; j++)
                        assert_true(eg_process(d) >= 0);
        }
        assert_int_equal(fake.queues, 2);
        while (fake_serve(~0u, false))
                assert_true(eg_process(d) >= 0);
        eg_stats(d, &s);
        assert_int_equal(s.reconnects, ARRAY_SIZE(max));
        assert_int_equal(s.inflight, 0);
        check_done(150, 0);
        paint(mem, 150 * PAGE, 3);
        assert_memory_equal(fake.disk, mem, 150 * PAGE);
        eg_close(d);
}

static void buffers_io_is_on_their_ring(void **state)
{
        struct eg_disk *d = open_queues("3", 3, 0);
        struct eg_buf *buf[3];
        struct blk_request r;

        fake.hold = true;
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(eg_buf_alloc(d, 4 * PAGE, &buf[i]), 0);
        for (unsigned i = 3; i-- > 0;) {
                for (unsigned n = 0; n < 2; n++) {
                        probe_io(&p[n], EG_READ, NULL, 0, 0);
                        p[n].io.buf = buf[i];
                        p[n].io.buf_offset_bytes = n * 2 * PAGE;
                        p[n].io.length_bytes = 2 * PAGE;
                        assert_int_equal(eg_submit(d, &p[n].io), 0);
                }
                eg_kick(d);
                assert_true(fake_take_on(i, &r));
                fake_answer_on(i, r.id, r.wire_op, BLK_OKAY);
                assert_true(fake_take_on(i, &r));
                fake_answer_on(i, r.id, r.wire_op, BLK_OKAY);
                fake_push_on(i);
                assert_int_equal(eg_process(d), 2);
        }
        for (unsigned i = 0; i < 3; i++)
                eg_buf_free(d, buf[i]);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(each_ring_has_a_directory),
                T(larger_rings_have_their_order_at_the_top),
                T(number_is_agreed),
                T(silly_numbers_are_refused),
                T(load_spreads_over_all_rings),
                T(light_load_stays_on_one_ring),
                T(page_stays_on_its_ring),
                T(bound_of_the_pool_is_each_rings),
                T(platform_that_serves_one_pool_is_enough),
                T(each_rings_events_are_heard),
                T(answer_on_another_ring_ends_the_disk),
                T(storm_on_all_ports_does_no_harm),
                T(unanswered_requests_move_to_other_rings),
                T(buffers_io_is_on_their_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
