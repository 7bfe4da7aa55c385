/* SPDX-License-Identifier: MIT */
/* T-BADRSP: a backend that answers what nobody asked. */
#include "front/front.h"
#include "harness.h"
#include "ring/ring_index.h"

enum { N = 40 };
static struct probe p[N];
static uint8_t buf[N][4096];

static struct eg_disk *disk_with_load(struct blk_request *first)
{
        struct eg_disk *d = open_disk(NULL);

        fake.hold = true;
        for (unsigned i = 0; i < N; i++) {
                memset(buf[i], 0x31, 4096);
                assert_int_equal(
                        eg_submit(d, probe_io(&p[i], i & 1 ? EG_WRITE : EG_READ,
                                              buf[i], 4096, i * 4096)),
                        0);
        }
        eg_kick(d);
        assert_true(fake_take(first));
        return d;
}

static void expect_broken(struct eg_disk *d, unsigned good)
{
        struct eg_stats s;
        char b[512];

        assert_int_equal(eg_process(d), N);
        for (unsigned i = 0; i < N; i++) {
                assert_int_equal(p[i].calls, 1);
                assert_int_equal(p[i].error, i < good ? 0 : -EIO);
                if (i >= good)
                        assert_int_equal(buf[i][0], 0x31);
        }
        assert_int_equal(eg_process(d), -EIO);
        eg_stats(d, &s);
        assert_int_equal(s.state, EG_STATE_ERROR);
        assert_int_equal(s.bad_responses, 1);
        assert_int_equal(s.inflight, 0);
        assert_int_equal(eg_pread(d, b, 512, 0), -EIO);
        assert_int_equal(eg_submit(d, &p[0].io), -EIO);
        assert_int_equal(fake.live_pages, 0);
        assert_string_equal(fake_get(FAKE_F "/state"), "6");
        /* No way back but another open. */
        fake_back_state(XENBUS_INIT_WAIT);
        assert_int_equal(eg_process(d), -EIO);
        eg_close(d);
}

static void impossible_fields_end_the_disk(void **state)
{
        static const struct {
                uint64_t id_xor;
                uint8_t op;
                int16_t status;
        } rows[] = {
                {0x1000, BLK_READ, 0},     {1ull << 63, BLK_READ, 0},
                {1ull << 32, BLK_READ, 0}, {0, BLK_WRITE, 0},
                {0, BLK_INDIRECT, 0},      {0, 255, 0},
                {0, BLK_READ, 1},          {0, BLK_READ, -3},
                {0, BLK_READ, 32767},      {0, BLK_READ, -32768},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct blk_request r;
                struct eg_disk *d;

                fake_reset();
                d = disk_with_load(&r);
                fake_answer(r.id ^ rows[i].id_xor, rows[i].op, rows[i].status);
                fake_push();
                expect_broken(d, 0);
        }
}

/* The first one counts, whichever way the frontend takes a batch. */
static void same_answer_twice_ends_the_disk(void **state)
{
        for (int polls = 0; polls < 2; polls++) {
                struct blk_request r;
                struct eg_disk *d;

                fake_reset();
                d = disk_with_load(&r);
                d->polls = polls;
                memset(fake_page(r.segs[0].gref), 0x31, 4096);
                fake_answer(r.id, r.wire_op, BLK_OKAY);
                fake_answer(r.id, r.wire_op, BLK_OKAY);
                fake_push();
                expect_broken(d, 1);
        }
}

static void free_slot_answered_ends_the_disk(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct blk_request r;
        struct probe one;
        char b[512];

        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&one, EG_READ, b, 512, 0)), 0);
        eg_kick(d);
        assert_true(fake_take(&r));
        fake_answer(r.id ^ 1, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(one.error, -EIO);
        eg_close(d);
}

static void more_responses_than_requests_end_the_disk(void **state)
{
        static const uint32_t jumps[] = {33, 1000, UINT32_MAX, 1u << 31};

        for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
                struct blk_request r;
                struct eg_disk *d;

                fake_reset();
                d = disk_with_load(&r);
                ring_store_release(ring_word(fake.ring.shared, RING_RSP_PROD),
                                   jumps[i]);
                fake_event();
                expect_broken(d, 0);
        }
}

static void ring_of_all_ones_ends_the_disk(void **state)
{
        struct blk_request r;
        struct eg_disk *d = disk_with_load(&r);

        memset(fake.ring.shared, 0xff, 4096);
        fake_event();
        expect_broken(d, 0);
}

