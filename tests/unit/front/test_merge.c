/* SPDX-License-Identifier: MIT */
/* Contiguous I/Os that wait for room become one request; each stays an I/O of
 * its own. */
#include "harness.h"

#define PAGE 4096u
#define N 40u
#define BASE (1u << 20) /* where on the disk they begin */

static struct probe filler[32], p[N];
static uint8_t junk[11 * PAGE], mem[N * PAGE], want[N * PAGE];

/* A ring of 32 slots, all taken by reads that are nobody's neighbours. */
static struct eg_disk *full_ring(const struct eg_options *o)
{
        struct eg_disk *d;

        fake_set(FAKE_B "/feature-max-indirect-segments", "256");
        d = open_disk(o);
        fake.hold = true;
        for (unsigned i = 0; i < 32; i++)
                assert_int_equal(eg_submit(d, probe_io(&filler[i], EG_READ,
                                                       junk + (size_t)i * 512,
                                                       512, i * 8192)),
                                 0);
        eg_kick(d);
        return d;
}

/* The i-th of `bytes` each, one behind the other. */
static void submit(struct eg_disk *d, enum eg_op op, unsigned i, size_t bytes)
{
        size_t at = i * bytes;

        assert_int_equal(
                eg_submit(d, probe_io(&p[i], op, mem + at, bytes, BASE + at)),
                0);
}

/* What filled the ring is answered: what waited goes on it. */
static struct eg_stats make_room(struct eg_disk *d)
{
        struct eg_stats s;

        fake_serve(32, false);
        assert_int_equal(eg_process(d), 32);
        eg_stats(d, &s);
        return s;
}

static void all_done(unsigned n, int error)
{
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(p[i].calls, 1);
                assert_int_equal(p[i].error, error);
        }
}

static void finish(struct eg_disk *d, unsigned ios)
{
        while (fake_serve(~0u, false))
                ios -= (unsigned)eg_process(d);
        assert_int_equal(ios, 0);
}

static void contiguous_writes_that_wait_are_one_request(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        struct eg_stats s;

        paint(want, sizeof(want), 7);
        memcpy(mem, want, sizeof(mem));
        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_WRITE, i, PAGE);
        memset(mem, 0, sizeof(mem)); /* is ours again */
        s = make_room(d);
        assert_int_equal(s.inflight, 1);
        assert_int_equal(s.waiting, 0);
        assert_int_equal(s.merged, 19);
        finish(d, 20);
        all_done(20, 0);
        assert_int_equal(fake.last.nsegs, 20);
        assert_int_equal(fake.last.sector, BASE / 512);
        assert_memory_equal(fake.disk + BASE, want, 20 * PAGE);
        eg_close(d);
}

/* Pieces of pages share a page then. */
static void contiguous_reads_get_their_own_bytes(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        struct eg_stats s;

        paint(fake.disk + BASE, sizeof(want), 3);
        memset(mem, 0, sizeof(mem));
        for (unsigned i = 0; i < N; i++)
                submit(d, EG_READ, i, 1536);
        s = make_room(d);
        assert_int_equal(s.inflight, 1);
        assert_int_equal(s.merged, N - 1);
        finish(d, N);
        all_done(N, 0);
        assert_int_equal(fake.last.nsegs, N * 1536 / PAGE);
        assert_memory_equal(mem, fake.disk + BASE, N * 1536);
        eg_stats(d, &s);
        assert_int_equal(s.bytes_read, 32 * 512 + N * 1536);
        eg_close(d);
}

static void nothing_waits_to_be_merged(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_stats s;

        fake.hold = true;
        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_READ, i, PAGE);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 20);
        assert_int_equal(s.merged, 0);
        eg_kick(d);
        fake_serve(~0u, false);
        assert_int_equal(eg_process(d), 20);
        eg_close(d);
}

static void only_neighbours_of_one_kind_are_merged(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        static const struct {
                enum eg_op op;
                unsigned page;
        } rows[] = {
                {EG_READ, 0},    {EG_READ, 1},  /* together */
                {EG_WRITE, 2},                  /* another direction */
                {EG_WRITE, 4},                  /* a gap */
                {EG_WRITE, 4},                  /* the same place */
                {EG_WRITE, 3},                  /* before */
                {EG_FLUSH, 0},                  /* between neighbours */
                {EG_WRITE, 4},   {EG_WRITE, 5}, /* together */
                {EG_DISCARD, 6},
        };
        struct eg_stats s;

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                probe_io(&p[i], rows[i].op, mem, PAGE,
                         rows[i].op == EG_FLUSH ? 0
                                                : BASE + rows[i].page * PAGE);
                p[i].io.length_bytes = PAGE;
                assert_int_equal(eg_submit(d, &p[i].io), 0);
        }
        s = make_room(d);
        assert_int_equal(s.merged, 2);
        assert_int_equal(s.inflight, ARRAY_SIZE(rows) - 2);
        finish(d, ARRAY_SIZE(rows));
        all_done(ARRAY_SIZE(rows), 0);
        eg_close(d);
}

