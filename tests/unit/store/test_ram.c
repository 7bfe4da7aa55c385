/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "store/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void random_io_agrees_with_an_array(void **state)
{
        rig_open(*state, "ram:3M");
        rig_random_io(*state, 20000, 1, false);
        rig_open(*state, "ram:199680"); /* ends inside of an extent */
        rig_random_io(*state, 20000, 2, false);
}

static void what_was_never_written_is_zero_and_takes_no_memory(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = malloc(1 << 20), *zero = calloc(1, 1 << 20);
        uint64_t before;

        rig_open(r, "ram:64M");
        before = rig_memory(r);
        for (uint64_t at = 0; at < 64 << 20; at += 1 << 20) {
                memset(buf, 0xee, 1 << 20);
                assert_int_equal(rig_do(r, STORE_READ, at, buf, 1 << 20), 0);
                assert_memory_equal(buf, zero, 1 << 20);
        }
        assert_int_equal(rig_memory(r), before);
        assert_int_equal(rig_do(r, STORE_WRITE, 5 << 20, buf, 512), 0);
        assert_int_equal(rig_memory(r), before + RAM_EXTENT_BYTES);
        free(zero);
        free(buf);
}

static void discard_gives_memory_back_and_leaves_zeroes(void **state)
{
        struct rig *r = *state;
        uint64_t before, size = 80 << 20; /* more than one step */
        uint8_t *buf = malloc(1 << 20), *zero = calloc(1, 1 << 20);

        rig_open(r, "ram:80M");
        before = rig_memory(r);
        memset(buf, 0x77, 1 << 20);
        for (uint64_t at = 0; at < size; at += 1 << 20)
                assert_int_equal(rig_do(r, STORE_WRITE, at, buf, 1 << 20), 0);
        assert_int_equal(rig_memory(r), before + size);
        /* All but half of the first extent and the last one. */
        assert_int_equal(
                rig_do(r, STORE_DISCARD, 32768, NULL, size - 32768 - 512), 0);
        assert_int_equal(rig_memory(r), before + 2 * RAM_EXTENT_BYTES);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 1 << 20), 0);
        assert_int_equal(buf[0], 0x77);
        assert_memory_equal(buf + 65536, zero, (1 << 20) - 65536);
        assert_int_equal(rig_do(r, STORE_READ, size - 512, buf, 512), 0);
        assert_int_equal(buf[0], 0x77);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, size), 0);
        assert_int_equal(rig_memory(r), before);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 1 << 20), 0);
        assert_memory_equal(buf, zero, 1 << 20);
        free(zero);
        free(buf);
}

static void the_end_of_an_odd_disk_is_discarded_too(void **state)
{
        struct rig *r = *state;
        uint8_t buf[512];
        uint64_t before;

        rig_open(r, "ram:66048"); /* one extent and a sector */
        before = rig_memory(r);
        memset(buf, 1, sizeof(buf));
        assert_int_equal(rig_do(r, STORE_WRITE, 65536, buf, 512), 0);
        assert_int_equal(rig_do(r, STORE_DISCARD, 65536, NULL, 512), 0);
        assert_int_equal(rig_memory(r), before);
        assert_int_equal(rig_do(r, STORE_READ, 65536, buf, 512), 0);
        assert_int_equal(buf[0], 0);
}

/* Without memory a write is an error; nothing dies and all else goes on. */
static void full_memory_is_an_error_to_the_guest(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = malloc(65536);

        rig_open(r, "ram:40M");
        memset(buf, 3, 65536);
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 65536), 0);
        fake_room_bytes = RAM_EXTENT_BYTES - 1;
        /* What was asked for before is spent first: 16 MiB less one. */
        for (uint64_t i = 1; i < 256; i++)
                assert_int_equal(rig_do(r, STORE_WRITE, i * 65536, buf, 512),
                                 0);
        assert_int_equal(rig_do(r, STORE_WRITE, 256 * 65536, buf, 512),
                         -ENOSPC);
        assert_int_equal(rig_do(r, STORE_WRITE, 255 * 65536 + 4096, buf, 65536),
                         -ENOSPC);
        assert_int_equal(rig_do(r, STORE_WRITE, 512, buf, 512), 0);
        assert_int_equal(rig_do(r, STORE_READ, 256 * 65536, buf, 512), 0);
        assert_int_equal(buf[0], 0);
        fake_room_bytes = UINT64_MAX;
        fake_fallocate_error = ENOSPC;
        assert_int_equal(rig_do(r, STORE_WRITE, 256 * 65536, buf, 512),
                         -ENOSPC);
        fake_fallocate_error = ENOMEM;
        assert_int_equal(rig_do(r, STORE_WRITE, 256 * 65536, buf, 512),
                         -ENOSPC);
        fake_fallocate_error = 0;
        assert_int_equal(rig_do(r, STORE_WRITE, 256 * 65536, buf, 512), 0);
        free(buf);
}

