/* SPDX-License-Identifier: MIT */
#include "vdev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define XVD_MAJOR 202u
#define EXTENDED (1u << 28)

static int xvd_number(unsigned disk, unsigned part, uint32_t *vdev)
{
        if (disk >= (1u << 20) || part > 255)
                return -EINVAL;
        if (disk < 16 && part < 16)
                *vdev = XVD_MAJOR << 8 | disk << 4 | part;
        else
                *vdev = EXTENDED | disk << 8 | part;
        return 0;
}

static int hd_number(unsigned disk, unsigned part, uint32_t *vdev)
{
        if (disk > 3 || part > 63)
                return -EINVAL;
        *vdev = (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | part;
        return 0;
}

static int sd_number(unsigned disk, unsigned part, uint32_t *vdev)
{
        if (disk > 15 || part > 15)
                return -EINVAL;
        *vdev = 8u << 8 | disk << 4 | part;
        return 0;
}

static int parse_number(const char *s, uint32_t *vdev)
{
        char *end;
        unsigned long v;

        errno = 0;
        v = strtoul(s, &end, 0);
        if (*end || errno || v > UINT32_MAX)
                return -EINVAL;
        *vdev = (uint32_t)v;
        return 0;
}

/* Letters as in base 26 without a zero: a = 0, z = 25, aa = 26. */
static int parse_disk(const char **s, unsigned *disk)
{
        unsigned n = 0;
        int letters = 0;

        for (; **s >= 'a' && **s <= 'z'; (*s)++) {
                if (++letters > 4)
                        return -EINVAL;
                n = n * 26 + (unsigned)(**s - 'a') + 1;
        }
        *disk = n - 1;
        return letters ? 0 : -EINVAL;
}

static int parse_part(const char *s, unsigned *part)
{
        char *end;
        unsigned long v;

        *part = 0;
        if (!*s)
                return 0;
        if (*s < '1' || *s > '9')
                return -EINVAL;
        v = strtoul(s, &end, 10);
        if (*end || v > 255)
                return -EINVAL;
        *part = (unsigned)v;
        return 0;
}

int vdev_parse(const char *s, uint32_t *vdev)
{
        unsigned disk, part;
        char tail;
        int (*number)(unsigned, unsigned, uint32_t *);

        if (*s >= '0' && *s <= '9')
                return parse_number(s, vdev);
        if (sscanf(s, "d%up%u%c", &disk, &part, &tail) == 2)
                return xvd_number(disk, part, vdev);
        if (strncmp(s, "xvd", 3) == 0) {
                number = xvd_number;
                s += 3;
        } else if (strncmp(s, "hd", 2) == 0) {
                number = hd_number;
                s += 2;
        } else if (strncmp(s, "sd", 2) == 0) {
                number = sd_number;
                s += 2;
        } else {
                return -EINVAL;
        }
        if (parse_disk(&s, &disk) < 0 || parse_part(s, &part) < 0)
                return -EINVAL;
        return number(disk, part, vdev);
}

static void name_xvd(char *dst, size_t n, unsigned disk, unsigned part)
{
        char letters[8];
        int at = (int)sizeof(letters) - 1;

        letters[at] = '\0';
        for (unsigned d = disk + 1; d; d = (d - 1) / 26)
                letters[--at] = (char)('a' + (d - 1) % 26);
        if (part)
                snprintf(dst, n, "xvd%s%u", letters + at, part);
        else
                snprintf(dst, n, "xvd%s", letters + at);
}

char *vdev_name(char *dst, size_t dst_bytes, uint32_t vdev)
{
        if (vdev >> 28 == 1)
                name_xvd(dst, dst_bytes, vdev >> 8 & 0xfffff, vdev & 0xff);
        else if (vdev >> 8 == XVD_MAJOR)
                name_xvd(dst, dst_bytes, vdev >> 4 & 0xf, vdev & 0xf);
        else
                snprintf(dst, dst_bytes, "%u", vdev);
        return dst;
}
