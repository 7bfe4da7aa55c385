/* SPDX-License-Identifier: MIT */
/* Regular files, in all three ways of doing I/O. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

static void random_io_agrees_with_an_array(void **state)
{
        struct rig *r = *state;

        rig_image(r, 3 << 20);
        rig_open(r, r->path);
        rig_random_io(r, 1500, 3, true);
}

static void what_is_written_is_in_the_file(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = aligned_alloc(4096, 8192), got[8192];
        int fd;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        memset(buf, 0xab, 8192);
        assert_int_equal(rig_do(r, STORE_WRITE, 65536, buf, 8192), 0);
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), 0);
        fd = open(r->path, O_RDONLY);
        assert_int_equal(pread(fd, got, 8192, 65536), 8192);
        assert_memory_equal(got, buf, 8192);
        close(fd);
        free(buf);
}

static void flush_is_a_system_call_and_gives_its_error(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        fake_sync_error = EIO;
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), -EIO);
        fake_sync_error = 0;
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), 0);
}

static void a_file_says_what_it_is(void **state)
{
        struct rig *r = *state;
        struct store_info info;

        rig_image(r, (1 << 20) + 512);
        rig_open(r, r->path);
        store_info(r->s, &info);
        assert_int_equal(info.size_bytes, (1 << 20) + 512);
        assert_true(info.can_flush && !info.readonly);
        assert_true(info.block_bytes >= 512 && info.block_bytes <= 4096);
        if (info.can_discard)
                assert_true(info.discard_granularity_bytes >= 512);
        assert_string_equal(store_driver(r->s), "file");
        assert_int_equal(store_keep_fd(r->s), -1);
        rig_open_readonly(r, r->path);
        store_info(r->s, &info);
        assert_true(info.readonly && !info.can_discard);
}

static bool on_ext4(const char *path)
{
        struct statfs fs;

        return statfs(path, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;
}

/* The page cache of the file holds nothing after direct I/O. */
static void ext4_is_served_past_the_page_cache(void **state)
{
        struct rig *r = *state;
        uint8_t *buf;
        struct store_info info;
        unsigned char in_core;
        void *map;
        int fd;

        if (!on_ext4(r->dir))
                skip();
        buf = aligned_alloc(4096, 65536);
        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        assert_true(store_is_direct(r->s));
        store_info(r->s, &info);
        memset(buf, 1, 65536);
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 65536), 0);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 65536), 0);
        fd = open(r->path, O_RDONLY);
        map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        assert_int_equal(mincore(map, 4096, &in_core), 0);
        assert_int_equal(in_core & 1, 0);
        munmap(map, 4096);
        close(fd);
        free(buf);
}

static void tmpfs_is_served_through_it(void **state)
{
        struct rig *r = *state;

        if (access("/dev/shm", W_OK) < 0)
                skip();
        assert_int_equal(rmdir(r->dir), 0);
        snprintf(r->dir, sizeof(r->dir), "/dev/shm/egstore-XXXXXX");
        assert_non_null(mkdtemp(r->dir));
        snprintf(r->path, sizeof(r->path), "%s/image", r->dir);
        rig_image(r, 3 << 20);
        rig_open(r, r->path);
        assert_false(store_is_direct(r->s));
        rig_random_io(r, 1000, 4, true);
}

/* A memfd's file system is tmpfs. */
static void on_tmpfs_a_transfer_is_done_when_it_is_submitted(void **state)
{
        struct rig *r = *state;
        static uint8_t buf[8192], got[8192];
        struct io io = {.req = {.op = STORE_WRITE,
                                .offset_bytes = 4096,
                                .len_bytes = sizeof(buf)},
                        .iov = {{buf, 100}, {buf + 100, sizeof(buf) - 100}}};
        int fd = memfd_create("image", 0);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 3 << 20), 0);
        snprintf(r->path, sizeof(r->path), "/proc/self/fd/%d", fd);
        rig_open(r, r->path);
        memset(buf, 0x5c, sizeof(buf));
        io.req.niov = 2;
        rig_submit(r, &io);
        assert_int_equal(io.calls, 1);
        assert_int_equal(io.error, 0);
        assert_int_equal(pread(fd, got, sizeof(got), 4096), sizeof(got));
        assert_memory_equal(got, buf, sizeof(buf));
        rig_random_io(r, 500, 5, true);
        /* Shorter than the disk: an error, as in any file. */
        assert_int_equal(ftruncate(fd, 8192), 0);
        assert_int_equal(rig_do(r, STORE_READ, 4096, got, 8192), -EIO);
        close(fd);
}

static void discard_frees_blocks_and_leaves_zeroes(void **state)
{
        struct rig *r = *state;
        uint8_t *buf, zero[512] = {0};
        struct store_info info;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        store_info(r->s, &info);
        if (!info.can_discard)
                skip();
        buf = aligned_alloc(4096, 1 << 20);
        memset(buf, 1, 1 << 20);
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 1 << 20), 0);
        assert_int_equal(rig_do(r, STORE_FLUSH, 0, NULL, 0), 0);
        assert_true(rig_blocks(r) >= 2048);
        assert_int_equal(rig_do(r, STORE_DISCARD, 65536, NULL, 512 << 10), 0);
        assert_true(rig_blocks(r) <= 1024 + 64);
        assert_int_equal(rig_do(r, STORE_READ, 65536, buf, 512), 0);
        assert_memory_equal(buf, zero, 512);
        free(buf);
}

