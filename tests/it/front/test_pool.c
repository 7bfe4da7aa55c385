/* SPDX-License-Identifier: MIT */
/* The pages that are granted, as pocketxen counts them. */
#include "guest.h"

static void pool_options(struct eg_options *opts, unsigned pages)
{
        eg_options_init(opts);
        opts->pool_pages = pages;
}

/* S5: with a backend that keeps nothing the pool goes on being used. */
static void old_backend_gives_each_page_back(void **state)
{
        struct eg_disk *disk = guest_open("ram:8M", "--grants map", NULL);
        char mem[11 * GUEST_PAGE];
        struct eg_stats before, after;
        struct grants g;
        struct eg_info i;

        eg_info(disk, &i);
        assert_false(i.persistent);
        memset(mem, 'm', sizeof(mem));
        assert_int_equal(eg_pwrite(disk, mem, sizeof(mem), 0), 0);
        eg_stats(disk, &before);
        for (unsigned n = 1; n <= 11; n++) {
                assert_int_equal(eg_pwrite(disk, mem, n * GUEST_PAGE, 0), 0);
                assert_int_equal(eg_pread(disk, mem, n * GUEST_PAGE, 0), 0);
                /* Revocable as soon as it is answered: nobody maps it. */
                g = guest_grants();
                assert_int_equal(g.granted, 32 + GUEST_RING_PAGES);
                assert_int_equal(g.mapped, GUEST_RING_PAGES);
        }
        eg_stats(disk, &after);
        assert_int_equal(after.share_calls, before.share_calls);
        assert_int_equal(after.unshare_calls, before.unshare_calls);
        assert_int_equal(guest_counter("hits"), 0);
        assert_int_equal(guest_counter("unmap_pages"), 11 + 2 * 66);
        guest_close(disk);
}

/* The other way round: a backend that would keep, a frontend that cannot. */
static void old_frontend_gets_each_page_back(void **state)
{
        struct eg_options opts;
        char mem[11 * GUEST_PAGE];
        struct eg_disk *disk;
        struct grants g;

        eg_options_init(&opts);
        opts.persistent = false;
        opts.share_per_request = true;
        disk = guest_open("ram:8M", "--grants persistent", &opts);
        memset(mem, 'm', sizeof(mem));
        for (unsigned n = 1; n <= 11; n++) {
                assert_int_equal(eg_pwrite(disk, mem, n * GUEST_PAGE, 0), 0);
                g = guest_grants();
                assert_int_equal(g.granted, GUEST_RING_PAGES);
                assert_int_equal(g.mapped, GUEST_RING_PAGES);
        }
        guest_close(disk);
}

/* S7, S11: the pool is a bound; what finds it empty waits and is done. */
static void empty_pool_queues(void **state)
{
        enum { IOS = 20 };
        static struct guest_io ios[IOS];
        static char mem[IOS][11 * GUEST_PAGE];
        struct eg_options opts;
        struct eg_disk *disk;
        struct eg_stats s;

        pool_options(&opts, 22);
        disk = guest_open("ram:8M", "", &opts);
        guest_hold();
        for (unsigned i = 0; i < IOS; i++) {
                memset(mem[i], 'a' + (int)i, sizeof(mem[i]));
                guest_io_init(&ios[i], EG_WRITE, mem[i], sizeof(mem[i]),
                              i * sizeof(mem[i]));
                assert_int_equal(eg_submit(disk, &ios[i].io), 0);
        }
        eg_kick(disk);
        eg_stats(disk, &s);
        assert_int_equal(s.inflight, 2);
        assert_int_equal(s.waiting, IOS - 2);
        assert_true(s.pool_empty > 0);
        assert_int_equal(guest_grants().granted, 22 + GUEST_RING_PAGES);
        guest_let_go();
        for (unsigned i = 0; i < IOS; i++)
                assert_int_equal(guest_finish(disk, &ios[i]), 0);
        eg_stats(disk, &s);
        assert_int_equal(s.waiting, 0);
        assert_int_equal(s.pool_taken, 0);
        assert_int_equal(s.pool_taken_high, 22);
        assert_int_equal(guest_grants().granted, 22 + GUEST_RING_PAGES);
        for (unsigned i = 0; i < IOS; i++) {
                char got[sizeof(mem[0])];

                assert_int_equal(
                        eg_pread(disk, got, sizeof(got), i * sizeof(mem[0])),
                        0);
                assert_memory_equal(got, mem[i], sizeof(got));
        }
        guest_close(disk);
}

