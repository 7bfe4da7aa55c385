/* SPDX-License-Identifier: MIT */
/* Locks of the open file description (OFD), on the bytes where QEMU has its
 * own, so that its programs and ours refuse each other. Nobody writes these
 * bytes, they are only locked, always shared:
 *
 *      100 + p         I do p
 *      200 + p         nobody else may do p
 *
 * with p = 0 read consistent data, 1 write, 3 resize. Whoever does p asks
 * whether anybody has 200 + p; who forbids p, whether anybody has 100 + p. The
 * own locks are set before the question: of two who start at once, both may
 * fail, but not both succeed. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define DOES 100
#define FORBIDS 200
#define READ_BIT (1u << 0)
#define WRITE_BIT (1u << 1)
#define RESIZE_BIT (1u << 3)
#define BITS 4u

static int say_unlockable(const char *path, int code, struct err *e)
{
        return err_set(e, code,
                       "%s cannot be locked against double use (%s); its file "
                       "system must support locks",
                       path, strerror(-code));
}

static int say_in_use(const char *path, bool they_write, struct err *e)
{
        return err_set(e, -EBUSY,
                       "%s is in use%s, by another program (QEMU, qemu-nbd, "
                       "qemu-img, another evergrantd) or as another disk of "
                       "this evergrantd; stop that first%s",
                       path, they_write ? " for writing" : "",
                       they_write ? "" : ", or attach with --readonly");
}

/* Shared locks conflict with exclusive ones only; nobody should have such. */
static int set(int fd, int base, unsigned bits)
{
        for (unsigned i = 0; i < BITS; i++) {
                struct flock lock = {
                        .l_type = F_RDLCK,
                        .l_whence = SEEK_SET,
                        .l_start = base + (int)i,
                        .l_len = 1,
                };

                if (bits & 1u << i && fcntl(fd, F_OFD_SETLK, &lock) < 0)
                        return -errno;
        }
        return 0;
}

/* 1 if somebody else has one of the bytes. */
static int others_have(int fd, int base, unsigned bits)
{
        for (unsigned i = 0; i < BITS; i++) {
                struct flock lock = {
                        .l_type = F_WRLCK,
                        .l_whence = SEEK_SET,
                        .l_start = base + (int)i,
                        .l_len = 1,
                };

                if (!(bits & 1u << i))
                        continue;
                if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
                        return -errno;
                if (lock.l_type != F_UNLCK)
                        return 1;
        }
        return 0;
}

int file_lock(int fd, const char *path, bool readonly, struct err *e)
{
        const unsigned forbids = WRITE_BIT | RESIZE_BIT;
        const unsigned does =
                readonly ? READ_BIT : READ_BIT | WRITE_BIT | RESIZE_BIT;
        int ret;

        ret = set(fd, DOES, does);
        if (ret == 0)
                ret = set(fd, FORBIDS, forbids);
        if (ret == -EAGAIN || ret == -EACCES)
                return say_in_use(path, true, e);
        if (ret < 0)
                return say_unlockable(path, ret, e);
        ret = others_have(fd, DOES, forbids);
        if (ret > 0)
                return say_in_use(path, true, e);
        if (ret == 0)
                ret = others_have(fd, FORBIDS, does);
        if (ret > 0)
                return say_in_use(path, false, e);
        return ret < 0 ? say_unlockable(path, ret, e) : 0;
}
