/* SPDX-License-Identifier: MIT */
/* Whether space can be given back: by punching holes into a file, by BLKDISCARD
 * on a block device. Erased for good it is by devices only that can do so: a
 * file system keeps what it likes, and memory may have been swapped out. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

/* A number of the device's queue; a partition's is its parent's. */
static uint64_t queue_number(dev_t dev, const char *name)
{
        static const char *const at[] = {"queue", "../queue"};
        unsigned long long value = 0;
        char path[128];

        for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
                FILE *f;

                snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s",
                         major(dev), minor(dev), at[i], name);
                f = fopen(path, "re");
                if (!f)
                        continue;
                if (fscanf(f, "%llu", &value) != 1)
                        value = 0;
                fclose(f);
                break;
        }
        return value;
}

/* No file tells. Since Linux 5.19 a device that cannot says so before it looks
 * at the range; this one is off the sectors, so that nothing happens. Earlier
 * ones look at the range first: not knowing is no. */
bool file_erases(const struct file *f)
{
        uint64_t range[2] = {1, SECTOR_BYTES};
        unsigned major_, minor_;
        struct utsname name;

        if (uname(&name) < 0 ||
            sscanf(name.release, "%u.%u", &major_, &minor_) != 2 ||
            major_ * 1000 + minor_ < 5019)
                return false;
        return ioctl(f->fd, BLKSECDISCARD, range) < 0 && errno == EINVAL;
}

void file_discard_probe(struct file *f)
{
        struct store_info *info = &f->head.info;
        uint64_t granularity;
        struct stat st;

        if (fstat(f->fd, &st) < 0)
                return;
        if (f->is_block) {
                info->can_discard =
                        queue_number(st.st_rdev, "discard_max_bytes") > 0;
                granularity = queue_number(st.st_rdev, "discard_granularity");
                info->can_discard_secure = info->can_discard && file_erases(f);
        } else {
                /* A hole behind the end changes nothing. */
                info->can_discard =
                        fallocate(f->fd,
                                  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  st.st_size, 4096) == 0;
                granularity = (uint64_t)st.st_blksize;
        }
        if (!info->can_discard)
                return;
        granularity = min_u64(granularity, 1u << 31);
        info->discard_granularity_bytes =
                (uint32_t)max_u64(granularity, SECTOR_BYTES);
}