static void buffers_go_alone(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        struct eg_buf *buf;
        struct eg_stats s;

        assert_int_equal(eg_buf_alloc(d, 2 * PAGE, &buf), 0);
        for (unsigned i = 0; i < 3; i++) {
                probe_io(&p[i], EG_READ, mem, PAGE, BASE + i * PAGE);
                p[i].io.buf = i == 1 ? buf : NULL;
                p[i].io.length_bytes = PAGE;
                assert_int_equal(eg_submit(d, &p[i].io), 0);
        }
        s = make_room(d);
        assert_int_equal(s.merged, 0);
        finish(d, 3);
        all_done(3, 0);
        eg_buf_free(d, buf);
        eg_close(d);
}

static void a_merged_request_keeps_the_limit(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        struct eg_stats s;

        for (unsigned i = 0; i < N; i++)
                submit(d, EG_READ, i, PAGE);
        s = make_room(d);
        assert_int_equal(s.inflight, 2); /* 32 pages, and 8 */
        assert_int_equal(s.merged, N - 2);
        finish(d, N);
        all_done(N, 0);
        assert_int_equal(fake.last.nsegs, 8);
        eg_close(d);
}

/* The last part of a long one takes the next along. */
static void the_end_of_a_split_io_is_merged(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        struct eg_stats s;

        paint(fake.disk + BASE, sizeof(want), 5);
        assert_int_equal(
                eg_submit(d, probe_io(&p[0], EG_READ, mem, 34 * PAGE, BASE)),
                0);
        assert_int_equal(eg_submit(d, probe_io(&p[1], EG_READ, mem + 34 * PAGE,
                                               6 * PAGE, BASE + 34 * PAGE)),
                         0);
        s = make_room(d);
        assert_int_equal(s.inflight, 2);
        assert_int_equal(s.merged, 1);
        finish(d, 2);
        all_done(2, 0);
        assert_int_equal(fake.last.nsegs, 8);
        assert_memory_equal(mem, fake.disk + BASE, N * PAGE);
        eg_close(d);
}

/* Where pages are short a merge must not wait for what one I/O has. */
static void without_pages_for_all_one_goes_alone(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;
        struct eg_stats s;

        o.pool_pages = 40;
        d = full_ring(&o);
        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_READ, i, PAGE);
        fake_serve(4, false); /* 12 pages are free then, 20 are not */
        assert_int_equal(eg_process(d), 4);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 32);
        finish(d, 28 + 20);
        all_done(20, 0);
        eg_close(d);
}

/* ---- failures ------------------------------------------------------------ */

/* Takes the merged request and lets it fail; then each comes by itself. */
static void fail_merged(struct eg_disk *d)
{
        struct blk_request r;

        assert_true(fake_take(&r));
        fake_answer(r.id, r.wire_op, BLK_ERROR);
        fake_push();
        assert_int_equal(eg_process(d), 0);
}

static void an_io_fails_for_itself_only(void **state)
{
        static const enum eg_op ops[] = {EG_READ, EG_WRITE};

        for (unsigned o = 0; o < 2; o++) {
                struct eg_disk *d = full_ring(NULL);
                struct blk_request r;
                struct eg_stats s;

                paint(want, sizeof(want), 9);
                memcpy(ops[o] == EG_READ ? fake.disk + BASE : mem, want,
                       5 * PAGE);
                memset(ops[o] == EG_READ ? mem : fake.disk + BASE, 0xee,
                       5 * PAGE);
                for (unsigned i = 0; i < 5; i++)
                        submit(d, ops[o], i, PAGE);
                if (ops[o] == EG_WRITE)
                        memset(mem, 0, sizeof(mem));
                assert_int_equal(make_room(d).inflight, 1);
                fail_merged(d);
                eg_stats(d, &s);
                assert_int_equal(s.inflight, 5);
                assert_int_equal(s.errors, 1);
                assert_int_equal(s.resubmitted, 5);
                fake_serve(3, false);
                assert_true(fake_take(&r));
                assert_int_equal(r.sector, (BASE + 3 * PAGE) / 512);
                assert_int_equal(r.nsegs, 1);
                fake_answer(r.id, r.wire_op, BLK_ERROR);
                fake_serve(~0u, false);
                assert_int_equal(eg_process(d), 5);
                for (unsigned i = 0; i < 5; i++) {
                        const uint8_t *got =
                                ops[o] == EG_READ ? mem : fake.disk + BASE;

                        assert_int_equal(p[i].calls, 1);
                        assert_int_equal(p[i].error, i == 3 ? -EIO : 0);
                        if (i != 3)
                                assert_memory_equal(got + i * PAGE,
                                                    want + i * PAGE, PAGE);
                        else
                                assert_int_equal(got[i * PAGE + 7], 0xee);
                }
                eg_close(d);
                fake_reset();
        }
}

