/* SPDX-License-Identifier: MIT */
/* The memfd of a ram: disk: made, adopted after a restart, mapped, resized. */
#include "ram.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

static size_t extents_of(uint64_t size_bytes)
{
        return (size_t)((size_bytes + RAM_EXTENT_BYTES - 1) / RAM_EXTENT_BYTES);
}

static uint64_t file_bytes(uint64_t size_bytes)
{
        return RAM_DATA_OFFSET +
               (uint64_t)extents_of(size_bytes) * RAM_EXTENT_BYTES;
}

int ram_image_create(uint64_t size_bytes, struct err *e)
{
        const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd = memfd_create("evergrant-ram", flags | MFD_NOEXEC_SEAL);
        int ret;

        if (fd < 0 && errno == EINVAL)
                fd = memfd_create("evergrant-ram", flags);
        if (fd < 0)
                return err_set(e, -errno, "ram: memfd_create: %s",
                               strerror(errno));
        ret = ram_image_set_size(fd, size_bytes, e);
        if (ret == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                ret = err_set(e, -errno, "ram: cannot seal the memfd: %s",
                              strerror(errno));
        if (ret < 0) {
                close(fd);
                return ret;
        }
        return fd;
}

int ram_image_check(int fd, uint64_t *size_bytes, struct err *e)
{
        struct ram_header h;
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || fstat(fd, &st) < 0)
                return err_set(e, -EINVAL,
                               "ram: the kept descriptor is not "
                               "a memfd");
        if (!(seals & F_SEAL_SHRINK))
                return err_set(e, -EINVAL,
                               "ram: the kept memfd is not sealed "
                               "against shrinking");
        if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
                return err_set(e, -EINVAL,
                               "ram: the kept memfd is sealed "
                               "against writing");
        if (pread(fd, &h, sizeof(h), 0) != sizeof(h) ||
            memcmp(h.magic, RAM_MAGIC, sizeof(h.magic)) != 0)
                return err_set(e, -EINVAL,
                               "ram: the kept memfd holds no ram: "
                               "disk");
        if (h.size_bytes == 0 || h.size_bytes % SECTOR_BYTES ||
            h.size_bytes > INT64_MAX - RAM_DATA_OFFSET - RAM_EXTENT_BYTES ||
            file_bytes(h.size_bytes) > (uint64_t)st.st_size)
                return err_set(e, -EINVAL,
                               "ram: the kept memfd is shorter "
                               "than the disk in it");
        *size_bytes = h.size_bytes;
        return 0;
}

int ram_image_set_size(int fd, uint64_t size_bytes, struct err *e)
{
        struct ram_header h = {.magic = RAM_MAGIC, .size_bytes = size_bytes};
        struct stat st;
        ssize_t n;

        if (size_bytes > INT64_MAX - RAM_DATA_OFFSET - RAM_EXTENT_BYTES)
                return err_set(e, -EFBIG, "ram: the size is too large");
        if (fstat(fd, &st) < 0 ||
            ((uint64_t)st.st_size < file_bytes(size_bytes) &&
             ftruncate(fd, (off_t)file_bytes(size_bytes)) < 0))
                return err_set(e, -errno,
                               "ram: cannot make the memfd longer: "
                               "%s",
                               strerror(errno));
        n = pwrite(fd, &h, sizeof(h), 0);
        if (n != sizeof(h))
                return err_set(e, n < 0 ? -errno : -EIO,
                               "ram: cannot write to the memfd");
        return 0;
}

int ram_view_create(int fd, uint64_t size_bytes, struct ram_view **out,
                    struct err *e)
{
        size_t extents = extents_of(size_bytes);
        size_t words = (extents + RAM_WORD_BITS - 1) / RAM_WORD_BITS;
        size_t map_bytes = extents * RAM_EXTENT_BYTES;
        struct ram_view *v;
        void *map;

        map = ram_huge_map(fd, map_bytes);
        if (map == MAP_FAILED)
                return err_set(e, -errno,
                               "ram: %llu bytes cannot be mapped (%s); take a "
                               "smaller size",
                               (unsigned long long)size_bytes, strerror(errno));
        v = calloc(1, sizeof(*v) + words * sizeof(v->bits[0]) +
                              extents / RAM_HUGE_EXTENTS);
        if (!v) {
                munmap(map, map_bytes);
                return err_set(e, -ENOMEM, "out of memory");
        }
        v->map = map;
        v->size_bytes = size_bytes;
        v->extents = extents;
        v->joined = (uint8_t *)(v->bits + words);
        /* A core dump of the daemon is no copy of its disks. */
        madvise(map, map_bytes, MADV_DONTDUMP);
        *out = v;
        return 0;
}

void ram_view_destroy(struct ram_view *v)
{
        if (!v)
                return;
        munmap(v->map, v->extents * RAM_EXTENT_BYTES);
        free(v);
}

int ram_view_scan(int fd, struct ram_view *v, struct err *e)
{
        off_t end = RAM_DATA_OFFSET + (off_t)(v->extents * RAM_EXTENT_BYTES);
        off_t at = RAM_DATA_OFFSET;

        while (at < end && (at = lseek(fd, at, SEEK_DATA)) >= 0 && at < end) {
                size_t i = (size_t)(at - RAM_DATA_OFFSET) / RAM_EXTENT_BYTES;
                int ret = ram_image_fill(fd, i);

                /* The memory is there already, but for pages of the extent
                 * that nobody wrote. */
                if (ret < 0)
                        return err_set(e, ret,
                                       "ram: cannot take over the kept "
                                       "memfd: %s",
                                       strerror(-ret));
                ram_view_set(v, i);
                at = RAM_DATA_OFFSET + (off_t)((i + 1) * RAM_EXTENT_BYTES);
        }
        return 0;
}

static int change(int fd, int mode, size_t extent, size_t n)
{
        off_t at = RAM_DATA_OFFSET + (off_t)(extent * RAM_EXTENT_BYTES);
        int ret;

        do {
                ret = fallocate(fd, mode, at, (off_t)(n * RAM_EXTENT_BYTES));
        } while (ret < 0 && errno == EINTR);
        return ret < 0 ? -errno : 0;
}

int ram_image_fill(int fd, size_t extent)
{
        int ret = change(fd, 0, extent, 1);

        return ret == -ENOMEM ? -ENOSPC : ret;
}

int ram_image_punch(int fd, size_t extent, size_t n)
{
        return change(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, extent,
                      n);
}