/* An answer to a request that is in its slot but was not handed over. */
static void early_answer_ends_the_disk(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct blk_request r;
        struct probe one, two;
        char b[1024];

        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&one, EG_READ, b, 512, 0)), 0);
        eg_kick(d);
        assert_int_equal(eg_submit(d, probe_io(&two, EG_READ, b + 512, 512, 0)),
                         0);
        assert_true(fake_take(&r));
        fake_answer(r.id + 1, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 2);
        assert_int_equal(one.error, -EIO);
        assert_int_equal(two.error, -EIO);
        eg_close(d);
}

/* What is in the ring after we wrote it is nobody's business. */
static void rewritten_requests_change_nothing(void **state)
{
        struct blk_request r[2];
        struct eg_disk *d = open_disk(NULL);
        struct probe one;
        uint8_t b[512] = {0};

        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&one, EG_READ, b, 512, 0)), 0);
        eg_kick(d);
        assert_true(fake_take(r));
        memset((uint8_t *)fake.ring.shared + 64, 0xff, 4032);
        memset(fake_page(r->segs[0].gref), 7, 4096);
        fake_answer(r->id, r->wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(one.error, 0);
        assert_int_equal(b[511], 7);
        eg_close(d);
}

/* Nor is the page that lists a large request's segments read back. */
static void rewritten_lists_change_nothing(void **state)
{
        static uint8_t b[20 * 4096];
        struct eg_stats before, after;
        struct blk_request r;
        struct eg_disk *d;
        struct probe one;

        fake_set(FAKE_B "/feature-max-indirect-segments", "32");
        d = open_disk(NULL);
        fake.hold = true;
        eg_stats(d, &before);
        for (int with = 0; with <= 0xff; with += 0x33) {
                memset(b, 0, sizeof(b));
                assert_int_equal(
                        eg_submit(d, probe_io(&one, EG_READ, b, sizeof(b), 0)),
                        0);
                eg_kick(d);
                assert_true(fake_take(&r));
                assert_int_equal(r.nindirect, 1);
                memset(fake_page(r.indirect_grefs[0]), with, 4096);
                for (unsigned i = 0; i < 20; i++)
                        memset(fake_page(fake.segs[i].gref), (int)i + 1, 4096);
                fake_answer(r.id, r.wire_op, BLK_OKAY);
                fake_push();
                assert_int_equal(eg_process(d), 1);
                assert_int_equal(one.error, 0);
                for (unsigned i = 0; i < sizeof(b); i++)
                        assert_int_equal(b[i], i / 4096 + 1);
        }
        eg_stats(d, &after);
        assert_int_equal(after.bytes_read - before.bytes_read, 6 * sizeof(b));
        eg_close(d);
}

/* T-STORM: a port whose ring was not looked at stays masked, and a backend that
 * never stops gets one look a turn. */
static void port_is_unmasked_after_its_ring_was_looked_at(void **state)
{
        struct blk_request r;
        struct eg_disk *d = disk_with_load(&r);
        struct eg_stats s;

        fake_answer(r.id, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(fake.early_unmasks, 0);
        eg_stats(d, &s);
        assert_int_equal(s.events, 1);
        fake.storm = true;
        fake_event();
        for (unsigned i = 2; i < 50; i++) {
                assert_int_equal(eg_process(d), 0);
                eg_stats(d, &s);
                assert_int_equal(s.events, i);
        }
        assert_int_equal(fake.early_unmasks, 0);
        fake.storm = false;
        fake_serve(~0u, false);
        eg_close(d);
}

static void events_without_responses_do_no_harm(void **state)
{
        struct blk_request r;
        struct eg_disk *d = disk_with_load(&r);
        struct eg_stats s;

        for (int i = 0; i < 1000; i++) {
                fake_event();
                assert_int_equal(eg_process(d), 0);
        }
        eg_stats(d, &s);
        assert_int_equal(s.events, 1000);
        fake_answer(r.id, r.wire_op, BLK_ERROR);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p[0].error, -EIO);
        eg_stats(d, &s);
        assert_int_equal(s.state, EG_STATE_CONNECTED);
        fake_serve(~0u, false);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(impossible_fields_end_the_disk),
                T(same_answer_twice_ends_the_disk),
                T(free_slot_answered_ends_the_disk),
                T(more_responses_than_requests_end_the_disk),
                T(ring_of_all_ones_ends_the_disk),
                T(early_answer_ends_the_disk),
                T(rewritten_requests_change_nothing),
                T(rewritten_lists_change_nothing),
                T(port_is_unmasked_after_its_ring_was_looked_at),
                T(events_without_responses_do_no_harm),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
