/* SPDX-License-Identifier: MIT */
/* Requests of more than eleven segments. */
#include "harness.h"

#define PAGE 4096u
#define BACK_SEGS FAKE_B "/feature-max-indirect-segments"

static uint8_t out[1 << 20], in[1 << 20];

static struct eg_disk *open_segs(const char *offer, struct eg_options *o)
{
        fake_set(BACK_SEGS, offer);
        return open_disk(o);
}

static void check_round_trip(struct eg_disk *d, size_t bytes, uint64_t offset)
{
        paint(out, bytes, (unsigned)(bytes + offset));
        memset(in, 0, bytes);
        assert_int_equal(eg_pwrite(d, out, bytes, offset), 0);
        assert_memory_equal(fake.disk + offset, out, bytes);
        assert_int_equal(eg_pread(d, in, bytes, offset), 0);
        assert_memory_equal(in, out, bytes);
}

static void large_io_is_one_request(void **state)
{
        struct eg_disk *d = open_segs("256", NULL);
        struct eg_info i;

        eg_info(d, &i);
        assert_int_equal(i.max_transfer_bytes, 32 * PAGE);
        assert_int_equal(i.indirect_segs, 32);
        check_round_trip(d, 32 * PAGE, 512);
        assert_int_equal(fake.served, 2);
        assert_int_equal(fake.indirect, 2);
        assert_int_equal(fake.last.nsegs, 32);
        check_round_trip(d, 12 * PAGE - 512, 0);
        assert_int_equal(fake.served, 4);
        assert_int_equal(fake.last.nsegs, 12);
        assert_int_equal(fake.segs[11].last_sector, 6);
        eg_close(d);
}

static void longer_io_is_split_at_the_limit(void **state)
{
        struct eg_disk *d = open_segs("256", NULL);

        check_round_trip(d, 75 * PAGE, 3 * PAGE);
        assert_int_equal(fake.served, 6);
        assert_int_equal(fake.indirect, 4); /* 32, 32 and 11 pages */
        eg_close(d);
}

static void up_to_eleven_pages_need_no_descriptor(void **state)
{
        struct eg_disk *d = open_segs("256", NULL);

        check_round_trip(d, 11 * PAGE, 0);
        assert_int_equal(fake.indirect, 0);
        assert_int_equal(fake.served, 2);
        eg_close(d);
}

static void smaller_of_the_two_words_counts(void **state)
{
        static const struct {
                const char *offer;
                unsigned option, segs; /* 0: off */
        } rows[] = {
                {NULL, 32, 0},         {"0", 32, 0},
                {"11", 32, 0},         {"12", 32, 12},
                {"31", 32, 31},        {"256", 32, 32},
                {"256", 0, 0},         {"256", 11, 0},
                {"256", 12, 12},       {"256", 256, 256},
                {"4096", 256, 256},    {"4294967295", 256, 256},
                {"4294967296", 32, 0}, {"-1", 32, 0},
                {"many", 32, 0},       {"", 32, 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct eg_options o = quiet_options();
                unsigned most = rows[i].segs ? rows[i].segs : 11;
                struct eg_info info;
                struct eg_disk *d;

                fake_reset();
                if (rows[i].offer)
                        fake_set(BACK_SEGS, rows[i].offer);
                o.max_indirect_segs = rows[i].option;
                d = open_disk(&o);
                eg_info(d, &info);
                assert_int_equal(info.indirect_segs, rows[i].segs);
                assert_int_equal(info.max_transfer_bytes, most * PAGE);
                check_round_trip(d, most * PAGE, 0);
                assert_int_equal(fake.served, 2);
                assert_int_equal(fake.indirect, rows[i].segs ? 2 : 0);
                eg_close(d);
        }
}

static void silly_limits_are_refused(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;

        o.max_indirect_segs = 257;
        assert_int_equal(eg_open(&d, "xvda", &o), -EINVAL);
}

/* S7, S11: what describes a request is a page of the pool as well. */
static void descriptors_count_in_the_pool(void **state)
{
        struct eg_options o = quiet_options();
        struct probe p[3];
        struct eg_stats s;
        struct eg_disk *d;

        o.pool_pages = 66;
        d = open_segs("256", &o);
        fake.hold = true;
        for (int i = 0; i < 3; i++) {
                size_t at = (size_t)i * 32 * PAGE;

                assert_int_equal(eg_submit(d, probe_io(&p[i], EG_READ, in + at,
                                                       32 * PAGE, at)),
                                 0);
        }
        eg_kick(d);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 2);
        assert_int_equal(s.waiting, 1);
        assert_int_equal(s.pool_taken, 66);
        fake_serve(~0u, false);
        assert_int_equal(eg_process(d), 2);
        fake_serve(~0u, false);
        assert_int_equal(eg_process(d), 1);
        eg_stats(d, &s);
        assert_int_equal(s.pool_taken, 0);
        assert_int_equal(s.pool_pages, 66);
        assert_int_equal(fake.live_pages_high, 66 + 1);
        eg_close(d);
}