/* S11: in flight together, no two requests share a page. */
static void requests_in_flight_have_pages_of_their_own(void **state)
{
        enum { IOS = 8, BYTES = 3 * GUEST_PAGE };
        struct eg_disk *disk = guest_open("ram:8M", "", NULL);
        static struct guest_io ios[IOS];
        static char mem[IOS][BYTES];
        struct eg_stats s;

        for (int round = 0; round < 3; round++) {
                guest_hold();
                for (unsigned i = 0; i < IOS; i++) {
                        enum eg_op op = i % 2 ? EG_READ : EG_WRITE;

                        guest_io_init(&ios[i], op, mem[i], BYTES, i * BYTES);
                        assert_int_equal(eg_submit(disk, &ios[i].io), 0);
                }
                eg_kick(disk);
                eg_stats(disk, &s);
                assert_int_equal(s.inflight, IOS);
                assert_int_equal(s.pool_taken, IOS * 3);
                guest_let_go();
                for (unsigned i = 0; i < IOS; i++)
                        assert_int_equal(guest_finish(disk, &ios[i]), 0);
        }
        assert_int_equal(guest_counter("misses"), IOS * 3);
        assert_int_equal(guest_counter("hits"), 2 * IOS * 3);
        assert_int_equal(guest_counter("in_use"), 0);
        guest_close(disk);
}

static void fill(struct eg_buf *buf, const char *text)
{
        const struct iovec *v;
        unsigned n;

        v = eg_buf_iov(buf, &n);
        for (unsigned i = 0; i < n; i++) {
                for (size_t at = 0; at + 16 <= v[i].iov_len; at += 16)
                        memcpy((char *)v[i].iov_base + at, text, 16);
        }
}

/* What the application puts into a buffer is where the backend takes it. */
static void buffers_are_not_copied(void **state)
{
        static const char text[17] = "where-it-is-used";
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        char got[GUEST_PAGE];
        struct eg_stats s;
        struct eg_buf *buf;
        struct guest_io g;
        unsigned taken;

        assert_int_equal(eg_buf_alloc(disk, 32 * GUEST_PAGE, &buf), 0);
        fill(buf, text);
        assert_int_equal(guest_peek(text), 32 * GUEST_PAGE / 16);
        eg_stats(disk, &s);
        taken = (unsigned)s.pool_taken;
        assert_int_equal(taken, 32);
        guest_io_init(&g, EG_WRITE, NULL, 32 * GUEST_PAGE, 0);
        g.io.buf = buf;
        guest_hold();
        assert_int_equal(eg_submit(disk, &g.io), 0);
        eg_kick(disk);
        eg_stats(disk, &s);
        /* No page for a copy; one that lists those of the buffer. */
        assert_int_equal(s.pool_taken, taken + 1);
        assert_int_equal(s.inflight, 1);
        guest_let_go();
        assert_int_equal(guest_finish(disk, &g), 0);
        guest_image_read(got, sizeof(got), 31 * GUEST_PAGE);
        assert_memory_equal(got, text, 16);
        assert_memory_equal(got + GUEST_PAGE - 16, text, 16);
        eg_stats(disk, &s);
        assert_int_equal(s.bounced_bytes, 0);
        eg_buf_free(disk, buf);
        eg_stats(disk, &s);
        assert_int_equal(s.pool_taken, 0);
        guest_close(disk);
}

static void buffers_leave_room_for_others(void **state)
{
        struct eg_options opts;
        struct eg_disk *disk;
        struct eg_buf *buf, *more;
        char mem[11 * GUEST_PAGE] = "";

        pool_options(&opts, 33);
        disk = guest_open("ram:8M", "", &opts);
        assert_int_equal(eg_buf_alloc(disk, 0, &buf), -EINVAL);
        assert_int_equal(eg_buf_alloc(disk, 23 * GUEST_PAGE, &buf), -EAGAIN);
        assert_int_equal(eg_buf_alloc(disk, 22 * GUEST_PAGE, &buf), 0);
        assert_int_equal(eg_buf_alloc(disk, 1, &more), -EAGAIN);
        assert_int_equal(eg_pwrite(disk, mem, sizeof(mem), 0), 0);
        eg_buf_free(disk, buf);
        assert_int_equal(eg_buf_alloc(disk, 1, &more), 0);
        eg_buf_free(disk, more);
        guest_close(disk);
}

/* Other programs of the domain need pages too. */
static void pool_is_given_back(void **state)
{
        for (int i = 0; i < 3; i++) {
                struct eg_disk *disk = guest_open(
                        "ram:8M", i == 1 ? "--grants map" : "", NULL);
                static char mem[100 * GUEST_PAGE];

                assert_int_equal(eg_pwrite(disk, mem, sizeof(mem), 0), 0);
                assert_true(guest_grants().granted >
                            100 + GUEST_RING_PAGES - 1);
                guest_close(disk); /* looks: nothing is granted */
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(old_backend_gives_each_page_back),
                cmocka_unit_test(old_frontend_gets_each_page_back),
                cmocka_unit_test(empty_pool_queues),
                cmocka_unit_test(requests_in_flight_have_pages_of_their_own),
                cmocka_unit_test(buffers_are_not_copied),
                cmocka_unit_test(buffers_leave_room_for_others),
                cmocka_unit_test(pool_is_given_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
