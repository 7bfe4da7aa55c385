/* SPDX-License-Identifier: MIT */
/* Block devices: loop devices over a file. Skipped without losetup's rights. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* The teardown detaches it. */
static bool attach(struct rig *r, const char *options)
{
        char line[300];
        FILE *f;

        rig_image(r, 8 << 20);
        snprintf(line, sizeof(line), "losetup -f --show %s %s 2>/dev/null",
                 options, r->path);
        f = popen(line, "r");
        if (!f)
                return false;
        if (!fgets(r->device, sizeof(r->device), f))
                r->device[0] = '\0';
        r->device[strcspn(r->device, "\n")] = '\0';
        return pclose(f) == 0 && r->device[0];
}

static void random_io_agrees_with_an_array(void **state)
{
        struct rig *r = *state;

        if (!attach(r, ""))
                skip();
        rig_open(r, r->device);
        rig_random_io(r, 1500, 5, true);
}

/* Sectors of 4 KiB: the guest's 512-byte writes go through the page cache,
 * next to direct ones. */
static void small_writes_on_large_sectors_are_not_lost(void **state)
{
        struct rig *r = *state;
        struct store_info info;

        if (!attach(r, "--sector-size 4096"))
                skip();
        rig_open(r, r->device);
        store_info(r->s, &info);
        assert_int_equal(info.block_bytes, 4096);
        assert_true(store_is_direct(r->s));
        rig_random_io(r, 4000, 6, false);
}

/* One sector and the page around it at the same time: who wins the sector is
 * open, but the page's other sectors are new. */
static void a_page_is_not_lost_to_a_small_write_in_it(void **state)
{
        struct rig *r = *state;
        uint8_t *page, *sector;
        struct io big = {
                .req = {.op = STORE_WRITE, .len_bytes = 4096, .niov = 1}};
        struct io small = {
                .req = {.op = STORE_WRITE, .len_bytes = 512, .niov = 1}};

        if (!attach(r, "--sector-size 4096"))
                skip();
        page = aligned_alloc(4096, 8192);
        sector = page + 4096;
        big.iov[0] = (struct iovec){page, 4096};
        small.iov[0] = (struct iovec){sector, 512};
        rig_open(r, r->device);
        for (unsigned i = 0; i < 1500; i++) {
                uint8_t got[4096] __attribute__((aligned(4096)));

                memset(page, (int)(i % 250) + 1, 4096);
                memset(sector, 0xff, 512);
                big.req.offset_bytes = small.req.offset_bytes = i % 4 * 4096;
                rig_submit(r, i % 2 ? &big : &small);
                rig_submit(r, i % 2 ? &small : &big);
                rig_wait(r);
                assert_int_equal(big.error, 0);
                assert_int_equal(small.error, 0);
                assert_int_equal(rig_do(r, STORE_READ, i % 4 * 4096, got, 4096),
                                 0);
                assert_memory_equal(got + 512, page + 512, 4096 - 512);
        }
        free(page);
}

static void discard_frees_blocks_of_the_file_below(void **state)
{
        struct rig *r = *state;
        struct store_info info;
        uint64_t before;
        uint8_t *buf;

        if (!attach(r, ""))
                skip();
        rig_open(r, r->device);
        store_info(r->s, &info);
        if (!info.can_discard)
                skip();
        buf = aligned_alloc(4096, 1 << 20);
        memset(buf, 1, 1 << 20);
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 1 << 20), 0);
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), 0);
        before = rig_blocks(r);
        assert_true(before >= 2048);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 1 << 20), 0);
        assert_true(rig_blocks(r) + 1024 <= before);
        free(buf);
}

static void a_claimed_device_is_refused(void **state)
{
        struct rig *r = *state;
        int fd;

        if (!attach(r, ""))
                skip();
        fd = open(r->device, O_RDONLY | O_EXCL);
        rig_refused(r, r->device, false, -EBUSY, "mounted");
        close(fd);
        rig_open(r, r->device);
        rig_refused(r, r->device, false, -EBUSY, "in use");
        rig_refused(r, r->device, true, -EBUSY, "in use");
        assert_int_equal(open(r->device, O_RDONLY | O_EXCL), -1);
        rig_open_readonly(r, r->device);
        rig_refused(r, r->device, false, -EBUSY, "in use");
}

static void a_device_is_resized_by_its_owner(void **state)
{
        struct rig *r = *state;
        struct store_info info;
        char line[200];
        struct err e;

        if (!attach(r, ""))
                skip();
        rig_open(r, r->device);
        assert_int_equal(store_resize(r->s, 9 << 20, &e), -EINVAL);
        assert_non_null(strstr(e.text, "8388608 bytes, not 9437184"));
        assert_int_equal(truncate(r->path, 9 << 20), 0);
        snprintf(line, sizeof(line), "losetup -c %s", r->device);
        assert_int_equal(system(line), 0);
        assert_int_equal(store_resize(r->s, 9 << 20, &e), 0);
        store_info(r->s, &info);
        assert_int_equal(info.size_bytes, 9 << 20);
}

static void a_read_only_device_is_explained(void **state)
{
        struct rig *r = *state;

        if (!attach(r, "-r"))
                skip();
        rig_refused(r, r->device, false, -EROFS, "--readonly");
        rig_open_readonly(r, r->device);
}

const struct CMUnitTest block_tests[] = {
        ALL_WAYS(random_io_agrees_with_an_array),
        ALL_WAYS(small_writes_on_large_sectors_are_not_lost),
        ALL_WAYS(a_page_is_not_lost_to_a_small_write_in_it),
        ALL_WAYS(discard_frees_blocks_of_the_file_below),
        ONE_WAY(a_claimed_device_is_refused),
        ONE_WAY(a_device_is_resized_by_its_owner),
        ONE_WAY(a_read_only_device_is_explained),
};
const size_t block_tests_n = ARRAY_SIZE(block_tests);
