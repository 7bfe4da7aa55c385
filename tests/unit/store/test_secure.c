/* SPDX-License-Identifier: MIT */
/* Erasing for good: a played device, since none that can do it is at hand. */
#include "rig.h"

#include "store/file.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

static struct {
        bool played;
        int secure_error; /* what BLKSECDISCARD ends with */
        unsigned long asked[8];
        uint64_t range[8][2];
        unsigned n;
} device;

int __real_ioctl(int fd, unsigned long cmd, void *arg);
int __wrap_ioctl(int fd, unsigned long cmd, ...);

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
        va_list ap;
        void *arg;

        va_start(ap, cmd);
        arg = va_arg(ap, void *);
        va_end(ap);
        if (!device.played || (cmd != BLKSECDISCARD && cmd != BLKDISCARD))
                return __real_ioctl(fd, cmd, arg);
        assert_true(device.n < 8);
        device.asked[device.n] = cmd;
        memcpy(device.range[device.n++], arg, 16);
        if (cmd == BLKSECDISCARD && device.secure_error) {
                errno = device.secure_error;
                return -1;
        }
        return 0;
}

static bool can_erase(struct rig *r)
{
        struct store_info info;

        store_info(r->s, &info);
        return info.can_discard_secure;
}

/* A file as what a device with a sector of 4 KiB would be. */
static void play(struct rig *r, int secure_error)
{
        struct file *f;

        memset(&device, 0, sizeof(device));
        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        f = container_of(r->s, struct file, head);
        f->is_block = true;
        f->head.info.block_bytes = 4096;
        f->head.info.can_discard = true;
        device.played = true;
        device.secure_error = secure_error;
}

static int erase(struct rig *r, uint64_t offset, uint64_t len)
{
        struct io io = {.req = {.op = STORE_DISCARD,
                                .offset_bytes = offset,
                                .len_bytes = len,
                                .secure = true}};

        rig_submit(r, &io);
        rig_wait(r);
        assert_int_equal(io.calls, 1);
        return io.error;
}

static void only_a_device_erases(void **state)
{
        struct rig *r = *state;

        rig_open(r, "ram:1M");
        assert_false(can_erase(r));
        assert_int_equal(erase(r, 0, 65536), -EOPNOTSUPP);
        rig_close(r);
        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        assert_false(can_erase(r));
        assert_int_equal(erase(r, 0, 65536), -EOPNOTSUPP);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 65536), 0);
}

/* The question must be one that erases nothing: off the sectors. */
static void a_device_is_asked_whether_it_can(void **state)
{
        static const struct {
                int answer;
                bool can;
        } rows[] = {{EINVAL, true},
                    {EOPNOTSUPP, false},
                    {0, false},
                    {EBADF, false},
                    {ENOTTY, false}};
        struct rig *r = *state;

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                play(r, rows[i].answer);
                container_of(r->s, struct file, head)->head.info =
                        (struct store_info){.size_bytes = 1 << 20};
                assert_int_equal(
                        file_erases(container_of(r->s, struct file, head)),
                        rows[i].can);
                assert_int_equal(device.n, 1);
                assert_int_equal(device.asked[0], BLKSECDISCARD);
                assert_true(device.range[0][0] % 512 != 0);
                device.played = false;
                rig_close(r);
        }
}

static void secure_goes_down_as_secure(void **state)
{
        struct rig *r = *state;

        play(r, 0);
        r->s->info.can_discard_secure = true;
        assert_int_equal(erase(r, 4096, 8192), 0);
        assert_int_equal(rig_do(r, STORE_DISCARD, 4096, NULL, 8192), 0);
        assert_int_equal(device.n, 2);
        assert_int_equal(device.asked[0], BLKSECDISCARD);
        assert_int_equal(device.range[0][0], 4096);
        assert_int_equal(device.range[0][1], 8192);
        assert_int_equal(device.asked[1], BLKDISCARD);
        device.secure_error = EIO;
        assert_int_equal(erase(r, 4096, 8192), -EIO);
        device.played = false;
}

/* A plain one may leave what fills no block; this one must not. */
static void parts_of_blocks_are_refused(void **state)
{
        struct rig *r = *state;

        play(r, 0);
        r->s->info.can_discard_secure = true;
        assert_int_equal(erase(r, 512, 8192), -EINVAL);
        assert_int_equal(erase(r, 0, 512), -EINVAL);
        assert_int_equal(erase(r, 4096, 4608), -EINVAL);
        assert_int_equal(device.n, 0);
        assert_int_equal(rig_do(r, STORE_DISCARD, 512, NULL, 8192), 0);
        assert_int_equal(device.range[0][0], 4096);
        assert_int_equal(device.range[0][1], 4096);
        device.played = false;
}

const struct CMUnitTest secure_tests[] = {
        ONE_WAY(only_a_device_erases),
        ONE_WAY(a_device_is_asked_whether_it_can),
        {"secure_goes_down_as_secure", secure_goes_down_as_secure,
         rig_setup_no_uring_store, rig_teardown, NULL},
        {"parts_of_blocks_are_refused", parts_of_blocks_are_refused,
         rig_setup_no_uring_store, rig_teardown, NULL},
};
const size_t secure_tests_n = ARRAY_SIZE(secure_tests);
