/* SPDX-License-Identifier: MIT */
#ifndef EVERGRANT_DAEMON_RESIZE_H
#define EVERGRANT_DAEMON_RESIZE_H

#include "disk.h"

/* Changes the size of a disk and tells its guest. 0, or -errno and a sentence;
 * then the size is as it was. */
int disk_resize(struct disk *k, uint64_t size_bytes, struct err *e);

#endif
