/* SPDX-License-Identifier: MIT */
/* Virtual device numbers (xen-vbd-interface(7)): xvda is 202 << 8, xvda1 one
 * more, xvdb 16 more; disks from the 17th (or partitions over 15) use the
 * extended form 1 << 28 | disk << 8 | partition. hdX and sdX are the IDE and
 * SCSI majors. */
#ifndef EVERGRANT_COMMON_VDEV_H
#define EVERGRANT_COMMON_VDEV_H

#include "util.h"

/* "xvda", "xvdb2", "hda", "sda3", "51712", "0xca00" or "d0p1". 0 or -EINVAL. */
int vdev_parse(const char *s, uint32_t *vdev);

/* The name (xvda…), or the decimal number where no name fits. Returns dst. */
char *vdev_name(char *dst, size_t dst_bytes, uint32_t vdev);

#endif
