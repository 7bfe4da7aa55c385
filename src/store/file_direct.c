/* SPDX-License-Identifier: MIT */
/* A second descriptor that bypasses the page cache, where the file system can.
 * Requests that do not meet its alignment use the first. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define ALIGN_MAX 4096u

/* Linux 6.1 and a file system that says it. */
static bool ask(struct file *f)
{
        struct statx stx;

        if (statx(f->direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) < 0 ||
            !(stx.stx_mask & STATX_DIOALIGN))
                return false;
        f->direct_mem_align = stx.stx_dio_mem_align;
        f->direct_align = stx.stx_dio_offset_align;
        return true;
}

static bool reads(int fd, uint8_t *page, size_t mem_offset, size_t len)
{
        ssize_t n;

        do {
                n = pread(fd, page + mem_offset, len, 0);
        } while (n < 0 && errno == EINTR);
        return n >= 0;
}

/* Tries reads of the first bytes: the length first, in a page, which suits
 * any; then the address. The alignments are 0 if none works. */
static void probe(struct file *f)
{
        uint8_t *page = aligned_alloc(ALIGN_MAX, 2 * (size_t)ALIGN_MAX);
        uint32_t len, mem;

        f->direct_align = f->direct_mem_align = 0;
        if (!page)
                return;
        for (len = SECTOR_BYTES; len <= ALIGN_MAX; len *= 2) {
                if (reads(f->direct_fd, page, 0, len))
                        break;
        }
        for (mem = SECTOR_BYTES; len <= ALIGN_MAX && mem <= ALIGN_MAX;
             mem *= 2) {
                if (reads(f->direct_fd, page, mem % ALIGN_MAX, len))
                        break;
        }
        if (len <= ALIGN_MAX && mem <= ALIGN_MAX) {
                f->direct_align = len;
                f->direct_mem_align = mem;
        }
        free(page);
}

static bool is_power_of_2(uint32_t n)
{
        return n && !(n & (n - 1));
}

static bool is_tmpfs(int fd)
{
        struct statfs fs;

        return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static uint32_t block_bytes(const struct file *f)
{
        int bytes;

        if (f->head.direct)
                return (uint32_t)max_u64(f->direct_align, SECTOR_BYTES);
        if (f->is_block && ioctl(f->fd, BLKSSZGET, &bytes) == 0 &&
            bytes >= (int)SECTOR_BYTES)
                return (uint32_t)bytes;
        return SECTOR_BYTES;
}

void file_direct_open(struct file *f)
{
        int mode = f->head.info.readonly ? O_RDONLY : O_RDWR;
        char self[64];

        /* By this name it is the same file, whatever the path names now; and
         * a block device is not claimed again. */
        snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
        /* tmpfs takes O_DIRECT since Linux 6.6, but is the page cache. */
        if (f->is_block || !is_tmpfs(f->fd))
                f->direct_fd = open(self, mode | O_DIRECT | O_CLOEXEC);
        if (f->direct_fd >= 0 && !ask(f))
                probe(f);
        if (f->direct_fd >= 0 && (!is_power_of_2(f->direct_align) ||
                                  !is_power_of_2(f->direct_mem_align) ||
                                  f->direct_align > ALIGN_MAX)) {
                close(f->direct_fd);
                f->direct_fd = -1;
        }
        f->head.direct = f->direct_fd >= 0;
        f->head.info.block_bytes = block_bytes(f);
}
