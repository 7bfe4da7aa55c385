/* SPDX-License-Identifier: MIT */
/* Short transfers are continued: preadv and pwritev do at most so many bytes
 * at a time here. */
#include "rig.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at);

static ssize_t some(long call, int fd, const struct iovec *iov, int n, off_t at)
{
        size_t left = fake_short_bytes;
        struct iovec part[64];
        int i;

        if (!fake_short_bytes)
                return syscall(call, fd, iov, n, at, 0);
        assert_true(n <= 64);
        for (i = 0; i < n && left; i++) {
                part[i] = iov[i];
                part[i].iov_len = min_u64(left, iov[i].iov_len);
                left -= part[i].iov_len;
        }
        return syscall(call, fd, part, i, at, 0);
}

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int n, off_t at)
{
        return some(SYS_preadv, fd, iov, n, at);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
        return some(SYS_pwritev, fd, iov, n, at);
}

ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int n, off_t at)
{
        return some(SYS_preadv, fd, iov, n, at);
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at)
{
        return some(SYS_pwritev, fd, iov, n, at);
}

static void short_transfers_are_continued(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        fake_short_bytes = 4096;
        rig_random_io(r, 400, 9, true);
}

/* 700 bytes meet no alignment of O_DIRECT: the rest goes another way. */
static void odd_rests_go_through_the_page_cache(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        fake_short_bytes = 700;
        rig_random_io(r, 400, 10, true);
}

const struct CMUnitTest short_tests[] = {
        {"short_transfers_are_continued", short_transfers_are_continued,
         rig_setup_no_uring_store, rig_teardown, NULL},
        {"odd_rests_go_through_the_page_cache",
         odd_rests_go_through_the_page_cache, rig_setup_no_uring_store,
         rig_teardown, NULL},
};
const size_t short_tests_n = ARRAY_SIZE(short_tests);
