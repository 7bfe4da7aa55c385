/* SPDX-License-Identifier: MIT */
/* Requests of more than eleven pages, and several rings, with the real
 * daemon. */
#include "guest.h"

#define LARGE (32u * GUEST_PAGE)

/* S2, S7: the page that lists the others is granted once, like them. */
static void large_request_takes_33_pages_for_ever(void **state)
{
        struct eg_disk *disk = guest_open("ram:8M", "", NULL);
        struct eg_stats before, after;
        static char mem[LARGE];
        unsigned long unmaps;

        assert_int_equal(eg_pwrite(disk, mem, LARGE, 0), 0);
        eg_stats(disk, &before);
        assert_int_equal(before.requests, 1);
        assert_int_equal(before.segments, 32);
        assert_int_equal(guest_counter("misses"), 33);
        unmaps = guest_counter("unmap_pages");
        for (unsigned i = 1; i <= 40; i++) {
                assert_int_equal(eg_pwrite(disk, mem, LARGE, i * 512), 0);
                assert_int_equal(eg_pread(disk, mem, LARGE, i * 512), 0);
        }
        eg_stats(disk, &after);
        assert_int_equal(after.requests, 81);
        assert_int_equal(after.share_calls, before.share_calls);
        assert_int_equal(guest_counter("misses"), 33);
        assert_int_equal(guest_counter("hits"), 80 * 33);
        assert_int_equal(guest_counter("unmap_pages"), unmaps);
        assert_int_equal(guest_grants().mapped, 33 + GUEST_RING_PAGES);
        guest_close(disk);
}

/* Of every length up to the largest, at odd places. */
static void every_length_arrives(void **state)
{
        static const unsigned pages[] = {1,  10, 11, 12,  13,
                                         31, 32, 33, 255, 256};
        static uint8_t mem[300 * GUEST_PAGE], got[300 * GUEST_PAGE];
        static const char *const paths[] = {"", "--grants map",
                                            "--grants copy"};
        struct eg_options opts;

        eg_options_init(&opts);
        opts.max_indirect_segs = 256;
        for (size_t p = 0; p < 3; p++) {
                struct eg_disk *disk =
                        guest_open(guest_image(4 << 20), paths[p], &opts);

                for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
                        size_t len = pages[i] * GUEST_PAGE - 512 * (i % 3);
                        size_t at = 512 * (i * 7 + 1);

                        guest_sectors(mem, len, i * 1000);
                        assert_int_equal(eg_pwrite(disk, mem, len, at), 0);
                        guest_image_read(got, len, at);
                        assert_memory_equal(got, mem, len);
                        memset(got, 0, len);
                        assert_int_equal(eg_pread(disk, got, len, at), 0);
                        assert_memory_equal(got, mem, len);
                }
                guest_close(disk);
        }
}

static void rings_share_the_work(void **state)
{
        enum { IOS = 100 };
        static struct guest_io ios[IOS];
        static char mem[IOS][GUEST_PAGE], got[GUEST_PAGE];
        struct eg_options opts;
        struct eg_disk *disk;
        struct eg_stats s;
        struct eg_info info;

        eg_options_init(&opts);
        opts.queues = 3;
        disk = guest_open(guest_image(1 << 20), "--queues 4", &opts);
        eg_info(disk, &info);
        assert_int_equal(info.queues, 3);
        guest_hold();
        for (unsigned i = 0; i < IOS; i++) {
                memset(mem[i], 'a' + (int)i, GUEST_PAGE);
                /* With gaps: neighbours would be merged, and take more pages
                 * than one at once. */
                guest_io_init(&ios[i], EG_WRITE, mem[i], GUEST_PAGE,
                              2 * i * GUEST_PAGE);
                assert_int_equal(eg_submit(disk, &ios[i].io), 0);
        }
        eg_kick(disk);
        eg_stats(disk, &s);
        assert_int_equal(s.inflight, 3 * 32);
        assert_int_equal(s.waiting, IOS - 3 * 32);
        guest_let_go();
        for (unsigned i = 0; i < IOS; i++) {
                assert_int_equal(guest_finish(disk, &ios[i]), 0);
                guest_image_read(got, GUEST_PAGE, 2 * i * GUEST_PAGE);
                assert_memory_equal(got, mem[i], GUEST_PAGE);
        }
        /* Each ring has its own 32 pages, and maps no other's. */
        assert_int_equal(guest_grants().granted, 3 * (32 + GUEST_RING_PAGES));
        assert_true(guest_counter("misses") <= 3 * 32);
        guest_close(disk);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(large_request_takes_33_pages_for_ever),
                cmocka_unit_test(every_length_arrives),
                cmocka_unit_test(rings_share_the_work),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
