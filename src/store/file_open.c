/* SPDX-License-Identifier: MIT */
/* From a path to an open, checked and locked descriptor, or to a sentence that
 * says what to do. */
#include "file.h"

#include "drivers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int refuse_kind(const char *path, mode_t mode, struct err *e)
{
        if (S_ISREG(mode) || S_ISBLK(mode))
                return 0;
        if (S_ISDIR(mode))
                return err_set(e, -EISDIR,
                               "%s is a directory; give an image file in it, "
                               "or a block device",
                               path);
        return err_set(e, -EINVAL,
                       "%s is neither a regular file nor a block "
                       "device",
                       path);
}

static int say_missing(const char *path, int code, struct err *e)
{
        if (code == -ENOENT)
                return err_set(e, code,
                               "%s does not exist; make an image with: "
                               "truncate -s 10G %s",
                               path, path);
        if (code == -EACCES)
                return err_set(e, code,
                               "%s cannot be reached: permission "
                               "denied for a folder above it",
                               path);
        return err_set(e, code, "%s: %s", path, strerror(-code));
}

/* Opening for reading and writing has failed; would reading do? */
static bool is_readable(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static int say_refused(const char *path, int code, bool readonly, struct err *e)
{
        switch (code) {
        case -EROFS:
                return err_set(e, code,
                               "%s is on a read-only file system; attach it "
                               "with --readonly",
                               path);
        case -EACCES:
        case -EPERM:
                if (!readonly && is_readable(path))
                        return err_set(e, code,
                                       "%s can be read but not written (%s); "
                                       "attach it with --readonly or change "
                                       "its permissions",
                                       path, strerror(-code));
                return err_set(e, code,
                               "%s cannot be read: %s; change its "
                               "permissions",
                               path, strerror(-code));
        case -EBUSY:
                return err_set(e, code,
                               "%s is in use: mounted, swap, part of a RAID "
                               "or volume group, or open in another program "
                               "(QEMU, another evergrantd) or another disk of "
                               "this one; stop that first",
                               path);
        case -ETXTBSY:
                return err_set(e, code, "%s is in use as a program or as swap",
                               path);
        case -ENXIO:
        case -ENOMEDIUM:
                return err_set(e, code, "%s has no device or medium behind it",
                               path);
        default:
                return err_set(e, code, "%s cannot be opened: %s", path,
                               strerror(-code));
        }
}

int file_size(const struct file *f, uint64_t *size_bytes)
{
        struct stat st;

        if (f->is_block)
                return ioctl(f->fd, BLKGETSIZE64, size_bytes) < 0 ? -errno : 0;
        if (fstat(f->fd, &st) < 0)
                return -errno;
        *size_bytes = (uint64_t)st.st_size;
        return 0;
}

/* A read-only device can be opened for writing; the writes fail. */
static int refuse_read_only_device(int fd, const char *path, struct err *e)
{
        int is_read_only = 0;

        if (ioctl(fd, BLKROGET, &is_read_only) < 0 || !is_read_only)
                return 0;
        return err_set(e, -EROFS,
                       "%s is a read-only device; attach it with "
                       "--readonly",
                       path);
}

/* The path may name something else than a moment ago. */
static int check_open(struct file *f, const char *path, bool readonly,
                      struct err *e)
{
        struct stat st;
        uint64_t size_bytes = 0;
        int ret, flags;

        if (fstat(f->fd, &st) < 0)
                return err_set(e, -errno, "%s: %s", path, strerror(errno));
        ret = refuse_kind(path, st.st_mode, e);
        if (ret < 0)
                return ret;
        f->is_block = S_ISBLK(st.st_mode);
        if (f->is_block && !readonly)
                ret = refuse_read_only_device(f->fd, path, e);
        if (ret < 0)
                return ret;
        flags = fcntl(f->fd, F_GETFL);
        if (flags < 0 || fcntl(f->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
                return err_set(e, -errno, "%s: %s", path, strerror(errno));
        ret = file_lock(f->fd, path, readonly, e);
        if (ret < 0)
                return ret;
        ret = file_size(f, &size_bytes);
        if (ret < 0)
                return err_set(e, ret, "%s: cannot ask for its size: %s", path,
                               strerror(-ret));
        ret = store_check_size(path, size_bytes, e);
        if (ret < 0)
                return ret;
        f->head.info.size_bytes = size_bytes;
        f->head.info.readonly = readonly;
        return 0;
}

int file_open_path(struct file *f, const char *path, bool readonly,
                   struct err *e)
{
        /* O_NONBLOCK: a FIFO put in place of the file must not stop us. */
        int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        struct stat st;
        int ret;

        if (stat(path, &st) < 0)
                return say_missing(path, -errno, e);
        ret = refuse_kind(path, st.st_mode, e);
        if (ret < 0)
                return ret;
        flags |= readonly ? O_RDONLY : O_RDWR;
        if (S_ISBLK(st.st_mode) && !readonly)
                flags |= O_EXCL; /* nobody mounts it, nobody else claims it */
        f->fd = open(path, flags);
        if (f->fd < 0)
                return say_refused(path, -errno, readonly, e);
        ret = check_open(f, path, readonly, e);
        if (ret < 0) {
                close(f->fd);
                f->fd = -1;
        }
        return ret;
}
