/* SPDX-License-Identifier: MIT */
/* What becomes of the caller's bytes. */
#include "guest.h"

#include <unistd.h>

#define PART (11u * GUEST_PAGE) /* what one request takes in its slot */

/* S7: what the caller hands in is never the memory that is granted. */
static void callers_memory_is_never_granted(void **state)
{
        static const char mark[] = "in-callers-memory";
        struct eg_disk *disk = guest_open("ram:8M", "", NULL);
        size_t len = 4 * PART;
        char *mem = malloc(len);
        struct guest_io g;
        struct eg_buf *buf;
        unsigned n;

        assert_non_null(mem);
        memset(mem, 'w', len);
        guest_io_init(&g, EG_WRITE, mem, len, 0);
        assert_int_equal(guest_io(disk, &g), 0);
        guest_io_init(&g, EG_READ, mem, len, 0);
        guest_hold();
        assert_int_equal(eg_submit(disk, &g.io), 0);
        eg_kick(disk);
        for (size_t at = 0; at + sizeof(mark) <= len; at += GUEST_PAGE / 4)
                memcpy(mem + at, mark, sizeof(mark));
        assert_int_equal(guest_peek(mark), 0); /* while it is in flight */
        guest_let_go();
        assert_int_equal(guest_finish(disk, &g), 0);
        memcpy(mem, mark, sizeof(mark));
        assert_int_equal(guest_peek(mark), 0); /* and after it */

        /* The one memory of the caller that is: it asked for it. */
        assert_int_equal(eg_buf_alloc(disk, GUEST_PAGE, &buf), 0);
        memcpy(eg_buf_iov(buf, &n)[0].iov_base, mark, sizeof(mark));
        assert_int_equal(guest_peek(mark), 1);
        eg_buf_free(disk, buf);
        guest_close(disk);
        free(mem);
}

/* S8: the data comes after the response, and only if it says so. */
static void failed_read_leaves_the_memory(void **state)
{
        size_t len = 2 * PART;
        uint8_t *mem = malloc(len), *want = malloc(len);
        struct eg_options opts;
        struct eg_disk *disk;
        struct guest_io g;

        assert_true(mem && want);
        eg_options_init(&opts);
        opts.max_indirect_segs = 0;
        disk = guest_open("fault:read-error=EIO@2,read-error=EIO@4:ram:8M", "",
                          &opts);
        memset(want, 'd', len);
        assert_int_equal(eg_pwrite(disk, want, len, 0), 0);
        /* 1 good, 2 bad: its page holds other bytes by now. */
        assert_int_equal(eg_pread(disk, mem, GUEST_PAGE, 0), 0);
        memset(mem, 's', len);
        assert_int_equal(eg_pread(disk, mem, GUEST_PAGE, 0), -EIO);
        memset(want, 's', GUEST_PAGE);
        assert_memory_equal(mem, want, GUEST_PAGE);
        /* 3 good, 4 bad: two parts of one read. */
        guest_io_init(&g, EG_READ, mem, len, 0);
        assert_int_equal(guest_io(disk, &g), -EIO);
        memset(want, 'd', PART);
        memset(want + PART, 's', PART);
        assert_memory_equal(mem, want, len);
        guest_close(disk);
        free(mem);
        free(want);
}

static void nothing_comes_before_the_response(void **state)
{
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        uint8_t mem[GUEST_PAGE], want[GUEST_PAGE];
        struct guest_io g;

        memset(mem, 's', sizeof(mem));
        memset(want, 's', sizeof(want));
        guest_io_init(&g, EG_READ, mem, sizeof(mem), 0);
        guest_hold();
        assert_int_equal(eg_submit(disk, &g.io), 0);
        eg_kick(disk);
        assert_memory_equal(mem, want, sizeof(mem));
        guest_let_go();
        assert_int_equal(guest_finish(disk, &g), 0);
        guest_sectors(want, sizeof(want), 0);
        assert_memory_equal(mem, want, sizeof(mem));
        guest_close(disk);
}

/* S8: reads of single sectors at odd places, into scattered memory. */
static void sectors_at_odd_places_are_read(void **state)
{
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        uint8_t mem[20 * 512 + 64], want[20 * 512];

        for (size_t sector = 1; sector < 24; sector += 2) {
                for (size_t n = 1; n < 20; n += 3) {
                        struct iovec iov[] = {{mem + 1, 100},
                                              {mem + 101, 1},
                                              {mem + 102, n * 512 - 101}};

                        memset(mem, 's', sizeof(mem));
                        guest_sectors(want, n * 512, sector);
                        assert_int_equal(eg_preadv(disk, iov, 3, sector * 512),
                                         0);
                        assert_memory_equal(mem + 1, want, n * 512);
                        assert_int_equal(mem[0], 's');
                        assert_int_equal(mem[n * 512 + 1], 's');
                }
        }
        guest_close(disk);
}