static void the_memfd_cannot_be_cut_under_us(void **state)
{
        struct rig *r = *state;

        rig_open(r, "ram:1M");
        assert_int_equal(ftruncate(store_keep_fd(r->s), 4096), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(fcntl(store_keep_fd(r->s), F_ADD_SEALS, F_SEAL_WRITE),
                         -1);
}

static int adopt(struct rig *r, const char *target, int fd, struct err *e)
{
        struct store_open_opts opts = {.kept_fd = fd};
        int ret = store_open(target, &opts, &r->s, e);

        if (ret == 0)
                assert_int_equal(store_queue_open(r->s, r->l, &r->q), 0);
        return ret;
}

static void a_kept_descriptor_brings_the_bytes_back(void **state)
{
        struct rig *r = *state;
        uint8_t buf[1024], zero[512] = {0};
        struct store_info info;
        struct err e;
        int kept;

        rig_open(r, "ram:8M");
        memset(buf, 0x42, sizeof(buf));
        /* Across two extents; the rest of both was never written. */
        assert_int_equal(rig_do(r, STORE_WRITE, 3 * 65536 - 512, buf, 1024), 0);
        kept = dup(store_keep_fd(r->s));
        rig_close(r);
        assert_int_equal(adopt(r, "ram:8M", kept, &e), 0);
        assert_int_equal(store_keep_fd(r->s), kept);
        memset(buf, 0, sizeof(buf));
        assert_int_equal(rig_do(r, STORE_READ, 3 * 65536 - 512, buf, 1024), 0);
        for (int i = 0; i < 1024; i++)
                assert_int_equal(buf[i], 0x42);
        assert_int_equal(rig_do(r, STORE_READ, 3 * 65536 - 1024, buf, 512), 0);
        assert_memory_equal(buf, zero, 512);
        assert_int_equal(rig_do(r, STORE_WRITE, 7 << 20, buf, 512), 0);
        /* A size that a resize gave is the memfd's, not the target's. */
        assert_int_equal(store_resize(r->s, 9 << 20, &e), 0);
        kept = dup(store_keep_fd(r->s));
        rig_close(r);
        assert_int_equal(adopt(r, "ram:8M", kept, &e), 0);
        store_info(r->s, &info);
        assert_int_equal(info.size_bytes, 9 << 20);
}

static void a_strange_kept_descriptor_is_refused_and_stays_open(void **state)
{
        struct rig *r = *state;
        struct err e;
        int fd;

        rig_image(r, 1 << 20);
        fd = open(r->path, O_RDWR);
        assert_int_equal(adopt(r, "ram:1M", fd, &e), -EINVAL);
        assert_non_null(strstr(e.text, "not a memfd"));
        assert_int_equal(close(fd), 0);
        fd = memfd_create("x", MFD_ALLOW_SEALING);
        assert_int_equal(adopt(r, "ram:1M", fd, &e), -EINVAL);
        assert_non_null(strstr(e.text, "not sealed"));
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
        assert_int_equal(adopt(r, "ram:1M", fd, &e), -EINVAL);
        assert_non_null(strstr(e.text, "holds no ram"));
        {
                struct ram_header h = {RAM_MAGIC, 1 << 20};

                assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
                assert_int_equal(adopt(r, "ram:1M", fd, &e), -EINVAL);
                assert_non_null(strstr(e.text, "shorter"));
        }
        assert_int_equal(close(fd), 0);
}

static void resize_keeps_what_stays_and_forgets_what_goes(void **state)
{
        struct rig *r = *state;
        uint8_t buf[512], zero[512] = {0};
        struct store_info info;
        uint64_t before;
        struct err e;

        rig_open(r, "ram:4M");
        before = rig_memory(r);
        memset(buf, 9, sizeof(buf));
        for (uint64_t at = 0; at < 4 << 20; at += 65536)
                assert_int_equal(rig_do(r, STORE_WRITE, at + 1024, buf, 512),
                                 0);
        assert_int_equal(store_resize(r->s, (1 << 20) + 1024, &e), 0);
        store_info(r->s, &info);
        assert_int_equal(info.size_bytes, (1 << 20) + 1024);
        assert_int_equal(rig_memory(r), before + 17 * RAM_EXTENT_BYTES);
        assert_int_equal(rig_do(r, STORE_READ, 1 << 20, buf, 2048), -EIO);
        assert_int_equal(store_resize(r->s, 16 << 20, &e), 0);
        assert_int_equal(rig_do(r, STORE_READ, 1024, buf, 512), 0);
        assert_int_equal(buf[0], 9);
        assert_int_equal(rig_do(r, STORE_READ, (1 << 20) + 1024, buf, 512), 0);
        assert_memory_equal(buf, zero, 512);
        memset(buf, 1, 512);
        assert_int_equal(rig_do(r, STORE_READ, (3 << 20) + 1024, buf, 512), 0);
        assert_memory_equal(buf, zero, 512);
        memset(buf, 5, 512);
        assert_int_equal(rig_do(r, STORE_WRITE, (16 << 20) - 512, buf, 512), 0);
}

const struct CMUnitTest ram_tests[] = {
        ONE_WAY(random_io_agrees_with_an_array),
        ONE_WAY(what_was_never_written_is_zero_and_takes_no_memory),
        ONE_WAY(discard_gives_memory_back_and_leaves_zeroes),
        ONE_WAY(the_end_of_an_odd_disk_is_discarded_too),
        ONE_WAY(full_memory_is_an_error_to_the_guest),
        ONE_WAY(the_memfd_cannot_be_cut_under_us),
        ONE_WAY(a_kept_descriptor_brings_the_bytes_back),
        ONE_WAY(a_strange_kept_descriptor_is_refused_and_stays_open),
        ONE_WAY(resize_keeps_what_stays_and_forgets_what_goes),
};
const size_t ram_tests_n = ARRAY_SIZE(ram_tests);