/* With buffers holding most of the pool, I/O that could only wait for them gets
 * by with less. */
static void io_larger_than_what_buffers_leave_is_done(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_buf *buf;
        struct eg_disk *d;

        o.pool_pages = 40;
        d = open_segs("256", &o);
        assert_int_equal(eg_buf_alloc(d, 20 * PAGE, &buf), 0);
        check_round_trip(d, 32 * PAGE, 0);
        assert_int_equal(fake.served, 4); /* 19 and 13 pages, each way */
        eg_buf_free(d, buf);
        check_round_trip(d, 32 * PAGE, 0);
        assert_int_equal(fake.served, 6);
        eg_close(d);
}

/* The platform stops granting while a buffer has nearly all there is. */
static void io_on_a_starved_platform_is_done(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_buf *buf;
        struct eg_disk *d;

        for (unsigned max = 2; max < 60; max += 3) {
                fake_reset();
                d = open_segs("256", &o);
                fake.max_shares = max;
                check_round_trip(d, 40 * PAGE, PAGE);
                if (max > 6) {
                        assert_int_equal(
                                eg_buf_alloc(d, (max - 4) * PAGE, &buf), 0);
                        check_round_trip(d, 40 * PAGE, PAGE);
                        eg_buf_free(d, buf);
                }
                eg_close(d);
        }
}

static void buffers_are_used_in_place(void **state)
{
        struct eg_disk *d = open_segs("256", NULL);
        struct probe p;
        const struct iovec *v;
        struct eg_stats s;
        struct eg_buf *buf;
        unsigned n;

        assert_int_equal(eg_buf_alloc(d, 40 * PAGE, &buf), 0);
        v = eg_buf_iov(buf, &n);
        for (unsigned i = 0; i < n; i++)
                paint(v[i].iov_base, PAGE, i);
        probe_io(&p, EG_WRITE, NULL, 0, 0);
        p.io.buf = buf;
        p.io.buf_offset_bytes = 1024;
        p.io.length_bytes = 33 * PAGE;
        fake.hold = true;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        eg_stats(d, &s);
        assert_int_equal(s.pool_taken, 40 + 1); /* and the descriptor */
        assert_int_equal(s.inflight, 2);        /* 32 pages, less 1,024 bytes */
        fake_serve(~0u, false);
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.error, 0);
        assert_int_equal(fake.indirect, 1);
        for (unsigned i = 0; i < 33; i++) {
                paint(out, PAGE, i);
                assert_memory_equal(
                        fake.disk + i * PAGE + (i ? 0 : 0) - (i ? 1024 : 0),
                        out + (i ? 0 : 1024), PAGE - (i ? 0 : 1024));
        }
        eg_stats(d, &s);
        assert_int_equal(s.pool_taken, 40);
        eg_buf_free(d, buf);
        eg_close(d);
}

static void s1_shares_the_descriptor_too(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;

        o.persistent = false;
        o.share_per_request = true;
        d = open_segs("256", &o);
        check_round_trip(d, 32 * PAGE, 0);
        assert_int_equal(fake.indirect, 2);
        assert_int_equal(fake.live_pages_high, 33 + 1);
        assert_int_equal(fake.live_pages, 1);
        eg_close(d);
}

/* T-LEAK-F: neither data nor the descriptor stays for the next request. */
static void untrusted_backend_keeps_no_descriptor(void **state)
{
        struct eg_options o = quiet_options();
        static const uint8_t zero[PAGE];
        struct blk_request r;
        struct probe p;
        struct eg_disk *d;

        o.untrusted_backend = true;
        d = open_segs("256", &o);
        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, in, 20 * PAGE, 0)),
                         0);
        eg_kick(d);
        assert_true(fake_take(&r));
        memset(fake_page(fake.segs[19].gref), 's', PAGE);
        /* Behind what was described, nothing of anybody's. */
        assert_memory_equal((uint8_t *)fake_page(r.indirect_grefs[0]) + 160,
                            zero, PAGE - 160);
        fake_answer(r.id, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_memory_equal(fake_page(r.indirect_grefs[0]), zero, PAGE);
        assert_memory_equal(fake_page(fake.segs[19].gref), zero, PAGE);
        eg_close(d);
}

/* T-BADRSP: the answer names what was asked, not how. */
static void answer_has_the_inner_operation(void **state)
{
        struct eg_disk *d = open_segs("256", NULL);
        struct blk_request r;
        struct probe p;

        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, in, 20 * PAGE, 0)),
                         0);
        eg_kick(d);
        assert_true(fake_take(&r));
        fake_answer(r.id, BLK_INDIRECT, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.error, -EIO);
        assert_int_equal(eg_process(d), -EIO);
        eg_close(d);
}