/* The size does not change by a discard at the end. */
static void the_size_stays(void **state)
{
        struct rig *r = *state;
        struct stat st;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        rig_do(r, STORE_DISCARD, 0, NULL, 1 << 20);
        assert_int_equal(stat(r->path, &st), 0);
        assert_int_equal(st.st_size, 1 << 20);
}

static void a_full_disk_is_enospc_and_the_rest_goes_on(void **state)
{
        struct rig *r = *state;
        uint8_t *buf;
        char image[160];
        int full = 0;

        if (mount("none", r->dir, "tmpfs", 0, "size=1m") < 0)
                skip();
        buf = aligned_alloc(4096, 65536);
        snprintf(image, sizeof(image), "%s", r->path);
        rig_image(r, 16 << 20);
        rig_open(r, image);
        memset(buf, 6, 65536);
        for (uint64_t at = 0; at < 16 << 20; at += 65536) {
                int error = rig_do(r, STORE_WRITE, at, buf, 65536);

                assert_true(error == 0 || error == -ENOSPC);
                full += error == -ENOSPC;
        }
        assert_true(full >= 200);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 4096), 0);
        assert_int_equal(buf[0], 6);
        assert_int_equal(rig_do(r, STORE_WRITE, 512, buf, 4096), 0);
        rig_close(r);
        assert_int_equal(umount(r->dir), 0);
        free(buf);
}

static void a_file_cut_by_others_gives_errors(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = aligned_alloc(4096, 8192);

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        assert_int_equal(truncate(r->path, 4096), 0);
        assert_int_equal(rig_do(r, STORE_READ, 65536, buf, 4096), -EIO);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 8192), -EIO);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 4096), 0);
        free(buf);
}

static void resize_grows_and_shrinks_the_file(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = aligned_alloc(4096, 4096);
        struct store_info info;
        struct stat st;
        struct err e;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        assert_int_equal(store_resize(r->s, 4 << 20, &e), 0);
        assert_int_equal(stat(r->path, &st), 0);
        assert_int_equal(st.st_size, 4 << 20);
        assert_true(st.st_blocks < 1024); /* sparse */
        assert_int_equal(rig_do(r, STORE_WRITE, (4 << 20) - 4096, buf, 4096),
                         0);
        assert_int_equal(store_resize(r->s, 4096, &e), 0);
        store_info(r->s, &info);
        assert_int_equal(info.size_bytes, 4096);
        assert_int_equal(stat(r->path, &st), 0);
        assert_int_equal(st.st_size, 4096);
        assert_int_equal(store_resize(r->s, 1ull << 62, &e), -EFBIG);
        assert_non_null(strstr(e.text, r->path));
        free(buf);
}

/* 64 segments of one page each, none next to another, and one that O_DIRECT
 * may not like: 512 bytes at an odd place. */
static void scattered_and_odd_buffers_are_served(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = aligned_alloc(4096, 64 * 8192);
        struct io io = {.req = {.op = STORE_WRITE,
                                .offset_bytes = 512,
                                .len_bytes = 64 * 4096,
                                .niov = 64}};

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        for (int i = 0; i < 64; i++) {
                io.iov[i] = (struct iovec){buf + i * 8192 + 512, 4096};
                memset(buf + i * 8192 + 512, i + 1, 4096);
        }
        rig_submit(r, &io);
        rig_wait(r);
        assert_int_equal(io.error, 0);
        for (int i = 0; i < 64; i++) {
                assert_int_equal(
                        rig_do(r, STORE_READ, 512 + i * 4096, buf, 4096), 0);
                assert_int_equal(buf[0], i + 1);
                assert_int_equal(buf[4095], i + 1);
        }
        free(buf);
}

static void close_queue(struct io *io)
{
        struct rig *r = io->r;

        store_queue_close(r->q);
        r->q = NULL;
}

static void the_last_answer_may_close_the_queue(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = aligned_alloc(4096, 4096);
        struct io io = {.req = {.op = STORE_READ, .len_bytes = 4096, .niov = 1},
                        .iov[0] = {buf, 4096},
                        .then = close_queue};
        char slow[200];

        snprintf(slow, sizeof(slow), "fault:delay-ms=1:%s", r->path);
        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        rig_submit(r, &io);
        rig_wait(r);
        assert_null(r->q);
        rig_open(r, slow);
        rig_submit(r, &io);
        rig_wait(r);
        assert_null(r->q);
        free(buf);
}

const struct CMUnitTest file_tests[] = {
        ALL_WAYS(random_io_agrees_with_an_array),
        ALL_WAYS(what_is_written_is_in_the_file),
        {"flush_is_a_system_call_and_gives_its_error",
         flush_is_a_system_call_and_gives_its_error, rig_setup_no_uring_store,
         rig_teardown, NULL},
        ONE_WAY(a_file_says_what_it_is),
        ALL_WAYS(ext4_is_served_past_the_page_cache),
        ALL_WAYS(tmpfs_is_served_through_it),
        ALL_WAYS(on_tmpfs_a_transfer_is_done_when_it_is_submitted),
        ALL_WAYS(discard_frees_blocks_and_leaves_zeroes),
        ALL_WAYS(the_size_stays),
        ALL_WAYS(a_full_disk_is_enospc_and_the_rest_goes_on),
        ALL_WAYS(a_file_cut_by_others_gives_errors),
        ONE_WAY(resize_grows_and_shrinks_the_file),
        ALL_WAYS(scattered_and_odd_buffers_are_served),
        ALL_WAYS(the_last_answer_may_close_the_queue),
};
const size_t file_tests_n = ARRAY_SIZE(file_tests);