static void sectors_at_odd_places_are_written(void **state)
{
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        uint8_t mem[7 * 512], got[64 * 512], want[64 * 512];

        guest_sectors(want, sizeof(want), 0);
        for (size_t sector = 1; sector < 50; sector += 12) {
                size_t n = sector % 7 + 1;

                memset(mem, 'A' + (int)sector, sizeof(mem));
                assert_int_equal(eg_pwrite(disk, mem, n * 512, sector * 512),
                                 0);
                memcpy(want + sector * 512, mem, n * 512);
        }
        assert_int_equal(eg_flush(disk), 0);
        guest_image_read(got, sizeof(got), 0);
        assert_memory_equal(got, want, sizeof(got));
        guest_close(disk);
}

/* S8: first and last sector of a page, where the backend writes it. */
static void backend_writes_only_the_sectors_asked_for(void **state)
{
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        struct eg_buf *buf;
        uint8_t want[GUEST_PAGE];
        struct guest_io g;
        uint8_t *page;
        unsigned n;

        assert_int_equal(eg_buf_alloc(disk, GUEST_PAGE, &buf), 0);
        page = eg_buf_iov(buf, &n)[0].iov_base;
        for (size_t first = 0; first < 8; first++) {
                memset(page, 's', GUEST_PAGE);
                memset(want, 's', GUEST_PAGE);
                guest_sectors(want + first * 512, 512, 77);
                guest_io_init(&g, EG_READ, NULL, 512, 77 * 512);
                g.io.buf = buf;
                g.io.buf_offset_bytes = first * 512;
                assert_int_equal(guest_io(disk, &g), 0);
                assert_memory_equal(page, want, GUEST_PAGE);
        }
        eg_buf_free(disk, buf);
        guest_close(disk);
}

/* S9: what counts is what the memory held when it was handed over. */
static void memory_of_a_write_is_the_callers_again(void **state)
{
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        uint8_t mem[3 * GUEST_PAGE], want[3 * GUEST_PAGE], got[sizeof(mem)];
        struct guest_io g;

        memset(mem, 'n', sizeof(mem));
        memset(want, 'n', sizeof(want));
        guest_io_init(&g, EG_WRITE, mem, sizeof(mem), 512);
        assert_int_equal(eg_submit(disk, &g.io), 0);
        memset(mem, 'X', sizeof(mem)); /* before the backend is told */
        eg_kick(disk);
        assert_int_equal(guest_finish(disk, &g), 0);
        guest_image_read(got, sizeof(got), 512);
        assert_memory_equal(got, want, sizeof(got));

        guest_hold();
        g.error = 1;
        memset(mem, 'm', sizeof(mem));
        memset(want, 'm', sizeof(want));
        assert_int_equal(eg_submit(disk, &g.io), 0);
        eg_kick(disk);
        memset(mem, 'X', sizeof(mem)); /* and after that */
        guest_let_go();
        assert_int_equal(guest_finish(disk, &g), 0);
        guest_image_read(got, sizeof(got), 512);
        assert_memory_equal(got, want, sizeof(got));
        guest_close(disk);
}

/* The same for what finds no page free and waits. */
static void memory_of_a_waiting_write_is_the_callers_again(void **state)
{
        enum { WRITES = 24 };
        static struct guest_io g[WRITES];
        struct eg_options opts;
        struct eg_stats s;
        uint8_t *mem = malloc(PART), *got = malloc(PART);
        struct eg_disk *disk;

        assert_true(mem && got);
        eg_options_init(&opts);
        opts.pool_pages = 22;
        opts.queue_bytes = 10 * PART;
        disk = guest_open(guest_image(2 << 20), "", &opts);
        guest_hold();
        /* Two have their pages, ten are copied aside, no more are taken. */
        for (unsigned i = 0; i < 13; i++) {
                memset(mem, 'a' + (int)i, PART);
                guest_io_init(&g[i], EG_WRITE, mem, PART, i * PART);
                assert_int_equal(eg_submit(disk, &g[i].io),
                                 i < 12 ? 0 : -EAGAIN);
                memset(mem, 'X', PART);
        }
        eg_kick(disk);
        eg_stats(disk, &s);
        assert_int_equal(s.bounced_bytes, 10 * PART);
        assert_int_equal(s.waiting, 10);
        assert_int_equal(s.inflight, 2);
        guest_let_go();
        for (unsigned i = 0; i < 12; i++) {
                assert_int_equal(guest_finish(disk, &g[i]), 0);
                memset(mem, 'a' + (int)i, PART);
                guest_image_read(got, PART, i * PART);
                assert_memory_equal(got, mem, PART);
        }
        /* Room again. */
        assert_int_equal(guest_io(disk, &g[12]), 0);
        guest_close(disk);
        free(mem);
        free(got);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(callers_memory_is_never_granted),
                cmocka_unit_test(failed_read_leaves_the_memory),
                cmocka_unit_test(nothing_comes_before_the_response),
                cmocka_unit_test(sectors_at_odd_places_are_read),
                cmocka_unit_test(sectors_at_odd_places_are_written),
                cmocka_unit_test(backend_writes_only_the_sectors_asked_for),
                cmocka_unit_test(memory_of_a_write_is_the_callers_again),
                cmocka_unit_test(
                        memory_of_a_waiting_write_is_the_callers_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