/* ---- another backend, other limits --------------------------------------- */

static void come_back(const char *offer)
{
        fake_back_away(XENBUS_CLOSED);
        fake_set(BACK_SEGS, offer);
        fake_back_state(XENBUS_INIT_WAIT);
}

static void settle(struct eg_disk *d)
{
        for (int i = 0; i < 8; i++)
                eg_process(d);
}

/* The caller changes its memory after eg_submit, and may. */
static void unanswered_requests_are_split_anew(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;
        struct probe w, r;
        struct eg_stats s;
        struct eg_info i;

        o.max_indirect_segs = 256;
        d = open_segs("256", &o);
        fake.hold = true;
        paint(out, 200 * PAGE, 9);
        memcpy(in, out, 200 * PAGE);
        assert_int_equal(
                eg_submit(d, probe_io(&w, EG_WRITE, in, 200 * PAGE, 0)), 0);
        assert_int_equal(eg_submit(d, probe_io(&r, EG_READ, in + 200 * PAGE,
                                               50 * PAGE, 1 << 20)),
                         0);
        memset(in, 0, 200 * PAGE);
        paint(fake.disk + (1 << 20), 50 * PAGE, 4);
        eg_kick(d);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 2);
        come_back("40");
        settle(d);
        eg_info(d, &i);
        assert_int_equal(i.max_transfer_bytes, 40 * PAGE);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 5 + 2);
        /* And away again, in the middle of it. */
        fake_serve(2, false);
        assert_int_equal(eg_process(d), 0);
        come_back("0");
        settle(d);
        eg_stats(d, &s);
        /* 3 x 40 pages of the write, 40 and 10 of the read. */
        assert_int_equal(s.inflight, 3 * 4 + 4 + 1);
        fake_serve(~0u, false);
        assert_int_equal(eg_process(d), 2);
        assert_int_equal(w.error, 0);
        assert_int_equal(r.error, 0);
        assert_int_equal(w.calls + r.calls, 2);
        assert_memory_equal(fake.disk, out, 200 * PAGE);
        paint(out, 50 * PAGE, 4);
        assert_memory_equal(in + 200 * PAGE, out, 50 * PAGE);
        eg_close(d);
}

/* More parts than the ring has slots: the rest follows. */
static void split_anew_waits_for_slots(void **state)
{
        enum { IOS = 30 };
        struct eg_disk *d = open_segs("256", NULL);
        static struct probe p[IOS];
        struct eg_stats s;
        uint64_t left = IOS;

        fake.hold = true;
        for (unsigned i = 0; i < IOS; i++) {
                size_t at = (size_t)i * 32 * PAGE;

                p[i].calls = 0;
                paint(out, 32 * PAGE, i);
                assert_int_equal(eg_submit(d, probe_io(&p[i], EG_WRITE, out,
                                                       32 * PAGE, at)),
                                 0);
        }
        eg_kick(d);
        come_back("0");
        settle(d);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 32);
        while (left) {
                int ran;

                assert_true(fake_serve(5, false) > 0);
                ran = eg_process(d);
                assert_true(ran >= 0);
                left -= (uint64_t)ran;
        }
        assert_int_equal(fake.served, IOS * 3);
        for (unsigned i = 0; i < IOS; i++) {
                paint(out, 32 * PAGE, i);
                assert_int_equal(p[i].calls, 1);
                assert_int_equal(p[i].error, 0);
                assert_memory_equal(fake.disk + (size_t)i * 32 * PAGE, out,
                                    32 * PAGE);
        }
        eg_close(d);
}

static void higher_limits_are_used_after_a_reconnect(void **state)
{
        struct eg_disk *d = open_segs("0", NULL);

        check_round_trip(d, 32 * PAGE, 0);
        assert_int_equal(fake.served, 6);
        come_back("256");
        settle(d);
        check_round_trip(d, 32 * PAGE, 0);
        assert_int_equal(fake.served, 8);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(large_io_is_one_request),
                T(longer_io_is_split_at_the_limit),
                T(up_to_eleven_pages_need_no_descriptor),
                T(smaller_of_the_two_words_counts),
                T(silly_limits_are_refused),
                T(descriptors_count_in_the_pool),
                T(io_larger_than_what_buffers_leave_is_done),
                T(io_on_a_starved_platform_is_done),
                T(buffers_are_used_in_place),
                T(s1_shares_the_descriptor_too),
                T(untrusted_backend_keeps_no_descriptor),
                T(answer_has_the_inner_operation),
                T(unanswered_requests_are_split_anew),
                T(split_anew_waits_for_slots),
                T(higher_limits_are_used_after_a_reconnect),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
