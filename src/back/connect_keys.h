/* SPDX-License-Identifier: MIT */
/* Reads and checks what a frontend publishes about its ring. Every value is
 * the guest's: strict numbers, bounded, refused with a sentence. Pure: the
 * nodes come through a function pointer. */
#ifndef EVERGRANT_BACK_CONNECT_KEYS_H
#define EVERGRANT_BACK_CONNECT_KEYS_H

#include "common/err.h"
#include "ring/request.h"

struct connect_keys {
        unsigned ring_order;
        uint32_t ring_refs[BLK_MAX_RING_PAGES]; /* 1 << ring_order of them */
        uint32_t event_channel;
        enum blk_abi abi;
        bool persistent; /* feature-persistent = 1 */
};

/* The value of a key below the frontend's directory: 0 and a malloced string,
 * -ENOENT, or another -errno (which ends the reading and is returned). */
typedef int (*connect_read)(void *arg, const char *key, char **value);

/* max_order: what this backend offered to this frontend. -EINVAL and a
 * sentence when a key is missing or wrong. */
int connect_keys_read(connect_read read, void *arg, unsigned max_order,
                      struct connect_keys *k, struct err *e);

#endif