static void come_back(struct eg_disk *d)
{
        fake_back_away(XENBUS_CLOSED);
        fake_back_state(XENBUS_INIT_WAIT);
        for (int i = 0; i < 8; i++)
                assert_int_equal(eg_process(d), 0);
}

/* The memory of the writes has long been used for something else. */
static void merged_writes_are_sent_again(void **state)
{
        struct eg_disk *d = full_ring(NULL);
        struct eg_stats s;

        paint(want, sizeof(want), 11);
        memcpy(mem, want, sizeof(mem));
        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_WRITE, i, 1536);
        memset(mem, 0, sizeof(mem));
        assert_int_equal(make_room(d).merged, 19);
        come_back(d);
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 20);
        finish(d, 20);
        all_done(20, 0);
        assert_memory_equal(fake.disk + BASE, want, 20 * 1536);
        eg_close(d);
}

static void merged_reads_are_sent_again(void **state)
{
        struct eg_disk *d = full_ring(NULL);

        paint(fake.disk + BASE, sizeof(want), 13);
        memset(mem, 0, sizeof(mem));
        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_READ, i, 1536);
        assert_int_equal(make_room(d).merged, 19);
        come_back(d);
        finish(d, 20);
        all_done(20, 0);
        assert_memory_equal(mem, fake.disk + BASE, 20 * 1536);
        eg_close(d);
}

/* A backend that is gone for good ends each of them once. */
static void each_of_a_merged_request_hears_of_the_end(void **state)
{
        struct eg_disk *d = full_ring(NULL);

        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_READ, i, PAGE);
        assert_int_equal(make_room(d).merged, 19);
        fake_set(FAKE_B "/online", "0");
        fake_back_away(XENBUS_CLOSING);
        assert_int_equal(eg_process(d), 20);
        all_done(20, -ENODEV);
        eg_close(d);
}

static void closing_ends_a_merged_request(void **state)
{
        struct eg_disk *d = full_ring(NULL);

        for (unsigned i = 0; i < 20; i++)
                submit(d, EG_WRITE, i, PAGE);
        assert_int_equal(make_room(d).merged, 19);
        eg_close(d);
        all_done(20, -ESHUTDOWN);
}

/* T-LEAK-F: pages that carried several I/Os are as empty afterwards. */
static void an_untrusted_backend_sees_no_more_of_merged_ios(void **state)
{
        struct eg_options o = quiet_options();
        static const uint8_t zero[PAGE];
        struct blk_request r;
        struct eg_disk *d;

        o.untrusted_backend = true;
        d = full_ring(&o);
        memset(mem, 's', sizeof(mem));
        for (unsigned i = 0; i < 5; i++)
                submit(d, EG_WRITE, i, 1536);
        assert_int_equal(make_room(d).merged, 4);
        assert_true(fake_take(&r));
        assert_int_equal(r.nsegs, 2);
        assert_int_equal(fake.segs[1].last_sector, 6);
        assert_int_equal(((uint8_t *)fake_page(fake.segs[1].gref))[3583], 's');
        assert_memory_equal((uint8_t *)fake_page(fake.segs[1].gref) + 3584,
                            zero, 512);
        fake_answer(r.id, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 5);
        for (unsigned i = 0; i < 2; i++)
                assert_memory_equal(fake_page(fake.segs[i].gref), zero, PAGE);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(contiguous_writes_that_wait_are_one_request),
                T(contiguous_reads_get_their_own_bytes),
                T(nothing_waits_to_be_merged),
                T(only_neighbours_of_one_kind_are_merged),
                T(buffers_go_alone),
                T(a_merged_request_keeps_the_limit),
                T(the_end_of_a_split_io_is_merged),
                T(without_pages_for_all_one_goes_alone),
                T(an_io_fails_for_itself_only),
                T(merged_writes_are_sent_again),
                T(merged_reads_are_sent_again),
                T(each_of_a_merged_request_hears_of_the_end),
                T(closing_ends_a_merged_request),
                T(an_untrusted_backend_sees_no_more_of_merged_ios),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
